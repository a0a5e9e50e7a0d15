/* The tables of leak-roots: memory by the root that holds it alone, and by the set of roots that
 * hold it together. */
#ifndef SW_COMMAND_HOLDERS_H
#define SW_COMMAND_HOLDERS_H

#include "command/command.h"
#include "command/naming.h"

struct sw_holders {
	struct sw_live live;
	const struct sw_dominators *dominators;
	const char *const *titles; /* what root nodes are called instead, by root number; or NULL */
	const struct sw_arguments *arguments; /* --limit, --min-fraction, --paths */
	struct sw_work *work;
	struct sw_report *report;
	uint64_t whole; /* live bytes */
};

/* Of the live heap; 0…1. */
double sw_holders_share(const struct sw_holders *view, uint64_t bytes);

/* Sentences, summary, the tables `roots` and `shared`, findings, the next command. The rows of both
 * tables, those that --limit leaves out included, add up to the live heap. */
struct sw_error *sw_holders_report(const struct sw_holders *view);

#endif
