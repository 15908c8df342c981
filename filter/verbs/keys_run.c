/*
 * keys_run.c - `sekisho keys run`: one step for every domain, with a program that changes the DNS.
 *
 * What fails for one domain does not stop the others. It is tried again at the next run.
 */
#include "key_verb.h"
#include "verbs.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define HOOK_MS   (60 * 1000) /* a program that takes longer is stopped */
#define QUESTIONS 64

extern char **environ;

/* ---- the hook ------------------------------------------------------------------------------------------ */

/* Its exit status; -1 and err: it did not end in time, and has been killed. */
static int wait_for(pid_t pid, int *status_r, struct error *err)
{
	struct pollfd ended = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};
	int ready = 1;

	if (ended.fd >= 0) {
		do
			ready = poll(&ended, 1, HOOK_MS);
		while (ready < 0 && errno == EINTR);
		close(ended.fd);
	}
	if (ready == 0)
		kill(pid, SIGKILL);
	while (waitpid(pid, status_r, 0) < 0 && errno == EINTR)
		;
	if (ready != 0)
		return 0;
	error_set(err, "the hook did not end within %d s", HOOK_MS / 1000);
	return -1;
}

static int call_hook(void *context, bool publish, const struct key_set *set, const struct managed_key *key,
		     struct error *err)
{
	struct keys_verb *keys = context;
	struct arena *arena = arena_new();
	char *words[] = {(char *)keys->hook,
			 publish ? "publish" : "remove",
			 arena_cstring(arena, set->domain),
			 arena_cstring(arena, key_record_name(set, key, arena)),
			 arena_cstring(arena, dkim_private_record(key->private, arena)),
			 NULL};
	int failed, status = 0, result = -1;
	pid_t pid;

	fflush(stdout);
	failed = posix_spawn(&pid, keys->hook, NULL, NULL, words, environ);
	if (failed)
		error_set(err, "cannot run %s: %s", keys->hook, strerror(failed));
	else if (wait_for(pid, &status, err) == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		result = 0;
	else if (WIFEXITED(status))
		error_set(err, "%s %s %s failed with exit code %d", keys->hook, words[1], words[3],
			  WEXITSTATUS(status));
	else if (WTERMSIG(status) != SIGKILL)
		error_set(err, "%s %s %s was ended by signal %d", keys->hook, words[1], words[3], WTERMSIG(status));
	arena_free(arena);
	return result;
}

static void tell(void *context, const char *level, const char *line)
{
	(void)context;
	fprintf(stderr, "%s: %s\n", level, line);
}

/* ---- all domains ------------------------------------------------------------------------------------------- */

static void run_domain(struct keys_verb *keys, const struct sign_setting *sign)
{
	const struct key_hook hook = {call_hook, keys};
	const struct key_listener listener = {tell, NULL};
	struct key_rules rules = policy_key_rules(sign);
	struct arena *arena = arena_new();
	struct dns_budget *budget = dns_budget_open(keys->resolver, arena, QUESTIONS);
	struct key_set *set;
	struct error err = {""};

	if (keys_run(sign->directory, sign->domain, &rules, budget, clock_wall_us() / 1000000, &hook, &listener, &set,
		     &err))
		keys_failed(keys, sign->domain, err.text);
	if (set && keys->json)
		keys_show(keys, sign, set, NULL);
	key_set_release(set);
	dns_budget_close(budget);
	arena_free(arena);
}

/* The answers for the next domains are on their way while one is worked on. */
#define AHEAD 64

static void hint(struct keys_verb *keys, struct dns_budget *budget, struct arena *arena, size_t number)
{
	const struct sign_setting *sign;
	struct key_set *set;

	if (number >= policy_sign_count(keys->policy))
		return;
	sign = policy_sign_at(keys->policy, number);
	if (!keys_wants(keys, sign))
		return;
	set = key_ring_set(sign->ring);
	keys_hint(budget, set, arena);
	key_set_release(set);
}

int keys_run_all(struct keys_verb *keys)
{
	size_t count = policy_sign_count(keys->policy);
	const char *last = NULL;

	for (size_t from = 0; from < count; from += AHEAD) {
		struct arena *arena = arena_new();
		struct dns_budget *budget = dns_budget_open(keys->resolver, arena, AHEAD * KEYS_MAX);

		for (size_t i = from; i < from + AHEAD; i++)
			hint(keys, budget, arena, i);
		for (size_t i = from; i < from + AHEAD && i < count; i++)
			if (keys_wants(keys, policy_sign_at(keys->policy, i)))
				run_domain(keys, policy_sign_at(keys->policy, i));
		dns_budget_close(budget);
		arena_free(arena);
	}
	for (size_t i = 0; i < count; i++) {
		const struct sign_setting *sign = policy_sign_at(keys->policy, i);

		if (!keys_wants(keys, sign) || (last && strcmp(last, sign->directory) == 0))
			continue;
		last = sign->directory;
		keys_announce(last);
	}
	return keys->failed ? VERB_UNAVAILABLE : VERB_OK;
}
