/*
 * ask.c - asks the running daemon through its control socket, whose path is in the policy file. The rest of the file
 * may have errors: the daemon reports them.
 */
#include "ask.h"
#include "option.h"
#include "daemon.h"
#include "verbs.h"
#include <stdlib.h>
#include <string.h>

void ask_option(struct ask *ask, int option, const char *value)
{
	if (option == 'c')
		ask->config = value;
	if (option == 's')
		ask->socket = value;
}

#define OWN 256 /* the first of a verb's own options; letters are below */

int ask_options(struct ask *ask, int argc, char **argv, bool *json_r, const struct ask_own *own,
		int (*usage)(FILE *out, int code))
{
	struct option options[4 + ASK_OWN_MAX + 1] = {ASK_OPTIONS};
	int option;

	for (int i = 0; own && own[i].name; i++)
		options[4 + i] =
		    (struct option){own[i].name, own[i].given ? no_argument : required_argument, NULL, OWN + i};
	opterr = 0;
	while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		if (option == 'h')
			return usage(stdout, VERB_OK);
		if (option == '?')
			return option_usage(argc, argv, "c:h", options);
		if (option >= OWN && own[option - OWN].given)
			*own[option - OWN].given = true;
		else if (option >= OWN)
			*own[option - OWN].value = optarg;
		ask_option(ask, option, optarg);
		*json_r |= option == 'j';
	}
	return -1;
}

/* The path from the file; NULL and *code_r. */
static char *path_of_file(const struct ask *ask, int *code_r)
{
	struct error err;
	char *path;

	/* for reload, an unusable file is the answer "no"; for others it is a wrong configuration */
	*code_r = strcmp(ask->verb, "reload") == 0 ? VERB_NO : VERB_CONFIG;
	if (policy_control(ask->config, &path, &err)) {
		fprintf(stderr, "sekisho %s: %s; name the policy file with -c, or the control socket with --socket\n",
			ask->verb, err.text);
		return NULL;
	}
	if (*path)
		return path;
	fprintf(stderr,
		"sekisho %s: %s says \"control off\"; write \"control PATH\" and restart the daemon, or name the "
		"socket with --socket\n",
		ask->verb, ask->config);
	free(path);
	return NULL;
}

char *ask_path(const struct ask *ask, int *code_r)
{
	return ask->socket ? xstrdup(ask->socket) : path_of_file(ask, code_r);
}

/* No daemon listens where the file says, perhaps because the file is wrong. Says how many errors it has. */
static size_t print_errors(const char *config)
{
	struct diagnostics *found = diagnostics_new();
	char *text;
	size_t errors;

	policy_release(policy_load_as(POLICY_EXPLAIN, config, found));
	errors = diagnostics_errors(found);
	text = diagnostics_print(found);
	if (errors)
		fputs(text, stderr);
	free(text);
	diagnostics_free(found);
	return errors;
}

json_t *ask_daemon(const struct ask *ask, json_t *request, int *code_r)
{
	char *path = ask_path(ask, code_r);
	struct error err;
	json_t *answer;

	if (!path) {
		json_decref(request);
		return NULL;
	}
	answer = control_ask_for(path, request, &err);
	if (!answer) {
		fprintf(stderr, "sekisho %s: %s\n", ask->verb, err.text);
		if (ask->socket || print_errors(ask->config) == 0)
			*code_r = VERB_UNAVAILABLE;
	}
	free(path);
	return answer;
}

void ask_print(FILE *out, const char *text)
{
	size_t n = text ? strlen(text) : 0;

	if (n > 0)
		fprintf(out, "%s%s", text, text[n - 1] == '\n' ? "" : "\n");
}

json_t *ask_for(const struct ask *ask, json_t *request, int *code_r)
{
	json_t *answer = ask_daemon(ask, request, code_r);
	bool unavailable = json_is_true(json_object_get(answer, "unavailable"));

	if (!answer || json_is_true(json_object_get(answer, "ok")))
		return answer;
	fprintf(stderr, "sekisho %s: ", ask->verb);
	ask_print(stderr, json_string_value(json_object_get(answer, "error")));
	json_decref(answer);
	*code_r = unavailable ? VERB_UNAVAILABLE : VERB_NO;
	return NULL;
}

/* ---- printing ------------------------------------------------------------------------------------ */

void ask_print_safe(const char *text)
{
	for (; text && *text; text++) {
		bool control = (unsigned char)*text < ' ' || *text == 0x7f;
		bool high = (unsigned char)text[0] == 0xc2 && (text[1] & 0xe0) == 0x80; /* U+0080 to U+009F */

		putchar(control || high ? '?' : *text);
		text += high;
	}
}

void ask_print_life(long long seconds)
{
	if (seconds >= 86400)
		printf("%lldd %lldh", seconds / 86400, seconds / 3600 % 24);
	else if (seconds >= 3600)
		printf("%lldh %lldm", seconds / 3600, seconds / 60 % 60);
	else if (seconds >= 60)
		printf("%lldm %llds", seconds / 60, seconds % 60);
	else
		printf("%llds", seconds);
}
