/*
 * bounced.c - a bounce of one of our reports: the address it went to has a rest from them (reports.h). The message
 * itself is judged as any other, and delivered.
 */
#include "gate_private.h"
#include "reports.h"

struct bounce {
	struct slice address; /* that the report went to */
	struct text body;     /* its beginning */
};

static void keep(void *bounce, struct slice chunk)
{
	text_add(&((struct bounce *)bounce)->body, chunk);
}

/* A bounce has the null reverse-path, and one recipient. */
void bounce_begin(struct gate *gate)
{
	const struct settings *settings = gate->settings;
	struct arena *arena = gate->message.arena;
	struct bounce *bounce;
	struct slice delimiters = settings->ownership.delimiters, address;

	gate->bounce = NULL;
	if (!settings->reports.said || !gate->engine->store || gate->replay || gate->message.sender.text.n > 0 ||
	    gate->message.recipient_count != 1 || delimiters.n == 0)
		return;
	if (report_bounce_find(gate->engine->store, settings->reports.from.text, delimiters.p[0],
			       gate->message.recipients[0].address.text, arena, &address) != STORE_OK)
		return;
	bounce = arena_alloc(arena, sizeof(*bounce));
	bounce->address = address;
	text_init(&bounce->body, arena, REPORT_BOUNCE_MAX);
	view_sink(&gate->view, keep, bounce);
	gate->bounce = bounce;
}

void bounce_end(struct gate *gate)
{
	const struct bounce *bounce = gate->bounce;
	struct arena *arena = gate->message.arena;
	const struct header_field *type = headers_find(&gate->message.headers, SLICE("Content-Type"), 1);
	struct slice why;
	int64_t until_s;

	gate->bounce = NULL;
	if (!bounce || !type || !report_bounce_read(type->value, text_slice(&bounce->body), arena, &why))
		return;
	if (report_dead_add(gate->engine->store, bounce->address, why, gate->view.now_us, arena, &until_s) != STORE_OK)
		return;
	decision_note(&gate->decision, NOTE_LOG,
		      arena_printf(arena, "a report to %.*s came back: none is sent there until %.*s",
				   SLICE_ARGS(bounce->address), SLICE_ARGS(clock_print(until_s * 1000000, arena))),
		      (struct position){0});
}
