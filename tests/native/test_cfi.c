/* Frames of C: the test walks its own stack, through a target that is this very process, and
 * damaged tables of a file made here. */
#include "image/cfi.h"

#include "target/parts.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <ucontext.h>
#include <unistd.h>

#include <cmocka.h>

#ifdef __aarch64__
#define OWN_ARCH SW_ARCH_ARM64
#else
#define OWN_ARCH SW_ARCH_AMD64
#endif

/* ---- this process as a target ---- */

/* Sanitizers put redzones between the variables of a stack, and object to a look at them. */
__attribute__((no_sanitize("address"))) static uint8_t *copy_stack(uint64_t start, uint64_t size)
{
	const volatile uint8_t *from = (const uint8_t *)(uintptr_t)start;
	uint8_t *copy = malloc(size);

	for (uint64_t i = 0; copy && i < size; i++)
		copy[i] = from[i];
	return copy;
}

struct self {
	struct sw_target *target;
	uint8_t *stack;
};

static void add_mapping(struct self *self, const char *line)
{
	unsigned long long start, end, offset;
	char flags[8], path[4096] = "";

	if (sscanf(line, "%llx-%llx %7s %llx %*s %*s %4095s", &start, &end, flags, &offset, path) <
		    5 ||
	    flags[0] != 'r')
		return;
	struct sw_region region = {.addr = start,
				   .size = end - start,
				   .bytes = (const uint8_t *)(uintptr_t)start,
				   .flags = SW_REGION_READ};
	if (!strcmp(path, "[stack]"))
		region.bytes = self->stack = copy_stack(start, end - start);
	else if (path[0] != '/' || flags[1] == 'w')
		return;
	assert_non_null(region.bytes);
	assert_null(sw_memory_add(&self->target->memory, region));
	struct sw_mapping mapping = {start, end, offset, strdup(path)};
	assert_null(sw_mappings_add(&self->target->mappings, mapping));
}

/* The stack as it is now; the caller's frames stay as they are while it waits. */
static struct self open_self(void)
{
	struct self self = {0};
	char *line = NULL;
	size_t size = 0;
	FILE *maps = fopen("/proc/self/maps", "r");

	assert_non_null(maps);
	assert_null(sw_target_create(SW_TARGET_PROCESS, &self.target));
	self.target->arch = OWN_ARCH;
	self.target->pid = getpid();
	while (getline(&line, &size, maps) > 0)
		add_mapping(&self, line);
	free(line);
	fclose(maps);
	assert_non_null(self.stack);
	return self;
}

static void close_self(struct self *self)
{
	sw_target_close(self->target);
	free(self->stack);
}

static uint64_t own_bias(const struct sw_image *image)
{
	uint64_t link_time;
	sw_addr found;

	assert_true(sw_image_symbol(image, "main", &found, &link_time));
	extern int main(void);
	return (uint64_t)(uintptr_t)&main - found;
}

static void take_registers(struct sw_registers *out, const ucontext_t *from)
{
	memset(out, 0, sizeof(*out));
#ifdef __aarch64__
	for (unsigned i = 0; i < 31; i++)
		sw_registers_set(out, i, from->uc_mcontext.regs[i]);
	sw_registers_set(out, SW_REGISTERS_SP_ARM64, from->uc_mcontext.sp);
	out->pc = from->uc_mcontext.pc;
#else
	static const int of[16] = {REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI,
				   REG_RBP, REG_RSP, REG_R8,  REG_R9,  REG_R10, REG_R11,
				   REG_R12, REG_R13, REG_R14, REG_R15};
	for (unsigned i = 0; i < 16; i++)
		sw_registers_set(out, i, (uint64_t)from->uc_mcontext.gregs[of[i]]);
	out->pc = (uint64_t)from->uc_mcontext.gregs[REG_RIP];
#endif
}

/* ---- the walk ---- */

enum { MOST = 64 };

struct walked {
	char names[MOST][64];
	size_t count;
	int32_t first_line;
	enum sw_cfi_step end;
};

static void walk(struct sw_cfi *cfi, struct sw_registers registers, struct walked *out)
{
	enum sw_cfi_step step = SW_CFI_STEPPED;
	bool is_call = false;
	const char *wrong = NULL;

	memset(out, 0, sizeof(*out));
	for (; out->count < MOST && step == SW_CFI_STEPPED; out->count++) {
		struct sw_cfi_place place;
		sw_cfi_place(cfi, registers.pc, is_call, &place);
		/* gcc adds what it made of a function: "middle.isra.0". */
		snprintf(out->names[out->count], 64, "%.*s", (int)strcspn(place.function, "."),
			 place.function);
		if (!out->count) {
			out->first_line = place.line;
			assert_non_null(strstr(place.file, "test_cfi.c"));
		}
		step = sw_cfi_step(cfi, &registers, &is_call, &wrong);
	}
	out->end = step;
	if (wrong)
		print_message("%s\n", wrong);
}

static struct sw_image *open_own_image(void)
{
	struct sw_image *image;

	assert_null(sw_image_open("/proc/self/exe", &image));
	image->bias = own_bias(image);
	return image;
}

static struct walked walked;

/* Three functions of different frames: nothing, a large array, one of a size known at run time. */
static __attribute__((noinline)) int innermost(struct sw_image *image)
{
	struct self self = open_self();
	struct sw_registers registers;
	struct sw_cfi *cfi;
	ucontext_t context;

	assert_int_equal(getcontext(&context), 0);
	take_registers(&registers, &context);
	assert_null(sw_cfi_create(image, self.target, &cfi));
	walk(cfi, registers, &walked);
	sw_cfi_free(cfi);
	close_self(&self);
	return (int)walked.count;
}

static __attribute__((noinline)) int middle(struct sw_image *image)
{
	volatile char large[20000];

	large[0] = large[19999] = 1;
	return innermost(image) + large[0] + large[19999];
}

static __attribute__((noinline)) int outermost(struct sw_image *image, size_t size)
{
	volatile char *variable = __builtin_alloca(size);

	variable[0] = variable[size - 1] = 2;
	return middle(image) + variable[0] + variable[size - 1];
}

static void own_stack(void **state)
{
	struct sw_image *image = open_own_image();
	(void)state;

	outermost(image, 100 + (size_t)getpid() % 7);
	assert_true(walked.count > 5);
	assert_string_equal(walked.names[0], "innermost");
	assert_string_equal(walked.names[1], "middle");
	assert_string_equal(walked.names[2], "outermost");
	assert_string_equal(walked.names[3], "own_stack");
	assert_true(walked.first_line > 0);
	/* Through cmocka and the C library, to where the thread began. */
	assert_string_equal(walked.names[walked.count - 1], "_start");
	assert_int_equal(walked.end, SW_CFI_OUTERMOST);
	sw_image_close(image);
}

/* A stack pointer from anywhere, a pc from anywhere: no step is taken, or the walk ends. */
static void bad_registers(void **state)
{
	struct self self = open_self();
	struct sw_image *image = open_own_image();
	struct sw_registers good;
	ucontext_t context;
	struct sw_cfi *cfi;
	(void)state;

	assert_null(sw_cfi_create(image, self.target, &cfi));
	assert_int_equal(getcontext(&context), 0);
	take_registers(&good, &context);
	for (unsigned i = 0; i < 400; i++) {
		struct sw_registers bad = good;
		bool is_call = i & 1;
		const char *wrong = NULL;
		unsigned sp = sw_registers_sp_number(OWN_ARCH);
		if (i < 200)
			bad.general[sp] = (uint64_t)i * 0x9e3779b97f4a7c15;
		else
			bad.pc = (uint64_t)i * 0x9e3779b97f4a7c15;
		unsigned steps = 0;
		while (steps < 1000 && sw_cfi_step(cfi, &bad, &is_call, &wrong) == SW_CFI_STEPPED)
			steps++;
		assert_true(steps < 1000);
	}
	struct sw_registers unknown = {.pc = good.pc};
	bool is_call = false;
	const char *wrong = NULL;
	assert_int_equal(sw_cfi_step(cfi, &unknown, &is_call, &wrong), SW_CFI_LOST);
	assert_non_null(wrong);
	assert_int_equal(unknown.pc, good.pc);
	sw_cfi_free(cfi);
	sw_image_close(image);
	close_self(&self);
}

/* ---- damaged tables ---- */

static uint8_t *read_own_file(size_t *size)
{
	struct stat status;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0 && !fstat(fd, &status));
	uint8_t *bytes = malloc((size_t)status.st_size);
	assert_non_null(bytes);
	assert_int_equal(read(fd, bytes, (size_t)status.st_size), status.st_size);
	close(fd);
	*size = (size_t)status.st_size;
	return bytes;
}

static void find_tables(const struct sw_image *image, size_t *offset, uint64_t *size)
{
	const uint8_t *section = sw_image_section(image, ".eh_frame", NULL, size);

	assert_non_null(section);
	*offset = (size_t)(section - image->bytes);
	assert_true(*size > 1000);
}

static void walk_file(const char *path, uint64_t bias, struct sw_registers registers)
{
	struct self self = open_self();
	struct sw_image *image;
	struct sw_cfi *cfi;
	bool is_call = false;
	const char *wrong;

	assert_null(sw_image_open(path, &image));
	image->bias = bias;
	assert_null(sw_cfi_create(image, self.target, &cfi));
	for (unsigned i = 0; i < 1000; i++)
		if (sw_cfi_step(cfi, &registers, &is_call, &wrong) != SW_CFI_STEPPED)
			break;
	sw_cfi_free(cfi);
	sw_image_close(image);
	close_self(&self);
}

/* Every walk ends, whatever the tables say; under the sanitizers nothing is read beyond them. */
static void damaged_tables(void **state)
{
	struct sw_image *image = open_own_image();
	struct sw_registers registers;
	char path[] = "/tmp/test_cfi_XXXXXX";
	ucontext_t context;
	size_t size, offset;
	uint64_t bias = image->bias, section, random = 88172645463325252u;
	uint8_t *bytes = read_own_file(&size);
	int fd = mkstemp(path);
	(void)state;

	assert_true(fd >= 0);
	find_tables(image, &offset, &section);
	assert_int_equal(getcontext(&context), 0);
	take_registers(&registers, &context);
	assert_int_equal(pwrite(fd, bytes, size, 0), size);
	for (unsigned round = 0; round < 40; round++) {
		uint8_t *damaged = malloc(section);
		assert_non_null(damaged);
		memcpy(damaged, bytes + offset, section);
		for (unsigned i = 0; i < 200; i++) {
			random ^= random << 13, random ^= random >> 7, random ^= random << 17;
			damaged[random % section] = (uint8_t)(random >> 32);
		}
		assert_int_equal(pwrite(fd, damaged, section, (off_t)offset), section);
		free(damaged);
		walk_file(path, bias, registers);
	}
	close(fd);
	unlink(path);
	free(bytes);
	sw_image_close(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_stack),
		cmocka_unit_test(bad_registers),
		cmocka_unit_test(damaged_tables),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
