/*
 * look.c - asks the DNS for the records of keys, and notes what follows.
 *
 * A key that waits starts again when one look misses its record: not all servers of the zone have it. A key that has
 * signed is missed twice, at least the period of the checks apart, before it counts as gone. A failure of the DNS, or
 * an answer that has expired, says nothing.
 */
#include "keys_private.h"

#include <stdio.h>

#define LINE_MAX 600

void keys_hint(struct dns_budget *budget, const struct key_set *set, struct arena *arena)
{
	for (size_t i = 0; i < set->count; i++)
		dns_hint(budget, key_record_name(set, &set->keys[i], arena), DNS_TXT);
}

static struct slice why_absent(const struct dkim_published *published)
{
	if (published->count == 0)
		return SLICE("no record");
	if (published->chosen.result == DKIM_PASS)
		return SLICE("another key is published");
	return published->chosen.reason.n > 0 ? published->chosen.reason : SLICE("not a key");
}

static void look_at(struct dns_budget *budget, const struct key_set *set, const struct managed_key *key,
		    struct arena *arena, struct key_look *look_r)
{
	static const struct dkim_rules rules = {.minimum_bits = DKIM_RSA_BITS_MIN};
	const struct dns_answer *answer;
	struct dkim_published published;

	*look_r = (struct key_look){.seen = KEY_TROUBLE};
	dkim_published_find(budget, key->selector, set->domain, &rules, key->private, arena, &published);
	answer = dns_ask(budget, published.name, DNS_TXT); /* the same answer */
	look_r->ttl_s = answer->ttl < KEYS_TTL_MAX_S ? answer->ttl : KEYS_TTL_MAX_S;
	if (answer->status == DNS_TEMPFAIL || answer->stale || published.chosen.result == DKIM_TEMPERROR) {
		look_r->reason = slice_of(answer->stale ? "expired" : dns_reason_texts[answer->reason]);
		return;
	}
	if (published.chosen.result == DKIM_PASS && published.chosen.matches) {
		look_r->seen = KEY_FOUND;
		return;
	}
	look_r->seen = KEY_ABSENT;
	look_r->reason = why_absent(&published);
}

void keys_look(struct dns_budget *budget, const struct key_set *set, struct arena *arena,
	       struct key_look looks_r[KEYS_MAX])
{
	for (size_t i = 0; i < set->count; i++)
		look_at(budget, set, &set->keys[i], arena, &looks_r[i]);
}

/* ---- noting ------------------------------------------------------------------------------------------ */

struct noting {
	struct key_set *set;
	const struct key_rules *rules;
	const struct key_listener *listener; /* NULL: nobody */
	int64_t now_s;
	bool changed;
};

static void tell(const struct noting *noting, const char *level, const struct managed_key *key, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void tell(const struct noting *noting, const char *level, const struct managed_key *key, const char *format, ...)
{
	char line[LINE_MAX];
	va_list arguments;
	int n;

	if (!noting->listener)
		return;
	n = snprintf(line, sizeof(line), "key %.*s of %.*s ", SLICE_ARGS(key->selector),
		     SLICE_ARGS(noting->set->domain));
	va_start(arguments, format);
	vsnprintf(line + n, sizeof(line) - (size_t)n, format, arguments);
	va_end(arguments);
	noting->listener->tell(noting->listener->context, level, line);
}

static void set_time(struct noting *noting, int64_t *time, int64_t value)
{
	noting->changed |= *time != value;
	*time = value;
}

static void note_found(struct noting *noting, struct managed_key *key, const struct key_look *look)
{
	set_time(noting, &key->absent_s, 0);
	if (key->seen_s > 0 && !key->vanished_s) {
		if (!key_is_ready(key, noting->now_s) &&
		    look->ttl_s > key->ttl_s) /* one server had kept it for longer */
			set_time(noting, &key->ttl_s, look->ttl_s);
		return;
	}
	tell(noting, "info", key, "is in the DNS%s; it may sign in %lld s, when verifiers have it too",
	     key->vanished_s ? " again" : "", (long long)look->ttl_s);
	set_time(noting, &key->vanished_s, 0);
	set_time(noting, &key->seen_s, noting->now_s);
	set_time(noting, &key->ttl_s, look->ttl_s);
}

static void note_vanished(struct noting *noting, struct managed_key *key, const struct key_look *look)
{
	int64_t over = key->retired_s ? key->retired_s + noting->rules->keep_s : noting->now_s + 1;

	tell(noting, noting->now_s < over ? "warning" : "info", key, "is not in the DNS any more (%.*s): %s",
	     SLICE_ARGS(look->reason),
	     noting->now_s < over ? "it does not sign, and its signatures cannot be verified" : "it was not needed");
	set_time(noting, &key->vanished_s, noting->now_s);
	set_time(noting, &key->absent_s, 0);
}

static void note_absent(struct noting *noting, struct managed_key *key, const struct key_look *look)
{
	if (key->seen_s == 0 || key->vanished_s)
		return;
	if (!key_is_ready(key, noting->now_s)) {
		tell(noting, "warning", key, "is not in every answer of the DNS (%.*s): it waits again",
		     SLICE_ARGS(look->reason));
		set_time(noting, &key->seen_s, 0);
	} else if (key->absent_s == 0) {
		set_time(noting, &key->absent_s, noting->now_s);
	} else if (noting->now_s - key->absent_s >= noting->rules->check_s) {
		note_vanished(noting, key, look);
	}
}

static bool is_replaced(const struct noting *noting, const struct managed_key *key)
{
	const struct managed_key *signer = key_signer(noting->set, key->algorithm, noting->now_s);

	return key->vanished_s || !(noting->rules->types >> key->algorithm & 1) || (signer && key < signer);
}

static void note_replaced(struct noting *noting, struct managed_key *key)
{
	const struct managed_key *signer = key_signer(noting->set, key->algorithm, noting->now_s);
	bool replaced = is_replaced(noting, key);

	if (replaced == (key->retired_s > 0))
		return;
	set_time(noting, &key->retired_s, replaced ? noting->now_s : 0);
	if (replaced && signer && !key->vanished_s)
		tell(noting, "info", signer, "signs now; %.*s, which it replaces, stays published for %lld s",
		     SLICE_ARGS(key->selector), (long long)noting->rules->keep_s);
}

static void note_all(struct noting *noting, const struct key_look *looks)
{
	struct key_set *set = noting->set;

	for (size_t i = 0; i < set->count; i++) {
		if (looks[i].seen == KEY_FOUND)
			note_found(noting, &set->keys[i], &looks[i]);
		else if (looks[i].seen == KEY_ABSENT)
			note_absent(noting, &set->keys[i], &looks[i]);
	}
	for (size_t i = 0; i < set->count; i++)
		note_replaced(noting, &set->keys[i]);
}

bool keys_would_note(const struct key_set *set, const struct key_look *looks, const struct key_rules *rules,
		     int64_t now_s)
{
	struct key_set trial = {.domain = set->domain, .count = set->count};
	struct noting noting = {.set = &trial, .rules = rules, .now_s = now_s};

	memcpy(trial.keys, set->keys, sizeof(trial.keys));
	note_all(&noting, looks);
	return noting.changed;
}

/* The looks at the keys of another reading. */
static void match_looks(const struct key_set *before, const struct key_look *looks, const struct key_set *set,
			struct key_look looks_r[KEYS_MAX])
{
	for (size_t i = 0; i < set->count; i++) {
		looks_r[i] = (struct key_look){.seen = KEY_TROUBLE};
		for (size_t k = 0; k < before->count; k++)
			if (slice_equal(before->keys[k].selector, set->keys[i].selector))
				looks_r[i] = looks[k];
	}
}

static struct key_set *note_locked(const struct key_lock *lock, const struct key_set *before,
				   const struct key_look *looks, struct noting *noting, struct error *err)
{
	struct key_set *set = key_set_read(before->directory, before->domain, err);
	struct key_look matched[KEYS_MAX];

	if (!set)
		return NULL;
	match_looks(before, looks, set, matched);
	noting->set = set;
	note_all(noting, matched);
	if (noting->changed && keys_save(lock, set, noting->now_s, err)) {
		key_set_release(set);
		return NULL;
	}
	return set;
}

int keys_note(const struct key_set *before, const struct key_look *looks, const struct key_rules *rules, int64_t now_s,
	      const struct key_listener *listener, struct key_set **set_r, struct error *err)
{
	struct noting noting = {.rules = rules, .listener = listener, .now_s = now_s};
	struct key_lock lock;

	if (keys_lock(before->directory, before->domain, false, &lock, err))
		return -1;
	*set_r = note_locked(&lock, before, looks, &noting, err);
	keys_unlock(&lock);
	return *set_r ? 0 : -1;
}
