/*
 * login_peak.c - the busiest 5 minutes of each day of a login, as text.
 */
#include "login_private.h"

#define DAY_MOST   (INT64_C(1) << 32)
#define COUNT_MOST (UINT64_C(1) << 40)
#define TEXT_MAX   ((LOGIN_PEAK_DAYS + 2) * NUMBER_TEXT)

static void move(struct login_peak *peak, int64_t today)
{
	int64_t days = today - peak->day;

	if (days <= 0) /* the clock was set back: the counts stay where they are */
		return;
	for (int64_t i = LOGIN_PEAK_DAYS; i >= 0; i--)
		peak->counts[i] = i >= days ? peak->counts[i - days] : 0;
	peak->day = today;
}

void login_peak_read(struct slice text, int64_t today, struct login_peak *peak_r)
{
	struct slice word;
	uint64_t number;

	*peak_r = (struct login_peak){.day = today};
	if (!slice_word(&text, &word) || slice_number(word, DAY_MOST, &number))
		return;
	/* A day from the future is not believed: its counts would never leave. */
	peak_r->day = (int64_t)number <= today + 1 ? (int64_t)number : today;
	for (size_t i = 0; i <= LOGIN_PEAK_DAYS && slice_word(&text, &word); i++)
		if (slice_number(word, COUNT_MOST, &peak_r->counts[i]))
			peak_r->counts[i] = 0;
	move(peak_r, today);
}

struct slice login_peak_print(const struct login_peak *peak, struct arena *arena)
{
	size_t last = LOGIN_PEAK_DAYS;
	struct text text;

	text_init(&text, arena, TEXT_MAX);
	text_add_number(&text, (uint64_t)peak->day, 1);
	while (last > 0 && peak->counts[last] == 0)
		last--;
	for (size_t i = 0; i <= last; i++) {
		text_add_char(&text, ' ');
		text_add_number(&text, peak->counts[i], 1);
	}
	return text_slice(&text);
}

uint64_t login_peak_usual(const struct login_peak *peak)
{
	uint64_t usual = LOGIN_PEAK_LEAST;

	for (size_t i = 1; i <= LOGIN_PEAK_DAYS; i++)
		if (peak->counts[i] > usual)
			usual = peak->counts[i];
	return usual;
}
