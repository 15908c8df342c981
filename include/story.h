/*
 * story.h - what became of a message of the history, and why: told in one place, for `sekisho why` and the page.
 *
 * The rules are evaluated again over the recorded facts, with the policy of the engine. When this leads to another
 * answer than the one recorded, the policy has changed since, and the story has no rules, but the facts.
 */
#ifndef SEKISHO_STORY_H
#define SEKISHO_STORY_H

#include "engine.h"

struct json_t;

enum story_part {
	STORY_WHO,  /* when, from where, to whom */
	STORY_TOLD, /* the answer, and what was changed */
	STORY_DNS,  /* the questions that it rests on: "example.net TXT", "v=spf1 -all" */
	STORY_FACTS /* only without rules */
};

struct story_line {
	enum story_part part;
	bool below; /* it belongs to the line before */
	struct slice name, text;
};

struct story {
	struct record record;
	const struct story_line *lines;
	size_t line_count;
	struct trace trace;  /* the rules with the values that they saw */
	bool told_rules;     /* the trace leads to what is recorded; else it is not to be shown */
	struct json_t *json; /* the record */

	struct gate *gate; /* private: texts of the trace live in it */
};

/* The engine (NULL: the policy has errors) should ask nobody: a resolver of zone text, no store, counters of its own.
 * False: the row is not a record. All texts live until story_end or the end of the row, whichever is first. */
bool story_tell(struct engine *, const struct fact_names *, const struct history_row *, struct arena *,
		struct story *story_r);
void story_end(struct story *);

extern const char story_without_rules[]; /* why there are no rules, as a sentence */
struct slice story_truth(enum truth);    /* "false" "true" "unknown" */

/* As history_find. A text for HISTORY_CASE that is not a case is looked for as a queue id: both are short words. */
int story_find(struct history_reader *, const struct history_found *, int64_t since_us, history_take *, void *context,
	       struct error *err);

#endif
