#include "type/value_text.h"

#include "base/utf8.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* As few digits as tell it from its neighbours. */
static void put_real(FILE *out, double value, bool is_single)
{
	char text[40];

	if (isnan(value) || isinf(value)) {
		fputs(isnan(value) ? "NaN" : value < 0 ? "-Inf" : "+Inf", out);
		return;
	}
	for (int digits = 6; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, value);
		double again = strtod(text, NULL);
		if (is_single ? (float)again == (float)value : again == value)
			break;
	}
	fputs(text, out);
}

static double real_of(const uint8_t *bytes, bool is_single)
{
	double real;
	float single;

	if (!is_single) {
		memcpy(&real, bytes, sizeof(real));
		return real;
	}
	memcpy(&single, bytes, sizeof(single));
	return single;
}

void sw_text_real(FILE *out, const uint8_t *bytes, bool is_single)
{
	put_real(out, real_of(bytes, is_single), is_single);
}

void sw_text_complex(FILE *out, const uint8_t *bytes, bool is_single)
{
	double imaginary = real_of(bytes + (is_single ? 4 : 8), is_single);

	fputc('(', out);
	put_real(out, real_of(bytes, is_single), is_single);
	if (!(imaginary < 0))
		fputc('+', out);
	put_real(out, imaginary, is_single);
	fputs("i)", out);
}

/* Bytes of the UTF-8 character at text, 0 for none. Control characters are none. */
static size_t character_size(const uint8_t *text, size_t size)
{
	return text[0] < ' ' || text[0] == 127 ? 0 : sw_utf8_decode((const char *)text, size, NULL);
}

static void put_escaped(FILE *out, uint8_t byte)
{
	const char *found = byte ? strchr("\nn\tt\rr\"\"\\\\", byte) : NULL;

	if (found)
		fprintf(out, "\\%c", found[1]);
	else
		fprintf(out, "\\x%02x", byte);
}

void sw_text_quoted(FILE *out, const uint8_t *text, size_t size, bool is_cut)
{
	fputc('"', out);
	for (size_t i = 0; i < size;) {
		size_t length = character_size(text + i, size - i);
		if (!length && is_cut && size - i < 4 && text[i] >= 0xc2)
			break; /* the cut went through it */
		if (!length || text[i] == '"' || text[i] == '\\')
			put_escaped(out, text[i]);
		else
			fwrite(text + i, 1, length, out);
		i += length ? length : 1;
	}
	fputs(is_cut ? "…\"" : "\"", out);
}
