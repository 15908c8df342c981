/*
 * lookup.c - `sekisho lookup`: asks the DNS what the daemon would ask, and
 * shows how the result is found.
 */
#include "lookup.h"
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
} kinds[] = {
    {"spf", lookup_spf, 2, 3, "IP SENDER [HELO]"},
    {"mx", lookup_mx, 1, 1, "DOMAIN"},
    {"ptr", lookup_ptr, 1, 1, "IP"},
    {"dkim", lookup_dkim, 2, 2, "DOMAIN SELECTOR"},
    {"dmarc", lookup_dmarc, 0, 1, "DOMAIN, or with --from instead of DOMAIN"},
    {NULL},
};

static const char help[] =
    "usage: sekisho lookup [OPTIONS] spf IP SENDER [HELO]\n"
    "       sekisho lookup [OPTIONS] mx DOMAIN\n"
    "       sekisho lookup [OPTIONS] ptr IP\n"
    "       sekisho lookup [OPTIONS] dkim DOMAIN SELECTOR\n"
    "       sekisho lookup [OPTIONS] dmarc DOMAIN\n"
    "       sekisho lookup [OPTIONS] dmarc --from FROM [--spf RESULT:DOMAIN[:helo]] [--dkim RESULT:DOMAIN ...]\n"
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
    "  --receiver NAME         our own name, for the macro r of explanations (default: the name of this host)\n"
    "  --key FILE              dkim: the private key; does the published one belong to it?\n"
    "  --psl                   dmarc: the organization by the public suffix list, not by the walk of RFC 9989\n"
    "  --engine NAME           evaluate SPF with the engine native (the default), libspf2, or both (compare)\n"
    "  --json                  one JSON object\n"
    "\n"
    "Exit code: 0 when SPF or DMARC passes, when the domain takes mail or has a DMARC policy, when a name leads back,\n"
    "when a key can be used (and belongs to --key); 1 for every other answer;\n"
    "64 wrong usage; 66 the zone file cannot be read; 69 the name servers cannot be used.\n";

/* ---- the command line -------------------------------------------------------------- */

/* Options of a message that DMARC is asked about. */
static int take_message(struct lookup *lookup, int option, const char *value)
{
	switch (option) {
	case 'p':
		lookup->psl = true;
		break;
	case 'f':
		lookup->from = value;
		break;
	case 's':
		lookup->spf = value;
		break;
	default:
		if (lookup->dkim_count == LOOKUP_DKIM_MAX)
			return lookup_usage("--dkim can be given at most %d times", LOOKUP_DKIM_MAX);
		lookup->dkim[lookup->dkim_count++] = value;
	}
	return VERB_OK;
}

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

static int parse_options(int argc, char **argv, struct lookup *lookup, bool *help_r)
{
	static const struct option known[] = {
	    {"zone", required_argument, NULL, 'z'},     {"resolver", required_argument, NULL, 'r'},
	    {"receiver", required_argument, NULL, 'n'}, {"json", no_argument, NULL, 'j'},
	    {"key", required_argument, NULL, 'k'},      {"psl", no_argument, NULL, 'p'},
	    {"from", required_argument, NULL, 'f'},     {"spf", required_argument, NULL, 's'},
	    {"dkim", required_argument, NULL, 'd'},     {"engine", required_argument, NULL, 'e'},
	    {"help", no_argument, NULL, 'h'},           {NULL},
	};
	int c;

	optind = 1;
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":h", known, NULL)) != -1) {
		switch (c) {
		case 'z':
			lookup->zone = optarg;
			break;
		case 'r':
			lookup->server = optarg;
			break;
		case 'n':
			lookup->receiver = slice_of(optarg);
			break;
		case 'k':
			lookup->key = optarg;
			break;
		case 'e':
			if (read_engine(lookup, optarg) != VERB_OK)
				return VERB_USAGE;
			break;
		case 'j':
			lookup->json = true;
			break;
		case 'p':
		case 'f':
		case 's':
		case 'd':
			if (take_message(lookup, c, optarg) != VERB_OK)
				return VERB_USAGE;
			break;
		case 'h':
			*help_r = true;
			break;
		default:
			return option_usage(argc, argv, "h", known);
		}
	}
	if (lookup->zone && lookup->server)
		return lookup_usage("--zone and --resolver cannot be used together");
	return VERB_OK;
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
		lookup->count = count - 1;
		lookup->operands = operands + 1;
		if (lookup->count < kinds[i].least || lookup->count > kinds[i].most)
			return lookup_usage("usage: sekisho lookup %s %s", kinds[i].name, kinds[i].operands);
		return kinds[i].run(lookup);
	}
	return lookup_usage(*name ? "unknown question \"%s\"; use spf, mx, ptr, dkim or dmarc"
				  : "%suse spf, mx, ptr, dkim or dmarc",
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
	dns_budget_close(lookup.budget);
	resolver_release(lookup.resolver);
	arena_free(lookup.arena);
	return status;
}
