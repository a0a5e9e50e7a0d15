/* What the runtime holds on behalf of goroutines: the pointers of their g and sudogs (runtime2.go).
 *
 * Sudogs of one semaphore or channel are linked to each other, in a queue or a tree of queues; that
 * is no reason for any of them to be kept. */
#include "go/root.h"
#include "go/wait.h"

#include <inttypes.h>

struct holder {
	struct sw_root_collector *collector;
	const struct sw_goroutine *goroutine;
	struct sw_go_wait *wait;
	struct sw_error *error;
};

static char *field_name(const struct sw_go *go, uint64_t offset)
{
	const struct {
		sw_offset offset;
		const char *name;
	} fields[] = {
		{go->layout.g.panic, "g._panic"},    {go->layout.g.defer, "g._defer"},
		{go->layout.g.param, "g.param"},     {go->layout.g.labels, "labels"},
		{go->layout.g.coroarg, "g.coroarg"}, {go->layout.g.xRegs, "g.xRegs"},
		{go->layout.g.waiting, "g.waiting"},
	};
	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		if (fields[i].offset == offset)
			return strdup(fields[i].name);
	return sw_roots_name("g+0x%" PRIx64, offset);
}

/* The thread is held by runtime.allm, the closure that runs is a word of the stack already, and
 * sudogs follow. */
static bool is_left_out(const struct holder *holder, uint64_t offset)
{
	const struct sw_layout *layout = &holder->collector->go->layout;
	return offset == layout->g.m || offset == layout->g.sched + layout->gobuf.ctxt ||
	       (offset == layout->g.waiting && holder->wait->count);
}

static bool add_field(void *context, uint64_t offset, sw_addr pointer)
{
	struct holder *holder = context;
	struct sw_root_collector *collector = holder->collector;
	sw_addr at = holder->goroutine->address + offset;
	sw_slot slot = sw_heap_slot(collector->heap, pointer);
	uint32_t root;

	if (is_left_out(holder, offset) || slot == SW_NO_SLOT ||
	    !sw_heap_is_marked(collector->heap, slot))
		return true;
	holder->error =
		sw_roots_add_root(collector,
				  (struct sw_go_root){.kind = SW_GO_ROOT_LOCAL,
						      .name = field_name(collector->go, offset),
						      .address = at},
				  holder->wait->root, &root);
	if (!holder->error)
		holder->error = sw_roots_add_word(collector, root, at, pointer);
	return !holder->error;
}

static struct sw_error *add_g(struct holder *holder)
{
	struct sw_root_collector *collector = holder->collector;
	sw_slot slot = sw_heap_slot(collector->heap, holder->goroutine->address);

	if (slot == SW_NO_SLOT ||
	    sw_heap_slot_address(collector->heap, slot) != holder->goroutine->address)
		return NULL;
	sw_heap_pointers(collector->heap, slot, add_field, holder);
	return holder->error ? holder->error
			     : sw_heap_hide(collector->heap, collector->go->work, slot);
}

static struct sw_error *add_sudog(struct holder *holder, const struct sw_go_blocker *blocker,
				  uint32_t root)
{
	struct sw_root_collector *collector = holder->collector;
	const struct sw_layout *layout = &collector->go->layout;
	sw_addr sudog = blocker->sudog;

	struct sw_error *error = sw_roots_add_word(collector, root, 0, sudog);
	if (!error)
		error = sw_roots_add_word(collector, root, sudog + layout->sudog.c,
					  blocker->object);
	if (!error && blocker->elem)
		error = sw_roots_add_word(collector, root, sudog + layout->sudog.elem,
					  blocker->elem);
	return error ? error
		     : sw_heap_hide(collector->heap, collector->go->work,
				    sw_heap_slot(collector->heap, sudog));
}

static struct sw_error *add_sudogs(struct holder *holder)
{
	const struct sw_go_blocker *blockers =
		sw_go_wait_blockers(holder->collector->go->waits, holder->wait);
	uint32_t *root = &holder->wait->hold;

	if (!holder->wait->count)
		return NULL;
	struct sw_error *error =
		sw_roots_add_root(holder->collector,
				  (struct sw_go_root){.kind = SW_GO_ROOT_LOCAL,
						      .name = strdup("what it waits for"),
						      .address = blockers->sudog},
				  holder->wait->root, root);
	for (uint32_t i = 0; !error && i < holder->wait->count; i++)
		error = add_sudog(holder, &blockers[i], *root);
	return error;
}

/* ---- what they wait for ---- */

static struct sw_error *find_wait(struct sw_root_collector *collector,
				  const struct sw_goroutine *goroutine)
{
	struct sw_go *go = collector->go;
	struct sw_go_stack stack = {0};
	struct sw_error *error = NULL;

	if (sw_go_wait_needs_stack(go, collector->heap, goroutine))
		error = sw_roots_unwind(collector, goroutine, &stack);
	if (!error)
		error = sw_go_waits_add(go->waits, go, collector->heap, goroutine, &stack,
					goroutine->root);
	sw_go_stack_free(&stack);
	return error;
}

/* What is wrong with a stack was told when roots were collected. */
static struct sw_error *find_waits(struct sw_root_collector *collector)
{
	struct sw_warnings unheard = {0};
	struct sw_go quiet = *collector->go;
	struct sw_root_collector finding = *collector;
	struct sw_error *error = NULL;

	quiet.warnings = &unheard;
	finding.go = &quiet;
	for (size_t i = 0; !error && i < quiet.goroutines.count; i++) {
		error = find_wait(&finding, &quiet.goroutines.items[i]);
		if (!error && i % 1024 == 0)
			error = sw_work_tick(quiet.work, "waits", i, quiet.goroutines.count);
	}
	sw_go_waits_finish(quiet.waits);
	sw_warnings_clear(&unheard);
	return error;
}

struct sw_error *sw_roots_add_waits(struct sw_root_collector *collector)
{
	struct sw_go *go = collector->go;

	go->waits = calloc(1, sizeof(*go->waits));
	struct sw_error *error = go->waits ? find_waits(collector) : sw_error_memory();
	for (size_t i = 0; !error && i < go->goroutines.count; i++) {
		struct holder holder = {.collector = collector,
					.goroutine = &go->goroutines.items[i],
					.wait = &go->waits->list.items[i]};
		error = add_g(&holder);
		if (!error)
			error = add_sudogs(&holder);
	}
	return error;
}
