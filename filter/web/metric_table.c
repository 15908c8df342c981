/*
 * metric_table.c - all metrics: name, type, unit, labels and meaning, each with the function that reads it. The page
 * sekisho-metrics(7) is written from this table (make manual-tables).
 *
 * Labels are bounded: their values come from the policy file or from our own words, never from mail.
 */
#include "web_private.h"

#define COUNTER(name, labels, reader, about)                                                                           \
	{                                                                                                              \
		"sekisho_" name, METRIC_COUNTER, "", labels, about, read_##reader                                      \
	}
#define GAUGE(name, unit, labels, reader, about)                                                                       \
	{                                                                                                              \
		"sekisho_" name, METRIC_GAUGE, unit, labels, about, read_##reader                                      \
	}
#define HISTOGRAM(name, labels, reader, about)                                                                         \
	{                                                                                                              \
		"sekisho_" name, METRIC_HISTOGRAM, "seconds", labels, about, read_##reader                             \
	}

const struct metric web_metrics[] = {
    GAUGE("build_info", "", "version", build, "Always 1; the version of the program."),
    GAUGE("uptime_seconds", "seconds", "", uptime, "Time since the daemon started."),
    GAUGE("policy_read_timestamp_seconds", "seconds", "", policy_read,
	  "When the policy in effect was read, in Unix time."),
    COUNTER("reloads", "", reloads, "Reloads that took effect: the generation of the policy."),
    COUNTER("reload_failures", "", reloads_failed, "Reloads that were refused; the old policy stayed in effect."),
    GAUGE("rules", "", "", rules, "Rules in the policy."),
    GAUGE("door_info", "", "door, engine, address", doors, "Always 1 for each socket that mail servers connect to."),
    COUNTER("sessions", "", sessions, "SMTP sessions that began."),
    GAUGE("sessions_open", "", "", sessions_open, "SMTP sessions that are open now."),
    COUNTER("messages", "", messages, "Messages that began with MAIL."),
    GAUGE("messages_open", "", "", messages_open, "Messages between MAIL and the answer."),
    COUNTER(
	"verdicts", "kind, verdict, rule", verdicts,
	"Messages by what the client was told, the kind of traffic, and the rule that decided; the rule is empty when "
	"none did."),
    COUNTER("would", "kind, rule", would, "What rules under \"try\" or \"mode report\" would have done."),
    COUNTER("recipients_refused", "", recipients_refused, "Recipients that were refused at RCPT."),
    COUNTER("unchecked", "check", unchecked, "Messages that a check could not judge."),
    COUNTER("disagreements", "check", disagreements, "Messages on which the two engines of a check disagreed."),
    HISTOGRAM(
	"callback_seconds", "stage", callbacks,
	"Time for a command of the mail server, waiting for DNS included; rules of connect and helo count at mail."),
    HISTOGRAM("dns_wait_seconds", "", dns_wait, "Time that a message waited for the DNS."),
    COUNTER("dns_questions", "", dns_questions, "Questions of checks to the resolver."),
    COUNTER("dns_cache_hits", "", dns_cache_hits, "Questions that the cache answered."),
    COUNTER("dns_joined", "", dns_joined, "Questions that waited for the same question of somebody else."),
    COUNTER("dns_queries", "", dns_asked, "Questions that were sent to servers."),
    COUNTER("dns_failures", "reason", dns_failures, "Questions without an answer, by the reason."),
    COUNTER("dns_stale", "", dns_stale, "Expired answers that were used because servers failed."),
    GAUGE("dns_cache_entries", "", "", dns_cache_entries, "Answers in the cache."),
    GAUGE("list_ready", "", "list", list_ready, "1 when the list has content; without it, its conditions are unknown."),
    GAUGE("list_failing", "", "list", list_failing, "1 when the file of the list cannot be read: its content is old."),
    GAUGE("list_read_timestamp_seconds", "seconds", "list", list_read,
	  "When the content of the list was read, in Unix time."),
    GAUGE("list_entries", "", "list", list_entries, "Entries of the list, or logins."),
    COUNTER("store_requests", "", store_requests, "Requests to the store."),
    COUNTER("store_unanswered", "", store_unanswered, "Requests that the store did not answer."),
    COUNTER("store_failures", "", store_failures,
	    "Commits of the store that failed, or times that a Redis server was given up."),
    GAUGE("store_keys", "", "", store_keys, "Keys in the store."),
    GAUGE("store_bytes", "bytes", "", store_bytes, "Bytes that the store uses."),
    GAUGE("store_limit_bytes", "bytes", "", store_limit, "Bytes that the store may use."),
    COUNTER("store_damaged", "", store_damaged, "Records of the store that could not be read."),
    COUNTER("history_records", "", history_written, "Records written to the history."),
    COUNTER("history_lost", "", history_lost, "Records that did not get into the history."),
    COUNTER("history_failures", "", history_failures, "Commits of the history that failed."),
    GAUGE("history_bytes", "bytes", "", history_bytes, "Bytes of the history."),
    GAUGE("history_limit_bytes", "bytes", "", history_limit, "Bytes that the history may have."),
    COUNTER("reports_sent", "", reports_sent, "Mails with DMARC reports that the mail server took."),
    COUNTER("reports_refused", "", reports_refused, "Mails with DMARC reports that the mail server refused for good."),
    COUNTER("reports_suppressed", "", reports_suppressed,
	    "Mails with DMARC reports that were not sent, because their address is dead."),
    COUNTER("reports_failures", "", reports_failures, "Tries to send a DMARC report that are repeated."),
    COUNTER("reports_dropped", "", reports_dropped, "Domains whose DMARC reports could not be sent in two days."),
    GAUGE("reports_waiting", "", "", reports_waiting, "Domains whose DMARC reports of days that are over wait."),
    COUNTER("log_lost", "", log_lost, "Lines that did not get into the log."),
    {NULL},
};
