/*
 * sink.c - passes the body of a message, as it arrives, to the checks that need it.
 */
#include "check_private.h"

void view_sink(struct view *view, void (*add)(void *context, struct slice chunk), void *context)
{
	struct sink *sink = arena_alloc(view->message->arena, sizeof(*sink));

	*sink = (struct sink){view->sinks, add, context};
	view->sinks = sink;
}

static void hash(void *body, struct slice chunk)
{
	dkim_body_add(body, chunk);
}

struct dkim_body *view_body(struct view *view)
{
	if (!view->body) {
		view->body = dkim_body_new(view->message->arena);
		view_sink(view, hash, view->body);
	}
	return view->body;
}
