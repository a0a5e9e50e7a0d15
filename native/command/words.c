#include "command/words.h"

#include <string.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static int digit_value(char c, unsigned base)
{
	int value = is_digit(c) ? c - '0' : lower(c) >= 'a' ? lower(c) - 'a' + 10 : 99;

	return value < (int)base ? value : -1;
}

bool sw_words_number(const char *word, uint64_t *out)
{
	unsigned base = word[0] == '0' && lower(word[1]) == 'x' ? 16 : 10;
	const char *digit = base == 16 ? word + 2 : word;
	uint64_t number = 0;

	if (!*digit)
		return false;
	for (; *digit; digit++) {
		int value = digit_value(*digit, base);
		if (value < 0 || __builtin_mul_overflow(number, base, &number) ||
		    __builtin_add_overflow(number, (uint64_t)value, &number))
			return false;
	}
	*out = number;
	return true;
}

/* A decimal such as 12.5 as digits / 10^scale, at most 18 digits. */
static bool parse_decimal(const char **word, uint64_t *digits, unsigned *scale)
{
	const char *c = *word;
	unsigned count = 0;
	bool is_fraction = false;

	*digits = 0;
	*scale = 0;
	for (; is_digit(*c) || (*c == '.' && !is_fraction); c++) {
		if (*c == '.') {
			is_fraction = true;
			continue;
		}
		if (++count > 18)
			return false;
		*digits = *digits * 10 + (uint64_t)(*c - '0');
		*scale += is_fraction;
	}
	*word = c;
	return count > 0;
}

static uint64_t power_of_ten(unsigned exponent)
{
	uint64_t power = 1;

	while (exponent--)
		power *= 10;
	return power;
}

/* The shift of "K", "KB", "KiB", "B" and so on; false for another word. */
static bool parse_unit(const char *unit, unsigned *shift)
{
	static const char letters[] = "kmgtp";

	*shift = 0;
	if (*unit && lower(*unit) != 'b') {
		const char *letter = strchr(letters, lower(*unit));
		if (!letter)
			return false;
		*shift = 10 * (unsigned)(letter - letters + 1);
		unit++;
		if (lower(unit[0]) == 'i' && lower(unit[1]) == 'b')
			unit++;
	}
	if (lower(*unit) == 'b')
		unit++;
	return !*unit;
}

bool sw_words_size(const char *word, uint64_t *out)
{
	uint64_t digits;
	unsigned scale, shift;

	if (!parse_decimal(&word, &digits, &scale))
		return false;
	word += strspn(word, " ");
	if (!parse_unit(word, &shift))
		return false;
	unsigned __int128 bytes = ((unsigned __int128)digits << shift) / power_of_ten(scale);
	if (bytes > UINT64_MAX)
		return false;
	*out = (uint64_t)bytes;
	return true;
}

/* ns of "ms", "s", "m", "h", "d"; 0 for another word. *length: its letters. */
static uint64_t parse_time_unit(const char *word, size_t *length)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {
		{"ms", 1000000},      {"s", 1000000000},     {"m", 60000000000},
		{"h", 3600000000000}, {"d", 86400000000000},
	};

	*length = 0;
	while (word[*length] && !is_digit(word[*length]) && word[*length] != '.')
		++*length;
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (strlen(units[i].name) == *length && !memcmp(units[i].name, word, *length))
			return units[i].ns;
	return 0;
}

bool sw_words_duration(const char *word, uint64_t *out)
{
	unsigned __int128 sum = 0;
	uint64_t digits;
	unsigned scale;
	size_t length;

	*out = 0;
	if (!strcmp(word, "0"))
		return true;
	do {
		if (!parse_decimal(&word, &digits, &scale))
			return false;
		uint64_t unit = parse_time_unit(word, &length);
		if (!unit)
			return false;
		sum += (unsigned __int128)digits * unit / power_of_ten(scale);
		word += length;
	} while (*word && sum <= UINT64_MAX);
	*out = (uint64_t)sum;
	return !*word && sum <= UINT64_MAX;
}

bool sw_words_fraction(const char *word, double *out)
{
	uint64_t digits;
	unsigned scale;

	if (!parse_decimal(&word, &digits, &scale))
		return false;
	word += strspn(word, " ");
	/* One division of two whole numbers: 5% is the very double that 0.05 is. */
	double divisor = (double)power_of_ten(scale);
	if (*word == '%') {
		divisor *= 100;
		word++;
	}
	double fraction = (double)digits / divisor;
	if (*word || fraction > 1)
		return false;
	*out = fraction;
	return true;
}

bool sw_words_choice(const char *word, const char *choices)
{
	size_t size = strlen(word);

	for (; *choices; choices += strspn(choices, "|")) {
		size_t choice = strcspn(choices, "|");
		if (choice == size && !memcmp(choices, word, size))
			return true;
		choices += choice;
	}
	return false;
}

enum { NAME_MAX_SIZE = 32 };

/* How many letters to insert, delete, replace or swap with their neighbour (optimal string
 * alignment); both at most NAME_MAX_SIZE long. */
static size_t distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
	size_t rows[NAME_MAX_SIZE + 1][NAME_MAX_SIZE + 1];

	for (size_t i = 0; i <= a_size; i++) {
		for (size_t j = 0; j <= b_size; j++) {
			if (!i || !j) {
				rows[i][j] = i + j;
				continue;
			}
			size_t best = rows[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
			if (rows[i - 1][j] + 1 < best)
				best = rows[i - 1][j] + 1;
			if (rows[i][j - 1] + 1 < best)
				best = rows[i][j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    rows[i - 2][j - 2] + 1 < best)
				best = rows[i - 2][j - 2] + 1;
			rows[i][j] = best;
		}
	}
	return rows[a_size][b_size];
}

void sw_words_nearer(const char *word, const char *candidate, const char **nearest, size_t *least)
{
	size_t size = strlen(word), other = strlen(candidate);

	if (!size || size > NAME_MAX_SIZE || other > NAME_MAX_SIZE)
		return;
	size_t steps = distance(word, size, candidate, other);
	/* The begin of a name counts as one step: --max means --max-memory. */
	if (size >= 2 && size < other && !memcmp(word, candidate, size) && steps > 1)
		steps = 1;
	size_t allowed = other <= 3 ? 1 : 2;
	if (steps <= allowed && steps < *least) {
		*nearest = candidate;
		*least = steps;
	}
}
