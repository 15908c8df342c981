/*
 * test_policy_files.c - a policy of several files: what `include` reads, in which order, and the messages about it; and
 * the policies of tenants.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "policy_text.h"

#define DEPTH_MAX 8 /* as filter/policy/sources.h says */

struct file {
	const char *name, *text;
};

struct expectation {
	struct file files[4]; /* beside "t" */
	const char *text;     /* of "t" */
	const char *messages; /* "" when they are right */
};

static void check(const struct expectation *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct policy *policy;
		char *messages;

		mkdir("d", 0700);
		for (const struct file *file = cases[i].files; file < cases[i].files + 4 && file->name; file++)
			write_text(file->name, file->text);
		policy = load_text(cases[i].text, NULL, &messages);
		if (strcmp(messages, cases[i].messages))
			fail_msg("of\n%s\nexpected\n%s\ngot\n%s", cases[i].text, cases[i].messages, messages);
		assert_int_equal(policy != NULL, *cases[i].messages == '\0');
		policy_release(policy);
		free(messages);
		for (const struct file *file = cases[i].files; file < cases[i].files + 4 && file->name; file++)
			unlink(file->name);
		rmdir("d");
	}
}

#define CHECK(cases) check(cases, sizeof(cases) / sizeof(cases[0]))

#define RULE(text) "policy inbound {\n on mail {\n  " text "\n }\n}\n"

static void errors_name_the_file_that_they_are_in(void **state)
{
	static const struct expectation cases[] = {
	    {{{"a", "mode enforce\n"}}, "include a\n", ""},
	    {{{"a", "# nothing yet\n"}}, "include a\nmode enforce\n", ""},
	    {{{"a", "mode enforce\nmode\n"}},
	     "include a\n",
	     "a:2:1: mode is set already in line 1; remove one of them"},
	    {{{"a", "mode enforce\n"}},
	     "include a\nmode report\n",
	     "t:2:1: mode is set already in line 1 of a; remove one of them"},
	    {{{"a", "list x file:/x\n"}},
	     "include a\nlist x file:/y\n",
	     "t:2:6: list x is defined already in line 1 of a; give one of them another name\n"
	     "a:1:1: warning: list x: /x: No such file or directory; create the file, or let the user of sekisho read "
	     "it; until then "
	     "rules that ask for it defer"},
	    {{{"a", RULE("accept if spf is fial")}},
	     "include a\n" RULE("accept if"),
	     "t:4:12: the line ends too early; what fits is a fact, \"not\" or (\n"
	     "a:3:20: spf is never \"fial\"; it is one of none neutral pass fail softfail temperror permerror; did you "
	     "mean \"fail\"?"},
	    {{{"a", "policy inbound {\n"}},
	     "include a\nmode enforce\n",
	     "a:1:16: this { is never closed; add } where "
	     "its block ends"},
	    {{{"a", "include nowhere\n"}},
	     "include a\n",
	     "a:1:9: cannot open nowhere: No such file or directory; name a policy file that we may read"},
	    {{{"a", ""}},
	     "include a\n",
	     "t:1:9: a is empty; remove it, or write a comment into it when it is meant to be"},
	    {{{NULL}}, "include\n", "t:1:1: include takes one file or directory; write include /etc/sekisho/conf.d"},
	    {{{NULL}},
	     "include a b\n",
	     "t:1:1: include takes one file or directory; write include /etc/sekisho/conf.d"},
	    {{{NULL}}, "includ a\n", "t:1:1: unknown setting \"includ\"; did you mean \"include\"?"},
	};

	(void)state;
	CHECK(cases);
}

static void a_directory_means_its_conf_files_in_the_order_of_their_bytes(void **state)
{
	static const struct expectation cases[] = {
	    {{{"d/20-b.conf", "mode enforce\n"}, {"d/10-a.conf", "mode enforce\n"}, {"d/30-c.conf~", "mode wrong\n"}},
	     "include d\n",
	     "d/20-b.conf:1:1: mode is set already in line 1 of d/10-a.conf; remove one of them"},
	    {{{"d/a.conf", "mode wrong\n"}, {"d/B.conf", "log wrong\n"}},
	     "include d/\n",
	     "d/B.conf:1:5: log cannot be \"wrong\"; write syslog, stderr, off or file:/path\n"
	     "d/a.conf:1:6: mode cannot be \"wrong\"; write enforce or report"},
	    /* beside the file that includes, not beside the policy file */
	    {{{"d/a.conf", "include b\n"}, {"d/b", "mode enforce\n"}}, "include d\n", ""},
	    {{{"d/.hidden.conf", "mode wrong\n"}}, "include d\nmode enforce\n", ""},
	    {{{NULL}}, "include d\n", "t:1:1: there is nothing in this file; write a setting or a policy"},
	};

	(void)state;
	CHECK(cases);
}

static void a_loop_is_an_error(void **state)
{
	static const struct expectation cases[] = {
	    {{{NULL}},
	     "include t\nmode enforce\n",
	     "t:1:9: t includes itself by way of this line; remove one of the includes"},
	    {{{"a", "include b\n"}, {"b", "include ./a\n"}},
	     "include a\nmode enforce\n",
	     "b:1:9: ./a includes itself by way of this line; remove one of the includes"},
	    /* twice is not a loop; its rules are there twice */
	    {{{"a", RULE("accept if tls")}}, "include a\ninclude a\n", ""},
	};

	(void)state;
	CHECK(cases);
}

static void the_depth_of_includes_is_bounded(void **state)
{
	char name[8], text[40], *messages;
	struct policy *policy;

	(void)state;
	for (int depth = 1; depth <= DEPTH_MAX; depth++) { /* with "t" one more than may be */
		snprintf(name, sizeof(name), "f%d", depth);
		snprintf(text, sizeof(text), depth == DEPTH_MAX ? "mode enforce\n" : "include f%d\n", depth + 1);
		write_text(name, text);
	}
	policy = load_text("include f2\n", NULL, &messages);
	assert_string_equal(messages, "");
	policy_release(policy);
	free(messages);
	assert_null(load_text("include f1\n", NULL, &messages));
	assert_string_equal(messages,
			    "f7:1:9: more than 8 files in each other, 1000 in all, or 16M; put several files into one");
	free(messages);
	for (int depth = 1; depth <= DEPTH_MAX; depth++) {
		snprintf(name, sizeof(name), "f%d", depth);
		unlink(name);
	}
}

static void the_number_of_included_files_is_bounded(void **state)
{
	char *text = malloc(1100 * strlen("include a\n") + 1), *end = text, *messages;
	struct policy *policy;

	(void)state;
	write_text("a", "# nothing\n");
	for (int i = 0; i < 999; i++)
		end = stpcpy(end, "include a\n");
	strcpy(end, "mode enforce\n");
	policy = load_text(text, NULL, &messages);
	assert_string_equal(messages, "");
	policy_release(policy);
	free(messages);
	strcpy(end, "include a\nmode enforce\n");
	assert_null(load_text(text, NULL, &messages));
	assert_non_null(strstr(messages, "t:1000:9: more than 8 files in each other, 1000 in all"));
	free(messages);
	free(text);
	unlink("a");
}

/* The file is read as often as it is included. */
static void the_bytes_of_included_files_are_bounded(void **state)
{
	static const size_t megabyte = 1024 * 1024;
	char *blank = malloc(megabyte), text[400] = "", *messages;
	struct policy *policy;

	(void)state;
	memset(blank, '\n', megabyte);
	write_file("a", blank, megabyte);
	for (int i = 0; i < 16; i++) /* beside the bytes of "t" */
		strcat(text, "include a\n");
	strcat(text, "mode enforce\n");
	policy = load_text(text, NULL, &messages);
	assert_string_equal(messages, "");
	policy_release(policy);
	free(messages);
	strcat(text, "include a\n");
	assert_null(load_text(text, NULL, &messages));
	assert_string_equal(messages,
			    "t:18:9: more than 8 files in each other, 1000 in all, or 16M; put several files into one");
	free(messages);
	free(blank);
	unlink("a");
}

static void the_line_that_is_shown_is_that_of_the_included_file(void **state)
{
	struct diagnostics *diagnostics = diagnostics_new();
	char *shown;

	(void)state;
	write_text("a", "mode wrong\n");
	write_text("t", "log off\ninclude a\n");
	assert_null(policy_load("t", NULL, diagnostics));
	shown = diagnostics_print(diagnostics);
	assert_string_equal(shown,
			    "a:1:6: mode cannot be \"wrong\"; write enforce or report\n\tmode wrong\n\t     ^\n");
	free(shown);
	diagnostics_free(diagnostics);
	unlink("a");
}

static void the_control_socket_may_be_in_an_included_file(void **state)
{
	struct error err;
	char *path;

	(void)state;
	write_text("a", "control /run/elsewhere.sock\n");
	write_text("t", "include a\nmode wrong\n");
	assert_int_equal(policy_control("t", &path, &err), 0);
	assert_string_equal(path, "/run/elsewhere.sock");
	free(path);
	unlink("a");
}

/* ---- merging ------------------------------------------------------------------------------------ */

static void collect(void *context, const struct rule_trace *rule)
{
	char *text = context;

	sprintf(text + strlen(text), "%s:%u ", rule->where.file, rule->where.line);
}

static void blocks_of_one_kind_and_stage_are_tried_in_their_order(void **state)
{
	char tried[200] = "", *messages;
	struct tracer tracer = {collect, tried};
	struct view view = {.stage = STAGE_MAIL};
	struct decision decision;
	struct outcome outcome;
	struct policy *policy;

	(void)state;
	write_text("a", RULE("log \"2\""));
	policy = load_text(
	    "policy inbound {\n on mail {\n log \"1\"\n }\n on rcpt {\n accept\n }\n"
	    " on mail {\n log \"1b\"\n }\n}\ninclude a\npolicy local {\n on mail {\n accept\n }\n}\n" RULE("log \"3\""),
	    NULL, &messages);
	assert_string_equal(messages, "");
	decision_init(&decision, arena_new());
	policy_run(policy, KIND_INBOUND, STAGE_MAIL, &view, false, &decision, &tracer, &outcome);
	assert_string_equal(tried, "t:3 t:9 a:3 t:20 ");
	assert_int_equal(policy_rules(policy), 6);
	arena_free(decision.arena);
	policy_release(policy);
	free(messages);
	unlink("a");
}

/* What a rule says twice counts once; a rule at the same place of another file is another rule. */
static void rules_at_one_place_of_two_files_are_two(void **state)
{
	struct view view = {.stage = STAGE_MAIL};
	struct decision decision;
	struct outcome outcome;
	struct policy *policy;
	char *messages;

	(void)state;
	write_text("a", RULE("add-header X-A \"yes\""));
	write_text("b", RULE("add-header X-B \"yes\""));
	policy = load_text("include a\ninclude b\n", NULL, &messages);
	assert_string_equal(messages, "");
	decision_init(&decision, arena_new());
	policy_run(policy, KIND_INBOUND, STAGE_MAIL, &view, false, &decision, NULL, &outcome);
	assert_int_equal(decision.edit_count, 2);
	policy_run(policy, KIND_INBOUND, STAGE_MAIL, &view, false, &decision, NULL, &outcome);
	assert_int_equal(decision.edit_count, 2);
	arena_free(decision.arena);
	policy_release(policy);
	free(messages);
	unlink("a");
	unlink("b");
}

/* ---- tenants ------------------------------------------------------------------------------------ */

#define TENANT(name, daemon) "tenant " name " { daemon-name \"" daemon "\" }\n"

static void tenants_and_their_policies_have_known_names(void **state)
{
	static const struct expectation cases[] = {
	    {{{NULL}}, TENANT("a", "x") "policy inbound for a {\n}\npolicy inbound for a {\n}\n", ""},
	    {{{NULL}}, "policy inbound for a {\n}\n" TENANT("a", "x"), ""},
	    {{{NULL}}, "tenant for { daemon-name for }\npolicy local for for {\n}\n", ""},
	    {{{NULL}},
	     TENANT("acme", "x") "policy inbound for acem {\n}\n",
	     "t:2:20: no tenant is named \"acem\"; did you mean \"acme\"?"},
	    {{{NULL}},
	     "policy inbound for a {\n}\n",
	     "t:1:20: no tenant is named \"a\"; write tenant NAME { daemon-name \"NAME OF THE SERVICE\" } for it"},
	    {{{NULL}},
	     TENANT("a", "x") TENANT("b", "x"),
	     "t:2:1: daemon-name x is that of the tenant in line 1; give it to one of them"},
	    {{{NULL}},
	     TENANT("a", "x") TENANT("a", "y"),
	     "t:2:1: the name a is that of the tenant in line 1; give it to one of them"},
	    {{{NULL}},
	     "tenant a { }\n",
	     "t:1:1: tenant has no daemon-name; write the name that the MTA gives to the service, as in daemon-name "
	     "\"customer-1\""},
	    {{{NULL}},
	     "policy inbound for {\n}\n",
	     "t:1:20: \"{\" is not expected here; after \"policy\" write the kind (inbound, "
	     "submission or local), after \"on\" the stage"},
	};

	(void)state;
	CHECK(cases);
}

static void a_tenant_is_found_by_the_name_of_the_service(void **state)
{
	struct policy *policy;
	char *messages;

	(void)state;
	policy = load_text("authserv-id mx.example.org\ntenant a { daemon-name one two  authserv-id mx.a.example }\n"
			   "tenant b { daemon-name three }\n",
			   NULL, &messages);
	assert_string_equal(messages, "");
	assert_true(slice_equal(tenant_name(policy_tenant(policy, SLICE("two"))), SLICE("a")));
	assert_true(slice_equal(tenant_name(policy_tenant(policy, SLICE("three"))), SLICE("b")));
	assert_null(policy_tenant(policy, SLICE("four")));
	assert_null(policy_tenant(policy, SLICE("")));
	assert_true(slice_equal(policy_check_settings(policy, policy_tenant(policy, SLICE("one")))->authserv_id,
				SLICE("mx.a.example")));
	assert_true(slice_equal(policy_check_settings(policy, policy_tenant(policy, SLICE("three")))->authserv_id,
				SLICE("mx.example.org")));
	policy_release(policy);
	free(messages);
}

/* ---- bounds ------------------------------------------------------------------------------------- */

/* `count` times a line with its number in it, at each %d. */
static char *numbered(const char *line, int count, const char *end)
{
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	for (int i = 0; i < count; i++) {
		for (const char *c = line; *c; c++) {
			if (*c == '#')
				fprintf(out, "%d", i);
			else
				fputc(*c, out);
		}
	}
	fputs(end, out);
	fclose(out);
	return text;
}

static void tenants_and_tests_are_bounded(void **state)
{
	static const struct {
		const char *line; /* # is the number of the line */
		int most;
		const char *before, *after, *message;
	} cases[] = {
	    {"tenant t# { daemon-name d# }\n", 256, "", "", "t:257:1: there are more than 256 tenants; remove some"},
	    {" d#", 16, "tenant t { daemon-name", " }\n", "daemon-name has more than 16 values; remove some"},
	    {"test \"#\" { expect accept }\n", 10000, "", "",
	     "t:10001:1: there are more than 10000 tests; remove some"},
	    {" expect accept", 100, "test t {", " }\n", "expect has more than 100 values; remove some"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (int more = 0; more <= 1; more++) {
			char *lines = numbered(cases[i].line, cases[i].most + more, cases[i].after), *messages;
			char *text = malloc(strlen(cases[i].before) + strlen(lines) + 1);
			struct policy *policy;

			strcat(strcpy(text, cases[i].before), lines);
			policy = load_text(text, NULL, &messages);
			assert_int_equal(policy == NULL, more);
			assert_true(more ? strstr(messages, cases[i].message) != NULL : !*messages);
			policy_release(policy);
			free(messages);
			free(text);
			free(lines);
		}
	}
}

/* ---- zone text ---------------------------------------------------------------------------------- */

static void zone_text_answers_when_the_resolver_is_told_so(void **state)
{
	static const struct expectation cases[] = {
	    {{{"z", "example.net A 192.0.2.1\n"}}, "resolver { zone z }\n", ""},
	    {{{NULL}}, "resolver { zone z }\n", "t:1:17: cannot open z: No such file or directory"},
	    {{{"z", "example.net A\n"}}, "resolver { zone z }\n", "t:1:17: z:1: this is not an IPv4 address"},
	    {{{"z", "\n"}}, "resolver { zone z system }\n", "t:1:19: system excludes zone in line 1; keep one of them"},
	    {{{"d/z", "\n"}, {"d/a.conf", "resolver { zone z }\n"}}, "include d\n", ""},
	};
	struct arena *arena = arena_new();
	struct resolver *resolver;
	struct dns_budget *budget;
	struct policy *policy;
	struct error err;
	char *messages;

	(void)state;
	CHECK(cases);
	write_text("z", "example.net A 192.0.2.1\n");
	policy = load_text("resolver { zone z }\n", NULL, &messages);
	resolver = resolver_open(&policy_settings(policy)->resolver, &err);
	assert_non_null(resolver);
	assert_string_equal(resolver_name(resolver), "zone z");
	budget = dns_budget_open(resolver, arena, 10);
	assert_int_equal(dns_ask(budget, SLICE("example.net"), DNS_A)->status, DNS_OK);
	assert_int_equal(dns_ask(budget, SLICE("example.com"), DNS_A)->status, DNS_NXDOMAIN);
	dns_budget_close(budget);
	resolver_release(resolver);
	policy_release(policy);
	arena_free(arena);
	free(messages);
	unlink("z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(errors_name_the_file_that_they_are_in),
	    cmocka_unit_test(a_directory_means_its_conf_files_in_the_order_of_their_bytes),
	    cmocka_unit_test(a_loop_is_an_error),
	    cmocka_unit_test(the_depth_of_includes_is_bounded),
	    cmocka_unit_test(the_number_of_included_files_is_bounded),
	    cmocka_unit_test(the_line_that_is_shown_is_that_of_the_included_file),
	    cmocka_unit_test(the_control_socket_may_be_in_an_included_file),
	    cmocka_unit_test(blocks_of_one_kind_and_stage_are_tried_in_their_order),
	    cmocka_unit_test(rules_at_one_place_of_two_files_are_two),
	    cmocka_unit_test(tenants_and_their_policies_have_known_names),
	    cmocka_unit_test(a_tenant_is_found_by_the_name_of_the_service),
	    cmocka_unit_test(the_bytes_of_included_files_are_bounded),
	    cmocka_unit_test(tenants_and_tests_are_bounded),
	    cmocka_unit_test(zone_text_answers_when_the_resolver_is_told_so),
	};

	return cmocka_run_group_tests(tests, enter_directory, leave_directory);
}
