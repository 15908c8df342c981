/*
 * history.c - the history of the daemon: opened by the user who runs it, once, and kept until the end.
 */
#include "daemon_private.h"

int daemon_history_open(struct daemon *daemon, const struct policy *policy, struct error *err)
{
	const struct history_setting *said = &policy_settings(policy)->history;
	const struct history_settings settings = {said->path, said->keep_us, (uint64_t)said->at_most, said->addresses};

	if (!said->path)
		return 0;
	daemon->history = history_open(&settings, err);
	if (!daemon->history)
		return -1;
	report_keep(daemon->host.report, daemon->history);
	return 0;
}

void daemon_history_report(struct daemon *daemon)
{
	struct error line;

	if (daemon->history && history_report(daemon->history, clock_us(), &line))
		report_line(daemon->host.report, "warning", "%s", line.text);
}

json_t *daemon_history_status(struct daemon *daemon)
{
	struct history_counters c;

	history_counters(daemon->history, &c);
	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I}", "file", daemon->startup.history.path, "written",
			 (json_int_t)c.written, "lost", (json_int_t)c.lost, "failures", (json_int_t)c.failures, "bytes",
			 (json_int_t)c.bytes, "at-most", (json_int_t)c.at_most);
}
