/*
 * queue.c - sekisho queue: takes the place of qmail-queue. Programs that queue mail run it without arguments, so each
 * option can be given in the environment.
 */
#include "option.h"
#include "policy.h"
#include "queue.h"
#include "verbs.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define QMAIL_QUEUE "/var/qmail/bin/qmail-queue"

static const char help[] =
    "usage: sekisho queue [OPTIONS] 0<MESSAGE 1<ENVELOPE\n"
    "\n"
    "Stands in for qmail-queue (QMAILQUEUE): asks the running daemon about the message, and hands it to the real\n"
    "qmail-queue with the edits made. Options, and the environment variables that are the same:\n"
    "\n"
    "  --socket ADDRESS            SEKISHO_SOCKET: where the daemon listens: unix:/PATH, inet:PORT@HOST\n"
    "  -c, --config FILE           SEKISHO_CONFIG: the policy file that names it (" DEFAULT_CONFIG ")\n"
    "  --queue PROGRAM             SEKISHO_QUEUE: the real one (" QMAIL_QUEUE ")\n"
    "  --on-failure defer|accept   SEKISHO_ON_FAILURE: without the daemon, defer the message, or queue it unjudged\n"
    "  --refused all|some          SEKISHO_REFUSED: when some recipients are refused for good, refuse the message for\n"
    "                              all, or queue it for the others\n"
    "  --quarantine ADDRESS        SEKISHO_QUARANTINE: who gets messages that the policy holds; else they are "
    "deferred\n"
    "  --auth VARIABLE             SEKISHO_AUTH: the variable that has the login of a client\n"
    "  --verified-names            SEKISHO_VERIFIED_NAMES=yes: TCPREMOTEHOST is verified (tcpserver -p)\n"
    "  --daemon-name NAME          SEKISHO_DAEMON_NAME: the name of this service, for submission and tenants\n"
    "  --text none|notqmail|indimail\n"
    "                              SEKISHO_TEXT: how the caller takes the text of a reply\n"
    "  -h, --help                  this\n"
    "\n"
    "Exit code: as qmail-queue(8). 0 queued or discarded, 31 refused, 71 deferred, 82 and 88 with our text; 11 an "
    "address\n"
    "is too long, 51 no memory, 52 too late, 53 the disk is full, 54 the sender gave up, 55 options, environment or "
    "file\n"
    "are wrong, 91 the envelope is malformed, 120 the real one cannot be run; else that of the real one.\n";

enum { SOCKET = 256, QUEUE, ON_FAILURE, REFUSED, QUARANTINE, AUTH, VERIFIED_NAMES, DAEMON_NAME, TEXT };

static const struct {
	int option;
	const char *variable, *name;
	const char *words[4]; /* the only values; the first is the default. None: any */
} choices[] = {
    {SOCKET, "SEKISHO_SOCKET", "--socket", {NULL}},
    {'c', "SEKISHO_CONFIG", "--config", {NULL}},
    {QUEUE, "SEKISHO_QUEUE", "--queue", {NULL}},
    {ON_FAILURE, "SEKISHO_ON_FAILURE", "--on-failure", {"defer", "accept"}},
    {REFUSED, "SEKISHO_REFUSED", "--refused", {"all", "some"}},
    {QUARANTINE, "SEKISHO_QUARANTINE", "--quarantine", {NULL}},
    {AUTH, "SEKISHO_AUTH", "--auth", {NULL}},
    {VERIFIED_NAMES, "SEKISHO_VERIFIED_NAMES", "--verified-names", {"no", "yes"}},
    {DAEMON_NAME, "SEKISHO_DAEMON_NAME", "--daemon-name", {NULL}},
    {TEXT, "SEKISHO_TEXT", "--text", {"none", "notqmail", "indimail"}},
};
#define CHOICES (sizeof(choices) / sizeof(choices[0]))

static size_t choice_of(int option)
{
	size_t i = 0;

	while (i + 1 < CHOICES && choices[i].option != option)
		i++;
	return i;
}

static int wrong(const char *what, const char *value, const char *why)
{
	dprintf(STDERR_FILENO, "sekisho queue: %s \"%s\": %s\n", what, value, why);
	return QUEUE_CONFIG;
}

/* Of the option, when the value is not that of the variable. */
static const char *name_of(size_t choice, const char *value)
{
	return getenv(choices[choice].variable) == value ? choices[choice].variable : choices[choice].name;
}

/* The number of a word; -1 and a message: it is not one of them. */
static int number_of(size_t choice, const char *value)
{
	const char *const *words = choices[choice].words;
	char expected[64] = "expected";

	for (int i = 0; words[i]; i++) {
		if (!value || strcmp(words[i], value) == 0)
			return i;
		snprintf(expected + strlen(expected), sizeof(expected) - strlen(expected), "%s %s", i ? " or" : "",
			 words[i]);
	}
	wrong(name_of(choice, value), value, expected);
	return -1;
}

static int socket_of(const char *values[CHOICES], struct listen_address *address_r)
{
	const char *text = values[choice_of(SOCKET)], *file = values[choice_of('c')];
	struct error err;

	if (text && listen_parse(slice_of(text), address_r, &err) != 0)
		return wrong("the address", text, err.text);
	if (!text && policy_milter_socket(file ? file : DEFAULT_CONFIG, address_r, &err) != 0)
		return wrong("no --socket, and the policy file", file ? file : DEFAULT_CONFIG, err.text);
	if (address_r->family == LISTEN_FD)
		return wrong(text ? "the address" : "the first listen of the policy file",
			     text   ? text
			     : file ? file
				    : DEFAULT_CONFIG,
			     "fd: is a descriptor of the daemon, which others cannot connect to; name unix:/PATH or "
			     "inet:PORT@HOST with --socket");
	return 0;
}

static int run(const char *values[CHOICES])
{
	struct queue_settings settings = {.program = values[choice_of(QUEUE)],
					  .quarantine = values[choice_of(QUARANTINE)],
					  .auth = values[choice_of(AUTH)],
					  .daemon_name = values[choice_of(DAEMON_NAME)]};
	int numbers[CHOICES];

	for (size_t i = 0; i < CHOICES; i++) {
		numbers[i] = choices[i].words[0] ? number_of(i, values[i]) : 0;
		if (numbers[i] < 0)
			return QUEUE_CONFIG;
	}
	if (!settings.program)
		settings.program = QMAIL_QUEUE;
	if (settings.quarantine && !strchr(settings.quarantine, '@'))
		return wrong("the address for quarantine", settings.quarantine, "expected NAME@DOMAIN");
	settings.accept_on_failure = numbers[choice_of(ON_FAILURE)] == 1;
	settings.drop_refused = numbers[choice_of(REFUSED)] == 1;
	settings.names_verified = numbers[choice_of(VERIFIED_NAMES)] == 1;
	settings.text = (enum queue_text)numbers[choice_of(TEXT)];
	if (socket_of(values, &settings.socket) != 0)
		return QUEUE_CONFIG;
	return queue_run(&settings, STDIN_FILENO, STDOUT_FILENO);
}

int verb_queue(int argc, char **argv)
{
	static const struct option known[] = {{"socket", required_argument, NULL, SOCKET},
					      {"config", required_argument, NULL, 'c'},
					      {"queue", required_argument, NULL, QUEUE},
					      {"on-failure", required_argument, NULL, ON_FAILURE},
					      {"refused", required_argument, NULL, REFUSED},
					      {"quarantine", required_argument, NULL, QUARANTINE},
					      {"auth", required_argument, NULL, AUTH},
					      {"verified-names", no_argument, NULL, VERIFIED_NAMES},
					      {"daemon-name", required_argument, NULL, DAEMON_NAME},
					      {"text", required_argument, NULL, TEXT},
					      {"help", no_argument, NULL, 'h'},
					      {NULL}};
	const char *values[CHOICES];
	int option;

	die_with(QUEUE_MEMORY);
	for (size_t i = 0; i < CHOICES; i++)
		values[i] = getenv(choices[i].variable);
	optind = 1;
	opterr = 0;
	while ((option = getopt_long(argc, argv, "c:h", known, NULL)) != -1) {
		if (option == 'h')
			return fputs(help, stdout) < 0 ? VERB_OUTPUT : VERB_OK;
		if (option == '?') {
			option_usage(argc, argv, "c:h", known);
			return QUEUE_CONFIG;
		}
		values[choice_of(option)] = option == VERIFIED_NAMES ? "yes" : optarg;
	}
	if (optind < argc)
		return wrong("the argument", argv[optind], "there are only options");
	return run(values);
}
