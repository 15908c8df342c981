/*
 * fact_table.c - prints all facts as a list in mdoc, from the table that the program itself has: the section ALL FACTS
 * of sekisho.conf(5). tests/lint/fact_table.py puts it there, and finds a page that is older than the table.
 */
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

/* A text as a line of mdoc: no request begins it, and its backslashes are shown. */
static void print_text(const char *text)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", stdout);
	for (; *text; text++)
		fputs(*text == '\\' ? "\\e" : (const char[]){*text, '\0'}, stdout);
	putchar('\n');
}

static void print_fact(const struct fact *fact)
{
	enum type type = fact->list ? fact->of : fact->type;

	printf(".It Li %s%s\n", fact->name, argument_of(fact));
	print_text(fact->about);
	printf(".br\n%s, from\n.Ic on %s\non, as in\n.Li if %s%s%s%s%s\n", fact->list ? "words" : type_names[type],
	       stage_names[fact->stage], fact->list ? "any " : "", fact->name, argument_of(fact), examples[type],
	       type == TYPE_RESULT ? fact->words[0] : "");
	if (type != TYPE_RESULT)
		return;
	printf(".br\nOne of:\n.Li");
	for (const char *const *word = fact->words; *word; word++)
		printf(" %s", *word);
	putchar('\n');
}

int main(void)
{
	puts(".Bl -tag -width Ds");
	for (unsigned i = 0; fact_at(i); i++)
		print_fact(fact_at(i));
	puts(".El");
	return 0;
}
