/* What calls do: the runtime's functions by what they are for, all others by what is known of their
 * arguments and results. */
#include "type/flow_private.h"

enum {
	AMD64_CONTEXT = 2, /* rdx, R26: the closure (cmd/compile/abi-internal.md) */
	ARM64_CONTEXT = 26,
	AMD64_ZERO = 15, /* X15 is 0 in Go's code */
};

const uint8_t *sw_flow_arg_registers(enum sw_arch arch)
{
	/* AX BX CX DI SI R8 R9 R10 R11; R0…R8. */
	static const uint8_t amd64[SW_FLOW_ARGS] = {0, 3, 1, 7, 6, 8, 9, 10, 11};
	static const uint8_t arm64[SW_FLOW_ARGS] = {0, 1, 2, 3, 4, 5, 6, 7, 8};
	return arch == SW_ARCH_AMD64 ? amd64 : arm64;
}

/* runtime: malloc.go, malloc_generated.go (1.26), slice.go, map*.go, chan.go, iface.go,
 * mbarrier.go, panic.go, of Go 1.18–1.27. A name that ends in * stands for all that begin so; the
 * first row that fits counts. */
static const struct {
	const char *name;
	uint8_t rule;
} rules[] = {
	{"runtime.newobject", SW_RULE_NEW},
	{"runtime.mallocgc*", SW_RULE_MALLOC},
	{"runtime.makeslice*", SW_RULE_SLICE},
	{"runtime.growslice*", SW_RULE_GROW},
	{"runtime.moveSlice", SW_RULE_SLICE},
	{"runtime.moveSliceNoCap", SW_RULE_SLICE},
	{"runtime.concatstring*", SW_RULE_STRING},
	{"runtime.concatbyte*", SW_RULE_NONE},
	{"runtime.slicebytetostring", SW_RULE_STRING},
	{"runtime.slicerunetostring", SW_RULE_STRING},
	{"runtime.intstring", SW_RULE_STRING},
	{"runtime.makemap_small", SW_RULE_SITE},
	{"runtime.makemap", SW_RULE_MAP},
	{"runtime.makemap64", SW_RULE_MAP},
	{"runtime.makechan*", SW_RULE_CHAN},
	{"runtime.chanrecv*", SW_RULE_CHAN_USE},
	{"runtime.chansend*", SW_RULE_CHAN_USE},
	{"runtime.closechan", SW_RULE_CHAN_USE},
	{"runtime.selectnbsend", SW_RULE_CHAN_USE},
	{"runtime.selectnbrecv", SW_RULE_CHAN_SECOND},
	{"runtime.convT", SW_RULE_NEW},
	{"runtime.convTnoptr", SW_RULE_NEW},
	{"runtime.mapaccess1*", SW_RULE_MAP_ELEM},
	{"runtime.mapaccess2*", SW_RULE_MAP_ELEM},
	{"runtime.mapassign*", SW_RULE_MAP_ELEM},
	{"runtime.mapdelete*", SW_RULE_MAP_USE},
	{"runtime.mapclear", SW_RULE_MAP_USE},
	{"runtime.mapiterinit", SW_RULE_MAP_ITER},
	{"runtime.mapIterStart", SW_RULE_MAP_ITER},
	{"sync/atomic.StorePointer", SW_RULE_STORE},
	{"sync/atomic.SwapPointer", SW_RULE_STORE},
	{"sync/atomic.CompareAndSwapPointer", SW_RULE_STORE_THIRD},
	{"runtime.atomicstorep", SW_RULE_STORE},
	{"runtime.typedmemmove", SW_RULE_MOVE},
	{"runtime.wbMove", SW_RULE_MOVE},
	{"runtime.gcWriteBarrier*", SW_RULE_BARRIER},
	{"runtime.wbZero", SW_RULE_BARRIER},
	{"runtime.duff*", SW_RULE_DUFF},
	{"runtime.panic*", SW_RULE_NO_RETURN},
	{"runtime.goPanic*", SW_RULE_NO_RETURN},
	{"runtime.gopanic", SW_RULE_NO_RETURN},
	{"runtime.throw", SW_RULE_NO_RETURN},
	{"runtime.fatal*", SW_RULE_NO_RETURN},
};

static bool fits(const char *pattern, const char *name)
{
	size_t length = strlen(pattern);
	if (pattern[length - 1] == '*')
		return !strncmp(pattern, name, length - 1);
	return !strcmp(pattern, name);
}

uint8_t sw_flow_rule_of(const struct sw_go *go, const char *name)
{
	(void)go;
	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++)
		if (fits(rules[i].name, name))
			return rules[i].rule;
	return SW_RULE_NONE;
}

struct sw_flow_function *sw_flow_find(struct sw_flow *flow, sw_addr entry)
{
	uint32_t number = sw_number_map_get(&flow->by_entry, entry);
	return number ? &flow->functions.items[number - 1] : NULL;
}

/* ---- the runtime's functions ---- */

struct call {
	struct sw_flow *flow;
	struct sw_flow_state *state;
	const uint8_t *args;
	bool is_recording;
	sw_addr next;
	sw_value result; /* the first one */
};

static sw_value arg(const struct call *call, unsigned number)
{
	return call->state->regs[call->args[number]];
}

static sw_type type_arg(const struct call *call, unsigned number)
{
	return sw_flow_unshape(call->flow, sw_flow_type_at(call->flow, arg(call, number)));
}

/* The pointer came from a variable: now it is known what it leads to. */
static void say(struct call *call, unsigned number, sw_value value)
{
	sw_value given = arg(call, number);
	if (call->is_recording && sw_value_kind(given) == SW_VALUE_FROM)
		sw_flow_say_origin(call->flow, given, value);
}

/* mallocgc(size, type, …): one value, or several. */
static sw_value allocated(struct call *call)
{
	sw_type type = type_arg(call, 1);
	sw_value size = arg(call, 0);
	if (!type || sw_value_kind(size) != SW_VALUE_CONST)
		return SW_UNKNOWN;
	uint64_t one = sw_type_info(call->flow->types, type)->size;
	return (uint64_t)sw_value_signed(size) == one ? sw_value_pointer_to(call->flow, type)
						      : SW_UNKNOWN;
}

static sw_type map_target(struct call *call)
{
	const struct sw_type_info *map = sw_type_info(call->flow->types, type_arg(call, 0));
	return map->kind == SW_KIND_MAP ? map->target : 0;
}

static sw_value map_elem(struct call *call)
{
	const struct sw_type_info *map = sw_type_info(call->flow->types, type_arg(call, 0));
	if (map->kind != SW_KIND_MAP)
		return SW_UNKNOWN;
	say(call, 1, sw_value_pointer_to(call->flow, map->target));
	return sw_value_pointer_to(call->flow, map->elem);
}

/* An iterator begins with pointers to the key and the element (hiter, maps.Iter). */
static void start_iterator(struct call *call)
{
	const struct sw_type_info *map = sw_type_info(call->flow->types, type_arg(call, 0));
	sw_value iterator = arg(call, 2);
	if (map->kind != SW_KIND_MAP)
		return;
	say(call, 1, sw_value_pointer_to(call->flow, map->target));
	if (sw_value_kind(iterator) != SW_VALUE_STACK)
		return;
	int64_t at = sw_value_signed(iterator);
	sw_flow_set_slot(call->state, at, sw_value_pointer_to(call->flow, map->key));
	sw_flow_set_slot(call->state, at + 8, sw_value_pointer_to(call->flow, map->elem));
}

static void move_typed(struct call *call)
{
	sw_type type = type_arg(call, 0);
	for (unsigned i = 1; type && call->is_recording && i < 3; i++)
		if (sw_value_kind(arg(call, i)) == SW_VALUE_CONST)
			sw_flow_say_region(call->flow, (sw_addr)sw_value_signed(arg(call, i)),
					   type);
}

static void apply_rule(struct call *call, uint8_t rule)
{
	struct sw_flow *flow = call->flow;
	switch (rule) {
	case SW_RULE_NEW:
		call->result = sw_value_pointer_to(flow, type_arg(call, 0));
		break;
	case SW_RULE_MALLOC:
		call->result = allocated(call);
		break;
	case SW_RULE_SLICE:
		call->result = sw_value_array_of(flow, type_arg(call, 0));
		break;
	case SW_RULE_GROW:
		call->result =
			sw_value_array_of(flow, type_arg(call, flow->go->minor >= 20 ? 4 : 0));
		say(call, flow->go->minor >= 20 ? 0 : 1, call->result);
		break;
	case SW_RULE_STRING:
		call->result = sw_value_typed(SW_VALUE_ARRAY, sw_type_string_bytes(flow->types), 0);
		sw_flow_fail(flow, sw_type_plans_know(flow->plans, sw_value_type(call->result)));
		break;
	case SW_RULE_SITE:
		call->result =
			sw_flow_load_place(flow, (uint64_t)SW_FLOW_PLACE_SITE << 48 | call->next);
		break;
	case SW_RULE_MAP:
		call->result = sw_value_pointer_to(flow, map_target(call));
		break;
	case SW_RULE_CHAN: {
		const struct sw_type_info *chan = sw_type_info(flow->types, type_arg(call, 0));
		call->result =
			sw_value_pointer_to(flow, chan->kind == SW_KIND_CHAN ? chan->target : 0);
		break;
	}
	case SW_RULE_CHAN_USE:
	case SW_RULE_CHAN_SECOND:
		say(call, rule == SW_RULE_CHAN_SECOND, sw_value_typed(SW_VALUE_CHAN, 0, 0));
		break;
	case SW_RULE_MAP_ELEM:
		call->result = map_elem(call);
		break;
	case SW_RULE_MAP_USE:
		say(call, 1, sw_value_pointer_to(flow, map_target(call)));
		break;
	case SW_RULE_MAP_ITER:
		start_iterator(call);
		break;
	case SW_RULE_STORE:
		sw_flow_store(flow, arg(call, 0), arg(call, 1));
		break;
	case SW_RULE_STORE_THIRD:
		sw_flow_store(flow, arg(call, 0), arg(call, 2));
		break;
	case SW_RULE_MOVE:
		move_typed(call);
		break;
	default:
		break;
	}
}

/* ---- all others ---- */

bool sw_flow_is_worth(struct sw_flow *flow, sw_value value)
{
	switch (sw_value_kind(value)) {
	case SW_VALUE_POINTER:
	case SW_VALUE_OBJECT:
		return !sw_value_offset(value);
	case SW_VALUE_ARRAY:
	case SW_VALUE_FUNC:
	case SW_VALUE_CHAN:
		return true;
	case SW_VALUE_CONST:
		return sw_flow_is_variable(flow, (sw_addr)sw_value_signed(value));
	default:
		return false;
	}
}

/* One more value for an argument or a result. What follows the first word of an interface has no
 * type of its own. */
static void add_fact(struct sw_flow *flow, sw_value *place, uint32_t *changed, sw_value value,
		     bool is_data)
{
	sw_value known = *place;
	if (is_data)
		*place = SW_UNKNOWN;
	else if (known != SW_UNKNOWN && sw_flow_is_worth(flow, value))
		*place = sw_value_meet(flow, known, value);
	if (*place != known)
		*changed = ++flow->clock;
}

static void say_receiver(struct sw_flow *flow, const struct sw_flow_function *function,
			 sw_addr addr)
{
	if (function->receiver)
		sw_flow_say_region(flow, addr, function->receiver);
	else
		sw_flow_say_object(flow, addr, function->object);
}

/* Of several variables whose addresses come to one place, the code that takes them from there says
 * what they have in common. False when the value is no such address, or the place holds something
 * else. */
bool sw_flow_add_variable(struct sw_flow *flow, sw_value *place, uint64_t key, sw_value value)
{
	sw_value known = *place;
	if (sw_value_kind(value) != SW_VALUE_CONST || known == value ||
	    (sw_value_kind(known) != SW_VALUE_CONST && sw_value_kind(known) != SW_VALUE_OBJECT) ||
	    !sw_flow_is_variable(flow, (sw_addr)sw_value_signed(value)))
		return false;
	uint32_t object = sw_flow_object_number(flow, key);
	if (sw_value_kind(known) == SW_VALUE_OBJECT && sw_value_type(known) != object)
		return false;
	if (sw_value_kind(known) == SW_VALUE_CONST)
		sw_flow_say_object(flow, (sw_addr)sw_value_signed(known), object);
	sw_flow_say_object(flow, (sw_addr)sw_value_signed(value), object);
	*place = sw_value_typed(SW_VALUE_OBJECT, object, 0);
	return true;
}

static bool pass_variable(struct sw_flow *flow, struct sw_flow_function *function, unsigned number,
			  sw_value value)
{
	sw_value known = function->args[number];
	uint64_t key = (uint64_t)(function - flow->functions.items) << 8 | number;
	if (!sw_flow_add_variable(flow, &function->args[number], key, value))
		return false;
	if (function->args[number] != known)
		function->args_changed = ++flow->clock;
	return true;
}

static void pass_args(struct call *call, struct sw_flow_function *function)
{
	bool is_data = false;
	bool is_generic = strchr(function->name, '[') != NULL;
	for (unsigned i = 0; i < SW_FLOW_ARGS; i++) {
		sw_value value = arg(call, i);
		if (!i && (function->receiver || function->object)) {
			if (sw_value_kind(value) == SW_VALUE_CONST)
				say_receiver(call->flow, function, (sw_addr)sw_value_signed(value));
			continue;
		}
		if (function->dictionary &&
		    function->args[i] == sw_value_number(SW_VALUE_CONST, function->dictionary))
			continue;
		if (is_data || !pass_variable(call->flow, function, i, value))
			add_fact(call->flow, &function->args[i], &function->args_changed, value,
				 is_data);
		is_data = !is_generic && sw_flow_is_type_word(call->flow, value);
	}
}

void sw_flow_return(struct sw_flow *flow, struct sw_flow_function *function,
		    const struct sw_flow_state *state)
{
	const uint8_t *args = sw_flow_arg_registers(flow->go->arch);
	bool is_data = false;
	for (unsigned i = 0; i < SW_FLOW_ARGS; i++) {
		sw_value value = state->regs[args[i]];
		add_fact(flow, &function->results[i], &function->results_changed, value, is_data);
		is_data = sw_flow_is_type_word(flow, value);
	}
}

void sw_flow_lose_vectors(const struct sw_flow *flow, struct sw_flow_state *state)
{
	for (unsigned i = 0; i < SW_REG_COUNT - SW_REG_VECTOR; i++)
		state->vectors[0][i] = state->vectors[1][i] = SW_UNKNOWN;
	state->has_vectors = false;
	if (flow->go->arch == SW_ARCH_AMD64)
		state->vectors[0][AMD64_ZERO] = state->vectors[1][AMD64_ZERO] =
			sw_value_number(SW_VALUE_CONST, 0);
}

static void lose_registers(const struct sw_flow *flow, struct sw_flow_state *state)
{
	for (unsigned i = 0; i < SW_REG_VECTOR; i++)
		state->regs[i] = SW_UNKNOWN;
	if (state->has_vectors)
		sw_flow_lose_vectors(flow, state);
}

/* Of a call into the middle of a function only the runtime's fillers make use. */
static const struct sw_flow_function *function_around(struct sw_flow *flow, sw_addr target)
{
	struct sw_go_func func;
	return sw_go_find_func(flow->go, target, &func) ? sw_flow_find(flow, func.entry) : NULL;
}

/* What is not known of a result may be found out by what is done with it. */
static void take_results(struct sw_flow *flow, struct sw_flow_state *state,
			 const struct sw_flow_function *function)
{
	const uint8_t *args = sw_flow_arg_registers(flow->go->arch);
	uint32_t number = (uint32_t)(function - flow->functions.items);
	bool is_runtime = !strncmp(function->name, "runtime.", 8);
	sw_flow_note_source(flow, (uint64_t)SW_FLOW_PLACE_RESULT << 48 | (uint64_t)number << 8);
	for (unsigned i = 0; i < SW_FLOW_ARGS; i++)
		state->regs[args[i]] = function->results[i] ? function->results[i]
				       : is_runtime
					       ? SW_UNKNOWN
					       : sw_flow_place(SW_FLOW_PLACE_RESULT, number, i);
}

/* Each dictionary has its own copy of the function here; the function itself when there are too
 * many.
 */
struct sw_flow_function *sw_flow_instance(struct sw_flow *flow, struct sw_flow_function *function,
					  sw_addr dictionary)
{
	uint64_t key = function->entry * 0x9e3779b97f4a7c15 ^ dictionary;
	uint32_t number = sw_number_map_get(&flow->by_dictionary, key);
	if (number) {
		struct sw_flow_function *known = &flow->functions.items[number - 1];
		return known->entry == function->entry && known->dictionary == dictionary
			       ? known
			       : function;
	}
	/* There was room made for so many, so that functions stay where they are. */
	if (flow->functions.count == flow->functions.capacity)
		return function;
	struct sw_flow_function *made = &flow->functions.items[flow->functions.count++];
	*made = (struct sw_flow_function){.entry = function->entry,
					  .end = function->end,
					  .name = function->name,
					  .rule = function->rule,
					  .receiver = function->receiver,
					  .context = function->context,
					  .dictionary = dictionary};
	sw_flow_set_object(flow, made);
	sw_flow_fail(flow,
		     sw_number_map_set(&flow->by_dictionary, key, (uint32_t)flow->functions.count));
	return made;
}

/* Generic code for many types is told by a dictionary which ones, its first argument or the one
 * behind the receiver (cmd/compile/internal/noder). */
static struct sw_flow_function *instance_called(struct sw_flow *flow,
						struct sw_flow_function *function,
						const struct sw_flow_state *state)
{
	const char *bracket = strchr(function->name, '[');
	if (!bracket || function->dictionary)
		return function;
	bool is_method = strstr(function->name, ".(*") || strstr(bracket, "].");
	sw_value value = state->regs[sw_flow_arg_registers(flow->go->arch)[is_method]];
	sw_addr dictionary = (sw_addr)sw_value_signed(value);
	if (sw_value_kind(value) != SW_VALUE_CONST || !dictionary || dictionary % 8 ||
	    sw_flow_is_variable(flow, dictionary))
		return function;
	function = sw_flow_instance(flow, function, dictionary);
	if (function->dictionary)
		function->args[is_method] = value;
	return function;
}

bool sw_flow_call(struct sw_flow *flow, struct sw_flow_state *state, sw_addr target, sw_addr next,
		  bool is_recording)
{
	struct sw_flow_function *function = sw_flow_find(flow, target);
	struct call call = {.flow = flow,
			    .state = state,
			    .args = sw_flow_arg_registers(flow->go->arch),
			    .is_recording = is_recording,
			    .next = next,
			    .result = SW_UNKNOWN};

	if (!function && target) {
		const struct sw_flow_function *around = function_around(flow, target);
		if (around && around->rule == SW_RULE_DUFF) {
			sw_flow_run_inline(flow, target, around->end);
			return true;
		}
	}
	if (!function) {
		lose_registers(flow, state);
		return true;
	}
	switch (function->rule) {
	case SW_RULE_BARRIER:
		state->regs[flow->go->arch == SW_ARCH_AMD64 ? 11 : 25] = SW_UNKNOWN;
		return true;
	case SW_RULE_DUFF:
		sw_flow_run_inline(flow, target, function->end);
		return true;
	case SW_RULE_NO_RETURN:
		return false;
	case SW_RULE_NONE:
		function = instance_called(flow, function, state);
		if (is_recording)
			pass_args(&call, function);
		lose_registers(flow, state);
		take_results(flow, state, function);
		return true;
	default:
		apply_rule(&call, function->rule);
		lose_registers(flow, state);
		state->regs[call.args[0]] = call.result;
		return true;
	}
}
