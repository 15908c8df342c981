/*
 * notify.h - a note as a message.
 */
#ifndef SEKISHO_ENGINE_NOTIFY_H
#define SEKISHO_ENGINE_NOTIFY_H

#include "gate_private.h"

#define NOTE_ID_PREFIX "sekisho-note."
#define NOTE_ID_MAX    64

struct note_text {
	const struct gate *gate;
	const struct notice *notice;
	const struct address *recipient;
	struct slice id; /* after the prefix, before "@" */
};

struct slice note_id_new(struct arena *); /* 128 random bits */
struct slice note_id_key(struct slice id, struct arena *);
struct slice note_print(const struct note_text *, struct arena *); /* header and body, with CRLF */

#endif
