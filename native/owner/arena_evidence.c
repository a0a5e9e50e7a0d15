#include "owner/arena_evidence.h"

#include "owner/arena_common.h"

enum {
	MAX_NUMBERS = 16, /* integer fields of a struct that are looked at */
	TIGHT = 16,	  /* bytes between the last value and the offset, for alignment */
	WASTE = 8,	  /* a slot is at most 1/8 larger than what was asked for */
	NO_PART = UINT32_MAX,
};

/* ---- fields ---- */

static const struct sw_type_info *info_of(const struct sw_live *live, sw_type type)
{
	return sw_type_info(live->types, type);
}

static bool is_byte(const struct sw_type_info *info)
{
	return info->kind == SW_KIND_UINT8 || info->kind == SW_KIND_INT8;
}

static bool is_byte_array(const struct sw_live *live, const struct sw_type_info *info,
			  uint64_t min_bytes)
{
	return info->kind == SW_KIND_ARRAY && info->size >= min_bytes &&
	       is_byte(info_of(live, info->elem));
}

static bool is_chunk(const struct sw_live *live, const struct sw_type_info *info,
		     uint64_t min_bytes)
{
	const struct sw_type_info *elem = info_of(live, info->elem);
	return info->kind == SW_KIND_SLICE     ? is_byte(elem)
	       : info->kind == SW_KIND_POINTER ? is_byte_array(live, elem, min_bytes)
					       : is_byte_array(live, info, min_bytes);
}

static bool is_buffer(const struct sw_live *live, const struct sw_type_info *info,
		      uint64_t min_bytes)
{
	return info->kind == SW_KIND_UNSAFE_POINTER || is_chunk(live, info, min_bytes) ||
	       (info->kind == SW_KIND_SLICE &&
		is_chunk(live, info_of(live, info->elem), min_bytes));
}

static bool is_number(const struct sw_type_info *info)
{
	return (info->kind >= SW_KIND_INT && info->kind <= SW_KIND_UINTPTR) && info->size >= 2;
}

/* Buffers whose offsets say how far they were read, not what is free. */
static bool is_known_reader(const struct sw_type_info *info)
{
	static const char *const names[] = {"bufio.Reader", "bufio.Scanner", "bytes.Reader",
					    "bufio.Writer", "csv.Reader",    "json.Decoder"};
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(info->name, names[i]))
			return true;
	return !strncmp(info->name, "runtime.", 8);
}

bool sw_arena_may_be(const struct sw_live *live, const struct sw_type_info *info,
		     uint64_t min_bytes)
{
	if (info->kind != SW_KIND_STRUCT || info->role != SW_TYPE_PLAIN || !info->name ||
	    info->is_internal || is_known_reader(info))
		return false;
	for (uint32_t i = 0; i < info->field_count; i++)
		if (is_buffer(live, info_of(live, info->fields[i].type), min_bytes))
			return true;
	return false;
}

bool sw_arena_has_chunk(const struct sw_live *live, const struct sw_type_info *info, sw_addr value,
			uint64_t min_bytes)
{
	for (uint32_t i = 0; i < info->field_count; i++) {
		const struct sw_type_info *field = info_of(live, info->fields[i].type);
		sw_addr to;
		if (!is_buffer(live, field, min_bytes))
			continue;
		if (field->kind == SW_KIND_ARRAY)
			return true;
		if (!sw_memory_u64(live->go->memory, value + info->fields[i].offset, &to))
			continue;
		sw_object object = sw_heap_object(live->heap, to);
		bool is_list = field->kind == SW_KIND_SLICE && !is_byte(info_of(live, field->elem));
		if (object != SW_NO_OBJECT &&
		    (is_list || sw_heap_size(live->heap, object) >= min_bytes))
			return true;
	}
	return false;
}

/* ---- how a value of `used` agrees with the views ---- */

struct agreement {
	uint64_t good;	/* chunks all views of which lie before it */
	uint64_t bad;	/* chunks with views beyond it, or across it */
	uint64_t tight; /* chunks in which a view ends there, and none crosses it */
	uint64_t wild;	/* more than there is */
};

struct judging {
	const struct sw_live *live;
	const struct sw_views *views;
	const struct sw_type_info *info;
	struct sw_arena_shape shape; /* that is tried */
	uint32_t numbers[MAX_NUMBERS];
	struct agreement fields[MAX_NUMBERS], length, begin;
	uint64_t ends[MAX_NUMBERS]; /* chunks whose capacity it is */
	size_t number_count;
	struct sw_arena_commons commons; /* what no value owns */
	uint64_t chunks, disjoint;
	bool is_short; /* a slice was seen with room behind its length */
	bool is_part;  /* ... that begins within an array, or beside others of its owner */
};

static void judge_value(struct agreement *agreement, const struct sw_arena_region *region,
			const struct sw_view *const *views, size_t count, uint64_t used)
{
	bool is_beyond = false, is_across = false, is_tight = false;

	agreement->wild += used > region->capacity;
	for (size_t i = 0; i < count; i++) {
		uint64_t begin = views[i]->offset - region->begin, end = begin + views[i]->len;
		if (!views[i]->is_len_known)
			end = begin + 1;
		is_beyond |= begin >= used;
		is_across |= begin < used && end > used;
		is_tight |= end <= used && used - end < TIGHT;
	}
	agreement->good += !is_beyond && !is_across;
	agreement->bad += is_beyond || is_across;
	agreement->tight += is_tight && !is_across;
}

/* Views that others have of a region. */
struct handed {
	const struct sw_view **items;
	size_t count;
};

static struct sw_error *find_handed(const struct judging *judging,
				    const struct sw_arena_region *region, sw_addr owner,
				    struct handed *out)
{
	size_t count;
	const struct sw_view *views = sw_arena_views_of(judging->views, region->object, &count);

	out->items = calloc(count + 1, sizeof(*out->items));
	if (!out->items)
		return sw_error_memory();
	for (size_t i = 0; i < count; i++)
		if (sw_arena_is_handed_out(region, &views[i], owner, judging->info->size))
			out->items[out->count++] = &views[i];
	return NULL;
}

static uint64_t count_disjoint(const struct handed *handed)
{
	uint64_t count = 0, end = 0;
	for (size_t i = 0; i < handed->count; i++) {
		const struct sw_view *view = handed->items[i];
		if (!view->is_len_known || !view->len || (count && view->offset < end))
			continue;
		count++;
		end = view->offset + view->len;
	}
	return count;
}

static void judge_numbers(struct judging *judging, const struct sw_arena_region *region,
			  sw_addr owner, const struct handed *handed)
{
	for (size_t i = 0; i < judging->number_count; i++) {
		const struct sw_type_field *field = &judging->info->fields[judging->numbers[i]];
		struct sw_value value = {field->type, owner + field->offset};
		uint64_t used;
		if (!sw_value_word(&judging->live->reader, value, NULL, &used))
			used = UINT64_MAX;
		uint64_t slot = sw_heap_size(judging->live->heap, region->object);
		judging->ends[i] += used <= slot && slot - used <= slot / WASTE;
		judge_value(&judging->fields[i], region, handed->items, handed->count, used);
	}
}

/* The parts of what was parsed are slices with room up to the end of the array, too: that room is
 * other parts'. Raw, RawSubject and the extensions of a crypto/x509.Certificate are such; what
 * append() fills begins where its array does, and its owner has no other slice of it. */
static bool is_part(const struct judging *judging, const struct sw_arena_region *region,
		    sw_addr owner)
{
	size_t count;
	const struct sw_view *views = sw_arena_views_of(judging->views, region->object, &count);

	if (region->begin)
		return true;
	for (size_t i = 0; i < count; i++)
		if (views[i].at - owner < judging->info->size && views[i].at != region->at)
			return true;
	return false;
}

static struct sw_error *judge_region(struct judging *judging, const struct sw_arena_region *region,
				     sw_addr owner)
{
	struct handed handed = {0};
	struct sw_error *error = find_handed(judging, region, owner, &handed);

	if (!error && handed.count) {
		judging->chunks++;
		judging->disjoint += count_disjoint(&handed);
		judging->is_short |= region->len < region->cap;
		judging->is_part |= is_part(judging, region, owner);
		judge_value(&judging->length, region, handed.items, handed.count, region->len);
		judge_value(&judging->begin, region, handed.items, handed.count,
			    region->data - region->base);
		judge_numbers(judging, region, owner, &handed);
	}
	free(handed.items);
	return error;
}

/* Of a list the last chunk is the one that offsets are about; the others count as views only. */
static struct sw_error *judge_place(struct judging *judging, sw_addr owner,
				    struct sw_arena_regions *regions)
{
	bool is_read;
	regions->count = 0;
	struct sw_error *error =
		sw_arena_shape_read(judging->live, &judging->shape, owner, regions, &is_read);
	for (size_t i = 0; !error && i < regions->count; i++) {
		const struct sw_arena_region *region = &regions->items[i];
		struct handed handed = {0};
		if (region->object == SW_NO_OBJECT || sw_arena_is_common(&judging->commons, region))
			continue;
		if (i + 1 == regions->count) {
			error = judge_region(judging, region, owner);
			continue;
		}
		error = find_handed(judging, region, owner, &handed);
		judging->disjoint += count_disjoint(&handed);
		free(handed.items);
	}
	return error;
}

/* ---- verdict ---- */

/* What the field is called when a reset arena, whose views are all stale, has nothing else to tell.
 */
static bool is_usual_name(const char *name)
{
	static const char *const names[] = {"off",  "offset", "used",	   "n",	   "w",
					    "fill", "filled", "allocated", "bump", "top",
					    "next", "end",    "written",   "alloc"};
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcasecmp(name, names[i]))
			return true;
	return false;
}

static int64_t score(const struct agreement *agreement)
{
	return 4 * (int64_t)agreement->tight + 2 * (int64_t)agreement->good -
	       3 * (int64_t)agreement->bad;
}

static bool is_likely(const struct agreement *agreement)
{
	return !agreement->wild && agreement->tight &&
	       agreement->tight + agreement->good >= agreement->bad;
}

/* The field that says how much was handed out; NO_PART when none does. */
static uint32_t find_field(const struct judging *judging, uint32_t cap, int64_t *best)
{
	uint32_t found = NO_PART;
	for (uint32_t i = 0; i < judging->number_count; i++) {
		const struct agreement *fits = &judging->fields[i];
		bool is_usual = is_usual_name(judging->info->fields[judging->numbers[i]].name);
		int64_t points = score(fits) + is_usual;
		if (i == cap || fits->wild || !(is_likely(fits) || is_usual) ||
		    (found != NO_PART && points <= *best))
			continue;
		found = i;
		*best = points;
	}
	return found;
}

/* An unsafe.Pointer is a chunk only beside its size. */
static uint32_t find_capacity(const struct judging *judging)
{
	for (uint32_t i = 0; i < judging->number_count; i++)
		if (judging->ends[i] == judging->chunks)
			return i;
	return NO_PART;
}

static const char *number_name(const struct judging *judging, uint32_t number)
{
	return judging->info->fields[judging->numbers[number]].name;
}

static bool decide(struct judging *judging, bool needs_capacity)
{
	struct sw_arena_shape *shape = &judging->shape;
	uint32_t cap = needs_capacity ? find_capacity(judging) : NO_PART;
	int64_t best = 0;

	if (judging->disjoint < SW_ARENA_MIN_VIEWS || !judging->chunks ||
	    (needs_capacity && cap == NO_PART))
		return false;
	uint32_t field = find_field(judging, cap, &best);
	bool is_length =
		judging->is_short && !judging->is_part && !judging->length.wild && !needs_capacity;

	shape->fill = SW_ARENA_FILL_FIELD;
	if (cap != NO_PART)
		shape->paths[SW_ARENA_CAP] = number_name(judging, cap);
	if (is_length && (field == NO_PART || score(&judging->length) >= best))
		shape->fill = SW_ARENA_FILL_LENGTH;
	else if (field != NO_PART)
		shape->paths[SW_ARENA_OFF] = number_name(judging, field);
	else
		return false;
	return true;
}

static void reset(struct judging *judging, uint8_t fill)
{
	memset(judging->fields, 0, sizeof(judging->fields));
	memset(judging->ends, 0, sizeof(judging->ends));
	judging->length = judging->begin = (struct agreement){0};
	judging->chunks = judging->disjoint = 0;
	judging->is_short = judging->is_part = false;
	judging->shape.fill = fill;
}

static struct sw_error *judge_places(struct judging *judging, const struct sw_arena_places *places,
				     uint8_t fill)
{
	struct sw_arena_regions regions = {0};

	reset(judging, fill);
	struct sw_error *error =
		sw_arena_find_common(judging->live, &judging->shape, places, &judging->commons);
	for (size_t i = 0; !error && i < places->count; i++)
		error = judge_place(judging, places->items[i].addr, &regions);
	sw_arena_regions_free(&regions);
	sw_arena_commons_free(&judging->commons);
	return error;
}

/* buf = buf[n:]: everything that others look at lies before what is left. */
static bool is_resliced(const struct judging *judging)
{
	return judging->disjoint >= SW_ARENA_MIN_VIEWS && judging->begin.tight &&
	       judging->begin.good > judging->begin.bad;
}

static struct sw_error *judge_field(struct judging *judging, const struct sw_arena_places *places,
				    uint32_t field, bool *is_arena)
{
	const struct sw_type_info *info = info_of(judging->live, judging->info->fields[field].type);
	struct sw_error *error = NULL;

	memset(judging->shape.paths, 0, sizeof(judging->shape.paths));
	judging->shape.paths[SW_ARENA_BUF] = judging->info->fields[field].name;
	*is_arena = false;
	if (info->kind == SW_KIND_SLICE && is_byte(info_of(judging->live, info->elem))) {
		error = judge_places(judging, places, SW_ARENA_FILL_BEGIN);
		*is_arena = !error && is_resliced(judging);
	}
	if (error || *is_arena)
		return error;
	error = judge_places(judging, places, SW_ARENA_FILL_UNKNOWN);
	*is_arena = !error && decide(judging, info->kind == SW_KIND_UNSAFE_POINTER);
	return error;
}

struct sw_error *sw_arena_judge(const struct sw_live *live, const struct sw_views *views,
				sw_type type, const struct sw_arena_places *places,
				uint64_t min_bytes, struct sw_arena_shapes *out)
{
	struct judging judging = {.live = live,
				  .views = views,
				  .info = sw_type_info(live->types, type),
				  .shape = {.type = type, .recognized = SW_ARENA_BY_EVIDENCE}};
	const struct sw_type_info *info = judging.info;
	struct sw_error *error = NULL;
	bool is_arena;

	for (uint32_t i = 0; i < info->field_count && judging.number_count < MAX_NUMBERS; i++)
		if (is_number(info_of(live, info->fields[i].type)))
			judging.numbers[judging.number_count++] = i;
	for (uint32_t i = 0; !error && i < info->field_count; i++) {
		if (!is_buffer(live, info_of(live, info->fields[i].type), min_bytes))
			continue;
		error = judge_field(&judging, places, i, &is_arena);
		if (!error && is_arena)
			error = sw_arena_shapes_add(out, judging.shape);
	}
	return error;
}

struct sw_error *sw_arena_judge_rest(const struct sw_live *live, const struct sw_views *views,
				     const struct sw_arena_shape *shape,
				     const struct sw_arena_places *places, bool *is_rest)
{
	struct judging judging = {.live = live,
				  .views = views,
				  .info = sw_type_info(live->types, shape->type),
				  .shape = *shape};
	struct sw_error *error = judge_places(&judging, places, SW_ARENA_FILL_BEGIN);
	*is_rest = !error && judging.begin.tight && judging.begin.good > judging.begin.bad;
	return error;
}
