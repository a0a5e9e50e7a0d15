/* Function tables and stacks made by hand: a program of a few functions whose tables, frames and
 * pointers are known, sound and damaged, for amd64 and arm64. */
#include "go/gc_program.h"
#include "go/pclntab.h"
#include "go/unwind.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum {
	TEXT = 0x400000,
	RODATA = 0x500000,
	STACK = 0x700000,
	HEAP = 0x800000,
	M = HEAP + 0xe00,	/* a runtime.m, and its gsignal */
	GSIGNAL = HEAP + 0xe80, /* its stack is SIGNAL_STACK */
	SIGNAL_STACK = 0x900000,
	ROOM = 0x2000,	/* bytes of each of them */
	FUNC_STEP = 64, /* bytes of a function's code */

	G_STATUS = 0x90, /* offsets in a runtime.g and a runtime.m */
	M_CURG = 32,

	ID_ASYNC_PREEMPT = 3,
	ID_SIGPANIC = 20,
	ID_CGOCALLBACK = 4,
	ID_DEBUG_CALL = 6,
};

struct program {
	uint8_t pclntable[ROOM], ftab[512], names[1024], pctab[1024], cutab[64], files[64];
	uint8_t rodata[ROOM], stack[ROOM], heap[ROOM], signal_stack[ROOM];
	unsigned funcs;
	uint32_t pclntable_end, names_end, pctab_end, rodata_end;
	struct sw_go go;
	struct sw_go_module *module;
	struct sw_memory memory;
	struct sw_warnings warnings;
	struct sw_goroutine g;
	struct sw_thread thread;
	struct sw_go_stack out;
	sw_addr top; /* of the stack that is being built, going down */
};

static void put32(uint8_t *at, uint32_t value)
{
	memcpy(at, &value, 4);
}

static void put64(uint8_t *at, uint64_t value)
{
	memcpy(at, &value, 8);
}

static uint32_t append(uint8_t *table, uint32_t *end, const void *bytes, size_t size)
{
	uint32_t at = *end;
	memcpy(table + at, bytes, size);
	*end += (uint32_t)size;
	return at;
}

/* A pc-value stream of pairs {value, bytes of code}, ended by {0, 0}. */
struct run {
	int32_t value;
	uint32_t length;
};

static uint32_t add_stream(struct program *p, const struct run *runs)
{
	uint32_t start = p->pctab_end;
	int32_t last = -1;
	for (; runs->length; runs++) {
		int32_t delta = runs->value - last;
		uint32_t zigzag = (uint32_t)delta << 1 ^ (uint32_t)(delta >> 31);
		assert_true(zigzag < 1 << 14 && runs->length < 128);
		if (zigzag >= 128)
			p->pctab[p->pctab_end++] = (uint8_t)(zigzag | 0x80);
		p->pctab[p->pctab_end++] = (uint8_t)(zigzag >= 128 ? zigzag >> 7 : zigzag);
		p->pctab[p->pctab_end++] =
			(uint8_t)(runs->length / (p->go.arch == SW_ARCH_ARM64 ? 4 : 1));
		last = runs->value;
	}
	p->pctab[p->pctab_end++] = 0;
	return start;
}

/* What a function is; the tables of 0 are absent. */
struct made {
	const char *name;
	int32_t args;
	int32_t frame; /* bytes, at every pc */
	uint32_t deferreturn;
	uint8_t id, flag;
	uint32_t args_map, locals_map, objects; /* FUNCDATA: addresses in rodata */
	const struct run *map_index;		/* PCDATA_StackMapIndex */
	uint32_t raw_pcsp;			/* a stream of its own making */
};

static sw_addr add_func(struct program *p, struct made made)
{
	uint32_t entry = p->funcs * FUNC_STEP;
	uint8_t func[44 + 8 + 12] = {0};
	struct run frame[] = {{made.frame, FUNC_STEP}, {0, 0}};
	struct run line[] = {{10, 32}, {20, 32}, {0, 0}};
	struct run file[] = {{1, FUNC_STEP}, {0, 0}};

	put32(func, entry);
	put32(func + 4, append(p->names, &p->names_end, made.name, strlen(made.name) + 1));
	put32(func + 8, (uint32_t)made.args);
	put32(func + 12, made.deferreturn);
	put32(func + 16, made.raw_pcsp ? made.raw_pcsp : add_stream(p, frame));
	put32(func + 20, add_stream(p, file));
	put32(func + 24, add_stream(p, line));
	put32(func + 28, 2);
	func[40] = made.id;
	func[41] = made.flag;
	func[43] = 3;
	put32(func + 48, made.map_index ? add_stream(p, made.map_index) : 0);
	put32(func + 52, made.args_map ? made.args_map - RODATA : UINT32_MAX);
	put32(func + 56, made.locals_map ? made.locals_map - RODATA : UINT32_MAX);
	put32(func + 60, made.objects ? made.objects - RODATA : UINT32_MAX);

	put32(p->ftab + p->funcs * 8, entry);
	put32(p->ftab + p->funcs * 8 + 4,
	      append(p->pclntable, &p->pclntable_end, func, sizeof(func)));
	p->funcs++;
	put32(p->ftab + p->funcs * 8, p->funcs * FUNC_STEP);
	p->module->ftab_count = p->funcs + 1;
	p->module->etext = TEXT + p->funcs * FUNC_STEP;
	return TEXT + entry;
}

/* A stack map of one bitmap of up to 8 words. */
static uint32_t add_map(struct program *p, uint32_t bits, uint8_t bitmap)
{
	uint8_t map[16] = {0};
	put32(map, 1);
	put32(map + 4, bits);
	map[8] = bitmap;
	return RODATA + append(p->rodata, &p->rodata_end, map, sizeof(map));
}

static void add_region(struct program *p, sw_addr addr, const uint8_t *bytes)
{
	struct sw_region region = {addr, ROOM, bytes, SW_REGION_READ};
	assert_null(sw_memory_add(&p->memory, region));
}

static void set_layout(struct sw_layout *layout)
{
	memset(layout, 0xff, sizeof(*layout));
	layout->func.size = 44;
	layout->func.entryOff = 0;
	layout->func.nameOff = 4;
	layout->func.args = 8;
	layout->func.deferreturn = 12;
	layout->func.pcsp = 16;
	layout->func.pcfile = 20;
	layout->func.pcln = 24;
	layout->func.npcdata = 28;
	layout->func.cuOffset = 32;
	layout->func.funcID = 40;
	layout->func.flag = 41;
	layout->func.nfuncdata = 43;
	layout->g.stack_lo = 0;
	layout->g.stack_hi = 8;
	layout->g.sched = 56;
	layout->g.atomicstatus = G_STATUS;
	layout->gobuf.ctxt = 24;
	layout->m.gsignal = 8;
	layout->m.vdsoSP = 16;
	layout->m.vdsoPC = 24;
	layout->m.curg = M_CURG;
	layout->defer.heap = 0;
	layout->defer.fn = 24;
	layout->defer.link = 32;
	layout->func_id.asyncPreempt = ID_ASYNC_PREEMPT;
	layout->func_id.cgocallback = ID_CGOCALLBACK;
	layout->func_id.debugCallV2 = ID_DEBUG_CALL;
	layout->func_id.sigpanic = ID_SIGPANIC;
}

static struct program *create(enum sw_arch arch)
{
	struct program *p = calloc(1, sizeof(*p));
	assert_non_null(p);
	p->go.arch = arch;
	p->go.minor = p->go.release.minor = 27;
	p->go.memory = &p->memory;
	p->go.warnings = &p->warnings;
	set_layout(&p->go.layout);
	p->names_end = p->pctab_end = 1;
	p->rodata_end = 8;
	add_region(p, RODATA, p->rodata);
	add_region(p, STACK, p->stack);
	add_region(p, HEAP, p->heap);
	add_region(p, SIGNAL_STACK, p->signal_stack);
	memcpy(p->files, "a.go\0b.go", 10);
	put32(p->cutab + 4, 5);

	struct sw_go_module module = {
		.text = TEXT,
		.rodata = RODATA,
		.gofunc = RODATA,
		.pclntable = p->pclntable,
		.pclntable_size = sizeof(p->pclntable),
		.funcnametab = p->names,
		.funcnametab_size = sizeof(p->names),
		.pctab = p->pctab,
		.pctab_size = sizeof(p->pctab),
		.filetab = p->files,
		.filetab_size = 10,
		.cutab = p->cutab,
		.cutab_size = sizeof(p->cutab),
		.ftab = p->ftab,
	};
	assert_null(sw_go_modules_add(&p->go.modules, module));
	p->module = &p->go.modules.items[0];
	p->g = (struct sw_goroutine){.goid = 7,
				     .address = HEAP,
				     .status = SW_GO_WAITING,
				     .stack_lo = STACK,
				     .stack_hi = STACK + ROOM,
				     .m = M};
	p->top = STACK + ROOM - 32;
	put64(p->heap + (M + 8 - HEAP), GSIGNAL);
	put64(p->heap + (M + M_CURG - HEAP), HEAP);
	put64(p->heap + (GSIGNAL - HEAP), SIGNAL_STACK);
	put64(p->heap + (GSIGNAL + 8 - HEAP), SIGNAL_STACK + ROOM);
	return p;
}

static void destroy(struct program *p)
{
	sw_go_stack_free(&p->out);
	sw_go_pc_cache_free(p->go.pc_cache);
	sw_go_modules_free(&p->go.modules);
	sw_memory_free(&p->memory);
	sw_warnings_clear(&p->warnings);
	free(p);
}

static uint8_t *stack_at(struct program *p, sw_addr at)
{
	assert_true(at >= STACK && at + 8 <= STACK + ROOM);
	return p->stack + (at - STACK);
}

/* Builds amd64 frames from the top down: each call pushes a return address, then the callee's
 * frame of `size` bytes. Returns the sp in the callee. */
static sw_addr call(struct program *p, sw_addr return_pc, uint32_t size)
{
	p->top -= 8;
	put64(stack_at(p, p->top), return_pc);
	p->top -= size;
	return p->top;
}

static bool is_heap(void *context, sw_addr pointer)
{
	(void)context;
	return pointer >= HEAP && pointer < HEAP + ROOM;
}

static void unwind(struct program *p)
{
	sw_go_stack_free(&p->out);
	assert_null(sw_go_unwind(&p->go, &p->g, true, is_heap, NULL, &p->out));
}

static size_t count_words(const struct program *p, sw_addr pointer, enum sw_go_word_kind kind)
{
	size_t count = 0;
	for (size_t i = 0; i < p->out.words.count; i++)
		count += p->out.words.items[i].pointer == pointer &&
			 p->out.words.items[i].kind == kind;
	return count;
}

/* ---- tables ---- */

static void test_finds_functions(void **state)
{
	(void)state;
	struct program *p = create(SW_ARCH_AMD64);
	struct sw_go_func func;
	const char *file;
	int32_t line;

	sw_addr first = add_func(p, (struct made){.name = "main.first", .args = 16, .id = 9});
	sw_addr second = add_func(p, (struct made){.name = "main.(*parser).line"});
	assert_false(sw_go_find_func(&p->go, TEXT - 1, &func));
	assert_true(sw_go_find_func(&p->go, first, &func));
	assert_string_equal(sw_go_func_name(&func), "main.first");
	assert_int_equal(func.args, 16);
	assert_int_equal(func.id, 9);
	assert_true(sw_go_find_func(&p->go, second - 1, &func));
	assert_int_equal(func.entry, first);
	assert_true(sw_go_find_func(&p->go, second + FUNC_STEP - 1, &func));
	assert_string_equal(sw_go_func_name(&func), "main.(*parser).line");
	assert_true(sw_go_func_line(&p->go, &func, second + 31, &file, &line));
	assert_string_equal(file, "b.go");
	assert_int_equal(line, 10);
	assert_true(sw_go_func_line(&p->go, &func, second + 32, &file, &line));
	assert_int_equal(line, 20);
	assert_false(sw_go_find_func(&p->go, second + FUNC_STEP, &func));
	destroy(p);
}

static void test_reads_pc_values(void **state)
{
	(void)state;
	struct program *p = create(SW_ARCH_ARM64);
	struct run runs[] = {{-1, 8}, {300, 16}, {-2, 4}, {0, 0}};
	struct sw_go_func func;
	int32_t value;

	sw_addr entry = add_func(p, (struct made){.name = "f"});
	uint32_t stream = add_stream(p, runs);
	assert_true(sw_go_find_func(&p->go, entry, &func));
	const struct {
		uint32_t offset;
		int32_t value;
	} want[] = {{0, -1}, {7, -1}, {8, 300}, {23, 300}, {24, -2}, {27, -2}};
	for (size_t i = 0; i < sizeof(want) / sizeof(*want); i++) {
		assert_true(sw_go_pc_value(&p->go, &func, stream, entry + want[i].offset, &value));
		assert_int_equal(value, want[i].value);
	}
	assert_false(sw_go_pc_value(&p->go, &func, stream, entry + 28, &value));
	assert_true(sw_go_pc_value(&p->go, &func, 0, entry, &value));
	assert_int_equal(value, -1);
	destroy(p);
}

static void test_damaged_tables(void **state)
{
	(void)state;
	struct program *p = create(SW_ARCH_AMD64);
	struct sw_go_func func;
	const char *file;
	int32_t value;

	sw_addr entry = add_func(p, (struct made){.name = "f"});
	assert_true(sw_go_find_func(&p->go, entry, &func));
	/* A stream outside the table, one that never ends a number, one that never moves on. */
	assert_false(sw_go_pc_value(&p->go, &func, sizeof(p->pctab), entry, &value));
	memset(p->pctab + 512, 0x80, 512);
	assert_false(sw_go_pc_value(&p->go, &func, 512, entry, &value));
	memset(p->pctab + 512, 2, 512);
	assert_false(sw_go_pc_value(&p->go, &func, 512, entry + 4096, &value));
	memset(p->pctab + 512, 0, 512);
	assert_false(sw_go_pc_value(&p->go, &func, 512, entry, &value));
	/* A name, a file and tables that lie outside. */
	p->module->funcnametab_size = 2;
	assert_string_equal(sw_go_func_name(&func), "?");
	put32(p->pclntable + 32, 0x7fffffff);
	assert_false(sw_go_func_line(&p->go, &func, entry, &file, &value));
	put32(p->pclntable + 28, 0xffffffff);
	assert_int_equal(sw_go_func_data(&p->go, &func, 1), 0);
	assert_false(sw_go_func_pcdata(&p->go, &func, 0x10000000, entry, &value));
	put32(p->ftab + 4, sizeof(p->pclntable) - 8);
	assert_false(sw_go_find_func(&p->go, entry, &func));
	p->module->ftab_count = 1;
	assert_false(sw_go_find_func(&p->go, entry, &func));
	destroy(p);
}

/* ---- sound stacks ---- */

/* goexit ← main.work ← runtime.gopark; work has locals at varp - 8 * 4: a pointer, a number, a
 * pointer into the stack, and `dead`. */
struct small {
	sw_addr exit, work, park;
	sw_addr work_sp, park_sp;
};

enum { WORK_FRAME = 64 };

static struct small make_small(struct program *p, struct made work, struct made park)
{
	struct small s;
	uint64_t keeps_lr = p->go.arch == SW_ARCH_ARM64;

	s.exit = add_func(p, (struct made){.name = "runtime.goexit", .flag = SW_FUNC_TOP_FRAME});
	work.frame = WORK_FRAME;
	s.work = add_func(p, work);
	s.park = add_func(p, park);
	if (keeps_lr) {
		s.work_sp = p->top - WORK_FRAME;
		put64(stack_at(p, s.work_sp), s.exit + 4);
		s.park_sp = s.work_sp - (uint64_t)park.frame;
		put64(stack_at(p, s.park_sp), s.work + 40);
		p->top = s.park_sp;
	} else {
		s.work_sp = call(p, s.exit + 1, WORK_FRAME);
		s.park_sp = call(p, s.work + 40, (uint32_t)park.frame);
	}
	p->g.sched_pc = s.park + 40;
	p->g.sched_sp = s.park_sp;
	return s;
}

static void check_small(const struct program *p, const struct small *s, uint64_t varp)
{
	const struct sw_go_frame *frames = p->out.frames.items;
	assert_false(p->out.is_partial);
	assert_int_equal(p->out.frames.count, 3);
	assert_int_equal(frames[0].sp, s->park_sp);
	assert_int_equal(frames[1].sp, s->work_sp);
	assert_int_equal(frames[1].pc, s->work + 40);
	assert_int_equal(frames[1].varp, varp);
	assert_int_equal(frames[2].func.entry, s->exit);
	assert_int_equal(p->warnings.count, 0);
}

static void walk_precisely(enum sw_arch arch)
{
	struct program *p = create(arch);
	struct made work = {.name = "main.work", .locals_map = add_map(p, 4, 0x5)};
	struct made park = {.name = "runtime.gopark", .frame = 32, .locals_map = add_map(p, 0, 0)};
	struct small s = make_small(p, work, park);
	sw_addr varp = s.work_sp + WORK_FRAME - 8;

	for (int i = 0; i < 4; i++)
		put64(stack_at(p, varp - 32 + 8 * (unsigned)i), HEAP + 16 * (unsigned)(i + 1));
	for (int round = 0; round < 3; round++) { /* without a cache, filling it, using it */
		unwind(p);
		check_small(p, &s, varp);
		assert_true(p->out.frames.items[1].is_call);
		assert_int_equal(p->out.words.count, 2);
		assert_int_equal(count_words(p, HEAP + 16, SW_GO_WORD_PRECISE), 1);
		assert_int_equal(count_words(p, HEAP + 48, SW_GO_WORD_PRECISE), 1);
		assert_int_equal(p->out.words.items[0].at, varp - 32);
		assert_int_equal(p->out.words.items[0].frame, 1);
		if (round == 0)
			assert_null(sw_go_pc_cache_create(&p->go.pc_cache));
	}
	destroy(p);
}

static void test_walks_amd64(void **state)
{
	(void)state;
	walk_precisely(SW_ARCH_AMD64);
}

static void test_walks_arm64(void **state)
{
	(void)state;
	walk_precisely(SW_ARCH_ARM64);
}

/* Two objects of two words, only the first of which is pointed to. */
static uint32_t add_two_objects(struct program *p)
{
	uint8_t table[8 + 2 * 16] = {0};
	put64(table, 2);
	for (unsigned i = 0; i < 2; i++) {
		put32(table + 8 + 16 * i, (uint32_t)(-48 + 16 * (int)i));
		put32(table + 12 + 16 * i, 16);
		put32(table + 16 + 16 * i, 16);
		put32(table + 20 + 16 * i, 0); /* mask at rodata: */
	}
	p->rodata[0] = 0x2;
	return RODATA + append(p->rodata, &p->rodata_end, table, sizeof(table));
}

static void test_live_stack_objects(void **state)
{
	(void)state;
	struct program *p = create(SW_ARCH_AMD64);
	struct made work = {.name = "main.work",
			    .locals_map = add_map(p, 1, 0x1),
			    .objects = add_two_objects(p)};
	struct small s = make_small(p, work, (struct made){.name = "runtime.gopark"});
	sw_addr varp = s.work_sp + WORK_FRAME - 8;

	put64(stack_at(p, varp - 8), varp - 48 + 8); /* into the first object */
	put64(stack_at(p, varp - 48), HEAP + 16);    /* no pointer by its mask */
	put64(stack_at(p, varp - 40), HEAP + 32);
	put64(stack_at(p, varp - 24), HEAP + 48); /* of the second, dead one */
	unwind(p);
	check_small(p, &s, varp);
	assert_int_equal(p->out.words.count, 1);
	assert_int_equal(count_words(p, HEAP + 32, SW_GO_WORD_PRECISE), 1);
	assert_int_equal(p->out.words.items[0].frame, 1);

	/* The panic record points to the second one. */
	p->g.panics = varp - 32;
	unwind(p);
	assert_int_equal(p->out.words.count, 2);
	assert_int_equal(count_words(p, HEAP + 48, SW_GO_WORD_PRECISE), 1);
	destroy(p);
}

static void test_async_preemption_is_conservative(void **state)
{
	(void)state;
	struct program *p = create(SW_ARCH_AMD64);
	struct made work = {.name = "main.work", .locals_map = add_map(p, 1, 0x0)};
	struct made park = {.name = "runtime.asyncPreempt", .frame = 32, .id = ID_ASYNC_PREEMPT};
	struct small s = make_small(p, work, park);

	put64(stack_at(p, s.park_sp), HEAP + 64);
	put64(stack_at(p, s.park_sp + 8), 0x123456); /* no object */
	put64(stack_at(p, s.work_sp), HEAP + 80);
	unwind(p);
	check_small(p, &s, s.work_sp + WORK_FRAME - 8);
	assert_true(p->out.frames.items[0].is_conservative);
	assert_true(p->out.frames.items[1].is_conservative);
	assert_false(p->out.frames.items[1].is_call);
	assert_false(p->out.frames.items[2].is_conservative);
	assert_int_equal(p->out.words.count, 2);
	assert_int_equal(count_words(p, HEAP + 64, SW_GO_WORD_CONSERVATIVE), 1);
	assert_int_equal(count_words(p, HEAP + 80, SW_GO_WORD_CONSERVATIVE), 1);
	destroy(p);
}

/* goexit ← main.work ← main.leaf, which has no frame and was interrupted: its link register was
 * pushed before asyncPreempt took it. */
static void test_injected_calls_of_arm64(void **state)
{
	(void)state;
	for (int has_leaf = 0; has_leaf < 2; has_leaf++) {
		struct program *p = create(SW_ARCH_ARM64);
		struct made work = {.name = "main.work", .locals_map = add_map(p, 1, 0x1)};
		struct made park = {
			.name = "runtime.asyncPreempt", .frame = 32, .id = ID_ASYNC_PREEMPT};
		sw_addr leaf = add_func(p, (struct made){.name = "main.leaf"});
		struct small s = make_small(p, work, park);
		uint64_t pointer = HEAP + 64, local = HEAP + 16;

		s.park_sp = p->g.sched_sp -= 16;
		put64(stack_at(p, s.park_sp), has_leaf ? leaf + 20 : s.work + 40);
		put64(stack_at(p, s.work_sp - 16), has_leaf ? s.work + 40 : pointer);
		put64(stack_at(p, s.work_sp + WORK_FRAME - 16), local);
		unwind(p);
		assert_false(p->out.is_partial);
		assert_int_equal(p->out.frames.count, 3 + has_leaf);
		const struct sw_go_frame *frame = &p->out.frames.items[1 + has_leaf];
		assert_int_equal(frame->func.entry, s.work);
		assert_int_equal(frame->sp, s.work_sp);
		/* What the leaf returns to is at a call. */
		assert_int_equal(frame->is_conservative, !has_leaf);
		assert_int_equal(
			count_words(p, local,
				    has_leaf ? SW_GO_WORD_PRECISE : SW_GO_WORD_CONSERVATIVE),
			1);
		assert_int_equal(count_words(p, pointer, SW_GO_WORD_CONSERVATIVE), !has_leaf);
		/* Earlier collectors did not look at the link register. */
		p->go.release.minor = 26;
		p->go.release.patch = 5;
		unwind(p);
		assert_int_equal(count_words(p, pointer, SW_GO_WORD_CONSERVATIVE), 0);
		p->go.release.patch = 6;
		unwind(p);
		assert_int_equal(count_words(p, pointer, SW_GO_WORD_CONSERVATIVE), !has_leaf);
		destroy(p);
	}
}

static void test_frames_that_fault(void **state)
{
	(void)state;
	for (uint32_t deferreturn = 0; deferreturn <= 48; deferreturn += 48) {
		struct program *p = create(SW_ARCH_AMD64);
		struct made work = {.name = "main.work",
				    .locals_map = add_map(p, 1, 0x1),
				    .deferreturn = deferreturn};
		struct made park = {.name = "runtime.sigpanic", .id = ID_SIGPANIC};
		struct small s = make_small(p, work, park);

		put64(stack_at(p, s.work_sp + WORK_FRAME - 16), HEAP + 16);
		unwind(p);
		assert_int_equal(p->out.frames.items[1].continpc,
				 deferreturn ? s.work + deferreturn + 1 : 0);
		/* Without a defer it never goes on, and nothing in it is live. */
		assert_int_equal(p->out.words.count, deferreturn ? 1 : 0);
		destroy(p);
	}
}

static void test_defers_and_closure(void **state)
{
	(void)state;
	struct program *p = create(SW_ARCH_AMD64);
	struct small s =
		make_small(p, (struct made){.name = "main.work", .locals_map = add_map(p, 0, 0)},
			   (struct made){.name = "runtime.gopark"});
	sw_addr record = s.work_sp;

	p->g.sched_ctxt = HEAP + 8;
	p->g.defers = record; /* on the stack; the next in the heap */
	put64(stack_at(p, record + 24), HEAP + 16);
	put64(stack_at(p, record + 32), HEAP + 0x100);
	p->heap[0x100] = 1;
	put64(p->heap + 0x118, HEAP + 32);
	unwind(p);
	check_small(p, &s, s.work_sp + WORK_FRAME - 8);
	assert_int_equal(count_words(p, HEAP + 8, SW_GO_WORD_CTXT), 1);
	assert_int_equal(count_words(p, HEAP + 16, SW_GO_WORD_DEFER), 1);
	assert_int_equal(count_words(p, HEAP + 32, SW_GO_WORD_DEFER), 1);
	assert_int_equal(count_words(p, HEAP + 0x100, SW_GO_WORD_DEFER), 2);
	assert_int_equal(p->out.words.count, 5);
	destroy(p);
}

/* ---- goroutines that were running ---- */

static struct small make_running(struct program *p)
{
	struct small s =
		make_small(p, (struct made){.name = "main.work", .locals_map = add_map(p, 1, 0x1)},
			   (struct made){.name = "main.leaf", .frame = 32});
	put64(stack_at(p, s.work_sp + WORK_FRAME - 16), HEAP + 16);
	put64(stack_at(p, s.park_sp + 8), HEAP + 32);
	p->g.status = SW_GO_RUNNING;
	p->g.sched_pc = p->g.sched_sp = 0;
	p->g.thread = &p->thread;
	p->thread = (struct sw_thread){.register_count = 34, .pc = s.park + 40, .sp = s.park_sp};
	p->thread.registers[3] = HEAP + 48;
	return s;
}

static void check_running(const struct program *p, const struct small *s)
{
	check_small(p, s, s->work_sp + WORK_FRAME - 8);
	assert_true(p->out.frames.items[0].is_conservative);
	assert_false(p->out.frames.items[1].is_conservative);
	assert_int_equal(count_words(p, HEAP + 16, SW_GO_WORD_PRECISE), 1);
	assert_int_equal(count_words(p, HEAP + 32, SW_GO_WORD_CONSERVATIVE), 1);
	assert_int_equal(count_words(p, HEAP + 48, SW_GO_WORD_CONSERVATIVE), 1);
}

static void test_running_on_its_stack(void **state)
{
	(void)state;
	for (int arch = SW_ARCH_AMD64; arch <= SW_ARCH_ARM64; arch++) {
		struct program *p = create((enum sw_arch)arch);
		struct small s = make_running(p);
		uint64_t vectors[2] = {0, HEAP + 64};
		p->thread.vector = (uint8_t *)vectors;
		p->thread.vector_size = sizeof(vectors);
		unwind(p);
		check_running(p, &s);
		assert_int_equal(count_words(p, HEAP + 64, SW_GO_WORD_CONSERVATIVE), 1);
		p->go.minor = 26;
		unwind(p);
		assert_int_equal(count_words(p, HEAP + 64, SW_GO_WORD_CONSERVATIVE), 0);
		destroy(p);
	}
}

/* The ucontext that a kernel leaves on the signal stack. */
static void put_context(struct program *p, uint32_t at, const struct small *s)
{
	uint8_t *context = p->signal_stack + at;
	bool is_arm = p->go.arch == SW_ARCH_ARM64;

	put64(context + 16, SIGNAL_STACK);
	put64(context + 32, ROOM);
	put64(context + (is_arm ? 184 : 40), HEAP + 48);
	put64(context + (is_arm ? 432 : 160), s->park_sp);
	put64(context + (is_arm ? 440 : 168), s->park + 40);
	if (!is_arm)
		put64(context + 184, 0x33);
}

static void test_running_in_signal_handler(void **state)
{
	(void)state;
	for (int arch = SW_ARCH_AMD64; arch <= SW_ARCH_ARM64; arch++) {
		struct program *p = create((enum sw_arch)arch);
		struct small s = make_running(p);

		p->thread.pc = 0x1234;
		p->thread.sp = SIGNAL_STACK + 0x101;
		p->thread.registers[3] = 0;
		put_context(p, 0x200, &s);
		unwind(p);
		check_running(p, &s);

		/* Without it: everything that looks like a pointer, and it says so. */
		put64(p->signal_stack + 0x200 + 16, 0);
		unwind(p);
		assert_true(p->out.is_partial);
		assert_int_equal(p->out.frames.count, 0);
		assert_int_equal(count_words(p, HEAP + 16, SW_GO_WORD_CONSERVATIVE), 1);
		assert_int_equal(p->warnings.count, 1);
		assert_string_equal(p->warnings.items[0].code, "running_goroutine");
		destroy(p);
	}
}

static void test_running_on_g0(void **state)
{
	(void)state;
	struct program *p = create(SW_ARCH_AMD64);
	struct small s = make_running(p);

	p->thread.sp = HEAP + 0x800; /* stands for g0's stack */
	put64(p->heap + (M + 16 - HEAP), s.work_sp);
	put64(p->heap + (M + 24 - HEAP), s.work + 40);
	unwind(p); /* in the vDSO: goes on in the caller, whose map holds */
	assert_false(p->out.is_partial);
	assert_int_equal(p->out.frames.count, 2);
	assert_int_equal(p->out.words.count, 1);

	put64(p->heap + (M + 16 - HEAP), 0);
	p->g.sched_pc = s.park + 40;
	p->g.sched_sp = s.park_sp;
	unwind(p); /* by mcall or morestack */
	assert_int_equal(p->out.frames.count, 3);
	assert_int_equal(count_words(p, HEAP + 48, SW_GO_WORD_CONSERVATIVE), 0);

	p->g.thread = NULL; /* a thread runs it, of which nothing is known */
	unwind(p);
	assert_true(p->out.is_partial);
	assert_int_equal(p->out.frames.count, 0);
	put64(p->heap + (M + M_CURG - HEAP), 0); /* no thread runs it yet */
	unwind(p);
	assert_int_equal(p->out.frames.count, 3);
	destroy(p);
}

/* On the way into a system call its pc may still be that of the one before. */
static void test_running_into_system_call(void **state)
{
	(void)state;
	struct program *p = create(SW_ARCH_AMD64);
	struct small s = make_running(p);

	p->g.syscall_sp = s.work_sp;
	p->g.syscall_pc = 0x1234;
	unwind(p);
	check_running(p, &s);
	p->g.syscall_pc = s.work + 40;
	p->thread.pc = 0x1234; /* in C, on another stack */
	p->thread.sp = 0x1000;
	unwind(p);
	assert_false(p->out.is_partial);
	assert_int_equal(p->out.frames.count, 2);
	assert_int_equal(count_words(p, HEAP + 48, SW_GO_WORD_CONSERVATIVE), 0);
	destroy(p);
}

/* A stack that is being copied: its words still point into the old one. */
static void test_moving_stack(void **state)
{
	(void)state;
	struct program *p = create(SW_ARCH_AMD64);
	struct made work = {.name = "main.work",
			    .locals_map = add_map(p, 1, 0x1),
			    .objects = add_two_objects(p)};
	struct small s = make_small(p, work, (struct made){.name = "runtime.gopark"});
	sw_addr varp = s.work_sp + WORK_FRAME - 8;

	put64(stack_at(p, varp - 8), 0xdead0);
	put64(stack_at(p, varp - 40), HEAP + 32);
	put64(stack_at(p, varp - 24), HEAP + 48);
	unwind(p);
	assert_int_equal(count_words(p, HEAP + 32, SW_GO_WORD_CONSERVATIVE), 0);
	p->g.status = SW_GO_COPYSTACK; /* to grow */
	unwind(p);
	check_small(p, &s, varp);
	assert_int_equal(count_words(p, HEAP + 32, SW_GO_WORD_CONSERVATIVE), 1);
	assert_int_equal(count_words(p, HEAP + 48, SW_GO_WORD_CONSERVATIVE), 1);
	p->g.status = SW_GO_WAITING; /* to shrink, by a worker that scans it */
	p->go.gcphase = 1;
	put32(p->heap + G_STATUS, 0x1000 | SW_GO_WAITING);
	unwind(p);
	assert_int_equal(count_words(p, HEAP + 48, SW_GO_WORD_CONSERVATIVE), 1);
	put32(p->heap + G_STATUS, SW_GO_WAITING);
	unwind(p);
	assert_int_equal(count_words(p, HEAP + 48, SW_GO_WORD_CONSERVATIVE), 0);
	destroy(p);
}

/* ---- damaged stacks ---- */

static void expect_damage(struct program *p, size_t frames)
{
	unwind(p);
	assert_true(p->out.is_partial);
	assert_int_equal(p->out.frames.count, frames);
	assert_int_equal(p->warnings.count, 1);
	assert_string_equal(p->warnings.items[0].code, "damaged_stack");
	assert_true(p->warnings.items[0].incomplete);
}

static struct small make_plain(struct program *p)
{
	return make_small(p, (struct made){.name = "main.work", .locals_map = add_map(p, 1, 1)},
			  (struct made){.name = "runtime.gopark"});
}

static void test_bad_starts(void **state)
{
	(void)state;
	struct program *p = create(SW_ARCH_AMD64);
	struct small s = make_plain(p);

	p->g.sched_sp = STACK - 8;
	expect_damage(p, 0);
	p->g.sched_sp = STACK + ROOM;
	expect_damage(p, 0);
	p->g.sched_sp = UINT64_MAX;
	expect_damage(p, 0);
	p->g.sched_sp = s.park_sp;
	p->g.sched_pc = 0x1234;
	expect_damage(p, 0);
	p->g.stack_hi = UINT64_MAX - 7;
	expect_damage(p, 0);
	p->g.stack_lo = p->g.stack_hi = 0;
	expect_damage(p, 0);
	p->g.status = SW_GO_DEAD;
	unwind(p);
	assert_false(p->out.is_partial);
	destroy(p);
}

static void test_bad_return_addresses(void **state)
{
	(void)state;
	struct program *p = create(SW_ARCH_AMD64);
	struct small s = make_plain(p);

	/* What cannot be walked is searched for pointers. */
	put64(stack_at(p, s.work_sp), HEAP + 16);
	put64(stack_at(p, s.work_sp - 8), 0x99);
	expect_damage(p, 1);
	assert_int_equal(count_words(p, HEAP + 16, SW_GO_WORD_CONSERVATIVE), 1);
	put64(stack_at(p, s.work_sp - 8), 0);
	expect_damage(p, 1);
	destroy(p);
}

/* Every word is a return address into a function without a frame: the walk ends with the stack. */
static void test_endless_frames(void **state)
{
	(void)state;
	for (int arch = SW_ARCH_AMD64; arch <= SW_ARCH_ARM64; arch++) {
		struct program *p = create((enum sw_arch)arch);
		struct small s = make_plain(p);
		for (sw_addr at = s.park_sp; at < STACK + ROOM; at += 8)
			put64(stack_at(p, at), s.park + 40);
		unwind(p);
		assert_true(p->out.is_partial);
		assert_true(p->out.frames.count <= ROOM / 8);
		destroy(p);
	}
}

static void test_bad_frame_sizes(void **state)
{
	(void)state;
	const int32_t frames[] = {-8, -5000, 4, 8000};
	for (size_t i = 0; i < sizeof(frames) / sizeof(*frames); i++) {
		struct program *p = create(SW_ARCH_AMD64);
		sw_addr f = add_func(p, (struct made){.name = "f", .frame = frames[i]});
		p->g.sched_pc = f + 1;
		p->g.sched_sp = STACK + ROOM - 512;
		expect_damage(p, 0);
		destroy(p);
	}
}

static void test_endless_stream(void **state)
{
	(void)state;
	struct program *p = create(SW_ARCH_AMD64);
	memset(p->pctab + 512, 0x81, 512);
	sw_addr f = add_func(p, (struct made){.name = "f", .raw_pcsp = 512});
	p->g.sched_pc = f + 1;
	p->g.sched_sp = STACK + ROOM - 512;
	expect_damage(p, 0);
	destroy(p);
}

/* A map that is too long, points nowhere, or has no entry for this place: the frame is scanned
 * conservatively and nothing is lost. */
static void test_bad_stack_maps(void **state)
{
	(void)state;
	const struct run index[] = {{5, FUNC_STEP}, {0, 0}};
	for (int i = 0; i < 5; i++) {
		struct program *p = create(SW_ARCH_AMD64);
		struct made work = {.name = "main.work", .locals_map = add_map(p, 1, 1)};
		if (i == 0)
			work.locals_map = add_map(p, 0x7fffffff, 1);
		if (i == 1)
			work.locals_map = add_map(p, 500, 1);
		if (i == 2)
			work.locals_map = RODATA + 0x1000000;
		if (i == 3)
			work.map_index = index;
		if (i == 4) {
			work.args = 64;
			work.args_map = add_map(p, 0xffffffff, 1);
		}
		struct small s = make_small(p, work, (struct made){.name = "runtime.gopark"});
		put64(stack_at(p, s.work_sp), HEAP + 16);
		expect_damage(p, 3);
		assert_int_equal(count_words(p, HEAP + 16, SW_GO_WORD_CONSERVATIVE), 1);
		destroy(p);
	}
}

static void test_bad_stack_objects(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct program *p = create(SW_ARCH_AMD64);
		uint32_t objects = add_two_objects(p);
		uint8_t *table = p->rodata + (objects - RODATA);
		struct made work = {
			.name = "main.work", .locals_map = add_map(p, 1, 0x1), .objects = objects};
		struct small s = make_small(p, work, (struct made){.name = "runtime.gopark"});
		sw_addr varp = s.work_sp + WORK_FRAME - 8;

		put64(stack_at(p, varp - 8), varp - 48);
		if (i == 0)
			put64(table, UINT64_MAX); /* objects without number: as if none */
		if (i == 1)
			put32(table + 12, 0x7fffffff); /* larger than the stack */
		if (i == 2)
			put32(table + 20, 0x7fffffff); /* its mask is nowhere */
		if (i == 3)
			put32(table + 16, 0x80000008); /* more pointers than bytes */
		unwind(p);
		assert_int_equal(p->out.is_partial, i != 0);
		assert_int_equal(p->out.frames.count, 3);
		destroy(p);
	}
}

static void test_ring_of_defers(void **state)
{
	(void)state;
	struct program *p = create(SW_ARCH_AMD64);
	make_plain(p);
	p->g.defers = HEAP;
	for (uint64_t i = 0; i < 5; i++)
		put64(p->heap + i * 64 + 32, HEAP + (i + 1) % 5 * 64);
	expect_damage(p, 3);
	assert_true(p->out.words.count < 100);
	p->g.defers = 0x1234;
	expect_damage(p, 3);
	destroy(p);
}

static void test_missing_memory(void **state)
{
	(void)state;
	struct program *p = create(SW_ARCH_AMD64);
	make_plain(p);

	/* The target has the stack in two pieces here: it is put together. */
	uint8_t *copy = malloc(ROOM);
	assert_non_null(copy);
	memcpy(copy, p->stack, ROOM);
	sw_addr cut = p->g.sched_sp + 16;
	sw_memory_free(&p->memory);
	add_region(p, RODATA, p->rodata);
	struct sw_region low = {STACK, cut - STACK, p->stack, 0};
	struct sw_region high = {cut, STACK + ROOM - cut, copy + (cut - STACK), 0};
	assert_null(sw_memory_add(&p->memory, low));
	assert_null(sw_memory_add(&p->memory, high));
	unwind(p);
	assert_false(p->out.is_partial);
	assert_int_equal(p->out.frames.count, 3);

	/* Without the second piece. */
	sw_memory_free(&p->memory);
	add_region(p, RODATA, p->rodata);
	assert_null(sw_memory_add(&p->memory, low));
	expect_damage(p, 1);
	/* Without any. */
	sw_memory_free(&p->memory);
	expect_damage(p, 0);
	free(copy);
	destroy(p);
}

/* ---- GC programs ---- */

static void test_gc_programs(void **state)
{
	(void)state;
	struct program *p = create(SW_ARCH_AMD64);
	/* 101, the last three bits four times more, end. */
	const uint8_t program[] = {3, 0x05, 0x83, 4, 0};
	uint8_t bits[4] = {0};

	memcpy(p->rodata + 64, program, sizeof(program));
	assert_true(sw_go_run_gc_program(&p->memory, RODATA + 64, bits, 15));
	assert_int_equal(bits[0] | bits[1] << 8, 055555);
	assert_false(sw_go_run_gc_program(&p->memory, RODATA + 64, bits, 16));
	/* A repetition of more than there is, and one without end. */
	memcpy(p->rodata + 64, (uint8_t[]){3, 5, 0x84, 4, 0}, 5);
	assert_false(sw_go_run_gc_program(&p->memory, RODATA + 64, bits, 32));
	memset(p->rodata + 64, 0x80, 64);
	assert_false(sw_go_run_gc_program(&p->memory, RODATA + 64, bits, 32));
	assert_false(sw_go_run_gc_program(&p->memory, 0x1234, bits, 32));
	destroy(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_finds_functions),
		cmocka_unit_test(test_reads_pc_values),
		cmocka_unit_test(test_damaged_tables),
		cmocka_unit_test(test_walks_amd64),
		cmocka_unit_test(test_walks_arm64),
		cmocka_unit_test(test_live_stack_objects),
		cmocka_unit_test(test_async_preemption_is_conservative),
		cmocka_unit_test(test_injected_calls_of_arm64),
		cmocka_unit_test(test_frames_that_fault),
		cmocka_unit_test(test_defers_and_closure),
		cmocka_unit_test(test_running_on_its_stack),
		cmocka_unit_test(test_running_in_signal_handler),
		cmocka_unit_test(test_running_on_g0),
		cmocka_unit_test(test_running_into_system_call),
		cmocka_unit_test(test_moving_stack),
		cmocka_unit_test(test_bad_starts),
		cmocka_unit_test(test_bad_return_addresses),
		cmocka_unit_test(test_endless_frames),
		cmocka_unit_test(test_bad_frame_sizes),
		cmocka_unit_test(test_endless_stream),
		cmocka_unit_test(test_bad_stack_maps),
		cmocka_unit_test(test_bad_stack_objects),
		cmocka_unit_test(test_ring_of_defers),
		cmocka_unit_test(test_missing_memory),
		cmocka_unit_test(test_gc_programs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
