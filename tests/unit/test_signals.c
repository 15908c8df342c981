/*
 * Every signal reaches main, whoever else waits for it, and whatever main is doing.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../filter/daemon/daemon_private.h"
#include <unistd.h>

/* As libmilter's own thread does it. */
static void *libmilter_waits(void *context)
{
	sigset_t set;
	int number;

	(void)context;
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigwait(&set, &number);
	fail_msg("libmilter got signal %d", number);
	return NULL;
}

static void no_signal_goes_to_the_thread_of_libmilter(void **state)
{
	struct daemon daemon;
	pthread_t thread;
	sigset_t waiting;

	(void)state;
	daemon_init(&daemon, "");
	signals_block();
	assert_int_equal(pthread_create(&thread, NULL, libmilter_waits, NULL), 0);
	usleep(50000); /* it waits, and we do not */
	kill(getpid(), SIGUSR1);
	kill(getpid(), SIGHUP);
	kill(getpid(), SIGTERM);
	kill(getpid(), SIGINT);
	usleep(50000); /* time enough for another thread to take one */
	sigpending(&waiting);
	assert_true(sigismember(&waiting, SIGHUP) && sigismember(&waiting, SIGTERM) && sigismember(&waiting, SIGINT));
	daemon_wait(&daemon);
	assert_int_equal(daemon.events, EVENT_RELOAD | EVENT_DRAIN);
	assert_false(daemon.finished);
	pthread_detach(thread);
}

static void one_signal_to_end_is_not_the_end(void **state)
{
	struct daemon daemon;

	(void)state;
	daemon_init(&daemon, "");
	signals_block();
	daemon_finish(&daemon); /* what the keeper does when all is drained */
	daemon_wait(&daemon);
	assert_int_equal(daemon.events, 0);
	daemon.finished = false;
	kill(getpid(), SIGINT);
	daemon_wait(&daemon); /* the signal of daemon_finish is the first of two */
	assert_int_equal(daemon.events, EVENT_DRAIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(no_signal_goes_to_the_thread_of_libmilter),
	    cmocka_unit_test(one_signal_to_end_is_not_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
