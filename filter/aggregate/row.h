/*
 * row.h - a row of a report as the member of a sum: short, because there may be millions of them.
 *
 *	4 bytes     the hash of the policy configuration (policy_key): rows of one configuration are neighbours
 *	1           bit 0: the client has an IPv6 address; 1-2: disposition; 3: DKIM aligned; 4: SPF aligned; 5-7: the
 *	            number of reasons, or ROW_LONG: what follows is a hash of ROW_HASH bytes, and the row is a value
 *	4 or 16     the client
 *	domain      header_from
 *	domain      envelope_from; of length 0: the null sender
 *	domain      of SPF; of length 0: not checked. Else a result
 *	            of each reason: its number, as a result
 *	            of each signature, up to the end: a domain, a selector (text), a result
 *
 * A domain is a byte and its text: the length, ROW_AS_AUTHOR (as header_from) or ROW_AS_POLICY (as the policy domain).
 *A text is a byte with its length, and the text. A result is a byte: the number, plus ROW_HUMAN if a text for a person
 * follows.
 */
#ifndef SEKISHO_AGGREGATE_ROW_H
#define SEKISHO_AGGREGATE_ROW_H

#include "aggregate.h"

#define ROW_MAX         4096 /* bytes; further signatures are left out */
#define ROW_POLICY      4
#define ROW_HASH        16
#define ROW_LONG        7
#define ROW_LONG_SIZE   (ROW_POLICY + 1 + ROW_HASH)
#define ROW_AS_AUTHOR   0xff
#define ROW_AS_POLICY   0xfe
#define ROW_HUMAN       0x10
#define ROW_DOMAIN_MAX  253  /* bytes (RFC 1035) */
#define ROW_POLICY_TEXT 6000 /* bytes of a record that are kept */

/* Returns the length. */
size_t row_write(const struct aggregate_message *, uint32_t policy, unsigned char row_r[ROW_MAX]);

/* What row_write wrote, without the record; texts live in `row` and `domain`, arrays in the arena. False: it is
 * malformed. */
bool row_read(struct slice row, struct slice domain, struct arena *, struct aggregate_message *message_r);

bool row_is_long(struct slice row);
/* The member of a row that is too long for its key. */
void row_shorten(struct slice row, unsigned char member_r[ROW_LONG_SIZE]);

/* The policy configuration as a value: how the record was found, what is wrong beside its text, and its text. */
struct slice policy_write(const struct aggregate_message *, char *buffer, size_t room);
bool policy_read(struct slice value, enum dmarc_discovery *discovery_r, struct slice *trouble_r,
		 struct slice *record_r);

#endif
