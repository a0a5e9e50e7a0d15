/* Functions by pc where the linker has cut the text into sections, with foreign code between. */
#include "go/pclntab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum {
	TEXT = 0x400000,
	STEP = 64, /* bytes of a function's code */
	FUNCS = 9, /* three in each of three sections */
	FUNC_SIZE = 44,
	SECTIONS = 3,
	GAP = 0x1000,
	SECTION = 3 * STEP,
};

struct tables {
	uint8_t ftab[(FUNCS + 1) * 8], pclntable[FUNCS * FUNC_SIZE];
	uint8_t sections[SECTIONS * SW_TEXTSECT_SIZE];
	struct sw_go go;
};

static void put32(uint8_t *at, uint32_t value)
{
	memcpy(at, &value, 4);
}

static void put64(uint8_t *at, uint64_t value)
{
	memcpy(at, &value, 8);
}

static sw_addr section_address(unsigned number)
{
	return TEXT + number * (SECTION + GAP);
}

static void put_section(struct tables *t, unsigned number, uint64_t first, uint64_t end,
			sw_addr address)
{
	uint8_t *at = t->sections + number * SW_TEXTSECT_SIZE;
	put64(at, first);
	put64(at + 8, end);
	put64(at + 16, address);
}

static void create(struct tables *t, uint64_t sections)
{
	memset(t, 0, sizeof(*t));
	for (uint32_t i = 0; i <= FUNCS; i++) {
		put32(t->ftab + i * 8, i * STEP);
		put32(t->ftab + i * 8 + 4, i * FUNC_SIZE);
	}
	for (unsigned i = 0; i < SECTIONS; i++)
		put_section(t, i, i * SECTION, (i + 1) * SECTION, section_address(i));
	t->go.arch = SW_ARCH_ARM64;
	t->go.layout.func.size = FUNC_SIZE;
	struct sw_go_module module = {
		.text = TEXT,
		.etext = sections > 1 ? section_address(SECTIONS - 1) + SECTION
				      : (sw_addr)TEXT + FUNCS * STEP,
		.pclntable = t->pclntable,
		.pclntable_size = sizeof(t->pclntable),
		.ftab = t->ftab,
		.ftab_count = FUNCS + 1,
		.textsectmap = t->sections,
		.textsect_count = sections,
	};
	assert_null(sw_go_modules_add(&t->go.modules, module));
}

static void expect(const struct tables *t, sw_addr pc, unsigned number, sw_addr entry)
{
	struct sw_go_func func;
	assert_true(sw_go_find_func(&t->go, pc, &func));
	assert_ptr_equal(func.bytes, t->pclntable + number * FUNC_SIZE);
	assert_int_equal(func.entry, entry);
}

static void test_one_section(void **state)
{
	(void)state;
	for (uint64_t sections = 0; sections < 2; sections++) {
		struct tables t;
		struct sw_go_func func;
		create(&t, sections);
		for (unsigned i = 0; i < FUNCS; i++) {
			expect(&t, TEXT + i * STEP, i, TEXT + i * STEP);
			expect(&t, TEXT + i * STEP + STEP - 1, i, TEXT + i * STEP);
		}
		assert_false(sw_go_find_func(&t.go, TEXT - 1, &func));
		assert_false(sw_go_find_func(&t.go, TEXT + FUNCS * STEP, &func));
		sw_go_modules_free(&t.go.modules);
	}
}

static void test_sections(void **state)
{
	(void)state;
	struct tables t;
	struct sw_go_func func;
	uint32_t offset;
	create(&t, SECTIONS);
	const struct sw_go_module *module = &t.go.modules.items[0];

	for (unsigned i = 0; i < FUNCS; i++) {
		sw_addr entry = section_address(i / 3) + i % 3 * STEP;
		expect(&t, entry, i, entry);
		expect(&t, entry + STEP - 1, i, entry);
		assert_int_equal(sw_go_text_address(module, i * STEP), entry);
		assert_true(sw_go_text_offset(module, entry + 5, &offset));
		assert_int_equal(offset, i * STEP + 5);
	}
	/* Between the sections there is code of the linker's, which has no function. */
	for (unsigned i = 0; i + 1 < SECTIONS; i++) {
		assert_false(sw_go_find_func(&t.go, section_address(i) + SECTION, &func));
		assert_false(sw_go_find_func(&t.go, section_address(i + 1) - 1, &func));
	}
	assert_false(sw_go_text_offset(module, TEXT - 1, &offset));
	assert_true(sw_go_text_offset(module, module->etext, &offset));
	assert_int_equal(offset, FUNCS * STEP);
	assert_int_equal(sw_go_text_address(module, FUNCS * STEP), module->etext);
	assert_false(sw_go_text_offset(module, module->etext + 1, &offset));
	sw_go_modules_free(&t.go.modules);
}

/* Whatever the map says: nothing is read outside the tables. */
static void test_damaged_sections(void **state)
{
	(void)state;
	static const uint64_t wild[] = {0, 1, SECTION, UINT32_MAX, (uint64_t)1 << 40, UINT64_MAX};
	enum { WILD = sizeof(wild) / sizeof(*wild) };

	for (unsigned n = 0; n < SECTIONS * WILD * WILD * WILD; n++) {
		struct tables t;
		struct sw_go_func func;
		create(&t, SECTIONS);
		put_section(&t, n / (WILD * WILD * WILD), wild[n % WILD], wild[n / WILD % WILD],
			    wild[n / WILD / WILD % WILD]);
		for (sw_addr pc = TEXT - 1; pc <= t.go.modules.items[0].etext; pc += 33)
			if (sw_go_find_func(&t.go, pc, &func))
				assert_in_range(
					(uintptr_t)func.bytes, (uintptr_t)t.pclntable,
					(uintptr_t)(t.pclntable + sizeof(t.pclntable) - FUNC_SIZE));
		sw_go_modules_free(&t.go.modules);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_section),
		cmocka_unit_test(test_sections),
		cmocka_unit_test(test_damaged_sections),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
