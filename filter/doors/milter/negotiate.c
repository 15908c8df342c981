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
#include "milter_private.h"

/* Always: any policy may change the header or hold a message. */
#define ACTIONS_WANTED (SMFIF_ADDHDRS | SMFIF_CHGHDRS | SMFIF_QUARANTINE | SMFIF_SETSYMLIST)

/* Connect, HELO, DATA, header and its end have no verdicts. */
#define STEPS_MUTE (SMFIP_NR_CONN | SMFIP_NR_HELO | SMFIP_NR_DATA | SMFIP_NR_HDR | SMFIP_NR_EOH)

/* At DATA only the queue id is new, and an MTA that skips DATA sends it before the header. The
 * end of the header stays although nothing happens there: without it libmilter 8.17 sees no way from DATA to the
 * end of a message that has no header fields, and never answers. */
#define STEPS_UNWANTED (SMFIP_NODATA | SMFIP_NOUNKNOWN)

/* The body: not at all, only the first chunk, or all of it. All of it has no reply: a reply for each 64 KB would make
 * the MTA and us wait for each other. (callbacks.c needs the change of fields for both, to see the end.) */
static unsigned long steps_of_body(struct wishes wishes, const struct terms *terms, unsigned long offered, bool *skip_r)
{
	*skip_r = false;
	if (!wishes.body && (offered & SMFIP_NOBODY))
		return SMFIP_NOBODY | SMFIP_NR_BODY;
	if (!(terms->actions & SMFIF_CHGHDRS))
		return 0;
	*skip_r = !wishes.body && (offered & SMFIP_SKIP);
	return *skip_r ? SMFIP_SKIP : SMFIP_NR_BODY;
}

/* What only some policies need, and what the engine may then ask for. */
static const struct {
	unsigned need;
	unsigned long action;
	enum change_kind change;
} extras[] = {
    {NEED_SENDER, SMFIF_CHGFROM, CHANGE_SENDER},
    {NEED_ADD_RECIPIENT, SMFIF_ADDRCPT, CHANGE_ADD_RECIPIENT},
    {NEED_DELETE_RECIPIENT, SMFIF_DELRCPT, CHANGE_DELETE_RECIPIENT},
    {NEED_NEW_BODY, SMFIF_CHGBODY, CHANGE_BODY},
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

struct terms negotiate_terms(struct wishes wishes, unsigned long offered_actions, unsigned long offered_steps)
{
	struct terms terms = {.actions = actions_of(wishes) & offered_actions};

	terms.steps = STEPS_MUTE | STEPS_UNWANTED | SMFIP_HDR_LEADSPC;
	terms.steps |= steps_of_body(wishes, &terms, offered_steps, &terms.skip_body);
	if (!wishes.reply_mail)
		terms.steps |= SMFIP_NR_MAIL;
	if (!wishes.reply_rcpt)
		terms.steps |= SMFIP_NR_RCPT;
	terms.steps &= offered_steps;
	terms.leading_space = (terms.steps & SMFIP_HDR_LEADSPC) != 0;
	return terms;
}

/* Sendmail waits 10 s for an answer by default, and then lets the message through unfiltered. At the end of the message
 * we could report progress and take longer; the client waits there. */
#define WAIT_US (8 * 1000 * 1000)

struct abilities negotiate_abilities(const struct terms *terms)
{
	unsigned inserts = terms->actions & SMFIF_ADDHDRS ? 1u << CHANGE_INSERT | 1u << CHANGE_APPEND : 0;
	unsigned changes = terms->actions & SMFIF_CHGHDRS ? 1u << CHANGE_DELETE | 1u << CHANGE_REPLACE : 0;

	for (size_t i = 0; i < EXTRA_COUNT; i++)
		if (terms->actions & extras[i].action)
			changes |= 1u << extras[i].change;
	return (struct abilities){
	    .wait_us = WAIT_US,
	    .end_us = WAIT_US,
	    .reply_mail = !(terms->steps & SMFIP_NR_MAIL),
	    .reply_rcpt = !(terms->steps & SMFIP_NR_RCPT),
	    .changes = inserts | changes,
	    .quarantine = (terms->actions & SMFIF_QUARANTINE) != 0,
	};
}
