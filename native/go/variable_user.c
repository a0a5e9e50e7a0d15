#include "go/variable_user.h"

#include "code/data_ref.h"
#include "go/name.h"
#include "go/pclntab.h"

enum {
	MAX_WORDS = 1 << 23, /* of data and bss */
	MAX_CODE = 1 << 22,  /* bytes of a function */
	GRAIN = 256,	     /* functions that a worker takes at a time */
};

/* How well a function tells what a variable is for. */
enum rank { NOBODY, RUNTIME, INITIALIZER, FUNCTION };
enum { RANK_SHIFT = 30, PLACE_MASK = (1 << RANK_SHIFT) - 1 };

struct sw_variable_users {
	const struct sw_go *go;
	const struct sw_go_module *module;
	sw_addr data, bss;
	uint64_t data_words, words; /* words: of both */
	/* [words], atomic: the user that tells most, rank << RANK_SHIFT | PLACE_MASK - its place in
	 * ftab: of one rank the first is the largest. */
	uint32_t *best;
	uint32_t *first, *last; /* [words]: places + 1 of users that are not the runtime's */
};

static uint64_t word_of(const struct sw_variable_users *users, sw_addr at)
{
	uint64_t word = (at - users->data) / 8;
	if (at >= users->data && word < users->data_words)
		return word;
	word = (at - users->bss) / 8;
	return at >= users->bss && word < users->words - users->data_words
		       ? users->data_words + word
		       : users->words;
}

static bool is_variable(const void *context, sw_addr at)
{
	const struct sw_variable_users *users = context;
	return at % 8 == 0 && word_of(users, at) < users->words;
}

/* ---- functions ---- */

static bool has_suffix(const char *name, const char *suffix)
{
	size_t length = strlen(name), of_suffix = strlen(suffix);
	return length >= of_suffix && !strcmp(name + length - of_suffix, suffix);
}

static enum rank rank_of(const char *name)
{
	if (sw_go_is_runtime_name(name))
		return RUNTIME;
	return has_suffix(name, ".init") || !strncmp(name, "type:", 5) ? INITIALIZER : FUNCTION;
}

static const char *name_of(const struct sw_variable_users *users, uint32_t place)
{
	struct sw_go_func function;
	sw_addr start, end;
	sw_go_func_range(users->module, place, &start, &end);
	return sw_go_find_func(users->go, start, &function) ? sw_go_func_name(&function) : "?";
}

/* ---- reading the code ---- */

static void raise_to(uint32_t *word, uint32_t value)
{
	uint32_t known = __atomic_load_n(word, __ATOMIC_RELAXED);
	while (known < value && !__atomic_compare_exchange_n(word, &known, value, true,
							     __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

static void lower_to(uint32_t *word, uint32_t value)
{
	uint32_t known = __atomic_load_n(word, __ATOMIC_RELAXED);
	while ((!known || known > value) &&
	       !__atomic_compare_exchange_n(word, &known, value, true, __ATOMIC_RELAXED,
					    __ATOMIC_RELAXED))
		;
}

static void note(struct sw_variable_users *users, uint32_t place,
		 const struct sw_code_refs *references)
{
	enum rank rank = references->count ? rank_of(name_of(users, place)) : NOBODY;
	for (size_t i = 0; i < references->count; i++) {
		uint64_t word = word_of(users, references->items[i].address);
		raise_to(&users->best[word], (uint32_t)rank << RANK_SHIFT | (PLACE_MASK - place));
		if (rank == RUNTIME)
			continue;
		lower_to(&users->first[word], place + 1);
		raise_to(&users->last[word], place + 1);
	}
}

/* Bytes of a function's code that are worth reading. */
static uint64_t code_size(const struct sw_go_module *module, uint64_t place, sw_addr *start)
{
	sw_addr end;
	if (!sw_go_func_range(module, place, start, &end) || end - *start > MAX_CODE)
		return 0;
	return end - *start;
}

/* How many functions have as much code as the text has: those of a damaged table may overlap. */
static uint64_t count_functions(const struct sw_go_module *module)
{
	uint64_t left = module->etext - module->text, place = 0;
	sw_addr start;

	for (; place < module->ftab_count - 1; place++) {
		uint64_t size = code_size(module, place, &start);
		if (size > left)
			break;
		left -= size;
	}
	return place;
}

static struct sw_error *read_functions(void *context, unsigned worker, size_t begin, size_t end)
{
	struct sw_variable_users *users = context;
	struct sw_code_refs references = {0};
	struct sw_error *error = NULL;

	(void)worker;
	for (size_t i = begin; !error && i < end; i++) {
		sw_addr start;
		uint64_t size = code_size(users->module, i, &start);
		const uint8_t *code = size ? sw_memory_view(users->go->memory, start, size) : NULL;
		references.count = 0;
		if (code)
			error = sw_code_find_refs(users->go->arch, start, code, size, is_variable,
						  users, &references);
		note(users, (uint32_t)i, &references);
	}
	sw_code_refs_free(&references);
	return error;
}

struct sw_error *sw_variable_users_find(const struct sw_go *go, const struct sw_go_module *module,
					struct sw_variable_users **out)
{
	struct sw_variable_users *users = calloc(1, sizeof(*users));
	struct sw_error *error = NULL;

	*out = users;
	if (!users)
		return sw_error_memory();
	*users = (struct sw_variable_users){.go = go,
					    .module = module,
					    .data = module->data,
					    .bss = module->bss,
					    .data_words = (module->edata - module->data) / 8};
	users->words = users->data_words + (module->ebss - module->bss) / 8;
	if (!module->ftab || module->ftab_count < 2 || module->ftab_count > PLACE_MASK ||
	    users->words > MAX_WORDS)
		users->words = users->data_words = 0;
	users->best = calloc(3 * users->words + 1, sizeof(*users->best));
	if (!users->best)
		return sw_error_memory();
	users->first = users->best + users->words;
	users->last = users->first + users->words;
	if (users->words)
		error = sw_parallel_for(go->work, "code", count_functions(module), GRAIN,
					read_functions, users);
	return error;
}

void sw_variable_users_free(struct sw_variable_users *users)
{
	if (users)
		free(users->best);
	free(users);
}

/* The linker keeps a package's functions together, so the first and the last user tell whether all
 * are of one. */
bool sw_variable_user(const struct sw_variable_users *users, sw_addr at,
		      struct sw_variable_user *out)
{
	uint64_t word = word_of(users, at);
	if (word >= users->words || !users->best[word])
		return false;
	out->function = name_of(users, PLACE_MASK - (users->best[word] & PLACE_MASK));
	out->package = sw_go_package_length(out->function);
	if (!users->first[word])
		return true;
	const char *first = name_of(users, users->first[word] - 1);
	const char *last = name_of(users, users->last[word] - 1);
	if (sw_go_package_length(first) != out->package ||
	    sw_go_package_length(last) != out->package ||
	    memcmp(first, out->function, out->package) != 0 ||
	    memcmp(last, out->function, out->package) != 0)
		out->package = 0;
	return true;
}
