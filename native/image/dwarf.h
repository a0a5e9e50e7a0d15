/* Debug information of one image by libdw: struct layouts, types, globals, locals at a pc.
 * DWARF 4 and 5, compressed sections too; Go's and C's. Knows nothing of the Go runtime but
 * the attributes that Go's linker writes (DW_AT_go_kind 0x2900, DW_AT_go_key 0x2901,
 * DW_AT_go_elem 0x2902, DW_AT_go_runtime_type 0x2904, DW_AT_go_package_name 0x2905;
 * cmd/internal/dwarf of Go 1.22–1.27). */
#ifndef SW_IMAGE_DWARF_H
#define SW_IMAGE_DWARF_H

#include "image/image.h"
#include "image/registers.h"

struct sw_dwarf;

/* A type: the offset of its DIE in .debug_info; 0 is "no type". */
typedef uint64_t sw_dwarf_type;

/* SW_ERR_NOT_FOUND with a hint when the image carries no debug information. The image must
 * outlive it, and be placed (its bias known) before anything with an address is asked for.
 * Opening unpacks .debug_info; indexes are built when first needed, the location lists are
 * unpacked for the first sw_dwarf_locals(). Not for several threads at once: libdw is not. */
struct sw_error *sw_dwarf_open(struct sw_image *image, struct sw_dwarf **out);
void sw_dwarf_close(struct sw_dwarf *dwarf);

/* A named type ("runtime.mspan", "main.session"); 0 when there is none. */
sw_dwarf_type sw_dwarf_find_type(struct sw_dwarf *dwarf, const char *name);

enum sw_dwarf_kind {
	SW_DWARF_OTHER,
	SW_DWARF_BASE,	  /* bool, integers, floats, complex */
	SW_DWARF_POINTER, /* elem: pointed-to, 0 for unsafe.Pointer or void */
	SW_DWARF_STRUCT,  /* members; also C unions and C++ classes */
	SW_DWARF_ARRAY,	  /* elem, length */
	SW_DWARF_FUNC,	  /* a Go func value (a pointer to a closure), a C function */
};

struct sw_dwarf_member {
	const char *name; /* belongs to the dwarf */
	uint64_t offset;  /* bytes */
	sw_dwarf_type type;
	bool is_embedded; /* DW_AT_go_embedded_field */
};

struct sw_dwarf_type_info {
	const char *name; /* as DWARF has it, "" when it has none */
	enum sw_dwarf_kind kind;
	unsigned go_kind;      /* reflect.Kind (abi.Kind of Go), 0 when it is no Go type */
	uint64_t size;	       /* bytes */
	uint64_t length;       /* SW_DWARF_ARRAY: elements */
	sw_dwarf_type elem;    /* pointer, array; of Go's slice, map, chan the DW_AT_go_elem */
	sw_dwarf_type key;     /* Go's map */
	sw_dwarf_type target;  /* what a Go map or chan value points to (the runtime's struct as Go
				* describes it for this very type: hchan<T>, map<K,V>, hash<K,V>) */
	uint64_t runtime_type; /* run-time address of Go's type descriptor, 0 when there is none */
	struct sw_dwarf_member *members; /* SW_DWARF_STRUCT, also Go's string, slice, interface */
	size_t member_count;
};

/* Typedefs and qualifiers are looked through (the outermost name stays). Free with
 * sw_dwarf_type_info_free(). SW_ERR_DAMAGED when the DIE cannot be read. */
struct sw_error *sw_dwarf_type_info(struct sw_dwarf *dwarf, sw_dwarf_type type,
				    struct sw_dwarf_type_info *out);
void sw_dwarf_type_info_free(struct sw_dwarf_type_info *info);

/* Offset and size (bytes) of a member of a named struct; nested members as "sched.sp". False
 * when the struct or the member does not exist. */
bool sw_dwarf_member(struct sw_dwarf *dwarf, const char *type, const char *member, uint64_t *offset,
		     uint64_t *size);
bool sw_dwarf_sizeof(struct sw_dwarf *dwarf, const char *type, uint64_t *size);

/* A package-level variable with a fixed address. */
struct sw_dwarf_global {
	const char *name; /* "main.sessions"; belongs to the dwarf */
	sw_addr addr;	  /* at run time */
	sw_dwarf_type type;
};

/* All of them in rising order of address (of one address, the one with a name that has no
 * "..stmp_" or "..dict" in it first); the array belongs to the dwarf. */
struct sw_error *sw_dwarf_globals(struct sw_dwarf *dwarf, const struct sw_dwarf_global **out,
				  size_t *count);

/* How many units could not be read whole: their other types and globals are there. For a
 * warning. */
size_t sw_dwarf_damaged_units(struct sw_dwarf *dwarf);

/* A local or parameter that lies in memory at a pc, or a piece of one (Go splits strings,
 * slices and structs into their words). */
struct sw_dwarf_local {
	const char *name; /* belongs to the dwarf */
	sw_dwarf_type type;
	int64_t cfa_offset; /* address = CFA + cfa_offset */
	uint64_t offset;    /* bytes into the variable where this piece starts */
	uint64_t size;	    /* bytes of the piece; of the whole variable when it is in one */
	bool is_parameter;
	const char *function; /* the function it belongs to: inlined ones have their own name */
};
SW_VECTOR(struct sw_dwarf_local, sw_dwarf_locals);

/* Those of the function at the run-time pc, inlined ones included, whose location at this pc is
 * in memory relative to the CFA (DW_OP_call_frame_cfa, DW_OP_fbreg; with pieces). Variables in
 * registers, optimized away, or at addresses that are computed otherwise are left out. Appends
 * to *out; finding none is no error. For a return address give the address - 1: what is in the
 * frame when the call returns is there already and counts. Optimized Go code up to 1.26 tells
 * no place of locals whose address is taken, up to 1.27 none of such parameters. */
struct sw_error *sw_dwarf_locals(struct sw_dwarf *dwarf, sw_addr pc, struct sw_dwarf_locals *out);

/* ---- what closures capture: dwarf_closure.c ---- */

/* A variable of a closure's function. */
struct sw_dwarf_capture {
	const char *name;   /* belongs to the dwarf; "&x": the address of a captured x, or a copy of
			     * x that is not kept in registers */
	sw_dwarf_type type; /* of the variable of that name */
	uint64_t offset;    /* bytes into the closure; 0: not known to be captured */
};
SW_VECTOR(struct sw_dwarf_capture, sw_dwarf_captures);

/* All variables of the function that begins at a run-time pc, parameters and those of inlined calls
 * aside, in the order of DWARF. Go 1.23–1.27 tell offsets (DW_AT_go_closure_offset); before that
 * captured variables stand among the others. Appends to *out. */
struct sw_error *sw_dwarf_captures(struct sw_dwarf *dwarf, sw_addr entry,
				   struct sw_dwarf_captures *out);

/* ---- the variables of one frame ---- */

/* Where a frame stands, as far as it is known. */
struct sw_dwarf_frame {
	sw_addr pc; /* run-time */
	sw_addr cfa;
	bool is_call; /* pc is a return address: registers are not the frame's any more */
	const struct sw_memory *memory;
	const struct sw_registers *registers; /* at pc; NULL: unknown */
};

/* A variable in scope, and what of it there is: it lies in memory as a whole, or its bytes were
 * gathered from pieces, in memory and registers, of which some may lack. */
struct sw_dwarf_variable {
	const char *name; /* belongs to the dwarf */
	sw_dwarf_type type;
	uint64_t size; /* bytes */
	bool is_parameter, is_result;
	const char *function; /* that it belongs to, as DWARF names it */
	unsigned depth;	      /* of inlining: 0 is the function of the frame itself */
	uint32_t line;	      /* where it is declared, 0 when unknown */
	sw_addr address;      /* of the whole; 0: look at bytes */
	uint8_t *bytes;	      /* size bytes, owned; NULL when nothing is known */
	uint8_t *known;	      /* which of them are: 1 or 0 each, owned */
};
SW_VECTOR(struct sw_dwarf_variable, sw_dwarf_variables);

enum { SW_DWARF_MAX_PIECED = 4096 }; /* bytes of a variable that is gathered from pieces */

/* Those of all calls in the frame, also what was optimized away. In the order of DWARF: outer calls
 * first, parameters first. */
struct sw_error *sw_dwarf_frame_variables(struct sw_dwarf *dwarf,
					  const struct sw_dwarf_frame *frame,
					  struct sw_dwarf_variables *out);
/* Frees what the variables own, too. */
void sw_dwarf_variables_clear(struct sw_dwarf_variables *variables);

#endif
