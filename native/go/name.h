/* Names of Go's functions and variables: "net/http.(*Server).Serve". */
#ifndef SW_GO_NAME_H
#define SW_GO_NAME_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the name that are the package's path; 0 when it has none. */
size_t sw_go_package_length(const char *name);

/* Is it a name of the runtime itself? */
bool sw_go_is_runtime_name(const char *name);

/* Is it a name that the compiler gives to a function that closures run: "f.func1", "f.1" (from 1.21
 * on, where f was inlined), "f.gowrap1", "f.deferwrap1", "T.m-fm" (cmd/compile/internal/ir
 * closureName, MethodSymSuffix)? */
bool sw_go_is_closure_name(const char *name);

#endif
