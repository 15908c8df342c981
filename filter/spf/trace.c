/*
 * trace.c - the trace of a check, for a person: its steps, their notes, the reason
 * of the result. All of it is bounded, and no result depends on it.
 */
#include "spf_private.h"

#include <string.h>

#define STEPS_FIRST   8
#define ADDRESSES_MAX 8 /* shown of one answer */

const char *const spf_step_names[] = {"no match", "match", "error", "enter", NULL};

struct spf_step *spf_step_add(struct spf_run *run, struct spf_frame *frame, struct slice term)
{
	struct spf_step *step;

	if (!run->request->trace || run->step_count == SPF_STEPS_MAX)
		return &run->spare;
	if (run->step_count == run->step_room) {
		size_t room = run->step_room ? run->step_room * 2 : STEPS_FIRST;
		struct spf_step *steps = arena_alloc(run->arena, room * sizeof(*steps));

		if (run->step_count)
			memcpy(steps, run->steps, run->step_count * sizeof(*steps));
		run->steps = steps;
		run->step_room = room;
	}
	step = &run->steps[run->step_count++];
	*step = (struct spf_step){
	    .depth = frame->depth,
	    .domain = frame->domain,
	    .record = frame->shown || !frame->record ? SLICE("") : frame->record->text,
	    .term = term,
	};
	frame->shown = true;
	return step;
}

static void add_printable(struct text *out, struct slice text)
{
	for (size_t i = 0; i < text.n && !out->cut; i++) {
		if (text.p[i] >= ' ' && text.p[i] <= '~')
			text_add_char(out, text.p[i]);
		else
			text_printf(out, "\\%03u", (unsigned char)text.p[i]);
	}
}

struct slice spf_printable(struct slice text, struct arena *arena)
{
	struct text out;

	text_init(&out, arena, SPF_NOTE_MAX);
	add_printable(&out, text);
	return text_slice(&out);
}

void spf_reason(struct spf_run *run, const struct spf_frame *frame, struct slice term, struct slice why)
{
	struct text out;

	if (run->reason.n)
		return;
	text_init(&out, run->arena, SPF_NOTE_MAX);
	add_printable(&out, slice_head(frame->domain, SPF_NAME_MAX / 2));
	text_add(&out, SLICE(": "));
	if (term.n) {
		add_printable(&out, slice_head(term, SPF_NOTE_MAX / 4));
		text_add(&out, term.n > SPF_NOTE_MAX / 4 ? SLICE("...: ") : SLICE(": "));
	}
	text_add(&out, why);
	run->reason = text_slice(&out);
}

void spf_note_addresses(struct text *note, const struct dns_answer *answer)
{
	char buffer[IP_TEXT];

	for (size_t i = 0; i < answer->count && i < ADDRESSES_MAX; i++) {
		text_add(note, i ? SLICE(" ") : SLICE(""));
		text_add(note, ip_print(answer->records[i].ip, buffer));
	}
	if (answer->count > ADDRESSES_MAX)
		text_printf(note, " and %zu more", answer->count - ADDRESSES_MAX);
}

struct slice spf_note_answer(const struct dns_answer *answer, struct arena *arena)
{
	struct text note;

	if (answer->status == DNS_NXDOMAIN)
		return SLICE("the name does not exist");
	if (answer->status == DNS_NODATA)
		return SLICE("the name has no record of this type");
	text_init(&note, arena, SPF_NOTE_MAX);
	if (answer->status == DNS_TEMPFAIL)
		text_printf(&note, "temporary DNS failure (%s)", dns_reason_texts[answer->reason]);
	else
		spf_note_addresses(&note, answer);
	return text_slice(&note);
}
