/*
 * store.h - keyed state that outlives messages: limits, values that expire, sets of distinct members.
 *
 * Every operation is atomic and may be called from any thread. None waits for another session: lmdb: decides in memory,
 * and one thread of its own writes what changed every STORE_FLUSH_US. A key that is not in memory is read from the
 *file; only who asks for it waits, and only when the system has to bring that page from the disk. A store that does not
 *work answers STORE_UNAVAILABLE at once; it never counts in memory what it cannot keep.
 *
 *	memory:     lost with the process; for tests
 *	lmdb:PATH   the directory PATH; the file in it is store.mdb, of one process at a time. A directory that does not
 *	            exist is made, mode 0700. Open it after privileges were dropped: the file belongs to who opens it.
 *
 * What lmdb: promises. After kill -9 the file is consistent and lacks at most what was decided in the last second, or
 * since the commit before when there is more to write than the disk takes in a second. After a loss of power it is
 * consistent, too, and lacks at most one commit more. What store_flush() waited for is on the disk. To survive a kill
 * costs nothing beside the commit; to survive a loss of power costs one fdatasync for each, in the writing thread: two
 * commits a second, or one for every thousand changes. While the disk is full or broken, reservations and changes are
 * STORE_UNAVAILABLE; what was decided before is kept and written once that is possible. A reservation that was written
 * and not released when the process died stays counted until its window has passed.
 *
 * A bound (at_most) is for the file, or for the memory. At three quarters of it new keys are refused; keys that exist
 * still change, so that limits in use stay exact, until what expires makes room. The file takes disk space as it grows,
 * never gives it back, and reuses what became free.
 *
 * Time is the store's own: it begins with the wall clock, or with the latest time in the file when that is later, and
 * advances by the monotonic clock. A wall clock that is set back or forth neither gives a window twice nor blocks
 * anybody. A key that has expired is absent from that moment on; its memory and space are freed later, piece by piece.
 *
 * Keys: "space:part:...:part", made by store_key(). The space names the owner of the key ("limit"), and the header of
 * that owner says what the parts are. Each key has a kind (enum store_kind) and a life; store_scan() shows both.
 */
#ifndef SEKISHO_STORE_H
#define SEKISHO_STORE_H

#include "base.h"

#define STORE_DAY_US (INT64_C(86400) * 1000 * 1000)

#define STORE_KEY_MAX       480                   /* bytes; LMDB takes 511, eight of them are a time in its index */
#define STORE_VALUE_MAX     8192                  /* bytes of a value that is put */
#define STORE_LIFE_MAX_US   (3653 * STORE_DAY_US) /* ten years: a mistake in a unit is noticed */
#define STORE_SLOTS         60                    /* steps in which a window slides */
#define STORE_WINDOW_MIN_US (1000 * 1000)         /* a second */
#define STORE_WINDOW_MAX_US (366 * STORE_DAY_US)
#define STORE_DISTINCT_MAX  10000 /* members of one set: 160 KB, looked through at each question */
#define STORE_LIMITS_MAX    16    /* in one question */
#define STORE_SCAN_MAX      1000  /* keys on one page */
#define STORE_FLUSH_US      (500 * 1000)
#define STORE_AT_MOST       (UINT64_C(1) << 30)  /* by default */
#define STORE_AT_MOST_MIN   (UINT64_C(8) << 20)  /* less has no room for the pages that one commit replaces */
#define STORE_MEMORY        (UINT64_C(64) << 20) /* lmdb: of keys in memory; four times that at a peak */
#define STORE_NO_LIMIT      UINT64_MAX

enum store_answer {
	STORE_OK,
	STORE_ABSENT,      /* get, delete: there is no such key */
	STORE_EXISTS,      /* put_absent: there is one; nothing was changed */
	STORE_OVER,        /* reserve: a hard limit would be exceeded; nothing was reserved */
	STORE_UNAVAILABLE, /* the store does not work, or has no room for another key; nothing was changed */
	STORE_INVALID      /* a size, life or window is out of bounds, or the key is of another kind; as above */
};

enum store_kind { STORE_VALUE = 1, STORE_WINDOW, STORE_DISTINCT };

/* ---- opening ----------------------------------------------------------------- */

struct store;

/* Where time comes from, in microseconds. */
struct store_clock {
	int64_t (*wall_us)(void);   /* since 1970; read once, when the store is opened. NULL: clock_wall_us */
	int64_t (*steady_us)(void); /* NULL: clock_us */
};

struct store_settings {
	struct slice url;
	uint64_t at_most; /* bytes; 0: STORE_AT_MOST */
	struct store_clock clock;
};

/* Is it a URL that could be opened? Looks at no file. 0, or -1 and err. */
int store_check(const struct store_settings *, struct error *err);

/* The directory of the file of a store; "" for one without a file, and for what is not a store. */
struct slice store_directory(struct slice url);

/* NULL and err: not ours, damaged, of a newer program, in use by another process, no right, no space. A file of an
 * older program is brought up to date. One process opens a file once: a store is kept when the configuration is
 * reloaded. */
struct store *store_open(const struct store_settings *, struct error *err);
void store_close(struct store *); /* writes what is not written; no other call may be under way. NULL is allowed */

/* ---- limits ------------------------------------------------------------------- */

/* How much of something there may be in a sliding window. The window slides in STORE_SLOTS steps: what is counted is
 * forgotten between 59/60 of length_us and length_us later. */
struct store_limit {
	struct slice key;
	struct slice member; /* p not NULL: counted are distinct members, and this is one; amount is not looked at */
	int64_t length_us;   /* another one than before: what was counted is kept as far as it fits */
	uint64_t amount;     /* 0: only look */
	uint64_t hard; /* never more than this in the window; STORE_NO_LIMIT: only count. The distinct members of a
			  set are exact up to STORE_DISTINCT_MAX; beyond it no more are counted, with a hard limit
			  there is STORE_OVER */
};

struct store_usage {
	uint64_t count;  /* in the window, with what was just reserved */
	int64_t wait_us; /* 0: it fits; else how long until it would fit, at most length_us */
	int64_t at_us;   /* when it was reserved, for store_release */
};

/* All limits at once or none: STORE_OK, STORE_OVER (usage: those with wait_us are exceeded), STORE_UNAVAILABLE,
 * STORE_INVALID (also two with one key). usage_r has one element for each limit. */
enum store_answer store_reserve(struct store *, const struct store_limit *, size_t count, struct store_usage *usage_r);

/* Takes back what was reserved, with the same limits and what was answered. A member stays counted while another
 * reservation of it in the window was not released. STORE_OK also when it is no longer counted. */
enum store_answer store_release(struct store *, const struct store_limit *, size_t count, const struct store_usage *);

/* ---- values ------------------------------------------------------------------- */

struct store_item {
	struct slice key;
	enum store_kind kind;
	struct slice value; /* STORE_VALUE */
	uint64_t count;     /* STORE_WINDOW, STORE_DISTINCT: in the window now */
	int64_t life_us;    /* left; at least 1 */
};

/* life_us: 1 to STORE_LIFE_MAX_US. A key of another kind is replaced. STORE_OK, UNAVAILABLE, INVALID. */
enum store_answer store_put(struct store *, struct slice key, struct slice value, int64_t life_us);
/* Puts the value unless the key exists. STORE_OK, EXISTS, UNAVAILABLE, INVALID. */
enum store_answer store_put_absent(struct store *, struct slice key, struct slice value, int64_t life_us);
/* STORE_OK and the item, in the arena; ABSENT, UNAVAILABLE, INVALID. */
enum store_answer store_get(struct store *, struct slice key, struct arena *, struct store_item *item_r);
/* Of any kind. STORE_OK, ABSENT, UNAVAILABLE, INVALID. */
enum store_answer store_delete(struct store *, struct slice key);

struct store_page {
	struct store_item *items; /* by key, bytewise */
	size_t count;             /* may be 0 although there is a next page */
	struct slice next;        /* p not NULL: the next page begins after this key */
};

/* A page of at most `room` keys with the prefix, after a key ("": from the start). Keys that exist all the while are
 * shown once, whatever is written meanwhile. Waits for a flush: not for a message. STORE_OK, UNAVAILABLE, INVALID. */
enum store_answer store_scan(struct store *, struct slice prefix, struct slice after, size_t room, struct arena *,
			     struct store_page *page_r);

/* Waits until all that was decided before is on the disk, at most until deadline_us (clock_us). STORE_OK, UNAVAILABLE.
 */
enum store_answer store_flush(struct store *, int64_t deadline_us);

/* ---- keys --------------------------------------------------------------------- */

/* A key of a space and any texts, of 1 to STORE_KEY_MAX bytes, different for different parts of the same number: in a
 * part "%", ":" (but for the last part), blanks and control bytes are written %XX. When that is too long, the key is
 * its beginning and a hash of all; whoever can choose texts of that length could make two that share a key. */
#define store_key(arena, ...)                                                                                          \
	store_key_parts((arena), (const struct slice[]){__VA_ARGS__},                                                  \
			sizeof((const struct slice[]){__VA_ARGS__}) / sizeof(struct slice))
struct slice store_key_parts(struct arena *, const struct slice *parts, size_t count);

/* ---- how it is ---------------------------------------------------------------- */

struct store_counters {
	uint64_t asked, unanswered; /* questions, and those that got STORE_UNAVAILABLE */
	uint64_t keys;              /* in the file, or in memory; with those that expired and were not freed yet */
	uint64_t bytes, at_most;    /* in use, and the bound */
	uint64_t memory;            /* bytes of keys held in memory */
	uint64_t flushes, failures; /* commits, and those that failed */
	uint64_t damaged;           /* records that could not be understood; they are taken as absent */
};

void store_counters(struct store *, struct store_counters *counters_r);

/* Is there something for the log now? At the first trouble (also that the bound is near), then once a minute while it
 * lasts, and once when it is over. For one thread, about once a second. */
bool store_report(struct store *, int64_t now_us, struct error *line_r);

#endif
