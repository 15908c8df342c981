/*
 * arc_private.h - what the files of the room share: the sets of a header.
 */
#ifndef SEKISHO_ARC_PRIVATE_H
#define SEKISHO_ARC_PRIVATE_H

#include "arc.h"

enum arc_part { ARC_RESULTS, ARC_SIGNATURE, ARC_SEAL };
#define ARC_PARTS 3

struct arc_set {
	const struct header_field *parts[ARC_PARTS]; /* NULL: it is not there */
};

struct arc_sets {
	struct arc_set list[ARC_SETS_MAX]; /* by instance, from 1 */
	unsigned highest;   /* instance; 0: no field has one. More than ARC_SETS_MAX when one claims it */
	size_t fields;      /* of ARC, with an instance or not */
	struct slice wrong; /* with the structure; "": each set up to the highest is complete */
};

/* RFC 8617 5.2, steps 1 and 3: more than `most` sets is wrong. */
void arc_sets_find(struct arc_sets *, const struct header_field *list, size_t count, unsigned most, struct arena *);

/* Which part of a set a field is. False: it is none. */
bool arc_part_of(const struct header_field *, enum arc_part *part_r);

/* i= of a field (RFC 8617 4.2.1: one or two digits, without regard to its range). False: there is none. *rest_r: what
 * follows i= of ARC-Authentication-Results. */
bool arc_instance(enum arc_part, struct slice value, unsigned *instance_r, struct slice *rest_r);

#endif
