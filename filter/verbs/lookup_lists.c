/*
 * lookup_lists.c - what DNS lists say of an address or a domain, and whether they can be believed.
 *
 * A list of the policy file is called by its name there, since that of its zone may contain a key.
 */
#include "lookup_lists.h"
#include "policy.h"

#define CODES_SHOWN 10

static const char *const listing_names[] = {"clean", "listed", "error", "broken", "temperror"};

struct chosen {
	const struct dnsbl *lists[LOOKUP_LISTS_MAX + DNSBL_MAX];
	size_t count, zones; /* the first of them are those of --dnsbl */
};

static struct chosen lists_for(struct lookup *lookup, const struct dnsbl_subject *subject)
{
	const struct check_settings *settings = lookup->policy ? &policy_settings(lookup->policy)->check : NULL;
	struct chosen asked = {.count = 0};

	for (size_t i = 0; i < lookup->dnsbl_count; i++)
		asked.lists[asked.count++] = dnsbl_of_zone(slice_of(lookup->dnsbl[i]), subject, lookup->arena);
	if (asked.count > 0 && !dnsbl_takes(asked.lists[0], subject))
		asked.count = 0; /* a name of one label is in no list */
	asked.zones = asked.count;
	for (size_t i = 0; settings && i < dnsbl_count(settings); i++)
		if (dnsbl_takes(dnsbl_get(settings, i), subject))
			asked.lists[asked.count++] = dnsbl_get(settings, i);
	return asked;
}

bool lookup_lists_any(struct lookup *lookup, const struct dnsbl_subject *subject)
{
	return lists_for(lookup, subject).count > 0;
}

void lookup_lists_hint(struct lookup *lookup, const struct dnsbl_subject *subject)
{
	struct chosen asked = lists_for(lookup, subject);

	for (size_t i = 0; i < asked.count; i++)
		dnsbl_hint(asked.lists[i], subject, lookup->budget, lookup->arena);
}

static json_t *codes_json(const struct dns_answer *answer)
{
	json_t *codes = json_array();
	char buffer[IP_TEXT];

	for (size_t i = 0; i < answer->count && i < CODES_SHOWN; i++) {
		ip_print(answer->records[i].ip, buffer);
		json_array_append_new(codes, json_string(buffer));
	}
	return codes;
}

static struct slice codes_text(struct lookup *lookup, const struct dns_answer *answer)
{
	struct text text;
	char buffer[IP_TEXT];

	text_init(&text, lookup->arena, CODES_SHOWN * IP_TEXT);
	for (size_t i = 0; i < answer->count && i < CODES_SHOWN; i++) {
		ip_print(answer->records[i].ip, buffer);
		text_printf(&text, "%s%s", i > 0 ? " " : "", buffer);
	}
	return text_slice(&text);
}

/* Two blanks between parts; empty ones are left out. */
static struct slice join(struct lookup *lookup, const struct slice *parts, size_t count)
{
	struct slice all = SLICE("");

	for (size_t i = 0; i < count; i++)
		if (parts[i].n > 0)
			all = all.n > 0
				  ? arena_printf(lookup->arena, "%.*s  %.*s", SLICE_ARGS(all), SLICE_ARGS(parts[i]))
				  : parts[i];
	return all;
}

static void add_listed(struct lookup *lookup, struct sheet *sheet, const struct dnsbl *list, bool weighs,
		       const struct dnsbl_report *report)
{
	bool good = dnsbl_weight(list) < 0;
	const struct slice parts[] = {
	    good ? SLICE("listed as good") : SLICE("listed"),
	    codes_text(lookup, report->answer),
	    report->word,
	    weighs ? arena_printf(lookup->arena, "weight %d", dnsbl_weight(list)) : SLICE(""),
	    sheet_ttl(lookup, report->answer->ttl),
	    report->text,
	};
	struct slice text = join(lookup, parts, sizeof(parts) / sizeof(parts[0]));

	sheet_line(sheet, good ? MARK_OK : MARK_WRONG, dnsbl_name(list), "%.*s", SLICE_ARGS(text));
}

static void add_line(struct lookup *lookup, struct sheet *sheet, const struct dnsbl *list, bool weighs,
		     const struct dnsbl_report *report)
{
	struct slice codes = codes_text(lookup, report->answer), name = dnsbl_name(list);
	const char *gap = codes.n ? ": " : "";

	if (report->listing == DNSBL_LISTED)
		add_listed(lookup, sheet, list, weighs, report);
	else if (report->listing != DNSBL_CLEAN)
		sheet_line(sheet, MARK_NOTE, name, "not known: %.*s%s%s", SLICE_ARGS(codes), gap, report->why);
	else if (report->incomplete)
		sheet_line(
		    sheet, MARK_NOTE, name,
		    "not listed, but neither is its test entry (%s), which every list should have: check the name of "
		    "the list",
		    dnsbl_positive(list));
	else if (codes.n > 0)
		sheet_line(sheet, MARK_NOTE, name, "not listed: %.*s%s%s", SLICE_ARGS(codes), gap, report->why);
	else
		sheet_line(sheet, MARK_OK, name, "not listed");
}

static json_t *list_json(struct lookup *lookup, const struct dnsbl *list, bool weighs,
			 const struct dnsbl_report *report)
{
	json_t *json =
	    json_pack("{s:o, s:s, s:o, s:o, s:s, s:i}", "list", lookup_string(lookup, dnsbl_name(list)), "result",
		      listing_names[report->listing], "codes", codes_json(report->answer), "text",
		      lookup_string(lookup, report->text), "why", report->why, "ttl", (int)report->answer->ttl);

	if (weighs) {
		json_object_set_new(json, "word", lookup_string(lookup, report->word));
		json_object_set_new(json, "weight", json_integer(dnsbl_weight(list)));
	}
	if (report->listing == DNSBL_CLEAN)
		json_object_set_new(json, "test-entry", json_boolean(!report->incomplete));
	return json;
}

/* What dnsbl.score would be. */
static void add_score(struct sheet *sheet, const struct chosen *asked, int score, json_t *object)
{
	if (asked->count == asked->zones)
		return;
	json_object_set_new(object, "score", json_integer(score));
	sheet_line(sheet, MARK_NONE, SLICE("dnsbl.score"), "%d", score);
}

enum dnsbl_listing lookup_lists_ask(struct lookup *lookup, struct sheet *sheet, const struct dnsbl_subject *subject,
				    json_t *object)
{
	struct chosen asked = lists_for(lookup, subject);
	size_t listed = 0, answered = 0;
	json_t *array = json_array();
	int score = 0;

	for (size_t i = 0; i < asked.count; i++) {
		const struct dnsbl *list = asked.lists[i];
		bool weighs = i >= asked.zones;
		struct dnsbl_report report;

		dnsbl_examine(list, subject, lookup->budget, lookup->arena, &report);
		listed += report.listing == DNSBL_LISTED && dnsbl_weight(list) >= 0;
		answered += report.listing <= DNSBL_LISTED;
		score += weighs && report.listing == DNSBL_LISTED ? dnsbl_weight(list) : 0;
		add_line(lookup, sheet, list, weighs, &report);
		json_array_append_new(array, list_json(lookup, list, weighs, &report));
	}
	json_object_set_new(object, "listed", json_boolean(listed > 0));
	json_object_set_new(object, "lists", array);
	add_score(sheet, &asked, score, object);
	return listed > 0 ? DNSBL_LISTED : answered > 0 ? DNSBL_CLEAN : DNSBL_NO_ANSWER;
}
