/* The version of program and module, as `spanwalk --version` prints it. */
#ifndef SW_COMMAND_VERSION_H
#define SW_COMMAND_VERSION_H

#define SW_VERSION "0.1.0"

#endif
