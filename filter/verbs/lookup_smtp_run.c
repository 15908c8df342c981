/*
 * lookup_smtp_run.c - finds the addresses and TLSA records of an SMTP server and tests all addresses at once.
 */
#include "lookup_smtp.h"
#include "mail.h"

#include <stdio.h>

struct tlsa_set lookup_tlsa(struct lookup *lookup, struct slice host, unsigned port)
{
	struct slice name = arena_printf(lookup->arena, "_%u._tcp.%.*s", port, SLICE_ARGS(host));
	const struct dns_answer *answer = dns_ask(lookup->budget, name, DNS_TLSA);
	struct tlsa_set set = {.secure = answer->secure, .name = name, .status = answer->status};

	set.records = arena_alloc(lookup->arena, PROBE_TLSA_MAX * sizeof(*set.records));
	for (size_t i = 0; i < answer->count && set.count < PROBE_TLSA_MAX; i++) {
		struct slice text = answer->records[i].text;
		set.records[set.count++] = (struct probe_tlsa){(unsigned char)text.p[0], (unsigned char)text.p[1],
							       (unsigned char)text.p[2], slice_from(text, 3)};
	}
	return set;
}

/* A name that a server accepts after EHLO. */
static struct slice our_name(struct lookup *lookup)
{
	bool valid;
	struct slice name = domain_normalise(lookup->receiver, lookup->arena, &valid);

	return valid ? name : SLICE("localhost.localdomain");
}

static void release_arena(void *arena)
{
	arena_free(arena);
}

static void target_make(struct lookup *lookup, struct slice host, struct ip ip, unsigned port,
			const struct tlsa_set *tlsa, struct smtp_target *target_r)
{
	*target_r = (struct smtp_target){.host = host, .arena = arena_new(), .tlsa_secure = tlsa->secure};
	arena_own(lookup->arena, target_r->arena, release_arena);
	target_r->request = (struct probe_smtp_request){
	    .ip = ip,
	    .port = port,
	    .host = host,
	    .helo = our_name(lookup),
	    .ca_file = lookup->ca,
	    .tlsa = tlsa->records,
	    .tlsa_count = tlsa->count,
	    .relay_test = lookup->relay_test,
	};
}

size_t lookup_smtp_targets(struct lookup *lookup, struct slice host, unsigned port, struct smtp_target *targets,
			   size_t room, enum dns_status *status_r)
{
	struct tlsa_set tlsa = {0};
	struct lookup_host found;
	struct ip ip;
	size_t count = 0;

	*status_r = DNS_OK;
	if (ip_parse(host, &ip) == 0) {
		target_make(lookup, SLICE(""), ip, port, &tlsa, &targets[0]);
		return 1;
	}
	dns_hint(lookup->budget, arena_printf(lookup->arena, "_%u._tcp.%.*s", port, SLICE_ARGS(host)), DNS_TLSA);
	found = lookup_addresses(lookup, host);
	*status_r = found.status;
	if (found.status == DNS_OK)
		tlsa = lookup_tlsa(lookup, host, port);
	for (int family = 0; family < 2; family++)
		for (size_t i = 0; i < found.answers[family]->count && count < room; i++)
			target_make(lookup, host, found.answers[family]->records[i].ip, port, &tlsa, &targets[count++]);
	return count;
}

static void *run(void *target_)
{
	struct smtp_target *target = target_;

	probe_smtp(&target->request, target->arena, &target->result);
	return NULL;
}

void lookup_smtp_probe(struct lookup *lookup, struct smtp_target *targets, size_t count)
{
	int64_t until_us = clock_us() + PROBE_US;

	for (size_t i = 0; i < count; i++) {
		targets[i].request.until_us = until_us;
		targets[i].running = pthread_create(&targets[i].thread, NULL, run, &targets[i]) == 0;
		if (!targets[i].running)
			run(&targets[i]);
		/* meanwhile: who is it? */
		dns_hint(lookup->budget, dns_reverse_name(targets[i].request.ip, lookup->arena), DNS_PTR);
	}
	for (size_t i = 0; i < count; i++)
		if (targets[i].running)
			pthread_join(targets[i].thread, NULL);
}
