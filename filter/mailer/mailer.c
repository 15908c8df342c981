/*
 * mailer.c - the queue of messages and the thread that sends them. Contract: mailer.h.
 *
 * While the server cannot be reached, or does not answer, no message is tried; after an answer of 4xx only its own
 * message waits.
 */
#include "mailer_private.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define REPORT_US (INT64_C(60) * 1000 * 1000)
#define URL_MAX   320

struct letter {
	struct letter *next;
	char *recipient, *sender;
	struct slice text;
	unsigned tries;
	int64_t due_us, dies_us;
	void (*done)(void *, enum mailed);
	void *context;
};

struct mailer {
	const struct curl_library *curl;
	pthread_t thread;
	pthread_mutex_t lock; /* of all that follows */
	pthread_cond_t changed, idle;
	struct letter *first, **last;
	size_t bytes;
	bool busy; /* the thread has a letter that is not in the list */
	bool stop;
	int64_t resume_us; /* no try before it: the server does not answer */
	unsigned down;     /* how many times in a row it did not */
	struct ip own;     /* our end of the connection of the thread; family 0: none */
	unsigned own_port;
	struct mailer_counters counters;
	struct error why; /* the latest failure or refusal */
	/* of mailer_report */
	uint64_t reported;
	int64_t reported_us;
	bool in_trouble, well; /* well: the latest try succeeded */

	int64_t timeout_us, first_us;
	char url[URL_MAX], name[URL_MAX];
};

/* ---- the queue: with the lock ------------------------------------------------------------------ */

static void letter_free(struct letter *letter)
{
	free(letter->recipient);
	free(letter->sender);
	free((char *)letter->text.p);
	free(letter);
}

static void append(struct mailer *mailer, struct letter *letter)
{
	letter->next = NULL;
	*mailer->last = letter;
	mailer->last = &letter->next;
	mailer->bytes += letter->text.n;
	mailer->counters.waiting++;
}

static struct letter *take(struct mailer *mailer, struct letter **link)
{
	struct letter *letter = *link;

	*link = letter->next;
	if (mailer->last == &letter->next)
		mailer->last = link;
	mailer->bytes -= letter->text.n;
	mailer->counters.waiting--;
	return letter;
}

/* The next one to try, or NULL and when that is. */
static struct letter *take_due(struct mailer *mailer, int64_t now, int64_t *next_us_r)
{
	*next_us_r = INT64_MAX;
	for (struct letter **link = &mailer->first; *link; link = &(*link)->next) {
		int64_t due = (*link)->due_us > mailer->resume_us ? (*link)->due_us : mailer->resume_us;

		if (due <= now)
			return take(mailer, link);
		if (due < *next_us_r)
			*next_us_r = due;
	}
	return NULL;
}

static int64_t pause_after(const struct mailer *mailer, unsigned times)
{
	int64_t pause = mailer->first_us;

	while (--times > 0 && pause < MAILER_LONGEST_US)
		pause *= 4;
	return pause < MAILER_LONGEST_US ? pause : MAILER_LONGEST_US;
}

/* ---- a try -------------------------------------------------------------------------------------- */

static void note_connection(void *mailer_, const char *address, unsigned port)
{
	struct mailer *mailer = mailer_;
	struct ip ip = {0};

	if (address && ip_parse(slice_of(address), &ip) != 0)
		ip.family = 0;
	pthread_mutex_lock(&mailer->lock);
	mailer->own = ip;
	mailer->own_port = port;
	pthread_mutex_unlock(&mailer->lock);
}

static bool is_stopped(void *mailer_)
{
	struct mailer *mailer = mailer_;
	bool stop;

	pthread_mutex_lock(&mailer->lock);
	stop = mailer->stop;
	pthread_mutex_unlock(&mailer->lock);
	return stop;
}

/* True when the letter is to be tried again. */
static bool try_again(struct mailer *mailer, struct letter *letter, enum tried tried, bool answered, int64_t now)
{
	letter->tries += tried == TRIED_LATER;
	letter->due_us = now;
	if (answered)
		letter->due_us += pause_after(mailer, letter->tries);
	else
		mailer->resume_us = now + pause_after(mailer, ++mailer->down);
	return letter->tries < MAILER_TRIES_MAX && now < letter->dies_us && !mailer->stop;
}

static enum mailed count(struct mailer *mailer, enum tried tried, const struct attempt_end *end)
{
	mailer->well = tried == TRIED_SENT;
	if (tried != TRIED_SENT)
		mailer->why = end->why;
	mailer->counters.sent += tried == TRIED_SENT;
	mailer->counters.refused += tried == TRIED_REFUSED;
	mailer->counters.failures += tried == TRIED_LATER || tried == TRIED_UNREACHABLE;
	return tried == TRIED_SENT ? MAILED : tried == TRIED_REFUSED ? MAIL_REFUSED : MAIL_LOST;
}

/* True when it is over; else the letter is in the queue again. */
static bool settle(struct mailer *mailer, struct letter *letter, enum tried tried, const struct attempt_end *end,
		   enum mailed *mailed_r)
{
	bool again = false;

	*mailed_r = count(mailer, tried, end);
	if (tried == TRIED_SENT || tried == TRIED_REFUSED)
		mailer->down = 0;
	else
		again = try_again(mailer, letter, tried, end->code > 0, clock_us());
	if (again)
		append(mailer, letter);
	else if (*mailed_r == MAIL_LOST)
		mailer->counters.lost++;
	return !again;
}

static void try_letter(struct mailer *mailer, struct letter *letter)
{
	struct attempt attempt = {.curl = mailer->curl,
				  .url = mailer->url,
				  .timeout_us = mailer->timeout_us,
				  .recipient = letter->recipient,
				  .sender = letter->sender,
				  .text = letter->text,
				  .connected = note_connection,
				  .stopped = is_stopped,
				  .context = mailer};
	struct attempt_end end;
	enum tried tried = smtp_send(&attempt, &end);
	enum mailed mailed;
	bool over;

	pthread_mutex_lock(&mailer->lock);
	over = settle(mailer, letter, tried, &end, &mailed);
	pthread_mutex_unlock(&mailer->lock);
	if (!over)
		return;
	if (letter->done)
		letter->done(letter->context, mailed);
	letter_free(letter);
}

static struct timespec time_of(int64_t us)
{
	return (struct timespec){us / 1000000, us % 1000000 * 1000};
}

/* The lock is held. NULL: nothing is due; the thread has waited, or ends. */
static struct letter *wait_for_letter(struct mailer *mailer)
{
	int64_t next;
	struct letter *letter = take_due(mailer, clock_us(), &next);
	struct timespec until = time_of(next);

	mailer->busy = letter != NULL;
	if (letter)
		return letter;
	pthread_cond_signal(&mailer->idle);
	if (next == INT64_MAX)
		pthread_cond_wait(&mailer->changed, &mailer->lock);
	else
		pthread_cond_timedwait(&mailer->changed, &mailer->lock, &until);
	return NULL;
}

static void *run(void *mailer_)
{
	struct mailer *mailer = mailer_;

	pthread_mutex_lock(&mailer->lock);
	while (!mailer->stop) {
		struct letter *letter = wait_for_letter(mailer);

		pthread_mutex_unlock(&mailer->lock);
		if (letter)
			try_letter(mailer, letter);
		pthread_mutex_lock(&mailer->lock);
	}
	mailer->busy = false;
	pthread_mutex_unlock(&mailer->lock);
	return NULL;
}

/* ---- opening and closing ---------------------------------------------------------------------------- */

static void make_url(struct mailer *mailer, const struct mailer_settings *settings)
{
	bool inet6 = settings->address.family == LISTEN_INET6;
	const char *host = settings->address.host[0] ? settings->address.host : inet6 ? "::1" : "127.0.0.1";
	bool literal = strchr(host, ':') != NULL;

	snprintf(mailer->url, sizeof(mailer->url), "smtp://%s%s%s:%u", literal ? "[" : "", host, literal ? "]" : "",
		 settings->address.port);
	snprintf(mailer->name, sizeof(mailer->name), "%.*s", SLICE_ARGS(settings->text));
}

static void init(struct mailer *mailer)
{
	pthread_condattr_t attributes;

	mailer->last = &mailer->first;
	pthread_mutex_init(&mailer->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&mailer->changed, &attributes);
	pthread_cond_init(&mailer->idle, &attributes);
	pthread_condattr_destroy(&attributes);
}

static void destroy(struct mailer *mailer)
{
	pthread_cond_destroy(&mailer->changed);
	pthread_cond_destroy(&mailer->idle);
	pthread_mutex_destroy(&mailer->lock);
	free(mailer);
}

int mailer_library(struct error *err)
{
	return curl_library_open(err) ? 0 : -1;
}

struct mailer *mailer_open(const struct mailer_settings *settings, struct error *err)
{
	struct mailer *mailer = xmalloc(sizeof(*mailer));

	init(mailer);
	make_url(mailer, settings);
	mailer->timeout_us = settings->timeout_us ? settings->timeout_us : MAILER_TIMEOUT_US;
	mailer->first_us = settings->first_us ? settings->first_us : MAILER_FIRST_US;
	mailer->curl = smtp_prepare(err);
	if (mailer->curl && pthread_create(&mailer->thread, NULL, run, mailer) == 0)
		return mailer;
	if (mailer->curl)
		error_set(err, "mailer %s: cannot start the thread that sends", mailer->name);
	destroy(mailer);
	return NULL;
}

void mailer_close(struct mailer *mailer, int64_t until_us)
{
	struct timespec until = time_of(until_us);
	int64_t next;
	int rc = 0;

	if (!mailer)
		return;
	pthread_mutex_lock(&mailer->lock);
	while (rc == 0 && (mailer->busy || (mailer->first && mailer->resume_us <= clock_us())))
		rc = pthread_cond_timedwait(&mailer->idle, &mailer->lock, &until);
	mailer->stop = true;
	pthread_cond_signal(&mailer->changed);
	pthread_mutex_unlock(&mailer->lock);
	pthread_join(mailer->thread, NULL);
	mailer->resume_us = 0;
	for (struct letter *letter; (letter = take_due(mailer, INT64_MAX, &next));) {
		if (letter->done)
			letter->done(letter->context, MAIL_LOST);
		letter_free(letter);
	}
	destroy(mailer);
}

/* ---- for others ----------------------------------------------------------------------------------------- */

static char *copy_of(struct slice text)
{
	char *copy = xmalloc(text.n + 1);

	return text.n ? memcpy(copy, text.p, text.n) : copy;
}

bool mailer_submit(struct mailer *mailer, const struct mailer_message *message)
{
	struct letter *letter;
	bool fits;

	pthread_mutex_lock(&mailer->lock);
	fits = !mailer->stop && mailer->counters.waiting < MAILER_QUEUE_MAX && message->text.n <= MAILER_BYTES_MAX &&
	       mailer->bytes <= MAILER_BYTES_MAX - message->text.n;
	if (fits) {
		letter = xmalloc(sizeof(*letter));
		letter->recipient = copy_of(message->recipient);
		letter->sender = copy_of(message->sender);
		letter->text = (struct slice){copy_of(message->text), message->text.n};
		letter->dies_us = clock_us() + MAILER_LIFE_US;
		letter->done = message->done;
		letter->context = message->context;
		append(mailer, letter);
		pthread_cond_signal(&mailer->changed);
	} else {
		mailer->counters.lost++;
	}
	pthread_mutex_unlock(&mailer->lock);
	return fits;
}

/* mailer_owns() is about notes, which have no sender. */
static void ignore_connection(void *context, const char *address, unsigned port)
{
	(void)context, (void)address, (void)port;
}

enum mailed mailer_send(struct mailer *mailer, const struct mailer_message *message, bool (*stopped)(void *),
			void *context, struct error *answer_r)
{
	char *recipient, *sender;
	struct attempt_end end;
	enum tried tried;
	enum mailed mailed;

	if (message->text.n > MAILER_BYTES_MAX) {
		error_set(answer_r, "the message is too large: %zu bytes", message->text.n);
		return MAIL_REFUSED;
	}
	recipient = copy_of(message->recipient);
	sender = copy_of(message->sender);
	tried = smtp_send(&(struct attempt){.curl = mailer->curl,
					    .url = mailer->url,
					    .timeout_us = mailer->timeout_us,
					    .recipient = recipient,
					    .sender = sender,
					    .text = message->text,
					    .connected = ignore_connection,
					    .stopped = stopped,
					    .context = context},
			  &end);
	free(recipient);
	free(sender);
	pthread_mutex_lock(&mailer->lock);
	mailed = count(mailer, tried, &end);
	pthread_mutex_unlock(&mailer->lock);
	*answer_r = end.code ? end.reply : end.why;
	return mailed == MAIL_REFUSED && end.had_text ? MAIL_UNWANTED : mailed;
}

bool mailer_owns(struct mailer *mailer, struct ip client, unsigned port)
{
	bool owns;

	pthread_mutex_lock(&mailer->lock);
	owns = mailer->own.family && port == mailer->own_port && ip_equal(client, mailer->own);
	pthread_mutex_unlock(&mailer->lock);
	return owns;
}

void mailer_counters(struct mailer *mailer, struct mailer_counters *counters_r)
{
	pthread_mutex_lock(&mailer->lock);
	*counters_r = mailer->counters;
	counters_r->waiting += mailer->busy;
	pthread_mutex_unlock(&mailer->lock);
}

static bool report(struct mailer *mailer, int64_t now_us, struct error *line_r)
{
	const struct mailer_counters *c = &mailer->counters;
	uint64_t troubles = c->failures + c->refused + c->lost;

	if (troubles == mailer->reported && mailer->in_trouble && mailer->well) {
		error_set(line_r, "mailer %s works again; messages that wait: %llu", mailer->name,
			  (unsigned long long)c->waiting);
		mailer->in_trouble = false;
		return true;
	}
	if (troubles == mailer->reported || (mailer->reported_us && now_us - mailer->reported_us < REPORT_US))
		return false;
	error_set(line_r, "mailer %s: %s; waiting %llu, refused %llu, lost %llu", mailer->name,
		  mailer->why.text[0] ? mailer->why.text : "its queue is full", (unsigned long long)c->waiting,
		  (unsigned long long)c->refused, (unsigned long long)c->lost);
	mailer->reported = troubles;
	mailer->reported_us = now_us;
	mailer->in_trouble = true;
	return true;
}

bool mailer_in_trouble(struct mailer *mailer)
{
	bool is;

	pthread_mutex_lock(&mailer->lock);
	is = mailer->in_trouble;
	pthread_mutex_unlock(&mailer->lock);
	return is;
}

bool mailer_report(struct mailer *mailer, int64_t now_us, struct error *line_r)
{
	bool is;

	pthread_mutex_lock(&mailer->lock);
	is = report(mailer, now_us, line_r);
	pthread_mutex_unlock(&mailer->lock);
	return is;
}
