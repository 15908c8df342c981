/*
 * lookup_dmarc.c - `sekisho lookup dmarc DOMAIN`: the walk of RFC 9989 question by
 * question, the record tag by tag, and what happens to a message that fails.
 */
#include "lookup_dmarc.h"
#include "verbs.h"

#include <stdio.h>

/* ---- the record ------------------------------------------------------------------------- */

static struct slice tag_meaning(struct lookup *lookup, const struct dmarc_tag *tag)
{
	if (tag->wrong)
		return arena_printf(lookup->arena, "wrong: %.*s%s%s", SLICE_ARGS(tag->name), tag->name.n ? " " : "it ",
				    tag->wrong);
	if (tag->historic)
		return arena_printf(lookup->arena, "ignored since RFC 9989: it %s", tag->about);
	return tag->about[0] ? slice_of(tag->about) : SLICE("unknown, and ignored");
}

static json_t *json_tags(struct lookup *lookup, const struct dmarc_record *record)
{
	struct slice rest = record->text;
	json_t *array = json_array();
	struct dmarc_tag tag;

	while (dmarc_tag_next(&rest, &tag)) {
		json_t *object = json_object();

		json_object_set_new(object, "name", lookup_string(lookup, tag.name));
		json_object_set_new(object, "value", lookup_string(lookup, tag.value));
		json_object_set_new(object, "valid", json_boolean(!tag.wrong));
		json_object_set_new(object, "meaning", lookup_string(lookup, tag_meaning(lookup, &tag)));
		json_array_append_new(array, object);
	}
	return array;
}

static void print_tags(struct lookup *lookup, const struct dmarc_step *step)
{
	struct slice rest = step->record->text;
	struct dmarc_tag tag;

	printf("\nThe record of %.*s:\n", SLICE_ARGS(step->name));
	while (dmarc_tag_next(&rest, &tag)) {
		struct slice meaning = lookup_safe(lookup, tag_meaning(lookup, &tag));
		struct slice name = lookup_safe(lookup, tag.name), value = lookup_safe(lookup, tag.value);

		printf("  %-6.*s %-24.*s %.*s\n", SLICE_ARGS(name), SLICE_ARGS(value), SLICE_ARGS(meaning));
	}
}

/* ---- a domain ------------------------------------------------------------------------------ */

static const char *consequence(const struct dmarc_outcome *outcome)
{
	static const char *const asked[] = {
	    [DMARC_NO_POLICY] = "nothing: DMARC is not applied",
	    [DMARC_POLICY_NONE] = "nothing (none): it is delivered as if there were no DMARC",
	    [DMARC_QUARANTINE] = "quarantine: it should be set aside as suspicious",
	    [DMARC_REJECT] = "reject: it should be refused",
	};

	if (outcome->result == DMARC_TEMPERROR)
		return "cannot tell now: a DNS answer is missing";
	return asked[outcome->policy];
}

static void add_advice(void *context, const char *code, struct slice text)
{
	json_array_append_new(context, json_pack("{s:s, s:o}", "code", code, "text", json_stringn(text.p, text.n)));
}

static void print_advice(void *context, const char *code, struct slice text)
{
	bool *first = context;

	if (*first)
		printf("\nAdvice:\n");
	*first = false;
	printf("  %s:  %.*s\n", code, SLICE_ARGS(text));
}

static void print_json(struct lookup *lookup, const struct dmarc_outcome *outcome)
{
	const struct dmarc_step *step = dmarc_walk_policy(&outcome->walk);
	json_t *object = json_object(), *advice = json_array();

	json_object_set_new(object, "author", lookup_string(lookup, outcome->author));
	json_object_set_new(object, "walk", lookup_dmarc_walk(lookup, &outcome->walk));
	json_object_set_new(object, "domain", lookup_string_or_null(lookup, outcome->domain));
	json_object_set_new(object, "org", lookup_string_or_null(lookup, outcome->org));
	json_object_set_new(object, "record", step ? lookup_string(lookup, step->record->text) : json_null());
	json_object_set_new(object, "tags", step ? json_tags(lookup, step->record) : json_array());
	json_object_set_new(object, "policy",
			    lookup_string_or_null(lookup, slice_of(dmarc_policy_name(outcome->policy))));
	json_object_set_new(object, "reason", lookup_string(lookup, outcome->reason));
	lookup_dmarc_advise(lookup, outcome, add_advice, advice);
	json_object_set_new(object, "advice", advice);
	lookup_print_json(object);
}

static void print_text(struct lookup *lookup, const struct dmarc_outcome *outcome)
{
	const struct dmarc_step *step = dmarc_walk_policy(&outcome->walk);
	bool first = true;

	lookup_dmarc_print_walk(lookup, &outcome->walk);
	if (step)
		print_tags(lookup, step);
	printf("\nThe organization: %.*s\n", SLICE_ARGS(outcome->org.n ? outcome->org : SLICE("not known now")));
	if (!outcome->domain.n)
		printf("No policy: %.*s.\n", SLICE_ARGS(outcome->reason));
	printf("Mail from %.*s that fails: %s\n", SLICE_ARGS(outcome->author), consequence(outcome));
	lookup_dmarc_advise(lookup, outcome, print_advice, &first);
}

/* What would happen to a message of this author without a pass. */
static int show_domain(struct lookup *lookup)
{
	struct authors authors = {.valid = true, .why = "", .domain_count = 1, .mailbox_count = 1};
	struct dmarc_request request = {.authors = &authors, .discovery = lookup->psl ? DMARC_PSL : DMARC_TREE_WALK};
	struct dmarc_outcome outcome;
	struct slice domain;
	int status;

	status = lookup_open_domain(lookup, &domain);
	if (status != VERB_OK)
		return status;
	authors.domains = &domain;
	dmarc_check(&request, lookup->budget, lookup->arena, &outcome);
	if (lookup->json)
		print_json(lookup, &outcome);
	else
		print_text(lookup, &outcome);
	return outcome.domain.n ? VERB_OK : VERB_NO;
}

int lookup_dmarc(struct lookup *lookup)
{
	if (lookup->psl && !dmarc_has_psl())
		return lookup_usage("--psl: this program was built without the public suffix list (libpsl)");
	if (lookup->from && lookup->count == 0)
		return lookup_dmarc_message(lookup);
	if (lookup->from || lookup->count == 0)
		return lookup_usage("ask about one DOMAIN, or about a message with --from");
	if (lookup->spf || lookup->dkim_count)
		return lookup_usage("--spf and --dkim describe a message; name its author with --from");
	return show_domain(lookup);
}
