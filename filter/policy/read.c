/*
 * read.c - reads a fact for a rule that runs, and keeps what was seen for the trace.
 */
#include "run.h"

struct arena *run_arena(struct run *run)
{
	if (!run->scratch)
		run->scratch = arena_new();
	return run->scratch;
}

struct value run_read(struct run *run, const struct reading *reading)
{
	struct value value = fact_get(run->view, reading->fact, reading->argument);
	struct slice shown;

	if (!run->seen || run->seen_count == SEEN_MAX)
		return value;
	for (size_t i = 0; i < run->seen_count; i++) {
		if (slice_equal(run->seen[i].fact, reading->shown))
			return value;
	}
	shown = arena_copy(run->decision->arena, slice_head(value_print(&value, run_arena(run)), SEEN_TEXT_MAX));
	run->seen[run->seen_count++] = (struct seen){reading->shown, shown};
	return value;
}
