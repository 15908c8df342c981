/*
 * option.h - options on the command line of a verb that has long ones and -h.
 */
#ifndef SEKISHO_OPTION_H
#define SEKISHO_OPTION_H

#include <getopt.h>
#include <stdbool.h>

/* After getopt_long() returned '?' or ':': the word that it rejected, with shorts and known as it got them (without
 * the ":" at the start). *value_r: it lacks its value. */
const char *option_wrong(int argc, char **argv, const char *shorts, const struct option *known, bool *value_r);

/* Prints an error message on stderr; argv[0] is the verb. Returns VERB_USAGE. */
int option_usage(int argc, char **argv, const char *shorts, const struct option *known);

#endif
