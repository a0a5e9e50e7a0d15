/* The layouts of the releases, for programs without debug information. */
#include "go/layout.h"

#include <string.h>

/* layout_tables.h is a list of columns, then of rows with a number for each column. */
struct column {
	unsigned minor, patch; /* from this patch release on */
	const char *experiment;
};

#define COLUMN(minor, patch, experiment) {minor, patch, experiment},
static const struct column columns[] = {
#include "go/layout_tables.h"
};
#undef COLUMN

enum { COLUMNS = sizeof(columns) / sizeof(*columns) };

struct row {
	struct sw_layout_field field;
	uint32_t amd64[COLUMNS], arm64[COLUMNS];
};

#define None SW_ABSENT
#define OFFSET(type, member, ...) {{"runtime." type, member, SW_LAYOUT_OFFSET}, __VA_ARGS__},
#define SIZE(type, ...) {{"runtime." type, "", SW_LAYOUT_SIZE}, __VA_ARGS__},
#define WIDTH(type, member, ...) {{"runtime." type, member, SW_LAYOUT_WIDTH}, __VA_ARGS__},
#define BOTH(...)           \
	{__VA_ARGS__},      \
	{                   \
		__VA_ARGS__ \
	}
#define AMD64(...) {__VA_ARGS__},
#define ARM64(...)          \
	{                   \
		__VA_ARGS__ \
	}
static const struct row rows[] = {
#include "go/layout_tables.h"
};

bool sw_layout_has_experiment(const struct sw_layout_release *release, const char *name)
{
	size_t length = strlen(name);
	const char *at = release->experiments;

	for (; at && (at = strstr(at, name)); at += length)
		if ((at == release->experiments || at[-1] == ',') &&
		    (!at[length] || at[length] == ','))
			return true;
	return false;
}

/* The last that begins at or before the patch release, with its experiment rather than without. */
static int column_of(const struct sw_layout_release *release)
{
	int found = -1;
	for (int i = 0; i < COLUMNS; i++) {
		const struct column *column = &columns[i];
		if (column->minor != release->minor || column->patch > release->patch ||
		    (*column->experiment && !sw_layout_has_experiment(release, column->experiment)))
			continue;
		if (found < 0 || *column->experiment || !*columns[found].experiment)
			found = i;
	}
	return found;
}

bool sw_layout_from_table(void *context, const struct sw_layout_field *field, uint64_t *out)
{
	const struct sw_layout_release *release = context;
	int column = column_of(release);

	for (size_t i = 0; column >= 0 && i < sizeof(rows) / sizeof(*rows); i++) {
		const struct row *row = &rows[i];
		if (row->field.what != field->what || strcmp(row->field.member, field->member) ||
		    strcmp(row->field.type, field->type))
			continue;
		*out = release->arch == SW_ARCH_ARM64 ? row->arm64[column] : row->amd64[column];
		return *out != None;
	}
	return false;
}
