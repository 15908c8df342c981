/*
 * explain_show.c - what `sekisho explain` prints: each stage with the rules that
 * were tried and what they saw, the verdict, the reply, and what changes in the
 * header; for a person, or as one JSON object.
 */
#include "explain.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const truth_words[] = {[TRUTH_FALSE] = "false", [TRUTH_TRUE] = "true", [TRUTH_UNKNOWN] = "unknown"};

/* Is it a change of the header? */
static bool is_field(const struct change *change)
{
	return change->kind <= CHANGE_APPEND;
}

/* ---- every fact ---------------------------------------------------------------- */

/* An accepted recipient with its facts; else only the address. */
static struct recipient find_recipient(const struct message *message, const char *text)
{
	struct recipient recipient = {.address = address_parse_path(slice_of(text), message->arena)};

	for (size_t i = 0; i < message->recipient_count; i++)
		if (slice_equal(message->recipients[i].address.text, recipient.address.text))
			return message->recipients[i];
	return recipient;
}

/* The recipients as facts see them: one as itself, several as a list. */
static json_t *recipient_facts(struct explain *explain, struct view *view, const struct fact *fact)
{
	json_t *values = json_array();

	for (size_t i = 0; i < explain->recipient_count; i++) {
		struct recipient recipient = find_recipient(view->message, explain->recipients[i]);

		view->recipient = &recipient;
		struct value value = fact_get(view, fact, NO_ARGUMENT);
		json_array_append_new(values, value.state == VALUE_SET
						  ? json_text(value_print(&value, view->message->arena))
						  : json_null());
		view->recipient = NULL;
	}
	if (json_array_size(values) != 1)
		return values;
	json_t *only = json_incref(json_array_get(values, 0));
	json_decref(values);
	return only;
}

static json_t *value_json(const struct value *value, struct arena *arena)
{
	if (value->state != VALUE_SET)
		return json_null();
	if (value->type == TYPE_BOOL)
		return json_boolean(value->boolean);
	if (value->type == TYPE_NUMBER)
		return json_integer(value->number);
	return json_text(value_print(value, arena));
}

static void add_arguments(struct explain *explain, json_t *facts, const struct fact_memo *memo, struct arena *arena)
{
	for (unsigned i = 0; i < memo->with_argument.count; i++) {
		const struct known_fact *known = &memo->with_argument.items[i];
		struct slice name =
		    arena_printf(explain->arena, "%s(\"%.*s\")", known->fact->name, SLICE_ARGS(known->argument.text));

		if (!known->fact->apart)
			json_object_set_new(facts, arena_cstring(explain->arena, name),
					    value_json(&known->value, arena));
	}
}

/* Every available fact, including those that no rule read; facts with an argument only if a rule read them. */
static json_t *all_facts(struct explain *explain, struct gate *gate)
{
	struct view *view = gate_view(gate);
	json_t *facts = json_object();
	const struct fact *fact;

	view->stage = explain->reached;
	dns_budget_deadline(view->budget, clock_us() + abilities_all.end_us);
	for (unsigned number = 0; (fact = fact_at(number)) != NULL; number++) {
		if (fact->argument != ARGUMENT_NONE)
			continue;
		if (fact->scope == SCOPE_RECIPIENT) {
			json_object_set_new(facts, fact->name, recipient_facts(explain, view, fact));
			continue;
		}
		struct value value = fact_get(view, fact, NO_ARGUMENT);
		json_object_set_new(facts, fact->name, value_json(&value, view->message->arena));
	}
	add_arguments(explain, facts, view->connection_memo, view->message->arena);
	add_arguments(explain, facts, view->message_memo, view->message->arena);
	return facts;
}

/* ---- JSON ----------------------------------------------------------------------- */

static json_t *text_or_null(struct slice text)
{
	return text.n ? json_text(text) : json_null();
}

static json_t *position_json(struct explain *explain, struct position where)
{
	if (!where.file)
		return json_null();
	return json_text(arena_printf(explain->arena, "%s:%u", where.file, where.line));
}

static json_t *rules_json(struct explain *explain)
{
	json_t *rules = json_array();

	for (size_t i = 0; i < explain->trace.count; i++) {
		const struct rule_trace *rule = &explain->trace.rules[i];
		json_t *one = json_object(), *seen = json_object();

		for (size_t k = 0; k < rule->seen_count; k++)
			json_object_set_new(seen, arena_cstring(explain->arena, rule->seen[k].fact),
					    json_text(rule->seen[k].value));
		json_object_set_new(one, "stage", json_string(stage_names[rule->stage]));
		json_object_set_new(one, "rule", position_json(explain, rule->where));
		json_object_set_new(one, "source", json_text(rule->source));
		json_object_set_new(one, "truth", json_string(truth_words[rule->truth]));
		json_object_set_new(one, "values", seen);
		json_object_set_new(one, "effect", json_string(rule->effect));
		json_array_append_new(rules, one);
	}
	return rules;
}

static json_t *changes_json(struct gate *gate)
{
	json_t *changes = json_array();
	size_t count;
	const struct change *change = gate_changes(gate, &count);

	for (; count > 0; count--, change++) {
		json_t *one;

		if (!is_field(change))
			continue;
		one = json_object();
		json_object_set_new(one, "action", json_string(change_names[change->kind]));
		json_object_set_new(one, "name", json_text(change->name));
		if (change->kind == CHANGE_DELETE || change->kind == CHANGE_REPLACE)
			json_object_set_new(one, "index", json_integer(change->index));
		if (change->kind != CHANGE_DELETE)
			json_object_set_new(one, "value", json_text(slice_trim(change->value)));
		json_array_append_new(changes, one);
	}
	return changes;
}

/* Sender and recipients; a replaced body is in the notes. */
static json_t *envelope_json(struct gate *gate)
{
	json_t *changes = json_array();
	size_t count;
	const struct change *change = gate_changes(gate, &count);

	for (; count > 0; count--, change++) {
		json_t *one;

		if (is_field(change) || change->kind == CHANGE_BODY)
			continue;
		one = json_object();
		json_object_set_new(one, "action", json_string(change_names[change->kind]));
		json_object_set_new(one, "address", json_text(change->value));
		json_array_append_new(changes, one);
	}
	return changes;
}

static json_t *recipients_json(const struct record *record)
{
	json_t *recipients = json_array();

	for (size_t i = 0; i < record->recipient_count; i++) {
		const struct record_recipient *recipient = &record->recipients[i];
		json_t *one = json_object();

		json_object_set_new(one, "recipient", json_text(recipient->address));
		json_object_set_new(one, "verdict",
				    recipient->verdict.n ? json_text(recipient->verdict) : json_string("accept"));
		json_object_set_new(one, "reply", text_or_null(recipient->reply));
		json_object_set_new(one, "rule", text_or_null(recipient->rule));
		json_array_append_new(recipients, one);
	}
	return recipients;
}

static json_t *scores_json(const struct record *record)
{
	json_t *scores = json_array();

	for (size_t i = 0; i < record->score_count; i++) {
		json_t *one = json_object();

		json_object_set_new(one, "points", json_integer(record->scores[i].points));
		json_object_set_new(one, "rule", json_text(record->scores[i].rule));
		json_object_set_new(one, "why", json_text(record->scores[i].why));
		json_array_append_new(scores, one);
	}
	return scores;
}

static json_t *vars_json(struct explain *explain, const struct record *record)
{
	json_t *vars = json_object();

	for (size_t i = 0; i < record->var_count; i++)
		json_object_set_new(vars, arena_cstring(explain->arena, record->vars[i].name),
				    json_text(record->vars[i].text));
	return vars;
}

static json_t *notes_json(const struct record *record)
{
	json_t *notes = json_array();

	for (size_t i = 0; i < record->note_count; i++) {
		json_t *one = json_object();

		json_object_set_new(one, "kind", json_text(record->notes[i].kind));
		json_object_set_new(one, "rule", json_text(record->notes[i].rule));
		json_object_set_new(one, "text", json_text(record->notes[i].text));
		json_array_append_new(notes, one);
	}
	return notes;
}

/* Where what was not given comes from. */
static json_t *taken_json(const struct explain *explain)
{
	json_t *taken = json_object();

	if (explain->taken_client)
		json_object_set_new(taken, "client", json_string("Received"));
	if (explain->taken_helo)
		json_object_set_new(taken, "helo", json_string("Received"));
	if (explain->taken_sender)
		json_object_set_new(taken, "sender", json_string("Return-Path"));
	return taken;
}

void explain_show_json(struct explain *explain, struct gate *gate)
{
	const struct record *record = gate_record(gate);
	const struct slice *quarantine = gate_quarantine(gate);
	json_t *object = json_object();

	json_object_set_new(object, "taken", taken_json(explain));
	json_object_set_new(object, "verdict", json_text(record->verdict));
	json_object_set_new(object, "reply", text_or_null(record->reply));
	json_object_set_new(object, "rule", text_or_null(record->rule));
	json_object_set_new(object, "stage", text_or_null(record->stage));
	json_object_set_new(object, "kind", json_text(record->kind));
	if (record->tenant.n)
		json_object_set_new(object, "tenant", json_text(record->tenant));
	json_object_set_new(object, "quarantine", quarantine ? json_text(*quarantine) : json_null());
	json_object_set_new(object, "recipients", recipients_json(record));
	json_object_set_new(object, "header-changes", changes_json(gate));
	json_object_set_new(object, "envelope-changes", envelope_json(gate));
	json_object_set_new(object, "footer", text_or_null(record->footer));
	json_object_set_new(object, "score", json_integer(record->score));
	json_object_set_new(object, "scores", scores_json(record));
	json_object_set_new(object, "vars", vars_json(explain, record));
	json_object_set_new(object, "notes", notes_json(record));
	json_object_set_new(object, "trace", rules_json(explain));
	json_object_set_new(object, "facts", all_facts(explain, gate));
	json_dumpf(object, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(object);
}

/* ---- for a person ---------------------------------------------------------------- */

static void print_safe(struct slice text)
{
	trace_print_text(stdout, text);
}

static void print_line(const char *name, struct slice text)
{
	if (!text.n)
		return;
	printf("%-12s ", name);
	print_safe(text);
	putchar('\n');
}

static void print_recipients(const struct record *record)
{
	for (size_t i = 0; i < record->recipient_count; i++) {
		const struct record_recipient *recipient = &record->recipients[i];

		if (!recipient->reply.n)
			continue;
		print_line("refused", recipient->address);
		print_line("  rule", recipient->rule);
		print_line("  reply", recipient->reply);
	}
}

static void print_noted(struct explain *explain, const struct record *record)
{
	if (record->score_count)
		print_line("score", arena_printf(explain->arena, "%lld", (long long)record->score));
	for (size_t i = 0; i < record->score_count; i++)
		print_line("", arena_printf(explain->arena, "%+lld %.*s (%.*s)", (long long)record->scores[i].points,
					    SLICE_ARGS(record->scores[i].why), SLICE_ARGS(record->scores[i].rule)));
	for (size_t i = 0; i < record->var_count; i++)
		print_line("set", arena_printf(explain->arena, "%.*s = %.*s", SLICE_ARGS(record->vars[i].name),
					       SLICE_ARGS(record->vars[i].text)));
}

static void print_changes(struct gate *gate)
{
	size_t count;
	const struct change *change = gate_changes(gate, &count);

	if (count > 0 && is_field(change))
		printf("header\n");
	for (; count > 0 && is_field(change); count--, change++) {
		printf("  %-8s ", change_names[change->kind]);
		print_safe(change->name);
		if (change->kind == CHANGE_DELETE || change->kind == CHANGE_REPLACE)
			printf(" (number %u)", change->index);
		if (change->kind != CHANGE_DELETE) {
			printf(":");
			print_safe(change->value);
		}
		putchar('\n');
	}
	if (count > 0 && change->kind != CHANGE_BODY)
		printf("envelope\n");
	for (; count > 0 && change->kind != CHANGE_BODY; count--, change++) {
		printf("  %-16s ", change_names[change->kind]);
		print_safe(change->value);
		putchar('\n');
	}
}

static void print_taken(const char *what, const char *text, const char *where)
{
	if (!text)
		return;
	printf("%s ", what);
	print_safe(slice_of(*text ? text : "<>"));
	printf(" from %s\n", where);
}

void explain_show_text(struct explain *explain, struct gate *gate)
{
	const struct record *record = gate_record(gate);
	const struct slice *quarantine = gate_quarantine(gate);

	print_taken("client", explain->taken_client, "the top Received field");
	print_taken("HELO", explain->taken_helo, "the top Received field");
	print_taken("sender", explain->taken_sender, "Return-Path");
	trace_print(&explain->trace, stdout);
	putchar('\n');
	print_line("traffic", record->kind);
	print_line("tenant", record->tenant);
	print_line("verdict", record->verdict);
	print_line("decided by", record->rule.n ? record->rule : SLICE("no rule: let through"));
	print_line("reply", record->reply);
	if (quarantine)
		print_line("quarantine", *quarantine);
	print_recipients(record);
	print_noted(explain, record);
	for (size_t i = 0; i < record->note_count; i++) {
		print_line(record->notes[i].kind.p, record->notes[i].text);
		print_line("  rule", record->notes[i].rule);
	}
	print_line("footer", record->footer);
	print_changes(gate);

	json_t *facts = all_facts(explain, gate), *value;
	const char *name;
	printf("facts\n");
	json_object_foreach(facts, name, value)
	{
		char *text = json_dumps(value, JSON_ENCODE_ANY);
		printf("  %-18s %s\n", name, json_is_null(value) ? "-" : text);
		free(text);
	}
	json_decref(facts);
}
