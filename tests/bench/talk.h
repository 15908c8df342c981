/*
 * talk.h - a mail server's side of the milter protocol (version 6), as Postfix speaks it.
 *
 * A session goes through one milter or several, as main.cf's smtpd_milters = A, B, C does: each step of the
 * envelope is told to all of them in turn, then the content to the first, then what the first made of it to the
 * second. Steps that a milter wants not to see are left out, steps that it answers not are not waited for, and what is
 * written is collected in 4096 bytes until an answer is needed: all as Postfix does.
 */
#ifndef TALK_H
#define TALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FIELDS_MAX 256
#define ADDED_MAX  32

struct field {
	char *name, *value; /* the value as after the colon: with its blank, folds as bare line feeds */
};

struct mail {
	char *file, *sender, *ip, *helo;
	struct field fields[FIELDS_MAX];
	unsigned field_count;
	char *body;
	size_t body_size;
};

struct talk; /* one session with all milters */

enum outcome { OUTCOME_ACCEPT, OUTCOME_REJECT, OUTCOME_DEFER, OUTCOME_DISCARD, OUTCOME_COUNT };

/* Ends the process with a message. */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Connects and negotiates, once per SMTP session. */
struct talk *talk_open(char **sockets, unsigned count, const struct mail *mail);
void talk_close(struct talk *talk);

/* One message; pause_us is what the client takes between its commands. */
enum outcome talk_mail(struct talk *talk, const struct mail *mail, unsigned recipients, unsigned pause_us);

/* The last message got as far as its content. */
bool talk_had_content(const struct talk *talk);

/* A field that some milter added to the last message and that has the word in its value, or has it for a name; NULL
 * when there is none. */
const struct field *talk_added(const struct talk *talk, const char *word);

#endif
