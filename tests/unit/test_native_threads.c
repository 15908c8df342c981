/*
 * 64 MTAs at once on the native milter door, on a real socket, while the engine is replaced again and again. Run under
 * ThreadSanitizer it shows data races; anywhere it shows that each message gets its own answer, and that the door ends
 * with no session left. And what the sockets do when the kernel refuses to watch one, and while the daemon drains.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "native_scene.h"
#include "policy_text.h"
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define MTAS     64
#define SESSIONS 4
#define RELOADS  50
#define END_US   (10 * 1000 * 1000)

static const char POLICY[] = "authserv-id mx.example.org\n"
			     "resolver { timeout 100ms }\n"
			     "policy inbound {\n"
			     "  on mail { reject 550 5.7.1 \"No\"  if sender.domain is bad.example }\n"
			     "  on message { prefix-subject \"[x] \" }\n"
			     "}\n";

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic unsigned wrong, judged;
static void *door; /* never freed: the daemon keeps it until the process ends */
static char path[] = "/tmp/sekisho-native.XXXXXX/socket";

static struct engine *engine_now(struct door_host *host)
{
	struct engine *engine;

	(void)host;
	pthread_mutex_lock(&lock);
	engine = engine_hold(native_scene.engine);
	pthread_mutex_unlock(&lock);
	return engine;
}

static bool admits_all(struct door_host *host, int listener, int fd)
{
	(void)host, (void)listener, (void)fd;
	return true;
}

static void reload(void)
{
	struct engine *engine = engine_new(native_scene.policy, native_scene.resolver, NULL, &native_scene.counters);
	struct engine *old;

	pthread_mutex_lock(&lock);
	old = native_scene.engine;
	native_scene.engine = engine;
	pthread_mutex_unlock(&lock);
	engine_release(old);
}

/* ---- the kernel ---------------------------------------------------------------------------------- */

/* The door calls epoll_ctl through syscall(2). New connections cannot be watched, as when fs.epoll.max_user_watches is
 * reached. */
static _Atomic bool refused;

long syscall(long number, ...)
{
	static long (*_Atomic the_real_one)(long, ...);
	long a[4];
	va_list arguments;

	va_start(arguments, number);
	for (int i = 0; i < 4; i++)
		a[i] = va_arg(arguments, long);
	va_end(arguments);
	if (number == SYS_epoll_ctl && refused && (int)a[1] == EPOLL_CTL_ADD &&
	    ((struct epoll_event *)a[3])->data.ptr != door) {
		errno = ENOSPC;
		return -1;
	}
	if (!the_real_one)
		the_real_one = (long (*)(long, ...))(uintptr_t)dlsym(RTLD_NEXT, "syscall");
	return the_real_one(number, a[0], a[1], a[2], a[3]);
}

/* ---- an MTA ------------------------------------------------------------------------------------- */

static int address_set(struct sockaddr_un *address)
{
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	strcpy(address->sun_path, path);
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int dial(void)
{
	struct sockaddr_un address;
	int fd = address_set(&address);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_sec = END_US / 1000000}, sizeof(struct timeval));
	while (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		usleep(1000);
	return fd;
}

static void say(int fd, char letter, const char *data, size_t n)
{
	char packet[512];
	size_t size = packet_put(packet, letter, data, n);

	if (send(fd, packet, size, MSG_NOSIGNAL) != (ssize_t)size)
		wrong++;
}
#define SAY(fd, letter, literal) say(fd, letter, literal, sizeof(literal) - 1)

/* The letter of the next packet; 0: the connection was closed; '?': nothing came. */
static char hear(int fd)
{
	char head[5], rest[4096];
	uint32_t length;
	ssize_t n = recv(fd, head, sizeof(head), MSG_WAITALL);

	if (n < 0 && errno == EAGAIN)
		return '?';
	if (n != sizeof(head))
		return 0;
	memcpy(&length, head, 4);
	length = ntohl(length) - 1;
	if (length > sizeof(rest) || (length > 0 && recv(fd, rest, length, MSG_WAITALL) != (ssize_t)length))
		return 0;
	return head[4];
}

static void message(int fd, bool bad)
{
	char letter;

	say(fd, 'M', bad ? "<a@bad.example>" : "<a@good.example>", bad ? 16 : 17);
	letter = hear(fd);
	judged++;
	if (letter != (bad ? 'y' : 'c'))
		wrong++;
	if (letter != 'c') {
		SAY(fd, 'A', "");
		return;
	}
	SAY(fd, 'R', "<b@example.org>\0");
	SAY(fd, 'L', "Subject\0 hello\0");
	SAY(fd, 'N', "");
	SAY(fd, 'B', "Hello.\r\n");
	SAY(fd, 'E', "");
	do
		letter = hear(fd);
	while (letter == 'i' || letter == 'm' || letter == 'p');
	if (letter != 'c')
		wrong++;
}

static void *mta_run(void *number_)
{
	unsigned number = (unsigned)(uintptr_t)number_;

	for (unsigned i = 0; i < SESSIONS; i++) {
		int fd = dial();

		SAY(fd, 'O', "\0\0\0\6\0\0\1\xff\0\x1f\xff\xff");
		if (hear(fd) != 'O')
			wrong++;
		SAY(fd, 'C',
		    "mail.example.net\0004\x10\xe1"
		    "203.0.113.5\0");
		SAY(fd, 'H', "slow.example\0"); /* its SPF record never comes */
		message(fd, (number + i) % 2);
		message(fd, (number + i) % 3 == 0);
		if (i % 2)
			SAY(fd, 'Q', "");
		close(fd);
	}
	return NULL;
}

/* ---- the test ---------------------------------------------------------------------------------------- */

static int door_open(void)
{
	struct sockaddr_un address;
	struct error err;
	int listener = address_set(&address);

	unlink(path);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 100), 0);
	native_scene.host.engine = engine_now;
	native_scene.host.admits = admits_all;
	door = native_door.open(&native_scene.host, listener, &err);
	assert_non_null(door);
	assert_int_equal(native_door.start(door, &err), 0);
	return listener;
}

static void door_end(void)
{
	assert_true(native_door.stop(door, clock_us() + END_US));
	native_door.close(door);
	assert_int_equal(wrong, 0);
	assert_int_equal(native_scene.counters.sessions_open, 0);
	assert_int_equal(native_scene.host.messages_open, 0);
}

static void every_mta_gets_its_own_answers(void **state)
{
	pthread_t threads[MTAS];
	int listener = door_open();

	(void)state;
	for (unsigned i = 0; i < MTAS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, mta_run, (void *)(uintptr_t)i), 0);
	for (unsigned i = 0; i < RELOADS; i++) {
		reload();
		native_door.progress(door);
		usleep(2000);
	}
	for (unsigned i = 0; i < MTAS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(judged, MTAS * SESSIONS * 2);
	door_end();
	close(listener);
}

#define OFFER "\0\0\0\6\0\0\1\xff\0\x1f\xff\xff"

static int greet(void)
{
	int fd = dial();

	SAY(fd, 'O', OFFER);
	if (hear(fd) != 'O')
		wrong++;
	return fd;
}

static void a_socket_that_cannot_be_watched_is_closed_alone(void **state)
{
	int listener = door_open(), first = greet(), second, third;
	char packet[64];

	(void)state;
	message(first, false);
	refused = true;
	second = dial();
	/* it may be closed before it says anything, or when it was answered */
	send(second, packet, packet_put(packet, 'O', OFFER, sizeof(OFFER) - 1), MSG_NOSIGNAL);
	while (hear(second) == 'O')
		;
	assert_int_equal(hear(second), 0);
	refused = false;
	third = greet();
	message(first, true);
	message(third, false);
	close(first);
	close(second);
	close(third);
	door_end();
	close(listener);
}

static void while_it_drains_nobody_connects_and_sessions_go_on(void **state)
{
	struct sockaddr_un address;
	int fd;

	(void)state;
	door_open();
	fd = greet();
	native_door.drain(door);
	native_door.drain(door);
	native_door.progress(door);
	assert_int_equal(connect(address_set(&address), (struct sockaddr *)&address, sizeof(address)), -1);
	assert_int_equal(errno, ECONNREFUSED);
	message(fd, false);
	message(fd, true);
	close(fd);
	door_end();
}

static int set_up(void **state)
{
	char *messages;
	struct policy *policy;

	*strrchr(path, '/') = '\0';
	if (enter_directory(state) != 0 || !mkdtemp(path))
		return -1;
	path[strlen(path)] = '/';
	policy = load_text(POLICY, NULL, &messages);
	if (!policy)
		die("%s", messages);
	free(messages);
	native_scene_begin(policy, SLICE("slow.example TIMEOUT\n"));
	return 0;
}

static int tear_down(void **state)
{
	native_scene_end();
	unlink(path);
	*strrchr(path, '/') = '\0';
	rmdir(path);
	return leave_directory(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_mta_gets_its_own_answers),
	    cmocka_unit_test(a_socket_that_cannot_be_watched_is_closed_alone),
	    cmocka_unit_test(while_it_drains_nobody_connects_and_sessions_go_on),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
