/* Which release of Go built the program. */
#include "go/runtime.h"

enum { FIRST_MINOR = 22, LAST_MINOR = 27 };

static bool read_string(const struct sw_memory *memory, sw_addr header, char *out, size_t size)
{
	uint64_t data, length;
	if (!sw_memory_u64(memory, header, &data) || !sw_memory_u64(memory, header + 8, &length))
		return false;
	if (!length || length >= size || !sw_memory_read(memory, data, out, length))
		return false;
	out[length] = 0;
	return true;
}

/* "go1.26.11-X:nogreenteagc", "go1.25.12 X:greenteagc", "devel go1.28-abcdef": the minor number,
 * 0 when it is none of these. */
static unsigned parse_minor(const char *version)
{
	const char *at = strstr(version, "go1.");
	unsigned minor = 0;
	if (at)
		for (at += 4; *at >= '0' && *at <= '9' && minor < 1000; at++)
			minor = minor * 10 + (unsigned)(*at - '0');
	return minor;
}

struct sw_error *sw_go_read_version(struct sw_go *go)
{
	char version[256];
	sw_addr symbol;

	if (!sw_image_symbol(go->image, "runtime.buildVersion", &symbol, NULL))
		return sw_error_hint(sw_error_format(SW_ERR_FORMAT,
						     "%s is not a Go program, or it is stripped",
						     go->image->path),
				     "name the unstripped executable with --exe");
	if (!read_string(go->memory, symbol, version, sizeof(version)))
		return sw_error_format(SW_ERR_DAMAGED,
				       "runtime.buildVersion at 0x%llx cannot be read",
				       (unsigned long long)symbol);
	go->minor = parse_minor(version);
	if (go->minor < FIRST_MINOR || go->minor > LAST_MINOR || !strncmp(version, "devel", 5))
		return sw_error_hint(
			sw_error_format(SW_ERR_UNSUPPORTED, "the program was built by %s", version),
			"this release knows Go 1.%d to 1.%d", FIRST_MINOR, LAST_MINOR);
	go->version = strdup(version);
	return go->version ? NULL : sw_error_memory();
}
