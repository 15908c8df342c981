/*
 * tend.c - the tender: a thread that waits for the DNS, so that the keeper need not. It tests the DNS lists of the
 * policy that new sessions use, and logs what it and the mail found out about them.
 */
#include "daemon_private.h"
#include "dnsbl.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TEND_US (1000 * 1000) /* how soon a finding of the mail is logged */

struct tender {
	struct daemon *daemon;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool ends;
};

static void say(void *report, const char *level, const char *line)
{
	report_line(report, level, "%s", line);
}

static void tend(struct daemon *daemon)
{
	struct engine *engine = daemon_engine(daemon);

	dnsbl_tend(&policy_settings(engine_policy(engine))->check, engine_resolver(engine), clock_us(), say,
		   daemon->host.report);
	engine_release(engine);
}

/* False when it is time to end. */
static bool tender_wait(struct tender *tender)
{
	int64_t until = clock_us() + TEND_US;
	struct timespec at = {.tv_sec = until / 1000000, .tv_nsec = until % 1000000 * 1000};
	bool goes_on;

	pthread_mutex_lock(&tender->lock);
	if (!tender->ends)
		pthread_cond_timedwait(&tender->wake, &tender->lock, &at);
	goes_on = !tender->ends;
	pthread_mutex_unlock(&tender->lock);
	return goes_on;
}

static void *tender_run(void *context)
{
	struct tender *tender = context;

	do
		tend(tender->daemon);
	while (tender_wait(tender));
	return NULL;
}

struct tender *tender_start(struct daemon *daemon, struct error *err)
{
	struct tender *tender = xmalloc(sizeof(*tender));
	pthread_condattr_t monotonic;
	int result;

	tender->daemon = daemon;
	pthread_mutex_init(&tender->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&tender->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	result = pthread_create(&tender->thread, NULL, tender_run, tender);
	if (result == 0)
		return tender;
	error_set(err, "cannot start a thread: %s", strerror(result));
	free(tender);
	return NULL;
}

bool tender_stop(struct tender *tender, int64_t until_us)
{
	if (!tender)
		return true;
	pthread_mutex_lock(&tender->lock);
	tender->ends = true;
	pthread_cond_signal(&tender->wake);
	pthread_mutex_unlock(&tender->lock);
	if (!thread_join_until(tender->thread, until_us))
		return false; /* it still uses the tender */
	pthread_cond_destroy(&tender->wake);
	pthread_mutex_destroy(&tender->lock);
	free(tender);
	return true;
}
