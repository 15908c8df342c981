/*
 * queue_private.h - what the files of this door share.
 */
#ifndef SEKISHO_QUEUE_PRIVATE_H
#define SEKISHO_QUEUE_PRIVATE_H

#include "engine.h"
#include "milter_client.h"
#include "queue.h"
#include <signal.h>

/* ---- letter.c: the message as it came --------------------------------------------------------- */

#define MESSAGE_MAX     (128 * 1024 * 1024)
#define FIELDS_MAX      (2 * HEADER_COUNT_MAX) /* the daemon refuses a header of more than half of it */
#define HEADER_READ_MAX (2 * HEADER_BYTES_MAX)

struct field {
	struct field *next;
	struct slice name, value; /* as struct header_field has them; of the value each NUL is a space */
	struct slice raw;         /* as it came, without its last LF; p is NULL for one that we made or changed */
	bool stamp;               /* the Received field of qmail-smtpd, on top: other mail servers do not show theirs */
};

struct letter {
	struct field *fields;
	size_t field_count;
	struct slice body;
	bool separated; /* an empty line ends the header */
	/* A new body with CR LF, which takes the place of the body; NULL: none. */
	struct spool *new_body;
};

/* All that `fd` has. 0, or an exit code, and err. */
int letter_read(int fd, struct arena *, struct slice *bytes_r, struct error *err);
/* -1: its header is too large. The message has no stamp yet. */
int letter_split(struct slice bytes, struct arena *, struct letter *letter_r);

/* ---- edit.c: the changes ----------------------------------------------------------------------------- */

/* A header field on top. The value is any text. */
void letter_insert(struct letter *, struct slice name, struct slice value, struct arena *);
void letter_change(struct letter *, const struct change *, struct arena *); /* of a field */
/* All of it, in pieces. False: `put` returned false, or the new body cannot be read. */
bool letter_write(const struct letter *, bool (*put)(void *context, struct slice), void *context);

/* ---- envelope.c ---------------------------------------------------------------------------------------- */

#define ENVELOPE_MAX     (16 * 1024 * 1024)
#define ENVELOPE_ADDRESS 1002 /* bytes of an address, as qmail-queue has it */

struct envelope {
	struct slice sender;      /* bare: without <> and quotes */
	struct slice *recipients; /* likewise */
	size_t count;
};

/* Reads until the NUL that ends the envelope, or to the end. 0, or an exit code, and err. */
int envelope_read(int fd, struct arena *, struct slice *bytes_r, struct error *err);
int envelope_parse(struct slice bytes, struct arena *, struct envelope *envelope_r, struct error *err); /* likewise */
/* Sender and recipients become those that the changes leave; `refused` (of each, or NULL) are left out. */
void envelope_apply(struct envelope *, const struct answer *, struct arena *);
struct slice envelope_print(const struct envelope *, struct arena *); /* without the NUL at the end */

/* ---- origin.c: who the client is ------------------------------------------------------------------------ */

/* From the environment, and the Received field of qmail-smtpd, which becomes the stamp. */
void origin_tell(const struct queue_settings *, struct letter *, struct arena *, struct question *question_r);

/* ---- hand.c: the real qmail-queue --------------------------------------------------------------------------- */

/* Its exit code; err when it is not 0. SIGPIPE is ignored; the program gets `pipe_signal`. */
int hand_over(const char *program, const struct letter *, struct slice envelope, const struct sigaction *pipe_signal,
	      struct error *err);

/* ---- told.c: what the caller is told -------------------------------------------------------------------------- */

/* The descriptor that takes a text, -1: none. Before anything is opened: it must be the caller's. */
int told_open(enum queue_text);
/* The exit code; with a text that is written to fd. */
int told_refusal(enum queue_text, int fd, const struct answer *);

#endif
