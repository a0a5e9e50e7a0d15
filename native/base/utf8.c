#include "base/utf8.h"

size_t sw_utf8_decode(const char *bytes, size_t size, uint32_t *point)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned char first = (unsigned char)bytes[0];
	size_t length = first < 0x80   ? 1
			: first < 0xc0 ? 0
			: first < 0xe0 ? 2
			: first < 0xf0 ? 3
				       : 4;

	if (!length || first > 0xf4 || length > size)
		return 0;
	uint32_t value = length == 1 ? first : first & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		unsigned char next = (unsigned char)bytes[i];
		if ((next & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (next & 0x3f);
	}
	/* Longer than needed, a surrogate, or past the end of Unicode. */
	if (value < least[length] || (value >= 0xd800 && value < 0xe000) || value > 0x10ffff)
		return 0;
	if (point)
		*point = value;
	return length;
}
