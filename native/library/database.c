#include "library/database.h"

#include "base/map.h"

enum { DB, DRIVER_CONN, STATEMENT, ROWS, TX, CONN };

static const char *const wanted[] = {
	[DB] = "database/sql.DB",
	[DRIVER_CONN] = "database/sql.driverConn",
	[STATEMENT] = "database/sql.Stmt",
	[ROWS] = "database/sql.Rows",
	[TX] = "database/sql.Tx",
	[CONN] = "database/sql.Conn",
	NULL,
};

SW_MAP(uint32_t, address_set); /* 1 or a place + 1, by address */

struct search {
	const struct sw_live *live;
	const struct sw_keepers *keepers;
	struct sw_databases *out;
	struct sw_instances found;
	struct address_set databases; /* by DB */
	struct address_set held;      /* driverConns that rows, a transaction, a connection hold */
	struct address_set lost;      /* driverConns that count as lost */
	struct sw_error *error;
};

static uint64_t number(const struct search *search, struct sw_value of, const char *path)
{
	uint64_t word;
	return sw_value_word(&search->live->reader, of, path, &word) ? word : 0;
}

/* ---- pools ---- */

/* dsnConnector{dsn, driver} is the package's own; a driver may have a connector. */
static sw_type driver_of(const struct search *search, struct sw_value db)
{
	const struct sw_value_reader *reader = &search->live->reader;
	struct sw_value connector, driver;

	if (!sw_value_behind(reader, db, "connector", &connector))
		return 0;
	return sw_value_behind(reader, connector, "driver", &driver) ? driver.type : connector.type;
}

/* A map until 1.22, then connRequestSet{s []connRequestAndIndex}. */
static bool count_waiters(const struct search *search, struct sw_value db, uint64_t *out)
{
	const struct sw_value_reader *reader = &search->live->reader;
	struct sw_value_array list;
	struct sw_map_size size;
	struct sw_value map;

	if (sw_value_array(reader, db, "connRequests.s", &list)) {
		*out = list.len;
		return true;
	}
	if (!sw_value_field(reader, db, "connRequests", &map) ||
	    !sw_value_map_size(reader, map, &size))
		return false;
	*out = size.count;
	return true;
}

static void add_database(struct search *search, struct sw_value db)
{
	const struct sw_live *live = search->live;
	struct sw_value_array idle;
	struct sw_database database = {.value = db, .object = sw_heap_object(live->heap, db.addr)};
	uint64_t max_open;

	if (address_set_find(&search->databases, db.addr))
		return;
	if (!sw_value_word(&live->reader, db, "numOpen", &database.open) ||
	    !sw_value_word(&live->reader, db, "maxOpen", &max_open) ||
	    !sw_value_array(&live->reader, db, "freeConn", &idle) || idle.len > database.open ||
	    (int64_t)database.open < 0 || !count_waiters(search, db, &database.waiters)) {
		search->out->damaged++;
		return;
	}
	database.idle = idle.len;
	database.in_use = database.open - database.idle;
	database.max_open = (int64_t)max_open > 0 ? max_open : 0;
	database.wait_count = number(search, db, "waitCount");
	database.wait_ns = (int64_t)number(search, db, "waitDuration");
	database.is_closed = sw_value_flag(&search->live->reader, db, "closed");
	database.driver = driver_of(search, db);
	database.keeper = sw_keeper_of(live, search->keepers, db.addr);
	search->error = sw_database_list_add(&search->out->list, database);
	if (!search->error)
		search->error = address_set_set(&search->databases, db.addr,
						(uint32_t)search->out->list.count);
}

static void add_pool(struct search *search, const struct sw_instance *instance)
{
	add_database(search, instance->value);
}

/* A DB may be of no known type but for its connections. */
static void add_pool_of(struct search *search, const struct sw_instance *instance)
{
	struct sw_value db;
	if (sw_value_pointee(&search->live->reader, instance->value, "db", &db))
		add_database(search, db);
}

/* NULL: it is of no database that could be read. */
static struct sw_database *database_of(const struct search *search, struct sw_value of,
				       const char *path)
{
	sw_addr db;
	if (!sw_value_word(&search->live->reader, of, path, &db))
		return NULL;
	const uint32_t *place = address_set_find(&search->databases, db);
	return place ? &search->out->list.items[*place - 1] : NULL;
}

static void add_statement(struct search *search, const struct sw_instance *instance)
{
	struct sw_database *database = database_of(search, instance->value, "db");
	if (database && !sw_value_flag(&search->live->reader, instance->value, "closed"))
		database->statements++;
}

/* ---- what holds connections ---- */

/* A transaction and its rows hold the same connection. */
static void lose(struct search *search, struct sw_database *database, sw_addr conn)
{
	if (address_set_find(&search->lost, conn) || search->error)
		return;
	database->lost++;
	search->error = address_set_set(&search->lost, conn, 1);
}

static void add_unclosed(struct search *search, const struct sw_instance *instance,
			 struct sw_database *database, enum sw_unclosed_kind kind, sw_addr conn)
{
	bool is_gone = conn == instance->value.addr;
	const struct sw_live *live = search->live;
	struct sw_unclosed unclosed = {
		.value = instance->value,
		.object = instance->object,
		.kind = kind,
		.is_gone = is_gone,
		.keeper = sw_keeper_of(live, search->keepers, instance->value.addr),
		.database = (uint32_t)(database - search->out->list.items)};

	if (!is_gone && unclosed.keeper == SW_KEPT_BY_PROGRAM && instance->object != SW_NO_OBJECT &&
	    sw_keeper_is_at_hand(live, search->keepers, instance->object, false))
		unclosed.keeper = SW_KEPT_BY_GOROUTINE;
	if (is_gone)
		unclosed.keeper = SW_KEPT_BY_NOBODY;
	if (!is_gone)
		database->unclosed[kind]++;
	search->error = sw_unclosed_list_add(&search->out->unclosed, unclosed);
	if (unclosed.keeper >= SW_KEPT_BY_LIBRARY)
		lose(search, database, conn);
}

static void add_holder(struct search *search, const struct sw_instance *instance)
{
	enum sw_unclosed_kind kind = instance->wanted == ROWS ? SW_UNCLOSED_ROWS
				     : instance->wanted == TX ? SW_UNCLOSED_TX
							      : SW_UNCLOSED_CONN;
	const char *done = kind == SW_UNCLOSED_ROWS ? "closed" : "done";
	uint64_t is_done, conn;

	if (!sw_value_word(&search->live->reader, instance->value, done, &is_done) ||
	    !sw_value_word(&search->live->reader, instance->value, "dc", &conn)) {
		search->out->damaged++;
		return;
	}
	struct sw_database *database = database_of(search, instance->value, "dc.db");
	if (is_done || !database)
		return;
	search->error = address_set_set(&search->held, conn, 1);
	if (!search->error)
		add_unclosed(search, instance, database, kind, conn);
}

/* A channel, by which a connection goes to whoever waits for it; what is of no known type, and the
 * function of rows that gives it back: there may be rows of no known type. */
static bool may_hold(void *context, sw_object referrer)
{
	const struct search *search = context;
	sw_type type = sw_live_type(search->live, referrer);
	uint8_t role = sw_type_info(search->live->types, type)->role;
	return !type || role == SW_TYPE_CHAN_HEADER || role == SW_TYPE_CLOSURE;
}

/* In the frames of a call, or on the way there. */
static bool is_in_use(struct search *search, sw_object object)
{
	return sw_keeper_is_at_hand(search->live, search->keepers, object, true) ||
	       sw_keeper_of_referrers(search->live, search->keepers, object, may_hold, search) <
		       SW_KEPT_BY_LIBRARY;
}

static void add_driver_conn(struct search *search, const struct sw_instance *instance)
{
	struct sw_value conn = instance->value;

	if (!sw_value_flag(&search->live->reader, conn, "inUse") ||
	    sw_value_flag(&search->live->reader, conn, "finalClosed") ||
	    address_set_find(&search->held, conn.addr) || instance->object == SW_NO_OBJECT ||
	    is_in_use(search, instance->object))
		return;
	struct sw_database *database = database_of(search, conn, "db");
	if (database)
		add_unclosed(search, instance, database, SW_UNCLOSED_ROWS, conn.addr);
}

/* ---- all of them ---- */

static void add_all(struct search *search, unsigned first, unsigned last,
		    void add(struct search *, const struct sw_instance *))
{
	for (size_t i = 0; i < search->found.count && !search->error; i++)
		if (search->found.items[i].wanted >= first && search->found.items[i].wanted <= last)
			add(search, &search->found.items[i]);
}

struct sw_error *sw_databases_find(const struct sw_live *live, const struct sw_keepers *keepers,
				   struct sw_databases *out)
{
	struct search search = {.live = live, .keepers = keepers, .out = out};

	memset(out, 0, sizeof(*out));
	search.error = sw_live_collect(live, wanted, &search.found);
	add_all(&search, DB, DB, add_pool);
	add_all(&search, DRIVER_CONN, DRIVER_CONN, add_pool_of);
	add_all(&search, STATEMENT, STATEMENT, add_statement);
	add_all(&search, ROWS, CONN, add_holder);
	add_all(&search, DRIVER_CONN, DRIVER_CONN, add_driver_conn);
	sw_instances_free(&search.found);
	address_set_free(&search.databases);
	address_set_free(&search.held);
	address_set_free(&search.lost);
	if (search.error)
		sw_databases_free(out);
	return search.error;
}

void sw_databases_free(struct sw_databases *databases)
{
	sw_database_list_free(&databases->list);
	sw_unclosed_list_free(&databases->unclosed);
	memset(databases, 0, sizeof(*databases));
}
