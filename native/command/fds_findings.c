#include "command/fds_view.h"

#include <inttypes.h>
#include <stdio.h>

enum {
	MANY_TRANSPORTS = 5, /* that keep connections to one host: each request has its own */
	FINDINGS = 5,	     /* of one kind */
};

/* A share of RLIMIT_NOFILE from which on the next accept or open may fail. */
static const double nearly_all = 0.95, most = 0.8;

/* ---- findings ---- */

static void add_finding(struct sw_fds_view *view, enum sw_grade grade, const char *code,
			const char *message, const char *key, uint64_t count, sw_addr address)
{
	json_t *evidence = json_object();
	char next[64];
	json_object_set_new(evidence, key, json_integer((json_int_t)count));
	snprintf(next, sizeof(next), "who-holds 0x%" PRIx64, address);
	sw_report_finding(view->report, grade, code, message, evidence, address ? next : NULL);
}

/* The first of the descriptors that are lost. */
static const struct sw_descriptor *first_lost(const struct sw_descriptor_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (sw_fds_is_lost(&list->items[i]))
			return &list->items[i];
	return NULL;
}

static void find_lost(struct sw_fds_view *view)
{
	char message[512], count[32];
	const struct sw_descriptor *first = first_lost(&view->descriptors.list);
	char *title = first ? sw_fds_title(first) : NULL;

	if (first && title) {
		snprintf(message, sizeof(message),
			 "%s descriptor%s dropped without Close, such as %" PRId64
			 ", %s: open until the collector runs a finalizer",
			 sw_text_count(view->tally.lost, count),
			 view->tally.lost == 1 ? " was" : "s were", first->number, title);
		add_finding(view, SW_GRADE_P1, "lost_descriptors", message, "descriptors",
			    view->tally.lost, 0);
	}
	free(title);
}

static void find_confused(struct sw_fds_view *view)
{
	const struct sw_descriptor_list *list = &view->descriptors.list;
	char message[512];
	unsigned found = 0;

	for (size_t i = 0; i < list->count && found < FINDINGS; i++) {
		const struct sw_descriptor *descriptor = &list->items[i];
		bool is_stale = sw_fds_is_stale(view, descriptor);
		if (!is_stale && !sw_fds_is_shared(list, i))
			continue;
		char *title = sw_fds_title(descriptor);
		snprintf(message, sizeof(message),
			 is_stale ? "descriptor %" PRId64 " of %s is not open: it was closed "
				    "behind its owner's back, and the next open takes its number"
				  : "descriptor %" PRId64 " has two owners, one of them %s: who "
				    "closes first takes it from the other",
			 descriptor->number, title ? title : "?");
		add_finding(view, SW_GRADE_P1, is_stale ? "stale_descriptor" : "shared_descriptor",
			    message, "descriptor", (uint64_t)descriptor->number,
			    descriptor->object == SW_NO_OBJECT ? 0 : descriptor->owner.addr);
		free(title);
		found++;
	}
}

/* ---- holders of many files ---- */

/* The node below the super root that everything on the way to an object goes through. */
static sw_node top_holder(const struct sw_live *live, sw_object object)
{
	sw_node node = object;
	while (live->dominators->idom[node] != live->graph->super)
		node = live->dominators->idom[node];
	return node;
}

static int by_node(const void *a, const void *b)
{
	const sw_node *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

static void find_holder(struct sw_fds_view *view, sw_node holder, uint64_t count)
{
	const struct sw_live *live = &view->live;
	char message[512], text[32];
	bool is_root = sw_graph_is_root(live->graph, holder);

	if (count < view->many)
		return;
	snprintf(message, sizeof(message), "%s open files are held by %s",
		 sw_text_count(count, text),
		 is_root ? sw_naming_root(live, holder)->name
			 : sw_naming_type_name(live, sw_live_type(live, holder)));
	add_finding(view, SW_GRADE_P2, "many_open_files", message, "descriptors", count,
		    is_root ? 0 : sw_heap_address(live->heap, holder));
}

static struct sw_error *find_holders(struct sw_fds_view *view)
{
	const struct sw_descriptor_list *list = &view->descriptors.list;
	sw_node *holders = calloc(list->count + 1, sizeof(*holders));
	size_t count = 0;

	if (!holders)
		return sw_error_memory();
	for (size_t i = 0; i < list->count; i++) {
		const struct sw_descriptor *descriptor = &list->items[i];
		if (descriptor->number >= 0 && !sw_fds_is_lost(descriptor) &&
		    descriptor->kind == SW_DESCRIPTOR_FILE && descriptor->object != SW_NO_OBJECT)
			holders[count++] = top_holder(&view->live, descriptor->object);
	}
	qsort(holders, count, sizeof(*holders), by_node);
	for (size_t i = 0, first = 0; i < count; i++)
		if (i + 1 == count || holders[i + 1] != holders[i]) {
			find_holder(view, holders[i], i + 1 - first);
			first = i + 1;
		}
	free(holders);
	return NULL;
}

/* ---- connections ---- */

static int by_host(const void *a, const void *b)
{
	const struct sw_http_pool *x = *(const struct sw_http_pool *const *)a;
	const struct sw_http_pool *y = *(const struct sw_http_pool *const *)b;
	int order = strcmp(x->host, y->host);
	return order ? order : (x > y) - (x < y);
}

/* Several Transports with idle connections to one host, or too many of one. */
static void find_host(struct sw_fds_view *view, const struct sw_http_pool *const *pools,
		      size_t count)
{
	uint64_t idle = 0;
	char message[1024], connections[32], transports[32];

	for (size_t i = 0; i < count; i++)
		idle += pools[i]->idle;
	if (count < MANY_TRANSPORTS && idle < view->many)
		return;
	if (count < MANY_TRANSPORTS)
		snprintf(message, sizeof(message), "%s idle connections are kept to %s",
			 sw_text_count(idle, connections), pools[0]->host);
	else
		snprintf(message, sizeof(message),
			 "%s Transports keep %s idle connections to %s: one Transport for all "
			 "would share them",
			 sw_text_count(count, transports), sw_text_count(idle, connections),
			 pools[0]->host);
	add_finding(view, SW_GRADE_P2, "many_idle_connections", message, "connections", idle,
		    pools[count - 1]->object == SW_NO_OBJECT ? 0 : pools[count - 1]->owner.addr);
}

static struct sw_error *find_hosts(struct sw_fds_view *view)
{
	const struct sw_http_pools *pools = &view->http.pools;
	const struct sw_http_pool **order = calloc(pools->count + 1, sizeof(*order));
	size_t count = 0;

	if (!order)
		return sw_error_memory();
	for (size_t i = 0; i < pools->count; i++)
		if (pools->items[i].side == SW_HTTP_CLIENT && pools->items[i].idle &&
		    pools->items[i].keeper != SW_KEPT_BY_LIBRARY)
			order[count++] = &pools->items[i];
	qsort(order, count, sizeof(*order), by_host);
	for (size_t i = 0, first = 0; i < count; i++)
		if (i + 1 == count || strcmp(order[i + 1]->host, order[i]->host) != 0) {
			find_host(view, order + first, i + 1 - first);
			first = i + 1;
		}
	free(order);
	return NULL;
}

static void find_lost_transports(struct sw_fds_view *view)
{
	const struct sw_fds_tally *tally = &view->tally;
	const struct sw_http_pools *pools = &view->http.pools;
	char message[512], transports[32], connections[32];
	const struct sw_http_pool *first = NULL;

	for (size_t i = 0; i < pools->count && !first; i++)
		if (pools->items[i].keeper == SW_KEPT_BY_LIBRARY)
			first = &pools->items[i];
	if (!first || !tally->lost_connections)
		return;
	snprintf(message, sizeof(message),
		 "%s http.Transport%s dropped without CloseIdleConnections: %s connection%s open "
		 "until the other side closes",
		 sw_text_count(tally->lost_transports, transports),
		 tally->lost_transports == 1 ? " was" : "s were",
		 sw_text_count(tally->lost_connections, connections),
		 tally->lost_connections == 1 ? " stays" : "s stay");
	add_finding(view, SW_GRADE_P1, "lost_transports", message, "connections",
		    tally->lost_connections, first->owner.addr);
}

/* A body that a goroutine has in hand is being read. */
static void find_bodies(struct sw_fds_view *view)
{
	const struct sw_http_connections *connections = &view->http.connections;
	uint64_t lost = 0, kept = 0;
	sw_addr first[2] = {0};
	char message[512], count[32];

	for (size_t i = 0; i < connections->count; i++) {
		const struct sw_http_connection *connection = &connections->items[i];
		if (connection->state != SW_HTTP_BODY ||
		    connection->body_keeper == SW_KEPT_BY_GOROUTINE)
			continue;
		bool is_lost = connection->body_keeper >= SW_KEPT_BY_LIBRARY;
		lost += is_lost;
		kept += !is_lost;
		if (!first[is_lost])
			first[is_lost] = is_lost ? connection->value.addr : connection->body.addr;
	}
	snprintf(message, sizeof(message),
		 "%s HTTP response%s dropped without reading the body to its end or closing it: "
		 "each keeps a connection and two goroutines",
		 sw_text_count(lost, count), lost == 1 ? " was" : "s were");
	if (lost)
		add_finding(view, SW_GRADE_P1, "lost_bodies", message, "bodies", lost, first[1]);
	snprintf(message, sizeof(message),
		 "%s HTTP response%s kept with an open body: each keeps a connection",
		 sw_text_count(kept, count), kept == 1 ? " is" : "s are");
	if (kept)
		add_finding(view, SW_GRADE_P2, "unread_bodies", message, "bodies", kept, first[0]);
}

/* ---- databases ---- */

static void find_exhausted(struct sw_fds_view *view, const struct sw_database *database)
{
	char message[512], waiters[32], in_use[32];
	if (!database->waiters || !database->max_open || database->in_use < database->max_open)
		return;
	snprintf(message, sizeof(message),
		 "%s call%s for a connection: all %s of the database pool are in use",
		 sw_text_count(database->waiters, waiters),
		 database->waiters == 1 ? " waits" : "s wait",
		 sw_text_count(database->in_use, in_use));
	add_finding(view, SW_GRADE_P1, "database_exhausted", message, "waiters", database->waiters,
		    database->object == SW_NO_OBJECT ? 0 : database->value.addr);
}

/* What keeps a connection of a pool, and nobody is at work with it. */
static void find_unclosed(struct sw_fds_view *view, bool is_lost, const char *code,
			  const char *what)
{
	const struct sw_unclosed_list *list = &view->databases.unclosed;
	const struct sw_unclosed *first = NULL;
	uint64_t found = 0;
	char message[512], count[32];

	for (size_t i = 0; i < list->count; i++) {
		const struct sw_unclosed *unclosed = &list->items[i];
		if (unclosed->keeper == SW_KEPT_BY_GOROUTINE ||
		    is_lost != (unclosed->keeper >= SW_KEPT_BY_LIBRARY) ||
		    (!is_lost && unclosed->kind == SW_UNCLOSED_CONN))
			continue;
		if (!first)
			first = unclosed;
		found++;
	}
	if (!first)
		return;
	snprintf(message, sizeof(message), "%s %s", sw_text_count(found, count), what);
	add_finding(view, SW_GRADE_P1, code, message, "unclosed", found,
		    first->object == SW_NO_OBJECT ? 0 : first->value.addr);
}

static void find_databases(struct sw_fds_view *view)
{
	const struct sw_database_list *list = &view->databases.list;
	for (size_t i = 0; i < list->count && i < FINDINGS; i++)
		find_exhausted(view, &list->items[i]);
	find_unclosed(view, true, "lost_rows",
		      "rows or transactions of database/sql were dropped without Close, Commit or "
		      "Rollback: their connections never come back to the pool");
	find_unclosed(view, false, "unclosed_rows",
		      "rows or transactions of database/sql are kept and nobody works with them: "
		      "each keeps a connection of the pool");
}

/* ---- the process ---- */

static void find_limit(struct sw_fds_view *view)
{
	const struct sw_open_files *files = &view->files;
	char message[256], open[32], limit[32];

	if (!view->has_files || !files->limit)
		return;
	double share = (double)files->count / (double)files->limit;
	if (share < most)
		return;
	snprintf(message, sizeof(message), "%s of %s descriptors are open (RLIMIT_NOFILE)",
		 sw_text_count(files->count, open), sw_text_count(files->limit, limit));
	add_finding(view, share < nearly_all ? SW_GRADE_P1 : SW_GRADE_P0, "descriptor_limit",
		    message, "descriptors", files->count, 0);
}

static void find_unowned(struct sw_fds_view *view)
{
	char message[256], count[32];
	if (!view->tally.unowned)
		return;
	snprintf(
		message, sizeof(message),
		"%s open descriptor%s no owner in Go: opened by system calls, C code, or inherited",
		sw_text_count(view->tally.unowned, count),
		view->tally.unowned == 1 ? " has" : "s have");
	add_finding(view, SW_GRADE_P3, "unowned_descriptors", message, "descriptors",
		    view->tally.unowned, 0);
}

/* ---- */

struct sw_error *sw_fds_add_findings(struct sw_fds_view *view)
{
	find_limit(view);
	find_lost(view);
	find_confused(view);
	find_lost_transports(view);
	find_bodies(view);
	find_databases(view);
	struct sw_error *error = find_holders(view);
	if (!error)
		error = find_hosts(view);
	find_unowned(view);
	return error;
}
