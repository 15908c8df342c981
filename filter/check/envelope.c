/*
 * envelope.c - the envelope and what the MTA says of the message: sender,
 * recipient, queue id, size, and whether the sender's domain can take mail back.
 */
#include "check_private.h"

static struct value address_value(const struct address *address)
{
	return (struct value){.state = VALUE_SET, .type = TYPE_ADDRESS, .address = *address};
}

static struct value get_sender(struct view *view, struct slice argument)
{
	(void)argument;
	return address_value(&view->message->sender);
}

static struct value get_sender_domain(struct view *view, struct slice argument)
{
	(void)argument;
	return value_text(TYPE_DOMAIN, view->message->sender.domain);
}

static struct value get_recipient(struct view *view, struct slice argument)
{
	(void)argument;
	return address_value(&view->recipient->address);
}

static struct value get_recipient_domain(struct view *view, struct slice argument)
{
	(void)argument;
	return value_text(TYPE_DOMAIN, view->recipient->address.domain);
}

static struct value get_mx(struct view *view, struct slice argument)
{
	struct dns_mx_outcome outcome;

	(void)argument;
	if (!view->message->sender.domain.n)
		return value_absent(TYPE_RESULT);
	dns_mx(view->budget, view->message->sender.domain, view->message->arena, &outcome);
	return value_word(dns_mx_names[outcome.result]);
}

static struct value get_queue_id(struct view *view, struct slice argument)
{
	(void)argument;
	return value_text(TYPE_STRING, view->message->queue_id);
}

static struct value get_size(struct view *view, struct slice argument)
{
	(void)argument;
	return value_number((int64_t)view->message->size);
}

static void hint(struct view *view, enum stage stage)
{
	if (stage == STAGE_MAIL && view->message->sender.domain.n)
		dns_hint(view->budget, view->message->sender.domain, DNS_MX);
}

static const struct fact facts[] = {
    {"sender", TYPE_ADDRESS, false, SCOPE_MESSAGE, STAGE_MAIL, 0, NULL, get_sender, "the envelope sender (MAIL FROM)"},
    {"sender.domain", TYPE_DOMAIN, false, SCOPE_MESSAGE, STAGE_MAIL, 0, NULL, get_sender_domain, "its domain"},
    {"recipient", TYPE_ADDRESS, false, SCOPE_RECIPIENT, STAGE_RCPT, 0, NULL, get_recipient,
     "the envelope recipient (RCPT TO) at hand"},
    {"recipient.domain", TYPE_DOMAIN, false, SCOPE_RECIPIENT, STAGE_RCPT, 0, NULL, get_recipient_domain, "its domain"},
    {"queue-id", TYPE_STRING, false, SCOPE_MESSAGE, STAGE_MESSAGE, 0, NULL, get_queue_id,
     "the MTA's name of the message"},
    {"size", TYPE_NUMBER, false, SCOPE_MESSAGE, STAGE_MESSAGE, NEED_HEADERS | NEED_BODY, NULL, get_size,
     "bytes of header and body"},
};

const struct check check_envelope = {.number = CHECK_ENVELOPE, .name = "envelope", FACTS(facts)};

/* A check of its own, so that only policies that read it make the question. */
static const struct fact mx_facts[] = {
    {"sender.domain.mx", TYPE_RESULT, false, SCOPE_MESSAGE, STAGE_MAIL, 0, dns_mx_names, get_mx,
     "whether mail can be sent back to the sender's domain"},
};

const struct check check_mx = {.number = CHECK_MX, .name = "mx", FACTS(mx_facts), .hint = hint};
