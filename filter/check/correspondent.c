/*
 * correspondent.c - is the envelope sender somebody whom our own users wrote to?
 *
 * Recipients of accepted submission mail are learned, as keyed hashes: the store has no addresses. They are learned
 * only where a rule reads this fact or greylisting. Key in the store: "corr:HASH"; the value is empty.
 */
#include "check_private.h"

#define LIFE_US   (90 * STORE_DAY_US)
#define RENEW_US  (89 * STORE_DAY_US) /* what lives longer still is not written again: one write a day for each */
#define LEARN_MAX 100                 /* recipients of a message: more is a mailing, not a correspondence */
_Static_assert(LEARN_MAX <= STORE_RENEW_MAX, "one question");
#define HASH_TEXT 16 /* 96 bits: no two of any number of addresses share one */

/* The key of a mailbox; false when the store does not answer. */
static bool find_key(struct view *view, const struct address *address, struct slice *key_r)
{
	struct slice mailbox = address_mailbox(address, view->message->arena), hash;

	if (!check_hash(view, mailbox, HASH_TEXT, &hash))
		return false;
	*key_r = store_key(view->message->arena, SLICE("corr"), hash);
	return true;
}

enum truth check_is_correspondent(struct view *view)
{
	const struct address *sender = &view->message->sender;
	struct store_item item;
	enum store_answer answer;
	struct slice key;

	if (!sender->valid || sender->domain.n == 0)
		return TRUTH_FALSE;
	if (!find_key(view, sender, &key))
		return TRUTH_UNKNOWN;
	answer = store_get(view->store, key, view->message->arena, &item);
	if (answer == STORE_OK)
		return TRUTH_TRUE;
	return answer == STORE_ABSENT ? TRUTH_FALSE : TRUTH_UNKNOWN;
}

static struct value get_correspondent(struct view *view)
{
	enum truth truth = check_is_correspondent(view);

	return truth == TRUTH_UNKNOWN ? value_unstored(TYPE_BOOL) : value_bool(truth == TRUTH_TRUE);
}

/* ---- learning ------------------------------------------------------------------------------------- */

/* All in one question: a server is asked once, however many recipients there are. */
static void learn(struct view *view)
{
	const struct message *message = view->message;
	struct slice keys[LEARN_MAX];
	size_t count = 0;

	for (size_t i = 0; i < message->recipient_count && i < LEARN_MAX; i++) {
		const struct address *address = &message->recipients[i].address;

		if (!message->recipients[i].deleted && address->valid && address->domain.n > 0)
			count += find_key(view, address, &keys[count]);
	}
	if (count > 0)
		store_renew(view->store, keys, count, SLICE(""), LIFE_US, RENEW_US);
}

static void finished(struct view *view, const struct told *told)
{
	if (view->kind != KIND_SUBMISSION || told->verdict != VERDICT_ACCEPT)
		return;
	if (check_is_read(view, CHECK_NUMBER_correspondent) || check_is_read(view, CHECK_NUMBER_greylist))
		learn(view);
}

static const struct fact facts[] = {
    FACT("correspondent", BOOL, MAIL, get_correspondent,
	 "the envelope sender is an address that our users wrote to in the last 90 days"),
};

const struct check check_correspondent = {CHECK_NAMED(correspondent), FACTS(facts), .stores = true,
					  .finished = finished};
