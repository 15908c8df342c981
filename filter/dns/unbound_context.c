/*
 * unbound_context.c - a libunbound context as this program wants it: servers, DNSSEC, options.
 *
 * All of it comes before the first question, which libunbound demands, and
 * whatever it refuses is an error that names the option: a resolver that is set up
 * half would ask the root servers where it should ask the site's own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "unbound.h"

#define COUNT(table) (sizeof(table) / sizeof(*(table)))

#define RESOLV_CONF_MAX (64 * 1024)
#define ROOT_HINTS_MAX  (1024 * 1024)
#define ANCHOR_MAX      (64 * 1024)

struct option {
	const char *name, *value;
	bool if_known; /* older releases do without */
};

static const struct option always[] = {
    {"do-not-query-localhost:", "no"},   /* a site's resolver often is on this machine */
    {"outgoing-range:", "512"},          /* questions over UDP at once; each takes a file descriptor for its moment */
    {"num-queries-per-thread:", "1024"}, /* with questions of its own: beyond it looks for no more servers of a zone */
    {"rrset-roundrobin:", "no"},         /* equal questions have equal answers */
    {"cache-max-ttl:", "86400"},         {"cache-max-negative-ttl:", "3600"},
};

/* Servers of zones are found by recursion: what strangers choose. */
static const struct option for_recursion[] = {
    {"outgoing-num-tcp:", "64"}, /* truncated answers at once, 64 KB each */
    {"infra-host-ttl:", "30"},   /* one found dead is tried again after half a minute, not after 15 */
    {"infra-keep-probing:", "yes", true},
    {"infra-cache-max-rtt:", "3000", true}, /* nobody waits longer for one; it would be two minutes */
    {"outbound-msg-retry:", "2", true},
};

/* Servers that recurse for us. The cache of answers is our own; libunbound's holds what it learns on the way: keys and
 * their proofs. */
static const struct option near_servers[] = {
    {"msg-cache-size:", "256k"},
    {"rrset-cache-size:", "256k"},
    {"outgoing-num-tcp:", "16"}, /* truncated answers at once; 64 KB each */
};

/* Servers of the site's choice may know private zones: what libunbound would answer by
 * itself goes to them ("transparent"; "nodefault" has no effect through this interface). */
static const struct option for_servers[] = {
    {"unblock-lan-zones:", "yes"},
    {"insecure-lan-zones:", "yes"},
    {"local-zone:", "test. transparent"},
    {"local-zone:", "127.in-addr.arpa. transparent"},
    {"local-zone:", "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa. transparent"},
    {"domain-insecure:", "test."},
    {"domain-insecure:", "127.in-addr.arpa."},
};

static int option_set(struct ub_ctx *ctx, const struct option *option, struct error *err)
{
	int code = ub_ctx_set_option(ctx, option->name, option->value);

	if (code == 0 || option->if_known)
		return 0;
	error_set(err, "libunbound %s refuses \"%s %s\": %s; install release 1.9 or later", ub_version(), option->name,
		  option->value, ub_strerror(code));
	return -1;
}

static int options_set(struct ub_ctx *ctx, const struct option *options, size_t count, struct error *err)
{
	for (size_t i = 0; i < count; i++)
		if (option_set(ctx, &options[i], err) < 0)
			return -1;
	return 0;
}

static int servers_name(struct ub_ctx *ctx, const struct resolver_settings *settings, struct error *err)
{
	if (settings->source == DNS_SYSTEM) {
		int code = ub_ctx_resolvconf(ctx, NULL);
		if (code == 0)
			return 0;
		error_set(
		    err,
		    "cannot use the name servers of /etc/resolv.conf: %s; fix it, or list the servers with \"forward\"",
		    ub_strerror(code));
		return -1;
	}
	for (size_t i = 0; i < settings->forward_count; i++) {
		int code = ub_ctx_set_fwd(ctx, settings->forward[i]);
		if (code == 0)
			continue;
		error_set(err,
			  "\"%s\" is not the address of a name server (%s); write ADDRESS or ADDRESS@PORT, such as "
			  "192.0.2.53@53",
			  settings->forward[i], ub_strerror(code));
		return -1;
	}
	if (settings->source == DNS_FORWARD && settings->forward_count == 0) {
		error_set(err, "\"forward\" needs the address of at least one name server");
		return -1;
	}
	return 0;
}

/* The name servers that are asked. */
struct servers {
	size_t count, six; /* all of them; with an IPv6 address */
};

static void servers_add(struct servers *servers, struct slice address)
{
	servers->count++;
	servers->six += slice_find(address, ':') >= 0;
}

/* Those of /etc/resolv.conf, as libunbound reads it. */
static void servers_add_system(struct servers *servers)
{
	struct slice text, rest, line, word;
	struct error err;

	if (file_read("/etc/resolv.conf", RESOLV_CONF_MAX, &text, &err) < 0)
		return;
	rest = text;
	while (slice_cut(&rest, '\n', &line))
		if (slice_word(&line, &word) && slice_equal(word, SLICE("nameserver")) && slice_word(&line, &word))
			servers_add(servers, word); /* a comment may follow */
	free((char *)text.p);
}

static struct servers servers_count(const struct resolver_settings *settings)
{
	struct servers servers = {0};

	if (settings->source == DNS_SYSTEM)
		servers_add_system(&servers);
	for (size_t i = 0; settings->source == DNS_FORWARD && i < settings->forward_count; i++)
		servers_add(&servers, slice_of(settings->forward[i]));
	return servers;
}

/* For each family that it may use libunbound has a table of all ports. */
static int families_set(struct ub_ctx *ctx, const struct servers *servers, struct error *err)
{
	static const struct option no_six = {"do-ip6:", "no"}, no_four = {"do-ip4:", "no"};

	if (servers->count > 0 && servers->six == 0)
		return option_set(ctx, &no_six, err);
	if (servers->count > 0 && servers->six == servers->count)
		return option_set(ctx, &no_four, err);
	return 0;
}

/* Until release 1.19.2 libunbound sends a question that got no answer once more by itself, as a smaller one. */
static bool asks_twice(void)
{
	unsigned major = 0, minor = 0, micro = 0;

	(void)sscanf(ub_version(), "%u.%u.%u", &major, &minor, &micro);
	return major == 1 && (minor < 19 || (minor == 19 && micro < 3));
}

/* Servers that recurse for us are near, and take their time when they must ask around.
 * libunbound would ask them again after 50 ms and drop the answer to the first question when
 * it came, so that what takes longer would never be answered. A lone server gets nearly all the
 * time, and a second chance for a lost packet; with several there is time for another one.
 *
 * Nor may it ever give them up: it would do so for names that strangers chose, and whose servers
 * are mute, and then fail for everybody's. So what it learns of a server has always expired (a time to live under zero)
 * before anybody reads it. A lone one is asked with the same patience each time; of several, one that did not answer
 * comes after the others until it does (its time-out is then the longest there is, which libunbound remembers all the
 * same; under two seconds it would not tell it from others). */
static int patience_set(struct ub_ctx *ctx, const struct resolver_settings *settings, bool lone, struct error *err)
{
	long long timeout_ms = settings->timeout_us / 1000, least_ms = lone ? timeout_ms * 5 / 6 : timeout_ms / 3;
	long long most_ms = lone ? least_ms : 2 * least_ms;
	char least[24], most[24];
	struct option options[] = {
	    {"infra-host-ttl:", "-1", true},
	    {"infra-cache-min-rtt:", least, true},
	    {"infra-cache-max-rtt:", most, true},
	    {"outbound-msg-retry:", asks_twice() ? "1" : "2", true}, /* what says SERVFAIL says it again */
	};
	snprintf(least, sizeof(least), "%lld", least_ms);
	snprintf(most, sizeof(most), "%lld", most_ms < 2000 && !lone ? 2000 : most_ms);
	return options_set(ctx, options, COUNT(options), err);
}

/* libunbound reads the file with the first question, and would go on with the hints it knows if it could not. */
static int recursion_set(struct ub_ctx *ctx, const struct resolver_settings *settings, struct error *err)
{
	const struct option hints = {"root-hints:", settings->root_hints};
	struct slice text;

	if (options_set(ctx, for_recursion, COUNT(for_recursion), err) < 0)
		return -1;
	if (!settings->root_hints)
		return 0;
	if (file_read_plain(settings->root_hints, ROOT_HINTS_MAX, &text, err) < 0)
		return -1;
	free((char *)text.p);
	return option_set(ctx, &hints, err);
}

static int servers_set(struct ub_ctx *ctx, const struct resolver_settings *settings, struct error *err)
{
	struct servers servers = servers_count(settings);

	if (settings->source == DNS_RECURSE)
		return recursion_set(ctx, settings, err);
	if (families_set(ctx, &servers, err) < 0 || servers_name(ctx, settings, err) < 0 ||
	    options_set(ctx, for_servers, COUNT(for_servers), err) < 0 ||
	    options_set(ctx, near_servers, COUNT(near_servers), err) < 0)
		return -1;
	return patience_set(ctx, settings, servers.count == 1, err);
}

/* The keys of the root, where distributions keep them. */
static const char *anchor_find(void)
{
	static const char *const paths[] = {
	    "/usr/share/dns/root.key",   /* Debian, Ubuntu: dns-root-data */
	    "/var/lib/unbound/root.key", /* unbound-anchor; Fedora, openSUSE: unbound-libs, unbound-anchor */
	    "/usr/share/dnssec-root/trusted-key.key", /* Alpine: dnssec-root */
	};

	for (size_t i = 0; i < COUNT(paths); i++)
		if (access(paths[i], R_OK) == 0)
			return paths[i];
	return NULL;
}

static int dnssec_set(struct ub_ctx *ctx, const struct resolver_settings *settings, struct error *err)
{
	const char *given = settings->trust_anchor, *anchor = NULL;
	enum dnssec dnssec = settings->dnssec;

	if (dnssec != DNSSEC_OFF)
		anchor = given ? given : anchor_find();

	if (given && anchor) {
		struct slice text;
		if (file_read_plain(given, ANCHOR_MAX, &text, err) < 0)
			return -1;
		free((char *)text.p);
	}
	if (!anchor && dnssec == DNSSEC_STRICT) {
		error_set(
		    err, "dnssec strict needs the root's keys in /usr/share/dns/root.key or /var/lib/unbound/root.key; "
			 "install dns-root-data (Debian, Ubuntu), unbound-libs (Fedora), unbound-anchor (openSUSE) or "
			 "dnssec-root (Alpine)");
		return -1;
	}
	if (!anchor) {
		static const struct option off = {"module-config:", "iterator"};
		return option_set(ctx, &off, err);
	}
	static const struct option on = {"module-config:", "validator iterator"};
	static const struct option permissive = {"val-permissive-mode:", "yes"};
	if (option_set(ctx, &on, err) < 0 || (dnssec == DNSSEC_PERMISSIVE && option_set(ctx, &permissive, err) < 0))
		return -1;
	int code = ub_ctx_add_ta_file(ctx, anchor);
	if (code == 0)
		return 0;
	error_set(err, "cannot use the root's keys in %s: %s", anchor, ub_strerror(code));
	return -1;
}

/* Reads the keys and checks the options, now and not at the first question. */
static int context_settle(struct ub_ctx *ctx, struct error *err)
{
	int code = ub_ctx_async(ctx, 1); /* a thread, not a process */

	if (code == 0)
		code = ub_ctx_zone_remove(ctx, "sekisho.invalid.");
	if (code == 0)
		return 0;
	error_set(err, "libunbound %s does not start: %s", ub_version(), ub_strerror(code));
	return -1;
}

struct ub_ctx *unbound_context(const struct resolver_settings *settings, struct error *err)
{
	struct ub_ctx *ctx = ub_ctx_create();

	if (!ctx) {
		error_set(err, "libunbound %s does not start", ub_version());
		return NULL;
	}
	(void)ub_ctx_debugout(ctx, NULL); /* what matters of it is in the answers */
	if (options_set(ctx, always, COUNT(always), err) == 0 && servers_set(ctx, settings, err) == 0 &&
	    dnssec_set(ctx, settings, err) == 0 && context_settle(ctx, err) == 0)
		return ctx;
	ub_ctx_delete(ctx);
	return NULL;
}
