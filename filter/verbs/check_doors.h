/*
 * check_doors.h - what `sekisho check` says about the sockets in a file: what rules ask for and cannot get there.
 */
#ifndef SEKISHO_VERBS_CHECK_DOORS_H
#define SEKISHO_VERBS_CHECK_DOORS_H

#include "policy.h"

void check_doors(const struct policy *, struct diagnostics *);

#endif
