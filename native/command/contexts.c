/* contexts: the tree of contexts, which of them nobody can end any more, and what they hold. */
#include "command/contexts_rows.h"
#include "go/clock.h"

#include <inttypes.h>

enum {
	FINDINGS = 5, /* of a kind */
	MANY_CHILDREN = 1000,
	MANY = 100,	  /* that were lost in one place */
	MUCH = 1 << 20,	  /* bytes that they hold */
	LONG_CHAIN = 100, /* values that follow each other */
	KEY_TEXT = 160,
};

struct totals {
	uint64_t states[SW_CONTEXT_STATES], kinds[SW_CONTEXT_KINDS];
	uint64_t seen;	  /* without Background and TODO */
	uint64_t overdue; /* not over, and the deadline has passed */
	uint64_t waiters, children, orphans, broken;
	uint64_t goroutines[SW_CONTEXT_GOROUTINE_KINDS];
	uint32_t value_depth;
	uint64_t functions; /* abandoned ones of AfterFunc, which may be meant to stay */
};

struct contexts_report {
	struct sw_live live;
	struct sw_contexts contexts;
	struct sw_context_tree tree;
	struct sw_contexts_view view;
	struct sw_report *report;
	struct totals totals;
	struct sw_warnings warnings;
};

/* ---- counting ---- */

static void count_context(struct contexts_report *all, uint32_t number)
{
	const struct sw_context *context = &all->contexts.list.items[number];
	struct totals *totals = &all->totals;
	enum sw_context_state state = sw_context_state(&all->contexts, number);

	totals->kinds[context->kind]++;
	if (context->kind == SW_CONTEXT_BACKGROUND || context->kind == SW_CONTEXT_TODO)
		return;
	totals->seen++;
	totals->states[state]++;
	totals->functions +=
		state == SW_CONTEXT_ABANDONED && context->kind == SW_CONTEXT_AFTER_FUNC;
	totals->overdue += context->deadline && state < SW_CONTEXT_CANCELLED &&
			   context->deadline <= all->view.now;
	totals->waiters += context->waiters;
	totals->children += context->children.count;
	if (context->depth > totals->value_depth)
		totals->value_depth = context->depth;
	if (context->broken_by == SW_NO_CONTEXT)
		return;
	if (all->contexts.list.items[context->broken_from].is_done)
		totals->orphans++;
	else
		totals->broken++;
}

static void count(struct contexts_report *all)
{
	for (uint32_t i = 0; i < all->contexts.list.count; i++)
		count_context(all, i);
	for (size_t i = 0; i < all->contexts.goroutines.count; i++)
		all->totals.goroutines[all->contexts.goroutines.items[i].kind]++;
}

/* ---- summary ---- */

static struct sw_error *retained_of(struct contexts_report *all, enum sw_context_state state,
				    uint64_t *out)
{
	struct sw_objects objects = {0};
	struct sw_retained retained = {0};
	struct sw_error *error = NULL;

	for (uint32_t i = 0; !error && i < all->contexts.list.count; i++) {
		sw_object object = all->contexts.list.items[i].object;
		if (object != SW_NO_OBJECT &&
		    (state == SW_CONTEXT_STATES || sw_context_state(&all->contexts, i) == state))
			error = sw_objects_add(&objects, object);
	}
	if (!error)
		error = sw_live_retained_set(&all->live, objects.items, objects.count, &retained);
	sw_objects_free(&objects);
	*out = retained.bytes;
	return error;
}

static void add_summary(struct contexts_report *all, uint64_t retained, uint64_t abandoned)
{
	const struct totals *totals = &all->totals;

	sw_report_count(all->report, "contexts", totals->seen);
	sw_report_count(all->report, "open_contexts", totals->states[SW_CONTEXT_OPEN]);
	sw_report_count(all->report, "lost_contexts", totals->states[SW_CONTEXT_LOST]);
	sw_report_count(all->report, "abandoned_contexts", totals->states[SW_CONTEXT_ABANDONED]);
	sw_report_count(all->report, "cancelled_contexts", totals->states[SW_CONTEXT_CANCELLED]);
	sw_report_count(all->report, "expired_contexts", totals->states[SW_CONTEXT_EXPIRED]);
	sw_report_count(all->report, "overdue_contexts", totals->overdue);
	sw_report_count(all->report, "orphan_contexts", totals->orphans);
	sw_report_count(all->report, "unreached_contexts", totals->broken);
	sw_report_count(all->report, "value_contexts", totals->kinds[SW_CONTEXT_VALUE]);
	sw_report_count(all->report, "custom_contexts", totals->kinds[SW_CONTEXT_CUSTOM]);
	sw_report_count(all->report, "after_funcs", totals->kinds[SW_CONTEXT_AFTER_FUNC]);
	sw_report_count(all->report, "children", totals->children);
	sw_report_count(all->report, "waiting_goroutines", totals->waiters);
	sw_report_count(all->report, "propagating_goroutines",
			totals->goroutines[SW_CONTEXT_PROPAGATES]);
	sw_report_count(all->report, "after_func_goroutines",
			totals->goroutines[SW_CONTEXT_RUNS_AFTER]);
	sw_report_count(all->report, "longest_value_chain", totals->value_depth);
	sw_report_summary(all->report, "retained_bytes", sw_json_bytes(retained));
	sw_report_summary(all->report, "abandoned_bytes", sw_json_bytes(abandoned));
	sw_report_summary_keys(all->report, "cancelled_contexts expired_contexts overdue_contexts "
					    "value_contexts custom_contexts children "
					    "waiting_goroutines longest_value_chain");
}

/* ---- sentences ---- */

static void add_sentences(struct contexts_report *all, uint64_t retained, uint64_t abandoned)
{
	const struct totals *totals = &all->totals;
	uint64_t lost = totals->states[SW_CONTEXT_LOST];
	uint64_t forgotten = totals->states[SW_CONTEXT_ABANDONED];
	char number[32], bytes[16];

	if (forgotten > totals->functions || totals->functions >= MANY)
		sw_report_sentence(
			all->report,
			"%s %s never cancelled, and nothing but what ends %s refers to %s any "
			"more; %s %s.",
			sw_text_count(forgotten, number),
			sw_text_plural(forgotten, "context was", "contexts were"),
			sw_text_plural(forgotten, "it", "them"),
			sw_text_plural(forgotten, "it", "them"),
			sw_text_plural(forgotten, "it retains", "they retain"),
			sw_text_bytes(abandoned, bytes));
	if (lost)
		sw_report_sentence(all->report,
				   "%s %s in use whose cancel function nobody has any more.",
				   sw_text_count(lost, number),
				   sw_text_plural(lost, "context is", "contexts are"));
	if (totals->orphans)
		sw_report_sentence(all->report,
				   "%s %s on although one above %s is cancelled: a type in between "
				   "does not pass that on.",
				   sw_text_count(totals->orphans, number),
				   sw_text_plural(totals->orphans, "context goes", "contexts go"),
				   sw_text_plural(totals->orphans, "it", "them"));
	if (totals->broken)
		sw_report_sentence(
			all->report,
			"%s %s not end with one above %s: a type in between does not pass that on.",
			sw_text_count(totals->broken, number),
			sw_text_plural(totals->broken, "context will", "contexts will"),
			sw_text_plural(totals->broken, "it", "them"));
	if (!totals->seen) {
		sw_report_sentence(all->report, "There are no contexts.");
		return;
	}
	sw_report_sentence(all->report, "%s %s; %s %s.", sw_text_count(totals->seen, number),
			   sw_text_plural(totals->seen, "context", "contexts"),
			   sw_text_plural(totals->seen, "it retains", "all together retain"),
			   sw_text_bytes(retained, bytes));
}

/* ---- findings ---- */

/* "context.cancelCtx of main.serverKey" is no type: what a cluster is called. */
static void name_cluster(const struct contexts_report *all, uint32_t index, char *out, size_t size)
{
	const struct sw_context_cluster *cluster = &all->tree.clusters.items[index];
	const struct sw_context *first = sw_context_first(&all->tree, cluster);
	const struct sw_context *above =
		first->parent == SW_NO_CONTEXT ? NULL : &all->contexts.list.items[first->parent];
	char key[KEY_TEXT];

	if (first->kind == SW_CONTEXT_VALUE)
		snprintf(out, size, "%s of %s", sw_context_type(&all->live, first),
			 sw_contexts_key_text(&all->view, first->key, key, sizeof(key)));
	else if (above && above->kind == SW_CONTEXT_VALUE)
		snprintf(out, size, "%s below a value of %s", sw_context_type(&all->live, first),
			 sw_contexts_key_text(&all->view, above->key, key, sizeof(key)));
	else
		snprintf(out, size, "%s%s%s", sw_context_type(&all->live, first),
			 above ? " below " : "", above ? sw_context_type(&all->live, above) : "");
}

static void add_cluster_finding(struct contexts_report *all, uint32_t index, enum sw_grade grade,
				const char *code, const char *what)
{
	const struct sw_context_cluster *cluster = &all->tree.clusters.items[index];
	char message[768], name[384], next[64], number[32], bytes[16];

	name_cluster(all, index, name, sizeof(name));
	snprintf(message, sizeof(message), "%s %s (%s): %s; %s %s",
		 sw_text_count(cluster->count, number),
		 sw_text_plural(cluster->count, "context", "contexts"), name, what,
		 sw_text_plural(cluster->count, "it retains", "they retain"),
		 sw_text_bytes(cluster->retained.bytes, bytes));
	snprintf(next, sizeof(next), "who-holds 0x%" PRIx64,
		 sw_context_first(&all->tree, cluster)->value.addr);
	sw_report_finding(all->report, grade, code, message,
			  json_pack("{s:I, s:I, s:I}", "contexts", (json_int_t)cluster->count,
				    "retained_bytes", (json_int_t)cluster->retained.bytes,
				    "waiters", (json_int_t)cluster->waiters),
			  next);
}

static const char *abandoned_words(enum sw_context_kind kind)
{
	switch (kind) {
	case SW_CONTEXT_DEADLINE:
		return "not cancelled when no longer needed, and the cancel function is gone: "
		       "kept until the deadline";
	case SW_CONTEXT_AFTER_FUNC:
		return "made by AfterFunc, and the stop function is gone: kept as long as the "
		       "parent";
	default:
		return "never cancelled, and the cancel function is gone: kept as long as the "
		       "parent";
	}
}

/* One that was made when the program started costs nothing; those that every request leaves behind
 * are soon many. A deadline ends what was forgotten. */
static enum sw_grade lost_grade(const struct sw_context_cluster *cluster, enum sw_grade grade)
{
	bool is_much = cluster->count >= MANY || cluster->retained.bytes >= MUCH;
	return is_much ? grade : SW_GRADE_P3;
}

static void find_lost(struct contexts_report *all)
{
	unsigned abandoned = 0, lost = 0;

	for (size_t i = 0; i < all->tree.clusters.count; i++) {
		uint32_t index = all->tree.order[i];
		const struct sw_context_cluster *cluster = &all->tree.clusters.items[index];
		enum sw_context_kind kind = sw_context_first(&all->tree, cluster)->kind;
		bool is_endless = kind == SW_CONTEXT_CANCEL;
		enum sw_grade grade = lost_grade(cluster, is_endless ? SW_GRADE_P1 : SW_GRADE_P2);
		/* A function that is to run after a context may be meant to stay. */
		if (kind == SW_CONTEXT_AFTER_FUNC && grade == SW_GRADE_P3)
			continue;
		if (cluster->state == SW_CONTEXT_ABANDONED && abandoned++ < FINDINGS)
			add_cluster_finding(all, index, grade, "cancel_never_called",
					    abandoned_words(kind));
		else if (cluster->state == SW_CONTEXT_LOST && lost++ < FINDINGS)
			add_cluster_finding(all, index,
					    is_endless ? lost_grade(cluster, SW_GRADE_P2)
						       : SW_GRADE_P3,
					    "cancel_lost",
					    is_endless ? "in use, and the cancel function is gone: "
							 "only one above can end it"
						       : "in use, and the cancel function is gone");
	}
}

static void find_chains(struct contexts_report *all)
{
	unsigned found = 0;
	char what[96], count[32];

	for (size_t i = 0; i < all->tree.clusters.count; i++) {
		uint32_t index = all->tree.order[i];
		uint32_t depth = all->tree.clusters.items[index].value_depth;
		if (depth < LONG_CHAIN || found++ >= FINDINGS)
			continue;
		snprintf(what, sizeof(what), "they follow each other, up to %s in a row",
			 sw_text_count(depth, count));
		add_cluster_finding(all, index, SW_GRADE_P2, "long_value_chain", what);
	}
}

/* Those that a type of context does not let the end of their parents through to, or has a goroutine
 * for. */
struct custom {
	sw_type type;
	uint32_t first; /* of the contexts that are told of */
	uint64_t orphans, broken, propagated;
};
SW_VECTOR(struct custom, customs);

static struct sw_error *custom_of(struct customs *customs, sw_type type, uint32_t context,
				  struct custom **out)
{
	for (size_t i = 0; i < customs->count; i++)
		if (customs->items[i].type == type) {
			*out = &customs->items[i];
			return NULL;
		}
	struct sw_error *error =
		customs_add(customs, (struct custom){.type = type, .first = context});
	*out = error ? NULL : &customs->items[customs->count - 1];
	return error;
}

/* The type that makes goroutines for what derives from it: the next one that is not of package
 * context. */
static sw_type propagator_type(const struct contexts_report *all, uint32_t number)
{
	const struct sw_context *list = all->contexts.list.items;
	uint32_t at = list[number].parent, steps = 0;

	while (at != SW_NO_CONTEXT && list[at].kind != SW_CONTEXT_CUSTOM &&
	       steps++ < all->contexts.list.count)
		at = list[at].parent;
	return at == SW_NO_CONTEXT ? 0 : list[at].value.type;
}

static struct sw_error *list_customs(const struct contexts_report *all, struct customs *customs)
{
	const struct sw_context *list = all->contexts.list.items;
	struct sw_error *error = NULL;
	struct custom *custom;

	for (uint32_t i = 0; !error && i < all->contexts.list.count; i++) {
		if (list[i].broken_by != SW_NO_CONTEXT) {
			error = custom_of(customs, list[list[i].broken_by].value.type, i, &custom);
			if (!error && list[list[i].broken_from].is_done)
				custom->orphans++;
			else if (!error)
				custom->broken++;
		} else if (list[i].has_cancel && !list[i].is_done && list[i].propagators &&
			   list[i].registered == SW_NO_CONTEXT) {
			error = custom_of(customs, propagator_type(all, i), i, &custom);
			if (!error)
				custom->propagated++;
		}
	}
	return error;
}

static void add_custom_finding(struct contexts_report *all, const struct custom *custom,
			       uint64_t count, enum sw_grade grade, const char *code,
			       const char *what)
{
	char message[640], number[32], next[64];

	if (!count)
		return;
	snprintf(message, sizeof(message), "%s %s below %s: %s", sw_text_count(count, number),
		 sw_text_plural(count, "context", "contexts"),
		 sw_naming_type_name(&all->live, custom->type), what);
	snprintf(next, sizeof(next), "who-holds 0x%" PRIx64,
		 all->contexts.list.items[custom->first].value.addr);
	sw_report_finding(all->report, grade, code, message,
			  json_pack("{s:I, s:o}", "contexts", (json_int_t)count, "type",
				    sw_json_string(sw_naming_type_name(&all->live, custom->type))),
			  next);
}

/* Those of one grade. */
static struct sw_error *find_breaks(struct contexts_report *all, enum sw_grade grade)
{
	struct customs customs = {0};
	struct sw_error *error = list_customs(all, &customs);

	for (size_t i = 0; !error && i < customs.count; i++) {
		const struct custom *custom = &customs.items[i];
		if (grade == SW_GRADE_P1) {
			add_custom_finding(all, custom, custom->orphans, grade, "orphan_contexts",
					   "not ended, although a context above that type is");
			continue;
		}
		add_custom_finding(all, custom, custom->broken, grade, "broken_chain",
				   "out of reach of the contexts above that type: their end does "
				   "not end it");
		add_custom_finding(all, custom, custom->propagated, SW_GRADE_P3,
				   "propagating_goroutines",
				   "with a goroutine each that waits to pass on the parent's end: "
				   "that type has a Done of its own");
	}
	customs_free(&customs);
	return error;
}

static void find_crowds(struct contexts_report *all)
{
	unsigned found = 0;

	for (size_t i = 0; i < all->contexts.list.count; i++) {
		const struct sw_context *context = &all->contexts.list.items[i];
		char message[256], count[32], bytes[16], next[64];
		if (context->children.count < MANY_CHILDREN || found++ >= FINDINGS)
			continue;
		snprintf(message, sizeof(message),
			 "a %s has %s children to cancel with it; the map alone takes %s",
			 sw_context_type(&all->live, context),
			 sw_text_count(context->children.count, count),
			 sw_text_bytes(context->children.bytes, bytes));
		snprintf(next, sizeof(next), "who-holds 0x%" PRIx64, context->value.addr);
		sw_report_finding(all->report, SW_GRADE_P3, "many_children", message,
				  json_pack("{s:I, s:I}", "children",
					    (json_int_t)context->children.count, "map_bytes",
					    (json_int_t)context->children.bytes),
				  next);
	}
}

/* ---- the whole ---- */

static void add_next(struct contexts_report *all)
{
	static const enum sw_context_state wanted[] = {SW_CONTEXT_ABANDONED, SW_CONTEXT_LOST,
						       SW_CONTEXT_OPEN};
	for (size_t k = 0; k < sizeof(wanted) / sizeof(*wanted); k++)
		for (size_t i = 0; i < all->tree.clusters.count; i++) {
			const struct sw_context_cluster *cluster =
				&all->tree.clusters.items[all->tree.order[i]];
			const struct sw_context *first = sw_context_first(&all->tree, cluster);
			if (cluster->state != wanted[k] || first->object == SW_NO_OBJECT)
				continue;
			sw_report_next(all->report, "who-holds 0x%" PRIx64, first->value.addr);
			return;
		}
}

static struct sw_error *fill(struct contexts_report *all)
{
	uint64_t retained = 0, abandoned = 0;

	count(all);
	struct sw_error *error = retained_of(all, SW_CONTEXT_STATES, &retained);
	if (!error)
		error = retained_of(all, SW_CONTEXT_ABANDONED, &abandoned);
	if (error)
		return error;
	add_sentences(all, retained, abandoned);
	add_summary(all, retained, abandoned);
	error = find_breaks(all, SW_GRADE_P1);
	find_lost(all);
	if (!error)
		error = find_breaks(all, SW_GRADE_P2);
	find_chains(all);
	find_crowds(all);
	if (!error)
		error = sw_contexts_add_tables(&all->view);
	add_next(all);
	return error;
}

static struct sw_error *run(struct sw_session *session, const struct sw_arguments *arguments,
			    struct sw_report *report)
{
	struct contexts_report all = {.report = report};
	struct sw_error *error = sw_session_live(session, &all.live);

	if (!error)
		error = sw_contexts_find(&all.live, &all.warnings, &all.contexts);
	if (!error)
		error = sw_context_tree_build(&all.live, &all.contexts, &all.tree);
	all.view = (struct sw_contexts_view){
		.live = &all.live,
		.arguments = arguments,
		.report = report,
		.contexts = &all.contexts,
		.tree = &all.tree,
		.warnings = &all.warnings,
	};
	if (!error) {
		all.view.now = sw_go_now(all.live.go);
		error = fill(&all);
	}
	sw_report_warnings(report, &all.warnings);
	sw_context_tree_free(&all.tree);
	sw_contexts_free(&all.contexts);
	sw_warnings_clear(&all.warnings);
	return error;
}

static const struct sw_option options[] = {
	{"each", SW_OPTION_FLAG, NULL, NULL, NULL, "a row for every context too"},
	{0},
};

const struct sw_command sw_command_contexts = {
	.name = "contexts",
	.usage = "",
	.summary = "the tree of contexts: which nobody ends, what they and their values hold",
	.help = "Every context of the program as a tree from Background down; those of one type, "
		"key and state below the same ones are one line. Types of the program that embed a "
		"context count as contexts.\n\n"
		"`state`: open; cancelled (it or one above it); expired (its deadline has passed); "
		"lost: it can still be cancelled, but the cancel function is gone, so only one "
		"above it, or its deadline, ends it; abandoned: the same, and nothing but its "
		"parent, its timer and what derives from it refers to it: the program forgot to "
		"call the cancel function, and the context stays with all it holds. `children` "
		"are the contexts that are cancelled with it, `waiters` goroutines that wait for "
		"its end.\n\n"
		"`parents`: contexts with the most children. `keys`: the keys of WithValue, and "
		"what the values hold, each byte once. `goroutines`: those that package context "
		"has started. A context is an orphan when one above it is cancelled and it is "
		"not: a type in between, which the program wrote, has a Done of its own. "
		"Deadlines count from the moment of the image; of a core from the latest moment "
		"that the runtime noted there.",
	.example = "spanwalk contexts app.core",
	.options = options,
	.run = run,
};
