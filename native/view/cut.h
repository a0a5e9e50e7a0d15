/* What would be free if some pointers of some objects were nil, for many such questions at once.
 * Other than what dominators retain, this counts what several objects keep alive only together. */
#ifndef SW_VIEW_CUT_H
#define SW_VIEW_CUT_H

#include "view/objects.h"

enum { SW_CUT_QUESTIONS = 64 };

/* Bits of the questions in which a pointer of objects[index] is nil, that which stands `offset`
 * bytes into the slot. */
typedef uint64_t sw_cut_gone(void *context, size_t index, uint64_t offset);
/* An object that is free in some questions, `bytes` of its slot. In rising order. */
typedef void sw_cut_visit(void *context, sw_object object, uint64_t bytes, uint64_t questions);

struct sw_cut {
	const struct sw_live *live;
	const sw_object *objects; /* rising; borrowed: all whose pointers may be nil */
	size_t count;
	struct sw_heap view; /* private: what lives without any pointer of `objects` */
	uint64_t *opaque;    /* private: slots that the view does not look into */
	uint64_t left;	     /* private: objects that are not in it */
};

/* Marks the heap once. live and objects must outlive the cut. */
struct sw_error *sw_cut_init(struct sw_cut *cut, const struct sw_live *live,
			     const sw_object *objects, size_t count);
/* Asks all questions whose bits are set. */
struct sw_error *sw_cut_ask(const struct sw_cut *cut, uint64_t questions, sw_cut_gone *gone,
			    sw_cut_visit *visit, void *context);
void sw_cut_deinit(struct sw_cut *cut);

#endif
