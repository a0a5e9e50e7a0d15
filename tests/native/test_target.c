/* Cores that this test writes, and processes that it starts: what a target must show of each. */
#include "elf_builder.h"
#include "leave_out.h"

#include "target/areas.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <zstd.h>

static struct sw_error *open_core(const char *path, struct sw_target **out)
{
	static struct sw_work work;
	sw_work_init(&work, 2);
	return sw_target_open_core(path, &work, out);
}

static void expect_success(struct sw_error *error)
{
	if (error)
		fail_msg("%s (%s)", error->message, error->hint ? error->hint : "no hint");
}

/* The error has this code, a hint, and these words. */
static void expect_error(struct sw_error *error, enum sw_code code, const char *words)
{
	assert_non_null(error);
	if (error->code != code || !strstr(error->message, words) || !error->hint)
		fail_msg("code %d: %s (%s)", error->code, error->message,
			 error->hint ? error->hint : "no hint");
	sw_error_free(error);
}

static bool has_warning(const struct sw_target *target, const char *code)
{
	for (size_t i = 0; i < target->warnings.count; i++)
		if (!strcmp(target->warnings.items[i].code, code))
			return true;
	return false;
}

/* Memory */

static void add(struct sw_memory *memory, sw_addr addr, uint64_t size, const uint8_t *bytes)
{
	struct sw_region region = {.addr = addr, .size = size, .bytes = bytes, .flags = 1};
	assert_null(sw_memory_add(memory, region));
}

static void memory_keeps_what_was_added_first(void **state)
{
	struct sw_memory memory = {0};
	uint8_t first[16], second[64];
	(void)state;

	memset(first, 1, sizeof(first));
	memset(second, 2, sizeof(second));
	add(&memory, 0x1010, 16, first);
	add(&memory, 0x1030, 16, first);
	add(&memory, 0x1000, 64, second);
	assert_int_equal(memory.count, 4);
	for (sw_addr addr = 0x1000; addr < 0x1040; addr++) {
		uint8_t byte, expected = (addr & 0x10) ? 1 : 2;
		assert_true(sw_memory_u8(&memory, addr, &byte));
		assert_int_equal(byte, expected);
	}
	assert_null(sw_memory_region(&memory, 0xfff));
	assert_null(sw_memory_region(&memory, 0x1040));
	assert_null(sw_memory_view(&memory, 0x100c, 8));
	assert_ptr_equal(sw_memory_view(&memory, 0x1008, 8), second + 8);
	uint64_t across;
	assert_true(sw_memory_u64(&memory, 0x100c, &across));
	assert_int_equal(across, 0x0101010102020202);
	assert_false(sw_memory_u64(&memory, 0x103c, &across));
	assert_int_equal(across & 0, 0);
	sw_memory_free(&memory);
}

static void memory_merges_neighbours(void **state)
{
	struct sw_memory memory = {0};
	uint8_t bytes[64] = {0};
	(void)state;

	add(&memory, 0x1000, 16, bytes);
	add(&memory, 0x1020, 16, bytes + 32);
	assert_int_equal(memory.count, 2);
	add(&memory, 0x1010, 16, bytes + 16);
	assert_int_equal(memory.count, 1);
	add(&memory, 0x1000, 64, bytes);
	assert_int_equal(memory.count, 1);
	assert_int_equal(memory.regions[0].size, 64);
	struct sw_region other = {.addr = 0x1040, .size = 0, .bytes = bytes};
	assert_null(sw_memory_add(&memory, other));
	assert_int_equal(memory.count, 1);
	sw_memory_free(&memory);
}

static void memory_at_the_end_of_the_address_space(void **state)
{
	struct sw_memory memory = {0};
	uint8_t bytes[64] = {0}, out[64];
	(void)state;

	add(&memory, UINT64_MAX - 31, 64, bytes);
	assert_int_equal(memory.regions[0].size, 31);
	assert_non_null(sw_memory_view(&memory, UINT64_MAX - 8, 8));
	assert_null(sw_memory_view(&memory, UINT64_MAX - 8, UINT64_MAX));
	assert_false(sw_memory_read(&memory, UINT64_MAX - 8, out, 64));
	sw_memory_free(&memory);
}

static void memory_agrees_with_a_plain_model(void **state)
{
	static uint8_t host[8][256];
	struct sw_memory memory = {0};
	const uint8_t *model[256] = {0};
	unsigned seed = 7;
	(void)state;

	for (int round = 0; round < 200; round++) {
		sw_addr start = (unsigned)rand_r(&seed) % 256;
		uint64_t size = (unsigned)rand_r(&seed) % 24;
		const uint8_t *bytes = host[rand_r(&seed) % 8];
		if (start + size > 256)
			size = 256 - start;
		add(&memory, start, size, bytes + start);
		for (uint64_t i = start; i < start + size; i++)
			model[i] = model[i] ? model[i] : bytes + i;
	}
	for (sw_addr addr = 0; addr < 256; addr++)
		assert_ptr_equal(sw_memory_view(&memory, addr, 1), model[addr]);
	for (size_t i = 1; i < memory.count; i++)
		assert_true(memory.regions[i - 1].addr + memory.regions[i - 1].size <=
			    memory.regions[i].addr);
	sw_memory_free(&memory);
}

static void memory_strings(void **state)
{
	struct sw_memory memory = {0};
	char out[16];
	(void)state;

	add(&memory, 0x1000, 4, (const uint8_t *)"abcd");
	add(&memory, 0x1004, 3, (const uint8_t *)"ef");
	add(&memory, 0x2000, 4, (const uint8_t *)"long");
	assert_true(sw_memory_string(&memory, 0x1000, out, sizeof(out)));
	assert_string_equal(out, "abcdef");
	assert_true(sw_memory_string(&memory, 0x1000, out, 7));
	assert_false(sw_memory_string(&memory, 0x1000, out, 6));
	assert_false(sw_memory_string(&memory, 0x2000, out, sizeof(out)));
	assert_false(sw_memory_string(&memory, 0x3000, out, sizeof(out)));
	sw_memory_free(&memory);
}

/* Cores */

enum { HEAP = 0xc000000000, TEXT = 0x400000, PAGE = 4096 };

static uint8_t heap_bytes[4 * PAGE], text_bytes[PAGE];

static const struct core_segment SEGMENTS[] = {
	{HEAP, heap_bytes, sizeof(heap_bytes), sizeof(heap_bytes), PF_R | PF_W},
	{TEXT, text_bytes, PAGE, 8 * PAGE, PF_R | PF_X},
	{0x7f0000000000, NULL, 0, 16 * PAGE, 0},
};

static const struct file_entry FILES[] = {
	{0x7f1000000000, 0x7f1000001000, 0, "/usr/lib/libc.so.6"},
	{TEXT, TEXT + 8 * PAGE, 2, "/opt/gate way (deleted)"},
};

static int fill_bytes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(heap_bytes); i++)
		heap_bytes[i] = (uint8_t)(i * 7 + i / PAGE);
	memset(text_bytes, 0x90, sizeof(text_bytes));
	return 0;
}

static struct core_plan plan_of(unsigned machine)
{
	struct core_plan plan = {.machine = machine, .segments = SEGMENTS, .count = 3};
	uint8_t vector[512] = {1, 2, 3};
	uint64_t thread_pointer = 0x7700;

	note_add_thread(&plan.notes, machine, 4243, 1000);
	note_add_process(&plan.notes, 4242);
	note_add_auxv(&plan.notes, TEXT + 64, TEXT + 0x800);
	note_add_files(&plan.notes, FILES, 2);
	note_add(&plan.notes, "CORE", NT_FPREGSET, vector, sizeof(vector));
	if (machine == EM_AARCH64)
		note_add(&plan.notes, "LINUX", NT_ARM_TLS, &thread_pointer, 8);
	note_add_thread(&plan.notes, machine, 4242, 2000);
	note_add(&plan.notes, "GNU", NT_PRSTATUS, vector, sizeof(vector));
	return plan;
}

static void expect_heap(const struct sw_target *target)
{
	const uint8_t *view = sw_memory_view(&target->memory, HEAP, sizeof(heap_bytes));
	assert_non_null(view);
	assert_memory_equal(view, heap_bytes, sizeof(heap_bytes));
	assert_int_equal(sw_memory_region(&target->memory, HEAP)->flags,
			 SW_REGION_READ | SW_REGION_WRITE);
	/* Bytes that the file lacks are absent, not zero. */
	assert_non_null(sw_memory_view(&target->memory, TEXT, PAGE));
	assert_null(sw_memory_region(&target->memory, TEXT + PAGE));
	assert_null(sw_memory_region(&target->memory, 0x7f0000000000));
}

static void expect_core(const struct sw_target *target)
{
	expect_heap(target);
	assert_int_equal(target->kind, SW_TARGET_CORE);
	assert_int_equal(target->pid, 4242);
	assert_int_equal(target->program_headers, TEXT + 64);
	assert_int_equal(target->entry, TEXT + 0x800);
	assert_string_equal(target->exe, "/opt/gate way");
	assert_string_equal(target->exe_name, "/opt/gate way");
	assert_int_equal(target->mappings.count, 2);
	assert_int_equal(target->mappings.items[0].start, TEXT);
	assert_int_equal(target->mappings.items[0].file_offset, 2 * PAGE);
	assert_int_equal(target->threads.count, 2);
	assert_int_equal(target->threads.items[0].tid, 4243);
	assert_int_equal(target->threads.items[0].vector_size, 512);
	assert_int_equal(target->threads.items[0].vector[2], 3);
	assert_null(target->threads.items[1].vector);
	assert_int_equal(target->warnings.count, 0);
}

static void open_plan(struct core_plan plan, void (*check)(const struct sw_target *target))
{
	struct sw_target *target;
	struct buffer core = core_build(&plan);
	char *path = write_file(core.bytes, core.size);

	expect_success(open_core(path, &target));
	check(target);
	sw_target_close(target);
	remove_file(path);
	buffer_free(&core);
}

static void expect_amd64(const struct sw_target *target)
{
	expect_core(target);
	assert_int_equal(target->arch, SW_ARCH_AMD64);
	assert_int_equal(target->threads.items[0].pc, 1016);
	assert_int_equal(target->threads.items[0].sp, 1019);
	assert_int_equal(target->threads.items[1].fs_base, 2021);
	assert_int_equal(target->threads.items[1].register_count, 27);
}

static void core_of_the_kernel(void **state)
{
	(void)state;
	open_plan(plan_of(EM_X86_64), expect_amd64);
}

static void core_of_gcore(void **state)
{
	struct core_plan plan = plan_of(EM_X86_64);
	(void)state;

	plan.has_notes_last = true;
	open_plan(plan, expect_amd64);
}

static void core_with_many_segments(void **state)
{
	struct core_plan plan = plan_of(EM_X86_64);
	(void)state;

	plan.has_xnum = true;
	open_plan(plan, expect_amd64);
}

static void expect_arm64(const struct sw_target *target)
{
	expect_core(target);
	assert_int_equal(target->arch, SW_ARCH_ARM64);
	assert_int_equal(target->threads.items[0].sp, 1031);
	assert_int_equal(target->threads.items[0].pc, 1032);
	assert_int_equal(target->threads.items[0].fs_base, 0x7700);
	assert_int_equal(target->threads.items[1].register_count, 34);
}

static void core_of_arm64(void **state)
{
	(void)state;
	open_plan(plan_of(EM_AARCH64), expect_arm64);
}

static void expect_executed(const struct sw_target *target)
{
	assert_int_equal(target->mappings.count, 0);
	assert_string_equal(target->exe, "/opt/executed");
	assert_string_equal(target->exe_name, "/opt/executed");
}

static void expect_nameless(const struct sw_target *target)
{
	assert_null(target->exe);
	assert_null(target->exe_name);
}

/* Without a list of files, as qemu writes it: the path that was executed stands in memory. */
static void core_of_qemu(void **state)
{
	static const uint8_t memory[] = "\0/opt/executed\0cut";
	static const struct core_segment segment = {HEAP, memory, sizeof(memory) - 1, PAGE, PF_R};
	static const uint64_t places[] = {HEAP + 1, HEAP, HEAP + sizeof(memory) - 3, TEXT, 0};
	(void)state;

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		uint64_t auxv[] = {AT_PHDR, TEXT + 64, AT_EXECFN, places[i], AT_NULL, 0};
		struct core_plan plan = {.machine = EM_AARCH64, .segments = &segment, .count = 1};
		note_add(&plan.notes, "CORE", NT_AUXV, auxv, sizeof(auxv));
		note_add_thread(&plan.notes, EM_AARCH64, 4242, 1000);
		open_plan(plan, i ? expect_nameless : expect_executed);
	}
}

static void expect_unwritten(const struct sw_target *target)
{
	assert_int_equal(target->left_out.count, 1);
	assert_int_equal(target->left_out.items[0].start, HEAP + PAGE);
	assert_int_equal(target->left_out.items[0].end, HEAP + 8 * PAGE);
	assert_null(sw_memory_region(&target->memory, HEAP + PAGE));
}

static void expect_nothing_left_out(const struct sw_target *target)
{
	assert_int_equal(target->left_out.count, 0);
}

/* The kernel leaves out writable memory that was never written, but with it also what its
 * coredump_filter says: then nothing written is there. */
static void core_without_unwritten_memory(void **state)
{
	static const struct core_segment segments[] = {
		{HEAP + PAGE, NULL, 0, 7 * PAGE, PF_R | PF_W},
		{TEXT, NULL, 0, PAGE, PF_R | PF_X},
		{UINT64_MAX - PAGE, NULL, 0, 2 * PAGE, PF_R | PF_W},
		{HEAP, heap_bytes, PAGE, PAGE, PF_R | PF_W},
	};
	(void)state;
	for (size_t count = 3; count <= 4; count++) {
		struct core_plan plan = {.segments = segments, .count = count};
		note_add_thread(&plan.notes, EM_X86_64, 4242, 1000);
		open_plan(plan, count == 4 ? expect_unwritten : expect_nothing_left_out);
	}
}

/* What a core cut at any length must give: what it still has, and a warning; or a clear error. */
static void expect_cut(const uint8_t *bytes, size_t size, size_t kept, bool has_notes_last)
{
	struct sw_target *target;
	char *path = write_file(bytes, kept);
	struct sw_error *error = open_core(path, &target);

	if (error) {
		assert_true(error->code == SW_ERR_DAMAGED || error->code == SW_ERR_FORMAT);
		assert_non_null(error->hint);
		assert_true(kept < PAGE);
		sw_error_free(error);
	} else {
		assert_int_equal(has_warning(target, "truncated_core"), kept < size);
		uint64_t first;
		if (kept >= PAGE + 8) {
			assert_true(sw_memory_u64(&target->memory, HEAP, &first));
			assert_int_equal(first, sw_load64(heap_bytes));
		}
		if (kept < size && has_notes_last)
			assert_true(target->threads.count < 2);
		sw_target_close(target);
	}
	remove_file(path);
}

static void core_cut_at_many_lengths(void **state)
{
	(void)state;
	for (int last = 0; last < 2; last++) {
		struct core_plan plan = plan_of(EM_X86_64);
		plan.has_notes_last = last;
		struct buffer core = core_build(&plan);
		for (size_t kept = 1; kept < core.size; kept += kept < PAGE ? 37 : 997)
			expect_cut(core.bytes, core.size, kept, last);
		expect_cut(core.bytes, core.size, core.size, last);
		buffer_free(&core);
	}
}

static void core_with_damage_never_crashes(void **state)
{
	unsigned seed = 11;
	struct core_plan plan = plan_of(EM_X86_64);
	struct buffer core = core_build(&plan);
	(void)state;

	for (int round = 0; round < 500; round++) {
		uint8_t *bytes = malloc(core.size);
		memcpy(bytes, core.bytes, core.size);
		for (int i = 0; i < 8; i++)
			bytes[(unsigned)rand_r(&seed) % PAGE] = (uint8_t)rand_r(&seed);
		char *path = write_file(bytes, core.size);
		struct sw_target *target;
		struct sw_error *error = open_core(path, &target);
		uint64_t sum = 0;
		for (size_t i = 0; !error && i < target->memory.count; i++)
			for (uint64_t at = 0; at < target->memory.regions[i].size; at++)
				sum += target->memory.regions[i].bytes[at];
		assert_true(sum != 1);
		sw_error_free(error);
		if (!error)
			sw_target_close(target);
		remove_file(path);
		free(bytes);
	}
	buffer_free(&core);
}

static void expect_file_error(const void *bytes, size_t size, enum sw_code code, const char *words)
{
	struct sw_target *target;
	char *path = write_file(bytes, size);

	expect_error(open_core(path, &target), code, words);
	assert_null(target);
	remove_file(path);
}

static void expect_plan_error(struct core_plan plan, const char *words)
{
	struct buffer core = core_build(&plan);

	expect_file_error(core.bytes, core.size, SW_ERR_FORMAT, words);
	buffer_free(&core);
}

static void files_that_are_no_cores(void **state)
{
	struct sw_target *target;
	(void)state;

	expect_plan_error((struct core_plan){.is_32_bit = true}, "32-bit");
	expect_plan_error((struct core_plan){.is_big_endian = true}, "big-endian");
	expect_plan_error((struct core_plan){.type = ET_DYN}, "executable");
	expect_plan_error((struct core_plan){.type = ET_REL}, "no core");
	expect_plan_error((struct core_plan){.machine = EM_RISCV}, "machine 243");
	expect_file_error("", 0, SW_ERR_FORMAT, "empty");
	expect_file_error("hello, world", 12, SW_ERR_FORMAT, "not an ELF");
	expect_file_error("\x1f\x8b\x08 gzip", 8, SW_ERR_FORMAT, "gzip");
	expect_error(open_core("/nonexistent/core", &target), SW_ERR_NOT_FOUND, "/nonexistent");
	expect_error(open_core("/tmp", &target), SW_ERR_FORMAT, "directory");
	expect_error(open_core("/dev/null", &target), SW_ERR_FORMAT, "regular");
}

/* Compressed cores */

static struct buffer compress(const struct buffer *core, bool has_size)
{
	struct buffer packed = {0};
	ZSTD_CCtx *stream = ZSTD_createCCtx();
	ZSTD_inBuffer in = {core->bytes, core->size, 0};

	buffer_add(&packed, NULL, ZSTD_compressBound(core->size));
	ZSTD_outBuffer out = {packed.bytes, packed.size, 0};
	if (has_size) {
		ZSTD_CCtx_setPledgedSrcSize(stream, core->size);
		assert_int_equal(ZSTD_compressStream2(stream, &out, &in, ZSTD_e_end), 0);
	} else {
		while (in.pos < in.size) {
			in.size = in.pos + 5000 < core->size ? in.pos + 5000 : core->size;
			assert_int_equal(ZSTD_compressStream2(stream, &out, &in, ZSTD_e_flush), 0);
			in.size = core->size;
		}
		assert_int_equal(ZSTD_compressStream2(stream, &out, &in, ZSTD_e_end), 0);
	}
	packed.size = out.pos;
	ZSTD_freeCCtx(stream);
	return packed;
}

static void compressed_core(void **state)
{
	(void)state;
	for (int has_size = 0; has_size < 2; has_size++) {
		struct core_plan plan = plan_of(EM_X86_64);
		struct buffer core = core_build(&plan);
		struct buffer packed = compress(&core, has_size);
		char *path = write_file(packed.bytes, packed.size);
		struct sw_target *target;
		struct sw_work work;

		sw_work_init(&work, 2);
		expect_success(sw_target_open_core(path, &work, &target));
		expect_amd64(target);
		assert_true(work.used_memory >= core.size);
		sw_target_close(target);
		assert_int_equal(work.used_memory, 0);

		work.max_memory = 1 << 20;
		expect_error(sw_target_open_core(path, &work, &target), SW_ERR_LIMIT, "unpacking");
		assert_int_equal(work.used_memory, 0);
		remove_file(path);
		buffer_free(&core);
		buffer_free(&packed);
	}
}

static void compressed_core_that_grows(void **state)
{
	size_t size = (size_t)150 << 20;
	struct core_segment segment = {HEAP, NULL, size, size, PF_R | PF_W};
	struct core_plan plan = {.segments = &segment, .count = 1};
	(void)state;

	note_add_thread(&plan.notes, EM_X86_64, 1, 1);
	struct buffer core = core_build(&plan);
	memset(core.bytes + core.size - 8, 0x5a, 8);
	struct buffer packed = compress(&core, false);
	char *path = write_file(packed.bytes, packed.size);
	struct sw_target *target;
	struct sw_work work;
	uint64_t last;

	sw_work_init(&work, 2);
	expect_success(sw_target_open_core(path, &work, &target));
	assert_true(sw_memory_u64(&target->memory, HEAP + size - 8, &last));
	assert_int_equal(last, 0x5a5a5a5a5a5a5a5a);
	assert_int_equal(target->warnings.count, 0);
	assert_true(work.used_memory < core.size + (8 << 20));
	sw_target_close(target);
	assert_int_equal(work.used_memory, 0);
	remove_file(path);
	buffer_free(&core);
	buffer_free(&packed);
}

static void compressed_core_cut_short(void **state)
{
	struct core_plan plan = plan_of(EM_X86_64);
	struct buffer core = core_build(&plan);
	struct buffer packed = compress(&core, false);
	unsigned opened = 0, refused = 0;
	(void)state;

	for (size_t kept = 5; kept < packed.size; kept += 61) {
		struct sw_target *target;
		char *path = write_file(packed.bytes, kept);
		struct sw_error *error = open_core(path, &target);
		if (error) {
			refused++;
			expect_error(error, SW_ERR_DAMAGED, "too early");
		} else {
			opened++;
			assert_true(has_warning(target, "truncated_core"));
			sw_target_close(target);
		}
		remove_file(path);
	}
	assert_true(opened && refused);
	packed.bytes[packed.size / 2] ^= 0xff;
	char *path = write_file(packed.bytes, packed.size);
	struct sw_target *target;
	struct sw_error *error = open_core(path, &target);
	if (error)
		expect_error(error, SW_ERR_DAMAGED, "");
	else
		sw_target_close(target);
	remove_file(path);
	buffer_free(&core);
	buffer_free(&packed);
}

/* Processes */

enum { THREADS = 6, LIVE_PAGES = 600 };

/* Shared with the child: it counts as long as it runs. */
struct shared {
	volatile uint64_t ticks, signals;
	volatile uint64_t *memory;
	volatile uint8_t *reserve; /* PROT_NONE behind the memory */
	volatile int is_ready;
};

static struct shared *shared;

static void count_signal(int number)
{
	(void)number;
	shared->signals++;
}

static void *spin(void *argument)
{
	(void)argument;
	for (;;) {
		shared->ticks++;
		usleep(100);
	}
	return NULL;
}

static void child_main(void)
{
	pthread_t thread;
	uint64_t *memory = mmap(NULL, (LIVE_PAGES + 16) * PAGE, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	mprotect((uint8_t *)memory + LIVE_PAGES * PAGE, 16 * PAGE, PROT_NONE);
	/* Every other page is touched; the others must read as zeros. */
	for (size_t page = 0; page < LIVE_PAGES; page += 2)
		for (size_t i = 0; i < PAGE / 8; i++)
			memory[page * (PAGE / 8) + i] = page * 1000 + i;
	signal(SIGUSR1, count_signal);
	for (int i = 0; i < THREADS - 1; i++)
		pthread_create(&thread, NULL, spin, NULL);
	shared->memory = memory;
	shared->reserve = (uint8_t *)memory + LIVE_PAGES * PAGE;
	shared->is_ready = 1;
	for (;;)
		pause();
}

static pid_t start_child(void)
{
	memset(shared, 0, sizeof(*shared));
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		child_main();
		_exit(0);
	}
	while (!shared->is_ready)
		usleep(1000);
	return pid;
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* True once the child's threads make progress; waits a second at most. */
static bool is_running(void)
{
	uint64_t before = shared->ticks;
	for (int i = 0; i < 1000 && shared->ticks == before; i++)
		usleep(1000);
	return shared->ticks != before;
}

static char state_of(pid_t pid)
{
	char path[64], text[512], *at;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = 0;
	fclose(file);
	at = strrchr(text, ')');
	return at[2];
}

static void await_state(pid_t pid, char state)
{
	for (int i = 0; i < 1000 && state_of(pid) != state; i++)
		usleep(1000);
	assert_int_equal(state_of(pid), state);
}

static void expect_live_memory(const struct sw_target *target)
{
	sw_addr start = (sw_addr)(uintptr_t)shared->memory;
	const uint8_t *view = sw_memory_view(&target->memory, start, LIVE_PAGES * PAGE);

	assert_non_null(view);
	for (size_t page = 0; page < LIVE_PAGES; page++)
		for (size_t i = 0; i < PAGE / 8; i++)
			assert_int_equal(sw_load64(view + page * PAGE + i * 8),
					 page % 2 ? 0 : page * 1000 + i);
	assert_null(sw_memory_region(&target->memory, (sw_addr)(uintptr_t)shared->reserve));
}

static void expect_live_target(const struct sw_target *target, pid_t pid)
{
	char exe[4096];
	ssize_t length = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	exe[length] = 0;
	assert_int_equal(target->pid, pid);
	assert_int_equal(target->kind, SW_TARGET_PROCESS);
	assert_string_equal(target->exe, exe);
	assert_string_equal(target->exe_name, exe);
	assert_true(target->mappings.count > 2);
	assert_true(target->entry && target->program_headers);
	/* The first page of each file is there, to tell whose it is. */
	uint32_t magic;
	assert_true(sw_memory_u32(&target->memory, target->program_headers / PAGE * PAGE, &magic));
	assert_memory_equal(&magic, ELFMAG, SELFMAG);
	expect_live_memory(target);
}

static void expect_live_threads(const struct sw_target *target)
{
	assert_int_equal(target->threads.count, THREADS);
	for (size_t i = 0; i < THREADS; i++) {
		const struct sw_thread *thread = &target->threads.items[i];
		uint64_t word;
		assert_false(thread->is_stale);
		assert_true(thread->vector_size >= 512);
		assert_true(sw_memory_u64(&target->memory, thread->sp, &word));
		assert_true(sw_memory_u64(&target->memory, thread->fs_base, &word));
		/* glibc's thread pointer points to itself. */
		assert_int_equal(word, thread->fs_base);
	}
}

/* Pages of 4 KiB by entries of the kernel's own, larger ones. */
static void page_table_of_larger_pages(void **state)
{
	static const uint64_t units[] = {PAGE, 4 * PAGE, 16 * PAGE};
	uint64_t table[64], entries[100];
	(void)state;

	for (uint64_t i = 0; i < 64; i++)
		table[i] = i + 1000;
	char *path = write_file((const uint8_t *)table, sizeof(table));
	int file = open(path, O_RDONLY);
	assert_true(file >= 0);
	for (size_t i = 0; i < 3; i++)
		for (uint64_t first = 0; first < 64 * units[i] / PAGE; first += 7)
			for (size_t count = 0; count <= 100; count += 1 + count / 3) {
				sw_pagemap_read_units(file, units[i], first * PAGE, count, entries);
				for (uint64_t page = 0; page < count; page++) {
					uint64_t at = (first + page) * PAGE / units[i];
					uint64_t lost = (uint64_t)1 << 63;
					assert_int_equal(entries[page], at < 64 ? table[at] : lost);
				}
			}
	close(file);
	remove_file(path);
}

static void process_goes_on(void **state)
{
	need_ptrace("a process goes on");
	pid_t pid = start_child();
	struct sw_target *target;
	struct sw_work work;
	(void)state;

	sw_work_init(&work, 2);
	for (int round = 0; round < 20; round++) {
		expect_success(sw_target_open_process(pid, &work, &target));
		expect_live_target(target, pid);
		expect_live_threads(target);
		assert_true(target->stopped_seconds > 0 && target->stopped_seconds < 1);
		assert_int_equal(target->warnings.count, 0);
		assert_true(work.used_memory >= LIVE_PAGES / 2 * PAGE);
		sw_target_close(target);
		assert_int_equal(work.used_memory, 0);
		assert_true(is_running());
	}
	end_child(pid);
}

static void process_keeps_its_signals(void **state)
{
	need_ptrace("a process keeps its signals");
	pid_t pid = start_child();
	struct sw_work work;
	(void)state;

	sw_work_init(&work, 2);
	uint64_t sent = 0;
	for (int round = 0; round < 50; round++) {
		struct sw_target *target;
		uint64_t before = shared->signals;
		kill(pid, SIGUSR1);
		sent++;
		expect_success(sw_target_open_process(pid, &work, &target));
		sw_target_close(target);
		for (int i = 0; i < 1000 && shared->signals == before; i++)
			usleep(1000);
	}
	assert_int_equal(shared->signals, sent);
	end_child(pid);
}

static void stopped_process_stays_stopped(void **state)
{
	need_ptrace("a stopped process stays stopped");
	pid_t pid = start_child();
	struct sw_target *target;
	struct sw_work work;
	(void)state;

	sw_work_init(&work, 2);
	kill(pid, SIGSTOP);
	await_state(pid, 'T');
	expect_success(sw_target_open_process(pid, &work, &target));
	expect_live_target(target, pid);
	expect_live_threads(target);
	sw_target_close(target);
	await_state(pid, 'T');
	uint64_t before = shared->ticks;
	usleep(20000);
	assert_int_equal(shared->ticks, before);
	kill(pid, SIGCONT);
	assert_true(is_running());
	end_child(pid);
}

/* A child of this test that opens the process again and again is killed in the middle of it. */
static void killed_reader_leaves_the_process_running(void **state)
{
	need_ptrace("a killed reader leaves the process running");
	pid_t pid = start_child();
	(void)state;

	for (int round = 0; round < 30; round++) {
		pid_t reader = fork();
		assert_true(reader >= 0);
		if (!reader) {
			struct sw_work work;
			struct sw_target *target;
			sw_work_init(&work, 2);
			while (!sw_target_open_process(pid, &work, &target))
				sw_target_close(target);
			_exit(1);
		}
		usleep(5000 + (unsigned)round * 317);
		kill(reader, SIGKILL);
		waitpid(reader, NULL, 0);
		assert_true(is_running());
		assert_true(strchr("RS", state_of(pid)) != NULL);
	}
	end_child(pid);
}

static void process_read_for_a_debugger(void **state)
{
	need_ptrace("a process read for a debugger");
	pid_t pid = start_child();
	struct sw_target *target;
	struct sw_work work;
	uint8_t vector[16] = {9};
	struct sw_thread thread = {.tid = pid, .pc = 42, .vector = vector, .vector_size = 16};
	struct sw_threads threads = {.items = &thread, .count = 1};
	(void)state;

	sw_work_init(&work, 2);
	kill(pid, SIGSTOP);
	await_state(pid, 'T');
	expect_success(sw_target_open_debugged(pid, &threads, &work, &target));
	expect_live_target(target, pid);
	assert_int_equal(target->threads.count, 1);
	assert_int_equal(target->threads.items[0].pc, 42);
	assert_ptr_not_equal(target->threads.items[0].vector, vector);
	assert_int_equal(target->threads.items[0].vector[0], 9);
	sw_target_close(target);
	await_state(pid, 'T');
	end_child(pid);
}

static void processes_that_cannot_be_read(void **state)
{
	struct sw_target *target;
	struct sw_work work;
	(void)state;

	sw_work_init(&work, 2);
	expect_error(sw_target_open_process(0, &work, &target), SW_ERR_NOT_FOUND, "no process");
	expect_error(sw_target_open_process(1 << 29, &work, &target), SW_ERR_NOT_FOUND,
		     "no process");
	pid_t zombie = fork();
	if (!zombie)
		_exit(0);
	await_state(zombie, 'Z');
	expect_error(sw_target_open_process(zombie, &work, &target), SW_ERR_NOT_FOUND, "zombie");
	waitpid(zombie, NULL, 0);
	struct sw_error *error = sw_target_open_process(getpid(), &work, &target);
	assert_non_null(error);
	assert_int_equal(error->code, SW_ERR_USAGE);
	sw_error_free(error);

	pid_t pid = start_child();
	work.max_memory = PAGE;
	expect_error(sw_target_open_process(pid, &work, &target), SW_ERR_LIMIT, "limit");
	assert_int_equal(work.used_memory, 0);
	assert_true(is_running());
	end_child(pid);
}

static int share(void **state)
{
	(void)state;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	return shared == MAP_FAILED;
}

int main(void)
{
	const struct CMUnitTest memory[] = {
		cmocka_unit_test(memory_keeps_what_was_added_first),
		cmocka_unit_test(memory_merges_neighbours),
		cmocka_unit_test(memory_at_the_end_of_the_address_space),
		cmocka_unit_test(memory_agrees_with_a_plain_model),
		cmocka_unit_test(memory_strings),
	};
	const struct CMUnitTest cores[] = {
		cmocka_unit_test(core_of_the_kernel),
		cmocka_unit_test(core_of_gcore),
		cmocka_unit_test(core_with_many_segments),
		cmocka_unit_test(core_of_arm64),
		cmocka_unit_test(core_of_qemu),
		cmocka_unit_test(core_without_unwritten_memory),
		cmocka_unit_test(core_cut_at_many_lengths),
		cmocka_unit_test(core_with_damage_never_crashes),
		cmocka_unit_test(files_that_are_no_cores),
		cmocka_unit_test(compressed_core),
		cmocka_unit_test(compressed_core_that_grows),
		cmocka_unit_test(compressed_core_cut_short),
	};
	const struct CMUnitTest processes[] = {
		cmocka_unit_test(page_table_of_larger_pages),
		cmocka_unit_test(process_goes_on),
		cmocka_unit_test(process_keeps_its_signals),
		cmocka_unit_test(stopped_process_stays_stopped),
		cmocka_unit_test(killed_reader_leaves_the_process_running),
		cmocka_unit_test(process_read_for_a_debugger),
		cmocka_unit_test(processes_that_cannot_be_read),
	};
	int failed = cmocka_run_group_tests(memory, NULL, NULL);
	failed += cmocka_run_group_tests(cores, fill_bytes, NULL);
	return failed + cmocka_run_group_tests(processes, share, NULL);
}
