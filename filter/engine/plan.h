/*
 * plan.h - the plan of a header: what happens to each field, and which are new. changes.c makes it, changes_write.c
 * writes it.
 */
#ifndef SEKISHO_ENGINE_PLAN_H
#define SEKISHO_ENGINE_PLAN_H

#include "gate_private.h"

struct plan_field {
	bool deleted;
	bool replaced;
	struct slice value; /* with its leading space, when replaced */
};

struct plan_new {
	bool deleted;
	bool supplied; /* takes the place of a field that the MTA would supply */
	bool bottom;   /* below all fields */
	struct slice name, value;
};

struct plan {
	struct arena *arena;
	const struct headers *headers;
	struct plan_field *fields; /* one for each field of the message */
	struct plan_new *added;    /* by rules, in their order */
	size_t new_count;
	struct plan_new
	    stamps[1 + CHECK_MAX + SIGNERS_MAX * SIGN_KEYS_MAX]; /* by engine and checks; rules cannot change them */
	size_t stamp_count;
	struct plan_new seal[3]; /* of ARC, above all others */
	size_t seal_count;
};

/* canonical.c: the From field with this author alone, and the name of the first author as it is written there. False:
 * nothing has to be changed. */
bool canonical_from(const struct plan *, struct slice address, struct slice *value_r);

void plan_write(struct gate *, const struct plan *);

/* rewrite.c: the values of From as a rule wants it and of Reply-To for the author who is in the plan. False: From
 * stays, for the reason that is noted. */
bool rewrite_from(struct gate *, const struct edit *, const struct plan *, struct slice *value_r,
		  struct slice *reply_r);

#endif
