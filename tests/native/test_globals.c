/* Instructions of amd64 and arm64 as the compilers write them, and what they refer to; variables
 * that are chosen by such references. */
#include "code/data_ref.h"
#include "go/global.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum {
	TEXT = 0x401000,
	DATA = 0x500000,
	DATA_SIZE = 0x10000,
};

static bool is_data(const void *context, sw_addr address)
{
	(void)context;
	return address >= DATA && address < DATA + DATA_SIZE;
}

static struct sw_code_refs scan(enum sw_arch arch, const void *code, size_t size)
{
	struct sw_code_refs refs = {0};
	assert_null(sw_code_find_refs(arch, TEXT, code, size, is_data, NULL, &refs));
	return refs;
}

static void check_one(enum sw_arch arch, const void *code, size_t size, sw_addr address,
		      enum sw_code_use use)
{
	struct sw_code_refs refs = scan(arch, code, size);
	assert_int_equal(refs.count, 1);
	assert_int_equal(refs.items[0].address, address);
	assert_int_equal(refs.items[0].use, use);
	sw_code_refs_free(&refs);
}

/* ---- amd64 ---- */

/* An instruction whose displacement is filled in for an operand at DATA + 0x40. */
struct amd64 {
	const char *what;
	uint8_t size, displacement; /* bytes; where the displacement stands */
	uint8_t code[12];
	enum sw_code_use use;
};

static const struct amd64 instructions[] = {
	{"lea rax", 7, 3, {0x48, 0x8d, 0x05}, SW_CODE_ADDRESS},
	{"lea r15", 7, 3, {0x4c, 0x8d, 0x3d}, SW_CODE_ADDRESS},
	{"mov rcx, m", 7, 3, {0x48, 0x8b, 0x0d}, SW_CODE_ACCESS},
	{"mov m, ecx", 6, 2, {0x89, 0x0d}, SW_CODE_ACCESS},
	{"mov dword m, 1", 10, 2, {0xc7, 0x05, 0, 0, 0, 0, 1}, SW_CODE_ACCESS},
	{"mov qword m, 0", 11, 3, {0x48, 0xc7, 0x05}, SW_CODE_ACCESS},
	{"mov byte m, 1", 7, 2, {0xc6, 0x05, 0, 0, 0, 0, 1}, SW_CODE_ACCESS},
	{"cmp dword m, 0", 7, 2, {0x83, 0x3d}, SW_CODE_ACCESS},
	{"cmp dword m, 1000", 10, 2, {0x81, 0x3d, 0, 0, 0, 0, 0xe8, 3}, SW_CODE_ACCESS},
	{"add m, rax", 7, 3, {0x48, 0x01, 0x05}, SW_CODE_ACCESS},
	{"test byte m, 1", 7, 2, {0xf6, 0x05, 0, 0, 0, 0, 1}, SW_CODE_ACCESS},
	{"inc qword m", 7, 3, {0x48, 0xff, 0x05}, SW_CODE_ACCESS},
	{"movzx eax, byte m", 7, 3, {0x0f, 0xb6, 0x05}, SW_CODE_ACCESS},
	{"lock xadd m, rax", 9, 5, {0xf0, 0x48, 0x0f, 0xc1, 0x05}, SW_CODE_ACCESS},
	{"lock cmpxchg m, ecx", 8, 4, {0xf0, 0x0f, 0xb1, 0x0d}, SW_CODE_ACCESS},
	{"movups m, xmm15", 8, 4, {0x44, 0x0f, 0x11, 0x3d}, SW_CODE_ACCESS},
	{"bt qword m, 3", 9, 4, {0x48, 0x0f, 0xba, 0x25, 0, 0, 0, 0, 3}, SW_CODE_ACCESS},
};

/* The opcode behind 0x0f may be read as one without it: another reference, a byte or four on. */
static void check_among(const void *code, size_t size, sw_addr address, enum sw_code_use use)
{
	struct sw_code_refs refs = scan(SW_ARCH_AMD64, code, size);
	size_t found = 0;
	for (size_t i = 0; i < refs.count; i++)
		found += refs.items[i].address == address && refs.items[i].use == use;
	assert_in_range(found, 1, 2);
	assert_in_range(refs.count, 1, 2);
	sw_code_refs_free(&refs);
}

static void test_amd64(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(instructions) / sizeof(*instructions); i++) {
		const struct amd64 *one = &instructions[i];
		uint8_t code[32];
		memset(code, 0x90, sizeof(code));
		memcpy(code + 5, one->code, one->size);
		int32_t displacement = DATA + 0x40 - (TEXT + 5 + one->size);
		memcpy(code + 5 + one->displacement, &displacement, 4);
		print_message("%s\n", one->what);
		check_among(code, sizeof(code), DATA + 0x40, one->use);
		check_among(code, 5u + one->displacement + 4, DATA + 0x40, one->use);
	}
}

/* A prefix makes the immediate operand two bytes; the same byte may end an instruction before. */
static void test_amd64_16_bits(void **state)
{
	(void)state;
	uint8_t code[] = {0x66, 0xc7, 0x05, 0, 0, 0, 0, 1, 0};
	int32_t displacement = DATA + 0x40 - (TEXT + (int)sizeof(code));
	memcpy(code + 3, &displacement, 4);
	struct sw_code_refs refs = scan(SW_ARCH_AMD64, code, sizeof(code));
	assert_int_equal(refs.count, 2);
	assert_int_equal(refs.items[0].address, DATA + 0x42);
	assert_int_equal(refs.items[1].address, DATA + 0x40);
	sw_code_refs_free(&refs);
}

/* call, jmp and operands of another kind are no references; nor is what is not data. */
static void test_amd64_none(void **state)
{
	(void)state;
	uint8_t code[] = {
		0xe8, 0,    0x10, 0x10, 0,		  /* call */
		0x48, 0x8b, 0x45, 0,	0x10, 0x10,	  /* mov rax, [rbp] … */
		0x48, 0x8b, 0x05, 0,	0,    0,    0x40, /* mov rax, m, beyond data */
		0x48, 0x8b, 0x05,			  /* cut off */
	};
	struct sw_code_refs refs = scan(SW_ARCH_AMD64, code, sizeof(code));
	assert_int_equal(refs.count, 0);
	refs = scan(SW_ARCH_AMD64, code, 0);
	assert_int_equal(refs.count, 0);
}

/* ---- arm64 ---- */

enum { X0 = 0, X1 = 1, X27 = 27, PAGES = (DATA >> 12) - (TEXT >> 12) };

static uint32_t adrp(unsigned reg, int32_t pages)
{
	uint32_t immediate = (uint32_t)pages & 0x1fffff;
	return 0x90000000 | (immediate & 3) << 29 | (immediate >> 2) << 5 | reg;
}

static uint32_t add(unsigned to, unsigned from, unsigned number)
{
	return 0x91000000 | number << 10 | from << 5 | to;
}

/* ldr of 8 bytes; number in units of them */
static uint32_t ldr(unsigned to, unsigned from, unsigned number)
{
	return 0xf9400000 | number << 10 | from << 5 | to;
}

static void test_arm64(void **state)
{
	(void)state;
	const uint32_t load[] = {adrp(X27, PAGES), ldr(X0, X27, 0x48 / 8)};
	check_one(SW_ARCH_ARM64, load, sizeof(load), DATA + 0x48, SW_CODE_ACCESS);

	const uint32_t store_byte[] = {adrp(X27, PAGES), 0x39000000 | 0x41 << 10 | X27 << 5};
	check_one(SW_ARCH_ARM64, store_byte, sizeof(store_byte), DATA + 0x41, SW_CODE_ACCESS);

	const uint32_t address[] = {adrp(X1, PAGES), add(X1, X1, 0x40), 0xd503201f};
	check_one(SW_ARCH_ARM64, address, sizeof(address), DATA + 0x40, SW_CODE_ADDRESS);

	/* by the assembler's own register: nobody wants the address */
	const uint32_t in_place[] = {adrp(X27, PAGES), add(X27, X27, 0x40), ldr(X0, X27, 0)};
	check_one(SW_ARCH_ARM64, in_place, sizeof(in_place), DATA + 0x40, SW_CODE_ACCESS);

	/* ldp x0, x1, [x27, #-16] */
	const uint32_t pair[] = {adrp(X27, PAGES), add(X27, X27, 0x40),
				 0xa9400000 | 0x7eu << 15 | X1 << 10 | X27 << 5};
	check_one(SW_ARCH_ARM64, pair, sizeof(pair), DATA + 0x30, SW_CODE_ACCESS);

	/* a vector of 16 bytes */
	const uint32_t vector[] = {adrp(X27, PAGES), 0x3dc00000 | 3 << 10 | X27 << 5};
	check_one(SW_ARCH_ARM64, vector, sizeof(vector), DATA + 0x30, SW_CODE_ACCESS);
}

static void test_arm64_both(void **state)
{
	(void)state;
	const uint32_t code[] = {adrp(X1, PAGES), add(X1, X1, 0x40), ldr(X0, X1, 1)};
	struct sw_code_refs refs = scan(SW_ARCH_ARM64, code, sizeof(code));
	assert_int_equal(refs.count, 2);
	assert_int_equal(refs.items[0].address, DATA + 0x40);
	assert_int_equal(refs.items[0].use, SW_CODE_ADDRESS);
	assert_int_equal(refs.items[1].address, DATA + 0x48);
	assert_int_equal(refs.items[1].use, SW_CODE_ACCESS);
	sw_code_refs_free(&refs);
}

static void test_arm64_none(void **state)
{
	(void)state;
	const uint32_t code[] = {
		adrp(X27, -PAGES), ldr(X0, X27, 8), /* no data */
		adrp(X27, PAGES),  ldr(X0, X1, 8),  /* another register */
		adrp(X27, PAGES),		    /* cut off */
	};
	struct sw_code_refs refs = scan(SW_ARCH_ARM64, code, sizeof(code));
	assert_int_equal(refs.count, 0);
	refs = scan(SW_ARCH_ARM64, code, 3);
	assert_int_equal(refs.count, 0);
}

static void test_any_bytes(void **state)
{
	(void)state;
	uint8_t code[4096];
	uint32_t seed = 1;
	for (size_t round = 0; round < 50; round++) {
		for (size_t i = 0; i < sizeof(code); i++) {
			seed = seed * 1664525 + 1013904223;
			code[i] = (uint8_t)(seed >> 24);
		}
		for (unsigned arch = SW_ARCH_AMD64; arch <= SW_ARCH_ARM64; arch++) {
			struct sw_code_refs refs = scan(arch, code, sizeof(code) - round);
			sw_code_refs_free(&refs);
		}
	}
}

/* ---- choosing ---- */

/* A runtime of four functions and a page of data: words that are 1 fit, words that are 0 are
 * empty lists, all else does not fit. */
struct runtime {
	uint64_t words[512];
	struct sw_region region;
	struct sw_memory memory;
	struct sw_image image;
	struct sw_go go;
	struct sw_global_functions functions;
	sw_addr found;
};

static const char *misfit(const struct sw_go *go, sw_addr at)
{
	uint64_t word;
	return sw_memory_u64(go->memory, at, &word) && word <= 1 ? NULL : "the word";
}

static const struct sw_global wanted = {
	.name = "wanted",
	.misfit = misfit,
	.clues =
		{
			{"one", SW_GLOBAL_BYTES(0)},
			{"two", SW_GLOBAL_BYTES(8)},
			{"three", SW_GLOBAL_FIELD(mspan.limit)},
			{"four", SW_GLOBAL_BYTES(0)},
			{"absent", SW_GLOBAL_BYTES(0)},
		},
};

static sw_addr word(unsigned index)
{
	return DATA + 8 * index;
}

static void add_function(struct runtime *runtime, const char *name)
{
	assert_null(sw_global_functions_add(&runtime->functions,
					    (struct sw_global_function){.name = name, .count = 1}));
}

static void add_ref(struct runtime *runtime, unsigned function, sw_addr address)
{
	assert_null(sw_code_refs_add(&runtime->functions.items[function].refs,
				     (struct sw_code_ref){address, SW_CODE_ADDRESS}));
}

/* All four functions, in their ways, refer to the word. */
static void refer(struct runtime *runtime, unsigned index, unsigned functions)
{
	const unsigned offsets[] = {0, 8, 24, 0};
	for (unsigned i = 0; i < functions; i++)
		add_ref(runtime, i, word(index) + offsets[i]);
}

static int setup(void **state)
{
	struct runtime *runtime = calloc(1, sizeof(*runtime));
	memset(runtime->words, 0xff, sizeof(runtime->words));
	runtime->region = (struct sw_region){DATA, sizeof(runtime->words),
					     (const uint8_t *)runtime->words, SW_REGION_READ};
	runtime->memory = (struct sw_memory){&runtime->region, 1, 1};
	runtime->image.path = "program";
	runtime->go.memory = &runtime->memory;
	runtime->go.image = &runtime->image;
	runtime->go.minor = 25;
	runtime->go.layout.mspan.limit = 24;
	add_function(runtime, "one");
	add_function(runtime, "two");
	add_function(runtime, "three");
	add_function(runtime, "four");
	*state = runtime;
	return 0;
}

static int teardown(void **state)
{
	struct runtime *runtime = *state;
	sw_global_free_functions(&runtime->functions);
	free(runtime);
	return 0;
}

static struct sw_error *search(struct runtime *runtime, const struct sw_global *global)
{
	return sw_global_search(&runtime->go, global, &runtime->functions, &runtime->found);
}

static void check_refusal(struct runtime *runtime, const struct sw_global *global, const char *why)
{
	struct sw_error *error = search(runtime, global);
	assert_non_null(error);
	assert_int_equal(error->code, SW_ERR_UNSUPPORTED);
	assert_non_null(strstr(error->message, "runtime.wanted of Go 1.25"));
	assert_non_null(strstr(error->message, why));
	assert_non_null(strstr(error->hint, "--symbols"));
	sw_error_free(error);
}

static void test_found(void **state)
{
	struct runtime *runtime = *state;
	runtime->words[5] = 1;
	refer(runtime, 5, 4);
	refer(runtime, 9, 4); /* holds what does not fit */
	add_ref(runtime, 0, word(20));
	assert_null(search(runtime, &wanted));
	assert_int_equal(runtime->found, word(5));
}

/* One function of four may have changed. */
static void test_found_by_most(void **state)
{
	struct runtime *runtime = *state;
	runtime->words[5] = runtime->words[6] = 1;
	refer(runtime, 5, 3);
	refer(runtime, 6, 2);
	assert_null(search(runtime, &wanted));
	assert_int_equal(runtime->found, word(5));
}

static void test_two_places(void **state)
{
	struct runtime *runtime = *state;
	runtime->words[5] = runtime->words[6] = 1;
	refer(runtime, 5, 4);
	refer(runtime, 6, 4);
	check_refusal(runtime, &wanted, "2 places fit");
}

static void test_no_place(void **state)
{
	struct runtime *runtime = *state;
	runtime->words[5] = 1;
	refer(runtime, 5, 2);
	check_refusal(runtime, &wanted, "0 candidates");
}

static void test_misfit(void **state)
{
	struct runtime *runtime = *state;
	refer(runtime, 5, 4);
	check_refusal(runtime, &wanted, "at 0x500028, where its functions have it, it is the word");
}

/* A single function says nothing, however clearly. */
static void test_one_function(void **state)
{
	struct runtime *runtime = *state;
	runtime->words[5] = 1;
	refer(runtime, 5, 4);
	for (unsigned i = 1; i < 4; i++)
		runtime->functions.items[i].count = 0;
	check_refusal(runtime, &wanted, "0 candidates");
}

/* A release without the field has nothing to say about it. */
static void test_field_of_another_release(void **state)
{
	struct runtime *runtime = *state;
	runtime->words[5] = 1;
	runtime->go.layout.mspan.limit = SW_ABSENT;
	refer(runtime, 5, 4);
	assert_null(search(runtime, &wanted));
	assert_int_equal(runtime->found, word(5));
}

/* Only what reads or writes the variable counts. */
static void test_accessed(void **state)
{
	struct runtime *runtime = *state;
	struct sw_global accessed = wanted;
	accessed.is_accessed = true;
	runtime->words[5] = runtime->words[6] = 1;
	refer(runtime, 5, 4);
	refer(runtime, 6, 4);
	for (unsigned i = 0; i < 4; i++)
		runtime->functions.items[i].refs.items[1].use = SW_CODE_ACCESS;
	assert_null(search(runtime, &accessed));
	assert_int_equal(runtime->found, word(6));
}

static void test_lists(void **state)
{
	struct runtime *runtime = *state;
	struct sw_global list = wanted;
	list.list = SW_GLOBAL_BYTES(0);
	runtime->words[5] = runtime->words[6] = 0;
	refer(runtime, 5, 4);
	assert_null(search(runtime, &list));
	assert_int_equal(runtime->found, word(5)); /* empty, and the only place */
	refer(runtime, 6, 4);
	assert_null(search(runtime, &list));
	assert_int_equal(runtime->found, 0); /* whichever it is, it is empty */
	runtime->words[6] = 1;
	assert_null(search(runtime, &list));
	assert_int_equal(runtime->found, word(6)); /* only a list can look like one */
	runtime->words[5] = 1;
	check_refusal(runtime, &list, "2 places fit");
}

int main(void)
{
#define CHOICE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_amd64),
		cmocka_unit_test(test_amd64_16_bits),
		cmocka_unit_test(test_amd64_none),
		cmocka_unit_test(test_arm64),
		cmocka_unit_test(test_arm64_both),
		cmocka_unit_test(test_arm64_none),
		cmocka_unit_test(test_any_bytes),
		CHOICE(test_found),
		CHOICE(test_found_by_most),
		CHOICE(test_two_places),
		CHOICE(test_no_place),
		CHOICE(test_misfit),
		CHOICE(test_one_function),
		CHOICE(test_field_of_another_release),
		CHOICE(test_accessed),
		CHOICE(test_lists),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
