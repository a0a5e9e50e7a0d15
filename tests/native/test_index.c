/* The file of an index: what is taken from it is what was built; what is damaged, cut or of
 * something else is not taken; numbers that a right checksum covers are not believed either. */
#include "leave_out.h"

#include "index/digest.h"
#include "index/file.h"
#include "type/type_private.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

static void ok(struct sw_error *error)
{
	if (error)
		fail_msg("%s", error->message);
}

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed * 0x2545f4914f6cdd1du >> 16;
}

/* ---- a target, its heap and types ---- */

#define BASE 0xc000000000ull

enum {
	WORDS = 4, /* of an object */
	SLOTS = 1000,
	ROOTS = 10,
	TYPES = 20,
};

struct model {
	struct sw_work work;
	char folder[64], core[80], exe[80], path[128];
	uint64_t words[SLOTS * WORDS];
	uint8_t bitmap[SLOTS * WORDS / 8 + 8];
	struct sw_region region;
	struct sw_thread thread;
	struct sw_target target;
	struct sw_image image;
	struct sw_go go;

	struct sw_heap heap;
	struct sw_graph graph;
	struct sw_dominators dominators;
	struct sw_types *types;
	struct sw_typing typing;
	void *table; /* sw_types_store() of what was built */
	uint64_t table_size;
};

static void write_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void add_types(struct sw_types *types)
{
	for (unsigned i = 1; i < TYPES; i++) {
		struct sw_type_info info = {
			.name = sw_type_name("main.t%u", i % 15), /* some names twice */
			.package = strdup("main"),
			.kind = SW_KIND_STRUCT,
			.size = 8 * i,
			.elem = i - 1,
			.descriptor = 0x400000 + 8 * i,
			.dwarf = i,
			.fields = calloc(1, sizeof(struct sw_type_field)),
			.field_count = 1,
		};
		info.fields[0] = (struct sw_type_field){strdup("next"), 8, i / 2, i % 2 == 0};
		assert_int_equal(sw_types_add(types, info), i);
		sw_types_set_qualified(types, i, sw_type_name("example.org/main.t%u", i % 15));
		sw_type_entry(types, i)->is_filled = true;
		ok(sw_number_map_set(&types->by_descriptor, 0x400000 + 8 * i, i));
		ok(sw_number_map_set(&types->captures, 0x500000 + 8 * i, TYPES - i));
	}
}

/* Objects that point anywhere, some beside any object. */
static void fill_words(struct model *model)
{
	uint64_t seed = 4711;

	memset(model->bitmap, 0xff, sizeof(model->bitmap));
	for (size_t i = 0; i < SLOTS * WORDS; i++)
		if (next_random(&seed) % 3 == 0)
			model->words[i] = BASE + next_random(&seed) % (SLOTS + 50) * WORDS * 8 + 8;
}

static void add_roots(struct sw_heap *heap)
{
	uint64_t seed = 99;

	for (uint32_t r = 0; r < ROOTS; r++) {
		uint32_t group = r == 3 || r == 7 ? 2 : SW_NO_ROOT;
		ok(sw_roots_add(&heap->roots, (struct sw_root){group}));
		ok(sw_root_words_add(
			&heap->root_words,
			(struct sw_root_word){BASE + next_random(&seed) % SLOTS * WORDS * 8,
					      0x600000 + 8 * r, r}));
	}
}

/* Marks twice, as the collection of roots does. */
static void mark(struct model *model, struct sw_index *index)
{
	const struct sw_span span = {
		.base = BASE,
		.bytes = (const uint8_t *)model->words,
		.limit = SLOTS * WORDS * 8,
		.elemsize = WORDS * 8,
		.bitmap = model->bitmap,
		.count = SLOTS,
		.scan = SW_SCAN_BITMAP,
	};

	ok(sw_heap_init(&model->heap, &model->work, &span, 1));
	add_roots(&model->heap);
	model->heap.log = sw_index_marks(index, &model->heap, &model->work);
	ok(sw_heap_mark(&model->heap, &model->work));
	ok(sw_root_words_add(&model->heap.root_words,
			     (struct sw_root_word){BASE + 900 * WORDS * 8, 0, 1}));
	ok(sw_heap_mark(&model->heap, &model->work));
	model->heap.log = NULL;
	sw_heap_number(&model->heap);
	assert_in_range(model->heap.object_count, 100, SLOTS);
}

static void find_types(struct model *model)
{
	ok(sw_types_create(&model->go, &model->types));
	add_types(model->types);
	model->typing.object_count = model->heap.object_count;
	model->typing.known_by_code = 17;
	ok(sw_work_alloc(&model->work, model->heap.object_count * sizeof(sw_type), "types",
			 &model->typing.types));
	for (uint32_t i = 0; i < model->heap.object_count; i++)
		model->typing.types[i] = i % TYPES;
	size_t count = model->heap.root_words.count;
	model->typing.root_word_count = count;
	ok(sw_work_alloc(&model->work, count * sizeof(*model->typing.root_types), "types",
			 &model->typing.root_types));
	for (uint32_t i = 0; i < count; i++)
		model->typing.root_types[i] =
			(struct sw_root_word_type){i % TYPES, i % SW_ROOT_WORD_KINDS};
}

static void begin(struct model *model)
{
	memset(model, 0, sizeof(*model));
	sw_work_init(&model->work, 2);
	strcpy(model->folder, "/tmp/spanwalk-index-XXXXXX");
	assert_non_null(mkdtemp(model->folder));
	snprintf(model->core, sizeof(model->core), "%s/core", model->folder);
	snprintf(model->exe, sizeof(model->exe), "%s/exe", model->folder);
	snprintf(model->path, sizeof(model->path), "%s.spanwalk-index", model->core);
	write_text(model->core, "a core");
	write_text(model->exe, "an executable");
	setenv("XDG_CACHE_HOME", model->folder, 1);
	fill_words(model);
	model->region = (struct sw_region){BASE, sizeof(model->words),
					   (const uint8_t *)model->words, SW_REGION_READ};
	model->thread = (struct sw_thread){.tid = 1, .pc = 2, .register_count = 27};
	model->target = (struct sw_target){.arch = SW_ARCH_AMD64, .path = model->core};
	model->target.memory = (struct sw_memory){&model->region, 1, 1};
	model->target.threads = (struct sw_threads){&model->thread, 1, 1};
	model->image = (struct sw_image){.path = model->exe, .build_id_size = 4};
	model->go = (struct sw_go){.target = &model->target, .image = &model->image, .minor = 27};
	model->go.memory = &model->target.memory;
}

static struct sw_index *open_index(struct model *model, enum sw_index_use use)
{
	struct sw_index *index;

	ok(sw_index_open(model->core, use, &model->go, &index));
	return index;
}

static void write_index(struct model *model, struct sw_index *index)
{
	const struct sw_index_parts parts = {&model->heap, &model->typing, &model->graph,
					     &model->dominators};

	ok(sw_index_keep_types(index, model->types));
	ok(sw_index_write(index, &parts, &model->work));
	assert_true(sw_index_is_whole(index));
}

/* Builds everything and writes it. */
static void build(struct model *model)
{
	begin(model);
	struct sw_index *index = open_index(model, SW_INDEX_WRITE);
	assert_null(sw_index_path(index));
	assert_false(sw_index_is_whole(index));
	mark(model, index);
	assert_true(sw_index_fits(index, &model->go, &model->heap));
	ok(sw_graph_build(&model->graph, &model->heap, &model->work));
	ok(sw_dominators_build(&model->dominators, &model->graph, &model->heap, NULL,
			       &model->work));
	find_types(model);
	ok(sw_types_store(model->types, &model->table, &model->table_size));
	model->go.damaged_masks = 5;
	sw_index_fits(index, &model->go, &model->heap);
	write_index(model, index);
	assert_string_equal(sw_index_path(index), model->path);
	sw_index_close(index, &model->work);
}

static void destroy(struct model *model)
{
	char command[96];

	sw_dominators_free(&model->dominators, &model->graph, &model->work);
	sw_graph_free(&model->graph, &model->work);
	sw_typing_free(&model->typing, &model->work);
	sw_types_free(model->types);
	sw_heap_free(&model->heap, &model->work);
	free(model->table);
	assert_int_equal(model->work.used_memory, 0);
	snprintf(command, sizeof(command), "rm -r %s", model->folder);
	assert_int_equal(system(command), 0);
}

/* ---- taking ---- */

enum taken { MARKS = 1, TABLE = 2, GRAPH = 4, DOMINATORS = 8, ALL = 15 };

#define assert_same_array(a, b, count) assert_memory_equal(a, b, (count) * sizeof(*(a)))

static unsigned take_types(struct model *model, struct sw_index *index)
{
	struct sw_types *types;
	struct sw_typing typing;
	bool taken;
	void *table;
	uint64_t size;

	ok(sw_index_take_types(index, &model->go, &model->heap, &model->work, &types, &typing,
			       &taken));
	if (!taken)
		return 0;
	assert_int_equal(typing.object_count, model->typing.object_count);
	assert_int_equal(typing.known_by_code, 17);
	assert_same_array(typing.types, model->typing.types, typing.object_count);
	assert_true(sw_index_owns(index, typing.types));
	assert_int_equal(typing.root_word_count, model->typing.root_word_count);
	assert_same_array(typing.root_types, model->typing.root_types, typing.root_word_count);
	assert_true(sw_index_owns(index, typing.root_types));
	ok(sw_types_store(types, &table, &size));
	assert_int_equal(size, model->table_size);
	for (unsigned i = 0; i < 15; i++) {
		char name[32];
		snprintf(name, sizeof(name), "main.t%u", i);
		assert_int_equal(sw_type_of_name(types, name), sw_type_of_name(model->types, name));
	}
	assert_string_equal(sw_type_info(types, 7)->fields[0].name, "next");
	free(table);
	sw_types_free(types);
	return TABLE;
}

static unsigned take_graph(struct model *model, struct sw_index *index)
{
	struct sw_graph graph;
	bool taken;

	ok(sw_index_take_graph(index, &model->heap, &model->work, &graph, &taken));
	if (!taken)
		return 0;
	assert_int_equal(graph.node_count, model->graph.node_count);
	assert_int_equal(graph.super, model->graph.super);
	assert_int_equal(graph.extra_count, model->graph.extra_count);
	assert_same_array(graph.parent, model->graph.parent, graph.node_count);
	assert_same_array(graph.extra, model->graph.extra, graph.extra_count);
	return GRAPH;
}

static unsigned take_dominators(struct model *model, struct sw_index *index)
{
	const struct sw_dominators *built = &model->dominators;
	struct sw_dominators found;
	uint32_t count = model->graph.node_count;
	bool taken;

	ok(sw_index_take_dominators(index, &model->graph, &model->work, &found, &taken));
	if (!taken)
		return 0;
	assert_same_array(found.idom, built->idom, count);
	assert_same_array(found.retained_bytes, built->retained_bytes, count);
	assert_same_array(found.retained_objects, built->retained_objects, count);
	assert_same_array(found.heaviest, built->heaviest, count);
	return DOMINATORS;
}

/* Opens the index and takes all it gives, which must be what was built. *fault is what is told. */
static unsigned take(struct model *model, const char **fault)
{
	struct sw_index *index = open_index(model, SW_INDEX_READ);
	struct sw_heap built = model->heap;
	unsigned taken = 0;

	memset(&model->heap, 0, sizeof(model->heap));
	model->go.damaged_masks = 0;
	mark(model, index);
	assert_true(sw_index_fits(index, &model->go, &model->heap));
	assert_int_equal(model->heap.object_count, built.object_count);
	for (size_t i = 0; i < built.block_count; i++)
		assert_int_equal(model->heap.blocks[i].marked, built.blocks[i].marked);
	if (index->marks.replayed == 2) {
		assert_int_equal(model->go.damaged_masks, 5);
		taken |= MARKS;
	}
	taken |=
		take_types(model, index) | take_graph(model, index) | take_dominators(model, index);
	*fault = sw_index_fault(index);
	assert_int_equal(sw_index_is_whole(index), taken == ALL);
	sw_index_close(index, &model->work);
	sw_heap_free(&model->heap, &model->work);
	model->heap = built;
	return taken;
}

static void test_round_trip(void **state)
{
	struct model model;
	const char *fault;

	(void)state;
	build(&model);
	assert_int_equal(take(&model, &fault), ALL);
	assert_null(fault);
	destroy(&model);
}

/* Another session that may write finds nothing to write, and one of other threads the same. */
static void test_taken_and_written_again(void **state)
{
	struct model model;
	const char *fault;

	(void)state;
	build(&model);
	model.work.workers = 1;
	struct sw_index *index = open_index(&model, SW_INDEX_WRITE);
	assert_true(sw_index_is_whole(index));
	sw_index_close(index, &model.work);
	assert_int_equal(take(&model, &fault), ALL);
	destroy(&model);
}

/* ---- damage ---- */

static uint8_t *read_file(const char *path, size_t *size)
{
	struct stat status;
	int fd = open(path, O_RDONLY);

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &status), 0);
	*size = (size_t)status.st_size;
	uint8_t *bytes = malloc(*size);
	assert_non_null(bytes);
	assert_int_equal(read(fd, bytes, *size), *size);
	close(fd);
	return bytes;
}

static void write_file(const char *path, const uint8_t *bytes, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), size);
	close(fd);
}

static void test_any_byte_of_the_head(void **state)
{
	struct model model;
	const char *fault;
	size_t size;

	(void)state;
	build(&model);
	uint8_t *bytes = read_file(model.path, &size);
	for (size_t at = 0; at < sizeof(struct sw_index_head); at++) {
		bytes[at] ^= 1 << at % 8;
		write_file(model.path, bytes, size);
		struct sw_index *index = open_index(&model, SW_INDEX_READ);
		fault = sw_index_fault(index);
		assert_non_null(fault);
		assert_false(sw_index_is_whole(index));
		sw_index_close(index, &model.work);
		bytes[at] ^= 1 << at % 8;
	}
	assert_int_equal(bytes[size - 1], 0);
	free(bytes);
	destroy(&model);
}

/* Which parts a section is needed for. */
static const unsigned needed_for[SW_SECTIONS] = {
	[SW_SECTION_MARKS] = MARKS,
	[SW_SECTION_TABLE] = TABLE,
	[SW_SECTION_TYPES] = TABLE,
	[SW_SECTION_ROOT_TYPES] = TABLE,
	[SW_SECTION_PARENTS] = GRAPH,
	[SW_SECTION_EDGES] = GRAPH,
	[SW_SECTION_DOMINATORS] = DOMINATORS,
	[SW_SECTION_RETAINED_BYTES] = DOMINATORS,
	[SW_SECTION_RETAINED_OBJECTS] = DOMINATORS,
	[SW_SECTION_HEAVIEST] = DOMINATORS,
};

/* A flipped bit in a section costs that part alone. */
static void test_flipped_bits(void **state)
{
	struct model model;
	struct sw_index_head head;
	const char *fault;
	uint64_t seed = 3;
	size_t size;

	(void)state;
	build(&model);
	uint8_t *bytes = read_file(model.path, &size);
	memcpy(&head, bytes, sizeof(head));
	for (unsigned i = 0; i < SW_SECTIONS * 16; i++) {
		unsigned section = i % SW_SECTIONS;
		uint64_t begin = head.sections[section].offset, count = head.sections[section].size;
		assert_true(count);
		uint64_t at = i < SW_SECTIONS	    ? begin
			      : i < 2 * SW_SECTIONS ? begin + count - 1
						    : begin + next_random(&seed) % count;
		uint8_t bit = (uint8_t)(1 << next_random(&seed) % 8);
		bytes[at] ^= bit;
		write_file(model.path, bytes, size);
		bytes[at] ^= bit;
		assert_int_equal(take(&model, &fault), ALL & ~needed_for[section]);
		assert_string_equal(fault, "it is damaged");
	}
	free(bytes);
	destroy(&model);
}

static void test_cut_files(void **state)
{
	struct model model;
	const char *fault;
	uint64_t seed = 5;
	size_t size;

	(void)state;
	build(&model);
	uint8_t *bytes = read_file(model.path, &size);
	for (unsigned i = 0; i < 64; i++) {
		size_t left = i == 0   ? 0
			      : i == 1 ? size - 1
			      : i == 2 ? sizeof(struct sw_index_head)
				       : next_random(&seed) % size;
		write_file(model.path, bytes, left);
		assert_int_equal(take(&model, &fault), 0);
		assert_string_equal(fault, "it is damaged");
	}
	uint8_t *longer = calloc(1, size + 4096);
	assert_non_null(longer);
	memcpy(longer, bytes, size);
	write_file(model.path, longer, size + 4096);
	assert_int_equal(take(&model, &fault), 0);
	free(longer);
	free(bytes);
	destroy(&model);
}

static void test_no_regular_file(void **state)
{
	struct model model;
	const char *fault;

	(void)state;
	build(&model);
	assert_int_equal(unlink(model.path), 0);
	assert_int_equal(take(&model, &fault), 0);
	assert_null(fault);
	assert_int_equal(mkfifo(model.path, 0600), 0);
	assert_int_equal(take(&model, &fault), 0);
	assert_string_equal(fault, "it is no regular file");
	destroy(&model);
}

static void test_file_of_another_user(void **state)
{
	struct model model;
	const char *fault;

	(void)state;
	if (geteuid())
		leave_out("the index that another user owns", "only root gives files away");
	build(&model);
	assert_int_equal(chown(model.path, 12345, 12345), 0);
	assert_int_equal(take(&model, &fault), 0);
	assert_string_equal(fault, "it belongs to another user");
	/* Whoever owns the core could have written another one as well. */
	assert_int_equal(chown(model.core, 12345, 12345), 0);
	assert_int_equal(take(&model, &fault), ALL);
	destroy(&model);
}

/* ---- numbers that a right checksum covers ---- */

typedef void change_section(struct model *model, uint32_t *numbers, size_t count);

/* Changes a section and makes its checksum and the head's right again. */
static void forge(struct model *model, enum sw_index_section section, change_section *change)
{
	struct sw_index_head head;
	size_t size;
	uint8_t *bytes = read_file(model->path, &size);

	memcpy(&head, bytes, sizeof(head));
	uint64_t count = head.sections[section].size;
	uint8_t *begin = bytes + head.sections[section].offset;
	change(model, (uint32_t *)begin, count / sizeof(uint32_t));
	ok(sw_digest_large(begin, count, &model->work, &head.sections[section].checksum));
	head.checksum = sw_digest(0, &head, offsetof(struct sw_index_head, checksum));
	memcpy(bytes, &head, sizeof(head));
	write_file(model->path, bytes, size);
	free(bytes);
}

static void same(struct model *model, uint32_t *numbers, size_t count)
{
	(void)model;
	(void)numbers;
	(void)count;
}

static void huge_number(struct model *model, uint32_t *numbers, size_t count)
{
	(void)model;
	numbers[count / 2] = 0xfffffffe;
}

static void first_too_large(struct model *model, uint32_t *numbers, size_t count)
{
	(void)count;
	numbers[7] = model->graph.node_count;
}

static void first_unknown_type(struct model *model, uint32_t *numbers, size_t count)
{
	(void)model;
	(void)count;
	numbers[7] = TYPES;
}

static void first_unknown_target(struct model *model, uint32_t *numbers, size_t count)
{
	(void)model;
	(void)count;
	numbers[6] = TYPES;
}

static void first_unknown_kind(struct model *model, uint32_t *numbers, size_t count)
{
	(void)model;
	(void)count;
	numbers[7] = SW_ROOT_WORD_KINDS;
}

static void ring(struct model *model, uint32_t *numbers, size_t count)
{
	(void)model;
	(void)count;
	numbers[5] = 6;
	numbers[6] = 5;
}

static void own_parent(struct model *model, uint32_t *numbers, size_t count)
{
	(void)model;
	(void)count;
	numbers[5] = 5;
}

static void root_elsewhere(struct model *model, uint32_t *numbers, size_t count)
{
	(void)count;
	numbers[model->graph.object_count + 4] = model->graph.object_count + 1;
}

static void root_itself(struct model *model, uint32_t *numbers, size_t count)
{
	(void)count;
	numbers[model->graph.object_count + 4] = model->graph.object_count + 4;
}

static void super_elsewhere(struct model *model, uint32_t *numbers, size_t count)
{
	(void)count;
	numbers[model->graph.super] = 0;
}

static void swapped_edges(struct model *model, uint32_t *numbers, size_t count)
{
	struct sw_edge *edges = (struct sw_edge *)numbers, first = edges[0];

	(void)model;
	assert_true(count >= 4);
	edges[0] = edges[1];
	edges[1] = first;
}

static void no_number(struct model *model, uint32_t *numbers, size_t count)
{
	(void)model;
	memset(numbers, 0, count * sizeof(*numbers));
}

/* Marks, which are words: of a slot behind the last one. */
static void mark_beyond(struct model *model, uint32_t *numbers, size_t count)
{
	uint64_t *words = (uint64_t *)numbers;

	(void)model;
	(void)count;
	words[3 + SLOTS / 64] |= (uint64_t)1 << 63;
}

static void mark_twice(struct model *model, uint32_t *numbers, size_t count)
{
	uint64_t *words = (uint64_t *)numbers;
	size_t blocks = model->heap.block_count;

	(void)count;
	for (size_t i = 0; i < blocks; i++)
		words[3 + blocks + i] |= words[3 + i];
}

static void more_calls(struct model *model, uint32_t *numbers, size_t count)
{
	(void)model;
	(void)count;
	numbers[0] = 3;
}

static void test_wrong_numbers(void **state)
{
	static const struct {
		enum sw_index_section section;
		change_section *change;
		unsigned cost;
	} cases[] = {
		{SW_SECTION_MARKS, same, 0},
		{SW_SECTION_MARKS, mark_beyond, MARKS},
		{SW_SECTION_MARKS, mark_twice, MARKS},
		{SW_SECTION_MARKS, more_calls, MARKS},
		{SW_SECTION_MARKS, no_number, MARKS},
		{SW_SECTION_TABLE, same, 0},
		{SW_SECTION_TABLE, no_number, TABLE},
		{SW_SECTION_TABLE, first_too_large, TABLE},
		{SW_SECTION_TYPES, first_unknown_type, TABLE},
		{SW_SECTION_TYPES, huge_number, TABLE},
		{SW_SECTION_ROOT_TYPES, first_unknown_target, TABLE},
		{SW_SECTION_ROOT_TYPES, first_unknown_kind, TABLE},
		{SW_SECTION_PARENTS, first_too_large, GRAPH},
		{SW_SECTION_PARENTS, huge_number, GRAPH},
		{SW_SECTION_PARENTS, ring, GRAPH},
		{SW_SECTION_PARENTS, own_parent, GRAPH},
		{SW_SECTION_PARENTS, root_elsewhere, GRAPH},
		{SW_SECTION_PARENTS, super_elsewhere, GRAPH},
		{SW_SECTION_EDGES, huge_number, GRAPH},
		{SW_SECTION_EDGES, swapped_edges, GRAPH},
		{SW_SECTION_DOMINATORS, huge_number, DOMINATORS},
		{SW_SECTION_DOMINATORS, ring, DOMINATORS},
		{SW_SECTION_DOMINATORS, own_parent, DOMINATORS},
		{SW_SECTION_DOMINATORS, root_itself, DOMINATORS},
		{SW_SECTION_DOMINATORS, super_elsewhere, DOMINATORS},
		{SW_SECTION_HEAVIEST, huge_number, DOMINATORS},
		{SW_SECTION_HEAVIEST, own_parent, DOMINATORS},
		{SW_SECTION_HEAVIEST, root_elsewhere, DOMINATORS},
		{SW_SECTION_RETAINED_OBJECTS, no_number, DOMINATORS},
	};
	const char *fault;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct model model;
		build(&model);
		forge(&model, cases[i].section, cases[i].change);
		assert_int_equal(take(&model, &fault), ALL & ~cases[i].cost);
		if (cases[i].cost)
			assert_string_equal(fault, "it is damaged");
		destroy(&model);
	}
}

/* Every byte of a table of types, taken for any other: refused, or a table that can be used. */
static void test_any_table_of_types(void **state)
{
	struct model model;
	struct sw_types *types;
	uint64_t refused = 0;

	(void)state;
	build(&model);
	uint8_t *bytes = model.table;
	for (uint64_t at = 0; at < model.table_size; at++) {
		uint8_t before = bytes[at];
		bytes[at] ^= (uint8_t)(1 + at % 255);
		ok(sw_types_restore(&model.go, bytes, model.table_size, &types));
		refused += !types;
		for (sw_type i = 0; types && i < sw_types_count(types); i++)
			sw_type_of_name(types, sw_type_info(types, i)->name);
		sw_types_free(types);
		bytes[at] = before;
	}
	assert_in_range(refused, model.table_size / 10, model.table_size - 1);
	for (uint64_t size = 0; size < model.table_size; size += 37) {
		ok(sw_types_restore(&model.go, bytes, size, &types));
		assert_null(types);
	}
	destroy(&model);
}

/* ---- what it belongs to ---- */

static void other_time(struct model *model)
{
	const struct timespec times[2] = {{1, 0}, {2, 3}};
	assert_int_equal(utimensat(AT_FDCWD, model->core, times, 0), 0);
}

static void other_size(struct model *model)
{
	write_text(model->core, "another core");
}

static void other_inode(struct model *model)
{
	char name[96];
	struct stat status;

	/* The first stays, so that its inode is not given to the second. */
	snprintf(name, sizeof(name), "%s.old", model->exe);
	assert_int_equal(stat(model->exe, &status), 0);
	assert_int_equal(rename(model->exe, name), 0);
	write_text(model->exe, "an executable");
	const struct timespec times[2] = {status.st_atim, status.st_mtim};
	assert_int_equal(utimensat(AT_FDCWD, model->exe, times, 0), 0);
}

static void other_build(struct model *model)
{
	model->image.build_id[3] = 1;
}

static void with_symbols(struct model *model)
{
	static struct sw_image symbols;
	symbols.path = model->exe;
	model->image.symbols = &symbols;
}

static void other_register(struct model *model)
{
	model->thread.registers[12] = 1;
}

static void other_memory(struct model *model)
{
	model->words[17] ^= 1;
}

static void other_region(struct model *model)
{
	model->region.size -= 8;
}

static void test_of_something_else(void **state)
{
	static const struct {
		void (*change)(struct model *model);
		const char *fault;
	} cases[] = {
		{other_time, "the core has changed since"},
		{other_size, "the core has changed since"},
		{other_inode, "the executable has changed since"},
		{other_build, "the executable has changed since"},
		{with_symbols, "it was made with other symbols"},
		{other_register, "the memory of the target reads otherwise"},
		{other_memory, "the memory of the target reads otherwise"},
		{other_region, "the memory of the target reads otherwise"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct model model;
		build(&model);
		cases[i].change(&model);
		struct sw_index *index = open_index(&model, SW_INDEX_READ);
		assert_string_equal(sw_index_fault(index), cases[i].fault);
		assert_false(sw_index_is_whole(index));
		sw_index_close(index, &model.work);
		destroy(&model);
	}
}

/* An index that another build wrote, with a head that is right. */
static void test_of_another_build(void **state)
{
	struct model model;
	struct sw_index_head head;
	const char *fault;
	size_t size;

	(void)state;
	build(&model);
	uint8_t *bytes = read_file(model.path, &size);
	memcpy(&head, bytes, sizeof(head));
	assert_true(head.identities[SW_INDEX_TOOL]);
	head.identities[SW_INDEX_TOOL]++;
	head.checksum = sw_digest(0, &head, offsetof(struct sw_index_head, checksum));
	memcpy(bytes, &head, sizeof(head));
	write_file(model.path, bytes, size);
	assert_int_equal(take(&model, &fault), 0);
	assert_string_equal(fault, "another build of spanwalk wrote it");
	free(bytes);
	destroy(&model);
}

/* Roots that are not those that the marks came from: marked again, without the file. */
static void test_other_roots(void **state)
{
	struct model model;

	(void)state;
	build(&model);
	struct sw_index *index = open_index(&model, SW_INDEX_READ);
	sw_heap_free(&model.heap, &model.work);
	mark(&model, index);
	model.heap.root_words.items[3].at++;
	assert_false(sw_index_fits(index, &model.go, &model.heap));
	assert_string_equal(sw_index_fault(index), "its roots are not those of the target");
	assert_null(sw_index_marks(index, &model.heap, &model.work));
	assert_true(sw_index_fits(index, &model.go, &model.heap));
	assert_int_equal(take_graph(&model, index), 0);
	sw_index_close(index, &model.work);
	destroy(&model);
}

/* ---- writing ---- */

/* What stands in the place of the file beside the core sends it to the cache. */
static void test_cache(void **state)
{
	struct model model;
	const char *fault;

	(void)state;
	build(&model);
	struct sw_index *index = open_index(&model, SW_INDEX_WRITE);
	assert_int_equal(unlink(model.path), 0);
	assert_int_equal(mkdir(model.path, 0700), 0);
	struct sw_heap built = model.heap;
	memset(&model.heap, 0, sizeof(model.heap));
	mark(&model, index);
	assert_true(sw_index_fits(index, &model.go, &model.heap));
	write_index(&model, index);
	assert_string_not_equal(sw_index_path(index), model.path);
	assert_non_null(strstr(sw_index_path(index), "/spanwalk/core-"));
	sw_index_close(index, &model.work);
	sw_heap_free(&model.heap, &model.work);
	model.heap = built;
	assert_int_equal(take(&model, &fault), ALL);
	destroy(&model);
}

static void test_nowhere_to_write(void **state)
{
	struct model model;

	(void)state;
	build(&model);
	const struct sw_index_parts parts = {&model.heap, &model.typing, &model.graph,
					     &model.dominators};
	struct sw_index *index = open_index(&model, SW_INDEX_WRITE);
	assert_int_equal(unlink(model.path), 0);
	assert_int_equal(mkdir(model.path, 0700), 0);
	setenv("XDG_CACHE_HOME", model.core, 1); /* no folder */
	sw_heap_free(&model.heap, &model.work);
	mark(&model, index);
	sw_index_fits(index, &model.go, &model.heap);
	ok(sw_index_keep_types(index, model.types));
	struct sw_error *error = sw_index_write(index, &parts, &model.work);
	assert_non_null(error);
	assert_non_null(strstr(error->message, "cannot create"));
	sw_error_free(error);
	sw_index_close(index, &model.work);
	destroy(&model);
}

static void test_mode_is_that_of_the_core(void **state)
{
	struct model model;
	struct stat status;

	(void)state;
	begin(&model);
	assert_int_equal(chmod(model.core, 0640), 0);
	struct sw_index *index = open_index(&model, SW_INDEX_WRITE);
	mark(&model, index);
	sw_index_fits(index, &model.go, &model.heap);
	ok(sw_graph_build(&model.graph, &model.heap, &model.work));
	ok(sw_dominators_build(&model.dominators, &model.graph, &model.heap, NULL, &model.work));
	find_types(&model);
	write_index(&model, index);
	sw_index_close(index, &model.work);
	assert_int_equal(stat(model.path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0640);
	destroy(&model);
}

static void test_digests_differ(void **state)
{
	uint8_t bytes[300] = {0};
	uint64_t plain = sw_digest(0, bytes, sizeof(bytes));

	(void)state;
	for (size_t i = 0; i < sizeof(bytes) * 8; i++) {
		bytes[i / 8] ^= 1 << i % 8;
		assert_int_not_equal(sw_digest(0, bytes, sizeof(bytes)), plain);
		bytes[i / 8] ^= 1 << i % 8;
	}
	for (size_t size = 0; size < sizeof(bytes); size++)
		assert_int_not_equal(sw_digest(0, bytes, size), plain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_taken_and_written_again),
		cmocka_unit_test(test_any_byte_of_the_head),
		cmocka_unit_test(test_flipped_bits),
		cmocka_unit_test(test_cut_files),
		cmocka_unit_test(test_no_regular_file),
		cmocka_unit_test(test_file_of_another_user),
		cmocka_unit_test(test_wrong_numbers),
		cmocka_unit_test(test_any_table_of_types),
		cmocka_unit_test(test_of_something_else),
		cmocka_unit_test(test_of_another_build),
		cmocka_unit_test(test_other_roots),
		cmocka_unit_test(test_cache),
		cmocka_unit_test(test_nowhere_to_write),
		cmocka_unit_test(test_mode_is_that_of_the_core),
		cmocka_unit_test(test_digests_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
