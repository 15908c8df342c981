/*
 * query.h - one question to one name server, without recursion: over UDP, and over TCP when the answer is truncated.
 * ldns makes and reads the packets.
 */
#ifndef SEKISHO_PROBE_QUERY_H
#define SEKISHO_PROBE_QUERY_H

#include "probe.h"
#include <ldns/ldns.h>

/* The answer (ldns_pkt_free it), or NULL and *why_r. */
ldns_pkt *query_send(struct ip server, const ldns_rdf *name, ldns_rr_type, int64_t until_us, struct arena *,
		     struct slice *why_r);

#endif
