/*
 * limit.c - limits: how many messages, recipients or bytes of one kind are allowed in a period.
 *
 * A limit is reserved when a rule reads it: immediately and for all sessions, so that no two sessions take the same
 * place. When the message is over, its reservations are released unless it was accepted. The reservation of a refused
 * recipient is released at the next reading. So a message counts once for a limit, when a rule has read it.
 *
 * A unit is what is counted together: the current recipient, or the message. In rules for the message it is what its
 * recipients have not reserved yet.
 *
 * Key in the store: "limit:NAME:WHAT:VALUE" or "limit:NAME:WHAT:VALUE:VALUE", WHAT as `count` says it, values in lower
 * case.
 */
#include "check_private.h"
#include <string.h>

#define KEYS_MAX   2
#define COUNT_MOST (INT64_C(1) << 50) /* bounds mistakes in units */
#define SECOND     INT64_C(1000000)

enum counted { COUNT_MESSAGES, COUNT_RECIPIENTS, COUNT_DISTINCT, COUNT_BYTES };
static const char *const counted_words[] = {"messages", "recipients", "distinct-recipients", "bytes", NULL};

/* limit NAME { } */
struct limit {
	struct slice name;
	SETTING_ITEMS(const struct fact *) keys;
	enum counted counted;
	int64_t soft, hard; /* 0: none */
	int64_t per_us;
	struct list *exempt; /* NULL: nobody */
};

enum word { UNDER, SOFT, OVER };
static const char *const words[] = {"under", "soft", "over", NULL};

/* What was reserved for one unit, or refused because it did not fit. */
struct held {
	struct held *older;
	const char *unit; /* address of the text of the recipient; NULL: the message */
	struct store_limit asked;
	struct store_usage usage;
	enum store_answer answer;
};

/* A limit that this message has met. Only the newest reservation can be that of a refused recipient. */
struct met {
	struct met *next;
	const struct limit *limit;
	struct held *newest;
	struct slice key; /* "": no limit applies */
	bool keyed;       /* the key was found, and is that of the message: it stays, even when more becomes known */
	bool ended;       /* no recipient can be refused any more: a rule for the message has read it */
	bool whole;       /* a reading has counted all recipients */
};

struct reading {
	struct view *view;
	struct met *met;
	const struct limit *limit;
	struct slice key;
};

static bool counts_recipients(const struct limit *limit)
{
	return limit->counted == COUNT_RECIPIENTS || limit->counted == COUNT_DISTINCT;
}

/* Each recipient has its own. */
static bool is_of_recipient(const struct limit *limit)
{
	bool is = false;

	for (size_t i = 0; i < limit->keys.count; i++)
		is |= limit->keys.items[i]->scope == SCOPE_RECIPIENT;
	return is;
}

/* ---- what is held ------------------------------------------------------------------------------ */

static struct held *hold(const struct reading *reading, const struct recipient *recipient, uint64_t amount)
{
	const struct limit *limit = reading->limit;
	struct arena *arena = reading->view->message->arena;
	struct held *held = arena_alloc(arena, sizeof(*held));

	held->older = reading->met->newest;
	held->unit = recipient ? recipient->address.text.p : NULL;
	held->asked = (struct store_limit){.key = reading->key,
					   .length_us = limit->per_us,
					   .amount = amount,
					   .hard = limit->hard ? (uint64_t)limit->hard : STORE_NO_LIMIT};
	if (limit->counted == COUNT_DISTINCT)
		held->asked.member = address_fold(&recipient->address, arena);
	held->answer = store_reserve(reading->view->store, &held->asked, 1, &held->usage);
	reading->met->newest = held;
	return held;
}

static void give_back_newest(struct view *view, struct met *met)
{
	const struct held *held = met->newest;

	if (held->answer == STORE_OK)
		store_release(view->store, &held->asked, 1, &held->usage);
	met->newest = held->older;
}

/* The text of each recipient is a separate copy, so its address identifies the RCPT. */
static bool is_accepted(const struct message *message, const char *unit)
{
	for (size_t i = message->recipient_count; i-- > 0;)
		if (message->recipients[i].address.text.p == unit)
			return true;
	return false;
}

static void give_back_refused(struct view *view, struct met *met)
{
	const char *unit = met->newest ? met->newest->unit : NULL;

	if (met->ended)
		return;
	if (unit && !(view->recipient && view->recipient->address.text.p == unit) && !is_accepted(view->message, unit))
		give_back_newest(view, met);
	met->ended = view->stage == STAGE_MESSAGE;
}

/* ---- reading ------------------------------------------------------------------------------------ */

/* The current recipient, or the message; once. */
static const struct held *hold_unit(const struct reading *reading)
{
	struct view *view = reading->view;
	const struct limit *limit = reading->limit;
	const struct recipient *recipient = is_of_recipient(limit) || counts_recipients(limit) ? view->recipient : NULL;
	const char *unit = recipient ? recipient->address.text.p : NULL;

	for (const struct held *held = reading->met->newest; held; held = held->older) {
		if (held->unit == unit)
			return held;
		if (view->stage < STAGE_MESSAGE)
			break; /* the recipient is new: only the last reading can belong to it */
	}
	return hold(reading, recipient, limit->counted == COUNT_BYTES ? view->message->size : 1);
}

/* The accepted recipients for which no rule has read it, in order. */
static size_t find_missing(const struct reading *reading, const struct recipient **missing)
{
	const struct message *message = reading->view->message;
	const struct held *held = reading->met->newest;
	size_t count = 0;

	for (size_t i = message->recipient_count; i-- > 0;) {
		if (held && held->unit == message->recipients[i].address.text.p)
			held = held->older;
		else
			missing[count++] = &message->recipients[i];
	}
	return count;
}

/* All or none: when one does not fit, its answer counts. */
static void hold_each(const struct reading *reading, const struct recipient *const *missing, size_t count)
{
	struct held *before = reading->met->newest, *failed;
	size_t i = count;

	while (i > 0 && hold(reading, missing[i - 1], 1)->answer == STORE_OK)
		i--;
	if (i == 0)
		return;
	failed = reading->met->newest;
	while (reading->met->newest != before)
		give_back_newest(reading->view, reading->met);
	failed->older = before;
	reading->met->newest = failed;
}

/* The answer for the last recipient, or for all that were not counted before. NULL: no recipient. */
static const struct held *hold_whole(const struct reading *reading)
{
	const struct message *message = reading->view->message;
	const struct recipient **missing;
	size_t count;

	if (reading->met->whole)
		return reading->met->newest;
	missing = arena_alloc(message->arena, (message->recipient_count + 1) * sizeof(const struct recipient *));
	count = find_missing(reading, missing);
	if (reading->limit->counted == COUNT_DISTINCT)
		hold_each(reading, missing, count);
	else if (count || !reading->met->newest)
		hold(reading, NULL, count);
	reading->met->whole = true;
	return reading->met->newest;
}

static struct met *meet(struct view *view, const struct limit *limit)
{
	struct met **first = (struct met **)&view->message_slots[check_number(&check_limit)], *met = *first;

	while (met && met->limit != limit)
		met = met->next;
	if (met)
		return met;
	met = arena_alloc(view->message->arena, sizeof(*met));
	*met = (struct met){.next = *first, .limit = limit, .key = SLICE("")};
	*first = met;
	return met;
}

/* ---- whose limit ---------------------------------------------------------------------------------- */

static struct slice key_text(const struct value *value, struct arena *arena)
{
	if (value->type == TYPE_ADDRESS)
		return address_fold(&value->address, arena);
	return mail_fold(value_print(value, arena), arena);
}

static enum truth is_exempt(struct view *view, const struct limit *limit, const struct value *value, struct slice text)
{
	struct list_key key = {.kind = LIST_TEXT, .text = text};

	if (!limit->exempt)
		return TRUTH_FALSE;
	if (value->type == TYPE_IP)
		key = (struct list_key){.kind = LIST_IP, .ip = value->ip};
	if (value->type == TYPE_ADDRESS)
		key = (struct list_key){.kind = LIST_ADDRESS, .address = &value->address};
	return list_has(limit->exempt, view->store, &key);
}

/* SET: *key_r is the key. ABSENT: no limit applies. */
static struct value find_key(struct view *view, const struct limit *limit, struct slice *key_r)
{
	struct slice parts[3 + KEYS_MAX] = {SLICE("limit"), limit->name, slice_of(counted_words[limit->counted])};
	struct arena *arena = view->message->arena;
	size_t count = 3;

	for (size_t i = 0; i < limit->keys.count; i++) {
		struct value value = fact_get(view, limit->keys.items[i], NO_ARGUMENT);
		enum truth exempt;

		if (value.state == VALUE_UNKNOWN)
			return value;
		parts[count] = key_text(&value, arena);
		if (parts[count].n == 0)
			return value_absent(TYPE_STRING);
		exempt = is_exempt(view, limit, &value, parts[count]);
		if (exempt == TRUTH_UNKNOWN)
			return value_unknown(TYPE_STRING, list_unknown(limit->exempt));
		if (exempt == TRUTH_TRUE)
			return value_absent(TYPE_STRING);
		count++;
	}
	*key_r = store_key_parts(arena, parts, count);
	return value_text(TYPE_STRING, *key_r);
}

static struct value key_of(struct view *view, struct met *met, struct slice *key_r)
{
	struct value found;

	*key_r = met->key;
	if (met->keyed)
		return value_text(TYPE_STRING, met->key);
	found = find_key(view, met->limit, key_r);
	met->keyed = found.state != VALUE_UNKNOWN && !is_of_recipient(met->limit);
	if (met->keyed)
		met->key = *key_r;
	return found;
}

/* ---- facts -------------------------------------------------------------------------------------------- */

/* *held_r: what the limit says about the current unit; NULL: the value says why not. */
static struct value read_limit(struct view *view, const struct limit *limit, const struct held **held_r)
{
	struct reading reading = {.view = view, .met = meet(view, limit), .limit = limit};
	struct value found = key_of(view, reading.met, &reading.key);
	const struct held *held;
	bool whole;

	*held_r = NULL;
	if (found.state != VALUE_SET)
		return found;
	if (!view->store)
		return value_unstored(TYPE_STRING);
	give_back_refused(view, reading.met);
	whole = counts_recipients(limit) && !is_of_recipient(limit) && view->stage == STAGE_MESSAGE;
	held = whole ? hold_whole(&reading) : hold_unit(&reading);
	if (!held)
		return value_absent(TYPE_STRING);
	if (held->answer != STORE_OK && held->answer != STORE_OVER)
		return value_unstored(TYPE_STRING);
	*held_r = held;
	return found;
}

static struct value of_type(struct value value, enum type type)
{
	value.type = type;
	return value;
}

static struct value get_limit(struct view *view, struct argument argument)
{
	const struct limit *limit = argument.thing;
	const struct held *held;
	struct value found = read_limit(view, limit, &held);

	if (!held)
		return of_type(found, TYPE_RESULT);
	if (held->answer == STORE_OVER)
		return value_word(words[OVER]);
	return value_word(words[limit->soft && held->usage.count > (uint64_t)limit->soft ? SOFT : UNDER]);
}

static struct value get_count(struct view *view, struct argument argument)
{
	const struct held *held;
	struct value found = read_limit(view, argument.thing, &held);

	return held ? value_number((int64_t)held->usage.count) : of_type(found, TYPE_NUMBER);
}

static struct value get_reset(struct view *view, struct argument argument)
{
	const struct held *held;
	struct value found = read_limit(view, argument.thing, &held);

	return held ? value_number((held->usage.wait_us + SECOND - 1) / SECOND) : of_type(found, TYPE_NUMBER);
}

static void depends(const void *thing, struct traits *traits)
{
	static const enum stage from[] = {[COUNT_MESSAGES] = STAGE_MAIL,
					  [COUNT_RECIPIENTS] = STAGE_RCPT,
					  [COUNT_DISTINCT] = STAGE_RCPT,
					  [COUNT_BYTES] = STAGE_MESSAGE};
	const struct limit *limit = thing;

	for (size_t i = 0; i < limit->keys.count; i++)
		traits_add(traits, limit->keys.items[i]);
	if (traits->stage < from[limit->counted])
		traits->stage = from[limit->counted];
	if (limit->counted == COUNT_BYTES)
		traits->needs |= NEED_HEADERS | NEED_BODY;
}

/* ---- the end of a message --------------------------------------------------------------------------- */

/* When the client was told that the message is accepted, its reservations stay, even when it is held or discarded. */
static bool is_taken(const struct told *told)
{
	return told->verdict == VERDICT_ACCEPT || told->verdict == VERDICT_QUARANTINE ||
	       told->verdict == VERDICT_DISCARD;
}

/* What is given back together: a server is asked once for all limits, and for all recipients of each. */
struct returns {
	struct store_limit asked[STORE_LIMITS_MAX];
	struct store_usage usage[STORE_LIMITS_MAX];
	size_t count;
};

static void returns_end(struct view *view, struct returns *returns)
{
	if (returns->count > 0)
		store_release(view->store, returns->asked, returns->count, returns->usage);
	returns->count = 0;
}

/* In which it was reserved. */
static int64_t slot_of(const struct store_limit *asked, const struct store_usage *usage)
{
	return usage->at_us / (asked->length_us / STORE_SLOTS);
}

static void returns_add(struct view *view, struct returns *returns, const struct held *held)
{
	const struct store_limit *asked = &held->asked;
	size_t i = 0;

	while (i < returns->count && !slice_equal(returns->asked[i].key, asked->key))
		i++;
	if (i < returns->count && !asked->member.p &&
	    slot_of(asked, &held->usage) == slot_of(asked, &returns->usage[i])) {
		returns->asked[i].amount += asked->amount;
		return;
	}
	if (i < returns->count || returns->count == STORE_LIMITS_MAX)
		returns_end(view, returns);
	returns->asked[returns->count] = *asked;
	returns->usage[returns->count++] = held->usage;
}

static void finished(struct view *view, const struct told *told)
{
	struct returns returns = {.count = 0};

	for (struct met *met = view->message_slots[check_number(&check_limit)]; met; met = met->next) {
		if (is_taken(told))
			give_back_refused(view, met);
		for (; met->newest && !is_taken(told); met->newest = met->newest->older)
			if (met->newest->answer == STORE_OK)
				returns_add(view, &returns, met->newest);
	}
	returns_end(view, &returns);
}

/* ---- settings ----------------------------------------------------------------------------------------- */

static int finish(void *block, struct setting_told *told, struct error *err)
{
	const struct limit *limit = block;

	if (!limit->soft && !limit->hard) {
		error_set(err, "limit %.*s has neither soft nor hard; write at least one of them, as in hard 100",
			  SLICE_ARGS(limit->name));
		return -1;
	}
	told->key = "soft";
	if (limit->hard && limit->soft > limit->hard) {
		error_set(err, "soft %lld is above hard %lld and would never be reached; swap them",
			  (long long)limit->soft, (long long)limit->hard);
		return -1;
	}
	told->key = "key";
	for (size_t i = 0; i < limit->keys.count; i++) {
		if (limit->counted != COUNT_BYTES || limit->keys.items[i]->scope != SCOPE_RECIPIENT)
			continue;
		error_set(err,
			  "%s belongs to one recipient, but bytes are counted for the whole message; use another key",
			  limit->keys.items[i]->name);
		return -1;
	}
	return 0;
}

#define LIMIT(member) .offset = offsetof(struct limit, member)

#define EXAMPLE(bounds) .example = "limit logins { key auth.user count messages " bounds " per 1h }"

static const struct setting_key name = {.name = "limit",
					.type = SETTING_NAME,
					LIMIT(name),
					.usage = "limit NAME { key auth.user count messages hard 100 per 1h }",
					EXAMPLE("hard 100")};

static const struct setting_key keys[] = {
    {.name = "key",
     .type = SETTING_FACT,
     .count = SETTING_MANY,
     LIMIT(keys),
     .most_items = KEYS_MAX,
     .required = true,
     EXAMPLE("hard 100")},
    {.name = "count",
     .type = SETTING_WORD,
     LIMIT(counted),
     .words = counted_words,
     .required = true,
     EXAMPLE("hard 100")},
    {.name = "soft", .type = SETTING_SIZE, LIMIT(soft), .least = 1, .most = COUNT_MOST, EXAMPLE("soft 50 hard 100")},
    {.name = "hard", .type = SETTING_SIZE, LIMIT(hard), .least = 1, .most = COUNT_MOST, EXAMPLE("hard 100")},
    {.name = "per",
     .type = SETTING_DURATION,
     LIMIT(per_us),
     .least = STORE_WINDOW_MIN_US,
     .most = 365 * STORE_DAY_US,
     .required = true,
     EXAMPLE("hard 100")},
    {.name = "exempt", .type = SETTING_LIST, LIMIT(exempt), EXAMPLE("hard 100 exempt friends")},
};

static const struct setting_block block = {.name = "limit",
					   .size = sizeof(struct limit),
					   .value = &name,
					   SETTING_KEYS(keys),
					   .repeats = true,
					   .finish = finish};

#define OF_LIMIT .argument = ARGUMENT_THING, .depends = depends, .changes = true, .counts_recipients = true

static const struct fact facts[] = {
    FACT("limit", RESULT, MAIL, NULL, "whether the message is within that limit", .words = words, OF_LIMIT,
	 .get_of = get_limit),
    FACT("limit.count", NUMBER, MAIL, NULL, "what was counted for it in its period, including this message", OF_LIMIT,
	 .get_of = get_count),
    FACT("limit.reset", NUMBER, MAIL, NULL, "seconds until what is over the limit would fit; 0 when it is not over",
	 OF_LIMIT, .get_of = get_reset),
};

const struct check check_limit = {CHECK_NAMED(limit), FACTS(facts), .settings = &block, .stores = true,
				  .finished = finished};
