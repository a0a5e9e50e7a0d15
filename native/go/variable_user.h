/* Who uses the variables of data and bss: for programs whose variables have no names. */
#ifndef SW_GO_VARIABLE_USER_H
#define SW_GO_VARIABLE_USER_H

#include "go/runtime.h"

struct sw_variable_user {
	const char *function; /* that refers to the variable; belongs to the module's tables */
	/* Bytes of its name that are the package, when all functions that refer to it are of
	 * that one package; 0 otherwise. The runtime's count only where there are no others. */
	size_t package;
};

/* By word of a module's data and bss. */
struct sw_variable_users;

/* Reads all code of the module once. Code that cannot be read uses nothing. */
struct sw_error *sw_variable_users_find(const struct sw_go *go, const struct sw_go_module *module,
					struct sw_variable_users **out);
void sw_variable_users_free(struct sw_variable_users *users);

/* Of the word at an address; false when no function refers to it by its address. */
bool sw_variable_user(const struct sw_variable_users *users, sw_addr at,
		      struct sw_variable_user *out);

#endif
