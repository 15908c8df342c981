/*
 * setting_reader.h - reading the settings of a file by the rows of include/setting.h.
 *
 * settings.c has the table and goes through the file; setting_block.c reads values and blocks;
 * setting_type.c knows what each type of value is.
 */
#ifndef SEKISHO_POLICY_SETTING_READER_H
#define SEKISHO_POLICY_SETTING_READER_H

#include "setting.h"
#include "history.h"
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

/* A row of the file itself: a value in struct settings, or a block. */
struct setting_row {
	struct setting_key key;            /* a value; of a block only name and offset count */
	const struct setting_block *block; /* into struct settings at key.offset, unless `keep` or `check` says else */
	int (*keep)(struct setting_reader *, const void *block); /* takes what was read */
	const struct check *check;                               /* whose own block it is */
	bool declares; /* read before the others, which may name what it declares */
};

/* The rows of settings.c and then those of the blocks of checks, in order. False after the last. */
bool setting_row_at(size_t number, struct setting_row *row_r);

/* ---- values and blocks (setting_block.c). Each returns 0, or -1 when an error was reported ---- */

/* The value of a row. */
int setting_read_value(struct setting_reader *);

/* A block into `base`, which is zeroed: its presets and, unless `reader->said` is NULL, what the file says. */
int setting_read_block(struct setting_reader *, const struct setting_block *, void *base);

/* The words of one value or of a run of values. */
struct run_of_words {
	const struct word *first;
	size_t count;
};
/* The key that a word is; NULL: it is none. */
const struct setting_key *setting_find_key(const struct setting_block *, const struct word *);
/* Does the word come before the value of the block? */
bool setting_says_kind(const struct setting_block *, const struct word *);
/* What comes after the key as its values. */
struct run_of_words setting_values_after(const struct setting_block *, const struct setting_key *, const struct word *);

/* A word before { } or after a key, as presets have them: words of a text. */
struct words setting_words(struct slice text, struct arena *);

/* ---- check --effective (setting_show.c) -------------------------------------------------------- */

/* Prints what the settings are and where that comes from, as the file would say it: the statements of all rows, and
 * what is preset where there are none. */
void settings_show(const struct compiler *, const struct setting_row *, size_t count, const struct file_syntax *);

/* The file that says it: paths are beside it. */
const char *setting_file(const struct setting_reader *);

/* ---- types (setting_type.c) --------------------------------------------------------------------- */

/* Bytes of an item. */
size_t setting_item_size(const struct setting_key *);
/* Reads one item; `policy` has the lists. -1: told->wrong is the word, and err says what is wrong, or "" when only the
 * usage says it. */
int setting_read_item(const struct setting_key *, const struct policy *, struct setting_told *, void *item,
		      struct error *err);
/* What is to be written: "a time from 100ms to 8s". */
struct slice setting_usage(const struct setting_key *, struct arena *);

/* ---- blocks that belong to no check, and what becomes of those that are not simply in struct settings ---------- */

extern const struct setting_block listen_block, resolver_block, sign_block, sign_table_block, list_block, tenant_block,
    store_block, control_setting_block, history_block, mailer_block, test_block, web_block, reports_block;
int setting_keep_listen(struct setting_reader *, const void *block);
int setting_keep_sign(struct setting_reader *, const void *block);
int setting_keep_sign_table(struct setting_reader *, const void *block);
int setting_keep_list(struct setting_reader *, const void *block);
int setting_keep_tenant(struct setting_reader *, const void *block);
int setting_keep_test(struct setting_reader *, const void *block);
/* All settings are read: what checks see of them for each tenant. */
void tenants_finish(struct policy *);

/* For a key of the type SETTING_OWN, into a struct slice: what Authentication-Results call us. */
int setting_read_authserv_id(struct setting_told *, void *item, struct error *err);

/* An address to listen on, out of the first word. */
int setting_read_listen(struct setting_told *, struct listen_address *address_r, struct error *err);
/* For a key of the type SETTING_OWN, into an int: octal, as chmod(1) has it. */
int setting_read_mode(struct setting_told *, void *item, struct error *err);

/* Ports are 1 to 65535. 0, or -1. */
int port_parse(struct slice text, unsigned *port_r);

#endif
