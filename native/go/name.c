#include "go/name.h"

#include <string.h>

/* What follows may have slashes and dots of its own: a type's arguments, a receiver. */
size_t sw_go_package_length(const char *name)
{
	size_t start = strcspn(name, "[(:");
	while (start && name[start - 1] != '/')
		start--;
	const char *dot = strchr(name + start, '.');
	return dot ? (size_t)(dot - name) : 0;
}

bool sw_go_is_runtime_name(const char *name)
{
	static const char *const prefixes[] = {"runtime.", "internal/runtime/",
					       "runtime/internal/"};
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++)
		if (!strncmp(name, prefixes[i], strlen(prefixes[i])))
			return true;
	return false;
}

bool sw_go_is_closure_name(const char *name)
{
	static const char *const words[] = {"func", "gowrap", "deferwrap", ""};
	size_t length = strlen(name);
	const char *dot = strrchr(name, '.');

	if (length > 3 && !strcmp(name + length - 3, "-fm"))
		return true;
	for (size_t i = 0; dot && i < sizeof(words) / sizeof(*words); i++) {
		size_t size = strlen(words[i]);
		const char *digits = dot + 1 + size;
		if (!strncmp(dot + 1, words[i], size) && *digits &&
		    digits[strspn(digits, "0123456789")] == 0)
			return true;
	}
	return false;
}
