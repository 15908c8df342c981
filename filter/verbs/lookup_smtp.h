/*
 * lookup_smtp.h - tests of the SMTP servers of a host, all its addresses at once.
 */
#ifndef SEKISHO_LOOKUP_SMTP_H
#define SEKISHO_LOOKUP_SMTP_H

#include "lookup_sheet.h"
#include "probe.h"
#include <pthread.h>

#define TARGETS_MAX 16       /* addresses that are tested at once, each by a thread */
#define PROBE_US    20000000 /* for one test; a question to the DNS before and after it takes a few seconds at most */

struct smtp_target {
	struct slice host;
	struct probe_smtp_request request;
	struct probe_smtp result;
	bool tlsa_secure; /* DNSSEC proves the TLSA records */
	struct arena *arena;
	pthread_t thread;
	bool running;
};

/* TLSA records of a host and port, in the lookup's arena; *secure_r: DNSSEC proves them. Also records that are not
 * there. */
struct tlsa_set {
	struct probe_tlsa *records;
	size_t count;
	bool secure;
	struct slice name; /* that was asked for */
	enum dns_status status;
};
struct tlsa_set lookup_tlsa(struct lookup *, struct slice host, unsigned port);

/* One target for each address of the host; how many. *status_r: DNS_OK, or why there is none. */
size_t lookup_smtp_targets(struct lookup *, struct slice host, unsigned port, struct smtp_target *targets, size_t room,
			   enum dns_status *status_r);

/* Tests all of them at the same time. */
void lookup_smtp_probe(struct lookup *, struct smtp_target *targets, size_t count);

/* Lines about a tested target: each step, or a summary; then what is wrong. */
json_t *lookup_smtp_show(struct lookup *, struct sheet *, const struct smtp_target *, bool steps);

#endif
