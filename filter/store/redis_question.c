/*
 * redis_question.c - the words of a question.
 */
#include "redis.h"

struct redis_question redis_question_of(struct redis *redis, const struct slice *keys, size_t count)
{
	struct redis_question question = {.redis = redis, .arena = arena_new(), .keys = count};

	for (size_t i = 0; i < count; i++)
		redis_add(&question.command, keys[i]);
	redis_question_number(&question, redis->ticks ? ticker_now(&redis->ticker) : 0);
	return question;
}

void redis_question_end(struct redis_question *question)
{
	arena_free(question->arena);
}

void redis_question_number(struct redis_question *question, int64_t number)
{
	char text[NUMBER_TEXT];

	redis_add(&question->command, arena_copy(question->arena, number_print(number, text)));
}

void redis_question_halves(struct redis_question *question, uint64_t number)
{
	redis_question_number(question, (int64_t)(number >> 32));
	redis_question_number(question, (int64_t)(number & UINT32_MAX));
}

const struct redis_reply *redis_question_ask(struct redis_question *question, enum redis_script script, size_t limit,
					     int64_t deadline_us)
{
	return redis_ask_script(&question->redis->opener.pool, script, &question->command, question->keys, limit,
				deadline_us, question->arena);
}

int64_t redis_deadline(const struct redis *redis)
{
	return clock_us() + redis->opener.timeout_us;
}

void redis_note_foreign(struct redis *redis, struct slice key)
{
	struct error what;
	char shown[101];
	size_t n = key.n < 100 ? key.n : 100;

	for (size_t i = 0; i < n; i++)
		shown[i] = is_control(key.p[i]) ? '.' : key.p[i];
	shown[n] = '\0';
	error_set(&what,
		  "the key " REDIS_PREFIX
		  "%s has a value of another version of Sekisho, or of another program; it is not "
		  "used and not changed",
		  shown);
	atomic_fetch_add(&redis->damaged, 1);
	redis_pool_odd(&redis->opener.pool, &what);
}

enum store_answer redis_question_answer(struct redis_question *question, enum redis_script script)
{
	const struct redis_reply *reply =
	    redis_question_ask(question, script, REDIS_SMALL, redis_deadline(question->redis));
	enum store_answer answer = redis_read_answer(reply);

	if (reply && answer == STORE_UNAVAILABLE)
		redis_note_foreign(question->redis, question->command.words[0]);
	redis_question_end(question);
	return answer;
}
