#include "command/suspect.h"

#include "view/objects.h"

enum {
	MIN_CHAIN = 8,	/* a descent through so many of one type is a list */
	MAX_HIDDEN = 6, /* map → directory → table → groups → slots, and one more */
};

/* ---- the accumulation point ---- */

static bool is_object(const struct sw_live *live, sw_node node)
{
	return node < live->graph->object_count;
}

static sw_type type_of(const struct sw_live *live, sw_node node)
{
	return is_object(live, node) ? sw_live_type(live, node) : 0;
}

/* The child to descend into, or SW_NO_NODE. */
static sw_node next_node(const struct sw_dominators *dominators, sw_node node)
{
	sw_node child = dominators->heaviest[node];
	if (child == SW_NO_NODE ||
	    (double)dominators->retained_bytes[child] <
		    SW_SUSPECT_SHARE * (double)dominators->retained_bytes[node])
		return SW_NO_NODE;
	return child;
}

/* How many objects of one type follow each other from the first, each holding the next. */
static uint32_t chain_length(const struct sw_live *live, const struct sw_dominators *dominators,
			     sw_node first)
{
	sw_type type = type_of(live, first);
	uint32_t length = 1;
	if (!type)
		return 0;
	for (sw_node node = dominators->heaviest[first];
	     node != SW_NO_NODE && type_of(live, node) == type; node = dominators->heaviest[node])
		length++;
	return length;
}

/* Down the heaviest children, but not into a list. */
static void descend(struct sw_suspect *suspect, const struct sw_live *live,
		    const struct sw_dominators *dominators)
{
	sw_node node = suspect->top, child;

	while ((child = next_node(dominators, node)) != SW_NO_NODE) {
		node = child;
		sw_node below = next_node(dominators, node);
		if (below == SW_NO_NODE || type_of(live, below) != type_of(live, node))
			continue;
		suspect->chain = chain_length(live, dominators, node);
		if (suspect->chain >= MIN_CHAIN)
			break;
		suspect->chain = 0;
	}
	suspect->point = node;
}

/* ---- what is below ---- */

/* Objects whose dominator is a suspect's point or a hidden part below one. */
struct gathering {
	const struct sw_live *live;
	const struct sw_dominators *dominators;
	uint64_t *holders; /* a bit for each node: points, and hidden parts below them */
	uint32_t type_count;
	bool *hides; /* by type: do its objects count as hidden parts? */
	struct sw_suspect *suspects;
	size_t count;
	struct sw_type_tally *tallies; /* [count] of elements, then [count] of all children */
};

/* The suspect above a node: over hidden parts up to its point. */
static size_t suspect_above(const struct gathering *gathering, sw_node node)
{
	for (unsigned step = 0; step <= MAX_HIDDEN; step++) {
		for (size_t i = 0; i < gathering->count; i++)
			if (gathering->suspects[i].point == node)
				return i;
		node = gathering->dominators->idom[node];
	}
	return SIZE_MAX;
}

/* Parts that a Go programmer does not see as objects of their own, and arrays behind slices. */
static bool is_hidden_type(const struct sw_live *live, sw_type type)
{
	const struct sw_type_info *info = sw_type_info(live->types, type);
	return info->is_internal || info->role == SW_TYPE_BACKING ||
	       info->role == SW_TYPE_MAP_HEADER || info->role == SW_TYPE_CHAN_HEADER;
}

/* ... when they hold more than themselves. */
static bool is_hidden_part(const struct sw_live *live, const struct sw_dominators *dominators,
			   sw_object object)
{
	return dominators->retained_objects[object] > 1 &&
	       is_hidden_type(live, sw_live_type(live, object));
}

/* All hidden parts of the heap: few beside the objects, and looked at once for each level. */
static struct sw_error *list_hidden_parts(const struct gathering *gathering,
					  struct sw_objects *list)
{
	const struct sw_dominators *dominators = gathering->dominators;
	const sw_type *types = gathering->live->typing->types;
	struct sw_error *error = NULL;
	for (sw_object object = 0; !error && object < gathering->live->graph->object_count;
	     object++)
		if (gathering->hides[types[object]] && dominators->retained_objects[object] > 1)
			error = sw_objects_add(list, object);
	return error;
}

/* Hidden parts below holders become holders themselves, level by level. */
static struct sw_error *add_hidden_parts(struct gathering *gathering)
{
	struct sw_objects list = {0};
	struct sw_error *error = list_hidden_parts(gathering, &list);
	bool found = true;
	for (unsigned level = 0; !error && found && level < MAX_HIDDEN; level++) {
		found = false;
		for (size_t i = 0; i < list.count; i++) {
			sw_node holder = gathering->dominators->idom[list.items[i]];
			if (!sw_bitset_has(gathering->holders, holder) ||
			    sw_bitset_has(gathering->holders, list.items[i]))
				continue;
			sw_bitset_set(gathering->holders, list.items[i]);
			found = true;
		}
	}
	sw_objects_free(&list);
	return error;
}

/* Does a holder refer to the object itself? What two elements share is dominated by their holder
 * too, but is no element. */
static bool is_element(const struct gathering *gathering, sw_object object)
{
	sw_node parent = gathering->live->graph->parent[object];
	return !is_object(gathering->live, parent) || sw_bitset_has(gathering->holders, parent);
}

static void tally_children(struct gathering *gathering)
{
	for (sw_object object = 0; object < gathering->live->graph->object_count; object++) {
		sw_node holder = gathering->dominators->idom[object];
		if (!sw_bitset_has(gathering->holders, holder) ||
		    sw_bitset_has(gathering->holders, object))
			continue;
		size_t i = suspect_above(gathering, holder);
		if (i >= gathering->count)
			continue;
		uint64_t bytes = gathering->dominators->retained_bytes[object];
		sw_type_tally_add(&gathering->tallies[gathering->count + i], gathering->live,
				  object, bytes);
		if (is_element(gathering, object))
			sw_type_tally_add(&gathering->tallies[i], gathering->live, object, bytes);
	}
}

static bool is_leaf(const struct gathering *gathering, const struct sw_suspect *suspect)
{
	return is_object(gathering->live, suspect->point) &&
	       gathering->dominators->heaviest[suspect->point] == SW_NO_NODE;
}

/* A list has accumulated its own nodes; an object that holds no others, itself. */
static void set_point(struct sw_suspect *suspect, const struct gathering *gathering)
{
	suspect->accumulation = (struct sw_accumulation){
		.type = type_of(gathering->live, suspect->point),
		.objects = suspect->chain ? suspect->chain : 1,
		.bytes = gathering->dominators->retained_bytes[suspect->point],
		.largest = suspect->point,
	};
}

/* Elements, unless what they share among them is the larger part (a web of objects). */
static void set_accumulation(struct sw_suspect *suspect, const struct sw_type_tally *elements,
			     const struct sw_type_tally *all)
{
	if (!all->count)
		return;
	bool is_web = !elements->count || elements->rows[0].bytes < all->rows[0].bytes / 2;
	const struct sw_type_row *row = is_web ? &all->rows[0] : &elements->rows[0];
	suspect->accumulation =
		(struct sw_accumulation){row->type, row->objects, row->bytes, row->largest};
}

static struct sw_error *gather(struct gathering *gathering)
{
	struct sw_error *error = NULL;
	for (size_t i = 0; !error && i < gathering->count; i++) {
		sw_bitset_set(gathering->holders, gathering->suspects[i].point);
		error = sw_type_tally_init(&gathering->tallies[i], gathering->live);
		if (!error)
			error = sw_type_tally_init(&gathering->tallies[gathering->count + i],
						   gathering->live);
	}
	if (error)
		return error;
	for (uint32_t i = 0; i < gathering->type_count; i++)
		gathering->hides[i] = is_hidden_type(gathering->live, i);
	error = add_hidden_parts(gathering);
	if (error)
		return error;
	tally_children(gathering);
	for (size_t i = 0; i < gathering->count; i++) {
		struct sw_type_tally *elements = &gathering->tallies[i];
		struct sw_type_tally *all = &gathering->tallies[gathering->count + i];
		sw_type_tally_sort(elements, gathering->live);
		sw_type_tally_sort(all, gathering->live);
		if (gathering->suspects[i].chain || is_leaf(gathering, &gathering->suspects[i]))
			set_point(&gathering->suspects[i], gathering);
		else
			set_accumulation(&gathering->suspects[i], elements, all);
	}
	return NULL;
}

struct sw_error *sw_suspects_find(struct sw_suspect *suspects, size_t count,
				  const struct sw_live *live,
				  const struct sw_dominators *dominators)
{
	struct gathering gathering = {.live = live,
				      .dominators = dominators,
				      .suspects = suspects,
				      .count = count,
				      .type_count = sw_types_count(live->types)};
	gathering.holders = calloc(sw_bitset_words(live->graph->node_count), sizeof(uint64_t));
	gathering.tallies = calloc(2 * count + 1, sizeof(*gathering.tallies));
	gathering.hides = calloc(gathering.type_count + 1, sizeof(*gathering.hides));
	bool has_memory = gathering.holders && gathering.tallies && gathering.hides;
	struct sw_error *error = has_memory ? NULL : sw_error_memory();
	for (size_t i = 0; !error && i < count; i++)
		descend(&suspects[i], live, dominators);
	if (!error)
		error = gather(&gathering);
	for (size_t i = 0; gathering.tallies && i < 2 * count; i++)
		sw_type_tally_free(&gathering.tallies[i]);
	free(gathering.tallies);
	free(gathering.hides);
	free(gathering.holders);
	return error;
}

/* ---- the largest of what has accumulated ---- */

/* Is the object below the point with only hidden parts in between? */
static bool is_below(const struct sw_suspect *suspect, const struct sw_live *live,
		     const struct sw_dominators *dominators, sw_object object)
{
	sw_node node = dominators->idom[object];
	for (unsigned step = 0; step <= MAX_HIDDEN; step++) {
		if (node == suspect->point)
			return true;
		if (!is_object(live, node) || !is_hidden_part(live, dominators, node))
			return false;
		node = dominators->idom[node];
	}
	return false;
}

/* Inserts into a list that is kept sorted and short. */
static void insert(struct sw_largest *list, size_t *count, size_t limit, struct sw_largest item)
{
	size_t at = *count < limit ? (*count)++ : limit - 1;
	if (at == limit - 1 && *count == limit && list[at].object != SW_NO_OBJECT &&
	    list[at].bytes >= item.bytes)
		return;
	while (at && list[at - 1].bytes < item.bytes) {
		list[at] = list[at - 1];
		at--;
	}
	list[at] = item;
}

struct sw_error *sw_suspect_largest(const struct sw_suspect *suspect, const struct sw_live *live,
				    const struct sw_dominators *dominators, size_t limit,
				    struct sw_largest **out, size_t *count)
{
	*count = 0;
	*out = calloc(limit + 1, sizeof(**out));
	if (!*out)
		return sw_error_memory();
	for (size_t i = 0; i < limit; i++)
		(*out)[i].object = SW_NO_OBJECT;
	for (sw_object object = 0; limit && object < live->graph->object_count; object++)
		if (sw_live_type(live, object) == suspect->accumulation.type &&
		    is_below(suspect, live, dominators, object))
			insert(*out, count, limit,
			       (struct sw_largest){object, dominators->retained_bytes[object]});
	return NULL;
}
