/*
 * rotate.c - makes next keys, and the steps of everything for a domain that is not watched by a person.
 *
 * Each step looks at what is there, so it can be repeated: a key that waits is not made again, only published again.
 */
#include "keys_private.h"

#include <stdio.h>
#include <time.h>

#define NAMES_A_DAY 100

/* ---- making ---------------------------------------------------------------------------------------- */

static bool has_selector(const struct key_set *set, struct slice selector)
{
	for (size_t i = 0; i < set->count; i++)
		if (slice_equal(set->keys[i].selector, selector))
			return true;
	return false;
}

/* "20261127r", "20261127e"; a second one on a day is "20261127r2". "" when there are too many. */
static struct slice next_selector(const struct key_set *set, enum dkim_algorithm algorithm, int64_t now_s,
				  struct arena *arena)
{
	char letter = algorithm == DKIM_RSA ? 'r' : 'e';
	time_t seconds = (time_t)now_s;
	struct slice selector;
	struct tm day;

	if (!gmtime_r(&seconds, &day))
		return SLICE("");
	for (unsigned i = 1; i < NAMES_A_DAY; i++) {
		selector =
		    arena_printf(arena, "%04d%02d%02d%c", day.tm_year + 1900, day.tm_mon + 1, day.tm_mday, letter);
		if (i > 1)
			selector = arena_printf(arena, "%.*s%u", SLICE_ARGS(selector), i);
		if (!has_selector(set, selector))
			return selector;
	}
	return SLICE("");
}

static int make_key(const struct key_lock *lock, const struct key_set *set, enum dkim_algorithm algorithm,
		    int64_t now_s, struct error *err)
{
	struct arena *arena = arena_new();
	struct slice selector = next_selector(set, algorithm, now_s, arena), pem;
	struct dkim_private *private = NULL;
	int result = -1;

	if (set->count >= KEYS_MAX)
		error_set(err, "%.*s has %d keys; remove those that may go", SLICE_ARGS(set->domain), KEYS_MAX);
	else if (selector.n == 0)
		error_set(err, "%.*s has no name left for a key of today", SLICE_ARGS(set->domain));
	else
	private = dkim_private_generate(algorithm, err);
	if (private) {
		pem = dkim_private_pem(private, arena);
		result = keys_write(lock, arena_join(arena, selector, SLICE(KEY_SUFFIX)), pem, now_s, err);
		explicit_bzero((char *)pem.p, pem.n);
	}
	dkim_private_free(private);
	arena_free(arena);
	return result;
}

/* Is it time for a next key of the algorithm? Never while one waits. */
static bool wants_key(const struct key_set *set, enum dkim_algorithm algorithm, const struct key_rules *rules, bool due,
		      int64_t now_s)
{
	const struct managed_key *newest = key_newest(set, algorithm);

	if (!(rules->types >> algorithm & 1))
		return false;
	if (!newest)
		return true;
	if (!key_is_ready(newest, now_s))
		return false;
	return !due || (rules->rotate_s > 0 && now_s - newest->made_s >= rules->rotate_s);
}

/* Keys whose age is only that of their file get it written down: a copy would be younger. */
static int save_ages(const struct key_lock *lock, const char *directory, struct slice domain, int64_t now_s,
		     struct key_set **set_r, struct error *err)
{
	*set_r = key_set_read(directory, domain, err);
	if (*set_r && keys_save(lock, *set_r, now_s, err) == 0)
		return 0;
	key_set_release(*set_r);
	*set_r = NULL;
	return -1;
}

static int rotate_locked(const struct key_lock *lock, const char *directory, struct slice domain,
			 const struct key_rules *rules, bool due, int64_t now_s, struct key_set **set_r,
			 struct error *err)
{
	bool made = false;

	*set_r = key_set_read(directory, domain, err);
	for (unsigned i = 0; *set_r && i < KEYS_SIGNING_MAX; i++) {
		int result;

		if (!wants_key(*set_r, (enum dkim_algorithm)i, rules, due, now_s))
			continue;
		result = make_key(lock, *set_r, (enum dkim_algorithm)i, now_s, err);
		key_set_release(*set_r);
		*set_r = result == 0 ? key_set_read(directory, domain, err) : NULL;
		made = true;
	}
	if (!*set_r || !made)
		return *set_r ? 0 : -1;
	key_set_release(*set_r);
	return save_ages(lock, directory, domain, now_s, set_r, err);
}

int keys_rotate(const char *directory, struct slice domain, const struct key_rules *rules, bool due, int64_t now_s,
		struct key_set **set_r, struct error *err)
{
	struct key_lock lock;
	int result;

	*set_r = NULL;
	if (keys_lock(directory, domain, true, &lock, err))
		return -1;
	result = rotate_locked(&lock, directory, domain, rules, due, now_s, set_r, err);
	keys_unlock(&lock);
	return result;
}

/* ---- everything ---------------------------------------------------------------------------------------- */

struct run {
	const struct key_rules *rules;
	const struct key_hook *hook;
	int64_t now_s;
	struct error *err; /* of the first thing that failed */
	bool failed;
};

static void failed(struct run *run, const struct error *err)
{
	if (!run->failed)
		*run->err = *err;
	run->failed = true;
}

/* First the record, then the key: a record without a key would stay for ever. */
static void remove_key(struct run *run, const struct key_set *set, const struct managed_key *key)
{
	struct key_lock lock;
	struct error err;
	int result;

	if (run->hook->call(run->hook->context, false, set, key, &err) ||
	    keys_lock(set->directory, set->domain, false, &lock, &err)) {
		failed(run, &err);
		return;
	}
	result = keys_remove(&lock, key, &err);
	keys_unlock(&lock);
	if (result)
		failed(run, &err);
}

static void work_on(struct run *run, const struct key_set *set)
{
	struct error err;

	for (size_t i = 0; i < set->count; i++) {
		const struct managed_key *key = &set->keys[i];
		enum key_phase phase = key_phase(set, key, run->rules, run->now_s);

		if (phase == KEY_MAY_GO)
			remove_key(run, set, key);
		else if (phase == KEY_WAITS && run->hook->call(run->hook->context, true, set, key, &err))
			failed(run, &err);
	}
}

/* What the DNS has: noted, if that changes something. */
static struct key_set *look_and_note(struct run *run, const char *directory, struct slice domain,
				     struct dns_budget *budget, const struct key_listener *listener,
				     struct arena *arena)
{
	struct key_set *set = key_set_read(directory, domain, run->err), *noted;
	struct key_look looks[KEYS_MAX];

	if (!set)
		return NULL;
	keys_look(budget, set, arena, looks);
	if (!keys_would_note(set, looks, run->rules, run->now_s))
		return set;
	if (keys_note(set, looks, run->rules, run->now_s, listener, &noted, run->err))
		noted = NULL;
	key_set_release(set);
	return noted;
}

static bool any_wanted(const struct key_set *set, const struct key_rules *rules, int64_t now_s)
{
	for (unsigned i = 0; i < KEYS_SIGNING_MAX; i++)
		if (wants_key(set, (enum dkim_algorithm)i, rules, true, now_s))
			return true;
	return false;
}

int keys_run(const char *directory, struct slice domain, const struct key_rules *rules, struct dns_budget *budget,
	     int64_t now_s, const struct key_hook *hook, const struct key_listener *listener, struct key_set **set_r,
	     struct error *err)
{
	struct run run = {.rules = rules, .hook = hook, .now_s = now_s, .err = err};
	struct arena *arena = arena_new();
	struct key_set *set = look_and_note(&run, directory, domain, budget, listener, arena), *made;

	arena_free(arena);
	*set_r = set;
	if (!set)
		return -1;
	if (any_wanted(set, rules, now_s)) {
		if (keys_rotate(directory, domain, rules, true, now_s, &made, err)) {
			key_set_release(set);
			*set_r = NULL;
			return -1;
		}
		key_set_release(set);
		*set_r = set = made;
	}
	work_on(&run, set);
	return run.failed ? -1 : 0;
}
