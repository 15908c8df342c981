/*
 * list_content.h - the content of a list file, ready for look-ups.
 */
#ifndef SEKISHO_LIST_CONTENT_H
#define SEKISHO_LIST_CONTENT_H

#include "backend.h"
#include "entry.h"

enum list_kind {
	LIST_ENTRIES,
	LIST_OWNERS,   /* logins, each with the addresses it owns */
	LIST_CANONICAL /* logins, each with its only address */
};

struct list_content {
	_Atomic unsigned holders;
	enum list_kind kind;
	struct textset entries;
	/* Prefix lengths of the networks: one look-up each. */
	bool prefixes4[33], prefixes6[129];
	/* Login maps: how many logins there are; which sorts of logins and of entries, so that none is looked for in
	 * vain. */
	uint32_t logins;
	bool has_exact, has_wild, owns_domains, owns_below;
	/* LIST_CANONICAL: the addresses, each with its length before it. */
	char *values;
	size_t values_used, values_reserved;
};

/* Reads the text of a file; `path` appears in the faults ("path:line: what; what to do"). NULL when a line is
 * malformed. Other faults are warnings: a last line without an end, what is there twice. */
struct list_content *list_content_parse(struct slice text, const char *path, enum list_kind, struct list_faults *);
struct list_content *list_content_hold(struct list_content *); /* NULL is allowed */
void list_content_release(struct list_content *);              /* NULL is allowed */

uint64_t list_content_entries(const struct list_content *); /* entries, or logins */
bool list_content_has(const struct list_content *, const struct list_key *);
bool list_content_owns(const struct list_content *, struct slice login, const struct address *);
/* The only address of a login; it lives as long as the content. */
bool list_content_value(const struct list_content *, struct slice login, struct slice *value_r);

#endif
