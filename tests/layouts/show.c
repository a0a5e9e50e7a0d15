/* Prints where the fields of the runtime's structs stand, as the debug information of an executable
 * tells it or as the tables of spanwalk do. A line for each number that spanwalk needs of that
 * release: type, member ("-": the whole), what, number.
 *
 *     show EXE|amd64|arm64 MINOR PATCH [EXPERIMENT]
 */
#include "go/layout.h"
#include "image/dwarf.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail(struct sw_error *error)
{
	fprintf(stderr, "%s\n", error->message);
	sw_error_free(error);
	return 1;
}

static int show(const struct sw_layout_release *release, sw_layout_source *source, void *context)
{
	static const char *const what[] = {
		[SW_LAYOUT_OFFSET] = "OFFSET",
		[SW_LAYOUT_SIZE] = "SIZE",
		[SW_LAYOUT_WIDTH] = "WIDTH",
	};
	const struct sw_layout_field *field;
	uint64_t number;

	for (size_t at = 0; (at = sw_layout_fields(release, at, &field));) {
		if (!source(context, field, &number)) {
			fprintf(stderr, "%s.%s is not there\n", field->type, field->member);
			return 1;
		}
		printf("%s %s %s %" PRIu64 "\n", field->type, *field->member ? field->member : "-",
		       what[field->what], number);
	}
	return 0;
}

static int show_executable(const char *path, struct sw_layout_release *release)
{
	struct sw_image *image;
	struct sw_dwarf *dwarf;

	struct sw_error *error = sw_image_open(path, &image);
	if (error)
		return fail(error);
	error = sw_dwarf_open(image, &dwarf);
	if (error)
		return fail(error);
	release->arch = image->arch;
	int status = show(release, sw_layout_from_dwarf, dwarf);
	sw_dwarf_close(dwarf);
	sw_image_close(image);
	return status;
}

int main(int count, char **words)
{
	if (count < 4) {
		fputs("show EXE|amd64|arm64 MINOR PATCH [EXPERIMENT]\n", stderr);
		return 2;
	}
	struct sw_layout_release release = {
		.minor = (unsigned)atoi(words[2]),
		.patch = (unsigned)atoi(words[3]),
		.arch = strcmp(words[1], "arm64") ? SW_ARCH_AMD64 : SW_ARCH_ARM64,
		.experiments = words[4],
	};
	if (!strcmp(words[1], "amd64") || !strcmp(words[1], "arm64"))
		return show(&release, sw_layout_from_table, &release);
	return show_executable(words[1], &release);
}
