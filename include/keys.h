/*
 * keys.h - signing keys that are made, published and replaced over time (RFC 6376 3.1, 3.6.1; RFC 8301 3.2): a
 *directory has those of each domain, and the DNS says which of them may sign.
 *
 *	DIRECTORY/DOMAIN/SELECTOR.pem   a private key, mode 0600
 *	DIRECTORY/DOMAIN/state          when the record of each key was seen in the DNS, and when it was replaced
 *
 * A key signs once its record has been in the DNS for its time to live: until then a verifier may have the answer that
 * there is none. The newest such key of each algorithm signs. The one before stays published as long as its signatures
 * are valid, and then may go. A key that is not in the DNS any more does not sign. A failure of the DNS changes
 *nothing.
 *
 * The directory is all the state there is. Each change is one rename, or the removal of one file, and each step can be
 * repeated, so a process that ends at any point leaves nothing that the next one could not continue. Who changes
 * something holds a lock on the directory of the domain (flock(2)), which ends with the process.
 */
#ifndef SEKISHO_KEYS_H
#define SEKISHO_KEYS_H

#include "dkim.h"

#define KEYS_MAX          16              /* files of keys of one domain */
#define KEYS_SIGNING_MAX  2               /* one of each algorithm */
#define KEYS_SELECTOR_MAX 63              /* bytes */
#define KEYS_TTL_MAX_S    (7 * 24 * 3600) /* RFC 8767 4: resolvers keep nothing longer */
#define KEYS_CHECK_S      300             /* how often the DNS is asked, by default */
/* How long a signature without x= is needed: mail waits in queues for five days. */
#define KEYS_KEEP_S (7 * 24 * 3600)

struct managed_key {
	struct slice selector;
	struct dkim_private *private;
	enum dkim_algorithm algorithm;
	/* Seconds since 1970; 0: never. */
	int64_t made_s;
	int64_t seen_s;     /* since when every look has found its record */
	int64_t ttl_s;      /* not a time: the longest time to live of the record */
	int64_t retired_s;  /* since when a newer one signs, or it has vanished */
	int64_t absent_s;   /* the first look that did not find the record of a key that signed */
	int64_t vanished_s; /* since when it counts as gone */
};

/* What the directory has about a domain. Immutable once it is shared; the last one who releases it frees the keys. */
struct key_set {
	_Atomic unsigned holders;
	struct arena *arena;
	const char *directory;
	struct slice domain;
	struct managed_key keys[KEYS_MAX]; /* the oldest first */
	size_t count;
	int64_t changed_us, read_us; /* when the directory was changed, and read (clock_wall_us) */
	bool missing;                /* there is no directory of this domain yet */
};

/* What the administrator decides about a domain. */
struct key_rules {
	int64_t rotate_s; /* a key is replaced at this age; 0: only when asked */
	int64_t keep_s;   /* a replaced key stays published for this time */
	int64_t check_s;  /* how often the DNS is asked; a record that is missing for that long has vanished */
	unsigned types;   /* bit n: enum dkim_algorithm */
};

/* NULL and err: something there cannot be used. Without a directory the set is empty. */
struct key_set *key_set_read(const char *directory, struct slice domain, struct error *err);
void key_set_release(void *set); /* a struct key_set; NULL is allowed */

enum key_phase {
	KEY_WAITS, /* its record was not seen yet */
	KEY_SEEN,  /* seen, but not for its time to live */
	KEY_SIGNS,
	KEY_STAYS,     /* a newer one signs; its own signatures are still under way */
	KEY_MAY_GO,    /* it is needed no more: its record and its file may be removed */
	KEY_VANISHED,  /* its record is not in the DNS any more */
	KEY_NOT_ASKED, /* of an algorithm that the settings do not name */
};
extern const char *const key_phase_names[8]; /* "waits" ... NULL */
enum key_phase key_phase(const struct key_set *, const struct managed_key *, const struct key_rules *, int64_t now_s);

/* Those that sign now, of the algorithms in `types`. */
size_t key_set_signers(const struct key_set *, unsigned types, int64_t now_s,
		       const struct managed_key *signers_r[KEYS_SIGNING_MAX]);

/* ---- looks: is it in the DNS? ------------------------------------------------------------- */

enum key_seen { KEY_TROUBLE, KEY_FOUND, KEY_ABSENT };
struct key_look {
	enum key_seen seen; /* TROUBLE: no answer now, which proves nothing */
	int64_t ttl_s;
	struct slice reason; /* ABSENT, TROUBLE: why */
};
void keys_hint(struct dns_budget *, const struct key_set *, struct arena *); /* starts the queries */
void keys_look(struct dns_budget *, const struct key_set *, struct arena *, struct key_look looks_r[KEYS_MAX]);

/* Told what has changed: "key 20261127r of example.org ...". */
struct key_listener {
	void (*tell)(void *context, const char *level, const char *line); /* level: "info", "warning" */
	void *context;
};

/* Would the looks, or the time, change what the directory has? Reads only. */
bool keys_would_note(const struct key_set *, const struct key_look *, const struct key_rules *, int64_t now_s);
/* Locks, reads the directory again, notes the looks at the set, and saves. 0 and the new set; -1 and err. */
int keys_note(const struct key_set *, const struct key_look *, const struct key_rules *, int64_t now_s,
	      const struct key_listener *, struct key_set **set_r, struct error *err);

/* ---- changes ---------------------------------------------------------------------------------- */

/* Makes a next key for each algorithm of the rules whose newest key signs already, or that has none; with `due`
 * only those that are as old as the rules say. *set_r: what there is then; those that wait are at its end. 0, or -1 and
 * err. */
int keys_rotate(const char *directory, struct slice domain, const struct key_rules *, bool due, int64_t now_s,
		struct key_set **set_r, struct error *err);

/* Puts the record of a key into the DNS, or takes it out; may be called again for what is done already. 0, or -1 and
 * err. */
struct key_hook {
	int (*call)(void *context, bool publish, const struct key_set *, const struct managed_key *, struct error *err);
	void *context;
};
/* One step of everything for a domain: looks, makes the keys that are due, publishes those that were not seen, removes
 * those that may go. 0 and the set; -1 and err: the first thing that failed, when all others have been tried. */
int keys_run(const char *directory, struct slice domain, const struct key_rules *, struct dns_budget *, int64_t now_s,
	     const struct key_hook *, const struct key_listener *, struct key_set **set_r, struct error *err);

/* Tells daemons that something in the directory has changed. */
void keys_announce(const char *directory);

struct slice key_record_name(const struct key_set *, const struct managed_key *, struct arena *);

/* ---- the keys of a domain, for those who sign ---------------------------------------------------- */

/* Any thread may ask for the set; one thread sets another one. */
struct key_ring;
struct key_ring *key_ring_open(const char *directory, struct slice domain, struct error *err); /* NULL and err */
struct key_ring *key_ring_hold(struct key_ring *);
void key_ring_release(void *ring);
struct key_set *key_ring_set(struct key_ring *);           /* release it */
void key_ring_change(struct key_ring *, struct key_set *); /* takes the set */
bool key_ring_is_of(const struct key_ring *, const char *directory);
int64_t *key_ring_due(struct key_ring *); /* when to look next, for the thread that looks; 0: now */
/* Reads the directory again, if it has changed. 1: it had; 0: not; -1 and err: the keys stay as they were. */
int key_ring_refresh(struct key_ring *, struct error *err);

#endif
