/* UTF-8 against the table of well-formed byte sequences of the Unicode standard (table 3-7). */
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

#include <cmocka.h>

/* Lengths are those of the sequence; the second byte's range is what differs. */
static const struct {
	uint8_t first, last, second_first, second_last, length;
} table[] = {
	{0x00, 0x7f, 0, 0, 1},	     {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
	{0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
	{0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
};

static size_t expected_length(uint8_t first, uint8_t second)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		if (first >= table[i].first && first <= table[i].last)
			return table[i].length == 1 || (second >= table[i].second_first &&
							second <= table[i].second_last)
				       ? table[i].length
				       : 0;
	return 0;
}

/* All beginnings, with an end that is right, cut off, or wrong. */
static void test_sequences(void **state)
{
	(void)state;
	for (unsigned pair = 0; pair < 0x10000; pair++) {
		uint8_t bytes[4] = {(uint8_t)(pair >> 8), (uint8_t)pair, 0x80, 0xbf};
		size_t expected = expected_length(bytes[0], bytes[1]);
		for (size_t size = 1; size <= 4; size++)
			assert_int_equal(sw_utf8_decode((const char *)bytes, size, NULL),
					 size < expected ? 0 : expected);
		for (size_t i = 2; i < expected; i++) {
			uint8_t before = bytes[i];
			bytes[i] = 0xc0;
			assert_int_equal(sw_utf8_decode((const char *)bytes, 4, NULL), 0);
			bytes[i] = 'a';
			assert_int_equal(sw_utf8_decode((const char *)bytes, 4, NULL), 0);
			bytes[i] = before;
		}
	}
}

static size_t encode(uint32_t point, uint8_t out[4])
{
	size_t length = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
	static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
	for (size_t i = length - 1; i; i--, point >>= 6)
		out[i] = (uint8_t)(0x80 | (point & 0x3f));
	out[0] = (uint8_t)(lead[length] | point);
	return length;
}

static void test_points(void **state)
{
	(void)state;
	for (uint32_t point = 0; point <= 0x10ffff; point++) {
		bool is_surrogate = point >= 0xd800 && point < 0xe000;
		uint8_t bytes[4];
		uint32_t decoded = UINT32_MAX;
		size_t length = encode(point, bytes);
		assert_int_equal(sw_utf8_decode((const char *)bytes, length, &decoded),
				 is_surrogate ? 0 : length);
		assert_int_equal(decoded, is_surrogate ? UINT32_MAX : point);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_sequences),
					   cmocka_unit_test(test_points)};
	return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
