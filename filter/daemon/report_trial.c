/*
 * report_trial.c - a mail like a report, as our own mail server would give it back to us: what do the rules make of it?
 * They are run as they are, with their conditions; the store of the trial is empty, and nothing is counted or recorded.
 */
#include "report_trial.h"

#define RECIPIENT "dmarc-reports@example.net"

static bool is_loopback(struct ip ip)
{
	static const struct ip six = {6, {[15] = 1}};

	return ip.family == 4 ? ip.bytes[0] == 127 : memcmp(&ip, &six, sizeof(ip)) == 0;
}

/* Who connects to the mail server: this host. Its address at a mail server elsewhere is not known. */
static struct connection connection_of(const struct policy *policy, struct slice daemon_name)
{
	struct slice host = slice_of(policy_settings(policy)->mailer.address.host);
	struct connection connection = {.daemon_name = daemon_name,
					.daemon_port = policy_settings(policy)->mailer.address.port};

	if (ip_parse(slice_equal(host, SLICE("localhost")) || host.n == 0 ? SLICE("127.0.0.1") : host,
		     &connection.client) != 0 ||
	    !is_loopback(connection.client)) {
		connection.client = (struct ip){0};
		connection.local_program = true;
	}
	return connection;
}

/* With an extension, as each report has one. */
static struct slice sender_of(const struct policy *policy, struct arena *arena)
{
	const struct settings *settings = policy_settings(policy);
	const struct address *from = &settings->reports.from;

	if (settings->ownership.delimiters.n == 0)
		return arena_join(arena, SLICE("<"), from->text, SLICE(">"));
	return arena_join(arena, SLICE("<"), from->local, slice_head(settings->ownership.delimiters, 1),
			  SLICE("r00000000000000000000@"), from->domain, SLICE(">"));
}

static struct slice message_of(const struct policy *policy, struct arena *arena)
{
	const struct address *from = &policy_settings(policy)->reports.from;

	return arena_join(arena, SLICE("From: "), from->text,
			  SLICE("\r\nTo: " RECIPIENT "\r\nSubject: Report Domain: example.net Submitter: "),
			  from->domain, SLICE(" Report-ID: <1>\r\nDate: "), date_print(clock_wall_us(), arena),
			  SLICE("\r\nMessage-ID: <1@"), from->domain,
			  SLICE(">\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
				"Content-Type: multipart/mixed; boundary=\"=_1\"\r\n\r\n--=_1--\r\n"));
}

/* The value of a tag of a signature. */
static struct slice tag_of(struct slice value, struct slice name)
{
	struct slice tag, label;

	while (slice_cut(&value, ';', &tag))
		if (slice_cut(&tag, '=', &label) && slice_equal(slice_trim(label), name))
			return slice_trim(tag);
	return SLICE("");
}

/* The signatures that the rules add. */
static void find_signatures(const struct gate *gate, struct arena *arena, struct report_trial *trial_r)
{
	size_t count;
	const struct change *change = gate_changes(gate, &count);

	for (; count > 0 && trial_r->count < REPORT_SIGNATURES_MAX; count--, change++) {
		struct report_signature *signature = &trial_r->signatures[trial_r->count];
		struct slice value;

		if (change->kind == CHANGE_DELETE || !slice_equal_nocase(change->name, SLICE("DKIM-Signature")))
			continue;
		value = header_unfold(change->value, arena);
		*signature = (struct report_signature){arena_copy(arena, tag_of(value, SLICE("d"))),
						       arena_copy(arena, tag_of(value, SLICE("s")))};
		trial_r->count++;
	}
}

/* Why nothing is signed. */
static void explain(struct gate *gate, const struct policy *policy, struct report_trial *trial)
{
	const struct record *record = gate_record(gate);
	const struct view *view = gate_view(gate);
	struct slice domain = policy_settings(policy)->reports.from.domain;

	if (slice_equal(record->verdict, SLICE("reject")) || slice_equal(record->verdict, SLICE("defer")) ||
	    slice_equal(record->verdict, SLICE("discard")) || slice_equal(record->verdict, SLICE("quarantine")))
		error_set(&trial->why, "the rules do not let such a mail pass: %.*s %.*s %.*s",
			  SLICE_ARGS(record->verdict), SLICE_ARGS(record->reply), SLICE_ARGS(record->rule));
	else if (!policy_sign(policy, domain))
		error_set(&trial->why, "nothing signs for %.*s: write sign %.*s { }", SLICE_ARGS(domain),
			  SLICE_ARGS(domain));
	else if (view->kind == KIND_INBOUND)
		error_set(&trial->why, "mail of this host is not local mail: add its address to trusted");
	else if (!policy_signs(policy, view->tenant, view->kind) && view->kind == KIND_SUBMISSION)
		error_set(&trial->why,
			  "the mail server takes reports as submissions, and the policy for those does not "
			  "sign: let mailer use another port");
	else if (!policy_signs(policy, view->tenant, KIND_LOCAL))
		error_set(&trial->why, "the policy for local mail does not sign: write policy local { on message { "
				       "sign } }");
	else
		error_set(&trial->why,
			  "the policy for %s does not sign a mail like a report: a condition of sign does "
			  "not hold, or no key signs",
			  view->kind == KIND_LOCAL ? "local mail" : "submissions");
}

void report_trial(struct policy *policy, struct resolver *resolver, struct slice daemon_name, struct arena *arena,
		  struct report_trial *trial_r)
{
	static const struct slice recipient = {"<" RECIPIENT ">", sizeof(RECIPIENT) + 1};
	struct counters counters = {0};
	struct engine *engine = engine_new(policy, resolver, NULL, &counters);
	struct store *store = engine_trial_store(policy);
	struct conversation said = {.connection = connection_of(policy, daemon_name),
				    .helo = policy_settings(policy)->check.authserv_id,
				    .sender = sender_of(policy, arena),
				    .recipients = &recipient,
				    .recipient_count = 1,
				    .message = message_of(policy, arena)};
	struct gate *gate;

	*trial_r = (struct report_trial){.count = 0};
	engine_lend_store(engine, store);
	gate = gate_open(engine, &abilities_all);
	gate_converse(gate, &said);
	find_signatures(gate, arena, trial_r);
	if (trial_r->count == 0)
		explain(gate, policy, trial_r);
	gate_close(gate);
	engine_release(engine);
	store_close(store);
}
