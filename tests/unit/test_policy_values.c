/*
 * test_policy_values.c - what settings become: their defaults, and the values that a file sets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "policy_text.h"
#include "skip_because.h"

#define SECOND 1000000

static struct policy *load(const char *text)
{
	char *messages;
	struct policy *policy = load_text(text, NULL, &messages);

	if (!policy || *messages)
		fail_msg("%s: %s", text, messages);
	free(messages);
	return policy;
}

static void assert_text(struct slice text, const char *expected)
{
	if (!slice_equal(text, slice_of(expected)))
		fail_msg("expected %s, got %.*s", expected, SLICE_ARGS(text));
}

/* A member of a check's private block. */
static const void *member_of(const struct policy *policy, const char *name, const char *key)
{
	for (size_t i = 0; checks[i]; i++) {
		const struct setting_block *block = checks[i]->settings;

		for (size_t k = 0; block && strcmp(block->name, name) == 0 && k < block->key_count; k++)
			if (strcmp(block->keys[k].name, key) == 0)
				return (const char *)check_block(&policy_settings(policy)->check, checks[i]) +
				       block->keys[k].offset;
	}
	fail_msg("no check has %s { %s }", name, key);
	return NULL;
}

static unsigned number_of(const struct policy *policy, const char *name, const char *key)
{
	return *(const unsigned *)member_of(policy, name, key);
}

static void what_is_not_set_has_its_default(void **state)
{
	struct policy *policy = load("mode enforce\n");
	const struct settings *settings = policy_settings(policy);

	(void)state;
	assert_int_equal(settings->listen_count, 1);
	assert_text(settings->listens[0].text, "inet:8891@127.0.0.1");
	assert_int_equal(settings->listens[0].mode, -1);
	assert_text(settings->listens[0].group, "");
	assert_true(settings->check.authserv_id.n > 0);
	assert_int_equal(settings->check.trusted.count, 2);
	assert_int_equal(settings->check.submission_ports.count, 2);
	assert_int_equal(settings->check.submission_ports.items[0], 587);
	assert_int_equal(settings->check.submission_ports.items[1], 465);
	assert_int_equal(settings->check.submission_names.count, 0);
	assert_text(settings->user, "");
	assert_text(settings->group, "");
	assert_text(settings->control.path, RUNSTATEDIR "/sekisho/control.sock");
	assert_int_equal(settings->log, LOG_TO_SYSLOG);
	assert_false(settings->record_all_facts);
	assert_false(settings->report_mode);
	for (unsigned i = 0; checks[i]; i++)
		assert_int_equal(settings->authres_checks >> i & 1, checks[i]->authres != NULL);
	assert_false(settings->check.received_spf);
	assert_int_equal(number_of(policy, "spf", "engine"), SPF_ENGINE_NATIVE);
	assert_int_equal(number_of(policy, "dmarc", "organizational-domain"), DMARC_TREE_WALK);
	assert_int_equal(number_of(policy, "dkim", "engine"), DKIM_NATIVE);
	assert_int_equal(number_of(policy, "dkim", "minimum-key-bits"), 1024);
	assert_int_equal(number_of(policy, "dkim", "maximum-signatures"), 10);
	assert_null(settings->check.relays);
	assert_int_equal(settings->drain_us, 30 * SECOND);
	assert_int_equal(settings->resolver.source, DNS_SYSTEM);
	assert_int_equal(settings->resolver.dnssec, DNSSEC_PERMISSIVE);
	assert_int_equal(settings->resolver.timeout_us, 3 * SECOND);
	assert_int_equal(settings->resolver.cache_entries, 65536);
	assert_false(settings->resolver.hints_off);
	policy_release(policy);
}

static void settings_get_the_values_of_the_file(void **state)
{
	struct policy *policy =
	    load("listen milter unix:/run/x.sock engine native mode 0660 group postfix\n"
		 "authserv-id MX.Example.org.\n"
		 "trusted { 10.0.0.0/8 2001:db8::/32 192.0.2.1 }\n"
		 "submission { port 2587 daemon-name \"ORIGINATING\" MSA }\n"
		 "user sekisho\ngroup mail\ncontrol unix:/run/c.sock\nlog file:/var/log/sekisho\n"
		 "record { facts all }\nmode report\nauthentication-results { spf }\nreceived-spf yes\n"
		 "drain 2m\n"
		 "resolver { timeout 500ms dnssec off forward 192.0.2.53 2001:db8::53@5353 cache 1000 hints no }\n"
		 "dkim { maximum-signatures 3 allow-length Example.NET \"engine\" engine native }\n");
	const struct settings *settings = policy_settings(policy);
	const SETTING_ITEMS(struct slice) * domains;

	(void)state;
	assert_text(settings->listens[0].text, "unix:/run/x.sock");
	assert_int_equal(settings->listens[0].engine, ENGINE_NATIVE);
	assert_int_equal(settings->listens[0].mode, 0660);
	assert_text(settings->listens[0].group, "postfix");
	assert_int_equal(settings->listens[0].where.line, 1);
	assert_text(settings->check.authserv_id, "mx.example.org");
	assert_int_equal(settings->check.trusted.count, 3);
	assert_int_equal(settings->check.trusted.items[1].prefix, 32);
	assert_int_equal(settings->check.submission_ports.count, 1);
	assert_int_equal(settings->check.submission_ports.items[0], 2587);
	assert_int_equal(settings->check.submission_names.count, 2);
	assert_text(settings->check.submission_names.items[1], "MSA");
	assert_text(settings->user, "sekisho");
	assert_text(settings->group, "mail");
	assert_text(settings->control.path, "/run/c.sock");
	assert_int_equal(settings->log, LOG_TO_FILE);
	assert_text(settings->log_file, "/var/log/sekisho");
	assert_true(settings->record_all_facts && settings->report_mode && settings->check.received_spf);
	assert_ptr_equal(checks[__builtin_ctz(settings->authres_checks)], fact_check(fact_find(SLICE("spf"))));
	assert_int_equal(settings->drain_us, 120 * SECOND);
	assert_int_equal(settings->resolver.source, DNS_FORWARD);
	assert_int_equal(settings->resolver.forward_count, 2);
	assert_string_equal(settings->resolver.forward[1], "2001:db8::53@5353");
	assert_int_equal(settings->resolver.timeout_us, SECOND / 2);
	assert_int_equal(settings->resolver.dnssec, DNSSEC_OFF);
	assert_int_equal(settings->resolver.cache_entries, 1000);
	assert_true(settings->resolver.hints_off);
	assert_int_equal(number_of(policy, "dkim", "maximum-signatures"), 3);
	assert_int_equal(number_of(policy, "dkim", "minimum-key-bits"), 1024); /* a preset stays beside what is set */
	domains = member_of(policy, "dkim", "allow-length");
	assert_int_equal(domains->count, 2);
	assert_text(domains->items[0], "example.net");
	assert_text(domains->items[1], "engine"); /* in quotes it is not a key */
	policy_release(policy);
}

static void recursion_is_strict_unless_set_otherwise(void **state)
{
	struct policy *policy = load("resolver { recurse }\n");

	(void)state;
	assert_int_equal(policy_settings(policy)->resolver.source, DNS_RECURSE);
	assert_int_equal(policy_settings(policy)->resolver.dnssec, DNSSEC_STRICT);
	policy_release(policy);
	policy = load("resolver { recurse dnssec permissive }\n");
	assert_int_equal(policy_settings(policy)->resolver.dnssec, DNSSEC_PERMISSIVE);
	policy_release(policy);
}

static void settings_can_be_switched_off(void **state)
{
	struct policy *policy = load("control off\nlog off\nauthentication-results off\ntrusted { }\n");

	(void)state;
	assert_text(policy_settings(policy)->control.path, "");
	assert_int_equal(policy_settings(policy)->log, LOG_TO_NOWHERE);
	assert_int_equal(policy_settings(policy)->authres_checks, 0);
	assert_int_equal(policy_settings(policy)->check.trusted.count, 0);
	policy_release(policy);
}

static void an_engine_that_is_not_built_is_refused(void **state)
{
	char *messages;
	struct policy *policy = load_text("spf { engine libspf2 }\n", NULL, &messages);

	(void)state;
	assert_int_equal(policy != NULL, spf_engine_built(SPF_ENGINE_LIBSPF2));
	if (policy)
		assert_int_equal(number_of(policy, "spf", "engine"), SPF_ENGINE_LIBSPF2);
	else
		assert_non_null(strstr(messages, "built without libspf2"));
	free(messages);
	policy_release(policy);
}

static enum truth has_client(struct list *list, const char *client)
{
	struct list_key key = {.kind = LIST_IP};

	assert_int_equal(ip_parse(slice_of(client), &key.ip), 0);
	return list_has(list, NULL, &key);
}

/* The origin is in the Received field, whatever the rules ask for. */
static void with_relays_the_header_is_needed_for_spf(void **state)
{
	static const char rules[] =
	    "authentication-results off\npolicy inbound { on mail { reject 550 \"no\" if spf is fail } }\n";
	char text[400];
	struct policy *policy = load(rules);
	struct list *relays;

	(void)state;
	assert_int_equal(policy_needs(policy), 0);
	policy_release(policy);
	write_text("friends", "192.0.2.0/24\n2001:db8::1\n");
	snprintf(text, sizeof(text), "list relays file:friends\n%s", rules);
	policy = load(text);
	assert_int_equal(policy_needs(policy), NEED_HEADERS);
	relays = policy_settings(policy)->check.relays;
	assert_int_equal(has_client(relays, "192.0.2.7"), TRUTH_TRUE);
	assert_int_equal(has_client(relays, "2001:db8::1"), TRUTH_TRUE);
	assert_int_equal(has_client(relays, "2001:db8::2"), TRUTH_FALSE);
	policy_release(policy);
	policy = load(
	    "list relays file:friends\nauthentication-results off\npolicy inbound { on mail { reject 550 \"no\" } }\n");
	assert_int_equal(policy_needs(policy), 0);
	policy_release(policy);
}

static char *shipped; /* conf/sekisho.conf of the source; NULL when it is not there */

static void the_shipped_policy_is_valid(void **state)
{
	struct diagnostics *diagnostics;
	struct policy *policy;

	(void)state;
	SKIP_UNLESS(shipped, "conf/sekisho.conf of the source is not here");
	diagnostics = diagnostics_new();
	policy = policy_load(shipped, NULL, diagnostics);
	if (!policy || diagnostics_warnings(diagnostics))
		fail_msg("%s", diagnostics_line(diagnostics, 0));
	assert_true(policy_rules(policy) > 3);
	policy_release(policy);
	diagnostics_free(diagnostics);
}

/* Automake says in `srcdir` where the sources are. */
static void find_shipped(void)
{
	const char *srcdir = getenv("srcdir");
	char path[4096];

	snprintf(path, sizeof(path), "%s/conf/sekisho.conf", srcdir ? srcdir : ".");
	shipped = realpath(path, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_not_set_has_its_default),
	    cmocka_unit_test(settings_get_the_values_of_the_file),
	    cmocka_unit_test(recursion_is_strict_unless_set_otherwise),
	    cmocka_unit_test(settings_can_be_switched_off),
	    cmocka_unit_test(an_engine_that_is_not_built_is_refused),
	    cmocka_unit_test(with_relays_the_header_is_needed_for_spf),
	    cmocka_unit_test(the_shipped_policy_is_valid),
	};

	find_shipped();
	return cmocka_run_group_tests(tests, enter_directory, leave_directory);
}
