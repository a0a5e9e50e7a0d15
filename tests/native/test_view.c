/* Views on arrays of a hand-made heap: what they look at, what they cover, and headers that say
 * what cannot be. */
#include "type_builder.h"

#include "owner/capacity.h"
#include "owner/pinned.h"

/* ---- what views cover ---- */

static struct sw_view view(uint64_t offset, uint64_t len)
{
	return (struct sw_view){.offset = offset, .len = len, .cap = len, .is_len_known = true};
}

static void test_covered(void **state)
{
	(void)state;
	static const struct {
		struct {
			uint64_t offset, len;
		} views[4];
		size_t count;
		uint64_t covered, hole;
	} cases[] = {
		{{{0, 0}}, 0, 0, 100},
		{{{3, 2}}, 1, 2, 95},
		{{{0, 100}}, 1, 100, 0},
		{{{0, 10}, {90, 10}}, 2, 20, 80},
		{{{0, 10}, {5, 10}}, 2, 15, 85},	  /* overlap */
		{{{0, 50}, {10, 5}, {20, 5}}, 3, 50, 50}, /* within */
		{{{10, 0}, {50, 0}}, 2, 0, 100},	  /* of no length: no part of a hole */
		{{{90, 50}}, 1, 10, 90},		  /* beyond the end */
		{{{200, 10}}, 1, 0, 100},		  /* behind it */
		{{{100, 0}}, 1, 0, 100},		  /* at it */
		{{{10, UINT64_MAX}}, 1, 90, 10},	  /* end wraps round */
		{{{UINT64_MAX - 4, 10}}, 1, 0, 100},	  /* ... far behind */
		{{{0, 10}, {0, 10}, {0, 20}, {30, 1}}, 4, 21, 69}, /* twice */
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sw_view views[4];
		uint64_t hole = 12345;
		for (size_t j = 0; j < cases[i].count; j++)
			views[j] = view(cases[i].views[j].offset, cases[i].views[j].len);
		assert_int_equal(sw_views_covered(views, cases[i].count, 100, &hole),
				 cases[i].covered);
		assert_int_equal(hole, cases[i].hole);
		assert_int_equal(sw_views_covered(views, cases[i].count, 0, NULL), 0);
	}
}

/* ---- a heap of sessions and the arrays that they look at ---- */

enum {
	SESSION = 64, /* bytes of a slot; name stands at 8, next at 24, parser.buf at 32 */
	ARRAY = 1024, /* bytes of a slot without pointers */
	SESSIONS = 8192 / SESSION - 2, /* slots; the bitmap is behind them */
	ARRAYS = 8,
	SESSION_MASK = 0x1a,
};

struct model {
	struct world world;
	struct session_types made;
	sw_type session;
	struct sw_span spans[2];
	struct sw_heap heap;
	struct sw_graph graph;
	struct sw_typing typing;
	struct sw_live live;
};

static sw_addr session(const struct model *model, unsigned number)
{
	return model->spans[0].base + (uint64_t)SESSION * number;
}

static sw_addr array(const struct model *model, unsigned number)
{
	return model->spans[1].base + (uint64_t)ARRAY * number;
}

static void put_slice(struct model *model, unsigned number, sw_addr data, uint64_t len,
		      uint64_t cap)
{
	put64(&model->world, session(model, number) + 32, data);
	put64(&model->world, session(model, number) + 40, len);
	put64(&model->world, session(model, number) + 48, cap);
}

static void put_name_of(struct model *model, unsigned number, sw_addr data, uint64_t len)
{
	put64(&model->world, session(model, number) + 8, data);
	put64(&model->world, session(model, number) + 16, len);
}

static void open_model(struct model *model)
{
	memset(model, 0, sizeof(*model));
	struct world *world = &model->world;
	open_world(world, 26);
	world->work.workers = 2;
	model->made = put_session(world);
	model->session = sw_type_of_descriptor(world->types, model->made.session);
	model->spans[0] = make_span(world, 0, SESSION, SW_SCAN_BITMAP);
	model->spans[1] = make_span(world, 1, ARRAY, SW_SCAN_NONE);
	for (unsigned i = 0; i < model->spans[0].count; i++)
		put8(world, model->spans[0].base + 8192 - 128 + i, SESSION_MASK);
	model->live = (struct sw_live){
		.go = &world->go,
		.heap = &model->heap,
		.types = world->types,
		.typing = &model->typing,
		.graph = &model->graph,
		.work = &world->work,
	};
}

/* Session 0 is held by a root and leads to the others; sessions have their type, arrays none. */
static void build(struct model *model)
{
	struct world *world = &model->world;
	assert_null(sw_heap_init(&model->heap, &world->work, model->spans, 2));
	assert_null(sw_roots_add(&model->heap.roots, (struct sw_root){.group = SW_NO_ROOT}));
	assert_null(sw_root_words_add(
		&model->heap.root_words,
		(struct sw_root_word){.pointer = session(model, 0), .at = BASE + 8, .root = 0}));
	assert_null(sw_heap_mark(&model->heap, &world->work));
	sw_heap_number(&model->heap);
	assert_null(sw_graph_build(&model->graph, &model->heap, &world->work));
	model->typing.object_count = model->heap.object_count;
	model->typing.types = calloc(model->heap.object_count, sizeof(sw_type));
	assert_non_null(model->typing.types);
	for (unsigned i = 0; i < model->spans[0].count; i++) {
		sw_object object = sw_heap_object(&model->heap, session(model, i));
		if (object != SW_NO_OBJECT)
			model->typing.types[object] = model->session;
	}
}

static void close_model(struct model *model)
{
	free(model->typing.types);
	sw_graph_free(&model->graph, &model->world.work);
	sw_roots_free(&model->heap.roots);
	sw_root_words_free(&model->heap.root_words);
	sw_heap_free(&model->heap, &model->world.work);
	close_world(&model->world);
}

static void link(struct model *model, unsigned from, unsigned to)
{
	put64(&model->world, session(model, from) + 24, session(model, to));
}

static void check_view(const struct sw_view *found, uint8_t kind, uint64_t offset, uint64_t len,
		       uint64_t cap, bool is_known)
{
	assert_int_equal(found->kind, kind);
	assert_int_equal(found->offset, offset);
	assert_int_equal(found->len, len);
	assert_int_equal(found->cap, cap);
	assert_int_equal(found->is_len_known, is_known);
}

/* ---- views ---- */

/* Of one object and of all: the same, in their order. */
static void test_views(void **state)
{
	(void)state;
	struct model model;
	struct sw_views one = {0}, all = {0};
	char step[64];
	open_model(&model);
	link(&model, 0, 1);
	put_slice(&model, 0, array(&model, 0) + 3, 2, ARRAY - 3);
	put_name_of(&model, 0, array(&model, 0) + 100, 20);
	put_slice(&model, 1, array(&model, 0), 0, ARRAY);
	put_name_of(&model, 1, array(&model, 1), ARRAY);
	build(&model);

	sw_object object = sw_heap_object(&model.heap, array(&model, 0));
	assert_null(sw_views_of(&model.live, object, &one));
	assert_int_equal(one.count, 3);
	check_view(&one.items[0], SW_VIEW_SLICE, 0, 0, ARRAY, true);
	check_view(&one.items[1], SW_VIEW_SLICE, 3, 2, ARRAY - 3, true);
	check_view(&one.items[2], SW_VIEW_STRING, 100, 20, 20, true);
	assert_int_equal(one.items[1].at, session(&model, 0) + 32);
	assert_int_equal(one.items[1].holder, sw_heap_object(&model.heap, session(&model, 0)));
	assert_int_equal(sw_view_step(&model.live, &one.items[1], step, sizeof(step)),
			 model.session);
	assert_string_equal(step, ".parser.buf");

	assert_null(sw_views_collect(&model.live, ARRAY, &all));
	assert_int_equal(all.count, 4);
	for (size_t i = 0; i < one.count; i++)
		assert_int_equal(all.items[i].at, one.items[i].at);
	check_view(&all.items[3], SW_VIEW_STRING, 0, ARRAY, ARRAY, true);
	assert_null(sw_views_collect(&model.live, ARRAY + 1, &all));
	assert_int_equal(all.count, 0);
	/* Sessions too: the root's word is of no known type. */
	assert_null(sw_views_collect(&model.live, 0, &all));
	assert_int_equal(all.count, 6);
	assert_int_equal(all.items[0].holder, model.heap.object_count);
	check_view(&all.items[0], SW_VIEW_UNKNOWN, 0, SESSION, SESSION, false);
	check_view(&all.items[1], SW_VIEW_POINTER, 0, 56, 56, true);
	sw_views_free(&one);
	sw_views_free(&all);
	close_model(&model);
}

/* Headers that reach beyond their array, or contradict themselves: their length is not known, and
 * goes to its end. */
static void test_hostile_headers(void **state)
{
	(void)state;
	static const struct {
		uint64_t offset, len, cap;
		bool is_known;
	} cases[] = {
		{0, ARRAY, ARRAY, true},   {0, ARRAY + 1, ARRAY + 1, false},
		{10, ARRAY, ARRAY, false}, {10, 5, 4, false},
		{ARRAY - 1, 0, 0, true},   {ARRAY - 1, 1, 1, true},
		{ARRAY - 1, 1, 2, false},  {0, UINT64_MAX, UINT64_MAX, false},
		{8, 8, UINT64_MAX, false}, {0, (uint64_t)1 << 63, (uint64_t)1 << 63, false},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct model model;
		struct sw_views found = {0};
		open_model(&model);
		put_slice(&model, 0, array(&model, 2) + cases[i].offset, cases[i].len,
			  cases[i].cap);
		build(&model);
		assert_null(sw_views_collect(&model.live, ARRAY, &found));
		assert_int_equal(found.count, 1);
		uint64_t room = ARRAY - cases[i].offset;
		check_view(&found.items[0], SW_VIEW_SLICE, cases[i].offset,
			   cases[i].is_known ? cases[i].len : room,
			   cases[i].is_known ? cases[i].cap : room, cases[i].is_known);
		sw_views_free(&found);
		close_model(&model);
	}
}

/* Who holds it is of no known type. */
static void test_unknown_holder(void **state)
{
	(void)state;
	struct model model;
	struct sw_views found = {0};
	open_model(&model);
	put_slice(&model, 0, array(&model, 0) + 8, 1, 1);
	build(&model);
	model.typing.types[0] = 0;
	assert_null(sw_views_collect(&model.live, ARRAY, &found));
	assert_int_equal(found.count, 1);
	check_view(&found.items[0], SW_VIEW_UNKNOWN, 8, ARRAY - 8, ARRAY - 8, false);
	sw_views_free(&found);
	close_model(&model);
}

/* ---- pinned ---- */

static void find_pinned(struct model *model, struct sw_pinned *out)
{
	struct sw_view_scan scan;
	struct sw_fields fields = {.scan = &scan};
	assert_null(sw_view_scan_init(&scan, &model->live));
	assert_null(sw_pinned_find(&fields, ARRAY, 0.5, out));
	sw_view_scan_deinit(&scan);
}

static void test_pinned(void **state)
{
	(void)state;
	static const struct {
		uint64_t offset, len, cap; /* of a slice */
		uint64_t at, text;	   /* of a string */
		uint64_t wasted, spare, unknown;
	} cases[] = {
		{3, 2, ARRAY - 3, 0, 0, ARRAY - 2, ARRAY - 5, 0},
		{3, 2, 2, 0, 0, ARRAY - 2, 0, 0},
		{0, 2, ARRAY, 0, 0, 0, 0, 0},		/* its owner's */
		{0, 2, 2, 0, 0, ARRAY - 2, 0, 0},	/* all that it can be */
		{0, 0, ARRAY, 900, 10, 0, 0, 0},	/* ... and somebody looks into it */
		{10, 20, 20, 15, 25, ARRAY - 30, 0, 0}, /* overlap */
		{0, ARRAY / 2, ARRAY / 2, 0, 0, ARRAY / 2, 0, 0}, /* just wasted enough */
		{0, ARRAY / 2 + 1, ARRAY / 2 + 1, 0, 0, 0, 0, 0},
		{3, 5, 4, 0, 0, 0, 0, 1},	      /* nobody knows */
		{0, ARRAY, ARRAY, 3, ARRAY, 0, 0, 0}, /* nor does it matter */
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct model model;
		struct sw_pinned found;
		open_model(&model);
		put_slice(&model, 0, array(&model, 0) + cases[i].offset, cases[i].len,
			  cases[i].cap);
		if (cases[i].text)
			put_name_of(&model, 0, array(&model, 0) + cases[i].at, cases[i].text);
		build(&model);
		find_pinned(&model, &found);
		assert_int_equal(found.wasted, cases[i].wasted);
		assert_int_equal(found.spare, cases[i].spare);
		assert_int_equal(found.unknown_arrays, cases[i].unknown);
		assert_int_equal(found.rows.count, found.arrays);
		if (found.arrays)
			assert_string_equal(found.rows.items[0].name,
					    cases[i].text ? "main.session.name"
							  : "main.session.parser.buf");
		sw_pinned_free(&found);
		close_model(&model);
	}
}

/* ---- capacity ---- */

static void test_capacity(void **state)
{
	(void)state;
	static const struct {
		uint64_t len, cap, at, text, wasted;
	} cases[] = {
		{1, ARRAY, 0, 0, ARRAY - 1},
		{ARRAY / 2, ARRAY, 0, 0, ARRAY / 2},
		{ARRAY / 2 + 1, ARRAY, 0, 0, 0},
		{1, 2, 0, 0, 0},		  /* too small to matter */
		{1, ARRAY, 100, 10, ARRAY - 110}, /* up to where somebody looks */
		{1, ARRAY, 1000, 10, 0},
		{1, ARRAY, 1000, 100, 0}, /* nobody knows */
		{2, 1, 0, 0, 0},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct model model;
		struct sw_view_scan scan;
		struct sw_fields fields = {.scan = &scan};
		struct sw_array_use use;
		struct sw_capacity found;
		open_model(&model);
		put_slice(&model, 0, array(&model, 3), cases[i].len, cases[i].cap);
		if (cases[i].text)
			put_name_of(&model, 0, array(&model, 3) + cases[i].at, cases[i].text);
		build(&model);
		assert_null(sw_view_scan_init(&scan, &model.live));
		assert_null(sw_array_use_build(&use, &scan));
		assert_null(sw_capacity_find(&fields, &use, NULL, &found));
		assert_int_equal(found.wasted, cases[i].wasted);
		sw_capacity_free(&found);
		uint64_t skipped = ~(uint64_t)0;
		assert_null(sw_capacity_find(&fields, &use, &skipped, &found));
		assert_int_equal(found.wasted, 0);
		sw_capacity_free(&found);
		sw_array_use_free(&use, &model.world.work);

		/* Without memory for all objects. */
		model.world.work.max_memory = model.world.work.used_memory + 8;
		struct sw_error *error = sw_array_use_build(&use, &scan);
		assert_non_null(error);
		assert_int_equal(error->code, SW_ERR_LIMIT);
		assert_null(use.ends);
		sw_error_free(error);
		sw_view_scan_deinit(&scan);
		close_model(&model);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_covered),		cmocka_unit_test(test_views),
		cmocka_unit_test(test_hostile_headers), cmocka_unit_test(test_unknown_holder),
		cmocka_unit_test(test_pinned),		cmocka_unit_test(test_capacity),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
