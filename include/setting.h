/*
 * setting.h - what a setting of sekisho.conf means, as rows of a table.
 *
 *	drain   30s                                       a value
 *	trusted { 127.0.0.0/8 ::1 }                       values
 *	dkim    { minimum-key-bits 1024  engine native }  a block: keys and their values
 *	sign    example.org { selector s1 key /path }     a block with a value before its keys
 *	store   lmdb:/path at-most 1G                     the same on one line
 *
 * A row names a key, says what its value is, and where it goes: into a member of the
 * struct of its block. Whoever reads the setting owns the row; policy/ reads the file by it, and
 * says what is wrong in the same words for all blocks.
 */
#ifndef SEKISHO_SETTING_H
#define SEKISHO_SETTING_H

#include "base.h"

enum setting_type {
	SETTING_NUMBER,   /* unsigned, from `least` to `most` */
	SETTING_INTEGER,  /* int, may be negative; likewise */
	SETTING_SIZE,     /* int64_t, bytes; likewise */
	SETTING_DURATION, /* int64_t, microseconds; likewise, `most` 0: no limit */
	SETTING_PORT,     /* unsigned */
	SETTING_BOOL,     /* bool: no or yes, or what is false and true in `words` */
	SETTING_WORD,     /* an enum: the place of the word in `words` */
	SETTING_CHOICE,   /* an enum that becomes `least`: the key alone says it */
	SETTING_TEXT,     /* struct slice */
	SETTING_NAME,     /* struct slice: of a thing, a user, a group */
	SETTING_PATH,     /* const char *; one that does not begin with "/" is beside the policy file */
	SETTING_DOMAIN,   /* struct slice: lower case, A-labels */
	SETTING_HEADER,   /* struct slice: the name of a header field */
	SETTING_ADDRESS,  /* struct address: a mailbox */
	SETTING_NETWORK,  /* struct ip_net */
	SETTING_FACT,     /* const struct fact *, one without an argument */
	SETTING_LIST,     /* struct list *, declared anywhere in the file */
	SETTING_OWN       /* what `read` makes of the words */
};

enum setting_count {
	SETTING_ONE,
	SETTING_MANY, /* SETTING_ITEMS: all words up to the next key */
	SETTING_EACH  /* SETTING_ITEMS: one each time the key is said */
};

/* The member for many values. They live as long as the policy. */
#define SETTING_ITEMS(type)                                                                                            \
	struct {                                                                                                       \
		type const *items;                                                                                     \
		size_t count;                                                                                          \
	}

struct setting_key;
struct setting_block;

/* What a function of a row or a block gets. */
struct setting_told {
	const struct slice *words; /* for one item, without quotes; in the arena */
	size_t count;
	struct arena *arena; /* of the policy */
	const char *file;    /* the policy file */
	const struct setting_block *block;
	uint64_t said;   /* bit n: keys[n] of the block was said (not only preset) */
	size_t wrong;    /* set by `read`: the word that is wrong */
	const char *key; /* set by `finish`: the key whose value is wrong; NULL: the block */
};

struct setting_key {
	const char *name;
	enum setting_type type;
	enum setting_count count;
	size_t offset; /* of the member in the struct of the block */
	int64_t least, most;
	size_t most_items; /* MANY, EACH: 0 for no limit of its own */
	const char *const *words;
	const char *preset;  /* read as if it had been said; several words with a blank between them */
	const char *usage;   /* what is to be written, where the type does not say it: "a path as in /run/x.sock" */
	const char *example; /* a statement that says it, for the manual; NULL: presets, words and limits make one */
	bool required;
	const char *group; /* of several keys of one group only one may be said */

	/* SETTING_OWN. Returns 0, or -1 with err (what is wrong; what to do is `usage`). `item` has `size` bytes; with
	 * size 0 it is the member itself, each time. */
	int (*read)(struct setting_told *, void *item, struct error *err);
	size_t size;
	unsigned takes; /* words for one item; 0 means one */
};

#define SETTING_REST 1000000u /* takes: all words up to the next key are one item */

struct setting_block {
	const char *name;
	size_t size;                     /* of its struct, which begins as zeros */
	const struct setting_key *value; /* what comes before the keys; NULL: nothing */
	const struct setting_key *keys;
	size_t key_count;
	bool line;        /* the keys come after the value on its line, not in { } */
	bool repeats;     /* said once for each thing that `value` names, each time a struct of its own */
	bool preset_only; /* presets are for a file that does not say the block at all */
	/* All keys are read: what depends on several, and what must be opened. Returns 0, or -1 with err. */
	int (*finish)(void *block, struct setting_told *, struct error *err);
};

#define SETTING_KEYS(table) .keys = (table), .key_count = sizeof(table) / sizeof((table)[0])
#define SETTING_KEYS_MAX    64 /* of a block: bits of `said` */

/* In `finish`: was the key said in the file? */
static inline bool setting_said(const struct setting_told *told, const char *key)
{
	for (size_t i = 0; i < told->block->key_count; i++)
		if (strcmp(told->block->keys[i].name, key) == 0)
			return told->said >> i & 1;
	return false;
}

#endif
