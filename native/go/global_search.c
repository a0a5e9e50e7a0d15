/* The runtime's variables by what the functions of the runtime refer to, and by what they hold. */
#include "go/global.h"
#include "go/pclntab.h"

enum {
	FTAB_ENTRY = 8,	       /* bytes: entryoff u32, funcoff u32 */
	NAME_OFF = 4,	       /* of the name's offset in a _func, 1.18–1.27 */
	MAX_TWINS = 4,	       /* functions of one name */
	MAX_CODE = 1 << 20,    /* bytes of a function */
	MIN_CLUES = 2,	       /* that must be there to tell anything */
	TOLERATED_FRACTION = 4 /* of the clues: one of so many may be wrong */
};

/* ---- functions ---- */

static struct sw_global_function *find_function(const struct sw_global_functions *functions,
						const char *name)
{
	for (size_t i = 0; i < functions->count; i++)
		if (!strcmp(functions->items[i].name, name))
			return &functions->items[i];
	return NULL;
}

static struct sw_error *list_functions(const struct sw_global *globals, size_t count,
				       struct sw_global_functions *out)
{
	struct sw_error *error = NULL;
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; !error && k < SW_GLOBAL_CLUES; k++) {
			const char *name = globals[i].clues[k].function;
			if (name && !find_function(out, name))
				error = sw_global_functions_add(
					out, (struct sw_global_function){.name = name});
		}
	return error;
}

static bool is_data(const void *context, sw_addr address)
{
	const struct sw_go_module *module = context;
	return (address >= module->noptrdata && address < module->enoptrdata) ||
	       (address >= module->data && address < module->edata) ||
	       (address >= module->bss && address < module->ebss) ||
	       (address >= module->noptrbss && address < module->enoptrbss);
}

/* The name of the function of an entry of ftab; NULL for one of another package. */
static const char *runtime_name(const struct sw_go_module *module, const uint8_t *entry)
{
	static const char package[] = "runtime.";
	uint64_t place = (uint64_t)sw_load32(entry + 4) + NAME_OFF;

	if (place + 4 > module->pclntable_size)
		return NULL;
	uint64_t offset = sw_load32(module->pclntable + place);
	if (offset >= module->funcnametab_size ||
	    module->funcnametab_size - offset < sizeof(package))
		return NULL;
	const char *name = (const char *)module->funcnametab + offset;
	if (memcmp(name, package, sizeof(package) - 1) != 0 ||
	    !memchr(name, 0, module->funcnametab_size - offset))
		return NULL;
	return name + sizeof(package) - 1;
}

static struct sw_error *read_code(const struct sw_go *go, const struct sw_go_module *module,
				  uint64_t index, struct sw_global_function *function)
{
	sw_addr start, end;
	if (!sw_go_func_range(module, index, &start, &end) || end - start > MAX_CODE ||
	    function->count == MAX_TWINS)
		return NULL;
	const uint8_t *code = sw_memory_view(go->memory, start, end - start);
	if (!code)
		return NULL;
	function->count++;
	return sw_code_find_refs(go->arch, start, code, end - start, is_data, module,
				 &function->refs);
}

/* The runtime is in the first module. */
struct sw_error *sw_global_read_functions(const struct sw_go *go, const struct sw_global *globals,
					  size_t count, struct sw_global_functions *out)
{
	const struct sw_go_module *module = go->modules.items;
	struct sw_error *error = list_functions(globals, count, out);

	if (error || !go->modules.count || !module->ftab || !module->pclntable ||
	    !module->funcnametab)
		return error;
	for (uint64_t i = 0; !error && i + 1 < module->ftab_count; i++) {
		const uint8_t *entry = module->ftab + i * FTAB_ENTRY;
		const char *name = runtime_name(module, entry);
		struct sw_global_function *function = name ? find_function(out, name) : NULL;
		if (function)
			error = read_code(go, module, i, function);
	}
	return error;
}

void sw_global_free_functions(struct sw_global_functions *functions)
{
	for (size_t i = 0; i < functions->count; i++)
		sw_code_refs_free(&functions->items[i].refs);
	sw_global_functions_free(functions);
}

/* ---- votes ---- */

/* A place that clues name, by their bits. */
struct vote {
	sw_addr at;
	uint32_t clues;
};
SW_VECTOR(struct vote, votes);

static struct sw_error *add_votes(const struct sw_global_function *function, uint64_t offset,
				  bool is_accessed, uint32_t bit, struct votes *out)
{
	struct sw_error *error = NULL;
	for (size_t i = 0; !error && i < function->refs.count; i++) {
		const struct sw_code_ref *ref = &function->refs.items[i];
		if (ref->use == SW_CODE_ACCESS || !is_accessed)
			error = votes_add(out, (struct vote){ref->address - offset, bit});
	}
	return error;
}

static int by_address(const void *a, const void *b)
{
	const struct vote *x = a, *y = b;
	return (x->at > y->at) - (x->at < y->at);
}

/* One vote for each place, with all its clues. */
static void unite(struct votes *votes)
{
	size_t count = 0;
	if (votes->count)
		qsort(votes->items, votes->count, sizeof(*votes->items), by_address);
	for (size_t i = 0; i < votes->count; i++)
		if (count && votes->items[count - 1].at == votes->items[i].at)
			votes->items[count - 1].clues |= votes->items[i].clues;
		else
			votes->items[count++] = votes->items[i];
	votes->count = count;
}

/* Keeps the places that enough of the clues name. */
static void keep_likely(struct votes *votes, unsigned clues)
{
	size_t count = 0;
	for (size_t i = 0; i < votes->count; i++)
		if ((unsigned)__builtin_popcount(votes->items[i].clues) >=
		    clues - clues / TOLERATED_FRACTION)
			votes->items[count++] = votes->items[i];
	votes->count = count;
}

/* The places that the code names for the variable; *clues: how many there were to go by. */
static struct sw_error *ask_code(const struct sw_go *go, const struct sw_global *global,
				 const struct sw_global_functions *functions, struct votes *out,
				 unsigned *clues)
{
	struct sw_error *error = NULL;

	*clues = 0;
	for (size_t i = 0; !error && i < SW_GLOBAL_CLUES && global->clues[i].function; i++) {
		const struct sw_global_clue *clue = &global->clues[i];
		const struct sw_global_function *function =
			find_function(functions, clue->function);
		uint64_t offset;
		if (!function || !function->count || !sw_global_offset(go, clue->field, &offset))
			continue;
		++*clues;
		error = add_votes(function, offset, global->is_accessed, (uint32_t)1 << i, out);
	}
	unite(out);
	if (*clues < MIN_CLUES)
		out->count = 0;
	keep_likely(out, *clues);
	return error;
}

/* ---- what the places hold ---- */

/* Of places that fit: how many, one of them, and why another one did not. */
struct finding {
	size_t fitting, empty; /* empty: fitting lists with nothing on them */
	sw_addr fit, empty_fit;
	sw_addr misfit;
	const char *why;
};

static bool is_empty_list(const struct sw_go *go, const struct sw_global *global, sw_addr at)
{
	uint64_t offset, word;
	return global->list && sw_global_offset(go, global->list, &offset) &&
	       sw_memory_u64(go->memory, at + offset, &word) && !word;
}

static void look_at(const struct sw_go *go, const struct sw_global *global, sw_addr at,
		    struct finding *finding)
{
	const char *why = global->misfit(go, at);
	if (why && !finding->why) {
		finding->why = why;
		finding->misfit = at;
	}
	if (why)
		return;
	if (is_empty_list(go, global, at)) {
		finding->empty++;
		finding->empty_fit = at;
	} else {
		finding->fitting++;
		finding->fit = at;
	}
}

/* ---- */

static struct sw_error *give_up(const struct sw_go *go, const struct sw_global *global,
				unsigned clues, const struct votes *votes,
				const struct finding *finding)
{
	struct sw_error *error;
	const char *name = global->name;

	if (finding->fitting)
		error = sw_error_format(SW_ERR_UNSUPPORTED,
					"%zu places fit runtime.%s of Go 1.%u, one of them 0x%llx",
					finding->fitting, name, go->minor,
					(unsigned long long)finding->fit);
	else if (votes->count)
		error = sw_error_format(
			SW_ERR_UNSUPPORTED,
			"no variable fits runtime.%s of Go 1.%u: at 0x%llx, where its functions "
			"have it, it is %s that does not",
			name, go->minor, (unsigned long long)finding->misfit, finding->why);
	else
		error = sw_error_format(
			SW_ERR_UNSUPPORTED,
			"no variable fits runtime.%s of Go 1.%u: 0 candidates (functions that "
			"would refer to it: %u)",
			name, go->minor, clues);
	return sw_error_hint(error, "give the unstripped build of the same program with "
				    "--symbols FILE");
}

static struct sw_error *choose(const struct sw_go *go, const struct sw_global *global,
			       unsigned clues, const struct votes *votes, sw_addr *out)
{
	struct finding finding = {0};

	for (size_t i = 0; i < votes->count; i++)
		look_at(go, global, votes->items[i].at, &finding);
	if (finding.fitting == 1)
		*out = finding.fit;
	else if (!finding.fitting && finding.empty)
		*out = finding.empty == 1 ? finding.empty_fit : 0;
	else
		return give_up(go, global, clues, votes, &finding);
	return NULL;
}

struct sw_error *sw_global_search(const struct sw_go *go, const struct sw_global *global,
				  const struct sw_global_functions *functions, sw_addr *out)
{
	struct votes votes = {0};
	unsigned clues;
	struct sw_error *error = ask_code(go, global, functions, &votes, &clues);

	*out = 0;
	if (!error)
		error = choose(go, global, clues, &votes, out);
	votes_free(&votes);
	return error;
}
