/* What the three ways to open a target share. Private to target/. */
#ifndef SW_TARGET_PARTS_H
#define SW_TARGET_PARTS_H

#include "target/target.h"

/* Words of general registers that NT_PRSTATUS and PTRACE_GETREGSET carry. */
enum { SW_AMD64_REGISTERS = 27, SW_ARM64_REGISTERS = 34 };

/* The architecture of an ELF e_machine, 0 when it is none of ours. */
enum sw_arch sw_arch_of_machine(unsigned machine);

/* An empty target; close it with sw_target_close(). */
struct sw_error *sw_target_create(enum sw_target_kind kind, struct sw_target **out);

/* The path (length bytes, not terminated) is copied, " (deleted)" cut off. */
struct sw_error *sw_target_add_mapping(struct sw_target *target, sw_addr start, sw_addr end,
				       uint64_t file_offset, const char *path, size_t length);
void sw_target_sort_mappings(struct sw_target *target);

/* The mapping that holds the address, or NULL; mappings are sorted. */
const struct sw_mapping *sw_target_mapping(const struct sw_target *target, sw_addr addr);

/* AT_ENTRY, AT_PHDR and AT_EXECFN from the auxiliary vector, as the kernel wrote it (64-bit
 * pairs). */
void sw_target_take_auxv(struct sw_target *target, const uint8_t *bytes, size_t size);

/* Sets exe and exe_name from the mapping that holds the program headers or the entry point, else
 * from the first mapping, else from the path that was executed (it may be relative); leaves them
 * NULL when there is none. */
struct sw_error *sw_target_name_exe(struct sw_target *target);

/* General registers in the kernel's order; false when there are too few bytes (the thread is
 * stale then). */
bool sw_thread_set_registers(struct sw_thread *thread, enum sw_arch arch, const uint8_t *bytes,
			     size_t size);

/* Copies the bytes; an earlier vector is freed. */
struct sw_error *sw_thread_set_vector(struct sw_thread *thread, const uint8_t *bytes, size_t size);

/* Frees the array and what its threads own. */
void sw_threads_clear(struct sw_threads *threads);

#endif
