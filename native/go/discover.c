/* From an open target to a runtime that can be walked. */
#include "go/runtime.h"
#include "go/unwind.h"
#include "go/wait.h"
#include "go/wait_reason.h"

static struct sw_error *read_phase(struct sw_go *go)
{
	if (!sw_memory_u32(go->memory, go->globals.gcphase, &go->gcphase) ||
	    !sw_memory_u32(go->memory, go->globals.mheap_ + go->layout.mheap.sweepgen,
			   &go->sweepgen))
		return sw_error_format(SW_ERR_DAMAGED,
				       "the runtime's own variables are missing from the target");
	return NULL;
}

/* Debug information is a help, not a need. */
static struct sw_error *open_dwarf(struct sw_go *go)
{
	struct sw_image *image = sw_image_with_dwarf(go->image);
	return image ? sw_dwarf_open(image, &go->dwarf) : NULL;
}

static struct sw_error *read_layout(struct sw_go *go)
{
	if (go->dwarf)
		return sw_layout_fill(&go->layout, &go->release, sw_layout_from_dwarf, go->dwarf);
	return sw_layout_fill(&go->layout, &go->release, sw_layout_from_table, &go->release);
}

static void warn_of_dwarf(struct sw_go *go)
{
	size_t damaged = go->dwarf ? sw_dwarf_damaged_units(go->dwarf) : 0;
	if (damaged)
		sw_warn(go->warnings, true, "damaged_debug_information", NULL,
			"%zu units of the debug information cannot be read whole; names and types "
			"of theirs are missing",
			damaged);
}

static struct sw_error *discover(struct sw_go *go)
{
	static struct sw_error *(*const steps[])(struct sw_go *) = {
		sw_go_read_version,
		open_dwarf,
		read_layout,
		sw_go_find_first_module,
		sw_go_read_modules,
		sw_go_find_globals,
		read_phase,
		sw_go_read_spans,
		sw_go_read_goroutines,
		sw_go_check_layout,
		sw_go_drop_overlapping_spans, /* behind the check, which is to see them all */
		sw_go_read_wait_reasons,
	};
	struct sw_error *error = NULL;

	for (size_t i = 0; !error && i < sizeof(steps) / sizeof(*steps); i++)
		error = steps[i](go);
	if (!error)
		warn_of_dwarf(go);
	return error;
}

struct sw_error *sw_go_open(struct sw_target *target, struct sw_image *image, struct sw_work *work,
			    struct sw_warnings *warnings, struct sw_go **out)
{
	struct sw_go *go = calloc(1, sizeof(*go));
	*out = NULL;
	if (!go)
		return sw_error_memory();
	go->target = target;
	go->memory = &target->memory;
	go->image = image;
	go->work = work;
	go->warnings = warnings;
	go->arch = target->arch;

	struct sw_error *error = sw_go_pc_cache_create(&go->pc_cache);
	if (!error)
		error = discover(go);
	if (error) {
		sw_go_close(go);
		return error;
	}
	*out = go;
	return NULL;
}

void sw_go_close(struct sw_go *go)
{
	if (!go)
		return;
	sw_go_forget_roots(go);
	sw_goroutines_free(&go->goroutines);
	sw_go_spans_free(&go->spans);
	sw_go_modules_free(&go->modules);
	sw_go_free_kept(go);
	sw_go_pc_cache_free(go->pc_cache);
	sw_dwarf_close(go->dwarf);
	free(go->version);
	free(go);
}
