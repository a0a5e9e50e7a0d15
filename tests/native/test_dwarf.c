/* Debug information of small programs that print the truth themselves: addresses of their type
 * descriptors, variables and frames. Built here, by each of the Go toolchains in
 * SPANWALK_TOOLCHAINS (default: the oldest and newest supported, and the one installed). */
#include "image/dwarf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

static const char go_source[] =
	"package main\n"
	"\n"
	"import (\n"
	"	\"fmt\"\n"
	"	\"runtime\"\n"
	"	\"strings\"\n"
	"	\"unsafe\"\n"
	")\n"
	"\n"
	"type inner struct{ A, B int64 }\n"
	"type named map[string]int\n"
	"type T struct {\n"
	"	Name  string\n"
	"	Bytes []byte\n"
	"	ByKey map[string]*T\n"
	"	Ch    chan inner\n"
	"	Any   any\n"
	"	Err   error\n"
	"	Fn    func(int) int\n"
	"	Arr   [4]inner\n"
	"	Next  *T\n"
	"	Raw   unsafe.Pointer\n"
	"	Named named\n"
	"	Word  uintptr\n"
	"	inner\n"
	"}\n"
	"\n"
	"var sessions = map[string]*T{}\n"
	"var counter int64\n"
	"var table [16]inner\n"
	"var pcs [3]uintptr\n"
	"var places [8]uintptr\n"
	"\n"
	"//go:noinline\n"
	"func here(i int) { runtime.Callers(2, pcs[i:i+1]) }\n"
	"\n"
	"//go:noinline\n"
	"func fill(box *[8]int, n int) {\n"
	"	box[n&7] = n\n"
	"	places[5] = uintptr(unsafe.Pointer(box))\n"
	"	runtime.Callers(2, pcs[1:2])\n"
	"}\n"
	"\n"
	"func inlined(n int) int {\n"
	"	var box [8]int\n"
	"	fill(&box, n)\n"
	"	return box[1]\n"
	"}\n"
	"\n"
	"//go:noinline\n"
	"func touch(first *[4]uint64, second *inner) { first[1] = 7; second.B = 9 }\n"
	"\n"
	"//go:noinline\n"
	"func frame(s string, b []byte, n int) int {\n"
	"	var first [4]uint64\n"
	"	var second inner\n"
	"	touch(&first, &second)\n"
	"	places[0] = uintptr(unsafe.Pointer(&s))\n"
	"	places[1] = uintptr(unsafe.Pointer(&b))\n"
	"	places[2] = uintptr(unsafe.Pointer(&n))\n"
	"	places[3] = uintptr(unsafe.Pointer(&first))\n"
	"	places[4] = uintptr(unsafe.Pointer(&second))\n"
	"	here(0)\n"
	"	return len(s) + len(b) + n + int(first[1]+uint64(second.B)) + inlined(n)\n"
	"}\n"
	"\n"
	"//go:noinline\n"
	"func pieces(s string, b []byte) int {\n"
	"	here(2)\n"
	"	return int(s[0]) + int(b[len(s)]) + cap(b)\n"
	"}\n"
	"\n"
	"func show(name string, x any) {\n"
	"	fmt.Printf(\"%s %#x\\n\", name, (*[2]uintptr)(unsafe.Pointer(&x))[0])\n"
	"}\n"
	"\n"
	"func main() {\n"
	"	fmt.Println(\"version\", strings.TrimPrefix(runtime.Version(), \"go1.\"))\n"
	"	t := &T{ByKey: sessions}\n"
	"	sessions[\"a\"] = t\n"
	"	counter = int64(frame(\"abc\", make([]byte, 9), 3) + pieces(\"abc\", make([]byte, "
	"9)))\n"
	"	show(\"main.T\", *t)\n"
	"	show(\"*main.T\", t)\n"
	"	show(\"map[string]*main.T\", t.ByKey)\n"
	"	show(\"main.named\", t.Named)\n"
	"	show(\"chan main.inner\", t.Ch)\n"
	"	show(\"func(int) int\", t.Fn)\n"
	"	show(\"[4]main.inner\", t.Arr)\n"
	"	show(\"[]uint8\", t.Bytes)\n"
	"	show(\"string\", t.Name)\n"
	"	show(\"uintptr\", t.Word)\n"
	"	fmt.Printf(\"counter %p\\n\", &counter)\n"
	"	fmt.Printf(\"table %p\\n\", &table)\n"
	"	fmt.Printf(\"sessions %p\\n\", &sessions)\n"
	"	fmt.Printf(\"sizeof %d\\n\", unsafe.Sizeof(*t))\n"
	"	fmt.Printf(\"Arr %d\\n\", unsafe.Offsetof(t.Arr))\n"
	"	fmt.Printf(\"inner %d\\n\", unsafe.Offsetof(t.inner))\n"
	"	for i, pc := range pcs {\n"
	"		fmt.Printf(\"pc%d %#x\\n\", i, pc)\n"
	"	}\n"
	"	for i, name := range []string{\"s\", \"b\", \"n\", \"first\", \"second\", \"box\"} "
	"{\n"
	"		fmt.Printf(\"&%s %#x\\n\", name, places[i])\n"
	"	}\n"
	"}\n";

static const char c_source[] =
	"#include <stdio.h>\n"
	"struct node {\n"
	"	int value;\n"
	"	struct node *next;\n"
	"	union { long big; char small[3]; };\n"
	"	struct { short low, high; } pair;\n"
	"	int table[2][3];\n"
	"};\n"
	"typedef struct node node_type;\n"
	"enum color { RED, BLUE } color;\n"
	"node_type head;\n"
	"static long counter;\n"
	"long *where = &counter;\n"
	"__attribute__((noinline)) int frame(int argument)\n"
	"{\n"
	"	int box[4] = {argument};\n"
	"	struct node node = head;\n"
	"	printf(\"box %p\\nnode %p\\n\", (void *)box, (void *)&node);\n"
	"	return box[argument & 3];\n"
	"}\n"
	"int main(void)\n"
	"{\n"
	"	printf(\"counter %p\\nhead %p\\nframe %p\\n\", (void *)where, (void *)&head,\n"
	"	       (void *)frame);\n"
	"	return frame(0);\n"
	"}\n";

enum { MAX_PROGRAMS = 16 };

struct program {
	char name[128]; /* toolchain and flags */
	char path[256];
	char truth[8192]; /* what it printed */
	bool is_optimized;
};

static char directory[] = "/tmp/spanwalk-dwarf-XXXXXX";
static struct program programs[MAX_PROGRAMS];
static size_t program_count;

static void __attribute__((format(printf, 1, 2))) run(const char *format, ...)
{
	char command[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(command, sizeof(command), format, arguments);
	va_end(arguments);
	if (system(command))
		fail_msg("failed: %s", command);
}

static void write_file(const char *name, const void *bytes, size_t size)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	fclose(file);
}

static void read_truth(struct program *program)
{
	FILE *output = popen(program->path, "r");

	assert_non_null(output);
	size_t size = fread(program->truth, 1, sizeof(program->truth) - 1, output);
	program->truth[size] = 0;
	pclose(output);
}

/* The number printed behind a name. */
static uint64_t truth(const struct program *program, const char *name)
{
	size_t size = strlen(name);

	for (const char *line = program->truth; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, name, size) && line[size] == ' ')
			return strtoull(line + size, NULL, 0);
	}
	fail_msg("%s did not print %s", program->name, name);
	return 0;
}

static void build_go(const char *toolchain, const char *flags, bool is_optimized)
{
	assert_true(program_count < MAX_PROGRAMS);
	struct program *program = &programs[program_count];

	snprintf(program->name, sizeof(program->name), "%s %s", toolchain, flags);
	snprintf(program->path, sizeof(program->path), "%s/go%zu", directory, program_count);
	run("cd %s && GOTOOLCHAIN=%s GO111MODULE=on GOFLAGS= go build -buildvcs=false -trimpath %s "
	    "-o %s .",
	    directory, toolchain, flags, program->path);
	program->is_optimized = is_optimized;
	read_truth(program);
	program_count++;
}

static int build_programs(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(directory));
	if (system("go version >/dev/null 2>&1")) {
		if (!getenv("SPANWALK_NO_GO"))
			fail_msg("no go command; SPANWALK_NO_GO=1 leaves Go's programs out");
		print_message("skipped: everything about Go programs (SPANWALK_NO_GO)\n");
		return 0;
	}
	static const char module[] = "module main\n\ngo 1.22\n";
	write_file("main.go", go_source, sizeof(go_source) - 1);
	write_file("go.mod", module, sizeof(module) - 1);

	const char *chosen = getenv("SPANWALK_TOOLCHAINS");
	char list[256], *rest = list;
	snprintf(list, sizeof(list), "%s", chosen ? chosen : "go1.22.12 local go1.27.4");
	for (char *name; (name = strsep(&rest, " "));) {
		build_go(name, "", true);
		build_go(name, "-gcflags='-N -l'", false);
	}
	build_go("local", "-ldflags=-compressdwarf=false", true);
	build_go("local", "-buildmode=pie", true);
	build_go("local", "-ldflags=-linkmode=external", true);
	return 0;
}

static int remove_programs(void **state)
{
	(void)state;
	run("rm -r %s", directory);
	return 0;
}

static void assert_ok(struct sw_error *error)
{
	if (error)
		fail_msg("%s", error->message);
}

static struct sw_dwarf *open_dwarf(const char *path, struct sw_image **image)
{
	struct sw_dwarf *dwarf;

	assert_ok(sw_image_open(path, image));
	assert_ok(sw_dwarf_open(*image, &dwarf));
	return dwarf;
}

static struct sw_dwarf *open_program(const struct program *program, struct sw_image **image)
{
	struct sw_dwarf *dwarf = open_dwarf(program->path, image);
	sw_addr linked;

	print_message("  %s\n", program->name);
	assert_true(sw_image_symbol(*image, "main.counter", &linked, NULL));
	(*image)->bias = truth(program, "counter") - linked;
	return dwarf;
}

static void close_dwarf(struct sw_dwarf *dwarf, struct sw_image *image)
{
	sw_dwarf_close(dwarf);
	sw_image_close(image);
}

static void runtime_layouts(void **state)
{
	(void)state;
	for (size_t i = 0; i < program_count; i++) {
		struct sw_image *image;
		struct sw_dwarf *dwarf = open_program(&programs[i], &image);
		uint64_t offset, size, whole, sp;

		/* The first fields of mspan are the same in every release since 1.4. */
		assert_true(sw_dwarf_member(dwarf, "runtime.mspan", "startAddr", &offset, &size));
		assert_int_equal(offset, 24);
		assert_int_equal(size, 8);
		assert_true(sw_dwarf_member(dwarf, "runtime.mspan", "elemsize", &offset, &size));
		assert_int_equal(size, 8);
		assert_true(sw_dwarf_sizeof(dwarf, "runtime.mspan", &whole));
		assert_true(offset + size <= whole);
		assert_true(sw_dwarf_member(dwarf, "runtime.g", "goid", &offset, &size));
		assert_int_equal(size, 8);
		assert_true(sw_dwarf_member(dwarf, "runtime.g", "sched", &offset, &size));
		assert_true(sw_dwarf_member(dwarf, "runtime.g", "sched.pc", &sp, &size));
		assert_int_equal(sp, offset + 8);
		assert_true(sw_dwarf_member(dwarf, "runtime.mspan", "base", &offset, &size) ==
			    false);
		assert_false(sw_dwarf_member(dwarf, "runtime.nothing", "sched", &offset, &size));
		assert_false(sw_dwarf_member(dwarf, "runtime.g", "goid.x", &offset, &size));
		assert_false(sw_dwarf_member(dwarf, "runtime.g", "", &offset, &size));
		assert_false(sw_dwarf_sizeof(dwarf, "", &size));
		assert_int_equal(sw_dwarf_damaged_units(dwarf), 0);
		close_dwarf(dwarf, image);
	}
}

static void runtime_types(void **state)
{
	static const char *const names[] = {
		"main.T",	   "*main.T",	    "map[string]*main.T", "main.named",
		"chan main.inner", "func(int) int", "[4]main.inner",	  "[]uint8",
		"string",	   "uintptr",
	};

	(void)state;
	for (size_t i = 0; i < program_count; i++) {
		struct sw_image *image;
		struct sw_dwarf *dwarf = open_program(&programs[i], &image);

		for (size_t j = 0; j < sizeof(names) / sizeof(names[0]); j++) {
			struct sw_dwarf_type_info info;
			sw_dwarf_type type = sw_dwarf_find_type(dwarf, names[j]);

			assert_int_not_equal(type, 0);
			assert_ok(sw_dwarf_type_info(dwarf, type, &info));
			assert_string_equal(info.name, names[j]);
			assert_int_equal(info.runtime_type, truth(&programs[i], names[j]));
			sw_dwarf_type_info_free(&info);
		}
		close_dwarf(dwarf, image);
	}
}

static const struct sw_dwarf_member *member(const struct sw_dwarf_type_info *info, const char *name)
{
	for (size_t i = 0; i < info->member_count; i++) {
		if (!strcmp(info->members[i].name, name))
			return &info->members[i];
	}
	fail_msg("%s has no %s", info->name, name);
	return NULL;
}

/* The name of a type; "" for none. */
static const char *type_name(struct sw_dwarf *dwarf, sw_dwarf_type type)
{
	struct sw_dwarf_type_info info;

	if (!type)
		return "";
	assert_ok(sw_dwarf_type_info(dwarf, type, &info));
	sw_dwarf_type_info_free(&info);
	return info.name;
}

struct field {
	const char *name, *type;
	enum sw_dwarf_kind kind;
	unsigned go_kind, size;
	const char *elem, *key, *target, *first_member;
};

/* "<" stands for the name the runtime's map has in this release. */
static void check_field(struct sw_dwarf *dwarf, const struct sw_dwarf_type_info *outer,
			const struct field *field)
{
	struct sw_dwarf_type_info info;

	assert_ok(sw_dwarf_type_info(dwarf, member(outer, field->name)->type, &info));
	assert_string_equal(info.name, field->type);
	assert_int_equal(info.kind, field->kind);
	assert_int_equal(info.go_kind, field->go_kind);
	assert_int_equal(info.size, field->size);
	assert_string_equal(type_name(dwarf, info.elem), field->elem);
	assert_string_equal(type_name(dwarf, info.key), field->key);
	const char *target = type_name(dwarf, info.target);
	if (*field->target == '<')
		target = strchr(target, '<');
	assert_non_null(target);
	assert_string_equal(target, field->target);
	if (field->first_member)
		assert_string_equal(info.members[0].name, field->first_member);
	else
		assert_int_equal(info.member_count, 0);
	sw_dwarf_type_info_free(&info);
}

static void field_types(void **state)
{
	static const struct field fields[] = {
		{"Name", "string", SW_DWARF_STRUCT, 24, 16, "", "", "", "str"},
		{"Bytes", "[]uint8", SW_DWARF_STRUCT, 23, 24, "uint8", "", "", "array"},
		{"ByKey", "map[string]*main.T", SW_DWARF_POINTER, 21, 8, "*main.T", "string",
		 "<string,*main.T>", NULL},
		{"Named", "main.named", SW_DWARF_POINTER, 21, 8, "int", "string", "<string,int>",
		 NULL},
		{"Ch", "chan main.inner", SW_DWARF_POINTER, 18, 8, "main.inner", "",
		 "hchan<main.inner>", NULL},
		{"Any", "interface {}", SW_DWARF_STRUCT, 20, 16, "", "", "", "_type"},
		{"Err", "error", SW_DWARF_STRUCT, 20, 16, "", "", "", "tab"},
		{"Fn", "func(int) int", SW_DWARF_FUNC, 19, 8, "", "", "", NULL},
		{"Arr", "[4]main.inner", SW_DWARF_ARRAY, 17, 64, "main.inner", "", "", NULL},
		{"Next", "*main.T", SW_DWARF_POINTER, 22, 8, "main.T", "", "", NULL},
		{"Raw", "unsafe.Pointer", SW_DWARF_POINTER, 26, 8, "", "", "", NULL},
		{"Word", "uintptr", SW_DWARF_BASE, 12, 8, "", "", "", NULL},
		{"inner", "main.inner", SW_DWARF_STRUCT, 25, 16, "", "", "", "A"},
	};
	enum { FIELDS = sizeof(fields) / sizeof(fields[0]) };

	(void)state;
	for (size_t i = 0; i < program_count; i++) {
		struct sw_image *image;
		struct sw_dwarf *dwarf = open_program(&programs[i], &image);
		struct sw_dwarf_type_info info;

		assert_ok(sw_dwarf_type_info(dwarf, sw_dwarf_find_type(dwarf, "main.T"), &info));
		assert_int_equal(info.size, truth(&programs[i], "sizeof"));
		assert_int_equal(info.member_count, FIELDS);
		assert_int_equal(member(&info, "Arr")->offset, truth(&programs[i], "Arr"));
		assert_int_equal(member(&info, "inner")->offset, truth(&programs[i], "inner"));
		for (size_t j = 0; j < FIELDS; j++) {
			check_field(dwarf, &info, &fields[j]);
			assert_int_equal(member(&info, fields[j].name)->is_embedded,
					 !strcmp(fields[j].name, "inner"));
		}
		sw_dwarf_type_info_free(&info);
		close_dwarf(dwarf, image);
	}
}

static const struct sw_dwarf_global *global(struct sw_dwarf *dwarf, const char *name)
{
	const struct sw_dwarf_global *globals;
	size_t count;

	assert_ok(sw_dwarf_globals(dwarf, &globals, &count));
	for (size_t i = 0; i < count; i++) {
		if (!strcmp(globals[i].name, name))
			return &globals[i];
	}
	fail_msg("no variable %s", name);
	return NULL;
}

static void go_globals(void **state)
{
	(void)state;
	for (size_t i = 0; i < program_count; i++) {
		struct sw_image *image;
		struct sw_dwarf *dwarf = open_program(&programs[i], &image);
		const struct sw_dwarf_global *globals;
		size_t count;
		sw_addr addr;

		assert_int_equal(global(dwarf, "main.counter")->addr,
				 truth(&programs[i], "counter"));
		assert_int_equal(global(dwarf, "main.table")->addr, truth(&programs[i], "table"));
		assert_int_equal(global(dwarf, "main.sessions")->addr,
				 truth(&programs[i], "sessions"));
		assert_string_equal(type_name(dwarf, global(dwarf, "main.sessions")->type),
				    "map[string]*main.T");
		assert_true(sw_image_symbol(image, "runtime.mheap_", &addr, NULL));
		assert_int_equal(global(dwarf, "runtime.mheap_")->addr, addr);
		assert_ok(sw_dwarf_globals(dwarf, &globals, &count));
		assert_true(count > 100);
		for (size_t j = 1; j < count; j++)
			assert_true(globals[j - 1].addr <= globals[j].addr);
		close_dwarf(dwarf, image);
	}
}

/* The piece of a local that starts at an offset, or NULL. */
static const struct sw_dwarf_local *find_piece(const struct sw_dwarf_locals *locals,
					       const char *name, uint64_t offset)
{
	for (size_t i = 0; i < locals->count; i++) {
		if (!strcmp(locals->items[i].name, name) && locals->items[i].offset == offset)
			return &locals->items[i];
	}
	return NULL;
}

static const struct sw_dwarf_local *local(const struct sw_dwarf_locals *locals, const char *name)
{
	const struct sw_dwarf_local *found = find_piece(locals, name, 0);

	if (!found)
		fail_msg("no local %s", name);
	return found;
}

/* Locals whose address the program took, so that they are in memory as a whole: as far from
 * the first parameter as it printed. Go's ABI (src/cmd/compile/abi-internal.md) gives parameters
 * that come in registers a place in the caller's frame, from the CFA on. */
static void check_frame(struct sw_dwarf *dwarf, const struct program *program)
{
	static const struct {
		const char *name;
		unsigned size;
		bool is_parameter;
	} wanted[] = {
		{"s", 16, true},      {"b", 24, true},	     {"n", 8, true},
		{"first", 32, false}, {"second", 16, false},
	};
	struct sw_dwarf_locals locals = {0};

	assert_ok(sw_dwarf_locals(dwarf, truth(program, "pc0") - 1, &locals));
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		char name[16];

		if (program->is_optimized &&
		    (wanted[i].is_parameter || truth(program, "version") < 27))
			continue;
		const struct sw_dwarf_local *found = local(&locals, wanted[i].name);
		snprintf(name, sizeof(name), "&%s", wanted[i].name);
		assert_int_equal(found->cfa_offset, truth(program, name) - truth(program, "&s"));
		assert_int_equal(found->size, wanted[i].size);
		assert_int_equal(found->is_parameter, wanted[i].is_parameter);
		assert_string_equal(found->function, "main.frame");
	}
	if (!program->is_optimized)
		assert_string_equal(type_name(dwarf, local(&locals, "b")->type), "[]uint8");
	sw_dwarf_locals_free(&locals);
}

/* A local of a function that is inlined into frame() when the compiler may. */
static void check_inlined(struct sw_dwarf *dwarf, const struct program *program)
{
	struct sw_dwarf_locals locals = {0};

	if (program->is_optimized && truth(program, "version") < 27)
		return;
	assert_ok(sw_dwarf_locals(dwarf, truth(program, "pc1") - 1, &locals));
	assert_string_equal(local(&locals, "box")->function, "main.inlined");
	assert_int_equal(local(&locals, "box")->size, 64);
	if (program->is_optimized) {
		assert_int_equal(local(&locals, "box")->cfa_offset,
				 truth(program, "&box") - truth(program, "&s"));
		assert_string_equal(local(&locals, "first")->function, "main.frame");
	}
	sw_dwarf_locals_free(&locals);
}

/* After a call nothing is in a register: what is used later is in the frame, word by word, at
 * the places the ABI has for the parameters. */
static void check_pieces(struct sw_dwarf *dwarf, const struct program *program)
{
	struct sw_dwarf_locals locals = {0};

	assert_ok(sw_dwarf_locals(dwarf, truth(program, "pc2") - 1, &locals));
	if (program->is_optimized) {
		for (uint64_t offset = 0; offset < 24; offset += 8) {
			const struct sw_dwarf_local *piece = find_piece(&locals, "b", offset);

			assert_non_null(piece);
			assert_int_equal(piece->cfa_offset, 16 + offset);
			assert_int_equal(piece->size, 8);
		}
		assert_int_equal(local(&locals, "s")->cfa_offset, 0);
		assert_int_equal(find_piece(&locals, "s", 8)->cfa_offset, 8);
	} else {
		assert_int_equal(local(&locals, "s")->size, 16);
		assert_int_equal(local(&locals, "b")->size, 24);
		assert_int_equal(local(&locals, "b")->cfa_offset, 16);
	}
	assert_true(local(&locals, "b")->is_parameter);
	sw_dwarf_locals_free(&locals);
}

static void go_locals(void **state)
{
	(void)state;
	for (size_t i = 0; i < program_count; i++) {
		struct sw_image *image;
		struct sw_dwarf *dwarf = open_program(&programs[i], &image);
		struct sw_dwarf_locals none = {0};

		check_frame(dwarf, &programs[i]);
		check_inlined(dwarf, &programs[i]);
		check_pieces(dwarf, &programs[i]);
		assert_ok(sw_dwarf_locals(dwarf, 0, &none));
		assert_ok(sw_dwarf_locals(dwarf, UINT64_MAX, &none));
		assert_int_equal(none.count, 0);
		close_dwarf(dwarf, image);
	}
}

static void check_c_types(struct sw_dwarf *dwarf)
{
	uint64_t offset, size;
	struct sw_dwarf_type_info info, field;

	assert_true(sw_dwarf_sizeof(dwarf, "node_type", &size));
	assert_int_equal(size, 56);
	assert_true(sw_dwarf_member(dwarf, "node", "next", &offset, &size));
	assert_int_equal(offset, 8);
	assert_int_equal(size, 8);
	assert_true(sw_dwarf_member(dwarf, "node", "small", &offset, &size));
	assert_int_equal(offset, 16);
	assert_int_equal(size, 3);
	assert_true(sw_dwarf_member(dwarf, "node_type", "pair.high", &offset, &size));
	assert_int_equal(offset, 26);
	assert_true(sw_dwarf_member(dwarf, "node", "table", &offset, &size));
	assert_int_equal(size, 24);
	assert_ok(sw_dwarf_type_info(dwarf, sw_dwarf_find_type(dwarf, "node"), &info));
	assert_int_equal(info.go_kind, 0);
	assert_int_equal(info.runtime_type, 0);
	assert_ok(sw_dwarf_type_info(dwarf, member(&info, "table")->type, &field));
	assert_int_equal(field.kind, SW_DWARF_ARRAY);
	assert_int_equal(field.length, 6);
	assert_string_equal(type_name(dwarf, field.elem), "int");
	sw_dwarf_type_info_free(&info);
	assert_true(sw_dwarf_sizeof(dwarf, "color", &size));
	assert_int_equal(size, 4);
}

static void check_c_frame(struct sw_dwarf *dwarf, const struct program *program)
{
	struct sw_dwarf_locals locals = {0};

	/* Past the prologue. */
	assert_ok(sw_dwarf_locals(dwarf, truth(program, "frame") + 16, &locals));
	assert_int_equal(local(&locals, "node")->cfa_offset - local(&locals, "box")->cfa_offset,
			 truth(program, "node") - truth(program, "box"));
	assert_int_equal(local(&locals, "box")->size, 16);
	assert_true(local(&locals, "argument")->is_parameter);
	sw_dwarf_locals_free(&locals);
}

static void c_program(void **state)
{
	static const char *const flags[] = {"-gdwarf-5", "-gdwarf-4 -gz=zlib", "-gz=zlib-gnu"};

	(void)state;
	write_file("program.c", c_source, sizeof(c_source) - 1);
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		struct program program = {0};
		struct sw_image *image;
		sw_addr linked;

		snprintf(program.path, sizeof(program.path), "%s/c%zu", directory, i);
		run("cd %s && cc -g -O0 %s program.c -o %s", directory, flags[i], program.path);
		read_truth(&program);
		struct sw_dwarf *dwarf = open_dwarf(program.path, &image);
		print_message("  cc %s\n", flags[i]);
		assert_true(sw_image_symbol(image, "head", &linked, NULL));
		image->bias = truth(&program, "head") - linked;
		assert_int_equal(global(dwarf, "head")->addr, truth(&program, "head"));
		assert_int_equal(global(dwarf, "counter")->addr, truth(&program, "counter"));
		check_c_types(dwarf);
		check_c_frame(dwarf, &program);
		close_dwarf(dwarf, image);
	}
}

static void no_debug_information(void **state)
{
	char path[256];
	struct sw_image *image;
	struct sw_dwarf *dwarf;

	(void)state;
	write_file("plain.c", c_source, sizeof(c_source) - 1);
	snprintf(path, sizeof(path), "%s/plain", directory);
	run("cd %s && cc plain.c -s -o plain", directory);
	assert_ok(sw_image_open(path, &image));
	struct sw_error *error = sw_dwarf_open(image, &dwarf);
	assert_non_null(error);
	assert_int_equal(error->code, SW_ERR_NOT_FOUND);
	assert_non_null(error->hint);
	assert_null(dwarf);
	sw_error_free(error);
	sw_image_close(image);
}

/* Everything that can be asked; only that it comes back matters. */
static void ask_everything(struct sw_dwarf *dwarf, const uint64_t *pcs, size_t pc_count)
{
	static const char *const names[] = {"main.T",	     "runtime.g",	   "runtime.mspan",
					    "runtime.mheap", "map[string]*main.T", "main.named"};
	const struct sw_dwarf_global *globals;
	size_t count;
	uint64_t offset, size;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct sw_dwarf_type_info info;

		sw_error_free(
			sw_dwarf_type_info(dwarf, sw_dwarf_find_type(dwarf, names[i]), &info));
		sw_dwarf_type_info_free(&info);
		sw_dwarf_member(dwarf, names[i], "sched.sp", &offset, &size);
		sw_dwarf_sizeof(dwarf, names[i], &size);
	}
	sw_error_free(sw_dwarf_globals(dwarf, &globals, &count));
	for (size_t i = 0; i < count; i++) {
		struct sw_dwarf_type_info info;

		sw_error_free(sw_dwarf_type_info(dwarf, globals[i].type, &info));
		sw_dwarf_type_info_free(&info);
	}
	for (size_t i = 0; i < pc_count; i++) {
		struct sw_dwarf_locals locals = {0};

		sw_error_free(sw_dwarf_locals(dwarf, pcs[i], &locals));
		sw_dwarf_locals_free(&locals);
	}
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static const struct program *unpacked_program(void)
{
	for (size_t i = 0; i < program_count; i++) {
		if (strstr(programs[i].name, "compressdwarf"))
			return &programs[i];
	}
	return NULL;
}

/* Bytes of the debug sections of a Go program changed at random, from a few to thousands. */
static void damaged_sections(void **state)
{
	static const char *const sections[] = {".debug_info", ".debug_abbrev", ".debug_loclists",
					       ".debug_rnglists", ".debug_addr"};
	const struct program *program = unpacked_program();
	struct sw_image *image;
	uint64_t random = 20260801;
	char path[256];

	(void)state;
	if (!program)
		return;
	uint64_t pcs[] = {truth(program, "pc0"), truth(program, "pc1"), truth(program, "pc2")};
	assert_ok(sw_image_open(program->path, &image));
	uint8_t *copy = malloc(image->size);
	assert_non_null(copy);
	snprintf(path, sizeof(path), "%s/damaged", directory);
	for (int round = 0; round < 60; round++) {
		struct sw_image *damaged;
		struct sw_dwarf *dwarf;

		memcpy(copy, image->bytes, image->size);
		for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
			uint64_t size;
			const uint8_t *start = sw_image_section(image, sections[i], NULL, &size);
			if (!start || !size || next_random(&random) % 2)
				continue;
			for (unsigned n = 1u << next_random(&random) % 12; n; n--)
				copy[start - image->bytes + next_random(&random) % size] =
					next_random(&random);
		}
		write_file("damaged", copy, image->size);
		assert_ok(sw_image_open(path, &damaged));
		struct sw_error *error = sw_dwarf_open(damaged, &dwarf);
		if (!error)
			ask_everything(dwarf, pcs, 3);
		sw_error_free(error);
		close_dwarf(dwarf, damaged);
	}
	free(copy);
	sw_image_close(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runtime_layouts),
		cmocka_unit_test(runtime_types),
		cmocka_unit_test(field_types),
		cmocka_unit_test(go_globals),
		cmocka_unit_test(go_locals),
		cmocka_unit_test(c_program),
		cmocka_unit_test(no_debug_information),
		cmocka_unit_test(damaged_sections),
	};

	return cmocka_run_group_tests_name("dwarf", tests, build_programs, remove_programs);
}
