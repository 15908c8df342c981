/*
 * 64 MTAs at once on the native milter door, on a real socket, while the engine is replaced again and again. Run under
 * ThreadSanitizer it shows data races; anywhere it shows that each message gets its own answer, and that the door ends
 * with no session left.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "native_scene.h"
#include "policy_text.h"
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>

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

/* The letter of the next packet; 0: there is none. */
static char hear(int fd)
{
	char head[5], rest[4096];
	uint32_t length;

	if (recv(fd, head, sizeof(head), MSG_WAITALL) != sizeof(head))
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

static void door_open(int *listener_r)
{
	struct sockaddr_un address;
	struct error err;

	*listener_r = address_set(&address);
	assert_int_equal(bind(*listener_r, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(*listener_r, 100), 0);
	native_scene.host.engine = engine_now;
	native_scene.host.admits = admits_all;
	door = native_door.open(&native_scene.host, *listener_r, &err);
	assert_non_null(door);
	assert_int_equal(native_door.start(door, &err), 0);
}

static void every_mta_gets_its_own_answers(void **state)
{
	pthread_t threads[MTAS];
	int listener;

	(void)state;
	door_open(&listener);
	for (unsigned i = 0; i < MTAS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, mta_run, (void *)(uintptr_t)i), 0);
	for (unsigned i = 0; i < RELOADS; i++) {
		reload();
		native_door.progress(door);
		usleep(2000);
	}
	for (unsigned i = 0; i < MTAS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(wrong, 0);
	assert_int_equal(judged, MTAS * SESSIONS * 2);
	assert_true(native_door.stop(door, clock_us() + END_US));
	native_door.close(door);
	close(listener);
	assert_int_equal(native_scene.counters.sessions_open, 0);
	assert_int_equal(native_scene.host.messages_open, 0);
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
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
