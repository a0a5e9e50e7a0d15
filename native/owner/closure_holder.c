/* Where func values stand: fields, elements, variables, frames. */
#include "owner/closure_private.h"

#include "view/field.h"
#include "view/retained_set.h"

struct search {
	const struct sw_live *live;
	struct sw_closures *closures;
	size_t sites; /* of the first so many */
	struct sw_view_scan scan;
	struct sw_fields fields;
	struct sw_closure_numbers *rows; /* [sites]: index + 1 into holders, by the field's key */
	struct sw_objects objects;	 /* that hold closures */
	sw_object holder;		 /* the one that is looked into */
	sw_addr slot;			 /* its slot's address */
	struct sw_error *error;
};

/* The site of a closure, `sites` for what is none of them. */
static size_t site_of(const struct search *search, sw_object object)
{
	const struct sw_closures *closures = search->closures;
	size_t place = sw_objects_find(closures->objects, closures->count, object);
	return place < closures->count && closures->site_of[place] < search->sites
		       ? closures->site_of[place]
		       : search->sites;
}

/* ---- names ---- */

static enum sw_closure_holder_kind kind_of_type(const struct sw_type_info *info)
{
	static const char *const timers[] = {"time.Timer", "time.Ticker", "runtime.timer",
					     "runtime.timeTimer"};
	if (info->role == SW_TYPE_CLOSURE)
		return SW_CLOSURE_IN_CLOSURE;
	for (size_t i = 0; i < sizeof(timers) / sizeof(*timers); i++)
		if (!strcmp(info->name, timers[i]))
			return SW_CLOSURE_IN_TIMER;
	return SW_CLOSURE_IN_OBJECT;
}

static enum sw_closure_holder_kind kind_of_root(const struct sw_go_root *root)
{
	switch (root->kind) {
	case SW_GO_ROOT_GLOBAL:
		return SW_CLOSURE_IN_VARIABLE;
	case SW_GO_ROOT_GOROUTINE:
	case SW_GO_ROOT_LOCAL:
		return SW_CLOSURE_IN_GOROUTINE;
	default:
		return SW_CLOSURE_IN_RUNTIME;
	}
}

static void name_holder(struct search *search, const struct sw_view *view,
			struct sw_closure_holder *holder)
{
	const struct sw_live *live = search->live;
	uint32_t objects = live->heap->object_count;
	char name[SW_FIELD_NAME];

	sw_field_name(&search->fields, view, name, sizeof(name));
	if (view->holder < objects)
		holder->kind =
			kind_of_type(sw_type_info(live->types, sw_live_type(live, view->holder)));
	else if (view->holder - objects < live->go->roots.count)
		holder->kind = kind_of_root(&live->go->roots.items[view->holder - objects]);
	holder->name = strdup(name);
	if (!holder->name)
		search->error = sw_error_memory();
}

/* ---- references ---- */

static void add_reference(struct search *search, size_t site, const struct sw_view *view)
{
	struct sw_closure_holders *holders = &search->closures->sites.items[site].holders;
	uint64_t key = sw_field_key(&search->fields, view);
	const uint32_t *known = sw_closure_numbers_find(&search->rows[site], key);
	struct sw_closure_holder holder = {.references = 1};

	if (known) {
		holders->items[*known - 1].references++;
		return;
	}
	name_holder(search, view, &holder);
	if (!search->error)
		search->error = sw_closure_holders_add(holders, holder);
	if (search->error) {
		free(holder.name);
		return;
	}
	search->error = sw_closure_numbers_set(&search->rows[site], key, (uint32_t)holders->count);
}

static bool visit_pointer(void *context, uint64_t offset, sw_addr pointer)
{
	struct search *search = context;
	sw_object object = sw_heap_object(search->live->heap, pointer);
	size_t site = object == SW_NO_OBJECT ? search->sites : site_of(search, object);

	if (site < search->sites)
		add_reference(search, site,
			      &(struct sw_view){.at = search->slot + offset,
						.holder = search->holder,
						.object = object});
	return !search->error;
}

static void look_into(struct search *search, sw_object holder)
{
	const struct sw_heap *heap = search->live->heap;
	sw_slot slot = sw_heap_select(heap, holder);
	if (sw_heap_is_opaque(heap, slot))
		return;
	search->holder = holder;
	search->slot = sw_heap_slot_address(heap, slot);
	sw_heap_pointers(heap, slot, visit_pointer, search);
}

static void look_at_roots(struct search *search)
{
	const struct sw_heap *heap = search->live->heap;
	for (size_t i = 0; i < heap->root_words.count && !search->error; i++) {
		const struct sw_root_word *word = &heap->root_words.items[i];
		sw_object object = sw_heap_object(heap, word->pointer);
		size_t site = object == SW_NO_OBJECT ? search->sites : site_of(search, object);
		if (site < search->sites)
			add_reference(search, site,
				      &(struct sw_view){.at = word->at,
							.holder = heap->object_count + word->root,
							.object = object});
	}
}

/* ---- the whole ---- */

static bool add_holder(void *context, sw_node from)
{
	struct search *search = context;
	if (from < search->live->heap->object_count)
		search->error = sw_objects_add(&search->objects, from);
	return !search->error;
}

static int compare_objects(const void *a, const void *b)
{
	sw_object x = *(const sw_object *)a, y = *(const sw_object *)b;
	return (x > y) - (x < y);
}

/* Each holder is looked into once, however many closures it has. */
static void look_at_holders(struct search *search)
{
	struct sw_objects *objects = &search->objects;
	for (size_t i = 0; i < search->closures->count && !search->error; i++)
		if (search->closures->site_of[i] < search->sites)
			sw_live_referrers(search->live, search->closures->objects[i], add_holder,
					  search);
	if (objects->count)
		qsort(objects->items, objects->count, sizeof(*objects->items), compare_objects);
	for (size_t i = 0; i < objects->count && !search->error; i++)
		if (!i || objects->items[i] != objects->items[i - 1])
			look_into(search, objects->items[i]);
}

static int by_name(const void *a, const void *b)
{
	const struct sw_closure_holder *x = a, *y = b;
	int order = strcmp(x->name, y->name);
	return order ? order : (int)x->kind - (int)y->kind;
}

static int by_references(const void *a, const void *b)
{
	const struct sw_closure_holder *x = a, *y = b;
	if (x->references != y->references)
		return x->references < y->references ? 1 : -1;
	return by_name(a, b);
}

static void sort_holders(struct sw_closure_holders *holders)
{
	size_t kept = 0;
	if (!holders->count)
		return;
	qsort(holders->items, holders->count, sizeof(*holders->items), by_name);
	for (size_t i = 0; i < holders->count; i++) {
		struct sw_closure_holder *last = kept ? &holders->items[kept - 1] : NULL;
		if (last && !by_name(last, &holders->items[i])) {
			last->references += holders->items[i].references;
			free(holders->items[i].name);
		} else {
			holders->items[kept++] = holders->items[i];
		}
	}
	holders->count = kept;
	qsort(holders->items, kept, sizeof(*holders->items), by_references);
}

struct sw_error *sw_closures_find_holders(const struct sw_live *live, struct sw_closures *closures,
					  size_t sites)
{
	struct search search = {.live = live, .closures = closures, .sites = sites};

	search.error = sw_view_scan_init(&search.scan, live);
	search.fields.scan = &search.scan;
	search.rows = calloc(sites + 1, sizeof(*search.rows));
	if (!search.rows && !search.error)
		search.error = sw_error_memory();
	if (!search.error)
		look_at_holders(&search);
	if (!search.error)
		look_at_roots(&search);
	for (size_t i = 0; i < sites; i++) {
		sort_holders(&closures->sites.items[i].holders);
		if (search.rows)
			sw_closure_numbers_free(&search.rows[i]);
	}
	free(search.rows);
	sw_objects_free(&search.objects);
	sw_fields_deinit(&search.fields);
	sw_view_scan_deinit(&search.scan);
	return search.error;
}
