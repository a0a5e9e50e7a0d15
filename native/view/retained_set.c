#include "view/retained_set.h"

#include "base/map.h"

enum { INSIDE = 1, OUTSIDE, MEMBER };

/* Nodes, each + 1. */
SW_MAP(uint8_t, node_verdicts);

/* Is there a member above a node? What is found out counts for all on the way. Whatever is above
 * something retains more: above one that retains more than `most` there is no member, and the way
 * up a long list ends there. */
static struct sw_error *find_member_above(const struct sw_live *live,
					  struct node_verdicts *verdicts, uint64_t most,
					  sw_node node, bool *is_inside)
{
	const sw_node *idom = live->dominators->idom;
	const uint64_t *retained = live->dominators->retained_bytes;
	const uint8_t *known = NULL;
	struct sw_error *error = NULL;
	sw_node end;

	for (end = idom[node]; end != live->graph->super && retained[end] <= most;
	     end = idom[end]) {
		known = node_verdicts_find(verdicts, (uint64_t)end + 1);
		if (known)
			break;
	}
	uint8_t verdict = known && *known != OUTSIDE ? INSIDE : OUTSIDE;
	for (sw_node at = idom[node]; !error && at != end; at = idom[at])
		error = node_verdicts_set(verdicts, (uint64_t)at + 1, verdict);
	*is_inside = verdict == INSIDE;
	return error;
}

struct sw_error *sw_live_retained_set(const struct sw_live *live, const sw_object *objects,
				      size_t count, struct sw_retained *out)
{
	const uint64_t *retained = live->dominators->retained_bytes;
	struct node_verdicts verdicts = {0}, taken = {0};
	struct sw_error *error = NULL;
	uint64_t most = 0; /* bytes that a member retains */
	bool is_inside;

	*out = (struct sw_retained){0};
	if (count == 1) {
		out->bytes = retained[*objects];
		out->objects = live->dominators->retained_objects[*objects];
		return NULL;
	}
	for (size_t i = 0; !error && i < count; i++) {
		most = retained[objects[i]] > most ? retained[objects[i]] : most;
		error = node_verdicts_set(&verdicts, (uint64_t)objects[i] + 1, MEMBER);
	}
	for (size_t i = 0; !error && i < count; i++) {
		if (node_verdicts_find(&taken, (uint64_t)objects[i] + 1))
			continue;
		error = node_verdicts_set(&taken, (uint64_t)objects[i] + 1, MEMBER);
		if (!error)
			error = find_member_above(live, &verdicts, most, objects[i], &is_inside);
		if (error || is_inside)
			continue;
		out->bytes += retained[objects[i]];
		out->objects += live->dominators->retained_objects[objects[i]];
	}
	node_verdicts_free(&verdicts);
	node_verdicts_free(&taken);
	return error;
}
