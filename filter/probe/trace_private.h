/*
 * trace_private.h - the walk from the root in parts: the servers of a zone, and what one of their answers means.
 */
#ifndef SEKISHO_PROBE_TRACE_PRIVATE_H
#define SEKISHO_PROBE_TRACE_PRIVATE_H

#include "query.h"

#define SERVERS_MAX   26 /* addresses of the servers of a zone: 13 names of both families */
#define NAME_TEXT_MAX 1100

struct server {
	struct slice name; /* in presentation form, without the last dot */
	struct ip ip;
};

struct zone {
	ldns_rdf *name;
	struct server servers[SERVERS_MAX];
	size_t count;
};

/* The root servers of a file, or those that everybody knows. -1 and err: it cannot be read, or has none. */
int hints_read(const char *path, struct arena *, struct zone *zone_r, struct error *err);

/* Text of a name or record: ldns's, without tabs and the last dot or line end. */
struct slice trace_name(const ldns_rdf *, struct arena *);

/* What the answer of a server of `zone` means; fills in the step. *target_r: of an alias (owned by the answer). */
void answer_read(const ldns_pkt *, const ldns_rdf *name, ldns_rr_type, const ldns_rdf *zone, struct arena *,
		 struct probe_trace_step *step, const ldns_rdf **target_r);

/* The zone that a referral leads to, with the addresses that came along, and the names of servers without one. */
#define NAMES_MAX 13
struct referral {
	const ldns_rdf *zone; /* NULL: it is not a referral */
	const ldns_rdf *names[NAMES_MAX];
	size_t name_count;
};
void referral_read(const ldns_pkt *, const ldns_rdf *name, const ldns_rdf *zone, struct referral *referral_r);
void referral_addresses(const ldns_pkt *, const struct referral *, struct arena *, struct zone *zone_r);

#endif
