/*
 * bench_reports.c [MESSAGES ROWS DOMAINS] - a day of DMARC reports: what counting a message costs, how large the
 * store becomes, and how long it takes to make all reports, with how much memory.
 * Without arguments it is a small day, for `make bench-micro`.
 */
#include "aggregate.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DAY      20784u
#define SECOND   INT64_C(1000000)
#define BUSY     20000 /* rows that wait: the bench counts faster than any day, so it pauses */
#define PATIENCE (600 * SECOND)

struct day {
	uint64_t messages, rows, domains;
	struct store *store;
	struct aggregate *aggregate;
	char directory[100], url[120];
};

static double seconds_since(int64_t from)
{
	return (double)(clock_us() - from) / 1e6;
}

/* Of all threads. */
static double processor_since(clock_t from)
{
	return (double)(clock() - from) / CLOCKS_PER_SEC;
}

static unsigned long status_kb(const char *name)
{
	char line[200];
	unsigned long kb = 0;
	FILE *file = fopen("/proc/self/status", "r");

	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, name, strlen(name)) == 0)
			kb = strtoul(line + strlen(name) + 1, NULL, 10);
	if (file)
		fclose(file);
	return kb;
}

static void open_day(struct day *day)
{
	static const struct aggregate_settings settings = {SLICE("Example Ltd"), SLICE("dmarc@mx.example.org"),
							   SLICE("https://example.org/dmarc")};
	struct error err;

	day->store =
	    store_open(&(struct store_settings){.url = slice_of(day->url), .at_most = UINT64_C(4) << 30}, &err);
	day->aggregate = day->store ? aggregate_open(day->store, &settings, &err) : NULL;
	if (!day->aggregate)
		die("%s", err.text);
}

static void close_day(struct day *day)
{
	aggregate_close(day->aggregate);
	if (store_flush(day->store, clock_us() + PATIENCE) != STORE_OK)
		die("the store was not written");
	store_close(day->store);
}

/* ---- messages: each row of a domain differs in its client; a tenth fails, a fifth comes by another domain ----- */

struct texts {
	char domain[40], record[120], selector[24], other[40];
	struct aggregate_signature dkim[2];
	struct aggregate_reason reason;
};

static void make_message(const struct day *day, uint64_t row, struct texts *texts, struct aggregate_message *message_r)
{
	static const char *const selectors[] = {"s1", "default", "selector1", "20230601", "mail"};
	uint64_t domain = row % day->domains, number = row / day->domains;
	uint64_t chance = hash_slice((struct slice){(const char *)&row, sizeof(row)}, 1);
	bool fails = chance % 10 == 0, elsewhere = chance / 10 % 5 == 0;

	snprintf(texts->domain, sizeof(texts->domain), "d%05llu.example.org", (unsigned long long)domain);
	snprintf(texts->record, sizeof(texts->record), "v=DMARC1; p=%s; rua=mailto:dmarc@%s",
		 domain % 3 ? "reject" : "none", texts->domain);
	snprintf(texts->other, sizeof(texts->other), "b%llu.sender.example", (unsigned long long)(chance % 40));
	texts->dkim[0] = (struct aggregate_signature){slice_of(texts->domain), slice_of(selectors[domain % 5]),
						      fails ? AGGREGATE_FAIL : AGGREGATE_PASS, SLICE("")};
	texts->dkim[1] = (struct aggregate_signature){slice_of(texts->other), SLICE("k1"), AGGREGATE_PASS, SLICE("")};
	texts->reason = (struct aggregate_reason){AGGREGATE_LOCAL_POLICY, SLICE("rule sekisho.conf:41")};
	*message_r = (struct aggregate_message){
	    .time_us = (int64_t)DAY * STORE_DAY_US,
	    .domain = slice_of(texts->domain),
	    .record = slice_of(texts->record),
	    .client = {4, {(uint8_t)(chance >> 8), (uint8_t)(chance >> 16), (uint8_t)number, (uint8_t)(number >> 8)}},
	    .header_from = slice_of(texts->domain),
	    .envelope_from = slice_of(elsewhere ? texts->other : texts->domain),
	    .disposition = fails        ? AGGREGATE_NO_ACTION
			   : domain % 3 ? AGGREGATE_PASSED
					: AGGREGATE_NO_ACTION,
	    .dkim_aligned = !fails,
	    .spf_aligned = !fails && !elsewhere,
	    .reasons = &texts->reason,
	    .reason_count = fails && domain % 3,
	    .dkim = texts->dkim,
	    .dkim_count = elsewhere ? 2 : 1,
	    .spf_domain = slice_of(elsewhere ? texts->other : texts->domain),
	    .spf = fails ? AGGREGATE_SOFTFAIL : AGGREGATE_PASS,
	};
}

/* In an order in which neighbours are of different domains. */
static uint64_t row_of(const struct day *day, uint64_t message)
{
	return message * UINT64_C(2654435761) % day->rows;
}

static void count_day(struct day *day)
{
	struct aggregate_counters counters;
	struct aggregate_message message;
	int64_t from = clock_us();
	clock_t used = clock();
	struct texts texts;

	for (uint64_t i = 0; i < day->messages; i++) {
		make_message(day, row_of(day, i), &texts, &message);
		aggregate_count(day->aggregate, &message);
		for (aggregate_counters(day->aggregate, &counters); i % 64 == 0 && counters.waiting > BUSY;) {
			usleep(1000);
			aggregate_counters(day->aggregate, &counters);
		}
	}
	if (aggregate_flush(day->aggregate, clock_us() + PATIENCE) != STORE_OK)
		die("the store did not take the rows");
	aggregate_counters(day->aggregate, &counters);
	printf("%llu messages counted and stored in %.1f s, %.3f s of processor time; %llu lost\n",
	       (unsigned long long)counters.messages, seconds_since(from), processor_since(used),
	       (unsigned long long)counters.lost);
}

/* Processor time of this thread for a message that is there already, and for a new row. */
static void measure_count(struct day *day)
{
	enum { TIMES = 20000 };
	struct texts texts;
	struct aggregate_message message;
	struct timespec a, b;
	double us[2] = {1e9, 1e9};

	for (int round = 0; round < 9; round++)
		for (int new = 0; new < 2; new ++) {
			make_message(day, 1, &texts, &message);
			aggregate_flush(day->aggregate, clock_us() + PATIENCE);
			clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
			for (uint32_t i = 0; i < TIMES; i++) {
				if (new)
					memcpy(message.client.bytes, &i, sizeof(i));
				aggregate_count(day->aggregate, &message);
			}
			clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
			double took =
			    (1e6 * (double)(b.tv_sec - a.tv_sec) + 1e-3 * (double)(b.tv_nsec - a.tv_nsec)) / TIMES;
			us[new] = took < us[new] ? took : us[new];
		}
	printf("counting a message costs %.2f us, one that makes a new row %.2f us\n", us[0], us[1]);
}

static void measure_file(struct day *day)
{
	struct store_counters counters;
	struct stat status;
	char path[200];

	store_counters(day->store, &counters);
	snprintf(path, sizeof(path), "%s/store.mdb", day->directory);
	if (stat(path, &status) < 0)
		die("%s is not there", path);
	printf("the file takes %.0f MB of the disk, of which %.0f MB are in use; %.0f bytes a row\n",
	       (double)status.st_blocks * 512 / 1e6, (double)counters.bytes / 1e6,
	       (double)counters.bytes / (double)day->rows);
}

static void make_all(struct day *day)
{
	struct arena *arena = arena_new(), *domains = arena_new();
	struct aggregate_total total = {.domain = SLICE("")};
	uint64_t reports = 0, rows = 0, messages = 0, bytes = 0;
	int64_t from = clock_us();
	clock_t used = clock();
	struct error err;

	while (aggregate_next(day->aggregate, DAY, total.domain, domains, &total) == 1) {
		struct aggregate_request request = {.day = DAY, .domain = total.domain, .max_bytes = 10 << 20};
		struct aggregate_report report = {.next = SLICE("")};

		do {
			request.part = report.next;
			if (aggregate_make(day->aggregate, &request, arena, &report, &err) < 0)
				die("%s", err.text);
			reports++;
			rows += report.rows;
			messages += report.messages;
			bytes += report.gz.n;
		} while (report.next.p);
		arena_reset(arena);
		if (reports % 1000 == 0) { /* the name of the latest domain lives on */
			struct slice latest = arena_copy(arena, total.domain);

			arena_reset(domains);
			total.domain = arena_copy(domains, latest);
		}
	}
	printf("%llu reports with %llu rows and %llu messages made in %.1f s, %.3f s of processor time; %.1f MB\n",
	       (unsigned long long)reports, (unsigned long long)rows, (unsigned long long)messages, seconds_since(from),
	       processor_since(used), (double)bytes / 1e6);
	printf("memory at most %lu MB, of which %lu MB are not pages of the file\n", status_kb("VmHWM:") >> 10,
	       status_kb("RssAnon:") >> 10);
	arena_free(arena);
	arena_free(domains);
}

static void remove_day(const struct day *day)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/store.mdb", day->directory);
	unlink(path);
	snprintf(path, sizeof(path), "%s/store.mdb-lock", day->directory);
	unlink(path);
	rmdir(day->directory);
}

static uint64_t argument(int argc, char **argv, int number, uint64_t otherwise)
{
	return argc > number ? strtoull(argv[number], NULL, 10) : otherwise;
}

static void store_day(struct day *day)
{
	open_day(day);
	count_day(day);
	measure_file(day);
	close_day(day);
}

static void report_day(struct day *day)
{
	open_day(day);
	make_all(day);
	measure_count(day);
	close_day(day);
}

/* In a process of its own: the memory of one is not that of the other. */
static bool apart(void (*work)(struct day *), struct day *day)
{
	pid_t pid = fork();
	int end;

	if (pid == 0) {
		work(day);
		exit(0);
	}
	return pid > 0 && waitpid(pid, &end, 0) == pid && WIFEXITED(end) && WEXITSTATUS(end) == 0;
}

int main(int argc, char **argv)
{
	struct day day = {argument(argc, argv, 1, 100000), argument(argc, argv, 2, 10000),
			  argument(argc, argv, 3, 500)};
	const char *parent = getenv("TMPDIR");
	bool worked;

	if (day.rows == 0 || day.domains == 0)
		die("usage: bench_reports MESSAGES ROWS DOMAINS");
	snprintf(day.directory, sizeof(day.directory), "%.50s/sekisho-bench.XXXXXX", parent ? parent : "/tmp");
	if (!mkdtemp(day.directory))
		die("cannot make %s", day.directory);
	snprintf(day.url, sizeof(day.url), "lmdb:%s", day.directory);
	worked = apart(store_day, &day) && apart(report_day, &day);
	remove_day(&day);
	return worked ? 0 : 1;
}
