/* Structures of libraries that contradict themselves: pools, contexts, timers, descriptors,
 * buffers, connections; maps; finalizers; closures; slices and strings. */
#include "cases.h"

static const uint64_t huge = (uint64_t)1 << 47, wild = UINT64_MAX - 7;

/* The first words of each area; 0 leaves one as it is. */
static void poke_words(struct subject *subject, const struct areas *areas, const char *name,
		       uint64_t data, uint64_t len, uint64_t cap)
{
	const uint64_t words[] = {data, len, cap};

	for (unsigned i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (words[i])
			poke_all(subject, areas, name, (sw_offset)(8 * i), words[i], 8);
}

/* Writes into each area the address of one of another kind: of the same number, so many further on,
 * or the first. */
static void lead_to(struct subject *subject, const struct areas *areas, const char *name,
		    sw_offset offset, const char *to, size_t step)
{
	const struct area *area, *target;

	for (size_t i = 0; (area = area_at(areas, name, i)); i++) {
		target = area_at(areas, to, i + step);
		if (!target)
			target = area_at(areas, to, 0);
		if (target)
			subject_poke64(subject, area->addr + offset, target->addr);
	}
}

/* ---- pools ---- */

static void owner_pool_size_huge(struct subject *subject, const struct areas *areas)
{
	poke_all(subject, areas, "pool size", 0, huge, 8);
}

static void owner_pool_size_most(struct subject *subject, const struct areas *areas)
{
	poke_all(subject, areas, "pool size", 0, 1 << 16, 8);
}

static void owner_pool_local_self(struct subject *subject, const struct areas *areas)
{
	link_items(subject, areas, "pool local", 0, 0);
}

static void owner_pool_rings_self(struct subject *subject, const struct areas *areas)
{
	lead_to(subject, areas, "pool ring next", 0, "pool ring", 0);
	lead_to(subject, areas, "pool ring prev", 0, "pool ring", 0);
}

static void owner_pool_rings_ring(struct subject *subject, const struct areas *areas)
{
	lead_to(subject, areas, "pool ring next", 0, "pool ring", 1);
	lead_to(subject, areas, "pool ring prev", 0, "pool ring", 1);
}

static void owner_pool_head_before_tail(struct subject *subject, const struct areas *areas)
{
	poke_all(subject, areas, "pool ring ends", 0, (uint64_t)1 << 32 | 7, 8);
}

static void owner_pool_ends_far(struct subject *subject, const struct areas *areas)
{
	poke_all(subject, areas, "pool ring ends", 0, (uint64_t)UINT32_MAX << 32, 8);
}

static void owner_pool_slots_huge(struct subject *subject, const struct areas *areas)
{
	poke_words(subject, areas, "pool ring slots", 0, 1 << 30, 1 << 30);
	owner_pool_ends_far(subject, areas);
}

static void owner_pool_slots_beyond_cap(struct subject *subject, const struct areas *areas)
{
	poke_words(subject, areas, "pool ring slots", 0, 64, 8);
}

/* ---- contexts ---- */

/* The data word of an interface. */
static void owner_context_own_parent(struct subject *subject, const struct areas *areas)
{
	lead_to(subject, areas, "context parent", 8, "context", 0);
	lead_to(subject, areas, "value context parent", 8, "value context", 0);
}

static void owner_context_parents_ring(struct subject *subject, const struct areas *areas)
{
	lead_to(subject, areas, "context parent", 8, "context", 1);
	lead_to(subject, areas, "value context parent", 8, "value context", 1);
}

static void owner_context_parent_of_no_type(struct subject *subject, const struct areas *areas)
{
	poke_all(subject, areas, "context parent", 0, wild, 8);
	poke_all(subject, areas, "value context parent", 0, huge, 8);
}

static void owner_context_children_of_another(struct subject *subject, const struct areas *areas)
{
	const struct area *map, *first = area_at(areas, "context children", 0);

	for (size_t i = 0; (map = area_at(areas, "context children", i)); i++)
		subject_poke64(subject, map->addr, subject_peek(subject, first->addr));
}

static void owner_context_children_no_map(struct subject *subject, const struct areas *areas)
{
	lead_to(subject, areas, "context children", 0, "context", 0);
}

/* Every slot of every group and bucket counts. */
static void owner_context_children_garbage(struct subject *subject, const struct areas *areas)
{
	poke_all(subject, areas, "map group", 0, 0x7f7f7f7f7f7f7f7f, 8);
}

static void owner_context_keys_wild(struct subject *subject, const struct areas *areas)
{
	poke_words(subject, areas, "context key", wild, huge, 0);
	poke_all(subject, areas, "context error", 0, wild, 8);
}

/* ---- timers ---- */

static void owner_timers_self(struct subject *subject, const struct areas *areas)
{
	const struct area *timer;

	for (size_t i = 0; (timer = area_at(areas, "library timer", i)); i++)
		for (uint64_t at = 0; at + 8 <= timer->size; at += 8)
			subject_poke64(subject, timer->addr + at, timer->addr);
}

static void owner_timer_channels_exchanged(struct subject *subject, const struct areas *areas)
{
	link_items(subject, areas, "library timer", 0, 1);
}

/* ---- descriptors ---- */

static void owner_descriptor_locks_wild(struct subject *subject, const struct areas *areas)
{
	poke_all(subject, areas, "descriptor lock", 0, wild, 8);
}

static void owner_descriptor_numbers_wild(struct subject *subject, const struct areas *areas)
{
	poke_all(subject, areas, "descriptor number", 0, huge, 8);
	poke_all(subject, areas, "descriptor poll", 0, wild, 8);
}

static void owner_descriptor_names_huge(struct subject *subject, const struct areas *areas)
{
	poke_words(subject, areas, "descriptor name", 0, huge - 1, 0);
}

static void owner_descriptor_addresses(struct subject *subject, const struct areas *areas)
{
	poke_words(subject, areas, "address bytes", 0, huge - 1, huge - 1);
	lead_to(subject, areas, "address", 8, "address", 1);
}

/* ---- buffers ---- */

static void owner_buffer_positions_crossed(struct subject *subject, const struct areas *areas)
{
	const struct area *position;

	for (size_t i = 0; (position = area_at(areas, "buffer position", i)); i++)
		subject_poke64(subject, position->addr, i % 2 ? 1 : 1 << 20);
}

static void owner_buffer_positions_negative(struct subject *subject, const struct areas *areas)
{
	poke_all(subject, areas, "buffer position", 0, wild, 8);
}

static void owner_buffers_huge(struct subject *subject, const struct areas *areas)
{
	poke_words(subject, areas, "buffer", 0, huge, huge);
}

static void owner_buffers_beyond_cap(struct subject *subject, const struct areas *areas)
{
	poke_words(subject, areas, "buffer", 0, 1 << 20, 16);
}

static void owner_buffer_sources_self(struct subject *subject, const struct areas *areas)
{
	link_items(subject, areas, "buffer source", 8, 0);
}

/* ---- connections, databases ---- */

static void owner_connection_maps_exchanged(struct subject *subject, const struct areas *areas)
{
	link_items(subject, areas, "transport map", 0, 1);
	lead_to(subject, areas, "transport map", 0, "map header", 0);
}

static void owner_connection_owners_self(struct subject *subject, const struct areas *areas)
{
	link_items(subject, areas, "connection owner", 0, 0);
	link_items(subject, areas, "connection", 8, 0);
}

static void owner_connection_hosts_huge(struct subject *subject, const struct areas *areas)
{
	poke_words(subject, areas, "connection host", 0, huge, huge);
}

static void owner_database_lists_huge(struct subject *subject, const struct areas *areas)
{
	poke_words(subject, areas, "database list", 0, huge / 64, huge / 64);
	poke_all(subject, areas, "database count", 0, huge, 8);
}

static void owner_database_holders_self(struct subject *subject, const struct areas *areas)
{
	link_items(subject, areas, "database holder", 0, 0);
	link_items(subject, areas, "connection owner", 0, 1);
}

static void owner_database_requests_wild(struct subject *subject, const struct areas *areas)
{
	poke_words(subject, areas, "database requests", wild, huge - 1, huge);
	poke_all(subject, areas, "database count", 0, wild, 8);
}

/* ---- maps ---- */

/* B stands behind count and flags until 1.23; from 1.24 on the third word is the directory, and the
 * fourth begins with its length. */
static void owner_maps_of_40_bits(struct subject *subject, const struct areas *areas)
{
	poke_all(subject, areas, "map header", 9, 40, 1);
}

static void owner_map_directories_huge(struct subject *subject, const struct areas *areas)
{
	poke_all(subject, areas, "map header", 24, 1 << 30, 8);
}

static void owner_map_directories_self(struct subject *subject, const struct areas *areas)
{
	link_items(subject, areas, "map header", 16, 0);
	poke_all(subject, areas, "map header", 24, 64, 8);
}

static void owner_map_groups_of_one(struct subject *subject, const struct areas *areas)
{
	lead_to(subject, areas, "map table", 16, "map group", 0);
	lead_to(subject, areas, "map header", 16, "map group", 0);
}

static void owner_map_groups_ring(struct subject *subject, const struct areas *areas)
{
	const struct area *group;

	for (size_t i = 0; (group = area_at(areas, "map group", i)); i++)
		subject_poke64(subject, group->addr + group->size - 8, group->addr);
}

/* ---- finalizers ---- */

static void owner_specials_ring(struct subject *subject, const struct areas *areas)
{
	link_items(subject, areas, "special", areas->layout.special.next, 1);
}

static void owner_finalizers_call_data(struct subject *subject, const struct areas *areas)
{
	lead_to(subject, areas, "special", areas->layout.specialfinalizer.fn, "heap", 0);
}

static void owner_finalizer_types_wild(struct subject *subject, const struct areas *areas)
{
	poke_all(subject, areas, "special", areas->layout.specialfinalizer.fn + 16, wild, 8);
	poke_all(subject, areas, "special", areas->layout.specialfinalizer.fn + 24, wild, 8);
}

static void owner_queues_ring(struct subject *subject, const struct areas *areas)
{
	link_items(subject, areas, "finblock", areas->layout.finblock.alllink, 1);
	poke_all(subject, areas, "finblock", areas->layout.finblock.cnt, UINT32_MAX, 4);
	link_items(subject, areas, "cleanup block", areas->layout.cleanupBlock.alllink, 1);
}

/* ---- closures ---- */

/* In the middle of the function. */
static void owner_closures_inside_code(struct subject *subject, const struct areas *areas)
{
	const struct area *closure;

	for (size_t i = 0; (closure = area_at(areas, "closure", i)); i++)
		subject_poke64(subject, closure->addr, subject_peek(subject, closure->addr) + 3);
}

static void owner_closures_of_one_function(struct subject *subject, const struct areas *areas)
{
	const struct area *closure, *first = area_at(areas, "closure", 0);

	for (size_t i = 0; (closure = area_at(areas, "closure", i)); i++)
		subject_poke64(subject, closure->addr, subject_peek(subject, first->addr));
}

static void owner_closures_capture_themselves(struct subject *subject, const struct areas *areas)
{
	link_items(subject, areas, "closure", 8, 0);
}

/* ---- slices, strings ---- */

static void owner_slices_beyond_cap(struct subject *subject, const struct areas *areas)
{
	poke_words(subject, areas, "slice header", 0, 4096, 1);
}

static void owner_slices_of_all(struct subject *subject, const struct areas *areas)
{
	poke_words(subject, areas, "slice header", 0, huge, huge);
}

/* Every one looks into the same array, a byte further on than the one before. */
static void owner_slices_overlap(struct subject *subject, const struct areas *areas)
{
	const struct area *header, *first = area_at(areas, "slice header", 0);
	sw_addr array = first ? subject_peek(subject, first->addr) : 0;

	for (size_t i = 0; (header = area_at(areas, "slice header", i)); i++)
		subject_poke64(subject, header->addr, array + i % 1024);
}

static void owner_slices_at_the_end(struct subject *subject, const struct areas *areas)
{
	lead_to(subject, areas, "slice header", 0, "span tail", 0);
}

static void owner_strings_of_all(struct subject *subject, const struct areas *areas)
{
	poke_words(subject, areas, "string header", 0, huge, 0);
}

static void owner_strings_negative(struct subject *subject, const struct areas *areas)
{
	poke_words(subject, areas, "string header", 0, wild, 0);
}

/* ---- arenas ---- */

static void owner_chunks_self(struct subject *subject, const struct areas *areas)
{
	lead_to(subject, areas, "chunk next", 0, "chunk", 0);
}

static void owner_chunks_ring(struct subject *subject, const struct areas *areas)
{
	lead_to(subject, areas, "chunk next", 0, "chunk", 1);
}

static void owner_chunks_used_wild(struct subject *subject, const struct areas *areas)
{
	poke_all(subject, areas, "chunk used", 0, wild, 8);
}

static void owner_chunk_lists_huge(struct subject *subject, const struct areas *areas)
{
	poke_words(subject, areas, "chunk list", 0, huge / 64, huge / 64);
}

const struct damage_case owner_cases[] = {
	OWNER_CASE(owner_pool_size_huge),
	OWNER_CASE(owner_pool_size_most),
	OWNER_CASE(owner_pool_local_self),
	OWNER_CASE(owner_pool_rings_self),
	OWNER_CASE(owner_pool_rings_ring),
	OWNER_CASE(owner_pool_head_before_tail),
	OWNER_CASE(owner_pool_ends_far),
	OWNER_CASE(owner_pool_slots_huge),
	OWNER_CASE(owner_pool_slots_beyond_cap),
	OWNER_CASE(owner_context_own_parent),
	OWNER_CASE(owner_context_parents_ring),
	OWNER_CASE(owner_context_parent_of_no_type),
	OWNER_CASE(owner_context_children_of_another),
	OWNER_CASE(owner_context_children_no_map),
	OWNER_CASE(owner_context_children_garbage),
	OWNER_CASE(owner_context_keys_wild),
	OWNER_CASE(owner_timers_self),
	OWNER_CASE(owner_timer_channels_exchanged),
	OWNER_CASE(owner_descriptor_locks_wild),
	OWNER_CASE(owner_descriptor_numbers_wild),
	OWNER_CASE(owner_descriptor_names_huge),
	OWNER_CASE(owner_descriptor_addresses),
	OWNER_CASE(owner_buffer_positions_crossed),
	OWNER_CASE(owner_buffer_positions_negative),
	OWNER_CASE(owner_buffers_huge),
	OWNER_CASE(owner_buffers_beyond_cap),
	OWNER_CASE(owner_buffer_sources_self),
	OWNER_CASE(owner_connection_maps_exchanged),
	OWNER_CASE(owner_connection_owners_self),
	OWNER_CASE(owner_connection_hosts_huge),
	OWNER_CASE(owner_database_lists_huge),
	OWNER_CASE(owner_database_holders_self),
	OWNER_CASE(owner_database_requests_wild),
	OWNER_CASE(owner_maps_of_40_bits),
	OWNER_CASE(owner_map_directories_huge),
	OWNER_CASE(owner_map_directories_self),
	OWNER_CASE(owner_map_groups_of_one),
	OWNER_CASE(owner_map_groups_ring),
	OWNER_CASE(owner_specials_ring),
	OWNER_CASE(owner_finalizers_call_data),
	OWNER_CASE(owner_finalizer_types_wild),
	OWNER_CASE(owner_queues_ring),
	OWNER_CASE(owner_closures_inside_code),
	OWNER_CASE(owner_closures_of_one_function),
	OWNER_CASE(owner_closures_capture_themselves),
	OWNER_CASE(owner_slices_beyond_cap),
	OWNER_CASE(owner_slices_of_all),
	OWNER_CASE(owner_slices_overlap),
	OWNER_CASE(owner_slices_at_the_end),
	OWNER_CASE(owner_strings_of_all),
	OWNER_CASE(owner_strings_negative),
	OWNER_CASE(owner_chunks_self),
	OWNER_CASE(owner_chunks_ring),
	OWNER_CASE(owner_chunks_used_wild),
	OWNER_CASE(owner_chunk_lists_huge),
	{0},
};
