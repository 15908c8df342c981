/*
 * authres_cases.c - parses Authentication-Results for authres_cases.py: values come on
 * standard input, each a string of JSON on a line of its own; a line of JSON goes out for each.
 *
 * null, or {"id", "version", "clauses": [{"method", "version", "result", "reason",
 * "properties": [[type, property, value], ...]}, ...]}. "none" has no clauses.
 */
#include "mail.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define LINE_MAX_BYTES 1000000

static json_t *string_of(struct slice text)
{
	return json_stringn(text.n > 0 ? text.p : "", text.n);
}

static json_t *clause_of(const struct authres_clause *clause)
{
	json_t *properties = json_array();

	for (size_t i = 0; i < clause->property_count; i++) {
		const struct authres_property *property = &clause->properties[i];

		json_array_append_new(properties, json_pack("[o,o,o]", string_of(property->type),
							    string_of(property->property), string_of(property->value)));
	}
	return json_pack("{s:o,s:I,s:o,s:o,s:o}", "method", string_of(clause->method), "version",
			 (json_int_t)clause->version, "result", string_of(clause->result), "reason",
			 string_of(clause->reason), "properties", properties);
}

static json_t *answer_of(struct slice value, struct arena *arena)
{
	struct authres_parsed parsed;
	json_t *clauses;

	if (!authres_parse(value, arena, &parsed))
		return json_null();
	clauses = json_array();
	for (size_t i = 0; i < parsed.clause_count; i++)
		json_array_append_new(clauses, clause_of(&parsed.clauses[i]));
	return json_pack("{s:o,s:I,s:o}", "id", string_of(parsed.id), "version", (json_int_t)parsed.version, "clauses",
			 clauses);
}

int main(void)
{
	struct arena *arena = arena_new();
	char *line = xmalloc(LINE_MAX_BYTES);

	while (fgets(line, LINE_MAX_BYTES, stdin)) {
		json_t *value = json_loads(line, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL), *answer;

		if (!json_is_string(value))
			die("not a string of JSON: %s", line);
		answer = answer_of((struct slice){json_string_value(value), json_string_length(value)}, arena);
		json_dumpf(answer, stdout, JSON_ENCODE_ANY | JSON_COMPACT);
		putchar('\n');
		json_decref(answer);
		json_decref(value);
		arena_reset(arena);
	}
	free(line);
	arena_free(arena);
	return 0;
}
