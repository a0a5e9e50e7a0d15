/* Which struct closures of a function are, by the code that makes them: of one function alone,
 * where not all code is read. */
#include "type/flow_run.h"

void sw_flow_tell_closure(struct sw_flow *flow, sw_addr entry)
{
	uint32_t type = sw_number_map_get(&flow->closures, entry);
	if (type && type != SW_MAX_TYPES)
		sw_types_set_closure(flow->types, entry, type);
}

/* ---- by the name of who makes them ---- */

static uint64_t hash_name(const char *name, size_t length)
{
	uint64_t hash = 0xcbf29ce484222325;
	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (uint8_t)name[i]) * 0x100000001b3;
	return hash | 1;
}

static struct sw_error *index_names(struct sw_flow *flow)
{
	struct sw_error *error = NULL;
	for (size_t i = flow->functions.count; !error && i-- && !flow->has_names;) {
		const char *name = flow->functions.items[i].name;
		error = sw_number_map_set(&flow->by_name, hash_name(name, strlen(name)),
					  (uint32_t)i + 1);
	}
	flow->has_names = true;
	return error;
}

static void run_named(struct sw_flow *flow, const char *name, size_t length)
{
	uint32_t number = sw_number_map_get(&flow->by_name, hash_name(name, length));
	struct sw_flow_function *function = number ? &flow->functions.items[number - 1] : NULL;
	if (!function || function->ran || function->rule == SW_RULE_SKIP ||
	    strlen(function->name) != length || strncmp(function->name, name, length) != 0)
		return;
	sw_flow_run(flow, function);
}

/* The end of the name without its last part, which is not within brackets; 0: nothing is left. */
static size_t cut_name(const char *name, size_t length)
{
	unsigned depth = 0;
	while (length--) {
		depth += name[length] == ']';
		depth -= depth && name[length] == '[';
		if (!depth && name[length] == '/')
			return 0;
		if (!depth && name[length] == '.')
			return length;
	}
	return 0;
}

/* ---- by what refers to their code ---- */

static int compare_makers(const void *a, const void *b)
{
	const struct sw_flow_maker *x = a, *y = b;
	if (x->entry != y->entry)
		return x->entry < y->entry ? -1 : 1;
	return (x->function > y->function) - (x->function < y->function);
}

static void add_maker(struct sw_flow *flow, sw_addr addr)
{
	if (sw_number_map_get(&flow->by_entry, addr))
		sw_flow_fail(flow,
			     sw_flow_makers_add(&flow->makers,
						(struct sw_flow_maker){
							addr, (uint32_t)(flow->run->function -
									 flow->functions.items)}));
}

/* Code that only calls a function has its address in the instruction, not as a value. */
static struct sw_error *index_makers(struct sw_flow *flow)
{
	enum { TICK = 1024 };
	struct sw_error *error = NULL;

	for (size_t i = 0; !error && !flow->error && i < flow->functions.count; i++) {
		if (i % TICK == 0)
			error = sw_work_tick(flow->work, "types", 0, 0);
		if (flow->functions.items[i].rule != SW_RULE_SKIP)
			sw_flow_each_reference(flow, &flow->functions.items[i], add_maker);
	}
	if (flow->makers.count)
		qsort(flow->makers.items, flow->makers.count, sizeof(*flow->makers.items),
		      compare_makers);
	flow->has_makers = true;
	return error;
}

static size_t first_maker(const struct sw_flow *flow, sw_addr entry)
{
	size_t low = 0, high = flow->makers.count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (flow->makers.items[middle].entry < entry)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Method values of interfaces, and from 1.27 on what is made where a function was inlined, do not
 * bear the name of who makes them. */
static struct sw_error *run_makers(struct sw_flow *flow, sw_addr entry)
{
	struct sw_error *error = flow->has_makers ? NULL : index_makers(flow);
	for (size_t i = first_maker(flow, entry); !error && i < flow->makers.count; i++) {
		const struct sw_flow_maker *maker = &flow->makers.items[i];
		struct sw_flow_function *function = &flow->functions.items[maker->function];
		if (maker->entry != entry || sw_number_map_get(&flow->closures, entry))
			break;
		if (!function->ran)
			sw_flow_run(flow, function);
	}
	return error;
}

/* ---- the whole ---- */

/* "main.serve.handle.func1" is made by main.serve.handle, or by main.serve, which has the code of
 * handle in its own (cmd/compile/internal/ir closureName). */
struct sw_error *sw_flow_find_closure(struct sw_flow *flow, sw_addr entry)
{
	struct sw_flow_function *function = sw_flow_find(flow, entry);
	struct sw_error *error = index_names(flow);
	if (error || !function)
		return error;
	size_t length = cut_name(function->name, strlen(function->name));
	for (; length; length = cut_name(function->name, length)) {
		run_named(flow, function->name, length);
		if (sw_number_map_get(&flow->closures, entry))
			break;
	}
	if (!sw_number_map_get(&flow->closures, entry))
		error = run_makers(flow, entry);
	sw_flow_tell_closure(flow, entry);
	if (!error)
		error = flow->error;
	else
		sw_error_free(flow->error);
	flow->error = NULL;
	return error;
}
