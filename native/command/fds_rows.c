#include "command/fds_view.h"

#include <stdio.h>

/* ---- values ---- */

static void set(json_t *row, const char *key, json_t *value)
{
	json_object_set_new(row, key, value);
}

static void set_number(json_t *row, const char *key, uint64_t value)
{
	set(row, key, json_integer((json_int_t)value));
}

static const char *type_name(const struct sw_fds_view *view, sw_type type)
{
	return sw_naming_type_name(&view->naming, type);
}

/* A path from who keeps it; null for what nothing holds, or what is in no object. */
static json_t *held_by(const struct sw_fds_view *view, sw_object object)
{
	struct sw_path path = {0};
	if (object == SW_NO_OBJECT)
		return json_null();
	struct sw_error *error = sw_keeper_path(&view->live, &view->keepers, object, &path);
	char *text = error ? NULL : sw_naming_expression(&view->naming, &path);
	json_t *value = text ? sw_json_string(text) : json_null();
	sw_error_free(error);
	sw_path_free(&path);
	free(text);
	return value;
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
	set(row, "kept_by", json_string(sw_keeper_name(keeper)));
	set(row, "held_by", held_by(view, object));
	set(row, "retained_bytes", retained(view, object));
}

/* Counts rows; true while they are to be shown. */
static bool takes(const struct sw_fds_view *view, uint64_t *rows)
{
	return (*rows)++ < sw_arguments_limit(view->arguments);
}

static void end_table(const struct sw_fds_view *view, const char *name, uint64_t rows)
{
	uint64_t limit = sw_arguments_limit(view->arguments);
	if (rows > limit)
		sw_report_omitted(view->report, name, rows - limit);
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

static json_t *text_or_null(const char *text)
{
	return text ? sw_json_string(text) : json_null();
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
		set_number(item, "goid", view->live.go->goroutines.items[goroutine].goid);
		set(item, "call", text_or_null(call_of(view, goroutine)));
		json_array_append_new(list, item);
	}
	return list;
}

static json_t *tls_of(const struct sw_tls *tls)
{
	json_t *row = json_object();
	set(row, "address", sw_json_address(tls->addr));
	set(row, "client", json_boolean(tls->is_client));
	set(row, "established", json_boolean(tls->is_established));
	set(row, "close_sent", json_boolean(tls->is_close_sent));
	set(row, "buffer_bytes", sw_json_bytes(tls->buffer_bytes));
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
		set(row, "leads_to", sw_json_string(file->to));
	return json_boolean(file != NULL);
}

static json_t *descriptor_row(const struct sw_fds_view *view,
			      const struct sw_descriptor *descriptor)
{
	static const char *const kinds[] = {"file", "socket", "listener", "directory", "other"};
	static const char *const states[] = {"open", "closing", "closed"};
	json_t *row = json_object();

	set(row, "descriptor",
	    descriptor->number < 0 ? json_null() : json_integer(descriptor->number));
	set(row, "kind", json_string(kinds[descriptor->kind]));
	set(row, "state", json_string(states[descriptor->state]));
	set(row, "what", title_of(descriptor));
	set(row, "type", sw_json_string(user_type(view, descriptor)));
	set(row, "address", sw_json_address(descriptor->owner.addr));
	if (descriptor->net) {
		set(row, "net", sw_json_string(descriptor->net));
		set(row, "local", text_or_null(descriptor->local));
		set(row, "remote", text_or_null(descriptor->remote));
	} else {
		set(row, "name", text_or_null(descriptor->name));
	}
	set_holder(view, row, descriptor->keeper, descriptor->object);
	set(row, "open_in_process", open_in_process(view, descriptor, row));
	if (descriptor->waiting_count)
		set(row, "waiting", waiting_of(view, descriptor));
	if (descriptor->tls.addr)
		set(row, "tls", tls_of(&descriptor->tls));
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
			if (rank(view, &list->items[i]) == turn && takes(view, &rows))
				sw_report_row(view->report, "descriptors",
					      descriptor_row(view, &list->items[i]));
	end_table(view, "descriptors", rows);
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

	set(row, "side", json_string(is_client ? "client" : "server"));
	set(row, "host", sw_json_string(pool->host));
	set(row, "protocol", json_string(pool->is_http2 ? "HTTP/2" : "HTTP/1"));
	set_number(row, "idle", pool->idle);
	set_number(row, "active", pool->active);
	if (is_client) {
		set_number(row, "unread_bodies", pool->bodies);
		set_number(row, "lost_bodies", pool->lost_bodies);
		set_number(row, "waiting", pool->waiting);
	} else {
		set_number(row, "new", pool->fresh);
	}
	if (pool->is_http2)
		set_number(row, "streams", pool->streams);
	set(row, "owner_type", sw_json_string(type_name(view, pool->owner.type)));
	set(row, "owner_address", sw_json_address(pool->owner.addr));
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
		if (takes(view, &rows))
			sw_report_row(view->report, "connections", pool_row(view, order[i]));
	end_table(view, "connections", rows);
	free(order);
	return NULL;
}

/* ---- databases ---- */

static json_t *database_row(const struct sw_fds_view *view, const struct sw_database *database)
{
	json_t *row = json_object();
	set(row, "driver", sw_json_string(type_name(view, database->driver)));
	set_number(row, "open", database->open);
	set_number(row, "in_use", database->in_use);
	set_number(row, "idle", database->idle);
	set(row, "max_open",
	    database->max_open ? json_integer((json_int_t)database->max_open) : json_null());
	set_number(row, "waiters", database->waiters);
	set_number(row, "wait_count", database->wait_count);
	set(row, "wait_seconds", json_real((double)database->wait_ns / 1e9));
	set_number(row, "unclosed_rows", database->unclosed[SW_UNCLOSED_ROWS]);
	set_number(row, "transactions", database->unclosed[SW_UNCLOSED_TX]);
	set_number(row, "connections", database->unclosed[SW_UNCLOSED_CONN]);
	set_number(row, "statements", database->statements);
	set_number(row, "lost_connections", database->lost);
	set(row, "closed", json_boolean(database->is_closed));
	set(row, "address", sw_json_address(database->value.addr));
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
		if (takes(view, &rows))
			sw_report_row(view->report, "databases",
				      database_row(view, &view->databases.list.items[i]));
	end_table(view, "databases", rows);
}

/* ---- unclosed ---- */

static json_t *unclosed_row(const struct sw_fds_view *view, const struct sw_unclosed *unclosed)
{
	json_t *row = json_object();
	const struct sw_database *database = &view->databases.list.items[unclosed->database];

	set(row, "what",
	    unclosed->is_gone ? json_string("connection in use")
			      : sw_json_string(type_name(view, unclosed->value.type)));
	set(row, "address", sw_json_address(unclosed->value.addr));
	set(row, "of", sw_json_string(type_name(view, database->value.type)));
	set(row, "of_address", sw_json_address(database->value.addr));
	set_holder(view, row, unclosed->keeper, unclosed->object);
	return row;
}

static json_t *body_row(const struct sw_fds_view *view, const struct sw_http_connection *connection)
{
	json_t *row = json_object();
	bool is_gone = !connection->body.type;
	struct sw_value value = is_gone ? connection->value : connection->body;

	set(row, "what", json_string(is_gone ? "connection with a response" : "response body"));
	set(row, "address", sw_json_address(value.addr));
	set(row, "of", sw_json_string(view->http.pools.items[connection->pool].host));
	set(row, "of_address", sw_json_address(connection->value.addr));
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
			if (urgency(list->items[i].keeper) == turn && takes(view, &rows))
				sw_report_row(view->report, "unclosed",
					      unclosed_row(view, &list->items[i]));
		for (size_t i = 0; i < connections->count; i++)
			if (connections->items[i].state == SW_HTTP_BODY &&
			    urgency(connections->items[i].body_keeper) == turn &&
			    takes(view, &rows))
				sw_report_row(view->report, "unclosed",
					      body_row(view, &connections->items[i]));
	}
	end_table(view, "unclosed", rows);
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

	if (!takes(unowned->view, &unowned->rows))
		return;
	json_t *row = json_object();
	set(row, "descriptor", json_integer(file->number));
	set(row, "kind", json_string(kind));
	set(row, "runtime", json_boolean(is_runtime));
	set(row, "leads_to", sw_json_string(file->to));
	sw_report_row(unowned->view->report, "unowned", row);
}

static struct sw_error *add_unowned(struct sw_fds_view *view)
{
	struct unowned unowned = {.view = view};
	if (!view->has_files || !view->files.is_exact)
		return NULL;
	sw_report_table(view->report, "unowned", "descriptor kind runtime leads_to");
	struct sw_error *error = sw_fds_unowned(view, add_unowned_row, &unowned);
	end_table(view, "unowned", unowned.rows);
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
