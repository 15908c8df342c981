/*
 * backend.h - a backend of lists: a kind of place, and how it is read and queried.
 *
 * A backend is one file with one initialiser, and one line in the table of list.c. Its
 * state is its own; it is asked from many threads while one thread refreshes it.
 */
#ifndef SEKISHO_LIST_BACKEND_H
#define SEKISHO_LIST_BACKEND_H

#include "list.h"

struct list_backend {
	const char *name;    /* the scheme of its places: what comes before the colon */
	const char *unknown; /* why it had no answer, for the record */
	/* The state for `where` (the place after its scheme). Nothing is read; `before`, the state of the same list
	 * in an older policy, may be NULL, and what it knows is taken over. */
	void *(*open)(const struct list_setting *, struct slice where, void *before);
	enum truth (*has)(void *state, struct store *, const struct list_key *);
	enum truth (*owns)(void *state, struct slice login, const struct address *);
	/* NULL: its entries have no values. */
	enum truth (*value)(void *state, struct slice login, struct arena *, struct slice *value_r);
	/* Checks for new content. 1: it was read (faults: what is doubtful); 0: nothing new; -1: it
	 * cannot be used (faults: why) and the old content stays. */
	int (*refresh)(void *state, struct list_faults *);
	uint64_t (*entries)(void *state); /* how many it has; NULL: nobody knows without reading them */
	void (*close)(void *state);
	/* Of a dynamic list, as in list.h; NULL: its entries are not changed by us. */
	int (*add)(void *state, struct store *, struct slice entry, int64_t life_us, struct arena *,
		   struct list_member *, bool *was_r, struct error *);
	int (*remove)(void *state, struct store *, struct slice entry, struct arena *, struct error *);
	int (*member)(void *state, struct store *, struct slice entry, struct arena *, struct list_member *,
		      struct error *);
	int (*members)(void *state, struct store *, struct slice after, struct arena *, struct list_page *,
		       struct error *);
};

extern const struct list_backend list_file;    /* file.c */
extern const struct list_backend list_dynamic; /* dynamic.c */

/* One more fault; beyond LIST_FAULTS_MAX they are only counted. */
void list_fault(struct list_faults *, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
