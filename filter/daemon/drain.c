/*
 * drain.c - the keeper: the thread that does slow work, so that main only
 * waits for signals.
 *
 * The watchdog of the service manager is told so as long as this thread does its rounds.
 *
 * Draining: nobody can connect any more, open sessions continue, and when
 * no message is open, or the time of the setting `drain` has passed, main is told to end. Handing over to another
 * daemon is the same, but open sessions are waited for too, because they are no longer in the way of new ones.
 */
#include "daemon_private.h"
#include <stdlib.h>

#define TICK_US        (2 * 1000 * 1000) /* how soon a changed list is seen */
#define TICK_DRAIN_US  (20 * 1000)       /* how often we look whether a message is open */
#define WATCHDOG_SHARE 4 /* a round comes late by a tick at most, and is told in a fraction of its time */
/* No message may have been open for this time. A MAIL without reply may still be on its way: the mail server does not
 * wait for us there, and its client has been told to continue. */
#define QUIET_US (300 * 1000)
/* The same for sessions: a connection that was accepted has none before its first packet is read. */
#define QUIET_SESSIONS_US (1000 * 1000)
#define WEB_STOP_US       (1000 * 1000)

struct keeper {
	struct daemon *daemon;
	bool draining;
	int64_t drain_until, sessions_until, quiet_since, refresh_at;
	int64_t alive_every, alive_at; /* to the watchdog; alive_every 0: none */
	const struct resolver *warned; /* the warning of its resolver was logged; only compared */
};

static void refresh_report(void *context, const char *line)
{
	report_line(context, "warning", "%s", line);
}

/* Detected in the background after the start or a reload; logged once. */
static void keeper_warn(struct keeper *keeper, const struct resolver *resolver)
{
	const char *warning = resolver == keeper->warned ? NULL : resolver_warning(resolver);

	if (!warning)
		return;
	keeper->warned = resolver;
	report_line(keeper->daemon->host.report, "warning", "resolver %s: %s", resolver_name(resolver), warning);
}

static void keeper_refresh(struct keeper *keeper)
{
	struct engine *engine;

	if (clock_us() < keeper->refresh_at)
		return;
	engine = daemon_engine(keeper->daemon);
	policy_refresh_lists(engine_policy(engine), refresh_report, keeper->daemon->host.report);
	keeper_warn(keeper, engine_resolver(engine));
	daemon_store_report(keeper->daemon);
	daemon_history_report(keeper->daemon);
	daemon_mailer_report(keeper->daemon);
	daemon_reports_report(keeper->daemon);
	engine_release(engine);
	keeper->refresh_at = clock_us() + TICK_US;
}

/* After the work of a round: one that hangs says nothing. */
static void keeper_alive(struct keeper *keeper)
{
	int64_t now = clock_us();

	if (keeper->alive_every == 0 || now < keeper->alive_at)
		return;
	notify_say("WATCHDOG=1");
	keeper->alive_at = now + keeper->alive_every;
}

static void keeper_reload(struct daemon *daemon)
{
	char *text;

	daemon_reload(daemon, &text);
	free(text);
}

static int entrance_drain(struct entrance *entrance, struct error *err)
{
	if (!entrance->door->drain)
		return listener_block(&entrance->listener, err);
	unix_remove(&entrance->listener.socket);
	entrance->door->drain(entrance->state);
	return 0;
}

static void keeper_close(struct daemon *daemon)
{
	struct error err;

	for (size_t i = 0; i < daemon->entrance_count; i++)
		if (entrance_drain(&daemon->entrances[i], &err) != 0)
			report_line(daemon->host.report, "error", "%s", err.text);
}

/* When it has to be over: after `drain`, once sessions need not be waited for. */
static void keeper_bound(struct keeper *keeper, int64_t sessions_us)
{
	struct engine *engine = daemon_engine(keeper->daemon);

	keeper->draining = keeper->daemon->draining = true;
	keeper->quiet_since = clock_us();
	keeper->sessions_until = keeper->quiet_since + sessions_us;
	keeper->drain_until = keeper->sessions_until + policy_settings(engine_policy(engine))->drain_us;
	engine_release(engine);
}

static void keeper_drain(struct keeper *keeper)
{
	struct daemon *daemon = keeper->daemon;
	bool first = !keeper->draining;

	keeper_bound(keeper, 0);
	if (!first)
		return; /* it is handing over: now only open messages are waited for */
	notify_say("STOPPING=1\nSTATUS=Finishing open messages");
	report_line(daemon->host.report, "info", "draining: %u open messages", (unsigned)daemon->host.messages_open);
	keeper_close(daemon);
}

/* Our sockets have another daemon: their files are its own, and so is the control socket. */
static void keeper_hand_over(struct keeper *keeper)
{
	struct daemon *daemon = keeper->daemon;

	keeper_bound(keeper, (int64_t)daemon->hand_over_s * 1000 * 1000);
	report_line(daemon->host.report, "info", "handing over: %u open session%s",
		    (unsigned)daemon->counters.sessions_open, daemon->counters.sessions_open == 1 ? "" : "s");
	for (size_t i = 0; i < daemon->entrance_count; i++)
		unix_forget(&daemon->entrances[i].listener.socket);
	unix_forget(&daemon->control);
	unix_forget(&daemon->web_listener.socket);
	keeper_close(daemon);
	daemon_web_stop(daemon, clock_us() + WEB_STOP_US);
}

static bool keeper_drained(struct keeper *keeper)
{
	const struct daemon *daemon = keeper->daemon;
	int64_t now = clock_us(), quiet_us = daemon->handed_over ? QUIET_SESSIONS_US : QUIET_US;

	if (!keeper->draining)
		return false;
	if (daemon->host.messages_open > 0 || (daemon->counters.sessions_open > 0 && now < keeper->sessions_until))
		keeper->quiet_since = now;
	return now - keeper->quiet_since >= quiet_us || now >= keeper->drain_until;
}

static void keeper_progress(struct daemon *daemon)
{
	for (size_t i = 0; i < daemon->entrance_count; i++)
		daemon->entrances[i].door->progress(daemon->entrances[i].state);
}

/* How long to wait for an event. */
static int64_t keeper_tick(const struct keeper *keeper)
{
	int64_t tick = keeper->draining ? TICK_DRAIN_US : TICK_US;

	return keeper->alive_every > 0 && keeper->alive_every < tick ? keeper->alive_every : tick;
}

void *keeper_run(void *context)
{
	struct daemon *daemon = context;
	struct keeper keeper = {.daemon = daemon, .alive_every = notify_watchdog_us() / WATCHDOG_SHARE};
	bool drained = false;
	unsigned events;

	do {
		events = daemon_events(daemon, keeper_tick(&keeper));
		if (events & EVENT_RELOAD)
			keeper_reload(daemon);
		if ((events & EVENT_HAND_OVER) && !keeper.draining)
			keeper_hand_over(&keeper);
		if (events & EVENT_DRAIN)
			keeper_drain(&keeper);
		keeper_refresh(&keeper);
		keeper_progress(daemon);
		keeper_alive(&keeper);
		drained = keeper_drained(&keeper);
	} while (!(events & EVENT_END) && !drained);
	if (drained)
		daemon_finish(daemon);
	return NULL;
}
