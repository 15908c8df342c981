/*
 * macros.c - the macros that an MTA sends before its commands. Only those that the steps read are kept, each for as
 * long as it is true: those of the connection and of HELO for the session, those of MAIL and RCPT for one command.
 */
#include "native_private.h"
#include <stdlib.h>

#define BRACED(name)                                                                                                   \
	{                                                                                                              \
		"{" name "}", sizeof("{" name "}") - 1                                                                 \
	}

/* All names in macros_asked. Postfix and Sendmail write braces around names of more than one letter. */
static const struct slice names[] = {
    {"i", 1},
    BRACED("daemon_name"),
    BRACED("daemon_port"),
    BRACED("client_name"),
    BRACED("client_resolve"),
    BRACED("tls_version"),
    BRACED("cipher"),
    BRACED("auth_authen"),
    BRACED("auth_type"),
    BRACED("mail_addr"),
    BRACED("rcpt_addr"),
    BRACED("rcpt_mailer"),
    BRACED("daemon_addr"),
    {"{i}", 3},
};
#define SET_MAX (16 * 1024) /* bytes kept of one packet: each name once, with its longest value */
#define NAMES   (sizeof(names) / sizeof(names[0]))

/* The number of a name, from 1; 0: it is not read. The letter in the middle tells most of them apart. */
static unsigned name_number(struct slice name)
{
	char middle = name.n > 0 ? name.p[name.n / 2] : '\0';

	for (unsigned i = 0; i < NAMES; i++)
		if (names[i].n == name.n && names[i].p[name.n / 2] == middle && slice_equal(names[i], name))
			return i + 1 == NAMES ? 1 : i + 1;
	return 0;
}

static enum macro_set set_of(char letter)
{
	switch (letter) {
	case 'C':
		return SET_CONNECT;
	case 'H':
		return SET_HELO;
	case 'M':
		return SET_MAIL;
	case 'R':
		return SET_RCPT;
	default:
		return SET_LATER;
	}
}

void macros_drop(struct macros *macros, enum macro_set from)
{
	for (unsigned set = from; set < MACRO_SETS; set++) {
		free(macros->sets[set]);
		macros->sets[set] = NULL;
	}
}

/* Copies what is read of `name NUL value NUL ...`, which takes less than all of it; returns how many bytes. */
static size_t macros_copy(struct slice packet, char *to, size_t room)
{
	struct slice name, value;
	size_t n = 0;

	while (slice_cut(&packet, '\0', &name) && slice_cut(&packet, '\0', &value)) {
		unsigned number = name_number(name);

		value = slice_head(value, MACRO_MAX);
		if (number == 0)
			continue;
		if (value.n + 2 > room - n)
			break;
		to[n] = (char)number;
		if (value.n > 0)
			memcpy(to + n + 1, value.p, value.n);
		to[n + 1 + value.n] = '\0';
		n += value.n + 2;
	}
	return n;
}

void macros_take(struct macros *macros, struct slice packet, bool later)
{
	enum macro_set set;
	size_t room, n;
	char *kept;

	if (packet.n == 0)
		return;
	set = set_of(packet.p[0]);
	if (set == SET_LATER && !later)
		return;
	macros_drop(macros, set);
	packet = slice_from(packet, 1);
	room = packet.n < SET_MAX ? packet.n + 1 : SET_MAX;
	kept = xrealloc(NULL, room + 1);
	n = macros_copy(packet, kept, room);
	kept[n] = '\0';
	if (n > 0)
		macros->sets[set] = kept;
	else
		free(kept);
}

const char *macros_find(const struct macros *macros, const char *name)
{
	char number = (char)name_number(slice_of(name));

	for (unsigned set = MACRO_SETS; set-- > 0;)
		for (const char *at = macros->sets[set]; at && *at; at += strlen(at) + 1)
			if (*at == number)
				return at + 1;
	return NULL;
}
