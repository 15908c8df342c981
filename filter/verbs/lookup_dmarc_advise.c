/*
 * lookup_dmarc_advise.c - what the owner of a domain could do better about DMARC: one
 * line for each mistake, omission or habit of an older RFC.
 */
#include "lookup_dmarc.h"

#include <stdio.h>

struct adviser {
	struct lookup *lookup;
	const struct dmarc_outcome *outcome;
	void (*tell)(void *context, struct slice line);
	void *context;
};

static void tell(struct adviser *adviser, struct slice line)
{
	adviser->tell(adviser->context, lookup_safe(adviser->lookup, line));
}

/* ---- the walk ---------------------------------------------------------------------- */

static void about_walk(struct adviser *adviser)
{
	const struct dmarc_walk *walk = &adviser->outcome->walk;
	struct arena *arena = adviser->lookup->arena;

	for (size_t i = 0; i < walk->count; i++)
		if (walk->steps[i].records > 1)
			tell(adviser,
			     arena_printf(arena, "_dmarc.%.*s has %zu DMARC records: leave one, or all are ignored",
					  SLICE_ARGS(walk->steps[i].name), walk->steps[i].records));
	if (!dmarc_walk_policy(walk) && !walk->failed)
		tell(adviser, arena_printf(arena,
					   "publish a record: _dmarc.%.*s TXT \"v=DMARC1; p=none; rua=mailto:...\", "
					   "read the reports, then ask for quarantine or reject",
					   SLICE_ARGS(adviser->outcome->org)));
}

/* ---- the record ----------------------------------------------------------------------- */

static void about_tags(struct adviser *adviser, const struct dmarc_record *record)
{
	struct arena *arena = adviser->lookup->arena;
	struct slice rest = record->text;
	struct dmarc_tag tag;

	while (dmarc_tag_next(&rest, &tag)) {
		if (tag.wrong && tag.name.n == 0)
			tell(adviser, arena_printf(arena, "\"%.*s\" %s", SLICE_ARGS(tag.value), tag.wrong));
		else if (tag.wrong)
			tell(adviser, arena_printf(arena, "%.*s=%.*s is ignored: %.*s %s", SLICE_ARGS(tag.name),
						   SLICE_ARGS(tag.value), SLICE_ARGS(tag.name), tag.wrong));
		else if (tag.historic)
			tell(adviser,
			     arena_printf(arena, "%.*s= is ignored since RFC 9989: remove it", SLICE_ARGS(tag.name)));
	}
	if (record->doubled)
		tell(adviser,
		     SLICE("a tag stands there more than once: readers differ in which one counts; leave one"));
}

static void about_policy(struct adviser *adviser, const struct dmarc_step *step)
{
	const struct dmarc_record *record = step->record;
	bool own_only = !slice_equal(step->name, adviser->outcome->org) && record->psd != DMARC_PSD_Y;

	if (record->policy_wrong)
		tell(adviser, record->rua.n
				  ? SLICE("p is missing, or p, sp or np is wrong: the record counts as p=none")
				  : SLICE("p is missing, or p, sp or np is wrong, and there is no rua: "
					  "the record counts for nothing"));
	else if (record->p == DMARC_POLICY_NONE)
		tell(adviser, SLICE("p=none protects nobody: it is for the months in which reports are read; "
				    "go on to quarantine and reject"));
	if (record->testing)
		tell(adviser, SLICE("t=y: the policy counts one step less until it is removed"));
	if (own_only && (record->sp != DMARC_NO_POLICY || record->np != DMARC_NO_POLICY))
		tell(adviser, SLICE("sp and np count only in the record of the organization: here they do nothing"));
	if (record->ruf.n == 0 && record->fo.n > 0)
		tell(adviser, SLICE("fo does nothing without ruf"));
}

/* ---- where reports go --------------------------------------------------------------------- */

static void about_uri(struct adviser *adviser, const struct dmarc_step *step, const char *tag, struct slice uri)
{
	struct lookup *lookup = adviser->lookup;
	struct slice question;
	const char *text = NULL;

	switch (dmarc_consent(step->name, uri, lookup->budget, lookup->arena, &question)) {
	case DMARC_CONSENT_OWN:
	case DMARC_CONSENT_GIVEN:
		return;
	case DMARC_CONSENT_MISSING:
		tell(adviser,
		     arena_printf(lookup->arena,
				  "%s=%.*s is at another organization that has not consented: no report is sent "
				  "there until %.*s has the TXT record \"v=DMARC1\"",
				  tag, SLICE_ARGS(uri), SLICE_ARGS(question)));
		return;
	case DMARC_CONSENT_UNKNOWN:
		text = "whether it is wanted there is not known now: a DNS answer is missing";
		break;
	case DMARC_CONSENT_NO_MAIL:
		text = "is no mail address: nobody has to send reports there";
		break;
	}
	tell(adviser, arena_printf(lookup->arena, "%s=%.*s: %s", tag, SLICE_ARGS(uri), text));
}

#define URIS_MAX 10 /* that are looked at: each may cost two walks */

static void about_uris(struct adviser *adviser, const struct dmarc_step *step, const char *tag, struct slice list)
{
	struct slice uri;

	for (unsigned i = 0; i < URIS_MAX && dmarc_uri_next(&list, &uri); i++)
		about_uri(adviser, step, tag, uri);
}

static void about_reports(struct adviser *adviser, const struct dmarc_step *step)
{
	const struct dmarc_record *record = step->record;

	if (record->rua.n == 0)
		tell(adviser, SLICE("there is no rua: nobody tells the owner who sends in his name"));
	if (slice_find(record->rua, '!') >= 0 || slice_find(record->ruf, '!') >= 0)
		tell(adviser, SLICE("a size behind ! is ignored since RFC 9989: remove it"));
	about_uris(adviser, step, "rua", record->rua);
	about_uris(adviser, step, "ruf", record->ruf);
}

void lookup_dmarc_advise(struct lookup *lookup, const struct dmarc_outcome *outcome,
			 void (*told)(void *context, struct slice line), void *context)
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
