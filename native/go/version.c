/* Which release of Go built the program. */
#include "go/runtime.h"

enum {
	FIRST_MINOR = 18,
	LAST_MINOR = 27,
	MAX_VERSION = 256, /* bytes */
};

/* The build information of every program since 1.18: a header of 32 bytes, then the version with
 * its length as a varint before it (debug/buildinfo/buildinfo.go). */
static const char magic[] = "\xff Go buildinf:";
enum { FLAGS = 15, IS_INLINE = 2, HEADER = 32, ALIGNMENT = 16 };

static bool from_build_info(const struct sw_image *image, char *out)
{
	uint64_t size;
	const uint8_t *info = sw_image_find(image, magic, sizeof(magic) - 1, ALIGNMENT, &size);

	if (!info || size < HEADER + 2 || !(info[FLAGS] & IS_INLINE))
		return false;
	uint64_t length = info[HEADER] & 0x7f, at = HEADER + 1;
	if (info[HEADER] & 0x80)
		length |= (uint64_t)info[at++] << 7;
	if (!length || length >= MAX_VERSION || length > size - at)
		return false;
	memcpy(out, info + at, length);
	out[length] = 0;
	return true;
}

static bool from_symbol(const struct sw_go *go, char *out)
{
	sw_addr symbol, data;
	uint64_t length;

	if (!sw_image_symbol(go->image, "runtime.buildVersion", &symbol, NULL) ||
	    !sw_memory_u64(go->memory, symbol, &data) ||
	    !sw_memory_u64(go->memory, symbol + 8, &length) || !length || length >= MAX_VERSION ||
	    !sw_memory_read(go->memory, data, out, length))
		return false;
	out[length] = 0;
	return true;
}

/* Reads the digits at *at and moves behind them. */
static unsigned number(const char **at)
{
	unsigned value = 0;
	for (; **at >= '0' && **at <= '9' && value < 1000; (*at)++)
		value = value * 10 + (unsigned)(**at - '0');
	return value;
}

/* "go1.26.11-X:nogreenteagc", "go1.25.12 X:greenteagc", "go1.24.3 (Red Hat 1.24.3-1)"; "go1.27rc1"
 * is the minor release's first. Minor 0 when it is none of these: "devel go1.28-abcdef" is nobody's
 * release. */
static struct sw_layout_release parse(const char *version)
{
	struct sw_layout_release release = {0};
	const char *experiments = strstr(version, "X:");

	if (strncmp(version, "go1.", 4) != 0)
		return release;
	version += 4;
	release.minor = number(&version);
	if (*version++ == '.')
		release.patch = number(&version);
	release.experiments = experiments ? experiments + 2 : NULL;
	return release;
}

struct sw_error *sw_go_read_version(struct sw_go *go)
{
	char version[MAX_VERSION];

	if (!from_build_info(go->image, version) && !from_symbol(go, version))
		return sw_error_hint(
			sw_error_format(SW_ERR_FORMAT, "%s is not a Go program", go->image->path),
			"name the executable that ran with --exe FILE");
	go->version = strdup(version);
	if (!go->version)
		return sw_error_memory();
	go->release = parse(go->version);
	go->release.arch = go->arch;
	go->minor = go->release.minor;
	if (go->minor < FIRST_MINOR || go->minor > LAST_MINOR)
		return sw_error_hint(
			sw_error_format(SW_ERR_UNSUPPORTED, "the program was built by %s", version),
			"this release of spanwalk knows Go 1.%d to 1.%d", FIRST_MINOR, LAST_MINOR);
	return NULL;
}
