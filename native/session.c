#include "session.h"

#include <stdio.h>
#include <unistd.h>

struct sw_session {
	struct sw_work *work;
	struct sw_target *target;
	struct sw_image *image;
	struct sw_warnings warnings;
	enum sw_index_use index_use;
	struct sw_index *index;

	struct sw_go *go;
	struct sw_go_stacks stacks;
	bool has_stacks;
	struct sw_heap heap;
	bool has_marks, has_holders;
	struct sw_types *types;
	struct sw_typing typing;
	bool has_typing;
	struct sw_graph graph;
	bool has_graph;
	struct sw_dominators dominators;
	bool has_dominators;
};

/* ---- opening ---- */

static struct sw_error *open_target(const struct sw_session_options *options,
				    struct sw_session *session)
{
	if (options->core)
		return sw_target_open_core(options->core, session->work, &session->target);
	if (options->debugged)
		return sw_target_open_debugged(options->pid, options->debugged, session->work,
					       &session->target);
	return sw_target_open_process(options->pid, session->work, &session->target);
}

/* Where the executable may be: what the user says, the path in the target (below the sysroot when
 * there is one), the same file name beside the core. */
static struct sw_error *find_executable(const struct sw_session_options *options,
					const struct sw_session *session, char **out)
{
	const struct sw_target *target = session->target;
	*out = NULL;
	if (options->exe) {
		*out = strdup(options->exe);
		return *out ? NULL : sw_error_memory();
	}
	if (target->exe && options->sysroot &&
	    asprintf(out, "%s%s", options->sysroot, target->exe) < 0)
		return sw_error_memory();
	if (target->exe && !*out)
		*out = strdup(target->exe);
	if (*out && !access(*out, R_OK))
		return NULL;
	free(*out);
	*out = NULL;

	const char *slash = options->core ? strrchr(options->core, '/') : NULL;
	const char *name = target->exe ? strrchr(target->exe, '/') : NULL;
	if (options->core && name &&
	    asprintf(out, "%.*s%s", slash ? (int)(slash + 1 - options->core) : 0, options->core,
		     name + 1) < 0)
		return sw_error_memory();
	if (*out && !access(*out, R_OK))
		return NULL;
	free(*out);
	*out = NULL;
	return sw_error_hint(
		sw_error_format(SW_ERR_NOT_FOUND, "the executable %s is not here",
				target->exe ? target->exe : "of this core"),
		"name it with --exe FILE, or the folder that holds the other machine's "
		"files with --sysroot DIR");
}

static struct sw_error *open_session(const struct sw_session_options *options,
				     struct sw_session *session)
{
	char *exe = NULL;
	sw_work_stage(session->work, "target");
	struct sw_error *error = open_target(options, session);
	if (!error)
		sw_work_stage(session->work, "image");
	if (!error)
		error = find_executable(options, session, &exe);
	if (!error)
		error = sw_image_open(exe, &session->image);
	if (!error && options->sysroot && !(session->image->sysroot = strdup(options->sysroot)))
		error = sw_error_memory();
	if (!error)
		error = sw_image_place(session->image, session->target);
	if (!error && options->symbols)
		error = sw_image_add_symbols(session->image, options->symbols);
	free(exe);
	sw_work_stage(session->work, NULL);
	return error;
}

struct sw_error *sw_session_open(const struct sw_session_options *options, struct sw_work *work,
				 struct sw_session **out)
{
	struct sw_session *session = calloc(1, sizeof(*session));
	*out = NULL;
	if (!session)
		return sw_error_memory();
	session->work = work;
	session->index_use = options->core ? options->index : SW_INDEX_OFF;
	struct sw_error *error = open_session(options, session);
	if (error) {
		sw_session_close(session);
		return error;
	}
	*out = session;
	return NULL;
}

/* What is borrowed from the runtime goes with it. */
static void forget_go(struct sw_session *session)
{
	sw_go_stacks_free(&session->stacks);
	session->has_stacks = false;
	sw_go_close(session->go);
	session->go = NULL;
}

void sw_session_close(struct sw_session *session)
{
	if (!session)
		return;
	if (session->has_dominators && !sw_index_owns(session->index, session->dominators.idom))
		sw_dominators_free(&session->dominators, &session->graph, session->work);
	if (session->has_graph && !sw_index_owns(session->index, session->graph.parent))
		sw_graph_free(&session->graph, session->work);
	if (session->has_typing && !sw_index_owns(session->index, session->typing.types))
		sw_typing_free(&session->typing, session->work);
	sw_types_free(session->types);
	sw_index_close(session->index, session->work);
	sw_heap_free(&session->heap, session->work);
	forget_go(session);
	sw_image_close(session->image);
	sw_target_close(session->target);
	sw_warnings_clear(&session->warnings);
	free(session);
}

struct sw_work *sw_session_work(struct sw_session *session)
{
	return session->work;
}

struct sw_target *sw_session_target(struct sw_session *session)
{
	return session->target;
}

/* ---- parts ---- */

/* A target that is not whole is the likely cause of an error that has no hint of its own. */
static struct sw_error *explain(struct sw_error *error, const struct sw_target *target)
{
	if (!error || error->hint || error->code != SW_ERR_DAMAGED)
		return error;
	for (size_t i = 0; i < target->warnings.count; i++) {
		const struct sw_warning *warning = &target->warnings.items[i];
		if (warning->incomplete)
			return sw_error_hint(error, "%s; %s", warning->message,
					     warning->hint ? warning->hint : "take another core");
	}
	return sw_error_hint(error, "the target is damaged, or the executable is not the one that "
				    "runs in it");
}

static struct sw_error *open_go(struct sw_session *session)
{
	struct sw_error *error = sw_go_open(session->target, session->image, session->work,
					    &session->warnings, &session->go);
	if (!error)
		error = sw_types_check_layout(session->go);
	if (error)
		forget_go(session);
	return error;
}

/* Without its index a core is analysed all the same. */
static void open_index(struct sw_session *session)
{
	if (session->index || session->index_use == SW_INDEX_OFF)
		return;
	sw_work_stage(session->work, "index");
	sw_error_free(sw_index_open(session->target->path, session->index_use, session->go,
				    &session->index));
}

struct sw_error *sw_session_go(struct sw_session *session, struct sw_go **out)
{
	struct sw_error *error = NULL;
	if (!session->go) {
		sw_work_stage(session->work, "runtime");
		error = open_go(session);
		if (!error)
			open_index(session);
		sw_work_stage(session->work, NULL);
	}
	*out = session->go;
	return explain(error, session->target);
}

struct sw_error *sw_session_stacks(struct sw_session *session, struct sw_go_stacks **out)
{
	struct sw_go *go;
	struct sw_error *error = sw_session_go(session, &go);
	*out = &session->stacks;
	if (error || session->has_stacks)
		return error;
	sw_work_stage(session->work, "stacks");
	error = sw_go_stacks_build(go, &session->stacks);
	session->has_stacks = !error;
	sw_work_stage(session->work, NULL);
	return error;
}

/* What marking could not read. */
static void warn_of_marking(struct sw_session *session)
{
	if (session->heap.unread_objects)
		sw_warn(&session->warnings, true, "unread_objects", "was the core cut short?",
			"the contents of %llu objects are not in the target; what only they refer "
			"to is missing",
			(unsigned long long)session->heap.unread_objects);
	if (session->go->damaged_masks)
		sw_warn(&session->warnings, true, "damaged_types", NULL,
			"%llu objects have a type that cannot be read; what only they refer to is "
			"missing",
			(unsigned long long)session->go->damaged_masks);
	if (session->go->gcphase)
		sw_warn(&session->warnings, false, "collecting",
			"take the image again for a comparison by `verify`",
			"the target was in the middle of a collection: the marks of the runtime "
			"are partial and were not used");
}

static struct sw_error *mark(struct sw_session *session)
{
	sw_work_stage(session->work, "space");
	struct sw_error *error = sw_go_build_space(session->go, &session->heap);
	if (!error) {
		session->heap.log = sw_index_marks(session->index, &session->heap, session->work);
		error = sw_go_collect_roots(session->go, &session->heap);
		session->heap.log = NULL;
	}
	if (error)
		return error;
	sw_work_stage(session->work, "number");
	sw_heap_number(&session->heap);
	sw_work_stage(session->work, NULL);
	return NULL;
}

/* Nothing of a half-built heap stays, nor what was said of it. The runtime does: callers have it.
 */
static void forget_heap(struct sw_session *session)
{
	sw_index_forget_marks(session->index, session->work);
	sw_heap_free(&session->heap, session->work);
	memset(&session->heap, 0, sizeof(session->heap));
	sw_go_forget_roots(session->go);
	sw_warnings_clear(&session->warnings);
}

/* By what an index says, and again without it when that is not of this heap. */
static struct sw_error *build_heap(struct sw_session *session)
{
	struct sw_warnings before = session->warnings;
	session->warnings = (struct sw_warnings){0};
	struct sw_error *error = mark(session);
	if (!error && !sw_index_fits(session->index, session->go, &session->heap)) {
		forget_heap(session);
		error = mark(session);
		if (!error)
			sw_index_fits(session->index, session->go, &session->heap);
	}
	if (error)
		forget_heap(session);
	sw_warnings_move(&before, &session->warnings);
	session->warnings = before;
	return error;
}

struct sw_error *sw_session_marks(struct sw_session *session, struct sw_heap **out)
{
	struct sw_go *go;
	struct sw_error *error = sw_session_go(session, &go);
	*out = &session->heap;
	if (error || session->has_marks)
		return error;
	error = build_heap(session);
	if (error)
		return error;
	warn_of_marking(session);
	session->has_marks = true;
	return NULL;
}

struct sw_error *sw_session_heap(struct sw_session *session, struct sw_heap **out)
{
	struct sw_error *error = sw_session_marks(session, out);
	if (error || session->has_holders)
		return error;
	error = sw_go_collect_holders(session->go, &session->heap);
	session->has_holders = !error;
	sw_work_stage(session->work, NULL);
	return error;
}

/* A table that a broken off walk has added to would number types otherwise than the next does. */
static struct sw_error *find_types(struct sw_session *session, struct sw_work *work)
{
	struct sw_error *error = sw_types_create(session->go, &session->types);
	if (!error)
		error = sw_typing_build(&session->typing, session->types, session->go,
					&session->heap, work);
	if (error) {
		sw_types_free(session->types);
		session->types = NULL;
		return error;
	}
	session->has_typing = true;
	return sw_index_keep_types(session->index, session->types);
}

/* The builders take the work to use: sw_session_analyse() runs two of them at a time. */
static struct sw_error *build_types(void *context, struct sw_work *work)
{
	struct sw_session *session = context;
	struct sw_error *error = NULL;
	if (session->has_typing)
		return NULL;
	sw_work_stage(work, "types");
	error = sw_index_take_types(session->index, session->go, &session->heap, work,
				    &session->types, &session->typing, &session->has_typing);
	if (!error && !session->has_typing)
		error = find_types(session, work);
	sw_work_stage(work, NULL);
	return error;
}

static struct sw_error *build_graph(struct sw_session *session, struct sw_work *work)
{
	if (session->has_graph)
		return NULL;
	sw_work_stage(work, "graph");
	struct sw_error *error = sw_index_take_graph(session->index, &session->heap, work,
						     &session->graph, &session->has_graph);
	if (!error && !session->has_graph) {
		error = sw_graph_build(&session->graph, &session->heap, work);
		session->has_graph = !error;
	}
	sw_work_stage(work, NULL);
	return error;
}

static struct sw_error *build_dominators(void *context, struct sw_work *work)
{
	struct sw_session *session = context;
	struct sw_error *error = build_graph(session, work);
	if (error || session->has_dominators)
		return error;
	sw_work_stage(work, "dominators");
	error = sw_index_take_dominators(session->index, &session->graph, work,
					 &session->dominators, &session->has_dominators);
	if (!error && !session->has_dominators) {
		error = sw_dominators_build(&session->dominators, &session->graph, &session->heap,
					    NULL, work);
		session->has_dominators = !error;
	}
	sw_work_stage(work, NULL);
	return error;
}

struct sw_error *sw_session_types(struct sw_session *session, struct sw_types **types,
				  struct sw_typing **typing)
{
	struct sw_heap *heap;
	struct sw_error *error = sw_session_heap(session, &heap);
	if (!error)
		error = build_types(session, session->work);
	*types = session->types;
	*typing = &session->typing;
	return error;
}

struct sw_error *sw_session_graph(struct sw_session *session, struct sw_graph **out)
{
	struct sw_heap *heap;
	struct sw_error *error = sw_session_heap(session, &heap);
	*out = &session->graph;
	return error ? error : build_graph(session, session->work);
}

struct sw_error *sw_session_dominators(struct sw_session *session, struct sw_dominators **out)
{
	struct sw_heap *heap;
	struct sw_error *error = sw_session_heap(session, &heap);
	*out = &session->dominators;
	return error ? error : build_dominators(session, session->work);
}

struct sw_error *sw_session_analyse(struct sw_session *session)
{
	struct sw_heap *heap;
	struct sw_error *error = sw_session_heap(session, &heap);
	if (error)
		return error;
	if (session->work->workers > 1)
		sw_work_stage(session->work, "types | dominators");
	error = sw_parallel_pair(session->work, build_dominators, build_types, session);
	sw_work_stage(session->work, "report");
	return error;
}

struct sw_error *sw_session_live_types(struct sw_session *session, struct sw_live *out)
{
	*out = (struct sw_live){.work = sw_session_work(session)};
	struct sw_error *error = sw_session_heap(session, &out->heap);
	if (!error)
		error = sw_session_go(session, &out->go);
	if (!error)
		error = sw_session_types(session, &out->types, &out->typing);
	if (error)
		return error;
	out->warnings = out->go->warnings;
	out->reader =
		(struct sw_value_reader){.types = out->types, .go = out->go, .heap = out->heap};
	return NULL;
}

struct sw_error *sw_session_live_graph(struct sw_session *session, struct sw_live *out)
{
	struct sw_error *error = sw_session_live_types(session, out);
	return error ? error : sw_session_graph(session, &out->graph);
}

struct sw_error *sw_session_live(struct sw_session *session, struct sw_live *out)
{
	struct sw_error *error = sw_session_analyse(session);
	if (!error)
		error = sw_session_live_graph(session, out);
	return error ? error : sw_session_dominators(session, &out->dominators);
}

/* ---- the index ---- */

const struct sw_index *sw_session_index(const struct sw_session *session)
{
	return session->index;
}

struct sw_error *sw_session_write_index(struct sw_session *session, bool builds)
{
	const struct sw_index_parts parts = {&session->heap, &session->typing, &session->graph,
					     &session->dominators};
	struct sw_error *error = NULL;

	if (session->index_use != SW_INDEX_WRITE)
		return NULL;
	if (builds)
		error = sw_session_analyse(session);
	if (error || !session->index || sw_index_is_whole(session->index) || !session->has_typing ||
	    !session->has_dominators)
		return error;
	sw_work_stage(session->work, "index");
	error = sw_index_write(session->index, &parts, session->work);
	sw_work_stage(session->work, NULL);
	return error;
}

/* ---- reports ---- */

void sw_session_describe(struct sw_session *session, struct sw_report *report)
{
	const struct sw_target *target = session->target;
	char build_id[2 * SW_BUILD_ID_MAX + 1];
	json_t *json = json_object();

	json_object_set_new(json, "kind",
			    json_string(target->kind == SW_TARGET_CORE ? "core" : "process"));
	if (target->kind == SW_TARGET_CORE)
		json_object_set_new(json, "path", json_string(target->path));
	else
		json_object_set_new(json, "pid", json_integer(target->pid));
	const char *exe = target->exe_name ? target->exe_name : session->image->path;
	json_object_set_new(json, "exe", json_string(exe));
	json_object_set_new(json, "arch",
			    json_string(target->arch == SW_ARCH_AMD64 ? "amd64" : "arm64"));
	if (session->go)
		json_object_set_new(json, "runtime", json_string(session->go->version));
	sw_image_build_id_text(session->image, build_id);
	json_object_set_new(json, "build_id", json_string(build_id));
	if (target->kind == SW_TARGET_PROCESS)
		json_object_set_new(json, "stopped_seconds", json_real(target->stopped_seconds));
	sw_report_target(report, json);
	sw_report_warnings(report, &target->warnings);
	sw_report_warnings(report, &session->warnings);
}
