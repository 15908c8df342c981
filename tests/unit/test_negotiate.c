/*
 * What is asked of an MTA follows from the policy, and never goes beyond what was offered.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "milter.h"
#include <libmilter/mfapi.h>

#define EVERYTHING 0x1ffUL    /* actions of Postfix 3.7 and Sendmail 8.17 */
#define EVERY_STEP 0x1fffffUL /* steps of both */
#define FAKED                                                                                                          \
	(SMFIP_NR_CONN | SMFIP_NR_HELO | SMFIP_NR_MAIL | SMFIP_NR_RCPT | SMFIP_NR_DATA | SMFIP_NR_UNKN |               \
	 SMFIP_NR_HDR | SMFIP_NR_EOH | SMFIP_NR_BODY) /* libmilter offers them for every MTA */

static const struct wishes nothing = {.body = false};

static void steps_without_rules_give_no_reply(void **state)
{
	static const struct {
		struct wishes wishes;
		unsigned long with_reply; /* of the no-reply bits */
	} cases[] = {
	    {{.body = false}, 0},
	    {{.reply_mail = true}, SMFIP_NR_MAIL},
	    {{.reply_rcpt = true}, SMFIP_NR_RCPT},
	    {{.reply_mail = true, .reply_rcpt = true}, SMFIP_NR_MAIL | SMFIP_NR_RCPT},
	};
	const unsigned long all =
	    SMFIP_NR_CONN | SMFIP_NR_HELO | SMFIP_NR_MAIL | SMFIP_NR_RCPT | SMFIP_NR_DATA | SMFIP_NR_HDR | SMFIP_NR_EOH;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct terms terms = negotiate_terms(cases[i].wishes, EVERYTHING, EVERY_STEP);

		assert_int_equal(terms.steps & all, all & ~cases[i].with_reply);
	}
}

static void refused_recipients_are_asked_for_when_a_rule_counts_them(void **state)
{
	struct wishes counted = {.needs = NEED_REFUSED};

	(void)state;
	assert_false(negotiate_terms(nothing, EVERYTHING, EVERY_STEP).steps & SMFIP_RCPT_REJ);
	assert_true(negotiate_terms(counted, EVERYTHING, EVERY_STEP).steps & SMFIP_RCPT_REJ);
	assert_false(negotiate_terms(counted, EVERYTHING, EVERY_STEP & ~SMFIP_RCPT_REJ).steps & SMFIP_RCPT_REJ);
}

static void a_body_that_nobody_reads_is_not_sent(void **state)
{
	struct terms terms = negotiate_terms(nothing, EVERYTHING, EVERY_STEP);

	(void)state;
	assert_true(terms.steps & SMFIP_NOBODY);
	assert_false(terms.skip_body);
	terms = negotiate_terms((struct wishes){.body = true}, EVERYTHING, EVERY_STEP);
	assert_false(terms.steps & (SMFIP_NOBODY | SMFIP_SKIP));
	assert_true(terms.steps & SMFIP_NR_BODY);
	assert_false(terms.skip_body);
	terms = negotiate_terms((struct wishes){.body = true}, EVERYTHING & ~SMFIF_CHGHDRS, EVERY_STEP);
	assert_false(terms.steps & SMFIP_NR_BODY); /* see negotiate.c */
}

static void an_mta_that_must_send_the_body_is_told_to_stop(void **state)
{
	struct terms terms = negotiate_terms(nothing, EVERYTHING, EVERY_STEP & ~SMFIP_NOBODY);

	(void)state;
	assert_true(terms.skip_body);
	assert_true(terms.steps & SMFIP_SKIP);
	assert_false(terms.steps & SMFIP_NR_BODY); /* to skip is a reply */
	terms = negotiate_terms(nothing, EVERYTHING & ~SMFIF_CHGHDRS, EVERY_STEP & ~SMFIP_NOBODY);
	assert_false(terms.skip_body); /* see negotiate.c */
}

static void an_mta_that_can_neither_leave_out_nor_skip_sends_the_body_for_nothing(void **state)
{
	struct terms terms = negotiate_terms(nothing, EVERYTHING, (EVERY_STEP & ~SMFIP_NOBODY & ~SMFIP_SKIP) | FAKED);

	(void)state;
	assert_false(terms.skip_body);
	assert_false(terms.steps & SMFIP_NOBODY);
	assert_true(terms.steps & SMFIP_NR_BODY);
}

static void headers_are_always_sent_and_keep_their_leading_space(void **state)
{
	struct terms terms = negotiate_terms(nothing, EVERYTHING, EVERY_STEP);

	(void)state;
	assert_false(terms.steps & (SMFIP_NOHDRS | SMFIP_NOMAIL | SMFIP_NORCPT | SMFIP_NOCONNECT | SMFIP_NOHELO));
	assert_true(terms.leading_space);
	terms = negotiate_terms(nothing, EVERYTHING, EVERY_STEP & ~SMFIP_HDR_LEADSPC);
	assert_false(terms.leading_space);
}

static void data_is_not_sent(void **state)
{
	(void)state;
	assert_true(negotiate_terms(nothing, EVERYTHING, EVERY_STEP).steps & SMFIP_NODATA);
}

static void the_end_of_the_header_is_always_sent(void **state)
{
	(void)state;
	assert_false(negotiate_terms(nothing, EVERYTHING, EVERY_STEP).steps & SMFIP_NOEOH); /* see negotiate.c */
}

static void refused_recipients_are_not_asked_for(void **state)
{
	(void)state;
	assert_false(negotiate_terms(nothing, EVERYTHING, EVERY_STEP).steps & SMFIP_RCPT_REJ);
}

static void only_actions_that_are_used_are_asked_for(void **state)
{
	(void)state;
	assert_int_equal(negotiate_terms(nothing, EVERYTHING, EVERY_STEP).actions,
			 SMFIF_ADDHDRS | SMFIF_CHGHDRS | SMFIF_QUARANTINE | SMFIF_SETSYMLIST);
}

static void what_changes_envelope_and_body_is_asked_for_only_when_a_rule_does_it(void **state)
{
	static const struct {
		unsigned need;
		unsigned long action;
		enum change_kind change;
	} cases[] = {
	    {NEED_SENDER, SMFIF_CHGFROM, CHANGE_SENDER},
	    {NEED_ADD_RECIPIENT, SMFIF_ADDRCPT, CHANGE_ADD_RECIPIENT},
	    {NEED_DELETE_RECIPIENT, SMFIF_DELRCPT, CHANGE_DELETE_RECIPIENT},
	    {NEED_NEW_BODY, SMFIF_CHGBODY, CHANGE_BODY},
	};
	const unsigned long base = negotiate_terms(nothing, EVERYTHING, EVERY_STEP).actions;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct wishes wishes = {.needs = cases[i].need};
		struct terms terms = negotiate_terms(wishes, EVERYTHING, EVERY_STEP);

		assert_int_equal(terms.actions, base | cases[i].action);
		assert_true(negotiate_abilities(&terms).changes & 1u << cases[i].change);
		terms = negotiate_terms(wishes, EVERYTHING & ~cases[i].action, EVERY_STEP);
		assert_int_equal(terms.actions, base);
		assert_false(negotiate_abilities(&terms).changes & 1u << cases[i].change);
	}
}

static void nothing_is_asked_for_that_was_not_offered(void **state)
{
	static const unsigned long offers[][2] = {
	    {0, 0}, {0x1, FAKED}, {0xf, 0x7f | FAKED}, {0x3f, 0x7f | FAKED}, {EVERYTHING, EVERY_STEP},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(offers) / sizeof(offers[0]); i++) {
		for (unsigned w = 0; w < 8; w++) {
			struct wishes wishes = {(w & 1) != 0, (w & 2) != 0, (w & 4) != 0, ~0u};
			struct terms terms = negotiate_terms(wishes, offers[i][0], offers[i][1]);

			assert_int_equal(terms.actions & ~offers[i][0], 0);
			assert_int_equal(terms.steps & ~offers[i][1], 0);
		}
	}
}

static void the_engine_is_told_what_the_mta_takes(void **state)
{
	static const struct {
		struct wishes wishes;
		unsigned long actions;
		bool mail, rcpt, quarantine;
		unsigned changes;
	} cases[] = {
	    {{.reply_mail = true},
	     EVERYTHING,
	     true,
	     false,
	     true,
	     1u << CHANGE_INSERT | 1u << CHANGE_APPEND | 1u << CHANGE_DELETE | 1u << CHANGE_REPLACE},
	    {{.reply_rcpt = true}, SMFIF_ADDHDRS, false, true, false, 1u << CHANGE_INSERT | 1u << CHANGE_APPEND},
	    {{.reply_rcpt = true},
	     SMFIF_CHGHDRS | SMFIF_QUARANTINE,
	     false,
	     true,
	     true,
	     1u << CHANGE_DELETE | 1u << CHANGE_REPLACE},
	    {{.body = true}, 0, false, false, false, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct terms terms = negotiate_terms(cases[i].wishes, cases[i].actions, EVERY_STEP);
		struct abilities abilities = negotiate_abilities(&terms);

		assert_int_equal(abilities.reply_mail, cases[i].mail);
		assert_int_equal(abilities.reply_rcpt, cases[i].rcpt);
		assert_int_equal(abilities.quarantine, cases[i].quarantine);
		assert_int_equal(abilities.changes, cases[i].changes);
		assert_true(abilities.wait_us > 0 && abilities.wait_us <= 8000000); /* Sendmail waits 10 s */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(steps_without_rules_give_no_reply),
	    cmocka_unit_test(refused_recipients_are_asked_for_when_a_rule_counts_them),
	    cmocka_unit_test(a_body_that_nobody_reads_is_not_sent),
	    cmocka_unit_test(an_mta_that_must_send_the_body_is_told_to_stop),
	    cmocka_unit_test(an_mta_that_can_neither_leave_out_nor_skip_sends_the_body_for_nothing),
	    cmocka_unit_test(headers_are_always_sent_and_keep_their_leading_space),
	    cmocka_unit_test(data_is_not_sent),
	    cmocka_unit_test(the_end_of_the_header_is_always_sent),
	    cmocka_unit_test(refused_recipients_are_not_asked_for),
	    cmocka_unit_test(only_actions_that_are_used_are_asked_for),
	    cmocka_unit_test(what_changes_envelope_and_body_is_asked_for_only_when_a_rule_does_it),
	    cmocka_unit_test(nothing_is_asked_for_that_was_not_offered),
	    cmocka_unit_test(the_engine_is_told_what_the_mta_takes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
