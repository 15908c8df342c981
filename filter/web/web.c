/*
 * web.c - what is answered to whom: the paths, and the password before those that show mail.
 */
#include "web_private.h"
#include <stdio.h>
#include <stdlib.h>

#define TEXT_PLAIN "text/plain; charset=utf-8"

/* ---- what needs no password ---------------------------------------------------------------------------- */

static bool wants_openmetrics(const struct request *request)
{
	const char *accept = request_header(request, MHD_HTTP_HEADER_ACCEPT);

	return accept && strstr(accept, "application/openmetrics-text");
}

static void answer_metrics(const struct request *request, struct answer *answer_r)
{
	struct web_host *host = request->web->host;
	struct engine *engine = host->engine(host);
	bool openmetrics = wants_openmetrics(request);
	struct web_state state;

	host->state(host, &state);
	answer_r->type = openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
				     : "text/plain; version=0.0.4; charset=utf-8";
	answer_r->body = web_metrics_print(&state, engine, openmetrics, request->arena);
	engine_release(engine);
}

static void answer_health(const struct request *request, struct answer *answer_r)
{
	struct web_host *host = request->web->host;
	struct web_state state;

	host->state(host, &state);
	answer_r->status = state.draining ? MHD_HTTP_SERVICE_UNAVAILABLE : MHD_HTTP_OK;
	answer_r->body = state.draining ? SLICE("the daemon is ending\n") : SLICE("ok\n");
}

/* ---- paths ------------------------------------------------------------------------------------------------ */

static const struct path {
	const char *path;
	bool open; /* without the password */
	void (*answer)(const struct request *, struct answer *answer_r);
} paths[] = {
    {"/metrics", true, answer_metrics}, {"/healthz", true, answer_health}, {"/", false, page_overview},
    {"/domains", false, page_domains},  {"/search", false, page_search},   {"/style.css", false, page_style},
    {"/icon.svg", false, page_icon},
};

static const struct path *path_find(const char *text)
{
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (strcmp(paths[i].path, text) == 0)
			return &paths[i];
	return NULL;
}

static void say(struct answer *answer_r, unsigned status, const char *text)
{
	answer_r->status = status;
	answer_r->body = slice_of(text);
}

/* True: the page may be shown. */
static bool password_given(const struct request *request, struct answer *answer_r)
{
	switch (login_check(request)) {
	case LOGIN_OK:
		return true;
	case LOGIN_OFTEN:
		say(answer_r, MHD_HTTP_TOO_MANY_REQUESTS, "Too many wrong passwords from you. Wait a minute.\n");
		answer_r->header = MHD_HTTP_HEADER_RETRY_AFTER;
		answer_r->value = "60";
		return false;
	case LOGIN_BROKEN:
		say(answer_r, MHD_HTTP_SERVICE_UNAVAILABLE,
		    "The password file cannot be used: the daemon must be able to read it, and nobody else.\n");
		return false;
	case LOGIN_NO:
		break;
	}
	say(answer_r, MHD_HTTP_UNAUTHORIZED,
	    "This page needs the password of sekisho. The user name does not matter.\n");
	answer_r->header = MHD_HTTP_HEADER_WWW_AUTHENTICATE;
	answer_r->value = "Basic realm=\"sekisho\", charset=\"UTF-8\"";
	return false;
}

void web_answer(const struct request *request, const char *method, struct answer *answer_r)
{
	const struct path *path = path_find(request->path);
	const char *host = request_header(request, MHD_HTTP_HEADER_HOST);

	*answer_r = (struct answer){.status = MHD_HTTP_OK, .type = TEXT_PLAIN};
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
		say(answer_r, MHD_HTTP_METHOD_NOT_ALLOWED, "Only GET and HEAD: nothing can be changed here.\n");
		answer_r->header = MHD_HTTP_HEADER_ALLOW;
		answer_r->value = "GET, HEAD";
	} else if (!host_is_ours(request->web->setting, host)) {
		say(answer_r, MHD_HTTP_MISDIRECTED_REQUEST,
		    "This is not a name of sekisho. If it should be, add it to the setting web { host NAME }.\n");
	} else if (path && path->open) {
		path->answer(request, answer_r);
	} else if (password_given(request, answer_r)) {
		if (path)
			path->answer(request, answer_r);
		else
			say(answer_r, MHD_HTTP_NOT_FOUND, "There is no such page.\n");
	}
}
