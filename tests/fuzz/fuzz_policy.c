/*
 * fuzz_policy.c - any bytes as a policy file: it is compiled, or there are errors that
 * say where; never both, never many. What can be compiled has a layout, in which it can be compiled, too, and which is
 * its own.
 */
#include "fuzz.h"
#include "policy.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ERRORS_MOST 100

/* The bytes as a file that has a name. */
static int file_of(const uint8_t *data, size_t size, char name[64])
{
	int fd = memfd_create("policy", MFD_CLOEXEC);

	must(fd >= 0);
	must(write(fd, data, size) == (ssize_t)size);
	snprintf(name, 64, "/proc/self/fd/%d", fd);
	return fd;
}

static void check_messages(const struct diagnostics *diagnostics, const char *name)
{
	char *text = diagnostics_print(diagnostics);

	for (size_t i = 0; i < diagnostics_errors(diagnostics); i++) {
		const char *line = diagnostics_line(diagnostics, i);

		must(line && strncmp(line, name, strlen(name)) == 0);
		must(!strchr(line, '\n'));
	}
	free(text);
}

/* It means what the file meant. */
static void check_meaning(const char *name, const struct policy *policy)
{
	struct diagnostics *diagnostics = diagnostics_new();
	struct policy *again = policy_load(name, NULL, diagnostics);

	must(again && policy_rules(again) == policy_rules(policy) && policy_lists(again) == policy_lists(policy));
	must(policy_needs(again) == policy_needs(policy));
	policy_release(again);
	diagnostics_free(diagnostics);
}

static void check_layout(const char *name, const struct policy *policy)
{
	struct diagnostics *diagnostics = diagnostics_new();
	struct arena *arena = arena_new();
	struct slice before, once, twice;
	char again[64];
	int fd;

	if (policy_format(name, arena, diagnostics, &before, &once)) {
		must(diagnostics_errors(diagnostics) > 0 && (!policy || once.n > before.n));
	} else {
		fd = file_of((const uint8_t *)once.p, once.n, again);
		must(policy_format(again, arena, diagnostics, &before, &twice) == 0);
		must(slice_equal(once, twice));
		if (policy)
			check_meaning(again, policy);
		close(fd);
	}
	arena_free(arena);
	diagnostics_free(diagnostics);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct diagnostics *diagnostics = diagnostics_new();
	struct policy *policy;
	char name[64];
	int fd = file_of(data, size, name);

	policy = policy_load(name, NULL, diagnostics);
	must((policy != NULL) == (diagnostics_errors(diagnostics) == 0));
	must(diagnostics_errors(diagnostics) <= ERRORS_MOST);
	check_messages(diagnostics, name);
	check_layout(name, policy);
	policy_release(policy);
	diagnostics_free(diagnostics);
	close(fd);
	return 0;
}
