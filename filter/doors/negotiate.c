/*
 * negotiate.c - what is requested of the MTA at the start of a session, from what
 * the compiled policy needs and what the MTA offers.
 *
 * A step that no rule can answer is requested without reply: the MTA does not wait
 * for us there. Both MTAs ignore a verdict at such a step, so a step
 * whose rules may refuse keeps its reply. (libmilter compensates for an MTA that does
 * not support steps without reply.) Connect and HELO never answer: their rules run at MAIL.
 *
 * Requesting something that was not offered ends the session, so
 * the request is limited to the offer.
 */
#include "milter.h"

/* Always: any policy may change the header or hold a message. */
#define ACTIONS_WANTED (CAN_ADD_FIELDS | CAN_CHANGE_FIELDS | CAN_QUARANTINE | CAN_NAME_MACROS)

/* Connect, HELO, DATA, header and its end have no verdicts. */
#define STEPS_MUTE (MUTE_CONNECT | MUTE_HELO | MUTE_DATA | MUTE_HEADER | MUTE_EOH)

/* At DATA only the queue id is new, and an MTA that skips DATA sends it before the header. The
 * end of the header stays although nothing happens there: without it libmilter 8.17 sees no way from DATA to the
 * end of a message that has no header fields, and never answers. */
#define STEPS_UNWANTED (NO_DATA | NO_UNKNOWN)

/* The body: not at all, only the first chunk, or all of it. All of it has no reply: a reply for each 64 KB would make
 * the MTA and us wait for each other. (The door of libmilter needs the change of fields for both, to see the end.) */
static unsigned long steps_of_body(struct wishes wishes, const struct terms *terms, unsigned long offered, bool *skip_r)
{
	*skip_r = false;
	if (!wishes.body && (offered & NO_BODY))
		return NO_BODY | MUTE_BODY;
	if (!(terms->actions & CAN_CHANGE_FIELDS))
		return 0;
	*skip_r = !wishes.body && (offered & CAN_SKIP);
	return *skip_r ? CAN_SKIP : MUTE_BODY;
}

/* What only some policies need, and what the engine may then ask for. */
static const struct {
	unsigned need;
	unsigned long action;
	enum change_kind change;
} extras[] = {
    {NEED_SENDER, CAN_CHANGE_SENDER, CHANGE_SENDER},
    {NEED_ADD_RECIPIENT, CAN_ADD_RECIPIENT, CHANGE_ADD_RECIPIENT},
    {NEED_DELETE_RECIPIENT, CAN_DELETE_RECIPIENT, CHANGE_DELETE_RECIPIENT},
    {NEED_NEW_BODY, CAN_CHANGE_BODY, CHANGE_BODY},
};
#define EXTRA_COUNT (sizeof(extras) / sizeof(extras[0]))

static unsigned long actions_of(struct wishes wishes)
{
	unsigned long actions = ACTIONS_WANTED;

	for (size_t i = 0; i < EXTRA_COUNT; i++)
		if (wishes.needs & extras[i].need)
			actions |= extras[i].action;
	return actions;
}

struct wishes wishes_of(const struct policy *policy)
{
	return (struct wishes){
	    .body = (policy_needs(policy) & NEED_BODY) != 0,
	    .reply_mail = policy_has_rules(policy, STAGE_CONNECT) || policy_has_rules(policy, STAGE_HELO) ||
			  policy_has_rules(policy, STAGE_MAIL),
	    .reply_rcpt = policy_has_rules(policy, STAGE_RCPT),
	    .needs = policy_needs(policy),
	};
}

struct terms negotiate_terms(struct wishes wishes, unsigned long offered_actions, unsigned long offered_steps)
{
	struct terms terms = {.actions = actions_of(wishes) & offered_actions};

	terms.steps = STEPS_MUTE | STEPS_UNWANTED | LEADING_SPACE;
	terms.steps |= steps_of_body(wishes, &terms, offered_steps, &terms.skip_body);
	if (!wishes.reply_mail)
		terms.steps |= MUTE_MAIL;
	if (!wishes.reply_rcpt)
		terms.steps |= MUTE_RCPT;
	if (wishes.needs & NEED_REFUSED)
		terms.steps |= SEE_REFUSED;
	terms.steps &= offered_steps;
	terms.leading_space = (terms.steps & LEADING_SPACE) != 0;
	return terms;
}

/* Sendmail waits 10 s for an answer by default, and then lets the message through unfiltered. At the end of the message
 * we could report progress and take longer; the client waits there. */
#define WAIT_US (8 * 1000 * 1000)

struct abilities negotiate_abilities(const struct terms *terms)
{
	unsigned inserts = terms->actions & CAN_ADD_FIELDS ? 1u << CHANGE_INSERT | 1u << CHANGE_APPEND : 0;
	unsigned changes = terms->actions & CAN_CHANGE_FIELDS ? 1u << CHANGE_DELETE | 1u << CHANGE_REPLACE : 0;

	for (size_t i = 0; i < EXTRA_COUNT; i++)
		if (terms->actions & extras[i].action)
			changes |= 1u << extras[i].change;
	return (struct abilities){
	    .wait_us = WAIT_US,
	    .end_us = WAIT_US,
	    .reply_mail = !(terms->steps & MUTE_MAIL),
	    .reply_rcpt = !(terms->steps & MUTE_RCPT),
	    .changes = inserts | changes,
	    .quarantine = (terms->actions & CAN_QUARANTINE) != 0,
	};
}
