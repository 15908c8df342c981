/*
 * history.c - sekisho history: what the history holds, and erasing an address from it.
 */
#include "history.h"
#include "json.h"
#include "option.h"
#include "past.h"
#include <stdio.h>
#include <string.h>

static const char help[] =
    "usage: sekisho history show | erase --address A [OPTIONS]\n\n"
    "  show               the records, oldest first, one JSON object for each\n"
    "  erase              deletes every record of messages from or to an address, and logins of this name\n"
    "  --address A        whose\n" PAST_HELP "  -h, --help         this\n";

static int usage(FILE *out, int code)
{
	fputs(help, out);
	return code;
}

static bool print_row(void *context, const struct history_row *row)
{
	(void)context;
	fwrite(row->line.p, 1, row->line.n, stdout);
	return putchar('\n') != EOF;
}

static int show(const struct past *past, const struct policy *policy)
{
	int code = VERB_OK;
	struct history_reader *reader = past_open(past, policy, &code);
	uint64_t lost = 0;

	if (!reader)
		return code;
	history_each(reader, past->since_us, print_row, NULL, &lost);
	history_reader_close(reader);
	if (lost == 0)
		return VERB_OK;
	fprintf(stderr, "sekisho history: the file is damaged; about %llu records cannot be read\n",
		(unsigned long long)lost);
	return VERB_NOINPUT;
}

static int erase(const struct past *past, const struct policy *policy, const char *address)
{
	struct arena *arena = arena_new();
	int code = VERB_OK;
	const char *path = past_path(past, policy, arena, &code);
	struct error err;
	uint64_t erased;

	if (path && history_erase(path, slice_of(address), &erased, &err) == 0) {
		printf("%llu record%s erased\n", (unsigned long long)erased, erased == 1 ? "" : "s");
		code = erased ? VERB_OK : VERB_NO;
	} else if (path) {
		fprintf(stderr, "sekisho history: %s\n", err.text);
		code = VERB_NOINPUT;
	}
	arena_free(arena);
	return code;
}

int verb_history(int argc, char **argv)
{
	static const struct option options[] = {{"address", required_argument, NULL, 'A'}, PAST_OPTIONS, {NULL}};
	struct past past = {argv[0], DEFAULT_CONFIG, NULL, 0};
	const char *address = NULL;
	struct policy *policy;
	int option, code;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		if (option == 'h')
			return usage(stdout, VERB_OK);
		if (option == '?')
			return option_usage(argc, argv, "c:h", options);
		if (option == 'A')
			address = optarg;
		code = past_option(&past, option, optarg);
		if (code >= 0)
			return code;
	}
	if (optind + 1 != argc || (strcmp(argv[optind], "erase") == 0) != (address && *address) ||
	    (strcmp(argv[optind], "erase") != 0 && strcmp(argv[optind], "show") != 0))
		return usage(stderr, VERB_USAGE);
	policy = past_policy(&past);
	code = address ? erase(&past, policy, address) : show(&past, policy);
	policy_release(policy);
	return code;
}
