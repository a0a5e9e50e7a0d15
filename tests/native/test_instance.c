/* Places of types: in objects, arrays, fields, variables, and behind pointers out of the heap. */
#include "type_builder.h"

#include "type/instance.h"
#include "type/type_private.h"

enum { MAX_FOUND = 64, DATA = 0x30000, DATA_SIZE = 0x1000, SPANS = 4, NAMED = 77 };
#define VARIABLES (BASE + DATA)

struct scene {
	struct world world;
	struct sw_heap heap;
	struct sw_span spans[SPANS];
	struct sw_typing typing;
	struct session_types made;
	struct sw_instance found[MAX_FOUND];
	unsigned count, stop_after;
	unsigned (*number_of)(const struct sw_type_info *info);
};

static struct sw_error *note(void *context, const struct sw_instance *instance)
{
	struct scene *scene = context;
	assert_true(scene->count < MAX_FOUND);
	scene->found[scene->count++] = *instance;
	return scene->count == scene->stop_after ? sw_error_format(SW_ERR_NOT_FOUND, "enough")
						 : NULL;
}

static int wants(void *context, const struct sw_type_info *info)
{
	struct scene *scene = context;
	return scene->number_of ? (int)scene->number_of(info) : -1;
}

static void open_scene(struct scene *scene)
{
	memset(scene, 0, sizeof(*scene));
	open_world(&scene->world, 26);
	scene->world.module.data = VARIABLES;
	scene->world.module.edata = VARIABLES + DATA_SIZE / 2;
	scene->world.module.noptrbss = VARIABLES + DATA_SIZE / 2;
	scene->world.module.enoptrbss = VARIABLES + DATA_SIZE;
	scene->made = put_session(&scene->world);
	scene->spans[0] = make_span(&scene->world, 0, 64, SW_SCAN_NONE);
	scene->spans[1] = make_span(&scene->world, 1, 256, SW_SCAN_NONE);
	scene->spans[2] = make_span(&scene->world, 2, 1024, SW_SCAN_LOOKUP);
	scene->spans[3] = make_span(&scene->world, 3, 8, SW_SCAN_NONE);
	assert_null(sw_heap_init(&scene->heap, &scene->world.work, scene->spans, SPANS));
}

static void close_scene(struct scene *scene)
{
	sw_heap_free(&scene->heap, &scene->world.work);
	free(scene->typing.types);
	sw_go_roots_free(&scene->world.go.roots);
	close_world(&scene->world);
}

/* The `index`th slot of a span is an object. To be called in rising order. */
static sw_addr add_object(struct scene *scene, unsigned span, unsigned index, sw_type type)
{
	sw_addr addr = scene->spans[span].base + index * scene->spans[span].elemsize;
	sw_slot slot = sw_heap_slot(&scene->heap, addr);
	struct sw_typing *typing = &scene->typing;
	scene->heap.blocks[slot / 64].marked |= (uint64_t)1 << (slot % 64);
	typing->types = realloc(typing->types, (typing->object_count + 1) * sizeof(sw_type));
	assert_non_null(typing->types);
	typing->types[typing->object_count++] = type;
	return addr;
}

/* A variable of a type, as debug information has it. */
static void add_variable(struct scene *scene, enum sw_go_root_kind kind, sw_addr addr,
			 uint64_t size, sw_type type)
{
	struct sw_go_roots *roots = &scene->world.go.roots;
	sw_dwarf_type dwarf = NAMED + roots->count;
	assert_null(sw_number_map_set(&scene->world.types->by_dwarf, dwarf, type));
	assert_null(sw_go_roots_add(
		roots,
		(struct sw_go_root){.kind = kind, .address = addr, .size = size, .type = dwarf}));
}

static sw_type type_of(struct scene *scene, sw_addr descriptor)
{
	sw_type type = sw_type_of_descriptor(scene->world.types, descriptor);
	assert_int_not_equal(type, 0);
	return type;
}

static struct sw_error *search(struct scene *scene, const char *const *names)
{
	const struct sw_instance_search search = {
		.types = scene->world.types,
		.typing = &scene->typing,
		.go = &scene->world.go,
		.heap = &scene->heap,
		.work = &scene->world.work,
		.names = names,
		.wants = wants,
		.visit = note,
		.context = scene,
	};
	scene->count = 0;
	sw_heap_number(&scene->heap);
	assert_int_equal(scene->heap.object_count, scene->typing.object_count);
	return sw_instances_find(&search);
}

static const char *const session_names[] = {"example.com/x/main.session", NULL};
static const char *const both_names[] = {"main.parser", "example.com/x/main.session", NULL};

static void check(const struct scene *scene, unsigned number, sw_addr addr, unsigned wanted,
		  sw_object object, uint32_t root)
{
	assert_true(number < scene->count);
	assert_int_equal(scene->found[number].value.addr, addr);
	assert_int_equal(scene->found[number].wanted, wanted);
	assert_int_equal(scene->found[number].object, object);
	assert_int_equal(scene->found[number].root, root);
}

/* ---- in the heap ---- */

static void test_objects(void **state)
{
	(void)state;
	struct scene scene;
	open_scene(&scene);
	struct world *world = &scene.world;
	/* main.pool { n int; sessions [2]main.session } */
	sw_addr two = put_array(world, "[2]main.session", scene.made.session, 2, 112, 96, 0);
	sw_addr pool = put_type(world, SW_KIND_STRUCT, "main.pool", 120, 104, 0);
	put_members(world, pool,
		    (struct member[]){{"n", scene.made.integer, 0}, {"sessions", two, 8}}, 2);
	sw_type session = type_of(&scene, scene.made.session);
	sw_addr one = add_object(&scene, 0, 3, session);
	add_object(&scene, 0, 4, type_of(&scene, scene.made.bytes));
	add_object(&scene, 0, 5, 0);
	sw_addr pools = add_object(&scene, 1, 1, type_of(&scene, pool)); /* two of them fit */
	sw_addr array = add_object(&scene, 2, 2, sw_type_backing(world->types, session));
	add_object(&scene, 3, 0, session); /* a slot that it cannot be in */

	assert_null(search(&scene, session_names));
	assert_int_equal(scene.count, 1 + 2 * 2 + (1024 - 8) / 56);
	check(&scene, 0, one, 0, 0, SW_NO_ROOT);
	check(&scene, 1, pools + 8, 0, 3, SW_NO_ROOT);
	check(&scene, 2, pools + 64, 0, 3, SW_NO_ROOT);
	check(&scene, 3, pools + 128, 0, 3, SW_NO_ROOT);
	check(&scene, 4, pools + 184, 0, 3, SW_NO_ROOT);
	check(&scene, 5, array + 8, 0, 4, SW_NO_ROOT); /* behind the malloc header */
	check(&scene, 6, array + 64, 0, 4, SW_NO_ROOT);
	/* A wanted type in a wanted type. */
	assert_null(search(&scene, both_names));
	check(&scene, 0, one, 1, 0, SW_NO_ROOT);
	check(&scene, 1, one + 32, 0, 0, SW_NO_ROOT);
	check(&scene, 2, pools + 8, 1, 3, SW_NO_ROOT);
	check(&scene, 3, pools + 40, 0, 3, SW_NO_ROOT);
	assert_string_equal(sw_type_info(world->types, scene.found[1].value.type)->name,
			    "main.parser");
	scene.stop_after = 3;
	struct sw_error *error = search(&scene, both_names);
	assert_non_null(error);
	sw_error_free(error);
	assert_int_equal(scene.count, 3);
	close_scene(&scene);
}

/* Names have the path of the package, as far as it is known. */
static void test_names(void **state)
{
	(void)state;
	static const char *const wrong[] = {"main.session",
					    "example.com/y/main.session",
					    "example.com/x/main.sessio",
					    "example.com/x/main.sessions",
					    "session",
					    "",
					    NULL};
	static const char *const parser[] = {"any/path/main.parser", NULL}; /* its package is
									     * not known */
	static const char *const request[] = {"net/http.Request", NULL};
	struct scene scene;
	open_scene(&scene);
	/* The Request of a package that is called http and nothing else. */
	sw_addr other = put_type(&scene.world, SW_KIND_STRUCT, "http.Request", 8, 0, 0);
	put8(&scene.world, other + 20, 1 | 4); /* uncommon, named */
	put32(&scene.world, other + 80, put_name(&scene.world, "http", 0));
	add_object(&scene, 0, 0, type_of(&scene, scene.made.session));
	add_object(&scene, 0, 1, type_of(&scene, other));
	assert_null(search(&scene, request));
	assert_int_equal(scene.count, 0);
	assert_null(search(&scene, wrong));
	assert_int_equal(scene.count, 0);
	assert_null(search(&scene, parser));
	assert_int_equal(scene.count, 1);
	assert_null(search(&scene, NULL));
	assert_int_equal(scene.count, 0);
	close_scene(&scene);
}

/* A closure or a map's header is one, whatever follows it in its slot. */
static void test_single_objects(void **state)
{
	(void)state;
	struct scene scene;
	open_scene(&scene);
	struct world *world = &scene.world;
	sw_type header = sw_types_add(world->types, (struct sw_type_info){.name = strdup("func f"),
									  .kind = SW_KIND_STRUCT,
									  .role = SW_TYPE_CLOSURE,
									  .size = 64});
	struct sw_type_entry *entry = sw_type_entry(world->types, header);
	entry->is_filled = true;
	entry->info.fields = calloc(1, sizeof(*entry->info.fields));
	assert_non_null(entry->info.fields);
	entry->info.fields[0] = (struct sw_type_field){
		.name = strdup("s"), .offset = 8, .type = type_of(&scene, scene.made.session)};
	entry->info.field_count = 1;
	sw_addr closure = add_object(&scene, 1, 0, header);
	assert_null(search(&scene, session_names));
	assert_int_equal(scene.count, 1);
	check(&scene, 0, closure + 8, 0, 0, SW_NO_ROOT);
	close_scene(&scene);
}

/* ---- outside the heap ---- */

static void test_variables(void **state)
{
	(void)state;
	struct scene scene;
	open_scene(&scene);
	struct world *world = &scene.world;
	sw_type session = type_of(&scene, scene.made.session);
	sw_addr array = put_array(world, "[3]main.session", scene.made.session, 3, 168, 152, 0);
	sw_type three = type_of(&scene, array);
	sw_addr stack = BASE + DATA + DATA_SIZE;
	sw_addr object = add_object(&scene, 0, 0, session);
	put64(world, object + 24, VARIABLES + 56); /* next: a part of the first variable */
	add_variable(&scene, SW_GO_ROOT_GLOBAL, VARIABLES, 168, three);
	add_variable(&scene, SW_GO_ROOT_GLOBAL, VARIABLES, 168, three); /* twice */
	add_variable(&scene, SW_GO_ROOT_LOCAL, stack, 0, session);
	add_variable(&scene, SW_GO_ROOT_LOCAL, stack + 64, 16, session); /* a piece */
	add_variable(&scene, SW_GO_ROOT_LOCAL, 0, 56, session);		 /* in registers */
	add_variable(&scene, SW_GO_ROOT_LOCAL, BASE + SIZE - 48, 56, session);
	add_variable(&scene, SW_GO_ROOT_FINALIZER, stack + 128, 56, session);
	assert_null(search(&scene, session_names));
	assert_int_equal(scene.count, 5);
	check(&scene, 0, object, 0, 0, SW_NO_ROOT);
	check(&scene, 1, VARIABLES, 0, SW_NO_OBJECT, 0);
	check(&scene, 2, VARIABLES + 56, 0, SW_NO_OBJECT, 0); /* of the variable all the same */
	check(&scene, 3, VARIABLES + 112, 0, SW_NO_OBJECT, 0);
	check(&scene, 4, stack, 0, SW_NO_OBJECT, 2);
	close_scene(&scene);
}

/* Variables without a name lead to each other, and round. */
static void test_leads(void **state)
{
	(void)state;
	struct scene scene;
	open_scene(&scene);
	struct world *world = &scene.world;
	sw_type session = type_of(&scene, scene.made.session);
	sw_type pointer = type_of(&scene, scene.made.pointer);
	sw_addr half = VARIABLES + DATA_SIZE / 2;
	const sw_addr leads[] = {
		VARIABLES + 128,
		VARIABLES + 128,
		half - 48,	       /* ends too soon */
		VARIABLES + DATA_SIZE, /* no variable */
		VARIABLES - 8,	       /* no variable */
		half + 64,
	};
	for (unsigned i = 0; i < sizeof(leads) / sizeof(*leads); i++)
		put64(world, add_object(&scene, 3, i, pointer), leads[i]);
	put64(world, VARIABLES + 128 + 24, VARIABLES + 256);
	put64(world, VARIABLES + 256 + 24, VARIABLES + 128);
	put64(world, half + 64 + 24, half + 64); /* itself */
	assert_null(search(&scene, both_names));
	assert_int_equal(scene.count, 6);
	check(&scene, 0, VARIABLES + 128, 1, SW_NO_OBJECT, SW_NO_ROOT);
	check(&scene, 1, VARIABLES + 128 + 32, 0, SW_NO_OBJECT, SW_NO_ROOT);
	check(&scene, 2, half + 64, 1, SW_NO_OBJECT, SW_NO_ROOT);
	check(&scene, 4, VARIABLES + 256, 1, SW_NO_OBJECT, SW_NO_ROOT);
	assert_int_equal(scene.found[4].value.type, session);
	close_scene(&scene);
}

/* Many variables, each behind another: their number is not the depth of anything. */
static void test_long_list(void **state)
{
	(void)state;
	enum { LENGTH = MAX_FOUND };
	struct scene scene;
	open_scene(&scene);
	struct world *world = &scene.world;
	put64(world, add_object(&scene, 3, 0, type_of(&scene, scene.made.pointer)), VARIABLES);
	for (unsigned i = 0; i + 1 < LENGTH / 2; i++)
		put64(world, VARIABLES + 56 * i + 24, VARIABLES + 56 * (i + 1));
	put64(world, VARIABLES + 56 * (LENGTH / 2 - 1) + 24, VARIABLES);
	assert_null(search(&scene, session_names));
	assert_int_equal(scene.count, LENGTH / 2);
	close_scene(&scene);
}

/* Numbers of wanted types are the caller's own: types at one address are told apart. */
static unsigned number_of_nested(const struct sw_type_info *info)
{
	return !strcmp(info->name, "main.outer") ? 0 : !strcmp(info->name, "main.inner") ? 64 : -1u;
}

static void test_large_numbers(void **state)
{
	(void)state;
	struct scene scene;
	open_scene(&scene);
	struct world *world = &scene.world;
	sw_addr inner = put_type(world, SW_KIND_STRUCT, "main.inner", 8, 0, 0);
	sw_addr outer = put_type(world, SW_KIND_STRUCT, "main.outer", 16, 0, 0);
	put_members(world, inner, (struct member[]){{"id", scene.made.integer, 0}}, 1);
	put_members(world, outer, (struct member[]){{"i", inner, 0}, {"id", scene.made.integer, 8}},
		    2);
	sw_addr pointer = put_pointer(world, "*main.outer", outer);
	put64(world, add_object(&scene, 3, 0, type_of(&scene, pointer)), VARIABLES);
	scene.number_of = number_of_nested;
	assert_null(search(&scene, NULL));
	assert_int_equal(scene.count, 2);
	check(&scene, 0, VARIABLES, 0, SW_NO_OBJECT, SW_NO_ROOT);
	check(&scene, 1, VARIABLES, 64, SW_NO_OBJECT, SW_NO_ROOT);
	close_scene(&scene);
}

/* ---- damage ---- */

static unsigned number_of_any(const struct sw_type_info *info)
{
	return !strncmp(info->name, "bad.", 4) ? 0 : -1u;
}

/* No type contains itself, at once or by way of another. */
static void test_circular_types(void **state)
{
	(void)state;
	struct scene scene;
	open_scene(&scene);
	struct world *world = &scene.world;
	sw_addr self = put_type(world, SW_KIND_STRUCT, "bad.self", 64, 64, 0);
	sw_addr a = put_type(world, SW_KIND_STRUCT, "bad.a", 64, 64, 0);
	sw_addr b = put_type(world, SW_KIND_STRUCT, "bad.b", 64, 64, 0);
	sw_addr array = put_array(world, "[1]array", 0, 1, 64, 64, 0);
	put64(world, array + 48, array);
	put_members(world, self, (struct member[]){{"a", self, 0}, {"b", self, 0}}, 2);
	put_members(world, a, (struct member[]){{"b", b, 0}, {"c", b, 0}}, 2);
	put_members(world, b, (struct member[]){{"a", a, 0}, {"c", a, 0}}, 2);
	scene.number_of = number_of_any;
	add_object(&scene, 0, 0, type_of(&scene, self));
	add_object(&scene, 0, 1, type_of(&scene, a));
	sw_addr third = add_object(&scene, 0, 2, type_of(&scene, b));
	add_object(&scene, 0, 3, type_of(&scene, array));
	assert_null(search(&scene, NULL));
	/* In `a` there is an a; b is what is looked at first in it. */
	assert_int_equal(scene.count, 1);
	check(&scene, 0, third, 0, 2, SW_NO_ROOT);
	close_scene(&scene);
}

/* Fields that lie in each other: not two to the power of the depth. */
static void test_overlapping_fields(void **state)
{
	(void)state;
	enum { DEPTH = 40 };
	struct scene scene;
	open_scene(&scene);
	struct world *world = &scene.world;
	sw_addr inner = put_type(world, SW_KIND_STRUCT, "main.leaf", 64, 0, 0);
	sw_addr nothing = put_type(world, SW_KIND_STRUCT, "bad.nothing", 0, 0, 0);
	for (unsigned i = 0; i < DEPTH; i++) {
		bool is_last = i == DEPTH - 1;
		sw_addr outer = put_type(world, SW_KIND_STRUCT, is_last ? "bad.top" : "main.level",
					 64, 0, 0);
		put_members(world, outer,
			    (struct member[]){{"z", nothing, 0}, {"a", inner, 0}, {"b", inner, 0}},
			    3);
		inner = outer;
	}
	scene.number_of = number_of_any;
	sw_addr object = add_object(&scene, 0, 0, type_of(&scene, inner));
	assert_null(search(&scene, NULL));
	assert_int_equal(scene.count, 1);
	check(&scene, 0, object, 0, 0, SW_NO_ROOT);
	close_scene(&scene);
}

/* A module that says that all memory is its variables, and a type that would fill it. */
static void test_wide_module(void **state)
{
	(void)state;
	const uint64_t many = (uint64_t)1 << 36;
	struct scene scene;
	open_scene(&scene);
	struct world *world = &scene.world;
	sw_addr huge = put_array(world, "[1<<36]main.session", scene.made.session, many, 56 * many,
				 56 * many, 0);
	world->module.edata = VARIABLES + ((uint64_t)1 << 46);
	add_variable(&scene, SW_GO_ROOT_GLOBAL, VARIABLES, 0, type_of(&scene, huge));
	add_variable(&scene, SW_GO_ROOT_GLOBAL, VARIABLES, 0, type_of(&scene, scene.made.session));
	assert_null(search(&scene, session_names));
	assert_int_equal(scene.count, 1);
	check(&scene, 0, VARIABLES, 0, SW_NO_OBJECT, 1);
	close_scene(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_objects),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_single_objects),
		cmocka_unit_test(test_variables),
		cmocka_unit_test(test_leads),
		cmocka_unit_test(test_long_list),
		cmocka_unit_test(test_large_numbers),
		cmocka_unit_test(test_circular_types),
		cmocka_unit_test(test_overlapping_fields),
		cmocka_unit_test(test_wide_module),
	};
	return cmocka_run_group_tests_name("instance", tests, NULL, NULL);
}
