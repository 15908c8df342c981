/*
 * store.h - keyed state that outlives messages: limits, values that expire, sets of distinct members, leases.
 *
 * Every operation is atomic and may be called from any thread. None waits for another session: lmdb: decides in memory,
 * and one thread of its own writes what changed every STORE_FLUSH_US. A key that is not in memory is read from the
 * file; only its caller waits, and only if the system must read that page from the disk. A store that does not work
 * answers STORE_UNAVAILABLE at once; it never counts in memory what it cannot store.
 *
 *	memory:     lost with the process; for tests
 *	lmdb:PATH   the directory PATH; the file in it is store.mdb, of one process at a time. A directory that does not
 *	            exist is made, mode 0700. Open it after dropping privileges: the file belongs to who opens it.
 *	redis://[USER@]HOST[:PORT][/DATABASE], rediss:// with TLS, redis+unix://[USER@]/PATH[?db=DATABASE]
 *	            a Redis or Valkey server, which several nodes can share
 *
 * Guarantees of lmdb:. After kill -9 the file is consistent and lacks at most the changes of the last second, or those
 * since the previous commit when there is more to write than the disk can take in a second. After a power failure it is
 * consistent, too, and lacks at most one commit more. What store_flush() waited for is on the disk. Surviving a kill
 * costs nothing besides the commit; surviving a power failure costs one fdatasync per commit, in the writing thread:
 * two commits a second, or one for every thousand changes. While the disk is full or broken, reservations and changes
 * are STORE_UNAVAILABLE; earlier changes are kept and written once that is possible. A reservation that was written and
 * not released when the process died stays counted until its window has passed.
 *
 * Guarantees of redis:. Each call is one round trip and atomic in the server; it returns within timeout_us, whatever
 *the server does. Only a question that was surely not taken is asked again. After a time-out, or three failures, every
 *call is STORE_UNAVAILABLE at once, until a thread has found that the server answers again: after a second, then twice
 *as long each time, at most 30 s. A server that is down, or refuses us, does not keep the store from being opened;
 * store_report() says what is wrong. An answer that was lost may have been a reservation that was made. What is kept
 * when the server ends is as it is configured; store_flush() waits for nothing. A value of another version of Sekisho
 *is never used, and changed only by store_delete() (redis_script.h).
 *
 * The limit (at_most) applies to the file, or to the memory. At three quarters of it new keys are refused, until
 * expired keys make room; existing keys still change, so limits in use stay exact. The file takes disk space as it
 * grows, never returns it, and reuses what became free.
 *
 * lmdb: reads through a mapping of the file. Pages that scans and sums have read are given back to the system as they
 *go on, so a long scan takes little memory, however large the file is.
 *
 * memory: and lmdb: have their own time: it begins with the wall clock, or with the latest time in the file if that is
 *later, and advances with the monotonic clock. Setting the wall clock back or forth neither grants a window twice nor
 *blocks anyone. The time of redis: is that of the server, unless wall_us is given. A key is absent from the moment it
 *expires; its memory and space are freed later, piece by piece.
 *
 * Keys: "space:part:...:part", made by store_key(). The space names the owner of the key ("limit"), and the header of
 * the owner documents the parts. Each key has a kind (enum store_kind) and a life; store_scan() shows both.
 */
#ifndef SEKISHO_STORE_H
#define SEKISHO_STORE_H

#include "base.h"

#define STORE_DAY_US (INT64_C(86400) * 1000 * 1000)

#define STORE_KEY_MAX        480                   /* bytes; LMDB allows 511, and its index needs eight for a time */
#define STORE_VALUE_MAX      8192                  /* bytes of a stored value */
#define STORE_LIFE_MAX_US    (3653 * STORE_DAY_US) /* ten years: detects a wrong unit */
#define STORE_SLOTS          60                    /* steps in which a window slides */
#define STORE_WINDOW_MIN_US  (1000 * 1000)         /* a second */
#define STORE_WINDOW_MAX_US  (366 * STORE_DAY_US)
#define STORE_DISTINCT_MAX   10000 /* members of one set: 160 KB, searched for each request */
#define STORE_LIMITS_MAX     16    /* in one request */
#define STORE_RENEW_MAX      100
#define STORE_SCAN_MAX       1000 /* keys on one page */
#define STORE_HOLDER_MAX     255  /* bytes of the name of who has a lease */
#define STORE_FLUSH_US       (500 * 1000)
#define STORE_AT_MOST        (UINT64_C(1) << 30) /* by default */
#define STORE_AT_MOST_MIN    (UINT64_C(8) << 20) /* with less there is no room for the pages that one commit replaces */
#define STORE_MEMORY         (UINT64_C(64) << 20) /* lmdb: of keys in memory; at a peak four times that */
#define STORE_TIMEOUT_MIN_US (1000)               /* redis: */
#define STORE_TIMEOUT_MAX_US (2 * 1000 * 1000)    /* a message asks some questions, and a mail server waits 10 s */
#define STORE_NO_LIMIT       UINT64_MAX

enum store_answer {
	STORE_OK,
	STORE_ABSENT,      /* get, delete: the key does not exist */
	STORE_EXISTS,      /* put_absent: the key exists; lease: another holder has it; nothing was changed */
	STORE_OVER,        /* reserve: a hard limit would be exceeded; nothing was reserved */
	STORE_UNAVAILABLE, /* the store does not work, or has no room for another key; nothing was changed */
	STORE_INVALID      /* a size, life or window is out of bounds, or the key is of another kind; as above */
};

enum store_kind { STORE_VALUE = 1, STORE_WINDOW, STORE_DISTINCT, STORE_SUM };

/* ---- opening ----------------------------------------------------------------- */

struct store;

/* The sources of time, in microseconds. */
struct store_clock {
	int64_t (*wall_us)(void);   /* since 1970; read once, when the store is opened. NULL: clock_wall_us */
	int64_t (*steady_us)(void); /* NULL: clock_us */
};

struct store_settings {
	struct slice url;
	uint64_t at_most; /* bytes; 0: STORE_AT_MOST. Not for redis: */
	struct store_clock clock;
	/* only for redis: */
	const char *password_file; /* its one line is the password; NULL: none. Read at each login */
	const char *ca_file;       /* PEM, for rediss:; NULL: what the system trusts */
	int64_t timeout_us;        /* for a call; 0: 50 ms */
};

/* Is the URL valid? Does not access files. 0, or -1 and err. */
int store_check(const struct store_settings *, struct error *err);

/* Can certificates be read from this file, as for the setting ca_file? 0, or -1 and err. */
int store_check_ca_file(const char *path, struct error *err);

/* The directory of the store's file; "" for a store without a file, and for an invalid URL. */
struct slice store_directory(struct slice url);

/* NULL and err: not our file, damaged, from a newer version, in use by another process, no permission, no space. A file
 * of an older version is upgraded. A process opens a file only once: a store is kept when the configuration is
 * reloaded. */
struct store *store_open(const struct store_settings *, struct error *err);
void store_close(struct store *); /* writes pending changes; no other call may run. NULL is allowed */

/* The same store for one session: `waiting` is told when a call waits for a server for more than a tenth of a
 * millisecond, and when it no longer does. It is the store itself when no call ever does, or nobody wants to know. Only
 * for calls of sections "limits", "values" and "leases"; closed before the store. NULL gives NULL. */
struct store *store_view(struct store *, const struct wait_hook *);
void store_view_close(struct store *); /* NULL, and the store itself, are allowed: then nothing happens */

/* ---- limits ------------------------------------------------------------------- */

/* A limit in a sliding window. The window slides in STORE_SLOTS steps: an amount is forgotten between 59/60 of
 * length_us and length_us later. */
struct store_limit {
	struct slice key;
	struct slice member; /* p not NULL: counts distinct members, and this is one; amount is ignored */
	int64_t length_us;   /* if it differs from before, earlier amounts are kept as far as they fit */
	uint64_t amount;     /* 0: only look */
	uint64_t hard; /* never more than this in the window; STORE_NO_LIMIT: only count. The distinct members of a
			  set are exact up to STORE_DISTINCT_MAX; beyond it no more are counted, with a hard limit
			  there is STORE_OVER */
};

struct store_usage {
	uint64_t count;  /* in the window, with what was just reserved */
	int64_t wait_us; /* 0: it fits; else the time until it would fit, at most length_us */
	int64_t at_us;   /* when it was reserved, for store_release */
};

/* Reserves all limits or none: STORE_OK, STORE_OVER (usage: those with wait_us are exceeded), STORE_UNAVAILABLE,
 * STORE_INVALID (also two with one key). usage_r has one element for each limit. */
enum store_answer store_reserve(struct store *, const struct store_limit *, size_t count, struct store_usage *usage_r);

/* Releases a reservation, given the same limits and their usage. A member stays counted while the window contains
 * another unreleased reservation of it. Also STORE_OK when it has already left the window. */
enum store_answer store_release(struct store *, const struct store_limit *, size_t count, const struct store_usage *);

/* ---- values ------------------------------------------------------------------- */

struct store_item {
	struct slice key;
	enum store_kind kind;
	struct slice value; /* STORE_VALUE */
	uint64_t count;     /* STORE_WINDOW, STORE_DISTINCT: in the window now; STORE_SUM: the sum */
	int64_t life_us;    /* left; at least 1 */
};

/* life_us: 1 to STORE_LIFE_MAX_US. A key of another kind is replaced. STORE_OK, UNAVAILABLE, INVALID. */
enum store_answer store_put(struct store *, struct slice key, struct slice value, int64_t life_us);
/* Puts the value unless the key exists. STORE_OK, EXISTS, UNAVAILABLE, INVALID. */
enum store_answer store_put_absent(struct store *, struct slice key, struct slice value, int64_t life_us);
/* Puts the value if the key still has the value `was`: for a change that depends on what was read. STORE_OK; EXISTS: it
 * has another value, or is absent now; UNAVAILABLE, INVALID. */
enum store_answer store_replace(struct store *, struct slice key, struct slice was, struct slice value,
				int64_t life_us);
/* Puts the value, for each of at most STORE_RENEW_MAX keys, unless the key has a value that lives for again_us still.
 * The keys do not change together. STORE_OK; UNAVAILABLE: some were not put; INVALID. */
enum store_answer store_renew(struct store *, const struct slice *keys, size_t count, struct slice value,
			      int64_t life_us, int64_t again_us);
/* STORE_OK and the item, in the arena; ABSENT, UNAVAILABLE, INVALID. */
enum store_answer store_get(struct store *, struct slice key, struct arena *, struct store_item *item_r);
/* Of any kind. STORE_OK, ABSENT, UNAVAILABLE, INVALID. */
enum store_answer store_delete(struct store *, struct slice key);

struct store_page {
	struct store_item *items; /* by key, bytewise */
	size_t count;             /* may be 0 although there is a next page */
	struct slice next;        /* p not NULL: the next page begins after this key */
};

/* A page of at most `room` keys with the prefix, after a key ("": from the start). Keys that exist during the whole
 * scan are shown once, whatever is written meanwhile. Waits for a flush: do not call it for a message. STORE_OK,
 * UNAVAILABLE, INVALID. */
enum store_answer store_scan(struct store *, struct slice prefix, struct slice after, size_t room, struct arena *,
			     struct store_page *page_r);

/* Waits until all earlier changes are on the disk, at most until deadline_us (clock_us). STORE_OK, UNAVAILABLE. */
enum store_answer store_flush(struct store *, int64_t deadline_us);

/* ---- leases ------------------------------------------------------------------- */

/* A lease is for work that one node does at a time: one holder has it, until it is released or its life has passed.
 * Holders are told apart by name: a process that may have died needs a new name when it starts again, or it would
 * believe that it still does the work of before. Work that takes longer than the life is interrupted unless the holder
 * takes the lease again in time. Whoever has worked for longer than the life without that must stop: another may have
 * begun. It is stored as a STORE_VALUE, the name of the holder, so store_get() tells who has it; a crash may lose it
 * as it may lose any value. */

/* life_us: 1 to STORE_LIFE_MAX_US, from now. STORE_OK, also when this holder had it already; EXISTS; UNAVAILABLE;
 * INVALID (also for a key of another kind). The name has 1 to STORE_HOLDER_MAX bytes. */
enum store_answer store_lease_take(struct store *, struct slice key, struct slice holder, int64_t life_us);
/* STORE_OK; ABSENT: nobody has it (any more); EXISTS; UNAVAILABLE; INVALID. */
enum store_answer store_lease_release(struct store *, struct slice key, struct slice holder);

/* ---- sums --------------------------------------------------------------------- */

/* A key has members, and each member a sum: report:20784 has domains, with the number of messages of each. The member
 * is any bytes, the key has no blank; together they have at most STORE_SUM_MAX bytes. store_scan() shows them as one
 * key with a blank between. */
#define STORE_SUM_MAX (STORE_KEY_MAX - 1)

struct store_sum {
	struct slice key, member;
	uint64_t amount;
	int64_t life_us; /* of the member, from now on: an addition never shortens it */
};

/* Adds amounts. A sum and its life change together; sums do not change together: *added_r is how many of the first ones
 * were added, all of them with STORE_OK. A sum stops at UINT64_MAX. STORE_OK, UNAVAILABLE, INVALID. */
enum store_answer store_add(struct store *, const struct store_sum *, size_t count, size_t *added_r);
/* A page of at most `room` members, bytewise, after a member ("": from the start). An item has the member as its key.
 * Does not wait for a flush: what was added since the latest may be missing. STORE_OK, UNAVAILABLE, INVALID. */
enum store_answer store_sums(struct store *, struct slice key, struct slice after, size_t room, struct arena *,
			     struct store_page *page_r);
/* Removes a member. STORE_OK, ABSENT, UNAVAILABLE, INVALID. */
enum store_answer store_forget(struct store *, struct slice key, struct slice member);

/* Adds a word to a value of words with blanks in between, unless it has it, and lets it live for STORE_LIFE_MAX_US. No
 * word is lost when several nodes add at the same time: one has a lease "lease:KEY" meanwhile, for which the others
 * wait, up to 5 s. Not for a message. STORE_OK, UNAVAILABLE, INVALID. */
enum store_answer store_add_word(struct store *, struct slice key, struct slice word, struct arena *);

/* ---- keys --------------------------------------------------------------------- */

/* A key of a space and any texts, of 1 to STORE_KEY_MAX bytes, different for different parts of the same number: in a
 * part "%", ":" (but for the last part), blanks and control bytes are written %XX. If that is too long, the key is
 * its beginning and a hash of all of it; with texts of that length an attacker could make two that share a key. */
#define store_key(arena, ...)                                                                                          \
	store_key_parts((arena), (const struct slice[]){__VA_ARGS__},                                                  \
			sizeof((const struct slice[]){__VA_ARGS__}) / sizeof(struct slice))
struct slice store_key_parts(struct arena *, const struct slice *parts, size_t count);

/* ---- state -------------------------------------------------------------------- */

struct store_counters {
	uint64_t asked, unanswered; /* requests, and those that got STORE_UNAVAILABLE */
	uint64_t keys;              /* in the file, memory or database; includes expired ones not freed yet */
	uint64_t bytes,
	    at_most; /* in use, and the bound; 0: not known. redis: of the server, maxmemory or else all of its host */
	uint64_t memory;            /* bytes of keys held in memory */
	uint64_t flushes, failures; /* commits, and those that failed; redis: times that calls were given up */
	uint64_t damaged;           /* records that could not be read: damaged, of another version or program */
};

void store_counters(struct store *, struct store_counters *counters_r);

/* Is there a line for the log now? At the first error (also when the limit is near), then once a minute while it lasts,
 * and once when it is over. One thread calls it, about once a second. */
bool store_report(struct store *, int64_t now_us, struct error *line_r);
/* Does it fail now, or refuse new keys because it is full? *why_r only then. Any thread may ask. */
bool store_trouble(struct store *, struct error *why_r);

#endif
