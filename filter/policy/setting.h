/*
 * setting.h - one row of the table of settings, and what reading one needs.
 */
#ifndef SEKISHO_POLICY_SETTING_H
#define SEKISHO_POLICY_SETTING_H

#include "compile.h"

struct setting_row;

/* A setting that is being read. */
struct setting_reader {
	struct compiler *compiler;
	struct settings *settings;
	struct arena *arena; /* of the policy */
	const struct setting_row *row;
	const struct setting_syntax *said;
};

struct setting_row {
	const char *name;
	int (*read)(struct setting_reader *);
	size_t offset;        /* of the member of struct settings, where a generic function reads it */
	const char *words[2]; /* a switch: what is false and what is true */
	int64_t least, most;  /* a duration */
	const char *usage;    /* how it is written, for messages */
	const char *preset;   /* read before the file as if it stood there; NULL: none */
	bool repeats;         /* may stand more than once */
};

/* Reports "what; write USAGE" at the word, or at the name of the setting when it is NULL. Returns -1. */
int setting_wrong(struct setting_reader *, const struct word *, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The only value of a setting without braces, in the arena; -1 when there is none or more. */
int setting_value(struct setting_reader *, struct slice *value_r);

/* Readers (0, or -1 when an error was reported). */
int setting_read_listen(struct setting_reader *);
int setting_read_trusted(struct setting_reader *);
int setting_read_submission(struct setting_reader *);
int setting_read_resolver(struct setting_reader *);
int setting_read_list(struct setting_reader *);
int setting_read_dkim(struct setting_reader *);
int setting_read_sign(struct setting_reader *);
int setting_read_sign_table(struct setting_reader *);
int setting_read_dmarc(struct setting_reader *);
int setting_read_spf(struct setting_reader *);

/* Ports are 1 to 65535. 0, or -1. */
int port_parse(struct slice text, unsigned *port_r);

#endif
