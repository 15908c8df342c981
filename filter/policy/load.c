/*
 * load.c - a policy file from its bytes to what the engine runs: syntax, settings, rules,
 * lists, and all that is wrong with them.
 */
#include "compile.h"

#include <stdlib.h>
#include <string.h>

/* ---- rules -------------------------------------------------------------------------------------- */

static int compile_rule(struct compiler *compiler, const struct rule_syntax *said, struct rule *rule)
{
	struct place place = said->action.place;

	compiler->rule_place = place;
	rule->try = said->try;
	rule->stage = compiler->stage;
	rule->where = position_of(compiler, place);
	rule->source = arena_copy(compiler->policy->arena, said->source);
	compiler->captures = (struct captures){.used = false};
	compiler->each_recipient = false;
	if (action_compile(compiler, said, rule) || condition_compile(compiler, said->condition, &rule->condition))
		return -1;
	rule->each_recipient = compiler->each_recipient;
	if (rule->each_recipient && compiler->policy->settings.on_conflict == CONFLICT_SPLIT)
		compiler->policy->needs |= NEED_DELETE_RECIPIENT;
	rule->captures = compiler->captures.used;
	return captures_check(compiler);
}

/* Room for as many rules more; they are doubled, as a policy may come in many blocks. */
static struct rule *make_room(struct compiler *compiler, struct rules *rules, size_t more)
{
	size_t room = rules->room ? rules->room : 4;
	struct rule *made;

	if (rules->count + more <= rules->room)
		return rules->rules;
	while (room < rules->count + more)
		room *= 2;
	made = arena_alloc(compiler->policy->arena, room * sizeof(*made));
	if (rules->count)
		memcpy(made, rules->rules, rules->count * sizeof(*made));
	rules->room = room;
	return rules->rules = made;
}

/* Rules come after those that an earlier block has for the same stage. */
static void compile_stage(struct compiler *compiler, const struct stage_syntax *said)
{
	struct rules *rules = &compiler->rules->stages[compiler->stage];
	struct rule *compiled;
	size_t count = 0, before = rules->count;

	for (const struct rule_syntax *rule = said->first; rule; rule = rule->next)
		count++;
	compiled = make_room(compiler, rules, count);
	for (const struct rule_syntax *rule = said->first; rule && !diagnostics_full(compiler->diagnostics);
	     rule = rule->next) {
		/* What was wrong to read is not compiled: its error is known. */
		if (!diagnostics_knows(compiler->diagnostics, rule->action.place.statement))
			compile_rule(compiler, rule, &compiled[rules->count++]);
	}
	compiler->policy->rule_count += rules->count - before;
}

/* The number of the word in `names`; -1 and an error when it is none. */
static int find_name(struct compiler *compiler, const struct word *word, const char *const *names, const char *what)
{
	struct text all;

	text_init(&all, compiler->policy->arena, DIAGNOSTIC_TEXT_MAX / 2);
	for (int i = 0; names[i]; i++) {
		if (slice_equal(word->text, slice_of(names[i])))
			return i;
		text_printf(&all, " %s", names[i]);
	}
	diagnostics_error(compiler->diagnostics, word->place, "no %s is named \"%s\"; it is one of%.*s%s%s", what,
			  QUOTE(word->text), SLICE_ARGS(text_slice(&all)), nearest_word(word->text, names) ? "; " : "",
			  suggestion(word->text, names).text);
	return -1;
}

static void compile_policy(struct compiler *compiler, const struct policy_syntax *said)
{
	for (const struct stage_syntax *stage = said->first; stage; stage = stage->next) {
		int number = find_name(compiler, &stage->name, stage_names, "stage");

		if (number < 0)
			continue;
		compiler->stage = (enum stage)number;
		compiler->stage_place = stage->name.place;
		compile_stage(compiler, stage);
	}
}

/* The rules that the block adds to; NULL and an error when there is no such tenant. */
static struct ruleset *find_ruleset(struct compiler *compiler, const struct policy_syntax *said, enum kind kind)
{
	struct policy *policy = compiler->policy;
	const char **names = arena_alloc(policy->arena, (policy->tenant_count + 1) * sizeof(*names));

	if (!said->tenant)
		return &policy->rules[kind];
	for (size_t i = 0; i < policy->tenant_count; i++) {
		struct tenant *tenant = &policy->tenants[i];

		if (!slice_equal(tenant->name, said->tenant->text)) {
			names[i] = arena_cstring(policy->arena, tenant->name);
			continue;
		}
		if (!tenant->rules[kind])
			tenant->rules[kind] = arena_alloc(policy->arena, sizeof(*tenant->rules[kind]));
		return tenant->rules[kind];
	}
	diagnostics_error(compiler->diagnostics, said->tenant->place, "no tenant is named \"%s\"; %s",
			  QUOTE(said->tenant->text),
			  nearest_word(said->tenant->text, names)
			      ? suggestion(said->tenant->text, names).text
			      : "write tenant NAME { daemon-name \"NAME OF THE SERVICE\" } for it");
	return NULL;
}

static void compile_policies(struct compiler *compiler, const struct file_syntax *file)
{
	for (const struct policy_syntax *policy = file->first_policy; policy; policy = policy->next) {
		int number = find_name(compiler, &policy->kind, kind_names, "kind of traffic");

		compiler->rules = number < 0 ? NULL : find_ruleset(compiler, policy, (enum kind)number);
		if (compiler->rules)
			compile_policy(compiler, policy);
	}
}

/* ---- readers beside the rules -------------------------------------------------------------------- */

/* Calls `add` for all rules: of each kind, for all and for tenants. */
static void for_rulesets(struct policy *policy, void (*add)(struct policy *, struct ruleset *))
{
	for (unsigned kind = 0; kind < KIND_COUNT; kind++) {
		add(policy, &policy->rules[kind]);
		for (size_t i = 0; i < policy->tenant_count; i++)
			if (policy->tenants[i].rules[kind])
				add(policy, policy->tenants[i].rules[kind]);
	}
}

/* Those of strangers are what DMARC reports are about. */
static bool is_inbound(const struct policy *policy, const struct ruleset *rules)
{
	bool inbound = rules == &policy->rules[KIND_INBOUND];

	for (size_t i = 0; i < policy->tenant_count; i++)
		inbound |= rules == policy->tenants[i].rules[KIND_INBOUND];
	return inbound;
}

/* Authentication-Results, ARC-Authentication-Results, Received-SPF and `record { facts all }` read facts of any
 * message, DMARC reports those of mail of strangers. */
static void add_readers(struct policy *policy, struct ruleset *rules)
{
	const struct settings *settings = &policy->settings;

	if (settings->authres_checks)
		policy->needs |= NEED_HEADERS; /* forged ones are removed */
	for (unsigned i = 0; checks[i]; i++) {
		bool reads =
		    settings->record_all_facts || (settings->authres_checks & 1u << i) ||
		    (rules->seals && checks[i]->authres) ||
		    (settings->reports.said && is_inbound(policy, rules) && strcmp(checks[i]->name, "dmarc") == 0) ||
		    (settings->check.received_spf && strcmp(checks[i]->name, "spf") == 0);

		rules->uses[i] |= reads;
		for (unsigned j = 0; reads && j < checks[i]->fact_count; j++)
			policy->needs |= checks[i]->facts[j].needs & ~NEED_REFUSED; /* a rule has to count them */
	}
}

/* A check that is read reads those that it is made of; it comes after them in the list. */
static void add_indirect_readers(struct policy *policy, struct ruleset *rules)
{
	size_t count = 0;

	(void)policy;
	while (checks[count])
		count++;
	for (size_t i = count; i-- > 0;)
		for (const struct check *const *read = checks[i]->reads; read && *read; read++)
			rules->uses[check_number(*read)] |= rules->uses[i];
}

/* Checks learn from messages only what some rule reads. */
static void add_read(struct policy *policy, struct ruleset *rules)
{
	for (unsigned i = 0; checks[i]; i++)
		policy->settings.check.read |= (uint64_t)(rules->asking[i].count > 0) << i;
	for (size_t i = 0; i < policy->tenant_count; i++)
		policy->tenants[i].settings.read |= policy->settings.check.read;
}

/* What a check needs that somebody reads, whichever of its facts. */
static void add_needs(struct policy *policy, struct ruleset *rules)
{
	for (unsigned i = 0; checks[i]; i++)
		if (checks[i]->needs && rules->uses[i])
			policy->needs |= checks[i]->needs(&policy->settings.check);
}

/* ---- loading ----------------------------------------------------------------------------------------- */

/* The same list of the policy that is replaced; NULL: it is new. */
static const struct list *list_before(const struct policy *old, const struct list *list)
{
	for (size_t i = 0; old && i < old->list_count; i++) {
		if (list_is_same(old->lists[i]->list, list))
			return old->lists[i]->list;
	}
	return NULL;
}

/* What a list that cannot be used now means for the rules. */
static const char *consequence(const struct policy_list *said)
{
	if (list_is_ready(said->list))
		return "; its old content is kept until then";
	return said->skip ? "; until then rules that ask for it are skipped"
			  : "; until then rules that ask for it defer";
}

static void tell_faults(struct compiler *compiler, const struct policy_list *said, const struct list_faults *faults,
			const char *end)
{
	bool strict = faults->malformed && compiler->reader == POLICY_CHECK;
	struct place place = place_of(compiler, said->where);
	size_t told = faults->count < LIST_FAULTS_MAX ? faults->count : LIST_FAULTS_MAX;

	for (size_t i = 0; i < told; i++)
		(strict ? diagnostics_error : diagnostics_warning)(compiler->diagnostics, place, "list %s: %s%s",
								   list_name(said->list), faults->texts[i].text,
								   i + 1 < told ? "" : end);
}

static void load_lists(struct compiler *compiler, const struct policy *old)
{
	for (size_t i = 0; i < compiler->policy->list_count; i++) {
		const struct policy_list *said = compiler->policy->lists[i];
		struct list_faults faults;
		int result = list_load(said->list, list_before(old, said->list), &faults);

		tell_faults(compiler, said, &faults, result ? consequence(said) : "");
	}
}

static void list_fact_names(struct compiler *compiler)
{
	unsigned n = 0;

	compiler->fact_names = arena_alloc(compiler->policy->arena, (FACT_MAX + 1) * sizeof(*compiler->fact_names));
	for (const struct fact *fact; n < FACT_MAX && (fact = fact_at(n));)
		compiler->fact_names[n++] = fact->name;
}

static void compile_file(struct compiler *compiler, const struct file_syntax *file, const struct policy *old)
{
	list_fact_names(compiler);
	settings_compile(compiler, file);
	variables_collect(compiler, file);
	compile_policies(compiler, file);
	for_rulesets(compiler->policy, add_readers);
	for_rulesets(compiler->policy, add_indirect_readers);
	for_rulesets(compiler->policy, add_read);
	for_rulesets(compiler->policy, add_needs);
	load_lists(compiler, old);
	if (compiler->reader == POLICY_CHECK)
		advice_give(compiler, file);
}

static struct policy *policy_new(const char *path)
{
	struct policy *policy = xmalloc(sizeof(*policy));

	policy->holders = 1;
	policy->arena = arena_new();
	policy->file = xstrdup(path);
	policy->read_at = clock_wall_us();
	return policy;
}

static struct policy *load(struct compiler *compiler, const char *path, const struct policy *old)
{
	struct arena *scratch = arena_new();
	struct file_syntax file;

	compiler->policy = policy_new(path);
	compiler->old = old;
	compiler->sources =
	    (struct sources){.names = compiler->policy->arena, .texts = scratch, .diagnostics = compiler->diagnostics};
	if (sources_read(&compiler->sources, path, &file) == 0)
		compile_file(compiler, &file, old);
	if (sources_changed(&compiler->sources))
		diagnostics_set_stale(compiler->diagnostics);
	sources_close(&compiler->sources);
	arena_free(scratch);
	if (diagnostics_errors(compiler->diagnostics) == 0)
		return compiler->policy;
	policy_release(compiler->policy);
	return NULL;
}

struct policy *policy_load(const char *path, const struct policy *old, struct diagnostics *diagnostics)
{
	struct compiler compiler = {.diagnostics = diagnostics, .reader = POLICY_DAEMON};

	return load(&compiler, path, old);
}

struct policy *policy_load_as(enum policy_reader reader, const char *path, struct diagnostics *diagnostics)
{
	struct compiler compiler = {.diagnostics = diagnostics, .reader = reader};

	return load(&compiler, path, NULL);
}

struct policy *policy_load_effective(const char *path, struct diagnostics *diagnostics, FILE *out)
{
	struct compiler compiler = {.diagnostics = diagnostics, .reader = POLICY_CHECK};
	struct policy *policy;
	char *text = NULL;
	size_t n = 0;

	compiler.effective = open_memstream(&text, &n);
	if (!compiler.effective)
		die("no memory for the settings of %s", path);
	policy = load(&compiler, path, NULL);
	if (fclose(compiler.effective))
		die("no memory for the settings of %s", path);
	if (policy)
		fwrite(text, 1, n, out);
	free(text);
	return policy;
}
