/*
 * headers.h - the parts of `sekisho headers`: each adds a section to the sheet and a member to the object.
 */
#ifndef SEKISHO_HEADERS_H
#define SEKISHO_HEADERS_H

#include "lookup_sheet.h"
#include "mail.h"

#define HOPS_MAX 100 /* mail servers stop a message after fewer (RFC 5321 6.3) */

struct reading {
	struct lookup *lookup; /* for its arena and its output */
	struct sheet *sheet;
	json_t *object;
	struct headers headers;
	struct hop hops[HOPS_MAX]; /* the first one in time first */
	size_t hop_count, hops_left_out;
};

void headers_show_message(struct reading *);
void headers_show_hops(struct reading *);
void headers_show_results(struct reading *);
void headers_judge(struct reading *); /* what does not fit together */

/* "3 min 20 s" */
struct slice headers_span(struct lookup *, int64_t seconds);

/* The first field of a name on one line; "" without one. */
struct slice headers_value(struct reading *, const char *name);

/* Do two host names belong to one organization? */
bool headers_related(struct slice a, struct slice b);

#endif
