/*
 * list_content.h - the content of a list file, ready for look-ups.
 */
#ifndef SEKISHO_LIST_CONTENT_H
#define SEKISHO_LIST_CONTENT_H

#include "backend.h"
#include "entry.h"

struct list_content {
	_Atomic unsigned holders;
	struct textset entries;
	/* Prefix lengths of the networks: one look-up each. */
	bool prefixes4[33], prefixes6[129];
	uint32_t logins; /* owners: how many there are */
};

/* Reads the text of a file; `path` appears in the faults ("path:line: what; what to do"). NULL when a line is
 * malformed. A last line without an end is a fault, but it is read. */
struct list_content *list_content_parse(struct slice text, const char *path, bool owners, struct list_faults *);
struct list_content *list_content_hold(struct list_content *); /* NULL is allowed */
void list_content_release(struct list_content *);              /* NULL is allowed */

bool list_content_has(const struct list_content *, const struct list_key *);
bool list_content_owns(const struct list_content *, struct slice login, const struct address *);

#endif
