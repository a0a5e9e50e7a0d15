/* Damage by construction: each case is one way in which a heap's tables can contradict
 * themselves. */
#include "cases.h"

const struct area *area_at(const struct areas *areas, const char *name, size_t index)
{
	const struct area_kind *kind = areas_kind(areas, name);

	return kind && index < kind->areas.count ? &kind->areas.items[index] : NULL;
}

void poke_all(struct subject *subject, const struct areas *areas, const char *name,
	      sw_offset offset, uint64_t word, unsigned size)
{
	const struct area *area;

	for (size_t i = 0; i < MANY && (area = area_at(areas, name, i)); i++)
		subject_poke(subject, area->addr + offset, &word, size);
}

void make_cycle(struct subject *subject, const struct areas *areas, const char *name,
		sw_offset link, bool to_itself)
{
	const struct area *area, *first = area_at(areas, name, 0), *last = first;

	for (size_t i = 0; (area = area_at(areas, name, i)); i++) {
		if (to_itself)
			subject_poke64(subject, area->addr + link, area->addr);
		last = area;
	}
	if (!to_itself && first)
		subject_poke64(subject, last->addr + link, first->addr);
}

void link_items(struct subject *subject, const struct areas *areas, const char *name,
		sw_offset link, size_t step)
{
	const struct area_kind *kind = areas_kind(areas, name);

	for (size_t i = 0; kind && i < kind->areas.count; i++)
		subject_poke64(subject, kind->areas.items[i].addr + link,
			       kind->areas.items[(i + step) % kind->areas.count].addr);
}

/* ---- all of them ---- */

const struct damage_case *damage_case_at(size_t index)
{
	static const struct damage_case *const tables[] = {
		heap_cases,	type_cases, module_cases,    goroutine_cases,
		function_cases, wait_cases, scheduler_cases, owner_cases};

	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++)
		for (const struct damage_case *at = tables[i]; at->name; at++)
			if (!index--)
				return at;
	return NULL;
}

const struct damage_case *damage_case_named(const char *name)
{
	const struct damage_case *at;

	for (size_t i = 0; (at = damage_case_at(i)) && strcmp(at->name, name) != 0;)
		i++;
	return at;
}
