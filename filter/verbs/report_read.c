/*
 * report_read.c - sekisho report read: the reports of others about our domains, added up.
 */
#include "report_read.h"
#include "engine.h"
#include "option.h"
#include "report_verb.h"
#include "verbs.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK_SIZE (64 * 1024)
/* Memory beyond what the program has at its start. The bounds of feedback.h keep it under this; it is the last resort
 * when one of them, or a library, is wrong. */
#define MEMORY_MAX (96 * 1024 * 1024)

static const char help[] =
    "usage: sekisho report read [--domain DOMAIN] [--since TIME] [--tls] [--json | --csv] FILE ...\n"
    "\n"
    "Reads reports that others sent about our domains: DMARC aggregate reports (RFC 9990, RFC 7489) and TLS reports\n"
    "(RFC 8460). A file is XML or JSON, one of them in gzip or zip, a message, a mailbox (mbox), or a directory of\n"
    "messages (Maildir); \"-\" is standard input. A report that was sent twice counts once.\n"
    "\n"
    "Shown are the sources that send with each domain, what passes DMARC, and what p=quarantine or p=reject hits.\n"
    "\n"
    "  --domain DOMAIN  only this domain and those below it\n"
    "  --since TIME     as in 30d: no reports whose period ended before\n"
    "  --tls            only TLS reports\n"
    "  --json           one JSON object\n"
    "  --csv            one line for each source; with --tls for each result\n"
    "  -h, --help       this\n"
    "\n"
    "Exit code: 0 all was read; 1 something was skipped, or there is no report; 64 wrong usage; 66 a file cannot be "
    "read.\n";

struct request {
	bool json, csv, tls;
	struct slice domain;
	int64_t since_s;
};

/* ---- what was read --------------------------------------------------------------- */

static void take_skipped(void *context, struct slice where, struct slice why)
{
	struct report_reading *reading = context;
	struct arena *arena = reading->arena;

	feedback_forget(reading->adder);
	if (reading->skipped_count++ >= SKIPPED_TOLD)
		return;
	reading->skipped[reading->skipped_count - 1] = (struct report_skipped){
	    arena_copy(arena, slice_of(reading->file)), arena_copy(arena, where), arena_copy(arena, why)};
	fputs("sekisho report read: ", stderr);
	trace_print_text(stderr, slice_of(reading->file));
	fprintf(stderr, "%s%.*s: ", where.n ? ": " : "", SLICE_ARGS(where));
	trace_print_text(stderr, why);
	fputs("; skipped\n", stderr);
}

static void take_record(void *context, const struct feedback_record *record)
{
	feedback_add_record(((struct report_reading *)context)->adder, record);
}

static void take_report(void *context, const struct feedback_report *report)
{
	feedback_add_report(((struct report_reading *)context)->adder, report);
}

static void take_tls(void *context, const struct feedback_tls *report)
{
	feedback_add_tls(((struct report_reading *)context)->adder, report);
}

static void take_message(void *context, unsigned reports)
{
	struct report_reading *reading = context;

	reading->messages++;
	reading->empty += reports == 0;
}

/* ---- files ------------------------------------------------------------------------- */

static void cannot(struct report_reading *reading, const char *verb, const char *path)
{
	int why = errno;

	fprintf(stderr, "sekisho report read: cannot %s ", verb);
	trace_print_text(stderr, slice_of(path));
	fprintf(stderr, ": %s\n", strerror(why));
	reading->unreadable = true;
}

static void read_open(struct report_reading *reading, int fd, const char *path)
{
	static const struct feedback_take functions = {NULL,     take_record,  take_report,
						       take_tls, take_skipped, take_message};
	struct feedback_take take = functions;
	struct feedback *feedback;
	struct error err;
	char *chunk;
	ssize_t n;

	take.context = reading;
	feedback = feedback_open(&take, &err);
	if (!feedback) {
		fprintf(stderr, "sekisho report read: %s\n", err.text);
		reading->unreadable = true;
		return;
	}
	chunk = xmalloc(CHUNK_SIZE);
	reading->file = path;
	reading->files++;
	do {
		do
			n = read(fd, chunk, CHUNK_SIZE);
		while (n < 0 && errno == EINTR);
	} while (n > 0 && feedback_bytes(feedback, (struct slice){chunk, (size_t)n}));
	if (n < 0)
		cannot(reading, "read", path);
	feedback_end(feedback);
	free(chunk);
}

static void read_directory(struct report_reading *, int fd, const char *path, bool maildir);

/* `at`: relative to this directory; `listed`: found in it, so only plain files are opened. */
static void read_path(struct report_reading *reading, int at, const char *name, const char *path, bool listed)
{
	struct stat status;
	int fd;

	if (listed && (fstatat(at, name, &status, 0) != 0 || !S_ISREG(status.st_mode)))
		return;
	fd = openat(at, name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0) {
		cannot(reading, "open", path);
		return;
	}
	if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode)) {
		read_directory(reading, fd, path, true);
		return;
	}
	read_open(reading, fd, path);
	close(fd);
}

/* Takes the descriptor. The messages of a Maildir are in cur and new. */
static void read_directory(struct report_reading *reading, int fd, const char *path, bool maildir)
{
	static const char *const folders[] = {"new", "cur", NULL};
	struct arena *arena = arena_new();
	bool found = false;
	DIR *directory;
	struct dirent *entry;

	for (size_t i = 0; maildir && folders[i]; i++) {
		int folder = openat(fd, folders[i], O_RDONLY | O_CLOEXEC | O_DIRECTORY);

		if (folder < 0)
			continue;
		found = true;
		read_directory(reading, folder, arena_printf(arena, "%s/%s", path, folders[i]).p, false);
	}
	directory = found ? NULL : fdopendir(fd);
	if (!directory)
		close(fd);
	while (directory && (entry = readdir(directory))) {
		arena_reset(arena);
		if (entry->d_name[0] != '.')
			read_path(reading, dirfd(directory), entry->d_name,
				  arena_printf(arena, "%s/%s", path, entry->d_name).p, true);
	}
	if (directory)
		closedir(directory);
	arena_free(arena);
}

static void read_argument(struct report_reading *reading, const char *argument)
{
	if (strcmp(argument, "-") == 0)
		read_open(reading, STDIN_FILENO, "standard input");
	else
		read_path(reading, AT_FDCWD, argument, argument, false);
}

/* ---- the command -------------------------------------------------------------------- */

/* RLIMIT_DATA counts what the program has allocated, now and later; files that are mapped do not count. */
static void bound_memory(void)
{
	unsigned long long pages = 0;
	struct rlimit limit;
	FILE *file = fopen("/proc/self/statm", "re");

	if (!file)
		return;
	if (fscanf(file, "%*u %*u %*u %*u %*u %llu", &pages) == 1 && getrlimit(RLIMIT_DATA, &limit) == 0) {
		limit.rlim_cur = pages * (unsigned long long)sysconf(_SC_PAGESIZE) + MEMORY_MAX;
		if (limit.rlim_max == RLIM_INFINITY || limit.rlim_cur < limit.rlim_max)
			setrlimit(RLIMIT_DATA, &limit);
	}
	fclose(file);
}

static int take_option(struct request *request, int option, const char *value, struct arena *arena)
{
	int64_t ago;
	bool valid;

	switch (option) {
	case 'h':
		fputs(help, stdout);
		return VERB_OK;
	case 'j':
		request->json = true;
		return -1;
	case 'v':
		request->csv = true;
		return -1;
	case 't':
		request->tls = true;
		return -1;
	case 'd':
		request->domain = domain_normalise(slice_of(value), arena, &valid);
		if (valid)
			return -1;
		fprintf(stderr, "sekisho report read: --domain takes a domain as in example.org\n");
		return VERB_USAGE;
	default:
		if (duration_parse(slice_of(value), &ago) == 0 && ago > 0) {
			request->since_s = (clock_wall_us() - ago) / 1000000;
			return -1;
		}
		fprintf(stderr, "sekisho report read: --since takes a time as in 12h or 30d\n");
		return VERB_USAGE;
	}
}

/* -1: go on; else the exit code. */
static int arguments_read(int argc, char **argv, struct request *request_r, struct arena *arena)
{
	static const struct option options[] = {{"domain", required_argument, NULL, 'd'},
						{"since", required_argument, NULL, 's'},
						{"json", no_argument, NULL, 'j'},
						{"csv", no_argument, NULL, 'v'},
						{"tls", no_argument, NULL, 't'},
						{"help", no_argument, NULL, 'h'},
						{NULL}};
	int option, code = -1;

	*request_r = (struct request){.domain = SLICE("")};
	optind = 1;
	opterr = 0;
	while (code < 0 && (option = getopt_long(argc, argv, "h", options, NULL)) != -1)
		code = option == '?' ? option_usage(argc, argv, "h", options)
				     : take_option(request_r, option, optarg, arena);
	if (code >= 0)
		return code;
	if (request_r->json && request_r->csv) {
		fprintf(stderr, "sekisho report read: --json or --csv, not both\n");
		return VERB_USAGE;
	}
	if (optind < argc)
		return -1;
	fprintf(stderr, "sekisho report read: a file is needed; see sekisho report read --help\n");
	return VERB_USAGE;
}

static int show(const struct report_reading *reading, const struct request *request)
{
	const struct feedback_sums *sums = feedback_added(reading->adder);
	uint64_t reports = sums->reports + sums->tls_reports;

	if (reading->skipped_count > SKIPPED_TOLD)
		fprintf(stderr, "sekisho report read: %llu more %s skipped\n",
			(unsigned long long)(reading->skipped_count - SKIPPED_TOLD),
			reading->skipped_count - SKIPPED_TOLD == 1 ? "was" : "were");
	if (request->json)
		report_show_json(reading, sums);
	else if (request->csv && request->tls)
		report_show_tls_csv(sums);
	else if (request->csv)
		report_show_csv(reading, sums);
	else
		report_show(reading, sums, request->tls);
	if (reading->unreadable)
		return VERB_NOINPUT;
	if (request->tls && sums->tls_reports == 0 && sums->reports > 0) {
		fprintf(stderr,
			"sekisho report read: there is no TLS report; DMARC reports that --tls leaves out: %llu\n",
			(unsigned long long)sums->reports);
		return VERB_NO;
	}
	if (reports + sums->older + sums->others == 0 && reading->skipped_count == 0)
		fprintf(stderr, "sekisho report read: there is no report\n");
	return reading->skipped_count > 0 || reports == 0 ? VERB_NO : VERB_OK;
}

int report_read(int argc, char **argv)
{
	struct report_reading reading = {.arena = arena_new()};
	struct request request;
	int code = arguments_read(argc, argv, &request, reading.arena);

	if (code < 0) {
		bound_memory();
		reading.adder = feedback_adder_new(request.domain, request.since_s);
		for (int i = optind; i < argc; i++)
			read_argument(&reading, argv[i]);
		code = show(&reading, &request);
		feedback_adder_free(reading.adder);
	}
	arena_free(reading.arena);
	return code;
}
