/* GC programs: pointer masks in a compressed form (runtime/mbitmap.go runGCProg). Go 1.18–1.27
 * has them for the data and bss of a module, and until 1.23 for types of large arrays. */
#ifndef SW_GO_GC_PROGRAM_H
#define SW_GO_GC_PROGRAM_H

#include "target/memory.h"

/* Runs the program at an address of the target and stores its first `bits` bits, bit i in byte
 * i / 8 of out, which holds (bits + 7) / 8 zeroed bytes. False when the program is damaged or
 * ends early; out then holds what it gave. */
bool sw_go_run_gc_program(const struct sw_memory *memory, sw_addr program, uint8_t *out,
			  uint64_t bits);

#endif
