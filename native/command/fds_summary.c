#include "command/fds_view.h"

#include <stdio.h>

/* ---- counting ---- */

static bool is_open(const struct sw_descriptor *descriptor)
{
	return descriptor->number >= 0;
}

bool sw_fds_is_lost(const struct sw_descriptor *descriptor)
{
	return is_open(descriptor) && descriptor->keeper >= SW_KEPT_BY_FINALIZER;
}

/* They are sorted by number. */
bool sw_fds_is_shared(const struct sw_descriptor_list *list, size_t place)
{
	return place && list->items[place].state == SW_DESCRIPTOR_OPEN &&
	       list->items[place - 1].state == SW_DESCRIPTOR_OPEN && is_open(&list->items[place]) &&
	       list->items[place].number == list->items[place - 1].number;
}

static void count_descriptors(struct sw_fds_view *view)
{
	const struct sw_descriptor_list *list = &view->descriptors.list;
	struct sw_fds_tally *tally = &view->tally;

	for (size_t i = 0; i < list->count; i++) {
		const struct sw_descriptor *descriptor = &list->items[i];
		tally->open += is_open(descriptor);
		tally->closed += !is_open(descriptor);
		tally->lost += sw_fds_is_lost(descriptor);
		tally->stale += sw_fds_is_stale(view, descriptor);
		tally->shared += sw_fds_is_shared(list, i);
		tally->waiting += descriptor->waiting_count;
		if (!is_open(descriptor))
			continue;
		tally->files += descriptor->kind == SW_DESCRIPTOR_FILE ||
				descriptor->kind == SW_DESCRIPTOR_DIRECTORY;
		tally->sockets += descriptor->kind == SW_DESCRIPTOR_SOCKET;
		tally->listeners += descriptor->kind == SW_DESCRIPTOR_LISTENER;
		tally->tls += descriptor->tls.addr != 0;
	}
}

static void count_connections(struct sw_fds_view *view)
{
	const struct sw_http *http = &view->http;
	struct sw_fds_tally *tally = &view->tally;

	for (size_t i = 0; i < http->pools.count; i++) {
		const struct sw_http_pool *pool = &http->pools.items[i];
		uint64_t all = (uint64_t)pool->idle + pool->active + pool->bodies;
		if (pool->side == SW_HTTP_SERVER) {
			tally->served += all + pool->fresh;
			continue;
		}
		tally->idle += pool->idle;
		tally->active += pool->active;
		tally->bodies += pool->bodies;
		tally->lost_bodies += pool->lost_bodies;
		if (pool->keeper != SW_KEPT_BY_LIBRARY)
			continue;
		tally->lost_connections += all;
		tally->lost_transports += pool->is_first;
	}
}

static void count_databases(struct sw_fds_view *view)
{
	const struct sw_databases *databases = &view->databases;
	struct sw_fds_tally *tally = &view->tally;

	for (size_t i = 0; i < databases->list.count; i++) {
		tally->lost_database_connections += databases->list.items[i].lost;
		tally->waiters += databases->list.items[i].waiters;
		tally->in_use += databases->list.items[i].in_use;
		tally->idle_database_connections += databases->list.items[i].idle;
	}
	for (size_t i = 0; i < databases->unclosed.count; i++) {
		const struct sw_unclosed *unclosed = &databases->unclosed.items[i];
		if (!unclosed->is_gone)
			tally->unclosed[unclosed->kind]++;
	}
}

static void count_unowned(void *context, const struct sw_open_file *file)
{
	struct sw_fds_view *view = context;
	bool is_runtime;
	sw_fds_unowned_kind(view, file, &is_runtime);
	view->tally.unowned += !is_runtime;
	view->tally.runtime += is_runtime;
}

/* ---- summary ---- */

static void add_numbers(const struct sw_fds_view *view)
{
	const struct sw_fds_tally *tally = &view->tally;
	const struct {
		const char *key;
		uint64_t value;
	} rows[] = {
		{"open_descriptors", tally->open},
		{"closed_descriptors", tally->closed},
		{"files", tally->files},
		{"sockets", tally->sockets},
		{"listeners", tally->listeners},
		{"tls_connections", tally->tls},
		{"waiting_goroutines", tally->waiting},
		{"lost_descriptors", tally->lost},
		{"shared_descriptors", tally->shared},
		{"idle_connections", tally->idle},
		{"active_connections", tally->active},
		{"unread_bodies", tally->bodies},
		{"lost_bodies", tally->lost_bodies},
		{"lost_transports", tally->lost_transports},
		{"lost_connections", tally->lost_connections},
		{"server_connections", tally->served},
		{"databases", view->databases.list.count},
		{"unclosed_rows", tally->unclosed[SW_UNCLOSED_ROWS]},
		{"transactions", tally->unclosed[SW_UNCLOSED_TX]},
		{"lost_database_connections", tally->lost_database_connections},
		{"database_waiters", tally->waiters},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		sw_report_count(view->report, rows[i].key, rows[i].value);
	sw_report_listing(view->report, "summary", ""); /* the sentences tell */
}

static void add_process_numbers(const struct sw_fds_view *view)
{
	const struct sw_open_files *files = &view->files;
	struct sw_report *report = view->report;

	if (!view->has_files)
		return;
	sw_report_count(report, "process_descriptors", files->count);
	sw_report_summary(report, "descriptor_limit",
			  files->limit ? json_integer((json_int_t)files->limit) : json_null());
	if (!files->is_exact)
		return;
	sw_report_count(report, "stale_descriptors", view->tally.stale);
	sw_report_count(report, "unowned_descriptors", view->tally.unowned);
	sw_report_count(report, "runtime_descriptors", view->tally.runtime);
}

/* "7 descriptors, 4 response bodies": what was lost. */
static void add_lost_sentence(const struct sw_fds_view *view)
{
	const struct sw_fds_tally *tally = &view->tally;
	const struct {
		uint64_t count;
		const char *what;
	} parts[] = {
		{tally->lost, "descriptor"},
		{tally->lost_connections, "HTTP connection"},
		{tally->lost_bodies, "response bod"},
		{tally->lost_database_connections, "database connection"},
	};
	char text[256] = "", count[32];
	size_t length = 0;

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		bool is_body = parts[i].count == tally->lost_bodies && i == 2;
		const char *one = is_body ? "y" : "", *many = is_body ? "ies" : "s";
		if (parts[i].count)
			length += (size_t)snprintf(text + length, sizeof(text) - length,
						   "%s%s %s%s", length ? ", " : "",
						   sw_text_count(parts[i].count, count),
						   parts[i].what, parts[i].count == 1 ? one : many);
	}
	if (length)
		sw_report_sentence(view->report, "The program has lost, without closing: %s.",
				   text);
}

static void add_sentences(const struct sw_fds_view *view)
{
	const struct sw_fds_tally *tally = &view->tally;
	struct sw_report *report = view->report;
	char a[32], b[32], c[32], d[32];

	add_lost_sentence(view);
	sw_report_sentence(report,
			   "Go code has %s descriptor%s open (files %s, sockets %s, listeners %s).",
			   sw_text_count(tally->open, a), tally->open == 1 ? "" : "s",
			   sw_text_count(tally->files, b), sw_text_count(tally->sockets, c),
			   sw_text_count(tally->listeners, d));
	if (view->has_files)
		sw_report_sentence(report, "The process has %s open%s.",
				   sw_text_count(view->files.count, a),
				   view->files.is_exact ? "" : ", counted after it was let go");
	if (tally->idle || tally->active || tally->bodies)
		sw_report_sentence(
			report,
			"HTTP clients have connections: %s idle, %s with a request under "
			"way, %s with a body that is not read.",
			sw_text_count(tally->idle, a), sw_text_count(tally->active, b),
			sw_text_count(tally->bodies, c));
	if (view->databases.list.count)
		sw_report_sentence(
			report,
			"Database pools (%s) have connections: %s in use, %s idle; calls "
			"that wait for one: %s.",
			sw_text_count(view->databases.list.count, a),
			sw_text_count(tally->in_use, b),
			sw_text_count(tally->idle_database_connections, c),
			sw_text_count(tally->waiters, d));
}

static void add_next(const struct sw_fds_view *view)
{
	const struct sw_fds_tally *tally = &view->tally;
	if (tally->waiting || tally->lost_connections || tally->lost_bodies)
		sw_report_next(view->report, "goroutines");
	if (tally->lost)
		sw_report_next(view->report, "finalizers");
}

struct sw_error *sw_fds_add_summary(struct sw_fds_view *view)
{
	count_descriptors(view);
	count_connections(view);
	count_databases(view);
	struct sw_error *error = sw_fds_unowned(view, count_unowned, view);
	if (error)
		return error;
	add_sentences(view);
	add_numbers(view);
	add_process_numbers(view);
	add_next(view);
	return NULL;
}
