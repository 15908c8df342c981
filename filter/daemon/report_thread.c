/*
 * report_thread.c - the thread that sends aggregate reports. Every few minutes it looks which are due; a request of the
 * control socket has it send all at once. No session waits for it, and it uses none of their threads.
 *
 * Reports begin a while after midnight by the clock. When the clock jumps, they wait: it may jump back.
 */
#include "daemon_private.h"
#include "report_thread.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TICK_US   (INT64_C(5) * 1000 * 1000)
#define ROUND_US  (INT64_C(300) * 1000 * 1000)
#define FIRST_US  (INT64_C(30) * 1000 * 1000)   /* after the start: the mail server may be starting, too */
#define SAY_US    (INT64_C(3600) * 1000 * 1000) /* how often the same reason is logged */
#define LINES_MAX 20                            /* about single addresses, in a round */
#define TOLD_MAX  10000                         /* lines that a request is told */

/* A request to send now. */
struct request {
	enum { REQUEST_NONE, REQUEST_WAITS, REQUEST_RUNS, REQUEST_DONE } state;
	uint64_t number;
	struct report_round round;
	char domain[MAIL_DOMAIN_MAX + 1];
	json_t *told;
	uint64_t untold; /* beyond TOLD_MAX */
	struct error why;
};

struct report_thread {
	struct daemon *daemon;
	pthread_t thread;
	_Atomic bool ends;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t wake;
	struct request request;
	/* of the thread alone */
	struct engine *engine;
	char holder[64];
	unsigned lines;
	uint64_t sent, refused, too_many;
	struct report_clock clock;
	int64_t said_us;
	struct error said, crowd; /* crowd: of too_many */
};

/* ---- for a round ----------------------------------------------------------------------------------------- */

static bool is_stopped(void *reports_)
{
	return ((struct report_thread *)reports_)->ends;
}

static void pause_for(struct report_thread *reports, int64_t us)
{
	int64_t until = clock_us() + us;
	struct timespec at = {.tv_sec = until / 1000000, .tv_nsec = until % 1000000 * 1000};

	pthread_mutex_lock(&reports->lock);
	if (!reports->ends && reports->request.state != REQUEST_WAITS)
		pthread_cond_timedwait(&reports->wake, &reports->lock, &at);
	pthread_mutex_unlock(&reports->lock);
}

static void rest(void *reports, int64_t us)
{
	pause_for(reports, us);
}

static void log_told(struct report_thread *reports, const struct report_told *told)
{
	bool worth = told->fate == REPORT_REFUSED || told->fate == REPORT_DROPPED;

	reports->sent += told->fate == REPORT_SENT;
	reports->refused += told->fate == REPORT_REFUSED;
	/* one line for all of them */
	if (told->fate == REPORT_TOO_MANY && reports->too_many++ == 0)
		error_set(&reports->crowd, "%.*s", SLICE_ARGS(told->text));
	if (!worth || reports->lines++ >= LINES_MAX)
		return;
	report_line(reports->daemon->host.report, "warning", "report about %.*s%s%.*s: %s: %.*s",
		    SLICE_ARGS(told->domain), told->address.n ? " to " : "", SLICE_ARGS(told->address),
		    report_fate_names[told->fate], SLICE_ARGS(told->text));
}

static void keep_told(struct request *request, const struct report_told *told)
{
	if (json_array_size(request->told) >= TOLD_MAX) {
		request->untold++;
		return;
	}
	json_array_append_new(request->told,
			      json_pack("{s:I, s:o, s:o, s:s, s:o, s:I}", "day", (json_int_t)told->day, "domain",
					json_text(told->domain), "address", json_text(told->address), "fate",
					report_fate_names[told->fate], "text", json_text(told->text), "messages",
					(json_int_t)told->messages));
}

static void take_told(void *reports_, const struct report_told *told)
{
	struct report_thread *reports = reports_;

	log_told(reports, told);
	pthread_mutex_lock(&reports->lock);
	if (reports->request.state == REQUEST_RUNS)
		keep_told(&reports->request, told);
	pthread_mutex_unlock(&reports->lock);
}

static bool is_ready(void *reports_, struct error *why_r)
{
	struct report_thread *reports = reports_;
	struct policy *policy = engine_policy(reports->engine);

	return reports_aligned(policy, engine_resolver(reports->engine), &policy_settings(policy)->reports.from, why_r);
}

static enum truth is_excluded(void *reports_, struct slice domain)
{
	struct report_thread *reports = reports_;
	const struct settings *settings = policy_settings(engine_policy(reports->engine));

	return reports_excluded(&settings->reports, reports->daemon->store, domain);
}

/* ---- rounds ------------------------------------------------------------------------------------------------- */

/* A reason why nothing is sent: not again and again. */
static void say_why(struct report_thread *reports, const struct error *why)
{
	int64_t now = clock_us();

	if (strcmp(why->text, reports->said.text) == 0 && now - reports->said_us < SAY_US)
		return;
	report_line(reports->daemon->host.report, "warning", "reports: %s", why->text);
	reports->said = *why;
	reports->said_us = now;
}

static void say_round(struct report_thread *reports, enum report_end end, const struct error *why)
{
	if (reports->sent || reports->refused)
		report_line(reports->daemon->host.report, "info", "reports: %llu sent, %llu refused; %llu domains wait",
			    (unsigned long long)reports->sent, (unsigned long long)reports->refused,
			    (unsigned long long)reports->daemon->report_counters.waiting);
	if (reports->too_many > 0)
		say_why(reports, &reports->crowd);
	if (end == REPORTS_BROKEN && !reports->ends)
		say_why(reports, why);
}

static enum report_end run_round(struct report_thread *reports, const struct report_round *round, struct error *why_r)
{
	struct daemon *daemon = reports->daemon;
	const struct settings *settings = policy_settings(engine_policy(reports->engine));
	struct report_sender sender = {
	    .aggregate = daemon->aggregate,
	    .store = daemon->store,
	    .mailer = daemon->mailer,
	    .resolver = engine_resolver(reports->engine),
	    .from = settings->reports.from.text,
	    .organization = settings->reports.organization,
	    .delimiter = settings->ownership.delimiters.n ? settings->ownership.delimiters.p[0] : '\0',
	    .holder = slice_of(reports->holder),
	    .counters = &daemon->report_counters,
	    .ready = is_ready,
	    .excluded = is_excluded,
	    .stopped = is_stopped,
	    .told = take_told,
	    .rest = rest,
	    .context = reports};
	enum report_end end;

	reports->lines = 0;
	reports->sent = reports->refused = reports->too_many = 0;
	end = reports_round(&sender, round, why_r);
	say_round(reports, end, why_r);
	return end;
}

/* NULL: reports are sent. */
static const char *why_not(const struct daemon *daemon, const struct settings *settings)
{
	if (!settings->reports.said)
		return "no reports are sent: the file has no dmarc-reports { }";
	if (!daemon->aggregate || !daemon->store)
		return "no reports are sent: the store is not open";
	if (!daemon->mailer)
		return "no reports are sent: the file has no mailer";
	return NULL;
}

static bool clock_is_steady(struct report_thread *reports)
{
	int64_t jump;
	bool steady = report_clock_steady(&reports->clock, clock_wall_us(), clock_us(), &jump);

	if (jump != 0)
		report_line(reports->daemon->host.report, "warning",
			    "the clock was set by %lld seconds: reports wait for %d minutes",
			    (long long)(jump / 1000000), (int)(REPORTS_QUIET_US / 60000000));
	return steady;
}

static void run_due(struct report_thread *reports)
{
	const struct settings *settings = policy_settings(engine_policy(reports->engine));
	const struct report_round all = {.now = false, .domain = SLICE("")};
	const char *not = why_not(reports->daemon, settings);
	struct error why;

	if (!settings->reports.said)
		return;
	if (!not ) {
		run_round(reports, &all, &why);
		return;
	}
	error_set(&why, "%s", not );
	say_why(reports, &why);
}

static bool take_request(struct report_thread *reports, struct report_round *round_r)
{
	bool waits;

	pthread_mutex_lock(&reports->lock);
	waits = reports->request.state == REQUEST_WAITS;
	if (waits)
		reports->request.state = REQUEST_RUNS;
	*round_r = reports->request.round;
	pthread_mutex_unlock(&reports->lock);
	return waits;
}

static void run_request(struct report_thread *reports, const struct report_round *round)
{
	const char *not = why_not(reports->daemon, policy_settings(engine_policy(reports->engine)));
	struct error why = {""};

	if (not )
		error_set(&why, "%s", not );
	else if (run_round(reports, round, &why) == REPORTS_DONE)
		why.text[0] = '\0';
	pthread_mutex_lock(&reports->lock);
	reports->request.state = REQUEST_DONE;
	reports->request.why = why;
	pthread_mutex_unlock(&reports->lock);
}

static void *reports_run(void *context)
{
	struct report_thread *reports = context;
	struct report_round round;
	int64_t next = clock_us() + FIRST_US; /* for what waited while the daemon was not running */

	while (!reports->ends) {
		bool asked = take_request(reports, &round), steady = clock_is_steady(reports);

		if (asked || (steady && clock_us() >= next)) {
			reports->engine = daemon_engine(reports->daemon);
			if (asked)
				run_request(reports, &round);
			else
				run_due(reports);
			engine_release(reports->engine);
			next = asked ? next : clock_us() + ROUND_US;
		}
		pause_for(reports, TICK_US);
	}
	return NULL;
}

/* ---- requests of the control socket -------------------------------------------------------------------------- */

bool report_thread_ask(struct report_thread *reports, struct slice domain, unsigned day, uint64_t *number_r)
{
	struct request *request = &reports->request;
	bool free_now;

	if (domain.n >= sizeof(request->domain))
		return false;
	pthread_mutex_lock(&reports->lock);
	free_now = request->state == REQUEST_NONE || request->state == REQUEST_DONE;
	if (free_now) {
		uint64_t number = request->number + 1;

		json_decref(request->told);
		*request = (struct request){.state = REQUEST_WAITS, .number = number, .told = json_array()};
		if (domain.n > 0)
			memcpy(request->domain, domain.p, domain.n);
		request->round = (struct report_round){.now = true, .domain = {request->domain, domain.n}, .day = day};
		*number_r = number;
		pthread_cond_signal(&reports->wake);
	}
	pthread_mutex_unlock(&reports->lock);
	return free_now;
}

json_t *report_thread_answer(struct report_thread *reports, uint64_t number, size_t after)
{
	struct request *request = &reports->request;
	json_t *answer = NULL, *told = json_array();

	pthread_mutex_lock(&reports->lock);
	if (request->number == number && request->state != REQUEST_NONE) {
		for (size_t i = after; i < json_array_size(request->told) && json_array_size(told) < REPORTS_PAGE; i++)
			json_array_append(told, json_array_get(request->told, i));
		answer = json_pack("{s:b, s:o, s:b, s:I, s:s}", "ok", 1, "told", json_deep_copy(told), "done",
				   request->state == REQUEST_DONE &&
				       after + json_array_size(told) >= json_array_size(request->told),
				   "untold", (json_int_t)request->untold, "why", request->why.text);
	}
	pthread_mutex_unlock(&reports->lock);
	json_decref(told);
	return answer;
}

/* ---- the thread ------------------------------------------------------------------------------------------------ */

/* Of a store that other hosts share, each process has a name of its own. What one process alone may open needs none:
 * the next process need not wait for the lease of one that was killed. */
static void name_holder(struct report_thread *reports)
{
	const struct settings *settings = policy_settings(engine_policy(reports->daemon->engine));
	bool shared = slice_starts_nocase(settings->store.url, SLICE("redis"));

	snprintf(reports->holder, sizeof(reports->holder), "sekisho-%016llx",
		 (unsigned long long)(shared ? random_seed() : 0));
}

struct report_thread *report_thread_start(struct daemon *daemon, struct error *err)
{
	struct report_thread *reports = xmalloc(sizeof(*reports));
	pthread_condattr_t monotonic;
	int result;

	reports->daemon = daemon;
	name_holder(reports);
	pthread_mutex_init(&reports->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&reports->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	result = pthread_create(&reports->thread, NULL, reports_run, reports);
	if (result == 0)
		return reports;
	error_set(err, "cannot start a thread: %s", strerror(result));
	free(reports);
	return NULL;
}

bool report_thread_stop(struct report_thread *reports, int64_t until_us)
{
	if (!reports)
		return true;
	pthread_mutex_lock(&reports->lock);
	reports->ends = true;
	pthread_cond_signal(&reports->wake);
	pthread_mutex_unlock(&reports->lock);
	if (!thread_join_until(reports->thread, until_us))
		return false; /* it still uses them */
	json_decref(reports->request.told);
	pthread_cond_destroy(&reports->wake);
	pthread_mutex_destroy(&reports->lock);
	free(reports);
	return true;
}
