/* The stacks of all goroutines: walked on all workers as sequences of pcs, of which there are few;
 * then each of those is turned into calls. */
#include "base/map.h"
#include "go/traceback.h"

/* ---- sequences of words, each kept once ---- */

SW_VECTOR(uint64_t, words);
SW_VECTOR(struct sw_go_stack_range, ranges);
SW_MAP(uint32_t, numbers);

struct sequences {
	struct words words;   /* of all, one after the other */
	struct ranges ranges; /* of each, in the order they came */
	struct numbers by_hash;
};

static void sequences_free(struct sequences *set)
{
	words_free(&set->words);
	ranges_free(&set->ranges);
	numbers_free(&set->by_hash);
}

static uint64_t hash_words(const uint64_t *items, size_t count)
{
	uint64_t hash = count + 1;
	for (size_t i = 0; i < count; i++) {
		hash = (hash ^ items[i]) * 0x9e3779b97f4a7c15;
		hash ^= hash >> 29;
	}
	return hash;
}

static bool is_same(const struct sequences *set, uint32_t number, const uint64_t *items,
		    size_t count)
{
	struct sw_go_stack_range range = set->ranges.items[number];
	return range.count == count &&
	       (!count || !memcmp(set->words.items + range.begin, items, count * sizeof(*items)));
}

static struct sw_error *append(struct sequences *set, const uint64_t *items, size_t count)
{
	struct sw_go_stack_range range = {.begin = (uint32_t)set->words.count,
					  .count = (uint32_t)count};
	if (count > UINT32_MAX || set->words.count + count > UINT32_MAX)
		return sw_error_format(SW_ERR_LIMIT, "the stacks have more than 2^32 frames");
	struct sw_error *error = words_grow(&set->words, count);
	if (!error)
		error = ranges_add(&set->ranges, range);
	if (error)
		return error;
	if (count)
		memcpy(set->words.items + range.begin, items, count * sizeof(*items));
	set->words.count += count;
	return NULL;
}

/* The sequence's number; a new one when it is not there yet. Two of one hash get neighbouring
 * keys. */
static struct sw_error *intern(struct sequences *set, const uint64_t *items, size_t count,
			       uint32_t *out)
{
	uint64_t hash = hash_words(items, count);
	const uint32_t *known;

	hash += !hash;
	while ((known = numbers_find(&set->by_hash, hash))) {
		*out = *known;
		if (is_same(set, *known, items, count))
			return NULL;
		hash += 1 + (hash == UINT64_MAX);
	}
	*out = (uint32_t)set->ranges.count;
	struct sw_error *error = append(set, items, count);
	return error ? error : numbers_set(&set->by_hash, hash, *out);
}

/* ---- walking, on all workers ---- */

/* What a worker has to itself. Its warnings say nothing that is_partial does not, in an order that
 * depends on the number of workers: they are dropped. */
struct walker {
	struct sw_go go; /* a copy with a cache and warnings of its own */
	struct sw_warnings warnings;
	struct sequences stacks; /* of pc keys */
	struct words keys;	 /* of the goroutine at hand */
	size_t walked;
};

struct walk {
	struct sw_go *go;
	struct sw_go_stacks *out;
	struct walker *walkers;
	uint32_t *raw;	 /* [goroutine_count]: number in the walker's stacks */
	uint8_t *worker; /* [goroutine_count]: whose */
};

static uint64_t pc_key(sw_addr pc, bool is_call)
{
	return pc << 1 | is_call;
}

static struct sw_error *walk_one(struct walk *walk, struct walker *walker, size_t index)
{
	struct sw_go_stack stack;
	struct sw_error *error = sw_go_unwind(&walker->go, &walk->go->goroutines.items[index],
					      false, NULL, NULL, &stack);
	if (error)
		return error;
	walker->keys.count = 0;
	error = words_grow(&walker->keys, stack.frames.count);
	for (size_t i = 0; !error && i < stack.frames.count; i++)
		walker->keys.items[walker->keys.count++] =
			pc_key(stack.frames.items[i].pc, stack.frames.items[i].is_call);
	walk->out->is_partial[index] = stack.is_partial;
	sw_go_stack_free(&stack);
	return error ? error
		     : intern(&walker->stacks, walker->keys.items, walker->keys.count,
			      &walk->raw[index]);
}

/* Goroutines after which the pages of their stacks are given back: 100 MB. */
enum { FORGET_AFTER = 8192 };

static struct sw_error *walk_body(void *context, unsigned worker, size_t begin, size_t end)
{
	struct walk *walk = context;
	struct walker *walker = &walk->walkers[worker];
	struct sw_error *error = NULL;

	for (size_t i = begin; !error && i < end; i++) {
		walk->worker[i] = (uint8_t)worker;
		error = walk_one(walk, walker, i);
		if (++walker->walked % FORGET_AFTER == 0)
			sw_target_forget_pages(walk->go->target);
	}
	return error;
}

static struct sw_error *start_walkers(struct walk *walk)
{
	unsigned workers = walk->go->work->workers;
	struct sw_error *error = NULL;

	walk->walkers = calloc(workers, sizeof(*walk->walkers));
	if (!walk->walkers)
		return sw_error_memory();
	for (unsigned i = 0; !error && i < workers; i++) {
		struct walker *walker = &walk->walkers[i];
		walker->go = *walk->go;
		walker->go.pc_cache = NULL;
		walker->go.warnings = &walker->warnings;
		error = sw_go_pc_cache_create(&walker->go.pc_cache);
	}
	return error;
}

static void free_walkers(struct walk *walk)
{
	for (unsigned i = 0; walk->walkers && i < walk->go->work->workers; i++) {
		struct walker *walker = &walk->walkers[i];
		sw_go_pc_cache_free(walker->go.pc_cache);
		sw_warnings_clear(&walker->warnings);
		sequences_free(&walker->stacks);
		words_free(&walker->keys);
	}
	free(walk->walkers);
}

/* ---- calls of the stacks, on one ---- */

SW_VECTOR(struct sw_go_call, calls);
SW_MAP(struct sw_go_stack_range, expansions);

struct naming {
	struct walk *walk;
	struct sequences contents; /* of calls, numbered as they are */
	struct calls calls;
	struct words expanded;		 /* numbers of calls, of each pc */
	struct expansions by_pc;	 /* pc key → range of `expanded` */
	struct numbers creators;	 /* gopc → number of a call + 1 */
	struct sequences stacks;	 /* numbers of calls, HIDDEN beside */
	struct words frames;		 /* of the stack at hand */
	uint32_t *known[SW_MAX_WORKERS]; /* [2 * raw + is_system]: number of the stack + 1 */
};

#define HIDDEN ((uint64_t)1 << 32)

static struct sw_error *number_call(struct naming *naming, const struct sw_go_call *call,
				    uint32_t *out)
{
	uint64_t content[] = {
		(uintptr_t)call->function,
		(uintptr_t)call->file,
		(uint64_t)(uint32_t)call->line << 32 | (uint64_t)call->func_id << 2 |
			(uint64_t)call->is_inlined << 1 | call->is_wrapper,
	};
	struct sw_error *error =
		intern(&naming->contents, content, sizeof(content) / sizeof(*content), out);
	if (!error && *out == naming->calls.count)
		error = calls_add(&naming->calls, *call);
	return error;
}

static struct sw_error *expand(struct naming *naming, uint64_t key, struct sw_go_stack_range *out)
{
	const struct sw_go *go = naming->walk->go;
	const struct sw_go_stack_range *known = expansions_find(&naming->by_pc, key);
	struct sw_go_frame frame = {.pc = key >> 1, .is_call = key & 1};
	struct sw_go_call calls[SW_GO_MAX_INLINED];
	struct sw_error *error = NULL;
	uint32_t number;

	if (known) {
		*out = *known;
		return NULL;
	}
	*out = (struct sw_go_stack_range){.begin = (uint32_t)naming->expanded.count};
	if (sw_go_find_func(go, frame.pc, &frame.func))
		out->count = (uint32_t)sw_go_calls(go, &frame, calls, SW_GO_MAX_INLINED);
	for (uint32_t i = 0; !error && i < out->count; i++) {
		error = number_call(naming, &calls[i], &number);
		if (!error)
			error = words_add(&naming->expanded, number);
	}
	return error ? error : expansions_set(&naming->by_pc, key, *out);
}

static struct sw_error *add_frames(struct naming *naming, uint64_t key,
				   struct sw_go_showing *showing)
{
	struct sw_go_stack_range range;
	struct sw_error *error = expand(naming, key, &range);

	for (uint32_t i = 0; !error && i < range.count; i++) {
		uint64_t number = naming->expanded.items[range.begin + i];
		bool shows = sw_go_shows(showing, &naming->calls.items[number]);
		error = words_add(&naming->frames, number | (shows ? 0 : HIDDEN));
	}
	return error;
}

static struct sw_error *name_stack(struct naming *naming, size_t index)
{
	struct walk *walk = naming->walk;
	const struct walker *walker = &walk->walkers[walk->worker[index]];
	bool is_system = walk->out->is_system[index];
	uint32_t *known =
		&naming->known[walk->worker[index]][2 * (size_t)walk->raw[index] + is_system];
	struct sw_go_stack_range raw = walker->stacks.ranges.items[walk->raw[index]];
	struct sw_go_showing showing = {.go = walk->go, .shows_runtime = is_system};
	struct sw_error *error = NULL;

	naming->frames.count = 0;
	for (uint32_t i = 0; !error && !*known && i < raw.count; i++)
		error = add_frames(naming, walker->stacks.words.items[raw.begin + i], &showing);
	if (!error && !*known) {
		error = intern(&naming->stacks, naming->frames.items, naming->frames.count, known);
		*known += !error;
	}
	walk->out->stack_of[index] = *known - 1;
	return error;
}

/* traceback.go printcreatedby. */
static struct sw_error *name_creator(struct naming *naming, size_t index)
{
	struct sw_go_stacks *out = naming->walk->out;
	const struct sw_goroutine *g = &naming->walk->go->goroutines.items[index];
	struct sw_go_showing showing = {
		.go = naming->walk->go, .shows_runtime = out->is_system[index], .has_shown = true};
	const uint32_t *known = numbers_find(&naming->creators, g->gopc);
	struct sw_error *error = NULL;
	struct sw_go_call call;
	uint32_t number = 0;

	out->created_by[index] = UINT32_MAX;
	if (!g->gopc || g->goid == 1)
		return NULL;
	if (known) {
		number = *known;
	} else if (sw_go_call_at(naming->walk->go, g->gopc, true, &call)) {
		error = number_call(naming, &call, &number);
		number++;
	}
	if (!error && !known)
		error = numbers_set(&naming->creators, g->gopc, number);
	if (!error && number && sw_go_shows(&showing, &naming->calls.items[number - 1]))
		out->created_by[index] = number - 1;
	return error;
}

static struct sw_error *name_all(struct naming *naming)
{
	struct walk *walk = naming->walk;
	struct sw_error *error = NULL;

	for (unsigned i = 0; !error && i < walk->go->work->workers; i++) {
		naming->known[i] = calloc(2 * walk->walkers[i].stacks.ranges.count + 1,
					  sizeof(*naming->known[i]));
		if (!naming->known[i])
			error = sw_error_memory();
	}
	for (size_t i = 0; !error && i < walk->out->goroutine_count; i++) {
		walk->out->is_system[i] = sw_go_is_system(walk->go, &walk->go->goroutines.items[i]);
		error = name_stack(naming, i);
		if (!error)
			error = name_creator(naming, i);
		if (!error && i % 4096 == 0)
			error = sw_work_tick(walk->go->work, "stacks", i,
					     walk->out->goroutine_count);
	}
	return error;
}

static void free_naming(struct naming *naming)
{
	sequences_free(&naming->contents);
	calls_free(&naming->calls);
	words_free(&naming->expanded);
	expansions_free(&naming->by_pc);
	numbers_free(&naming->creators);
	sequences_free(&naming->stacks);
	words_free(&naming->frames);
	for (unsigned i = 0; i < SW_MAX_WORKERS; i++)
		free(naming->known[i]);
}

/* ---- the result ---- */

static struct sw_error *print_names(struct sw_go_stacks *out)
{
	out->names = calloc((size_t)out->call_count + 1, sizeof(*out->names));
	if (!out->names)
		return sw_error_memory();
	for (uint32_t i = 0; i < out->call_count; i++)
		if (!(out->names[i] = sw_go_print_name(out->calls[i].function)))
			return sw_error_memory();
	return NULL;
}

/* Takes what was found over into `out`. */
static struct sw_error *take(struct naming *naming, struct sw_go_stacks *out)
{
	size_t count = naming->stacks.words.count;

	out->calls = naming->calls.items;
	out->call_count = (uint32_t)naming->calls.count;
	out->stacks = naming->stacks.ranges.items;
	out->stack_count = (uint32_t)naming->stacks.ranges.count;
	memset(&naming->calls, 0, sizeof(naming->calls));
	memset(&naming->stacks.ranges, 0, sizeof(naming->stacks.ranges));
	out->frames = calloc(count + 1, sizeof(*out->frames));
	out->is_hidden = calloc(count + 1, sizeof(*out->is_hidden));
	if (!out->frames || !out->is_hidden)
		return sw_error_memory();
	for (size_t i = 0; i < count; i++) {
		out->frames[i] = (uint32_t)naming->stacks.words.items[i];
		out->is_hidden[i] = naming->stacks.words.items[i] & HIDDEN;
	}
	out->frame_count = count;
	return print_names(out);
}

static void warn_of_partial(const struct sw_go *go, const struct sw_go_stacks *stacks)
{
	size_t partial = 0, first = 0;
	for (size_t i = 0; i < stacks->goroutine_count; i++)
		if (stacks->is_partial[i] && !partial++)
			first = i;
	if (partial)
		sw_warn(go->warnings, true, "partial_stacks",
			"the frames that could be walked are shown",
			"the stacks of %zu goroutines could not be walked to their end, the first "
			"is goroutine %llu",
			partial, (unsigned long long)go->goroutines.items[first].goid);
}

static struct sw_error *prepare(struct walk *walk)
{
	size_t count = walk->go->goroutines.count + 1;
	struct sw_go_stacks *out = walk->out;

	out->goroutine_count = walk->go->goroutines.count;
	out->stack_of = calloc(count, sizeof(*out->stack_of));
	out->created_by = calloc(count, sizeof(*out->created_by));
	out->is_system = calloc(count, sizeof(*out->is_system));
	out->is_partial = calloc(count, sizeof(*out->is_partial));
	walk->raw = calloc(count, sizeof(*walk->raw));
	walk->worker = calloc(count, sizeof(*walk->worker));
	if (!out->stack_of || !out->created_by || !out->is_system || !out->is_partial ||
	    !walk->raw || !walk->worker)
		return sw_error_memory();
	return start_walkers(walk);
}

enum { GRAIN = 256 }; /* goroutines that a worker takes at once */

struct sw_error *sw_go_stacks_build(struct sw_go *go, struct sw_go_stacks *out)
{
	struct walk walk = {.go = go, .out = out};
	struct naming naming = {.walk = &walk};

	memset(out, 0, sizeof(*out));
	struct sw_error *error = prepare(&walk);
	if (!error)
		error = sw_parallel_for(go->work, "stacks", out->goroutine_count, GRAIN, walk_body,
					&walk);
	if (!error)
		error = name_all(&naming);
	if (!error)
		error = take(&naming, out);
	free_naming(&naming);
	free_walkers(&walk);
	free(walk.raw);
	free(walk.worker);
	if (error)
		sw_go_stacks_free(out);
	else
		warn_of_partial(go, out);
	return error;
}

void sw_go_stacks_free(struct sw_go_stacks *stacks)
{
	for (uint32_t i = 0; stacks->names && i < stacks->call_count; i++)
		free(stacks->names[i]);
	free(stacks->names);
	free(stacks->calls);
	free(stacks->frames);
	free(stacks->is_hidden);
	free(stacks->stacks);
	free(stacks->stack_of);
	free(stacks->created_by);
	free(stacks->is_system);
	free(stacks->is_partial);
	memset(stacks, 0, sizeof(*stacks));
}
