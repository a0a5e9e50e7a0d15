/* Functions by pc, their names, lines and pc-value streams (runtime/symtab.go, 1.18–1.27). */
#include "go/pclntab.h"

enum {
	FTAB_ENTRY = 8,	   /* entryoff u32, funcoff u32 */
	FUNC_NAME_OFF = 4, /* the field is there in every release since 1.18 */
};

static const struct sw_go_module *module_of_pc(const struct sw_go *go, sw_addr pc)
{
	for (size_t i = 0; i < go->modules.count; i++)
		if (pc >= go->modules.items[i].text && pc < go->modules.items[i].etext)
			return &go->modules.items[i];
	return NULL;
}

/* A field of the _func; 0 when it does not lie within the table. */
static uint32_t field32(const struct sw_go_func *func, uint64_t offset)
{
	if (offset > func->available || func->available - offset < 4)
		return 0;
	return sw_load32(func->bytes + offset);
}

static uint8_t field8(const struct sw_go_func *func, uint64_t offset)
{
	return offset < func->available ? func->bytes[offset] : 0;
}

struct section {
	uint64_t first, end; /* offsets */
	sw_addr address;
};

/* Number `index`; the last one's end is the end of the text, which has an offset too. */
static struct section section_at(const struct sw_go_module *module, uint64_t index)
{
	const uint8_t *bytes = module->textsectmap + index * SW_TEXTSECT_SIZE;
	struct section section = {sw_load64(bytes), sw_load64(bytes + 8), sw_load64(bytes + 16)};
	if (index == module->textsect_count - 1 && section.end < UINT64_MAX)
		section.end++;
	return section;
}

sw_addr sw_go_text_address(const struct sw_go_module *module, uint32_t offset)
{
	for (uint64_t i = 0; module->textsect_count > 1 && i < module->textsect_count; i++) {
		struct section section = section_at(module, i);
		if (offset >= section.first && offset < section.end)
			return section.address + (offset - section.first);
	}
	return module->text + offset;
}

bool sw_go_func_range(const struct sw_go_module *module, uint64_t index, sw_addr *start,
		      sw_addr *end)
{
	const uint8_t *entry = module->ftab + index * FTAB_ENTRY;
	uint32_t from = sw_load32(entry), to = sw_load32(entry + FTAB_ENTRY);
	*start = sw_go_text_address(module, from);
	*end = *start + (to - from);
	return to > from;
}

bool sw_go_text_offset(const struct sw_go_module *module, sw_addr pc, uint32_t *out)
{
	uint64_t offset = pc - module->text;
	for (uint64_t i = 0; module->textsect_count > 1; i++) {
		if (i == module->textsect_count)
			return false;
		struct section section = section_at(module, i);
		if (pc < section.address || section.first > section.end)
			return false;
		offset = section.first + (pc - section.address);
		if (pc - section.address < section.end - section.first)
			break;
	}
	*out = (uint32_t)offset;
	return offset <= UINT32_MAX;
}

/* The entry of ftab that covers the offset into the text: the last one at or below it. False
 * below the first one and from the last one on, which ends the text. */
static bool search(const struct sw_go_module *module, uint32_t text_offset, uint64_t *out)
{
	uint64_t low = 0, high = module->ftab_count - 1;
	if (text_offset < sw_load32(module->ftab) ||
	    text_offset >= sw_load32(module->ftab + high * FTAB_ENTRY))
		return false;
	while (high - low > 1) {
		uint64_t middle = low + (high - low) / 2;
		if (sw_load32(module->ftab + middle * FTAB_ENTRY) <= text_offset)
			low = middle;
		else
			high = middle;
	}
	*out = low;
	return true;
}

bool sw_go_find_func(const struct sw_go *go, sw_addr pc, struct sw_go_func *out)
{
	const struct sw_go_module *module = module_of_pc(go, pc);
	uint32_t text_offset;
	uint64_t index;

	if (!module || !module->ftab || !module->pclntable || module->ftab_count < 2 ||
	    !sw_go_text_offset(module, pc, &text_offset) || !search(module, text_offset, &index))
		return false;
	const uint8_t *entry = module->ftab + index * FTAB_ENTRY;
	uint32_t offset = sw_load32(entry + 4);
	if (offset >= module->pclntable_size ||
	    module->pclntable_size - offset < go->layout.func.size)
		return false;

	*out = (struct sw_go_func){
		.module = module,
		.bytes = module->pclntable + offset,
		.available = module->pclntable_size - offset,
		.entry = sw_go_text_address(module, sw_load32(entry)),
	};
	out->args = (int32_t)field32(out, go->layout.func.args);
	out->deferreturn = field32(out, go->layout.func.deferreturn);
	out->id = field8(out, go->layout.func.funcID);
	out->flag = field8(out, go->layout.func.flag);
	return true;
}

/* The string at an offset of a table of NUL-terminated strings, or NULL. */
static const char *string_at(const uint8_t *table, uint64_t size, uint32_t offset)
{
	if (!table || offset >= size || !memchr(table + offset, 0, size - offset))
		return NULL;
	return (const char *)(table + offset);
}

const char *sw_go_name_at(const struct sw_go_module *module, uint32_t offset)
{
	const char *name = string_at(module->funcnametab, module->funcnametab_size, offset);
	return name && *name ? name : "?";
}

const char *sw_go_func_name(const struct sw_go_func *func)
{
	return sw_go_name_at(func->module, field32(func, FUNC_NAME_OFF));
}

/* ---- pc-value streams ---- */

struct stream {
	const uint8_t *at, *end;
};

/* A LEB128 number of at most 32 bits; false at the end of the table. */
static bool read_varint(struct stream *stream, uint32_t *out)
{
	uint32_t value = 0;
	for (unsigned shift = 0; shift < 35; shift += 7) {
		if (stream->at == stream->end)
			return false;
		uint8_t byte = *stream->at++;
		value |= shift < 32 ? (uint32_t)(byte & 0x7f) << shift : 0;
		if (!(byte & 0x80)) {
			*out = value;
			return true;
		}
	}
	return false;
}

/* Every step but the last moves on by an instruction at least, so the loop ends within the
 * function that holds the pc, whatever the stream says. */
bool sw_go_pc_value(const struct sw_go *go, const struct sw_go_func *func, uint32_t offset,
		    sw_addr pc, int32_t *out)
{
	const struct sw_go_module *module = func->module;
	const uint64_t quantum = go->arch == SW_ARCH_ARM64 ? 4 : 1;
	uint32_t value = UINT32_MAX, delta, length;
	sw_addr at = func->entry;

	*out = -1;
	if (offset == 0)
		return true;
	if (!module->pctab || offset >= module->pctab_size)
		return false;
	struct stream stream = {module->pctab + offset, module->pctab + module->pctab_size};
	for (bool first = true;; first = false) {
		if (!read_varint(&stream, &delta) || (delta == 0 && !first) ||
		    !read_varint(&stream, &length) || length == 0)
			return false;
		value += -(delta & 1) ^ (delta >> 1);
		at += length * quantum;
		if (pc < at) {
			*out = (int32_t)value;
			return true;
		}
	}
}

bool sw_go_func_has_frame(const struct sw_go *go, const struct sw_go_func *func)
{
	return field32(func, go->layout.func.pcsp) != 0;
}

bool sw_go_func_sp_delta(const struct sw_go *go, const struct sw_go_func *func, sw_addr pc,
			 int32_t *out)
{
	return sw_go_func_has_frame(go, func) &&
	       sw_go_pc_value(go, func, field32(func, go->layout.func.pcsp), pc, out);
}

bool sw_go_func_pcdata(const struct sw_go *go, const struct sw_go_func *func, uint32_t table,
		       sw_addr pc, int32_t *out)
{
	*out = -1;
	if (table >= field32(func, go->layout.func.npcdata))
		return true;
	uint64_t place = go->layout.func.size + (uint64_t)table * 4;
	if (place + 4 > func->available)
		return false;
	return sw_go_pc_value(go, func, field32(func, place), pc, out);
}

sw_addr sw_go_func_data(const struct sw_go *go, const struct sw_go_func *func, uint32_t table)
{
	if (table >= field8(func, go->layout.func.nfuncdata))
		return 0;
	uint64_t place = go->layout.func.size +
			 ((uint64_t)field32(func, go->layout.func.npcdata) + table) * 4;
	if (place + 4 > func->available)
		return 0;
	uint32_t offset = field32(func, place);
	return offset == UINT32_MAX ? 0 : func->module->gofunc + offset;
}

/* ---- lines ---- */

bool sw_go_func_line(const struct sw_go *go, const struct sw_go_func *func, sw_addr pc,
		     const char **file, int32_t *line)
{
	const struct sw_go_module *module = func->module;
	int32_t number;

	if (!sw_go_pc_value(go, func, field32(func, go->layout.func.pcfile), pc, &number) ||
	    !sw_go_pc_value(go, func, field32(func, go->layout.func.pcln), pc, line) ||
	    number < 0 || *line < 0 || !module->cutab)
		return false;
	uint64_t place = ((uint64_t)field32(func, go->layout.func.cuOffset) + (uint32_t)number) * 4;
	if (place + 4 > module->cutab_size)
		return false;
	uint32_t offset = sw_load32(module->cutab + place);
	*file = offset == UINT32_MAX ? NULL
				     : string_at(module->filetab, module->filetab_size, offset);
	return *file != NULL;
}
