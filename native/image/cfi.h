/* Frames of foreign code, C for one: call frame information (.eh_frame, .debug_frame) of the
 * executable and of the libraries that the target has mapped, by libdw; names from symbol tables,
 * lines from debug information. */
#ifndef SW_IMAGE_CFI_H
#define SW_IMAGE_CFI_H

#include "image/image.h"
#include "image/registers.h"

struct sw_cfi;

/* Both must outlive it. Libraries are opened as frames in them are met, and are the image's
 * (sw_image_place_library()). Not for several threads at once. */
struct sw_error *sw_cfi_create(struct sw_image *image, struct sw_target *target,
			       struct sw_cfi **out);
void sw_cfi_free(struct sw_cfi *cfi);

enum sw_cfi_step {
	SW_CFI_STEPPED,
	SW_CFI_OUTERMOST, /* the thread began here */
	SW_CFI_LOST,	  /* *wrong says why */
};

/* From the registers of a frame to those of its caller. *is_call says whether pc is a return
 * address, before and after. On SW_CFI_LOST the registers are as they were. *wrong is constant. The
 * caller bounds the number of steps: frames that a signal interrupted may lie anywhere. */
enum sw_cfi_step sw_cfi_step(struct sw_cfi *cfi, struct sw_registers *registers, bool *is_call,
			     const char **wrong);

/* What is known of a place in foreign code. Strings belong to the images. */
struct sw_cfi_place {
	const char *function; /* "" when unknown */
	uint64_t offset;      /* into the function, bytes */
	const char *file;     /* source; "" when unknown */
	int32_t line;	      /* 0 when unknown */
	const char *library;  /* the mapped file, "" when unknown */
};
void sw_cfi_place(struct sw_cfi *cfi, sw_addr pc, bool is_call, struct sw_cfi_place *out);

#endif
