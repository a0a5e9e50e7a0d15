/* fuzz EXE CORE MODE [NUMBER...]: damaged copies of a core and its executable, analysed one after
 * the other in this process, which AddressSanitizer and UBSan watch. The first round is undamaged
 * and must be complete. The last line is JSON: what was done. */
#include "damage.h"
#include "examine.h"
#include "index.h"

#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { ROUND_SECONDS = 20, TEXT = 2048 };

static const char usage[] =
	"usage: fuzz EXE CORE seeds FIRST COUNT [SECONDS]\n"
	"       fuzz EXE CORE cuts STRIDE [SECONDS]    every STRIDE bytes\n"
	"       fuzz EXE CORE pages STRIDE [SECONDS]   every STRIDEth page of the core zeroed\n"
	"       fuzz EXE CORE memory STRIDE [SECONDS]  every STRIDEth allocation fails\n"
	"       fuzz EXE CORE cases [NAME…|STRIDE]     made by construction; those that begin so\n"
	"       fuzz EXE CORE index FIRST COUNT [SECONDS]   with an index, damaged or of a\n"
	"           damaged core\n"
	"       fuzz EXE CORE save SEED|CASE FOLDER    writes FOLDER/core and FOLDER/exe\n"
	"       fuzz EXE CORE areas                    what stands where\n"
	"       fuzz EXE CORE mistake KIND             makes one, which must be noticed:\n"
	"           overrun leak undefined endless allocation\n";

/* What the signal handler and the sanitizers' callback print. */
static char round_text[TEXT];

static void print_round(void)
{
	static const char words[] = "\nin round: ";

	if (write(STDERR_FILENO, words, sizeof(words) - 1) < 0 ||
	    write(STDERR_FILENO, round_text, strlen(round_text)) < 0 ||
	    write(STDERR_FILENO, "\n", 1) < 0)
		_exit(3);
}

extern void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));
extern void __sanitizer_print_stack_trace(void) __attribute__((weak));

__attribute__((visibility("default"))) const char *__asan_default_options(void);
/* A core of some tens of megabytes asks for no array of half a gigabyte. */
const char *__asan_default_options(void)
{
	return "max_allocation_size_mb=512:hard_rss_limit_mb=3000:detect_leaks=1:"
	       "detect_stack_use_after_return=0:quarantine_size_mb=16";
}

__attribute__((visibility("default"))) const char *__ubsan_default_options(void);
const char *__ubsan_default_options(void)
{
	return "print_stacktrace=1:abort_on_error=1";
}

/* UBSan's end, and that of assert(). */
static void on_abort(int number)
{
	(void)number;
	print_round();
	_exit(3);
}

static void on_alarm(int number)
{
	static const char words[] = "\na round takes too long\n";

	(void)number;
	if (write(STDERR_FILENO, words, sizeof(words) - 1) < 0)
		_exit(3);
	if (__sanitizer_print_stack_trace)
		__sanitizer_print_stack_trace();
	print_round();
	_exit(3);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

struct run {
	struct subject subject;
	struct areas areas;
	double begin, seconds; /* when to stop, 0: not before the end */
	unsigned long rounds, outcomes[3], complaints;
	unsigned long indexes; /* rounds that took all that they needed from an index */
	double slowest;
	char slowest_text[TEXT];
	char idle[8 * TEXT]; /* cases that changed nothing, as JSON */
};

static bool is_over(const struct run *run)
{
	return run->seconds > 0 && now() - run->begin > run->seconds;
}

static void examine_round(struct run *run, struct examination *examination)
{
	double begin = now();

	alarm(ROUND_SECONDS);
	examine(&run->subject, &run->areas, examination);
	alarm(0);
	run->rounds++;
	run->outcomes[examination->outcome]++;
	if (examination->complaints) {
		run->complaints++;
		fprintf(stderr, "in round: %s\n", round_text);
	}
	if (now() - begin > run->slowest) {
		run->slowest = now() - begin;
		strcpy(run->slowest_text, round_text);
	}
}

static void undamaged_round(struct run *run)
{
	struct examination examination = {.workers = 2, .thoroughness = ALL_OF_GOROUTINES};

	strcpy(round_text, "undamaged");
	examine_round(run, &examination);
	if (examination.outcome != COMPLETE)
		errx(1, "the undamaged core is not analysed whole");
}

/* ---- modes ---- */

/* One of the cases, for random damage to build on. */
static void apply_any_case(struct run *run, struct random *random)
{
	size_t count = 0, length = strlen(round_text);

	while (damage_case_at(count))
		count++;
	const struct damage_case *any = damage_case_at(random_below(random, count));
	any->apply(&run->subject, &run->areas);
	snprintf(round_text + length, sizeof(round_text) - length, " %s", any->name);
}

static void damage(struct run *run, uint64_t seed, struct examination *examination)
{
	struct random random = {seed};

	snprintf(round_text, sizeof(round_text), "seed %llu:", (unsigned long long)seed);
	if (!random_below(&random, 4))
		apply_any_case(run, &random);
	damage_by_seed(&run->subject, &run->areas, &random, round_text, sizeof(round_text));
	examination->workers = 1 + (unsigned)random_below(&random, 2);
	if (!random_below(&random, 16))
		examination->max_memory = 1ull << (10 + random_below(&random, 14));
	else if (!random_below(&random, 8))
		examination->failing =
			1 + (random_next(&random) & 0xffff) % (1u << random_below(&random, 16));
	examination->random = random;
}

/* Reports are the same for any number of threads, also of what is damaged. */
static void compare_workers(struct run *run, uint64_t seed)
{
	uint64_t digest = 0;

	for (unsigned workers = 1; workers <= 3; workers++) {
		struct examination examination = {.workers = workers, .random = {seed}};
		examine_round(run, &examination);
		if (workers > 1 && examination.digest != digest) {
			run->complaints++;
			fprintf(stderr,
				"complaint: %u threads report something else\nin round: %s\n",
				workers, round_text);
		}
		digest = examination.digest;
	}
}

static void run_seeds(struct run *run, uint64_t first, uint64_t count)
{
	for (uint64_t seed = first; seed - first < count && !is_over(run); seed++) {
		struct examination examination = {0};
		damage(run, seed, &examination);
		examine_round(run, &examination);
		if (seed % 8 == 0 && !examination.max_memory && !examination.failing)
			compare_workers(run, seed);
		subject_mend(&run->subject);
	}
}

/* From long to short: a file that was cut need not be mended. */
static void run_cuts(struct run *run, uint64_t stride)
{
	struct file *core = &run->subject.files[CORE];

	for (uint64_t size = core->size / stride * stride; size && !is_over(run); size -= stride) {
		struct examination examination = {.workers = 1, .random = {size}};
		snprintf(round_text, sizeof(round_text), "cut at %llu", (unsigned long long)size);
		subject_cut(&run->subject, CORE, size);
		examine_round(run, &examination);
	}
}

static void run_pages(struct run *run, uint64_t stride)
{
	static const uint8_t zeroes[4096];
	struct file *core = &run->subject.files[CORE];
	uint64_t number = 0;

	for (uint64_t at = 0; at < core->size && !is_over(run); at += sizeof(zeroes)) {
		struct examination examination = {.workers = 1, .random = {at}};
		if (!memcmp(core->bytes + at, zeroes, sizeof(zeroes)) || number++ % stride)
			continue;
		snprintf(round_text, sizeof(round_text), "page at %llu zeroed",
			 (unsigned long long)at);
		subject_write(&run->subject, CORE, at, zeroes, sizeof(zeroes));
		examine_round(run, &examination);
		subject_mend(&run->subject);
	}
}

/* An undamaged core and little memory: every STRIDEth allocation in turn is the first that fails,
 * until none is left to fail. */
static void run_memory(struct run *run, uint64_t stride)
{
	struct examination examination;
	uint64_t number = 1;

	do {
		examination = (struct examination){.workers = 1, .failing = number};
		snprintf(round_text, sizeof(round_text), "allocation %llu fails",
			 (unsigned long long)number);
		examine_round(run, &examination);
		number += stride;
	} while (number - stride <= examination.allocations && !is_over(run));
}

/* Names the cases for which the subject has nothing to be damaged. */
static void add_if_idle(struct run *run, const char *name)
{
	size_t length = strlen(run->idle);

	if (!run->subject.changes.count)
		snprintf(run->idle + length, sizeof(run->idle) - length, "%s\"%s\"",
			 length ? ", " : "", name);
}

/* All of them, those whose names begin so, or every so manyth. */
static void run_cases(struct run *run, const char *which)
{
	const struct damage_case *this;
	uint64_t stride = which ? strtoull(which, NULL, 0) : 1;

	for (size_t i = 0; (this = damage_case_at(i)); i++) {
		struct examination examination = {
			.workers = 2, .random = {i}, .thoroughness = this->thoroughness};
		if (stride ? i % stride != 0 : strncmp(which, this->name, strlen(which)) != 0)
			continue;
		snprintf(round_text, sizeof(round_text), "case %s", this->name);
		this->apply(&run->subject, &run->areas);
		add_if_idle(run, this->name);
		/* Most subjects have few of the structures that these are about. */
		if (run->subject.changes.count || this->thoroughness != ALL_OF_OWNERS)
			examine_round(run, &examination);
		subject_mend(&run->subject);
	}
}

/* An index of the undamaged core that leads astray. */
static void mislead(struct run *run, const struct index_file *index, uint64_t seed)
{
	struct random random = {seed};

	snprintf(round_text, sizeof(round_text), "index %llu:", (unsigned long long)seed);
	index_damage(index, &random, round_text, sizeof(round_text));
	struct examination examination = {
		.core = index->core,
		.exe = index->exe,
		.index = SW_INDEX_READ,
		.is_misled = true,
		.workers = 1 + (unsigned)random_below(&random, 2),
		.random = random,
	};
	if (!random_below(&random, 8))
		examination.failing = 1 + (random_next(&random) & 0xffff);
	examine_round(run, &examination);
	run->indexes += examination.has_used_index;
}

/* Reports are the same without an index, by who writes one and by who reads it, also of what is
 * damaged. */
static void compare_index(struct run *run, uint64_t seed)
{
	static const enum sw_index_use uses[] = {SW_INDEX_OFF, SW_INDEX_WRITE, SW_INDEX_READ};
	struct examination damaged = {0};
	struct index_file index;
	uint64_t digest = 0;

	damage(run, seed, &damaged);
	index_create(&index, &run->subject);
	for (size_t i = 0; i < sizeof(uses) / sizeof(*uses); i++) {
		struct examination examination = {.core = index.core,
						  .exe = index.exe,
						  .index = uses[i],
						  .workers = 1 + (unsigned)(seed + i) % 2,
						  .random = {seed}};
		examine_round(run, &examination);
		if (i && examination.digest != digest) {
			run->complaints++;
			fprintf(stderr, "complaint: another report %s\nin round: %s\n",
				i > 1 ? "with an index" : "while an index is made", round_text);
		}
		digest = examination.digest;
		run->indexes += i > 1 && examination.has_used_index;
	}
	subject_mend(&run->subject);
	index_remove(&index);
}

static void run_index(struct run *run, uint64_t first, uint64_t count)
{
	struct index_file index;

	index_create(&index, &run->subject);
	index_write(&index);
	for (uint64_t seed = first; seed - first < count && !is_over(run); seed++)
		if (seed % 4)
			mislead(run, &index, seed);
		else
			compare_index(run, seed);
	index_remove(&index);
}

static void save(struct run *run, const char *what, const char *folder)
{
	struct examination examination = {0};
	const struct damage_case *found = damage_case_named(what);

	if (found)
		found->apply(&run->subject, &run->areas);
	else
		damage(run, strtoull(what, NULL, 0), &examination);
	subject_save(&run->subject, folder);
}

static void print_areas(const struct areas *areas)
{
	for (unsigned i = 0; i < areas->kind_count; i++) {
		uint64_t bytes = 0;
		for (size_t k = 0; k < areas->kinds[i].areas.count; k++)
			bytes += areas->kinds[i].areas.items[k].size;
		printf("%-20s %6zu areas %12llu bytes\n", areas->kinds[i].name,
		       areas->kinds[i].areas.count, (unsigned long long)bytes);
	}
}

/* ---- mistakes: does the driver notice? ---- */

/* Reads the byte behind the core's first region. */
static void overrun(struct run *run)
{
	struct sw_session_options options = {.core = run->subject.files[CORE].path,
					     .exe = run->subject.files[EXE].path};
	struct sw_session *session;
	struct sw_work work;

	sw_work_init(&work, 1);
	if (sw_session_open(&options, &work, &session))
		errx(2, "cannot open the core");
	fence(session);
	const struct sw_region *region = sw_session_target(session)->memory.regions;
	while (!is_of_core(session, region))
		region++;
	volatile const uint8_t *bytes = region->bytes;
	printf("%d\n", bytes[region->size]);
}

static void make_mistake(struct run *run, const char *kind)
{
	volatile int number = INT32_MAX;
	void *volatile lost;

	snprintf(round_text, sizeof(round_text), "mistake %s", kind);
	if (!strcmp(kind, "overrun"))
		overrun(run);
	else if (!strcmp(kind, "leak"))
		lost = malloc(1000);
	else if (!strcmp(kind, "undefined"))
		number = number + 1;
	else if (!strcmp(kind, "allocation"))
		free(lost = malloc((size_t)number << 8));
	else
		for (alarm(1);;)
			;
	lost = NULL; /* cppcheck-suppress memleak */
	(void)lost;
}

static bool run_mode(struct run *run, int count, char **words)
{
	const char *mode = words[0];
	uint64_t number = count > 1 ? strtoull(words[1], NULL, 0) : 0;
	bool is_index = !strcmp(mode, "index"), has_count = is_index || !strcmp(mode, "seeds");

	if (count > 2 + has_count)
		run->seconds = strtod(words[2 + has_count], NULL);
	if (is_index && count > 2)
		run_index(run, number, strtoull(words[2], NULL, 0));
	else if (has_count && count > 2)
		run_seeds(run, number, strtoull(words[2], NULL, 0));
	else if (!strcmp(mode, "cuts") && number)
		run_cuts(run, number);
	else if (!strcmp(mode, "pages") && number)
		run_pages(run, number);
	else if (!strcmp(mode, "memory") && number)
		run_memory(run, number);
	else if (!strcmp(mode, "cases"))
		run_cases(run, count > 1 ? words[1] : NULL);
	else if (!strcmp(mode, "save") && count > 2)
		save(run, words[1], words[2]);
	else if (!strcmp(mode, "mistake") && count > 1)
		make_mistake(run, words[1]);
	else if (!strcmp(mode, "areas"))
		print_areas(&run->areas);
	else
		return false;
	return true;
}

int main(int argc, char **argv)
{
	struct run run = {.begin = now()};

	if (argc < 4) {
		fputs(usage, stderr);
		return 2;
	}
	signal(SIGALRM, on_alarm);
	signal(SIGABRT, on_abort);
	if (__sanitizer_set_death_callback)
		__sanitizer_set_death_callback(print_round);
	subject_load(&run.subject, argv[1], argv[2]);
	areas_collect(&run.areas, &run.subject);
	undamaged_round(&run);
	if (!run_mode(&run, argc - 3, argv + 3)) {
		fputs(usage, stderr);
		return 2;
	}
	strcpy(round_text, "none: all are over");
	printf("{\"rounds\": %lu, \"seconds\": %.1f, \"complete\": %lu, \"partial\": %lu, "
	       "\"refused\": %lu, \"indexes\": %lu, \"complaints\": %lu, "
	       "\"slowest_seconds\": %.2f, \"idle\": [%s], \"sanitized\": %s}\n",
	       run.rounds, now() - run.begin, run.outcomes[COMPLETE], run.outcomes[PARTIAL],
	       run.outcomes[REFUSED], run.indexes, run.complaints, run.slowest, run.idle,
	       __sanitizer_set_death_callback ? "true" : "false");
	fprintf(stderr, "slowest round: %s\n", run.slowest_text);
	areas_free(&run.areas);
	subject_free(&run.subject);
	return run.complaints != 0;
}
