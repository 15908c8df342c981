/*
 * reader.h - what the files that read the text of a list share.
 */
#ifndef SEKISHO_LIST_READER_H
#define SEKISHO_LIST_READER_H

#include "list_content.h"

struct list_reader {
	struct list_content *content;
	struct arena *scratch; /* emptied from time to time, between two entries */
	const char *path;
	size_t line, entries;
	size_t wrong; /* lines that make the text unusable */
	struct list_faults *faults;
};

/* Reports the line; returns -1. */
int reader_refuse(struct list_reader *, const char *what);
/* Something doubtful that is read all the same. */
void reader_warn(struct list_reader *, const char *what);

/* Takes the next entry off the line; a comment ends it. With `commas` these separate as blanks do. */
bool reader_next(struct slice *rest, bool commas, struct slice *entry_r);
/* The key of one more entry. 0, or -1 when it was refused. */
int reader_key(struct list_reader *, struct slice text, enum entry_kind *kind_r, struct key *key_r,
	       struct ip_net *net_r);

/* login_map.c: a line of a login map, and what is doubtful in all of it. */
int login_map_line(struct list_reader *, struct slice line);
void login_map_end(struct list_reader *, struct slice text);
/* Is the login in the map? */
bool login_map_has(const struct list_content *, struct slice login);

#endif
