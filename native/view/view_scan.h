/* All pointers of a heap as views, one after the other. */
#ifndef SW_VIEW_VIEW_SCAN_H
#define SW_VIEW_VIEW_SCAN_H

#include "view/view.h"
#include "view/view_plan.h"

struct sw_view_scan {
	const struct sw_live *live;
	struct sw_view_plans plans;
};

/* On a worker, or on the calling thread (worker 0). The view's pointer in an interface is
 * SW_VIEW_UNKNOWN until sw_view_resolve(). `room`: sw_view_room() of the object. */
typedef struct sw_error *sw_visit_view(void *context, unsigned worker, const struct sw_view *view,
				       uint64_t room);

/* Plans for the types of all objects. */
struct sw_error *sw_view_scan_init(struct sw_view_scan *scan, const struct sw_live *live);
void sw_view_scan_deinit(struct sw_view_scan *scan);

/* Visits every pointer into an object whose slot has min_bytes or more, on all workers and in no
 * order; those of roots last, on the calling thread. */
struct sw_error *sw_view_scan_all(struct sw_view_scan *scan, uint64_t min_bytes,
				  sw_visit_view *visit, void *context);
/* ... only those of objects. What visit will look at of each object can be asked for in advance;
 * NULL: nothing. */
typedef void sw_prefetch_object(void *context, sw_object object);
struct sw_error *sw_view_scan_objects(struct sw_view_scan *scan, uint64_t min_bytes,
				      sw_visit_view *visit, sw_prefetch_object *prefetch,
				      void *context);
/* Those from one object, or from all roots, into one other; plans are made when they are needed:
 * sw_view_scan_init() need not have been called. */
struct sw_error *sw_view_scan_holder(struct sw_view_scan *scan, sw_object holder, sw_object target,
				     sw_visit_view *visit, void *context);
struct sw_error *sw_view_scan_roots(struct sw_view_scan *scan, uint64_t min_bytes, sw_object target,
				    sw_visit_view *visit, void *context);

/* The view of the pointer at an address in an object; false when there is none. For several
 * threads, after sw_view_scan_init(). */
bool sw_view_read(const struct sw_view_scan *scan, sw_addr at, struct sw_view *out);
/* ... of one of the heap's root words; not for several threads. */
struct sw_error *sw_view_read_root(struct sw_view_scan *scan, size_t word, struct sw_view *out);

/* Bytes of an object's value, from sw_live_start(). */
uint64_t sw_view_room(const struct sw_live *live, sw_object object);

/* Says what an interface's pointer looks at. May add types: not for several threads. */
struct sw_error *sw_view_resolve(struct sw_view_scan *scan, struct sw_view *view);

#endif
