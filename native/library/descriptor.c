#include "library/descriptor.h"

#include "library/finalizer.h"
#include "library/net_address.h"
#include "library/poll_fd.h"

enum {
	MAX_NAME = 512,	  /* bytes of a file's name that are kept */
	MAX_WRAPPERS = 8, /* a connection in a connection … */
	/* Words of runtime.pollDesc up to the last of rg and wg (runtime/netpoll.go). */
	POLL_DESC_WORDS = 8,
};

/* Where the parts of an owner are. */
struct shape {
	const char *type;
	enum sw_descriptor_kind kind;
	const char *number, *state, *blocking, *poll, *is_closed;
	const char *name;
	bool is_socket;
};

/* The order is that of `wanted`. Who has a poll.FD in it stands before poll.FD. */
static const struct shape shapes[] = {
	{"os.file", SW_DESCRIPTOR_FILE, "pfd.Sysfd", "pfd.fdmu.state", "pfd.isBlocking",
	 "pfd.pd.runtimeCtx", NULL, "name", false},
	{"net.netFD", SW_DESCRIPTOR_SOCKET, "pfd.Sysfd", "pfd.fdmu.state", "pfd.isBlocking",
	 "pfd.pd.runtimeCtx", NULL, NULL, true},
	{"os.root", SW_DESCRIPTOR_DIRECTORY, "fd", NULL, NULL, NULL, "closed", "name", false},
	{"internal/poll.FD", SW_DESCRIPTOR_OTHER, "Sysfd", "fdmu.state", "isBlocking",
	 "pd.runtimeCtx", NULL, NULL, false},
};

enum { SHAPES = sizeof(shapes) / sizeof(*shapes), POLL_FD = SHAPES - 1 };

static const char *const wanted[] = {
	"os.file",	    "net.netFD",
	"os.root",	    "internal/poll.FD",
	"os.File",	    "net.TCPConn",
	"net.UDPConn",	    "net.UnixConn",
	"net.IPConn",	    "net.TCPListener",
	"net.UnixListener", "os.Root",
	"crypto/tls.Conn",  NULL,
};

enum { WANTED_TLS = sizeof(wanted) / sizeof(*wanted) - 2 };

/* What the program has in hand. */
struct user {
	struct sw_value value;
	unsigned wanted;
};
SW_VECTOR(struct user, user_list);
SW_MAP(uint32_t, goroutine_numbers);
SW_MAP(uint8_t, place_set);

struct search {
	const struct sw_live *live;
	const struct sw_keepers *keepers;
	struct sw_descriptors *out;
	struct user_list users;
	struct place_set seen;		  /* owners by address */
	struct sw_value outer;		  /* the last owner that can have a poll.FD in it */
	struct goroutine_numbers waiting; /* place + 1, by the address of the g */
};

/* ---- one descriptor ---- */

static char *copy_text(const char *text)
{
	return *text ? strdup(text) : NULL;
}

/* Memory that was handed out and not used yet. */
static bool is_blank(const struct search *search, struct sw_value value)
{
	uint64_t size = sw_type_info(search->live->types, value.type)->size;
	const uint8_t *bytes = sw_memory_view(search->live->go->memory, value.addr, size);
	for (uint64_t i = 0; bytes && i < size; i++)
		if (bytes[i])
			return false;
	return bytes != NULL;
}

static bool read_state(const struct search *search, const struct shape *shape,
		       struct sw_descriptor *descriptor)
{
	const struct sw_value_reader *reader = &search->live->reader;
	uint64_t number, state = 0, is_blocking = 0;

	if (!sw_value_word(reader, descriptor->owner, shape->number, &number))
		return false;
	if (shape->state && !sw_value_word(reader, descriptor->owner, shape->state, &state))
		return false;
	if (shape->is_closed && !sw_value_word(reader, descriptor->owner, shape->is_closed, &state))
		return false;
	if (shape->blocking)
		sw_value_word(reader, descriptor->owner, shape->blocking, &is_blocking);
	descriptor->number = (int64_t)number;
	descriptor->is_blocking = is_blocking != 0;
	if (descriptor->number < -1 || descriptor->number > INT32_MAX)
		return false;
	if (!(state & SW_POLL_FD_CLOSED)) {
		descriptor->state = SW_DESCRIPTOR_OPEN;
	} else if (descriptor->number >= 0 && shape->state) {
		descriptor->state = SW_DESCRIPTOR_CLOSING;
	} else {
		descriptor->state = SW_DESCRIPTOR_CLOSED;
		descriptor->number = -1;
	}
	return true;
}

/* A socket for streams without another end. */
static bool is_listener(const struct search *search, const struct sw_descriptor *descriptor)
{
	static const char *const streams[] = {"tcp", "tcp4", "tcp6", "unix", "unixpacket"};
	struct sw_value remote;
	uint64_t word;

	if (!descriptor->net || !descriptor->local ||
	    !sw_value_field(&search->live->reader, descriptor->owner, "raddr", &remote) ||
	    !sw_memory_u64(search->live->go->memory, remote.addr, &word) || word)
		return false;
	for (size_t i = 0; i < sizeof(streams) / sizeof(*streams); i++)
		if (!strcmp(descriptor->net, streams[i]))
			return true;
	return false;
}

static void read_names(const struct search *search, const struct shape *shape,
		       struct sw_descriptor *descriptor)
{
	const struct sw_live *live = search->live;
	char text[MAX_NAME];

	if (shape->name &&
	    sw_value_string(&live->reader, descriptor->owner, shape->name, text, sizeof(text)))
		descriptor->name = copy_text(text);
	if (!shape->is_socket)
		return;
	if (sw_value_string(&live->reader, descriptor->owner, "net", text, sizeof(text)))
		descriptor->net = copy_text(text);
	if (sw_net_address(live, descriptor->owner, "laddr", text, sizeof(text)))
		descriptor->local = copy_text(text);
	if (sw_net_address(live, descriptor->owner, "raddr", text, sizeof(text)))
		descriptor->remote = copy_text(text);
	if (is_listener(search, descriptor))
		descriptor->kind = SW_DESCRIPTOR_LISTENER;
}

/* rg and wg of runtime.pollDesc are 0, 1, 2 or the g that waits. The struct is not in the heap, and
 * a stripped program does not describe it; no other word of it is the address of a g. */
static void read_waiting(const struct search *search, const struct shape *shape,
			 struct sw_descriptor *descriptor)
{
	const struct sw_live *live = search->live;
	uint64_t poll, word;

	if (!shape->poll || !sw_value_word(&live->reader, descriptor->owner, shape->poll, &poll) ||
	    !poll)
		return;
	for (unsigned i = 0; i < POLL_DESC_WORDS && descriptor->waiting_count < 2; i++) {
		if (!sw_memory_u64(live->go->memory, poll + 8 * i, &word))
			return;
		const uint32_t *g = goroutine_numbers_find(&search->waiting, word);
		if (g)
			descriptor->waiting[descriptor->waiting_count++] = *g - 1;
	}
}

static struct sw_error *add_owner(struct search *search, struct sw_value owner, unsigned number,
				  sw_object object)
{
	const struct shape *shape = &shapes[number];
	struct sw_descriptor descriptor = {.owner = owner, .object = object, .kind = shape->kind};

	if (is_blank(search, owner))
		return NULL;
	struct sw_error *error = place_set_set(&search->seen, owner.addr, 1);
	if (error)
		return error;
	if (!read_state(search, shape, &descriptor)) {
		search->out->damaged++;
		return NULL;
	}
	descriptor.keeper = sw_keeper_of(search->live, search->keepers, owner.addr);
	read_names(search, shape, &descriptor);
	read_waiting(search, shape, &descriptor);
	error = sw_descriptor_list_add(&search->out->list, descriptor);
	if (error) {
		free(descriptor.name);
		free(descriptor.net);
		free(descriptor.local);
		free(descriptor.remote);
	}
	return error;
}

/* ---- all of them ---- */

static bool is_inside(const struct search *search, sw_addr addr)
{
	uint64_t size = sw_type_info(search->live->types, search->outer.type)->size;
	return search->outer.type && addr - search->outer.addr < size;
}

static struct sw_error *visit(void *context, const struct sw_instance *instance)
{
	struct search *search = context;

	if (instance->wanted >= SHAPES)
		return user_list_add(&search->users,
				     (struct user){instance->value, instance->wanted});
	if (instance->wanted == POLL_FD && is_inside(search, instance->value.addr))
		return NULL;
	if (instance->wanted != POLL_FD)
		search->outer = instance->value;
	return add_owner(search, instance->value, instance->wanted, instance->object);
}

/* A finalizer tells the type of its object: of garbage, and of what nothing else tells in a
 * stripped program. */
static struct sw_error *add_finalized(struct search *search, const struct sw_finalizer *finalizer)
{
	struct sw_value owner = {finalizer->type, finalizer->object_address};
	const char *name = sw_type_info(search->live->types, finalizer->type)->name;

	if (place_set_find(&search->seen, owner.addr))
		return NULL;
	for (unsigned i = 0; i < POLL_FD; i++)
		if (!strcmp(name, shapes[i].type))
			return add_owner(search, owner, i, finalizer->object);
	return NULL;
}

static struct sw_error *find_finalized(struct search *search)
{
	struct sw_finalizers finalizers;
	struct sw_error *error = sw_finalizers_find(search->live, &finalizers);

	if (error)
		return error;
	for (size_t i = 0; !error && i < finalizers.list.count; i++) {
		const struct sw_finalizer *finalizer = &finalizers.list.items[i];
		if (finalizer->kind == SW_FINALIZER && finalizer->object_address)
			error = add_finalized(search, finalizer);
	}
	sw_finalizers_free(&finalizers);
	return error;
}

static struct sw_error *number_goroutines(struct search *search)
{
	const struct sw_goroutines *all = &search->live->go->goroutines;
	struct sw_error *error = NULL;
	for (size_t i = 0; !error && i < all->count; i++)
		if (all->items[i].status == SW_GO_WAITING || all->items[i].status == SW_GO_LEAKED)
			error = goroutine_numbers_set(&search->waiting, all->items[i].address,
						      (uint32_t)i + 1);
	return error;
}

static int by_number(const void *a, const void *b)
{
	const struct sw_descriptor *x = a, *y = b;
	bool x_closed = x->number < 0, y_closed = y->number < 0;
	if (x_closed != y_closed)
		return x_closed ? 1 : -1;
	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return (x->owner.addr > y->owner.addr) - (x->owner.addr < y->owner.addr);
}

static struct sw_error *sort(struct sw_descriptors *descriptors)
{
	struct sw_error *error = NULL;
	if (descriptors->list.count)
		qsort(descriptors->list.items, descriptors->list.count,
		      sizeof(*descriptors->list.items), by_number);
	for (size_t i = 0; !error && i < descriptors->list.count; i++)
		error = sw_descriptor_numbers_set(&descriptors->by_owner,
						  descriptors->list.items[i].owner.addr,
						  (uint32_t)i + 1);
	return error;
}

/* ---- who uses them ---- */

static uint64_t capacity(const struct sw_live *live, struct sw_value of, const char *path)
{
	struct sw_value_array array;
	return sw_value_array(&live->reader, of, path, &array) ? array.cap * array.elem_size : 0;
}

static void read_tls(const struct sw_live *live, struct sw_value conn, struct sw_tls *out)
{
	out->addr = conn.addr;
	out->is_client = sw_value_flag(&live->reader, conn, "isClient");
	out->is_established =
		sw_value_flag(&live->reader, conn, "isHandshakeComplete") || /* 1.20 */
		sw_value_flag(&live->reader, conn, "handshakeStatus");
	out->is_close_sent = sw_value_flag(&live->reader, conn, "closeNotifySent");
	out->buffer_bytes = capacity(live, conn, "rawInput.buf") + capacity(live, conn, "hand.buf");
}

static void add_user(struct search *search, const struct user *user)
{
	const struct sw_live *live = search->live;
	uint32_t number = sw_descriptor_behind(live, search->out, user->value);
	if (number == SW_NO_DESCRIPTOR)
		return;
	struct sw_descriptor *descriptor = &search->out->list.items[number];
	if (user->wanted == WANTED_TLS) {
		read_tls(live, user->value, &descriptor->tls);
		descriptor->user = user->value;
	} else if (!descriptor->user.type) {
		descriptor->user = user->value;
	}
}

static bool follow(const struct sw_live *live, struct sw_value *value)
{
	/* os.File{*file}, net.TCPListener{fd}, net.TCPConn{conn{fd}}, net.conn{fd} */
	static const char *const pointers[] = {"file", "fd", "conn.fd", "root"};
	/* tls.Conn{conn}, net/http.conn{rwc}, what a program wraps */
	static const char *const interfaces[] = {"conn", "Conn", "rwc", "Listener", "tconn"};

	struct sw_value from = *value;

	for (size_t i = 0; i < sizeof(pointers) / sizeof(*pointers); i++)
		if (sw_value_pointee(&live->reader, from, pointers[i], value))
			return true;
	for (size_t i = 0; i < sizeof(interfaces) / sizeof(*interfaces); i++)
		if (sw_value_behind(&live->reader, from, interfaces[i], value))
			return true;
	const struct sw_type_info *info = sw_type_info(live->types, from.type);
	for (uint32_t i = 0; info->kind == SW_KIND_STRUCT && i < info->field_count; i++) {
		const struct sw_type_field *field = &info->fields[i];
		struct sw_value part = {field->type, from.addr + field->offset};
		if (!field->is_embedded)
			continue;
		*value = part;
		return sw_type_info(live->types, part.type)->kind != SW_KIND_POINTER ||
		       sw_value_pointee(&live->reader, part, NULL, value);
	}
	return false;
}

uint32_t sw_descriptor_behind(const struct sw_live *live, const struct sw_descriptors *descriptors,
			      struct sw_value value)
{
	for (unsigned i = 0; i < MAX_WRAPPERS; i++) {
		const uint32_t *found =
			sw_descriptor_numbers_find(&descriptors->by_owner, value.addr);
		/* Several structs may begin at one address; none of them but the owner counts. */
		if (found && descriptors->list.items[*found - 1].owner.type == value.type)
			return *found - 1;
		if (!follow(live, &value))
			return SW_NO_DESCRIPTOR;
	}
	return SW_NO_DESCRIPTOR;
}

struct sw_error *sw_descriptors_find(const struct sw_live *live, const struct sw_keepers *keepers,
				     struct sw_descriptors *out)
{
	struct search search = {.live = live, .keepers = keepers, .out = out};

	memset(out, 0, sizeof(*out));
	struct sw_error *error = number_goroutines(&search);
	if (!error)
		error = sw_live_instances(live, wanted, NULL, visit, &search);
	if (!error)
		error = find_finalized(&search);
	if (!error)
		error = sort(out);
	for (size_t i = 0; !error && i < search.users.count; i++)
		add_user(&search, &search.users.items[i]);
	user_list_free(&search.users);
	goroutine_numbers_free(&search.waiting);
	place_set_free(&search.seen);
	if (error)
		sw_descriptors_free(out);
	return error;
}

void sw_descriptors_free(struct sw_descriptors *descriptors)
{
	for (size_t i = 0; i < descriptors->list.count; i++) {
		struct sw_descriptor *descriptor = &descriptors->list.items[i];
		free(descriptor->name);
		free(descriptor->net);
		free(descriptor->local);
		free(descriptor->remote);
	}
	sw_descriptor_list_free(&descriptors->list);
	sw_descriptor_numbers_free(&descriptors->by_owner);
	memset(descriptors, 0, sizeof(*descriptors));
}
