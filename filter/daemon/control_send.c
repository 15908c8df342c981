/*
 * control_send.c - requests about sending reports, on the control socket.
 *
 *     {"command":"report-send","domain":D,"day":N}    {"ok":true,"request":N}  D "": all; N 0: all days that are over
 *     {"command":"report-sent","request":N,"after":K} {"ok":true,"told":[{"day":N,"domain":D,"address":A,"fate":F,
 *                                                     "text":T,"messages":N}],"done":B,"untold":N,"why":T}
 *     {"command":"report-suppressed","after":A}       {"ok":true,"suppressed":[{"address":A,"times":N,"until":SECONDS,
 *                                                     "rests":B,"why":T}],"next":A}
 *     {"command":"report-clear","address":A}          {"ok":true,"was":B}
 *
 * Sending takes its time: the first request begins it, and the second is repeated until it is done.
 */
#include "report_thread.h"

static json_t *refusal(const char *text)
{
	return json_pack("{s:b, s:o}", "ok", 0, "error", json_text(slice_of(text)));
}

static uint64_t number_of(const json_t *request, const char *name)
{
	json_int_t number = json_integer_value(json_object_get(request, name));

	return number > 0 ? (uint64_t)number : 0;
}

json_t *control_report_send(struct daemon *daemon, const json_t *request)
{
	uint64_t day = number_of(request, "day"), number;
	struct slice domain = control_text(request, "domain");

	if (!daemon->report_thread || day > 1000000)
		return refusal("no reports are sent");
	if (domain.n > MAIL_DOMAIN_MAX)
		return refusal("that is not a domain");
	if (!report_thread_ask(daemon->report_thread, domain, (unsigned)day, &number))
		return refusal("reports are being sent already, because somebody else asked for it; ask again later");
	return json_pack("{s:b, s:I}", "ok", 1, "request", (json_int_t)number);
}

json_t *control_report_sent(struct daemon *daemon, const json_t *request)
{
	json_t *answer = daemon->report_thread
			     ? report_thread_answer(daemon->report_thread, number_of(request, "request"),
						    (size_t)number_of(request, "after"))
			     : NULL;

	return answer ? answer : refusal("there is no such request any more");
}

/* ---- dead addresses -------------------------------------------------------------------------------------------- */

static json_t *print_dead(const struct report_dead *dead, size_t count)
{
	json_t *array = json_array();
	int64_t now_s = clock_wall_us() / 1000000;

	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, json_pack("{s:o, s:I, s:I, s:b, s:o}", "address",
						       json_text(dead[i].address), "times", (json_int_t)dead[i].times,
						       "until", (json_int_t)dead[i].until_s, "rests",
						       now_s < dead[i].until_s, "why", json_text(dead[i].why)));
	return array;
}

json_t *control_report_suppressed(struct daemon *daemon, const json_t *request)
{
	struct arena *arena = arena_new();
	struct report_dead *dead;
	struct slice next;
	json_t *answer;
	size_t count;

	if (!daemon->store ||
	    report_dead_list(daemon->store, control_text(request, "after"), arena, &dead, &count, &next) != STORE_OK) {
		answer = refusal("the store does not answer, or none is open");
	} else {
		answer = json_pack("{s:b, s:o}", "ok", 1, "suppressed", print_dead(dead, count));
		if (next.p)
			json_object_set_new(answer, "next", json_text(next));
	}
	arena_free(arena);
	return answer;
}

json_t *control_report_clear(struct daemon *daemon, const json_t *request)
{
	struct arena *arena = arena_new();
	enum store_answer answer = daemon->store
				       ? report_dead_clear(daemon->store, control_text(request, "address"), arena)
				       : STORE_UNAVAILABLE;

	arena_free(arena);
	if (answer == STORE_OK || answer == STORE_ABSENT)
		return json_pack("{s:b, s:b}", "ok", 1, "was", answer == STORE_OK);
	return refusal("the store does not answer, or none is open");
}
