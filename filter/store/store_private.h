/*
 * store_private.h - the interface of a backend: one initialiser. The arguments of its calls have been checked.
 */
#ifndef SEKISHO_STORE_PRIVATE_H
#define SEKISHO_STORE_PRIVATE_H

#include "store.h"

/* Its health; `why` is for the log. */
struct store_health {
	bool failing; /* questions are not answered */
	bool full;    /* new keys are refused */
	struct error why;
};

/* When a value is put; if not, the answer is STORE_EXISTS. */
enum put_when { PUT_ALWAYS, PUT_ABSENT, PUT_SAME };

struct put {
	struct slice key, value;
	int64_t life_us;
	enum put_when when;
	struct slice was; /* PUT_SAME: the value that the key must have */
};

struct store_backend {
	const char *scheme; /* "memory:" */
	bool in_directory;  /* what follows is a directory */
	bool remote;        /* a server, which is asked: it has a timeout, and its own bound on memory */
	/* What follows the scheme, and the settings: 0, or -1 and err. */
	int (*check)(const struct store_settings *, struct slice rest, struct error *err);
	void *(*open)(const struct store_settings *, struct slice rest, struct error *err);
	void (*close)(void *state);
	bool (*waits)(void *state); /* would a call wait for a server? NULL: none ever does */
	enum store_answer (*reserve)(void *state, const struct store_limit *, size_t count,
				     struct store_usage *usage_r);
	enum store_answer (*release)(void *state, const struct store_limit *, size_t count, const struct store_usage *);
	enum store_answer (*put)(void *state, const struct put *);
	enum store_answer (*renew)(void *state, const struct slice *keys, size_t count, struct slice value,
				   int64_t life_us, int64_t again_us);
	enum store_answer (*get)(void *state, struct slice key, struct arena *, struct store_item *item_r);
	enum store_answer (*remove)(void *state, struct slice key);
	enum store_answer (*lease)(void *state, struct slice key, struct slice holder, int64_t life_us);
	enum store_answer (*unlease)(void *state, struct slice key, struct slice holder);
	enum store_answer (*scan)(void *state, struct slice prefix, struct slice after, size_t room, struct arena *,
				  struct store_page *page_r);
	enum store_answer (*add)(void *state, const struct store_sum *, size_t count, size_t *added_r);
	enum store_answer (*sums)(void *state, struct slice key, struct slice after, size_t room, struct arena *arena,
				  struct store_page *page_r);
	enum store_answer (*forget)(void *state, struct slice key, struct slice member);
	enum store_answer (*flush)(void *state, int64_t deadline_us);
	void (*counters)(void *state, struct store_counters *counters_r);
	void (*health)(void *state, struct store_health *health_r);
};

extern const struct store_backend store_memory, store_lmdb, store_redis;

#endif
