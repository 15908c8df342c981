/*
 * hand.c - runs the real qmail-queue: the message on its descriptor 0, then the envelope on its descriptor 1.
 *
 * The NUL that ends the envelope is written last and alone. Without it qmail-queue queues nothing: whatever fails here,
 * and whenever this process is killed, there is no message that is not complete.
 */
#include "queue_private.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

struct pipes {
	int message[2], envelope[2];
};

static void shut(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* ---- the child --------------------------------------------------------------------------------------- */

/* A descriptor that has the right number already must lose its close-on-exec. */
static bool take_place(int from, int to)
{
	return from == to ? fcntl(from, F_SETFD, 0) == 0 : dup2(from, to) == to;
}

/* Standard input and output are there in this program (main.c), so that the pipes have other numbers. */
static _Noreturn void become(const char *program, const struct pipes *pipes, const struct sigaction *pipe_signal)
{
	char *const arguments[] = {(char *)program, NULL};

	sigaction(SIGPIPE, pipe_signal, NULL);
	if (take_place(pipes->message[0], 0) && take_place(pipes->envelope[0], 1))
		execv(program, arguments);
	_exit(QUEUE_EXEC);
}

/* ---- writing ------------------------------------------------------------------------------------------- */

static bool write_all(int fd, struct slice bytes)
{
	while (bytes.n > 0) {
		ssize_t n = write(fd, bytes.p, bytes.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		bytes = slice_from(bytes, (size_t)n);
	}
	return true;
}

/* A message is written in pieces, most of them short. */
struct gathered {
	int fd;
	size_t n;
	char bytes[16 * 1024];
};

static bool gathered_write(struct gathered *gathered)
{
	size_t n = gathered->n;

	gathered->n = 0;
	return write_all(gathered->fd, (struct slice){gathered->bytes, n});
}

static bool gather(void *gathered_, struct slice bytes)
{
	struct gathered *gathered = gathered_;

	if (bytes.n > sizeof(gathered->bytes) - gathered->n && !gathered_write(gathered))
		return false;
	if (bytes.n > sizeof(gathered->bytes))
		return write_all(gathered->fd, bytes);
	memcpy(gathered->bytes + gathered->n, bytes.p, bytes.n);
	gathered->n += bytes.n;
	return true;
}

/* False: it ended before it had read everything, or the message cannot be read. */
static bool feed(struct pipes *pipes, const struct letter *letter, struct slice envelope)
{
	struct gathered gathered = {.fd = pipes->message[1]};
	bool done = letter_write(letter, gather, &gathered) && gathered_write(&gathered);

	shut(&pipes->message[1]);
	done = done && write_all(pipes->envelope[1], envelope);
	done = done && write_all(pipes->envelope[1], (struct slice){"", 1});
	shut(&pipes->envelope[1]);
	return done;
}

/* ---- its end --------------------------------------------------------------------------------------------- */

static int await(pid_t child, bool fed, struct error *err)
{
	int status;
	pid_t ended;

	do
		ended = waitpid(child, &status, 0);
	while (ended < 0 && errno == EINTR);
	if (ended < 0 || !WIFEXITED(status)) {
		error_set(err, "it was killed");
		return QUEUE_BUG;
	}
	if (WEXITSTATUS(status) == 0 && !fed) {
		error_set(err, "it ended before it had read the message");
		return QUEUE_READ;
	}
	error_set(err, "it ended with %d%s", WEXITSTATUS(status),
		  WEXITSTATUS(status) == QUEUE_EXEC ? ": it cannot be run" : "");
	return WEXITSTATUS(status);
}

int hand_over(const char *program, const struct letter *letter, struct slice envelope,
	      const struct sigaction *pipe_signal, struct error *err)
{
	struct pipes pipes = {{-1, -1}, {-1, -1}};
	const struct sigaction standard = {.sa_handler = SIG_DFL};
	bool fed;
	pid_t child = -1;

	sigaction(SIGCHLD, &standard, NULL); /* ignored, there would be no exit code to wait for */
	if (pipe2(pipes.message, O_CLOEXEC) == 0 && pipe2(pipes.envelope, O_CLOEXEC) == 0)
		child = fork();
	if (child == 0)
		become(program, &pipes, pipe_signal);
	shut(&pipes.message[0]);
	shut(&pipes.envelope[0]);
	if (child < 0) {
		error_set(err, "it cannot be started: %s", strerror(errno));
		shut(&pipes.message[1]);
		shut(&pipes.envelope[1]);
		return QUEUE_MEMORY;
	}
	fed = feed(&pipes, letter, envelope);
	return await(child, fed, err);
}
