/*
 * lookup_smtp.c - `sekisho lookup smtp`: what an SMTP server says and how long it takes, its certificate, and whether
 * its names agree.
 */
#include "lookup_smtp.h"
#include "mail.h"
#include "verbs.h"

#include <stdio.h>
#include <time.h>

#define TOTAL_US   26000000 /* all of it; the last question to the DNS may be on its way then */
#define SLOW_US    5000000  /* RFC 5321 4.5.3.2 lets a client wait for minutes; people notice this */
#define ENDS_SOON  14       /* days */
#define DAY        86400
#define SAID_SHOWN 100

/* ---- steps ------------------------------------------------------------------------------- */

static json_t *json_steps(struct lookup *lookup, const struct probe_smtp *result)
{
	json_t *array = json_array();

	for (size_t i = 0; i < result->step_count; i++) {
		const struct probe_step *step = &result->steps[i];
		json_array_append_new(array, json_pack("{s:s, s:b, s:f, s:i, s:o, s:o}", "step", step->name, "ok",
						       step->good, "ms", (double)step->took_us / 1000, "code",
						       (int)step->code, "said", lookup_string(lookup, step->said),
						       "why", lookup_string(lookup, step->why)));
	}
	return array;
}

static void show_steps(struct lookup *lookup, struct sheet *sheet, const struct probe_smtp *result)
{
	for (size_t i = 0; i < result->step_count; i++) {
		const struct probe_step *step = &result->steps[i];
		struct slice took = sheet_took(lookup, step->took_us), rest = step->said, said = SLICE("");

		slice_cut(&rest, '\n', &said);
		said = slice_head(said, SAID_SHOWN);
		if (!step->good)
			sheet_line(sheet, MARK_WRONG, slice_of(step->name), "%7.*s  %.*s%s%.*s", SLICE_ARGS(took),
				   SLICE_ARGS(step->why), said.n ? ": " : "", SLICE_ARGS(said));
		else if (step->code)
			sheet_line(sheet, step->took_us > SLOW_US ? MARK_NOTE : MARK_OK, slice_of(step->name),
				   "%7.*s  %u %.*s", SLICE_ARGS(took), step->code, SLICE_ARGS(said));
		else
			sheet_line(sheet, MARK_OK, slice_of(step->name), "%7.*s", SLICE_ARGS(took));
	}
}

/* ---- the certificate ----------------------------------------------------------------------- */

static struct slice day(struct lookup *lookup, int64_t seconds)
{
	return slice_head(clock_print(seconds * 1000000, lookup->arena), 10);
}

static json_t *json_certificate(struct lookup *lookup, const struct probe_certificate *certificate)
{
	json_t *names = json_array();

	for (size_t i = 0; i < certificate->name_count; i++)
		json_array_append_new(names, lookup_string(lookup, certificate->names[i]));
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:i, s:b, s:o, s:b}", "subject",
			 lookup_string(lookup, certificate->subject), "issuer",
			 lookup_string(lookup, certificate->issuer), "names", names, "from",
			 lookup_string(lookup, day(lookup, certificate->not_before_s)), "until",
			 lookup_string(lookup, day(lookup, certificate->not_after_s)), "bits", (int)certificate->bits,
			 "trusted", certificate->trouble.n == 0, "trouble", lookup_string(lookup, certificate->trouble),
			 "named", certificate->named);
}

static void show_certificate(struct lookup *lookup, struct sheet *sheet, const struct probe_certificate *certificate)
{
	struct text names;

	text_init(&names, lookup->arena, 2000);
	for (size_t i = 0; i < certificate->name_count; i++)
		text_printf(&names, "%s%.*s", i > 0 ? " " : "", SLICE_ARGS(certificate->names[i]));
	sheet_line(sheet, MARK_NONE, SLICE("certificate"), "for %.*s",
		   SLICE_ARGS(names.n ? text_slice(&names) : certificate->subject));
	sheet_line(sheet, MARK_NONE, SLICE(""), "from %.*s until %.*s, %u bits, issued by %.*s",
		   SLICE_ARGS(day(lookup, certificate->not_before_s)),
		   SLICE_ARGS(day(lookup, certificate->not_after_s)), certificate->bits,
		   SLICE_ARGS(certificate->issuer));
}

static void judge_certificate(struct sheet *sheet, const struct smtp_target *target)
{
	const struct probe_certificate *certificate = &target->result.certificate;
	int64_t now_s = clock_wall_us() / 1000000, left = (certificate->not_after_s - now_s) / DAY;

	if (certificate->not_after_s < now_s)
		sheet_advice(sheet, MARK_WRONG, "certificate-expired", "the certificate has expired: renew it");
	else if (certificate->not_before_s > now_s)
		sheet_advice(sheet, MARK_WRONG, "certificate-future", "the certificate is not valid yet");
	else if (left < ENDS_SOON)
		sheet_advice(sheet, MARK_NOTE, "certificate-ends", "the certificate ends in %d day%s: renew it",
			     (int)left, left == 1 ? "" : "s");
	if (certificate->trouble.n > 0 && certificate->not_after_s >= now_s)
		sheet_advice(sheet, MARK_NOTE, "certificate-untrusted",
			     "the certificate is not trusted: %.*s; mail is encrypted all the same, but not with "
			     "MTA-STS",
			     SLICE_ARGS(certificate->trouble));
	if (target->host.n > 0 && !certificate->named)
		sheet_advice(sheet, MARK_NOTE, "certificate-name", "the certificate is not for %.*s",
			     SLICE_ARGS(target->host));
}

static void judge_tls(struct sheet *sheet, const struct smtp_target *target)
{
	const struct probe_smtp *result = &target->result;

	if (result->ehlo_name.n > 0 && !result->starttls)
		sheet_advice(sheet, MARK_NOTE, "no-starttls",
			     "STARTTLS is not offered: mail comes in readable for everybody on the way");
	if (!result->tls_version)
		return;
	if (strcmp(result->tls_version, "TLSv1.2") != 0 && strcmp(result->tls_version, "TLSv1.3") != 0)
		sheet_advice(sheet, MARK_NOTE, "old-tls", "%s is out of date (RFC 8996): enable TLS 1.2 and 1.3",
			     result->tls_version);
	if (result->has_certificate)
		judge_certificate(sheet, target);
	if (result->dane == PROBE_DANE_MISMATCH)
		sheet_advice(sheet, target->tlsa_secure ? MARK_WRONG : MARK_NOTE, "dane-mismatch",
			     "the certificate fits none of the TLSA records%s",
			     target->tlsa_secure ? ": senders that use DANE do not deliver" : "");
}

/* ---- names --------------------------------------------------------------------------------------- */

/* The name that leads back; else the advice says what is missing. */
static struct slice judge_names(struct lookup *lookup, struct sheet *sheet, const struct smtp_target *target)
{
	struct slice name, helo = target->result.ehlo_name;
	enum dns_status status = dns_confirmed_name(lookup->budget, target->request.ip, lookup->arena, &name);
	bool valid;

	if (status == DNS_TEMPFAIL)
		sheet_advice(sheet, MARK_NOTE, "ptr", "the DNS does not answer for the names of the address");
	else if (status != DNS_OK)
		sheet_advice(sheet, MARK_NOTE, "ptr",
			     "the address has no name that leads back to it: when it sends mail, many refuse it");
	if (helo.n == 0)
		helo = target->result.banner_name;
	if (helo.n == 0)
		return name;
	helo = domain_normalise(helo, lookup->arena, &valid);
	if (!valid)
		sheet_advice(sheet, MARK_NOTE, "helo-name", "it calls itself \"%.*s\", which is not a host name",
			     SLICE_ARGS(helo));
	else if (!slice_equal_nocase(helo, name) && !slice_equal_nocase(helo, target->host) &&
		 dns_name_has_address(lookup->budget, helo, target->request.ip) != DNS_OK)
		sheet_advice(sheet, MARK_NOTE, "helo-name", "it calls itself %.*s, which does not lead to this address",
			     SLICE_ARGS(helo));
	return name;
}

/* ---- relaying ------------------------------------------------------------------------------------ */

static json_t *show_relays(struct lookup *lookup, struct sheet *sheet, const struct probe_smtp *result)
{
	json_t *array = json_array();

	for (size_t i = 0; i < result->relay_count; i++) {
		const struct probe_relay *relay = &result->relays[i];
		bool accepted = relay->code / 100 == 2;

		json_array_append_new(array,
				      json_pack("{s:o, s:b, s:i, s:o}", "recipient",
						lookup_string(lookup, relay->recipient), "accepted", accepted, "code",
						(int)relay->code, "said", lookup_string(lookup, relay->said)));
		if (!accepted)
			sheet_line(sheet, MARK_OK, SLICE("relay"), "<%.*s> refused: %u %.*s",
				   SLICE_ARGS(relay->recipient), relay->code,
				   SLICE_ARGS(slice_head(relay->said, SAID_SHOWN)));
		else if (i == 0)
			sheet_advice(sheet, MARK_WRONG, "open-relay",
				     "it takes mail for %.*s from a stranger: it is an open relay",
				     SLICE_ARGS(relay->recipient));
		else
			sheet_advice(sheet, MARK_NOTE, "relay-form",
				     "it takes mail for <%.*s>: does it send it on, or to a mailbox of its own?",
				     SLICE_ARGS(relay->recipient));
	}
	return array;
}

/* ---- all of it --------------------------------------------------------------------------------- */

static void show_summary(struct lookup *lookup, struct sheet *sheet, const struct smtp_target *target,
			 const char *address)
{
	const struct probe_smtp *result = &target->result;
	const struct probe_step *last = &result->steps[result->step_count - 1];
	struct slice took = sheet_took(lookup, result->took_us);
	/* Without IPv6 here nothing is known of the server. */
	bool unreachable = !result->good && slice_equal(last->why, SLICE("Network is unreachable"));

	if (result->good)
		sheet_line(
		    sheet, MARK_OK, target->host, "%s  %.*s  %s%s%.*s", address, SLICE_ARGS(took),
		    result->tls_version ? result->tls_version : "no TLS",
		    result->has_certificate ? ", certificate until " : "",
		    SLICE_ARGS(result->has_certificate ? day(lookup, result->certificate.not_after_s) : SLICE("")));
	else
		sheet_advice(sheet, unreachable ? MARK_NOTE : MARK_WRONG, "smtp", "%.*s %s: %s: %.*s",
			     SLICE_ARGS(target->host), address, last->name, SLICE_ARGS(last->why));
}

json_t *lookup_smtp_show(struct lookup *lookup, struct sheet *sheet, const struct smtp_target *target, bool steps)
{
	static const char *const danes[] = {"none", "match", "mismatch", "unusable"};
	const struct probe_smtp *result = &target->result;
	char address[IP_TEXT];
	struct slice name;
	json_t *relays;

	ip_print(target->request.ip, address);
	if (steps)
		show_steps(lookup, sheet, result);
	else
		show_summary(lookup, sheet, target, address);
	if (steps && result->tls_version)
		sheet_line(sheet, MARK_NONE, SLICE("encryption"), "%s, %s", result->tls_version,
			   result->tls_cipher ? result->tls_cipher : "");
	if (steps && result->has_certificate)
		show_certificate(lookup, sheet, &result->certificate);
	judge_tls(sheet, target);
	name = judge_names(lookup, sheet, target);
	if (steps && name.n > 0)
		sheet_line(sheet, MARK_OK, SLICE("name"), "%.*s leads back to the address", SLICE_ARGS(name));
	relays = show_relays(lookup, sheet, result);
	return json_pack("{s:o, s:s, s:i, s:b, s:f, s:o, s:o, s:o, s:o, s:o, s:b, s:s*, s:o, s:s, s:o}", "host",
			 lookup_string(lookup, target->host), "ip", address, "port", (int)target->request.port, "ok",
			 result->good, "ms", (double)result->took_us / 1000, "steps", json_steps(lookup, result),
			 "name", lookup_string(lookup, name), "banner-name", lookup_string(lookup, result->banner_name),
			 "ehlo-name", lookup_string(lookup, result->ehlo_name), "extensions",
			 lookup_string(lookup, result->extensions), "starttls", result->starttls, "tls",
			 result->tls_version, "certificate",
			 result->has_certificate ? json_certificate(lookup, &result->certificate) : json_null(), "dane",
			 danes[result->dane], "relays", relays);
}

/* "HOST", "HOST:25", "192.0.2.1", "[2001:db8::1]:25", "2001:db8::1" */
static bool read_host(struct lookup *lookup, struct slice text, struct slice *host_r, unsigned *port_r)
{
	ptrdiff_t colon = slice_find_last(text, ':');
	uint64_t port = PROBE_PORT;
	struct ip ip;
	bool valid = true;

	if (ip_parse(text, &ip) < 0 && colon > 0 && text.p[text.n - 1] != ']') {
		if (slice_number(slice_from(text, (size_t)colon + 1), 65535, &port) < 0 || port == 0)
			return false;
		text = slice_head(text, (size_t)colon);
	}
	if (text.n > 2 && text.p[0] == '[' && text.p[text.n - 1] == ']')
		text = (struct slice){text.p + 1, text.n - 2};
	*port_r = (unsigned)port;
	*host_r = text;
	if (ip_parse(text, &ip) < 0)
		*host_r = domain_normalise(text, lookup->arena, &valid);
	return valid && text.n > 0;
}

static int no_address(struct lookup *lookup, struct slice host, enum dns_status status)
{
	static const char *const whys[] = {"", "it has no address", "there is no such name",
					   "the DNS does not answer now; try again later"};

	if (lookup->json)
		lookup_print_json(json_pack("{s:o, s:b, s:s, s:[]}", "host", lookup_string(lookup, host), "ok", 0,
					    "why", whys[status], "addresses"));
	else
		printf("%.*s: %s\n", SLICE_ARGS(lookup_safe(lookup, host)), whys[status]);
	return VERB_NO;
}

int lookup_smtp(struct lookup *lookup)
{
	struct smtp_target targets[TARGETS_MAX];
	json_t *addresses;
	enum dns_status dns;
	struct sheet *sheet;
	struct slice host;
	unsigned port;
	size_t count, good = 0;
	int status;

	if (!read_host(lookup, slice_of(lookup->operands[0]), &host, &port))
		return lookup_usage("\"%.100s\" is not HOST or HOST:PORT", lookup->operands[0]);
	status = lookup_open(lookup);
	if (status != VERB_OK)
		return status;
	dns_budget_deadline(lookup->budget, clock_us() + TOTAL_US);
	count = lookup_smtp_targets(lookup, host, port, targets, TARGETS_MAX, &dns);
	if (count == 0)
		return no_address(lookup, host, dns);
	lookup_smtp_probe(lookup, targets, count);
	sheet = sheet_new(lookup);
	addresses = json_array();
	for (size_t i = 0; i < count; i++) {
		char address[IP_TEXT];
		ip_print(targets[i].request.ip, address);
		sheet_section(sheet, arena_printf(lookup->arena, "%.*s%s%s port %u", SLICE_ARGS(targets[i].host),
						  targets[i].host.n ? " " : "", address, port)
					 .p);
		json_array_append_new(addresses, lookup_smtp_show(lookup, sheet, &targets[i], true));
		good += targets[i].result.good;
	}
	sheet_finish(sheet, json_pack("{s:o, s:i, s:b, s:o}", "host", lookup_string(lookup, host), "port", (int)port,
				      "ok", good == count, "addresses", addresses));
	return sheet_is_wrong(sheet) ? VERB_NO : VERB_OK;
}
