/*
 * test_dkim_threads.c - one private key and one published key, used by many threads at
 * the same time: what is prepared with a key is only ever copied.
 */
#include "../../filter/dns/resolver.h"
#include "dkim_bench.h"
#include <pthread.h>

#define THREADS 4
#define ROUNDS  50
#define LETTER  "From: Alice <alice@example.org>\nSubject: hello\n\nHello.\n"

struct worker {
	pthread_t thread;
	struct bench bench; /* the keys of all, and an arena of its own */
	struct resolver *resolver;
	bool ed;
	unsigned passes, fails;
};

static enum dkim_result verify(struct worker *worker, struct slice text)
{
	struct dkim_rules rules = bench_rules();
	struct arena *arena = worker->bench.arena;
	struct mail mail = mail_of(&worker->bench, text);
	struct dkim_body *body = dkim_body_new(arena);
	struct dkim_verifier *verifier = dkim_verify_begin(&rules, &mail.headers, SLICE("example.org"), body, arena);
	struct dns_budget *budget = dns_budget_open(worker->resolver, arena, 100);
	struct dkim_outcome outcome;

	dkim_body_add(body, mail.body);
	dkim_verify_end(verifier, budget, &outcome);
	dns_budget_close(budget);
	return outcome.result;
}

static void *work(void *with)
{
	struct worker *worker = with;
	struct bench *bench = &worker->bench;

	for (int i = 0; i < ROUNDS; i++) {
		struct dkim_signing signing = bench_signing(bench, worker->ed);
		struct slice text = bench_sign(bench, &signing, SLICE(LETTER));

		worker->passes += verify(worker, text) == DKIM_PASS;
		worker->fails += verify(worker, replaced(bench, text, "hello", "hullo")) == DKIM_FAIL;
		arena_reset(bench->arena);
	}
	return NULL;
}

static void keys_sign_and_verify_in_many_threads_at_once(void **state)
{
	struct bench *bench = *state;
	struct worker workers[THREADS];
	struct error err;
	struct resolver *resolver = resolver_open_zone(bench->zone, "zone", &err);

	assert_non_null(resolver);
	for (int i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){.bench = *bench, .resolver = resolver, .ed = i == 0};
		workers[i].bench.arena = arena_new();
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		assert_int_equal(workers[i].passes, ROUNDS);
		assert_int_equal(workers[i].fails, ROUNDS);
		arena_free(workers[i].bench.arena);
	}
	resolver_release(resolver);
}

/* ---- a name server whose key is another one each time ---------------------------------------------- */

struct turning {
	struct backend backend; /* first */
	struct dns_record records[2];
	atomic_uint turn;
};

static void turning_start(struct backend *backend, const struct question *question, void *ticket)
{
	struct turning *turning = (struct turning *)backend;
	unsigned turn = atomic_fetch_add(&turning->turn, 1);
	struct dns_answer draft = {.status = DNS_OK, .count = 1, .records = &turning->records[turn % 2]};

	(void)question;
	backend_settle(backend, ticket, &draft, 1); /* for a microsecond */
}

static void turning_close(struct backend *backend)
{
	free(backend);
}

static void *verify_all(void *with)
{
	struct worker *worker = with;
	struct bench *bench = &worker->bench;
	struct dkim_signing signing = bench_signing(bench, false);
	struct arena *arena = bench->arena;
	struct slice text = bench_sign(bench, &signing, SLICE(LETTER));

	bench->arena = arena_new();
	for (int i = 0; i < 4 * ROUNDS; i++) {
		enum dkim_result result = verify(worker, text);

		worker->passes += result == DKIM_PASS;
		worker->fails += result == DKIM_FAIL;
		arena_reset(bench->arena);
	}
	arena_free(bench->arena);
	bench->arena = arena;
	return NULL;
}

static void a_key_may_be_replaced_in_the_dns_while_others_use_it(void **state)
{
	struct bench *bench = *state;
	struct turning *turning = xmalloc(sizeof(*turning));
	struct worker workers[THREADS];
	struct dkim_private *other;
	struct error err;
	struct resolver *resolver;
	unsigned passes = 0, fails = 0;

	other = dkim_private_generate(DKIM_RSA, &err);
	turning->backend = (struct backend){.start = turning_start, .close = turning_close};
	turning->records[0] = (struct dns_record){.text = dkim_private_record(bench->rsa, bench->arena), .strings = 1};
	turning->records[1] = (struct dns_record){.text = dkim_private_record(other, bench->arena), .strings = 1};
	dkim_private_free(other);
	resolver = resolver_new(&turning->backend, "turning", 1000000, 8, &err);
	for (int i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){.bench = *bench, .resolver = resolver};
		workers[i].bench.arena = arena_new();
		assert_int_equal(pthread_create(&workers[i].thread, NULL, verify_all, &workers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		passes += workers[i].passes;
		fails += workers[i].fails;
		arena_free(workers[i].bench.arena);
	}
	resolver_release(resolver);
	assert_int_equal(passes + fails, THREADS * 4 * ROUNDS);
	assert_true(passes > 0 && fails > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(keys_sign_and_verify_in_many_threads_at_once),
	    cmocka_unit_test(a_key_may_be_replaced_in_the_dns_while_others_use_it),
	};

	return cmocka_run_group_tests_name("dkim threads", tests, bench_open, bench_close);
}
