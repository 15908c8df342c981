/*
 * words.c - the values in reports, also as receivers write them who do not follow the specifications.
 */
#include "feedback_private.h"
#include <stdio.h>
#include <time.h>

#define TIME_MS_LEAST 100000000000 /* a period that begins after the year 5138 is in milliseconds */
#define TIME_MAX      (TIME_MS_LEAST * 1000)

struct word {
	const char *text;
	unsigned value;
};

/* The value of a word in any case; `other`, with a note, when it is not one of them. */
static unsigned find(const struct word *words, size_t count, struct slice text, unsigned other, unsigned *notes)
{
	for (size_t i = 0; i < count; i++)
		if (slice_equal_nocase(text, slice_of(words[i].text)))
			return words[i].value;
	*notes |= FEEDBACK_NOTE_WORD;
	return other;
}

#define FIND(words, text, other, notes) find(words, sizeof(words) / sizeof(words[0]), text, other, notes)

enum feedback_result word_result(struct slice text, unsigned *notes)
{
	static const struct word words[] = {
	    {"none", FEEDBACK_NONE},           {"pass", FEEDBACK_PASS},           {"fail", FEEDBACK_FAIL},
	    {"softfail", FEEDBACK_SOFTFAIL},   {"policy", FEEDBACK_POLICY},       {"neutral", FEEDBACK_NEUTRAL},
	    {"temperror", FEEDBACK_TEMPERROR}, {"permerror", FEEDBACK_PERMERROR}, {"hardfail", FEEDBACK_FAIL},
	    {"error", FEEDBACK_TEMPERROR},     {"invalid", FEEDBACK_PERMERROR},   {"unknown", FEEDBACK_PERMERROR},
	};

	return (enum feedback_result)FIND(words, text, FEEDBACK_UNKNOWN, notes);
}

enum feedback_disposition word_disposition(struct slice text, unsigned *notes)
{
	static const struct word words[] = {
	    {"none", FEEDBACK_DELIVERED},
	    {"pass", FEEDBACK_DELIVERED},
	    {"quarantine", FEEDBACK_QUARANTINED},
	    {"reject", FEEDBACK_REJECTED},
	};

	return (enum feedback_disposition)FIND(words, text, FEEDBACK_UNTOLD, notes);
}

bool word_pass(struct slice text, unsigned *notes)
{
	/* Some write the result of the mechanism here, in place of what DMARC made of it: only pass is one. */
	return word_result(text, notes) == FEEDBACK_PASS;
}

unsigned word_reason(struct slice text, unsigned *notes)
{
	static const struct word words[] = {
	    {"forwarded", FEEDBACK_FORWARDED},
	    {"trusted_forwarder", FEEDBACK_FORWARDED},
	    {"mailing_list", FEEDBACK_MAILING_LIST},
	    {"local_policy", FEEDBACK_LOCAL_POLICY},
	    {"sampled_out", FEEDBACK_TEST_MODE},
	    {"policy_test_mode", FEEDBACK_TEST_MODE},
	    {"other", FEEDBACK_OTHER},
	};

	return FIND(words, text, FEEDBACK_OTHER, notes);
}

/* RFC 3339, also with a blank for the T. */
static int read_date(struct slice text, int64_t *seconds_r)
{
	char buffer[20]; /* "2026-11-27T00:00:00" */
	struct tm tm = {0};
	int n = 0;

	if (text.n < sizeof(buffer) - 1)
		return -1;
	memcpy(buffer, text.p, sizeof(buffer) - 1);
	buffer[sizeof(buffer) - 1] = '\0';
	if (sscanf(buffer, "%4d-%2d-%2d%*1[Tt ]%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
		   &tm.tm_min, &tm.tm_sec, &n) != 6 ||
	    n != (int)sizeof(buffer) - 1)
		return -1;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	*seconds_r = timegm(&tm); /* the zone is ignored: all that depends on it is which reports are older */
	return *seconds_r > 0 ? 0 : -1;
}

/* Digits, then perhaps a fraction of zeros. */
static struct slice without_fraction(struct slice text)
{
	ptrdiff_t point = slice_find(text, '.');
	struct slice rest = point < 0 ? SLICE("") : slice_from(text, (size_t)point + 1);

	for (size_t i = 0; i < rest.n; i++)
		if (rest.p[i] != '0')
			return text;
	return point < 0 ? text : slice_head(text, (size_t)point);
}

int word_time(struct slice text, int64_t *seconds_r)
{
	uint64_t number;

	if (slice_number(without_fraction(text), TIME_MAX, &number) != 0)
		return read_date(text, seconds_r);
	*seconds_r = (int64_t)(number < TIME_MS_LEAST ? number : number / 1000);
	return 0;
}

int word_count(struct slice text, uint64_t *count_r)
{
	return slice_number(without_fraction(text), FEEDBACK_COUNT_MAX, count_r);
}

struct ip word_source(struct slice text, unsigned *notes)
{
	struct ip ip = {0};

	if (text.n > 2 && text.p[0] == '[' && text.p[text.n - 1] == ']')
		text = slice_head(slice_from(text, 1), text.n - 2);
	if (ip_parse(text, &ip) != 0) {
		*notes |= FEEDBACK_NOTE_SOURCE;
		ip = (struct ip){0};
	}
	return ip;
}
