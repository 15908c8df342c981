/*
 * envelope.c - the envelope and what the MTA says about the message: sender, recipient, queue id, size.
 */
#include "check_private.h"

static struct value address_value(const struct address *address)
{
	return (struct value){.state = VALUE_SET, .type = TYPE_ADDRESS, .address = *address};
}

static struct value get_sender(struct view *view)
{
	return address_value(&view->message->sender);
}

static struct value get_sender_domain(struct view *view)
{
	return value_text(TYPE_DOMAIN, view->message->sender.domain);
}

static struct value get_recipient(struct view *view)
{
	return address_value(&view->recipient->address);
}

static struct value get_recipient_domain(struct view *view)
{
	return value_text(TYPE_DOMAIN, view->recipient->address.domain);
}

static struct value get_recipients(struct view *view)
{
	const struct message *message = view->message;
	int64_t count = 0;

	for (size_t i = 0; i < message->recipient_count; i++)
		count += !message->recipients[i].deleted;
	return value_number(count);
}

static struct value get_refused(struct view *view)
{
	return value_number(view->session->refused);
}

static struct value get_queue_id(struct view *view)
{
	return value_text(TYPE_STRING, view->message->queue_id);
}

static struct value get_case(struct view *view)
{
	return value_text(TYPE_STRING, view->message->case_id);
}

static struct value get_size(struct view *view)
{
	return value_number((int64_t)view->message->size);
}

static const struct fact facts[] = {
    FACT("sender", ADDRESS, MAIL, get_sender, "the envelope sender (MAIL FROM)", .replays = true),
    FACT("sender.domain", DOMAIN, MAIL, get_sender_domain, "its domain", .replays = true),
    FACT("recipient", ADDRESS, RCPT, get_recipient, "the envelope recipient (RCPT TO) at hand", .replays = true,
	 .scope = SCOPE_RECIPIENT),
    FACT("recipient.domain", DOMAIN, RCPT, get_recipient_domain, "its domain", .replays = true,
	 .scope = SCOPE_RECIPIENT),
    FACT("case", STRING, CONNECT, get_case, "our own name of the message, also in the record", .apart = true),
    FACT("recipients", NUMBER, MESSAGE, get_recipients, "how many recipients the message has"),
    FACT("refused.recipients", NUMBER, MAIL, get_refused, "recipients that were refused so far on the connection",
	 .changes = true, .counts_recipients = true, .needs = NEED_REFUSED),
    FACT("queue-id", STRING, MESSAGE, get_queue_id, "the MTA's name of the message"),
    FACT("size", NUMBER, MESSAGE, get_size, "bytes of header and body", .needs = NEED_HEADERS | NEED_BODY),
};

const struct check check_envelope = {CHECK_NAMED(envelope), FACTS(facts)};
