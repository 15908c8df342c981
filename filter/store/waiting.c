/*
 * waiting.c - who is told that the call of this thread waits for a server.
 */
#include "waiting.h"

static _Thread_local struct {
	const struct wait_hook *hook; /* NULL: nobody, or no call */
	int64_t quick_until;
	bool told;
} waiting;

void waiting_begin(const struct wait_hook *hook)
{
	waiting.hook = hook;
	waiting.told = false;
	waiting.quick_until = hook ? clock_us() + WAITING_QUICK_US : 0;
}

void waiting_tell(void)
{
	if (!waiting.hook || waiting.told)
		return;
	waiting.told = true;
	waiting.hook->waits(waiting.hook->context, true);
}

void waiting_end(void)
{
	if (waiting.told)
		waiting.hook->waits(waiting.hook->context, false);
	waiting.hook = NULL;
	waiting.told = false;
}

int64_t waiting_step(int64_t now_us, int64_t left_us)
{
	if (!waiting.hook || waiting.told)
		return left_us;
	if (now_us >= waiting.quick_until) {
		waiting_tell();
		return left_us;
	}
	return left_us < waiting.quick_until - now_us ? left_us : waiting.quick_until - now_us;
}
