/*
 * lookup.c - `sekisho lookup`: asks the DNS what the daemon would ask, and
 * shows how the result is found.
 */
#include "lookup.h"
#include "mail.h"
#include "option.h"
#include "verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HOST_NAME_ROOM 256

static const struct {
	const char *name;
	int (*run)(struct lookup *);
	int least, most; /* operands */
	const char *operands;
	bool lists; /* it asks those of the policy file, by the resolver of --zone or --resolver if one is given */
} kinds[] = {
    {"domain", lookup_domain, 1, 1, "DOMAIN", true},
    {"blacklist", lookup_blacklist, 1, 1, "IP|DOMAIN", true},
    {"smtp", lookup_smtp, 1, 1, "HOST[:PORT]"},
    {"trace", lookup_trace, 2, 2, "NAME TYPE"},
    {"spf", lookup_spf, 1, 3, "IP SENDER [HELO], or spf DOMAIN"},
    {"mx", lookup_mx, 1, 1, "DOMAIN"},
    {"ptr", lookup_ptr, 1, 1, "IP"},
    {"dkim", lookup_dkim, 2, 2, "DOMAIN SELECTOR"},
    {"dmarc", lookup_dmarc, 0, 1, "DOMAIN, or with --from instead of DOMAIN"},
    {NULL},
};

static const char help[] =
    "usage: sekisho lookup [OPTIONS] domain DOMAIN\n"
    "       sekisho lookup [OPTIONS] blacklist IP|DOMAIN\n"
    "       sekisho lookup [OPTIONS] smtp HOST[:PORT]\n"
    "       sekisho lookup [OPTIONS] trace NAME TYPE\n"
    "       sekisho lookup [OPTIONS] spf DOMAIN\n"
    "       sekisho lookup [OPTIONS] spf IP SENDER [HELO]\n"
    "       sekisho lookup [OPTIONS] mx DOMAIN\n"
    "       sekisho lookup [OPTIONS] ptr IP\n"
    "       sekisho lookup [OPTIONS] dkim DOMAIN SELECTOR\n"
    "       sekisho lookup [OPTIONS] dmarc DOMAIN\n"
    "       sekisho lookup [OPTIONS] dmarc --from FROM [--spf RESULT:DOMAIN[:helo]] [--dkim RESULT:DOMAIN ...]\n"
    "\n"
    "  domain     one report about the mail of DOMAIN: MX hosts and a test of each, DNS lists, SPF, DMARC, DKIM, "
    "MTA-STS,\n"
    "             TLS reports, DANE and BIMI, with what is wrong.\n"
    "  blacklist  is the address or domain on DNS lists: those of --dnsbl and of the policy file?\n"
    "  smtp       what the mail server HOST answers, step by step with times; its certificate; do its names agree?\n"
    "  trace      the way from the root servers to the servers of NAME, and what each of them answers.\n"
    "  spf        of a DOMAIN alone: all records that its record leads to, and advice.\n"
    "\n"
    "  spf    may the client IP send mail from SENDER? Shows every record and every term that was tried.\n"
    "         SENDER is an address, a domain, or <> for the null sender, which means postmaster@HELO.\n"
    "         HELO is the name the client gives; the default is the domain of SENDER.\n"
    "  mx     which hosts take the mail of DOMAIN, and their addresses.\n"
    "  ptr    the names of an address, and which of them lead back to it.\n"
    "  dkim   the key that DOMAIN publishes as SELECTOR, and whether it can be used.\n"
    "  dmarc  the record that speaks for DOMAIN, tag by tag, what happens to mail that fails, and advice.\n"
    "         With --from (the value of a From field): what DMARC says of a message of that author, given what SPF\n"
    "         (of MAIL FROM; :helo for the HELO name) and each DKIM signature had as a result, as in "
    "pass:example.org.\n"
    "\n"
    "  --zone FILE             answer from zone text (lines NAME TYPE RDATA), not from the network\n"
    "  --resolver ADDR[@PORT]  ask this name server (port 53); the default is the system's name servers\n"
    "  -c, --config FILE       ask as the resolver { } of this policy file says; blacklist, domain: ask its DNS lists\n"
    "                          (blacklist without --dnsbl: those of " DEFAULT_CONFIG ")\n"
    "  --receiver NAME         our own name, for the macro r of explanations (default: the name of this host)\n"
    "  --key FILE              dkim: the private key; does the published one belong to it?\n"
    "  --psl                   dmarc: the organization by the public suffix list, not by the walk of RFC 9989\n"
    "  --engine NAME           evaluate SPF with the engine native (the default), libspf2, or both (compare)\n"
    "  --dnsbl ZONE            blacklist, domain: ask this DNS list; may be given several times\n"
    "  --selector NAME         domain: the key of DKIM with this selector; may be given several times\n"
    "  --no-smtp               domain: connect to nobody (the default with --zone; --smtp: connect all the same)\n"
    "  --relay-test            smtp: would it relay mail of strangers? Use it on hosts of your own\n"
    "  --ca FILE               smtp, domain: trust the certificates in this file, not those of the system\n"
    "  --hints FILE            trace: the root servers (default: /usr/share/dns/root.hints, or those of the Internet)\n"
    "  --json                  one JSON object\n"
    "\n"
    "Exit code: 0 when SPF or DMARC passes, when the domain takes mail or has a DMARC policy, when a name leads back,\n"
    "when a key can be used (and belongs to --key), when nothing is wrong with a domain or mail server, when nothing "
    "is\n"
    "listed, when a trace ends at an answer; 1 for every other answer;\n"
    "64 wrong usage; 66 a file cannot be read; 69 no name server, or no list, answers; 78 the policy file is wrong.\n";

/* ---- the command line -------------------------------------------------------------- */

/* A value that is kept as it is. */
#define WORD(name, member)                                                                                             \
	{                                                                                                              \
		name, required_argument, offsetof(struct lookup, member), 0, 0                                         \
	}
/* One of several values: the array, its count, its size. */
#define WORDS(name, array, count)                                                                                      \
	{                                                                                                              \
		name, required_argument, offsetof(struct lookup, array), offsetof(struct lookup, count),               \
		    sizeof(((struct lookup *)NULL)->array) / sizeof(char *)                                            \
	}
#define FLAG(name, member)                                                                                             \
	{                                                                                                              \
		name, no_argument, offsetof(struct lookup, member), 0, 0                                               \
	}

static const struct known_option {
	const char *name;
	int argument;
	size_t member, count, most;
} options[] = {
    WORD("zone", zone),
    WORD("resolver", server),
    WORD("key", key),
    WORD("from", from),
    WORD("spf", spf),
    WORD("ca", ca),
    WORD("hints", hints),
    WORD("config", config),
    WORDS("dkim", dkim, dkim_count),
    WORDS("dnsbl", dnsbl, dnsbl_count),
    WORDS("selector", selectors, selector_count),
    FLAG("json", json),
    FLAG("psl", psl),
    FLAG("relay-test", relay_test),
    /* set_special has the rest */
    {"receiver", required_argument, 0, 0, 0},
    {"engine", required_argument, 0, 0, 0},
    {"smtp", no_argument, 0, 0, 0},
    {"no-smtp", no_argument, 0, 0, 0},
    {"help", no_argument, 0, 0, 0},
};

#define OPTION_COUNT (sizeof(options) / sizeof(options[0]))

static int read_engine(struct lookup *lookup, const char *name)
{
	for (unsigned i = 0; spf_engine_names[i]; i++) {
		if (strcmp(name, spf_engine_names[i]) != 0)
			continue;
		lookup->engine = (enum spf_engine)i;
		if (spf_engine_built(lookup->engine))
			return VERB_OK;
		return lookup_usage("--engine %s: this program was built without libspf2", name);
	}
	return lookup_usage("--engine %s: use native, libspf2 or compare", name);
}

static int set_special(struct lookup *lookup, const char *name, const char *value, bool *help_r)
{
	if (strcmp(name, "receiver") == 0)
		lookup->receiver = slice_of(value);
	else if (strcmp(name, "engine") == 0)
		return read_engine(lookup, value);
	else if (strcmp(name, "smtp") == 0)
		lookup->smtp = LOOKUP_SMTP_YES;
	else if (strcmp(name, "no-smtp") == 0)
		lookup->smtp = LOOKUP_SMTP_NO;
	else
		*help_r = true;
	return VERB_OK;
}

static int set_option(struct lookup *lookup, const struct known_option *option, const char *value, bool *help_r)
{
	char *base = (char *)lookup;

	if (option->member == 0)
		return set_special(lookup, option->name, value, help_r);
	if (option->argument == no_argument) {
		*(bool *)(base + option->member) = true;
	} else if (option->most == 0) {
		*(const char **)(base + option->member) = value;
	} else {
		size_t *count = (size_t *)(base + option->count);
		if (*count == option->most)
			return lookup_usage("--%s can be given at most %zu times", option->name, option->most);
		((const char **)(base + option->member))[(*count)++] = value;
	}
	return VERB_OK;
}

/* The zones of lists are names. */
static int read_lists(struct lookup *lookup)
{
	for (size_t i = 0; i < lookup->dnsbl_count; i++) {
		bool valid;
		struct slice zone = domain_normalise(slice_of(lookup->dnsbl[i]), lookup->arena, &valid);

		if (!valid)
			return lookup_usage("--dnsbl %.100s: this is not the name of a list", lookup->dnsbl[i]);
		lookup->dnsbl[i] = arena_cstring(lookup->arena, zone);
	}
	return VERB_OK;
}

static int parse_options(int argc, char **argv, struct lookup *lookup, bool *help_r)
{
	struct option known[OPTION_COUNT + 1] = {{NULL}};
	int c, status = VERB_OK;

	for (size_t i = 0; i < OPTION_COUNT; i++)
		known[i] = (struct option){options[i].name, options[i].argument, NULL, 256 + (int)i};
	optind = 1;
	opterr = 0;
	while (status == VERB_OK && (c = getopt_long(argc, argv, ":hc:", known, NULL)) != -1) {
		if (c == 'h')
			*help_r = true;
		else if (c == 'c')
			lookup->config = optarg;
		else if (c < 256)
			return option_usage(argc, argv, "hc:", known);
		else
			status = set_option(lookup, &options[c - 256], optarg, help_r);
	}
	if (status != VERB_OK)
		return status;
	if (lookup->zone && lookup->server)
		return lookup_usage("--zone and --resolver cannot be used together");
	return read_lists(lookup);
}

static struct slice host_name(struct arena *arena)
{
	char name[HOST_NAME_ROOM];

	if (gethostname(name, sizeof(name)) < 0)
		return SLICE("");
	name[sizeof(name) - 1] = '\0';
	return arena_copy(arena, slice_of(name));
}

static int ask(int count, char **operands, struct lookup *lookup)
{
	const char *name = count > 0 ? operands[0] : "";

	for (size_t i = 0; kinds[i].name; i++) {
		if (strcmp(name, kinds[i].name) != 0)
			continue;
		if (lookup->config && (lookup->zone || lookup->server) && !kinds[i].lists)
			return lookup_usage("--config and --%s cannot be used together, except by domain and blacklist",
					    lookup->zone ? "zone" : "resolver");
		lookup->count = count - 1;
		lookup->operands = operands + 1;
		if (lookup->count < kinds[i].least || lookup->count > kinds[i].most)
			return lookup_usage("usage: sekisho lookup %s %s", kinds[i].name, kinds[i].operands);
		return kinds[i].run(lookup);
	}
	return lookup_usage(
	    *name ? "unknown question \"%s\"; use domain, blacklist, smtp, trace, spf, mx, ptr, dkim or dmarc"
		  : "%suse domain, blacklist, smtp, trace, spf, mx, ptr, dkim or dmarc",
	    name);
}

int verb_lookup(int argc, char **argv)
{
	struct lookup lookup = {.arena = arena_new(), .verb = "lookup"};
	bool wants_help = false;
	int status;

	lookup.receiver = host_name(lookup.arena);
	status = parse_options(argc, argv, &lookup, &wants_help);
	if (status == VERB_OK && wants_help)
		fputs(help, stdout);
	else if (status == VERB_OK)
		status = lookup_status(&lookup, ask(argc - optind, argv + optind, &lookup));
	lookup_close(&lookup);
	arena_free(lookup.arena);
	return status;
}
