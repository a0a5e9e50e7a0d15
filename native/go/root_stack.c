/* Goroutine stacks as roots: a goroutine is a group, what its frames hold are the members, named
 * by function and variable where the debug information tells. */
#include "go/root.h"

#include <inttypes.h>

/* Locals of one pc: many goroutines stand at the same few places. */
struct pc_locals {
	sw_addr pc; /* 0: free */
	struct sw_dwarf_locals locals;
};

enum { PC_CACHE = 1 << 12 };

struct stacks {
	struct sw_root_collector *collector;
	struct pc_locals *cache; /* open addressing, PC_CACHE places */
	size_t cached;
};

static const struct sw_dwarf_locals *find_locals(struct stacks *stacks, sw_addr pc)
{
	static const struct sw_dwarf_locals none;
	size_t at = pc * 0x9e3779b97f4a7c15 >> 52;
	if (!stacks->collector->go->dwarf)
		return &none;
	while (stacks->cache[at].pc && stacks->cache[at].pc != pc)
		at = (at + 1) % PC_CACHE;
	if (stacks->cache[at].pc)
		return &stacks->cache[at].locals;
	if (stacks->cached ==
	    PC_CACHE / 2) /* names are a courtesy: memory is not spent without end */
		return &none;
	stacks->cached++;
	stacks->cache[at].pc = pc;
	sw_error_free(sw_dwarf_locals(stacks->collector->go->dwarf, pc, &stacks->cache[at].locals));
	return &stacks->cache[at].locals;
}

/* The variable or piece of one that covers an address of a frame. */
static const struct sw_dwarf_local *find_local(struct stacks *stacks,
					       const struct sw_go_frame *frame, sw_addr at)
{
	const struct sw_dwarf_locals *locals =
		find_locals(stacks, frame->is_call ? frame->pc - 1 : frame->pc);
	for (size_t i = 0; i < locals->count; i++) {
		const struct sw_dwarf_local *local = &locals->items[i];
		sw_addr start = frame->fp + (uint64_t)local->cfa_offset;
		if (at - start < local->size)
			return local;
	}
	return NULL;
}

static char *word_name(const struct sw_go_stack *stack, const struct sw_go_stack_word *word,
		       const struct sw_dwarf_local *local)
{
	if (word->frame >= stack->frames.count)
		return sw_roots_name("%s", word->kind == SW_GO_WORD_DEFER  ? "deferred calls"
					   : word->kind == SW_GO_WORD_CTXT ? "closure it runs"
									   : "registers");
	const struct sw_go_frame *frame = &stack->frames.items[word->frame];
	const char *function = local ? local->function : sw_go_func_name(&frame->func);
	if (local)
		return sw_roots_name("%s: %s", function, local->name);
	if (!word->at)
		return sw_roots_name("%s: a register", function);
	return sw_roots_name("%s: sp+0x%" PRIx64, function, word->at - frame->sp);
}

/* Words of one variable make one root: they follow each other in rising address within a frame. */
struct last_root {
	uint32_t frame, number;
	const struct sw_dwarf_local *local;
};

static bool is_same_variable(const struct last_root *last, const struct sw_go_stack_word *word,
			     const struct sw_dwarf_local *local)
{
	return local && last->number != SW_NO_ROOT && last->frame == word->frame &&
	       last->local == local;
}

/* Words come in rising order within a frame. */
static bool may_be_data(const struct sw_go_stack *stack, const struct sw_go_stack_word *word)
{
	const struct sw_go_stack_word *before = word - 1;
	return word->at && word->kind == SW_GO_WORD_PRECISE &&
	       !(word > stack->words.items && before->at == word->at - 8);
}

static struct sw_error *add_local(struct stacks *stacks, const struct sw_go_stack *stack,
				  const struct sw_go_stack_word *word,
				  const struct sw_dwarf_local *local, uint32_t group,
				  uint32_t *number)
{
	struct sw_go_root root = {.kind = SW_GO_ROOT_LOCAL,
				  .name = word_name(stack, word, local),
				  .address = word->at,
				  .may_be_data = may_be_data(stack, word)};
	if (word->frame < stack->frames.count) {
		root.pc = stack->frames.items[word->frame].pc;
		root.fp = stack->frames.items[word->frame].fp;
		root.is_call = stack->frames.items[word->frame].is_call;
	}
	if (local) {
		const struct sw_go_frame *frame = &stack->frames.items[word->frame];
		root.address = frame->fp + (uint64_t)local->cfa_offset;
		root.size = local->size;
		root.type = local->type;
		root.type_offset = local->offset;
	}
	return sw_roots_add_root(stacks->collector, root, group, number);
}

static struct sw_error *add_stack_word(struct stacks *stacks, const struct sw_go_stack *stack,
				       const struct sw_go_stack_word *word, bool is_named,
				       uint32_t group, struct last_root *last)
{
	const struct sw_dwarf_local *local = NULL;

	if (sw_heap_slot(stacks->collector->heap, word->pointer) == SW_NO_SLOT)
		return NULL;
	if (word->at && word->frame < stack->frames.count)
		local = find_local(stacks, &stack->frames.items[word->frame], word->at);
	if (is_named != (local != NULL))
		return NULL;
	if (!is_same_variable(last, word, local)) {
		struct sw_error *error =
			add_local(stacks, stack, word, local, group, &last->number);
		if (error)
			return error;
		last->frame = word->frame;
		last->local = local;
	}
	return sw_roots_add_word(stacks->collector, last->number, word->at, word->pointer);
}

/* Variables come first: where several words of a goroutine hold an object, a path goes over the
 * root of the lowest number, and a name says more than a place. */
static struct sw_error *add_words(struct stacks *stacks, const struct sw_go_stack *stack,
				  bool is_named, uint32_t group)
{
	struct last_root last = {.number = SW_NO_ROOT};
	struct sw_error *error = NULL;
	for (size_t i = 0; !error && i < stack->words.count; i++)
		error = add_stack_word(stacks, stack, &stack->words.items[i], is_named, group,
				       &last);
	return error;
}

/* A conservative word counts when an object is allocated there (mgcmark.go scanConservative). */
static bool is_object(void *context, sw_addr pointer)
{
	const struct sw_root_collector *collector = context;
	const struct sw_span *span = sw_heap_span(collector->heap, pointer);
	if (!span)
		return false;
	uint32_t index = sw_span_index(span, pointer);
	return index < span->count &&
	       sw_go_span_is_live(&collector->go->spans.items[span->owner], index);
}

struct sw_error *sw_roots_unwind(struct sw_root_collector *collector,
				 const struct sw_goroutine *goroutine, struct sw_go_stack *out)
{
	*out = (struct sw_go_stack){0};
	return sw_go_unwind(collector->go, goroutine, true, is_object, collector, out);
}

static struct sw_error *add_goroutine(struct stacks *stacks, struct sw_goroutine *goroutine)
{
	struct sw_root_collector *collector = stacks->collector;
	struct sw_go_stack stack;

	struct sw_error *error = sw_roots_unwind(collector, goroutine, &stack);
	if (!error)
		error = sw_roots_add_root(
			collector,
			(struct sw_go_root){
				.kind = SW_GO_ROOT_GOROUTINE,
				.name = sw_roots_name("goroutine %" PRIu64, goroutine->goid),
				.address = goroutine->address},
			SW_NO_ROOT, &goroutine->root);
	if (!error)
		error = add_words(stacks, &stack, true, goroutine->root);
	if (!error)
		error = add_words(stacks, &stack, false, goroutine->root);
	sw_go_stack_free(&stack);
	return error;
}

struct sw_error *sw_roots_add_stacks(struct sw_root_collector *collector)
{
	struct sw_go *go = collector->go;
	struct stacks stacks = {.collector = collector};
	struct sw_error *error = NULL;

	stacks.cache = calloc(PC_CACHE, sizeof(*stacks.cache));
	if (!stacks.cache)
		return sw_error_memory();
	for (size_t i = 0; !error && i < go->goroutines.count; i++) {
		error = add_goroutine(&stacks, &go->goroutines.items[i]);
		if (!error && i % 64 == 0)
			error = sw_work_tick(go->work, "stacks", i, go->goroutines.count);
	}
	for (size_t i = 0; i < PC_CACHE; i++)
		sw_dwarf_locals_free(&stacks.cache[i].locals);
	free(stacks.cache);
	return error;
}
