/*
 * policy.c - a compiled policy: what it holds, how long it lives, what others ask of it.
 *
 * Contract: policy.h.
 */
#include "compile.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- a policy and its parts ------------------------------------------------------------------ */

struct policy *policy_hold(struct policy *policy)
{
	policy->holders++;
	return policy;
}

void policy_release(struct policy *policy)
{
	if (!policy || --policy->holders > 0)
		return;
	for (size_t i = 0; i < policy->list_count; i++)
		list_free(policy->lists[i]->list);
	for (size_t i = 0; i < policy->regex_count; i++)
		regex_free(policy->regexes[i]);
	free(policy->lists);
	free(policy->signs);
	free(policy->regexes);
	free(policy->file);
	arena_free(policy->arena);
	free(policy);
}

const struct policy_list *policy_list(const struct policy *policy, struct slice name)
{
	for (size_t i = 0; i < policy->list_count; i++) {
		if (slice_equal(name, slice_of(list_name(policy->lists[i]->list))))
			return policy->lists[i];
	}
	return NULL;
}

const struct policy_list *policy_add_list(struct policy *policy, struct policy_list list)
{
	struct policy_list *kept = arena_alloc(policy->arena, sizeof(*kept));

	*kept = list;
	if (policy->list_count == policy->list_room) {
		policy->list_room = policy->list_room ? 2 * policy->list_room : 8;
		policy->lists = xrealloc(policy->lists, policy->list_room * sizeof(struct policy_list *));
	}
	return policy->lists[policy->list_count++] = kept;
}

void policy_add_regex(struct policy *policy, struct regex *regex)
{
	if (policy->regex_count == policy->regex_room) {
		policy->regex_room = policy->regex_room ? 2 * policy->regex_room : 8;
		policy->regexes = xrealloc(policy->regexes, policy->regex_room * sizeof(struct regex *));
	}
	policy->regexes[policy->regex_count++] = regex;
}

/* ---- lists ------------------------------------------------------------------------------------- */

unsigned policy_refresh_lists(struct policy *policy, void (*report)(void *context, const char *line), void *context)
{
	int64_t now = clock_us();
	unsigned read = 0;

	for (size_t i = 0; i < policy->list_count; i++) {
		struct list *list = policy->lists[i]->list;
		const char *failure;
		char line[sizeof(struct error) + 128];

		read += list_refresh(list) > 0;
		failure = list_report(list, now);
		if (!failure || !report)
			continue;
		snprintf(line, sizeof(line), "list %s: %s; %s", list_name(list), failure,
			 list_is_ready(list) ? "its old content is kept" : "rules that ask for it cannot be decided");
		report(context, line);
	}
	return read;
}

/* ---- asking ------------------------------------------------------------------------------------------ */

const struct variable *policy_variables(const struct policy *policy, size_t *count_r)
{
	*count_r = policy->variable_count;
	return policy->variables;
}

const struct settings *policy_settings(const struct policy *policy)
{
	return &policy->settings;
}

const char *policy_file(const struct policy *policy)
{
	return policy->file;
}

int64_t policy_read_at(const struct policy *policy)
{
	return policy->read_at;
}

size_t policy_rules(const struct policy *policy)
{
	return policy->rule_count;
}

size_t policy_lists(const struct policy *policy)
{
	return policy->list_count;
}

struct list *policy_list_at(const struct policy *policy, size_t number)
{
	return policy->lists[number]->list;
}

struct list *policy_list_named(const struct policy *policy, struct slice name)
{
	const struct policy_list *found = policy_list(policy, name);

	return found ? found->list : NULL;
}

bool policy_list_defers(const struct policy *policy, const struct list *list)
{
	const struct policy_list *found = policy_list(policy, slice_of(list_name(list)));

	return found && !found->skip;
}

unsigned policy_needs(const struct policy *policy)
{
	return policy->needs;
}

const struct ruleset *policy_ruleset(const struct policy *policy, const struct tenant *tenant, enum kind kind)
{
	return tenant && tenant->rules[kind] ? tenant->rules[kind] : &policy->rules[kind];
}

static bool tenant_has_rules(const struct tenant *tenant, enum stage stage)
{
	for (unsigned kind = 0; kind < KIND_COUNT; kind++)
		if (tenant->rules[kind] && tenant->rules[kind]->stages[stage].count)
			return true;
	return false;
}

static struct rule_demand demand_of(const struct rule *rule)
{
	const struct action *action = rule->action;
	bool decides = action->class == ACTION_VERDICT;

	return (struct rule_demand){
	    .where = rule->where,
	    .action = action->name,
	    .stage = rule->stage,
	    .needs = action->needs,
	    .quarantine = decides && action->verdict == VERDICT_QUARANTINE,
	    .refuses = decides && (action->verdict == VERDICT_REJECT || action->verdict == VERDICT_DEFER),
	    .edits = action->class == ACTION_EDIT,
	};
}

static void show_rules(const struct ruleset *set, void (*see)(void *context, const struct rule_demand *), void *context)
{
	for (unsigned stage = 0; stage < STAGE_COUNT; stage++) {
		for (size_t i = 0; i < set->stages[stage].count; i++) {
			struct rule_demand demand = demand_of(&set->stages[stage].rules[i]);

			if (!set->stages[stage].rules[i].try)
				see(context, &demand);
		}
	}
}

void policy_demands(const struct policy *policy, void (*see)(void *context, const struct rule_demand *), void *context)
{
	for (unsigned kind = 0; kind < KIND_COUNT; kind++) {
		show_rules(&policy->rules[kind], see, context);
		for (size_t i = 0; i < policy->tenant_count; i++)
			if (policy->tenants[i].rules[kind])
				show_rules(policy->tenants[i].rules[kind], see, context);
	}
}

static bool reads_store(const struct ruleset *rules)
{
	bool reads = false;

	for (unsigned i = 0; checks[i]; i++)
		reads |= checks[i]->stores && rules->asking[i].count > 0;
	return reads;
}

static bool rules_read(const struct ruleset *rules, const struct fact *fact)
{
	const struct asking *asking = &rules->asking[check_number(fact_check(fact))];

	for (size_t i = 0; i < asking->count; i++)
		if (asking->items[i].fact == fact)
			return true;
	return false;
}

bool policy_reads(const struct policy *policy, const struct fact *fact)
{
	bool reads = false;

	for (unsigned kind = 0; kind < KIND_COUNT; kind++) {
		reads |= rules_read(&policy->rules[kind], fact);
		for (size_t i = 0; i < policy->tenant_count; i++)
			reads |= rules_read(policy_ruleset(policy, &policy->tenants[i], (enum kind)kind), fact);
	}
	return reads;
}

bool policy_needs_store(const struct policy *policy)
{
	bool needs = policy->settings.store.said || policy->notifies || policy->settings.reports.said;

	for (size_t i = 0; i < policy->list_count; i++)
		needs |= list_is_dynamic(policy->lists[i]->list);
	for (unsigned kind = 0; kind < KIND_COUNT; kind++) {
		needs |= reads_store(&policy->rules[kind]);
		for (size_t i = 0; i < policy->tenant_count; i++)
			needs |= reads_store(policy_ruleset(policy, &policy->tenants[i], (enum kind)kind));
	}
	return needs;
}

bool policy_has_rules(const struct policy *policy, enum stage stage)
{
	for (unsigned kind = 0; kind < KIND_COUNT; kind++)
		if (policy->rules[kind].stages[stage].count)
			return true;
	for (size_t i = 0; i < policy->tenant_count; i++)
		if (tenant_has_rules(&policy->tenants[i], stage))
			return true;
	return false;
}

bool policy_uses_check(const struct policy *policy, const struct tenant *tenant, enum kind kind,
		       const struct check *check)
{
	return policy_ruleset(policy, tenant, kind)->uses[check_number(check)];
}

const struct asking *policy_asking(const struct policy *policy, const struct tenant *tenant, enum kind kind,
				   const struct check *check)
{
	return &policy_ruleset(policy, tenant, kind)->asking[check_number(check)];
}

bool policy_footers(const struct policy *policy, const struct tenant *tenant, enum kind kind)
{
	return policy_ruleset(policy, tenant, kind)->footers;
}

bool policy_signs(const struct policy *policy, const struct tenant *tenant, enum kind kind)
{
	return policy_ruleset(policy, tenant, kind)->signs;
}

const struct policy_test *policy_tests(const struct policy *policy)
{
	return policy->tests;
}

/* ---- tenants --------------------------------------------------------------------------------------------- */

const struct tenant *policy_tenant(const struct policy *policy, struct slice daemon_name)
{
	for (size_t i = 0; daemon_name.n > 0 && i < policy->tenant_count; i++) {
		const struct tenant *tenant = &policy->tenants[i];

		for (size_t j = 0; j < tenant->daemon_names.count; j++)
			if (slice_equal(daemon_name, tenant->daemon_names.items[j]))
				return tenant;
	}
	return NULL;
}

struct slice policy_daemon_name(const struct policy *policy, size_t number)
{
	for (size_t i = 0; i < policy->tenant_count; i++) {
		const struct tenant *tenant = &policy->tenants[i];

		if (number < tenant->daemon_names.count)
			return tenant->daemon_names.items[number];
		number -= tenant->daemon_names.count;
	}
	return SLICE("");
}

struct slice tenant_name(const struct tenant *tenant)
{
	return tenant ? tenant->name : SLICE("");
}

const struct check_settings *policy_check_settings(const struct policy *policy, const struct tenant *tenant)
{
	return tenant ? &tenant->settings : &policy->settings.check;
}
