/*
 * reports.c - what the daemon collects for DMARC reports: opened when the file first has dmarc-reports, and kept until
 * the end.
 */
#include "aggregate.h"
#include "daemon_private.h"

int daemon_reports_open(struct daemon *daemon, const struct policy *policy, struct error *err)
{
	const struct reports_setting *said = &policy_settings(policy)->reports;
	const struct aggregate_settings settings = {said->organization, said->from.text, said->contact};

	if (!said->said)
		return 0;
	if (daemon->aggregate)
		aggregate_set(daemon->aggregate, &settings);
	else
		daemon->aggregate = aggregate_open(daemon->store, &settings, err);
	return daemon->aggregate ? 0 : -1;
}

void daemon_reports_report(struct daemon *daemon)
{
	struct error line;

	if (daemon->aggregate && aggregate_trouble(daemon->aggregate, clock_us(), &line))
		report_line(daemon->host.report, "warning", "%s", line.text);
}

void daemon_reports_close(struct daemon *daemon)
{
	aggregate_close(daemon->aggregate);
	daemon->aggregate = NULL;
}

json_t *daemon_reports_status(struct daemon *daemon)
{
	struct aggregate_counters c;

	aggregate_counters(daemon->aggregate, &c);
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "counted", (json_int_t)c.messages, "waiting",
			 (json_int_t)c.waiting, "lost", (json_int_t)c.lost, "due",
			 (json_int_t)daemon->report_counters.waiting, "sent", (json_int_t)daemon->report_counters.sent,
			 "refused", (json_int_t)daemon->report_counters.refused, "suppressed",
			 (json_int_t)daemon->report_counters.suppressed, "dropped",
			 (json_int_t)daemon->report_counters.dropped);
}
