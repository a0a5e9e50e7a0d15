/* Types: size, members, and what Go's linker says about them. */
#include "image/dwarf_private.h"

/* reflect.Kind, src/internal/abi/type.go; the same in Go 1.18–1.27. */
enum { GO_CHAN = 18, GO_MAP = 21, GO_UNSAFE_POINTER = 26 };

static bool is_wrapper(int tag)
{
	switch (tag) {
	case DW_TAG_typedef:
	case DW_TAG_const_type:
	case DW_TAG_volatile_type:
	case DW_TAG_restrict_type:
	case DW_TAG_atomic_type:
	case DW_TAG_packed_type:
	case DW_TAG_immutable_type:
	case DW_TAG_shared_type:
		return true;
	default:
		return false;
	}
}

bool sw_die_peel(Dwarf_Die *die)
{
	for (int depth = 0; depth < SW_DWARF_MAX_DEPTH; depth++) {
		if (!is_wrapper(dwarf_tag(die)))
			return true;
		if (!sw_die_reference(die, DW_AT_type, die))
			return false;
	}
	return false;
}

/* Elements of one dimension; false when it is open ("int a[]"). */
static bool dimension(Dwarf_Die *die, uint64_t *count)
{
	uint64_t upper, lower = 0;

	if (sw_die_unsigned(die, DW_AT_count, count))
		return true;
	if (!sw_die_unsigned(die, DW_AT_upper_bound, &upper))
		return false;
	sw_die_unsigned(die, DW_AT_lower_bound, &lower);
	*count = upper - lower + 1; /* "int a[0]" has the upper bound -1 */
	return true;
}

/* Elements of all dimensions together: C writes "int a[2][3]" as one array of int. */
static uint64_t array_length(Dwarf_Die *array)
{
	uint64_t length = 1, count;
	bool is_known = false;
	Dwarf_Die child;

	for (int status = dwarf_child(array, &child); !status;
	     status = dwarf_siblingof(&child, &child)) {
		if (dwarf_tag(&child) != DW_TAG_subrange_type)
			continue;
		if (!dimension(&child, &count) || __builtin_mul_overflow(length, count, &length))
			return 0;
		is_known = true;
	}
	return is_known ? length : 0;
}

bool sw_die_size(Dwarf_Die die, uint64_t *size)
{
	uint64_t factor = 1;

	for (int depth = 0; depth < SW_DWARF_MAX_DEPTH; depth++) {
		if (!sw_die_peel(&die))
			return false;
		if (sw_die_unsigned(&die, DW_AT_byte_size, size))
			return !__builtin_mul_overflow(*size, factor, size);
		switch (dwarf_tag(&die)) {
		case DW_TAG_array_type:
			if (__builtin_mul_overflow(factor, array_length(&die), &factor))
				return false;
			break;
		case DW_TAG_enumeration_type:
			break;
		case DW_TAG_pointer_type:
		case DW_TAG_reference_type:
		case DW_TAG_rvalue_reference_type:
			return !__builtin_mul_overflow(8, factor, size);
		default:
			return false;
		}
		if (!sw_die_reference(&die, DW_AT_type, &die))
			return false;
	}
	return false;
}

/* Offset of a member; members of a union have none, which is 0. */
static bool member_offset(Dwarf_Die *member, uint64_t *offset)
{
	Dwarf_Attribute found;
	Dwarf_Op *ops;
	size_t count;
	Dwarf_Word word;

	*offset = 0;
	if (!sw_die_location(member, DW_AT_data_member_location, &found))
		return true;
	if (!dwarf_formudata(&found, &word)) {
		*offset = word;
		return true;
	}
	if (dwarf_getlocation(&found, &ops, &count) || count != 1 ||
	    ops[0].atom != DW_OP_plus_uconst)
		return false;
	*offset = ops[0].number;
	return true;
}

static bool is_aggregate(int tag)
{
	return tag == DW_TAG_structure_type || tag == DW_TAG_union_type || tag == DW_TAG_class_type;
}

SW_VECTOR(struct sw_dwarf_member, members);

static struct sw_error *add_member(struct members *members, Dwarf_Die *die)
{
	struct sw_dwarf_member member = {.name = sw_die_name(die)};
	Dwarf_Attribute found;

	if (!member_offset(die, &member.offset))
		return NULL;
	member.type = sw_die_reference_offset(die, DW_AT_type);
	if (dwarf_attr(die, SW_DW_AT_go_embedded_field, &found))
		dwarf_formflag(&found, &member.is_embedded);
	return members_add(members, member);
}

static struct sw_error *read_members(Dwarf_Die *die, struct sw_dwarf_type_info *out)
{
	struct members members = {0};
	struct sw_error *error = NULL;
	Dwarf_Die child;

	for (int status = dwarf_child(die, &child); !status && !error;
	     status = dwarf_siblingof(&child, &child)) {
		if (dwarf_tag(&child) == DW_TAG_member)
			error = add_member(&members, &child);
	}
	if (error) {
		members_free(&members);
		return error;
	}
	out->members = members.items;
	out->member_count = members.count;
	return NULL;
}

/* Finds where Go's type descriptors are, once. */
static void need_types(struct sw_dwarf *dwarf)
{
	sw_addr types, end;

	if (dwarf->has_types)
		return;
	dwarf->has_types = true;
	if (!sw_image_symbol(dwarf->image, "runtime.types", &types, NULL) ||
	    !sw_image_symbol(dwarf->image, "runtime.etypes", &end, NULL) || end < types)
		return;
	dwarf->types = types - dwarf->image->bias;
	dwarf->types_size = end - types;
}

/* DW_AT_go_runtime_type is written as a reference into a section (DW_CLS_GO_TYPEREF of
 * cmd/internal/dwarf): the offset from the start of the section of the object file that holds
 * the descriptors, which is where runtime.types is; so in Go 1.22–1.27, static and PIE, linked
 * by Go (.rodata, .data.rel.ro; from 1.27 on .go.type, .data.rel.ro.go.type) and by the
 * system's linker. Only uintptr has an address, up to 1.23. An offset is always less than an
 * address: all of .text lies before the descriptors. */
static uint64_t runtime_type(struct sw_dwarf *dwarf, Dwarf_Die *die)
{
	Dwarf_Attribute found;
	Dwarf_Addr value;

	if (!dwarf_attr(die, SW_DW_AT_go_runtime_type, &found) || dwarf_formaddr(&found, &value) ||
	    !value)
		return 0;
	need_types(dwarf);
	uint64_t offset = value < dwarf->types ? value : value - dwarf->types;
	if (offset >= dwarf->types_size)
		return 0;
	return dwarf->types + offset + dwarf->image->bias;
}

/* Go's attributes stand on the outermost DIE: a map is a typedef of a pointer to map<K,V>
 * (hash<K,V> up to 1.23), a chan one of a pointer to hchan<T>, an interface one of runtime.iface
 * or runtime.eface, whose own go_kind would be wrong here. */
static void read_go(struct sw_dwarf *dwarf, Dwarf_Die *die, struct sw_dwarf_type_info *out)
{
	uint64_t kind;

	if (!out->go_kind && sw_die_unsigned(die, SW_DW_AT_go_kind, &kind) && kind < 32)
		out->go_kind = kind;
	if (!out->runtime_type)
		out->runtime_type = runtime_type(dwarf, die);
	if (!out->elem)
		out->elem = sw_die_reference_offset(die, SW_DW_AT_go_elem);
	if (!out->key)
		out->key = sw_die_reference_offset(die, SW_DW_AT_go_key);
}

/* Peels *die, reading Go's attributes on the way until one DIE had its kind. */
static bool read_wrappers(struct sw_dwarf *dwarf, Dwarf_Die *die, struct sw_dwarf_type_info *out)
{
	for (int depth = 0; depth < SW_DWARF_MAX_DEPTH; depth++) {
		if (!out->go_kind)
			read_go(dwarf, die, out);
		if (!is_wrapper(dwarf_tag(die)))
			return true;
		if (!sw_die_reference(die, DW_AT_type, die))
			return false;
	}
	return false;
}

static void read_pointer(Dwarf_Die *die, struct sw_dwarf_type_info *out)
{
	sw_dwarf_type pointed = sw_die_reference_offset(die, DW_AT_type);

	out->kind = SW_DWARF_POINTER;
	if (out->go_kind == GO_MAP || out->go_kind == GO_CHAN)
		out->target = pointed;
	else
		out->elem = pointed;
	/* Go gives unsafe.Pointer no kind. */
	if (!out->go_kind && !pointed && !strcmp(sw_die_name(die), "unsafe.Pointer"))
		out->go_kind = GO_UNSAFE_POINTER;
}

static struct sw_error *read_kind(Dwarf_Die *die, struct sw_dwarf_type_info *out)
{
	int tag = dwarf_tag(die);

	if (is_aggregate(tag)) {
		out->kind = SW_DWARF_STRUCT;
		return read_members(die, out);
	}
	switch (tag) {
	case DW_TAG_base_type:
	case DW_TAG_enumeration_type:
		out->kind = SW_DWARF_BASE;
		break;
	case DW_TAG_pointer_type:
	case DW_TAG_reference_type:
	case DW_TAG_rvalue_reference_type:
		read_pointer(die, out);
		break;
	case DW_TAG_array_type:
		out->kind = SW_DWARF_ARRAY;
		out->elem = sw_die_reference_offset(die, DW_AT_type);
		out->length = array_length(die);
		break;
	case DW_TAG_subroutine_type:
		out->kind = SW_DWARF_FUNC;
		break;
	}
	return NULL;
}

struct sw_error *sw_dwarf_type_info(struct sw_dwarf *dwarf, sw_dwarf_type type,
				    struct sw_dwarf_type_info *out)
{
	Dwarf_Die die;

	memset(out, 0, sizeof(*out));
	out->name = "";
	if (sw_dwarf_die(dwarf, type, &die)) {
		out->name = sw_die_name(&die);
		if (read_wrappers(dwarf, &die, out)) {
			if (!sw_die_size(die, &out->size))
				out->size = 0; /* incomplete, or a function of C */
			return read_kind(&die, out);
		}
	}
	return sw_error_format(SW_ERR_DAMAGED, "%s: debug information: no type at 0x%llx",
			       dwarf->image->path, (unsigned long long)type);
}

void sw_dwarf_type_info_free(struct sw_dwarf_type_info *info)
{
	free(info->members);
	info->members = NULL;
	info->member_count = 0;
}

/* Finds a member by the first `length` bytes of name, also within C's nameless structs and
 * unions; *die becomes the member's type. */
static bool find_member(Dwarf_Die *die, const char *name, size_t length, int depth,
			uint64_t *offset)
{
	Dwarf_Die child, inner;
	uint64_t start;

	if (depth > SW_DWARF_MAX_DEPTH / 4 || !sw_die_peel(die) || !is_aggregate(dwarf_tag(die)))
		return false;
	for (int status = dwarf_child(die, &child); !status;
	     status = dwarf_siblingof(&child, &child)) {
		if (dwarf_tag(&child) != DW_TAG_member || !member_offset(&child, &start))
			continue;
		const char *found = sw_die_name(&child);
		bool is_it = strlen(found) == length && !memcmp(found, name, length);
		if ((!is_it && *found) || !sw_die_reference(&child, DW_AT_type, &inner))
			continue;
		if (is_it || find_member(&inner, name, length, depth + 1, offset)) {
			*offset += start;
			*die = inner;
			return true;
		}
	}
	return false;
}

bool sw_dwarf_member(struct sw_dwarf *dwarf, const char *type, const char *member, uint64_t *offset,
		     uint64_t *size)
{
	uint64_t total = 0;
	Dwarf_Die die;

	if (!sw_dwarf_die(dwarf, sw_dwarf_find_type(dwarf, type), &die))
		return false;
	for (;;) {
		size_t length = strcspn(member, ".");

		if (!find_member(&die, member, length, 0, &total))
			return false;
		if (!member[length])
			break;
		member += length + 1;
	}
	*offset = total;
	return sw_die_size(die, size);
}

bool sw_dwarf_sizeof(struct sw_dwarf *dwarf, const char *type, uint64_t *size)
{
	Dwarf_Die die;

	return sw_dwarf_die(dwarf, sw_dwarf_find_type(dwarf, type), &die) && sw_die_size(die, size);
}
