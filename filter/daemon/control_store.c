/*
 * control_store.c - requests about the store on the control socket. Only the daemon opens the file.
 *
 *     {"command":"store-list","prefix":P,"whole":B,"full":B}  {"ok":true,"items":[{"key":K,"kind":"window","count":N,
 *                                                             "life":SECONDS}],"next":TOKEN}
 *     {"command":"store-delete","prefix":P}                   {"ok":true,"deleted":N,"next":TOKEN}
 *     {"command":"block","what":W,"life":MICROSECONDS,"why":T}   {"ok":true,"what":W,"read":B}
 *     {"command":"unblock","what":W}                          {"ok":true,"was":B}
 *     {"command":"blocks"}                                    {"ok":true,"blocks":[{"what":W,"why":T,"life":SECONDS}],
 *                                                             "more":B}
 *     {"command":"logins","day":B,"most":N}                   {"ok":true,"logins":[{"login":L,"recent":N,
 *                                                             "recipients":N,"refused":N,"networks":N}],"more":B}
 *
 * An answer is one page. "next" is present when there is another page: repeat the request with it as "after". With
 * "whole", and to delete, a prefix is some parts of a key: "limit:a" means "limit:a", "limit:a:..." and the members
 * of "limit:a", but not "limit:ab".
 */
#include "block.h"
#include "daemon_private.h"
#include "login.h"
#include <string.h>

#define PAGE_SHORT 500 /* keys; a value is cut at SHORT_MAX: an answer stays below CONTROL_ANSWER_MAX */
#define PAGE_FULL  50
#define SHORT_MAX  200
#define SECOND     (INT64_C(1000) * 1000)

/* ---- requests ------------------------------------------------------------------------------------- */

static json_t *refusal(const char *text)
{
	return json_pack("{s:b, s:o}", "ok", 0, "error", json_text(slice_of(text)));
}

static json_t *no_store(const struct daemon *daemon)
{
	struct error text;

	error_set(&text,
		  "no store is open, because nothing in %s needs one: write a rule that reads a limit, \"blocked\" or "
		  "\"greylist\", or the setting store, and reload",
		  daemon->config_file);
	return refusal(text.text);
}

json_t *control_store_silent(struct daemon *daemon)
{
	struct error why, text;

	if (store_trouble(daemon->store, &why))
		text = why;
	else
		error_set(&text, "the store did not answer; see the log of the daemon");
	return json_pack("{s:b, s:b, s:o}", "ok", 0, "unavailable", 1, "error", json_text(slice_of(text.text)));
}

struct slice control_text(const json_t *request, const char *name)
{
	const json_t *text = json_object_get(request, name);

	return (struct slice){json_is_string(text) ? json_string_value(text) : "", json_string_length(text)};
}

struct slice control_token_print(struct slice key, struct arena *arena)
{
	struct text text;

	text_init(&text, arena, STORE_KEY_MAX * 2);
	for (size_t i = 0; i < key.n; i++)
		text_printf(&text, "%02x", (unsigned char)key.p[i]);
	return text_slice(&text);
}

static int digit(char c)
{
	const char *digits = "0123456789abcdef", *found = c ? strchr(digits, c) : NULL;

	return found ? (int)(found - digits) : -1;
}

struct slice control_token_parse(struct slice token, struct arena *arena)
{
	char *key = arena_alloc(arena, token.n / 2 + 1);

	for (size_t i = 0; i + 1 < token.n; i += 2) {
		int high = digit(token.p[i]), low = digit(token.p[i + 1]);

		if (high < 0 || low < 0)
			return SLICE("");
		key[i / 2] = (char)(high * 16 + low);
	}
	return (struct slice){key, token.n / 2};
}

/* ---- keys ------------------------------------------------------------------------------------------- */

static bool is_whole(struct slice key, struct slice prefix)
{
	return key.n == prefix.n || prefix.n == 0 || prefix.p[prefix.n - 1] == ':' || key.p[prefix.n] == ':' ||
	       key.p[prefix.n] == ' ';
}

/* Keys of hashes: who knows them can make tokens, or find which address a hash is of. */
static bool is_secret(struct slice key)
{
	return slice_equal(key, SLICE("rua:secret")) || slice_starts_nocase(key, SLICE("secret:"));
}

static json_t *item_print(const struct store_item *item, bool full)
{
	static const char *const kinds[] = {
	    [STORE_VALUE] = "value", [STORE_WINDOW] = "window", [STORE_DISTINCT] = "distinct", [STORE_SUM] = "sum"};
	json_t *object = json_pack("{s:o, s:s, s:I}", "key", json_text(item->key), "kind", kinds[item->kind], "life",
				   (json_int_t)((item->life_us + SECOND - 1) / SECOND));

	if (item->kind == STORE_VALUE && is_secret(item->key))
		json_object_set_new(object, "value", json_string("(secret)"));
	else if (item->kind == STORE_VALUE)
		json_object_set_new(object, "value",
				    json_text(full ? item->value : slice_head(item->value, SHORT_MAX)));
	else
		json_object_set_new(object, "count", json_integer((json_int_t)item->count));
	return object;
}

/* A page of keys for a request; false when the store does not work. */
static bool page_read(struct daemon *daemon, const json_t *request, size_t room, struct arena *arena,
		      struct store_page *page_r)
{
	struct slice after = control_token_parse(slice_head(control_text(request, "after"), STORE_KEY_MAX * 2), arena);

	return store_scan(daemon->store, control_text(request, "prefix"), after, room, arena, page_r) == STORE_OK;
}

static void page_next(json_t *answer, const struct store_page *page, struct arena *arena)
{
	if (page->next.p)
		json_object_set_new(answer, "next", json_text(control_token_print(page->next, arena)));
}

/* Why a page cannot be had. */
static json_t *no_page(struct daemon *daemon, const json_t *request)
{
	return control_text(request, "prefix").n > STORE_KEY_MAX ? refusal("no key is as long as this prefix")
								 : control_store_silent(daemon);
}

json_t *control_store_list(struct daemon *daemon, const json_t *request)
{
	bool whole = json_is_true(json_object_get(request, "whole")),
	     full = json_is_true(json_object_get(request, "full"));
	struct arena *arena = arena_new();
	json_t *items = json_array(), *answer;
	struct store_page page;

	if (!daemon->store)
		answer = no_store(daemon);
	else if (!page_read(daemon, request, full ? PAGE_FULL : PAGE_SHORT, arena, &page))
		answer = no_page(daemon, request);
	else {
		for (size_t i = 0; i < page.count; i++)
			if (!whole || is_whole(page.items[i].key, control_text(request, "prefix")))
				json_array_append_new(items, item_print(&page.items[i], full));
		answer = json_pack("{s:b, s:O}", "ok", 1, "items", items);
		page_next(answer, &page, arena);
	}
	json_decref(items);
	arena_free(arena);
	return answer;
}

json_t *control_store_delete(struct daemon *daemon, const json_t *request)
{
	struct slice prefix = control_text(request, "prefix");
	struct arena *arena = arena_new();
	struct store_page page;
	json_int_t deleted = 0;
	json_t *answer;

	if (!daemon->store)
		answer = no_store(daemon);
	else if (prefix.n == 0)
		answer = refusal("name a key, or the first parts of keys");
	else if (!page_read(daemon, request, STORE_SCAN_MAX, arena, &page))
		answer = no_page(daemon, request);
	else {
		for (size_t i = 0; i < page.count; i++)
			if (is_whole(page.items[i].key, prefix))
				deleted += store_delete(daemon->store, page.items[i].key) == STORE_OK;
		answer = json_pack("{s:b, s:I}", "ok", 1, "deleted", deleted);
		page_next(answer, &page, arena);
	}
	arena_free(arena);
	return answer;
}

/* ---- blocks ---------------------------------------------------------------------------------------------- */

json_t *control_block(struct daemon *daemon, const json_t *request)
{
	struct block block = {control_text(request, "what"), control_text(request, "why"),
			      json_integer_value(json_object_get(request, "life"))};
	struct arena *arena;
	struct engine *engine;
	struct error err;
	struct slice what;
	json_t *answer;

	if (!daemon->store)
		return no_store(daemon);
	arena = arena_new();
	engine = daemon_engine(daemon);
	if (block_add(daemon->store, &block, arena, &what, &err) == 0)
		answer = json_pack("{s:b, s:o, s:b}", "ok", 1, "what", json_text(what), "read",
				   policy_reads(engine_policy(engine), fact_find(SLICE("blocked"))));
	else
		answer = refusal(err.text);
	engine_release(engine);
	arena_free(arena);
	return answer;
}

json_t *control_unblock(struct daemon *daemon, const json_t *request)
{
	struct arena *arena;
	struct error err;
	int was;

	if (!daemon->store)
		return no_store(daemon);
	arena = arena_new();
	was = block_remove(daemon->store, control_text(request, "what"), arena, &err);
	arena_free(arena);
	return was < 0 ? refusal(err.text) : json_pack("{s:b, s:b}", "ok", 1, "was", was);
}

json_t *control_blocks(struct daemon *daemon, const json_t *request)
{
	json_t *list = json_array(), *answer;
	struct arena *arena = arena_new();
	struct block *blocks;
	struct error err;
	size_t count = 0;
	bool more;

	(void)request;
	if (!daemon->store)
		answer = no_store(daemon);
	else if (block_list(daemon->store, arena, &blocks, &count, &more, &err) != 0)
		answer = refusal(err.text);
	else
		answer = json_pack("{s:b, s:O, s:b}", "ok", 1, "blocks", list, "more", more);
	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_pack("{s:o, s:o, s:I}", "what", json_text(blocks[i].what), "why",
						      json_text(blocks[i].why), "life",
						      (json_int_t)((blocks[i].life_us + SECOND - 1) / SECOND)));
	json_decref(list);
	arena_free(arena);
	return answer;
}

/* ---- logins ----------------------------------------------------------------------------------------------- */

static json_t *login_print(const struct login *login)
{
	return json_pack("{s:o, s:I, s:I, s:I, s:I}", "login", json_text(login->name), "recent",
			 (json_int_t)login->recent, "recipients", (json_int_t)login->recipients, "refused",
			 (json_int_t)login->refused, "networks", (json_int_t)login->networks);
}

json_t *control_logins(struct daemon *daemon, const json_t *request)
{
	bool day = json_is_true(json_object_get(request, "day")), more = false;
	json_int_t most = json_integer_value(json_object_get(request, "most"));
	json_t *list = json_array(), *answer;
	struct arena *arena = arena_new();
	struct login *logins;
	size_t count = 0;

	if (!daemon->store)
		answer = no_store(daemon);
	else if (login_list(daemon->store, day, most > 0 ? (size_t)most : LOGIN_LIST_MAX, arena, &logins, &count,
			    &more) != 0)
		answer = refusal("the store does not answer; see the log of the daemon");
	else
		answer = json_pack("{s:b, s:O, s:b}", "ok", 1, "logins", list, "more", more);
	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, login_print(&logins[i]));
	json_decref(list);
	arena_free(arena);
	return answer;
}
