/*
 * list.h - lists: is a client, an address or a text in one, and which addresses
 * does a login own?
 *
 * sekisho.conf declares a list by its name and its place ("file:/etc/sekisho/friends").
 * The scheme of the place chooses the backend that reads it. A list that could never
 * be read has no content: every question to it is TRUTH_UNKNOWN, and the policy says
 * what follows from that.
 *
 * Any thread may ask at any time. One thread at a time loads and refreshes; those
 * who ask meanwhile see the old content or the new one, never a part of either.
 */
#ifndef SEKISHO_LIST_H
#define SEKISHO_LIST_H

#include "mail.h"

#define LIST_BYTES_MAX (64 * 1024 * 1024) /* of a file: about three million entries; it is read into memory */
#define LIST_ENTRY_MAX 1000               /* bytes of an entry; RFC 5321 allows 320 */
#define LIST_ENTRIES_MAX                                                                                               \
	(4 * 1000 * 1000) /* so that a file of short lines takes no more memory than one of long ones */

#define LIST_REPORT_US (60 * 1000 * 1000) /* one line a minute about a list that cannot be read */
#define LIST_SETTLE_US (2 * 1000 * 1000)  /* a file that was just emptied, or breaks off, is being written */

struct list;

/* `list NAME PLACE` */
struct list_setting {
	struct slice name, place;
	bool owners; /* its entries are logins, each with the addresses it owns */
};

#define LIST_FAULTS_MAX 20 /* lines that one look at a list names; nobody fixes more in one go */

/* What is wrong with a list: that it cannot be read, or each line that is malformed or can match nothing. */
struct list_faults {
	size_t count;
	bool malformed;                      /* the text is wrong; else it cannot be read */
	struct error texts[LIST_FAULTS_MAX]; /* "path:line: what; what to do" */
};

/* Copies what the setting says and reads nothing yet. NULL and err when there is no such place for a list. */
struct list *list_new(const struct list_setting *, struct error *err);
void list_free(struct list *); /* NULL is allowed */

const char *list_name(const struct list *);
bool list_is_owners(const struct list *);
bool list_is_ready(const struct list *);                     /* it has content */
bool list_is_same(const struct list *, const struct list *); /* both read the same place in the same way */

/* Reads the list for the first time; `before` (may be NULL) is the same list of an older policy, whose content is kept
 * as long as there is no better one. 0, or -1 when it cannot be used now. faults_r says why; after 0 it says what looks
 * doubtful. */
int list_load(struct list *, const struct list *before, struct list_faults *faults_r);

/* Reads it anew when it changed. 1: it was read; 0: nothing to do; -1: it cannot be used, the content stays. */
int list_refresh(struct list *);
/* Why it cannot be used, when that is to be reported now: once a minute. NULL: not now. */
const char *list_report(struct list *, int64_t now_us);

/* What is looked for. */
struct list_key {
	enum { LIST_IP, LIST_ADDRESS, LIST_TEXT } kind; /* a domain is a text */
	struct ip ip;
	const struct address *address;
	struct slice text;
};

enum truth list_has(struct list *, const struct list_key *);
/* May the login use the address? False for every list but one of owners. */
enum truth list_owns(struct list *, struct slice login, const struct address *);
/* Why a question has no answer: a static text. */
const char *list_unknown(const struct list *);

#endif
