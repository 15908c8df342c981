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
 */
#ifndef SEKISHO_LIST_H
#define SEKISHO_LIST_H

#include "mail.h"

#define LIST_BYTES_MAX   (64 * 1024 * 1024) /* of a file, about three million entries; it is read into memory */
#define LIST_ENTRY_MAX   1000               /* bytes of an entry; RFC 5321 allows 320 */
#define LIST_ENTRIES_MAX (4 * 1000 * 1000)  /* a file of short lines must not take more memory than others */

#define LIST_REPORT_US (60 * 1000 * 1000) /* one log line a minute about an unreadable list */
#define LIST_SETTLE_US (2 * 1000 * 1000)  /* a file that was just truncated, or is incomplete, is being written */

struct list;

/* `list NAME PLACE` */
struct list_setting {
	struct slice name, place;
	bool owners; /* the entries are logins, each with the addresses it owns */
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
bool list_is_ready(const struct list *);                     /* it has content */
bool list_is_same(const struct list *, const struct list *); /* both read the same place with the same settings */

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

enum truth list_has(struct list *, const struct list_key *);
/* May the login use the address? False for lists without owners. */
enum truth list_owns(struct list *, struct slice login, const struct address *);
/* Why a lookup has no answer: a static text. */
const char *list_unknown(const struct list *);

#endif
