/* Where the pointers of heap objects stand, as the heap recorded it until Go 1.21: in bits of
 * the arena that an object lies in, struct heapArena of runtime/mheap.go and mbitmap.go; 1.22
 * built with GOEXPERIMENT=noallocheaders as 1.21. An object may cross into another arena.
 *
 * Until 1.19 `bitmap` has a byte for four words: the low half says which are pointers, the high
 * half which are to be scanned. An object is scanned up to its first word that is not.
 * From 1.20 it has one bit for each word, and `noMorePtrs` one for 64 of them: the object that
 * goes on behind these has no pointers from there on, whatever its bits say.
 * Objects of more than 128 KiB are scanned in pieces of that size, each by itself.
 */
#ifndef SW_GO_ARENA_BITMAP_H
#define SW_GO_ARENA_BITMAP_H

#include "go/runtime.h"

/* The heapArena of an address; 0 when there is none. Any release. */
sw_addr sw_go_find_arena(const struct sw_go *go, sw_addr addr);
/* The mspan that heapArena.spans has for the page of an address; 0 when there is none. */
sw_addr sw_go_find_mspan(const struct sw_go *go, sw_addr addr);

/* Does this heap keep its pointer bits in arenas? */
static inline bool sw_go_has_arena_bitmap(const struct sw_go *go)
{
	return go->layout.heapArena.bitmap != SW_ABSENT;
}

/* Gives each span that is SW_SCAN_BITMAP a bitmap of heap's form, made from the arenas' with
 * what the collector would not look at left out; on all workers. The bitmaps live as long as go.
 * Bits that cannot be read are 0 and a warning. */
struct sw_error *sw_go_unfold_bitmaps(struct sw_go *go, struct sw_span *spans, size_t count);

#endif
