/*
 * tokens.c - from shapes to tokens: what a word is depends on where it is.
 *
 * Here live the three rules of the syntax that a grammar cannot say well:
 *
 *  - a statement ends at the end of its line, but the line goes on inside ( ) and
 *    the { } of values, and when the next word is `if`, `and` or `or`;
 *  - words of the language are such only in their places, so that a list may be
 *    named "by" and a fact or an action of tomorrow breaks no file of today;
 *  - every bracket is closed: one that is not is reported here, once, and closed
 *    as well as can be guessed, so that the statements after it are still read.
 */
#include "config.h"
#include "compile.h"
#include "parser.h"
#include "grammar.h"

#include <string.h>

#define STATEMENT_SOURCE_MAX 400 /* bytes of a statement that traces show */

int grammar_lex(GRAMMAR_STYPE *, GRAMMAR_LTYPE *, struct parser *);

struct keyword {
	const char *word;
	int token;
};

static const struct keyword condition_words[] = {
    {"if", IF}, {"and", AND},     {"or", OR},           {"not", NOT}, {"is", IS},
    {"in", IN}, {"owned", OWNED}, {"matches", MATCHES}, {NULL, 0},
};

static bool is_word(const struct shaped *found, const char *word)
{
	return found->shape == SHAPE_WORD && slice_equal(found->text, slice_of(word));
}

/* No line inside of a parenthesis begins so: it was never closed. A name that is also a fact's proves nothing. */
static bool begins_statement(const struct shaped *found)
{
	if (is_word(found, "try") || is_word(found, "on") || is_word(found, "policy"))
		return true;
	return found->shape == SHAPE_WORD && action_exists(found->text) && !fact_find(found->text);
}

static int keyword(struct slice text, const struct keyword *table)
{
	for (; table->word; table++) {
		if (slice_equal(text, slice_of(table->word)))
			return table->token;
	}
	return WORD;
}

struct slice parser_source(const struct parser *parser)
{
	return arena_copy(parser->arena, text_slice(&parser->source));
}

/* ---- reading -------------------------------------------------------------- */

static struct shaped take(struct parser *parser)
{
	if (!parser->has_pending)
		return lexer_next(parser);
	parser->has_pending = false;
	return parser->pending;
}

static void put_back(struct parser *parser, struct shaped found)
{
	parser->pending = found;
	parser->has_pending = true;
}

static void begin_statement(struct parser *parser)
{
	parser->started = true;
	parser->statement = ++parser->file->statements;
	parser->heads_block = parser->in_condition = false;
	parser->previous = parser->before = 0;
	parser->nots = 0;
	parser->last_end = NULL;
	text_init(&parser->source, parser->arena, STATEMENT_SOURCE_MAX);
}

static int end_statement(struct parser *parser)
{
	parser->started = false;
	return END;
}

/* Adds to the statement's text on one line; only END is in no statement. */
static int give(struct parser *parser, const struct shaped *found, int token)
{
	if (parser->last_end && found->source.p > parser->last_end)
		text_add_char(&parser->source, ' ');
	text_add(&parser->source, found->source);
	parser->last_end = found->source.p + found->source.n;
	parser->nots = token == NOT ? parser->nots + 1 : 0;
	parser->before = parser->previous;
	parser->previous = token;
	return token;
}

/* ---- brackets ------------------------------------------------------------- */

static const struct bracket *innermost(const struct parser *parser)
{
	return parser->bracket_count ? &parser->brackets[parser->bracket_count - 1] : NULL;
}

static bool in_values(const struct parser *parser)
{
	return innermost(parser) && innermost(parser)->kind != BRACKET_BLOCK;
}

static void never_closed(struct parser *parser, const struct bracket *bracket)
{
	const char *what = bracket->kind == BRACKET_PAREN ? "this ( is never closed; add ) where its condition ends"
							  : "this { is never closed; add } after its last value";

	diagnostics_error(parser->diagnostics, bracket->place, "%s", what);
}

/* Drops brackets of values that were never closed; the error hides what the grammar says of this statement. */
static void drop_values(struct parser *parser)
{
	while (in_values(parser)) {
		never_closed(parser, innermost(parser));
		parser->bracket_count--;
	}
}

/* How deep what comes next is inside of parentheses and `not`. */
static unsigned nesting(const struct parser *parser)
{
	return (in_values(parser) ? innermost(parser)->nesting : 0) + parser->nots;
}

/* One level deeper; false and an error when that is too deep. */
static bool nest(struct parser *parser, const struct shaped *found)
{
	if (nesting(parser) < NESTING_MAX && parser->bracket_count < BRACKETS_MAX)
		return true;
	diagnostics_error(parser->diagnostics, parser_place(parser, found->line, found->column),
			  "parentheses and \"not\" nested more than %d deep; make several rules of this one",
			  NESTING_MAX);
	return false;
}

/* Remembers a bracket; too deep: 0, and it is dropped. */
static int open_bracket(struct parser *parser, const struct shaped *found, enum bracket_kind kind, int token)
{
	struct place place = parser_place(parser, found->line, found->column);

	if (!nest(parser, found))
		return 0;
	parser->brackets[parser->bracket_count] = (struct bracket){kind, place, nesting(parser) + 1};
	parser->bracket_count++;
	return give(parser, found, token);
}

static int open_brace(struct parser *parser, const struct shaped *found)
{
	int token;

	if (!in_values(parser) && parser->heads_block) {
		token = open_bracket(parser, found, BRACKET_BLOCK, OPEN_BLOCK);
		parser->started = false;
		return token;
	}
	return open_bracket(parser, found, BRACKET_VALUES, OPEN_BRACE);
}

static int open_paren(struct parser *parser, const struct shaped *found)
{
	parser->has_argument = parser->previous == WORD;
	return open_bracket(parser, found, BRACKET_PAREN, OPEN_PAREN);
}

/* A } that closes a block ends the statement before it, too. 0: it closes nothing. */
static int close_brace(struct parser *parser, const struct shaped *found)
{
	const struct bracket *bracket = innermost(parser);

	if (bracket && bracket->kind == BRACKET_VALUES) {
		parser->bracket_count--;
		return give(parser, found, CLOSE_BRACE);
	}
	drop_values(parser);
	if (parser->started) {
		put_back(parser, *found);
		return end_statement(parser);
	}
	if (!parser->bracket_count) {
		diagnostics_error(parser->diagnostics, (struct place){found->line, found->column, 0, parser->number},
				  "this } closes nothing; remove it, or look for a { that is missing above");
		return 0;
	}
	parser->bracket_count--;
	return CLOSE_BLOCK;
}

static int close_paren(struct parser *parser, const struct shaped *found)
{
	if (innermost(parser) && innermost(parser)->kind == BRACKET_PAREN)
		parser->bracket_count--;
	return give(parser, found, CLOSE_PAREN);
}

/* ---- ends ----------------------------------------------------------------- */

static bool goes_on(const struct parser *parser, const struct shaped *next)
{
	if (in_values(parser))
		return true;
	return is_word(next, "if") || is_word(next, "and") || is_word(next, "or");
}

/* At the end of a line: END, or 0 when the statement goes on. */
static int end_line(struct parser *parser)
{
	struct shaped next;

	if (!parser->started)
		return 0;
	do {
		next = lexer_next(parser);
	} while (next.shape == SHAPE_NEWLINE);
	put_back(parser, next);
	if (in_values(parser) && innermost(parser)->kind == BRACKET_PAREN && begins_statement(&next))
		drop_values(parser);
	if (in_values(parser) && (is_word(&next, "on") || is_word(&next, "policy")))
		drop_values(parser);
	if (goes_on(parser, &next))
		return 0;
	if (parser->heads_block && next.shape == SHAPE_OPEN_BRACE) {
		diagnostics_error(parser->diagnostics, parser_place(parser, next.line, next.column),
				  "{ is alone on its line; write it at the end of the line before");
		return 0;
	}
	return end_statement(parser);
}

/* Ends the statement, then closes the blocks one by one, then says that it is over. */
static int end_file(struct parser *parser, const struct shaped *found)
{
	const struct bracket *bracket;

	drop_values(parser);
	put_back(parser, *found);
	if (parser->started)
		return end_statement(parser);
	bracket = innermost(parser);
	if (!bracket)
		return END_OF_FILE;
	if (!parser->unbalanced) {
		diagnostics_error(parser->diagnostics,
				  (struct place){bracket->place.line, bracket->place.column, 0, parser->number},
				  "this { is never closed; add } where its block ends");
		parser->unbalanced = true;
	}
	parser->bracket_count--;
	return CLOSE_BLOCK;
}

/* ---- words ---------------------------------------------------------------- */

/* The first word of a statement: in the file, in a policy, or in a stage. */
static int first_word(struct parser *parser, const struct shaped *found)
{
	static const char *const policy[] = {"policy", NULL};
	int token = is_word(found, "policy") ? POLICY : is_word(found, "on") ? ON : WORD;

	if (token == WORD && !parser->bracket_count && nearest_word(found->text, policy)) {
		diagnostics_error(parser->diagnostics, parser_place(parser, found->line, found->column),
				  "unknown setting \"%s\"; did you mean \"policy\"?", QUOTE(found->text));
		token = POLICY;
	}
	/* Inside of a policy a brace can only open a stage, whatever comes before it. */
	parser->heads_block = token != WORD || parser->bracket_count == 1;
	if (token == WORD && parser->bracket_count > 1 && is_word(found, "try"))
		return TRY;
	return token;
}

static const struct keyword beginnings[] = {{"not", NOT}, {"any", ANY}, {"all", ALL}, {NULL, 0}};
static const struct keyword negation[] = {{"not", NOT}, {NULL, 0}};
static const struct keyword by[] = {{"by", BY}, {NULL, 0}};
static const struct keyword nothing[] = {{NULL, 0}};

/* The words of the language that can follow one of them. Any other word is a name or a value, whatever it reads. */
static const struct {
	int previous;
	const struct keyword *words;
} after[] = {
    {IF, beginnings}, {AND, beginnings},  {OR, beginnings}, {NOT, beginnings}, {OPEN_PAREN, beginnings},
    {ANY, negation},  {ALL, negation},    {IS, negation},   {OWNED, by},       {BY, nothing},
    {IN, nothing},    {COMPARE, nothing},
};

static int later_word(const struct parser *parser, const struct shaped *found)
{
	if (in_values(parser) && innermost(parser)->kind == BRACKET_VALUES)
		return WORD;
	if (parser->before == POLICY && parser->previous == WORD && is_word(found, "for"))
		return FOR;        /* policy KIND for NAME */
	if (!parser->in_condition) /* a setting has none */
		return parser->bracket_count && is_word(found, "if") ? IF : WORD;
	if (parser->previous == OPEN_PAREN && parser->has_argument)
		return WORD;
	for (size_t i = 0; i < sizeof(after) / sizeof(after[0]); i++) {
		if (parser->previous == after[i].previous)
			return keyword(found->text, after[i].words);
	}
	return keyword(found->text, condition_words);
}

static int word(struct parser *parser, const struct shaped *found)
{
	int token;

	if (!parser->started) {
		begin_statement(parser);
		return give(parser, found, first_word(parser, found));
	}
	if (parser->previous == TRY)
		return give(parser, found, WORD);
	token = later_word(parser, found);
	if (token == IF)
		parser->in_condition = true;
	if (token == MATCHES)
		lexer_expect_regex(parser);
	if (token == NOT && !nest(parser, found))
		return 0;
	return give(parser, found, token);
}

static enum test_kind comparison(struct slice text)
{
	if (slice_equal(text, SLICE("<")))
		return TEST_LESS;
	if (slice_equal(text, SLICE("<=")))
		return TEST_LESS_EQUAL;
	if (slice_equal(text, SLICE(">")))
		return TEST_GREATER;
	return slice_equal(text, SLICE(">=")) ? TEST_GREATER_EQUAL : TEST_EQUAL;
}

/* The token of a shape; 0: none, read on. */
static int token_of(struct parser *parser, const struct shaped *found)
{
	if (found->shape == SHAPE_NEWLINE)
		return end_line(parser);
	if (found->shape == SHAPE_WORD)
		return word(parser, found);
	if (found->shape == SHAPE_CLOSE_BRACE)
		return close_brace(parser, found);
	if (!parser->started)
		begin_statement(parser);
	switch (found->shape) {
	case SHAPE_STRING:
		return give(parser, found, STRING);
	case SHAPE_REGEX:
		return give(parser, found, REGEX);
	case SHAPE_COMPARE:
		return give(parser, found, COMPARE);
	case SHAPE_OPEN_BRACE:
		return open_brace(parser, found);
	case SHAPE_OPEN_PAREN:
		return open_paren(parser, found);
	default:
		return close_paren(parser, found);
	}
}

static struct word *keep_word(struct parser *parser, const struct shaped *found, struct place place)
{
	struct word *kept = arena_alloc(parser->arena, sizeof(*kept));

	kept->kind = found->shape == SHAPE_STRING ? WORD_QUOTED : found->shape == SHAPE_REGEX ? WORD_REGEX : WORD_PLAIN;
	kept->text = found->text;
	kept->flags = found->flags;
	kept->place = place;
	return kept;
}

int grammar_lex(GRAMMAR_STYPE *value, GRAMMAR_LTYPE *place, struct parser *parser)
{
	struct shaped found;
	int token;

	do {
		found = take(parser);
		if (found.shape == SHAPE_END) {
			token = end_file(parser, &found);
			break;
		}
		token = token_of(parser, &found);
	} while (!token);
	*place = (struct place){found.line, found.column, parser->statement, parser->number};
	parser->current = found.source;
	if (parser->file->token)
		parser->file->token(parser->file->context, token, found.source);
	if (token == WORD || token == STRING || token == REGEX)
		value->word = keep_word(parser, &found, *place);
	if (token == COMPARE)
		value->test = comparison(found.text);
	return token;
}
