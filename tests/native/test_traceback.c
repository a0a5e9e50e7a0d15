/* Calls of frames from function tables made by hand, sound and damaged; what a traceback shows of
 * them; the stacks of many goroutines at once; wait reasons; ages; labels. */
#include "go/clock.h"
#include "go/labels.h"
#include "go/pclntab.h"
#include "go/traceback.h"
#include "go/wait_reason.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum {
	TEXT = 0x400000,
	GOFUNC = 0x500000,
	STACKS = 0x700000,
	CODE = 64, /* bytes of a function's code */
	FUNC = 44, /* bytes of a _func without its tables */
	FUNCS = 8,
	STACK = 256, /* bytes of a goroutine's stack */
	GOROUTINES = 1000,
	FRAME = 24, /* bytes of a frame but for its return address */

	ID_WRAPPER = 23,
	ID_GOPANIC = 10,
	ID_GOEXIT = 8,
	ID_MAIN = 17,
	ID_FINALIZERS = 18,
};

struct program {
	uint8_t pclntable[4096], ftab[128], names[1024], pctab[1024], cutab[32], files[32];
	uint8_t tree[1024]; /* inlined calls, at GOFUNC */
	uint8_t stacks[GOROUTINES * STACK];
	uint32_t pclntable_end, names_end, pctab_end, funcs;
	struct sw_go go;
	struct sw_work work;
	struct sw_target target;
	struct sw_memory memory;
	struct sw_warnings warnings;
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

static uint32_t add_name(struct program *p, const char *name)
{
	return append(p->names, &p->names_end, name, strlen(name) + 1);
}

/* A value for the first `first` bytes of code, then another; all small. */
static uint32_t add_stream(struct program *p, int32_t value, uint8_t first, int32_t then)
{
	int32_t delta = value + 1, next = then - value;
	uint8_t stream[] = {
		(uint8_t)((uint32_t)delta << 1 ^ (uint32_t)(delta >> 31)),
		first,
		(uint8_t)((uint32_t)next << 1 ^ (uint32_t)(next >> 31)),
		(uint8_t)(CODE - first),
		0,
	};
	if (!next || first == CODE) {
		stream[1] = CODE;
		stream[2] = 0;
	}
	return append(p->pctab, &p->pctab_end, stream, sizeof(stream));
}

/* The function's lines are `line` in its first half and line + 1 in the second; the innermost
 * inlined call is number 0 of its tree in the second. */
static sw_addr add_func(struct program *p, const char *name, uint8_t id, int line)
{
	uint8_t func[FUNC + 12 + 16] = {0};
	uint32_t entry = p->funcs * CODE;

	put32(func, entry);
	put32(func + 4, add_name(p, name));
	put32(func + 16, add_stream(p, FRAME, CODE, FRAME));
	put32(func + 20, add_stream(p, 1, CODE, 1));
	put32(func + 24, add_stream(p, line, CODE / 2, line + 1));
	put32(func + 28, 3);
	func[40] = id;
	func[41] = id == ID_GOEXIT ? SW_FUNC_TOP_FRAME : 0;
	func[43] = 4;
	put32(func + FUNC + 8, add_stream(p, -1, CODE / 2, 0));
	memset(func + FUNC + 12, 0xff, 12);
	put32(func + FUNC + 24, 0); /* FUNCDATA_InlTree: at GOFUNC */
	put32(p->ftab + p->funcs * 8, entry);
	put32(p->ftab + p->funcs * 8 + 4,
	      append(p->pclntable, &p->pclntable_end, func, sizeof(func)));
	p->funcs++;
	put32(p->ftab + p->funcs * 8, p->funcs * CODE);
	p->go.modules.items[0].ftab_count = p->funcs + 1;
	p->go.modules.items[0].etext = TEXT + p->funcs * CODE;
	return TEXT + entry;
}

static void add_inlined(struct program *p, unsigned index, const char *name, uint8_t id,
			uint32_t parent_pc)
{
	bool is_old = p->go.minor < 20;
	uint8_t *at = p->tree + (size_t)index * (is_old ? 20 : 16);
	uint32_t offset = name ? add_name(p, name) : UINT32_MAX;

	at[is_old ? 2 : 0] = id;
	put32(at + (is_old ? 12 : 4), offset);
	put32(at + (is_old ? 16 : 8), parent_pc);
}

static void set_layout(struct sw_layout *layout)
{
	memset(layout, 0xff, sizeof(*layout));
	layout->func.size = FUNC;
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
	layout->func_id.wrapper = ID_WRAPPER;
	layout->func_id.gopanic = ID_GOPANIC;
	layout->func_id.goexit = ID_GOEXIT;
	layout->func_id.runtime_main = ID_MAIN;
	layout->func_id.runFinalizers = ID_FINALIZERS;
}

static struct program *create(unsigned minor)
{
	struct program *p = calloc(1, sizeof(*p));
	assert_non_null(p);
	p->go.arch = SW_ARCH_AMD64;
	p->go.minor = p->go.release.minor = minor;
	p->go.memory = &p->memory;
	p->go.warnings = &p->warnings;
	p->go.work = &p->work;
	p->go.target = &p->target;
	sw_work_init(&p->work, 1);
	set_layout(&p->go.layout);
	p->names_end = p->pctab_end = 1;
	memcpy(p->files, "a.go\0dir/b.go", 14);
	put32(p->cutab + 4, 5);

	struct sw_go_module module = {
		.text = TEXT,
		.gofunc = GOFUNC,
		.pclntable = p->pclntable,
		.pclntable_size = sizeof(p->pclntable),
		.funcnametab = p->names,
		.funcnametab_size = sizeof(p->names),
		.pctab = p->pctab,
		.pctab_size = sizeof(p->pctab),
		.filetab = p->files,
		.filetab_size = 14,
		.cutab = p->cutab,
		.cutab_size = sizeof(p->cutab),
		.ftab = p->ftab,
	};
	struct sw_region tree = {GOFUNC, sizeof(p->tree), p->tree, SW_REGION_READ};
	struct sw_region stacks = {STACKS, sizeof(p->stacks), p->stacks, SW_REGION_READ};
	assert_null(sw_go_modules_add(&p->go.modules, module));
	assert_null(sw_memory_add(&p->memory, tree));
	assert_null(sw_memory_add(&p->memory, stacks));
	return p;
}

static void destroy(struct program *p)
{
	sw_go_modules_free(&p->go.modules);
	sw_goroutines_free(&p->go.goroutines);
	sw_memory_free(&p->memory);
	sw_warnings_clear(&p->warnings);
	free(p);
}

static struct sw_go_frame frame_at(const struct program *p, sw_addr pc, bool is_call)
{
	struct sw_go_frame frame = {.pc = pc, .is_call = is_call};
	assert_true(sw_go_find_func(&p->go, pc, &frame.func));
	return frame;
}

static void expect(const struct sw_go_call *call, const char *function, int32_t line,
		   bool is_inlined)
{
	assert_string_equal(call->function, function);
	assert_string_equal(call->file, "dir/b.go");
	assert_int_equal(call->line, line);
	assert_int_equal(call->is_inlined, is_inlined);
}

/* ---- calls of a frame ---- */

static const unsigned minors[] = {18, 19, 20, 27};

static void test_inlined(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(minors) / sizeof(*minors); i++) {
		struct program *p = create(minors[i]);
		struct sw_go_call calls[SW_GO_MAX_INLINED];
		sw_addr entry = add_func(p, "main.outer", 0, 10);
		add_inlined(p, 0, "main.inner", 0, 3);

		/* A return address is looked up at the call before it. */
		struct sw_go_frame frame = frame_at(p, entry + CODE / 2, true);
		assert_int_equal(sw_go_calls(&p->go, &frame, calls, SW_GO_MAX_INLINED), 1);
		expect(&calls[0], "main.outer", 10, false);
		frame.is_call = false;
		assert_int_equal(sw_go_calls(&p->go, &frame, calls, SW_GO_MAX_INLINED), 2);
		expect(&calls[0], "main.inner", 11, true);
		expect(&calls[1], "main.outer", 10, false);
		/* The function itself is never left out. */
		assert_int_equal(sw_go_calls(&p->go, &frame, calls, 1), 1);
		expect(&calls[0], "main.outer", 11, false);
		assert_int_equal(sw_go_calls(&p->go, &frame, calls, 0), 0);
		destroy(p);
	}
}

/* Calls that are inlined into each other are cut somewhere; nothing is read outside the tables. */
static void test_damaged_trees(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(minors) / sizeof(*minors); i++) {
		struct program *p = create(minors[i]);
		struct sw_go_call calls[SW_GO_MAX_INLINED];
		sw_addr entry = add_func(p, "main.outer", 0, 10);
		struct sw_go_frame frame = frame_at(p, entry + CODE - 1, false);

		add_inlined(p, 0, "main.inner", ID_WRAPPER, CODE - 1);
		assert_int_equal(sw_go_calls(&p->go, &frame, calls, SW_GO_MAX_INLINED),
				 SW_GO_MAX_INLINED);
		assert_true(calls[0].is_wrapper && calls[0].is_inlined);
		expect(&calls[SW_GO_MAX_INLINED - 1], "main.outer", 11, false);

		add_inlined(p, 0, NULL, 0, UINT32_MAX);
		assert_int_equal(sw_go_calls(&p->go, &frame, calls, SW_GO_MAX_INLINED), 2);
		expect(&calls[0], "?", 11, true);
		assert_string_equal(calls[1].function, "main.outer");
		assert_string_equal(calls[1].file, "");
		assert_int_equal(calls[1].line, 0);

		p->go.modules.items[0].gofunc = GOFUNC + sizeof(p->tree) - 8;
		assert_int_equal(sw_go_calls(&p->go, &frame, calls, SW_GO_MAX_INLINED), 1);
		expect(&calls[0], "main.outer", 11, false);
		destroy(p);
	}
}

/* Whatever byte of the function's tables is wild, the last call is the function. */
static void test_wild_tables(void **state)
{
	(void)state;
	static const uint8_t wild[] = {0, 1, 0x7f, 0x80, 0xff};
	struct program *p = create(27);
	struct sw_go_call calls[SW_GO_MAX_INLINED];
	sw_addr entry = add_func(p, "main.outer", 0, 10);
	add_inlined(p, 0, "main.inner", 0, 3);

	for (unsigned i = 0; i < 512; i++) {
		uint8_t *at = i < 128	? &p->pctab[i]
			      : i < 256 ? &p->pclntable[i - 128]
					: &p->tree[i - 256];
		uint8_t before = *at;
		for (unsigned k = 0; k < sizeof(wild); k++) {
			*at = wild[k];
			struct sw_go_frame frame = {.pc = entry + CODE - 1};
			if (!sw_go_find_func(&p->go, frame.pc, &frame.func))
				continue;
			size_t count = sw_go_calls(&p->go, &frame, calls, SW_GO_MAX_INLINED);
			assert_in_range(count, 1, SW_GO_MAX_INLINED);
			assert_false(calls[count - 1].is_inlined);
		}
		*at = before;
	}
	destroy(p);
}

static void test_place(void **state)
{
	(void)state;
	struct program *p = create(27);
	struct sw_go_call call;
	sw_addr entry = add_func(p, "main.outer", 0, 10);
	add_inlined(p, 0, "main.inner", 0, 3);

	/* What a go statement in an inlined call made was "created by" the function around it. */
	assert_true(sw_go_call_at(&p->go, entry + CODE / 2 + 5, true, &call));
	expect(&call, "main.outer", 11, false);
	assert_true(sw_go_call_at(&p->go, entry + CODE / 2, true, &call));
	expect(&call, "main.outer", 10, false);
	assert_true(sw_go_call_at(&p->go, entry, true, &call));
	expect(&call, "main.outer", 10, false);
	assert_false(sw_go_call_at(&p->go, entry + CODE, false, &call));
	assert_string_equal(call.function, "?");
	assert_string_equal(call.file, "");
	destroy(p);
}

/* ---- names ---- */

static void test_names(void **state)
{
	(void)state;
	static const struct {
		const char *raw, *printed;
	} names[] = {
		{"main.main", "main.main"},
		{"runtime.gopanic", "panic"},
		{"runtime.gopanicked", "runtime.gopanicked"},
		{"main.f[go.shape.int]", "main.f[...]"},
		{"main.f[...]", "main.f[...]"},
		{"main.(*list[go.shape.map[string][]int]).each.func1",
		 "main.(*list[...]).each.func1"},
		{"main.f[go.shape.struct { main.a [4]int }].func1", "main.f[...].func1"},
		{"main.list[go.shape.[]int].zip[go.shape.string]", "main.list[...].zip[...]"},
		{"main.list[a[b]].zip[c[d][e]].func2", "main.list[...].zip[...].func2"},
		{"main.f[", "main.f["},
		{"main.f]x[", "main.f]x["},
		{"main.f[a]]b[", "main.f[...]b["},
		{"main.f[a]][b]", "main.f[a]][b]"},
		{"[", "["},
		{"", ""},
		{"x[]", "x[...]"},
	};
	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++) {
		char *printed = sw_go_print_name(names[i].raw);
		assert_string_equal(printed, names[i].printed);
		free(printed);
	}
}

/* ---- what is shown ---- */

static bool shows(unsigned minor, bool shows_runtime, const char *below, const char *name,
		  uint8_t id)
{
	struct sw_go go = {.minor = minor};
	set_layout(&go.layout);
	struct sw_go_showing showing = {.go = &go, .shows_runtime = shows_runtime};
	uint8_t below_id = below && !strcmp(below, "runtime.gopanic") ? ID_GOPANIC : 0;
	struct sw_go_call first = {.function = below, .func_id = below_id};
	struct sw_go_call call = {.function = name, .func_id = id, .is_wrapper = id == ID_WRAPPER};

	if (below)
		sw_go_shows(&showing, &first);
	return sw_go_shows(&showing, &call);
}

static void test_shown(void **state)
{
	(void)state;
	assert_true(shows(27, false, NULL, "main.main", 0));
	assert_false(shows(27, false, NULL, "runtime.gopark", 0));
	assert_true(shows(27, false, NULL, "internal/runtime/maps.(*Map).Get", 0));
	assert_false(shows(27, false, NULL, "gogo", 0));
	assert_true(shows(27, false, NULL, "runtime.GC", 0));
	/* Methods of exported types from 1.23 on. */
	assert_false(shows(22, false, NULL, "runtime.(*Func).Entry", 0));
	assert_true(shows(23, false, NULL, "runtime.(*Func).Entry", 0));
	assert_false(shows(23, false, NULL, "runtime.(*timers).Run", 0));
	assert_true(shows(22, false, NULL, "runtime.GC.func1", 0));
	assert_false(shows(23, false, NULL, "runtime.GC.func1", 0));
	/* A panic with something below it. */
	assert_false(shows(27, false, NULL, "runtime.gopanic", ID_GOPANIC));
	assert_true(shows(27, false, "main.f", "runtime.gopanic", ID_GOPANIC));
	/* Wrappers that called; one that panicked is shown. */
	assert_false(shows(27, false, "main.f", "main.(*T).f", ID_WRAPPER));
	assert_true(shows(27, false, "runtime.gopanic", "main.(*T).f", ID_WRAPPER));
	assert_false(shows(27, true, "main.f", "main.(*T).f", ID_WRAPPER));
	/* The runtime's own. */
	assert_true(shows(27, true, NULL, "runtime.gopark", 0));
	assert_false(shows(27, true, NULL, "runtime.goexit", ID_GOEXIT));
	/* 1.25: runFinalizers tells what this is. */
	assert_false(shows(24, false, "main.f", "runtime.runfinq", ID_FINALIZERS));
	assert_true(shows(25, false, "main.f", "runtime.runFinalizers", ID_FINALIZERS));
}

static void test_system(void **state)
{
	(void)state;
	struct program *p = create(27);
	struct sw_goroutine g = {.status = SW_GO_WAITING, .wait_reason = 10};

	g.startpc = add_func(p, "main.main.func1", 0, 1);
	assert_false(sw_go_is_system(&p->go, &g));
	g.startpc = add_func(p, "runtime.bgsweep", 0, 1);
	assert_true(sw_go_is_system(&p->go, &g));
	g.startpc = add_func(p, "runtime.main", ID_MAIN, 1);
	assert_false(sw_go_is_system(&p->go, &g));
	g.startpc = add_func(p, "runtime.runFinalizers", ID_FINALIZERS, 1);
	assert_true(sw_go_is_system(&p->go, &g)); /* finalizer wait */
	g.wait_reason = 19;			  /* chan receive, in a finalizer */
	assert_false(sw_go_is_system(&p->go, &g));
	g.status = SW_GO_RUNNING;
	g.wait_reason = 10;
	assert_false(sw_go_is_system(&p->go, &g));
	g.startpc = 0;
	assert_false(sw_go_is_system(&p->go, &g));
	destroy(p);
}

/* ---- all stacks ---- */

struct made {
	sw_addr goexit, worker, park, creator;
};

/* Goroutine i: park, worker once or twice, goexit. */
static void add_goroutine(struct program *p, const struct made *made, unsigned i)
{
	sw_addr low = STACKS + (sw_addr)i * STACK, sp = low + 32;
	struct sw_goroutine g = {
		.address = 0xc000000000 + i * 512,
		.goid = i + 2,
		.status = SW_GO_WAITING,
		.wait_reason = 19,
		.stack_lo = low,
		.stack_hi = low + STACK,
		.sched_pc = made->park + 5,
		.sched_sp = sp,
		.startpc = made->worker,
		.gopc = made->creator + 9,
	};
	uint8_t *stack = p->stacks + (size_t)i * STACK + 32;

	for (unsigned k = 0; k <= i % 2; k++, stack += FRAME + 8)
		put64(stack + FRAME, made->worker + 5 + k);
	put64(stack + FRAME, made->goexit + 1);
	if (i % 100 == 7)
		g.sched_sp = low - 8; /* outside its stack */
	assert_null(sw_goroutines_add(&p->go.goroutines, g));
}

static struct program *create_many(struct made *made)
{
	struct program *p = create(27);
	made->goexit = add_func(p, "runtime.goexit", ID_GOEXIT, 1);
	made->worker = add_func(p, "main.worker", 0, 20);
	made->park = add_func(p, "runtime.gopark", 0, 30);
	made->creator = add_func(p, "main.serve", 0, 40);
	for (unsigned i = 0; i < GOROUTINES; i++)
		add_goroutine(p, made, i);
	return p;
}

static void check_stack(const struct sw_go_stacks *stacks, unsigned goroutine)
{
	struct sw_go_stack_range range = stacks->stacks[stacks->stack_of[goroutine]];
	bool is_lost = goroutine % 100 == 7;
	unsigned workers = 1 + goroutine % 2;

	assert_int_equal(stacks->is_partial[goroutine], is_lost);
	assert_int_equal(range.count, is_lost ? 0 : workers + 2);
	for (unsigned i = 0; i < range.count; i++) {
		const char *name = stacks->names[stacks->frames[range.begin + i]];
		bool is_worker = i > 0 && i <= workers;
		assert_string_equal(name, is_worker ? "main.worker"
					  : i	    ? "runtime.goexit"
						    : "runtime.gopark");
		assert_int_equal(stacks->is_hidden[range.begin + i], !is_worker);
	}
	assert_string_equal(stacks->names[stacks->created_by[goroutine]], "main.serve");
}

static void test_stacks(void **state)
{
	(void)state;
	struct made made;
	struct program *p = create_many(&made);
	for (unsigned workers = 1; workers <= 4; workers += 3) {
		struct sw_go_stacks stacks;
		p->work.workers = workers;
		assert_null(sw_go_stacks_build(&p->go, &stacks));
		assert_int_equal(stacks.goroutine_count, GOROUTINES);
		assert_int_equal(stacks.stack_count, 3); /* one, two workers; none */
		for (unsigned i = 0; i < GOROUTINES; i++)
			check_stack(&stacks, i);
		/* Two pcs of one line are one call. */
		assert_int_equal(stacks.call_count, 4);
		assert_int_equal(p->warnings.count, 1);
		assert_string_equal(p->warnings.items[0].code, "partial_stacks");
		assert_non_null(strstr(p->warnings.items[0].message, "10 goroutines"));
		assert_non_null(strstr(p->warnings.items[0].message, "goroutine 9"));
		sw_go_stacks_free(&stacks);
	}
	destroy(p);
}

/* Return addresses and stack pointers of any kind end a walk, no more. */
static void test_damaged_stacks(void **state)
{
	(void)state;
	static const uint64_t wild[] = {0,	   1,	   8,	       TEXT,
					TEXT + 63, STACKS, UINT64_MAX, (uint64_t)1 << 63};
	enum { WILD = sizeof(wild) / sizeof(*wild) };
	struct made made;
	struct program *p = create_many(&made);
	struct sw_go_stacks stacks;

	for (unsigned i = 0; i < GOROUTINES; i++) {
		struct sw_goroutine *g = &p->go.goroutines.items[i];
		put64(p->stacks + (size_t)i * STACK + 32 + FRAME + i % 3 * 32, wild[i % WILD]);
		if (i % 5 == 0)
			g->sched_sp = wild[i / 5 % WILD];
		if (i % 7 == 0)
			g->sched_pc = wild[i / 7 % WILD];
		if (i % 11 == 0)
			g->stack_hi = wild[i / 11 % WILD];
		if (i % 13 == 0)
			g->gopc = g->startpc = wild[i / 13 % WILD];
	}
	assert_null(sw_go_stacks_build(&p->go, &stacks));
	for (size_t i = 0; i < stacks.goroutine_count; i++) {
		struct sw_go_stack_range range = stacks.stacks[stacks.stack_of[i]];
		assert_in_range(range.begin + range.count, 0, stacks.frame_count);
	}
	sw_go_stacks_free(&stacks);
	destroy(p);
}

static void test_no_goroutines(void **state)
{
	(void)state;
	struct program *p = create(27);
	struct sw_go_stacks stacks;
	assert_null(sw_go_stacks_build(&p->go, &stacks));
	assert_int_equal(stacks.stack_count, 0);
	sw_go_stacks_free(&stacks);
	destroy(p);
}

/* ---- words and ages ---- */

static void test_wait_reasons(void **state)
{
	(void)state;
	static const struct {
		unsigned minor;
		uint8_t reason;
		const char *text;
	} known[] = {
		{18, 14, "chan receive"},
		{18, 21, "timer goroutine (idle)"},
		{20, 21, "sync.Mutex.Lock"},
		{23, 37, "GC weak to strong wait"},
		{24, 24, "sync.WaitGroup.Wait"},
		{25, 18, "GOMAXPROCS updater (idle)"},
		{26, 19, "chan receive"},
		{27, 46, "cleanup wait"},
		{27, 0, NULL},
		{27, 47, NULL},
		{18, 27, NULL},
		{18, 255, NULL},
	};
	for (unsigned i = 0; i < sizeof(known) / sizeof(*known); i++) {
		struct sw_go go = {.minor = known[i].minor};
		const char *text = sw_go_wait_reason(&go, known[i].reason);
		if (known[i].text)
			assert_string_equal(text, known[i].text);
		else
			assert_null(text);
	}
	assert_string_equal(sw_go_status_word(SW_GO_PREEMPTED), "preempted");
	assert_string_equal(sw_go_status_word(5), "???");
	assert_string_equal(sw_go_status_word(UINT32_MAX), "???");
}

static void test_ages(void **state)
{
	(void)state;
	struct sw_goroutine g = {.status = SW_GO_WAITING, .waitsince = 1000};
	assert_int_equal(sw_go_waiting_ns(&g, 1500), 500);
	assert_int_equal(sw_go_waiting_ns(&g, 999), -1);
	g.waitsince = 0;
	assert_int_equal(sw_go_waiting_ns(&g, 1500), -1);
	g.waitsince = INT64_MIN;
	assert_int_equal(sw_go_waiting_ns(&g, 1500), -1);
	g.waitsince = 1;
	g.status = SW_GO_RUNNABLE;
	assert_int_equal(sw_go_waiting_ns(&g, 1500), -1);
}

/* A core's time is the latest that the runtime has noted, but for what no machine's clock has. */
static void test_now(void **state)
{
	(void)state;
	enum { AT = 0xb00000, ALLP = 0, STATS = 16, PS = 32, P = 64, SEEN = 8, ENDED = 8 };
	uint8_t memory[128] = {0};
	struct program *p = create(27);
	struct sw_region region = {AT, sizeof(memory), memory, SW_REGION_READ};
	struct sw_goroutine g = {.status = SW_GO_WAITING, .waitsince = 100};

	p->go.layout.p.schedwhen = SEEN;
	p->go.layout.mstats.last_gc_nanotime = ENDED;
	p->go.globals.allp = AT + ALLP;
	p->go.globals.memstats = AT + STATS;
	put64(memory + ALLP, AT + PS);
	put64(memory + ALLP + 8, 2);
	put64(memory + PS, AT + P);
	put64(memory + PS + 8, 12345); /* not there */
	assert_null(sw_memory_add(&p->memory, region));
	assert_int_equal(sw_go_now(&p->go), 0);
	assert_null(sw_goroutines_add(&p->go.goroutines, g));
	assert_int_equal(sw_go_now(&p->go), 100);
	put64(memory + STATS + ENDED, 200);
	assert_int_equal(sw_go_now(&p->go), 200);
	put64(memory + P + SEEN, 300);
	assert_int_equal(sw_go_now(&p->go), 300);
	put64(memory + STATS + ENDED, (uint64_t)1 << 62);
	assert_int_equal(sw_go_now(&p->go), 300);
	put64(memory + ALLP + 8, UINT64_MAX);
	assert_int_equal(sw_go_now(&p->go), 100);
	destroy(p);
}

/* ---- labels ---- */

enum { LABELS = 0xa00000 };

static void put_string(uint8_t *memory, unsigned at, unsigned data, const char *text)
{
	put64(memory + at, LABELS + data);
	put64(memory + at + 8, strlen(text));
	memcpy(memory + data, text, strlen(text));
}

static void check_labels(unsigned minor, const uint8_t *memory, size_t size, bool is_known)
{
	struct sw_memory regions = {0};
	struct sw_region region = {LABELS, size, memory, SW_REGION_READ};
	struct sw_go go = {.minor = minor, .memory = &regions};
	struct sw_goroutine g = {.labels = LABELS};
	struct sw_go_label_list labels = {0};
	bool known;

	assert_null(sw_memory_add(&regions, region));
	assert_null(sw_go_labels(&go, &g, &labels, &known));
	assert_int_equal(known, is_known);
	assert_int_equal(labels.count, is_known ? 2 : 0);
	if (is_known) {
		assert_memory_equal(labels.items[0].key, "a", 1);
		assert_memory_equal(labels.items[0].value, "one", 3);
		assert_memory_equal(labels.items[1].key, "b", 1);
		assert_int_equal(labels.items[1].value_size, 0);
	}
	sw_go_label_list_free(&labels);
	sw_memory_free(&regions);
}

static void test_label_list(void **state)
{
	(void)state;
	uint8_t memory[256] = {0};
	put64(memory, LABELS + 32);
	put64(memory + 8, 2);
	put_string(memory, 32, 128, "b");
	put_string(memory, 48, 136, "");
	put_string(memory, 64, 144, "a");
	put_string(memory, 80, 152, "one");
	check_labels(24, memory, sizeof(memory), true);
	put64(memory + 8, (uint64_t)1 << 60);
	check_labels(24, memory, sizeof(memory), false);
	put64(memory + 8, 2);
	put64(memory + 40, UINT64_MAX);
	check_labels(24, memory, sizeof(memory), false);
}

static void test_label_map(void **state)
{
	(void)state;
	enum { MAP = 16, BUCKET = 80, OVERFLOW = BUCKET + 272, TEXTS = OVERFLOW + 272 };
	uint8_t memory[TEXTS + 64] = {0};
	put64(memory, LABELS + MAP);
	put64(memory + MAP, 2);
	put64(memory + MAP + 16, LABELS + BUCKET);
	memory[BUCKET + 3] = 5; /* tophash */
	put_string(memory, BUCKET + 8 + 3 * 16, TEXTS, "b");
	put_string(memory, BUCKET + 136 + 3 * 16, TEXTS + 8, "");
	put64(memory + BUCKET + 264, LABELS + OVERFLOW);
	memory[OVERFLOW] = 200;
	put_string(memory, OVERFLOW + 8, TEXTS + 16, "a");
	put_string(memory, OVERFLOW + 136, TEXTS + 24, "one");
	check_labels(18, memory, sizeof(memory), true);
	check_labels(23, memory, sizeof(memory), true);

	put64(memory + OVERFLOW + 264, LABELS + BUCKET); /* a circle */
	check_labels(18, memory, sizeof(memory), false);
	put64(memory + OVERFLOW + 264, 0);
	put64(memory + MAP, 3); /* one is missing */
	check_labels(18, memory, sizeof(memory), false);
	put64(memory + MAP, 2);
	memory[MAP + 9] = 255; /* 2^255 buckets */
	check_labels(18, memory, sizeof(memory), false);
	memory[MAP + 9] = 0;
	/* While it grows: the one old bucket has not been left yet. */
	memory[MAP + 9] = 1;
	put64(memory + MAP + 16, 0);
	put64(memory + MAP + 24, LABELS + BUCKET);
	check_labels(18, memory, sizeof(memory), true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_inlined),
		cmocka_unit_test(test_damaged_trees),
		cmocka_unit_test(test_wild_tables),
		cmocka_unit_test(test_place),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_shown),
		cmocka_unit_test(test_system),
		cmocka_unit_test(test_stacks),
		cmocka_unit_test(test_damaged_stacks),
		cmocka_unit_test(test_no_goroutines),
		cmocka_unit_test(test_wait_reasons),
		cmocka_unit_test(test_ages),
		cmocka_unit_test(test_now),
		cmocka_unit_test(test_label_list),
		cmocka_unit_test(test_label_map),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
