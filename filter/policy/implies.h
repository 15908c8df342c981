/*
 * implies.h - what follows from the form of two conditions, without knowing any message.
 */
#ifndef SEKISHO_POLICY_IMPLIES_H
#define SEKISHO_POLICY_IMPLIES_H

#include "syntax.h"

/* Whenever the first is true, so is the second. False when it does not follow by simple steps, when both ask for
 * something that changes between two rules, or when *steps are used up. */
bool condition_implies(const struct condition_syntax *, const struct condition_syntax *, unsigned *steps);

/* It asks for two results of one fact at once: spf is fail and spf is pass. */
bool condition_is_never(const struct condition_syntax *, unsigned *steps);

/* A test of the fact that counts as it is written, not under `not`, for which `holds` is true; or NULL. */
const struct condition_syntax *condition_find(const struct condition_syntax *,
					      bool (*holds)(const struct condition_syntax *));

#endif
