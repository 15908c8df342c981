/*
 * top_show.h - one frame of `sekisho top`: what the daemon counted at two moments, as lines of text.
 */
#ifndef SEKISHO_TOP_SHOW_H
#define SEKISHO_TOP_SHOW_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

struct frame {
	FILE *out;
	unsigned rows, columns;
	bool terminal; /* lines are placed by escape sequences, and what was there before is erased */
	unsigned row;  /* how many were written */
};

/* `before` and `now`: answers of the daemon (filter/daemon/top.c); rates are between them. `trouble`: why there is no
 * new one, or NULL. Never more than rows and columns; whatever is in the answers, only printable ASCII comes out. */
void frame_print(struct frame *, const json_t *before, const json_t *now, const char *trouble);

#endif
