/*
 * bench_history.c [RECORDS] - what a history costs: adding a record (on the thread that adds it, and in all) beside one
 * fwrite of the same line; the size of a million records; and how long one is looked for among them.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "history.h"
#include "measure.h"

#define RECORDS 1000000ul
#define LINE                                                                                                           \
	"{\"v\":2,\"time\":\"2026-11-21T17:39:40.123Z\",\"verdict\":\"%s\",\"rule\":\"/etc/sekisho/"                   \
	"sekisho.conf:%lu\","                                                                                          \
	"\"reply\":%s,\"stage\":\"message\",\"kind\":\"inbound\",\"case\":\"%012lx\",\"queue-id\":\"4%010lX\","        \
	"\"client\":"                                                                                                  \
	"\"203.0.113.%lu\",\"client.name\":\"mx%lu.example.net\",\"helo\":\"mx%lu.example.net\",\"sender\":\"user%lu@" \
	"example.net\",\"recipients\":[\"bob%lu@example.org\"],\"facts\":{\"spf\":\"%s\",\"spf.domain\":\"example."    \
	"net\","                                                                                                       \
	"\"dkim\":\"%s\",\"dkim.domain\":\"example.net\",\"dmarc\":\"%s\",\"dmarc.policy\":\"reject\",\"from."         \
	"domain\":"                                                                                                    \
	"\"example.net\",\"from.valid\":true,\"from.count\":1,\"message-id\":\"<%lu.1234@example.net>\"},\"dns\":[{"   \
	"\"name\":"                                                                                                    \
	"\"example.net\",\"type\":\"TXT\",\"answer\":\"v=spf1 ip4:203.0.113.0/24 "                                     \
	"-all\"}],\"dns-us\":1830,\"dns-questions\":"                                                                  \
	"5,\"total-us\":1902}"

static double seconds(void)
{
	return (double)clock_us() / 1e6;
}

static double cpu(int who)
{
	struct rusage usage;

	getrusage(who, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void add(struct history *history, unsigned long n, int64_t now)
{
	static char line[HISTORY_LINE_MAX], names[5][64];
	bool refused = n % 10 == 0;
	struct history_counted counted = {HISTORY_COUNT_VERDICT, refused ? SLICE("reject") : SLICE("accept")};
	struct history_found found[] = {{HISTORY_CASE, {names[0], 0}},
					{HISTORY_QUEUE_ID, {names[1], 0}},
					{HISTORY_CLIENT, {names[2], 0}},
					{HISTORY_SENDER, {names[3], 0}},
					{HISTORY_RECIPIENT, {names[4], 0}}};

	snprintf(line, sizeof(line), LINE, refused ? "reject" : "accept", n % 40,
		 refused ? "\"550 5.7.26 DMARC: example.net refuses this\"" : "null", n * 2654435761ul % (1ul << 48), n,
		 n % 250, n % 5000, n % 5000, n % 100000, n % 3000, refused ? "fail" : "pass",
		 refused ? "none" : "pass", refused ? "fail" : "pass", n);
	found[0].text.n = (size_t)snprintf(names[0], 64, "%012lx", n * 2654435761ul % (1ul << 48));
	found[1].text.n = (size_t)snprintf(names[1], 64, "4%010lX", n);
	found[2].text.n = (size_t)snprintf(names[2], 64, "203.0.113.%lu", n % 250);
	found[3].text.n = (size_t)snprintf(names[3], 64, "user%lu@example.net", n % 100000);
	found[4].text.n = (size_t)snprintf(names[4], 64, "bob%lu@example.org", n % 3000);
	history_add(history, &(struct history_entry){now, slice_of(line), found, 5, &counted, 1});
}

static bool count_one(void *context, const struct history_row *row)
{
	(void)row;
	++*(uint64_t *)context;
	return true;
}

/* Adds all, never more at once than the queue takes. */
static void add_all(struct history *history, unsigned long records)
{
	struct history_counters counters = {0};
	int64_t first = clock_wall_us() - 3600 * INT64_C(1000000);

	for (unsigned long n = 0; n < records; n++) {
		add(history, n, first + (int64_t)(n * 1000));
		if (n % 1000 == 999)
			do {
				history_counters(history, &counters);
				if (n - counters.written > 8000)
					usleep(1000);
			} while (n - counters.written > 8000);
	}
}

static void measure_adding(const struct history_settings *settings, unsigned long records)
{
	struct error err;
	struct history *history = history_open(settings, &err);
	double began = seconds(), ours = cpu(RUSAGE_THREAD), wrote;
	struct stat info;

	if (!history)
		die("%s", err.text);
	add_all(history, records);
	history_close(history);
	wrote = seconds() - began;
	ours = cpu(RUSAGE_THREAD) - ours;
	stat(settings->path, &info);
	printf("%lu records in %.1f s: %.1f us each with its line made (%.1f us of it on the thread that adds), %.0f "
	       "bytes each on disk\n",
	       records, wrote, 1e6 * cpu(RUSAGE_SELF) / (double)records, 1e6 * ours / (double)records,
	       (double)info.st_size / (double)records);
}

static void measure_finding(const char *path, unsigned long records)
{
	double began = seconds();
	uint64_t found = 0;
	char name[80];
	struct error err;

	for (unsigned long n = 0; n < 100; n++) {
		struct history_reader *reader = history_reader_open(path, &err);

		if (!reader)
			die("%s", err.text);
		snprintf(name, sizeof(name), "%012lx", n * 7919 % records * 2654435761ul % (1ul << 48));
		history_find(reader, &(struct history_found){HISTORY_CASE, slice_of(name)}, 0, count_one, &found, &err);
		history_reader_close(reader);
	}
	printf("a case is found in %.2f ms, with the opening of the file (%llu of 100 found)\n",
	       10 * (seconds() - began), (unsigned long long)found);
}

int main(int argc, char **argv)
{
	unsigned long records = argc > 1 ? strtoul(argv[1], NULL, 10) : RECORDS;
	char directory[] = "/tmp/sekisho-history-XXXXXX", path[64], name[80];
	struct history_settings settings = {path, 30 * HISTORY_DAY_US, UINT64_C(4) << 30, HISTORY_PLAIN};

	if (argc > 2) /* keeps the file */
		snprintf(path, sizeof(path), "%s", argv[2]);
	else if (!mkdtemp(directory))
		return 1;
	else
		snprintf(path, sizeof(path), "%s/h.db", directory);
	measure_adding(&settings, records);
	measure_finding(path, records);
	if (argc <= 2) {
		unlink(path);
		snprintf(name, sizeof(name), "%s.lock", path);
		unlink(name);
		rmdir(directory);
	}
	return 0;
}
