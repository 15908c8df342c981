/*
 * greylist.c - greylisting: has this sender come before, and did it wait as mail servers do?
 *
 * Who sends is told by what stays the same when a message is sent again: the domain for which SPF passes; else the
 * network of the client and the sender without its changing parts. So the answer is the same for all recipients of a
 * message, and the store is asked once.
 *
 * A sender that waited has passed when its message is accepted; the networks of enough such senders are proven. Keys in
 * the store: greylist.h.
 */
#include "check_private.h"
#include "greylist.h"

#define SECOND    INT64_C(1000000)
#define HASH_TEXT 6                  /* 36 bits: among the senders of one network */
#define RENEW_US  (1 * STORE_DAY_US) /* an entry in use is written again once a day */

enum key { KEY_DOMAIN, KEY_NETWORK };

/* greylist { } */
struct greylist {
	int64_t delay_us, window_us, remember_us;
	enum key key;
	unsigned proven; /* senders of a network; 0: no network is ever proven */
};

enum word { NEW, EARLY, PASSED, KNOWN };
static const char *const words[] = {"new", "early", "passed", "known", NULL};

/* What was decided about a message. */
struct state {
	bool decided, over;
	bool unknown, absent; /* the store does not answer; the client has no address */
	enum word word;
	int64_t wait_us;
	struct slice key;     /* of the sender; "" when it was not looked up */
	struct slice network; /* of the client; "": it has no address */
	struct slice renewed; /* the key to write again when the message is accepted; "": none */
	char value;           /* that it has */
};

static const struct greylist *settings_of(const struct view *view)
{
	return check_block(view->settings, &check_greylist);
}

/* ---- who is never asked to wait ------------------------------------------------------------------- */

/* RFC 5321 4.5.1 */
static bool is_postmaster(const struct address *address)
{
	return slice_equal_nocase(address->local, SLICE("postmaster"));
}

static bool is_for_postmaster(const struct view *view)
{
	const struct message *message = view->message;

	if (view->recipient)
		return is_postmaster(&view->recipient->address);
	if (view->stage != STAGE_MESSAGE || message->recipient_count == 0)
		return false;
	for (size_t i = 0; i < message->recipient_count; i++)
		if (!is_postmaster(&message->recipients[i].address))
			return false;
	return true;
}

/* What SPF says of the sender. With `key network` only correspondents need it. */
static enum spf_result spf_of(struct view *view)
{
	return check_spf_outcome(view)->result;
}

/* Anybody can write the address of a correspondent: where its domain denies the client, it is none. */
static enum truth is_correspondent(struct view *view)
{
	enum truth truth = check_is_correspondent(view);

	return truth == TRUTH_TRUE && spf_of(view) == SPF_FAIL ? TRUTH_FALSE : truth;
}

/* ---- deciding ------------------------------------------------------------------------------------- */

/* False: the store does not answer. */
static bool find_key(struct view *view, struct state *state)
{
	struct arena *arena = view->message->arena;
	struct slice sender;

	if (settings_of(view)->key == KEY_DOMAIN && spf_of(view) == SPF_PASS) {
		state->key = arena_join(arena, SLICE(GREYLIST_PREFIX), SLICE("d"), check_spf_outcome(view)->domain);
		state->key = slice_head(state->key, STORE_KEY_MAX);
		return true;
	}
	if (!check_hash(view, address_stable(&view->message->sender, arena), HASH_TEXT, &sender))
		return false;
	state->key = arena_join(arena, SLICE(GREYLIST_PREFIX), state->network, SLICE(":"), sender);
	return true;
}

static struct slice key_of_network(struct view *view, char letter, const struct state *state)
{
	return arena_join(view->message->arena, SLICE(GREYLIST_PREFIX), (struct slice){&letter, 1}, state->network);
}

static void know(const struct view *view, struct state *state, struct slice key, char value, int64_t life_us)
{
	state->word = KNOWN;
	state->value = value;
	if (life_us < settings_of(view)->remember_us - RENEW_US)
		state->renewed = key;
}

/* Millions of entries are shorter without the usual window. */
static struct slice waiting_value(int64_t window_us, struct arena *arena)
{
	if (window_us == GREYLIST_WINDOW * SECOND)
		return SLICE("w");
	return arena_printf(arena, "%c%lld", GREYLIST_WAITING, (long long)(window_us / SECOND));
}

static void decide_by_entry(const struct view *view, struct state *state, const struct store_item *item)
{
	const struct greylist *greylist = settings_of(view);
	uint64_t window;
	int64_t waited;

	if (item->value.n > 0 && item->value.p[0] == GREYLIST_PASSED) {
		know(view, state, state->key, GREYLIST_PASSED, item->life_us);
		return;
	}
	window = item->value.n > 1 ? 0 : GREYLIST_WINDOW;
	if (window == 0 && slice_number(slice_from(item->value, 1), STORE_LIFE_MAX_US / SECOND, &window) != 0)
		window = (uint64_t)(greylist->window_us / SECOND);
	waited = (int64_t)window * SECOND - item->life_us;
	state->wait_us = waited < greylist->delay_us ? greylist->delay_us - waited : 0;
	state->word = state->wait_us > 0 ? EARLY : PASSED;
}

/* Nobody of that name has come before: it may be one of a proven network. False: the store does not answer. */
static bool decide_anew(struct view *view, struct state *state)
{
	const struct greylist *greylist = settings_of(view);
	struct arena *arena = view->message->arena;
	struct slice proven = key_of_network(view, 'k', state);
	struct store_item item;
	enum store_answer answer = greylist->proven ? store_get(view->store, proven, arena, &item) : STORE_ABSENT;

	if (answer == STORE_OK) {
		know(view, state, proven, GREYLIST_PROVEN, item.life_us);
		return true;
	}
	if (answer != STORE_ABSENT)
		return false;
	state->word = NEW;
	state->wait_us = greylist->delay_us;
	answer =
	    store_put_absent(view->store, state->key, waiting_value(greylist->window_us, arena), greylist->window_us);
	if (answer == STORE_EXISTS) /* another session was first */
		state->word = EARLY;
	return answer == STORE_OK || answer == STORE_EXISTS;
}

static void decide(struct view *view, struct state *state)
{
	const struct check_settings *settings = view->settings;
	struct store_item item;
	enum store_answer answer;
	enum truth known;

	state->word = KNOWN;
	if (view->kind != KIND_INBOUND || relay_is(settings, view->session->client) == TRUTH_TRUE)
		return;
	state->network = greylist_network(view->session->client, view->message->arena);
	state->absent = state->network.n == 0;
	if (state->absent)
		return;
	known = is_correspondent(view);
	state->unknown = known == TRUTH_UNKNOWN;
	if (known != TRUTH_FALSE)
		return;
	state->unknown = !find_key(view, state);
	if (state->unknown)
		return;
	answer = store_get(view->store, state->key, view->message->arena, &item);
	if (answer == STORE_OK)
		decide_by_entry(view, state, &item);
	else
		state->unknown = answer != STORE_ABSENT || !decide_anew(view, state);
}

static struct state *state_of(struct view *view)
{
	void **slot = &view->message_slots[check_number(&check_greylist)];
	struct state *state = *slot;

	if (!state)
		*slot = state = arena_alloc(view->message->arena, sizeof(*state));
	if (state->decided || state->over)
		return state;
	decide(view, state);
	state->decided = true;
	return state;
}

/* ---- facts ---------------------------------------------------------------------------------------- */

static struct value get_greylist(struct view *view)
{
	const struct state *state;

	if (is_for_postmaster(view))
		return value_word(words[KNOWN]);
	state = state_of(view);
	if (state->unknown)
		return value_unstored(TYPE_RESULT);
	return state->absent || !state->decided ? value_absent(TYPE_RESULT) : value_word(words[state->word]);
}

static struct value get_wait(struct view *view)
{
	const struct state *state;

	if (is_for_postmaster(view))
		return value_number(0);
	state = state_of(view);
	if (state->unknown)
		return value_unstored(TYPE_NUMBER);
	if (state->absent || !state->decided)
		return value_absent(TYPE_NUMBER);
	return value_number((state->wait_us + SECOND - 1) / SECOND);
}

/* ---- the end of a message ------------------------------------------------------------------------- */

static void put(struct view *view, struct slice key, char value)
{
	store_put(view->store, key, (struct slice){&value, 1}, settings_of(view)->remember_us);
}

/* The sender came back and its message was taken: it has passed, and its network has one more. */
static void pass(struct view *view, const struct state *state)
{
	const struct greylist *greylist = settings_of(view);
	struct store_limit counted = {.key = key_of_network(view, 'p', state),
				      .member = state->key,
				      .length_us = greylist->remember_us,
				      .amount = 1,
				      .hard = STORE_NO_LIMIT};
	struct store_usage usage;

	put(view, state->key, GREYLIST_PASSED);
	if (greylist->proven == 0 || store_reserve(view->store, &counted, 1, &usage) != STORE_OK)
		return;
	if (usage.count >= greylist->proven)
		put(view, key_of_network(view, 'k', state), GREYLIST_PROVEN);
}

/* What nobody read is not decided afterwards, for the record. */
static void finished(struct view *view, const struct told *told)
{
	static const struct state nothing = {.over = true};
	void **slot = &view->message_slots[check_number(&check_greylist)];
	struct state *state = *slot;

	if (!state) {
		*slot = (void *)&nothing;
		return;
	}
	if (state->unknown || told->verdict != VERDICT_ACCEPT)
		return;
	if (state->word == PASSED)
		pass(view, state);
	else if (state->renewed.n > 0)
		put(view, state->renewed, state->value);
}

/* ---- settings ------------------------------------------------------------------------------------- */

static int finish(void *block, struct setting_told *told, struct error *err)
{
	const struct greylist *greylist = block;

	if (greylist->window_us > greylist->delay_us)
		return 0;
	told->key = "window";
	error_set(err, "window is not longer than delay, so nobody could come back in time; write window 2d");
	return -1;
}

#define GREYLIST(member) .offset = offsetof(struct greylist, member)

static const struct setting_key keys[] = {
    {.name = "delay",
     .type = SETTING_DURATION,
     GREYLIST(delay_us),
     .least = SECOND,
     .most = 1 * STORE_DAY_US,
     .preset = "5m"},
    {.name = "window",
     .type = SETTING_DURATION,
     GREYLIST(window_us),
     .least = 2 * SECOND,
     .most = 30 * STORE_DAY_US,
     .preset = "2d"},
    {.name = "remember",
     .type = SETTING_DURATION,
     GREYLIST(remember_us),
     .least = SECOND,
     .most = 365 * STORE_DAY_US,
     .preset = "36d"},
    {.name = "key",
     .type = SETTING_WORD,
     GREYLIST(key),
     .words = (const char *const[]){[KEY_DOMAIN] = "spf-domain", [KEY_NETWORK] = "network", NULL},
     .preset = "spf-domain"},
    {.name = "proven", .type = SETTING_NUMBER, GREYLIST(proven), .most = 1000, .preset = "5"},
};

static const struct setting_block block = {
    .name = "greylist", .size = sizeof(struct greylist), SETTING_KEYS(keys), .finish = finish};

static const struct fact facts[] = {
    FACT("greylist", RESULT, MAIL, get_greylist,
	 "whether the sender has come before, and waited as mail servers do before they try again", .words = words,
	 .changes = true),
    FACT("greylist.wait", NUMBER, MAIL, get_wait, "seconds until it may come again; 0 when it need not wait",
	 .changes = true),
};

static const struct check *const reads[] = {&check_spf, &check_correspondent, NULL};

const struct check check_greylist = {CHECK_NAMED(greylist), FACTS(facts),         .settings = &block,
				     .stores = true,        .finished = finished, .reads = reads};
