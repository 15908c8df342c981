/*
 * survey.c - all records that a domain's SPF record leads to, for any client, and
 * advice for their owner. For people: no result depends on it.
 *
 * A check stops at the term that matches. A survey follows every include and redirect, counts the DNS queries of the
 * worst case, and reports what is wrong, risky or useless. Bounded by SURVEY_RECORDS_MAX and by the budget.
 */
#include "spf_private.h"

#include <stdio.h>

#define SURVEY_RECORDS_MAX 100 /* RFC 7208 allows 11; a tree of 9 times 9 includes is shown completely */
#define ADVICE_MAX         100
#define ADVICE_TEXT_MAX    600
#define LONG_RECORD        450 /* RFC 7208 3.4: then the answer fits a packet of 512 bytes */
#define STRING_BYTES       255 /* of one string of a TXT record */
#define ASKED_MAX          50  /* terms whose names are queried: a record with 1000 would take minutes */
#define DEPTH_MAX          20
#define IP4_WIDEST         8 /* prefix; the largest networks that one organization has */
#define IP6_WIDEST         16

/* libspf2 compiles one term after the other, as long as there is room for the head of the next. */
#define LIBSPF2_ROOM 511
#define LIBSPF2_HEAD 4 /* of a term, and of each piece of its name */

struct place {
	struct slice domain;
	const struct place *above; /* NULL: the domain that was asked about */
	unsigned depth;
};

struct surveyor {
	struct spf_run run;
	struct spf_survey *survey;
	struct spf_surveyed *records;
	struct spf_advice *advice;
};

__attribute__((format(printf, 3, 4))) static void advise(struct surveyor *surveyor, const char *code,
							 const char *format, ...)
{
	char text[ADVICE_TEXT_MAX];
	va_list arguments;

	if (surveyor->survey->advice_count == ADVICE_MAX)
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	surveyor->advice[surveyor->survey->advice_count++] =
	    (struct spf_advice){code, arena_copy(surveyor->run.arena, slice_of(text))};
}

/* Names and terms are untrusted. */
static struct slice shown(struct surveyor *surveyor, struct slice text)
{
	return spf_printable(slice_head(text, ADVICE_TEXT_MAX / 8), surveyor->run.arena);
}

/* ---- advice about one record ------------------------------------------------------------- */

static size_t aligned(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

static size_t libspf2_name_size(const struct spf_string *name)
{
	size_t size = 0;

	for (size_t i = 0; i < name->count; i++)
		size += aligned(LIBSPF2_HEAD + (name->parts[i].letter ? 0 : name->parts[i].literal.n));
	return size;
}

static size_t libspf2_size(const struct spf_term *term)
{
	bool lengths =
	    (term->mechanism == SPF_A || term->mechanism == SPF_MX) && (term->prefix4 != 32 || term->prefix6 != 128);

	if (term->mechanism == SPF_IP4)
		return LIBSPF2_HEAD + 4;
	if (term->mechanism == SPF_IP6)
		return LIBSPF2_HEAD + 16;
	return LIBSPF2_HEAD + (lengths ? 4 : 0) + libspf2_name_size(&term->target);
}

/* A receiver that uses libspf2 silently ignores the end of a long record. */
static void advise_libspf2(struct surveyor *surveyor, const struct place *place, const struct spf_record *record)
{
	const struct spf_term *last = &record->terms[record->term_count - 1];
	struct slice where = shown(surveyor, place->domain);
	size_t used = 0, kept = 0;

	while (kept < record->term_count && used + LIBSPF2_HEAD <= LIBSPF2_ROOM)
		used += libspf2_size(&record->terms[kept++]);
	if (kept == record->term_count)
		return;
	advise(surveyor, "libspf2-cut",
	       "%.*s: receivers that use libspf2 read only the first %zu of %zu terms; they ignore everything after "
	       "%.*s%s",
	       SLICE_ARGS(where), kept, record->term_count, SLICE_ARGS(shown(surveyor, record->terms[kept - 1].text)),
	       last->mechanism == SPF_ALL && last->result != SPF_PASS
		   ? ", including the final \"all\", so unknown senders are neutral; split the record with includes"
		   : "; split the record with includes");
}

static void advise_size(struct surveyor *surveyor, const struct place *place, const struct dns_record *txt)
{
	struct slice where = shown(surveyor, place->domain);

	if (txt->text.n > LONG_RECORD)
		advise(surveyor, "long-record",
		       "%.*s: the record has %zu bytes; over %d the answer may not fit into a packet (RFC 7208 3.4)",
		       SLICE_ARGS(where), txt->text.n, LONG_RECORD);
	if (txt->strings > 1 + (txt->text.n + STRING_BYTES - 1) / STRING_BYTES)
		advise(
		    surveyor, "many-strings",
		    "%.*s: the record is split into %u strings; they are joined without spaces, and a few are enough",
		    SLICE_ARGS(where), txt->strings);
}

/* A network that nobody has all of; its addresses can be rented by anyone. */
static void advise_network(struct surveyor *surveyor, struct slice where, const struct spf_term *term)
{
	unsigned widest = term->mechanism == SPF_IP4 ? IP4_WIDEST : IP6_WIDEST;

	if ((term->mechanism != SPF_IP4 && term->mechanism != SPF_IP6) || term->result != SPF_PASS ||
	    term->net.prefix >= widest)
		return;
	advise(surveyor, "open-network", "%.*s: \"%.*s\" lets %s send mail for the domain", SLICE_ARGS(where),
	       SLICE_ARGS(shown(surveyor, term->text)), term->net.prefix == 0 ? "anyone" : "millions of strangers");
}

static void advise_term(struct surveyor *surveyor, const struct place *place, const struct spf_term *term)
{
	struct slice where = shown(surveyor, place->domain);

	if (term->mechanism == SPF_ALL && term->result == SPF_PASS)
		advise(surveyor, "pass-all", "%.*s: \"%.*s\" lets anyone send mail for the domain", SLICE_ARGS(where),
		       SLICE_ARGS(shown(surveyor, term->text)));
	advise_network(surveyor, where, term);
	if (term->mechanism == SPF_PTR)
		advise(surveyor, "ptr", "%.*s: \"%.*s\" is slow and unreliable and should not be used (RFC 7208 5.5)",
		       SLICE_ARGS(where), SLICE_ARGS(shown(surveyor, term->text)));
}

static void advise_unreachable(struct surveyor *surveyor, const struct place *place, const struct spf_record *record,
			       size_t all)
{
	struct slice where = shown(surveyor, place->domain);

	if (all + 1 < record->term_count)
		advise(surveyor, "unreachable-terms", "%.*s: terms after \"%.*s\" are never read: \"%.*s\"",
		       SLICE_ARGS(where), SLICE_ARGS(shown(surveyor, record->terms[all].text)),
		       SLICE_ARGS(shown(surveyor, record->terms[all + 1].text)));
	if (record->redirect.count)
		advise(surveyor, "unreachable-terms", "%.*s: \"%.*s\" is never followed: \"%.*s\" always matches",
		       SLICE_ARGS(where), SLICE_ARGS(shown(surveyor, record->redirect_text)),
		       SLICE_ARGS(shown(surveyor, record->terms[all].text)));
}

/* ---- walking ---------------------------------------------------------------------------------- */

static void visit(struct surveyor *, const struct place *);

/* An include or redirect: its record is part of the tree. */
static void enter(struct surveyor *surveyor, const struct place *place, struct slice term, struct slice target)
{
	struct place below = {.domain = target, .above = place, .depth = place->depth + 1};

	for (const struct place *above = place; above; above = above->above) {
		if (!slice_equal_nocase(above->domain, target))
			continue;
		advise(surveyor, "loop",
		       "%.*s: \"%.*s\" leads back to an earlier record; every check that gets this far is a "
		       "permerror",
		       SLICE_ARGS(shown(surveyor, place->domain)), SLICE_ARGS(shown(surveyor, term)));
		return;
	}
	if (below.depth <= DEPTH_MAX)
		visit(surveyor, &below);
}

/* Returns the number of records. */
static size_t ask_void(struct surveyor *surveyor, struct slice name, enum dns_type type)
{
	const struct dns_answer *answer;

	if (surveyor->survey->lookups > ASKED_MAX)
		return 0;
	answer = dns_ask(surveyor->run.budget, name, type);
	if (answer->status == DNS_NXDOMAIN || answer->status == DNS_NODATA)
		surveyor->survey->void_lookups++;
	return answer->count;
}

static void visit_mx(struct surveyor *surveyor, const struct place *place, const struct spf_term *term,
		     struct slice target)
{
	size_t hosts = ask_void(surveyor, target, DNS_MX);

	if (hosts > SPF_MX_MAX)
		advise(surveyor, "many-mx-hosts",
		       "%.*s: %.*s: there are %zu MX hosts; more than %d are a permerror (RFC 7208 4.6.4), though some "
		       "receivers look at the first of them and pass",
		       SLICE_ARGS(shown(surveyor, place->domain)), SLICE_ARGS(shown(surveyor, term->text)), hosts,
		       SPF_MX_MAX);
}

static void visit_term(struct surveyor *surveyor, const struct place *place, const struct spf_frame *frame,
		       const struct spf_term *term, struct spf_surveyed *entry)
{
	enum dns_type address = surveyor->run.request->client.family == 4 ? DNS_A : DNS_AAAA;
	struct slice target, why;

	advise_term(surveyor, place, term);
	if (term->mechanism == SPF_ALL || term->mechanism == SPF_IP4 || term->mechanism == SPF_IP6)
		return;
	entry->lookups++;
	surveyor->survey->lookups++;
	if (spf_target(&surveyor->run, frame, &term->target, &target, &why) != SPF_MATCH)
		return;
	if (term->mechanism == SPF_INCLUDE)
		enter(surveyor, place, term->text, target);
	else if (term->mechanism == SPF_MX)
		visit_mx(surveyor, place, term, target);
	else if (term->mechanism != SPF_PTR)
		ask_void(surveyor, target, term->mechanism == SPF_EXISTS ? DNS_A : address);
}

static void visit_record(struct surveyor *surveyor, const struct place *place, const struct spf_record *record,
			 struct spf_surveyed *entry)
{
	struct spf_frame frame = {.record = record, .domain = place->domain};
	struct slice target, why;

	if (record->term_count)
		advise_libspf2(surveyor, place, record);
	for (size_t i = 0; i < record->term_count; i++) {
		visit_term(surveyor, place, &frame, &record->terms[i], entry);
		if (record->terms[i].mechanism != SPF_ALL)
			continue;
		advise_unreachable(surveyor, place, record, i);
		return;
	}
	if (!record->redirect.count && !place->above)
		advise(
		    surveyor, "no-all",
		    "%.*s: the record has neither \"all\" nor \"redirect\": who is not named is neutral, as without a "
		    "record; end it with -all or ~all",
		    SLICE_ARGS(shown(surveyor, place->domain)));
	if (!record->redirect.count)
		return;
	entry->lookups++;
	surveyor->survey->lookups++;
	if (spf_target(&surveyor->run, &frame, &record->redirect, &target, &why) == SPF_MATCH)
		enter(surveyor, place, record->redirect_text, target);
}

/* The SPF record of an answer; without a usable one, NULL, and entry->trouble or advice says why. */
static const struct dns_record *find_record(struct surveyor *surveyor, const struct place *place,
					    const struct dns_answer *answer, struct spf_surveyed *entry)
{
	const struct dns_record *found = NULL;
	unsigned count = 0;

	for (size_t i = 0; i < answer->count; i++) {
		if (!spf_is_record(answer->records[i].text))
			continue;
		found = found ? found : &answer->records[i];
		count++;
	}
	if (count == 0)
		entry->trouble = answer->status == DNS_TEMPFAIL ? SLICE("it cannot be looked up now")
								: SLICE("it has no SPF record");
	if (count == 0 && place->above && answer->status != DNS_TEMPFAIL) {
		surveyor->survey->void_lookups += answer->status == DNS_OK ? 0 : 1;
		advise(surveyor, "include-without-record",
		       "%.*s: it includes %.*s, which has no SPF record; every check that gets this far is a permerror",
		       SLICE_ARGS(shown(surveyor, place->above->domain)), SLICE_ARGS(shown(surveyor, place->domain)));
	}
	if (count > 1)
		advise(surveyor, "several-records",
		       "%.*s: there are %u SPF records; only one is allowed, so every check is a permerror",
		       SLICE_ARGS(shown(surveyor, place->domain)), count);
	return found;
}

static void visit(struct surveyor *surveyor, const struct place *place)
{
	const struct dns_answer *answer;
	const struct dns_record *txt;
	const struct spf_record *record;
	struct spf_surveyed *entry;

	if (surveyor->survey->record_count == SURVEY_RECORDS_MAX)
		return;
	entry = &surveyor->records[surveyor->survey->record_count++];
	*entry = (struct spf_surveyed){.depth = place->depth, .domain = place->domain, .trouble = SLICE("")};
	answer = dns_ask(surveyor->run.budget, place->domain, DNS_TXT);
	txt = find_record(surveyor, place, answer, entry);
	if (!txt)
		return;
	entry->record = txt->text;
	entry->strings = txt->strings;
	advise_size(surveyor, place, txt);
	record = dns_parsed(surveyor->run.budget, answer, &spf_record_parser);
	if (record->state == SPF_RECORD_VALID) {
		visit_record(surveyor, place, record, entry);
		return;
	}
	entry->trouble = slice_of(record->why);
	if (record->wrong.n)
		advise(surveyor, "syntax", "%.*s: \"%.*s\": %s; every check is a permerror",
		       SLICE_ARGS(shown(surveyor, place->domain)), SLICE_ARGS(shown(surveyor, record->wrong)),
		       record->why);
}

void spf_survey(const struct spf_request *request, struct dns_budget *budget, struct arena *arena,
		struct spf_survey *survey_r)
{
	struct surveyor surveyor = {
	    .run = {.request = request, .budget = budget, .arena = arena, .reason = SLICE(""), .names_counted = true},
	    .survey = survey_r,
	};
	struct place top = {.domain = spf_identity_domain(request->domain, arena)};

	*survey_r = (struct spf_survey){0};
	if (!spf_name_valid(top.domain))
		return;
	surveyor.run.identity = top.domain;
	surveyor.records = arena_alloc(arena, SURVEY_RECORDS_MAX * sizeof(*surveyor.records));
	surveyor.advice = arena_alloc(arena, (ADVICE_MAX + 2) * sizeof(*surveyor.advice));
	survey_r->records = surveyor.records;
	survey_r->advice = surveyor.advice;
	visit(&surveyor, &top);
	if (survey_r->lookups > SPF_LOOKUPS_MAX)
		advise(&surveyor, "too-many-lookups",
		       "the record and those it includes query the DNS %u times; beyond %d every check that gets this "
		       "far is a "
		       "permerror (RFC 7208 4.6.4)",
		       survey_r->lookups, SPF_LOOKUPS_MAX);
	if (survey_r->void_lookups > SPF_VOID_LOOKUPS_MAX)
		advise(&surveyor, "too-many-void-lookups",
		       "%u terms find nothing; beyond %d every check that gets this far is a permerror (RFC 7208 "
		       "4.6.4)",
		       survey_r->void_lookups, SPF_VOID_LOOKUPS_MAX);
}
