/* Where the index of a core may be. */
#include "index/digest.h"
#include "index/file.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

static const char ending[] = "spanwalk-index";

/* XDG Base Directory Specification: a relative path is to be ignored. */
static char *cache_folder(void)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	char *folder = NULL;
	int size = 0;

	if (cache && *cache == '/')
		size = asprintf(&folder, "%s/spanwalk", cache);
	else if (home && *home == '/')
		size = asprintf(&folder, "%s/.cache/spanwalk", home);
	else
		return strdup("");
	return size < 0 ? NULL : folder;
}

/* Cores of one name in two folders have two indexes. */
static char *place_in_cache(const char *core)
{
	char *folder = cache_folder(), *real = realpath(core, NULL), *path = NULL;
	const char *name = real ? strrchr(real, '/') : NULL;

	if (folder && (!*folder || !name)) {
		free(real);
		*folder = 0;
		return folder;
	}
	if (folder && asprintf(&path, "%s/%.128s-%016" PRIx64 ".%s", folder, name + 1,
			       sw_digest_text(0, real), ending) < 0)
		path = NULL;
	free(folder);
	free(real);
	return path;
}

char *sw_index_place(const char *core, unsigned place)
{
	char *path;

	if (place)
		return place_in_cache(core);
	return asprintf(&path, "%s.%s", core, ending) < 0 ? NULL : path;
}

void sw_index_make_folders(const char *path)
{
	char *copy = strdup(path);

	for (char *slash = copy ? strchr(copy + 1, '/') : NULL; slash;
	     slash = strchr(slash + 1, '/')) {
		*slash = 0;
		mkdir(copy, 0700);
		*slash = '/';
	}
	free(copy);
}
