/*
 * list.c - a list and its backend: which one reads it, whether it has content, and when
 * its failure is reported.
 *
 * Contract: list.h.
 */
#include "backend.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct list_backend *const backends[] = {&list_file, &list_dynamic};

struct list {
	const struct list_backend *backend;
	char *name, *place;
	struct list_setting setting; /* points into these */
	struct slice where;          /* the place after its scheme */
	void *state;                 /* of the backend; NULL before it is loaded */
	_Atomic bool ready;          /* it has content */
	_Atomic int64_t read_us;     /* clock_wall_us; 0: never */
	_Atomic uint64_t entries;
	_Atomic bool failing;
	pthread_mutex_t lock; /* of failure, which only the thread that refreshes changes */
	struct error failure;
	int64_t reported_at; /* clock_us; 0: never */
};

static const struct list_backend *find_backend(struct slice scheme)
{
	for (size_t i = 0; i < sizeof(backends) / sizeof(backends[0]); i++) {
		if (slice_equal_nocase(scheme, slice_of(backends[i]->name)))
			return backends[i];
	}
	return NULL;
}

static char *copy(struct slice text)
{
	char *copied = xmalloc(text.n + 1);

	if (text.n)
		memcpy(copied, text.p, text.n);
	return copied;
}

static void copy_writers(struct list *list, const struct list_setting *setting)
{
	struct slice *writers = xmalloc(sizeof(*writers) * (setting->writer_count + 1));

	for (size_t i = 0; i < setting->writer_count; i++)
		writers[i] = (struct slice){copy(setting->writers[i]), setting->writers[i].n};
	list->setting.writers = writers;
}

struct list *list_new(const struct list_setting *setting, struct error *err)
{
	ptrdiff_t colon = slice_find(setting->place, ':');
	const struct list_backend *backend = colon > 0 ? find_backend(slice_head(setting->place, (size_t)colon)) : NULL;
	struct list *list;

	if (!backend || setting->place.n == (size_t)colon + 1) {
		error_set(err, "\"%.*s\" is not a place for a list", SLICE_ARGS(slice_head(setting->place, 64)));
		return NULL;
	}
	list = xmalloc(sizeof(*list));
	list->backend = backend;
	list->name = copy(setting->name);
	list->place = copy(setting->place);
	list->setting = *setting;
	list->setting.name = slice_of(list->name);
	list->setting.place = slice_of(list->place);
	copy_writers(list, setting);
	list->where = slice_from(list->setting.place, (size_t)colon + 1);
	pthread_mutex_init(&list->lock, NULL);
	return list;
}

void list_free(struct list *list)
{
	if (!list)
		return;
	if (list->state)
		list->backend->close(list->state);
	for (size_t i = 0; i < list->setting.writer_count; i++)
		free((char *)list->setting.writers[i].p);
	free((struct slice *)list->setting.writers);
	pthread_mutex_destroy(&list->lock);
	free(list->name);
	free(list->place);
	free(list);
}

const char *list_name(const struct list *list)
{
	return list->name;
}

bool list_is_owners(const struct list *list)
{
	return list->setting.owners;
}

bool list_is_canonical(const struct list *list)
{
	return list->setting.canonical;
}

bool list_is_ready(const struct list *list)
{
	return list->ready;
}

void list_state(const struct list *list, struct list_state *state_r)
{
	*state_r = (struct list_state){list->ready, list->failing, list->read_us, list->entries};
}

const char *list_place(const struct list *list)
{
	return list->place;
}

void list_failure(struct list *list, struct error *failure_r)
{
	pthread_mutex_lock(&list->lock);
	*failure_r = list->failure;
	pthread_mutex_unlock(&list->lock);
	if (!list->failing)
		failure_r->text[0] = '\0';
}

bool list_is_dynamic(const struct list *list)
{
	return list->backend->add != NULL;
}

/* Entries of a dynamic list are stored under its name. */
bool list_is_same(const struct list *a, const struct list *b)
{
	if (list_is_dynamic(a) && list_is_dynamic(b))
		return slice_equal(a->setting.name, b->setting.name);
	return a->setting.owners == b->setting.owners && a->setting.canonical == b->setting.canonical &&
	       slice_equal(a->setting.place, b->setting.place);
}

const struct slice *list_writers(const struct list *list, size_t *count_r)
{
	*count_r = list->setting.writer_count;
	return list->setting.writers;
}

/* ---- reading ------------------------------------------------------------------- */

/* The first fault, and how many more there are, in one line. */
static void keep_failure(struct list *list, const struct list_faults *faults)
{
	pthread_mutex_lock(&list->lock);
	list->failure = faults->texts[0];
	if (faults->count > 1) {
		size_t n = strlen(list->failure.text);

		snprintf(list->failure.text + n, sizeof(list->failure.text) - n,
			 " (more lines are wrong; \"sekisho check\" names them)");
	}
	pthread_mutex_unlock(&list->lock);
}

/* 1, 0 or -1 as the backend says. */
static int look(struct list *list, struct list_faults *faults_r)
{
	int result;

	faults_r->count = 0;
	faults_r->malformed = false;
	result = list->backend->refresh(list->state, faults_r);
	if (result > 0) {
		list->ready = true;
		list->failing = false;
		list->read_us = clock_wall_us();
		list->entries = list->backend->entries ? list->backend->entries(list->state) : 0;
	} else if (result < 0) {
		keep_failure(list, faults_r);
		list->failing = true;
	}
	return result;
}

int list_load(struct list *list, const struct list *before, struct list_faults *faults_r)
{
	list->state = list->backend->open(&list->setting, list->where, before ? before->state : NULL);
	list->ready = before && before->ready;
	list->read_us = before ? before->read_us : 0;
	list->entries = before ? before->entries : 0;
	if (look(list, faults_r) >= 0)
		return 0;
	list->reported_at = clock_us();
	return -1;
}

int list_refresh(struct list *list)
{
	struct list_faults faults;
	int result = look(list, &faults);

	return result == 0 && list->failing ? -1 : result;
}

const char *list_report(struct list *list, int64_t now_us)
{
	if (!list->failing || (list->reported_at && now_us - list->reported_at < LIST_REPORT_US))
		return NULL;
	list->reported_at = now_us;
	return list->failure.text;
}

/* ---- asking -------------------------------------------------------------------- */

enum truth list_has(struct list *list, struct store *store, const struct list_key *key)
{
	return list->state ? list->backend->has(list->state, store, key) : TRUTH_UNKNOWN;
}

enum truth list_owns(struct list *list, struct slice login, const struct address *address)
{
	return list->state ? list->backend->owns(list->state, login, address) : TRUTH_UNKNOWN;
}

enum truth list_value(struct list *list, struct slice login, struct arena *arena, struct slice *value_r)
{
	if (!list->state)
		return TRUTH_UNKNOWN;
	return list->backend->value ? list->backend->value(list->state, login, arena, value_r) : TRUTH_FALSE;
}

const char *list_unknown(const struct list *list)
{
	return list->backend->unknown;
}

/* ---- changing ------------------------------------------------------------------ */

static int changeable(const struct list *list, const struct store *store, struct error *err)
{
	if (!list_is_dynamic(list))
		error_set(err, "the list %s is %s; only a dynamic: list can be changed and shown", list->name,
			  list->place);
	else if (!list->state || !store)
		error_set(err, "no store is open");
	else
		return 0;
	return -1;
}

int list_add(struct list *list, struct store *store, struct slice entry, int64_t life_us, struct arena *arena,
	     struct list_member *member_r, bool *was_r, struct error *err)
{
	if (changeable(list, store, err))
		return -1;
	return list->backend->add(list->state, store, entry, life_us, arena, member_r, was_r, err);
}

int list_remove(struct list *list, struct store *store, struct slice entry, struct arena *arena, struct error *err)
{
	if (changeable(list, store, err))
		return -1;
	return list->backend->remove(list->state, store, entry, arena, err);
}

int list_member(struct list *list, struct store *store, struct slice entry, struct arena *arena,
		struct list_member *member_r, struct error *err)
{
	if (changeable(list, store, err))
		return -1;
	return list->backend->member(list->state, store, entry, arena, member_r, err);
}

int list_members(struct list *list, struct store *store, struct slice after, struct arena *arena,
		 struct list_page *page_r, struct error *err)
{
	if (changeable(list, store, err))
		return -1;
	return list->backend->members(list->state, store, after, arena, page_r, err);
}
