#include "cli/terminal.h"
#include "report/text.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

/* ---- interrupts ---- */

/* The one global: a signal handler has no other way to say that it ran. */
static atomic_bool is_interrupted;

static void on_interrupt(int number)
{
	(void)number;
	atomic_store(&is_interrupted, true);
}

void sw_terminal_set_signals(enum sw_interrupt interrupt)
{
	static const int flags[] = {
		[SW_INTERRUPT_ONCE] = SA_RESETHAND | SA_RESTART,
		[SW_INTERRUPT_COMMAND] = SA_RESTART,
		[SW_INTERRUPT_READING] = 0,
		[SW_INTERRUPT_END] = 0,
	};
	struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = flags[interrupt]};

	if (interrupt == SW_INTERRUPT_END)
		action.sa_handler = SIG_DFL;

	sigaction(SIGINT, &action, NULL);
	/* `spanwalk ... | head` ends quietly: writing then fails with EPIPE. */
	signal(SIGPIPE, SIG_IGN);
}

bool sw_terminal_is_interrupted(void)
{
	return atomic_load(&is_interrupted);
}

void sw_terminal_forget_interrupt(void)
{
	atomic_store(&is_interrupted, false);
}

static bool cancelled(void *context)
{
	(void)context;
	return sw_terminal_is_interrupted();
}

/* ---- progress ---- */

enum { PROGRESS_AFTER_NS = 1000000000 };

uint64_t sw_terminal_now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void show_progress(void *context, const char *stage, uint64_t done, uint64_t total)
{
	struct sw_progress *progress = context;

	if (sw_terminal_now() - progress->begin < PROGRESS_AFTER_NS)
		return;
	progress->is_shown = true;
	if (total)
		fprintf(stderr, "\r\033[K%.60s %u %%", stage,
			(unsigned)((double)(done < total ? done : total) * 100 / (double)total));
	else
		fprintf(stderr, "\r\033[K%.60s", stage);
	fflush(stderr);
}

void sw_terminal_watch(struct sw_work *work, struct sw_progress *progress, bool is_quiet)
{
	*progress = (struct sw_progress){.begin = sw_terminal_now()};
	work->context = progress;
	work->cancelled = cancelled;
	work->progress = !is_quiet && isatty(STDERR_FILENO) ? show_progress : NULL;
}

void sw_terminal_clear(struct sw_progress *progress)
{
	if (progress->is_shown)
		fputs("\r\033[K", stderr);
	progress->is_shown = false;
}

/* ---- stderr ---- */

/* Paths and names in a message may come from the target. */
static void print_message(const char *prefix, const char *text)
{
	char *clean = sw_text_clean(text, strlen(text));

	fprintf(stderr, "%s: %s\n", prefix, clean ? clean : "out of memory");
	free(clean);
}

enum sw_status sw_terminal_fail(const char *where, struct sw_error *error)
{
	enum sw_status status = sw_error_status(error);

	print_message(where, error->message);
	if (error->hint)
		print_message("hint", error->hint);
	sw_error_free(error);
	return status;
}

void sw_terminal_note(const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	int size = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (size < 0)
		return;
	print_message("spanwalk", text);
	free(text);
}

/* ---- stdout ---- */

unsigned sw_terminal_width(void)
{
	struct winsize size;

	if (!isatty(STDOUT_FILENO))
		return 0;
	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || !size.ws_col ? 80 : size.ws_col;
}

enum { PRINT_BYTES = 1 << 16 }; /* between two looks at Ctrl-C */

static struct sw_error *print_pieces(const char *text, size_t size)
{
	while (size) {
		size_t piece = size < PRINT_BYTES ? size : PRINT_BYTES;
		if (sw_terminal_is_interrupted())
			return sw_error_format(SW_ERR_INTERRUPTED, "interrupted");
		if (fwrite(text, 1, piece, stdout) != piece || fflush(stdout))
			return errno == EPIPE ? NULL
					      : sw_error_errno(errno, "cannot write the report");
		text += piece;
		size -= piece;
	}
	return NULL;
}

struct sw_error *sw_terminal_print(const char *text)
{
	errno = 0;
	struct sw_error *error = print_pieces(text, strlen(text));

	/* What could not be written is not written later. */
	if (ferror(stdout))
		__fpurge(stdout);
	clearerr(stdout);
	return error;
}

enum sw_status sw_terminal_print_owned(char *text)
{
	struct sw_error *error = text ? sw_terminal_print(text) : sw_error_memory();

	free(text);
	return error ? sw_terminal_fail("spanwalk", error) : SW_STATUS_OK;
}
