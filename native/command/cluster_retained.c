#include "command/cluster_retained.h"

#include "go/wait.h"

struct grouping {
	const struct sw_go *go;
	const struct sw_heap *heap;
	const struct sw_graph *graph;
	uint32_t *group_of; /* [roots] */
};

/* The goroutine that stands for its cluster. */
static uint32_t root_of(const struct grouping *grouping, const struct sw_goroutine_cluster *cluster)
{
	return grouping->go->waits->list.items[cluster->members[0]].root;
}

/* All of the cluster's goroutines under the first. */
static void group_cluster(struct grouping *grouping, const struct sw_goroutine_cluster *cluster)
{
	uint32_t first = root_of(grouping, cluster);
	for (size_t i = 1; i < cluster->count; i++) {
		uint32_t root = grouping->go->waits->list.items[cluster->members[i]].root;
		if (root < grouping->graph->root_count)
			grouping->group_of[root] = first;
	}
}

/* A member of a goroutine that is grouped itself goes where that went. */
static void group_members(struct grouping *grouping)
{
	const struct sw_roots *roots = &grouping->heap->roots;
	for (uint32_t i = 0; i < grouping->graph->root_count; i++) {
		uint32_t group = roots->items[i].group;
		if (group != SW_NO_ROOT && grouping->group_of[group] != SW_NO_ROOT)
			grouping->group_of[i] = grouping->group_of[group];
	}
}

static struct sw_error *retain(struct grouping *grouping, struct sw_work *work,
			       struct sw_goroutine_clusters *const *lists, size_t count)
{
	const struct sw_graph *graph = grouping->graph;
	struct sw_dominators dominators;

	for (uint32_t i = 0; i < graph->root_count; i++)
		grouping->group_of[i] = grouping->heap->roots.items[i].group;
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < lists[i]->count; k++)
			group_cluster(grouping, &lists[i]->items[k]);
	group_members(grouping);
	struct sw_error *error =
		sw_dominators_build(&dominators, graph, grouping->heap, grouping->group_of, work);
	if (error)
		return error;
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < lists[i]->count; k++) {
			struct sw_goroutine_cluster *cluster = &lists[i]->items[k];
			uint32_t root = root_of(grouping, cluster);
			if (root < graph->root_count)
				cluster->retained_bytes =
					dominators.retained_bytes[graph->object_count + root];
		}
	sw_dominators_free(&dominators, graph, work);
	return NULL;
}

struct sw_error *sw_clusters_retain(struct sw_session *session,
				    struct sw_goroutine_clusters *const *lists, size_t count)
{
	struct grouping grouping = {0};
	struct sw_heap *heap;
	struct sw_graph *graph;
	struct sw_go *go;
	struct sw_error *error = sw_session_heap(session, &heap);
	if (!error)
		error = sw_session_graph(session, &graph);
	if (!error)
		error = sw_session_go(session, &go);
	if (error)
		return error;
	grouping = (struct grouping){.go = go, .heap = heap, .graph = graph};
	grouping.group_of = calloc(graph->root_count + 1, sizeof(*grouping.group_of));
	error = grouping.group_of ? retain(&grouping, sw_session_work(session), lists, count)
				  : sw_error_memory();
	free(grouping.group_of);
	return error;
}
