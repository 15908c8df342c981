/*
 * main.c - finds the verb. Each verb has its own file in verbs/.
 */
#include "config.h"
#include "dns.h"
#include "verbs/verbs.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct verb {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *arguments, *about;
};

static const struct verb verbs[] = {
    {"daemon", verb_daemon, "[-c FILE] [--take-over]",
     "serve Postfix, Sendmail or Exim, in the foreground; take the place of the daemon that runs"},
    {"check", verb_check, "[--test | --effective] [FILE]",
     "read a policy file and show everything that is wrong with it; run its tests; show every setting"},
    {"fmt", verb_fmt, "[-i | --check] FILE ...", "write a policy file in the standard layout"},
    {"srs", verb_srs, "[-c FILE] forward|reverse ADDRESS ...",
     "rewrite senders of forwarded mail, and recipients of bounces, as the maps do"},
    {"queue", verb_queue, "[--socket ADDRESS] [--queue PROGRAM] [--on-failure defer|accept] ...",
     "stand in for qmail-queue: judge a message, then queue it"},
    {"explain", verb_explain, "[-c FILE] [--zone FILE] --client IP ... [MESSAGE]",
     "show what the policy decides about one message, and why"},
    {"lookup", verb_lookup,
     "domain DOMAIN | blacklist IP|DOMAIN | smtp HOST[:PORT] | trace NAME TYPE | spf IP SENDER [HELO] | spf DOMAIN |\n"
     "                 dkim DOMAIN SELECTOR | dmarc DOMAIN | mx DOMAIN | ptr IP",
     "ask the DNS as the daemon does, and test mail servers"},
    {"headers", verb_headers, "[--json] FILE", "read the header of a message: its hops, results, what is inconsistent"},
    {"verify", verb_verify, "[--zone FILE] MESSAGE ...",
     "judge the DKIM signatures and ARC chains of messages in files"},
    {"genkey", verb_genkey, "DOMAIN SELECTOR [--type rsa2048|ed25519]", "make a key for DKIM signatures"},
    {"keys", verb_keys, "[DOMAIN ...] | rotate DOMAIN | run --hook PROGRAM",
     "show the signing keys of domains, and replace them over time"},
    {"reload", verb_reload, "[-c FILE] [--socket PATH]", "make the running daemon read its file again"},
    {"status", verb_status, "[-c FILE] [--socket PATH] [--json]", "show the state of the running daemon"},
    {"top", verb_top, "[-c FILE] [--socket PATH] [--once]", "show live what the running daemon does"},
    {"block", verb_block, "LOGIN|ADDRESS|NETWORK --for TIME [--why TEXT]",
     "block a login, an address or a network for a time"},
    {"unblock", verb_unblock, "LOGIN|ADDRESS|NETWORK", "end a block"},
    {"blocks", verb_blocks, "[--json]", "list who is blocked, until when and why"},
    {"list", verb_list, "add NAME ENTRY [--for TIME] | remove NAME ENTRY | show NAME [ENTRY]",
     "change and show a dynamic list of the running daemon"},
    {"why", verb_why, "CASE | QUEUE-ID | --sender A | --recipient B | --client IP [--since TIME]",
     "tell from the history what became of a message, and why"},
    {"replay", verb_replay, "NEW.conf [--since TIME]",
     "show what another policy would have done with the messages of the history"},
    {"history", verb_history, "show | erase --address A", "print the history, or erase an address from it"},
    {"greylist", verb_greylist, "show [WHAT] | forget DOMAIN|ADDRESS|NETWORK",
     "show who waits or has passed, or forget them"},
    {"logins", verb_logins, "[--day] [--most NUMBER] [--json]", "list the logins that send the most now"},
    {"store", verb_store, "list [PREFIX] | get PREFIX | delete PREFIX",
     "show what the running daemon keeps in its store"},
    {"report", verb_report,
     "read FILE ... | list | preview DOMAIN | send --now [DOMAIN] | suppressed [--clear ADDRESS]",
     "read the reports that others sent about our domains; show and send our DMARC reports about theirs"},
    {"web-password", verb_web_password, "[FILE]",
     "make the password file of the page for administrators (setting web)"},
    {NULL},
};

static void usage(FILE *out)
{
	fprintf(out, "usage: sekisho VERB [ARGUMENTS]\n\n");
	for (const struct verb *verb = verbs; verb->name; verb++)
		fprintf(out, "  sekisho %s %s\n        %s\n", verb->name, verb->arguments, verb->about);
	fprintf(out, "\n`sekisho VERB --help` shows the options of a verb; `sekisho --version` the version.\n"
		     "The manuals are sekisho(8) and sekisho.conf(5).\n");
}

static int unknown_verb(const char *name)
{
	const char *names[sizeof(verbs) / sizeof(verbs[0])] = {NULL};
	const char *near;

	for (size_t i = 0; verbs[i].name; i++)
		names[i] = verbs[i].name;
	near = nearest_word(slice_of(name), names);
	fprintf(stderr, "sekisho: unknown verb \"%s\"; ", name);
	if (near)
		fprintf(stderr, "did you mean \"sekisho %s\"?\n", near);
	else
		fprintf(stderr, "see sekisho --help\n");
	return VERB_USAGE;
}

/* Where standard input, output or error is closed, the next socket or file would take its number, and what we print
 * would go there. Something that cannot be read or written takes their place: what is missing is not empty. */
static void descriptors_fill(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
			die("cannot open /dev/null");
}

/* Incomplete output is an error. */
static int finish(int code)
{
	bool failed = ferror(stdout) != 0;

	if (fflush(stdout) != 0 || failed) {
		fprintf(stderr,
			"sekisho: the output could not be written; is the disk full, or standard output closed?\n");
		code = VERB_OUTPUT;
	}
	if (resolvers_ending() > 0)
		_exit(code); /* do not wait for a DNS library that does not end */
	return code;
}

int main(int argc, char **argv)
{
	descriptors_fill();
	if (argc < 2) {
		usage(stderr);
		return VERB_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
		usage(stdout);
		return finish(VERB_OK);
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		printf("sekisho %s\n", PACKAGE_VERSION);
		return finish(VERB_OK);
	}
	for (const struct verb *verb = verbs; verb->name; verb++)
		if (strcmp(argv[1], verb->name) == 0)
			return finish(verb->run(argc - 1, argv + 1));
	return unknown_verb(argv[1]);
}
