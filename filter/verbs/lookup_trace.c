/*
 * lookup_trace.c - `sekisho lookup trace`: the way from the root servers to an answer, server by server.
 */
#include "lookup_sheet.h"
#include "mail.h"
#include "probe.h"
#include "verbs.h"

#include <stdio.h>
#include <unistd.h>

#define TRACE_US   25000000
#define ROOT_HINTS "/usr/share/dns/root.hints" /* Debian, Ubuntu: dns-root-data */

static json_t *json_step(struct lookup *lookup, const struct probe_trace_step *step)
{
	json_t *records = json_array();
	char address[IP_TEXT];

	ip_print(step->ip, address);
	for (size_t i = 0; i < step->record_count; i++)
		json_array_append_new(records, lookup_string(lookup, step->records[i]));
	return json_pack("{s:i, s:o, s:o, s:o, s:s, s:s, s:f, s:o, s:o, s:i, s:b}", "depth", (int)step->depth, "asked",
			 lookup_string(lookup, step->asked), "zone", lookup_string(lookup, step->zone), "server",
			 lookup_string(lookup, step->server), "ip", address, "result", probe_trace_names[step->kind],
			 "ms", (double)step->took_us / 1000, "why", lookup_string(lookup, step->why), "records",
			 records, "ttl", (int)step->ttl, "ds", step->delegated_ds);
}

static void show_step(struct lookup *lookup, struct sheet *sheet, const struct probe_trace_step *step)
{
	static const char *const texts[] = {
	    "refers on", "answers", "says it is an alias", "has no such record", "says there is no such name", "", ""};
	bool failed = step->kind == PROBE_TRACE_LAME || step->kind == PROBE_TRACE_FAILED;
	struct slice took = sheet_took(lookup, step->took_us), ttl = sheet_ttl(lookup, step->ttl);
	struct slice name = arena_printf(lookup->arena, "%*s%.*s", 2 * (int)step->depth, "", SLICE_ARGS(step->server));
	char address[IP_TEXT];

	ip_print(step->ip, address);
	if (failed)
		sheet_line(sheet, MARK_WRONG, name, "%-15s  %6.*s  %s%.*s", address, SLICE_ARGS(took),
			   step->kind == PROBE_TRACE_LAME ? "lame: " : "", SLICE_ARGS(step->why));
	else
		sheet_line(sheet, MARK_OK, name, "%-15s  %6.*s  %s%s%s%.*s", address, SLICE_ARGS(took),
			   texts[step->kind],
			   step->kind != PROBE_TRACE_REFERRAL ? ""
			   : step->delegated_ds               ? " (signed)"
							      : " (not signed)",
			   ttl.n ? "  " : "", SLICE_ARGS(ttl));
	for (size_t i = 0; i < step->record_count; i++)
		sheet_line(sheet, MARK_NONE, SLICE(""), "%.*s", SLICE_ARGS(step->records[i]));
}

/* A section for each zone on the way. */
static void show(struct lookup *lookup, struct sheet *sheet, const struct probe_trace *trace)
{
	struct slice zone = SLICE(" "), asked = SLICE("");

	for (size_t i = 0; i < trace->step_count; i++) {
		const struct probe_trace_step *step = &trace->steps[i];
		struct slice title;

		if (!slice_equal(zone, step->zone) || !slice_equal(asked, step->asked)) {
			title = arena_printf(lookup->arena, "%s%.*s, asked for %.*s",
					     slice_equal(step->zone, SLICE(".")) ? "the root" : "",
					     SLICE_ARGS(slice_equal(step->zone, SLICE(".")) ? SLICE("") : step->zone),
					     SLICE_ARGS(step->asked));
			sheet_section(sheet, arena_cstring(lookup->arena, lookup_safe(lookup, title)));
		}
		zone = step->zone;
		asked = step->asked;
		show_step(lookup, sheet, step);
	}
	sheet_section(sheet, "Result");
}

static void judge(struct sheet *sheet, const struct probe_trace *trace)
{
	static const char *const results[] = {"", "there is an answer", "", "the name has no record of this type",
					      "there is no such name"};

	if (trace->result == PROBE_TRACE_ANSWER)
		sheet_line(sheet, MARK_OK, SLICE("answer"), "%s", results[trace->result]);
	else if (trace->result == PROBE_TRACE_NODATA || trace->result == PROBE_TRACE_NXDOMAIN)
		sheet_line(sheet, MARK_NOTE, slice_of(probe_trace_names[trace->result]), "%s", results[trace->result]);
	else
		sheet_advice(sheet, MARK_WRONG, "failed", "%.*s", SLICE_ARGS(trace->why));
	if (trace->differs)
		sheet_advice(sheet, MARK_WRONG, "servers-differ",
			     "the authoritative servers do not say the same: has one of them an older zone?");
	for (size_t i = 0; i < trace->step_count; i++) {
		const struct probe_trace_step *step = &trace->steps[i];
		if (step->kind == PROBE_TRACE_LAME)
			sheet_advice(sheet, MARK_WRONG, "lame", "%.*s is delegated to %.*s, which does not serve it",
				     SLICE_ARGS(step->zone), SLICE_ARGS(step->server));
	}
}

static bool any_answer(const struct probe_trace *trace)
{
	for (size_t i = 0; i < trace->step_count; i++)
		if (trace->steps[i].kind != PROBE_TRACE_FAILED)
			return true;
	return false;
}

static const char *hints_path(const struct lookup *lookup)
{
	return lookup->hints ? lookup->hints : access(ROOT_HINTS, R_OK) == 0 ? ROOT_HINTS : NULL;
}

int lookup_trace(struct lookup *lookup)
{
	struct probe_trace_request request = {.type = slice_of(lookup->operands[1]), .hints = hints_path(lookup)};
	struct probe_trace trace;
	struct sheet *sheet;
	struct error err;
	bool valid = true;
	json_t *steps;

	request.name = slice_of(lookup->operands[0]);
	if (!slice_equal(request.name, SLICE(".")))
		request.name = domain_normalise(request.name, lookup->arena, &valid);
	if (!valid)
		return lookup_usage("\"%.100s\" is not a domain", lookup->operands[0]);
	if (!probe_trace_type(request.type))
		return lookup_usage("\"%.30s\" is not a type of record, as A, MX or TXT", lookup->operands[1]);
	if (lookup->zone || lookup->server)
		return lookup_usage("trace asks the root servers itself: --zone and --resolver have no effect; use "
				    "--hints");
	request.until_us = clock_us() + TRACE_US;
	if (probe_trace(&request, lookup->arena, &trace, &err) < 0) {
		fprintf(stderr, "sekisho lookup: %s\n", err.text);
		return VERB_NOINPUT;
	}
	sheet = sheet_new(lookup);
	show(lookup, sheet, &trace);
	judge(sheet, &trace);
	steps = json_array();
	for (size_t i = 0; i < trace.step_count; i++)
		json_array_append_new(steps, json_step(lookup, &trace.steps[i]));
	sheet_finish(sheet, json_pack("{s:o, s:s, s:s, s:b, s:o, s:o}", "name", lookup_string(lookup, request.name),
				      "type", lookup->operands[1], "result", probe_trace_names[trace.result], "differs",
				      trace.differs, "why", lookup_string(lookup, trace.why), "steps", steps));
	if (any_answer(&trace))
		return trace.result == PROBE_TRACE_ANSWER ? VERB_OK : VERB_NO;
	fprintf(stderr, "sekisho lookup: no root server answers\n");
	return VERB_UNAVAILABLE;
}
