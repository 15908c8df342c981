/*
 * test_dkim_second.c - libopendkim signs what we would sign, from a body that was kept; engines that disagree are told
 * and counted. They do not disagree by themselves, so here its answers can be changed (linked by --wrap).
 */
#include "../../filter/dkim/second.h"
#include "../../filter/engine/gate_private.h"
#include "dkim_bench.h"
#include "policy_text.h"
#include "skip_because.h"

#include <sys/stat.h>

static bool spoil_sign, spoil_end;
static struct counters counters;

static unsigned long disagreements(void)
{
	return counters.disagreements[check_number(fact_check(fact_find(SLICE("dkim"))))];
}

struct slice __real_second_sign(const struct dkim_signing *, struct dkim_fields *, struct arena *, struct error *);
struct slice __wrap_second_sign(const struct dkim_signing *, struct dkim_fields *, struct arena *, struct error *);
void __real_second_end(struct second *, const struct key *const *, enum second_word *);
void __wrap_second_end(struct second *, const struct key *const *, enum second_word *);

/* The last bits of b= are changed. */
struct slice __wrap_second_sign(const struct dkim_signing *signing, struct dkim_fields *fields, struct arena *arena,
				struct error *err)
{
	struct slice value = __real_second_sign(signing, fields, arena, err);
	char *p = (char *)value.p;

	for (size_t i = value.n > 20 ? value.n - 20 : value.n; spoil_sign && i < value.n - 4; i++)
		if (p[i] != '\n' && p[i] != '\t' && p[i] != ' ')
			p[i] = p[i] == 'A' ? 'B' : 'A';
	return value;
}

void __wrap_second_end(struct second *second, const struct key *const *keys, enum second_word *words_r)
{
	__real_second_end(second, keys, words_r);
	if (spoil_end)
		words_r[0] = SECOND_FAIL_BODY;
}

#define LETTER                                                                                                         \
	"Received: from a by b\n"                                                                                      \
	"List-Id: <l.example.org>\n"                                                                                   \
	"From: Alice <alice@example.org>\n"                                                                            \
	"To: Bob <bob@example.net>,\n\tCarol  <carol@example.net>\n"                                                   \
	"Subject: hello\n"                                                                                             \
	"Subject:  gr\303\274\303\237e \t twice \n"                                                                    \
	"Date : Thu, 1 Jan 2026 00:00:00 +0000\n"                                                                      \
	"Cc:\n"                                                                                                        \
	"X-Mine: 1\n"                                                                                                  \
	"\n"

static const char *const bodies[] = {"",
				     "Hello.\n",
				     "no end",
				     "\n\n \n\n",
				     "a  b \t c   \r\n\r\n\tx\r\n.\r\n..\r\nFrom \377\r\n\r\n\r\n",
				     "one\ntwo\r\nthree"};

static struct dkim_library *library; /* NULL: built without it */

/* What signing needs of a message. */
struct letter {
	struct dkim_fields *fields;
	struct dkim_body *body;
};

static struct letter letter_of(struct bench *bench, struct dkim_signing *signing, struct slice text)
{
	struct mail mail = mail_of(bench, text);
	struct letter letter;

	letter.fields = dkim_fields_new(mail.headers.fields, mail.headers.count, bench->arena);
	letter.body = dkim_body_new(bench->arena);
	dkim_body_want(letter.body, signing->body_canon, DKIM_WHOLE);
	dkim_body_add(letter.body, mail.body);
	dkim_body_end(letter.body);
	signing->spool = spool_new(bench->arena);
	spool_add(signing->spool, mail.body);
	signing->library = library;
	return letter;
}

static struct slice sign(struct bench *bench, struct dkim_signing *signing, struct slice text, struct error *err)
{
	struct letter letter = letter_of(bench, signing, text);
	struct slice value;

	signing->engine = DKIM_LIBOPENDKIM;
	value = dkim_signature_make(signing, letter.fields, letter.body, bench->arena, err);
	spool_close(signing->spool);
	return value;
}

static struct slice signed_letter(struct bench *bench, struct dkim_signing *signing, struct slice text)
{
	struct error err = {""};
	struct slice value = sign(bench, signing, text, &err);

	assert_string_equal(err.text, "");
	return arena_printf(bench->arena, "DKIM-Signature:%.*s\n%.*s", SLICE_ARGS(value), SLICE_ARGS(text));
}

static enum dkim_result judged_by(struct bench *bench, enum dkim_engine engine, struct slice text)
{
	struct dkim_rules rules = bench_rules();

	rules.engine = engine;
	rules.library = library;
	return bench_verify_with(bench, &rules, bench->zone, text).result;
}

static void what_libopendkim_signs_passes_both_verifiers(void **state)
{
	struct bench *bench = *state;

	SKIP_UNLESS(library, WITHOUT_LIBOPENDKIM);
	for (size_t b = 0; b < sizeof(bodies) / sizeof(bodies[0]); b++)
		for (int i = 0; i < 4; i++) {
			struct dkim_signing signing = bench_signing(bench, i & 1);
			struct slice text = arena_printf(bench->arena, LETTER "%s", bodies[b]);

			signing.body_canon = i & 2 ? DKIM_RELAXED : DKIM_SIMPLE;
			text = signed_letter(bench, &signing, text);
			assert_int_equal(judged_by(bench, DKIM_NATIVE, text), DKIM_PASS);
			assert_int_equal(judged_by(bench, DKIM_LIBOPENDKIM, text), DKIM_PASS);
		}
}

static const char *value_of_tag(struct bench *bench, struct slice text, const char *name)
{
	struct mail mail = mail_of(bench, text);
	const struct tag *tag;
	struct tags tags;

	assert_null(tags_parse(mail.headers.fields[0].value, &tags));
	tag = tags_find(&tags, name);
	return tag ? arena_cstring(bench->arena, tag->value) : NULL;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names of h=, lower case and sorted. */
static struct slice names_of(struct bench *bench, struct slice text)
{
	struct slice rest = slice_of(value_of_tag(bench, text, "h")), item;
	char *names[100];
	struct text out;
	size_t n = 0;

	while (items_next(&rest, &item))
		names[n++] = arena_cstring(bench->arena, arena_lower(bench->arena, item));
	qsort(names, n, sizeof(names[0]), by_name);
	text_init(&out, bench->arena, 10000);
	for (size_t i = 0; i < n; i++)
		text_printf(&out, "%s:", names[i]);
	return text_slice(&out);
}

static void both_engines_sign_the_same_fields(void **state)
{
	static const struct slice chosen[] = {SLICE("x-mine"), SLICE("Received"), SLICE("absent"), SLICE("SUBJECT")};
	struct bench *bench = *state;

	SKIP_UNLESS(library, WITHOUT_LIBOPENDKIM);
	for (int i = 0; i < 4; i++) {
		struct dkim_signing signing = bench_signing(bench, i & 1);
		struct slice ours, theirs;

		if (i & 2) {
			signing.names = chosen;
			signing.name_count = 4;
		}
		theirs = signed_letter(bench, &signing, SLICE(LETTER "Hello.\n"));
		signing.engine = DKIM_NATIVE;
		ours = bench_sign(bench, &signing, SLICE(LETTER "Hello.\n"));
		assert_slice(names_of(bench, theirs), arena_cstring(bench->arena, names_of(bench, ours)));
		assert_int_equal(judged_by(bench, DKIM_NATIVE, theirs), DKIM_PASS);
		theirs = arena_printf(bench->arena, "From: eve@example.com\n%.*s", SLICE_ARGS(theirs));
		assert_int_not_equal(judged_by(bench, DKIM_NATIVE, theirs), DKIM_PASS);
	}
}

static void libopendkim_writes_times_and_identity(void **state)
{
	struct bench *bench = *state;
	struct dkim_signing signing = bench_signing(bench, false);
	struct slice text;

	SKIP_UNLESS(library, WITHOUT_LIBOPENDKIM);
	text = signed_letter(bench, &signing, SLICE(LETTER "Hello.\n"));
	assert_string_equal(value_of_tag(bench, text, "t"), "1700000000");
	assert_null(value_of_tag(bench, text, "x"));
	signing.lifetime_s = 3600;
	signing.identity = SLICE("alice@example.org");
	text = signed_letter(bench, &signing, SLICE(LETTER "Hello.\n"));
	assert_string_equal(value_of_tag(bench, text, "x"), "1700003600");
	assert_string_equal(value_of_tag(bench, text, "i"), "alice@example.org");
	assert_int_equal(judged_by(bench, DKIM_NATIVE, text), DKIM_PASS);
}

static void refused(struct bench *bench, struct slice text, const char *why)
{
	struct dkim_signing signing = bench_signing(bench, false);
	struct error err = {""};

	assert_int_equal(sign(bench, &signing, text, &err).n, 0);
	if (!strstr(err.text, why))
		fail_msg("%s", err.text);
}

static void what_libopendkim_cannot_sign_rightly_is_not_signed(void **state)
{
	struct bench *bench = *state;
	char *many = calloc(1, 1100 * 8 + 1);

	SKIP_UNLESS(library, WITHOUT_LIBOPENDKIM);
	refused(bench, SLICE(LETTER "a\rb\n"), "a bare CR");
	refused(bench, SLICE(LETTER "a\r"), "a bare CR");
	for (int i = 0; i < 1100; i++)
		memcpy(many + 8 * i, "To: a@b\n", 8);
	refused(bench, arena_printf(bench->arena, "%s" LETTER "x\n", many), "does not accept this header");
	free(many);
	many = calloc(1, 60001);
	memset(many, 'x', 60000);
	refused(bench, arena_printf(bench->arena, "To: %s\n" LETTER "x\n", many), "does not accept this header");
	free(many);
}

static void a_body_over_the_bound_of_the_spool_is_not_signed(void **state)
{
	struct bench *bench = *state;
	struct dkim_signing signing = bench_signing(bench, false);
	char *chunk = calloc(1, SPOOL_MAX / 32);
	struct letter letter;
	struct error err;

	letter = letter_of(bench, &signing, SLICE(LETTER));
	for (int i = 0; i < 32; i++)
		spool_add(signing.spool, (struct slice){chunk, SPOOL_MAX / 32});
	assert_null(spool_trouble(signing.spool));
	spool_add(signing.spool, SLICE("x"));
	assert_string_equal(spool_trouble(signing.spool), "the body is larger than the limit of 32 MB");
	free(chunk);
	signing.engine = DKIM_LIBOPENDKIM;
	if (library) {
		assert_int_equal(dkim_signature_make(&signing, letter.fields, letter.body, bench->arena, &err).n, 0);
		assert_non_null(strstr(err.text, "larger than the limit"));
	}
	spool_close(signing.spool);
}

static void what_the_other_engine_refuses_is_not_handed_out(void **state)
{
	struct dkim_signing signing;
	struct error err;

	SKIP_UNLESS(library, WITHOUT_LIBOPENDKIM);
	spoil_sign = true;
	refused(*state, SLICE(LETTER "Hello.\n"), "what libopendkim signed does not verify");
	spoil_sign = false;
	spoil_end = true;
	signing = bench_signing(*state, true);
	assert_int_equal(sign(*state, &signing, SLICE(LETTER "Hello.\n"), &err).n, 0);
	assert_string_equal(err.text, "libopendkim refuses what native signed");
	spoil_end = false;
}

static enum dkim_compared compared(struct bench *bench, bool ed, const char *text, struct error *err)
{
	struct dkim_signing signing = bench_signing(bench, ed);
	struct letter letter = letter_of(bench, &signing, slice_of(text));
	enum dkim_compared word;
	struct slice value;

	signing.engine = DKIM_COMPARE;
	value = dkim_signature_make(&signing, letter.fields, letter.body, bench->arena, err);
	word = dkim_signature_compare(&signing, letter.fields, letter.body, value, bench->arena, err);
	spool_close(signing.spool);
	return word;
}

static void engines_verify_the_signatures_of_each_other(void **state)
{
	struct error err;

	SKIP_UNLESS(library, WITHOUT_LIBOPENDKIM);
	for (int ed = 0; ed < 2; ed++) {
		for (size_t b = 0; b < sizeof(bodies) / sizeof(bodies[0]); b++)
			assert_int_equal(compared(*state, ed,
						  arena_cstring(((struct bench *)*state)->arena,
								arena_printf(((struct bench *)*state)->arena,
									     LETTER "%s", bodies[b])),
						  &err),
					 DKIM_AGREE);
		spoil_sign = !ed;
		assert_int_equal(compared(*state, ed, LETTER "x\n", &err), ed ? DKIM_AGREE : DKIM_DISAGREE);
		if (!ed)
			assert_non_null(strstr(err.text, "native refuses what libopendkim signed"));
		spoil_sign = false;
		spoil_end = true;
		assert_int_equal(compared(*state, ed, LETTER "x\n", &err), DKIM_DISAGREE);
		assert_string_equal(err.text, "libopendkim refuses what native signed");
		spoil_end = false;
		assert_int_equal(compared(*state, ed, LETTER "a\rb\n", &err), DKIM_NOT_COMPARED);
	}
}

/* ---- in a session --------------------------------------------------------------------------------- */

static struct engine *make_engine(struct bench *bench, const char *settings)
{
	struct slice pem = dkim_private_pem(bench->rsa, bench->arena);
	struct error err;
	struct resolver *resolver = resolver_open_zone(bench->zone, "zone", &err);
	struct policy *policy;
	struct engine *engine;
	char *messages;

	write_file("friends", pem.p, pem.n);
	assert_int_equal(chmod("friends", 0600), 0);
	policy =
	    load_text(arena_cstring(bench->arena, arena_printf(bench->arena,
							       "%s\nsign example.org { selector rsa key friends }\n"
							       "authentication-results { dkim }\n"
							       "policy inbound { on message { sign } }\n",
							       settings)),
		      NULL, &messages);
	if (!policy)
		fail_msg("%s", messages);
	free(messages);
	memset(&counters, 0, sizeof(counters));
	engine = engine_new(policy, resolver, NULL, &counters);
	policy_release(policy);
	resolver_release(resolver);
	return engine;
}

/* How many signatures were made for it. */
static size_t send(struct bench *bench, struct gate *gate, struct slice text)
{
	struct mail mail = mail_of(bench, text);
	const struct change *changes;
	size_t count, made = 0;

	gate_mail(gate, SLICE("<alice@example.org>"), MADE_UNKNOWN, false);
	gate_rcpt(gate, SLICE("<b@example.org>"), MADE_UNKNOWN);
	for (size_t i = 0; i < mail.headers.count; i++)
		gate_header(gate, mail.headers.fields[i].name, mail.headers.fields[i].value);
	gate_body(gate, mail.body);
	assert_int_equal(gate_end(gate), GATE_CONTINUE);
	gate_done(gate, &(struct told){.how = TOLD_AS_DECIDED});
	changes = gate_changes(gate, &count);
	for (size_t i = 0; i < count; i++)
		made += changes[i].kind == CHANGE_INSERT && slice_equal(changes[i].name, SLICE("DKIM-Signature"));
	return made;
}

static bool noted(struct gate *gate, const char *text)
{
	const struct record *record = gate_record(gate);

	for (size_t i = 0; i < record->note_count; i++)
		if (memmem(record->notes[i].text.p, record->notes[i].text.n, text, strlen(text)))
			return true;
	return false;
}

static struct gate *open_gate(struct engine *engine)
{
	struct gate *gate = gate_open(engine, &abilities_all);
	struct ip ip;

	ip_parse(SLICE("203.0.113.9"), &ip);
	gate_connect(gate, &(struct connection){ip, 1234, SLICE(""), SLICE("mx"), 25, false});
	gate_helo(gate, SLICE("mail.example.net"));
	return gate;
}

static void engines_that_disagree_are_noted_and_counted(void **state)
{
	struct bench *bench = *state;
	struct dkim_signing signing = bench_signing(bench, false);
	struct slice once = bench_sign(bench, &signing, SLICE(LETTER "Hello.\n"));
	struct engine *engine;
	struct gate *gate;

	SKIP_UNLESS(library, WITHOUT_LIBOPENDKIM);
	engine = make_engine(bench, "dkim { engine compare }");
	gate = open_gate(engine);
	assert_int_equal(send(bench, gate, once), 0);
	assert_true(noted(gate, "signed already: d=example.org s=rsa"));
	assert_int_equal(disagreements(), 0);
	assert_false(noted(gate, "disagree"));
	spoil_end = true;
	assert_int_equal(send(bench, gate, once), 0);
	assert_true(noted(gate, "dkim engines disagree: native pass, libopendkim fail: d=example.org s=rsa"));
	assert_int_equal(disagreements(), 1);
	assert_int_equal(send(bench, gate, SLICE(LETTER "Hello.\n")), 1);
	spoil_end = false;
	assert_true(noted(gate, "dkim engines disagree on signing: d=example.org s=rsa: libopendkim refuses"));
	assert_int_equal(disagreements(), 2);
	spoil_sign = true;
	assert_int_equal(send(bench, gate, SLICE(LETTER "Hello.\n")), 1);
	spoil_sign = false;
	assert_int_equal(disagreements(), 3);
	assert_int_equal(send(bench, gate, SLICE(LETTER "a\rb\n")), 1);
	assert_true(noted(gate, "signing was not compared"));
	assert_int_equal(disagreements(), 3);
	gate_close(gate);
	engine_release(engine);
}

static void a_session_signs_by_the_engine_of_its_policy(void **state)
{
	struct bench *bench = *state;
	struct engine *engine;
	struct gate *gate;

	SKIP_UNLESS(library, WITHOUT_LIBOPENDKIM);
	engine = make_engine(bench, "dkim { engine libopendkim }");
	gate = open_gate(engine);
	assert_int_equal(send(bench, gate, SLICE(LETTER "Hello.\n")), 1);
	assert_true(noted(gate, "signed: d=example.org s=rsa"));
	assert_int_equal(send(bench, gate, SLICE(LETTER "a\rb\n")), 0);
	assert_true(noted(gate, "not signed: libopendkim: the body has a bare CR"));
	gate_close(gate);
	engine_release(engine);
}

/* The form that Sendmail would write names an author; but the rules saw none, and could refuse nobody. */
static void a_message_is_signed_only_for_an_author_whom_the_rules_saw(void **state)
{
	static const char rest[] = "To: b@example.org\nSubject: x\n\nHello.\n";
	static const struct {
		const char *from;
		size_t signatures;
	} cases[] = {
	    {"From: Pat O'Brien <a@example.org>\n", 1},
	    {"From: [Shop] Alice <a@example.org>\n", 1},
	    {"From: ceo@example.net <a@example.org>\n", 0},
	    {"From: [x] <a@example.org> ceo@example.net\n", 0},
	};
	struct bench *bench = *state;
	struct engine *engine = make_engine(bench, "");
	struct gate *gate = open_gate(engine);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct slice message = arena_join(bench->arena, slice_of(cases[i].from), slice_of(rest));

		if (send(bench, gate, message) != cases[i].signatures)
			fail_msg("%s", cases[i].from);
		assert_int_equal(noted(gate, "not signed: From does not name one author"), cases[i].signatures == 0);
	}
	gate_close(gate);
	engine_release(engine);
}

static int set_up(void **state)
{
	struct error err;

	enter_directory(state);
	library = dkim_library_open(&err);
	return bench_open(state);
}

static int tear_down(void **state)
{
	bench_close(state); /* its arena holds what is the library's */
	dkim_library_close(library);
	return leave_directory(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_libopendkim_signs_passes_both_verifiers),
	    cmocka_unit_test(both_engines_sign_the_same_fields),
	    cmocka_unit_test(libopendkim_writes_times_and_identity),
	    cmocka_unit_test(what_libopendkim_cannot_sign_rightly_is_not_signed),
	    cmocka_unit_test(a_body_over_the_bound_of_the_spool_is_not_signed),
	    cmocka_unit_test(what_the_other_engine_refuses_is_not_handed_out),
	    cmocka_unit_test(engines_verify_the_signatures_of_each_other),
	    cmocka_unit_test(engines_that_disagree_are_noted_and_counted),
	    cmocka_unit_test(a_session_signs_by_the_engine_of_its_policy),
	    cmocka_unit_test(a_message_is_signed_only_for_an_author_whom_the_rules_saw),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
