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
	rule->where = (struct position){compiler->policy->file, place.line, place.column};
	rule->source = arena_copy(compiler->policy->arena, said->source);
	if (action_compile(compiler, said, rule))
		return -1;
	return condition_compile(compiler, said->condition, &rule->condition);
}

static void compile_stage(struct compiler *compiler, const struct stage_syntax *said)
{
	struct rules *rules = &compiler->policy->rules[compiler->kind][compiler->stage];
	struct rule *compiled;
	size_t count = 0;

	for (const struct rule_syntax *rule = said->first; rule; rule = rule->next)
		count++;
	compiled = arena_alloc(compiler->policy->arena, (count + 1) * sizeof(*compiled));
	*rules = (struct rules){compiled, 0};
	for (const struct rule_syntax *rule = said->first; rule && !diagnostics_full(compiler->diagnostics);
	     rule = rule->next) {
		/* What was wrong to read is not compiled: its error is known. */
		if (!diagnostics_knows(compiler->diagnostics, rule->action.place.statement))
			compile_rule(compiler, rule, &compiled[rules->count++]);
	}
	compiler->policy->rule_count += rules->count;
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
	unsigned first[STAGE_COUNT] = {0};

	for (const struct stage_syntax *stage = said->first; stage; stage = stage->next) {
		int number = find_name(compiler, &stage->name, stage_names, "stage");

		if (number < 0)
			continue;
		compiler->stage = (enum stage)number;
		compiler->stage_place = stage->name.place;
		if (first[number]) {
			diagnostics_error(compiler->diagnostics, stage->name.place,
					  "\"on %s\" stands in line %u already; put these rules there",
					  stage_names[number], first[number]);
			continue;
		}
		first[number] = stage->name.place.line;
		compile_stage(compiler, stage);
	}
}

static void compile_policies(struct compiler *compiler, const struct file_syntax *file)
{
	unsigned first[KIND_COUNT] = {0};

	for (const struct policy_syntax *policy = file->first_policy; policy; policy = policy->next) {
		int number = find_name(compiler, &policy->kind, kind_names, "kind of traffic");

		if (number < 0)
			continue;
		if (first[number]) {
			diagnostics_error(compiler->diagnostics, policy->kind.place,
					  "policy %s stands in line %u already; put these rules there",
					  kind_names[number], first[number]);
			continue;
		}
		first[number] = policy->kind.place.line;
		compiler->kind = (enum kind)number;
		compile_policy(compiler, policy);
	}
}

/* ---- readers beside the rules -------------------------------------------------------------------- */

/* Authentication-Results, Received-SPF and `record { facts all }` read facts of any message. */
static void add_readers(struct policy *policy)
{
	const struct settings *settings = &policy->settings;

	if (settings->authres_checks)
		policy->needs |= NEED_HEADERS; /* forged ones are removed */
	for (unsigned i = 0; checks[i]; i++) {
		bool reads = settings->record_all_facts || (settings->authres_checks & 1u << i) ||
			     (settings->check.received_spf && strcmp(checks[i]->name, "spf") == 0);

		for (unsigned kind = 0; kind < KIND_COUNT; kind++)
			policy->uses[kind][i] |= reads;
		for (unsigned j = 0; reads && j < checks[i]->fact_count; j++)
			policy->needs |= checks[i]->facts[j].needs;
	}
}

/* A check that is read reads those that it is made of; it stands behind them in the list. */
static void add_indirect_readers(struct policy *policy)
{
	size_t count = 0;

	while (checks[count])
		count++;
	for (unsigned kind = 0; kind < KIND_COUNT; kind++)
		for (size_t i = count; i-- > 0;)
			for (const struct check *const *read = checks[i]->reads; read && *read; read++)
				policy->uses[kind][check_number(*read)] |= policy->uses[kind][i];
}

/* What a check needs that somebody reads, whichever of its facts. */
static void add_needs(struct policy *policy)
{
	for (unsigned i = 0; checks[i]; i++)
		for (unsigned kind = 0; checks[i]->needs && kind < KIND_COUNT; kind++)
			if (policy->uses[kind][i])
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
	struct place place = {said->where.line, said->where.column, 0};
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

/* The source of all messages; a byte order mark becomes blank, so that the rest of the file is read all the same. */
static void take_mark(const char *path, struct diagnostics *diagnostics, struct slice text)
{
	bool marked = slice_starts_nocase(text, SLICE(BYTE_ORDER_MARK));

	if (marked)
		memset((char *)text.p, ' ', sizeof(BYTE_ORDER_MARK) - 1);
	diagnostics_source(diagnostics, path, text);
	if (marked)
		diagnostics_error(diagnostics, (struct place){1, 1, 0},
				  "a byte order mark comes before the first word; save the file as UTF-8 without one");
}

/* The bytes of the file, as the parser wants them; -1 when it is no text. */
static int read_file(const char *path, struct diagnostics *diagnostics, struct slice *text_r)
{
	struct place nowhere = {0, 0, 0};
	const char *nul;
	struct error err;

	diagnostics_source(diagnostics, path, SLICE(""));
	if (file_read_plain(path, POLICY_FILE_MAX, text_r, &err)) {
		diagnostics_error(diagnostics, nowhere, "%s; name a policy file that we may read", err.text);
		return -1;
	}
	nul = text_r->n ? memchr(text_r->p, '\0', text_r->n) : NULL;
	if (!nul) {
		take_mark(path, diagnostics, *text_r);
		return 0;
	}
	if (slice_starts_nocase(*text_r, SLICE("\xFF\xFE")) || slice_starts_nocase(*text_r, SLICE("\xFE\xFF")))
		diagnostics_error(diagnostics, nowhere, "this file is UTF-16; save it as UTF-8");
	else
		diagnostics_error(diagnostics, nowhere,
				  "byte %zu is NUL, so this is not a text file; name the policy file",
				  (size_t)(nul - text_r->p) + 1);
	free((char *)text_r->p);
	return -1;
}

/* An editor that is not done yet, or a disk that is full: no reload may take all rules away. */
static void refuse_nothing(struct compiler *compiler, const struct file_syntax *file)
{
	if (!file->first_setting && !file->first_policy && diagnostics_errors(compiler->diagnostics) == 0)
		diagnostics_error(compiler->diagnostics, (struct place){1, 1},
				  "there is nothing in this file; write a setting or a policy");
}

static void compile_file(struct compiler *compiler, struct slice text, const struct policy *old)
{
	struct arena *scratch = arena_new();
	struct file_syntax file;

	syntax_read(text, scratch, compiler->diagnostics, &file);
	refuse_nothing(compiler, &file);
	list_fact_names(compiler);
	settings_compile(compiler, &file);
	compile_policies(compiler, &file);
	add_readers(compiler->policy);
	add_indirect_readers(compiler->policy);
	add_needs(compiler->policy);
	load_lists(compiler, old);
	if (compiler->reader == POLICY_CHECK)
		advice_give(compiler, &file);
	arena_free(scratch);
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
	struct slice text;

	if (read_file(path, compiler->diagnostics, &text))
		return NULL;
	compiler->policy = policy_new(path);
	compile_file(compiler, text, old);
	free((char *)text.p);
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
