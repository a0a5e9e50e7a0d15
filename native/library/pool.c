#include "library/pool_private.h"

#include <inttypes.h>

enum {
	MAX_POOL_SLOTS = 1 << 16, /* Ps */
	MAX_RING = 1 << 30,	  /* poolqueue.go dequeueLimit */
	MAX_RINGS = 64,		  /* of a queue: each is twice as long as the one before */
	FACE_SIZE = 16,		  /* poolqueue.go eface */
};

/* ---- reading one pool ---- */

struct reading {
	struct sw_pools *pools;
	const struct sw_live *live;
	struct sw_pool *pool; /* in the list, which does not move meanwhile */
	uint32_t number;      /* of it */
	bool is_victim;
	sw_type any;	  /* of the interfaces in it */
	const char *lost; /* what could not be read, NULL: nothing */
	struct sw_error *error;
};

static sw_object note_own(struct reading *reading, sw_addr addr)
{
	const struct sw_heap *heap = reading->live->heap;
	sw_object object = sw_heap_object(heap, addr);
	struct sw_pool_numbers *own = &reading->pools->own;
	if (object == SW_NO_OBJECT || reading->error ||
	    sw_pool_numbers_find(own, (uint64_t)object + 1))
		return object;
	reading->pool->overhead_bytes += sw_heap_size(heap, object);
	reading->error = sw_pool_numbers_set(own, (uint64_t)object + 1, reading->number + 1);
	return object;
}

/* Does the object at an address go on for so many bytes? */
static bool is_inside(const struct sw_live *live, sw_addr addr, uint64_t size)
{
	sw_slot slot = sw_heap_slot(live->heap, addr);
	if (slot == SW_NO_SLOT || !sw_heap_is_marked(live->heap, slot))
		return false;
	uint64_t offset = addr - sw_heap_slot_address(live->heap, slot);
	uint64_t room = sw_heap_slot_span(live->heap, slot)->elemsize;
	return offset <= room && size <= room - offset;
}

static void find_body(const struct sw_live *live, struct sw_pool_element *element)
{
	const struct sw_value_reader *reader = &live->reader;
	bool is_pointer = sw_type_info(live->types, element->value.type)->kind == SW_KIND_POINTER;
	if (!is_pointer)
		element->body = element->value;
	else if (!sw_value_pointee(reader, element->value, NULL, &element->body) &&
		 !sw_memory_u64(live->go->memory, element->value.addr, &element->body.addr))
		return;
	element->object = sw_heap_object(live->heap, element->body.addr);
	if (element->object == SW_NO_OBJECT)
		return;
	uint64_t size = sw_type_info(live->types, element->body.type)->size;
	sw_addr start = sw_live_start(live, element->object);
	uint64_t room = sw_heap_address(live->heap, element->object) +
			sw_heap_size(live->heap, element->object) - start;
	/* Of two that fit, the slot may hold a second one. */
	element->is_whole = element->body.addr == start && (!size || size > room / 2);
}

/* An interface that is not empty. */
static void add_element(struct reading *reading, sw_addr place, bool is_private)
{
	struct sw_value face = {reading->any, place};
	struct sw_pool_element element = {.place = place,
					  .pool = reading->number,
					  .object = SW_NO_OBJECT,
					  .is_private = is_private,
					  .is_victim = reading->is_victim};
	sw_addr type;

	if (!sw_memory_u64(reading->live->go->memory, place, &type)) {
		reading->lost = "an element";
		return;
	}
	if (!type || reading->error)
		return;
	if (!sw_value_held(&reading->live->reader, face, NULL, &element.value)) {
		reading->lost = "an element's type";
		return;
	}
	find_body(reading->live, &element);
	reading->error = sw_pool_elements_add(&reading->pools->elements, element);
}

/* A ring: what stands from tail to head is in the pool; slots beyond are being filled or cleared by
 * somebody who has taken the element already. */
static void read_ring(struct reading *reading, struct sw_value ring)
{
	const struct sw_value_reader *reader = &reading->live->reader;
	struct sw_value_array slots;
	uint64_t ends;

	if (!sw_value_word(reader, ring, "poolDequeue.headTail", &ends) ||
	    !sw_value_array(reader, ring, "poolDequeue.vals", &slots) || !slots.len ||
	    slots.len > MAX_RING || (slots.len & (slots.len - 1)) || slots.elem_size != FACE_SIZE ||
	    !is_inside(reading->live, slots.data, slots.len * FACE_SIZE)) {
		reading->lost = "a queue";
		return;
	}
	uint32_t head = (uint32_t)(ends >> 32), tail = (uint32_t)ends;
	note_own(reading, slots.data);
	if (head - tail > slots.len) {
		reading->lost = "a queue";
		return;
	}
	for (; tail != head && !reading->error; tail++)
		add_element(reading, slots.data + (uint64_t)(tail & (slots.len - 1)) * FACE_SIZE,
			    false);
}

/* From the newest ring, which is filled, to the oldest. */
static void read_queue(struct reading *reading, struct sw_value queue)
{
	const struct sw_value_reader *reader = &reading->live->reader;
	struct sw_value ring;
	uint64_t head;

	if (!sw_value_word(reader, queue, "head", &head)) {
		reading->lost = "a queue";
		return;
	}
	bool is_there = sw_value_pointee(reader, queue, "head", &ring);
	for (unsigned count = 0; is_there && !reading->error; count++) {
		if (count == MAX_RINGS || note_own(reading, ring.addr) == SW_NO_OBJECT) {
			reading->lost = "a queue";
			return;
		}
		read_ring(reading, ring);
		is_there = sw_value_pointee(reader, ring, "prev", &ring);
	}
}

/* What one P has. */
static void read_slot(struct reading *reading, struct sw_value slot)
{
	const struct sw_value_reader *reader = &reading->live->reader;
	struct sw_value face, queue;

	if (!sw_value_field(reader, slot, "poolLocalInternal.private", &face) ||
	    !sw_value_field(reader, slot, "poolLocalInternal.shared", &queue)) {
		reading->lost = "the type of its slots";
		return;
	}
	reading->any = face.type;
	add_element(reading, face.addr, true);
	read_queue(reading, queue);
}

/* []poolLocal behind an unsafe.Pointer: what was allocated there says so, else the name. */
static sw_type slot_type(const struct sw_live *live, sw_addr slots)
{
	sw_object object = sw_heap_object(live->heap, slots);
	sw_type type = object == SW_NO_OBJECT ? 0 : sw_live_type(live, object);
	const struct sw_type_info *info = sw_type_info(live->types, type);
	if (info->role == SW_TYPE_BACKING) {
		type = info->elem;
		info = sw_type_info(live->types, type);
	}
	if (info->name && !strcmp(info->name, "sync.poolLocal"))
		return type;
	return sw_type_of_name(live->types, "sync.poolLocal");
}

/* Elements of `local` or of `victim`. */
static void read_cache(struct reading *reading, struct sw_value pool, const char *slots_name,
		       const char *count_name)
{
	const struct sw_live *live = reading->live;
	uint64_t slots, count;

	if (!sw_value_word(&live->reader, pool, slots_name, &slots) ||
	    !sw_value_word(&live->reader, pool, count_name, &count)) {
		reading->lost = slots_name;
		return;
	}
	if (!slots || !count)
		return;
	sw_type type = slot_type(live, slots);
	uint64_t size = sw_type_info(live->types, type)->size;
	sw_object object = note_own(reading, slots);
	if (!size || count > MAX_POOL_SLOTS || !is_inside(live, slots, count * size)) {
		reading->lost = slots_name;
		return;
	}
	if (count > reading->pool->slots)
		reading->pool->slots = count;
	reading->pool->retained_bytes += live->dominators->retained_bytes[object];
	for (uint64_t i = 0; i < count && !reading->error; i++)
		read_slot(reading, (struct sw_value){type, slots + i * size});
}

static struct sw_error *read_pool(struct sw_pools *pools, uint32_t number)
{
	const struct sw_live *live = pools->live;
	struct sw_pool *pool = &pools->list.items[number];
	struct sw_value value = {pool->type, pool->address};
	struct reading reading = {.pools = pools, .live = live, .pool = pool, .number = number};
	sw_addr constructor;

	if (sw_value_function(&live->reader, value, "New", &constructor, NULL))
		pool->constructor = constructor;
	pool->first = (uint32_t)pools->elements.count;
	read_cache(&reading, value, "local", "localSize");
	reading.is_victim = true;
	read_cache(&reading, value, "victim", "victimSize");
	pool->count = (uint32_t)(pools->elements.count - pool->first);
	if (reading.lost) {
		pools->damaged++;
		sw_warn(live->warnings, true, "damaged_pool", NULL,
			"%s of the sync.Pool at 0x%" PRIx64
			" cannot be read; what is in there is missing",
			reading.lost, pool->address);
	}
	return reading.error;
}

/* ---- all pools ---- */

/* The variable that an address is in: of those that hold a pointer into the heap. */
static uint32_t find_root(const struct sw_live *live, sw_addr addr, uint64_t size)
{
	uint32_t found = SW_NO_ROOT;
	for (size_t i = 0; i < live->go->roots.count; i++) {
		const struct sw_go_root *root = &live->go->roots.items[i];
		if (root->kind != SW_GO_ROOT_GLOBAL || root->address >= addr + size ||
		    root->address + root->size <= addr)
			continue;
		if (found == SW_NO_ROOT || root->address < live->go->roots.items[found].address)
			found = (uint32_t)i;
	}
	return found;
}

static struct sw_error *visit_pool(void *context, const struct sw_instance *instance)
{
	struct sw_pools *pools = context;
	struct sw_pool pool = {.address = instance->value.addr,
			       .type = instance->value.type,
			       .holder = instance->object,
			       .root = instance->root};
	return sw_pool_list_add(&pools->list, pool);
}

static int by_address(const void *a, const void *b)
{
	const struct sw_pool *x = a, *y = b;
	return (x->address > y->address) - (x->address < y->address);
}

static struct sw_error *read_all(struct sw_pools *pools)
{
	const struct sw_live *live = pools->live;
	struct sw_error *error = NULL;

	if (pools->list.count)
		qsort(pools->list.items, pools->list.count, sizeof(*pools->list.items), by_address);
	for (uint32_t i = 0; !error && i < pools->list.count; i++) {
		struct sw_pool *pool = &pools->list.items[i];
		if (pool->holder == SW_NO_OBJECT && pool->root == SW_NO_ROOT)
			pool->root = find_root(live, pool->address,
					       sw_type_info(live->types, pool->type)->size);
		error = read_pool(pools, i);
	}
	return error ? error : sw_pools_measure(pools);
}

struct sw_error *sw_pools_find(const struct sw_live *live, struct sw_pools *out)
{
	static const char *const names[] = {"sync.Pool", NULL};

	*out = (struct sw_pools){.live = live};
	struct sw_error *error = sw_live_instances(live, names, NULL, visit_pool, out);
	if (!error)
		error = read_all(out);
	if (error)
		sw_pools_free(out);
	return error;
}

void sw_pools_free(struct sw_pools *pools)
{
	if (pools->owners)
		sw_work_free(pools->live->work, pools->owners,
			     (size_t)pools->live->heap->object_count * sizeof(*pools->owners));
	pools->owners = NULL;
	sw_pool_list_free(&pools->list);
	sw_pool_elements_free(&pools->elements);
	sw_pool_numbers_free(&pools->by_object);
	sw_pool_numbers_free(&pools->own);
}
