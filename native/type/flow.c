/* All functions, round by round, until nothing new is learnt. */
#include "type/flow_private.h"

#include "go/pclntab.h"

enum {
	MAX_ROUNDS = 8,
	FUNC_FLAG_ASM = 4,
	TICK = 256,
	REGION_WORDS = 1 << 26,
	MAX_INSTANCES = 1 << 16,
	MAX_OBJECTS = 1 << 20,
};

/* ---- functions ---- */

/* Where "T" ends in "path/main.(*T).method", or "(*T[...])"; NULL for the functions inside a
 * method, and all others. *start is where it starts. */
static const char *receiver_end(const char *name, const char **start)
{
	const char *open = strstr(name, ".(*");
	const char *close = open ? strstr(open, ").") : NULL;
	if (!close || strpbrk(close + 2, ".[-"))
		return NULL;
	*start = open + 3;
	return close;
}

/* The type of a method's receiver; 0 when the program has no descriptor of it. */
static sw_type receiver_of(struct sw_flow *flow, const char *name)
{
	static const char trie[] =
		"internal/sync.(*HashTrieMap[go.shape.interface {},go.shape.interface {}])";
	const char *start, *end = receiver_end(name, &start);
	if (end && !strncmp(name, trie, sizeof(trie) - 1))
		return sw_type_trie_map(flow->types);
	if (!end || strchr(name, '['))
		return 0;
	char *type_name =
		sw_type_name("%.*s.%.*s", (int)(start - 3 - name), name, (int)(end - start), start);
	sw_type type = type_name ? sw_type_of_name(flow->types, type_name) : 0;
	if (!type && type_name && !strcmp(type_name, "sync.Map"))
		type = sw_type_trie_map(flow->types);
	free(type_name);
	if (type)
		sw_flow_fail(flow, sw_type_plans_make(flow->plans, type));
	return type;
}

uint32_t sw_flow_object_number(struct sw_flow *flow, uint64_t key)
{
	uint32_t number = sw_number_map_get(&flow->object_numbers, key);
	if (!number && flow->object_numbers.count < MAX_OBJECTS) {
		number = (uint32_t)flow->object_numbers.count + 1;
		sw_flow_fail(flow, sw_number_map_set(&flow->object_numbers, key, number));
	}
	return number;
}

void sw_flow_set_object(struct sw_flow *flow, struct sw_flow_function *function)
{
	const char *start, *end = receiver_end(function->name, &start);
	uint64_t hash = 0xcbf29ce484222325;
	if (!end || function->receiver)
		return;
	for (const char *at = function->name; at < end; at++)
		hash = (hash ^ (uint8_t)*at) * 0x100000001b3;
	hash ^= function->dictionary * 0x9e3779b97f4a7c15;
	function->object = sw_flow_object_number(flow, hash);
}

static struct sw_error *add_function(struct sw_flow *flow, sw_addr entry, sw_addr end)
{
	struct sw_go_func func;
	struct sw_flow_function function = {.entry = entry, .end = end};

	if (!sw_go_find_func(flow->go, entry, &func) || func.entry != entry)
		return NULL;
	function.name = sw_go_func_name(&func);
	function.rule = sw_flow_rule_of(flow->go, function.name);
	if (function.rule == SW_RULE_CHAN_USE || function.rule == SW_RULE_CHAN_SECOND)
		function.args[function.rule == SW_RULE_CHAN_SECOND] =
			sw_value_typed(SW_VALUE_CHAN, 0, 0);
	if (func.flag & FUNC_FLAG_ASM && function.rule == SW_RULE_NONE)
		function.rule = SW_RULE_SKIP;
	struct sw_error *error = sw_flow_functions_add(&flow->functions, function);
	return error ? error
		     : sw_number_map_set(&flow->by_entry, entry, (uint32_t)flow->functions.count);
}

static struct sw_error *list_functions(struct sw_flow *flow)
{
	struct sw_error *error = NULL;
	for (size_t i = 0; !error && i < flow->go->modules.count; i++) {
		const struct sw_go_module *module = &flow->go->modules.items[i];
		/* None begins within another: all together are no more than the text. */
		sw_addr start, end, last = 0;
		for (uint64_t k = 0; !error && k + 1 < module->ftab_count; k++) {
			if (!sw_go_func_range(module, k, &start, &end) || start < last)
				continue;
			last = end;
			error = add_function(flow, start, end);
		}
	}
	return error;
}

/* ---- rounds ---- */

/* What a closure captured is what its code finds behind the closure register. */
static void set_contexts(struct sw_flow *flow)
{
	for (size_t i = 0; i < flow->functions.count; i++) {
		struct sw_flow_function *function = &flow->functions.items[i];
		uint32_t type = sw_number_map_get(&flow->closures, function->entry);
		sw_value context = type && type != SW_MAX_TYPES
					   ? sw_value_typed(SW_VALUE_POINTER, type, 0)
					   : SW_VALUE_NONE;
		if (context != function->context)
			function->args_changed = ++flow->clock;
		function->context = context;
	}
}

/* Types that are parts of others have names too. */
static struct sw_error *find_types(struct sw_flow *flow)
{
	for (size_t i = 0; i < flow->functions.count; i++)
		if (flow->functions.items[i].rule != SW_RULE_SKIP)
			sw_flow_find_references(flow, &flow->functions.items[i]);
	sw_sort_unique(flow->references.items, &flow->references.count);
	for (uint32_t i = 1; i < sw_types_count(flow->types) && i < SW_MAX_TYPES / 2; i++)
		sw_type_info(flow->types, i);
	for (size_t i = 0; i < flow->functions.count; i++) {
		struct sw_flow_function *function = &flow->functions.items[i];
		if (function->rule != SW_RULE_NONE)
			continue;
		function->receiver = receiver_of(flow, function->name);
		sw_flow_set_object(flow, function);
	}
	struct sw_error *error = flow->error;
	flow->error = NULL;
	return error;
}

static uint32_t source_changed(const struct sw_flow *flow, uint64_t place)
{
	uint32_t function = (uint32_t)(place >> 8);
	if (place >> 48 == 0)
		return sw_value_map_changed(&flow->globals, place);
	if (place >> 48 >= SW_FLOW_PLACE_FIELD)
		return sw_value_map_changed(&flow->fields, place);
	return flow->functions.items[function].results_changed;
}

/* Has nothing that the function depends on changed since it was run? */
static bool is_settled(const struct sw_flow *flow, const struct sw_flow_function *function)
{
	if (!function->ran || function->args_changed > function->ran)
		return false;
	for (uint32_t i = 0; i < function->source_count; i++)
		if (source_changed(flow, flow->sources.items[function->first_source + i]) >
		    function->ran)
			return false;
	return true;
}

static bool has_pc(const struct sw_flow *flow, const struct sw_flow_function *function)
{
	size_t low = 0, high = flow->sites.count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (flow->sites.items[middle] < sw_flow_site(function->entry, false))
			low = middle + 1;
		else
			high = middle;
	}
	return low < flow->sites.count &&
	       flow->sites.items[low] <= sw_flow_site(function->end, true);
}

/* Copies of generic functions come last, some of them while the others run. */
static struct sw_error *run_round(struct sw_flow *flow, bool *has_run)
{
	struct sw_error *error = NULL;
	*has_run = false;
	for (size_t i = 0; !error && !flow->error && i < flow->functions.count; i++) {
		struct sw_flow_function *function = &flow->functions.items[i];
		if (i % TICK == 0)
			error = sw_work_tick(flow->work, "types", 0, 0);
		if (function->rule == SW_RULE_SKIP)
			continue;
		if (flow->is_recording_locals ? !has_pc(flow, function)
					      : is_settled(flow, function))
			continue;
		*has_run = true;
		sw_flow_run(flow, function);
	}
	set_contexts(flow);
	sw_flow_say_objects(flow);
	sw_flow_say_links(flow);
	if (error)
		return error;
	error = flow->error;
	flow->error = NULL;
	return error;
}

static int compare_locals(const void *a, const void *b)
{
	const struct sw_flow_local *x = a, *y = b;
	if (x->site != y->site)
		return x->site < y->site ? -1 : 1;
	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	if (x->end != y->end)
		return x->end < y->end ? -1 : 1;
	return (x->value > y->value) - (x->value < y->value);
}

static struct sw_error *run_rounds(struct sw_flow *flow)
{
	bool has_run = true;
	sw_type_trie_map(flow->types);
	struct sw_error *error = find_types(flow);
	for (unsigned round = 0; !error && round < MAX_ROUNDS && has_run; round++)
		error = run_round(flow, &has_run);
	flow->is_recording_locals = true;
	if (!error && flow->sites.count)
		error = run_round(flow, &has_run);
	if (flow->locals.count > 1)
		qsort(flow->locals.items, flow->locals.count, sizeof(*flow->locals.items),
		      compare_locals);
	return error;
}

struct sw_error *sw_flow_open(const struct sw_go *go, struct sw_types *types,
			      struct sw_type_plans *plans, struct sw_work *work,
			      struct sw_flow **out)
{
	struct sw_flow *flow = calloc(1, sizeof(*flow));
	*out = NULL;
	if (!flow)
		return sw_error_memory();
	*flow = (struct sw_flow){
		.go = go,
		.types = types,
		.plans = plans,
		.work = work,
		.region_budget = REGION_WORDS,
	};
	struct sw_error *error = sw_flow_run_create(flow);
	if (!error)
		error = list_functions(flow);
	if (error) {
		sw_flow_free(flow);
		return error;
	}
	*out = flow;
	return NULL;
}

struct sw_error *sw_flow_create(const struct sw_go *go, struct sw_types *types,
				struct sw_type_plans *plans, struct sw_work *work,
				struct sw_flow_sites sites, struct sw_flow **out)
{
	struct sw_error *error = sw_flow_open(go, types, plans, work, out);
	if (error)
		return error;
	(*out)->sites = sites;
	error = sw_flow_functions_grow(&(*out)->functions, MAX_INSTANCES);
	if (!error)
		error = run_rounds(*out);
	sw_flow_run_free(*out);
	if (error) {
		sw_flow_free(*out);
		*out = NULL;
		return error;
	}
	for (size_t i = 0; i < (*out)->functions.count; i++)
		sw_flow_tell_closure(*out, (*out)->functions.items[i].entry);
	return NULL;
}

void sw_flow_free(struct sw_flow *flow)
{
	if (!flow)
		return;
	sw_flow_run_free(flow);
	sw_error_free(flow->error);
	sw_flow_functions_free(&flow->functions);
	sw_number_map_free(&flow->by_entry);
	sw_number_map_free(&flow->by_dictionary);
	sw_number_map_free(&flow->by_name);
	sw_flow_makers_free(&flow->makers);
	sw_number_map_free(&flow->object_numbers);
	sw_number_map_free(&flow->object_seen);
	sw_number_map_free(&flow->link_seen);
	sw_flow_links_free(&flow->links);
	sw_value_map_free(&flow->fields);
	sw_value_map_free(&flow->spreads);
	sw_flow_sources_free(&flow->references);
	sw_flow_objects_free(&flow->objects);
	sw_number_map_free(&flow->closures);
	sw_value_map_free(&flow->globals);
	sw_flow_locals_free(&flow->locals);
	sw_flow_sources_free(&flow->sources);
	free(flow);
}

/* ---- lookups ---- */

bool sw_flow_global(const struct sw_flow *flow, sw_addr addr, struct sw_slot_plan *out)
{
	return sw_value_slot(flow, sw_value_map_get(&flow->globals, addr), out);
}

/* The words and arrays of a site that cover an offset; copies of generic code may contradict each
 * other. */
bool sw_flow_local(const struct sw_flow *flow, sw_addr site, int64_t offset,
		   struct sw_slot_plan *out)
{
	size_t low = 0, high = flow->locals.count;
	sw_value single = SW_VALUE_NONE, element = SW_VALUE_NONE;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (flow->locals.items[middle].site < site)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < flow->locals.count && flow->locals.items[low].site == site; low++) {
		const struct sw_flow_local *local = &flow->locals.items[low];
		if (local->offset > offset || local->end <= offset || (offset - local->offset) & 7)
			continue;
		if (local->end == local->offset + 8)
			single = sw_value_join(single, local->value);
		else
			element = local->value;
	}
	return sw_value_slot(flow, single ? single : element, out);
}
