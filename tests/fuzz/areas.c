#include "collect.h"

#include "command/naming.h"

#include <err.h>
#include <stdio.h>

enum {
	DESCRIPTOR_SIZE = 96,	 /* abi.Type and what follows for most kinds */
	ARENA_ENTRIES = 1 << 22, /* mheap_.arenas[0] of amd64 */
	ARENA_OFFSET_SHIFT = 47, /* runtime/malloc.go arenaBaseOffset, amd64 */
	MAX_OBJECTS = 20000,
};

/* ---- the list ---- */

static struct area_list *list_of(struct areas *areas, const char *name)
{
	for (unsigned i = 0; i < areas->kind_count; i++)
		if (!strcmp(areas->kinds[i].name, name))
			return &areas->kinds[i].areas;
	if (areas->kind_count == MAX_KINDS)
		errx(2, "too many kinds of areas");
	areas->kinds[areas->kind_count].name = name;
	return &areas->kinds[areas->kind_count++].areas;
}

const struct area_kind *areas_kind(const struct areas *areas, const char *name)
{
	for (unsigned i = 0; i < areas->kind_count; i++)
		if (!strcmp(areas->kinds[i].name, name) && areas->kinds[i].areas.count)
			return &areas->kinds[i];
	return NULL;
}

static void add_file(struct areas *areas, const char *name, struct area area)
{
	if (area.size && area_list_add(list_of(areas, name), area))
		errx(2, "out of memory");
}

void collect(const struct collector *collector, const char *name, sw_addr addr, uint64_t size)
{
	struct place place;

	if (addr && subject_find(collector->subject, addr, &place))
		add_file(collector->areas, name,
			 (struct area){addr, place.file, place.offset,
				       size < place.room ? size : place.room});
}

uint64_t word_at(const struct collector *collector, sw_addr addr)
{
	return subject_peek(collector->subject, addr);
}

void collect_chain(const struct collector *collector, const char *name, sw_addr first,
		   sw_offset link, uint64_t size)
{
	for (unsigned i = 0; first && i < MAX_LIST; i++, first = word_at(collector, first + link))
		collect(collector, name, first, size);
}

void collect_slice(const struct collector *collector, const char *name, sw_addr header,
		   uint64_t item)
{
	collect(collector, name, word_at(collector, header), item * word_at(collector, header + 8));
}

/* ---- the heap's own tables ---- */

static void add_spans(const struct collector *collector)
{
	const struct sw_go *go = collector->go;

	for (size_t i = 0; i < go->spans.count; i++) {
		const struct sw_go_span *span = &go->spans.items[i];
		collect(collector, "mspan", span->address, go->layout.mspan.size);
		if (span->state != SW_GO_SPAN_IN_USE)
			continue;
		uint64_t bits = span->nelems / 8 + 8;
		collect(collector, "mark bits",
			word_at(collector, span->address + go->layout.mspan.allocBits), bits);
		collect(collector, "mark bits",
			word_at(collector, span->address + go->layout.mspan.gcmarkBits), bits);
		collect_chain(collector, "special", span->specials, go->layout.special.next, 64);
		collect(collector, "heap", span->base, span->npages * 8192);
		collect(collector, "span tail", span->base + span->npages * 8192 - 256, 256);
	}
}

static void add_mheap(const struct collector *collector)
{
	const struct sw_go *go = collector->go;
	sw_addr mheap = go->globals.mheap_;
	sw_addr list = mheap + go->layout.mheap.allspans;
	sw_addr table = word_at(collector, mheap + go->layout.mheap.arenas);

	collect(collector, "mheap", mheap + go->layout.mheap.sweepgen, 4);
	collect(collector, "mheap", list, 24);
	collect(collector, "mheap", mheap + go->layout.mheap.arenas, 8);
	collect(collector, "allspans", word_at(collector, list), 8 * word_at(collector, list + 8));
	for (size_t i = 0; i < go->spans.count; i++) {
		uint64_t index = ((go->spans.items[i].base + (1ull << ARENA_OFFSET_SHIFT)) >>
				  SW_ARENA_SHIFT) %
				 ARENA_ENTRIES;
		sw_addr arena = word_at(collector, table + 8 * index);
		if (i &&
		    (go->spans.items[i].base ^ go->spans.items[i - 1].base) >> SW_ARENA_SHIFT == 0)
			continue;
		collect(collector, "arena", table + 8 * index, 8);
		if (go->layout.heapArena.pageUseSpanInlineMarkBits != SW_ABSENT)
			collect(collector, "arena",
				arena + go->layout.heapArena.pageUseSpanInlineMarkBits, 1024);
	}
}

/* ---- what the runtime keeps beside the heap ---- */

static void add_queues(const struct collector *collector)
{
	const struct sw_go *go = collector->go;

	collect_chain(collector, "finblock", word_at(collector, go->globals.allfin),
		      go->layout.finblock.alllink, 4096);
	if (go->globals.gcCleanups)
		collect_chain(
			collector, "cleanup block",
			word_at(collector, go->globals.gcCleanups + go->layout.cleanupQueue.all),
			go->layout.cleanupBlock.alllink, 512);
}

/* Each of the runtime's variables that the analysis reads, for itself. */
static void add_globals(const struct collector *collector)
{
	const struct sw_go_globals *globals = &collector->go->globals;
	const sw_addr *words = (const sw_addr *)globals;

	for (size_t i = 0; i < sizeof(*globals) / sizeof(*words); i++)
		collect(collector, "runtime variable", words[i], 24);
	collect(collector, "counters", globals->gcController, 512);
	collect(collector, "counters", globals->memstats, 1024);
}

/* ---- modules and types ---- */

static void add_module(const struct collector *collector, const struct sw_go_module *module)
{
	const __typeof__(collector->go->layout.moduledata) *at = &collector->go->layout.moduledata;
	sw_addr here = module->address;

	collect(collector, "moduledata", here, 700);
	collect_slice(collector, "pclntable", here + at->pclntable, 1);
	collect_slice(collector, "ftab", here + at->ftab, 8);
	collect_slice(collector, "pctab", here + at->pctab, 1);
	collect_slice(collector, "funcnametab", here + at->funcnametab, 1);
	collect_slice(collector, "cutab", here + at->cutab, 4);
	collect_slice(collector, "filetab", here + at->filetab, 1);
	collect_slice(collector, "textsectmap", here + at->textsectmap, 24);
	collect(collector, "globals' masks", module->gcdatamask, module->gcdata_bits / 8 + 1);
	collect(collector, "globals' masks", module->gcbssmask, module->gcbss_bits / 8 + 1);
	collect(collector, "types", module->types, module->etypes - module->types);
	collect(collector, "data", module->data, module->edata - module->data);
	collect(collector, "bss", module->bss, module->ebss - module->bss);
	if (module->gofunc)
		collect(collector, "stack maps", module->gofunc, 64 << 10);
}

static void add_types(const struct collector *collector, struct sw_types *types)
{
	for (uint32_t i = 1; i < sw_types_count(types); i++) {
		const struct sw_type_info *type = sw_type_info(types, i);
		if (!type->descriptor)
			continue;
		collect(collector, "type", type->descriptor, DESCRIPTOR_SIZE);
		/* internal/abi/type.go: GCData */
		collect(collector, "type mask", word_at(collector, type->descriptor + 32),
			type->pointer_bytes / 64 + 8);
	}
}

static const char *role_name(enum sw_type_role role)
{
	switch (role) {
	case SW_TYPE_MAP_HEADER:
		return "map header";
	case SW_TYPE_MAP_TABLE:
		return "map table";
	case SW_TYPE_MAP_DIRECTORY:
		return "map directory";
	case SW_TYPE_MAP_GROUP:
	case SW_TYPE_MAP_BUCKET:
		return "map group";
	case SW_TYPE_CHAN_HEADER:
		return "channel";
	case SW_TYPE_CLOSURE:
		return "closure";
	default:
		return NULL;
	}
}

/* What the commands about owners read by the names of its fields. */
static bool is_of_library(const struct sw_type_info *type)
{
	static const char *const packages[] = {
		"sync.", "context.", "time.",  "poll.", "os.",	 "net.",   "http.",
		"sql.",	 "bufio.",   "bytes.", "json.", "gzip.", "arena.",
	};
	if (type->role != SW_TYPE_PLAIN || type->kind != SW_KIND_STRUCT)
		return false;
	for (size_t i = 0; i < sizeof(packages) / sizeof(*packages); i++)
		if (!strncmp(type->name, packages[i], strlen(packages[i])))
			return true;
	return !strcmp(type->name, "runtime.userArena") || !strcmp(type->name, "runtime.timer");
}

static void add_objects(const struct collector *collector, struct sw_types *types,
			const struct sw_typing *typing)
{
	uint32_t count = collector->heap->object_count;

	for (sw_object i = 0; i < count; i += count / MAX_OBJECTS + 1) {
		sw_addr addr = sw_heap_address(collector->heap, i);
		uint64_t size = sw_heap_size(collector->heap, i);
		const struct sw_type_info *type = sw_type_info(types, typing->types[i]);
		const char *name = role_name(type->role);
		if (name)
			collect(collector, name, addr, size);
		if (is_of_library(type))
			collect(collector, "library", addr, size);
		if (size > 512)
			collect(collector, "malloc header", addr, 8);
		if (area_list_add(&collector->areas->objects, (struct area){.addr = addr}))
			errx(2, "out of memory");
		if (i % 97 == 0 && collector->areas->type_name_count < 16)
			snprintf(collector->areas->type_names[collector->areas->type_name_count++],
				 sizeof(collector->areas->type_names[0]), "%s", type->name);
	}
}

/* ---- the files ---- */

static void add_elf(struct areas *areas, const struct subject *subject)
{
	const struct file *core = &subject->files[CORE];

	add_file(areas, "core header", (struct area){0, CORE, 0, sizeof(Elf64_Ehdr)});
	add_file(areas, "exe header", (struct area){0, EXE, 0, sizeof(Elf64_Ehdr)});
	for (int file = CORE; file < FILES; file++) {
		Elf64_Ehdr header;
		memcpy(&header, subject->files[file].bytes, sizeof(header));
		for (unsigned i = 0; i < header.e_phnum; i++)
			add_file(areas, file == CORE ? "core segment" : "exe segment",
				 (struct area){0, file, header.e_phoff + i * sizeof(Elf64_Phdr),
					       sizeof(Elf64_Phdr)});
		for (unsigned i = 0; i < header.e_shnum; i++)
			add_file(areas, "exe section",
				 (struct area){0, file, header.e_shoff + i * sizeof(Elf64_Shdr),
					       sizeof(Elf64_Shdr)});
	}
	for (unsigned i = 0; i < core->segment_count; i++)
		if (core->segments[i].p_type == PT_NOTE)
			add_file(areas, "core notes",
				 (struct area){0, CORE, core->segments[i].p_offset,
					       core->segments[i].p_filesz});
}

static void add_sections(struct areas *areas, const struct subject *subject, struct sw_image *image)
{
	static const char *const names[] = {
		".debug_info",
		".debug_abbrev",
		".debug_line",
		".debug_loc",
		".debug_ranges",
		".debug_frame",
		".eh_frame",
		".eh_frame_hdr",
		".debug_str",
		".debug_addr",
		".debug_rnglists",
		".debug_loclists",
		".debug_str_offsets",
		".debug_line_str",
		".zdebug_info",
		".symtab",
		".strtab",
		".shstrtab",
		".note.go.buildid",
		".typelink",
		".itablink",
		".go.buildinfo",
	};
	(void)subject;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		uint64_t size;
		const uint8_t *bytes = sw_image_section(image, names[i], NULL, &size);
		if (bytes)
			add_file(areas, names[i],
				 (struct area){0, EXE, (uint64_t)(bytes - image->bytes), size});
	}
}

/* ---- the whole ---- */

static void check(struct sw_error *error)
{
	if (error)
		errx(2, "the undamaged core cannot be analysed: %s", error->message);
}

static void collect_all(struct collector *collector)
{
	struct sw_go *go;
	struct sw_heap *heap;
	struct sw_types *types;
	struct sw_typing *typing;

	check(sw_session_go(collector->session, &go));
	check(sw_session_heap(collector->session, &heap));
	check(sw_session_types(collector->session, &types, &typing));
	check(sw_go_find_scheduler(go, go->warnings));
	collector->go = go;
	collector->heap = heap;
	collector->areas->layout = go->layout;
	collector->areas->globals = go->globals;
	collector->areas->minor = go->minor;
	collector->subject->bias = go->image->bias;
	add_spans(collector);
	add_mheap(collector);
	collect_goroutines(collector);
	collect_scheduler(collector);
	add_queues(collector);
	add_globals(collector);
	for (size_t i = 0; i < go->modules.count; i++)
		add_module(collector, &go->modules.items[i]);
	add_types(collector, types);
	add_objects(collector, types, typing);
	collect_owners(collector);
	add_elf(collector->areas, collector->subject);
	add_sections(collector->areas, collector->subject, go->image);
}

void areas_collect(struct areas *areas, struct subject *subject)
{
	struct sw_session_options options = {.core = subject->files[CORE].path,
					     .exe = subject->files[EXE].path};
	struct collector collector = {.areas = areas, .subject = subject};
	struct sw_work work;

	memset(areas, 0, sizeof(*areas));
	sw_work_init(&work, 1);
	check(sw_session_open(&options, &work, &collector.session));
	collect_all(&collector);
	sw_session_close(collector.session);
}

void areas_free(struct areas *areas)
{
	for (unsigned i = 0; i < areas->kind_count; i++)
		area_list_free(&areas->kinds[i].areas);
	area_list_free(&areas->objects);
	area_list_free(&areas->inlined);
}
