/*
 * keys.c - `sekisho keys`: the keys of the domains that have `sign DOMAIN { keys DIRECTORY }`.
 *
 * Keys belong to the owner of their directory, who is the user of the daemon. Root becomes that user first: what is in
 * the directory, and the hook, then have no power over the system.
 */
#include "key_verb.h"
#include "option.h"
#include "verbs.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char help[] =
    "usage: sekisho keys [-c FILE] [--json] [DOMAIN ...]\n"
    "       sekisho keys [-c FILE] [--json] rotate DOMAIN\n"
    "       sekisho keys [-c FILE] [--json] run --hook PROGRAM [DOMAIN ...]\n"
    "\n"
    "The signing keys of domains with `sign DOMAIN { keys DIRECTORY }`. Without a word: each key, whether its record "
    "is\n"
    "in the DNS, and which key signs.\n"
    "\n"
    "rotate makes the next key and prints the record to publish. The daemon signs with it when the record has been in\n"
    "the DNS for its time to live. While a key waits, no other is made: its record is printed again.\n"
    "run makes the keys that are due (rotate in the file), and calls PROGRAM to publish and to remove records:\n"
    "  PROGRAM publish|remove DOMAIN NAME TEXT\n"
    "It may call again for what is done already, and is meant for a timer.\n"
    "\n"
    "  -c FILE         the policy file (" DEFAULT_CONFIG ")\n"
    "  --hook PROGRAM  changes the DNS; exit code 0: done\n"
    "  --json          one JSON array with an object for each domain\n"
    "\n"
    "Exit code: 0 done; 1 shown, and a domain has no key that signs; 64 wrong usage; 69 something failed for a "
    "domain;\n"
    "78 the policy file is wrong.\n";

/* ---- the policy ------------------------------------------------------------------------------------ */

static int open_policy(struct keys_verb *keys)
{
	struct diagnostics *diagnostics = diagnostics_new();
	char *text;

	keys->policy = policy_load_as(POLICY_EXPLAIN, keys->config, diagnostics);
	if (!keys->policy) {
		text = diagnostics_print(diagnostics);
		fputs(text, stderr);
		free(text);
	}
	diagnostics_free(diagnostics);
	return keys->policy ? VERB_OK : VERB_CONFIG;
}

/* Each domain of the command line must have keys that change. */
static int check_domains(struct keys_verb *keys)
{
	for (size_t i = 0; i < keys->domain_count; i++) {
		bool valid;
		struct slice domain = domain_normalise(slice_of(keys->domains[i]), keys->arena, &valid);
		const struct sign_setting *sign = valid ? policy_sign(keys->policy, domain) : NULL;

		keys->domains[i] = arena_cstring(keys->arena, domain);
		if (sign && sign->ring && slice_equal(sign->domain, domain))
			continue;
		fprintf(stderr, "sekisho keys: %s has no \"sign %s { keys DIRECTORY }\" in %s\n", keys->domains[i],
			keys->domains[i], keys->config);
		return VERB_USAGE;
	}
	return VERB_OK;
}

/* ---- whose keys ---------------------------------------------------------------------------------------- */

static int become(uid_t uid, gid_t gid)
{
	if (uid == 0)
		return 0;
	return setgroups(1, &gid) || setgid(gid) || setuid(uid) ? -1 : 0;
}

/* A directory that is missing is made for the user of the daemon. */
static int make_directory(struct keys_verb *keys, const char *directory)
{
	struct slice name = policy_settings(keys->policy)->user;
	const struct passwd *user = name.n > 0 ? getpwnam(arena_cstring(keys->arena, name)) : NULL;

	if (mkdir(directory, 0700) && errno != EEXIST)
		return -1;
	return geteuid() == 0 && user ? lchown(directory, user->pw_uid, user->pw_gid) : 0;
}

static const char *first_directory(const struct keys_verb *keys)
{
	for (size_t i = 0; i < policy_sign_count(keys->policy); i++)
		if (keys_wants(keys, policy_sign_at(keys->policy, i)))
			return policy_sign_at(keys->policy, i)->directory;
	return NULL;
}

static int take_identity(struct keys_verb *keys)
{
	const char *directory = first_directory(keys);
	struct stat status;
	int found;

	if (!directory)
		return VERB_OK;
	found = lstat(directory, &status);
	if (found && errno == ENOENT && keys->what != KEYS_SHOW) {
		found = make_directory(keys, directory);
		if (!found)
			found = lstat(directory, &status);
	}
	if (found && keys->what == KEYS_SHOW)
		return VERB_OK;
	if (found || (geteuid() == 0 && become(status.st_uid, status.st_gid))) {
		fprintf(stderr, "sekisho keys: %s: %s\n", directory, strerror(errno));
		return VERB_UNAVAILABLE;
	}
	return VERB_OK;
}

/* ---- rotate ---------------------------------------------------------------------------------------------- */

static void print_waiting(struct keys_verb *keys, const struct sign_setting *sign, const struct key_set *set,
			  int64_t now_s)
{
	struct key_rules rules = policy_key_rules(sign);

	for (size_t i = 0; i < set->count; i++) {
		enum key_phase phase = key_phase(set, &set->keys[i], &rules, now_s);

		if (phase == KEY_WAITS || phase == KEY_SEEN)
			keys_print_record(set, &set->keys[i], keys->arena);
	}
}

static int rotate(struct keys_verb *keys)
{
	const struct sign_setting *sign = policy_sign(keys->policy, slice_of(keys->domains[0]));
	struct key_rules rules = policy_key_rules(sign);
	int64_t now_s = clock_wall_us() / 1000000;
	struct key_set *set;
	struct error err;

	if (keys_rotate(sign->directory, sign->domain, &rules, false, now_s, &set, &err)) {
		keys_failed(keys, sign->domain, err.text);
		return VERB_UNAVAILABLE;
	}
	keys_announce(sign->directory);
	if (keys->json)
		keys_show(keys, sign, set, NULL);
	else
		print_waiting(keys, sign, set, now_s);
	key_set_release(set);
	return VERB_OK;
}

/* ---- the command line --------------------------------------------------------------------------------------- */

static int usage(const char *what)
{
	fprintf(stderr, "sekisho keys: %s; see sekisho keys --help\n", what);
	return VERB_USAGE;
}

static int read_operands(struct keys_verb *keys, int count, char **operands)
{
	if (count > 0 && strcmp(operands[0], "rotate") == 0)
		keys->what = KEYS_ROTATE;
	else if (count > 0 && strcmp(operands[0], "run") == 0)
		keys->what = KEYS_RUN;
	if (keys->what != KEYS_SHOW) {
		operands++;
		count--;
	}
	keys->domains = operands;
	keys->domain_count = (size_t)count;
	if (keys->what == KEYS_ROTATE && count != 1)
		return usage("rotate needs a domain");
	if ((keys->what == KEYS_RUN) != (keys->hook != NULL))
		return usage(keys->hook ? "--hook is for run" : "run needs --hook PROGRAM");
	return VERB_OK;
}

static int work(struct keys_verb *keys)
{
	struct error err;
	int status;

	if (keys->what == KEYS_ROTATE)
		return rotate(keys);
	keys->resolver = resolver_open(&policy_settings(keys->policy)->resolver, &err);
	if (!keys->resolver) {
		fprintf(stderr, "sekisho keys: %s\n", err.text);
		return VERB_UNAVAILABLE;
	}
	status = keys->what == KEYS_RUN ? keys_run_all(keys) : keys_show_all(keys);
	resolver_release(keys->resolver);
	return status;
}

static int run(struct keys_verb *keys)
{
	int status = open_policy(keys);

	if (status == VERB_OK)
		status = check_domains(keys);
	if (status == VERB_OK)
		status = take_identity(keys);
	if (status == VERB_OK)
		status = work(keys);
	if (keys->array) {
		if (status == VERB_OK || status == VERB_NO || json_array_size(keys->array) > 0) {
			json_dumpf(keys->array, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
			putchar('\n');
		}
		json_decref(keys->array);
	}
	policy_release(keys->policy);
	return status;
}

int verb_keys(int argc, char **argv)
{
	static const struct option known[] = {
	    {"config", required_argument, NULL, 'c'},
	    {"hook", required_argument, NULL, 'k'},
	    {"json", no_argument, NULL, 'j'},
	    {"help", no_argument, NULL, 'h'},
	    {NULL},
	};
	struct keys_verb keys = {.config = DEFAULT_CONFIG};
	int c, status;

	optind = 1;
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":hc:", known, NULL)) != -1) {
		if (c == 'c')
			keys.config = optarg;
		else if (c == 'k')
			keys.hook = optarg;
		else if (c == 'j')
			keys.json = true;
		else if (c == 'h')
			return fputs(help, stdout) < 0 ? VERB_UNAVAILABLE : VERB_OK;
		else
			return option_usage(argc, argv, "hc:", known);
	}
	keys.arena = arena_new();
	keys.array = keys.json ? json_array() : NULL;
	status = read_operands(&keys, argc - optind, argv + optind);
	if (status == VERB_OK)
		status = run(&keys);
	arena_free(keys.arena);
	return status;
}
