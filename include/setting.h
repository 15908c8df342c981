/*
 * setting.h - the settings of sekisho.conf as rows of a table.
 *
 *	drain   30s                                       a value
 *	trusted { 127.0.0.0/8 ::1 }                       values
 *	dkim    { minimum-key-bits 1024  engine native }  a block: keys and their values
 *	sign    example.org { selector s1 key /path }     a block with a value before its keys
 *	store   lmdb:/path at-most 1G                     the same on one line
 *
 * A row has the name of a key, the type of its value, and the member in the struct of its
 * block. The code that uses the setting owns the row; policy/ parses the file with it, and
 * reports errors in the same words for all blocks.
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
	SETTING_BOOL,     /* bool: no or yes, or the words for false and true in `words` */
	SETTING_WORD,     /* an enum: the index of the word in `words` */
	SETTING_CHOICE,   /* an enum that is set to `least`: the key has no value */
	SETTING_TEXT,     /* struct slice */
	SETTING_NAME,     /* struct slice: the name of a thing, a user, a group */
	SETTING_PATH,     /* const char *; without a leading "/" relative to the policy file */
	SETTING_DOMAIN,   /* struct slice: lower case, A-labels */
	SETTING_HEADER,   /* struct slice: the name of a header field */
	SETTING_ADDRESS,  /* struct address: a mailbox */
	SETTING_NETWORK,  /* struct ip_net */
	SETTING_FACT,     /* const struct fact *, one without an argument */
	SETTING_LIST,     /* struct list *, declared anywhere in the file */
	SETTING_OWN       /* parsed by `read` */
};

enum setting_count {
	SETTING_ONE,
	SETTING_MANY, /* SETTING_ITEMS: all words up to the next key */
	SETTING_EACH  /* SETTING_ITEMS: one for each time the key is given */
};

/* The member type for many values. They live as long as the policy. */
#define SETTING_ITEMS(type)                                                                                            \
	struct {                                                                                                       \
		type const *items;                                                                                     \
		size_t count;                                                                                          \
	}

struct setting_key;
struct setting_block;

/* The argument of the functions of rows and blocks. */
struct setting_told {
	const struct slice *words; /* for one item, without quotes; in the arena */
	size_t count;
	struct arena *arena; /* of the policy */
	const char *file;    /* the policy file */
	const struct setting_block *block;
	uint64_t said;   /* bit n: keys[n] of the block was given (not only preset) */
	size_t wrong;    /* set by `read`: the index of the wrong word */
	const char *key; /* set by `finish`: the key whose value is wrong; NULL: the block */
};

struct setting_key {
	const char *name;
	enum setting_type type;
	enum setting_count count;
	size_t offset; /* of the member in the struct of the block */
	int64_t least, most;
	size_t most_items; /* MANY, EACH: 0 for no separate limit */
	const char *const *words;
	const char *preset;  /* the default, read as if it were given; words separated by blanks */
	const char *usage;   /* the expected value, if the type does not tell: "a path as in /run/x.sock" */
	const char *example; /* a statement with this key, for the manual; NULL: made of presets, words and limits */
	bool required;
	const char *group;   /* only one key of a group may be given */
	const char *of_kind; /* only for this word of the block's `kind`, its default; NULL: for all */

	/* SETTING_OWN. Returns 0, or -1 with err (what is wrong; what to do is `usage`). `item` has `size` bytes; with
	 * size 0 it is the member itself, each time. */
	int (*read)(struct setting_told *, void *item, struct error *err);
	size_t size;
	unsigned takes; /* words for one item; 0 means one */
};

#define SETTING_REST 1000000u /* takes: all words up to the next key are one item */

struct setting_block {
	const char *name;
	size_t size;                     /* of its struct, which is zeroed first */
	const struct setting_key *kind;  /* SETTING_WORD: a word that may come before the value; NULL: none */
	const struct setting_key *value; /* the value before the keys; NULL: none */
	const struct setting_key *keys;
	size_t key_count;
	bool line;        /* the keys come after the value on its line, not in { } */
	bool repeats;     /* given once for each thing that `value` names, each with its own struct */
	size_t most;      /* so many times at most; 0: no limit of its own */
	bool preset_only; /* presets apply only if the file does not have the block */
	/* After all keys: checks what depends on several keys, and opens files. Returns 0, or -1 with err. */
	int (*finish)(void *block, struct setting_told *, struct error *err);
};

#define SETTING_KEYS(table) .keys = (table), .key_count = sizeof(table) / sizeof((table)[0])
#define SETTING_KEYS_MAX    64 /* of a block: bits of `said` */

/* In `finish`: was the key given in the file? */
static inline bool setting_said(const struct setting_told *told, const char *key)
{
	for (size_t i = 0; i < told->block->key_count; i++)
		if (strcmp(told->block->keys[i].name, key) == 0)
			return told->said >> i & 1;
	return false;
}

#endif
