/*
 * origin.h - who sent a stored message, as the server that delivered it wrote down.
 */
#ifndef SEKISHO_ORIGIN_H
#define SEKISHO_ORIGIN_H

#include "mail.h"

struct origin {
	bool has_sender; /* there is a Return-Path; the null sender is <> */
	const char *sender;
	bool has_client; /* the topmost Received field names one */
	struct ip client;
	const char *client_text;
	const char *helo; /* NULL without one */
};

/* Texts live in the arena. */
void origin_read(struct slice message, struct arena *, struct origin *origin_r);

#endif
