/*
 * told.c - how a refusal is told to the program that queues: by an exit code with a text of its own, or where the
 * program takes one, by ours: "D" or "Z", the text, and the enhanced status code as in "(#5.7.26)".
 */
#include "queue_private.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_MAX       255 /* what the callers read */
#define FD_NOTQMAIL    6
#define FD_MAX         65535
#define CODE_TEXT      16 /* room for " (#5.999.999)" */
#define PERMANENT_FROM 500

/* A pipe that the caller has opened; no other thing may get the text. */
static bool is_pipe(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 && (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode));
}

int told_open(enum queue_text text)
{
	uint64_t fd = FD_NOTQMAIL;

	if (text == QUEUE_TEXT_NONE)
		return -1;
	if (text == QUEUE_TEXT_INDIMAIL && slice_number(slice_of(getenv("ERROR_FD")), FD_MAX, &fd) != 0)
		return -1;
	return fd > STDERR_FILENO && is_pipe((int)fd) ? (int)fd : -1;
}

static struct slice code_text(const struct answer *answer, struct arena *arena)
{
	if (answer->enhanced.n > 0)
		return arena_printf(arena, " (#%.*s)", SLICE_ARGS(slice_head(answer->enhanced, CODE_TEXT - 4)));
	return answer->code >= PERMANENT_FROM ? SLICE(" (#5.7.1)") : SLICE(" (#4.7.1)");
}

/* The callers pass it on as it is: RFC 5321 4.2 allows printable ASCII. */
static struct slice told_text(const struct answer *answer, struct arena *arena)
{
	struct slice code = code_text(answer, arena);
	struct text text;

	text_init(&text, arena, TEXT_MAX);
	text_add_char(&text, answer->code >= PERMANENT_FROM ? 'D' : 'Z');
	for (size_t i = 0; i < answer->text.n && text.n + code.n < TEXT_MAX; i++) {
		char c = answer->text.p[i];

		text_add_char(&text, c >= ' ' && c <= '~' ? c : '?');
	}
	text_add(&text, code);
	return text_slice(&text);
}

int told_refusal(enum queue_text kind, int fd, const struct answer *answer)
{
	struct arena *arena = arena_new();
	struct slice text = told_text(answer, arena);
	ssize_t written = fd >= 0 ? write(fd, text.p, text.n) : -1; /* less than a pipe holds */

	arena_free(arena);
	if (written == (ssize_t)text.n)
		return kind == QUEUE_TEXT_NOTQMAIL ? QUEUE_OWN_TEXT : QUEUE_OWN_TEXT_INDIMAIL;
	return answer->code >= PERMANENT_FROM ? QUEUE_REFUSED : QUEUE_DEFERRED;
}
