/*
 * envelope.c - the envelope and what the MTA says about the message: sender,
 * recipient, queue id, size, and whether the sender's domain accepts mail.
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

/* Those of the DNS, and what only we say. */
static const char *const mx_words[] = {"ok", "implicit", "null", "none", "temperror", "bogon", NULL};

static struct value get_mx(struct view *view)
{
	struct dns_mx_outcome outcome;

	if (!view->message->sender.domain.n)
		return value_absent(TYPE_RESULT);
	dns_mx(view->budget, view->message->sender.domain, view->message->arena, &outcome);
	if (bogon_hosts(view->budget, outcome.hosts, outcome.host_count))
		return value_word("bogon");
	return value_word(dns_mx_names[outcome.result]);
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

static void hint(struct view *view, enum stage stage, const struct asking *asking)
{
	(void)asking;
	if (stage == STAGE_MAIL && view->message->sender.domain.n)
		dns_hint(view->budget, view->message->sender.domain, DNS_MX);
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
	 .changes = true, .needs = NEED_REFUSED),
    FACT("queue-id", STRING, MESSAGE, get_queue_id, "the MTA's name of the message"),
    FACT("size", NUMBER, MESSAGE, get_size, "bytes of header and body", .needs = NEED_HEADERS | NEED_BODY),
};

const struct check check_envelope = {CHECK_NAMED(envelope), FACTS(facts)};

/* A separate check, so that only policies that read it ask the DNS. */
static const struct fact mx_facts[] = {
    FACT("sender.domain.mx", RESULT, MAIL, get_mx, "whether mail can be sent back to the sender's domain",
	 .words = mx_words),
};

const struct check check_mx = {CHECK_NAMED(mx), FACTS(mx_facts), .hint = hint};
