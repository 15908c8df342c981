/*
 * list.h - lists of addresses, domains and networks, and the owners of addresses.
 *
 * A list has a file and a content. The content is immutable and counted: a
 * look-up keeps the one it began with while a new one takes its place. A list
 * whose file could not be read has no content; what asks for it is unknown.
 */
#ifndef SEKISHO_LIST_LIST_H
#define SEKISHO_LIST_LIST_H

#include "policy.h"

#include <pthread.h>
#include <sys/stat.h>

#define LIST_BYTES_MAX (64 * 1024 * 1024) /* of a file: about three million entries; read into memory as a whole */
#define LIST_ENTRY_MAX 1000               /* bytes of an entry; RFC 5321 allows 320 */
#define LIST_ENTRIES_MAX                                                                                               \
	(4 * 1000 * 1000) /* so that a file of short lines takes no more memory than one of long ones */

#define LIST_REPORT_US (60 * 1000 * 1000) /* one line a minute of a list that cannot be read */
#define LIST_SETTLE_US (2 * 1000 * 1000)  /* a file that was just emptied, or breaks off, is being written */

struct list_content;

struct list {
	char *name;
	char *path;
	bool owners;                  /* lines are "login: address ..." */
	bool skip;                    /* on-failure skip */
	unsigned line, column;        /* of its statement in the policy file */
	pthread_rwlock_t lock;        /* of content */
	struct list_content *content; /* NULL: never read */
	/* For the one thread that refreshes: */
	struct stat seen; /* of the file when it was tried last */
	bool failing;
	struct error failure;
	int64_t reported_at; /* clock_us; 0: never */
};

struct list *list_new(struct slice name, const char *path, bool owners, bool skip);
void list_free(struct list *);

/* Reads the file. When it cannot be used: -1 and err, and the content of `old` (may be NULL) if it has one. */
int list_load(struct list *, struct list *old, struct error *err);

/* Reads the file anew when it changed. 1: it was read; 0: nothing to do; -1: it cannot be used, the content stays. */
int list_refresh(struct list *);
/* The failure, when it is to be reported now: once a minute. NULL: not now. */
const char *list_report(struct list *, int64_t now_us);

/* Is the value in the list? UNKNOWN when there is no content. */
enum truth list_has(struct list *, const struct value *);
/* May the login use the address? */
enum truth list_owns(struct list *, struct slice login, const struct address *);

#endif
