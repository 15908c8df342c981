/*
 * headers_show.c - what a header says: the message, its hops, and the results of authentication.
 */
#include "dmarc.h"
#include "headers.h"

#include <stdio.h>

#define RESULT_FIELDS_MAX 50
#define VALUE_SHOWN       300

struct slice headers_value(struct reading *reading, const char *name)
{
	const struct header_field *field = headers_find(&reading->headers, slice_of(name), 1);

	return field ? slice_head(header_unfold(field->value, reading->lookup->arena), VALUE_SHOWN) : SLICE("");
}

struct slice headers_span(struct lookup *lookup, int64_t s)
{
	const char *sign = s < 0 ? "-" : "";

	s = s < 0 ? -s : s;
	if (s < 60)
		return arena_printf(lookup->arena, "%s%d s", sign, (int)s);
	if (s < 3600)
		return arena_printf(lookup->arena, "%s%d min %d s", sign, (int)(s / 60), (int)(s % 60));
	if (s < 86400)
		return arena_printf(lookup->arena, "%s%d h %d min", sign, (int)(s / 3600), (int)(s % 3600 / 60));
	return arena_printf(lookup->arena, "%s%lld d %d h", sign, (long long)(s / 86400), (int)(s % 86400 / 3600));
}

/* "[192.0.2.1]" is nobody's name. */
static struct slice organization(struct slice host)
{
	while (host.n > 0 && host.p[host.n - 1] == '.')
		host.n--;
	return host.n > 0 && host.p[0] != '[' ? dmarc_psl_org(host) : SLICE("");
}

bool headers_related(struct slice a, struct slice b)
{
	struct slice left = organization(a), right = organization(b);

	return left.n > 0 && slice_equal_nocase(left, right);
}

/* ---- the message ---------------------------------------------------------------------------- */

void headers_show_message(struct reading *reading)
{
	static const char *const names[] = {"From", "To", "Subject", "Date", "Message-ID", "Return-Path", "List-Id"};
	json_t *message = json_object();

	sheet_section(reading->sheet, "Message");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct slice value = headers_value(reading, names[i]);
		char key[20];
		size_t k;

		for (k = 0; names[i][k]; k++)
			key[k] = to_lower(names[i][k]);
		key[k] = '\0';
		if (value.n > 0)
			sheet_line(reading->sheet, MARK_NONE, slice_of(names[i]), "%.*s", SLICE_ARGS(value));
		json_object_set_new(message, key, value.n ? lookup_string(reading->lookup, value) : json_null());
	}
	json_object_set_new(reading->object, "message", message);
}

/* ---- hops ------------------------------------------------------------------------------------- */

static struct slice client_of(struct reading *reading, const struct hop *hop)
{
	char buffer[IP_TEXT];
	struct slice ip;

	if (!hop->known)
		return hop->from.n ? hop->from : SLICE("(not told)");
	ip = ip_print(hop->received.ip, buffer);
	return arena_printf(reading->lookup->arena, "%.*s%s%.*s%s",
			    SLICE_ARGS(hop->received.name.n ? hop->received.name : hop->received.helo),
			    ip.n ? " [" : "", SLICE_ARGS(ip), ip.n ? "]" : "");
}

static const struct hop *dated_before(const struct reading *reading, size_t n)
{
	while (n > 0)
		if (reading->hops[--n].dated)
			return &reading->hops[n];
	return NULL;
}

static json_t *json_hop(struct reading *reading, const struct hop *hop, const struct hop *before)
{
	struct lookup *lookup = reading->lookup;
	char ip[IP_TEXT] = "";
	json_t *object =
	    json_pack("{s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:o}", "from", lookup_string(lookup, hop->from), "by",
		      lookup_string(lookup, hop->by), "with", lookup_string(lookup, hop->with), "id",
		      lookup_string(lookup, hop->id), "for", lookup_string(lookup, hop->recipient), "encrypted",
		      hop->encrypted, "tls", lookup_string(lookup, hop->tls), "date", lookup_string(lookup, hop->date));

	if (hop->known) {
		ip_print(hop->received.ip, ip);
		json_object_set_new(object, "ip", json_string(ip));
		json_object_set_new(object, "helo", lookup_string(lookup, hop->received.helo));
		json_object_set_new(object, "name", lookup_string(lookup, hop->received.name));
	}
	json_object_set_new(object, "time", hop->dated ? json_integer(hop->when_s) : json_null());
	json_object_set_new(object, "delay",
			    hop->dated && before ? json_integer(hop->when_s - before->when_s) : json_null());
	return object;
}

static void show_hop(struct reading *reading, size_t n, const struct hop *before)
{
	const struct hop *hop = &reading->hops[n];
	struct slice delay = !hop->dated ? SLICE("no date")
			     : before    ? headers_span(reading->lookup, hop->when_s - before->when_s)
					 : SLICE("begins");

	sheet_line(reading->sheet, MARK_NONE,
		   arena_printf(reading->lookup->arena, "%2zu %12.*s", n + 1, SLICE_ARGS(delay)),
		   "%.*s -> %.*s  %.*s%s%.*s", SLICE_ARGS(client_of(reading, hop)),
		   SLICE_ARGS(hop->by.n ? hop->by : SLICE("(not told)")), SLICE_ARGS(hop->with),
		   hop->encrypted ? " encrypted " : " not encrypted", SLICE_ARGS(hop->tls));
}

void headers_show_hops(struct reading *reading)
{
	json_t *hops = json_array(), *first = json_null();

	sheet_section(reading->sheet, "Hops");
	for (size_t n = 0; n < reading->hop_count; n++) {
		const struct hop *before = dated_before(reading, n);
		show_hop(reading, n, before);
		json_array_append_new(hops, json_hop(reading, &reading->hops[n], before));
	}
	if (reading->hops_left_out > 0)
		sheet_line(reading->sheet, MARK_NOTE, SLICE(""), "%zu earlier ones are left out",
			   reading->hops_left_out);
	if (reading->hop_count == 0)
		sheet_line(reading->sheet, MARK_NOTE, SLICE(""),
			   "no Received field: it was not sent, or they were removed");
	else if (reading->hops_left_out == 0) {
		json_decref(first);
		first = lookup_string(reading->lookup, reading->hops[0].by);
		sheet_line(reading->sheet, MARK_NONE, SLICE("first taken by"), "%.*s from %.*s",
			   SLICE_ARGS(reading->hops[0].by.n ? reading->hops[0].by : SLICE("(not told)")),
			   SLICE_ARGS(client_of(reading, &reading->hops[0])));
	}
	json_object_set_new(reading->object, "hops", hops);
	json_object_set_new(reading->object, "first-taken-by", first);
}

/* ---- results ------------------------------------------------------------------------------------ */

/* The host that wrote the next Received field below: a server adds its fields on top. */
static struct slice writer_of(struct reading *reading, size_t field)
{
	size_t below = 0;

	for (size_t i = field; i < reading->headers.count; i++)
		below += header_is_named(&reading->headers.fields[i], SLICE("Received"));
	below = below > reading->hops_left_out ? below - reading->hops_left_out : 0;
	return below > 0 && below <= reading->hop_count ? reading->hops[below - 1].by : SLICE("");
}

static json_t *json_clause(struct lookup *lookup, const struct authres_clause *clause)
{
	json_t *properties = json_object();

	for (size_t i = 0; i < clause->property_count; i++) {
		const struct authres_property *property = &clause->properties[i];
		struct slice name = arena_printf(lookup->arena, "%.*s.%.*s", SLICE_ARGS(property->type),
						 SLICE_ARGS(property->property));
		json_object_set_new(properties, arena_cstring(lookup->arena, lookup_safe(lookup, name)),
				    lookup_string(lookup, property->value));
	}
	return json_pack("{s:o, s:o, s:o}", "method", lookup_string(lookup, clause->method), "result",
			 lookup_string(lookup, clause->result), "properties", properties);
}

static void show_clause(struct reading *reading, struct slice label, const struct authres_clause *clause)
{
	struct text text;

	text_init(&text, reading->lookup->arena, 1000);
	for (size_t i = 0; i < clause->property_count; i++)
		text_printf(&text, " %.*s.%.*s=%.*s", SLICE_ARGS(clause->properties[i].type),
			    SLICE_ARGS(clause->properties[i].property), SLICE_ARGS(clause->properties[i].value));
	sheet_line(reading->sheet, MARK_NONE, label, "%.*s=%.*s%.*s", SLICE_ARGS(clause->method),
		   SLICE_ARGS(clause->result), SLICE_ARGS(text_slice(&text)));
}

static json_t *show_field(struct reading *reading, size_t index)
{
	struct lookup *lookup = reading->lookup;
	struct slice writer = writer_of(reading, index), value = reading->headers.fields[index].value;
	json_t *clauses = json_array();
	struct authres_parsed parsed = {.id = SLICE("")};
	bool read = authres_parse(value, lookup->arena, &parsed);

	for (size_t i = 0; read && i < parsed.clause_count; i++) {
		show_clause(reading, i == 0 ? parsed.id : SLICE(""), &parsed.clauses[i]);
		json_array_append_new(clauses, json_clause(lookup, &parsed.clauses[i]));
	}
	if (read && parsed.clause_count == 0)
		sheet_line(reading->sheet, MARK_NONE, parsed.id, "none");
	if (!read)
		sheet_advice(reading->sheet, MARK_NOTE, "results-unreadable",
			     "an Authentication-Results field is not as RFC 8601 writes it: %.*s",
			     SLICE_ARGS(slice_head(header_unfold(value, lookup->arena), VALUE_SHOWN)));
	else if (writer.n > 0 && !headers_related(parsed.id, writer))
		sheet_advice(reading->sheet, MARK_NOTE, "results-by-others",
			     "these results are said to be of %.*s, but %.*s added them or let them pass: believe them "
			     "only if that is yours",
			     SLICE_ARGS(parsed.id), SLICE_ARGS(writer));
	return json_pack("{s:o, s:o, s:b, s:o}", "by", lookup_string(lookup, parsed.id), "above",
			 lookup_string(lookup, writer), "readable", read, "results", clauses);
}

void headers_show_results(struct reading *reading)
{
	const struct headers *headers = &reading->headers;
	json_t *array = json_array();

	sheet_section(reading->sheet, "Authentication");
	for (size_t i = 0; i < headers->count && json_array_size(array) < RESULT_FIELDS_MAX; i++)
		if (header_is_named(&headers->fields[i], SLICE("Authentication-Results")))
			json_array_append_new(array, show_field(reading, i));
	if (json_array_size(array) == 0)
		sheet_line(reading->sheet, MARK_NONE, SLICE(""), "no Authentication-Results field");
	json_object_set_new(reading->object, "authentication", array);
}
