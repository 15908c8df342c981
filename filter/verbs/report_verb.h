/*
 * report_verb.h - the subcommands of `sekisho report`, each in report_NAME.c. Each gets its own arguments (argv[0] is
 * "report NAME") and returns the exit code.
 */
#ifndef SEKISHO_REPORT_VERB_H
#define SEKISHO_REPORT_VERB_H

int report_read(int argc, char **argv);
int report_list(int argc, char **argv);
int report_preview(int argc, char **argv);
int report_send(int argc, char **argv);
int report_suppressed(int argc, char **argv);

#endif
