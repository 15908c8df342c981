/*
 * kept.h - a record on its way into the history. Private to report/.
 */
#ifndef SEKISHO_KEPT_H
#define SEKISHO_KEPT_H

#include "report.h"

/* `line`: what the log got of it; NULL: nothing. */
void kept_add(struct history *, const struct record *, const char *line, struct arena *);

#endif
