/* Where the runtime keeps its variables. */
#include "go/runtime.h"

struct symbol {
	const char *name;
	size_t place; /* in struct sw_go_globals */
	unsigned since;
};

#define SYMBOL(name, since)                                                   \
	{                                                                     \
		"runtime." #name, offsetof(struct sw_go_globals, name), since \
	}
static const struct symbol symbols[] = {
	SYMBOL(firstmoduledata, 18), SYMBOL(mheap_, 18),   SYMBOL(allgs, 18),	SYMBOL(allp, 18),
	SYMBOL(gcController, 18),    SYMBOL(memstats, 18), SYMBOL(gcphase, 18), SYMBOL(allfin, 18),
	SYMBOL(gcCleanups, 25),
};
#undef SYMBOL

static struct sw_error *by_symbols(struct sw_go *go)
{
	for (size_t i = 0; i < sizeof(symbols) / sizeof(*symbols); i++) {
		sw_addr *place = (sw_addr *)((char *)&go->globals + symbols[i].place);
		if (go->minor < symbols[i].since)
			continue;
		if (!sw_image_symbol(go->image, symbols[i].name, place, NULL))
			return sw_error_hint(sw_error_format(SW_ERR_UNSUPPORTED,
							     "%s has no symbol %s", go->image->path,
							     symbols[i].name),
					     "stripped Go programs cannot be analysed yet: give "
					     "the unstripped build of "
					     "the same program with --exe");
	}
	return NULL;
}

struct sw_error *sw_go_find_globals(struct sw_go *go)
{
	return by_symbols(go);
}
