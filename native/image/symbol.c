#include "image/parts.h"

#include <stdlib.h>
#include <string.h>

enum {
	HASHED_CHARACTERS = 4096, /* of a name; the rest is compared, not hashed */
	NESTED_MAX = 64,	  /* symbols that one may lie in */
};

static uint32_t hash(const char *name)
{
	uint32_t value = 2166136261u;

	for (size_t i = 0; i < HASHED_CHARACTERS && name[i]; i++)
		value = (value ^ (uint8_t)name[i]) * 16777619u;
	return value;
}

/* String tables end with a NUL, so that every name in them does; one that does not is cut. */
static struct sw_bytes strings_of(struct sw_bytes file, const Elf64_Shdr *table)
{
	Elf64_Shdr section;
	struct sw_bytes strings = {NULL, 0};

	if (sw_elf_section(file, table->sh_link, &section) && section.sh_type == SHT_STRTAB)
		strings = sw_elf_section_bytes(file, &section);
	while (strings.size && strings.bytes[strings.size - 1])
		strings.size--;
	return strings;
}

static bool is_wanted(const Elf64_Sym *symbol, const char *name, unsigned machine)
{
	unsigned type = ELF64_ST_TYPE(symbol->st_info);

	if (symbol->st_shndx == SHN_UNDEF || !name[0])
		return false;
	if (machine == EM_AARCH64 && name[0] == '$')
		return false; /* marks code and data, AAELF64 */
	return type == STT_NOTYPE || type == STT_OBJECT || type == STT_FUNC ||
	       type == STT_GNU_IFUNC;
}

static void take_table(struct sw_symbols *symbols, struct sw_bytes file, const Elf64_Shdr *table)
{
	Elf64_Ehdr header;
	struct sw_bytes bytes = sw_elf_section_bytes(file, table);
	struct sw_bytes strings = strings_of(file, table);

	if (!bytes.bytes || !strings.size || !sw_elf_header(file, &header))
		return;
	size_t count = bytes.size / sizeof(Elf64_Sym);
	struct sw_symbol *items =
		reallocarray(symbols->items, symbols->count + count + 1, sizeof(*items));
	if (!items)
		return;
	symbols->items = items;
	for (size_t i = 0; i < count; i++) {
		Elf64_Sym symbol;
		memcpy(&symbol, bytes.bytes + i * sizeof(symbol), sizeof(symbol));
		if (symbol.st_name >= strings.size)
			continue;
		const char *name = (const char *)strings.bytes + symbol.st_name;
		if (!is_wanted(&symbol, name, header.e_machine))
			continue;
		items[symbols->count++] = (struct sw_symbol){
			.addr = symbol.st_value,
			.size = symbol.st_size,
			.name = name,
			.is_absolute = symbol.st_shndx == SHN_ABS,
			.is_local = ELF64_ST_BIND(symbol.st_info) == STB_LOCAL,
		};
	}
}

static int by_address(const void *a, const void *b)
{
	const struct sw_symbol *left = a, *right = b;

	if (left->addr != right->addr)
		return left->addr < right->addr ? -1 : 1;
	if (left->size != right->size)
		return left->size > right->size ? -1 : 1;
	if (left->is_local != right->is_local)
		return left->is_local ? -1 : 1;
	return left->name < right->name ? -1 : left->name > right->name;
}

/* The slot of the name, or the empty one where it belongs. */
static uint32_t *slot_of(const struct sw_symbols *symbols, const char *name)
{
	size_t slot = hash(name) & symbols->name_mask;

	while (symbols->names[slot] &&
	       strcmp(symbols->items[symbols->names[slot] - 1].name, name) != 0)
		slot = (slot + 1) & symbols->name_mask;
	return &symbols->names[slot];
}

static void index_names(struct sw_symbols *symbols)
{
	size_t slots = 16;
	while (slots < symbols->count * 2)
		slots *= 2;
	symbols->names = calloc(slots, sizeof(*symbols->names));
	if (!symbols->names)
		return;
	symbols->name_mask = slots - 1;
	for (size_t i = 0; i < symbols->count; i++) {
		uint32_t *slot = slot_of(symbols, symbols->items[i].name);
		/* Of one name a global symbol counts before a file's own. */
		if (!*slot || (symbols->items[*slot - 1].is_local && !symbols->items[i].is_local))
			*slot = (uint32_t)i + 1;
	}
}

void sw_symbols_build(struct sw_symbols *symbols, struct sw_bytes file)
{
	uint64_t sections = sw_elf_sections(file);
	bool has_symtab = false, has_dynsym = false;

	/* One of each kind: a file that has a great many of them is made to waste time. */
	for (uint64_t i = 0; i < sections; i++) {
		Elf64_Shdr section;
		if (!sw_elf_section(file, i, &section))
			break;
		bool *has = section.sh_type == SHT_SYMTAB ? &has_symtab : &has_dynsym;
		if ((section.sh_type != SHT_SYMTAB && section.sh_type != SHT_DYNSYM) || *has)
			continue;
		*has = true;
		take_table(symbols, file, &section);
	}
	if (!symbols->count || symbols->count >= UINT32_MAX)
		return sw_symbols_free(symbols);
	qsort(symbols->items, symbols->count, sizeof(*symbols->items), by_address);
	index_names(symbols);
}

void sw_symbols_free(struct sw_symbols *symbols)
{
	free(symbols->items);
	free(symbols->names);
	memset(symbols, 0, sizeof(*symbols));
}

/* The index; building it changes nothing that a caller can see. */
static const struct sw_symbols *symbols_of(const struct sw_image *image)
{
	struct sw_image_parts *parts = (struct sw_image_parts *)(uintptr_t)image;

	pthread_mutex_lock(&parts->lock);
	if (!parts->is_indexed) {
		parts->is_indexed = true;
		sw_symbols_build(&parts->symbols, sw_image_file(image));
	}
	pthread_mutex_unlock(&parts->lock);
	return &parts->symbols;
}

static uint64_t run_time(const struct sw_image *image, const struct sw_symbol *symbol)
{
	return symbol->addr + (symbol->is_absolute ? 0 : image->bias);
}

static bool find_symbol(const struct sw_image *image, const char *name, sw_addr *addr,
			uint64_t *size)
{
	const struct sw_symbols *symbols = symbols_of(image);

	if (!symbols->names)
		return false;
	uint32_t index = *slot_of(symbols, name);
	if (!index)
		return false;
	*addr = run_time(image, &symbols->items[index - 1]);
	if (size)
		*size = symbols->items[index - 1].size;
	return true;
}

bool sw_image_symbol(const struct sw_image *image, const char *name, sw_addr *addr, uint64_t *size)
{
	return find_symbol(image, name, addr, size) ||
	       (image->symbols && find_symbol(image->symbols, name, addr, size));
}

static const char *symbol_at(const struct sw_image *image, sw_addr addr, uint64_t *offset)
{
	const struct sw_symbols *symbols = symbols_of(image);
	uint64_t link_time = addr - image->bias;
	size_t low = 0, high = symbols->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (symbols->items[middle].addr <= link_time)
			low = middle + 1;
		else
			high = middle;
	}
	/* The nearest that starts below and reaches here. */
	for (size_t steps = 0; low && steps < NESTED_MAX; steps++) {
		const struct sw_symbol *symbol = &symbols->items[--low];
		if (!symbol->is_absolute && link_time - symbol->addr < symbol->size) {
			if (offset)
				*offset = link_time - symbol->addr;
			return symbol->name;
		}
	}
	return NULL;
}

const char *sw_image_symbol_at(const struct sw_image *image, sw_addr addr, uint64_t *offset)
{
	const char *name = symbol_at(image, addr, offset);
	return name || !image->symbols ? name : symbol_at(image->symbols, addr, offset);
}
