/*
 * unbound.c - libunbound behind a resolver. Its own thread asks the network; one
 * thread of ours waits for what it has to tell and settles tickets, and the feed's hands it
 * questions. No session is ever in libunbound: it may block, and its blocking calls cost a
 * millisecond even for what it has cached.
 */
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "backend.h"
#include "cache.h"
#include "rdata.h"
#include "unbound.h"

#define TYPE_DNSKEY     48  /* RFC 4034 2 */
#define DNS_HEADER      12  /* bytes, RFC 1035 4.1.1 */
#define BROKEN_PAUSE_MS 100 /* when libunbound's pipe fails: so that it does not eat a processor */

/* Questions that libunbound holds, wanted or not: 34 KB and a socket each, for up to five seconds where nobody answers
 * (unbound_context.c). Ten thousand a second fit in while servers answer in 50 ms. */
#define PLACES 512

/* What libunbound was asked and has not told yet. */
struct errand {
	struct source *source;
	void *ticket;
	struct errand *next; /* of those that are free */
};

struct source {
	struct backend backend; /* first */
	struct ub_ctx *ctx;
	enum dnssec dnssec;
	atomic_bool unsigned_root; /* the servers give the root's keys out without their signatures */
	int stop_fd;
	pthread_t dispatcher;
	struct arena *arena; /* of the dispatcher: the texts of one answer */
	pthread_mutex_t lock;
	struct errand *idle; /* of errands */
	struct errand errands[PLACES];
};

static struct dns_answer tempfail(enum dns_reason reason)
{
	return (struct dns_answer){.status = DNS_TEMPFAIL, .reason = reason};
}

/* RFC 1035 4.1.1, RFC 2136 2.2: what a server says when it has no answer. */
static enum dns_reason rcode_reason(int rcode)
{
	static const enum dns_reason reasons[] = {[1] = DNS_FORMERR, [4] = DNS_NOTIMP, [5] = DNS_REFUSED};
	enum dns_reason reason =
	    rcode >= 0 && rcode < (int)(sizeof(reasons) / sizeof(reasons[0])) ? reasons[rcode] : DNS_NO_REASON;

	return reason != DNS_NO_REASON ? reason : DNS_SERVFAIL;
}

static struct dns_answer records_read(struct source *source, const struct ub_result *result, struct dns_record *room)
{
	size_t count = 0, texts = 0;

	for (size_t i = 0; result->data[i] && count < DNS_RECORD_MAX; i++) {
		struct slice rdata = {result->data[i], result->len[i] > 0 ? (size_t)result->len[i] : 0};
		if (rdata_read((enum dns_type)result->qtype, rdata, source->arena, &room[count]) < 0)
			continue;
		texts += room[count].name.n + room[count].text.n;
		if (texts > ANSWER_TEXT_MAX)
			return tempfail(DNS_TOO_LARGE);
		count++;
	}
	if (count == 0)
		return tempfail(DNS_MALFORMED);
	return (struct dns_answer){.status = DNS_OK, .secure = result->secure, .count = count, .records = room};
}

static struct dns_answer result_read(struct source *source, int code, const struct ub_result *result,
				     struct dns_record *room)
{
	if (code != 0 || !result)
		return tempfail(DNS_FAILURE);
	/* libunbound gives what is bogus out together with its data. */
	if (result->bogus && source->dnssec == DNSSEC_STRICT)
		return tempfail(DNS_BOGUS);
	if (result->rcode != 0 && result->rcode != 3)
		return tempfail(rcode_reason(result->rcode));
	if (result->havedata)
		return records_read(source, result, room);
	return (struct dns_answer){.status = result->nxdomain ? DNS_NXDOMAIN : DNS_NODATA, .secure = result->secure};
}

/* There is one: nobody asks more questions at once than there are places. */
static struct errand *errand_take(struct source *source, void *ticket)
{
	pthread_mutex_lock(&source->lock);
	struct errand *errand = source->idle;
	source->idle = errand->next;
	pthread_mutex_unlock(&source->lock);
	errand->ticket = ticket;
	return errand;
}

static void *errand_give(struct errand *errand)
{
	struct source *source = errand->source;
	void *ticket = errand->ticket;

	pthread_mutex_lock(&source->lock);
	errand->next = source->idle;
	source->idle = errand;
	pthread_mutex_unlock(&source->lock);
	return ticket;
}

/* The number of records of the authority section (RFC 1035 4.1.1). */
static unsigned authority_count(const struct ub_result *result)
{
	const uint8_t *packet = result->answer_packet;

	return packet && result->answer_len >= DNS_HEADER ? (unsigned)packet[8] << 8 | packet[9] : 0;
}

/* libunbound gives a negative answer without SOA nine hours. RFC 2308 5 wants it not to be kept at all, but some DNS
 * lists send no other, and are asked for every client. */
static int64_t ttl_of(const struct ub_result *result, enum dns_status status)
{
	int64_t ttl = result->ttl * SECOND_US;

	if (status == DNS_TEMPFAIL)
		return TTL_TEMPFAIL_US;
	return status != DNS_OK && authority_count(result) == 0 && ttl > TTL_NO_SOA_US ? TTL_NO_SOA_US : ttl;
}

/* Runs in the dispatcher. */
static void question_done(void *errand_, int code, struct ub_result *result)
{
	struct errand *errand = errand_;
	struct source *source = errand->source;
	struct dns_record room[DNS_RECORD_MAX];
	struct dns_answer draft = result_read(source, code, result, room);
	draft.ttl = result && result->ttl > 0 ? (uint32_t)result->ttl : 0;

	backend_settle(&source->backend, errand_give(errand), &draft,
		       result ? ttl_of(result, draft.status) : TTL_TEMPFAIL_US);
	ub_resolve_free(result);
	arena_reset(source->arena);
}

/* ---- the backend ----------------------------------------------------------------- */

/* A question is never cancelled: libunbound would go on with it all the same, and not tell when it is done. */
static void unbound_start(struct backend *backend, const struct question *question, void *ticket)
{
	struct source *source = (struct source *)backend;
	struct errand *errand = errand_take(source, ticket);
	char name[NAME_TEXT_MAX + 1];
	struct slice text = name_print(&question->name, name);

	name[text.n] = '.'; /* the whole name */
	name[text.n + 1] = 0;
	if (ub_resolve_async(source->ctx, name, (int)question->type, 1, errand, question_done, NULL) != 0) {
		struct dns_answer draft = tempfail(DNS_FAILURE);
		backend_settle(backend, errand_give(errand), &draft, TTL_TEMPFAIL_US);
	}
}

static void *unbound_dispatch(void *source_)
{
	struct source *source = source_;
	struct pollfd fds[2] = {{.fd = source->stop_fd, .events = POLLIN},
				{.fd = ub_fd(source->ctx), .events = POLLIN}};

	for (;;) {
		if (poll(fds, 2, -1) <= 0)
			continue;
		if (fds[0].revents != 0)
			return NULL;
		if (ub_process(source->ctx) != 0)
			(void)poll(fds, 1, BROKEN_PAUSE_MS);
	}
}

/* libunbound starts its thread with the first question. That has to be now: without a descriptor for it, libevent would
 * end the process. libunbound answers for this name by itself (RFC 6761 6.3). */
static void began(void *nobody, int code, struct ub_result *result)
{
	(void)nobody, (void)code;
	ub_resolve_free(result);
}

static int thread_begin(struct source *source)
{
	return ub_resolve_async(source->ctx, "localhost.", DNS_A, 1, NULL, began, NULL);
}

/* ---- do the servers pass signatures on? ------------------------------------------------ */

static void probe_done(void *source_, int code, struct ub_result *result)
{
	struct source *source = source_;

	/* A server that fails proves nothing: only an answer counts. */
	bool answered = code == 0 && result && (result->rcode == 0 || result->rcode == 3);

	atomic_store(&source->unsigned_root, answered && !result->secure);
	ub_resolve_free(result);
}

/* Asks for what every signed answer is proved by. Nobody waits for it. */
static void probe_start(struct source *source)
{
	if (source->dnssec != DNSSEC_OFF)
		(void)ub_resolve_async(source->ctx, ".", TYPE_DNSKEY, 1, source, probe_done, NULL);
}

static const char *unbound_warning(struct backend *backend)
{
	struct source *source = (struct source *)backend;

	if (!atomic_load(&source->unsigned_root))
		return NULL;
	if (source->dnssec == DNSSEC_STRICT)
		return "the name servers strip DNSSEC signatures, so every answer will be a temporary failure: "
		       "use servers that pass them on, or \"dnssec permissive\"";
	return "the name servers strip DNSSEC signatures, so no answer will be proved: "
	       "use servers that pass them on, or \"dnssec off\"";
}

static void source_free(struct source *source)
{
	if (source->stop_fd >= 0)
		close(source->stop_fd);
	ub_ctx_delete(source->ctx);
	arena_free(source->arena);
	pthread_mutex_destroy(&source->lock);
	free(source);
}

static void unbound_close(struct backend *backend)
{
	struct source *source = (struct source *)backend;
	static const uint64_t one = 1;

	if (write(source->stop_fd, &one, sizeof(one)) != sizeof(one))
		die("cannot stop the thread that waits for DNS answers");
	pthread_join(source->dispatcher, NULL);
	source_free(source);
}

static struct source *source_new(struct ub_ctx *ctx, enum dnssec dnssec)
{
	struct source *source = xmalloc(sizeof(*source));

	source->backend = (struct backend){
	    .start = unbound_start, .close = unbound_close, .warning = unbound_warning, .places = PLACES};
	source->ctx = ctx;
	source->dnssec = dnssec;
	source->arena = arena_new();
	source->stop_fd = eventfd(0, EFD_CLOEXEC);
	pthread_mutex_init(&source->lock, NULL);
	for (int i = 0; i < PLACES; i++) {
		source->errands[i] = (struct errand){.source = source, .next = source->idle};
		source->idle = &source->errands[i];
	}
	return source;
}

struct backend *unbound_backend(const struct resolver_settings *settings, struct error *err)
{
	struct ub_ctx *ctx = unbound_context(settings, err);

	if (!ctx)
		return NULL;
	struct source *source = source_new(ctx, settings->dnssec);
	if (source->stop_fd >= 0 && thread_begin(source) == 0 &&
	    pthread_create(&source->dispatcher, NULL, unbound_dispatch, source) == 0) {
		probe_start(source);
		return &source->backend;
	}
	error_set(err, "the resolver cannot start its threads: the system's limits of files or threads are reached");
	source_free(source);
	return NULL;
}
