/*
 * play.h - a scenario that is being played: run.c reads and says, expect.c compares.
 */
#ifndef SEKISHO_TESTS_PLAY_H
#define SEKISHO_TESTS_PLAY_H

#include "engine.h"

#define TEXT_MAX (1024 * 1024)

struct play {
	const char *file;
	unsigned line;
	struct arena *arena; /* of the file */
	struct slice rest;   /* lines not read yet */
	struct slice title;  /* of the case at hand */
	bool failed;
	unsigned passed, failures;

	struct text zone, config;
	bool changed; /* config or zone, since the engine was made */
	struct policy *policy;
	struct resolver *resolver;
	struct store *store; /* NULL: the policy needs none */
	struct engine *engine;
	struct counters counters;
	int64_t time_us; /* of messages; 0: now */
	struct gate *gate;
	enum gate_answer answer;
	size_t change; /* next to be expected */
};

void fail(struct play *, const char *format, ...) __attribute__((format(printf, 2, 3)));

void expect_reply(struct play *, struct slice rest);
void expect_record(struct play *, struct slice rest);
void expect_rule(struct play *, struct slice rest);
void expect_note(struct play *, struct slice rest);
void expect_score(struct play *, struct slice rest);
void expect_no_notes(struct play *, struct slice rest);
void expect_change(struct play *, struct slice rest);
void expect_no_more_changes(struct play *, struct slice rest);
void expect_quarantine(struct play *, struct slice rest);
void expect_footer(struct play *, struct slice rest);

#endif
