/*
 * genkey.c - `sekisho genkey`: makes a key pair for signing, writes the private
 * key to a file that only its owner can read, and prints the record for the DNS.
 */
#include "dkim.h"
#include "option.h"
#include "verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define STRING_MAX 255 /* RFC 1035 3.3: bytes of one character-string of a TXT record */

struct genkey {
	const char *type, *file;
	struct slice domain, selector;
	struct arena *arena;
};

static const char help[] = "usage: sekisho genkey [OPTIONS] DOMAIN SELECTOR\n"
			   "\n"
			   "Makes a key for DKIM signatures, writes it to SELECTOR.DOMAIN.pem (mode 0600; an existing "
			   "file is never touched),\n"
			   "and prints the TXT record that publishes it, as zone files have it.\n"
			   "\n"
			   "  --type rsa2048|ed25519  the kind of key (rsa2048, which every verifier knows)\n"
			   "  --out FILE              where the private key goes\n"
			   "\n"
			   "Exit code: 0 done; 64 wrong usage; 69 the key cannot be made or written.\n";

static int usage(const char *what, const char *which)
{
	fprintf(stderr, "sekisho genkey: %s%s; see sekisho genkey --help\n", which, what);
	return VERB_USAGE;
}

static int write_file(const char *path, struct slice text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0) {
		fprintf(stderr, "sekisho genkey: cannot create %s: %s\n", path, strerror(errno));
		return VERB_UNAVAILABLE;
	}
	if (write(fd, text.p, text.n) == (ssize_t)text.n && fsync(fd) == 0 && close(fd) == 0)
		return VERB_OK;
	fprintf(stderr, "sekisho genkey: cannot write %s: %s\n", path, strerror(errno));
	unlink(path);
	return VERB_UNAVAILABLE;
}

/* Long records are several strings, which verifiers join (RFC 6376 3.6.2.2). */
static void print_record(const struct genkey *genkey, struct slice record)
{
	printf("%.*s._domainkey.%.*s. IN TXT", SLICE_ARGS(genkey->selector), SLICE_ARGS(genkey->domain));
	for (; record.n > 0; record = slice_from(record, STRING_MAX))
		printf(" \"%.*s\"", SLICE_ARGS(slice_head(record, STRING_MAX)));
	putchar('\n');
}

static int make(struct genkey *genkey)
{
	enum dkim_algorithm algorithm = strcmp(genkey->type, "ed25519") == 0 ? DKIM_ED25519 : DKIM_RSA;
	struct dkim_private *private;
	struct error err;
	int status;

	private = dkim_private_generate(algorithm, &err);
	if (!private) {
		fprintf(stderr, "sekisho genkey: %s\n", err.text);
		return VERB_UNAVAILABLE;
	}
	if (!genkey->file)
		genkey->file = arena_printf(genkey->arena, "%.*s.%.*s.pem", SLICE_ARGS(genkey->selector),
					    SLICE_ARGS(genkey->domain))
				   .p;
	status = write_file(genkey->file, dkim_private_pem(private, genkey->arena));
	if (status == VERB_OK) {
		print_record(genkey, dkim_private_record(private, genkey->arena));
		fprintf(stderr,
			"The private key is in %s. It must belong to the user the daemon runs as.\n"
			"When the record is published: sekisho lookup dkim %.*s %.*s --key %s\n",
			genkey->file, SLICE_ARGS(genkey->domain), SLICE_ARGS(genkey->selector), genkey->file);
	}
	dkim_private_free(private);
	return status;
}

static int read_operands(struct genkey *genkey, int count, char **operands)
{
	bool valid;

	if (count != 2)
		return usage("a domain and a selector are needed", "");
	genkey->domain = domain_normalise(slice_of(operands[0]), genkey->arena, &valid);
	if (!valid)
		return usage(" is not a domain", operands[0]);
	genkey->selector = domain_normalise(slice_of(operands[1]), genkey->arena, &valid);
	if (!valid)
		return usage(" is not a selector", operands[1]);
	if (strcmp(genkey->type, "rsa2048") != 0 && strcmp(genkey->type, "ed25519") != 0)
		return usage(" is not a key type: use rsa2048 or ed25519", genkey->type);
	return VERB_OK;
}

int verb_genkey(int argc, char **argv)
{
	static const struct option known[] = {
	    {"type", required_argument, NULL, 't'},
	    {"out", required_argument, NULL, 'o'},
	    {"help", no_argument, NULL, 'h'},
	    {NULL},
	};
	struct genkey genkey = {.type = "rsa2048"};
	int c, status;

	optind = 1;
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":h", known, NULL)) != -1) {
		if (c == 't')
			genkey.type = optarg;
		else if (c == 'o')
			genkey.file = optarg;
		else if (c == 'h')
			return fputs(help, stdout) < 0 ? VERB_UNAVAILABLE : VERB_OK;
		else
			return option_usage(argc, argv, "h", known);
	}
	genkey.arena = arena_new();
	status = read_operands(&genkey, argc - optind, argv + optind);
	if (status == VERB_OK)
		status = make(&genkey);
	arena_free(genkey.arena);
	return status;
}
