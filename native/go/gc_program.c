#include "go/gc_program.h"

struct program {
	const struct sw_memory *memory;
	sw_addr at;
	uint8_t *out;
	uint64_t bits, done;
};

static bool next_byte(struct program *program, uint8_t *out)
{
	return sw_memory_u8(program->memory, program->at++, out);
}

static bool next_number(struct program *program, uint64_t *out)
{
	uint8_t byte = 0x80;
	*out = 0;
	for (unsigned shift = 0; byte & 0x80; shift += 7) {
		if (shift > 56 || !next_byte(program, &byte))
			return false;
		*out |= (uint64_t)(byte & 0x7f) << shift;
	}
	return true;
}

/* A bit beyond those that are wanted is dropped. */
static void put(struct program *program, unsigned bit)
{
	if (program->done < program->bits && bit)
		program->out[program->done / 8] |= (uint8_t)(1u << (program->done % 8));
	program->done++;
}

static bool literal(struct program *program, unsigned count)
{
	uint8_t byte = 0;
	for (unsigned i = 0; i < count; i++) {
		if (i % 8 == 0 && !next_byte(program, &byte))
			return false;
		put(program, byte >> (i % 8) & 1);
	}
	return true;
}

/* The last `length` bits, `times` times more. */
static bool repeat(struct program *program, uint64_t length, uint64_t times)
{
	if (!length || length > program->done)
		return false;
	for (uint64_t i = 0; i < times; i++)
		for (uint64_t j = 0; j < length; j++) {
			if (program->done >= program->bits)
				return true;
			uint64_t from = program->done - length;
			put(program, program->out[from / 8] >> (from % 8) & 1);
		}
	return true;
}

bool sw_go_run_gc_program(const struct sw_memory *memory, sw_addr address, uint8_t *out,
			  uint64_t bits)
{
	struct program program = {memory, address, out, bits, 0};
	uint64_t length, times;
	uint8_t op;

	while (program.done < bits) {
		if (!next_byte(&program, &op) || !op)
			return false;
		if (!(op & 0x80)) {
			if (!literal(&program, op))
				return false;
			continue;
		}
		length = op & 0x7f;
		if (!length && !next_number(&program, &length))
			return false;
		if (!next_number(&program, &times) || !repeat(&program, length, times))
			return false;
	}
	return true;
}
