/*
 * unbound_context.c - a libunbound context as this program wants it: servers, DNSSEC, options.
 *
 * All of it comes before the first question, which libunbound demands, and
 * whatever it refuses is an error that names the option: a resolver that is set up
 * half would ask the root servers where it should ask the site's own.
 */
#include <stdio.h>
#include <unistd.h>

#include "unbound.h"

#define COUNT(table) (sizeof(table) / sizeof(*(table)))

struct option {
	const char *name, *value;
	bool if_known; /* older releases do without */
};

static const struct option always[] = {
    {"do-not-query-localhost:", "no"}, /* a site's resolver often is on this machine */
    {"outgoing-range:", "512"},        /* questions over UDP at once; each takes a file descriptor for its moment */
    {"outgoing-num-tcp:", "64"},       /* truncated answers at once */
    {"num-queries-per-thread:", "2048"},
    {"infra-host-ttl:", "30"}, /* a server found dead is tried again after half a minute, not after 15 */
    {"infra-keep-probing:", "yes", true},
    {"rrset-roundrobin:", "no"}, /* equal questions have equal answers */
    {"cache-max-ttl:", "86400"},
    {"cache-max-negative-ttl:", "3600"},
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
		    "cannot use the name servers of /etc/resolv.conf: %s; mend it, or name servers with \"forward\"",
		    ub_strerror(code));
		return -1;
	}
	for (size_t i = 0; i < settings->forward_count; i++) {
		int code = ub_ctx_set_fwd(ctx, settings->forward[i]);
		if (code == 0)
			continue;
		error_set(err, "\"%s\" is no name server (%s); write ADDRESS or ADDRESS@PORT, such as 192.0.2.53@53",
			  settings->forward[i], ub_strerror(code));
		return -1;
	}
	if (settings->source == DNS_FORWARD && settings->forward_count == 0) {
		error_set(err, "no name server is named behind \"forward\"");
		return -1;
	}
	return 0;
}

/* Servers that recurse for us are near, and take their time when they must ask around.
 * libunbound would ask them again after 50 ms and drop the answer to the first question when
 * it came, so that what takes longer would never be answered. A lone server gets nearly all the
 * time, and a second chance for a lost packet; with several there is time for another one. */
static int patience_set(struct ub_ctx *ctx, const struct resolver_settings *settings, struct error *err)
{
	bool lone = settings->source == DNS_FORWARD && settings->forward_count == 1;
	int64_t timeout_ms = settings->timeout_us / 1000;
	char ms[24];
	struct option options[] = {
	    {"infra-cache-min-rtt:", ms, true},
	    {"unknown-server-time-limit:", ms, true}, /* the same for a server that was not asked yet */
	    {"outbound-msg-retry:", "1", true},       /* what says SERVFAIL says it again */
	};

	snprintf(ms, sizeof(ms), "%lld", (long long)(lone ? timeout_ms * 5 / 6 : timeout_ms / 3));
	return options_set(ctx, options, COUNT(options), err);
}

static int servers_set(struct ub_ctx *ctx, const struct resolver_settings *settings, struct error *err)
{
	if (servers_name(ctx, settings, err) < 0 || options_set(ctx, for_servers, COUNT(for_servers), err) < 0)
		return -1;
	return patience_set(ctx, settings, err);
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

static int dnssec_set(struct ub_ctx *ctx, enum dnssec dnssec, struct error *err)
{
	const char *anchor = dnssec != DNSSEC_OFF ? anchor_find() : NULL;

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
	if (options_set(ctx, always, COUNT(always), err) == 0 &&
	    (settings->source == DNS_RECURSE || servers_set(ctx, settings, err) == 0) &&
	    dnssec_set(ctx, settings->dnssec, err) == 0 && context_settle(ctx, err) == 0)
		return ctx;
	ub_ctx_delete(ctx);
	return NULL;
}
