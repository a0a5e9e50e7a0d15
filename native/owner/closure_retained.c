/* What closures keep alive together: each site is a question, and each captured variable. */
#include "owner/closure_private.h"

/* A question of which site, of which of its captures. */
struct question {
	uint32_t site, capture;
};
enum { ALL_CAPTURES = UINT32_MAX, ALL_SITES = UINT32_MAX };
SW_VECTOR(struct question, questions);

struct asking {
	const struct sw_live *live;
	struct sw_closures *closures;
	struct questions questions;
	size_t first; /* of the 64 that are asked together */
	uint32_t *
		first_of; /* [sites + 1]: the site's first question, `questions.count` at the end */
	uint64_t *starts; /* [count]: bytes before each closure in its slot; NULL: no captures */
	uint8_t *kinds;	  /* [types]: enum sw_request_kind + 1, 0 not asked for yet */
	bool counts_requests;
};

/* ---- questions ---- */

static struct sw_error *add_question(struct asking *asking, uint32_t site, uint32_t capture)
{
	return questions_add(&asking->questions, (struct question){site, capture});
}

static uint64_t bit_of(const struct asking *asking, size_t question)
{
	return question - asking->first < SW_CUT_QUESTIONS
		       ? (uint64_t)1 << (question - asking->first)
		       : 0;
}

static bool is_asked(const struct asking *asking, size_t question, size_t index, uint64_t offset)
{
	const struct question *asked = &asking->questions.items[question];
	if (asked->capture == ALL_CAPTURES)
		return true;
	const struct sw_capture *capture =
		&asking->closures->sites.items[asked->site].captures.items[asked->capture];
	return offset - asking->starts[index] - capture->offset < capture->size;
}

static uint64_t gone(void *context, size_t index, uint64_t offset)
{
	struct asking *asking = context;
	uint32_t site = asking->closures->site_of[index];
	uint64_t bits = 0;

	for (uint32_t i = asking->first_of[site]; i < asking->first_of[site + 1]; i++)
		if (bit_of(asking, i) && is_asked(asking, i, index, offset))
			bits |= bit_of(asking, i);
	/* That of all sites is the last. */
	size_t last = asking->questions.count - 1;
	if (asking->questions.items[last].site == ALL_SITES)
		bits |= bit_of(asking, last);
	return bits;
}

/* ---- answers ---- */

static enum sw_request_kind kind_of(struct asking *asking, sw_object object)
{
	sw_type type = sw_live_type(asking->live, object);
	if (!type)
		return SW_REQUEST_NONE;
	if (!asking->kinds[type])
		asking->kinds[type] = (uint8_t)(1 + sw_request_kind_of(asking->live->types, type));
	return asking->kinds[type] - 1;
}

static void add_answer(struct asking *asking, const struct question *question, sw_object object,
		       uint64_t bytes)
{
	struct sw_closure_retained *retained = &asking->closures->retained;
	struct sw_closure_site *site =
		question->site == ALL_SITES ? NULL : &asking->closures->sites.items[question->site];
	if (site && question->capture == ALL_CAPTURES) {
		retained = &site->retained;
		if (asking->counts_requests)
			site->requests[kind_of(asking, object)]++;
	} else if (site) {
		struct sw_capture *capture = &site->captures.items[question->capture];
		retained = &capture->retained;
		capture->kept +=
			sw_closure_numbers_find(&capture->seen, (uint64_t)object + 1) != NULL;
	}
	retained->bytes += bytes;
	retained->objects++;
}

/* The closures themselves count once, whether others of the site hold them or not. */
static bool is_closure_of(const struct sw_closures *closures, uint32_t site, sw_object object)
{
	size_t place = sw_objects_find(closures->objects, closures->count, object);
	return place < closures->count && (site == ALL_SITES || closures->site_of[place] == site);
}

static void visit(void *context, sw_object object, uint64_t bytes, uint64_t free)
{
	struct asking *asking = context;
	for (; free; free &= free - 1) {
		const struct question *question =
			&asking->questions.items[asking->first + (size_t)__builtin_ctzll(free)];
		if (question->capture != ALL_CAPTURES ||
		    !is_closure_of(asking->closures, question->site, object))
			add_answer(asking, question, object, bytes);
	}
}

/* ---- the whole ---- */

/* Questions are in the order of their sites. */
static struct sw_error *ask(struct asking *asking)
{
	size_t sites = asking->closures->sites.count, question = 0;
	struct sw_cut cut = {0};

	if (!asking->questions.count)
		return NULL;
	asking->first_of = calloc(sites + 1, sizeof(*asking->first_of));
	if (!asking->first_of)
		return sw_error_memory();
	for (size_t i = 0; i <= sites; i++) {
		while (question < asking->questions.count &&
		       asking->questions.items[question].site < i)
			question++;
		asking->first_of[i] = (uint32_t)question;
	}
	struct sw_error *error =
		sw_cut_init(&cut, asking->live, asking->closures->objects, asking->closures->count);
	for (asking->first = 0; !error && asking->first < asking->questions.count;
	     asking->first += SW_CUT_QUESTIONS) {
		size_t left = asking->questions.count - asking->first;
		uint64_t bits = left < SW_CUT_QUESTIONS ? ((uint64_t)1 << left) - 1 : UINT64_MAX;
		error = sw_cut_ask(&cut, bits, gone, visit, asking);
	}
	sw_cut_deinit(&cut);
	return error;
}

static void asking_deinit(struct asking *asking)
{
	questions_free(&asking->questions);
	free(asking->first_of);
	free(asking->starts);
	free(asking->kinds);
}

/* One closure retains what it dominates. */
struct sw_error *sw_closures_retain(const struct sw_live *live, struct sw_closures *closures)
{
	struct asking asking = {.live = live, .closures = closures};
	const struct sw_dominators *dominators = live->dominators;
	struct sw_error *error = NULL;

	for (uint32_t i = 0; !error && i < closures->sites.count; i++) {
		struct sw_closure_site *site = &closures->sites.items[i];
		site->retained = (struct sw_closure_retained){site->bytes, site->count};
		if (site->count == 1)
			site->retained = (struct sw_closure_retained){
				dominators->retained_bytes[site->objects[0]],
				dominators->retained_objects[site->objects[0]]};
		else
			error = add_question(&asking, i, ALL_CAPTURES);
	}
	closures->retained = (struct sw_closure_retained){closures->bytes, closures->count};
	if (!error && closures->count)
		error = add_question(&asking, ALL_SITES, ALL_CAPTURES);
	if (!error)
		error = ask(&asking);
	asking_deinit(&asking);
	return error;
}

static struct sw_error *prepare_captures(struct asking *asking, size_t sites)
{
	const struct sw_live *live = asking->live;
	struct sw_closures *closures = asking->closures;
	struct sw_error *error = NULL;

	asking->counts_requests = true;
	asking->starts = calloc(closures->count + 1, sizeof(*asking->starts));
	asking->kinds = calloc(sw_types_count(live->types) + 1, sizeof(*asking->kinds));
	if (!asking->starts || !asking->kinds)
		return sw_error_memory();
	for (size_t i = 0; i < closures->count; i++)
		if (closures->site_of[i] < sites)
			asking->starts[i] = sw_live_start(live, closures->objects[i]) -
					    sw_heap_address(live->heap, closures->objects[i]);
	for (uint32_t i = 0; !error && i < sites; i++) {
		struct sw_closure_site *site = &closures->sites.items[i];
		site->retained = (struct sw_closure_retained){site->bytes, site->count};
		error = add_question(asking, i, ALL_CAPTURES);
		for (uint32_t k = 0; !error && k < site->captures.count; k++)
			if (site->captures.items[k].pointers)
				error = add_question(asking, i, k);
	}
	return error;
}

struct sw_error *sw_closures_retain_captures(const struct sw_live *live,
					     struct sw_closures *closures, size_t sites)
{
	struct asking asking = {.live = live, .closures = closures};
	struct sw_error *error = prepare_captures(&asking, sites);
	if (!error)
		error = ask(&asking);
	asking_deinit(&asking);
	return error;
}
