/*
 * trace.c - the rules that were tried for a message, in order, as text for people.
 */
#include "engine.h"

#include <string.h>

static const char *const truth_words[] = {[TRUTH_FALSE] = "false", [TRUTH_TRUE] = "true", [TRUTH_UNKNOWN] = "unknown"};

void trace_keep(void *context, const struct rule_trace *rule)
{
	struct trace *trace = context;

	if (trace->count == trace->room) {
		size_t room = trace->room ? trace->room * 2 : 64;
		struct rule_trace *rules = arena_alloc(trace->arena, room * sizeof(*rules));

		if (trace->count)
			memcpy(rules, trace->rules, trace->count * sizeof(*rules));
		trace->rules = rules;
		trace->room = room;
	}
	trace->rules[trace->count++] = *rule;
}

void trace_print_text(FILE *out, struct slice text)
{
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (c == '\n')
			fputs("\n             ", out);
		else if (c == '\t')
			fputc(' ', out);
		else if (c < 0x20 || c == 0x7f)
			fprintf(out, "\\x%02x", c);
		else
			fputc(c, out);
	}
}

static void print_rule(FILE *out, const struct rule_trace *rule)
{
	fprintf(out, "  %s:%u  ", rule->where.file, rule->where.line);
	trace_print_text(out, rule->source);
	fputc('\n', out);
	for (size_t i = 0; i < rule->seen_count; i++) {
		fputs("      ", out);
		trace_print_text(out, rule->seen[i].fact);
		fputs(" = ", out);
		trace_print_text(out, rule->seen[i].value.n ? rule->seen[i].value : SLICE("(none)"));
		fputc('\n', out);
	}
	fprintf(out, "      %s: %s\n", truth_words[rule->truth], rule->effect);
}

void trace_print(const struct trace *trace, FILE *out)
{
	for (size_t i = 0; i < trace->count; i++) {
		const struct rule_trace *rule = &trace->rules[i];

		if (i == 0 || rule->stage != rule[-1].stage)
			fprintf(out, "on %s\n", stage_names[rule->stage]);
		print_rule(out, rule);
	}
	if (trace->count == 0)
		fputs("no rule concerns this message\n", out);
}
