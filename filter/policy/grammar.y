/*
 * grammar.y - the grammar of sekisho.conf.
 *
 *	setting WORD ... { WORD ... }
 *	policy KIND [for TENANT] { on STAGE { rules } }
 *	[try] ACTION ARGUMENT ... [if CONDITION]
 *
 * The feeder (tokens.c) says END where a statement ends, tells the braces of
 * blocks from those of values, and promises that every bracket is closed. So a
 * wrong statement is left out up to its END, and the next one is read in full.
 */
%code top {
#include "config.h"
}

%code requires {
#include "parser.h"
}

%define api.pure full
%define api.prefix {grammar_}
%define api.location.type {struct place}
%define parse.error custom
%define parse.lac full
%locations
%expect 0
%param {struct parser *parser}

%union {
	struct word *word;
	struct words words;
	struct fact_syntax fact;
	enum test_kind test;
	struct condition_syntax *condition;
	struct setting_syntax *setting;
	struct rule_syntax *rule;
	struct stage_syntax *stage;
	struct policy_syntax *policy;
}

%code {
#include <stdio.h>

#define YYLLOC_DEFAULT(current, rhs, n) ((current) = (n) ? YYRHSLOC(rhs, 1) : YYRHSLOC(rhs, 0))

int grammar_lex(GRAMMAR_STYPE *, GRAMMAR_LTYPE *, struct parser *);
static void grammar_error(const struct place *, struct parser *, const char *);
static void outside(struct parser *, struct place, const char *what);
static void *make(struct parser *, size_t n);
static struct words words_add(struct words, struct word *);
static struct condition_syntax *join(struct parser *, enum condition_kind, struct condition_syntax *,
                                     struct condition_syntax *);
static struct condition_syntax *test(struct parser *, struct fact_syntax, enum test_kind, struct words);
static void add_setting(struct parser *, struct setting_syntax *);
static void add_policy(struct parser *, struct policy_syntax *);
static struct stage_syntax *add_stage(struct stage_syntax *, struct stage_syntax *);
}

%token END_OF_FILE 0 "the end of the file"
%token END           "the end of the line"
%token <word> WORD   "a word"
%token <word> STRING "a string in quotes"
%token <word> REGEX  "/an expression/"
%token <test> COMPARE "a comparison"
%token POLICY  "\"policy\""
%token FOR     "\"for\""
%token ON      "\"on\""
%token TRY     "\"try\""
%token IF      "\"if\""
%token AND     "\"and\""
%token OR      "\"or\""
%token NOT     "\"not\""
%token IS      "\"is\""
%token IN      "\"in\""
%token OWNED   "\"owned\""
%token BY      "\"by\""
%token MATCHES "\"matches\""
%token ANY     "\"any\""
%token ALL     "\"all\""
%token OPEN_BLOCK  "{ of a block"
%token CLOSE_BLOCK "} of a block"
%token OPEN_BRACE  "{"
%token CLOSE_BRACE "}"
%token OPEN_PAREN  "("
%token CLOSE_PAREN ")"

%type <word> value
%type <words> values set
%type <setting> setting
%type <policy> policy stages
%type <stage> stage rules
%type <rule> rule
%type <condition> condition conjunction negation test
%type <fact> asked fact

%%

file:
	%empty
|	file setting END { add_setting(parser, $2); }
|	file policy { add_policy(parser, $2); }
|	file stage {
		outside(parser, @2, "\"on\" is outside of a policy; put it into \"policy inbound { }\", "
		                    "\"policy submission { }\" or \"policy local { }\"");
	}
|	file error END { yyerrok; }
;

setting:
	WORD values {
		$$ = make(parser, sizeof(*$$));
		$$->name = *$1;
		$$->values = $2;
	}
|	WORD values set {
		$$ = make(parser, sizeof(*$$));
		$$->name = *$1;
		$$->values = $2;
		$$->inside = $3;
		$$->braces = true;
	}
;

set:
	OPEN_BRACE values CLOSE_BRACE { $$ = $2; }
;

values:
	%empty { $$ = (struct words){0}; }
|	values value { $$ = words_add($1, $2); }
;

value:
	WORD
|	STRING
;

policy:
	POLICY WORD OPEN_BLOCK stages CLOSE_BLOCK { $$ = $4; $$->kind = *$2; }
|	POLICY WORD FOR WORD OPEN_BLOCK stages CLOSE_BLOCK { $$ = $6; $$->kind = *$2; $$->tenant = $4; }
|	POLICY error OPEN_BLOCK stages CLOSE_BLOCK { $$ = NULL; yyerrok; }
|	POLICY error END { $$ = NULL; yyerrok; }
;

stages:
	%empty { $$ = make(parser, sizeof(*$$)); }
|	stages stage {
		$1->first = add_stage($1->first, $2);
	}
|	stages policy {
		add_policy(parser, $2);
		outside(parser, @2, "a policy inside of a policy; close the one before with } first");
	}
|	stages error END { yyerrok; }
|	stages error OPEN_BLOCK rules CLOSE_BLOCK { yyerrok; }
;

stage:
	ON WORD OPEN_BLOCK rules CLOSE_BLOCK { $$ = $4; $$->name = *$2; }
|	ON error OPEN_BLOCK rules CLOSE_BLOCK { $$ = NULL; yyerrok; }
|	ON error END { $$ = NULL; yyerrok; }
;

rules:
	%empty { $$ = make(parser, sizeof(*$$)); }
|	rules rule END {
		if ($1->last)
			$1->last->next = $2;
		else
			$1->first = $2;
		$1->last = $2;
	}
|	rules stage {
		add_stage($1, $2); /* it is read all the same */
		outside(parser, @2, "\"on\" inside of \"on\"; close the one before with } first");
	}
|	rules policy {
		add_policy(parser, $2);
		outside(parser, @2, "a policy inside of \"on\"; close both with } first");
	}
|	rules error END { yyerrok; }
;

rule:
	WORD values {
		$$ = make(parser, sizeof(*$$));
		$$->action = *$1;
		$$->arguments = $2;
		$$->source = parser_source(parser);
	}
|	WORD values IF condition {
		$$ = make(parser, sizeof(*$$));
		$$->action = *$1;
		$$->arguments = $2;
		$$->condition = $4;
		$$->source = parser_source(parser);
	}
|	TRY rule { $$ = $2; $$->try = true; }
;

condition:
	conjunction
|	condition OR conjunction { $$ = join(parser, CONDITION_OR, $1, $3); }
;

conjunction:
	negation
|	conjunction AND negation { $$ = join(parser, CONDITION_AND, $1, $3); }
;

negation:
	NOT negation { $$ = join(parser, CONDITION_NOT, NULL, $2); }
|	OPEN_PAREN condition CLOSE_PAREN { $$ = $2; $$->closed = true; }
|	test
;

test:
	asked { $$ = test(parser, $1, TEST_BARE, (struct words){0}); }
|	asked IS value { $$ = test(parser, $1, TEST_IS, words_add((struct words){0}, $3)); }
|	asked IS set { $$ = test(parser, $1, TEST_IS, $3); $$->set = true; }
|	asked IS NOT value {
		$$ = test(parser, $1, TEST_IS, words_add((struct words){0}, $4));
		$$->negated = true;
	}
|	asked IS NOT set { $$ = test(parser, $1, TEST_IS, $4); $$->set = $$->negated = true; }
|	asked IN WORD { $$ = test(parser, $1, TEST_IN, words_add((struct words){0}, $3)); }
|	asked OWNED BY fact { $$ = test(parser, $1, TEST_OWNED, (struct words){0}); $$->owner = $4; }
|	asked MATCHES REGEX { $$ = test(parser, $1, TEST_MATCHES, words_add((struct words){0}, $3)); }
|	asked COMPARE WORD { $$ = test(parser, $1, $2, words_add((struct words){0}, $3)); }
;

asked:
	fact
|	ANY fact { $$ = $2; $$.each = EACH_ANY; }
|	ALL fact { $$ = $2; $$.each = EACH_ALL; }
;

fact:
	WORD { $$ = (struct fact_syntax){.name = *$1}; }
|	WORD OPEN_PAREN value CLOSE_PAREN { $$ = (struct fact_syntax){.name = *$1, .argument = $3}; }
;

%%

static void *make(struct parser *parser, size_t n)
{
	return arena_alloc(parser->arena, n);
}

static struct words words_add(struct words words, struct word *word)
{
	if (words.last)
		words.last->next = word;
	else
		words.first = word;
	words.last = word;
	words.count++;
	return words;
}

/* "a and b and c" is one node with three parts, so that no chain is deeper than its parentheses. */
static struct condition_syntax *join(struct parser *parser, enum condition_kind kind, struct condition_syntax *left,
                                     struct condition_syntax *right)
{
	struct condition_syntax *node = left;

	if (!left || left->kind != kind || left->closed) {
		node = make(parser, sizeof(*node));
		node->kind = kind;
		node->first = left ? left : right;
		node->last = node->first;
		if (!left)
			return node;
	}
	node->last->next = right;
	node->last = right;
	return node;
}

static struct condition_syntax *test(struct parser *parser, struct fact_syntax fact, enum test_kind kind,
                                     struct words values)
{
	struct condition_syntax *node = make(parser, sizeof(*node));

	node->kind = CONDITION_TEST;
	node->fact = fact;
	node->test = kind;
	node->values = values;
	return node;
}

static void add_setting(struct parser *parser, struct setting_syntax *setting)
{
	if (parser->file->include && slice_equal(setting->name.text, SLICE("include"))) {
		parser->file->include(parser->file, setting);
		return;
	}
	if (parser->file->last_setting)
		parser->file->last_setting->next = setting;
	else
		parser->file->first_setting = setting;
	parser->file->last_setting = setting;
}

static void add_policy(struct parser *parser, struct policy_syntax *policy)
{
	if (!policy)
		return;
	if (parser->file->last_policy)
		parser->file->last_policy->next = policy;
	else
		parser->file->first_policy = policy;
	parser->file->last_policy = policy;
}

/* Joins two chains of stages, either of which may be empty. */
static struct stage_syntax *add_stage(struct stage_syntax *first, struct stage_syntax *stage)
{
	struct stage_syntax *tail = first && first->tail ? first->tail : first;

	if (!first || !stage)
		return first ? first : stage;
	tail->next = stage;
	first->tail = stage->tail ? stage->tail : stage;
	return first;
}

/* A block in the wrong place nearly always means that a } is missing before it. */
static void outside(struct parser *parser, struct place place, const char *what)
{
	place.statement = 0;
	parser->unbalanced = true;
	diagnostics_error(parser->diagnostics, place, "%s", what);
}

/* ---- what to do ----------------------------------------------------------- */

/* What people write who come from other languages. */
static const struct {
	const char *written, *advice;
} habits[] = {
	{"==", "write \"is\""},
	{"!=", "write \"is not\""},
	{"<>", "write \"is null\" for the null sender"},
	{"~", "write \"matches /.../\""},
	{"=~", "write \"matches /.../\""},
	{"&&", "write \"and\""},
	{"||", "write \"or\""},
	{"!", "write \"not\""},
	{"when", "write \"if\""},
	{"unless", "write \"if not\""},
	{"else", "there is no \"else\": rules are tried in order"},
};

static const char *advice_about(struct slice written)
{
	for (size_t i = 0; i < sizeof(habits) / sizeof(habits[0]); i++) {
		if (slice_equal(written, slice_of(habits[i].written)))
			return habits[i].advice;
	}
	return NULL;
}

static bool expects(const yypcontext_t *context, yysymbol_kind_t symbol)
{
	yysymbol_kind_t expected[YYNTOKENS];
	int count = yypcontext_expected_tokens(context, expected, YYNTOKENS);

	for (int i = 0; i < count; i++) {
		if (expected[i] == symbol)
			return true;
	}
	return false;
}

/* "a fact, "not" or (" */
static void list_expected(const yypcontext_t *context, char *text, size_t room)
{
	yysymbol_kind_t expected[YYNTOKENS];
	int count = yypcontext_expected_tokens(context, expected, YYNTOKENS);
	size_t n = 0;

	text[0] = '\0';
	for (int i = 0; i < count && n < room; i++) {
		const char *glue = i == 0 ? "" : i == count - 1 ? " or " : ", ";

		bool fact = expected[i] == YYSYMBOL_WORD && expects(context, YYSYMBOL_NOT);

		if (expected[i] == YYSYMBOL_ANY || expected[i] == YYSYMBOL_ALL)
			continue; /* they belong to the fact */
		n += (size_t)snprintf(text + n, room - n, "%s%s", glue, fact ? "a fact" : yysymbol_name(expected[i]));
	}
}

/* The first word of the statement, or the one after "try". */
static struct slice first_word(const struct parser *parser)
{
	struct slice source = text_slice(&parser->source), first = SLICE("");

	if (slice_word(&source, &first) && slice_equal(first, SLICE("try")))
		slice_word(&source, &first);
	return first;
}

/* What is wrong after "any" or "all"; NULL: nothing. */
static const char *advice_about_each(const yypcontext_t *context, const struct parser *parser)
{
	yysymbol_kind_t token = yypcontext_token(context);
	int before = token == YYSYMBOL_END || token == YYSYMBOL_YYEOF ? parser->previous : parser->before;

	if (before != ANY && before != ALL)
		return NULL;
	if (token == YYSYMBOL_NOT)
		return "write \"not\" before it, as in not any recipient in friends";
	return "after \"any\" and \"all\" comes a fact, as in any recipient in friends";
}

static const char *advice_for(const yypcontext_t *context, const struct parser *parser)
{
	yysymbol_kind_t token = yypcontext_token(context);
	struct slice written = parser->current, source = text_slice(&parser->source);
	const char *each = advice_about_each(context, parser);
	bool brace = token == YYSYMBOL_OPEN_BLOCK || token == YYSYMBOL_OPEN_BRACE;

	if (each)
		return each;
	if (brace && parser->before == IN)
		return "\"in\" takes the name of a list; write \"is { a b }\" for values of your own";
	if (source.n > written.n + 1 && source.p[source.n - written.n - 1] == ' ' && source.p[source.n - written.n - 2] == ',')
		return "separate values by spaces and put them in { }, as in is { fail softfail }";
	if (token == YYSYMBOL_WORD && parser->in_condition && expects(context, YYSYMBOL_AND) && !expects(context, YYSYMBOL_IS))
		return "join conditions by \"and\" or \"or\", and put several values in { }, as in is { fail softfail }";
	if (!parser->in_condition && syntax_is_condition_first(first_word(parser)))
		return CONDITION_FIRST_ADVICE;
	if (token == YYSYMBOL_NOT && expects(context, YYSYMBOL_IS))
		return "write \"not\" before the fact, as in \"not client in friends\"";
	if (token == YYSYMBOL_OPEN_BLOCK)
		return "after \"policy\" write the kind (inbound, submission or local), after \"on\" the stage";
	if (expects(context, YYSYMBOL_ON) && !expects(context, YYSYMBOL_TRY))
		return "a policy holds \"on STAGE { rules }\"";
	if (expects(context, YYSYMBOL_REGEX))
		return "after \"matches\" write an expression, as in matches /^buy now/i";
	return advice_about(parser->current);
}

static int yyreport_syntax_error(const yypcontext_t *context, struct parser *parser)
{
	yysymbol_kind_t token = yypcontext_token(context);
	const char *advice = advice_for(context, parser);
	char expected[DIAGNOSTIC_TEXT_MAX / 2], what[QUOTE_MAX + 40];

	list_expected(context, expected, sizeof(expected));
	if (token == YYSYMBOL_END || token == YYSYMBOL_YYEOF)
		snprintf(what, sizeof(what), "the line ends too early");
	else
		snprintf(what, sizeof(what), token == YYSYMBOL_STRING ? "%s is not expected here" : "\"%s\" is not expected here",
		         QUOTE(parser->current));
	if (advice)
		diagnostics_error(parser->diagnostics, *yypcontext_location(context), "%s; %s", what, advice);
	else
		diagnostics_error(parser->diagnostics, *yypcontext_location(context), "%s; what fits is %s", what, expected);
	return 0;
}

/* The parser's own trouble: its stack is full. The feeder's bounds do not let that happen. */
static void grammar_error(const struct place *place, struct parser *parser, const char *what)
{
	diagnostics_error(parser->diagnostics, *place, "%s; make the file simpler", what);
}

void syntax_read(struct slice text, struct arena *arena, struct diagnostics *diagnostics, struct file_syntax *file_r)
{
	*file_r = (struct file_syntax){0};
	syntax_read_more(text, 0, arena, diagnostics, file_r);
}

void syntax_read_more(struct slice text, unsigned number, struct arena *arena, struct diagnostics *diagnostics,
                      struct file_syntax *file)
{
	struct parser parser = {.arena = arena, .diagnostics = diagnostics, .file = file, .number = number};

	file->text = text;
	lexer_open(&parser, text);
	grammar_parse(&parser);
	lexer_close(&parser);
}
