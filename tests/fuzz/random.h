/* Numbers that a seed decides. */
#ifndef FUZZ_RANDOM_H
#define FUZZ_RANDOM_H

#include <stdint.h>

struct random {
	uint64_t state;
};

/* splitmix64 */
static inline uint64_t random_next(struct random *random)
{
	uint64_t z = random->state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* 0…count - 1; 0 when count is 0. */
static inline uint64_t random_below(struct random *random, uint64_t count)
{
	uint64_t number = random_next(random);

	return count ? number % count : 0;
}

#endif
