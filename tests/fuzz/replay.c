/*
 * replay.c - runs a fuzz target over files, without a fuzzer: the ones named as
 * arguments, or all in inputs/NAME beside the source of fuzz_NAME. This is what
 * `make check` does with each target.
 */
#include "fuzz.h"

#include <dirent.h>
#include <libgen.h>
#include <string.h>

#define INPUT_MAX (16 * 1024 * 1024)

static void replay(const char *path)
{
	struct slice text;
	struct error err;

	if (file_read(path, INPUT_MAX, &text, &err) < 0)
		die("%s", err.text);
	LLVMFuzzerTestOneInput((const uint8_t *)text.p, text.n);
	free((char *)text.p);
}

/* Automake says in `srcdir` where the sources are. */
static int replay_directory(const char *program)
{
	const char *srcdir = getenv("srcdir"), *name = strchr(program, '_');
	struct arena *arena = arena_new();
	struct slice path = arena_printf(arena, "%s/tests/fuzz/inputs/%s", srcdir ? srcdir : ".", name ? name + 1 : "");
	DIR *directory = opendir(path.p);
	struct dirent *entry;
	int count = 0;

	if (!directory)
		die("cannot open %s: say srcdir=DIR in the environment, or name files", path.p);
	while ((entry = readdir(directory))) {
		if (entry->d_name[0] == '.')
			continue;
		replay(arena_printf(arena, "%s/%s", path.p, entry->d_name).p);
		count++;
	}
	closedir(directory);
	arena_free(arena);
	return count;
}

int main(int argc, char **argv)
{
	int count = argc - 1;

	for (int i = 1; i < argc; i++)
		replay(argv[i]);
	if (argc == 1)
		count = replay_directory(basename(argv[0]));
	if (count == 0)
		die("no inputs for %s", argv[0]);
	printf("%d passed, 0 failed\n", count);
	return 0;
}
