/*
 * web.c - what the web sees of the daemon, and its socket: bound with the others, before the privileges are dropped.
 */
#include "daemon_private.h"

#define WEB_MODE_DEFAULT 0660 /* of a unix socket without `mode` */

int daemon_web_listen(struct daemon *daemon, const struct identity *identity, struct error *err)
{
	const struct web_setting *web = &daemon->startup.web;
	gid_t gid = (gid_t)-1;

	if (web->text.n == 0)
		return 0;
	if (web->group.n > 0 && group_find(web->group, &gid, err) != 0)
		return -1;
	daemon->counters.meters = meters_new();
	return listener_open(&web->address, web->mode < 0 ? WEB_MODE_DEFAULT : (mode_t)web->mode,
			     identity->change ? identity->uid : (uid_t)-1, gid,
			     takeover_socket(daemon, "web ", web->text), &daemon->web_listener, err);
}

static struct daemon *daemon_of(struct web_host *host)
{
	return (struct daemon *)((char *)host - offsetof(struct daemon, web_host));
}

static struct engine *host_engine(struct web_host *host)
{
	return daemon_engine(daemon_of(host));
}

static void host_state(struct web_host *host, struct web_state *state_r)
{
	struct daemon *daemon = daemon_of(host);

	*state_r = (struct web_state){
	    .counters = &daemon->counters,
	    .store = daemon->store,
	    .history = daemon->history,
	    .reports = daemon->aggregate ? &daemon->report_counters : NULL,
	    .history_path = daemon->startup.history.path,
	    .report = daemon->host.report,
	    .uptime_us = clock_us() - daemon->started_us,
	    .reloads = daemon->reloads,
	    .reloads_failed = daemon->reloads_failed,
	    .draining = daemon->draining,
	    .door_count = daemon->entrance_count < WEB_DOORS_MAX ? daemon->entrance_count : WEB_DOORS_MAX,
	};
	for (size_t i = 0; i < state_r->door_count; i++) {
		const struct entrance *entrance = &daemon->entrances[i];

		state_r->doors[i].door = entrance->door->name;
		state_r->doors[i].engine = entrance->door->engine;
		state_r->doors[i].address = entrance->text;
	}
}

int daemon_web_open(struct daemon *daemon, struct error *err)
{
	if (daemon->startup.web.text.n == 0)
		return 0;
	daemon->web_host = (struct web_host){host_engine, host_state};
	daemon->web = web_open(&daemon->web_host, daemon->web_listener.socket.fd, &daemon->startup.web, err);
	return daemon->web ? 0 : -1;
}

void daemon_web_start(struct daemon *daemon)
{
	struct error err;

	if (daemon->web && web_start(daemon->web, &err) != 0)
		report_line(daemon->host.report, "error", "%s; mail is served without it", err.text);
}

bool daemon_web_stop(struct daemon *daemon, int64_t until_us)
{
	return !daemon->web || web_stop(daemon->web, until_us);
}

void daemon_web_close(struct daemon *daemon)
{
	web_close(daemon->web);
	daemon->web = NULL;
}
