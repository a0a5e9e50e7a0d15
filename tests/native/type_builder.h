/* A hand-made target with type descriptors as the linker writes them, or as no linker would. */
#ifndef TYPE_BUILDER_H
#define TYPE_BUILDER_H

#include "type/type.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* ---- a target of one region ---- */

enum {
	SIZE = 1 << 18,
	NAMES = 8,	     /* offset of the names; 0 is no name */
	TYPES = 0x4000,	     /* ... of descriptors */
	TYPES_END = 0x10000, /* of the module's types */
	HEAP = 0x20000,	     /* two pages for each span */
};
#define BASE ((sw_addr)0xc000000000)

struct world {
	uint8_t *bytes;
	struct sw_memory memory;
	struct sw_go go;
	struct sw_go_module module;
	struct sw_work work;
	struct sw_types *types;
	uint32_t next_name, next_type;
};

static inline void put64(struct world *world, sw_addr addr, uint64_t value)
{
	memcpy(world->bytes + (addr - BASE), &value, 8);
}

static inline void put32(struct world *world, sw_addr addr, uint32_t value)
{
	memcpy(world->bytes + (addr - BASE), &value, 4);
}

static inline void put8(struct world *world, sw_addr addr, uint8_t value)
{
	world->bytes[addr - BASE] = value;
}

static inline void open_world(struct world *world, unsigned minor)
{
	memset(world, 0, sizeof(*world));
	world->bytes = calloc(1, SIZE);
	assert_non_null(world->bytes);
	assert_null(sw_memory_add(
		&world->memory,
		(struct sw_region){.addr = BASE, .size = SIZE, .bytes = world->bytes}));
	sw_work_init(&world->work, 1);
	world->module = (struct sw_go_module){.types = BASE, .etypes = BASE + TYPES_END};
	world->go.memory = &world->memory;
	world->go.work = &world->work;
	world->go.minor = minor;
	world->go.modules.items = &world->module;
	world->go.modules.count = 1;
	world->go.layout.hchan.buf = 16;
	world->next_name = NAMES;
	world->next_type = TYPES;
	assert_null(sw_types_create(&world->go, &world->types));
}

static inline void close_world(struct world *world)
{
	sw_types_free(world->types);
	sw_go_free_kept(&world->go);
	sw_memory_free(&world->memory);
	free(world->bytes);
}

/* abi.Name: flags, length, text. */
static inline uint32_t put_name(struct world *world, const char *text, uint8_t flags)
{
	uint32_t at = world->next_name;
	size_t length = strlen(text);
	uint8_t *out = world->bytes + at;
	*out++ = flags;
	if (length > 127)
		*out++ = (uint8_t)(length | 128);
	*out++ = (uint8_t)(length > 127 ? length >> 7 : length);
	memcpy(out, text, length);
	world->next_name = (uint32_t)(out + length - world->bytes);
	assert_true(world->next_name < TYPES);
	return at;
}

/* A header and room for what follows it. The mask is that of `mask` words. */
static inline sw_addr put_type(struct world *world, enum sw_go_kind kind, const char *name,
			       uint64_t size, uint64_t pointer_bytes, uint64_t mask)
{
	sw_addr type = BASE + world->next_type;
	world->next_type += 256;
	assert_true(world->next_type <= TYPES_END);
	put64(world, type, size);
	put64(world, type + 8, pointer_bytes);
	put8(world, type + 21, 8);
	put8(world, type + 22, 8);
	put8(world, type + 23, (uint8_t)kind);
	put64(world, type + 32, type + 240);
	put64(world, type + 240, mask);
	put32(world, type + 40, put_name(world, name, 0));
	return type;
}

static inline sw_addr put_pointer(struct world *world, const char *name, sw_addr elem)
{
	sw_addr type = put_type(world, SW_KIND_POINTER, name, 8, 8, 1);
	put64(world, type + 48, elem);
	return type;
}

struct member {
	const char *name;
	sw_addr type;
	uint64_t offset;
};

static inline void put_members(struct world *world, sw_addr type, const struct member *members,
			       size_t count)
{
	sw_addr list = BASE + world->next_type;
	world->next_type += (uint32_t)(24 * count + 7) & ~7u;
	put64(world, type + 56, list);
	put64(world, type + 64, count);
	put64(world, type + 72, count);
	for (size_t i = 0; i < count; i++) {
		put64(world, list + 24 * i, BASE + put_name(world, members[i].name, 0));
		put64(world, list + 24 * i + 8, members[i].type);
		put64(world, list + 24 * i + 16,
		      world->go.minor <= 18 ? members[i].offset << 1 : members[i].offset);
	}
}

static inline sw_addr put_array(struct world *world, const char *name, sw_addr elem,
				uint64_t length, uint64_t size, uint64_t pointer_bytes,
				uint64_t mask)
{
	sw_addr type = put_type(world, SW_KIND_ARRAY, name, size, pointer_bytes, mask);
	put64(world, type + 48, elem);
	put64(world, type + 64, length);
	return type;
}

/* main.session { id int; name string; next *main.session; parser main.parser { buf []uint8 } } */
struct session_types {
	sw_addr integer, text, byte, bytes, parser, session, pointer;
};

static inline struct session_types put_session(struct world *world)
{
	struct session_types made = {
		.integer = put_type(world, SW_KIND_INT, "int", 8, 0, 0),
		.text = put_type(world, SW_KIND_STRING, "string", 16, 8, 1),
		.byte = put_type(world, SW_KIND_UINT8, "uint8", 1, 0, 0),
		.bytes = put_type(world, SW_KIND_SLICE, "[]uint8", 24, 8, 1),
		.parser = put_type(world, SW_KIND_STRUCT, "main.parser", 24, 8, 1),
		.session = put_type(world, SW_KIND_STRUCT, "*main.session", 56, 40, 0x1a),
	};
	put64(world, made.bytes + 48, made.byte);
	put8(world, made.session + 20, 1 | 2 | 4); /* uncommon, extra star, named */
	put32(world, made.session + 80, put_name(world, "example.com/x/main", 0));
	made.pointer = put_pointer(world, "*main.session", made.session);
	put_members(world, made.parser, (struct member[]){{"buf", made.bytes, 0}}, 1);
	put_members(world, made.session,
		    (struct member[]){{"id", made.integer, 0},
				      {"name", made.text, 8},
				      {"next", made.pointer, 24},
				      {"parser", made.parser, 32}},
		    4);
	return made;
}

/* ---- maps ---- */

static inline sw_addr put_map(struct world *world, const char *name, sw_addr key, sw_addr elem,
			      sw_addr group, uint64_t group_size)
{
	sw_addr map = put_type(world, SW_KIND_MAP, name, 8, 8, 1);
	put64(world, map + 48, key);
	put64(world, map + 56, elem);
	put64(world, map + 64, group);
	put64(world, map + 80, group_size);
	return map;
}

/* map[string]*main.session as 1.24 lays it out: 8 + 8 * (16 + 8) bytes a group. */
static inline sw_addr put_swiss_map(struct world *world, const struct session_types *made)
{
	sw_addr word = put_type(world, SW_KIND_UINT64, "uint64", 8, 0, 0);
	sw_addr slot = put_type(world, SW_KIND_STRUCT, "struct { key string; elem *main.session }",
				24, 24, 5);
	put_members(world, slot,
		    (struct member[]){{"key", made->text, 0}, {"elem", made->pointer, 16}}, 2);
	sw_addr slots = put_array(world, "[8]struct { key string; elem *main.session }", slot, 8,
				  192, 192, 0xb6db6d);
	sw_addr group = put_type(world, SW_KIND_STRUCT, "map.group[string]*main.session", 200, 200,
				 0xb6db6d << 1);
	put_members(world, group, (struct member[]){{"ctrl", word, 0}, {"slots", slots, 8}}, 2);
	return put_map(world, "map[string]*main.session", made->text, made->pointer, group, 200);
}

static inline void put_string(struct world *world, sw_addr addr, sw_addr data, const char *text)
{
	memcpy(world->bytes + (data - BASE), text, strlen(text));
	put64(world, addr, data);
	put64(world, addr + 8, strlen(text));
}

/* ---- objects ---- */

static inline struct sw_span make_span(struct world *world, unsigned number, uint64_t elemsize,
				       uint8_t scan)
{
	uint64_t at = HEAP + 8192 * number, usable = scan == SW_SCAN_BITMAP ? 8192 - 128 : 8192;
	uint32_t count = (uint32_t)(usable / elemsize);
	struct sw_span span = {
		.base = BASE + at,
		.bytes = world->bytes + at,
		.limit = count * elemsize,
		.elemsize = elemsize,
		.count = count,
		.divide = (uint32_t)(UINT32_MAX / elemsize + 1),
		.scan = scan,
		.owner = number,
	};
	if (scan == SW_SCAN_BITMAP)
		span.bitmap = span.bytes + 8192 - 128;
	return span;
}

#endif
