/*
 * lookup_dmarc_advise.c - what the owner of a domain could improve about DMARC: one
 * advice for each mistake, omission or obsolete usage, with a code for programs.
 */
#include "lookup_dmarc.h"

#include <stdio.h>

struct adviser {
	struct lookup *lookup;
	const struct dmarc_outcome *outcome;
	lookup_tell *tell;
	void *context;
};

static void tell(struct adviser *adviser, const char *code, struct slice text)
{
	adviser->tell(adviser->context, code, lookup_safe(adviser->lookup, text));
}

/* What was found by lookup_near. */
static void tell_near(void *context, const char *code, struct slice text)
{
	tell(context, code, text);
}

/* ---- the walk ---------------------------------------------------------------------- */

#define TEXTS_MAX 20 /* other TXT records of a name that are read */

/* Of the texts at _dmarc.DOMAIN those that were meant to be a record. */
static bool about_texts(struct adviser *adviser, const struct dmarc_step *step)
{
	struct arena *arena = adviser->lookup->arena;
	struct slice name = arena_printf(arena, "_dmarc.%.*s", SLICE_ARGS(step->name));
	bool near = false;

	for (size_t i = 0; step->answer && i < step->answer->count && i < TEXTS_MAX; i++) {
		struct slice text = step->answer->records[i].text;
		struct dmarc_record record;

		if (!dmarc_is_record(text)) {
			near |= lookup_near(adviser->lookup, name, text, "DMARC1", tell_near, adviser);
			continue;
		}
		dmarc_record_parse(text, &record);
		if (record.repeated.n == 0)
			continue;
		near = true;
		tell(adviser, "repeated-tag",
		     arena_printf(arena,
				  "the record at %.*s is not read: the tag %.*s is in it more than once; leave one",
				  SLICE_ARGS(name), SLICE_ARGS(record.repeated)));
	}
	return near;
}

static void about_walk(struct adviser *adviser)
{
	const struct dmarc_walk *walk = &adviser->outcome->walk;
	struct lookup *lookup = adviser->lookup;
	struct slice org = adviser->outcome->org;
	bool near = false;

	for (size_t i = 0; i < walk->count; i++) {
		near |= about_texts(adviser, &walk->steps[i]);
		if (walk->steps[i].records > 1)
			tell(adviser, "several-records",
			     arena_printf(lookup->arena,
					  "_dmarc.%.*s has %zu DMARC records: leave one, or all are ignored",
					  SLICE_ARGS(walk->steps[i].name), walk->steps[i].records));
	}
	if (dmarc_walk_policy(walk) || walk->failed)
		return;
	near |= lookup_near_names(lookup, SLICE("_dmarc"), walk->domain, "DMARC1", tell_near, adviser) > 0;
	if (!slice_equal(org, walk->domain))
		near |= lookup_near_names(lookup, SLICE("_dmarc"), org, "DMARC1", tell_near, adviser) > 0;
	if (!near)
		tell(adviser, "no-record",
		     arena_printf(lookup->arena,
				  "publish a record: _dmarc.%.*s TXT \"v=DMARC1; p=none; rua=mailto:...\", "
				  "read the reports, then ask for quarantine or reject",
				  SLICE_ARGS(org)));
}

/* ---- the record ----------------------------------------------------------------------- */

static void about_tags(struct adviser *adviser, const struct dmarc_record *record)
{
	struct arena *arena = adviser->lookup->arena;
	struct slice rest = record->text;
	struct dmarc_tag tag;

	while (dmarc_tag_next(&rest, &tag)) {
		if (tag.wrong && tag.name.n == 0)
			tell(adviser, "not-a-tag",
			     arena_printf(arena, "\"%.*s\" %s", SLICE_ARGS(tag.value), tag.wrong));
		else if (tag.wrong)
			tell(adviser, "wrong-value",
			     arena_printf(arena, "%.*s=%.*s is ignored: %.*s %s", SLICE_ARGS(tag.name),
					  SLICE_ARGS(tag.value), SLICE_ARGS(tag.name), tag.wrong));
		else if (tag.historic)
			tell(adviser, "historic-tag",
			     arena_printf(arena, "%.*s= is ignored since RFC 9989: remove it", SLICE_ARGS(tag.name)));
		else if (tag.meant)
			tell(adviser, "unknown-tag",
			     arena_printf(arena, "%.*s= is unknown, and ignored: %s= is meant?", SLICE_ARGS(tag.name),
					  tag.meant));
	}
}

static void about_policy(struct adviser *adviser, const struct dmarc_step *step)
{
	const struct dmarc_record *record = step->record;
	bool own_only = !slice_equal(step->name, adviser->outcome->org) && record->psd != DMARC_PSD_Y;

	if (record->policy_wrong)
		tell(adviser, "no-policy",
		     record->rua.n ? SLICE("p is missing, or p, sp or np is wrong: the record counts as p=none")
				   : SLICE("p is missing, or p, sp or np is wrong, and there is no rua: "
					   "the record has no effect"));
	else if (record->p == DMARC_POLICY_NONE)
		tell(adviser, "policy-none",
		     SLICE("p=none does not protect anyone: it is for the first months, while you read the reports; "
			   "then use quarantine and reject"));
	if (record->testing)
		tell(adviser, "testing", SLICE("t=y: the policy is applied one level weaker until it is removed"));
	if (own_only && (record->sp != DMARC_NO_POLICY || record->np != DMARC_NO_POLICY))
		tell(
		    adviser, "subdomain-policy",
		    SLICE("sp and np count only in the record of the organizational domain; here they have no effect"));
	if (record->ruf.n == 0 && record->fo.n > 0)
		tell(adviser, "fo-without-ruf", SLICE("fo has no effect without ruf"));
}

/* ---- where reports go --------------------------------------------------------------------- */

static void about_consent(struct adviser *adviser, const char *tag, struct slice uri, enum dmarc_consent consent,
			  const struct dmarc_destination *destination)
{
	struct arena *arena = adviser->lookup->arena;
	struct slice question = destination->question;

	if (consent == DMARC_CONSENT_MISSING)
		tell(adviser, "no-consent",
		     arena_printf(arena,
				  "%s=%.*s is at another organization that has not agreed to it: no report is sent "
				  "there until %.*s has the TXT record \"v=DMARC1\"",
				  tag, SLICE_ARGS(uri), SLICE_ARGS(question)));
	else if (consent == DMARC_CONSENT_ELSEWHERE)
		tell(adviser, "consent-elsewhere",
		     arena_printf(arena,
				  "%s=%.*s: the record at %.*s names an address at another host, so no report is sent "
				  "to either; an address there must be at %.*s",
				  tag, SLICE_ARGS(uri), SLICE_ARGS(question), SLICE_ARGS(destination->mailbox.domain)));
	else if (consent == DMARC_CONSENT_IMPOSSIBLE)
		tell(adviser, "no-consent",
		     arena_printf(arena,
				  "%s=%.*s is at another organization, and the name at which it would agree is too "
				  "long for the DNS: no report is sent there",
				  tag, SLICE_ARGS(uri)));
}

static void about_uri(struct adviser *adviser, const struct dmarc_step *step, const char *tag, struct slice uri)
{
	struct lookup *lookup = adviser->lookup;
	enum dmarc_report kind = strcmp(tag, "ruf") == 0 ? DMARC_REPORT_FAILURE : DMARC_REPORT_AGGREGATE;
	struct dmarc_destination destination;
	enum dmarc_consent consent = dmarc_consent(step->name, uri, kind, lookup->budget, lookup->arena, &destination);

	if (consent == DMARC_CONSENT_NO_MAIL)
		tell(adviser, "no-mail-address",
		     arena_printf(lookup->arena, "%s=%.*s is not a mail address: no reports need to be sent there", tag,
				  SLICE_ARGS(uri)));
	else if (consent == DMARC_CONSENT_UNKNOWN)
		tell(
		    adviser, "consent-unknown",
		    arena_printf(lookup->arena,
				 "%s=%.*s: cannot tell now whether reports are accepted there: a DNS answer is missing",
				 tag, SLICE_ARGS(uri)));
	else
		about_consent(adviser, tag, uri, consent, &destination);
}

#define URIS_MAX 10 /* checked at most: each may cost two walks */

/* Every part is checked, because reports for a bad one are silently not sent. */
static void about_uris(struct adviser *adviser, const struct dmarc_step *step, const char *tag)
{
	struct arena *arena = adviser->lookup->arena;
	struct slice rest = step->record->text, list, part;
	struct dmarc_tag written;
	const char *wrong;

	do {
		if (!dmarc_tag_next(&rest, &written))
			return;
	} while (!slice_equal_nocase(written.name, slice_of(tag)));
	list = written.value;
	for (unsigned i = 0; i < URIS_MAX && dmarc_uri_part(&list, &part, &wrong); i++) {
		if (!wrong)
			about_uri(adviser, step, tag, part);
		else
			tell(
			    adviser, "report-address",
			    arena_printf(arena, "%s: \"%.*s\" %s: no report goes there", tag, SLICE_ARGS(part), wrong));
	}
}

static void about_reports(struct adviser *adviser, const struct dmarc_step *step)
{
	const struct dmarc_record *record = step->record;

	if (record->rua.n == 0)
		tell(adviser, "no-reports",
		     SLICE("there is no rua: the owner does not learn who sends in the name of the domain"));
	if (slice_find(record->rua, '!') >= 0 || slice_find(record->ruf, '!') >= 0)
		tell(adviser, "report-size", SLICE("a size after ! is ignored since RFC 9989: remove it"));
	about_uris(adviser, step, "rua");
	about_uris(adviser, step, "ruf");
}

void lookup_dmarc_advise(struct lookup *lookup, const struct dmarc_outcome *outcome, lookup_tell *told, void *context)
{
	struct adviser adviser = {lookup, outcome, told, context};
	const struct dmarc_step *step = dmarc_walk_policy(&outcome->walk);

	about_walk(&adviser);
	if (!step)
		return;
	about_tags(&adviser, step->record);
	about_policy(&adviser, step);
	about_reports(&adviser, step);
}
