/*
 * explain.c - the explanation of a fail, published by the domain (RFC 7208 6.2).
 *
 * The text is untrusted and goes into SMTP replies and logs: printable ASCII on one
 * line, at most SPF_EXPLANATION_MAX bytes. If anything is wrong with it, there is no
 * explanation; the result does not change.
 */
#include "spf_private.h"

/* The text of exactly one TXT record, ASCII only (RFC 7208 6.2). */
static bool explanation_text(const struct dns_answer *answer, struct slice *text_r)
{
	if (answer->status != DNS_OK || answer->count != 1)
		return false;
	*text_r = answer->records[0].text;
	return true;
}

/* A macro can insert any byte: from a local part or a HELO name. */
static struct slice one_line(struct slice text, struct arena *arena)
{
	char *copy = arena_alloc(arena, text.n);

	for (size_t i = 0; i < text.n; i++)
		copy[i] = text.p[i];
	for (size_t i = 0; i < text.n; i++)
		if (copy[i] < ' ' || copy[i] > '~')
			copy[i] = '?';
	return (struct slice){copy, text.n};
}

struct slice spf_explain(struct spf_run *run, const struct spf_match *match)
{
	struct spf_frame frame = {.domain = match->domain};
	struct spf_parts parts = {.room = SPF_PARTS_MAX};
	struct spf_string string;
	struct slice domain, text, why;
	struct text out;

	if (!match->explanation)
		return SLICE("");
	run->names_counted = true; /* RFC 7208 4.6.4: the limits apply only before the result is known */
	if (spf_target(run, &frame, match->explanation, &domain, &why) != SPF_MATCH)
		return SLICE("");
	if (!explanation_text(dns_ask(run->budget, domain, DNS_TXT), &text))
		return SLICE("");
	parts.parts = arena_alloc(run->arena, parts.room * sizeof(*parts.parts));
	if (spf_string_parse(text, SPF_STRING_EXPLAIN, &parts, &string))
		return SLICE("");
	if (spf_values_fill(run, match->domain, &string, &why) != SPF_MATCH)
		return SLICE("");
	text_init(&out, run->arena, SPF_EXPLANATION_MAX);
	spf_string_expand(&string, &run->values, &out);
	return one_line(text_slice(&out), run->arena);
}
