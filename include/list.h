/*
 * list.h - lists: whether a client, an address or a text is in one, and which
 * addresses a login owns.
 *
 * sekisho.conf declares a list by its name and its place ("file:/etc/sekisho/friends").
 * The scheme of the place selects the backend. A list that was never read
 * successfully has no content: every lookup in it is TRUTH_UNKNOWN, and the policy
 * decides what follows.
 *
 * Any thread may look up entries at any time. One thread at a time loads and
 * refreshes; a lookup meanwhile sees all of the old content or all of the new.
 *
 * The entries of a dynamic list ("dynamic:30m") are in the store, each with its own life; programs add and remove them
 * while the daemon runs (list_add, list_remove). A change takes effect with the next lookup, and survives a restart as
 * far as the store does. Keys in the store:
 *
 *	list:net:NAME:192.0.2.1, list:net:NAME:192.0.2.0/24   addresses and networks
 *	list:text:NAME:alice@example.org                      addresses, domains and texts, in lower case
 *	list:lengths:NAME:4, list:lengths:NAME:6              all prefix lengths that NAME ever had: only these are
 *	                                                      looked up
 */
#ifndef SEKISHO_LIST_H
#define SEKISHO_LIST_H

#include "mail.h"
#include "store.h"

#define LIST_BYTES_MAX   (64 * 1024 * 1024) /* of a file, about three million entries; it is read into memory */
#define LIST_ENTRY_MAX   1000               /* bytes of an entry; RFC 5321 allows 320 */
#define LIST_ENTRIES_MAX (4 * 1000 * 1000)  /* a file of short lines must not take more memory than others */

#define LIST_REPORT_US (60 * 1000 * 1000) /* one log line a minute about an unreadable list */
#define LIST_SETTLE_US (2 * 1000 * 1000)  /* a file that was just truncated, or is incomplete, is being written */

#define LIST_MEMBERS        100000  /* of a dynamic list, by default */
#define LIST_MEMBERS_MOST   1000000 /* counting them reads all of them */
#define LIST_MEMBER_MAX     320     /* bytes of an entry of a dynamic list; RFC 5321 4.5.3.1: an address */
#define LIST_WRITERS_MAX    8
#define LIST_PAGE_MAX       500
#define LIST_LIFE_MIN_US    (1000 * 1000)
#define LIST_COUNT_AGAIN_US (10 * 1000 * 1000) /* a full list is counted again: entries may have expired */

struct list;

/* `list NAME PLACE` */
struct list_setting {
	struct slice name, place;
	bool owners;                 /* the entries are logins, each with the addresses it owns */
	bool canonical;              /* the entries are logins, each with its only address */
	int64_t life_us;             /* dynamic: of an entry that is added without one */
	unsigned at_most;            /* dynamic: entries; 0: LIST_MEMBERS */
	const struct slice *writers; /* dynamic: groups whose members may change it */
	size_t writer_count;
};

#define LIST_FAULTS_MAX 20 /* faulty lines reported per read; more would not help */

/* The faults of a list: it cannot be read, or lines are malformed or can never match. */
struct list_faults {
	size_t count;
	bool malformed;                      /* the text is invalid; else it cannot be read */
	struct error texts[LIST_FAULTS_MAX]; /* "path:line: what; what to do" */
};

/* Copies the setting; does not read the list yet. NULL and err when the place of the list is invalid. */
struct list *list_new(const struct list_setting *, struct error *err);
void list_free(struct list *); /* NULL is allowed */

const char *list_name(const struct list *);
bool list_is_owners(const struct list *);
bool list_is_canonical(const struct list *);
bool list_is_ready(const struct list *);                     /* it has content */
bool list_is_dynamic(const struct list *);                   /* its entries are in the store */
bool list_is_same(const struct list *, const struct list *); /* both read the same place with the same settings */
const struct slice *list_writers(const struct list *, size_t *count_r); /* names of groups */

/* What a list is now; for any thread. */
struct list_state {
	bool ready, failing; /* it has content; the last attempt to read it failed, so what it has is old */
	int64_t read_us;     /* when its content was read, clock_wall_us; 0: never, or it is not read */
	uint64_t entries;    /* of what is in a file; 0 for a dynamic list */
};
void list_state(const struct list *, struct list_state *state_r);
const char *list_place(const struct list *); /* "file:/etc/sekisho/friends" */
/* Why the last attempt to read it failed; "" when it did not. Any thread. */
void list_failure(struct list *, struct error *failure_r);

/* Reads the list for the first time; `before` (may be NULL) is the same list of an older policy; its content is kept
 * until there is a better one. 0, or -1 when the list cannot be used now. faults_r says why; after 0 it has
 * warnings. */
int list_load(struct list *, const struct list *before, struct list_faults *faults_r);

/* Reads it again if it changed. 1: it was read; 0: nothing to do; -1: it cannot be used, the old content stays. */
int list_refresh(struct list *);
/* Why it cannot be used, if it is time to report it (once a minute). NULL: not now. */
const char *list_report(struct list *, int64_t now_us);

/* What to look up. */
struct list_key {
	enum { LIST_IP, LIST_ADDRESS, LIST_TEXT } kind; /* a domain is a text */
	struct ip ip;
	const struct address *address;
	struct slice text;
};

/* The store is only used for a dynamic list; NULL: none is open. */
enum truth list_has(struct list *, struct store *, const struct list_key *);
/* May the login use the address? False for lists without owners. */
enum truth list_owns(struct list *, struct slice login, const struct address *);
/* The only address of the login, copied into the arena. False: it may use others too. */
enum truth list_value(struct list *, struct slice login, struct arena *, struct slice *value_r);
/* Why a lookup has no answer: a static text. */
const char *list_unknown(const struct list *);

/* ---- changing a dynamic list ------------------------------------------------------ */

/* One thread at a time changes lists. Each function returns -1 and err for a list that is not dynamic, an invalid
 * entry, and a store that does not work. */

struct list_member {
	struct slice entry; /* as stored: folded, a network without host bits */
	int64_t life_us;    /* left */
};

/* life_us 0: that of the list. Adding an entry again sets its life anew. *was_r: it was there. member_r lives in the
 * arena. -1 and err also when the list is full. */
int list_add(struct list *, struct store *, struct slice entry, int64_t life_us, struct arena *,
	     struct list_member *member_r, bool *was_r, struct error *err);
/* 1: it was there, exactly so; 0: it was not. */
int list_remove(struct list *, struct store *, struct slice entry, struct arena *, struct error *err);
/* 1 and the member; 0: it is not there, exactly so (a client may be in a listed network nevertheless). */
int list_member(struct list *, struct store *, struct slice entry, struct arena *, struct list_member *member_r,
		struct error *err);

struct list_page {
	struct list_member *members; /* networks first */
	size_t count;
	struct slice next; /* p not NULL: the next page begins after this */
};

/* A page of at most LIST_PAGE_MAX; after: `next` of the previous page, "" from the start. 0, or -1 and err. */
int list_members(struct list *, struct store *, struct slice after, struct arena *, struct list_page *page_r,
		 struct error *err);

#endif
