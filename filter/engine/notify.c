/*
 * notify.c - notes of the action notify: each is sent once in its time, over all sessions and restarts, and never
 *because of mail that the mailer itself sent.
 *
 * Keys in the store:
 *
 *	notify:once:RECIPIENT:TEXT   it was sent; lives as long as the rule says. TEXT without numbers that facts filled
 *in notify:sent:ID               the Message-ID of a note is PREFIX ID "@..."; lives SENT_US
 */
#include "notify.h"

#include <stdlib.h>

#define SENT_US       (5 * STORE_DAY_US) /* as long as mail servers try */
#define RECIPIENT_MAX 320                /* RFC 5321 4.5.3.1 */

/* ---- mail of our own ------------------------------------------------------------------------------ */

/* A field says that it is one of our notes, and we sent it. */
static bool has_our_id(const struct gate *gate, struct arena *arena)
{
	const struct headers *headers = &gate->message.headers;
	struct slice prefix = SLICE("<" NOTE_ID_PREFIX), value, id;
	struct store_item item;

	for (size_t i = 0; i < headers->count; i++) {
		if (!slice_equal_nocase(headers->fields[i].name, SLICE("Message-ID")))
			continue;
		value = slice_trim(headers->fields[i].value);
		if (!slice_starts_nocase(value, prefix))
			continue;
		value = slice_from(value, prefix.n);
		if (slice_cut(&value, '@', &id) && id.n > 0 && id.n <= NOTE_ID_MAX && gate->store &&
		    store_get(gate->store, note_id_key(id, arena), arena, &item) == STORE_OK)
			return true;
	}
	return false;
}

/* It has the null sender, and nobody logged in to send it: a user cannot write what would keep us silent. Before the
 * header has come, the connection tells. */
static bool is_ours(const struct gate *gate, struct arena *arena)
{
	const struct session *session = &gate->session;

	if (gate->message.sender.text.n > 0 || session->auth_user.n > 0)
		return false;
	return (gate->engine->mailer && mailer_owns(gate->engine->mailer, session->client, session->client_port)) ||
	       has_our_id(gate, arena);
}

/* ---- once ------------------------------------------------------------------------------------------ */

static struct slice once_key(const struct notice *notice, const struct address *recipient, struct arena *arena)
{
	return store_key(arena, SLICE("notify"), SLICE("once"), address_fold(recipient, arena), notice->key);
}

/* What the mailer could not send may be said again. */
struct promise {
	struct store *store;
	struct slice key;
};

static void settle(void *promise_, enum mailed mailed)
{
	struct promise *promise = promise_;

	if (mailed == MAIL_LOST)
		store_delete(promise->store, promise->key);
	free((char *)promise->key.p);
	free(promise);
}

static struct promise *promise_new(struct store *store, struct slice key)
{
	struct promise *promise = xmalloc(sizeof(*promise));

	promise->store = store;
	promise->key = (struct slice){memcpy(xmalloc(key.n), key.p, key.n), key.n};
	return promise;
}

/* ---- sending ----------------------------------------------------------------------------------------- */

/* NULL, or why not. */
static const char *submit(struct gate *gate, const struct notice *notice, const struct address *recipient,
			  struct slice key)
{
	struct arena *arena = gate->message.arena;
	struct store *store = gate->engine->store;
	struct note_text note = {.gate = gate, .notice = notice, .recipient = recipient, .id = note_id_new(arena)};
	struct promise *promise;
	struct mailer_message message = {.recipient = recipient->text, .done = settle};

	if (!gate->engine->mailer)
		return NULL; /* a trial */
	if (store_put(gate->store, note_id_key(note.id, arena), SLICE("sent"), SENT_US) != STORE_OK)
		return "the store does not answer";
	message.text = note_print(&note, arena);
	message.context = promise = promise_new(store, key);
	if (mailer_submit(gate->engine->mailer, &message))
		return NULL;
	settle(promise, MAIL_LOST);
	return "the queue of the mailer is full";
}

/* Mail can be sent to it; without a domain it is a user of this host. */
static bool is_mailbox(const struct address *address)
{
	bool plain = address->valid && address->text.n > 0 && address->text.n <= RECIPIENT_MAX;

	for (size_t i = 0; plain && i < address->text.n; i++)
		plain = !is_control(address->text.p[i]) && !strchr(" <>", address->text.p[i]);
	return plain && (address_usable(address) || address_notation(address) == ADDRESS_BARE);
}

/* NULL: it is sent; else why not. */
static const char *send_notice(struct gate *gate, const struct notice *notice)
{
	struct arena *arena = gate->message.arena;
	struct address recipient = address_parse_path(notice->recipient, arena);
	struct store *store = gate->engine->store;
	struct slice key;
	enum store_answer answer;

	if (!is_mailbox(&recipient))
		return "it is not an address that mail can be sent to";
	if (gate->settings->mailer.text.n == 0)
		return "there is no mailer";
	if (is_ours(gate, arena))
		return "this is a note of our own";
	key = once_key(notice, &recipient, arena);
	answer = store ? store_put_absent(gate->store, key, SLICE("sent"), notice->once_us) : STORE_UNAVAILABLE;
	if (answer == STORE_EXISTS)
		return "it was sent before";
	if (answer != STORE_OK)
		return "the store does not answer";
	return submit(gate, notice, &recipient, key);
}

void notices_send(struct gate *gate)
{
	struct decision *decision = &gate->decision;

	for (size_t i = 0; i < decision->notice_count; i++) {
		const struct notice *notice = &decision->notices[i];
		const char *why = send_notice(gate, notice);

		decision_note(decision, NOTE_NOTIFY,
			      why ? arena_printf(gate->message.arena, "not to %.*s, because %s: %.*s",
						 SLICE_ARGS(notice->recipient), why, SLICE_ARGS(notice->text))
				  : arena_printf(gate->message.arena, "to %.*s: %.*s", SLICE_ARGS(notice->recipient),
						 SLICE_ARGS(notice->text)),
			      notice->rule);
	}
}
