/*
 * trace_answer.c - what an answer of a name server means for the walk (RFC 1034 4.3.2, 5.3.3).
 */
#include "trace_private.h"

#include <stdlib.h>

/* Text that ldns made (and we free), on one line. */
static struct slice text_take(char *made, struct arena *arena)
{
	struct slice text = slice_trim(slice_of(made));
	char *copy = arena_cstring(arena, text);

	free(made);
	for (char *p = copy; *p; p++)
		if (*p == '\t')
			*p = ' ';
	return slice_of(copy);
}

struct slice trace_name(const ldns_rdf *name, struct arena *arena)
{
	struct slice text = text_take(ldns_rdf2str(name), arena);

	return text.n > 1 ? slice_head(text, text.n - 1) : text;
}

static void record_add(struct probe_trace_step *step, const ldns_rr *rr, struct arena *arena)
{
	if (step->record_count == 0 || ldns_rr_ttl(rr) < step->ttl)
		step->ttl = ldns_rr_ttl(rr);
	if (step->record_count < PROBE_TRACE_RECORDS_MAX)
		step->records[step->record_count++] = text_take(ldns_rr2str(rr), arena);
}

static bool owned_by(const ldns_rr *rr, const ldns_rdf *name, ldns_rr_type type)
{
	return ldns_rr_get_type(rr) == type && ldns_dname_compare(ldns_rr_owner(rr), name) == 0;
}

/* ---- referrals ------------------------------------------------------------------------------ */

/* RFC 1034 5.3.3: only a zone between the one asked for and the name is a step forward. */
static bool leads_on(const ldns_rdf *to, const ldns_rdf *name, const ldns_rdf *zone)
{
	bool below = ldns_dname_label_count(zone) == 0 || ldns_dname_is_subdomain(to, zone);

	return below && ldns_dname_compare(to, zone) != 0 &&
	       (ldns_dname_compare(to, name) == 0 || ldns_dname_is_subdomain(name, to));
}

void referral_read(const ldns_pkt *answer, const ldns_rdf *name, const ldns_rdf *zone, struct referral *referral_r)
{
	const ldns_rr_list *authority = ldns_pkt_authority(answer);

	*referral_r = (struct referral){0};
	for (size_t i = 0; i < ldns_rr_list_rr_count(authority) && referral_r->name_count < NAMES_MAX; i++) {
		const ldns_rr *rr = ldns_rr_list_rr(authority, i);

		if (ldns_rr_get_type(rr) != LDNS_RR_TYPE_NS || !leads_on(ldns_rr_owner(rr), name, zone))
			continue;
		if (!referral_r->zone)
			referral_r->zone = ldns_rr_owner(rr);
		if (ldns_dname_compare(ldns_rr_owner(rr), referral_r->zone) == 0)
			referral_r->names[referral_r->name_count++] = ldns_rr_rdf(rr, 0);
	}
}

void referral_addresses(const ldns_pkt *answer, const struct referral *referral, struct arena *arena,
			struct zone *zone_r)
{
	const ldns_rr_list *additional = ldns_pkt_additional(answer);

	for (int family = 4; family <= 6; family += 2) /* IPv4 first: not everybody has IPv6 */
		for (size_t n = 0; n < referral->name_count; n++)
			for (size_t i = 0; i < ldns_rr_list_rr_count(additional) && zone_r->count < SERVERS_MAX; i++) {
				const ldns_rr *rr = ldns_rr_list_rr(additional, i);
				struct ip ip = {.family = (uint8_t)family};
				size_t size = family == 4 ? 4 : 16;

				if (!owned_by(rr, referral->names[n],
					      family == 4 ? LDNS_RR_TYPE_A : LDNS_RR_TYPE_AAAA) ||
				    ldns_rdf_size(ldns_rr_rdf(rr, 0)) != size)
					continue;
				memcpy(ip.bytes, ldns_rdf_data(ldns_rr_rdf(rr, 0)), size);
				zone_r->servers[zone_r->count++] =
				    (struct server){trace_name(referral->names[n], arena), ip};
			}
}

static bool read_referral(const ldns_pkt *answer, const ldns_rdf *name, const ldns_rdf *zone, struct arena *arena,
			  struct probe_trace_step *step)
{
	const ldns_rr_list *authority = ldns_pkt_authority(answer);
	struct referral referral;

	referral_read(answer, name, zone, &referral);
	if (!referral.zone)
		return false;
	for (size_t i = 0; i < ldns_rr_list_rr_count(authority); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(authority, i);
		bool ds = owned_by(rr, referral.zone, LDNS_RR_TYPE_DS);

		step->delegated_ds |= ds;
		if (ds || owned_by(rr, referral.zone, LDNS_RR_TYPE_NS))
			record_add(step, rr, arena);
	}
	return true;
}

/* ---- answers ---------------------------------------------------------------------------------- */

/* Follows aliases within the answer. Whether there is an answer at the end. */
static bool read_records(const ldns_pkt *answer, const ldns_rdf *name, ldns_rr_type type, struct arena *arena,
			 struct probe_trace_step *step, const ldns_rdf **target_r)
{
	const ldns_rr_list *records = ldns_pkt_answer(answer);
	const ldns_rdf *owner = name;
	bool found = false, moved = true;

	for (int chain = 0; moved && chain < 10; chain++) {
		moved = false;
		for (size_t i = 0; i < ldns_rr_list_rr_count(records); i++) {
			const ldns_rr *rr = ldns_rr_list_rr(records, i);
			bool answers = owned_by(rr, owner, type) ||
				       (type == LDNS_RR_TYPE_ANY && ldns_dname_compare(ldns_rr_owner(rr), owner) == 0);

			if (answers) {
				record_add(step, rr, arena);
				found = true;
			} else if (!moved && owned_by(rr, owner, LDNS_RR_TYPE_CNAME)) {
				record_add(step, rr, arena);
				*target_r = ldns_rr_rdf(rr, 0);
				moved = true;
			}
		}
		owner = moved ? *target_r : owner;
	}
	if (found)
		*target_r = NULL;
	return found;
}

static struct slice rcode_text(ldns_pkt_rcode rcode, struct arena *arena)
{
	return arena_printf(arena, "it says %.*s", SLICE_ARGS(text_take(ldns_pkt_rcode2str(rcode), arena)));
}

void answer_read(const ldns_pkt *answer, const ldns_rdf *name, ldns_rr_type type, const ldns_rdf *zone,
		 struct arena *arena, struct probe_trace_step *step, const ldns_rdf **target_r)
{
	ldns_pkt_rcode rcode = ldns_pkt_get_rcode(answer);

	*target_r = NULL;
	step->kind = PROBE_TRACE_LAME;
	step->why = SLICE("");
	if (rcode != LDNS_RCODE_NOERROR && rcode != LDNS_RCODE_NXDOMAIN) {
		step->why = rcode_text(rcode, arena);
	} else if (ldns_pkt_aa(answer) && read_records(answer, name, type, arena, step, target_r)) {
		step->kind = PROBE_TRACE_ANSWER;
	} else if (*target_r) {
		step->kind = PROBE_TRACE_ALIAS;
	} else if (ldns_pkt_aa(answer)) {
		step->kind = rcode == LDNS_RCODE_NXDOMAIN ? PROBE_TRACE_NXDOMAIN : PROBE_TRACE_NODATA;
	} else if (rcode == LDNS_RCODE_NOERROR && read_referral(answer, name, zone, arena, step)) {
		step->kind = PROBE_TRACE_REFERRAL;
	} else {
		step->why = ldns_rr_list_rr_count(ldns_pkt_answer(answer)) > 0
				? SLICE("it has an answer, but is not authoritative for it")
				: SLICE("it is not authoritative for the zone, and refers to nobody");
	}
}
