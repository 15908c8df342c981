/*
 * option.c - which word of a command line getopt_long() rejected.
 *
 * It does not say so: at a short option it may not have moved to the next word, so the word before its index
 * may be a different one. Therefore the words are scanned again.
 */
#include "option.h"
#include "verbs.h"

#include <stdio.h>
#include <string.h>

/* How many known options a word begins (getopt takes a beginning that fits one alone); *fits_r is the last of them. */
static unsigned count_fits(const char *name, size_t n, const struct option *known, const struct option **fits_r)
{
	unsigned fits = 0;

	for (; known->name; known++) {
		if (strncmp(name, known->name, n) != 0)
			continue;
		*fits_r = known;
		if (known->name[n] == '\0')
			return 1;
		fits++;
	}
	return fits;
}

/* A word of short options: false when one of them is not known. *next_r: its value is the next word. */
static bool read_shorts(const char *word, const char *shorts, bool *next_r)
{
	*next_r = false;
	for (const char *letter = word + 1; *letter; letter++) {
		const char *known = *letter == ':' ? NULL : strchr(shorts, *letter);

		if (!known)
			return false;
		if (known[1] != ':')
			continue;
		*next_r = letter[1] == '\0';
		return true;
	}
	return true;
}

/* The same of a word that begins with two hyphens. */
static bool read_long(const char *word, const struct option *known, bool *next_r)
{
	const char *equals = strchrnul(word, '=');
	const struct option *fits = NULL;

	if (count_fits(word + 2, (size_t)(equals - word) - 2, known, &fits) != 1)
		return false;
	*next_r = !*equals && fits->has_arg == required_argument;
	return !*equals || fits->has_arg != no_argument;
}

const char *option_wrong(int argc, char **argv, const char *shorts, const struct option *known, bool *value_r)
{
	*value_r = false;
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		const char *word = argv[i];
		bool next;

		if (word[0] != '-' || word[1] == '\0')
			continue;
		if (!(word[1] == '-' ? read_long(word, known, &next) : read_shorts(word, shorts, &next)))
			return word;
		i += next;
		*value_r = i == argc;
		if (*value_r)
			return word;
	}
	return argv[argc - 1];
}

int option_usage(int argc, char **argv, const char *shorts, const struct option *known)
{
	bool value;
	const char *word = option_wrong(argc, argv, shorts, known, &value);

	fprintf(stderr, "sekisho %s: %s%s; see sekisho %s --help\n", argv[0], word,
		value                         ? " needs a value"
		: strncmp(word, "--", 2) == 0 ? " is not an option"
					      : " is not an option (put -- before an operand that begins with -)",
		argv[0]);
	return VERB_USAGE;
}
