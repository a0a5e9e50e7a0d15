/* Type arguments in the names of generic code's types. */
#include "type/flow_private.h"

enum { MAX_ARGUMENTS = 64, MAX_NAME = 4096 };

/* "go.shape.[]int_2,…": where the shape ends, and its number; NULL when it has none. */
static const char *shape_end(const char *shape, unsigned *number)
{
	unsigned depth = 0;
	for (const char *at = shape; *at; at++) {
		depth += *at == '[' || *at == '(' || *at == '{';
		if (*at == ']' || *at == ')' || *at == '}')
			depth -= depth != 0;
		if (depth || *at != '_' || at[1] < '0' || at[1] > '9')
			continue;
		char *end;
		unsigned long value = strtoul(at + 1, &end, 10);
		if (!*end || strchr(",]) ;}", *end)) {
			*number = (unsigned)value;
			return value < MAX_ARGUMENTS ? end : NULL;
		}
	}
	return NULL;
}

/* The name of a type argument: dictionaries begin with their descriptors. */
static const char *argument_name(struct sw_flow *flow, sw_addr dictionary, unsigned number)
{
	uint64_t word;
	if (!sw_memory_u64(flow->go->memory, dictionary + 8 * number, &word))
		return NULL;
	sw_type type = sw_flow_type_at(flow, sw_value_number(SW_VALUE_CONST, word));
	return type ? sw_type_label(flow->types, type) : NULL;
}

static bool append(char *out, size_t *length, const char *text, size_t size)
{
	if (size >= MAX_NAME - *length)
		return false;
	memcpy(out + *length, text, size);
	*length += size;
	out[*length] = 0;
	return true;
}

/* Makes the types known that the dictionary names. */
static void read_dictionary(struct sw_flow *flow, sw_addr dictionary)
{
	uint64_t word;
	for (unsigned i = 0; i < MAX_ARGUMENTS; i++)
		if (sw_memory_u64(flow->go->memory, dictionary + 8 * i, &word))
			sw_flow_type_at(flow, sw_value_number(SW_VALUE_CONST, word));
}

/* Until Go 1.20 shapes bear the number of the type argument that they stand for
 * (cmd/compile/internal/typecheck Shapify): "map[go.shape.int_0]go.shape.*uint8_1". */
sw_type sw_flow_unshape(struct sw_flow *flow, sw_type type)
{
	static const char prefix[] = "go.shape.";
	const char *at = sw_type_label(flow->types, type), *shape;
	sw_addr dictionary = flow->running ? flow->running->dictionary : 0;
	char name[MAX_NAME];
	size_t length = 0;

	if (!dictionary || flow->go->minor > 20 || !strstr(at, prefix))
		return type;
	read_dictionary(flow, dictionary);
	while ((shape = strstr(at, prefix))) {
		unsigned number = 0;
		const char *end = shape_end(shape, &number);
		const char *argument = end ? argument_name(flow, dictionary, number) : NULL;
		if (!argument || !append(name, &length, at, (size_t)(shape - at)) ||
		    !append(name, &length, argument, strlen(argument)))
			return type;
		at = end;
	}
	if (!append(name, &length, at, strlen(at)))
		return type;
	sw_type found = sw_type_of_name(flow->types, name);
	if (found)
		sw_flow_fail(flow, sw_type_plans_know(flow->plans, found));
	return found ? found : type;
}
