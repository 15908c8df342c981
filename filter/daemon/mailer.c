/*
 * mailer.c - the mailer of the daemon: opened once, when the file first has one, and kept until the end.
 */
#include "daemon_private.h"
#include "mailer.h"
#include <stdlib.h>
#include <string.h>

int daemon_mailer_open(struct daemon *daemon, const struct policy *policy, struct error *err)
{
	const struct mailer_setting *said = &policy_settings(policy)->mailer;
	struct mailer_setting *opened = &daemon->startup.mailer;
	struct mailer *mailer;

	if (daemon->mailer)
		return 0;
	*opened = (struct mailer_setting){.text = SLICE("")};
	if (said->text.n == 0)
		return 0;
	mailer = mailer_open(&(struct mailer_settings){.text = said->text, .address = said->address}, err);
	if (!mailer)
		return -1;
	opened->text = (struct slice){strndup(said->text.p, said->text.n), said->text.n};
	daemon->mailer = mailer;
	return 0;
}

void daemon_mailer_report(struct daemon *daemon)
{
	struct error line;

	if (daemon->mailer && mailer_report(daemon->mailer, clock_us(), &line))
		report_line(daemon->host.report, mailer_in_trouble(daemon->mailer) ? "warning" : "info", "%s",
			    line.text);
}

void daemon_mailer_close(struct daemon *daemon, int64_t until_us)
{
	if (!daemon->mailer)
		return;
	mailer_close(daemon->mailer, until_us);
	daemon->mailer = NULL;
	free((char *)daemon->startup.mailer.text.p);
}

json_t *daemon_mailer_status(struct daemon *daemon)
{
	struct mailer_counters c;

	mailer_counters(daemon->mailer, &c);
	return json_pack("{s:o, s:I, s:I, s:I, s:I, s:I}", "server", json_text(daemon->startup.mailer.text), "sent",
			 (json_int_t)c.sent, "waiting", (json_int_t)c.waiting, "failures", (json_int_t)c.failures,
			 "refused", (json_int_t)c.refused, "lost", (json_int_t)c.lost);
}
