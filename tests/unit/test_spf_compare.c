/*
 * test_spf_compare.c - with `spf { engine compare }` a message on which the engines disagree is
 * recorded and counted. They do not disagree by themselves, so spf_check is replaced here (linked by --wrap).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "engine.h"
#include "policy_text.h"
#include "skip_because.h"

void __wrap_spf_check(const struct spf_request *, struct dns_budget *, struct arena *, struct spf_outcome *outcome_r);

static struct counters counters;

static unsigned long disagreements(void)
{
	return counters.disagreements[check_number(fact_check(fact_find(SLICE("spf"))))];
}

/* The engines disagree on domains that begin with d. */
void __wrap_spf_check(const struct spf_request *request, struct dns_budget *budget, struct arena *arena,
		      struct spf_outcome *outcome_r)
{
	bool odd = slice_starts_nocase(request->domain, SLICE("d"));

	(void)budget;
	(void)arena;
	*outcome_r = (struct spf_outcome){
	    .result = SPF_SOFTFAIL,
	    .domain = request->domain,
	    .compared = request->engine == SPF_ENGINE_COMPARE,
	    .other_result = odd ? SPF_NEUTRAL : SPF_SOFTFAIL,
	};
}

static struct engine *make_engine(const char *config)
{
	struct error err;
	struct resolver *resolver = resolver_open_zone(SLICE(""), "zone", &err);
	char *messages;
	struct policy *policy = load_text(config, NULL, &messages);
	struct engine *engine;

	if (!policy)
		fail_msg("%s", messages);
	free(messages);
	memset(&counters, 0, sizeof(counters));
	engine = engine_new(policy, resolver, NULL, &counters);
	policy_release(policy);
	resolver_release(resolver);
	return engine;
}

static void send(struct gate *gate, struct slice sender)
{
	gate_mail(gate, sender, MADE_UNKNOWN, false);
	gate_rcpt(gate, SLICE("<b@example.org>"), MADE_UNKNOWN);
	assert_int_equal(gate_end(gate), GATE_CONTINUE);
	gate_done(gate, &(struct told){.how = TOLD_AS_DECIDED});
}

/* What the record says of the engines; "" when it says nothing. */
static struct slice recorded(struct gate *gate)
{
	const struct record *record = gate_record(gate);

	for (size_t i = 0; i < record->fact_count; i++)
		if (slice_equal(record->facts[i].name, SLICE("spf.disagreement")))
			return record->facts[i].text;
	return SLICE("");
}

static void a_disagreement_is_recorded_and_counted(void **state)
{
	struct engine *engine;
	struct gate *gate;
	struct ip ip;

	(void)state;
	SKIP_UNLESS(spf_engine_built(SPF_ENGINE_COMPARE), WITHOUT_LIBSPF2);
	engine = make_engine("spf { engine compare }\nauthentication-results { spf }\n");
	gate = gate_open(engine, &abilities_all);
	ip_parse(SLICE("203.0.113.9"), &ip);
	gate_connect(gate, &(struct connection){ip, 1234, SLICE(""), SLICE("mx"), 25, false});
	gate_helo(gate, SLICE("mail.example.net"));
	send(gate, SLICE("<a@agreed.example>"));
	assert_true(slice_equal(recorded(gate), SLICE("")));
	assert_int_equal(disagreements(), 0);
	send(gate, SLICE("<a@disputed.example>"));
	assert_true(slice_equal(recorded(gate), SLICE("mailfrom: native softfail, libspf2 neutral")));
	assert_int_equal(disagreements(), 1);
	send(gate, SLICE("<a@agreed.example>"));
	assert_int_equal(disagreements(), 1);
	gate_close(gate);
	engine_release(engine);
}

static void without_compare_nothing_is_said_of_it(void **state)
{
	struct engine *engine = make_engine("authentication-results { spf }\n");
	struct gate *gate = gate_open(engine, &abilities_all);
	struct ip ip;

	(void)state;
	ip_parse(SLICE("203.0.113.9"), &ip);
	gate_connect(gate, &(struct connection){ip, 1234, SLICE(""), SLICE("mx"), 25, false});
	gate_helo(gate, SLICE("mail.example.net"));
	send(gate, SLICE("<a@disputed.example>"));
	assert_true(slice_equal(recorded(gate), SLICE("")));
	assert_int_equal(disagreements(), 0);
	gate_close(gate);
	engine_release(engine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_disagreement_is_recorded_and_counted),
	    cmocka_unit_test(without_compare_nothing_is_said_of_it),
	};

	return cmocka_run_group_tests(tests, enter_directory, leave_directory);
}
