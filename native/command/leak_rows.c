#include "command/leak_rows.h"

#include "command/wait_words.h"
#include "report/text.h"

#include <inttypes.h>

enum { FRAMES_TOLD = 8, GOIDS_TOLD = 12 };

void sw_leak_row_pattern(struct sw_wakers *wakers, const struct sw_leak_table *table, size_t index,
			 struct sw_leak_pattern *out)
{
	uint32_t first = table->clusters.items[index].members[0];
	struct sw_blocked_on on;

	sw_blocked_on_find(wakers->view, first, &on);
	struct sw_leak_evidence evidence = {
		.wakers = wakers,
		.goroutine = first,
		.on = &on,
		.is_leaked = table->is_leaked[first],
		.is_proven = table->is_proven,
		.is_in_cycle = table->in_cycle && sw_bitset_has(table->in_cycle, first),
	};
	sw_leak_pattern_find(&evidence, out);
}

/* ---- JSON ---- */

static const char *function_of(const struct sw_wait_view *view, uint32_t goroutine)
{
	uint32_t call = sw_goroutine_own_place(&view->goroutines, goroutine);
	return call == UINT32_MAX ? "?" : view->goroutines.stacks->names[call];
}

json_t *sw_leak_row(struct sw_wakers *wakers, const struct sw_leak_table *table, size_t index)
{
	const struct sw_goroutine_cluster *cluster = &table->clusters.items[index];
	uint32_t first = cluster->members[0];
	struct sw_leak_pattern pattern;
	struct sw_blocked_on on;
	json_t *row = json_object();

	sw_blocked_on_find(wakers->view, first, &on);
	sw_leak_row_pattern(wakers, table, index, &pattern);
	json_object_set_new(row, "goroutines", json_integer((json_int_t)cluster->count));
	json_object_set_new(row, "function", sw_json_string(function_of(wakers->view, first)));
	json_object_set_new(row, "wait_reason", sw_json_string(cluster->wait_reason));
	json_object_set_new(row, "pattern", json_string(pattern.name));
	json_object_set_new(row, "explanation", sw_json_string(pattern.explanation));
	json_object_set_new(row, "blocked_on", sw_blocked_on_json(wakers, first, &on));
	if (table->is_leaked[first] && !table->is_proven)
		json_object_set_new(row, "unproven_leak", json_true());
	json_t *rest = sw_goroutine_cluster_row(&wakers->view->goroutines, cluster);
	json_object_update_missing(row, rest);
	json_decref(rest);
	json_object_del(row, "count");
	json_object_set_new(row, "retained_bytes", sw_json_bytes(cluster->retained_bytes));
	return row;
}

/* ---- words ---- */

static void put_place(const struct sw_wait_view *view, uint32_t call, FILE *out)
{
	char *text = call == UINT32_MAX ? NULL : sw_goroutine_place_text(&view->goroutines, call);
	fputs(text ? text : "?", out);
	free(text);
}

static void put_frames(const struct sw_wait_view *view, uint32_t goroutine, FILE *out)
{
	const struct sw_go_stacks *stacks = view->goroutines.stacks;
	struct sw_go_stack_range range = stacks->stacks[stacks->stack_of[goroutine]];
	uint32_t creator = stacks->created_by[goroutine];
	unsigned told = 0, left = 0;

	for (uint32_t i = range.begin; i < range.begin + range.count; i++) {
		if (stacks->is_hidden[i])
			continue;
		if (told++ >= FRAMES_TOLD) {
			left++;
			continue;
		}
		fputs("        ", out);
		put_place(view, stacks->frames[i], out);
		fputc('\n', out);
	}
	if (left)
		fprintf(out, "        … %u more\n", left);
	if (creator == UINT32_MAX)
		return;
	fputs("        created by ", out);
	put_place(view, creator, out);
	fputc('\n', out);
}

static void put_goids(const struct sw_wait_view *view, const struct sw_goroutine_cluster *cluster,
		      FILE *out)
{
	fprintf(out, "      goroutine%s", cluster->count == 1 ? "" : "s");
	for (size_t i = 0; i < cluster->count && i < GOIDS_TOLD; i++)
		fprintf(out, " %" PRIu64,
			view->live.go->goroutines.items[cluster->members[i]].goid);
	if (cluster->count > GOIDS_TOLD)
		fprintf(out, " … %zu more", cluster->count - GOIDS_TOLD);
	fputc('\n', out);
}

static void put_head(const struct sw_wait_view *view, const struct sw_goroutine_cluster *cluster,
		     const char *pattern, FILE *out)
{
	json_t *seconds = sw_goroutine_seconds(cluster->waiting_ns);
	char *waiting = json_is_null(seconds) ? NULL : sw_text_value("wait_seconds", seconds);
	char count[32];

	fprintf(out, "  %s goroutine%s %s in %s at %s", sw_text_count(cluster->count, count),
		cluster->count == 1 ? "" : "s", cluster->count == 1 ? "waits" : "wait",
		cluster->wait_reason ? cluster->wait_reason : "?",
		function_of(view, cluster->members[0]));
	if (waiting)
		fprintf(out, " for %s or longer", waiting);
	fprintf(out, ": %s\n", pattern);
	free(waiting);
	json_decref(seconds);
}

void sw_leak_lines(struct sw_wakers *wakers, const struct sw_leak_table *table, size_t index,
		   FILE *out)
{
	const struct sw_goroutine_cluster *cluster = &table->clusters.items[index];
	uint32_t first = cluster->members[0];
	struct sw_leak_pattern pattern;
	struct sw_blocked_on on;
	char heap[16], stacks[16];

	sw_blocked_on_find(wakers->view, first, &on);
	sw_leak_row_pattern(wakers, table, index, &pattern);
	put_head(wakers->view, cluster, pattern.name, out);
	fprintf(out, "      %s\n", pattern.explanation);
	fputs(cluster->count == 1 ? "      on " : "      the first on ", out);
	sw_blocked_on_text(wakers->view, &on, out);
	if (on.count) {
		fputs("; ", out);
		sw_blocked_others_text(wakers, first, &on, out);
	}
	fprintf(out, "\n      retain%s %s beside stacks of %s\n", cluster->count == 1 ? "s" : "",
		sw_text_bytes(cluster->retained_bytes, heap),
		sw_text_bytes(cluster->stack_bytes, stacks));
	put_frames(wakers->view, first, out);
	put_goids(wakers->view, cluster, out);
}
