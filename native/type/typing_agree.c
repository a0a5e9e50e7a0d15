/* Does a type agree with what is known of an object that has no malloc header? */
#include "heap/scan.h"
#include "type/typing_private.h"

enum {
	SMALL_SIZE = 512, /* bytes of an object whose pointer bits fit a word */
	MAX_WINDOWS = 64, /* of a larger one, looked at for a claim: words of bits */
};

/* `count` (1…64) pointer bits of an object. */
static uint64_t object_bits(const struct sw_place *place, uint64_t word, unsigned count)
{
	const struct sw_span *span = place->span;
	uint64_t words = span->elemsize / 8, size = (span->count * words + 7) / 8;
	return sw_mask_bits(span->bitmap, size, place->index * words + word, count);
}

/* Elements one after the other until the bits end. */
static bool bits_agree(const struct sw_type_plan *plan, uint64_t bits, bool is_one)
{
	uint64_t words = plan->size / 8;
	uint64_t width = words >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << words) - 1;

	if (!plan->mask || !words)
		return !bits;
	if (is_one && bits & ~width)
		return false;
	do {
		uint64_t element = bits & width;
		if (plan->is_exact ? element != plan->mask : (element & ~plan->mask) != 0)
			return false;
		bits = words >= 64 ? 0 : bits >> words;
	} while (bits);
	return true;
}

/* The same for an object of more than 64 words, which has no header until Go 1.21. */
struct large_bits {
	const struct sw_type_plan *plan;
	const struct sw_place *place;
	unsigned windows; /* left to look at */
};

static uint64_t read_window(struct large_bits *bits, uint64_t word, uint64_t end, unsigned *count)
{
	*count = end - word < 64 ? (unsigned)(end - word) : 64;
	bits->windows--;
	return object_bits(bits->place, word, *count);
}

static bool is_without_pointers(struct large_bits *bits, uint64_t word)
{
	uint64_t end = bits->place->span->elemsize / 8;
	unsigned count;
	for (; word < end && bits->windows; word += count)
		if (read_window(bits, word, end, &count))
			return false;
	return true;
}

/* One element. What is not known of its type agrees. */
static bool element_agrees(struct large_bits *bits, uint64_t first)
{
	const struct sw_type_plan *plan = bits->plan;
	uint64_t words = plan->size / 8, size = (plan->pointer_bytes / 8 + 7) / 8;
	unsigned count;
	for (uint64_t at = 0; at < words && bits->windows; at += count) {
		uint64_t found = read_window(bits, first + at, first + words, &count);
		uint64_t mask = plan->bits ? sw_mask_bits(plan->bits, size, at, count) : plan->mask;
		if (plan->is_exact ? found != mask : (found & ~mask) != 0)
			return false;
		if (!plan->bits)
			break;
	}
	return true;
}

/* Elements, of which the last ones may be beyond what was allocated. */
static bool large_bits_agree(const struct sw_type_plan *plan, const struct sw_place *place,
			     bool is_one)
{
	struct large_bits bits = {plan, place, MAX_WINDOWS};
	uint64_t words = plan->size / 8, end = place->span->elemsize / 8, at = 0;

	if (!plan->pointer_bytes || !words || !element_agrees(&bits, 0))
		return false;
	for (at = words; !is_one && at + words <= end && bits.windows; at += words)
		if (!element_agrees(&bits, at))
			break;
	return is_without_pointers(&bits, at);
}

bool sw_type_agrees(const struct sw_type_plan *plan, const struct sw_place *place)
{
	const struct sw_span *span = place->span;
	if (!plan->size || plan->size > span->elemsize)
		return false;
	if (plan->is_single)
		return true;
	if (span->scan == SW_SCAN_NONE)
		return !plan->pointer_bytes;
	if (span->scan != SW_SCAN_BITMAP)
		return true;
	bool is_one = 2 * plan->size > span->elemsize;
	if (span->elemsize > SMALL_SIZE)
		return large_bits_agree(plan, place, is_one);
	return bits_agree(plan, object_bits(place, 0, (unsigned)(span->elemsize / 8)), is_one);
}
