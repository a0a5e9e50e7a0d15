/* Rows and words of the command closures. */
#ifndef SW_COMMAND_CLOSURES_ROWS_H
#define SW_COMMAND_CLOSURES_ROWS_H

#include "command/naming.h"
#include "owner/closure.h"

/* "main.go:42"; "?" when unknown. */
void sw_closure_place(const struct sw_closure_site *site, char *out, size_t size);

/* "keep 1,000 *http.Request (12.0 MiB) through the captured r": what they retain, and by what of
 * what they have captured; "keeps" for one. */
void sw_closure_keeps(const struct sw_live *live, const struct sw_closure_site *site, char *out,
		      size_t size);

/* Is the name one that the compiler made up, which says nothing? */
bool sw_capture_is_nameless(const struct sw_capture *capture);

/* A row of the table, and its lines in place of columns. */
json_t *sw_closure_row(const struct sw_live *live, const struct sw_closure_site *site);
struct sw_error *sw_closure_lines(const struct sw_live *live, const struct sw_closure_site *site,
				  FILE *out);

#endif
