/*
 * canonical.c - the form of a record that libspf2 is given: short, without macros, and
 * without any byte that a sender wrote.
 *
 * The name of every term that queries the DNS is replaced by an alias, "t4.f0.s": term 4 of frame 0. libspf2's
 * queries for aliases come back to us (libspf2.c), so it never sees a real name. Networks are compared here: a
 * network that cannot match is left out, and the record ends after one that matches. A mark, "x4.f0.s", comes before
 * such a term, and before ptr, whose query contains no alias. The mark is a query whose answer is always negative; it
 * tells us that libspf2 has read the record up to there.
 *
 * libspf2 cuts records that compile to more than 511 bytes; with these rules no record reaches that size.
 */
#include "spf_private.h"

#include <stdio.h>

static const char qualifiers[] = {[SPF_PASS] = '+', [SPF_FAIL] = '-', [SPF_SOFTFAIL] = '~', [SPF_NEUTRAL] = '?'};

static bool asks(const struct spf_term *term)
{
	return term->mechanism != SPF_ALL && term->mechanism != SPF_IP4 && term->mechanism != SPF_IP6;
}

/* A term that matches without a DNS query: terms after it do not count. */
static void add_certain(struct text *out, const struct spf_run *run, const struct spf_term *term, unsigned frame,
			unsigned number)
{
	char buffer[IP_TEXT];

	text_printf(out, " ?exists:x%u.f%u.s %c", number, frame, qualifiers[term->result]);
	if (term->mechanism == SPF_ALL)
		text_add(out, SLICE("all"));
	else
		text_printf(out, "ip%u:%.*s", run->request->client.family,
			    SLICE_ARGS(ip_print(run->request->client, buffer)));
}

/* libspf2 refuses a length of 0; our answers emulate it. */
static void add_question(struct text *out, const struct spf_run *run, const struct spf_term *term, unsigned frame,
			 unsigned number)
{
	static const char *const names[] = {
	    [SPF_INCLUDE] = "include", [SPF_A] = "a", [SPF_MX] = "mx", [SPF_PTR] = "ptr", [SPF_EXISTS] = "exists"};

	if (term->mechanism == SPF_PTR)
		text_printf(out, " ?exists:x%u.f%u.s", number, frame);
	text_printf(out, " %c%s:t%u.f%u.s", qualifiers[term->result], names[term->mechanism], number, frame);
	if (term->mechanism != SPF_A && term->mechanism != SPF_MX)
		return;
	if (run->request->client.family == 4 && term->prefix4 > 0)
		text_printf(out, "/%u", term->prefix4);
	if (run->request->client.family == 6 && term->prefix6 > 0)
		text_printf(out, "//%u", term->prefix6);
}

struct slice spf_canonical(const struct spf_run *run, const struct spf_frame *frame, unsigned frame_number)
{
	const struct spf_record *record = frame->record;
	unsigned questions = 0;
	struct text out;

	text_init(&out, run->arena, SPF_CANONICAL_MAX);
	text_add(&out, SLICE("v=spf1"));
	for (unsigned i = 0; i < record->term_count; i++) {
		const struct spf_term *term = &record->terms[i];

		if (asks(term)) {
			add_question(&out, run, term, frame_number, i);
			if (++questions == SPF_CANONICAL_TERMS)
				return text_slice(&out);
		} else if (term->mechanism == SPF_ALL || ip_net_contains(&term->net, run->request->client)) {
			add_certain(&out, run, term, frame_number, i);
			return text_slice(&out);
		}
	}
	if (record->redirect.count)
		text_printf(&out, " redirect=t%u.f%u.s", SPF_ALIAS_REDIRECT, frame_number);
	return text_slice(&out);
}

bool spf_alias_parse(const char *name, struct spf_alias *alias_r)
{
	char kind;

	*alias_r = (struct spf_alias){0};
	if (sscanf(name, "h%u.t%u.f%u.s", &alias_r->host, &alias_r->term, &alias_r->frame) == 3)
		return true;
	alias_r->host = 0;
	if (sscanf(name, "%c%u.f%u.s", &kind, &alias_r->term, &alias_r->frame) != 3)
		return false;
	alias_r->reached = kind == 'x';
	return kind == 't' || kind == 'x';
}
