/*
 * fmt.c - sekisho fmt FILE: writes a policy file in the standard layout; its meaning and comments are kept.
 *
 * With -i a new file replaces the old one atomically: a reader, for example a reload, sees either the old or the new
 * file.
 */
#include "option.h"
#include "policy.h"
#include "verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char help[] =
    "usage: sekisho fmt [-i | --check] FILE ...\n"
    "\n"
    "Prints a policy file in the standard layout: one setting or rule per line, blocks indented, conditions "
    "aligned.\n"
    "Comments and the meaning of the file are kept. A file with syntax errors is not changed.\n"
    "\n"
    "  -i, --in-place  rewrite the files\n"
    "      --check     change and print nothing; name the files that are not in the layout\n"
    "\n"
    "Exit code: 0 done; 1 --check found a file that is not in the layout; 64 wrong usage;\n"
    "74 the result cannot be written; 78 a file cannot be read, or has errors.\n";

enum fmt_mode { FMT_PRINT, FMT_REWRITE, FMT_CHECK };

static int failed(const char *what, const char *path)
{
	fprintf(stderr, "sekisho fmt: cannot %s %s: %s\n", what, path, strerror(errno));
	return VERB_OUTPUT;
}

static int write_all(int fd, struct slice text)
{
	while (text.n) {
		ssize_t n = write(fd, text.p, text.n);

		if (n < 0)
			return -1;
		text = slice_from(text, (size_t)n);
	}
	return 0;
}

/* The file that is to be replaced, with its owner, group and mode. */
static int fill(int fd, const char *path, struct slice text)
{
	struct stat status;

	if (stat(path, &status) || write_all(fd, text))
		return -1;
	if ((status.st_uid != geteuid() || status.st_gid != getegid()) && fchown(fd, status.st_uid, status.st_gid))
		return -1;
	return fchmod(fd, status.st_mode & 07777) || fsync(fd) ? -1 : 0;
}

/* `path` is not a symbolic link. */
static int replace(struct arena *arena, const char *path, struct slice text)
{
	char *name = arena_cstring(arena, arena_printf(arena, "%s.XXXXXX", path));
	int fd = mkostemp(name, O_CLOEXEC);
	int result;

	if (fd < 0)
		return failed("create a temporary file for", path);
	result = fill(fd, path, text);
	if (result)
		result = failed("write", name);
	if (close(fd) && !result)
		result = failed("write", name);
	if (!result && rename(name, path))
		result = failed("replace", path);
	if (result)
		unlink(name);
	return result;
}

static int rewrite(struct arena *arena, const char *path, struct slice text)
{
	char *real = realpath(path, NULL);
	int result = real ? replace(arena, real, text) : failed("find", path);

	free(real);
	return result;
}

static int use(enum fmt_mode mode, struct arena *arena, const char *path, struct slice before, struct slice after)
{
	if (mode == FMT_PRINT) {
		fwrite(after.p, 1, after.n, stdout);
		return VERB_OK;
	}
	if (slice_equal(before, after))
		return VERB_OK;
	if (mode == FMT_REWRITE)
		return rewrite(arena, path, after);
	printf("%s: not in the layout; sekisho fmt -i %s rewrites it\n", path, path);
	return VERB_NO;
}

static int format(enum fmt_mode mode, const char *path)
{
	struct diagnostics *diagnostics = diagnostics_new();
	struct arena *arena = arena_new();
	struct slice before, after;
	int result = VERB_CONFIG;

	if (policy_format(path, arena, diagnostics, &before, &after) == 0) {
		result = use(mode, arena, path, before, after);
	} else {
		char *text = diagnostics_print(diagnostics);

		fputs(text, stderr);
		free(text);
	}
	arena_free(arena);
	diagnostics_free(diagnostics);
	return result;
}

static int usage(const char *what)
{
	fprintf(stderr, "sekisho fmt: %s; see sekisho fmt --help\n", what);
	return VERB_USAGE;
}

int verb_fmt(int argc, char **argv)
{
	static const struct option known[] = {
	    {"in-place", no_argument, NULL, 'i'},
	    {"check", no_argument, NULL, 'c'},
	    {"help", no_argument, NULL, 'h'},
	    {NULL},
	};
	enum fmt_mode mode = FMT_PRINT;
	int c, result = VERB_OK;

	optind = 1;
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":ih", known, NULL)) != -1) {
		if (c == 'h')
			return fputs(help, stdout) < 0 ? VERB_OUTPUT : VERB_OK;
		if (c != 'i' && c != 'c')
			return option_usage(argc, argv, "ih", known);
		if (mode != FMT_PRINT && mode != (c == 'i' ? FMT_REWRITE : FMT_CHECK))
			return usage("-i and --check cannot be used together");
		mode = c == 'i' ? FMT_REWRITE : FMT_CHECK;
	}
	if (optind == argc)
		return usage("name a file");
	if (mode == FMT_PRINT && argc - optind > 1)
		return usage("several files need -i or --check");
	for (int i = optind; i < argc; i++) {
		int one = format(mode, argv[i]);

		result = one > result ? one : result;
	}
	return result;
}
