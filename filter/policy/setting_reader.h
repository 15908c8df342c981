/*
 * setting_reader.h - reading the settings of a file by the rows of include/setting.h.
 *
 * settings.c has the table and goes through the file; setting_block.c reads values and blocks;
 * setting_type.c knows what each type of value is.
 */
#ifndef SEKISHO_POLICY_SETTING_READER_H
#define SEKISHO_POLICY_SETTING_READER_H

#include "setting.h"
#include "compile.h"

struct setting_row;

/* A setting that is being read. */
struct setting_reader {
	struct compiler *compiler;
	struct settings *settings;
	struct arena *arena; /* of the policy */
	const struct setting_row *row;
	const struct setting_syntax *said; /* NULL: nothing, only presets count */
	bool preset;                       /* what is read is ours: a mistake in it is one of the program */
};

/* A row of the file itself: a value in struct settings, a block, or a statement of its own kind. */
struct setting_row {
	struct setting_key key;            /* a value; of a block and of `read` only name, offset and usage count */
	const struct setting_block *block; /* into struct settings at key.offset, unless `keep` or `check` says else */
	int (*keep)(struct setting_reader *, const void *block); /* takes what was read; of a block that repeats */
	const struct check *check;                               /* whose own block it is */
	int (*read)(struct setting_reader *);
	bool repeats;  /* `read` may be said more than once */
	bool declares; /* read before the others, which may name what it declares */
};

/* ---- values and blocks (setting_block.c). Each returns 0, or -1 when an error was reported ---- */

/* The value of a row. */
int setting_read_value(struct setting_reader *);

/* A block into `base`, which is zeroed: its presets and, unless `reader->said` is NULL, what the file says. */
int setting_read_block(struct setting_reader *, const struct setting_block *, void *base);

/* A word before { } or after a key, as presets have them: words of a text. */
struct words setting_words(struct slice text, struct arena *);

/* ---- types (setting_type.c) --------------------------------------------------------------------- */

/* Bytes of an item. */
size_t setting_item_size(const struct setting_key *);
/* Reads one item; `policy` has the lists. -1: told->wrong is the word, and err says what is wrong, or "" when only the
 * usage says it. */
int setting_read_item(const struct setting_key *, const struct policy *, struct setting_told *, void *item,
		      struct error *err);
/* What is to be written: "a time from 100ms to 8s". */
struct slice setting_usage(const struct setting_key *, struct arena *);

/* The path as it is opened: beside `file` unless it begins at the root. */
const char *path_beside(struct arena *, const char *file, struct slice path);

/* ---- statements of their own kind ------------------------------------------------------------------ */

/* Reports "what; write USAGE" at the word, or at the name of the setting when it is NULL. Returns -1. */
int setting_wrong(struct setting_reader *, const struct word *, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The only value of a setting without braces, in the arena; -1 when there is none or more. */
int setting_value(struct setting_reader *, struct slice *value_r);

int setting_read_listen(struct setting_reader *);
int setting_read_list(struct setting_reader *);
int setting_read_sign_table(struct setting_reader *);

extern const struct setting_block resolver_block, sign_block;
int setting_keep_sign(struct setting_reader *, const void *sign);

/* Ports are 1 to 65535. 0, or -1. */
int port_parse(struct slice text, unsigned *port_r);

#endif
