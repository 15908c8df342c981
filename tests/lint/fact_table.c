/*
 * fact_table.c - the section ALL FACTS: what each is, its type, from which stage on it can be asked, and a condition.
 */
#include "tables.h"
#include "check.h"

#include <stdio.h>

static const char *const type_names[] = {
    [TYPE_BOOL] = "yes or no",  [TYPE_NUMBER] = "number", [TYPE_STRING] = "text",   [TYPE_DOMAIN] = "domain",
    [TYPE_ADDRESS] = "address", [TYPE_IP] = "IP address", [TYPE_RESULT] = "result",
};

/* What a condition asks of a fact of the type, after its name. */
static const char *const examples[] = {
    [TYPE_BOOL] = "",
    [TYPE_NUMBER] = " > 10",
    [TYPE_STRING] = " matches /text/i",
    [TYPE_DOMAIN] = " is .example.org",
    [TYPE_ADDRESS] = " is @example.org",
    [TYPE_IP] = " is 192.0.2.0/24",
    [TYPE_RESULT] = " is ",
};

/* A header field, or something that the policy names. */
static const char *argument_of(const struct fact *fact)
{
	if (fact->argument == ARGUMENT_NONE)
		return "";
	return fact->argument == ARGUMENT_HEADER ? "(\"Subject\")" : "(\"NAME\")";
}

/* The rule is at the last stage that can ask it. */
static void check_condition(const struct fact *fact, const char *condition)
{
	char statement[EXAMPLE_MAX];
	const char *stage = stage_names[fact->scope == SCOPE_RECIPIENT ? STAGE_RCPT : STAGE_MESSAGE];

	snprintf(statement, sizeof(statement), "policy inbound {\non %s {\nlog \"a\" %s\n}\n}", stage, condition);
	statement_check(statement);
}

static void print_fact(const struct fact *fact)
{
	enum type type = fact->list ? fact->of : fact->type;
	char condition[EXAMPLE_MAX / 2];

	snprintf(condition, sizeof(condition), "if %s%s%s%s%s", fact->list ? "any " : "", fact->name, argument_of(fact),
		 examples[type], type == TYPE_RESULT ? fact->words[0] : "");
	check_condition(fact, condition);
	printf(".It Li ");
	print_code(fact->name);
	print_code(argument_of(fact));
	putchar('\n');
	print_text(fact->about);
	printf(".br\n%s, from\n.Ic on %s\non, as in\n.Li ", fact->list ? "words" : type_names[type],
	       stage_names[fact->stage]);
	print_code(condition);
	putchar('\n');
	if (type != TYPE_RESULT)
		return;
	printf(".br\nOne of:\n.Li");
	for (const char *const *word = fact->words; *word; word++)
		printf(" %s", *word);
	putchar('\n');
}

void facts_print(void)
{
	for (unsigned i = 0; fact_at(i); i++)
		print_fact(fact_at(i));
}
