/*
 * kept.h - a record on its way into the history. Private to report/.
 */
#ifndef SEKISHO_KEPT_H
#define SEKISHO_KEPT_H

#include "report.h"

void kept_add(struct history *, const struct record *, struct arena *);

#endif
