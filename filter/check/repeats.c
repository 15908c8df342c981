/*
 * repeats.c - DKIM replay: how often has a signature been accepted here, and from how many networks?
 *
 * Whoever has one signed message can send it again to anybody, and it passes each time. So a signature that was
 * accepted is counted, by its bytes: b= of the best signature that passes. Counted are messages that a client was told
 * are accepted, and only where a rule reads these facts.
 *
 * Keys in the store: "dkim:n:HASH", a window; "dkim:w:HASH", the networks (/24, /64) as a set.
 */
#include "check_private.h"
#include "greylist.h"
#include <stdio.h>

enum counted { MESSAGES, NETWORKS };

/* The signature that is counted; NULL: none passes. */
static const struct dkim_signature *find_signature(struct view *view)
{
	const struct dkim_outcome *outcome = check_dkim_outcome(view);

	return outcome->best && outcome->best->result == DKIM_PASS ? outcome->best : NULL;
}

static struct store_limit limit_of(struct view *view, const struct dkim_signature *signature, enum counted counted)
{
	struct arena *arena = view->message->arena;
	char text[17];
	struct store_limit limit = {.length_us = check_dkim_repeats_us(view->settings), .hard = STORE_NO_LIMIT};

	snprintf(text, sizeof(text), "%016llx", (unsigned long long)hash_slice(signature->bytes, 0));
	limit.key = store_key(arena, SLICE("dkim"), counted == NETWORKS ? SLICE("w") : SLICE("n"), slice_of(text),
			      signature->domain);
	if (counted == NETWORKS)
		limit.member = greylist_network(view->session->client, arena);
	return limit;
}

/* What was counted before this message. */
static struct value get(struct view *view, enum counted counted)
{
	const struct dkim_signature *signature = find_signature(view);
	struct store_limit limit;
	struct store_usage usage;
	enum store_answer answer;

	if (!signature)
		return value_absent(TYPE_NUMBER);
	if (!view->store)
		return value_unstored(TYPE_NUMBER);
	limit = limit_of(view, signature, counted);
	if (counted == NETWORKS) { /* nobody is added: no network has this name, and there is no room for another */
		limit.member = SLICE("?");
		limit.hard = 0;
	}
	answer = store_reserve(view->store, &limit, 1, &usage);
	if (answer != STORE_OK && answer != STORE_OVER)
		return value_unstored(TYPE_NUMBER);
	return value_number((int64_t)usage.count);
}

static struct value get_repeats(struct view *view)
{
	return get(view, MESSAGES);
}

static struct value get_networks(struct view *view)
{
	return get(view, NETWORKS);
}

static void finished(struct view *view, const struct told *told)
{
	const struct dkim_signature *signature;
	struct store_limit limits[2];
	struct store_usage usage[2];
	size_t count = view->session->client.family ? 2 : 1;

	if (told->verdict != VERDICT_ACCEPT || !view->store || !check_is_read(view, CHECK_NUMBER_repeats))
		return;
	if (view->kind != KIND_INBOUND || !check_dkim_is_judged(view))
		return; /* no question to the DNS once the client is answered */
	signature = find_signature(view);
	if (!signature)
		return;
	limits[MESSAGES] = limit_of(view, signature, MESSAGES);
	limits[NETWORKS] = limit_of(view, signature, NETWORKS);
	limits[MESSAGES].amount = limits[NETWORKS].amount = 1;
	store_reserve(view->store, limits, count, usage);
}

#define NEEDS (NEED_HEADERS | NEED_BODY)

static const struct fact facts[] = {
    FACT("dkim.repeats", NUMBER, MESSAGE, get_repeats,
	 "how often a message with the best passing signature was accepted before, within dkim { repeats-window }",
	 .needs = NEEDS),
    FACT("dkim.repeats.networks", NUMBER, MESSAGE, get_networks, "from how many networks (/24, IPv6: /64) these came",
	 .needs = NEEDS),
};

static const struct check *const reads[] = {&check_dkim, NULL};

const struct check check_repeats = {CHECK_NAMED(repeats), FACTS(facts), .stores = true, .finished = finished,
				    .reads = reads};
