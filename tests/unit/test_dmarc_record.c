/*
 * test_dmarc_record.c - DMARC records: what counts, what is passed over.
 */
#include "assert_slice.h"

#include <stdio.h>
#include <string.h>

#include "dmarc.h"

static void only_v_dmarc1_in_front_makes_a_record(void **state)
{
	static const struct {
		const char *text;
		bool is_record;
	} cases[] = {
	    {"v=DMARC1", true},
	    {"v=DMARC1;", true},
	    {"V = DMARC1\t; p=none", true},
	    {"", false},
	    {"v", false},
	    {"v=", false},
	    {"=DMARC1", false},
	    {" v=DMARC1", false},
	    {"v=dmarc1", false},
	    {"v=DMARC1 p=none", false},
	    {"v=DMARC12", false},
	    {"v=DMARC1,p=none", false},
	    {"v=DMARC1=", false},
	    {"p=none; v=DMARC1", false},
	    {"vv=DMARC1", false},
	    {"v=spf1 -all", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (dmarc_is_record(slice_of(cases[i].text)) != cases[i].is_record)
			fail_msg("\"%s\" is %s record", cases[i].text, cases[i].is_record ? "a" : "no");
}

static void a_mistake_in_a_tag_spoils_that_tag_alone(void **state)
{
	static const struct {
		const char *text;
		enum dmarc_policy p, sp, np;
		bool wrong, strict_dkim, strict_spf, testing;
		enum dmarc_psd psd;
	} cases[] = {
	    {"p=reject", DMARC_REJECT, 0, 0, false, false, false, false, DMARC_PSD_U},
	    {"P=Quarantine;SP=NONE;np=reject", DMARC_QUARANTINE, DMARC_POLICY_NONE, DMARC_REJECT, false, false, false,
	     false, DMARC_PSD_U},
	    {"p=none;adkim=s;aspf=S;t=y;psd=Y", DMARC_POLICY_NONE, 0, 0, false, true, true, true, DMARC_PSD_Y},
	    {"p=none;adkim=x;aspf=;t=yes;psd=1", DMARC_POLICY_NONE, 0, 0, false, false, false, false, DMARC_PSD_U},
	    {"p=none;;;foo;=bar;p ;x y=z;unknown=1;psd=n", DMARC_POLICY_NONE, 0, 0, false, false, false, false,
	     DMARC_PSD_N},
	    {"pct=0;rf=afrf;ri=0;p=reject", DMARC_REJECT, 0, 0, false, false, false, false, DMARC_PSD_U},
	    {"p=none;p=reject", DMARC_REJECT, 0, 0, false, false, false, false, DMARC_PSD_U},
	    {"", 0, 0, 0, true, false, false, false, DMARC_PSD_U},
	    {"p=rejec", 0, 0, 0, true, false, false, false, DMARC_PSD_U},
	    {"p=reject;sp=", DMARC_REJECT, 0, 0, true, false, false, false, DMARC_PSD_U},
	    {"p=reject;np=x", DMARC_REJECT, 0, 0, true, false, false, false, DMARC_PSD_U},
	    {"p=reject;sp=\x80", DMARC_REJECT, 0, 0, true, false, false, false, DMARC_PSD_U},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct dmarc_record record;
		char text[200];

		snprintf(text, sizeof(text), "v=DMARC1;%s", cases[i].text);
		dmarc_record_parse(slice_of(text), &record);
		if (record.p != cases[i].p || record.sp != cases[i].sp || record.np != cases[i].np ||
		    record.policy_wrong != cases[i].wrong || record.strict_dkim != cases[i].strict_dkim ||
		    record.strict_spf != cases[i].strict_spf || record.testing != cases[i].testing ||
		    record.psd != cases[i].psd)
			fail_msg("%s", text);
	}
}

static void addresses_for_reports_are_uris(void **state)
{
	static const struct {
		const char *list, *uris; /* those that count, blanks between */
	} cases[] = {
	    {"mailto:a@example.org", "mailto:a@example.org"},
	    {" mailto:a@example.org ,\tmailto:b@example.org!10m", "mailto:a@example.org mailto:b@example.org"},
	    {"a@example.org,https://example.org/in?x=%20", "https://example.org/in?x=%20"},
	    {"mailto:,mailto:a b,mailto:a%2,mailto:a!b,1x:y,:z,mailto", ""},
	    {"mailto:a@example.org!,mailto:c@example.org!5", "mailto:c@example.org"},
	    {"", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct slice rest = slice_of(cases[i].list), wanted = slice_of(cases[i].uris), uri, next;

		while (dmarc_uri_next(&rest, &uri)) {
			assert_true(slice_word(&wanted, &next));
			assert_true(slice_equal(uri, next));
		}
		assert_false(slice_word(&wanted, &next));
	}
}

/* RFC 9989 4.7, RFC 6376 3.2: the whole list is invalid, whatever the tag means. */
static void a_repeated_tag_is_seen(void **state)
{
	static const struct {
		const char *text, *repeated;
	} cases[] = {
	    {"v=DMARC1; p=reject; sp=none", ""},          {"v=DMARC1; p=reject; p=reject", "p"},
	    {"v=DMARC1; p=reject; P=none", "P"},          {"v=DMARC1; p=reject; v=DMARC1", "v"},
	    {"v=DMARC1; p=reject; pct=1; pct=1", "pct"},  {"v=DMARC1; p=reject; x=1; y=1; X=2", "X"},
	    {"v=DMARC1; p=reject; foo; foo; =1; =2", ""}, /* these are not tags */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct dmarc_record record;

		assert_true(dmarc_is_record(slice_of(cases[i].text)));
		dmarc_record_parse(slice_of(cases[i].text), &record);
		assert_slice(record.repeated, cases[i].repeated);
	}
}

static void every_part_of_a_list_of_addresses_is_reported(void **state)
{
	static const struct {
		const char *list, *parts; /* with a "-" before those that get no report, blanks between */
	} cases[] = {
	    {"mailto:a@example.org,b@example.org", "mailto:a@example.org -b@example.org"},
	    {" mailto:a@example.org!10m , ,https://x.example/", "mailto:a@example.org https://x.example/"},
	    {"mailto://a@example.org,MAILTO:a,mailto:,x:", "-mailto://a@example.org -MAILTO:a -mailto: -x:"},
	    {"", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct slice rest = slice_of(cases[i].list), wanted = slice_of(cases[i].parts), part, next;
		const char *wrong;

		while (dmarc_uri_part(&rest, &part, &wrong)) {
			assert_true(slice_word(&wanted, &next));
			assert_int_equal(next.p[0] == '-', wrong != NULL);
			assert_true(slice_equal(part, slice_from(next, wrong != NULL)));
		}
		assert_false(slice_word(&wanted, &next));
	}
}

static void a_misspelt_known_name_is_reported(void **state)
{
	static const struct {
		const char *text, *meant;
	} cases[] = {
	    {"rau=x", "rua"},      {"ru=x", "rua"},     {"ruaa=x", "rua"},
	    {"RUO=x", "rua"},      {"aspff=s", "aspf"}, {"adkm=s", "adkim"},
	    {"policy=none", NULL}, {"x=1", NULL},       {"rua=mailto:a@b", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct slice rest = slice_of(cases[i].text);
		struct dmarc_tag tag;

		assert_true(dmarc_tag_next(&rest, &tag));
		if (cases[i].meant)
			assert_string_equal(tag.meant ? tag.meant : cases[i].text, cases[i].meant);
		else
			assert_null(tag.meant);
	}
}

static void options_of_failure_reports_are_a_set(void **state)
{
	static const struct {
		const char *text, *fo;
	} cases[] = {{"0", "0"},  {"1:d:S", "1:d:S"}, {"d : s", "d : s"}, {"0:1", ""},
		     {"d:d", ""}, {"", ""},           {"x", ""},          {"0::d", ""}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct dmarc_record record;
		char text[60];

		snprintf(text, sizeof(text), "v=DMARC1;p=none;fo=%s", cases[i].text);
		dmarc_record_parse(slice_of(text), &record);
		assert_slice(record.fo, cases[i].fo);
	}
}

static void a_thousand_tags_and_64_kilobytes_are_a_record_as_any(void **state)
{
	struct arena *arena = arena_new();
	struct dmarc_record record;
	struct dmarc_tag tag;
	struct slice rest;
	struct text text;
	size_t tags = 0;

	(void)state;
	text_init(&text, arena, DNS_TEXT_MAX);
	text_add(&text, SLICE("v=DMARC1"));
	for (int i = 0; i < 1000; i++)
		text_printf(&text, ";x%c=%d", 'a' + i % 26, i);
	while (text.n < DNS_TEXT_MAX - 20)
		text_add_char(&text, (char)(text.n % 7 ? ';' : 0x80 + text.n % 100));
	text_add(&text, SLICE(";p=reject"));
	assert_true(dmarc_is_record(text_slice(&text)));
	dmarc_record_parse(text_slice(&text), &record);
	assert_int_equal(record.p, DMARC_REJECT);
	assert_false(record.policy_wrong);
	rest = record.text;
	while (dmarc_tag_next(&rest, &tag))
		tags++;
	assert_true(tags > 1000);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_v_dmarc1_in_front_makes_a_record),
	    cmocka_unit_test(a_mistake_in_a_tag_spoils_that_tag_alone),
	    cmocka_unit_test(addresses_for_reports_are_uris),
	    cmocka_unit_test(a_repeated_tag_is_seen),
	    cmocka_unit_test(every_part_of_a_list_of_addresses_is_reported),
	    cmocka_unit_test(a_misspelt_known_name_is_reported),
	    cmocka_unit_test(options_of_failure_reports_are_a_set),
	    cmocka_unit_test(a_thousand_tags_and_64_kilobytes_are_a_record_as_any),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
