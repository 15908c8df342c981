/*
 * redis_script.h - the questions that are asked of a server: Lua scripts, so that each is one round trip and atomic,
 * and the form of the values that they keep.
 *
 * Keys: REDIS_PREFIX and the key of the store. The clock is that of the server (TIME), so that all nodes have one.
 *
 *	STORE_VALUE     a string: "\1" "\1", when it expires (a double), the value
 *	STORE_WINDOW    a string: "\1" "\2", when it expires, the length of a slot and the number of the newest slot
 *(doubles), then for each slot with a count: how much older it is than the newest (a byte), and the count as two
 *numbers of 4 bytes, the higher half first: numbers in Lua are exact up to 2^53 only STORE_DISTINCT  a sorted set. Its
 *first element has the score 0 and is "\1" and the length of a slot (a double). Each other is the first 16 bytes of
 *SHA-256 of a member; its score is the millisecond in which the slot began in which it was reserved last, times 1024,
 *plus the reservations that were not released, at most 1023
 *
 *	STORE_SUM       a string: "\1" "\4", when it expires (a double), the sum as two numbers of 4 bytes. The key is
 *that of the sum, a blank, and the member; the key with only the blank is a sorted set of all members
 *
 * Times are microseconds since 1970; numbers are little-endian. Redis deletes a key about when it expires; until then
 * the scripts treat it as absent.
 *
 * The first byte is the version of the form. A release that finds another one there, or another type of Redis, neither
 * uses nor changes the key: get, reserve, release and put are STORE_UNAVAILABLE, put_absent and the lease STORE_EXISTS,
 * and a scan leaves it out; only delete deletes it. So the older release of two that share a store lets its on-failure
 * decide, and does not destroy what the newer one has counted. What is damaged within version 1 is absent.
 */
#ifndef SEKISHO_STORE_REDIS_SCRIPT_H
#define SEKISHO_STORE_REDIS_SCRIPT_H

#include "store.h"

#define REDIS_PREFIX       "sekisho:1:"
#define REDIS_MEMBER_BYTES 16
#define REDIS_SHA1_TEXT    41

/* The arguments come after "now": the time, or 0 for that of the server. Numbers up to UINT64_MAX are two arguments,
 * their halves. Answers are lists that begin with an enum store_answer; UNAVAILABLE there means a key of another
 * version, type or program. */
enum redis_script {
	/* Of each key: slot, amount (2), hard (2), member ("" in a window).
	 * {answer, now, then of each key: count (2), wait} */
	REDIS_RESERVE,
	/* Of each key: amount (2), when, member. {answer} */
	REDIS_RELEASE,
	REDIS_PUT,   /* life, enum put_when, value, the value before. {answer} */
	REDIS_RENEW, /* life, the life that is enough, value. {answer} */
	/* Of each key: kind (0: absent, -1: unavailable), life, count (2), value */
	REDIS_GET,
	REDIS_DELETE,  /* {answer} */
	REDIS_LEASE,   /* life, holder. {answer} */
	REDIS_UNLEASE, /* holder. {answer} */
	/* Two keys for each sum, its own and its index; of each: life, amount (2), member. {answer} */
	REDIS_ADD,
	/* The index: after, how many. {0, then of each member: kind (0: expired), life, sum (2), "", member} */
	REDIS_SUMS,
	REDIS_FORGET, /* the key of the sum, its index: member. {answer} */
	REDIS_SCRIPTS
};

struct slice redis_script_text(enum redis_script);
/* SHA-1 of the text as EVALSHA wants it. */
const char *redis_script_sha1(enum redis_script);
void redis_scripts_init(void); /* once, before; repeated calls are allowed, from one thread at a time */

#endif
