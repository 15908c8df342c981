/*
 * option.c - which word of a command line getopt_long() did not like.
 *
 * It cannot be asked: at a short option it may not have gone on to the next word, so that the word before its index
 * is another one. The words are gone through again.
 */
#include "option.h"

#include <stdlib.h>
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

const char *option_wrong(int argc, char **argv, const struct option *known)
{
	for (int i = 1; i < argc; i++) {
		const struct option *fits = NULL;
		const char *word = argv[i], *equals;

		if (word[0] != '-' || word[1] == '\0' || strcmp(word, "-h") == 0)
			continue;
		if (strcmp(word, "--") == 0)
			break;
		if (word[1] != '-')
			return word;
		equals = strchrnul(word, '=');
		if (count_fits(word + 2, (size_t)(equals - word) - 2, known, &fits) != 1)
			return word;
		if (*equals && fits->has_arg == no_argument)
			return word;
		i += !*equals && fits->has_arg == required_argument;
	}
	return argv[argc - 1]; /* the last one lacks its value */
}
