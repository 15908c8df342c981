/*
 * control_report.c - requests about DMARC reports on the control socket.
 *
 *     {"command":"report-list","after":TOKEN}       {"ok":true,"items":[{"day":"2026-11-27","domain":D,"messages":N,
 *                                                   "state":"collecting"}],"next":TOKEN}
 *     {"command":"report-preview","domain":D, {"ok":true,"xml":TEXT,"rua":T,"id":T,"file":T,"messages":N,"rows":N,
 *      "day":"2026-11-27","part":TOKEN}             "next":TOKEN}
 *
 * "day" may be left out: today. "next" is present when there is more: repeat the request with it as "after" or "part".
 * The state of a day that is not over is "collecting"; after that it is "waiting", until its reports were sent. After
 * those come the latest reports to each address, with "address", "time" (seconds since 1970) and "text"; the state is
 * what became of it ("sent", enum report_fate).
 */
#include "aggregate.h"
#include "daemon_private.h"
#include "reports.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define PAGE    1000
#define WAIT_US (5 * 1000 * 1000)
#define DAY_S   86400

#define PART_CHECK 4 /* bytes of a token of a part that are a hash of the rest */
#define PART_MAX   (STORE_KEY_MAX + PART_CHECK)

static json_t *refusal(const char *text)
{
	return json_pack("{s:b, s:o}", "ok", 0, "error", json_text(slice_of(text)));
}

static json_t *no_reports(const struct daemon *daemon)
{
	struct error text;

	error_set(&text, "nothing is collected for DMARC reports: %s has no dmarc-reports { }", daemon->config_file);
	return refusal(text.text);
}

/* ---- days ---------------------------------------------------------------------------------------- */

static json_t *day_print(unsigned day)
{
	time_t seconds = (time_t)day * DAY_S;
	char text[32];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%d", &tm);
	return json_string(text);
}

/* 0 when it is not one. */
static unsigned day_read(struct slice text)
{
	struct tm tm = {0}, back;
	char copy[16], again[16];
	const char *end;
	time_t seconds;

	snprintf(copy, sizeof(copy), "%.*s", SLICE_ARGS(slice_head(text, sizeof(copy) - 1)));
	end = strptime(copy, "%Y-%m-%d", &tm);
	seconds = end && *end == '\0' ? timegm(&tm) : 0;
	if (seconds < DAY_S || !gmtime_r(&seconds, &back))
		return 0;
	strftime(again, sizeof(again), "%Y-%m-%d", &back); /* there is no 31 February */
	return strcmp(copy, again) == 0 ? (unsigned)(seconds / DAY_S) : 0;
}

/* ---- what is there --------------------------------------------------------------------------------- */

/* After which day and domain a page begins: "20784 example.org". */
static void place_read(struct slice rest, unsigned *day_r, struct slice *after_r)
{
	struct slice number;
	uint64_t day = 0;

	slice_cut(&rest, ' ', &number);
	*day_r = slice_number(number, 1000000, &day) == 0 ? (unsigned)day : 0;
	*after_r = *day_r ? rest : SLICE("");
}

/* Results of reports come on pages of their own, the token of which begins so. */
#define LAST SLICE("last ")

static json_t *last_print(const struct report_last *last)
{
	return json_pack("{s:o, s:o, s:I, s:s, s:o, s:I, s:o}", "day", day_print(last->told.day), "domain",
			 json_text(last->told.domain), "messages", (json_int_t)last->told.messages, "state",
			 report_fate_names[last->told.fate], "address", json_text(last->told.address), "time",
			 (json_int_t)last->at_s, "text", json_text(last->told.text));
}

/* -1: the store does not answer. */
static int last_page(struct store *store, struct slice after, json_t *items, struct arena *arena, struct slice *next_r)
{
	struct report_last *last;
	struct slice next;
	size_t count;

	if (report_last_list(store, after, arena, &last, &count, &next) != STORE_OK)
		return -1;
	for (size_t i = 0; i < count; i++)
		json_array_append_new(items, last_print(&last[i]));
	*next_r = next.p ? arena_join(arena, LAST, next) : SLICE("");
	return 0;
}

static json_t *total_print(struct aggregate *aggregate, const struct aggregate_total *total)
{
	return json_pack("{s:o, s:o, s:I, s:s}", "day", day_print(total->day), "domain", json_text(total->domain),
			 "messages", (json_int_t)total->messages, "state",
			 total->day >= aggregate_today(aggregate) ? "collecting" : "waiting");
}

/* Likewise. */
static int rows_page(struct aggregate *aggregate, struct slice place, json_t *items, struct arena *arena,
		     struct slice *next_r)
{
	struct aggregate_total total;
	unsigned day;
	struct slice after;
	int found;

	place_read(place, &day, &after);
	*next_r = LAST;
	do {
		found = day ? aggregate_next(aggregate, day, after, arena, &total) : 0;
		if (found == 0) {
			found = aggregate_next_day(aggregate, day, arena, &total);
			day = total.day;
			after = SLICE("");
		} else if (found == 1) {
			json_array_append_new(items, total_print(aggregate, &total));
			after = total.domain;
		}
	} while (found == 1 && json_array_size(items) < PAGE);
	if (found == 1)
		*next_r = arena_printf(arena, "%u %.*s", day, SLICE_ARGS(after));
	return found < 0 ? -1 : 0;
}

static int list_page(struct daemon *daemon, struct slice token, json_t *items, struct arena *arena,
		     struct slice *next_r)
{
	struct slice place = control_token_parse(slice_head(token, (LAST.n + STORE_KEY_MAX) * 2), arena);

	if (slice_starts_nocase(place, LAST))
		return last_page(daemon->store, slice_from(place, LAST.n), items, arena, next_r);
	return rows_page(daemon->aggregate, place, items, arena, next_r);
}

json_t *control_report_list(struct daemon *daemon, const json_t *request)
{
	struct arena *arena = arena_new();
	json_t *items = json_array(), *answer;
	struct slice next;

	if (!daemon->aggregate)
		answer = no_reports(daemon);
	else if (aggregate_flush(daemon->aggregate, clock_us() + WAIT_US) != STORE_OK ||
		 list_page(daemon, control_text(request, "after"), items, arena, &next) < 0)
		answer = control_store_silent(daemon);
	else {
		answer = json_pack("{s:b, s:O}", "ok", 1, "items", items);
		if (next.n > 0)
			json_object_set_new(answer, "next", json_text(control_token_print(next, arena)));
	}
	json_decref(items);
	arena_free(arena);
	return answer;
}

/* ---- a report as it would be sent -------------------------------------------------------------------- */

static struct slice part_check(const struct aggregate_request *wanted, struct slice row, struct arena *arena)
{
	unsigned char hash[HASH_KEYED_SIZE];
	struct slice all = arena_printf(arena, "%u %.*s ", wanted->day, SLICE_ARGS(wanted->domain));

	hash_keyed(SLICE("part"), arena_join(arena, all, row), hash);
	return arena_copy(arena, (struct slice){(const char *)hash, PART_CHECK});
}

/* A part is named by the last row before it, never by its number, and a check that we gave it for that day and domain.
 */
static struct slice part_print(const struct aggregate_request *wanted, struct slice row, struct arena *arena)
{
	return control_token_print(arena_join(arena, row, part_check(wanted, row, arena)), arena);
}

/* False: we did not give it. */
static bool part_read(struct aggregate_request *wanted, struct slice said, struct arena *arena)
{
	struct slice all = control_token_parse(slice_head(said, PART_MAX * 2), arena), row;

	wanted->part = row = slice_head(all, all.n > PART_CHECK ? all.n - PART_CHECK : 0);
	return said.n == 0 || (row.n > 0 && all.n * 2 == said.n &&
			       slice_equal(slice_from(all, row.n), part_check(wanted, row, arena)));
}

static json_t *report_print(const struct aggregate_request *wanted, const struct aggregate_report *report,
			    struct arena *arena)
{
	json_t *answer = json_pack("{s:b, s:o, s:o, s:o, s:o, s:I, s:I}", "ok", 1, "xml", json_text(report->xml), "rua",
				   json_text(report->rua), "id", json_text(report->id), "file", json_text(report->file),
				   "messages", (json_int_t)report->messages, "rows", (json_int_t)report->rows);

	if (report->next.p)
		json_object_set_new(answer, "next", json_text(part_print(wanted, report->next, arena)));
	return answer;
}

static json_t *preview(struct daemon *daemon, const struct aggregate_request *wanted, struct arena *arena)
{
	struct aggregate_report report;
	struct error err;
	int made;

	if (aggregate_flush(daemon->aggregate, clock_us() + WAIT_US) != STORE_OK)
		return control_store_silent(daemon);
	made = aggregate_make(daemon->aggregate, wanted, arena, &report, &err);
	if (made < 0)
		return refusal(err.text);
	if (made == 1)
		return report_print(wanted, &report, arena);
	if (wanted->part.n > 0) {
		error_set(&err, "there is no more of the report about %.*s on that day than what came before this part",
			  SLICE_ARGS(wanted->domain));
		return refusal(err.text);
	}
	error_set(&err,
		  "no mail of %.*s was counted on that day; name the domain that has the DMARC record, as sekisho "
		  "report list shows it",
		  SLICE_ARGS(wanted->domain));
	return refusal(err.text);
}

static json_t *no_part(struct slice said)
{
	struct error err;

	error_set(
	    &err,
	    "there is no part %.*s; the command without --part shows the first, and names the next when there is one",
	    SLICE_ARGS(slice_head(said, 80)));
	return refusal(err.text);
}

json_t *control_report_preview(struct daemon *daemon, const json_t *request)
{
	struct arena *arena = arena_new();
	struct slice day = control_text(request, "day"), part = control_text(request, "part");
	struct aggregate_request wanted = {.max_bytes = AGGREGATE_BYTES_MIN, .keep_xml = true};
	json_t *answer;
	bool valid;

	wanted.domain = domain_normalise(slice_head(control_text(request, "domain"), 300), arena, &valid);
	wanted.day = day.n ? day_read(day) : daemon->aggregate ? aggregate_today(daemon->aggregate) : 0;
	if (!daemon->aggregate)
		answer = no_reports(daemon);
	else if (!valid)
		answer = refusal("that is not a domain");
	else if (wanted.day == 0)
		answer = refusal("a day is written as 2026-11-27");
	else if (!part_read(&wanted, part, arena))
		answer = no_part(part);
	else
		answer = preview(daemon, &wanted, arena);
	arena_free(arena);
	return answer;
}
