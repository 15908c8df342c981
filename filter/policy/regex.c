/*
 * regex.c - regular expressions: the only file that knows PCRE2.
 *
 * No expression may hang a session, whatever a sender wrote: texts are bounded,
 * and so are the steps and the memory of a match. A match that would need more is
 * unknown, neither true nor false.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "compile.h"

#include <pcre2.h>
#include <stdlib.h>

#define PATTERN_MAX    4096  /* bytes of an expression */
#define PATTERN_NEST   50    /* parentheses: compiling recurses on them */
#define MATCH_STEPS    20000 /* from each start: at most a second for the longest text */
#define MATCH_DEPTH    1000
#define MATCH_HEAP_KIB 2048

struct regex {
	pcre2_code *code;
	pcre2_match_context *limits;
};

static pcre2_code *compile(struct slice pattern, bool ignore_case, int *number_r, size_t *offset_r)
{
	pcre2_compile_context *context = pcre2_compile_context_create(NULL);
	uint32_t options = PCRE2_NEVER_UTF | PCRE2_NEVER_UCP | PCRE2_NEVER_BACKSLASH_C | PCRE2_DOLLAR_ENDONLY |
			   (ignore_case ? PCRE2_CASELESS : 0);
	pcre2_code *code;

	if (!context)
		die("no memory for an expression");
	pcre2_set_max_pattern_length(context, PATTERN_MAX);
	pcre2_set_parens_nest_limit(context, PATTERN_NEST);
	code = pcre2_compile((PCRE2_SPTR)pattern.p, pattern.n, options, number_r, offset_r, context);
	pcre2_compile_context_free(context);
	return code;
}

struct regex *regex_compile(struct slice pattern, bool ignore_case, struct error *err, size_t *offset_r)
{
	struct regex *regex;
	PCRE2_UCHAR text[200];
	pcre2_code *code;
	int number;

	*offset_r = 0;
	code = compile(pattern, ignore_case, &number, offset_r);
	if (!code) {
		pcre2_get_error_message(number, text, sizeof(text));
		error_set(err, "%s", (const char *)text);
		return NULL;
	}
	pcre2_jit_compile(code, PCRE2_JIT_COMPLETE); /* where there is none, pcre2_match does without */
	regex = xmalloc(sizeof(*regex));
	regex->code = code;
	regex->limits = pcre2_match_context_create(NULL);
	if (!regex->limits)
		die("no memory for an expression");
	pcre2_set_match_limit(regex->limits, MATCH_STEPS);
	pcre2_set_depth_limit(regex->limits, MATCH_DEPTH);
	pcre2_set_heap_limit(regex->limits, MATCH_HEAP_KIB);
	return regex;
}

void regex_free(struct regex *regex)
{
	if (!regex)
		return;
	pcre2_match_context_free(regex->limits);
	pcre2_code_free(regex->code);
	free(regex);
}

unsigned regex_groups(const struct regex *regex)
{
	uint32_t count = 0;

	pcre2_pattern_info(regex->code, PCRE2_INFO_CAPTURECOUNT, &count);
	return count;
}

/* `pairs`: as pcre2_match returned them; what comes after them was not written. 0: all that there is room for. */
static void take_groups(const struct regex *regex, struct slice subject, pcre2_match_data *data, unsigned pairs,
			struct slice groups[GROUPS_MAX])
{
	const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(data);
	unsigned count = regex_groups(regex) ? GROUPS_MAX : 1;

	for (unsigned i = 0; i < count; i++) {
		bool set = (i < pairs || pairs == 0) && ends[2 * i] != PCRE2_UNSET &&
			   ends[2 * i] <= ends[2 * i + 1]; /* \K can turn them round */

		groups[i] = set ? (struct slice){subject.p + ends[2 * i], ends[2 * i + 1] - ends[2 * i]} : SLICE("");
	}
}

/* With `groups` NULL nobody wants them. */
static enum truth match(const struct regex *regex, struct slice subject, struct slice *groups, const char **why_r)
{
	pcre2_match_data *data;
	int result;

	if (!subject.p)
		subject = SLICE("");

	if (subject.n > REGEX_SUBJECT_MAX) {
		*why_r = "the text is too long for an expression";
		return TRUTH_UNKNOWN;
	}
	data = pcre2_match_data_create(groups ? GROUPS_MAX : 1, NULL);
	if (!data)
		die("no memory for an expression");
	result = pcre2_match(regex->code, (PCRE2_SPTR)subject.p, subject.n, 0, 0, data, regex->limits);
	if (result == PCRE2_ERROR_JIT_STACKLIMIT)
		result =
		    pcre2_match(regex->code, (PCRE2_SPTR)subject.p, subject.n, 0, PCRE2_NO_JIT, data, regex->limits);
	if (result >= 0 && groups)
		take_groups(regex, subject, data, (unsigned)result, groups);
	pcre2_match_data_free(data);
	if (result >= 0)
		return TRUTH_TRUE;
	if (result == PCRE2_ERROR_NOMATCH)
		return TRUTH_FALSE;
	*why_r = "the expression needs more steps than are allowed for this text";
	return TRUTH_UNKNOWN;
}

enum truth regex_match(const struct regex *regex, struct slice subject, const char **why_r)
{
	return match(regex, subject, NULL, why_r);
}

enum truth regex_capture(const struct regex *regex, struct slice subject, struct slice groups_r[GROUPS_MAX],
			 const char **why_r)
{
	return match(regex, subject, groups_r, why_r);
}
