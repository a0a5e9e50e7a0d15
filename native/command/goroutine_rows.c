#include "command/goroutine_rows.h"

#include "base/map.h"
#include "go/clock.h"
#include "go/labels.h"
#include "go/name.h"
#include "go/wait_reason.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- the shown calls of a stack ---- */

/* `struct shown shown = start(view, goroutine); while (next_shown(&shown, &call)) …` */
struct shown {
	const struct sw_goroutine_view *view;
	uint32_t at, end; /* in stacks->frames */
	uint64_t left;	  /* calls that count yet */
};

static struct shown start(const struct sw_goroutine_view *view, uint32_t goroutine)
{
	const struct sw_go_stacks *stacks = view->stacks;
	struct sw_go_stack_range range = stacks->stacks[stacks->stack_of[goroutine]];

	return (struct shown){.view = view,
			      .at = range.begin,
			      .end = range.begin + range.count,
			      .left = view->depth ? view->depth : UINT64_MAX};
}

static bool next_shown(struct shown *shown, uint32_t *call)
{
	const struct sw_go_stacks *stacks = shown->view->stacks;

	while (shown->at < shown->end && stacks->is_hidden[shown->at])
		shown->at++;
	if (shown->at == shown->end || !shown->left)
		return false;
	shown->left--;
	*call = stacks->frames[shown->at++];
	return true;
}

uint32_t sw_goroutine_top(const struct sw_goroutine_view *view, uint32_t goroutine)
{
	struct shown shown = start(view, goroutine);
	uint32_t call;

	return next_shown(&shown, &call) ? call : UINT32_MAX;
}

/* Is it a function of the standard library that is there to wait, or below such? */
static bool is_way_to_wait(const char *function)
{
	static const char *const packages[] = {"sync", "time", "syscall", "runtime"};
	size_t length = sw_go_package_length(function);

	for (size_t i = 0; i < sizeof(packages) / sizeof(*packages); i++)
		if (strlen(packages[i]) == length && !memcmp(function, packages[i], length))
			return true;
	return !strncmp(function, "internal/", 9) || !strncmp(function, "sync/", 5);
}

uint32_t sw_goroutine_own_place(const struct sw_goroutine_view *view, uint32_t goroutine)
{
	struct sw_goroutine_view whole = *view;
	whole.depth = 0;
	struct shown shown = start(&whole, goroutine);
	uint32_t call;

	while (next_shown(&shown, &call))
		if (!is_way_to_wait(view->stacks->calls[call].function))
			return call;
	return sw_goroutine_top(view, goroutine);
}

/* ---- fingerprints ---- */

#define FNV_START 0xcbf29ce484222325u
#define FNV_PRIME 0x100000001b3u

static uint64_t add_text(uint64_t hash, const char *text)
{
	for (; *text; text++)
		hash = (hash ^ (uint8_t)*text) * FNV_PRIME;
	return (hash ^ '\n') * FNV_PRIME;
}

static bool ends_in(const char *text, const char *end)
{
	size_t size = strlen(text), end_size = strlen(end);
	return size >= end_size && !strcmp(text + size - end_size, end);
}

/* The file that another processor has in its stead counts its lines otherwise. */
static bool is_of_one_processor(const char *file)
{
	return ends_in(file, ".s") || ends_in(file, "_amd64.go") || ends_in(file, "_arm64.go");
}

static uint64_t hash_call(const struct sw_go_stacks *stacks, uint32_t call)
{
	const struct sw_go_call *place = &stacks->calls[call];
	char line[16];

	snprintf(line, sizeof(line), "%" PRId32,
		 is_of_one_processor(place->file) ? 0 : place->line);
	return add_text(add_text(FNV_START, stacks->names[call]), line);
}

static uint64_t add_hash(uint64_t hash, uint64_t other)
{
	hash = (hash ^ other) * FNV_PRIME;
	return hash ^ hash >> 32;
}

uint64_t sw_goroutine_fingerprint(const struct sw_goroutine_view *view, uint32_t goroutine)
{
	struct shown shown = start(view, goroutine);
	uint32_t call, creator = view->stacks->created_by[goroutine];
	uint64_t hash = FNV_START;

	while (next_shown(&shown, &call))
		hash = add_hash(hash, view->call_hashes[call]);
	hash = add_hash(hash, 0); /* what created it is no frame */
	return creator == UINT32_MAX ? hash : add_hash(hash, view->call_hashes[creator]);
}

struct sw_error *sw_goroutine_view_init(struct sw_goroutine_view *view, struct sw_session *session)
{
	memset(view, 0, sizeof(*view));
	struct sw_error *error = sw_session_go(session, &view->go);
	if (!error)
		error = sw_session_stacks(session, &view->stacks);
	if (error)
		return error;
	view->now = sw_go_now(view->go);
	view->call_hashes = calloc((size_t)view->stacks->call_count + 1, sizeof(uint64_t));
	if (!view->call_hashes)
		return sw_error_memory();
	for (uint32_t i = 0; i < view->stacks->call_count; i++)
		view->call_hashes[i] = hash_call(view->stacks, i);
	return NULL;
}

void sw_goroutine_view_free(struct sw_goroutine_view *view)
{
	free(view->call_hashes);
	memset(view, 0, sizeof(*view));
}

/* ---- values ---- */

json_t *sw_goroutine_place(const struct sw_goroutine_view *view, uint32_t call, bool is_frame)
{
	if (call == UINT32_MAX)
		return json_null();
	const struct sw_go_call *place = &view->stacks->calls[call];
	json_t *json = json_object();
	json_object_set_new(json, "function", sw_json_string(view->stacks->names[call]));
	json_object_set_new(json, "file", sw_json_string(place->file));
	json_object_set_new(json, "line", json_integer(place->line));
	if (is_frame)
		json_object_set_new(json, "inlined", json_boolean(place->is_inlined));
	return json;
}

json_t *sw_goroutine_frames(const struct sw_goroutine_view *view, uint32_t goroutine)
{
	struct shown shown = start(view, goroutine);
	json_t *frames = json_array();
	uint32_t call;

	while (next_shown(&shown, &call))
		json_array_append_new(frames, sw_goroutine_place(view, call, true));
	return frames;
}

json_t *sw_goroutine_creator(const struct sw_goroutine_view *view, uint32_t goroutine)
{
	uint64_t parent = view->go->goroutines.items[goroutine].parent_goid;
	json_t *json = sw_goroutine_place(view, view->stacks->created_by[goroutine], false);

	if (json_is_object(json))
		json_object_set_new(json, "goroutine",
				    parent ? json_integer((json_int_t)parent) : json_null());
	return json;
}

json_t *sw_goroutine_labels(const struct sw_goroutine_view *view, uint32_t goroutine)
{
	struct sw_go_label_list labels = {0};
	bool is_known;
	struct sw_error *error =
		sw_go_labels(view->go, &view->go->goroutines.items[goroutine], &labels, &is_known);
	json_t *json = error || !is_known ? json_null() : json_object();

	for (size_t i = 0; i < labels.count; i++) {
		const struct sw_go_label *label = &labels.items[i];
		json_t *key = sw_json_text(label->key, label->key_size);
		json_object_set_new(json, key ? json_string_value(key) : "?",
				    sw_json_text(label->value, label->value_size));
		json_decref(key);
	}
	sw_go_label_list_free(&labels);
	sw_error_free(error);
	return json;
}

json_t *sw_goroutine_seconds(int64_t ns)
{
	return ns < 0 ? json_null() : json_real((double)ns / 1e9);
}

json_t *sw_goroutine_fingerprint_json(uint64_t fingerprint)
{
	char text[20];
	snprintf(text, sizeof(text), "%016" PRIx64, fingerprint);
	return json_string(text);
}

char *sw_goroutine_place_text(const struct sw_goroutine_view *view, uint32_t call)
{
	const struct sw_go_call *place = &view->stacks->calls[call];
	const char *slash = strrchr(place->file, '/');
	char *text = NULL;
	int length;

	if (*place->file)
		length = asprintf(&text, "%s (%s:%" PRId32 ")", view->stacks->names[call],
				  slash ? slash + 1 : place->file, place->line);
	else
		length = asprintf(&text, "%s", view->stacks->names[call]);
	return length < 0 ? NULL : text;
}

/* ---- rows of goroutines ---- */

static json_t *locked_thread(const struct sw_go *go, const struct sw_goroutine *g)
{
	uint64_t tid;
	if (!g->lockedm || !sw_memory_u64(go->memory, g->lockedm + go->layout.m.procid, &tid))
		return json_null();
	return json_integer((json_int_t)tid);
}

json_t *sw_goroutine_row(const struct sw_goroutine_view *view, uint32_t goroutine)
{
	const struct sw_goroutine *g = &view->go->goroutines.items[goroutine];
	uint32_t top = sw_goroutine_top(view, goroutine);
	json_t *row = json_object();

	json_object_set_new(row, "goid", json_integer((json_int_t)g->goid));
	json_object_set_new(row, "state", json_string(sw_go_status_word(g->status)));
	json_object_set_new(row, "wait_reason",
			    sw_json_string_or_null(sw_go_wait_text(view->go, g)));
	json_object_set_new(row, "wait_seconds",
			    sw_goroutine_seconds(sw_go_waiting_ns(g, view->now)));
	json_object_set_new(
		row, "function",
		sw_json_string_or_null(top == UINT32_MAX ? NULL : view->stacks->names[top]));
	json_object_set_new(row, "created_by", sw_goroutine_creator(view, goroutine));
	json_object_set_new(row, "labels", sw_goroutine_labels(view, goroutine));
	json_object_set_new(row, "locked_thread", locked_thread(view->go, g));
	json_object_set_new(row, "system", json_boolean(view->stacks->is_system[goroutine]));
	json_object_set_new(row, "address", sw_json_address(g->address));
	json_object_set_new(row, "stack_bytes", sw_json_bytes(g->stack_hi - g->stack_lo));
	json_object_set_new(
		row, "fingerprint",
		sw_goroutine_fingerprint_json(sw_goroutine_fingerprint(view, goroutine)));
	json_object_set_new(row, "retained_bytes",
			    view->retained ? sw_json_bytes(view->retained[goroutine])
					   : json_null());
	return row;
}

/* ---- clusters ---- */

SW_VECTOR(struct sw_goroutine_cluster, clusters);
SW_MAP(uint32_t, numbers);

struct clustering {
	const struct sw_goroutine_view *view;
	struct clusters clusters;
	struct numbers by_key;
	uint32_t *cluster_of; /* [count] */
};

static bool is_of(const struct sw_goroutine_cluster *cluster, uint64_t fingerprint,
		  const struct sw_goroutine *g, const char *wait_reason)
{
	return cluster->fingerprint == fingerprint && cluster->status == g->status &&
	       cluster->wait_reason == wait_reason;
}

/* The number of a goroutine's cluster; a new one when there is none yet. */
static struct sw_error *find_cluster(struct clustering *clustering, uint32_t goroutine,
				     uint32_t *out)
{
	const struct sw_goroutine_view *view = clustering->view;
	const struct sw_goroutine *g = &view->go->goroutines.items[goroutine];
	uint64_t fingerprint = sw_goroutine_fingerprint(view, goroutine);
	const char *reason = sw_go_wait_text(view->go, g);
	uint64_t key = fingerprint ^ (uint64_t)g->status << 32 ^ (uintptr_t)reason;
	const uint32_t *known;

	key += !key;
	while ((known = numbers_find(&clustering->by_key, key))) {
		*out = *known;
		if (is_of(&clustering->clusters.items[*known], fingerprint, g, reason))
			return NULL;
		key += 1 + (key == UINT64_MAX);
	}
	*out = (uint32_t)clustering->clusters.count;
	struct sw_goroutine_cluster cluster = {.fingerprint = fingerprint,
					       .status = g->status,
					       .wait_reason = reason,
					       .waiting_ns = -1};
	struct sw_error *error = clusters_add(&clustering->clusters, cluster);
	return error ? error : numbers_set(&clustering->by_key, key, *out);
}

static void add_member(const struct sw_goroutine_view *view, struct sw_goroutine_cluster *cluster,
		       uint32_t goroutine)
{
	const struct sw_goroutine *g = &view->go->goroutines.items[goroutine];
	int64_t waiting = sw_go_waiting_ns(g, view->now);

	cluster->members[cluster->count++] = goroutine;
	cluster->stack_bytes += g->stack_hi - g->stack_lo;
	if (waiting > cluster->waiting_ns)
		cluster->waiting_ns = waiting;
}

static int by_goid(const void *a, const void *b, void *context)
{
	const struct sw_goroutine *goroutines = context;
	const uint32_t *x = a, *y = b;
	uint64_t p = goroutines[*x].goid, q = goroutines[*y].goid;
	return p != q ? (p < q ? -1 : 1) : (*x > *y) - (*x < *y);
}

int sw_goroutine_clusters_order(const void *a, const void *b)
{
	const struct sw_goroutine_cluster *x = a, *y = b;
	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	if (x->fingerprint != y->fingerprint)
		return x->fingerprint < y->fingerprint ? -1 : 1;
	if (x->status != y->status)
		return x->status < y->status ? -1 : 1;
	return strcmp(x->wait_reason ? x->wait_reason : "", y->wait_reason ? y->wait_reason : "");
}

/* Gives each cluster its part of `members` and fills it. */
static void place_members(struct clustering *clustering, const uint32_t *goroutines, size_t count,
			  uint32_t *members)
{
	struct clusters *clusters = &clustering->clusters;

	for (size_t i = 0; i < count; i++)
		clusters->items[clustering->cluster_of[i]].count++;
	for (size_t i = 0; i < clusters->count; i++) {
		clusters->items[i].members = members;
		members += clusters->items[i].count;
		clusters->items[i].count = 0;
	}
	for (size_t i = 0; i < count; i++)
		add_member(clustering->view, &clusters->items[clustering->cluster_of[i]],
			   goroutines[i]);
}

struct sw_error *sw_goroutine_clusters_build(const struct sw_goroutine_view *view,
					     const uint32_t *goroutines, size_t count,
					     struct sw_goroutine_clusters *out)
{
	struct clustering clustering = {.view = view};
	struct sw_error *error = NULL;

	memset(out, 0, sizeof(*out));
	out->members = calloc(count + 1, sizeof(*out->members));
	clustering.cluster_of = calloc(count + 1, sizeof(*clustering.cluster_of));
	if (!out->members || !clustering.cluster_of)
		error = sw_error_memory();
	for (size_t i = 0; !error && i < count; i++)
		error = find_cluster(&clustering, goroutines[i], &clustering.cluster_of[i]);
	if (!error) {
		struct clusters *clusters = &clustering.clusters;
		place_members(&clustering, goroutines, count, out->members);
		for (size_t i = 0; i < clusters->count; i++)
			qsort_r(clusters->items[i].members, clusters->items[i].count,
				sizeof(uint32_t), by_goid, view->go->goroutines.items);
		if (clusters->count)
			qsort(clusters->items, clusters->count, sizeof(*clusters->items),
			      sw_goroutine_clusters_order);
		out->items = clusters->items;
		out->count = clusters->count;
	} else {
		clusters_free(&clustering.clusters);
		free(out->members);
		memset(out, 0, sizeof(*out));
	}
	numbers_free(&clustering.by_key);
	free(clustering.cluster_of);
	return error;
}

void sw_goroutine_clusters_free(struct sw_goroutine_clusters *clusters)
{
	free(clusters->items);
	free(clusters->members);
	memset(clusters, 0, sizeof(*clusters));
}

json_t *sw_goroutine_cluster_row(const struct sw_goroutine_view *view,
				 const struct sw_goroutine_cluster *cluster)
{
	uint32_t first = cluster->members[0];
	json_t *row = json_object(), *goids = json_array();

	for (size_t i = 0; i < cluster->count; i++)
		json_array_append_new(
			goids,
			json_integer(
				(json_int_t)view->go->goroutines.items[cluster->members[i]].goid));
	json_object_set_new(row, "count", json_integer((json_int_t)cluster->count));
	json_object_set_new(row, "state", json_string(sw_go_status_word(cluster->status)));
	json_object_set_new(row, "wait_reason", sw_json_string_or_null(cluster->wait_reason));
	json_object_set_new(row, "wait_seconds", sw_goroutine_seconds(cluster->waiting_ns));
	json_object_set_new(row, "created_by",
			    sw_goroutine_place(view, view->stacks->created_by[first], false));
	json_object_set_new(row, "frames", sw_goroutine_frames(view, first));
	json_object_set_new(row, "fingerprint",
			    sw_goroutine_fingerprint_json(cluster->fingerprint));
	json_object_set_new(row, "goids", goids);
	json_object_set_new(row, "stack_bytes", sw_json_bytes(cluster->stack_bytes));
	json_object_set_new(row, "retained_bytes",
			    view->retained ? sw_json_bytes(cluster->retained_bytes) : json_null());
	return row;
}
