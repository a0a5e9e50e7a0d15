/* Executables that this test writes, cores of them, and its own: where they lie, whose they are,
 * and what they add to a core. */
#include "elf_builder.h"
#include "leave_out.h"

#include "image/image.h"

#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

enum {
	PAGE = 4096,
	TEXT_SIZE = 3 * PAGE,	 /* headers, notes, code */
	DATA_OFFSET = TEXT_SIZE, /* in the file */
	DATA_ADDR = 0x10000,	 /* from the base */
	DATA_SIZE = PAGE + 100,	 /* in the file */
	DATA_MEMORY = 3 * PAGE,	 /* with .bss */
	NOTE_OFFSET = 0x200,
	ENTRY = PAGE + 0x80,
	BASE = 0x400000,
};

struct program {
	uint64_t base; /* link-time: BASE, or 0 for a PIE */
	const char *gnu_id, *go_id;
	uint8_t code; /* byte that fills it */
};

static void add_notes(struct buffer *file, const struct program *program)
{
	struct buffer notes = {0};

	if (program->go_id)
		note_add(&notes, "Go", 4, program->go_id, (uint32_t)strlen(program->go_id));
	if (program->gnu_id)
		note_add(&notes, "GNU", NT_GNU_BUILD_ID, program->gnu_id,
			 (uint32_t)strlen(program->gnu_id));
	if (notes.size)
		memcpy(file->bytes + NOTE_OFFSET, notes.bytes, notes.size);
	Elf64_Phdr *note = (Elf64_Phdr *)(file->bytes + sizeof(Elf64_Ehdr)) + 1;
	note->p_filesz = note->p_memsz = notes.size;
	buffer_free(&notes);
}

static struct buffer build_program(const struct program *program)
{
	uint64_t base = program->base;
	Elf64_Ehdr header = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
			     .e_type = base ? ET_EXEC : ET_DYN,
			     .e_machine = EM_X86_64,
			     .e_version = EV_CURRENT,
			     .e_entry = base + ENTRY,
			     .e_phoff = sizeof(header),
			     .e_ehsize = sizeof(header),
			     .e_phentsize = sizeof(Elf64_Phdr),
			     .e_phnum = 4};
	Elf64_Phdr segments[] = {
		{PT_PHDR, PF_R, sizeof(header), base + 64, 0, 4 * sizeof(Elf64_Phdr),
		 4 * sizeof(Elf64_Phdr), 8},
		{PT_NOTE, PF_R, NOTE_OFFSET, base + NOTE_OFFSET, 0, 0, 0, 4},
		{PT_LOAD, PF_R | PF_X, 0, base, 0, TEXT_SIZE, TEXT_SIZE, PAGE},
		{PT_LOAD, PF_R | PF_W, DATA_OFFSET, base + DATA_ADDR, 0, DATA_SIZE, DATA_MEMORY,
		 PAGE},
	};
	struct buffer file = {0};

	buffer_add(&file, &header, sizeof(header));
	buffer_add(&file, segments, sizeof(segments));
	buffer_align(&file, PAGE);
	buffer_add(&file, NULL, TEXT_SIZE - PAGE);
	memset(file.bytes + PAGE, program->code, TEXT_SIZE - PAGE);
	buffer_add(&file, NULL, DATA_SIZE);
	memset(file.bytes + DATA_OFFSET, 0xda, DATA_SIZE);
	add_notes(&file, program);
	return file;
}

static const struct program GATEWAY = {BASE, "0123456789abcdefghij", "go/build/id", 0x90};

/* What a core of a program has of it. */
struct dump {
	uint64_t bias;
	uint64_t text_from, text_size; /* of the file's first bytes */
	bool has_data;		       /* page 0 of the data segment, written to */
	bool has_no_auxv, has_no_files;
	bool is_cut;
};

static struct buffer build_core(const struct buffer *file, const struct program *program,
				const struct dump *dump)
{
	uint64_t base = program->base + dump->bias;
	uint8_t data[PAGE];
	memset(data, 0x77, sizeof(data));
	struct core_segment segments[] = {
		{base + dump->text_from, file->bytes + dump->text_from, dump->text_size, TEXT_SIZE,
		 PF_R | PF_X},
		{base + DATA_ADDR, data, dump->has_data ? PAGE : 0, 2 * PAGE, PF_R | PF_W},
	};
	struct file_entry files[] = {
		{base, base + TEXT_SIZE, 0, "/srv/gateway"},
		{base + DATA_ADDR, base + DATA_ADDR + 2 * PAGE, 3, "/srv/gateway"},
	};
	struct core_plan plan = {.segments = segments, .count = 2};

	note_add_thread(&plan.notes, EM_X86_64, 7, 1);
	if (!dump->has_no_auxv)
		note_add_auxv(&plan.notes, base + 64, base + ENTRY);
	if (!dump->has_no_files)
		note_add_files(&plan.notes, files, 2);
	struct buffer core = core_build(&plan);
	if (dump->is_cut)
		core.size -= 16;
	return core;
}

/* An executable, a core, and what came of putting the one to the other. */
struct scene {
	struct sw_work work;
	char *core_path, *exe_path;
	struct sw_target *target;
	struct sw_image *image;
	struct sw_error *error;
};

static void open_scene(struct scene *scene, const struct program *ran, const struct dump *dump,
		       const struct program *given)
{
	struct buffer file = build_program(ran), other = build_program(given);
	struct buffer core = build_core(&file, ran, dump);

	memset(scene, 0, sizeof(*scene));
	sw_work_init(&scene->work, 1);
	scene->core_path = write_file(core.bytes, core.size);
	scene->exe_path = write_file(other.bytes, other.size);
	assert_null(sw_target_open_core(scene->core_path, &scene->work, &scene->target));
	assert_null(sw_image_open(scene->exe_path, &scene->image));
	scene->error = sw_image_place(scene->image, scene->target);
	buffer_free(&file);
	buffer_free(&other);
	buffer_free(&core);
}

static void close_scene(struct scene *scene)
{
	sw_error_free(scene->error);
	sw_target_close(scene->target);
	sw_image_close(scene->image);
	remove_file(scene->core_path);
	remove_file(scene->exe_path);
}

static int byte_at(const struct scene *scene, sw_addr addr)
{
	uint8_t byte;
	return sw_memory_u8(&scene->target->memory, addr, &byte) ? byte : -1;
}

static bool has_warning(const struct scene *scene, const char *code)
{
	for (size_t i = 0; i < scene->target->warnings.count; i++)
		if (!strcmp(scene->target->warnings.items[i].code, code))
			return true;
	return false;
}

static void core_gets_the_pages_it_lacks(void **state)
{
	struct dump dump = {.text_size = PAGE, .has_data = true};
	struct scene scene;
	char id[2 * SW_BUILD_ID_MAX + 1];
	(void)state;

	open_scene(&scene, &GATEWAY, &dump, &GATEWAY);
	assert_null(scene.error);
	assert_int_equal(scene.image->bias, 0);
	assert_int_equal(scene.target->warnings.count, 0);
	assert_int_equal(byte_at(&scene, BASE + ENTRY), 0x90);
	assert_int_equal(byte_at(&scene, BASE + DATA_ADDR), 0x77);
	/* A page of the data that no core has was never written. */
	assert_int_equal(byte_at(&scene, BASE + DATA_ADDR + PAGE + 99), 0xda);
	assert_int_equal(byte_at(&scene, BASE + DATA_ADDR + PAGE + 100), 0);
	assert_int_equal(byte_at(&scene, BASE + DATA_ADDR + DATA_MEMORY - 1), 0);
	assert_int_equal(byte_at(&scene, BASE + DATA_ADDR + DATA_MEMORY), -1);
	sw_image_build_id_text(scene.image, id);
	assert_string_equal(id, "303132333435363738396162636465666768696a");
	assert_false(scene.image->has_dwarf);
	close_scene(&scene);
}

static void pie_is_found_by_each_way(void **state)
{
	struct program pie = GATEWAY;
	(void)state;

	pie.base = 0;
	for (int has_auxv = 0; has_auxv < 2; has_auxv++) {
		struct dump dump = {.bias = 0x555555554000,
				    .text_size = PAGE,
				    .has_no_auxv = !has_auxv,
				    .has_no_files = has_auxv};
		struct scene scene;
		open_scene(&scene, &pie, &dump, &pie);
		if (!has_auxv) {
			/* The file has another name than the target gives: nothing leads to it. */
			assert_int_equal(scene.error->code, SW_ERR_NOT_FOUND);
			free(scene.target->exe);
			scene.target->exe = strdup(scene.exe_path);
			sw_error_free(scene.error);
			scene.error = sw_image_place(scene.image, scene.target);
		}
		assert_null(scene.error);
		assert_int_equal(scene.image->bias, 0x555555554000);
		assert_int_equal(byte_at(&scene, 0x555555554000 + ENTRY), 0x90);
		/* Without a list of mappings it is not known that the data is still mapped. */
		assert_int_equal(byte_at(&scene, 0x555555554000 + DATA_ADDR), has_auxv ? -1 : 0xda);
		close_scene(&scene);
	}
}

static void expect_mismatch(const struct program *ran, const struct dump *dump,
			    const struct program *given, const char *words)
{
	struct scene scene;

	open_scene(&scene, ran, dump, given);
	assert_non_null(scene.error);
	if (scene.error->code != SW_ERR_MISMATCH || !scene.error->hint ||
	    !strstr(scene.error->message, words))
		fail_msg("%s", scene.error->message);
	assert_int_equal(byte_at(&scene, BASE + 2 * PAGE), -1);
	close_scene(&scene);
}

static void wrong_executable_is_refused(void **state)
{
	struct program other = GATEWAY;
	struct dump dump = {.text_size = PAGE};
	(void)state;

	other.gnu_id = "0123456789abcdefghiX";
	expect_mismatch(&GATEWAY, &dump, &other, "303132333435363738396162636465666768696a");
	expect_mismatch(&GATEWAY, &dump, &other, "3031323334353637383961626364656667686958");
	other.gnu_id = other.go_id = NULL;
	expect_mismatch(&GATEWAY, &dump, &other, "headers differ");
	other.go_id = "go/build/iX";
	struct program go_only = {BASE, NULL, "go/build/id", 0x90};
	expect_mismatch(&go_only, &dump, &other, "ids differ");

	struct program moved = GATEWAY;
	moved.base = 0x500000;
	expect_mismatch(&GATEWAY, &dump, &moved, "elsewhere");

	struct program plain = {BASE, NULL, NULL, 0x90}, changed = {BASE, NULL, NULL, 0xcc};
	struct dump code = {.text_from = PAGE, .text_size = PAGE};
	expect_mismatch(&plain, &code, &changed, "pages");
}

static void executable_that_cannot_be_checked(void **state)
{
	struct dump dump = {.text_size = 0};
	struct scene scene;
	(void)state;

	open_scene(&scene, &GATEWAY, &dump, &GATEWAY);
	assert_null(scene.error);
	assert_true(has_warning(&scene, "unverified_executable"));
	assert_int_equal(byte_at(&scene, BASE + ENTRY), 0x90);
	close_scene(&scene);
}

static void lost_data_is_not_made_up(void **state)
{
	struct dump dump = {.text_size = PAGE, .has_data = true, .is_cut = true};
	struct scene scene;
	(void)state;

	open_scene(&scene, &GATEWAY, &dump, &GATEWAY);
	assert_null(scene.error);
	assert_true(has_warning(&scene, "truncated_core"));
	assert_int_equal(byte_at(&scene, BASE + ENTRY), 0x90);
	assert_int_equal(byte_at(&scene, BASE + DATA_ADDR), 0x77);
	assert_int_equal(byte_at(&scene, BASE + DATA_ADDR + PAGE - 1), -1);
	assert_int_equal(byte_at(&scene, BASE + DATA_ADDR + PAGE), -1);
	close_scene(&scene);
}

static void expect_refused(const void *bytes, size_t size, enum sw_code code, const char *words)
{
	struct sw_image *image;
	char *path = write_file(bytes, size);
	struct sw_error *error = sw_image_open(path, &image);

	assert_non_null(error);
	if (error->code != code || !strstr(error->message, words) || !error->hint)
		fail_msg("%s", error->message);
	assert_null(image);
	sw_error_free(error);
	remove_file(path);
}

static void expect_changed(size_t offset, uint8_t byte, const char *words)
{
	struct buffer file = build_program(&GATEWAY);

	file.bytes[offset] = byte;
	expect_refused(file.bytes, file.size, SW_ERR_FORMAT, words);
	buffer_free(&file);
}

static void files_that_are_no_programs(void **state)
{
	struct sw_image *image;
	char script[100] = "#!/bin/sh\n";
	(void)state;

	expect_changed(EI_CLASS, ELFCLASS32, "32-bit");
	expect_changed(EI_DATA, ELFDATA2MSB, "big-endian");
	expect_changed(offsetof(Elf64_Ehdr, e_type), ET_CORE, "is a core");
	expect_changed(offsetof(Elf64_Ehdr, e_type), ET_REL, "neither");
	expect_changed(offsetof(Elf64_Ehdr, e_machine), EM_PPC64, "machine 21");
	expect_changed(0, 'X', "not an ELF");
	expect_refused("short", 5, SW_ERR_FORMAT, "too short");
	expect_refused(script, sizeof(script), SW_ERR_FORMAT, "script");
	struct buffer file = build_program(&GATEWAY);
	expect_refused(file.bytes, 100, SW_ERR_DAMAGED, "program headers");
	buffer_free(&file);
	struct sw_error *error = sw_image_open("/nonexistent/gateway", &image);
	assert_int_equal(error->code, SW_ERR_NOT_FOUND);
	assert_non_null(error->hint);
	sw_error_free(error);
}

static void use_everything(struct sw_image *image)
{
	uint64_t size, sum = 0;
	sw_addr addr;

	sw_image_symbol(image, "main", &addr, &size);
	sw_image_symbol_at(image, BASE + ENTRY, &size);
	const uint8_t *bytes = sw_image_section(image, ".text", &addr, &size);
	for (uint64_t i = 0; bytes && i < size; i++)
		sum += bytes[i];
	assert_true(sum != 1);
}

/* This test's own file, with bytes of its headers and tables changed. */
static void damaged_files_never_crash(void **state)
{
	struct buffer own = {0};
	unsigned seed = 3;
	FILE *file = fopen("/proc/self/exe", "r");
	static uint8_t block[1 << 16];
	(void)state;

	for (size_t size; (size = fread(block, 1, sizeof(block), file)) > 0;)
		buffer_add(&own, block, size);
	fclose(file);
	Elf64_Ehdr header;
	memcpy(&header, own.bytes, sizeof(header));
	size_t table = header.e_shoff, table_size = header.e_shnum * sizeof(Elf64_Shdr);
	for (int round = 0; round < 200; round++) {
		uint8_t *bytes = malloc(own.size);
		memcpy(bytes, own.bytes, own.size);
		for (int i = 0; i < 6; i++) {
			size_t at = i % 2 ? table + (unsigned)rand_r(&seed) % table_size
					  : 16 + (unsigned)rand_r(&seed) % 700;
			bytes[at] = (uint8_t)rand_r(&seed);
		}
		size_t size = round % 4 ? own.size : (unsigned)rand_r(&seed) % own.size;
		char *path = write_file(bytes, size);
		struct sw_image *image;
		struct sw_error *error = sw_image_open(path, &image);
		if (!error) {
			struct dump dump = {.text_size = PAGE};
			struct scene scene;
			use_everything(image);
			open_scene(&scene, &GATEWAY, &dump, &GATEWAY);
			sw_error_free(sw_image_place(image, scene.target));
			close_scene(&scene);
			sw_image_close(image);
		}
		sw_error_free(error);
		remove_file(path);
		free(bytes);
	}
	buffer_free(&own);
}

/* Symbols of a program that runs: a child of this test, with the same addresses. */
uint64_t image_test_variable[4] = {1, 2, 3, 4};
const char image_test_constant[] = "a constant that is never written";
int image_test_function(int number);

__attribute__((noinline)) int image_test_function(int number)
{
	return number * 3 + (int)image_test_variable[1];
}

static pid_t start_child(void)
{
	pid_t pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	return pid;
}

static void expect_symbols(const struct sw_image *image)
{
	sw_addr addr;
	uint64_t size, offset;

	assert_true(sw_image_symbol(image, "image_test_variable", &addr, &size));
	assert_int_equal(addr, (uintptr_t)image_test_variable);
	assert_true(size >= sizeof(image_test_variable));
	assert_true(sw_image_symbol(image, "image_test_function", &addr, NULL));
	assert_int_equal(addr, (uintptr_t)image_test_function);
	assert_false(sw_image_symbol(image, "image_test_nothing", &addr, NULL));
	assert_string_equal(sw_image_symbol_at(image, (uintptr_t)image_test_variable + 9, &offset),
			    "image_test_variable");
	assert_int_equal(offset, 9);
	assert_string_equal(sw_image_symbol_at(image, (uintptr_t)image_test_function + 1, NULL),
			    "image_test_function");
	assert_null(sw_image_symbol_at(image, 16, &offset));
	const uint8_t *bytes = sw_image_section(image, ".rodata", &addr, &size);
	assert_non_null(bytes);
	uint64_t inside = (uintptr_t)image_test_constant - addr;
	assert_true(inside < size);
	assert_memory_equal(bytes + inside, image_test_constant, sizeof(image_test_constant));
	assert_null(sw_image_section(image, ".bss", &addr, &size));
	assert_null(sw_image_section(image, ".nothing", &addr, &size));
}

static void program_that_runs(void **state)
{
	need_ptrace("the image of a program that runs");
	pid_t pid = start_child();
	struct sw_work work;
	struct sw_target *target;
	struct sw_image *image;
	(void)state;

	sw_work_init(&work, 2);
	assert_null(sw_target_open_process(pid, &work, &target));
	assert_null(sw_image_open(target->exe, &image));
	struct sw_error *error = sw_image_place(image, target);
	if (error)
		fail_msg("%s", error->message);
	assert_int_equal(target->warnings.count, 0);
	assert_true(image->has_dwarf);
	expect_symbols(image);
	/* Text and constants come from the file, variables from the process. */
	const void *places[] = {(const void *)(uintptr_t)image_test_function, image_test_constant,
				image_test_variable};
	for (size_t i = 0; i < 3; i++) {
		const uint8_t *view = sw_memory_view(&target->memory, (uintptr_t)places[i], 32);
		assert_non_null(view);
		assert_memory_equal(view, places[i], 32);
	}
	sw_target_close(target);
	sw_image_close(image);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(core_gets_the_pages_it_lacks),
		cmocka_unit_test(pie_is_found_by_each_way),
		cmocka_unit_test(wrong_executable_is_refused),
		cmocka_unit_test(executable_that_cannot_be_checked),
		cmocka_unit_test(lost_data_is_not_made_up),
		cmocka_unit_test(files_that_are_no_programs),
		cmocka_unit_test(damaged_files_never_crash),
		cmocka_unit_test(program_that_runs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
