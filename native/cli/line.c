#include "cli/line.h"
#include "cli/split.h"
#include "cli/terminal.h"

#include <errno.h>
#include <histedit.h>
#include <locale.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

enum {
	HISTORY_LINES = 1000,
	LIST_MAX = 200, /* candidates that are shown */
};

struct sw_line {
	EditLine *editor;
	History *history;
	FILE *screen;
	locale_t locale; /* the user's, for libedit alone: reports do not depend on it */
	const char *prompt;
	sw_line_complete *complete;
	void *context;
};

/* ---- candidates ---- */

struct sw_error *sw_candidates_add(struct sw_candidates *candidates, const char *word)
{
	char *copy = strdup(word);
	if (!copy)
		return sw_error_memory();
	struct sw_error *error = sw_candidates_base_add(&candidates->words, copy);
	if (error)
		free(copy);
	return error;
}

void sw_candidates_free(struct sw_candidates *candidates)
{
	for (size_t i = 0; i < candidates->words.count; i++)
		free(candidates->words.items[i]);
	sw_candidates_base_free(&candidates->words);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_unique(struct sw_candidates_base *words)
{
	size_t kept = 0;

	if (words->count)
		qsort(words->items, words->count, sizeof(*words->items), by_text);
	for (size_t i = 0; i < words->count; i++) {
		if (kept && !strcmp(words->items[kept - 1], words->items[i]))
			free(words->items[i]);
		else
			words->items[kept++] = words->items[i];
	}
	words->count = kept;
}

/* Bytes that all candidates begin with, whole characters of UTF-8 only. */
static size_t common_size(const struct sw_candidates_base *words)
{
	const char *first = words->items[0];
	size_t size = strlen(first);

	for (size_t i = 1; i < words->count; i++) {
		size_t same = 0;
		while (same < size && first[same] == words->items[i][same])
			same++;
		size = same;
	}
	while (size && (first[size] & 0xc0) == 0x80)
		size--;
	return size;
}

/* ---- completion ---- */

/* Below the line that is edited, in columns. */
static void show_candidates(FILE *screen, const struct sw_candidates_base *words)
{
	size_t shown = words->count < LIST_MAX ? words->count : LIST_MAX;
	size_t width = sw_terminal_width(), widest = 0;

	for (size_t i = 0; i < shown; i++)
		if (strlen(words->items[i]) > widest)
			widest = strlen(words->items[i]);
	size_t columns = width / (widest + 2) ? width / (widest + 2) : 1;
	size_t rows = (shown + columns - 1) / columns;
	fputc('\n', screen);
	for (size_t row = 0; row < rows; row++) {
		for (size_t i = row; i < shown; i += rows)
			fprintf(screen, "%-*s", i + rows < shown ? (int)widest + 2 : 0,
				words->items[i]);
		fputc('\n', screen);
	}
	if (shown < words->count)
		fprintf(screen, "... and %zu more\n", words->count - shown);
}

static size_t count_characters(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += (*text & 0xc0) != 0x80;
	return count;
}

/* Puts `word` in the place of what was typed of it, and behind a whole word what ends it. */
static void replace_word(EditLine *editor, const struct sw_split *split, const char *typed,
			 const char *word, bool is_whole)
{
	char quote = split->quote == '\\' ? 0 : split->quote;
	char *quoted = sw_split_quote(word, quote), *text;

	if (!quoted)
		return;
	char mark[2] = {quote, 0};
	if (asprintf(&text, "%s%s%s%s", mark, quoted, is_whole ? mark : "", is_whole ? " " : "") >=
	    0) {
		el_deletestr(editor, (int)count_characters(typed));
		el_insertstr(editor, text);
		free(text);
	}
	free(quoted);
}

static unsigned char offer(struct sw_line *line, const char *before,
			   struct sw_candidates *candidates)
{
	struct sw_split split;
	unsigned char result = CC_ERROR;
	struct sw_error *error = sw_split_line(before, &split);
	bool is_inside = !error && split.is_inside;
	const char *word = is_inside ? split.words[split.count - 1] : "";
	const char *typed = is_inside ? before + split.last : "";

	if (!error && candidates->words.count) {
		char *common = candidates->words.items[0];
		bool is_single = candidates->words.count == 1;
		if (!is_single)
			show_candidates(line->screen, &candidates->words);
		common[common_size(&candidates->words)] = 0;
		if (strlen(common) >= strlen(word))
			replace_word(line->editor, &split, typed, common,
				     is_single && !candidates->is_open);
		result = is_single ? CC_REFRESH : CC_REDISPLAY;
	}
	sw_split_free(&split);
	sw_error_free(error);
	return result;
}

/* What may come while a key is waited for, and at no other time while a line is edited. */
static const int held[] = {SIGINT, SIGWINCH, SIGCONT};

static void hold_signals(int how)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(held) / sizeof(*held); i++)
		sigaddset(&set, held[i]);
	pthread_sigmask(how, &set, NULL);
}

/* Completing may take a while, and does not depend on the user's locale. */
static void complete(const struct sw_line *line, const char *before, struct sw_candidates *out)
{
	locale_t ours = uselocale(LC_GLOBAL_LOCALE);

	sw_terminal_set_signals(SW_INTERRUPT_COMMAND);
	hold_signals(SIG_UNBLOCK);
	line->complete(line->context, before, out);
	hold_signals(SIG_BLOCK);
	sw_terminal_set_signals(SW_INTERRUPT_READING);
	sw_terminal_forget_interrupt();
	uselocale(ours);
	sort_unique(&out->words);
}

static unsigned char on_tab(EditLine *editor, int key)
{
	struct sw_line *line;
	struct sw_candidates candidates = {0};
	const LineInfo *info = el_line(editor);
	char *before = strndup(info->buffer, (size_t)(info->cursor - info->buffer));

	(void)key;
	el_get(editor, EL_CLIENTDATA, &line);
	if (!before)
		return CC_ERROR;
	complete(line, before, &candidates);
	unsigned char result = offer(line, before, &candidates);
	sw_candidates_free(&candidates);
	free(before);
	return result;
}

/* ---- keys ---- */

/* Waits until there is something to read; false at Ctrl-C. Whatever else interrupts may have
 * changed the terminal: its size (SIGWINCH), its mode while the program was stopped (SIGCONT). */
static bool wait_for_input(EditLine *editor)
{
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	sigset_t mask;

	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	for (size_t i = 0; i < sizeof(held) / sizeof(*held); i++)
		sigdelset(&mask, held[i]);
	while (ppoll(&input, 1, NULL, &mask) < 0) {
		if (errno != EINTR || sw_terminal_is_interrupted())
			return false;
		el_set(editor, EL_PREP_TERM, 0);
		el_set(editor, EL_PREP_TERM, 1);
		el_resize(editor);
		el_set(editor, EL_REFRESH);
	}
	return true;
}

/* One character; 0 at the end of input, -1 at Ctrl-C. What is no character of the user's encoding
 * is left out. */
static int read_key(EditLine *editor, wchar_t *key)
{
	mbstate_t state = {0};
	char byte;

	for (;;) {
		if (!wait_for_input(editor))
			return -1;
		ssize_t size = read(STDIN_FILENO, &byte, 1);
		if (size <= 0)
			return (int)size;
		size_t used = mbrtowc(key, &byte, 1, &state);
		if (used <= 1)
			return 1;
		if (used == (size_t)-1)
			state = (mbstate_t){0};
	}
}

static void on_change(int number)
{
	(void)number;
}

/* Without a handler of their own these would not end ppoll(2). */
static void watch_terminal(void)
{
	struct sigaction action = {.sa_handler = on_change, .sa_flags = SA_RESTART};

	sigaction(SIGWINCH, &action, NULL);
	sigaction(SIGCONT, &action, NULL);
}

/* ---- the editor ---- */

static char *prompt_of(EditLine *editor)
{
	struct sw_line *line;

	el_get(editor, EL_CLIENTDATA, &line);
	return (char *)(uintptr_t)line->prompt;
}

static void set_editor(struct sw_line *line)
{
	HistEvent event;

	history(line->history, &event, H_SETSIZE, HISTORY_LINES);
	history(line->history, &event, H_SETUNIQUE, 1);
	el_set(line->editor, EL_CLIENTDATA, line);
	el_set(line->editor, EL_PROMPT, prompt_of);
	el_set(line->editor, EL_EDITOR, "emacs");
	el_set(line->editor, EL_GETCFN, read_key);
	el_set(line->editor, EL_HIST, history, line->history);
	/* el_set() would copy the names and lose the copies. */
	el_wset(line->editor, EL_ADDFN, L"complete", L"completes the word", on_tab);
	el_set(line->editor, EL_BIND, "^I", "complete", NULL);
	el_set(line->editor, EL_BIND, "^R", "em-inc-search-prev", NULL);
	el_source(line->editor, NULL);
	watch_terminal();
}

struct sw_error *sw_line_open(sw_line_complete *complete, void *context, struct sw_line **out)
{
	struct sw_line *line = calloc(1, sizeof(*line));
	*out = NULL;
	if (!line)
		return sw_error_memory();
	line->complete = complete;
	line->context = context;
	line->prompt = "";
	line->screen = isatty(STDOUT_FILENO) ? stdout : stderr;
	line->locale = newlocale(LC_ALL_MASK, "", (locale_t)0);
	if (!line->locale)
		line->locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	if (!line->locale) {
		free(line);
		return sw_error_memory();
	}
	locale_t before = uselocale(line->locale);
	line->history = history_init();
	line->editor = el_init("spanwalk", stdin, line->screen, stderr);
	if (line->history && line->editor)
		set_editor(line);
	uselocale(before);
	if (!line->history || !line->editor) {
		sw_line_close(line);
		return sw_error_memory();
	}
	*out = line;
	return NULL;
}

void sw_line_close(struct sw_line *line)
{
	if (!line)
		return;
	locale_t before = uselocale(line->locale);
	if (line->editor)
		el_end(line->editor);
	if (line->history)
		history_end(line->history);
	uselocale(before);
	freelocale(line->locale);
	free(line);
}

enum sw_line_end sw_line_read(struct sw_line *line, const char *prompt, char **text)
{
	int size = 0;
	locale_t before = uselocale(line->locale);

	line->prompt = prompt;
	*text = NULL;
	errno = 0;
	hold_signals(SIG_BLOCK);
	/* libedit would do so behind the prompt: keys hit in between were lost. */
	el_set(line->editor, EL_PREP_TERM, 1);
	const char *typed = el_gets(line->editor, &size);
	hold_signals(SIG_UNBLOCK);
	uselocale(before);
	if (typed && size > 0) {
		*text = strndup(typed, strcspn(typed, "\n"));
		return *text ? SW_LINE_READ : SW_LINE_END;
	}
	/* The cursor stands behind what was typed. */
	fputc('\n', line->screen);
	fflush(line->screen);
	return sw_terminal_is_interrupted() ? SW_LINE_INTERRUPTED : SW_LINE_END;
}

void sw_line_remember(struct sw_line *line, const char *text)
{
	HistEvent event;
	locale_t before = uselocale(line->locale);

	history(line->history, &event, H_ENTER, text);
	uselocale(before);
}
