/*
 * entry.h - the entries of list files as keys of a set, and the keys under which
 * a value is looked for.
 *
 *	alice@example.org   the mailbox, local part without regard to case
 *	@example.org        every address of that domain
 *	.example.org        every domain below it, and the addresses there
 *	example.org         that domain, and the addresses of it; any other word: that text
 *	192.0.2.1, 2001:db8::/32   addresses and networks
 *	<>                  the null sender
 */
#ifndef SEKISHO_LIST_ENTRY_H
#define SEKISHO_LIST_ENTRY_H

#include "list.h"
#include "textset.h"

#define KEY_MAX (LIST_ENTRY_MAX + 8)

#define ENTRY_SHOWN_MAX 64 /* bytes of an entry in a message */

struct key {
	char bytes[KEY_MAX];
	size_t n; /* 0: no entry can be equal */
};

enum entry_kind { ENTRY_TEXT, ENTRY_NET };

/* The key of an entry. -1 and err ("what; what to do") when it is malformed. */
int entry_parse(struct slice text, struct arena *scratch, enum entry_kind *kind_r, struct key *key_r,
		struct ip_net *net_r, struct error *err);

/* meant.c: -1 and err when the entry is written in a way that can match nothing. */
int entry_refuse(struct slice text, struct error *err);

void key_of_net(const struct ip_net *, struct key *key_r);
void key_of_text(struct slice text, struct key *key_r);                /* in lower case */
void key_of_address(const struct address *, struct key *key_r);        /* the mailbox */
void key_of_domain(char mark, struct slice domain, struct key *key_r); /* mark '@' or '.' before it; 0: none */

#endif
