/*
 * mx.c - can mail be sent to the domain of the sender, or of a recipient? A separate check, so that only policies that
 * read it ask the DNS.
 */
#include "check_private.h"

/* Those of the DNS, and what only we say. */
static const char *const words[] = {"ok", "implicit", "null", "none", "temperror", "bogon", NULL};

/* An address literal is asked for nothing: it has no MX. */
static bool is_asked(struct slice domain)
{
	return domain.n > 0 && domain.p[0] != '[';
}

static struct value find(struct view *view, struct slice domain)
{
	struct dns_mx_outcome outcome;

	if (!is_asked(domain))
		return value_absent(TYPE_RESULT);
	dns_mx(view->budget, domain, view->message->arena, &outcome);
	if (bogon_hosts(view->budget, outcome.hosts, outcome.host_count))
		return value_word("bogon");
	return value_word(dns_mx_names[outcome.result]);
}

static struct value get_sender(struct view *view)
{
	return find(view, view->message->sender.domain);
}

static struct value get_recipient(struct view *view)
{
	return find(view, view->recipient->address.domain);
}

static const struct fact facts[] = {
    FACT("sender.domain.mx", RESULT, MAIL, get_sender, "whether mail can be sent back to the sender's domain",
	 .words = words),
    FACT("recipient.domain.mx", RESULT, RCPT, get_recipient, "whether mail can be sent to the recipient's domain",
	 .words = words, .scope = SCOPE_RECIPIENT),
};

static void hint(struct view *view, enum stage stage, const struct asking *asking)
{
	struct slice domain = stage == STAGE_MAIL ? view->message->sender.domain : SLICE("");

	for (size_t i = 0; is_asked(domain) && i < asking->count; i++)
		if (asking->items[i].fact == &facts[0])
			dns_hint(view->budget, domain, DNS_MX);
}

const struct check check_mx = {CHECK_NAMED(mx), FACTS(facts), .hint = hint};
