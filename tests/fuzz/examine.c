#include "examine.h"
#include "views.h"

#include "command/command.h"
#include "target/core.h"

#include <stdarg.h>
#include <stdio.h>

/* Bytes; large arrays come from the kernel, past the cap of AddressSanitizer. */
static const uint64_t MOST_MEMORY = 512 << 20;

/* Of AddressSanitizer; NULL in a build without it. */
extern void __asan_poison_memory_region(const volatile void *address, size_t size)
	__attribute__((weak));
extern void __asan_unpoison_memory_region(const volatile void *address, size_t size)
	__attribute__((weak));

__attribute__((format(printf, 2, 3))) static void complain(struct examination *examination,
							   const char *format, ...)
{
	va_list arguments;

	examination->complaints++;
	va_start(arguments, format);
	fprintf(stderr, "complaint: ");
	vfprintf(stderr, format, arguments);
	fprintf(stderr, "\n");
	va_end(arguments);
}

/* ---- what lies between the regions of a core is out of bounds ---- */

static const struct sw_core *core_of(struct sw_session *session)
{
	return sw_session_target(session)->opened;
}

bool is_of_core(struct sw_session *session, const struct sw_region *region)
{
	const struct sw_core *core = core_of(session);

	return region->bytes >= core->bytes && region->bytes < core->bytes + core->size;
}

void fence(struct sw_session *session)
{
	const struct sw_core *core = core_of(session);
	const struct sw_memory *memory = &sw_session_target(session)->memory;

	if (!__asan_poison_memory_region)
		return;
	__asan_poison_memory_region(core->bytes, core->size);
	for (size_t i = 0; i < memory->count; i++)
		if (is_of_core(session, &memory->regions[i]))
			__asan_unpoison_memory_region(memory->regions[i].bytes,
						      memory->regions[i].size);
}

static void unfence(struct sw_session *session)
{
	const struct sw_core *core = core_of(session);

	if (__asan_unpoison_memory_region)
		__asan_unpoison_memory_region(core->bytes, core->size);
}

/* ---- reports ---- */

static uint64_t sum_of(const struct sw_report *report, const char *table)
{
	json_t *rows = sw_report_rows(report, table), *row;
	uint64_t sum = 0;
	size_t i;

	json_array_foreach(rows, i, row) sum +=
		(uint64_t)json_integer_value(json_object_get(row, "retained_bytes"));
	return sum;
}

/* Every row and set of roots together are the live heap, also of a damaged one. */
static void check_sum(struct examination *examination, const struct sw_report *report)
{
	json_t *summary = json_object_get(report->document, "summary");
	uint64_t live = (uint64_t)json_integer_value(json_object_get(summary, "live_bytes"));
	uint64_t sum = sum_of(report, "roots") + sum_of(report, "shared");

	if (live != sum)
		complain(examination, "leak-roots: live %llu, rows and shared %llu",
			 (unsigned long long)live, (unsigned long long)sum);
}

static void check_warnings(struct examination *examination, const struct sw_report *report)
{
	json_t *warnings = json_object_get(report->document, "warnings"), *warning;
	size_t i;

	json_array_foreach(warnings, i, warning)
	{
		const char *code = json_string_value(json_object_get(warning, "code"));
		if (!strcmp(code, "value_lost"))
			complain(examination, "value_lost: %s",
				 json_string_value(json_object_get(warning, "message")));
	}
}

/* FNV-1a */
static uint64_t digest(uint64_t state, const char *text)
{
	for (; text && *text; text++)
		state = (state ^ (uint8_t)*text) * 0x100000001b3;
	return state;
}

static void check_views(struct examination *examination, const struct sw_report *report)
{
	char *json = NULL, *text = NULL, *narrow = NULL;
	json_error_t where;
	struct sw_error *error = sw_report_json(report, &json);

	if (!error)
		error = sw_report_text(report, 0, &text);
	if (!error)
		error = sw_report_text(report, 80, &narrow);
	if (error)
		complain(examination, "no view: %s", error->message);
	sw_error_free(error);
	json_t *document = json ? json_loads(json, JSON_ALLOW_NUL, &where) : NULL;
	if (json && !document)
		complain(examination, "no JSON: %s", where.text);
	json_decref(document);
	examination->digest = digest(examination->digest, json);
	free(json);
	free(text);
	free(narrow);
}

static void check_error(struct examination *examination, const char *command,
			struct sw_error *error)
{
	if (error->code == SW_ERR_MEMORY && !examination->failing)
		complain(examination, "%s: out of memory", command);
	if (!error->message || !*error->message)
		complain(examination, "%s: an error without a message", command);
	if (error->code == SW_ERR_USAGE || error->code == SW_ERR_INTERRUPTED)
		complain(examination, "%s: unexpected error: %s", command, error->message);
	if (error->code == SW_ERR_LIMIT && !examination->max_memory)
		complain(examination, "%s: a limit without --max-memory: %s", command,
			 error->message);
	examination->outcome = REFUSED;
	sw_error_free(error);
}

static void run(struct sw_session *session, struct examination *examination,
		const char *const *words)
{
	const struct sw_command *command = sw_command_find(words[0]);
	struct sw_arguments arguments;
	struct sw_report *report;
	int count = 0;

	while (words[count + 1])
		count++;
	struct sw_error *error = sw_arguments_parse(command, count, words + 1, &arguments);
	if (!error)
		error = sw_command_run(session, &arguments, &report);
	if (error) {
		check_error(examination, words[0], error);
	} else {
		if (!report->complete && examination->outcome == COMPLETE)
			examination->outcome = PARTIAL;
		if (!examination->failing) {
			check_warnings(examination, report);
			check_views(examination, report);
		}
		if (!strcmp(words[0], "leak-roots") && words[1] && !strcmp(words[1], "--limit") &&
		    !examination->is_misled)
			check_sum(examination, report);
		sw_report_free(report);
	}
	sw_arguments_free(&arguments);
}

/* What may be gone from a damaged core: that is an answer. */
static void run_on(struct sw_session *session, struct examination *examination, const char *command,
		   const char *what)
{
	unsigned complaints = examination->complaints, outcome = examination->outcome;

	run(session, examination, (const char *[]){command, what, NULL});
	if (complaints == examination->complaints)
		examination->outcome = outcome;
}

static void run_of_heap(struct sw_session *session, const struct areas *areas,
			struct examination *examination)
{
	struct random *random = &examination->random;
	const struct area_list *objects = &areas->objects;
	char address[32];
	const char *type = areas->type_names[random_below(random, areas->type_name_count)];
	static const char *const groups[] = {"root", "type", "package"};

	run(session, examination, (const char *[]){"heap", NULL});
	run(session, examination, (const char *[]){"verify", NULL});
	run(session, examination, (const char *[]){"heap-types", "--limit", "0", NULL});
	run(session, examination, (const char *[]){"leak-roots", "--limit", "0", NULL});
	run(session, examination,
	    (const char *[]){"leak-roots", "--by", groups[random_below(random, 3)], NULL});
	for (int i = 0; i < 4; i++) {
		snprintf(address, sizeof(address), "0x%llx",
			 (unsigned long long)objects->items[random_below(random, objects->count)]
				 .addr);
		run_on(session, examination, "who-holds", address);
	}
	run_on(session, examination, "retained", address);
	run_on(session, examination, "find", type);
}

static void run_of_goroutines(struct sw_session *session, const struct areas *areas,
			      struct examination *examination)
{
	static const char *const calls[][8] = {
		{"goroutine-leaks", "--wait-min", "0s", "--limit", "0"},
		{"stack", "all", "--values"},
		{"scheduler"},
		{"goroutines", "--list", "--retained", "--system", "--limit", "0"},
		{"goroutines", "--retained", "--sort", "wait"},
		{"goroutines", "--depth", "3"},
		{"goroutines", "--label", "tenant=t0"},
		{"goroutine-leaks"},
		{"stack", "all", "--runtime"},
	};
	enum { CALLS = sizeof(calls) / sizeof(*calls), THOROUGH = 5, CHOSEN = 2 };
	struct random *random = &examination->random;
	char goid[32];

	bool is_thorough = examination->thoroughness == ALL_OF_GOROUTINES;

	for (size_t i = 0; i < (is_thorough ? THOROUGH : CHOSEN); i++)
		run(session, examination, calls[is_thorough ? i : random_below(random, CALLS)]);
	snprintf(goid, sizeof(goid), "%llu",
		 (unsigned long long)areas->goids[random_below(random, areas->goid_count)]);
	run_on(session, examination, "stack", goid);
}

/* Of cores/programs/owners. */
#define DESCRIBED "main.chunk{buf=data, off=used, next=next}; main.names{buf=chunks, off=off}"

static void run_of_owners(struct sw_session *session, const struct areas *areas,
			  struct examination *examination)
{
	static const char *const calls[][6] = {
		{"buffers", "--limit", "0"},	{"arenas", "--limit", "0", "--arena", DESCRIBED},
		{"pools", "--limit", "0"},	{"contexts", "--limit", "0"},
		{"timers", "--limit", "0"},	{"fds", "--limit", "0"},
		{"finalizers", "--limit", "0"}, {"closures", "--limit", "0"},
	};
	enum { CALLS = sizeof(calls) / sizeof(*calls), CHOSEN = 3 };
	struct random *random = &examination->random;
	const struct area_list *objects = &areas->objects;
	char address[32];

	bool is_thorough = examination->thoroughness != SOME_COMMANDS;

	for (size_t i = 0; i < (is_thorough ? CALLS : CHOSEN); i++)
		run(session, examination, calls[is_thorough ? i : random_below(random, CALLS)]);
	snprintf(address, sizeof(address), "0x%llx",
		 (unsigned long long)objects->items[random_below(random, objects->count)].addr);
	run_on(session, examination, "buffer-owner", address);
}

/* Any of them may be what opens the runtime. */
static void run_all(struct sw_session *session, const struct areas *areas,
		    struct examination *examination)
{
	bool is_first = random_below(&examination->random, 2);

	if (examination->thoroughness == ALL_OF_OWNERS) {
		run_of_owners(session, areas, examination);
		run(session, examination, (const char *[]){"leak-roots", "--limit", "0", NULL});
		return;
	}
	if (is_first)
		run_of_goroutines(session, areas, examination);
	else
		run_of_owners(session, areas, examination);
	run_of_heap(session, areas, examination);
	if (is_first)
		run_of_owners(session, areas, examination);
	else
		run_of_goroutines(session, areas, examination);
}

static void examine_open(struct sw_session *session, const struct areas *areas,
			 struct examination *examination)
{
	fence(session);
	views_begin();
	run_all(session, areas, examination);
	if (examination->failing) { /* once there is memory again, it is as if nothing had been */
		examination->allocations = allocations_fail(0);
		examination->failing = 0;
		run_all(session, areas, examination);
	}
	examination->has_used_index = sw_index_is_whole(sw_session_index(session));
	unfence(session);
	if (examination->index == SW_INDEX_WRITE)
		sw_error_free(sw_session_write_index(session, true));
}

void examine(struct subject *subject, const struct areas *areas, struct examination *examination)
{
	struct sw_session_options options = {
		.core = examination->core ? examination->core : subject->files[CORE].path,
		.exe = examination->exe ? examination->exe : subject->files[EXE].path,
		.index = examination->index,
	};
	struct sw_session *session;
	struct sw_work work;

	examination->outcome = COMPLETE;
	examination->complaints = 0;
	examination->digest = 0xcbf29ce484222325;
	sw_work_init(&work, examination->workers);
	work.max_memory = examination->max_memory;
	allocations_fail(examination->failing);
	struct sw_error *error = sw_session_open(&options, &work, &session);
	if (error) {
		examination->allocations = allocations_fail(0);
		check_error(examination, "open", error);
		return;
	}
	examine_open(session, areas, examination);
	sw_session_close(session);
	views_end();
	if (work.peak_memory > MOST_MEMORY)
		complain(examination, "%llu bytes of large arrays at once",
			 (unsigned long long)work.peak_memory);
	if (work.used_memory)
		complain(examination, "%llu bytes of large arrays are still counted",
			 (unsigned long long)work.used_memory);
}
