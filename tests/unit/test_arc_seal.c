/*
 * test_arc_seal.c - the facts of ARC and the action arc-seal, in the engine: a message goes from host to host, and each
 * judges what the others sealed.
 */
#include "assert_slice.h"
#include "engine.h"
#include "policy_text.h"

#define CONFIG(results)                                                                                                \
	"authserv-id mx.example.org\n" results "list trusted file:friends\narc { trust trusted }\n"                    \
	"sign example.org { selector s1 key owners }\nsign example.net { selector s1 key owners }\n"

struct scene {
	struct arena *arena;
	struct slice zone, text; /* of the key; the message on its way */
	struct engine *engine;
	struct gate *gate;
	struct counters counters;
};

static int open_scene(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));
	struct dkim_private *key;
	struct slice pem, record;
	struct text zone;
	struct error err;

	if (enter_directory(state))
		return -1;
	scene->arena = arena_new();
	key = dkim_private_generate(DKIM_RSA, &err);
	pem = dkim_private_pem(key, scene->arena);
	record = dkim_private_record(key, scene->arena);
	dkim_private_free(key);
	write_file("owners", pem.p, pem.n);
	text_init(&zone, scene->arena, 10000);
	for (int i = 0; i < 2; i++)
		text_printf(&zone, "s1._domainkey.example.%s TXT \"%.*s\" \"%.*s\"\n", i ? "net" : "org",
			    SLICE_ARGS(slice_head(record, 200)), SLICE_ARGS(slice_from(record, 200)));
	scene->zone = text_slice(&zone);
	*state = scene;
	return chmod("owners", 0600);
}

static int close_scene(void **state)
{
	struct scene *scene = *state;

	arena_free(scene->arena);
	free(scene);
	return leave_directory(state);
}

static struct policy *load(const char *text)
{
	struct diagnostics *diagnostics = diagnostics_new();
	struct policy *policy;

	write_text("t", text);
	policy = policy_load("t", NULL, diagnostics);
	if (!policy)
		fail_msg("%s", diagnostics_print(diagnostics));
	diagnostics_free(diagnostics);
	return policy;
}

static void hand_over(struct scene *scene, struct slice text)
{
	struct slice name, value;

	assert_int_equal(gate_mail(scene->gate, SLICE("<a@example.com>"), MADE_UNKNOWN, false), GATE_CONTINUE);
	assert_int_equal(gate_rcpt(scene->gate, SLICE("<b@example.org>"), MADE_UNKNOWN), GATE_CONTINUE);
	while (message_next_field(&text, scene->arena, &name, &value))
		gate_header(scene->gate, name, value);
	gate_body(scene->gate, text);
	assert_int_equal(gate_end(scene->gate), GATE_CONTINUE);
}

/* The message as the next host gets it: new fields on top, each above the one before. */
static void change(struct scene *scene)
{
	size_t count;
	const struct change *changes = gate_changes(scene->gate, &count);

	for (size_t i = 0; i < count; i++)
		if (changes[i].kind == CHANGE_INSERT)
			scene->text = arena_printf(scene->arena, "%.*s:%.*s\n%.*s", SLICE_ARGS(changes[i].name),
						   SLICE_ARGS(changes[i].value), SLICE_ARGS(scene->text));
}

/* The host with this policy takes the message. hop_end() must follow. */
static void hop(struct scene *scene, struct slice zone, const char *policy_text)
{
	struct error err;
	struct policy *policy = load(policy_text);
	struct resolver *resolver = resolver_open_zone(zone, "zone", &err);
	struct ip ip;

	scene->engine = engine_new(policy, resolver, NULL, &scene->counters);
	policy_release(policy);
	resolver_release(resolver);
	scene->gate = gate_open(scene->engine, &abilities_all);
	ip_parse(SLICE("203.0.113.9"), &ip);
	gate_connect(scene->gate, &(struct connection){ip, 1234, SLICE("mail.example.net"), SLICE("mx"), 25, false});
	gate_helo(scene->gate, SLICE("mail.example.net"));
	hand_over(scene, scene->text);
	change(scene);
}

static struct value fact(struct scene *scene, const char *name)
{
	return fact_get(gate_view(scene->gate), fact_find(slice_of(name)), NO_ARGUMENT);
}

static void assert_fact(struct scene *scene, const char *name, const char *wanted)
{
	struct value value = fact(scene, name);
	struct slice text = value_print(&value, scene->arena);

	if (!slice_equal(text, slice_of(wanted)))
		print_error("%s\n", name);
	assert_slice(text, wanted);
}

/* The first note of the record; "" without one. */
static struct slice hop_end(struct scene *scene)
{
	const struct record *record;
	struct slice note = SLICE("");

	gate_done(scene->gate, &(struct told){.how = TOLD_AS_DECIDED});
	record = gate_record(scene->gate);
	if (record->note_count > 0)
		note = arena_copy(scene->arena, record->notes[0].text);
	gate_close(scene->gate);
	engine_release(scene->engine);
	return note;
}

#define LETTER                                                                                                         \
	SLICE("From: Alice <a@example.com>\nTo: b@example.org\nSubject: hello\nDate: Thu, 1 Jan 2026 00:00:00 +0000\n" \
	      "Message-ID: <1@example.com>\n\nHello.\n")
#define SEALS(domain)  "policy inbound { on message { arc-seal " domain " } }\n"
#define JUDGES(policy) "policy inbound { on message { " policy " } }\n"
#define FINDS(part)    assert_non_null(memmem(scene->text.p, scene->text.n, part, strlen(part)))
#define MISSES(part)   assert_null(memmem(scene->text.p, scene->text.n, part, strlen(part)))

static void each_host_seals_and_the_last_one_knows_them_all(void **state)
{
	struct scene *scene = *state;

	write_text("friends", "example.org\nexample.net\n");
	scene->text = LETTER;
	hop(scene, scene->zone, CONFIG("") SEALS("example.org"));
	assert_fact(scene, "arc", "none");
	assert_slice(hop_end(scene), "sealed: i=1 d=example.org s=s1");
	/* The seal is on top; the results are those of all checks. */
	assert_true(slice_starts_nocase(scene->text, SLICE("ARC-Seal: i=1; a=rsa-sha256; t=")));
	FINDS("\nARC-Authentication-Results: i=1; mx.example.org;\n\tspf=none");
	FINDS(";\n\tarc=none smtp.remote-ip=203.0.113.9");
	FINDS("\nAuthentication-Results: mx.example.org;");
	hop(scene, scene->zone, CONFIG("authentication-results off\n") SEALS("example.net"));
	assert_fact(scene, "arc", "pass");
	assert_slice(hop_end(scene), "sealed: i=2 d=example.net s=s1");
	FINDS("cv=pass; d=example.net;");
	hop(scene, scene->zone, CONFIG("authentication-results { arc }\n") JUDGES("log \"%{arc}\""));
	assert_fact(scene, "arc", "pass");
	assert_fact(scene, "arc.domains", "example.net example.org");
	assert_fact(scene, "arc.trusted", "yes");
	assert_fact(scene, "arc.dmarc", "none");
	assert_fact(scene, "arc.oldest-pass", "0");
	assert_fact(scene, "arc.reason", "");
	assert_fact(scene, "arc.chain", "arc=pass as[2].d=example.net as[2].s=s1 as[1].d=example.org as[1].s=s1");
	assert_slice(hop_end(scene), "pass");
	FINDS("Authentication-Results: mx.example.org;\n\tarc=pass smtp.remote-ip=203.0.113.9\n");
}

static void a_chain_with_one_stranger_is_not_trusted(void **state)
{
	struct scene *scene = *state;

	write_text("friends", "example.net\n");
	scene->text = LETTER;
	hop(scene, scene->zone, CONFIG("") SEALS("example.org"));
	hop_end(scene);
	hop(scene, scene->zone, CONFIG("") SEALS("example.net"));
	hop_end(scene);
	hop(scene, scene->zone,
	    CONFIG("") JUDGES("log \"all\" if all arc.domains in trusted\nlog \"any\" if any arc.domains in trusted"));
	assert_fact(scene, "arc", "pass");
	assert_fact(scene, "arc.trusted", "no");
	assert_fact(scene, "arc.dmarc", "");
	assert_slice(hop_end(scene), "any");
}

static void a_message_that_was_changed_names_nobody(void **state)
{
	struct scene *scene = *state;

	write_text("friends", "example.org\n");
	scene->text = LETTER;
	hop(scene, scene->zone, CONFIG("") SEALS("example.org"));
	hop_end(scene);
	scene->text = arena_printf(scene->arena, "%.*smore\n", SLICE_ARGS(scene->text));
	hop(scene, scene->zone,
	    CONFIG("authentication-results { arc }\n") JUDGES("log \"all\" if all arc.domains in trusted"));
	assert_fact(scene, "arc", "fail");
	assert_fact(scene, "arc.domains", "");
	assert_fact(scene, "arc.dmarc", "");
	assert_fact(scene, "arc.trusted", "no");
	assert_fact(scene, "arc.oldest-pass", "");
	assert_fact(scene, "arc.reason", "the ARC-Message-Signature of set 1: the body was changed");
	assert_slice(hop_end(scene), "");
	FINDS("\tarc=fail\n\treason=\"the ARC-Message-Signature of set 1: the body was changed\"\n\tsmtp.remote-ip=");
	hop(scene, scene->zone, CONFIG("") SEALS("example.net"));
	assert_slice(hop_end(scene), "sealed: i=2 d=example.net s=s1");
	FINDS("cv=fail;");
	hop(scene, scene->zone, CONFIG("") SEALS("example.net"));
	assert_fact(scene, "arc.reason", "set 2 says that the chain has failed");
	assert_slice(hop_end(scene), "not sealed: the chain has ended: its newest seal says cv=fail");
}

/* RFC 8617 5.2.1 knows no temperror. */
static void dns_trouble_is_temperror_for_rules_and_fail_in_the_field(void **state)
{
	struct scene *scene = *state;

	write_text("friends", "example.org\n");
	scene->text = LETTER;
	hop(scene, scene->zone, CONFIG("") SEALS("example.org"));
	hop_end(scene);
	hop(scene, SLICE("s1._domainkey.example.org TIMEOUT\n"),
	    CONFIG("authentication-results { arc }\n") SEALS("example.net"));
	assert_fact(scene, "arc", "temperror");
	assert_slice(hop_end(scene),
		     "not sealed: the chain could not be verified for now, and a seal would end it for good");
	FINDS("\tarc=fail\n\treason=");
	MISSES("arc=temperror");
}

/* What DKIM signs is what the seal signs, after all edits; a changed chain is not sealed. */
static void the_seal_covers_what_rules_make_of_the_message(void **state)
{
	static const char edits[] = "policy inbound { on message { prefix-subject \"[list] \"\nfooter \"bye\"\n"
				    "add-header X-List \"yes\"\narc-seal example.org } }\n";
	struct scene *scene = *state;
	size_t count;
	const struct change *changes;
	struct slice body = SLICE("");

	write_text("friends", "example.org\n");
	scene->text = SLICE("From: Alice <a@example.org>\nSubject: hello\nMIME-Version: 1.0\n\nHello.\n");
	hop(scene, scene->zone,
	    arena_cstring(scene->arena, arena_join(scene->arena, SLICE(CONFIG("")), slice_of(edits))));
	changes = gate_changes(scene->gate, &count);
	for (size_t i = 0; i < count; i++)
		if (changes[i].kind == CHANGE_BODY)
			body = arena_join(scene->arena, body, changes[i].value);
	assert_non_null(memmem(body.p, body.n, "bye", 3));
	scene->text = arena_join(scene->arena, slice_head(scene->text, scene->text.n - strlen("Hello.\n")), body);
	hop_end(scene);
	hop(scene, scene->zone, CONFIG("") JUDGES("log \"%{arc} %{arc.reason}\""));
	/* The subject was replaced, which change() leaves out. */
	assert_slice(hop_end(scene),
		     "fail the ARC-Message-Signature of set 1: the signature does not match the header");
	scene->text = LETTER;
	hop(scene, scene->zone, CONFIG("") SEALS("example.org"));
	hop_end(scene);
	hop(scene, scene->zone, CONFIG("") JUDGES("delete-header ARC-Seal\narc-seal example.org"));
	assert_slice(hop_end(scene), "not sealed: a rule has changed the fields of ARC");
}

static unsigned questions(struct scene *scene, const char *policy)
{
	unsigned asked;

	hop(scene, scene->zone, policy);
	gate_done(scene->gate, &(struct told){.how = TOLD_AS_DECIDED});
	asked = gate_record(scene->gate)->dns_questions;
	gate_close(scene->gate);
	engine_release(scene->engine);
	return asked;
}

static void nothing_is_asked_that_nobody_reads(void **state)
{
	struct scene *scene = *state;
	unsigned asked;

	write_text("friends", "example.org\n");
	scene->text = LETTER;
	hop(scene, scene->zone, CONFIG("") SEALS("example.org"));
	hop_end(scene);
	asked = questions(scene, CONFIG("authentication-results off\n") JUDGES("log \"x\""));
	assert_int_equal(asked, 0);
	asked = questions(scene, CONFIG("authentication-results off\n") JUDGES("log \"%{arc}\""));
	assert_int_equal(asked, 1);
	/* `all` has a clause about a chain, but none about its absence. */
	hop(scene, scene->zone, CONFIG("") JUDGES("log \"x\""));
	hop_end(scene);
	FINDS("arc=pass");
	scene->text = LETTER;
	hop(scene, scene->zone, CONFIG("") JUDGES("log \"x\""));
	hop_end(scene);
	MISSES("\tarc=");
	hop(scene, scene->zone, CONFIG("authentication-results { arc }\n") JUDGES("log \"x\""));
	hop_end(scene);
	FINDS("\tarc=none smtp.remote-ip=203.0.113.9");
}

static void what_is_wrong_with_arc_seal_is_an_error(void **state)
{
	static const struct {
		const char *rule, *message;
	} cases[] = {
	    {"arc-seal", "the domain that seals is missing; write arc-seal DOMAIN"},
	    {"arc-seal example.org example.net", "one domain fits here; write arc-seal DOMAIN"},
	    {"arc-seal \"a b\"", "this is not a domain; write arc-seal DOMAIN"},
	    {"arc-seal example.com",
	     "there is no key to seal with; write sign example.com { selector NAME key /path } in the settings"},
	    {"arc-seal a.example.org",
	     "there is no key to seal with; write sign a.example.org { selector NAME key /path } in the settings"},
	};
	struct scene *scene = *state;

	write_text("friends", "example.org\n");
	for (size_t i = 0; i <= sizeof(cases) / sizeof(cases[0]); i++) {
		bool warns = i == sizeof(cases) / sizeof(cases[0]);
		struct diagnostics *diagnostics = diagnostics_new();
		struct slice text =
		    arena_printf(scene->arena, CONFIG("") "policy %s { on message {\n%s\n} }\n",
				 warns ? "submission" : "inbound", warns ? "arc-seal example.org" : cases[i].rule);

		write_text("t", arena_cstring(scene->arena, text));
		policy_release(policy_load("t", NULL, diagnostics));
		assert_int_equal(diagnostics_errors(diagnostics), !warns);
		assert_non_null(strstr(diagnostics_line(diagnostics, 0),
				       warns ? "mail of a login begins here, and nothing has happened to it that a "
					       "seal could tell of; write sign"
					     : cases[i].message));
		diagnostics_free(diagnostics);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_host_seals_and_the_last_one_knows_them_all),
	    cmocka_unit_test(a_chain_with_one_stranger_is_not_trusted),
	    cmocka_unit_test(a_message_that_was_changed_names_nobody),
	    cmocka_unit_test(dns_trouble_is_temperror_for_rules_and_fail_in_the_field),
	    cmocka_unit_test(the_seal_covers_what_rules_make_of_the_message),
	    cmocka_unit_test(nothing_is_asked_that_nobody_reads),
	    cmocka_unit_test(what_is_wrong_with_arc_seal_is_an_error),
	};

	return cmocka_run_group_tests(tests, open_scene, close_scene);
}
