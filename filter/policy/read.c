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

void run_see(struct run *run, struct slice fact, struct slice value)
{
	for (size_t i = 0; i < run->seen_count; i++)
		if (slice_equal(run->seen[i].fact, fact))
			return;
	if (run->seen_count == SEEN_MAX)
		return;
	run->seen[run->seen_count++] =
	    (struct seen){fact, arena_copy(run->decision->arena, slice_head(value, SEEN_TEXT_MAX))};
}

struct value run_read(struct run *run, const struct reading *reading)
{
	struct value value = fact_get(run->view, reading->fact, reading->argument);

	if (run->seen)
		run_see(run, reading->shown, value_print(&value, run_arena(run)));
	return value;
}
