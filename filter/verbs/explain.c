/*
 * explain.c - `sekisho explain`: runs one message through the real engine, without
 * an MTA, and shows what every rule saw. This file reads the arguments and runs the message;
 * explain_show.c prints the result.
 */
#include "explain.h"
#include "option.h"
#include "origin.h"
#include "verbs.h"
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_MAX (256u * 1024 * 1024) /* no server accepts larger messages */

static const char help[] =
    "usage: sekisho explain [-c FILE] [--zone FILE] [--client IP] [--sender ADDRESS] [OPTIONS] [MESSAGE]\n"
    "\n"
    "Runs the policy over one message and shows each rule that was tried, what it saw, and\n"
    "which one decided. MESSAGE is a file with header and body (\"-\": standard input); without\n"
    "it the message is empty. Without --client and --sender, MESSAGE says them: its topmost Received field\n"
    "the client and HELO, and Return-Path the sender.\n"
    "\n"
    "  -c, --config FILE     policy file (" DEFAULT_CONFIG ")\n"
    "      --zone FILE       answer DNS questions from this zone text alone\n"
    "      --client IP       address of the SMTP client; \"local\" for a program of this host\n"
    "      --client-name N   its name as the MTA verified it\n"
    "      --helo H          the name in its HELO or EHLO\n"
    "      --sender A        MAIL FROM; <> is the null sender\n"
    "      --recipient A     RCPT TO; may be given several times\n"
    "      --auth-user U     the client has authenticated as U\n"
    "      --tls             the connection is encrypted\n"
    "      --port N          the port of the MTA that it came to (25)\n"
    "      --daemon-name N   the MTA's name of that service\n"
    "      --json            one JSON object for programs\n";

enum {
	OPT_ZONE = 256,
	OPT_CLIENT,
	OPT_NAME,
	OPT_HELO,
	OPT_SENDER,
	OPT_RCPT,
	OPT_AUTH,
	OPT_TLS,
	OPT_PORT,
	OPT_DAEMON,
	OPT_JSON,
	OPT_HELP
};

static const struct option long_options[] = {
    {"config", required_argument, NULL, 'c'},
    {"zone", required_argument, NULL, OPT_ZONE},
    {"client", required_argument, NULL, OPT_CLIENT},
    {"client-name", required_argument, NULL, OPT_NAME},
    {"helo", required_argument, NULL, OPT_HELO},
    {"sender", required_argument, NULL, OPT_SENDER},
    {"recipient", required_argument, NULL, OPT_RCPT},
    {"auth-user", required_argument, NULL, OPT_AUTH},
    {"tls", no_argument, NULL, OPT_TLS},
    {"port", required_argument, NULL, OPT_PORT},
    {"daemon-name", required_argument, NULL, OPT_DAEMON},
    {"json", no_argument, NULL, OPT_JSON},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

static int wrong(const char *what, const char *value)
{
	fprintf(stderr, "sekisho explain: %s%s%s; see sekisho explain --help\n", what, value ? " " : "",
		value ? value : "");
	return VERB_USAGE;
}

static int set_client(struct explain *explain, const char *text)
{
	explain->client_given = true;
	if (strcmp(text, "local") == 0) {
		explain->local_program = true;
		return VERB_OK;
	}
	return ip_parse(slice_of(text), &explain->client) == 0 ? VERB_OK
							       : wrong("--client is not an IP address:", text);
}

static int set_port(struct explain *explain, const char *text)
{
	uint64_t port;

	if (slice_number(slice_of(text), 65535, &port) != 0)
		return wrong("--port is not a port number:", text);
	explain->port = (unsigned)port;
	return VERB_OK;
}

static int set_option(struct explain *explain, int option, const char *value)
{
	switch (option) {
	case 'c':
		explain->config = value;
		return VERB_OK;
	case OPT_ZONE:
		explain->zone = value;
		return VERB_OK;
	case OPT_NAME:
		explain->client_name = value;
		return VERB_OK;
	case OPT_HELO:
		explain->helo = value;
		return VERB_OK;
	case OPT_SENDER:
		explain->sender = value;
		return VERB_OK;
	case OPT_AUTH:
		explain->auth_user = value;
		return VERB_OK;
	case OPT_DAEMON:
		explain->daemon_name = value;
		return VERB_OK;
	case OPT_CLIENT:
		return set_client(explain, value);
	case OPT_PORT:
		return set_port(explain, value);
	case OPT_RCPT:
		if (explain->recipient_count == EXPLAIN_RECIPIENTS_MAX)
			return wrong("too many recipients", NULL);
		explain->recipients[explain->recipient_count++] = value;
		return VERB_OK;
	case OPT_TLS:
		explain->tls = true;
		return VERB_OK;
	case OPT_JSON:
		explain->json = true;
		return VERB_OK;
	}
	return VERB_USAGE;
}

static int read_arguments(struct explain *explain, int argc, char **argv)
{
	int option, code;

	optind = 1;
	opterr = 0;
	while ((option = getopt_long(argc, argv, "c:h", long_options, NULL)) != -1) {
		if (option == OPT_HELP || option == 'h') {
			fputs(help, stdout);
			exit(VERB_OK);
		}
		if (option == '?')
			return option_usage(argc, argv, "c:h", long_options);
		code = set_option(explain, option, optarg);
		if (code != VERB_OK)
			return code;
	}
	if (optind < argc)
		explain->message = argv[optind++];
	if (optind < argc)
		return wrong("only one message at a time; unexpected:", argv[optind]);
	return VERB_OK;
}

/* What was not given is taken from what the last server wrote into the message. */
static int complete_arguments(struct explain *explain, struct slice message)
{
	struct origin origin;

	origin_read(message, explain->arena, &origin);
	if (!explain->client_given && origin.has_client) {
		explain->client_given = true;
		explain->client = origin.client;
		explain->taken_client = origin.client_text;
		if (!explain->helo)
			explain->helo = explain->taken_helo = origin.helo;
	}
	if (!explain->sender && origin.has_sender)
		explain->sender = explain->taken_sender = origin.sender;
	if (!explain->client_given)
		return wrong("--client IP is missing, and the message has no Received field that names it", NULL);
	if (!explain->sender)
		return wrong("--sender ADDRESS is missing (<> is the null sender), and the message has no Return-Path",
			     NULL);
	return VERB_OK;
}

static struct resolver *open_resolver(const struct explain *explain, const struct policy *policy, int *code_r)
{
	struct resolver *resolver = NULL;
	struct error err;
	struct slice zone;

	*code_r = VERB_UNAVAILABLE;
	if (!explain->zone) {
		resolver = resolver_open(&policy_settings(policy)->resolver, &err);
	} else if (file_read(explain->zone, MESSAGE_MAX, &zone, &err) != 0) {
		*code_r = VERB_NOINPUT;
	} else {
		resolver = resolver_open_zone(zone, explain->zone, &err);
		free((void *)(uintptr_t)zone.p);
		*code_r = VERB_NOINPUT;
	}
	if (!resolver)
		fprintf(stderr, "sekisho explain: %s\n", err.text);
	return resolver;
}

static void run(struct explain *explain, struct gate *gate, struct slice message)
{
	struct slice recipients[EXPLAIN_RECIPIENTS_MAX];
	struct conversation said = {
	    .connection = {.client = explain->client,
			   .client_name = slice_of(explain->client_name),
			   .daemon_name = slice_of(explain->daemon_name),
			   .daemon_port = explain->local_program ? 0 : explain->port,
			   .local_program = explain->local_program},
	    .helo = slice_of(explain->helo),
	    .tls = explain->tls,
	    .auth_user = slice_of(explain->auth_user),
	    .sender = slice_of(explain->sender),
	    .recipients = recipients,
	    .recipient_count = explain->recipient_count,
	    .message = message,
	};

	for (size_t i = 0; i < explain->recipient_count; i++)
		recipients[i] = slice_of(explain->recipients[i]);
	explain->reached = gate_converse(gate, &said);
}

static int explain_message(struct explain *explain, struct policy *policy, struct slice message)
{
	int code;
	struct resolver *resolver = open_resolver(explain, policy, &code);
	struct counters counters = {0};
	struct store *store = engine_trial_store(policy);
	struct engine *engine;
	struct gate *gate;
	struct tracer tracer = {trace_keep, &explain->trace};

	if (!resolver) {
		store_close(store);
		return code;
	}
	engine = engine_new(policy, resolver, NULL, &counters);
	engine_lend_store(engine, store);
	gate = gate_open(engine, &abilities_all);
	gate_trace(gate, &tracer);
	run(explain, gate, message);
	if (explain->json)
		explain_show_json(explain, gate);
	else
		explain_show_text(explain, gate);
	gate_close(gate);
	engine_release(engine);
	resolver_release(resolver);
	store_close(store);
	return VERB_OK;
}

static int explain_with_file(struct explain *explain, struct slice message)
{
	struct diagnostics *diagnostics = diagnostics_new();
	struct policy *policy = policy_load_as(POLICY_EXPLAIN, explain->config, diagnostics);
	int code;

	if (diagnostics_errors(diagnostics) + diagnostics_warnings(diagnostics) > 0) {
		char *text = diagnostics_print(diagnostics);
		fputs(text, stderr);
		free(text);
	}
	code = policy ? explain_message(explain, policy, message) : VERB_CONFIG;
	policy_release(policy);
	diagnostics_free(diagnostics);
	return code;
}

int verb_explain(int argc, char **argv)
{
	struct explain explain = {.config = DEFAULT_CONFIG, .port = 25};
	struct slice message = SLICE("");
	struct error err;
	int code = read_arguments(&explain, argc, argv);

	if (code != VERB_OK)
		return code;
	if (explain.message && file_read(explain.message, MESSAGE_MAX, &message, &err) != 0) {
		fprintf(stderr, "sekisho explain: %s\n", err.text);
		return VERB_NOINPUT;
	}
	explain.arena = explain.trace.arena = arena_new();
	code = complete_arguments(&explain, message);
	if (code == VERB_OK)
		code = explain_with_file(&explain, message);
	arena_free(explain.arena);
	if (explain.message)
		free((void *)(uintptr_t)message.p);
	return code;
}
