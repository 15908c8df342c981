/*
 * verify.c - `sekisho verify`: judges the DKIM signatures and the ARC chain of messages in files,
 * one message or a mailbox (mbox) each, as the daemon would judge them.
 */
#include "arc.h"
#include "option.h"
#include "verbs.h"
#include "verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX_BYTES (1024UL * 1024 * 1024)
#define QUESTIONS_MAX  100 /* of one message: DKIM_SIGNATURES, ARC_SETS_MAX, and room */

static const char help[] =
    "usage: sekisho verify [OPTIONS] MESSAGE...\n"
    "       sekisho verify [--json] --before FILE MESSAGE\n"
    "\n"
    "Verifies the DKIM signatures and the ARC chain of files: a message, or a mailbox (it begins with \"From \"); - is "
    "standard input.\n"
    "\n"
    "  --zone FILE             take the keys from zone text (lines NAME TXT \"...\"), not from the network\n"
    "  --resolver ADDR[@PORT]  ask this name server; the default is the system's name servers\n"
    "  --engine ENGINE         native; libopendkim; or compare: native, and show where libopendkim disagrees\n"
    "  --before FILE           who changed the body? FILE is the message as it was; needs no DNS. Exit code: 0 when a\n"
    "                          DKIM signature with c=simple would hold, 1 when not\n"
    "  --json                  one JSON object for each message, on a line of its own\n"
    "\n"
    "Exit code: 0 when every message has a DKIM signature that passes; 1 when one has none; 64 wrong usage;\n"
    "66 a file cannot be read; 69 the name servers, or the library of\n--engine, cannot be used.\n";

struct verify {
	struct lookup lookup;
	struct arena *arena; /* of one message */
	const char *file;
	const char *before; /* --before, or NULL */
	enum dkim_engine engine;
	struct dkim_library *library; /* NULL: native */
	bool all_pass;
};

static int usage(const char *what, const char *which)
{
	fprintf(stderr, "sekisho verify: %s%s; see sekisho verify --help\n", which, what);
	return VERB_USAGE;
}

/* ---- output --------------------------------------------------------------------------------- */

static json_t *json_signature(struct lookup *lookup, const struct dkim_signature *signature)
{
	json_t *object = json_object();

	json_object_set_new(object, "result", json_string(dkim_result_names[signature->result]));
	json_object_set_new(object, "domain", lookup_string(lookup, signature->domain));
	json_object_set_new(object, "selector", lookup_string(lookup, signature->selector));
	json_object_set_new(object, "algorithm", lookup_string(lookup, signature->algorithm));
	json_object_set_new(object, "reason", lookup_string(lookup, signature->reason));
	json_object_set_new(object, "testing", json_boolean(signature->testing));
	if (signature->second)
		json_object_set_new(object, "libopendkim", json_string(signature->second));
	return object;
}

/* The sealers of a chain that passes, the newest first, as the fact arc.domains. */
static json_t *json_sealers(struct lookup *lookup, const struct arc_outcome *arc)
{
	json_t *sealers = json_array();

	for (unsigned i = arc->sealers ? arc->sets : 0; i-- > 0;)
		json_array_append_new(sealers, lookup_string(lookup, arc->sealers[i].domain));
	return sealers;
}

static void print_json(struct verify *verify, const struct dkim_outcome *outcome, const struct arc_outcome *arc)
{
	json_t *object = json_object(), *signatures = json_array();

	for (size_t i = 0; i < outcome->count; i++)
		json_array_append_new(signatures, json_signature(&verify->lookup, &outcome->signatures[i]));
	json_object_set_new(object, "file", lookup_string(&verify->lookup, slice_of(verify->file)));
	json_object_set_new(object, "dkim", json_string(dkim_result_names[outcome->result]));
	json_object_set_new(object, "signatures", signatures);
	json_object_set_new(object, "arc", json_string(arc_result_names[arc->result]));
	json_object_set_new(object, "arc-reason", lookup_string(&verify->lookup, arc->reason));
	json_object_set_new(object, "arc-domains", json_sealers(&verify->lookup, arc));
	json_dumpf(object, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(object);
}

/* Nothing without a chain. */
static void print_arc(struct verify *verify, const struct arc_outcome *arc)
{
	if (arc->result == ARC_NONE)
		return;
	printf("    arc %-5s i=%u", arc_result_names[arc->result], arc->sets);
	for (unsigned i = arc->sealers ? arc->sets : 0; i-- > 0;) {
		struct slice domain = lookup_safe(&verify->lookup, arc->sealers[i].domain);

		printf(" d=%.*s", SLICE_ARGS(domain));
	}
	printf("%s%.*s%s\n", arc->reason.n ? ": " : "", SLICE_ARGS(arc->reason),
	       arc->partial ? " (l= leaves part of the body unsigned)" : "");
}

static void print_text(struct verify *verify, const struct dkim_outcome *outcome, const struct arc_outcome *arc)
{
	printf("%s: %s\n", verify->file, dkim_result_names[outcome->result]);
	for (size_t i = 0; i < outcome->count; i++) {
		const struct dkim_signature *signature = &outcome->signatures[i];
		struct slice domain = lookup_safe(&verify->lookup, signature->domain);
		struct slice selector = lookup_safe(&verify->lookup, signature->selector);
		struct slice algorithm = lookup_safe(&verify->lookup, signature->algorithm);

		printf("    %-9s d=%.*s s=%.*s %.*s%s%.*s%s", dkim_result_names[signature->result], SLICE_ARGS(domain),
		       SLICE_ARGS(selector), SLICE_ARGS(algorithm), signature->reason.n ? ": " : "",
		       SLICE_ARGS(signature->reason), signature->testing ? " (testing key)" : "");
		if (signature->second)
			printf(" (libopendkim disagrees: %s)", signature->second);
		putchar('\n');
	}
	print_arc(verify, arc);
}

/* ---- a message --------------------------------------------------------------------------------- */

static void read_header(struct verify *verify, struct dns_budget *budget, struct slice *text, struct headers *headers)
{
	struct slice name, value;

	headers_init(headers, verify->arena);
	while (message_next_field(text, verify->arena, &name, &value)) {
		headers_add(headers, name, value);
		if (slice_equal_nocase(slice_trim(name), SLICE("DKIM-Signature")))
			dkim_hint(budget, value, verify->arena);
		else if (headers->count > 0 && arc_is_field(&headers->fields[headers->count - 1]))
			arc_hint(budget, &headers->fields[headers->count - 1], verify->arena);
	}
}

static void verify_message(struct verify *verify, struct slice text)
{
	const struct dkim_rules rules = {
	    .now_s = clock_wall_us() / 1000000,
	    .minimum_bits = DKIM_RSA_BITS_MIN,
	    .signatures = DKIM_SIGNATURES,
	    .engine = verify->engine,
	    .library = verify->library,
	};
	const struct arc_rules arc_rules = {
	    .now_s = rules.now_s, .minimum_bits = rules.minimum_bits, .sets = ARC_SETS_MAX};
	struct dns_budget *budget = dns_budget_open(verify->lookup.resolver, verify->arena, QUESTIONS_MAX);
	struct dkim_body *body = dkim_body_new(verify->arena);
	struct dkim_verifier *verifier;
	struct arc_verifier *chain;
	struct dkim_outcome outcome;
	struct arc_outcome arc;
	struct headers headers;

	read_header(verify, budget, &text, &headers);
	chain = arc_verify_begin(&arc_rules, &headers, body, verify->arena);
	verifier = dkim_verify_begin(&rules, &headers, author_domain(&headers, verify->arena), body, verify->arena);
	dkim_body_add(body, text);
	dkim_verify_body(verifier, text);
	dkim_verify_end(verifier, budget, &outcome);
	arc_verify_end(chain, budget, &arc);
	if (verify->lookup.json)
		print_json(verify, &outcome, &arc);
	else
		print_text(verify, &outcome, &arc);
	verify->all_pass = verify->all_pass && outcome.result == DKIM_PASS;
	dns_budget_close(budget);
	arena_reset(verify->arena);
	arena_reset(verify->lookup.arena);
}

/* Where the next message of a mailbox begins: at a line that begins with "From " after an empty line. */
static size_t mailbox_next(struct slice text)
{
	const char *p = text.p, *end = text.p + text.n, *found;

	while ((found = memmem(p, (size_t)(end - p), "\nFrom ", 6)) != NULL) {
		const char *before = found > text.p && found[-1] == '\r' ? found - 1 : found;

		if (before > text.p && before[-1] == '\n')
			return (size_t)(found + 1 - text.p);
		p = found + 1;
	}
	return text.n;
}

static int verify_file(struct verify *verify, const char *path)
{
	struct slice text, rest;
	struct error err;

	if (file_read(path, FILE_MAX_BYTES, &text, &err) < 0) {
		fprintf(stderr, "sekisho verify: %s\n", err.text);
		return VERB_NOINPUT;
	}
	verify->file = path;
	for (rest = text; rest.n > 0 || rest.p == text.p;) {
		size_t n = slice_starts_nocase(rest, SLICE("From ")) ? mailbox_next(rest) : rest.n;

		verify_message(verify, slice_head(rest, n));
		if (n == rest.n)
			break;
		rest = slice_from(rest, n);
	}
	free((char *)text.p);
	return VERB_OK;
}

/* ---- the command line ------------------------------------------------------------------------------ */

static int choose_engine(struct verify *verify, const char *name)
{
	struct error err;
	int engine = 0;

	while (dkim_engine_names[engine] && strcmp(dkim_engine_names[engine], name) != 0)
		engine++;
	if (!dkim_engine_names[engine])
		return usage(" is not an engine: use native, libopendkim or compare", name);
	verify->engine = (enum dkim_engine)engine;
	if (verify->engine == DKIM_NATIVE || verify->library)
		return VERB_OK;
	verify->library = dkim_library_open(&err);
	if (verify->library)
		return VERB_OK;
	fprintf(stderr, "sekisho verify: %s\n", err.text);
	return VERB_UNAVAILABLE;
}

static int parse_options(int argc, char **argv, struct verify *verify, bool *help_r)
{
	struct lookup *lookup = &verify->lookup;
	const char *engine = "native";
	static const struct option known[] = {
	    {"zone", required_argument, NULL, 'z'},
	    {"resolver", required_argument, NULL, 'r'},
	    {"json", no_argument, NULL, 'j'},
	    {"engine", required_argument, NULL, 'e'},
	    {"before", required_argument, NULL, 'b'},
	    {"help", no_argument, NULL, 'h'},
	    {NULL},
	};
	int c;

	optind = 1;
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":h", known, NULL)) != -1) {
		if (c == 'z')
			lookup->zone = optarg;
		else if (c == 'r')
			lookup->server = optarg;
		else if (c == 'j')
			lookup->json = true;
		else if (c == 'e')
			engine = optarg;
		else if (c == 'b')
			verify->before = optarg;
		else if (c == 'h')
			*help_r = true;
		else
			return option_usage(argc, argv, "h", known);
	}
	if (lookup->zone && lookup->server)
		return usage("--zone and --resolver cannot be used together", "");
	if (!*help_r && optind == argc)
		return usage("a message is needed", "");
	if (verify->before && (lookup->zone || lookup->server || strcmp(engine, "native") != 0))
		return usage("--before compares two files; it verifies nothing, and takes no other option than --json",
			     "");
	if (verify->before && !*help_r && optind + 1 != argc)
		return usage("--before compares with one message", "");
	return choose_engine(verify, engine);
}

/* --before */
static int compare(struct verify *verify, const char *after)
{
	int status = verify_before(&verify->lookup, verify->before, after);

	arena_free(verify->arena);
	arena_free(verify->lookup.arena);
	return status;
}

int verb_verify(int argc, char **argv)
{
	struct verify verify = {.lookup = {.arena = arena_new(), .verb = "verify"}, .all_pass = true};
	bool wants_help = false;
	int worst = VERB_OK, status = parse_options(argc, argv, &verify, &wants_help);

	verify.arena = arena_new();
	if (status == VERB_OK && wants_help)
		fputs(help, stdout);
	else if (status == VERB_OK && verify.before)
		return compare(&verify, argv[optind]);
	else if (status == VERB_OK)
		status = lookup_open(&verify.lookup);
	dns_budget_close(verify.lookup.budget); /* each message has its own */
	for (int i = optind; status == VERB_OK && !wants_help && i < argc; i++) {
		int one = verify_file(&verify, argv[i]);

		worst = one > worst ? one : worst;
	}
	if (status == VERB_OK)
		status = worst != VERB_OK ? worst : verify.all_pass ? VERB_OK : lookup_status(&verify.lookup, VERB_NO);
	resolver_release(verify.lookup.resolver);
	arena_free(verify.arena);
	dkim_library_close(verify.library);
	arena_free(verify.lookup.arena);
	return status;
}
