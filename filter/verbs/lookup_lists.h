/*
 * lookup_lists.h - an address or a domain on DNS lists (RFC 5782): those of --dnsbl, and those of the policy file.
 */
#ifndef SEKISHO_LOOKUP_LISTS_H
#define SEKISHO_LOOKUP_LISTS_H

#include "dnsbl.h"
#include "lookup_sheet.h"

/* After lookup_open. Is there a list that takes such a subject? */
bool lookup_lists_any(struct lookup *, const struct dnsbl_subject *);

/* Starts the queries for all lists. */
void lookup_lists_hint(struct lookup *, const struct dnsbl_subject *);

/* Asks all lists that take the subject; adds a line for each, and to the object "listed" and "lists", an array of
 * objects: "list", "result", "codes", "text". Who is on a list with a negative weight is not listed, but good.
 * DNSBL_LISTED if any list has it; else DNSBL_NO_ANSWER when no list has answered. */
enum dnsbl_listing lookup_lists_ask(struct lookup *, struct sheet *, const struct dnsbl_subject *, json_t *object);

#endif
