/*
 * format_print.c - the layout: a statement a line, blocks indented by two, `if` below `if` in a block of rules, and a
 * long condition continued with lines that begin with `and` or `or`.
 *
 * A line is broken only where the syntax lets a statement go on, and what is printed depends on the tokens, comments
 * and empty lines alone. The one exception are the values of a setting in { }: their lines are kept, since only the
 * author knows which of them belong together.
 */
#include "config.h"
#include "format.h"
#include "grammar.h"

#define INDENT     2
#define LINE_LIMIT 120 /* columns: a condition that does not fit is continued */
#define HEAD_LIMIT 60  /* columns before `if` that others are aligned to; longer ones stand out */
#define GOES_ON    4   /* a line inside of brackets, after the beginning of its condition */
#define DEPTH_MAX  8   /* blocks in each other that have a column of their own: a file has two or three */

struct layout {
	const struct format_token *tokens;
	struct text *out;
	unsigned depth;           /* of blocks */
	bool opened;              /* nothing but { was printed before: no empty line follows */
	size_t ifs[DEPTH_MAX];    /* the column of `if` in the blocks that are open */
	size_t column;            /* of what is printed next */
	size_t condition, nested; /* of the statement: where `if` is; brackets that are open */
	bool splits;              /* its condition takes several lines */
	bool spreads;             /* its values do */
};

/* ---- what lies between two tokens ------------------------------------------------------------ */

/* A comment after the token before, on its line; "" for none. */
static struct slice gap_trailing(struct slice gap)
{
	ptrdiff_t end = slice_find(gap, '\n');
	struct slice line = slice_trim(end < 0 ? gap : slice_head(gap, (size_t)end));

	return line.n && line.p[0] == '#' ? line : SLICE("");
}

static bool gap_has_comment(struct slice gap)
{
	return slice_find(gap, '#') >= 0;
}

static bool gap_has_newline(struct slice gap)
{
	return slice_find(gap, '\n') >= 0;
}

/* ---- words in a line ------------------------------------------------------------------------ */

static size_t width(struct slice text)
{
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++)
		n += ((unsigned char)text.p[i] & 0xC0) != 0x80;
	return n;
}

static bool is_word(const struct format_token *token, const char *word)
{
	return token->token == WORD && slice_equal(token->text, slice_of(word));
}

static bool is_blank_between(const struct format_token *before, const struct format_token *after)
{
	if (before->token == OPEN_PAREN || after->token == CLOSE_PAREN)
		return false;
	return after->token != OPEN_PAREN || before->token != WORD;
}

/* Columns of the tokens from `first` up to `end` on one line. */
static size_t span(const struct format_token *tokens, size_t first, size_t end)
{
	size_t n = 0;

	for (size_t i = first; i < end; i++)
		n += width(tokens[i].text) + (i > first && is_blank_between(&tokens[i - 1], &tokens[i]));
	return n;
}

static bool ends(const struct format_token *token)
{
	return token->token == END || token->token == OPEN_BLOCK || token->token == CLOSE_BLOCK ||
	       token->token == END_OF_FILE;
}

/* After the statement that begins there; the { of a block is part of it. */
static size_t end_of(const struct format_token *tokens, size_t first)
{
	while (!ends(&tokens[first]))
		first++;
	return first + (tokens[first].token == OPEN_BLOCK);
}

static size_t condition_of(const struct format_token *tokens, size_t first, size_t end)
{
	while (first < end && tokens[first].token != IF)
		first++;
	return first;
}

/* ---- output ----------------------------------------------------------------------------------- */

static void put(struct layout *l, struct slice text)
{
	text_add(l->out, text);
	l->column += width(text);
}

static void put_blanks(struct layout *l, size_t n)
{
	for (size_t i = 0; i < n && !l->out->cut; i++)
		put(l, SLICE(" "));
}

static void put_newline(struct layout *l)
{
	text_add_char(l->out, '\n');
	l->column = 0;
}

static void put_comment(struct layout *l, struct slice comment, size_t indent)
{
	put_blanks(l, indent);
	put(l, comment);
	put_newline(l);
}

/* The lines of a gap after the first: comments, and one empty line for any number of them. `closes`: none at the end.
 */
static void put_lines(struct layout *l, struct slice gap, size_t indent, bool closes)
{
	struct slice line;
	bool empty = false;

	while (slice_cut(&gap, '\n', &line)) {
		line = slice_trim(line);
		if (line.n == 0) {
			empty |= gap.p != NULL; /* the last one is the line of the token */
			continue;
		}
		if (empty && !l->opened)
			put_newline(l);
		empty = l->opened = false;
		put_comment(l, line, indent);
	}
	if (empty && !l->opened && !closes)
		put_newline(l);
	l->opened = false;
}

/* Ends the line at hand, with its comment, and puts what lies before the next one. */
static void put_gap(struct layout *l, struct slice gap, size_t indent, bool closes)
{
	struct slice line, comment = gap_trailing(gap);

	if (text_slice(l->out).n == 0) { /* the file begins: this line is none yet */
		put_lines(l, gap, indent, closes);
		return;
	}
	if (comment.n)
		put(l, SLICE("  "));
	put(l, comment);
	put_newline(l);
	slice_cut(&gap, '\n', &line);
	if (gap.p)
		put_lines(l, gap, indent, closes);
	l->opened = false;
}

/* ---- statements --------------------------------------------------------------------------------- */

/* The column of `if` in the block that begins there. */
static size_t column_of_if(const struct layout *l, size_t i)
{
	size_t indent = (size_t)l->depth * INDENT, column = 0;
	unsigned depth = 0;

	while (l->tokens[i].token != END_OF_FILE) {
		size_t end = end_of(l->tokens, i), condition = condition_of(l->tokens, i, end);

		if (depth == 0 && condition < end) {
			size_t head = indent + span(l->tokens, i, condition);

			if (head <= HEAD_LIMIT && head > column)
				column = head;
		}
		if (end > i && l->tokens[end - 1].token == OPEN_BLOCK) {
			depth++;
			i = end;
			continue;
		}
		if (l->tokens[end].token == CLOSE_BLOCK && depth-- == 0)
			break;
		i = end + (l->tokens[end].token != END_OF_FILE);
	}
	return column ? column + 2 : indent + GOES_ON;
}

static bool has_inner(const struct format_token *tokens, size_t first, size_t end, bool (*has)(struct slice gap))
{
	for (size_t i = first + 1; i < end; i++)
		if (has(tokens[i].gap))
			return true;
	return false;
}

/* Where the condition begins: on the line of its action, aligned when it can be, or on a line of its own. */
static void begin_condition(struct layout *l, size_t i, size_t end)
{
	size_t aligned = l->ifs[l->depth < DEPTH_MAX ? l->depth : DEPTH_MAX - 1];
	size_t length = span(l->tokens, i, end);
	bool comments = has_inner(l->tokens, i, end, gap_has_comment);

	l->condition = aligned;
	if (l->column + 2 > aligned && (comments || l->column + 2 + length > LINE_LIMIT))
		put_newline(l);
	if (l->column + 2 > aligned)
		l->condition = l->column + 2;
	put_blanks(l, l->condition - l->column);
	l->splits = comments || l->condition + length > LINE_LIMIT;
}

/* The next one of `and` and `or` in brackets, or the end. */
static size_t next_join(const struct format_token *tokens, size_t i, size_t end)
{
	for (i++; i < end && tokens[i].token != AND && tokens[i].token != OR; i++)
		;
	return i;
}

/* Inside of a condition: whether a new line begins before the token, and where. */
static bool breaks_condition(const struct layout *l, size_t i, size_t end, size_t *column_r)
{
	const struct format_token *token = &l->tokens[i];
	bool joins = token->token == AND || token->token == OR;

	*column_r = l->condition + (l->nested ? GOES_ON : 0);
	if (!l->splits)
		return false;
	if (!l->nested)
		return joins;
	if (joins)
		return l->column + 1 + span(l->tokens, i, next_join(l->tokens, i, end)) > LINE_LIMIT;
	/* values in { }; some words there would end them at the start of a line */
	return token->token == WORD && l->tokens[i - 1].token == WORD &&
	       l->column + 1 + width(token->text) > LINE_LIMIT && !is_word(token, "on") && !is_word(token, "policy");
}

/* Inside of { } of a setting: the lines of the author. */
static bool breaks_values(const struct layout *l, size_t i, size_t *column_r)
{
	const struct format_token *token = &l->tokens[i];
	bool edge =
	    (l->nested == 1 && l->tokens[i - 1].token == OPEN_BRACE) || (l->nested == 0 && token->token == CLOSE_BRACE);

	*column_r = (l->depth + l->nested) * INDENT;
	if (!l->spreads || (l->nested == 0 && !edge))
		return false;
	return gap_has_newline(token->gap) || (edge && !is_word(token, "on") && !is_word(token, "policy"));
}

static void put_token(struct layout *l, size_t first, size_t i, size_t end, bool conditional)
{
	const struct format_token *token = &l->tokens[i];
	bool breaks;
	size_t column;

	if (token->token == CLOSE_BRACE || token->token == CLOSE_PAREN)
		l->nested--;
	breaks = conditional ? breaks_condition(l, i, end, &column) : breaks_values(l, i, &column);
	if (token->token == IF && i > first && !gap_has_comment(token->gap)) {
		begin_condition(l, i, end);
	} else if (i > first && (breaks || gap_has_comment(token->gap))) {
		l->opened = l->tokens[i - 1].token == OPEN_BRACE || conditional;
		put_gap(l, token->gap, conditional ? (size_t)l->depth * INDENT : column,
			conditional || token->token == CLOSE_BRACE);
		put_blanks(l, column);
	} else if (i > first && is_blank_between(token - 1, token)) {
		put(l, SLICE(" "));
	}
	put(l, token->text);
	if (token->token == OPEN_BRACE || token->token == OPEN_PAREN)
		l->nested++;
}

static void put_statement(struct layout *l, size_t first, size_t end)
{
	size_t condition = condition_of(l->tokens, first, end);
	bool later = condition < end && gap_has_comment(l->tokens[condition].gap);

	l->nested = 0;
	l->condition = l->ifs[l->depth < DEPTH_MAX ? l->depth : DEPTH_MAX - 1];
	l->splits = later;
	l->spreads = condition == end && has_inner(l->tokens, first, end, gap_has_newline);
	for (size_t i = first; i < end; i++)
		put_token(l, first, i, end, i >= condition);
}

static void open_block(struct layout *l, size_t next)
{
	l->depth++;
	if (l->depth < DEPTH_MAX)
		l->ifs[l->depth] = column_of_if(l, next);
}

void format_print(const struct format *format, struct text *out)
{
	struct layout l = {.tokens = format->tokens, .out = out, .opened = true, .ifs = {GOES_ON}};
	size_t i = 0;

	for (; l.tokens[i].token != END_OF_FILE; l.column = 0) {
		const struct format_token *token = &l.tokens[i];
		size_t end = end_of(l.tokens, i);

		if (token->token == END) {
			i++;
			continue;
		}
		put_gap(&l, token->gap, (size_t)l.depth * INDENT, token->token == CLOSE_BLOCK);
		l.depth -= token->token == CLOSE_BLOCK;
		put_blanks(&l, (size_t)l.depth * INDENT);
		if (token->token == CLOSE_BLOCK) {
			put(&l, token->text);
			i++;
			continue;
		}
		put_statement(&l, i, end);
		l.opened = l.tokens[end - 1].token == OPEN_BLOCK;
		if (l.opened)
			open_block(&l, end);
		i = end;
	}
	put_gap(&l, l.tokens[i].gap, 0, true);
}
