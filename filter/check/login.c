/*
 * login.c - what a login sends, to notice that it was stolen. Keys: login.h.
 *
 * A message is counted when it is over. Networks also count when a rule reads them: whoever knows the password counts,
 * whether or not the message is accepted, so that an account that is refused for them stays so.
 */
#include "blocked.h"
#include "check_private.h"
#include "login_private.h"

#define KNOWN_US     (LOGIN_NETWORK_DAYS * STORE_DAY_US)
#define KNOWN_AGAIN  (KNOWN_US - STORE_DAY_US) /* a key that lives longer is not written again */
#define PEAK_US      ((LOGIN_PEAK_DAYS + 1) * STORE_DAY_US)
#define PEAK_TRIES   8
#define PREFIX_INET  24
#define PREFIX_INET6 48

/* Of one message. */
struct use {
	struct slice name, network; /* network "": the client has no address */
	bool networked;             /* its network was counted */
	bool over;                  /* the message was counted: it is no more one that comes on top */
	bool peaked;
	struct login_peak peak;
	struct slice was; /* its text in the store; p NULL: there is none */
};

/* ---- whose message, and from where ---------------------------------------------------------------- */

static struct slice network_of(struct ip client, struct arena *arena)
{
	char text[IP_TEXT];
	struct slice length = client.family == 6 ? SLICE("48") : SLICE("24");
	struct ip_net net;

	_Static_assert(PREFIX_INET == 24 && PREFIX_INET6 == 48, "as written");
	if (!client.family || ip_net_parse(arena_join(arena, ip_print(client, text), SLICE("/"), length), &net) != 0)
		return SLICE("");
	return arena_join(arena, ip_print(net.ip, text), SLICE("/"), length);
}

/* NULL: nobody has logged in. */
static struct use *use_of(struct view *view)
{
	void **slot = &view->message_slots[check_number(&check_login)];
	struct arena *arena = view->message->arena;
	struct use *use = *slot;

	if (use || view->session->auth_user.n == 0)
		return use;
	*slot = use = arena_alloc(arena, sizeof(*use));
	use->name = block_fold(view->session->auth_user, arena);
	use->network = network_of(view->session->client, arena);
	return use;
}

/* ---- counting ------------------------------------------------------------------------------------------ */

static struct store_limit count_in(struct slice key, int64_t length_us, uint64_t amount)
{
	return (struct store_limit){.key = key, .length_us = length_us, .amount = amount, .hard = STORE_NO_LIMIT};
}

static enum store_answer reserve(struct view *view, const struct store_limit *limit, struct store_usage *usage_r)
{
	return view->store ? store_reserve(view->store, limit, 1, usage_r) : STORE_UNAVAILABLE;
}

static enum store_answer count_network(struct view *view, struct use *use, struct store_usage *usage_r)
{
	struct store_limit limit = count_in(LOGIN_KEY(view->message->arena, "networks", use->name), STORE_DAY_US, 1);

	limit.member = use->network;
	use->networked = true;
	return reserve(view, &limit, usage_r);
}

static int64_t day_of(const struct view *view)
{
	return view->now_us / STORE_DAY_US;
}

static enum store_answer read_peak(struct view *view, struct use *use)
{
	struct arena *arena = view->message->arena;
	struct store_item item = {.value = SLICE("")};
	enum store_answer answer = STORE_OK;

	if (use->peaked)
		return STORE_OK;
	answer =
	    view->store ? store_get(view->store, LOGIN_KEY(arena, "peak", use->name), arena, &item) : STORE_UNAVAILABLE;
	use->was = answer == STORE_OK ? item.value : (struct slice){NULL, 0};
	if (answer == STORE_OK || answer == STORE_ABSENT)
		login_peak_read(answer == STORE_OK ? item.value : SLICE(""), day_of(view), &use->peak);
	use->peaked = answer == STORE_OK || answer == STORE_ABSENT;
	return use->peaked ? STORE_OK : answer;
}

/* ---- facts ------------------------------------------------------------------------------------------------ */

/* Recipients of this message so far. */
static uint64_t recipients_of(const struct view *view, const struct use *use)
{
	return use->over ? 0 : view->message->recipient_count + (view->stage == STAGE_RCPT && view->recipient);
}

static struct value number_of(enum store_answer answer, uint64_t count)
{
	return answer == STORE_OK ? value_number((int64_t)count) : value_unstored(TYPE_NUMBER);
}

static struct value get_networks(struct view *view)
{
	struct use *use = use_of(view);
	struct store_usage usage = {0};
	enum store_answer answer;

	if (!use || use->network.n == 0)
		return value_absent(TYPE_NUMBER);
	answer = count_network(view, use, &usage);
	return number_of(answer, usage.count);
}

static struct value get_new_network(struct view *view)
{
	struct arena *arena = view->message->arena;
	struct use *use = use_of(view);
	enum store_answer here, known = STORE_ABSENT;
	struct store_item item;

	if (!use || use->network.n == 0)
		return value_absent(TYPE_BOOL);
	if (!view->store)
		return value_unstored(TYPE_BOOL);
	here = store_get(view->store, store_key(arena, SLICE("login"), SLICE("network"), use->name, use->network),
			 arena, &item);
	if (here == STORE_ABSENT)
		known = store_get(view->store, LOGIN_KEY(arena, "known", use->name), arena, &item);
	if ((here != STORE_OK && here != STORE_ABSENT) || (known != STORE_OK && known != STORE_ABSENT))
		return value_unstored(TYPE_BOOL);
	return value_bool(known == STORE_OK);
}

static struct value look(struct view *view, struct slice key, int64_t length_us, uint64_t more)
{
	struct store_limit limit = count_in(key, length_us, 0);
	struct store_usage usage = {0};
	enum store_answer answer = reserve(view, &limit, &usage);

	return number_of(answer, usage.count + more);
}

static struct value get_recipients(struct view *view)
{
	struct use *use = use_of(view);

	if (!use)
		return value_absent(TYPE_NUMBER);
	return look(view, LOGIN_KEY(view->message->arena, "recipients", use->name), STORE_DAY_US,
		    recipients_of(view, use));
}

static struct value get_refused(struct view *view)
{
	struct use *use = use_of(view);

	if (!use)
		return value_absent(TYPE_NUMBER);
	return look(view, LOGIN_KEY(view->message->arena, "refused", use->name), STORE_DAY_US, 0);
}

static struct value get_burst(struct view *view)
{
	struct use *use = use_of(view);
	struct value recent;

	if (!use)
		return value_absent(TYPE_NUMBER);
	recent =
	    look(view, LOGIN_KEY(view->message->arena, "recent", use->name), LOGIN_RECENT_US, recipients_of(view, use));
	if (recent.state != VALUE_SET)
		return recent;
	if (read_peak(view, use) != STORE_OK)
		return value_unstored(TYPE_NUMBER);
	return value_number(recent.number / (int64_t)login_peak_usual(&use->peak));
}

/* ---- the end of a message ------------------------------------------------------------------------------ */

/* Also for a message that is held or discarded: the client believes that it went out. */
static bool is_taken(const struct told *told)
{
	return told->verdict == VERDICT_ACCEPT || told->verdict == VERDICT_QUARANTINE ||
	       told->verdict == VERDICT_DISCARD;
}

static bool is_refused(const struct told *told)
{
	return told->verdict == VERDICT_REJECT || told->verdict == VERDICT_DEFER;
}

/* Another session, here or at another node, may change the peak at the same time: then it is read again. */
static void learn_peak(struct view *view, struct use *use, uint64_t recent)
{
	struct arena *arena = view->message->arena;
	enum store_answer answer = STORE_EXISTS;

	for (unsigned tries = 0; answer == STORE_EXISTS && tries < PEAK_TRIES; tries++) {
		struct slice key = LOGIN_KEY(arena, "peak", use->name), text;

		use->peaked = false;
		if (read_peak(view, use) != STORE_OK || recent <= use->peak.counts[0])
			return;
		use->peak.counts[0] = recent;
		text = login_peak_print(&use->peak, arena);
		answer = use->was.p ? store_replace(view->store, key, use->was, text, PEAK_US)
				    : store_put_absent(view->store, key, text, PEAK_US);
	}
}

static void learn_accepted(struct view *view, struct use *use)
{
	struct arena *arena = view->message->arena;
	uint64_t recipients = view->message->recipient_count;
	struct store_limit limits[] = {
	    count_in(LOGIN_KEY(arena, "recent", use->name), LOGIN_RECENT_US, recipients),
	    count_in(LOGIN_KEY(arena, "recipients", use->name), STORE_DAY_US, recipients),
	};
	struct store_usage usage[2];
	struct slice keys[2];

	if (recipients > 0 && store_reserve(view->store, limits, 2, usage) == STORE_OK)
		learn_peak(view, use, usage[0].count);
	keys[0] = LOGIN_KEY(arena, "known", use->name);
	if (use->network.n)
		keys[1] = store_key(arena, SLICE("login"), SLICE("network"), use->name, use->network);
	store_renew(view->store, keys, use->network.n ? 2 : 1, SLICE("yes"), KNOWN_US, KNOWN_AGAIN);
}

static void finished(struct view *view, const struct told *told)
{
	struct use *use = view->store ? use_of(view) : NULL;
	uint64_t refused = told->recipients_refused;
	struct store_usage usage;

	if (!use)
		return;
	use->over = true;
	if (use->network.n && !use->networked)
		count_network(view, use, &usage);
	if (is_taken(told))
		learn_accepted(view, use);
	else if (is_refused(told) && (view->message->recipient_count > 0 || refused == 0))
		refused++; /* not when all that was refused were its recipients */
	if (refused > 0) {
		struct store_limit limit =
		    count_in(LOGIN_KEY(view->message->arena, "refused", use->name), STORE_DAY_US, refused);

		reserve(view, &limit, &usage);
	}
}

static const struct fact facts[] = {
    FACT("login.networks", NUMBER, MAIL, get_networks, "networks that used the login in a day, with this one"),
    FACT("login.new-network", BOOL, MAIL, get_new_network, "the login has sent mail, but not from this network"),
    FACT("login.recipients", NUMBER, MAIL, get_recipients,
	 "recipients of the login in a day, with those of this message so far", .changes = true,
	 .counts_recipients = true),
    FACT("login.refused", NUMBER, MAIL, get_refused, "recipients and messages of the login that were refused in a day",
	 .changes = true),
    FACT("login.burst", NUMBER, MAIL, get_burst,
	 "how many times its busiest 5 minutes of 14 days the login sends in the last 5", .changes = true),
};

const struct check check_login = {CHECK_NAMED(login), FACTS(facts), .stores = true, .finished = finished};
