/*
 * sums_private.h - the tables that an adder keeps. Each is bounded: what strangers write decides how much goes in.
 */
#ifndef SEKISHO_SUMS_PRIVATE_H
#define SEKISHO_SUMS_PRIVATE_H

#include "feedback.h"

/* names.c: different texts, numbered from 1. */
struct names {
	struct arena *arena;
	struct slice *items; /* items[0] is "" */
	uint32_t *places;    /* of a hash table: numbers, 0: free */
	size_t count, room, most;
	uint64_t seed;
};
void names_open(struct names *, size_t most);
void names_close(struct names *);
unsigned names_add(struct names *, struct slice); /* 0: there are `most` already, or the text is "" */
struct slice names_get(const struct names *, unsigned number);

/* seen.c: reports that were counted, by a hash of 128 bits. */
struct seen {
	uint64_t (*places)[2];
	size_t count, room;
	uint64_t seeds[2];
};
void seen_open(struct seen *);
void seen_close(struct seen *);
enum seen_result { SEEN_NEW, SEEN_BEFORE, SEEN_FULL };
enum seen_result seen_add(struct seen *, struct slice key);

/* source_table.c: the sums by domain and source. */
struct source_table {
	struct feedback_source *items;
	uint32_t *places; /* index + 1 in items; 0: free */
	size_t count, room, place_room, most;
	uint64_t seed;
};
void source_table_open(struct source_table *, size_t most);
void source_table_close(struct source_table *);
void source_table_clear(struct source_table *);
/* Finds or makes the sums; those of a domain beyond `most` when there are too many. */
struct feedback_source *source_table_get(struct source_table *, unsigned domain, struct ip source);
struct feedback_source *source_table_get_beyond(struct source_table *, unsigned domain);
void source_add(struct feedback_source *, const struct feedback_source *more);

uint64_t sums_add(uint64_t a, uint64_t b); /* UINT64_MAX when it does not fit */

struct feedback_adder {
	struct slice domain; /* the only one that counts; "": all */
	int64_t since_s;
	struct source_table
	    pending; /* since the last report; "domain" is 1 when the policy domain decides whether it counts */
	struct source_table kept;
	uint64_t pending_records;
	struct names names, domains, tls_keys;
	struct seen seen;
	size_t domain_room, tls_room;
	struct feedback_sums sums;
};

bool adder_wants(const struct feedback_adder *, struct slice domain);
/* Counts it as a duplicate, older, or new. False: it is not to be counted. */
bool adder_is_new(struct feedback_adder *, struct slice org, struct slice id, struct slice domain, int64_t begin_s,
		  int64_t end_s);

#endif
