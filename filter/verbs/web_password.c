/*
 * web_password.c - sekisho web-password: the password of the page, as a file for the setting web { password-file }.
 */
#include "base.h"
#include "option.h"
#include "verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#define PASSWORD_MIN 8
#define PASSWORD_MAX 1024

static const char help[] =
    "usage: sekisho web-password [FILE]\n"
    "\n"
    "Asks for a password, or reads it from the first line of standard input, and writes its scrypt hash to FILE, or "
    "to\n"
    "standard output. An existing FILE keeps its owner and mode; a new one has mode 0600. It must be readable for the\n"
    "user the daemon runs as, and for nobody else. A running daemon uses it at once.\n"
    "\n"
    "Exit code: 0 done; 64 wrong usage; 69 the file cannot be written.\n";

/* A line without echo. -1: there is none. */
static int read_line(const char *prompt, char line_r[PASSWORD_MAX + 2])
{
	struct termios before, hidden;
	bool terminal = tcgetattr(STDIN_FILENO, &before) == 0;
	char *read;

	if (terminal) {
		fputs(prompt, stderr);
		hidden = before;
		hidden.c_lflag &= ~(tcflag_t)ECHO;
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
	}
	read = fgets(line_r, PASSWORD_MAX + 2, stdin);
	if (terminal) {
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
		fputc('\n', stderr);
	}
	if (!read)
		return -1;
	line_r[strcspn(line_r, "\r\n")] = '\0';
	return 0;
}

static int read_password(char password_r[PASSWORD_MAX + 2])
{
	char again[PASSWORD_MAX + 2];

	if (read_line("Password for the page: ", password_r) != 0 || strlen(password_r) < PASSWORD_MIN ||
	    strlen(password_r) > PASSWORD_MAX) {
		fprintf(stderr, "sekisho web-password: a password has %d to %d bytes\n", PASSWORD_MIN, PASSWORD_MAX);
		return -1;
	}
	if (!isatty(STDIN_FILENO))
		return 0;
	if (read_line("Again: ", again) == 0 && strcmp(password_r, again) == 0)
		return 0;
	fprintf(stderr, "sekisho web-password: the two are not the same\n");
	return -1;
}

/* A file that is replaced as one: the daemon never reads half of it. */
static int write_file(const char *path, struct slice line, struct arena *arena)
{
	const char *next = arena_printf(arena, "%s.new", path).p;
	struct stat before;
	bool was = stat(path, &before) == 0;
	int fd = open(next, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	bool done;

	if (fd < 0) {
		fprintf(stderr, "sekisho web-password: cannot create %s: %s\n", next, strerror(errno));
		return VERB_UNAVAILABLE;
	}
	done = dprintf(fd, "%.*s\n", SLICE_ARGS(line)) == (int)line.n + 1 && fsync(fd) == 0;
	if (done && was)
		done = fchown(fd, before.st_uid, before.st_gid) == 0 && fchmod(fd, before.st_mode & 0770) == 0;
	done = close(fd) == 0 && done && rename(next, path) == 0;
	if (done)
		return VERB_OK;
	fprintf(stderr, "sekisho web-password: cannot write %s: %s\n", path, strerror(errno));
	unlink(next);
	return VERB_UNAVAILABLE;
}

int verb_web_password(int argc, char **argv)
{
	static const struct option known[] = {{"help", no_argument, NULL, 'h'}, {NULL}};
	char password[PASSWORD_MAX + 2];
	struct arena *arena;
	struct slice line;
	int c, code = VERB_OK;

	optind = 1;
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":h", known, NULL)) != -1) {
		if (c != 'h')
			return option_usage(argc, argv, "h", known);
		return fputs(help, stdout) < 0 ? VERB_UNAVAILABLE : VERB_OK;
	}
	if (argc - optind > 1) {
		fputs(help, stderr);
		return VERB_USAGE;
	}
	if (read_password(password) != 0)
		return VERB_USAGE;
	arena = arena_new();
	line = password_hash(slice_of(password), arena);
	if (optind < argc)
		code = write_file(argv[optind], line, arena);
	else
		printf("%.*s\n", SLICE_ARGS(line));
	arena_free(arena);
	return code;
}
