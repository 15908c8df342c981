/*
 * zone.h - zone text as a place to ask.
 *
 * The text becomes one array of records sorted by owner name, so that a name is
 * found by halving, and so that all names below a name follow
 * it. The key of a name makes that order: its labels from the root down, each
 * with its length before it, in lower case. The key of a parent is thus the
 * beginning of the keys of its children.
 */
#ifndef SEKISHO_DNS_ZONE_H
#define SEKISHO_DNS_ZONE_H

#include "name.h"

#define ZONE_BYTES_MAX                                                                                                 \
	(64u << 20)       /* more text than a test or a person's --zone file has; keeps sizes far from overflow */
#define ZONE_CHAIN_MAX 10 /* CNAMEs followed for one question; libunbound stops at about as many */

enum zone_fault { ZONE_NO_FAULT, ZONE_TIMEOUT, ZONE_SERVFAIL };

struct zone_record {
	struct slice key; /* of the owner */
	unsigned line;
	unsigned type; /* 0: a fault for whatever the name has no record for; ZONE_TYPE_OTHER: never answered */
	enum zone_fault fault;
	struct dns_record data;
};

#define ZONE_TYPE_OTHER 65536u

struct zone {
	struct arena *arena; /* keys and texts */
	struct zone_record *records;
	size_t count, room;
};

/* NULL and err ("name:line: what; what to do"). */
struct zone *zone_read(struct slice text, const char *name, struct error *err);
void zone_free(struct zone *); /* NULL is allowed */

#define ZONE_KEY_MAX NAME_WIRE_MAX

/* The key of a name in lower case; it lives in buffer. */
struct slice zone_key(const struct name *, char buffer[ZONE_KEY_MAX]);

/* The answer, whose records are `room` (DNS_RECORD_MAX of them) and whose texts are the zone's. */
void zone_answer(const struct zone *, const struct question *, struct dns_record *room, struct dns_answer *answer_r);

#endif
