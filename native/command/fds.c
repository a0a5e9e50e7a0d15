/* fds: descriptors, connections and database pools, and who has lost them. */
#include "command/fds_view.h"

static void warn_of_damage(struct sw_fds_view *view)
{
	uint64_t damaged = view->descriptors.damaged + view->http.damaged + view->databases.damaged;
	struct sw_warnings warnings = {0};
	if (!damaged)
		return;
	sw_warn(&warnings, true, "damaged_descriptors", NULL,
		"%llu descriptors, connections or pools could not be read and are left out",
		(unsigned long long)damaged);
	sw_report_warnings(view->report, &warnings);
	sw_warnings_clear(&warnings);
}

/* A core does not tell what was open. */
static void read_files(struct sw_fds_view *view, const struct sw_target *target)
{
	struct sw_warnings warnings = {0};
	struct sw_error *error;

	if (target->kind != SW_TARGET_PROCESS)
		return;
	error = sw_open_files_read(target, &view->files);
	view->has_files = !error;
	if (error)
		sw_warn(&warnings, true, "no_open_files", error->hint,
			"the descriptors that the process has open are not known: %s",
			error->message);
	else if (!view->files.is_exact)
		sw_warn(&warnings, false, "many_open_files", NULL,
			"there are so many descriptors that they were listed after the process was "
			"let go: they are not compared with those that Go code owns");
	sw_error_free(error);
	sw_report_warnings(view->report, &warnings);
	sw_warnings_clear(&warnings);
}

static struct sw_error *find(struct sw_fds_view *view, struct sw_session *session)
{
	struct sw_go_stacks *stacks;
	struct sw_error *error = sw_session_live(session, &view->live);

	if (!error)
		error = sw_session_stacks(session, &stacks);
	if (error)
		return error;
	view->stacks = stacks;
	error = sw_keepers_build(&view->live, stacks, &view->keepers);
	if (!error)
		error = sw_descriptors_find(&view->live, &view->keepers, &view->descriptors);
	if (!error)
		error = sw_http_find(&view->live, &view->keepers, &view->descriptors, &view->http);
	if (!error)
		error = sw_databases_find(&view->live, &view->keepers, &view->databases);
	return error;
}

static struct sw_error *run(struct sw_session *session, const struct sw_arguments *arguments,
			    struct sw_report *report)
{
	struct sw_fds_view view = {.arguments = arguments,
				   .report = report,
				   .many = sw_arguments_number(arguments, "many")};
	struct sw_error *error = find(&view, session);

	if (!error) {
		read_files(&view, sw_session_target(session));
		warn_of_damage(&view);
		error = sw_fds_add_summary(&view);
	}
	if (!error)
		error = sw_fds_add_findings(&view);
	if (!error)
		error = sw_fds_add_tables(&view);
	sw_open_files_free(&view.files);
	sw_databases_free(&view.databases);
	sw_http_free(&view.http);
	sw_descriptors_free(&view.descriptors);
	sw_keepers_free(&view.keepers);
	return error;
}

static const struct sw_option options[] = {
	{"many", SW_OPTION_NUMBER, "N", NULL, "100",
	 "a finding from N idle connections to a host, or N open files of one holder, on"},
	{NULL, 0, NULL, NULL, NULL, NULL},
};

const struct sw_command sw_command_fds = {
	.name = "fds",
	.usage = "",
	.summary = "descriptors, connections, database pools, and who holds or has lost them",
	.help = "Descriptors that Go code owns (os.File, connections and listeners of package net, "
		"TLS above them): open or closed, where they lead, who holds them, which goroutine "
		"waits for them. HTTP connections by Transport and host and by Server; pools of "
		"database/sql.\n"
		"Who keeps each alive says what is wrong: \"program\" (variables, or main) and "
		"\"goroutine\" may close it; of \"library\" only goroutines of the library that "
		"serve this very connection are left (a Transport, or rows, that the program has "
		"lost); \"finalizer\" is open until the collector finds it.\n"
		"Of a process, what it has open is compared with that: descriptors without an "
		"owner in Go, and owners whose descriptor was closed behind their back.",
	.example = "spanwalk fds app.core",
	.options = options,
	.run = run,
};
