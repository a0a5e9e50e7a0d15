/* Values of a report and how a terminal shows them. All numbers are formatted with integers:
 * printf("%f") takes the decimal point of the host's locale. */
#include "base/utf8.h"
#include "report/text.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 8 };

json_t *sw_json_address(uint64_t address)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)address);
	return json_string(text);
}

json_t *sw_json_address_or_null(uint64_t address)
{
	return address ? sw_json_address(address) : json_null();
}

/* JSON integers are signed here; more than that only a damaged target has. */
json_t *sw_json_count(uint64_t count)
{
	return json_integer(count > INT64_MAX ? INT64_MAX : (json_int_t)count);
}

json_t *sw_json_bytes(uint64_t bytes)
{
	return sw_json_count(bytes);
}

json_t *sw_json_text(const char *bytes, size_t size)
{
	static const char replacement[] = "\xef\xbf\xbd";
	json_t *value = json_stringn(bytes, size);

	if (value)
		return value;
	char *text = malloc(size * 3 + 1);
	if (!text)
		return NULL;
	size_t length = 0;
	for (size_t i = 0; i < size;) {
		uint32_t point;
		size_t step = sw_utf8_decode(bytes + i, size - i, &point);
		memcpy(text + length, step ? bytes + i : replacement, step ? step : 3);
		length += step ? step : 3;
		i += step ? step : 1;
	}
	value = json_stringn(text, length);
	free(text);
	return value;
}

json_t *sw_json_string(const char *text)
{
	return text ? sw_json_text(text, strlen(text)) : json_string("");
}

json_t *sw_json_string_or_null(const char *text)
{
	return text ? sw_json_string(text) : json_null();
}

json_t *sw_json_take_string(char *text)
{
	json_t *value = sw_json_string_or_null(text);
	free(text);
	return value;
}

char *sw_text_bytes(uint64_t bytes, char *out)
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};

	if (bytes < 1024) {
		snprintf(out, 16, "%u B", (unsigned)bytes);
		return out;
	}
	for (unsigned unit = 0; unit < 6; unit++) {
		unsigned shift = 10 * (unit + 1);
		uint64_t rest = bytes & (((uint64_t)1 << shift) - 1);
		uint64_t tenths = (rest * 10 + ((uint64_t)1 << (shift - 1))) >> shift;
		uint64_t whole = (bytes >> shift) + tenths / 10;
		/* 1023.96 KiB rounds up to 1.0 MiB. */
		if (whole < 1024 || unit == 5) {
			snprintf(out, 16, "%u.%u %s", (unsigned)whole, (unsigned)(tenths % 10),
				 units[unit]);
			break;
		}
	}
	return out;
}

char *sw_text_count(uint64_t count, char *out)
{
	char digits[24];
	int size = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)count);
	char *end = out;

	for (int i = 0; i < size; i++) {
		if (i && (size - i) % 3 == 0)
			*end++ = ',';
		*end++ = digits[i];
	}
	*end = 0;
	return out;
}

char *sw_text_amount(uint64_t count, const char *noun, char *out)
{
	char digits[32];
	snprintf(out, SW_TEXT_AMOUNT, "%s %s%s", sw_text_count(count, digits), noun,
		 sw_text_plural(count, "", "s"));
	return out;
}

const char *sw_text_plural(uint64_t count, const char *one, const char *many)
{
	return count == 1 ? one : many;
}

static void format_fraction(double fraction, char *out, size_t size)
{
	bool is_negative = fraction < 0;
	double magnitude = fabs(fraction) * 1000 + 0.5;

	if (!(magnitude < 1e15)) {
		snprintf(out, size, "?");
		return;
	}
	uint64_t tenths = (uint64_t)magnitude;
	/* What is there is not shown as nothing. */
	if (!tenths && fraction != 0)
		snprintf(out, size, "%s<0.1 %%", is_negative ? "-" : "");
	else
		snprintf(out, size, "%s%llu.%u %%", is_negative ? "-" : "",
			 (unsigned long long)tenths / 10, (unsigned)(tenths % 10));
}

static void format_seconds(double seconds, char *out, size_t size)
{
	if (seconds < 0 || !(seconds < 1e12)) {
		snprintf(out, size, "?");
	} else if (seconds < 0.9995) {
		snprintf(out, size, "%u ms", (unsigned)(seconds * 1000 + 0.5));
	} else if (seconds < 59.95) {
		unsigned tenths = (unsigned)(seconds * 10 + 0.5);
		snprintf(out, size, "%u.%u s", tenths / 10, tenths % 10);
	} else {
		uint64_t whole = (uint64_t)(seconds + 0.5);
		unsigned minutes = (unsigned)(whole / 60 % 60);
		unsigned hours = (unsigned)(whole / 3600 % 24);
		if (whole < 3600)
			snprintf(out, size, "%u min %u s", minutes, (unsigned)(whole % 60));
		else if (whole < 86400)
			snprintf(out, size, "%u h %u min", hours, minutes);
		else
			snprintf(out, size, "%llu d %u h", (unsigned long long)whole / 86400,
				 hours);
	}
}

/* Three decimals at most, none that are zero at the end. */
static void format_real(double number, char *out, size_t size)
{
	double magnitude = fabs(number) * 1000 + 0.5;

	if (!(magnitude < 1e18)) {
		snprintf(out, size, "?");
		return;
	}
	uint64_t milli = (uint64_t)magnitude;
	char whole[32];
	int length = snprintf(out, size, "%s%s.%03u", number < 0 ? "-" : "",
			      sw_text_count(milli / 1000, whole), (unsigned)(milli % 1000));
	while (length > 0 && out[length - 1] == '0')
		out[--length] = 0;
	if (length > 0 && out[length - 1] == '.')
		out[--length] = 0;
}

enum unit { UNIT_NONE, UNIT_BYTES, UNIT_FRACTION, UNIT_SECONDS, UNIT_NAME };

static bool ends_in(const char *key, const char *word)
{
	size_t key_size = strlen(key), word_size = strlen(word);

	if (key_size < word_size || strcmp(key + key_size - word_size, word))
		return false;
	return key_size == word_size || key[key_size - word_size - 1] == '_' ||
	       key[key_size - word_size - 1] == '.';
}

static enum unit unit_of(const char *key)
{
	/* Numbers that name a thing: no commas. */
	static const char *const names[] = {"pid", "tid",  "goid", "goids",
					    "id",  "line", "fd",   "port"};

	if (ends_in(key, "bytes"))
		return UNIT_BYTES;
	if (ends_in(key, "fraction"))
		return UNIT_FRACTION;
	if (ends_in(key, "seconds"))
		return UNIT_SECONDS;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (ends_in(key, names[i]))
			return UNIT_NAME;
	return UNIT_NONE;
}

char *sw_text_label(const char *key)
{
	char *label = sw_text_clean(key, strlen(key));

	if (!label)
		return NULL;
	enum unit unit = unit_of(label);
	char *cut = strrchr(label, '_');
	if (cut && cut != label && !strchr(cut, '.') && unit != UNIT_NONE && unit != UNIT_NAME)
		*cut = 0;
	for (char *c = label; *c; c++)
		if (*c == '_' || *c == '.')
			*c = ' ';
	return label;
}

static void format_integer(enum unit unit, json_int_t number, char *out, size_t size)
{
	char text[32];
	uint64_t magnitude = number < 0 ? -(uint64_t)number : (uint64_t)number;

	switch (unit) {
	case UNIT_FRACTION:
		format_fraction((double)number, out, size);
		return;
	case UNIT_SECONDS:
		format_seconds((double)number, out, size);
		return;
	case UNIT_NAME:
		snprintf(out, size, "%lld", (long long)number);
		return;
	case UNIT_BYTES:
		sw_text_bytes(magnitude, text);
		break;
	case UNIT_NONE:
		sw_text_count(magnitude, text);
		break;
	}
	snprintf(out, size, "%s%s", number < 0 ? "-" : "", text);
}

static void format_number(enum unit unit, const json_t *value, char *out, size_t size)
{
	double real = json_real_value(value);

	if (json_is_integer(value))
		format_integer(unit, json_integer_value(value), out, size);
	else if (unit == UNIT_FRACTION)
		format_fraction(real, out, size);
	else if (unit == UNIT_SECONDS)
		format_seconds(real, out, size);
	else if (unit == UNIT_BYTES && fabs(real) < 9e18)
		format_integer(unit, (json_int_t)real, out, size);
	else
		format_real(real, out, size);
}

static void put_value(FILE *out, const char *key, const json_t *value, unsigned depth);

static void put_text(FILE *out, const json_t *value);

/* A place in the source: "main.(*Pool).run (pool.go:42)", with the goroutine of a go statement. */
static void put_place(FILE *out, const json_t *place)
{
	const char *file = json_string_value(json_object_get(place, "file"));
	const char *slash = file ? strrchr(file, '/') : NULL;
	const json_t *line = json_object_get(place, "line");
	const json_t *goid = json_object_get(place, "goroutine");

	put_text(out, json_object_get(place, "function"));
	if (file && *file) {
		json_t *name = json_string(slash ? slash + 1 : file);
		fputs(" (", out);
		put_text(out, name);
		if (json_integer_value(line) > 0)
			fprintf(out, ":%lld", (long long)json_integer_value(line));
		fputs(json_is_true(json_object_get(place, "inlined")) ? ", inlined)" : ")", out);
		json_decref(name);
	}
	if (json_is_integer(goid))
		fprintf(out, " in goroutine %lld", (long long)json_integer_value(goid));
}

/* Of the program's own naming: "tenant=acme, request=42". */
static void put_labels(FILE *out, const json_t *labels)
{
	const char *key;
	json_t *value;
	bool is_first = true;

	json_object_foreach((json_t *)labels, key, value)
	{
		char *clean = sw_text_clean(key, strlen(key));
		fprintf(out, "%s%s=", is_first ? "" : ", ", clean ? clean : "?");
		put_text(out, value);
		free(clean);
		is_first = false;
	}
}

static bool is_place(const json_t *object)
{
	return json_is_string(json_object_get(object, "function")) &&
	       json_is_string(json_object_get(object, "file")) && json_object_get(object, "line");
}

static void put_members(FILE *out, const json_t *object, unsigned depth)
{
	const char *key;
	json_t *member;
	bool is_first = true;

	/* json_object_foreach() wants it writable; it is only read. */
	json_object_foreach((json_t *)object, key, member)
	{
		char *label = sw_text_label(key);
		fprintf(out, "%s%s ", is_first ? "" : ", ", label ? label : key);
		free(label);
		put_value(out, key, member, depth + 1);
		is_first = false;
	}
}

static void put_text(FILE *out, const json_t *value)
{
	char *text = sw_text_clean(json_string_value(value), json_string_length(value));

	fputs(text ? text : "?", out);
	free(text);
}

static void put_value(FILE *out, const char *key, const json_t *value, unsigned depth)
{
	char number[64];
	size_t index;
	json_t *item;

	if (depth > DEPTH_MAX) {
		fputs("…", out);
	} else if (json_is_string(value)) {
		put_text(out, value);
	} else if (json_is_number(value)) {
		format_number(unit_of(key), value, number, sizeof(number));
		fputs(number, out);
	} else if (json_is_boolean(value)) {
		fputs(json_is_true(value) ? "yes" : "no", out);
	} else if (json_is_object(value)) {
		if (ends_in(key, "labels"))
			put_labels(out, value);
		else if (is_place(value))
			put_place(out, value);
		else
			put_members(out, value, depth);
	} else if (json_is_array(value)) {
		json_array_foreach(value, index, item)
		{
			fputs(index ? ", " : "", out);
			put_value(out, key, item, depth + 1);
		}
	} else {
		fputs("-", out);
	}
}

char *sw_text_value(const char *key, const json_t *value)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	put_value(out, key, value, 0);
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}

json_t *sw_text_lookup(const json_t *row, const char *key)
{
	char name[64];
	const char *dot = strchr(key, '.');
	json_t *whole = json_object_get(row, key);

	if (whole || !dot || (size_t)(dot - key) >= sizeof(name))
		return whole;
	memcpy(name, key, (size_t)(dot - key));
	name[dot - key] = 0;
	return sw_text_lookup(json_object_get(row, name), dot + 1);
}
