#include "command/timers_rows.h"

#include "go/clock.h"

enum { MAX_ADDRESSES = 32 }; /* in a row */

/* ---- clusters ---- */

static int compare_names(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "");
}

static int compare_numbers(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

static int compare_deeds(const struct sw_timer *x, const struct sw_timer *y)
{
	int order = compare_numbers(y->is_abandoned, x->is_abandoned);
	if (!order)
		order = compare_numbers(x->kind, y->kind);
	if (!order)
		order = compare_names(x->function, y->function);
	if (!order)
		order = compare_names(x->callee, y->callee);
	if (!order)
		order = compare_numbers(x->timer.period, y->timer.period);
	return order ? order : compare_numbers(x->timer.state, y->timer.state);
}

static int by_deed(const void *a, const void *b, void *context)
{
	const struct sw_timers *timers = context;
	const struct sw_timer *x = &timers->items[*(const uint32_t *)a];
	const struct sw_timer *y = &timers->items[*(const uint32_t *)b];
	int order = compare_deeds(x, y);
	if (!order)
		order = compare_numbers(x->timer.when, y->timer.when);
	return order ? order
		     : compare_numbers((int64_t)x->timer.address, (int64_t)y->timer.address);
}

static int by_retained(const void *a, const void *b)
{
	const struct sw_timer_cluster *x = a, *y = b;
	if (x->retained.bytes != y->retained.bytes)
		return x->retained.bytes < y->retained.bytes ? 1 : -1;
	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return (x->members > y->members) - (x->members < y->members);
}

/* With the closure that it calls, and the channel it sends to. */
static struct sw_error *retain(const struct sw_live *live, const struct sw_timers *timers,
			       struct sw_timer_cluster *cluster)
{
	struct sw_objects objects = {0};
	struct sw_error *error = NULL;

	for (size_t i = 0; !error && i < cluster->count; i++) {
		sw_object object = timers->items[cluster->members[i]].object;
		if (object != SW_NO_OBJECT)
			error = sw_objects_add(&objects, object);
	}
	if (!error)
		error = sw_live_retained_set(live, objects.items, objects.count,
					     &cluster->retained);
	sw_objects_free(&objects);
	return error;
}

struct sw_error *sw_timer_clusters_build(const struct sw_live *live, const struct sw_timers *timers,
					 struct sw_timer_clusters *out)
{
	struct sw_error *error = NULL;

	*out = (struct sw_timer_clusters){
		.items = calloc(timers->count + 1, sizeof(*out->items)),
		.members = calloc(timers->count + 1, sizeof(*out->members)),
	};
	if (!out->items || !out->members)
		return sw_error_memory();
	for (size_t i = 0; i < timers->count; i++)
		out->members[i] = (uint32_t)i;
	qsort_r(out->members, timers->count, sizeof(*out->members), by_deed, (void *)timers);
	for (size_t i = 0, end; !error && i < timers->count; i = end) {
		struct sw_timer_cluster *cluster = &out->items[out->count++];
		for (end = i + 1;
		     end < timers->count && !compare_deeds(&timers->items[out->members[i]],
							   &timers->items[out->members[end]]);
		     end++)
			;
		cluster->members = out->members + i;
		cluster->count = end - i;
		error = retain(live, timers, cluster);
	}
	if (out->count)
		qsort(out->items, out->count, sizeof(*out->items), by_retained);
	return error;
}

void sw_timer_clusters_free(struct sw_timer_clusters *clusters)
{
	free(clusters->items);
	free(clusters->members);
	memset(clusters, 0, sizeof(*clusters));
}

/* ---- values ---- */

static json_t *period(const struct sw_timer *timer)
{
	return timer->timer.period ? json_real(1e-9 * (double)timer->timer.period) : json_null();
}

/* From now on; null for one that does nothing. */
static json_t *seconds(const struct sw_timer *timer, int64_t now)
{
	if (!now || timer->timer.state == SW_GO_TIMER_STOPPED)
		return json_null();
	return json_real(1e-9 * ((double)timer->timer.when - (double)now));
}

static void set_deed(json_t *row, const struct sw_timer *timer)
{
	json_object_set_new(row, "kind", json_string(sw_timer_kind_word(timer->kind)));
	json_object_set_new(row, "function", sw_json_string_or_null(timer->function));
	json_object_set_new(row, "callee", sw_json_string_or_null(timer->callee));
	json_object_set_new(row, "period_seconds", period(timer));
	json_object_set_new(row, "state", json_string(sw_go_timer_state_word(timer->timer.state)));
	json_object_set_new(row, "abandoned", json_boolean(timer->is_abandoned));
}

/* ---- rows ---- */

static json_t *cluster_row(const struct sw_timer_rows *rows, const struct sw_timer_cluster *cluster,
			   int64_t now)
{
	const struct sw_timer *timers = rows->timers->items;
	const struct sw_timer *first = &timers[cluster->members[0]];
	uint64_t readers = 0, unread = 0;
	json_t *row = json_object(), *addresses = json_array();

	for (size_t i = 0; i < cluster->count; i++) {
		const struct sw_timer *timer = &timers[cluster->members[i]];
		readers += timer->readers;
		unread += timer->length != 0;
		if (i < MAX_ADDRESSES)
			json_array_append_new(addresses, sw_json_address(timer->timer.address));
	}
	json_object_set_new(row, "timers", sw_json_count(cluster->count));
	set_deed(row, first);
	json_object_set_new(row, "next_seconds", seconds(first, now));
	json_object_set_new(row, "last_seconds",
			    seconds(&timers[cluster->members[cluster->count - 1]], now));
	json_object_set_new(row, "readers", first->channel ? sw_json_count(readers) : json_null());
	json_object_set_new(row, "full_channels",
			    first->channel ? sw_json_count(unread) : json_null());
	json_object_set_new(row, "retained_bytes", sw_json_bytes(cluster->retained.bytes));
	json_object_set_new(row, "retained_objects", sw_json_count(cluster->retained.objects));
	json_object_set_new(row, "addresses", addresses);
	return row;
}

static json_t *timer_row(const struct sw_timer *timer, int64_t now)
{
	json_t *row = json_object();

	json_object_set_new(row, "address", sw_json_address(timer->timer.address));
	set_deed(row, timer);
	json_object_set_new(row, "when_seconds", seconds(timer, now));
	json_object_set_new(row, "p", timer->p == SW_NO_P ? json_null() : sw_json_count(timer->p));
	json_object_set_new(row, "goid", timer->goid ? sw_json_count(timer->goid) : json_null());
	json_object_set_new(row, "channel_address", sw_json_address_or_null(timer->channel));
	json_object_set_new(row, "channel_length",
			    timer->channel ? sw_json_count(timer->length) : json_null());
	json_object_set_new(row, "readers",
			    timer->channel ? sw_json_count(timer->readers) : json_null());
	json_object_set_new(row, "retained_bytes", sw_json_bytes(timer->retained_bytes));
	return row;
}

/* ---- tables ---- */

void sw_timer_rows_report(const struct sw_timer_rows *rows)
{
	int64_t now = sw_go_now(rows->live->go);
	size_t shown = sw_arguments_shown(rows->arguments, rows->clusters->count);

	sw_report_table(rows->report, "clusters",
			"timers kind callee period_seconds state abandoned next_seconds "
			"last_seconds readers retained_bytes");
	for (size_t i = 0; i < shown; i++)
		sw_report_row(rows->report, "clusters",
			      cluster_row(rows, &rows->clusters->items[i], now));
	sw_report_omitted(rows->report, "clusters", rows->clusters->count, shown);
	if (!sw_arguments_flag(rows->arguments, "each"))
		return;
	shown = sw_arguments_shown(rows->arguments, rows->timers->count);
	sw_report_table(rows->report, "timers",
			"address kind callee period_seconds state when_seconds p channel_length "
			"readers retained_bytes");
	for (size_t i = 0; i < shown; i++)
		sw_report_row(rows->report, "timers", timer_row(&rows->timers->items[i], now));
	sw_report_omitted(rows->report, "timers", rows->timers->count, shown);
}
