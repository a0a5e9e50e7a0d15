#include "views.h"

#include "base/vector.h"
#include "target/memory.h"

#include <pthread.h>
#include <stdbool.h>

enum { LARGEST = 4 << 20 }; /* bytes; what is larger is left in place */

SW_VECTOR(uint8_t *, copies);

/* The linker puts these two between (--wrap=sw_memory_view); the first is the one of native/. */
const uint8_t *__real_sw_memory_view(const struct sw_memory *memory, sw_addr addr, uint64_t size);
const uint8_t *__wrap_sw_memory_view(const struct sw_memory *memory, sw_addr addr, uint64_t size);

static struct copies copies;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool is_on;

const uint8_t *__wrap_sw_memory_view(const struct sw_memory *memory, sw_addr addr, uint64_t size)
{
	const uint8_t *bytes = __real_sw_memory_view(memory, addr, size);

	if (!bytes || !is_on || size > LARGEST)
		return bytes;
	uint8_t *copy = malloc(size);
	if (!copy)
		return bytes;
	memcpy(copy, bytes, size);
	pthread_mutex_lock(&lock);
	struct sw_error *error = copies_add(&copies, copy);
	pthread_mutex_unlock(&lock);
	if (!error)
		return copy;
	sw_error_free(error);
	free(copy);
	return bytes;
}

void views_begin(void)
{
	is_on = true;
}

void views_end(void)
{
	is_on = false;
	for (size_t i = 0; i < copies.count; i++)
		free(copies.items[i]);
	copies_free(&copies);
}

/* ---- short memory ---- */

static uint64_t left; /* allocations to the first that fails, 0: none does */
static uint64_t since;

uint64_t allocations_fail(uint64_t number)
{
	uint64_t before = __atomic_exchange_n(&since, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&left, number, __ATOMIC_RELAXED);
	return before;
}

static bool fails(void)
{
	if (!__atomic_load_n(&left, __ATOMIC_RELAXED))
		return false;
	uint64_t number = __atomic_add_fetch(&since, 1, __ATOMIC_RELAXED);
	return number == left || (number > left && number * 0x9e3779b97f4a7c15 >> 58 == 0);
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__real_reallocarray(void *memory, size_t count, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_reallocarray(void *memory, size_t count, size_t size);
char *__wrap_strdup(const char *text);

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
	return fails() ? NULL : __real_realloc(memory, size);
}

void *__wrap_reallocarray(void *memory, size_t count, size_t size)
{
	return fails() ? NULL : __real_reallocarray(memory, count, size);
}

char *__wrap_strdup(const char *text)
{
	return fails() ? NULL : __real_strdup(text);
}
