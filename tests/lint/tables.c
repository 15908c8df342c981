/*
 * tables.c FOLDER facts|actions|settings|metrics - prints a section of a manual page from the table of the program, and
 * compiles each of its examples. FOLDER has the files that they name in /etc/sekisho. tests/lint/tables.py gives it,
 * puts the section into the page, and finds a page that is older than the table.
 */
#include "tables.h"
#include "policy.h"

#include <stdlib.h>
#include <string.h>

#define EXAMPLES_FOLDER "/etc/sekisho/"

static const char *folder;
static bool wrong;

void print_text(const char *text)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", stdout);
	print_code(text);
	putchar('\n');
}

/* The folder of sockets is that of a shipped package, whatever configure was told. */
void print_code(const char *code)
{
	if (strncmp(code, RUNSTATEDIR "/", strlen(RUNSTATEDIR) + 1) == 0) {
		fputs("/run", stdout);
		code += strlen(RUNSTATEDIR);
	}
	for (; *code; code++)
		fputs(*code == '\\' ? "\\e" : *code == '"' ? "\\(dq" : (const char[]){*code, '\0'}, stdout);
}

/* ---- examples -------------------------------------------------------------------- */

static void write_statement(FILE *out, const char *statement)
{
	const char *path;

	fputs("list friends file:friends\nlist canonical file:canonical\nlimit NAME { key client count messages hard 1 "
	      "per 1h }\n"
	      "dnsbl NAME { zone bl.example.org code 127.0.0.2 text }\n"
	      "policy local {\n\ton connect {\n\t\tset NAME \"a\"\n\t}\n}\n",
	      out);
	if (strstr(statement, "arc-seal ")) /* a rule that names its key */
		fputs("sign example.org { selector s1 key s1.pem }\n", out);
	while ((path = strstr(statement, EXAMPLES_FOLDER))) {
		fprintf(out, "%.*s%s/", (int)(path - statement), statement, folder);
		statement = path + strlen(EXAMPLES_FOLDER);
	}
	fprintf(out, "%s\n", statement);
}

/* The errors of the statement; NULL: there are none. free() them. Whether its users are on this host does not count. */
static char *compile(const char *statement)
{
	char path[EXAMPLE_MAX], *errors;
	struct diagnostics *diagnostics = diagnostics_new();
	FILE *out;

	snprintf(path, sizeof(path), "%s/example.conf", folder);
	out = fopen(path, "w");
	if (!out) {
		perror(path);
		exit(2);
	}
	write_statement(out, statement);
	fclose(out);
	policy_release(policy_load_as(POLICY_EXPLAIN, path, diagnostics));
	errors = diagnostics_errors(diagnostics) ? diagnostics_print(diagnostics) : NULL;
	diagnostics_free(diagnostics);
	return errors;
}

bool statement_compiles(const char *statement)
{
	char *errors = compile(statement);

	free(errors);
	return !errors;
}

void statement_check(const char *statement)
{
	char *errors = compile(statement);

	if (errors)
		example_wrong(statement, errors);
	free(errors);
}

void example_wrong(const char *name, const char *why)
{
	fprintf(stderr, "the example of the manual: %s\n%s\n", name, why);
	wrong = true;
}

/* ---- sections --------------------------------------------------------------------- */

static const struct {
	const char *name;
	void (*print)(void);
} sections[] = {
    {"facts", facts_print}, {"actions", actions_print}, {"settings", settings_print}, {"metrics", metrics_print}};

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	folder = argv[1];
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		if (strcmp(argv[2], sections[i].name) != 0)
			continue;
		puts(".Bl -tag -width Ds");
		sections[i].print();
		puts(".El");
		return wrong;
	}
	return 2;
}
