/*
 * json.c - TLS reports (RFC 8460 4.4), by jansson.
 */
#include "feedback_private.h"
#include <jansson.h>
#include <stdlib.h>

#define POLICIES_MAX 1000  /* of one report; a receiver has a few for each domain */
#define FAILURES_MAX 10000 /* of one policy: fewer than fit FEEDBACK_TLS_MAX with their names */

struct json {
	struct feedback *feedback;
	char *text;
	size_t size;
};

static void *json_open(struct content *content)
{
	struct json *json = xmalloc(sizeof(*json));

	json->feedback = content->feedback;
	return json;
}

static bool json_bytes(void *state, struct slice chunk)
{
	struct json *json = state;

	if (json->size + chunk.n > FEEDBACK_TLS_MAX)
		return content_skip(json->feedback, "the TLS report is larger than %d KB", FEEDBACK_TLS_MAX >> 10);
	json->text = xrealloc(json->text, json->size + chunk.n);
	memcpy(json->text + json->size, chunk.p, chunk.n);
	json->size += chunk.n;
	return true;
}

/* "" when it is missing, not a string, or too long. */
static struct slice text_of(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);
	struct slice text = {json_string_value(value), json_string_length(value)};

	return text.p ? slice_head(text, FEEDBACK_TEXT_MAX) : SLICE("");
}

/* Some write numbers as strings. */
static uint64_t number_of(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);
	uint64_t number = 0;

	if (json_is_integer(value) && json_integer_value(value) > 0)
		number = (uint64_t)json_integer_value(value);
	else if (json_is_string(value))
		word_count(slice_trim(text_of(object, name)), &number);
	return number < FEEDBACK_COUNT_MAX ? number : FEEDBACK_COUNT_MAX;
}

static struct slice first_of(struct slice a, struct slice b)
{
	return a.n > 0 ? a : b;
}

static size_t read_failures(const json_t *list, struct arena *arena, const struct feedback_tls_failure **failures_r)
{
	size_t count = json_array_size(list) < FAILURES_MAX ? json_array_size(list) : FAILURES_MAX;
	struct feedback_tls_failure *failures = arena_alloc(arena, (count + 1) * sizeof(*failures));

	for (size_t i = 0; i < count; i++) {
		const json_t *item = json_array_get(list, i);

		failures[i].type = arena_lower(arena, text_of(item, "result-type"));
		failures[i].mx =
		    arena_lower(arena, first_of(text_of(item, "receiving-mx-hostname"), text_of(item, "receiving-ip")));
		failures[i].sender = text_of(item, "sending-mta-ip");
		failures[i].reason = text_of(item, "failure-reason-code");
		failures[i].sessions = number_of(item, "failed-session-count");
	}
	*failures_r = failures;
	return count;
}

static void read_policy(const json_t *item, struct arena *arena, struct feedback_tls_policy *policy)
{
	const json_t *about = json_object_get(item, "policy"), *summary = json_object_get(item, "summary");

	policy->type = arena_lower(arena, text_of(about, "policy-type"));
	policy->domain = arena_lower(arena, text_of(about, "policy-domain"));
	policy->good = number_of(summary, "total-successful-session-count");
	policy->failed = number_of(summary, "total-failure-session-count");
	policy->failure_count = read_failures(json_object_get(item, "failure-details"), arena, &policy->failures);
}

static void read_report(struct json *json, const json_t *root, struct arena *arena)
{
	const struct feedback_take *take = &json->feedback->take;
	const json_t *list = json_object_get(root, "policies"), *range = json_object_get(root, "date-range");
	size_t count = json_array_size(list);
	struct feedback_tls_policy *policies = arena_alloc(arena, (count + 1) * sizeof(*policies));
	struct feedback_tls report = {.org = text_of(root, "organization-name"),
				      .id = text_of(root, "report-id"),
				      .policies = policies,
				      .policy_count = count};

	if (!json_is_array(list)) {
		content_skip(json->feedback, "it is JSON, but not a TLS report (RFC 8460): it has no policies");
		return;
	}
	if (count > POLICIES_MAX) {
		content_skip(json->feedback, "the TLS report has more than %d policies", POLICIES_MAX);
		return;
	}
	if (word_time(text_of(range, "start-datetime"), &report.begin_s) != 0 ||
	    word_time(text_of(range, "end-datetime"), &report.end_s) != 0)
		report.begin_s = report.end_s = 0;
	for (size_t i = 0; i < count; i++)
		read_policy(json_array_get(list, i), arena, &policies[i]);
	json->feedback->reported++;
	take->tls(take->context, &report);
}

static void json_end(void *state)
{
	struct json *json = state;
	json_error_t error;
	json_t *root = json_loadb(json->text ? json->text : "", json->size, 0, &error);
	struct arena *arena = arena_new();

	if (root)
		read_report(json, root, arena);
	else
		content_skip(json->feedback, "it is not correct JSON: line %d: %s", error.line, error.text);
	json_decref(root);
	arena_free(arena);
}

static void json_free(void *state)
{
	struct json *json = state;

	free(json->text);
	free(json);
}

const struct content_kind content_json = {json_open, json_bytes, json_end, json_free};
