/*
 * redis_server.h - a Redis server of this test program, on a unix socket in a directory of its own, until the program
 * ends.
 */
#ifndef SEKISHO_TEST_REDIS_SERVER_H
#define SEKISHO_TEST_REDIS_SERVER_H

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static struct redis_server {
	pid_t pid; /* 0: not started; -1: there is none */
	char directory[40], path[64];
	const char *why; /* there is none */
} redis_server;

/* Sends a line and reads a piece of the answer; false when nobody answers. */
static inline bool redis_say(const char *line, char *answer, size_t room)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	ssize_t n = -1;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", redis_server.path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && write(fd, line, strlen(line)) > 0)
		n = read(fd, answer, room - 1);
	close(fd);
	answer[n > 0 ? n : 0] = '\0';
	return n > 0;
}

static inline void redis_server_stop(void)
{
	char path[80];

	if (redis_server.pid <= 0)
		return;
	kill(redis_server.pid, SIGKILL);
	waitpid(redis_server.pid, NULL, 0);
	redis_server.pid = 0;
	unlink(redis_server.path);
	snprintf(path, sizeof(path), "%s/log", redis_server.directory);
	unlink(path);
	rmdir(redis_server.directory);
}

static inline void redis_server_exec(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", redis_server.path, "--dir",
	       redis_server.directory, "--save", "", "--appendonly", "no", "--logfile", "log", (char *)NULL);
	_exit(127);
}

static inline void redis_server_start(void)
{
	char answer[64];
	int status;

	strcpy(redis_server.directory, "/tmp/sekisho-redis.XXXXXX");
	if (!mkdtemp(redis_server.directory)) {
		redis_server.why = "no directory for a Redis server";
		redis_server.pid = -1;
		return;
	}
	snprintf(redis_server.path, sizeof(redis_server.path), "%s/redis.sock", redis_server.directory);
	redis_server.pid = fork();
	if (redis_server.pid == 0)
		redis_server_exec();
	atexit(redis_server_stop);
	for (int i = 0; i < 3000; i++) {
		if (waitpid(redis_server.pid, &status, WNOHANG) == redis_server.pid) {
			rmdir(redis_server.directory);
			redis_server.why = "redis-server is missing";
			redis_server.pid = -1;
			return;
		}
		if (redis_say("PING\r\n", answer, sizeof(answer)) && strncmp(answer, "+PONG", 5) == 0)
			return;
		usleep(10 * 1000);
	}
	redis_server_stop();
	redis_server.why = "redis-server does not start";
	redis_server.pid = -1;
}

/* An empty server; NULL and redis_server.why. */
static inline const char *redis_server_empty(void)
{
	char answer[64];

	if (redis_server.pid == 0)
		redis_server_start();
	if (redis_server.pid < 0)
		return NULL;
	return redis_say("FLUSHALL\r\n", answer, sizeof(answer)) ? redis_server.path : NULL;
}

#endif
