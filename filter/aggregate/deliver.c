/*
 * deliver.c - the reports about one domain: to whom they go, what the mail server says, and what is kept of it.
 */
#include "send.h"

#include <time.h>

#define SENT_LIFE_US    (5 * STORE_DAY_US) /* longer than rows live */
#define FLUSH_US        (INT64_C(10) * 1000 * 1000)
#define RECORD_AGAIN_NS (200 * 1000 * 1000)
#define DNS_US          (INT64_C(20) * 1000 * 1000) /* for all questions about one domain */
#define DNS_SHORT_US    (500 * 1000)                /* the same, after a round waited in vain for VAIN_US */
#define VAIN_US         (INT64_C(600) * 1000 * 1000)
#define STOP_US         (600 * 1000)
#define TRIES_MAX       16

/* One domain. */
struct delivery {
	struct report_run *run;
	const struct report_sender *sender;
	const struct aggregate_total *total;
	const struct aggregate_report *report; /* the part of now */
	struct slice part;                     /* its name, any bytes */
	struct dns_budget *budget;
	int64_t dns_us;                      /* that is left for questions about the domain */
	struct arena *arena, *long_arena;    /* of the part; of the domain */
	struct slice seen[REPORTS_URIS_MAX]; /* addresses of this part */
	size_t seen_count;
	bool waits, broken;
};

static void tell(struct delivery *delivery, struct slice address, enum report_fate fate, struct slice text)
{
	delivery->waits |= fate == REPORT_LATER || fate == REPORT_TOO_MANY;
	report_tell(delivery->sender, delivery->total, address, fate, text);
}

static void give_up(struct delivery *delivery, const char *why)
{
	delivery->broken = true;
	error_set(&delivery->run->why, "%s", why);
}

static struct slice day_text(unsigned day, struct arena *arena)
{
	return arena_printf(arena, "%u", day);
}

/* ---- what is recorded ------------------------------------------------------------------------------------ */

static struct slice sent_key(const struct delivery *delivery, struct slice address)
{
	const struct aggregate_total *total = delivery->total;
	struct arena *arena = delivery->arena;

	return store_key(arena, SLICE("rua"), SLICE("sent"), day_text(total->day, arena), total->domain, delivery->part,
			 arena_lower(arena, address));
}

static struct slice domain_key(const struct delivery *delivery, struct slice what)
{
	return store_key(delivery->arena, SLICE("rua"), what, day_text(delivery->total->day, delivery->arena),
			 delivery->total->domain);
}

/* On the disk before anything else happens. A store in another process may be slow for a moment: what is not recorded
 * is sent again. */
static bool record(struct delivery *delivery, struct slice key, struct slice value)
{
	const struct report_sender *sender = delivery->sender;
	int64_t until = clock_us() + FLUSH_US;

	for (;;) {
		if (store_put(sender->store, key, slice_head(value, STORE_VALUE_MAX), SENT_LIFE_US) == STORE_OK &&
		    store_flush(sender->store, until) == STORE_OK)
			return true;
		if (clock_us() >= until || sender->stopped(sender->context))
			break;
		nanosleep(&(struct timespec){0, RECORD_AGAIN_NS}, NULL);
	}
	give_up(delivery, "the store does not take what was sent");
	return false;
}

/* ---- an answer of the mail server -------------------------------------------------------------------------- */

static struct slice status_of(struct slice answer)
{
	struct slice word;

	return slice_word(&answer, &word) && slice_word(&answer, &word) ? word : SLICE("");
}

/* Refusals that are about us, not about the address: the command, authentication, our own address. */
static bool is_about_us(struct slice answer)
{
	static const char *const codes[] = {"500", "501", "502", "503", "504", "521", "530", "534", "535", "538"};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (slice_starts_nocase(answer, slice_of(codes[i])))
			return true;
	return slice_equal(status_of(answer), SLICE("5.1.7")) || slice_equal(status_of(answer), SLICE("5.1.8"));
}

/* This mail is refused, as too large or for what it says: another may not be. */
static bool is_about_mail(enum mailed mailed, struct slice answer)
{
	return mailed == MAIL_UNWANTED || slice_starts_nocase(answer, SLICE("552")) ||
	       report_status_is_of_mail(status_of(answer));
}

static void take_refusal(struct delivery *delivery, struct slice address, enum mailed mailed, struct slice answer)
{
	const struct report_sender *sender = delivery->sender;
	int64_t until_s;

	if (is_about_us(answer)) {
		sender->counters->failures++;
		tell(delivery, address, REPORT_LATER, answer);
		return;
	}
	sender->counters->refused++;
	if (!is_about_mail(mailed, answer))
		report_dead_add(sender->store, address, answer, delivery->run->now_us, delivery->arena, &until_s);
	if (record(delivery, sent_key(delivery, address), arena_join(delivery->arena, SLICE("refused "), answer)))
		tell(delivery, address, REPORT_REFUSED, answer);
}

static void take_answer(struct delivery *delivery, struct slice address, enum mailed mailed, const struct error *said)
{
	const struct report_sender *sender = delivery->sender;
	struct slice answer = slice_of(said->text);
	bool answered = answer.n > 3 && is_digit(answer.p[0]);

	delivery->run->silent = answered ? 0 : delivery->run->silent + 1;
	if (mailed == MAILED) {
		if (!record(delivery, sent_key(delivery, address), arena_join(delivery->arena, SLICE("sent "), answer)))
			return;
		sender->counters->sent++;
		tell(delivery, address, REPORT_SENT, answer);
	} else if (mailed == MAIL_REFUSED || mailed == MAIL_UNWANTED) {
		take_refusal(delivery, address, mailed, answer);
	} else {
		sender->counters->failures++;
		tell(delivery, address, REPORT_LATER, answer);
		if (delivery->run->silent >= REPORTS_SILENT_MAX)
			give_up(delivery, "the mail server does not answer");
	}
}

/* ---- an address ------------------------------------------------------------------------------------------------ */

/* Asked once in a round, before the first mail. */
static bool is_ready(struct delivery *delivery)
{
	struct report_run *run = delivery->run;

	run->ready = run->ready || !run->sender->ready || run->sender->ready(run->sender->context, &run->why);
	delivery->broken |= !run->ready;
	return run->ready;
}

/* A mail under way has a moment to come to its end: what was not answered is sent again. */
static bool is_cut_off(void *run_)
{
	struct report_run *run = run_;

	if (run->stop_us == 0 && run->sender->stopped(run->sender->context))
		run->stop_us = clock_us() + STOP_US;
	return run->stop_us != 0 && clock_us() >= run->stop_us;
}

/* False: so many went there that this one waits, or the store does not answer. */
static bool take_place(struct delivery *delivery, struct slice address, struct report_place *place_r)
{
	struct slice why;
	enum store_answer answer =
	    report_place_take(delivery->sender, delivery->total->domain, address, delivery->arena, place_r, &why);

	if (answer == STORE_OVER)
		tell(delivery, address, REPORT_TOO_MANY, why);
	else if (answer != STORE_OK)
		give_up(delivery, "the store does not answer");
	return answer == STORE_OK;
}

static void mail_it(struct delivery *delivery, struct slice address)
{
	const struct report_sender *sender = delivery->sender;
	struct report_mail mail = {.sender = sender,
				   .report = delivery->report,
				   .day = delivery->total->day,
				   .domain = delivery->total->domain,
				   .recipient = address,
				   .now_us = report_now(sender)};
	struct mailer_message message = {.recipient = address};
	struct report_place place;
	struct error answer;
	enum mailed mailed;

	if (sender->stopped(sender->context)) {
		give_up(delivery, "the daemon ends");
		return;
	}
	delivery->broken |= !report_lease(delivery->run);
	if (delivery->broken || !is_ready(delivery))
		return;
	if (report_token(sender->store, address, delivery->arena, &mail.token) != STORE_OK) {
		give_up(delivery, "the store does not answer");
		return;
	}
	if (!take_place(delivery, address, &place))
		return;
	message.sender = report_reverse_path(sender->from, sender->delimiter, mail.token, delivery->arena);
	message.text = report_mail_print(&mail, delivery->arena);
	mailed = mailer_send(sender->mailer, &message, is_cut_off, delivery->run, &answer);
	if (mailed == MAIL_LOST)
		report_place_return(sender, &place);
	if (mailed == MAIL_LOST && sender->stopped(sender->context))
		give_up(delivery, "the daemon ends");
	else
		take_answer(delivery, address, mailed, &answer);
}

static bool was_seen(struct delivery *delivery, struct slice address)
{
	for (size_t i = 0; i < delivery->seen_count; i++)
		if (slice_equal_nocase(delivery->seen[i], address))
			return true;
	delivery->seen[delivery->seen_count++] = address;
	return false;
}

/* It may get reports. */
static void deliver_to(struct delivery *delivery, struct slice address)
{
	const struct report_sender *sender = delivery->sender;
	struct store_item item;
	struct report_dead dead;
	enum store_answer before;

	if (was_seen(delivery, address))
		return;
	before = store_get(sender->store, sent_key(delivery, address), delivery->arena, &item);
	if (before == STORE_OK) {
		tell(delivery, address, REPORT_SENT_BEFORE, item.value);
		return;
	}
	if (before == STORE_ABSENT)
		before = report_dead_find(sender->store, address, delivery->run->now_us, delivery->arena, &dead);
	if (before == STORE_OK) {
		sender->counters->suppressed++;
		tell(delivery, address, REPORT_SUPPRESSED, dead.why);
	} else if (before == STORE_ABSENT) {
		mail_it(delivery, address);
	} else {
		give_up(delivery, "the store does not answer");
	}
}

int64_t report_patience_us(int64_t vain_us)
{
	return vain_us < VAIN_US ? DNS_US : DNS_SHORT_US;
}

static enum dmarc_consent ask_consent(struct delivery *delivery, struct slice uri, struct dmarc_destination *to_r)
{
	int64_t began = clock_us(), waited;
	enum dmarc_consent consent;

	dns_budget_deadline(delivery->budget, began + delivery->dns_us);
	consent = dmarc_consent(delivery->total->domain, uri, DMARC_REPORT_AGGREGATE, delivery->budget, delivery->arena,
				to_r);
	waited = clock_us() - began;
	delivery->dns_us -= waited < delivery->dns_us ? waited : delivery->dns_us;
	delivery->run->vain_us += consent == DMARC_CONSENT_UNKNOWN ? waited : 0;
	return consent;
}

static void deliver_uri(struct delivery *delivery, struct slice uri)
{
	static const char *const whys[] = {
	    [DMARC_CONSENT_MISSING] = "the domain of the address has not agreed (RFC 9990 4)",
	    [DMARC_CONSENT_ELSEWHERE] = "the consent names an address at another host (RFC 9990 4)",
	    [DMARC_CONSENT_IMPOSSIBLE] = "the name of the consent would be too long (RFC 9990 4)",
	    [DMARC_CONSENT_UNKNOWN] = "the DNS does not tell now whether the domain of the address has agreed",
	};
	struct dmarc_destination to;
	enum dmarc_consent consent = ask_consent(delivery, uri, &to);

	if (consent == DMARC_CONSENT_OWN || consent == DMARC_CONSENT_GIVEN)
		deliver_to(delivery, to.mailbox.address);
	else if (consent == DMARC_CONSENT_NO_MAIL)
		tell(delivery, SLICE(""), REPORT_NO_ADDRESS, SLICE("a URI of rua is not a mail address"));
	else
		tell(delivery, to.mailbox.address, consent == DMARC_CONSENT_UNKNOWN ? REPORT_LATER : REPORT_NO_CONSENT,
		     slice_of(whys[consent]));
}

/* ---- a domain ---------------------------------------------------------------------------------------------------- */

static void deliver_part(struct delivery *delivery)
{
	struct slice list = delivery->report->rua, uri;
	const char *wrong;
	unsigned tried = 0;

	delivery->seen_count = 0;
	while (!delivery->broken && tried < REPORTS_URIS_MAX && dmarc_uri_part(&list, &uri, &wrong)) {
		if (wrong)
			continue;
		tried++;
		deliver_uri(delivery, uri);
	}
	if (tried == 0)
		tell(delivery, SLICE(""), REPORT_NO_ADDRESS, SLICE("the record has no rua that can be used"));
}

/* Each part has its own record, and its own addresses. True when there is another one. */
static bool deliver_next(struct delivery *delivery, struct aggregate_request *request)
{
	struct arena *arena = arena_new(); /* a part may have some megabytes */
	struct aggregate_report report;
	struct error err;
	int made = aggregate_make(delivery->sender->aggregate, request, arena, &report, &err);
	bool more = made > 0 && report.next.p;

	if (made < 0) /* one that cannot be made does not hold up others */
		tell(delivery, SLICE(""), REPORT_LATER, slice_of(err.text));
	if (made > 0) {
		delivery->report = &report;
		delivery->part = request->part;
		delivery->arena = arena;
		deliver_part(delivery);
	}
	request->part = more ? arena_copy(delivery->long_arena, report.next) : SLICE("");
	delivery->arena = delivery->long_arena;
	arena_free(arena);
	return more && !delivery->broken;
}

static enum delivered finish(struct delivery *delivery)
{
	const struct aggregate_total *total = delivery->total;

	/* first: half of the rows are not all rows, and would make another report */
	if (!record(delivery, domain_key(delivery, SLICE("done")), SLICE("done")))
		return DELIVERY_BROKEN;
	if (aggregate_drop(delivery->sender->aggregate, total->day, total->domain) == STORE_OK)
		return DELIVERED;
	give_up(delivery, "the store does not answer");
	return DELIVERY_BROKEN;
}

static int64_t end_us(const struct aggregate_total *total)
{
	return ((int64_t)total->day + 1) * STORE_DAY_US;
}

static enum delivered drop(struct delivery *delivery)
{
	delivery->sender->counters->dropped++;
	report_tell(delivery->sender, delivery->total, SLICE(""), REPORT_DROPPED,
		    SLICE("its reports could not be sent in two days"));
	return finish(delivery);
}

/* "TRIES TIME"; 0 and 0 at first. */
static void read_wait(struct delivery *delivery, uint64_t *tries_r, int64_t *next_us_r)
{
	struct store_item item;
	struct slice tries;
	uint64_t seconds;

	*tries_r = 0;
	*next_us_r = 0;
	if (store_get(delivery->sender->store, domain_key(delivery, SLICE("wait")), delivery->arena, &item) !=
		STORE_OK ||
	    !slice_cut(&item.value, ' ', &tries) || slice_number(tries, TRIES_MAX, tries_r) != 0 ||
	    slice_number(item.value, INT64_MAX / 1000000, &seconds) != 0)
		return;
	*next_us_r = (int64_t)seconds * 1000000;
}

/* When it is tried again. */
static int64_t write_wait(struct delivery *delivery, uint64_t tries)
{
	int64_t pause = REPORTS_AGAIN_US, next;

	for (uint64_t i = 0; i < tries && pause < REPORTS_LONGEST_US; i++)
		pause *= 2;
	next = delivery->run->now_us + (pause < REPORTS_LONGEST_US ? pause : REPORTS_LONGEST_US);
	store_put(delivery->sender->store, domain_key(delivery, SLICE("wait")),
		  arena_printf(delivery->arena, "%llu %lld",
			       (unsigned long long)(tries < TRIES_MAX ? tries + 1 : tries),
			       (long long)(next / 1000000)),
		  SENT_LIFE_US);
	return next;
}

static enum delivered wait_or_drop(struct delivery *delivery, uint64_t tries)
{
	if (write_wait(delivery, tries) >= end_us(delivery->total) + REPORTS_KEEP_US)
		return drop(delivery);
	return DELIVERED_LATER;
}

/* Reports in parts. A domain whose record is another with each question has a part for each message. */
static void deliver_parts(struct delivery *delivery, struct aggregate_request *request)
{
	unsigned parts = 1;

	delivery->dns_us = report_patience_us(delivery->run->vain_us);
	delivery->budget = dns_budget_open(delivery->sender->resolver, delivery->long_arena, DNS_BUDGET_QUESTIONS);
	while (deliver_next(delivery, request)) {
		if (parts++ < REPORTS_PARTS_MAX)
			continue;
		report_tell(delivery->sender, delivery->total, SLICE(""), REPORT_DROPPED,
			    SLICE("too many reports about one day: the rest of its rows is in none"));
		break;
	}
	dns_budget_close(delivery->budget);
}

static enum delivered deliver(struct delivery *delivery, uint64_t tries)
{
	struct aggregate_request request = {.day = delivery->total->day,
					    .domain = delivery->total->domain,
					    .part = SLICE(""),
					    .max_bytes = REPORTS_BYTES_MAX};
	const struct report_sender *sender = delivery->sender;
	enum truth excluded = sender->excluded ? sender->excluded(sender->context, request.domain) : TRUTH_FALSE;

	delivery->run->tried = true;

	if (excluded == TRUTH_TRUE) {
		report_tell(sender, delivery->total, SLICE(""), REPORT_EXCLUDED, SLICE("the domain is excluded"));
		return finish(delivery);
	}
	if (excluded == TRUTH_UNKNOWN)
		tell(delivery, SLICE(""), REPORT_LATER, SLICE("the list of excluded domains cannot be read"));
	else
		deliver_parts(delivery, &request);
	if (delivery->broken) {
		/* a mail server may be silent because of this domain: the next round begins with another */
		if (delivery->run->silent >= REPORTS_SILENT_MAX)
			write_wait(delivery, tries);
		return DELIVERY_BROKEN;
	}
	return delivery->waits ? wait_or_drop(delivery, tries) : finish(delivery);
}

static enum delivered deliver_due(struct delivery *delivery, bool now)
{
	struct store_item item;
	uint64_t tries;
	int64_t next_us;

	switch (store_get(delivery->sender->store, domain_key(delivery, SLICE("done")), delivery->arena, &item)) {
	case STORE_OK: /* a rest of its rows */
		return finish(delivery);
	case STORE_ABSENT:
		break;
	default:
		give_up(delivery, "the store does not answer");
		return DELIVERY_BROKEN;
	}
	if (delivery->run->now_us >= end_us(delivery->total) + REPORTS_KEEP_US - REPORTS_AGAIN_US)
		return drop(delivery);
	read_wait(delivery, &tries, &next_us);
	if (!now && next_us > delivery->run->now_us)
		return DELIVERED_LATER;
	return deliver(delivery, tries);
}

enum delivered report_deliver(struct report_run *run, const struct aggregate_total *total, bool now)
{
	struct arena *arena = arena_new();
	struct delivery delivery = {
	    .run = run, .sender = run->sender, .total = total, .arena = arena, .long_arena = arena};
	enum delivered delivered = deliver_due(&delivery, now);

	arena_free(arena);
	return delivered;
}
