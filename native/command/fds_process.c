#include "command/fds_view.h"

static const char *starts(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) ? NULL : text + strlen(with);
}

static bool ends(const char *text, const char *with)
{
	size_t length = strlen(text), suffix = strlen(with);
	return length >= suffix && !strcmp(text + length - suffix, with);
}

bool sw_fds_is_stale(const struct sw_fds_view *view, const struct sw_descriptor *descriptor)
{
	return view->has_files && view->files.is_exact && descriptor->state == SW_DESCRIPTOR_OPEN &&
	       descriptor->number >= 0 && !sw_open_files_find(&view->files, descriptor->number);
}

/* ---- the runtime's own ---- */

static bool is_variable(const struct sw_go *go, sw_addr addr)
{
	for (size_t i = 0; i < go->modules.count; i++) {
		const struct sw_go_module *module = &go->modules.items[i];
		if ((addr >= module->noptrdata && addr < module->edata) ||
		    (addr >= module->bss && addr < module->enoptrbss))
			return true;
	}
	return false;
}

/* netpollinit() has one descriptor watched by which it is woken (runtime/netpoll_epoll.go): the end
 * of a pipe until 1.22, then an eventfd; with the address of a variable, from 1.26.11 and 1.27.4
 * on, or somewhat earlier, with 0. All others are watched with a pollDesc, which is no variable. */
static bool is_wake(const struct sw_fds_view *view, const struct sw_watched *watched)
{
	const struct sw_go *go = view->live.go;
	const struct sw_open_file *file;

	if (!is_variable(go, watched->data) && (go->minor < 26 || watched->data))
		return false;
	file = sw_open_files_find(&view->files, watched->number);
	return file && starts(file->to, go->minor >= 23 ? "anon_inode:[eventfd" : "pipe:");
}

/* The pipe, until 1.22: the other end is known by its number too. */
static bool is_of_poller(const struct sw_fds_view *view, const struct sw_open_file *file)
{
	for (size_t i = 0; i < view->files.watches.count; i++) {
		const struct sw_watched *watched = &view->files.watches.items[i];
		if (!is_wake(view, watched))
			continue;
		if (watched->epoll == file->number || watched->number == file->number)
			return true;
		const struct sw_open_file *wake = sw_open_files_find(&view->files, watched->number);
		if (wake && starts(wake->to, "pipe:") && !strcmp(wake->to, file->to))
			return true;
	}
	return false;
}

/* internal/runtime/cgroup (1.25) keeps the CPU limit of its control group open. */
static bool is_of_cgroup(const struct sw_fds_view *view, const struct sw_open_file *file)
{
	return view->live.go->minor >= 25 &&
	       (ends(file->to, "/cpu.max") || ends(file->to, "/cpu.cfs_quota_us") ||
		ends(file->to, "/cpu.cfs_period_us"));
}

const char *sw_fds_unowned_kind(const struct sw_fds_view *view, const struct sw_open_file *file,
				bool *is_runtime)
{
	static const char *const kinds[][2] = {
		{"anon_inode:[eventpoll]", "epoll"},
		{"anon_inode:[eventfd]", "eventfd"},
		{"anon_inode:[pidfd]", "process"},
		{"anon_inode:", "anonymous"},
		{"pidfd:", "process"},
		{"socket:", "socket"},
		{"pipe:", "pipe"},
		{"/", "file"},
	};
	*is_runtime = is_of_poller(view, file) || is_of_cgroup(view, file);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (starts(file->to, kinds[i][0]))
			return kinds[i][1];
	return "?";
}

/* ---- unowned ---- */

struct sw_error *sw_fds_unowned(const struct sw_fds_view *view, sw_fds_visit_unowned *visit,
				void *context)
{
	const struct sw_descriptor_list *list = &view->descriptors.list;
	const struct sw_open_files *files = &view->files;

	if (!view->has_files || !files->is_exact)
		return NULL;
	bool *is_owned = calloc(files->count + 1, sizeof(*is_owned));
	if (!is_owned)
		return sw_error_memory();
	for (size_t i = 0; i < list->count; i++) {
		const struct sw_open_file *file =
			list->items[i].number < 0
				? NULL
				: sw_open_files_find(files, list->items[i].number);
		if (file)
			is_owned[file - files->items] = true;
	}
	for (size_t i = 0; i < files->count; i++)
		if (!is_owned[i])
			visit(context, &files->items[i]);
	free(is_owned);
	return NULL;
}
