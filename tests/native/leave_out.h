/* A test that cannot be made here says so aloud, and what nobody has checked therefore. */
#ifndef LEAVE_OUT_H
#define LEAVE_OUT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static inline void leave_out(const char *what, const char *why)
{
	print_message("skipped, so not checked: %s (%s)\n", what, why);
	skip();
}

/* qemu runs tests for another machine, and has neither ptrace(2) nor all of /proc. */
static inline void need_ptrace(const char *what)
{
	if (getenv("SPANWALK_NO_PTRACE"))
		leave_out(what, "SPANWALK_NO_PTRACE");
}

#endif
