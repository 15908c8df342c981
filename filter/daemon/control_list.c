/*
 * control_list.c - requests about dynamic lists on the control socket.
 *
 *     {"command":"list-add","list":N,"entry":E,"life":MICROSECONDS}   {"ok":true,"entry":E,"life":SECONDS,"was":B}
 *     {"command":"list-remove","list":N,"entry":E}                    {"ok":true,"was":B}
 *     {"command":"list-show","list":N,"entry":E} {"ok":true,"entries":[{"entry":E,"life":SECONDS}], "next":TOKEN}
 *
 * "life" is optional when adding. list-show without "entry" gives a page of all; repeat it with "next" as "after".
 *
 * Members of the groups that the list names as writers may ask these for that list, and nothing else (peer.c).
 */
#include "daemon_private.h"

#define SECOND (INT64_C(1000) * 1000)

/* What a request is about, while it is answered. */
struct inquiry {
	struct daemon *daemon;
	const json_t *request;
	struct engine *engine;
	struct arena *arena;
	struct list *list;
	struct error err;
};

static json_t *refusal(const struct inquiry *asked)
{
	return json_pack("{s:b, s:o}", "ok", 0, "error", json_text(slice_of(asked->err.text)));
}

static json_int_t seconds(int64_t us)
{
	return (json_int_t)((us + SECOND - 1) / SECOND);
}

static json_t *member_print(const struct list_member *member)
{
	return json_pack("{s:o, s:I}", "entry", json_text(member->entry), "life", seconds(member->life_us));
}

/* ---- the requests -------------------------------------------------------------------------------------- */

static json_t *add(struct inquiry *asked)
{
	struct slice entry = control_text(asked->request, "entry");
	json_int_t life = json_integer_value(json_object_get(asked->request, "life"));
	struct list_member member;
	bool was;

	if (list_add(asked->list, asked->daemon->store, entry, life, asked->arena, &member, &was, &asked->err))
		return refusal(asked);
	return json_pack("{s:b, s:o, s:I, s:b}", "ok", 1, "entry", json_text(member.entry), "life",
			 seconds(member.life_us), "was", was);
}

static json_t *remove_entry(struct inquiry *asked)
{
	int was = list_remove(asked->list, asked->daemon->store, control_text(asked->request, "entry"), asked->arena,
			      &asked->err);

	return was < 0 ? refusal(asked) : json_pack("{s:b, s:b}", "ok", 1, "was", was);
}

static json_t *show_one(struct inquiry *asked)
{
	struct list_member member;
	int found = list_member(asked->list, asked->daemon->store, control_text(asked->request, "entry"), asked->arena,
				&member, &asked->err);

	if (found < 0)
		return refusal(asked);
	return found ? json_pack("{s:b, s:[o]}", "ok", 1, "entries", member_print(&member))
		     : json_pack("{s:b, s:[]}", "ok", 1, "entries");
}

static json_t *show(struct inquiry *asked)
{
	struct slice after = control_token_parse(control_text(asked->request, "after"), asked->arena);
	json_t *entries, *answer;
	struct list_page page;

	if (json_object_get(asked->request, "entry"))
		return show_one(asked);
	if (list_members(asked->list, asked->daemon->store, after, asked->arena, &page, &asked->err))
		return refusal(asked);
	entries = json_array();
	for (size_t i = 0; i < page.count; i++)
		json_array_append_new(entries, member_print(&page.members[i]));
	answer = json_pack("{s:b, s:o}", "ok", 1, "entries", entries);
	if (page.next.p)
		json_object_set_new(answer, "next", json_text(control_token_print(page.next, asked->arena)));
	return answer;
}

static json_t *answer_with(struct daemon *daemon, const json_t *request, json_t *(*answer)(struct inquiry *))
{
	struct inquiry asked = {.daemon = daemon, .request = request};
	struct slice name = control_text(request, "list");
	json_t *said;

	asked.engine = daemon_engine(daemon);
	asked.arena = arena_new();
	asked.list = policy_list_named(engine_policy(asked.engine), name);
	if (asked.list) {
		said = answer(&asked);
	} else {
		error_set(&asked.err, "%s has no list \"%.*s\"; define it with: list NAME dynamic:30m, and reload",
			  daemon->config_file, SLICE_ARGS(slice_head(name, 64)));
		said = refusal(&asked);
	}
	engine_release(asked.engine);
	arena_free(asked.arena);
	return said;
}

json_t *control_list_add(struct daemon *daemon, const json_t *request)
{
	return answer_with(daemon, request, add);
}

json_t *control_list_remove(struct daemon *daemon, const json_t *request)
{
	return answer_with(daemon, request, remove_entry);
}

json_t *control_list_show(struct daemon *daemon, const json_t *request)
{
	return answer_with(daemon, request, show);
}
