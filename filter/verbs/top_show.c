/*
 * top_show.c - a frame of `sekisho top`. Names in it were chosen by strangers: what is not printable ASCII is shown as
 * "?", and everything is cut at the width of the terminal.
 */
#include "top_show.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES 1000
#define FIXED_ROWS     15 /* what is neither a rule nor a sender */
#define RULES_MAX      300

static const char *const verdicts[] = {"accept", "reject", "defer", "discard", "quarantine", "aborted"};
#define VERDICTS (sizeof(verdicts) / sizeof(verdicts[0]))

static void line(struct frame *frame, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void line(struct frame *frame, const char *format, ...)
{
	char text[LINE_MAX_BYTES];
	va_list arguments;
	size_t n;

	if (frame->row >= frame->rows)
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	n = strlen(text);
	if (n > frame->columns)
		text[n = frame->columns] = '\0';
	for (size_t i = 0; i < n; i++)
		if (text[i] < ' ' || text[i] > '~')
			text[i] = '?';
	frame->row++;
	if (frame->terminal)
		fprintf(frame->out, "\033[%u;1H%s%s", frame->row, text, n < frame->columns ? "\033[K" : "");
	else
		fprintf(frame->out, "%s\n", text);
}

/* ---- numbers of the answers --------------------------------------------------------------------------- */

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "?";
}

static long long number_of(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

struct samples {
	const json_t *before, *now;
	double seconds;
};

/* Between the two; 0 when the daemon was started in between. */
static long long added(const struct samples *samples, const char *part, const char *name)
{
	long long more = number_of(json_object_get(samples->now, part), name) -
			 number_of(json_object_get(samples->before, part), name);

	return more > 0 ? more : 0;
}

static double rate(const struct samples *samples, const char *part, const char *name)
{
	return (double)added(samples, part, name) / samples->seconds;
}

/* ---- parts ------------------------------------------------------------------------------------------------ */

static void print_head(struct frame *frame, const json_t *now, const char *trouble)
{
	long long up = number_of(now, "uptime");

	line(frame, "sekisho %s  pid %lld  up %lldd %02lld:%02lld:%02lld  mode %s", text_of(now, "version"),
	     number_of(now, "pid"), up / 86400, up / 3600 % 24, up / 60 % 60, up % 60, text_of(now, "mode"));
	line(frame, "%s%s", trouble ? "! " : "policy ", trouble ? trouble : text_of(now, "policy"));
	line(frame, "%s", "");
}

static void print_messages(struct frame *frame, const struct samples *samples)
{
	const json_t *messages = json_object_get(samples->now, "messages");
	const json_t *sessions = json_object_get(samples->now, "sessions");

	line(frame, "messages %9.1f/s  open %6lld  total %10lld  recipients refused %lld",
	     rate(samples, "messages", "total"), number_of(messages, "open"), number_of(messages, "total"),
	     number_of(messages, "recipients-refused"));
	line(frame, "sessions %9.1f/s  open %6lld  total %10lld", rate(samples, "sessions", "total"),
	     number_of(sessions, "open"), number_of(sessions, "total"));
}

static void print_verdicts(struct frame *frame, const struct samples *samples)
{
	const json_t *now = json_object_get(json_object_get(samples->now, "messages"), "verdicts");
	const json_t *before = json_object_get(json_object_get(samples->before, "messages"), "verdicts");
	char names[100] = "", rates[100] = "", totals[100] = "";
	size_t n = 0;

	for (size_t i = 0; i < VERDICTS; i++, n += 11) {
		double more = (double)(number_of(now, verdicts[i]) - number_of(before, verdicts[i])) / samples->seconds;

		snprintf(names + n, 12, "%11.11s", verdicts[i]);
		snprintf(rates + n, 12, "%11.1f", more > 0 ? more : 0);
		snprintf(totals + n, 12, "%11lld", number_of(now, verdicts[i]));
	}
	line(frame, "           %s", names);
	line(frame, "per second %s", rates);
	line(frame, "total      %s", totals);
	line(frame, "%s", "");
}

static void print_dns(struct frame *frame, const struct samples *samples)
{
	long long messages = added(samples, "dns", "messages"), questions = added(samples, "dns", "questions");
	double wait = messages ? (double)added(samples, "dns", "wait-us") / 1000.0 / (double)messages : 0;
	long long cached = questions ? 100 * added(samples, "dns", "cache-hits") / questions : 0;

	line(frame, "DNS      %9.1f ms waited for a message  questions %.1f/s, %lld%% cached", wait,
	     (double)questions / samples->seconds, cached);
	line(frame, "         %9.1f/s timeouts, %.1f/s failures, %.1f/s answered from expired records",
	     rate(samples, "dns", "timeouts"), rate(samples, "dns", "temporary-failures"),
	     rate(samples, "dns", "stale"));
	line(frame, "%s", "");
}

/* ---- rules ---------------------------------------------------------------------------------------------------- */

struct shown {
	const char *rule;
	long long decided, would;
	double rate;
};

static int compare(const void *a, const void *b)
{
	const struct shown *x = a, *y = b;

	if (x->rate < y->rate || x->rate > y->rate)
		return x->rate < y->rate ? 1 : -1;
	if (x->decided + x->would != y->decided + y->would)
		return x->decided + x->would < y->decided + y->would ? 1 : -1;
	return strcmp(x->rule, y->rule);
}

static long long count_before(const json_t *before, const char *rule)
{
	const json_t *found;
	size_t i;

	json_array_foreach(json_object_get(before, "rules"), i,
			   found) if (strcmp(text_of(found, "rule"), rule) == 0) return number_of(found, "decided") +
	    number_of(found, "would");
	return 0;
}

/* The end of a long "file:line" says more than its beginning. */
static const char *end_of(const char *rule, unsigned room)
{
	size_t n = strlen(rule);

	return n > room ? rule + n - room : rule;
}

static void print_rules(struct frame *frame, const struct samples *samples, unsigned most)
{
	struct shown rules[RULES_MAX];
	const json_t *found;
	size_t i, count = 0;

	json_array_foreach(json_object_get(samples->now, "rules"), i, found)
	{
		struct shown *rule = &rules[count];
		long long more;

		if (count == RULES_MAX)
			break;
		*rule =
		    (struct shown){text_of(found, "rule"), number_of(found, "decided"), number_of(found, "would"), 0};
		more = rule->decided + rule->would - count_before(samples->before, rule->rule);
		rule->rate = more > 0 ? (double)more / samples->seconds : 0;
		count += rule->decided + rule->would > 0;
	}
	qsort(rules, count, sizeof(rules[0]), compare);
	line(frame, "%10s %10s %10s  %s", "rules /s", "decided", "would", "rule");
	for (i = 0; i < count && i < most; i++)
		line(frame, "%10.1f %10lld %10lld  %s", rules[i].rate, rules[i].decided, rules[i].would,
		     end_of(rules[i].rule, frame->columns > 35 ? frame->columns - 34 : 1));
	line(frame, "%s", "");
}

static void print_senders(struct frame *frame, const json_t *now)
{
	const json_t *found;
	size_t i;

	line(frame, "%10s  sender (last 5 to 10 minutes)", "refused");
	json_array_foreach(json_object_get(now, "senders"), i, found)
	{
		const char *sender = text_of(found, "sender");

		line(frame, "%10lld  %s", number_of(found, "count"), *sender ? sender : "<>");
	}
}

void frame_print(struct frame *frame, const json_t *before, const json_t *now, const char *trouble)
{
	long long us = number_of(now, "clock") - number_of(before, "clock");
	bool same = number_of(now, "pid") == number_of(before, "pid") && us > 0;
	struct samples samples = {same ? before : now, now, same ? (double)us / 1000000.0 : 1};
	unsigned rest = frame->rows > FIXED_ROWS ? frame->rows - FIXED_ROWS : 0;

	frame->row = 0;
	print_head(frame, now, trouble);
	print_messages(frame, &samples);
	print_verdicts(frame, &samples);
	print_dns(frame, &samples);
	print_rules(frame, &samples, rest / 2);
	print_senders(frame, now);
	if (frame->terminal && frame->row < frame->rows)
		fprintf(frame->out, "\033[J");
}
