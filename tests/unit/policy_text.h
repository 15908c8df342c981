/*
 * policy_text.h - a policy from a text, for tests: written as "t" into a fresh directory
 * that is the working directory, so that messages read "t:1:2: ...".
 */
#ifndef SEKISHO_TEST_POLICY_TEXT_H
#define SEKISHO_TEST_POLICY_TEXT_H

#include "dkim.h"
#include "policy.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static inline void write_file(const char *name, const void *bytes, size_t n)
{
	FILE *file = fopen(name, "w");

	if (!file || fwrite(bytes, 1, n, file) != n || fclose(file))
		die("cannot write %s", name);
}

static inline void write_text(const char *name, const char *text)
{
	write_file(name, text, strlen(text));
}

/* A new Ed25519 key, as the daemon wants it. */
static inline void write_key(const char *name)
{
	struct arena *arena = arena_new();
	struct error err;
	struct dkim_private *key = dkim_private_generate(DKIM_ED25519, &err);
	struct slice pem = dkim_private_pem(key, arena);

	write_file(name, pem.p, pem.n);
	if (chmod(name, 0600))
		die("cannot change the mode of %s", name);
	dkim_private_free(key);
	arena_free(arena);
}

static inline int enter_directory(void **state)
{
	static char path[] = "/tmp/sekisho-policy.XXXXXX";

	(void)state;
	return mkdtemp(path) && chdir(path) == 0 ? 0 : -1;
}

static inline int leave_directory(void **state)
{
	char path[128];

	(void)state;
	if (!getcwd(path, sizeof(path)) || !strstr(path, "sekisho-policy"))
		return -1;
	for (const char *const *name = (const char *const[]){"t", "friends", "owners", "friends.new", NULL}; *name;
	     name++)
		unlink(*name);
	return chdir("/") || rmdir(path) ? -1 : 0;
}

/* All messages, one a line. free() it. */
static inline char *messages_of(const struct diagnostics *diagnostics)
{
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	for (size_t i = 0; diagnostics_line(diagnostics, i); i++)
		fprintf(out, "%s%s", i ? "\n" : "", diagnostics_line(diagnostics, i));
	fclose(out);
	return text;
}

/* The policy, or NULL; the messages in messages_r, to be freed. */
static inline struct policy *load_text(const char *text, const struct policy *old, char **messages_r)
{
	struct diagnostics *diagnostics = diagnostics_new();
	struct policy *policy;

	write_text("t", text);
	policy = policy_load("t", old, diagnostics);
	*messages_r = messages_of(diagnostics);
	diagnostics_free(diagnostics);
	return policy;
}

#endif
