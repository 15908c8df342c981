/*
 * blocked.c - is the login, the envelope sender or the client blocked by the administrator (block.h)?
 */
#include "blocked.h"
#include "check_private.h"

#define LENGTHS_MAX 129 /* possible prefix lengths */

/* Found: the reason is in the item. */
static enum store_answer find_name(struct view *view, struct slice name, struct store_item *item_r)
{
	if (name.n == 0)
		return STORE_ABSENT;
	return store_get(view->store, block_name_key(name, view->message->arena), view->message->arena, item_r);
}

static enum store_answer find_net(struct view *view, struct ip client, struct slice length, struct store_item *item_r)
{
	struct arena *arena = view->message->arena;
	char text[IP_TEXT];
	struct ip_net net;

	/* clears the bits after the prefix */
	if (ip_net_parse(arena_join(arena, ip_print(client, text), SLICE("/"), length), &net) != 0)
		return STORE_ABSENT;
	return store_get(view->store, block_net_key(&net, arena), arena, item_r);
}

static enum store_answer find_client(struct view *view, struct store_item *item_r)
{
	struct ip client = view->session->client;
	struct arena *arena = view->message->arena;
	struct store_item lengths;
	struct slice rest, length;
	enum store_answer answer;

	if (!client.family)
		return STORE_ABSENT;
	answer = store_get(view->store, block_lengths_key(client.family, arena), arena, &lengths);
	if (answer != STORE_OK)
		return answer;
	rest = lengths.value;
	answer = STORE_ABSENT;
	for (int i = 0; i < LENGTHS_MAX && answer == STORE_ABSENT && slice_word(&rest, &length); i++)
		answer = find_net(view, client, length, item_r);
	return answer;
}

static enum store_answer find(struct view *view, struct store_item *item_r)
{
	enum store_answer answer;

	if (!view->store)
		return STORE_UNAVAILABLE;
	answer = find_name(view, view->session->auth_user, item_r);
	if (answer == STORE_ABSENT)
		answer = find_name(view, view->message->sender.text, item_r);
	return answer == STORE_ABSENT ? find_client(view, item_r) : answer;
}

static struct value get_blocked(struct view *view)
{
	struct store_item item;
	enum store_answer answer = find(view, &item);

	if (answer != STORE_OK && answer != STORE_ABSENT)
		return value_unstored(TYPE_BOOL);
	return value_bool(answer == STORE_OK);
}

static struct value get_why(struct view *view)
{
	struct store_item item;
	enum store_answer answer = find(view, &item);

	if (answer == STORE_OK)
		return value_text(TYPE_STRING, item.value);
	return answer == STORE_ABSENT ? value_absent(TYPE_STRING) : value_unstored(TYPE_STRING);
}

static const struct fact facts[] = {
    FACT("blocked", BOOL, MAIL, get_blocked, "the login, the sender or the client is blocked (sekisho block)",
	 .changes = true),
    FACT("blocked.why", STRING, MAIL, get_why, "the reason that was given for it", .changes = true),
};

const struct check check_blocked = {CHECK_NAMED(blocked), FACTS(facts), .stores = true};
