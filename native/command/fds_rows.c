#include "command/fds_view.h"

#include <stdio.h>

/* ---- values ---- */

static const char *type_name(const struct sw_fds_view *view, sw_type type)
{
	return sw_naming_type_name(&view->live, type);
}

/* A path from who keeps it; null for what nothing holds, or what is in no object. */
static json_t *held_by(const struct sw_fds_view *view, sw_object object)
{
	struct sw_path path = {0};
	if (object == SW_NO_OBJECT)
		return json_null();
	struct sw_error *error = sw_keeper_path(&view->live, &view->keepers, object, &path);
	char *text = error ? NULL : sw_naming_expression(&view->live, &path);
	sw_error_free(error);
	sw_path_free(&path);
	return sw_json_take_string(text);
}

static json_t *retained(const struct sw_fds_view *view, sw_object object)
{
	return sw_json_bytes(
		object == SW_NO_OBJECT ? 0 : view->live.dominators->retained_bytes[object]);
}

/* Who keeps it, and what that holds. */
static void set_holder(const struct sw_fds_view *view, json_t *row, enum sw_keeper keeper,
		       sw_object object)
{
	json_object_set_new(row, "kept_by", json_string(sw_keeper_name(keeper)));
	json_object_set_new(row, "held_by", held_by(view, object));
	json_object_set_new(row, "retained_bytes", retained(view, object));
}

/* ---- descriptors ---- */

char *sw_fds_title(const struct sw_descriptor *descriptor)
{
	static const char *const kinds[] = {"file", "socket", "listener", "directory", "other"};
	char *title = NULL;
	int length;

	if (!descriptor->net)
		length = asprintf(&title, "%s%s%s", kinds[descriptor->kind],
				  descriptor->name ? " " : "",
				  descriptor->name ? descriptor->name : "");
	else
		length = asprintf(&title, "%s %s%s%s", descriptor->net,
				  descriptor->local ? descriptor->local : "?",
				  descriptor->remote ? " -> " : "",
				  descriptor->remote ? descriptor->remote : "");
	return length < 0 ? NULL : title;
}

/* What the program has in hand: of a socket that was found by its netFD alone, or by the part that
 * the methods of all connections are of, the net tells. */
static const char *user_type(const struct sw_fds_view *view, const struct sw_descriptor *descriptor)
{
	static const struct {
		const char *net, *connection, *listener;
	} types[] = {
		{"tcp", "net.TCPConn", "net.TCPListener"},
		{"udp", "net.UDPConn", "net.UDPConn"},
		{"unix", "net.UnixConn", "net.UnixListener"},
		{"ip", "net.IPConn", "net.IPConn"},
	};
	if (descriptor->user.type)
		return type_name(view, descriptor->user.type);
	for (size_t i = 0; descriptor->net && i < sizeof(types) / sizeof(*types); i++)
		if (!strncmp(descriptor->net, types[i].net, strlen(types[i].net)))
			return descriptor->kind == SW_DESCRIPTOR_LISTENER ? types[i].listener
									  : types[i].connection;
	return type_name(view, descriptor->owner.type);
}

static json_t *title_of(const struct sw_descriptor *descriptor)
{
	char *title = sw_fds_title(descriptor);
	json_t *value = title ? sw_json_string(title) : NULL;
	free(title);
	return value;
}

/* "Read", "Accept", "WaitWrite": what the goroutine called of the poll.FD; NULL: nothing. */
static const char *call_of(const struct sw_fds_view *view, uint32_t goroutine)
{
	static const char method[] = "internal/poll.(*FD).";
	struct sw_go_stack_range range = view->stacks->stacks[view->stacks->stack_of[goroutine]];
	for (uint32_t i = 0; i < range.count; i++) {
		const char *name =
			view->stacks->calls[view->stacks->frames[range.begin + i]].function;
		if (!strncmp(name, method, sizeof(method) - 1))
			return name + sizeof(method) - 1;
	}
	return NULL;
}

static json_t *waiting_of(const struct sw_fds_view *view, const struct sw_descriptor *descriptor)
{
	json_t *list = json_array();
	for (unsigned i = 0; i < descriptor->waiting_count; i++) {
		uint32_t goroutine = descriptor->waiting[i];
		json_t *item = json_object();
		json_object_set_new(item, "goid",
				    sw_json_count(view->live.go->goroutines.items[goroutine].goid));
		json_object_set_new(item, "call", sw_json_string_or_null(call_of(view, goroutine)));
		json_array_append_new(list, item);
	}
	return list;
}

static json_t *tls_of(const struct sw_tls *tls)
{
	json_t *row = json_object();
	json_object_set_new(row, "address", sw_json_address(tls->addr));
	json_object_set_new(row, "client", json_boolean(tls->is_client));
	json_object_set_new(row, "established", json_boolean(tls->is_established));
	json_object_set_new(row, "close_sent", json_boolean(tls->is_close_sent));
	json_object_set_new(row, "buffer_bytes", sw_json_bytes(tls->buffer_bytes));
	return row;
}

static json_t *open_in_process(const struct sw_fds_view *view,
			       const struct sw_descriptor *descriptor, json_t *row)
{
	const struct sw_open_file *file;
	if (!view->has_files || !view->files.is_exact)
		return json_null();
	file = descriptor->number < 0 ? NULL : sw_open_files_find(&view->files, descriptor->number);
	if (file)
		json_object_set_new(row, "leads_to", sw_json_string(file->to));
	return json_boolean(file != NULL);
}

static json_t *descriptor_row(const struct sw_fds_view *view,
			      const struct sw_descriptor *descriptor)
{
	static const char *const kinds[] = {"file", "socket", "listener", "directory", "other"};
	static const char *const states[] = {"open", "closing", "closed"};
	json_t *row = json_object();

	json_object_set_new(row, "descriptor",
			    descriptor->number < 0 ? json_null()
						   : json_integer(descriptor->number));
	json_object_set_new(row, "kind", json_string(kinds[descriptor->kind]));
	json_object_set_new(row, "state", json_string(states[descriptor->state]));
	json_object_set_new(row, "what", title_of(descriptor));
	json_object_set_new(row, "type", sw_json_string(user_type(view, descriptor)));
	json_object_set_new(row, "address", sw_json_address(descriptor->owner.addr));
	if (descriptor->net) {
		json_object_set_new(row, "net", sw_json_string(descriptor->net));
		json_object_set_new(row, "local", sw_json_string_or_null(descriptor->local));
		json_object_set_new(row, "remote", sw_json_string_or_null(descriptor->remote));
	} else {
		json_object_set_new(row, "name", sw_json_string_or_null(descriptor->name));
	}
	set_holder(view, row, descriptor->keeper, descriptor->object);
	json_object_set_new(row, "open_in_process", open_in_process(view, descriptor, row));
	if (descriptor->waiting_count)
		json_object_set_new(row, "waiting", waiting_of(view, descriptor));
	if (descriptor->tls.addr)
		json_object_set_new(row, "tls", tls_of(&descriptor->tls));
	return row;
}

/* What is wrong first. */
static unsigned rank(const struct sw_fds_view *view, const struct sw_descriptor *descriptor)
{
	if (sw_fds_is_stale(view, descriptor))
		return 0;
	if (descriptor->number < 0)
		return 3;
	return descriptor->keeper >= SW_KEPT_BY_LIBRARY ? 1 : 2;
}

enum { RANKS = 4 };

static void add_descriptors(struct sw_fds_view *view)
{
	const struct sw_descriptor_list *list = &view->descriptors.list;
	uint64_t rows = 0;

	sw_report_table(view->report, "descriptors",
			"descriptor state what type kept_by retained_bytes held_by waiting");
	for (unsigned turn = 0; turn < RANKS; turn++)
		for (size_t i = 0; i < list->count; i++)
			if (rank(view, &list->items[i]) == turn &&
			    sw_arguments_takes(view->arguments, &rows))
				sw_report_row(view->report, "descriptors",
					      descriptor_row(view, &list->items[i]));
	sw_report_omitted(view->report, "descriptors", rows, sw_arguments_limit(view->arguments));
}

/* ---- connections ---- */

static uint64_t sum_of(const struct sw_http_pool *pool)
{
	return (uint64_t)pool->fresh + pool->active + pool->bodies + pool->idle + pool->waiting;
}

static bool is_lost(const struct sw_http_pool *pool)
{
	return pool->keeper == SW_KEPT_BY_LIBRARY || pool->lost_bodies;
}

static int by_trouble(const void *a, const void *b)
{
	const struct sw_http_pool *x = *(const struct sw_http_pool *const *)a;
	const struct sw_http_pool *y = *(const struct sw_http_pool *const *)b;
	if (is_lost(x) != is_lost(y))
		return is_lost(x) ? -1 : 1;
	if (sum_of(x) != sum_of(y))
		return sum_of(x) < sum_of(y) ? 1 : -1;
	return (x > y) - (x < y);
}

static json_t *pool_row(const struct sw_fds_view *view, const struct sw_http_pool *pool)
{
	bool is_client = pool->side == SW_HTTP_CLIENT;
	json_t *row = json_object();

	json_object_set_new(row, "side", json_string(is_client ? "client" : "server"));
	json_object_set_new(row, "host", sw_json_string(pool->host));
	json_object_set_new(row, "protocol", json_string(pool->is_http2 ? "HTTP/2" : "HTTP/1"));
	json_object_set_new(row, "idle", sw_json_count(pool->idle));
	json_object_set_new(row, "active", sw_json_count(pool->active));
	if (is_client) {
		json_object_set_new(row, "unread_bodies", sw_json_count(pool->bodies));
		json_object_set_new(row, "lost_bodies", sw_json_count(pool->lost_bodies));
		json_object_set_new(row, "waiting", sw_json_count(pool->waiting));
	} else {
		json_object_set_new(row, "new", sw_json_count(pool->fresh));
	}
	if (pool->is_http2)
		json_object_set_new(row, "streams", sw_json_count(pool->streams));
	json_object_set_new(row, "owner_type", sw_json_string(type_name(view, pool->owner.type)));
	json_object_set_new(row, "owner_address", sw_json_address(pool->owner.addr));
	set_holder(view, row, pool->keeper, pool->object);
	return row;
}

static struct sw_error *add_connections(struct sw_fds_view *view)
{
	const struct sw_http_pools *pools = &view->http.pools;
	const struct sw_http_pool **order = calloc(pools->count + 1, sizeof(*order));
	uint64_t rows = 0;
	size_t count = 0;

	if (!order)
		return sw_error_memory();
	for (size_t i = 0; i < pools->count; i++)
		if (sum_of(&pools->items[i]))
			order[count++] = &pools->items[i];
	qsort(order, count, sizeof(*order), by_trouble);
	sw_report_table(
		view->report, "connections",
		"side host idle active streams unread_bodies lost_bodies owner_type kept_by "
		"retained_bytes held_by");
	for (size_t i = 0; i < count; i++)
		if (sw_arguments_takes(view->arguments, &rows))
			sw_report_row(view->report, "connections", pool_row(view, order[i]));
	sw_report_omitted(view->report, "connections", rows, sw_arguments_limit(view->arguments));
	free(order);
	return NULL;
}

/* ---- databases ---- */

static json_t *database_row(const struct sw_fds_view *view, const struct sw_database *database)
{
	json_t *row = json_object();
	json_object_set_new(row, "driver", sw_json_string(type_name(view, database->driver)));
	json_object_set_new(row, "open", sw_json_count(database->open));
	json_object_set_new(row, "in_use", sw_json_count(database->in_use));
	json_object_set_new(row, "idle", sw_json_count(database->idle));
	json_object_set_new(row, "max_open",
			    database->max_open ? json_integer((json_int_t)database->max_open)
					       : json_null());
	json_object_set_new(row, "waiters", sw_json_count(database->waiters));
	json_object_set_new(row, "wait_count", sw_json_count(database->wait_count));
	json_object_set_new(row, "wait_seconds", json_real((double)database->wait_ns / 1e9));
	json_object_set_new(row, "unclosed_rows",
			    sw_json_count(database->unclosed[SW_UNCLOSED_ROWS]));
	json_object_set_new(row, "transactions", sw_json_count(database->unclosed[SW_UNCLOSED_TX]));
	json_object_set_new(row, "connections",
			    sw_json_count(database->unclosed[SW_UNCLOSED_CONN]));
	json_object_set_new(row, "statements", sw_json_count(database->statements));
	json_object_set_new(row, "lost_connections", sw_json_count(database->lost));
	json_object_set_new(row, "closed", json_boolean(database->is_closed));
	json_object_set_new(row, "address", sw_json_address(database->value.addr));
	set_holder(view, row, database->keeper, database->object);
	return row;
}

static void add_databases(struct sw_fds_view *view)
{
	uint64_t rows = 0;
	sw_report_table(view->report, "databases",
			"driver open in_use idle max_open waiters unclosed_rows transactions "
			"lost_connections held_by");
	for (size_t i = 0; i < view->databases.list.count; i++)
		if (sw_arguments_takes(view->arguments, &rows))
			sw_report_row(view->report, "databases",
				      database_row(view, &view->databases.list.items[i]));
	sw_report_omitted(view->report, "databases", rows, sw_arguments_limit(view->arguments));
}

/* ---- unclosed ---- */

static json_t *unclosed_row(const struct sw_fds_view *view, const struct sw_unclosed *unclosed)
{
	json_t *row = json_object();
	const struct sw_database *database = &view->databases.list.items[unclosed->database];

	json_object_set_new(row, "what",
			    unclosed->is_gone
				    ? json_string("connection in use")
				    : sw_json_string(type_name(view, unclosed->value.type)));
	json_object_set_new(row, "address", sw_json_address(unclosed->value.addr));
	json_object_set_new(row, "of", sw_json_string(type_name(view, database->value.type)));
	json_object_set_new(row, "of_address", sw_json_address(database->value.addr));
	set_holder(view, row, unclosed->keeper, unclosed->object);
	return row;
}

static json_t *body_row(const struct sw_fds_view *view, const struct sw_http_connection *connection)
{
	json_t *row = json_object();
	bool is_gone = !connection->body.type;
	struct sw_value value = is_gone ? connection->value : connection->body;

	json_object_set_new(row, "what",
			    json_string(is_gone ? "connection with a response" : "response body"));
	json_object_set_new(row, "address", sw_json_address(value.addr));
	json_object_set_new(row, "of",
			    sw_json_string(view->http.pools.items[connection->pool].host));
	json_object_set_new(row, "of_address", sw_json_address(connection->value.addr));
	set_holder(view, row, connection->body_keeper,
		   is_gone ? connection->object : sw_heap_object(view->live.heap, value.addr));
	return row;
}

/* What the program cannot close any more, what it may have forgotten, what is in use. */
static unsigned urgency(enum sw_keeper keeper)
{
	return keeper >= SW_KEPT_BY_LIBRARY ? 0 : keeper == SW_KEPT_BY_PROGRAM ? 1 : 2;
}

enum { URGENCIES = 3 };

static void add_unclosed(struct sw_fds_view *view)
{
	const struct sw_unclosed_list *list = &view->databases.unclosed;
	const struct sw_http_connections *connections = &view->http.connections;
	uint64_t rows = 0;

	sw_report_table(view->report, "unclosed", "what address of kept_by retained_bytes held_by");
	for (unsigned turn = 0; turn < URGENCIES; turn++) {
		for (size_t i = 0; i < list->count; i++)
			if (urgency(list->items[i].keeper) == turn &&
			    sw_arguments_takes(view->arguments, &rows))
				sw_report_row(view->report, "unclosed",
					      unclosed_row(view, &list->items[i]));
		for (size_t i = 0; i < connections->count; i++)
			if (connections->items[i].state == SW_HTTP_BODY &&
			    urgency(connections->items[i].body_keeper) == turn &&
			    sw_arguments_takes(view->arguments, &rows))
				sw_report_row(view->report, "unclosed",
					      body_row(view, &connections->items[i]));
	}
	sw_report_omitted(view->report, "unclosed", rows, sw_arguments_limit(view->arguments));
}

/* ---- unowned ---- */

struct unowned {
	struct sw_fds_view *view;
	uint64_t rows;
};

static void add_unowned_row(void *context, const struct sw_open_file *file)
{
	struct unowned *unowned = context;
	bool is_runtime;
	const char *kind = sw_fds_unowned_kind(unowned->view, file, &is_runtime);

	if (!sw_arguments_takes(unowned->view->arguments, &unowned->rows))
		return;
	json_t *row = json_object();
	json_object_set_new(row, "descriptor", json_integer(file->number));
	json_object_set_new(row, "kind", json_string(kind));
	json_object_set_new(row, "runtime", json_boolean(is_runtime));
	json_object_set_new(row, "leads_to", sw_json_string(file->to));
	sw_report_row(unowned->view->report, "unowned", row);
}

static struct sw_error *add_unowned(struct sw_fds_view *view)
{
	struct unowned unowned = {.view = view};
	if (!view->has_files || !view->files.is_exact)
		return NULL;
	sw_report_table(view->report, "unowned", "descriptor kind runtime leads_to");
	struct sw_error *error = sw_fds_unowned(view, add_unowned_row, &unowned);
	sw_report_omitted(view->report, "unowned", unowned.rows,
			  sw_arguments_limit(view->arguments));
	return error;
}

struct sw_error *sw_fds_add_tables(struct sw_fds_view *view)
{
	add_descriptors(view);
	struct sw_error *error = add_connections(view);
	add_databases(view);
	add_unclosed(view);
	return error ? error : add_unowned(view);
}
