/*
 * operand.c - what a fact can be compared with, by type: words are checked when
 * the file is read, and comparing is one function of the operand.
 */
#include "compile.h"
#include "values.h"

#include <stdio.h>
#include <string.h>

/* ---- comparing ------------------------------------------------------------------------ */

static bool is_text(const struct value *value, const struct operand *operand)
{
	return slice_equal_nocase(value->text, operand->text);
}

static bool is_null(const struct value *value, const struct operand *operand)
{
	(void)operand;
	return value->address.text.n == 0;
}

static bool is_mailbox(const struct value *value, const struct operand *operand)
{
	return address_equal(&value->address, &operand->address);
}

static bool is_at(const struct value *value, const struct operand *operand)
{
	return slice_equal(value->address.domain, operand->text);
}

static bool is_below_address(const struct value *value, const struct operand *operand)
{
	return domain_is_below(value->address.domain, operand->text);
}

static bool is_below(const struct value *value, const struct operand *operand)
{
	return domain_is_below(value->text, operand->text);
}

static bool is_inside(const struct value *value, const struct operand *operand)
{
	return ip_net_contains(&operand->net, value->ip);
}

static bool is_number(const struct value *value, const struct operand *operand)
{
	return value->number == operand->number;
}

/* ---- compiling, one function a type ------------------------------------------------------ */

struct wanted {
	struct compiler *compiler;
	const struct reading *reading;
	const struct word *word;
	struct slice text; /* of the word, without escapes, in the arena */
};

static int wrong(const struct wanted *wanted, const char *what)
{
	diagnostics_error(wanted->compiler->diagnostics, wanted->word->place, "%s", what);
	return -1;
}

static int wrong_comma(const struct wanted *wanted)
{
	diagnostics_error(wanted->compiler->diagnostics, wanted->word->place,
			  "\"%s\" has a comma in it; " COMMA_ADVICE ", as in { a b }, or put the whole text in quotes",
			  QUOTE(wanted->text));
	return -1;
}

static int refuse_bool(const struct wanted *wanted, struct operand *operand_r)
{
	const char *name = wanted->reading->fact->name;

	(void)operand_r;
	diagnostics_error(wanted->compiler->diagnostics, wanted->word->place,
			  "%s is true or false by itself; write \"if %s\" or \"if not %s\"", name, name, name);
	return -1;
}

static int want_number(const struct wanted *wanted, struct operand *operand_r)
{
	bool negative = wanted->text.n && wanted->text.p[0] == '-';

	if (size_parse(slice_from(wanted->text, negative), &operand_r->number)) {
		diagnostics_error(wanted->compiler->diagnostics, wanted->word->place,
				  "%s is a number and never \"%s\"; write digits, or a size as in 10M",
				  wanted->reading->fact->name, QUOTE(wanted->text));
		return -1;
	}
	operand_r->number = negative ? -operand_r->number : operand_r->number;
	operand_r->matches = is_number;
	return 0;
}

/* A text that can only be one of some words: dnsbl.code("zen"). */
static int check_words(const struct wanted *wanted)
{
	const struct reading *reading = wanted->reading;
	const char *const *words = reading->fact->words_of ? reading->fact->words_of(reading->argument.thing) : NULL;
	struct text all;

	if (!words || wanted->text.n == 0)
		return 0;
	text_init(&all, wanted->compiler->policy->arena, DIAGNOSTIC_TEXT_MAX / 2);
	for (size_t i = 0; words[i]; i++) {
		if (slice_equal_nocase(wanted->text, slice_of(words[i])))
			return 0;
		text_printf(&all, " %s", words[i]);
	}
	diagnostics_error(wanted->compiler->diagnostics, wanted->word->place,
			  "%.*s is never \"%s\"%s; its words are%.*s", SLICE_ARGS(reading->shown), QUOTE(wanted->text),
			  suggestion_aside(wanted->text, words).text, SLICE_ARGS(text_slice(&all)));
	return -1;
}

static int want_string(const struct wanted *wanted, struct operand *operand_r)
{
	if (check_words(wanted))
		return -1;
	operand_r->matches = is_text;
	operand_r->text = wanted->text;
	return 0;
}

static int no_domain(const struct wanted *wanted, const char *advice)
{
	diagnostics_error(wanted->compiler->diagnostics, wanted->word->place, "\"%s\" is not a domain; %s",
			  QUOTE(wanted->text), advice);
	return -1;
}

/* A domain after the first byte of the word (a mark), or all of it. */
static int take_domain(const struct wanted *wanted, size_t mark, const char *advice, struct operand *operand_r)
{
	bool valid;

	operand_r->text = domain_normalise(slice_from(wanted->text, mark), wanted->compiler->policy->arena, &valid);
	return valid ? 0 : no_domain(wanted, advice);
}

static int want_domain(const struct wanted *wanted, struct operand *operand_r)
{
	bool below = wanted->text.n && wanted->text.p[0] == '.';

	operand_r->matches = below ? is_below : is_text;
	if (wanted->text.n && wanted->text.p[0] == '@')
		return no_domain(wanted, "write it without \"@\"");
	/* What a client calls itself can be anything: HELO localhost_x, HELO [192.0.2.1]. */
	if (!below && wanted->word->kind == WORD_QUOTED)
		return want_string(wanted, operand_r);
	return take_domain(wanted, below, "write example.org, .example.org for all below it, or any text in quotes",
			   operand_r);
}

static int want_address(const struct wanted *wanted, struct operand *operand_r)
{
	static const char forms[] = "write alice@example.org, @example.org, .example.org or null";

	if (wanted->text.n == 0 || (wanted->word->kind == WORD_PLAIN && slice_equal(wanted->text, SLICE("null")))) {
		operand_r->matches = is_null;
		return 0;
	}
	if (wanted->text.p[0] == '@') {
		operand_r->matches = is_at;
		return take_domain(wanted, 1, forms, operand_r);
	}
	if (wanted->text.p[0] == '.') {
		operand_r->matches = is_below_address;
		return take_domain(wanted, 1, forms, operand_r);
	}
	operand_r->matches = is_mailbox;
	operand_r->address = address_parse_path(wanted->text, wanted->compiler->policy->arena);
	if (slice_equal(operand_r->address.local, SLICE("*")))
		diagnostics_error(wanted->compiler->diagnostics, wanted->word->place,
				  "\"*\" is not a pattern here; write @example.org for every address of a domain");
	else if (!operand_r->address.valid || !operand_r->address.domain.n)
		diagnostics_error(wanted->compiler->diagnostics, wanted->word->place, "\"%s\" is not an address; %s",
				  QUOTE(wanted->text), forms);
	else
		return 0;
	return -1;
}

static int want_ip(const struct wanted *wanted, struct operand *operand_r)
{
	operand_r->matches = is_inside;
	if (ip_net_parse(wanted->text, &operand_r->net) == 0)
		return 0;
	diagnostics_error(wanted->compiler->diagnostics, wanted->word->place,
			  "\"%s\" is not a network; write 192.0.2.1, 192.0.2.0/24 or 2001:db8::/32",
			  QUOTE(wanted->text));
	return -1;
}

/* A fact of the same family that can be the word: dmarc.policy for "dmarc is reject". NULL: there is none. */
static const struct fact *relative(const struct fact *fact, struct slice word)
{
	struct slice family = slice_of(fact->name);
	const struct fact *other;

	if (slice_find(family, '.') >= 0)
		family = slice_head(family, (size_t)slice_find(family, '.'));
	for (unsigned n = 0; (other = fact_at(n)); n++) {
		struct slice name = slice_of(other->name);

		if (!slice_starts_nocase(name, family) || (name.n > family.n && name.p[family.n] != '.'))
			continue;
		for (const char *const *words = other->words; words && *words; words++)
			if (slice_equal(word, slice_of(*words)))
				return other;
	}
	return NULL;
}

/* spf is never "fial"; did you mean "fail"? */
static int want_result(const struct wanted *wanted, struct operand *operand_r)
{
	const char *const *words = wanted->reading->fact->words;
	const struct fact *other;
	char all[DIAGNOSTIC_TEXT_MAX / 2];
	size_t n = 0;

	all[0] = '\0';
	for (; *words; words++) {
		if (slice_equal(wanted->text, slice_of(*words))) {
			operand_r->matches = is_text;
			operand_r->text = slice_of(*words);
			return 0;
		}
		n += (size_t)snprintf(all + n, sizeof(all) - n, " %s", *words);
		if (n >= sizeof(all))
			n = sizeof(all) - 1;
	}
	other = relative(wanted->reading->fact, wanted->text);
	if (other) {
		diagnostics_error(wanted->compiler->diagnostics, wanted->word->place,
				  "%s is never \"%s\", but %s can be; write %s is %s", wanted->reading->fact->name,
				  QUOTE(wanted->text), other->name, other->name, QUOTE(wanted->text));
		return -1;
	}
	words = wanted->reading->fact->words;
	diagnostics_error(wanted->compiler->diagnostics, wanted->word->place, "%s is never \"%s\"; it is one of%s%s%s",
			  wanted->reading->fact->name, QUOTE(wanted->text), all,
			  nearest_word(wanted->text, words) ? "; " : "", suggestion(wanted->text, words).text);
	return -1;
}

static int (*const want[])(const struct wanted *, struct operand *) = {
    [TYPE_BOOL] = refuse_bool,   [TYPE_NUMBER] = want_number,   [TYPE_STRING] = want_string,
    [TYPE_DOMAIN] = want_domain, [TYPE_ADDRESS] = want_address, [TYPE_IP] = want_ip,
    [TYPE_RESULT] = want_result,
};

int operand_compile(struct compiler *compiler, const struct reading *reading, const struct word *word,
		    struct operand *operand_r)
{
	struct arena *arena = compiler->policy->arena;
	struct wanted wanted = {compiler, reading, word, arena_copy(arena, word_value(word, arena))};
	enum type type = reading->type;
	bool text = type == TYPE_STRING || type == TYPE_DOMAIN || type == TYPE_ADDRESS;

	*operand_r = (struct operand){.text = SLICE(""), .empty = text && wanted.text.n == 0};
	if (memmem(wanted.text.p, wanted.text.n, "%{", 2) && text)
		return wrong(&wanted,
			     "a condition compares with fixed texts; facts in %{ } belong in replies and headers");
	if (word_has_comma(word))
		return wrong_comma(&wanted);
	if (type != TYPE_ADDRESS && type != TYPE_RESULT && word->kind == WORD_PLAIN &&
	    slice_equal(word->text, SLICE("null")))
		return wrong(&wanted, "only an address can be null (the null sender); write \"\" for an empty text");
	return want[type](&wanted, operand_r);
}
