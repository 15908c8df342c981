/*
 * unbound.c - libunbound behind a resolver. Its own thread asks the network; one
 * thread of ours waits for what it has to tell and settles flights. No other thread
 * waits in libunbound: its blocking calls cost a millisecond even for what it has cached.
 */
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "rdata.h"
#include "resolver.h"
#include "unbound.h"

#define TYPE_DNSKEY     48  /* RFC 4034 2 */
#define BROKEN_PAUSE_MS 100 /* when libunbound's pipe fails: so that it does not eat a processor */

/* A flight's handle: 0 before libunbound has given the question a number, then that number and one. */
#define HANDLE_CANCELLED INT64_C(-1)

struct source {
	struct backend backend; /* first */
	struct ub_ctx *ctx;
	enum dnssec dnssec;
	atomic_bool unsigned_root; /* the servers give the root's keys out without their signatures */
	int stop_fd;
	pthread_t dispatcher;
	struct arena *arena; /* of the dispatcher: the texts of one answer */
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

/* Runs in the dispatcher. */
static void question_done(void *flight_, int code, struct ub_result *result)
{
	struct flight *flight = flight_;
	struct source *source = (struct source *)flight->backend;
	struct dns_record room[DNS_RECORD_MAX];
	struct dns_answer draft = result_read(source, code, result, room);
	int64_t ttl_us = draft.status == DNS_TEMPFAIL ? TTL_TEMPFAIL_US : result->ttl * SECOND_US;

	resolver_settle(source->backend.resolver, flight, &draft, ttl_us);
	ub_resolve_free(result);
	arena_reset(source->arena);
}

/* ---- the backend ----------------------------------------------------------------- */

static bool question_cancel(struct source *source, int64_t handle)
{
	/* An error says that it is not there any more: its callback has run or runs now. */
	return ub_cancel(source->ctx, (int)(handle - 1)) == 0;
}

static void unbound_start(struct backend *backend, struct flight *flight)
{
	struct source *source = (struct source *)backend;
	char name[NAME_TEXT_MAX + 1];
	struct slice text = name_print(&flight->question.name, name);
	int id;

	name[text.n] = '.'; /* the whole name */
	name[text.n + 1] = 0;
	int code = ub_resolve_async(source->ctx, name, (int)flight->question.type, 1, flight, question_done, &id);
	if (code != 0) {
		struct dns_answer draft = tempfail(DNS_FAILURE);
		resolver_settle(backend->resolver, flight, &draft, TTL_TEMPFAIL_US);
		return;
	}
	int64_t before = atomic_exchange(&flight->handle, (int64_t)id + 1);
	if (before == HANDLE_CANCELLED && question_cancel(source, (int64_t)id + 1))
		resolver_leave(backend->resolver, flight);
}

static bool unbound_cancel(struct backend *backend, struct flight *flight)
{
	int64_t handle = atomic_exchange(&flight->handle, HANDLE_CANCELLED);

	return handle > 0 && question_cancel((struct source *)backend, handle);
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

static void unbound_close(struct backend *backend)
{
	struct source *source = (struct source *)backend;
	static const uint64_t one = 1;

	if (write(source->stop_fd, &one, sizeof(one)) != sizeof(one))
		die("cannot stop the thread that waits for DNS answers");
	pthread_join(source->dispatcher, NULL);
	ub_ctx_delete(source->ctx);
	close(source->stop_fd);
	arena_free(source->arena);
	free(source);
}

struct backend *unbound_backend(const struct resolver_settings *settings, struct error *err)
{
	struct ub_ctx *ctx = unbound_context(settings, err);

	if (!ctx)
		return NULL;
	struct source *source = xmalloc(sizeof(*source));
	source->backend = (struct backend){
	    .start = unbound_start, .cancel = unbound_cancel, .close = unbound_close, .warning = unbound_warning};
	source->ctx = ctx;
	source->dnssec = settings->dnssec;
	source->arena = arena_new();
	source->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (source->stop_fd >= 0 && pthread_create(&source->dispatcher, NULL, unbound_dispatch, source) == 0) {
		probe_start(source);
		return &source->backend;
	}

	error_set(err, "the resolver cannot start its thread: the system's limits of files or threads are reached");
	if (source->stop_fd >= 0)
		close(source->stop_fd);
	arena_free(source->arena);
	ub_ctx_delete(ctx);
	free(source);
	return NULL;
}
