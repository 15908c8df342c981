/*
 * redis_reply.c - replies, read by hiredis and made by us.
 *
 * The library calls our functions for each value, so no length of a reply decides how much memory is taken: a text is
 * made when all of it has arrived, and what arrives is bounded; a list is refused when it says that it is too long.
 * The depth is bounded by the library (7 in 0.14, 9 in 1.2).
 */
#include "redis_reply.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>

#define SHOWN_MAX 60 /* bytes of what is not a reply */

#if HIREDIS_MAJOR >= 1
typedef size_t list_count;
#else
typedef int list_count;
#endif

struct redis_reader {
	struct arena *arena;
	redisReader *library;
	size_t limit, fed, items;
	char first[SHOWN_MAX];
	bool over, ended;
};

/* ---- values ------------------------------------------------------------------------------------ */

/* NULL, when it has no place: the library then gives up. */
static struct redis_reply *value_new(const redisReadTask *task, enum redis_type type)
{
	struct redis_reader *reader = task->privdata;
	struct redis_reply *value, *list = task->parent ? task->parent->obj : NULL;

	if (list && (task->idx < 0 || (size_t)task->idx >= list->count))
		return NULL;
	value = arena_alloc(reader->arena, sizeof(*value));
	value->type = type;
	if (list)
		list->items[task->idx] = value;
	return value;
}

static void *make_text(const redisReadTask *task, char *p, size_t n)
{
	struct redis_reader *reader = task->privdata;
	bool known = task->type == REDIS_REPLY_STRING || task->type == REDIS_REPLY_STATUS;
	struct redis_reply *value;

	if (n > reader->fed || (!known && task->type != REDIS_REPLY_ERROR))
		return NULL;
	value = value_new(task, known ? REDIS_TEXT : REDIS_ERROR);
	if (value)
		value->text = arena_copy(reader->arena, (struct slice){p, n});
	return value;
}

static void *make_list(const redisReadTask *task, list_count count)
{
	struct redis_reader *reader = task->privdata;
	struct redis_reply *value;

	if (task->type != REDIS_REPLY_ARRAY || (size_t)count > REDIS_REPLY_ITEMS - reader->items) {
		reader->over = task->type == REDIS_REPLY_ARRAY;
		return NULL;
	}
	reader->items += (size_t)count;
	value = value_new(task, REDIS_LIST);
	if (value) {
		value->count = (size_t)count;
		value->items = arena_alloc(reader->arena, value->count * sizeof(struct redis_reply *) + 1);
	}
	return value;
}

static void *make_number(const redisReadTask *task, long long number)
{
	struct redis_reply *value = value_new(task, REDIS_NUMBER);

	if (value)
		value->number = number;
	return value;
}

static void *make_none(const redisReadTask *task)
{
	return value_new(task, REDIS_NONE);
}

static void release(void *value)
{
	(void)value; /* it is the arena's */
}

/* The other types of newer versions of the library are never made, since we do not say HELLO 3. */
#if HIREDIS_MAJOR >= 1
static void *make_double(const redisReadTask *task, double number, char *p, size_t n)
{
	(void)task, (void)number, (void)p, (void)n;
	return NULL;
}

static void *make_bool(const redisReadTask *task, int truth)
{
	(void)task, (void)truth;
	return NULL;
}
#endif

static redisReplyObjectFunctions functions = {
    .createString = make_text,
    .createArray = make_list,
    .createInteger = make_number,
    .createNil = make_none,
#if HIREDIS_MAJOR >= 1
    .createDouble = make_double,
    .createBool = make_bool,
#endif
    .freeObject = release,
};

/* ---- bytes ------------------------------------------------------------------------------------- */

struct redis_reader *redis_reader_new(struct arena *arena, size_t limit)
{
	struct redis_reader *reader = xmalloc(sizeof(*reader));

	reader->arena = arena;
	reader->limit = limit;
	reader->library = redisReaderCreateWithFunctions(&functions);
	if (!reader->library)
		die("out of memory: a reader of replies");
	reader->library->privdata = reader;
	return reader;
}

void redis_reader_free(struct redis_reader *reader)
{
	if (!reader)
		return;
	redisReaderFree(reader->library);
	free(reader);
}

static int give_up(struct redis_reader *reader, struct error *err)
{
	char shown[SHOWN_MAX + 1];
	size_t n = reader->fed < SHOWN_MAX ? reader->fed : SHOWN_MAX;

	for (size_t i = 0; i < n; i++)
		shown[i] = is_control(reader->first[i]) || (reader->first[i] & 0x80) ? '.' : reader->first[i];
	shown[n] = '\0';
	reader->ended = true;
	if (reader->over || reader->fed > reader->limit)
		error_set(err, "the answer is too long; it begins with \"%s\"", shown);
	else
		error_set(err, "the answer is not one of Redis; it begins with \"%s\"", shown);
	return -1;
}

int redis_reader_feed(struct redis_reader *reader, struct slice bytes, const struct redis_reply **reply_r,
		      struct error *err)
{
	void *reply = NULL;

	if (reader->ended)
		return give_up(reader, err);
	if (reader->fed < SHOWN_MAX && bytes.n > 0)
		memcpy(reader->first + reader->fed, bytes.p,
		       bytes.n < SHOWN_MAX - reader->fed ? bytes.n : SHOWN_MAX - reader->fed);
	reader->fed += bytes.n;
	if (reader->fed > reader->limit || redisReaderFeed(reader->library, bytes.p, bytes.n) != REDIS_OK ||
	    redisReaderGetReply(reader->library, &reply) != REDIS_OK)
		return give_up(reader, err);
	if (!reply)
		return 0;
	if (reader->library->pos < reader->library->len)
		return give_up(reader, err);
	reader->ended = true;
	*reply_r = reply;
	return 1;
}

struct slice redis_error_word(const struct redis_reply *reply)
{
	struct slice rest = reply->text, word = SLICE("");

	slice_word(&rest, &word);
	return word;
}

bool redis_is_list(const struct redis_reply *reply, size_t count, size_t numbers)
{
	if (reply->type != REDIS_LIST || reply->count < count || numbers > reply->count)
		return false;
	for (size_t i = 0; i < numbers; i++)
		if (reply->items[i]->type != REDIS_NUMBER)
			return false;
	return true;
}

uint64_t redis_info_number(const struct redis_reply *reply, struct slice name)
{
	struct slice rest = reply->type == REDIS_TEXT ? reply->text : SLICE(""), line, word;
	uint64_t number = 0;

	while (slice_cut(&rest, '\n', &line)) {
		line = slice_trim(line);
		slice_cut(&line, ':', &word);
		if (slice_equal(word, name) && slice_number(line, INT64_MAX, &number) == 0)
			return number;
	}
	return 0;
}
