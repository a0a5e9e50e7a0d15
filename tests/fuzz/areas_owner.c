/* Fields of the structures that the commands about owners read, each field a kind of its own. */
#include "collect.h"

#include "view/view.h"

#include <err.h>

/* A field of a type, by where it stands in instances of it; "" is the whole. */
static const struct {
	const char *type, *path, *name;
} fields[] = {
	{"sync.Pool", "local", "pool local"},
	{"sync.Pool", "localSize", "pool size"},
	{"sync.Pool", "victim", "pool local"},
	{"sync.Pool", "victimSize", "pool size"},
	{"sync.poolChainElt", "", "pool ring"},
	{"sync.poolChainElt", "next", "pool ring next"},
	{"sync.poolChainElt", "prev", "pool ring prev"},
	{"sync.poolChainElt", "poolDequeue.headTail", "pool ring ends"},
	{"sync.poolChainElt", "poolDequeue.vals", "pool ring slots"},
	{"context.cancelCtx", "", "context"},
	{"context.cancelCtx", "Context", "context parent"},
	{"context.cancelCtx", "children", "context children"},
	{"context.cancelCtx", "err", "context error"},
	{"context.valueCtx", "", "value context"},
	{"context.valueCtx", "Context", "value context parent"},
	{"context.valueCtx", "key", "context key"},
	{"context.valueCtx", "val", "context key"},
	{"internal/poll.FD", "fdmu", "descriptor lock"},
	{"internal/poll.FD", "Sysfd", "descriptor number"},
	{"internal/poll.FD", "pd", "descriptor poll"},
	{"os.file", "name", "descriptor name"},
	{"net.netFD", "net", "descriptor name"},
	{"net.netFD", "laddr", "address"},
	{"net.netFD", "raddr", "address"},
	{"net.TCPAddr", "IP", "address bytes"},
	{"net.UnixAddr", "Name", "descriptor name"},
	{"bufio.Reader", "buf", "buffer"},
	{"bufio.Reader", "r", "buffer position"},
	{"bufio.Reader", "w", "buffer position"},
	{"bufio.Reader", "rd", "buffer source"},
	{"bufio.Writer", "buf", "buffer"},
	{"bufio.Writer", "n", "buffer position"},
	{"bytes.Buffer", "buf", "buffer"},
	{"bytes.Buffer", "off", "buffer position"},
	{"strings.Builder", "buf", "buffer"},
	{"net/http.Transport", "idleConn", "transport map"},
	{"net/http.Transport", "connsPerHostWait", "transport map"},
	{"net/http.persistConn", "", "persistent connection"},
	{"net/http.persistConn", "t", "connection owner"},
	{"net/http.persistConn", "conn", "connection"},
	{"net/http.persistConn", "cacheKey", "connection host"},
	{"net/http.conn", "server", "connection owner"},
	{"net/http.conn", "rwc", "connection"},
	{"database/sql.DB", "freeConn", "database list"},
	{"database/sql.DB", "numOpen", "database count"},
	{"database/sql.DB", "connRequests", "database requests"},
	{"database/sql.driverConn", "db", "connection owner"},
	{"database/sql.Rows", "dc", "database holder"},
	{"database/sql.Tx", "dc", "database holder"},
	{"time.Timer", "", "library timer"},
	{"time.Ticker", "", "library timer"},
	{"runtime.timeTimer", "", "library timer"}, /* what both are from 1.23 on */
	/* Of cores/programs/owners/arena-chunks, parser-arena. */
	{"main.chunk", "", "chunk"},
	{"main.chunk", "next", "chunk next"},
	{"main.chunk", "used", "chunk used"},
	{"main.names", "chunks", "chunk list"},
	{"main.names", "off", "chunk used"},
	{"main.arena", "chunk", "chunk list"},
	{"main.arena", "used", "chunk used"},
};

enum { FIELDS = sizeof(fields) / sizeof(*fields) };

struct owners {
	const struct collector *collector;
	const struct sw_live *live;
	const char *types[FIELDS + 1]; /* each once */
};

static struct sw_error *visit(void *context, const struct sw_instance *instance)
{
	const struct owners *owners = context;
	struct sw_value field;

	for (size_t i = 0; i < FIELDS; i++)
		if (!strcmp(fields[i].type, owners->types[instance->wanted]) &&
		    sw_value_field(&owners->live->reader, instance->value, fields[i].path, &field))
			collect(owners->collector, fields[i].name, field.addr,
				sw_type_info(owners->live->types, field.type)->size);
	return NULL;
}

/* Headers of slices and strings on an array of their own, as they stand in variables and objects:
 * the first word of each is a pointer to an object's start, the others its length and capacity. */
static void collect_headers(const struct owners *owners)
{
	enum { MOST = 4096 };
	const struct sw_live *live = owners->live;
	struct sw_views views = {0};
	struct sw_error *error = sw_views_collect(live, 1024, &views);

	if (error)
		errx(2, "%s", error->message);
	for (size_t i = 0; i < views.count && i < MOST; i++)
		if (views.items[i].kind == SW_VIEW_SLICE)
			collect(owners->collector, "slice header", views.items[i].at, 24);
		else if (views.items[i].kind == SW_VIEW_STRING)
			collect(owners->collector, "string header", views.items[i].at, 16);
	sw_views_free(&views);
}

void collect_owners(const struct collector *collector)
{
	struct sw_live live;
	struct owners owners = {.collector = collector, .live = &live};
	size_t count = 0;
	struct sw_error *error = sw_session_live(collector->session, &live);

	for (size_t i = 0; i < FIELDS; i++)
		if (!i || strcmp(fields[i].type, fields[i - 1].type) != 0)
			owners.types[count++] = fields[i].type;
	if (!error)
		error = sw_live_instances(&live, owners.types, NULL, visit, &owners);
	if (error)
		errx(2, "the undamaged core cannot be analysed: %s", error->message);
	collect_headers(&owners);
}
