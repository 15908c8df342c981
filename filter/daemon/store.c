/*
 * store.c - the store of the daemon: opened by the user who runs it, once, and kept until the end; a reload can only
 * open one that was not needed before.
 */
#include "daemon_private.h"
#include <stdlib.h>
#include <string.h>

int daemon_store_open(struct daemon *daemon, const struct policy *policy, struct error *err)
{
	const struct store_setting *said = &policy_settings(policy)->store;
	struct store_setting *opened = &daemon->startup.store;
	struct store *store;

	if (daemon->store)
		return 0;
	*opened = (struct store_setting){.url = SLICE("")};
	if (!policy_needs_store(policy))
		return 0;
	store = store_open(&(struct store_settings){.url = said->url,
						    .at_most = (uint64_t)said->at_most,
						    .password_file = said->password_file,
						    .ca_file = said->ca_file,
						    .timeout_us = said->timeout_us},
			   err);
	if (!store)
		return -1;
	*opened = (struct store_setting){.url = {strndup(said->url.p, said->url.n), said->url.n},
					 .at_most = said->at_most,
					 .password_file = said->password_file ? xstrdup(said->password_file) : NULL,
					 .ca_file = said->ca_file ? xstrdup(said->ca_file) : NULL,
					 .timeout_us = said->timeout_us};
	daemon->store = store;
	return 0;
}

void daemon_store_report(struct daemon *daemon)
{
	struct error line, why;

	if (daemon->store && store_report(daemon->store, clock_us(), &line))
		report_line(daemon->host.report, store_trouble(daemon->store, &why) ? "warning" : "info", "%s",
			    line.text);
}

void daemon_store_close(struct daemon *daemon)
{
	if (!daemon->store)
		return;
	store_close(daemon->store);
	daemon->store = NULL;
	free((char *)daemon->startup.store.url.p);
	free((char *)daemon->startup.store.password_file);
	free((char *)daemon->startup.store.ca_file);
}

json_t *daemon_store_status(struct daemon *daemon)
{
	struct store_counters c;
	struct error why;
	json_t *object;

	store_counters(daemon->store, &c);
	object = json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "place",
			   json_text(daemon->startup.store.url), "keys", (json_int_t)c.keys, "bytes",
			   (json_int_t)c.bytes, "at-most", (json_int_t)c.at_most, "memory", (json_int_t)c.memory,
			   "asked", (json_int_t)c.asked, "unanswered", (json_int_t)c.unanswered, "flushes",
			   (json_int_t)c.flushes, "failures", (json_int_t)c.failures, "damaged", (json_int_t)c.damaged);
	if (store_trouble(daemon->store, &why))
		json_object_set_new(object, "warning", json_text(slice_of(why.text)));
	return object;
}
