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

/* Control characters are also U+0080 to U+009F, of which terminals take U+009B for the start of a command. */
static bool is_shown(struct slice character)
{
	return character.n > 2 ||
	       (character.n == 2 && ((unsigned char)character.p[0] != 0xc2 || (unsigned char)character.p[1] >= 0xa0)) ||
	       (character.n == 1 && !is_control(character.p[0]));
}

/* One character, or a byte that is none: as it is, or in hexadecimal. */
static void print_character(FILE *out, struct slice character, bool shown)
{
	for (size_t i = 0; i < character.n; i++)
		fprintf(out, shown ? "%c" : "\\x%02x", (unsigned char)character.p[i]);
}

void trace_print_text(FILE *out, struct slice text)
{
	while (text.n > 0) {
		size_t n = slice_utf8(text);
		struct slice character = slice_head(text, n ? n : 1);

		if (text.p[0] == '\n')
			fputs("\n             ", out);
		else if (text.p[0] == '\t')
			fputc(' ', out);
		else
			print_character(out, character, n > 0 && is_shown(character));
		text = slice_from(text, character.n);
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
