/*
 * setting_resolver.c - resolver { }: whom to ask in the DNS, and how long to wait.
 */
#include "setting_reader.h"

#define SECOND             1000000ll
#define TIMEOUT_LEAST_US   100000ll     /* less is less than a packet around the world */
#define TIMEOUT_MOST_US    (8 * SECOND) /* no callback before the end of message takes longer: Sendmail waits 10 s */
#define CACHE_LEAST        100
#define CACHE_MOST         10000000
#define RESOLVER(member)   .offset = offsetof(struct resolver_settings, member)
#define WHOM_TO_ASK(which) .type = SETTING_CHOICE, RESOLVER(source), .least = (which), .group = "source"

/* 192.0.2.53, 192.0.2.53@5353, 2001:db8::53 */
static int read_server(struct setting_told *told, void *item, struct error *err)
{
	struct resolver_settings *resolver = item;
	struct slice rest = told->words[0], address;
	struct ip ip;
	unsigned port;

	slice_cut(&rest, '@', &address);
	if (ip_parse(address, &ip) || (rest.p && port_parse(rest, &port)))
		return -1;
	if (resolver->forward_count == DNS_FORWARD_MAX) {
		error_set(err, "forward has more than %d servers", DNS_FORWARD_MAX);
		return -1;
	}
	resolver->source = DNS_FORWARD;
	resolver->forward[resolver->forward_count++] = arena_cstring(told->arena, told->words[0]);
	return 0;
}

/* Zone text is read here once to see that it can be. */
static int open_zone(struct resolver_settings *resolver, struct setting_told *told, struct error *err)
{
	struct resolver *opened;

	resolver->source = DNS_ZONE;
	resolver->dnssec = DNSSEC_OFF;
	opened = resolver_open(resolver, err);
	resolver_release(opened);
	told->key = "zone";
	return opened ? 0 : -1;
}

static int finish(void *block, struct setting_told *told, struct error *err)
{
	struct resolver_settings *resolver = block;

	if (resolver->root_hints && resolver->source != DNS_RECURSE) {
		told->key = "root-hints";
		error_set(err, "root-hints is used with recurse alone: other servers know where the root is");
		return -1;
	}
	if (resolver->trust_anchor && (resolver->zone || resolver->dnssec == DNSSEC_OFF) &&
	    (resolver->zone || setting_said(told, "dnssec"))) {
		told->key = "trust-anchor";
		error_set(err, "trust-anchor has no effect %s", resolver->zone ? "with zone" : "with dnssec off");
		return -1;
	}
	if (resolver->zone)
		return open_zone(resolver, told, err);
	if (!setting_said(told, "dnssec"))
		resolver->dnssec = resolver->source == DNS_RECURSE ? DNSSEC_STRICT : DNSSEC_PERMISSIVE;
	return 0;
}

static const struct setting_key keys[] = {
    {.name = "timeout",
     .type = SETTING_DURATION,
     RESOLVER(timeout_us),
     .least = TIMEOUT_LEAST_US,
     .most = TIMEOUT_MOST_US,
     .preset = "3s"},
    {.name = "dnssec",
     .type = SETTING_WORD,
     RESOLVER(dnssec),
     .words =
	 (const char *const[]){
	     [DNSSEC_OFF] = "off", [DNSSEC_PERMISSIVE] = "permissive", [DNSSEC_STRICT] = "strict", NULL},
     .example = "resolver { dnssec strict }"},
    {.name = "cache",
     .type = SETTING_NUMBER,
     RESOLVER(cache_entries),
     .least = CACHE_LEAST,
     .most = CACHE_MOST,
     .preset = "65536"},
    {.name = "system", WHOM_TO_ASK(DNS_SYSTEM)},
    {.name = "forward",
     .type = SETTING_OWN,
     .count = SETTING_MANY,
     .read = read_server,
     .group = "source",
     .usage = "addresses of servers as in 192.0.2.53 or 192.0.2.53@5353",
     .example = "resolver { forward 192.0.2.53 192.0.2.54@5353 }"},
    {.name = "zone",
     .type = SETTING_PATH,
     RESOLVER(zone),
     .group = "source",
     .usage = "the path of a file with zone text",
     .example = "resolver { zone /etc/sekisho/zone }"},
    {.name = "recurse", WHOM_TO_ASK(DNS_RECURSE)},
    {.name = "root-hints",
     .type = SETTING_PATH,
     RESOLVER(root_hints),
     .example = "resolver { recurse root-hints /etc/sekisho/root.hints }"},
    {.name = "trust-anchor",
     .type = SETTING_PATH,
     RESOLVER(trust_anchor),
     .example = "resolver { recurse trust-anchor /etc/sekisho/root.key }"},
    {.name = "hints",
     .type = SETTING_BOOL,
     RESOLVER(hints_off),
     .words = (const char *const[]){"yes", "no", NULL},
     .preset = "yes"},
};

const struct setting_block resolver_block = {
    .name = "resolver", .size = sizeof(struct resolver_settings), SETTING_KEYS(keys), .finish = finish};
