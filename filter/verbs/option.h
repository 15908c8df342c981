/*
 * option.h - options on the command line of a verb that has long ones and -h.
 */
#ifndef SEKISHO_OPTION_H
#define SEKISHO_OPTION_H

#include <getopt.h>

/* After getopt_long() returned '?' or ':': the first word that is not an option, is ambiguous, or has a value that it
 * must not have; else the last word, which lacks its value. */
const char *option_wrong(int argc, char **argv, const struct option *known);

#endif
