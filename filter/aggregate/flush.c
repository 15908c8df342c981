/*
 * flush.c - rows in memory go to the store, sorted, in batches.
 */
#include "aggregate_private.h"

#include <stdio.h>
#include <stdlib.h>

#define BATCH    256 /* sums of a question: one round trip to a store in another process */
#define DAY_TEXT 12

struct batch {
	struct aggregate *aggregate;
	int64_t wall_us;
	struct store_sum sums[BATCH];
	struct waiting *rows[BATCH]; /* of each sum; NULL: a total */
	struct waiting **first;      /* of the domain of a total */
	char keys[BATCH][REPORT_KEY];
	unsigned char members[BATCH][ROW_LONG_SIZE];
	size_t count;
};

static struct slice domain_of(const struct waiting *waiting)
{
	return (struct slice){waiting->bytes, waiting->domain_n};
}

static struct slice row_of(const struct waiting *waiting)
{
	return (struct slice){waiting->bytes + waiting->domain_n, waiting->n};
}

/* ---- from memory ------------------------------------------------------------------------------ */

static struct waiting *collect(struct aggregate *aggregate)
{
	struct waiting *all = aggregate->pending;

	aggregate->pending = NULL;
	for (size_t i = 0; i < SHARDS; i++) {
		struct shard *shard = &aggregate->shards[i];
		struct waiting **fresh = xmalloc(BUCKETS * sizeof(*fresh)), **full;

		pthread_mutex_lock(&shard->lock);
		full = shard->buckets;
		shard->buckets = fresh;
		pthread_mutex_unlock(&shard->lock);
		for (size_t j = 0; j < BUCKETS; j++)
			for (struct waiting *waiting = full[j], *next; waiting; waiting = next) {
				next = waiting->next;
				waiting->next = all;
				all = waiting;
			}
		free(full);
	}
	return all;
}

static int compare(const void *a_, const void *b_)
{
	const struct waiting *a = *(struct waiting *const *)a_, *b = *(struct waiting *const *)b_;
	size_t n = a->domain_n < b->domain_n ? a->domain_n : b->domain_n;
	int order;

	if (a->is_policy != b->is_policy)
		return a->is_policy ? -1 : 1;
	if (a->day != b->day)
		return a->day < b->day ? -1 : 1;
	order = memcmp(a->bytes, b->bytes, n);
	if (order != 0 || a->domain_n != b->domain_n)
		return order != 0 ? order : (int)a->domain_n - (int)b->domain_n;
	n = a->n < b->n ? a->n : b->n;
	order = memcmp(a->bytes + a->domain_n, b->bytes + b->domain_n, n);
	return order != 0 ? order : (a->n > b->n) - (a->n < b->n);
}

/* Sorted, as neighbours share pages of a file. */
static struct waiting **sort(struct waiting *all, size_t *count_r)
{
	struct waiting **sorted;
	size_t count = 0;

	for (const struct waiting *waiting = all; waiting; waiting = waiting->next)
		count++;
	*count_r = count;
	sorted = xmalloc((count + 1) * sizeof(struct waiting *));
	count = 0;
	for (struct waiting *waiting = all; waiting; waiting = waiting->next)
		sorted[count++] = waiting;
	qsort(sorted, count, sizeof(struct waiting *), compare);
	return sorted;
}

static void waiting_free(struct aggregate *aggregate, struct waiting *waiting)
{
	atomic_fetch_sub_explicit(&aggregate->rows, 1, memory_order_relaxed);
	atomic_fetch_sub_explicit(&aggregate->bytes, sizeof(*waiting) + waiting->domain_n + waiting->n,
				  memory_order_relaxed);
	free(waiting);
}

/* ---- to the store -------------------------------------------------------------------------------- */

static bool put_policy(struct aggregate *aggregate, const struct waiting *waiting, int64_t wall_us)
{
	char key[REPORT_KEY];
	enum store_answer answer =
	    store_put_absent(aggregate->store, key_policy(waiting->day, domain_of(waiting), waiting->policy, key),
			     row_of(waiting), day_life_us(waiting->day, wall_us));

	if (answer != STORE_OK && answer != STORE_EXISTS)
		return false;
	atomic_store_explicit(&aggregate->seen[waiting->hash % SEEN], waiting->hash, memory_order_relaxed);
	return true;
}

static struct store_sum *batch_next(struct batch *batch, struct waiting *row)
{
	batch->rows[batch->count] = row;
	return &batch->sums[batch->count++];
}

/* The member of a row; a long one is put into the store first. False: the store did not take it. */
static bool member_of(struct batch *batch, const struct waiting *row, size_t key_n, struct slice *member_r)
{
	unsigned char *member = batch->members[batch->count - 1];
	char key[REPORT_KEY];
	enum store_answer answer;

	*member_r = row_of(row);
	if (row->n <= STORE_SUM_MAX - key_n)
		return true;
	row_shorten(row_of(row), member);
	*member_r = (struct slice){(const char *)member, ROW_LONG_SIZE};
	answer = store_put_absent(batch->aggregate->store, key_row(row->day, member, key), row_of(row),
				  day_life_us(row->day, batch->wall_us));
	return answer == STORE_OK || answer == STORE_EXISTS;
}

static bool batch_row(struct batch *batch, struct waiting *row)
{
	struct store_sum *sum = batch_next(batch, row);

	sum->key = key_domain(row->day, domain_of(row), batch->keys[batch->count - 1]);
	sum->amount = row->count;
	sum->life_us = day_life_us(row->day, batch->wall_us);
	return member_of(batch, row, sum->key.n, &sum->member);
}

static void batch_total(struct batch *batch, const struct waiting *row, uint64_t amount, bool of_day)
{
	struct store_sum *sum = batch_next(batch, NULL);
	char *key = batch->keys[batch->count - 1];

	if (of_day) {
		int n = snprintf(key, DAY_TEXT, "%u", row->day);

		sum->key = KEY_DAYS;
		sum->member = (struct slice){key, (size_t)n};
	} else {
		sum->key = key_day(row->day, key);
		sum->member = domain_of(row);
	}
	sum->amount = amount;
	sum->life_us = day_life_us(row->day, batch->wall_us);
}

static bool is_same_domain(const struct waiting *a, const struct waiting *b)
{
	return a->day == b->day && slice_equal(domain_of(a), domain_of(b));
}

/* The totals come before the rows: a domain that is not in the list would never be reported. Rows that were in a total
 * already are not in another when the store takes them only later. */
static void batch_totals(struct batch *batch, struct waiting **rows, size_t count)
{
	uint64_t amount = 0;

	for (size_t i = 0; i < count && is_same_domain(rows[0], rows[i]); i++)
		amount += rows[i]->totalled ? 0 : rows[i]->count;
	if (amount == 0)
		return;
	batch_total(batch, rows[0], amount, true);
	batch_total(batch, rows[0], amount, false);
}

static void mark_totalled(struct waiting **rows, size_t count)
{
	for (size_t i = 0; i < count && is_same_domain(rows[0], rows[i]); i++)
		rows[i]->totalled = true;
}

/* Fills a batch from rows[0] on. Returns how many rows are in it; false in *whole_r: the store did not take a row. */
static size_t batch_fill(struct batch *batch, struct waiting **rows, size_t count, bool *whole_r)
{
	size_t taken = 0;

	batch->count = 0;
	*whole_r = true;
	while (taken < count && batch->count + 3 <= BATCH && *whole_r) {
		if (!rows[taken]->totalled) {
			batch_totals(batch, rows + taken, count - taken);
			mark_totalled(rows + taken, count - taken);
		}
		*whole_r = batch_row(batch, rows[taken]);
		taken += *whole_r;
	}
	if (!*whole_r)
		batch->count--;
	return taken;
}

/* The store did not take the sums from `added` on: totals among them are added with the rows that are left. Returns how
 * many rows it took. */
static size_t batch_undo(struct batch *batch, size_t added, struct waiting **rows, size_t count)
{
	size_t taken = 0;

	for (size_t i = 0; i < added; i++)
		taken += batch->rows[i] != NULL;
	for (size_t i = added; i < batch->count; i++)
		for (size_t j = taken; !batch->rows[i] && j < count; j++)
			if (slice_equal(batch->sums[i].member, domain_of(rows[j])))
				rows[j]->totalled = false;
	return taken;
}

/* How many of the rows the store took. */
static size_t add_rows(struct batch *batch, struct waiting **rows, size_t count)
{
	size_t done = 0, added;
	bool whole = true;

	while (done < count && whole) {
		size_t taken = batch_fill(batch, rows + done, count - done, &whole);

		if (store_add(batch->aggregate->store, batch->sums, batch->count, &added) != STORE_OK)
			return done + batch_undo(batch, added, rows + done, count - done);
		done += taken;
	}
	return done;
}

/* Rows must not take the room that greylisting and limits need. */
static bool is_crowded(struct store *store)
{
	struct store_counters counters;

	store_counters(store, &counters);
	return counters.at_most > 0 && counters.bytes > counters.at_most / 2;
}

static void lose(struct aggregate *aggregate, struct waiting **sorted, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!sorted[i]->is_policy)
			atomic_fetch_add_explicit(&aggregate->lost, sorted[i]->count, memory_order_relaxed);
		waiting_free(aggregate, sorted[i]);
	}
}

void flush_rows(struct aggregate *aggregate)
{
	size_t count, done = 0;
	struct waiting **sorted = sort(collect(aggregate), &count);
	struct batch *batch = xmalloc(sizeof(*batch));
	bool crowded = is_crowded(aggregate->store);

	batch->aggregate = aggregate;
	batch->wall_us = clock_wall_us();
	atomic_store(&aggregate->crowded, crowded);
	if (crowded) {
		lose(aggregate, sorted, count);
		done = count;
	}
	while (done < count && sorted[done]->is_policy && put_policy(aggregate, sorted[done], batch->wall_us))
		waiting_free(aggregate, sorted[done++]);
	if (done < count && !sorted[done]->is_policy) {
		size_t added = add_rows(batch, sorted + done, count - done);

		for (size_t i = 0; i < added; i++)
			waiting_free(aggregate, sorted[done++]);
	}
	atomic_store(&aggregate->unanswered, done < count);
	for (; done < count; done++) {
		sorted[done]->next = aggregate->pending;
		aggregate->pending = sorted[done];
	}
	free(batch);
	free(sorted);
}
