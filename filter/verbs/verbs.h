/*
 * verbs.h - the verbs of `sekisho VERB`. Each verb is one small file; it gets its
 * own arguments (argv[0] is the verb) and returns the exit code.
 */
#ifndef SEKISHO_VERBS_H
#define SEKISHO_VERBS_H

#include "base.h"

/* sysexits(3), as the manual names them. */
enum {
	VERB_OK = 0,
	VERB_NO = 1,           /* done, and the answer is no */
	VERB_USAGE = 64,       /* wrong arguments */
	VERB_NOINPUT = 66,     /* a file cannot be read */
	VERB_UNAVAILABLE = 69, /* something it needs is not available */
	VERB_OUTPUT = 74,      /* its output cannot be written */
	VERB_CONFIG = 78       /* sekisho.conf is wrong */
};

#define DEFAULT_CONFIG SYSCONFDIR "/sekisho/sekisho.conf"

struct door;
extern const struct door *const doors[]; /* all that `listen` can name; NULL after the last */

int verb_daemon(int argc, char **argv);
int verb_check(int argc, char **argv);
int verb_fmt(int argc, char **argv);
int verb_srs(int argc, char **argv);
int verb_queue(int argc, char **argv);
int verb_explain(int argc, char **argv);
int verb_headers(int argc, char **argv);
int verb_lookup(int argc, char **argv);
int verb_verify(int argc, char **argv);
int verb_genkey(int argc, char **argv);
int verb_keys(int argc, char **argv);
int verb_reload(int argc, char **argv);
int verb_status(int argc, char **argv);
int verb_top(int argc, char **argv);
int verb_web_password(int argc, char **argv);
int verb_store(int argc, char **argv);
int verb_block(int argc, char **argv);
int verb_list(int argc, char **argv);
int verb_unblock(int argc, char **argv);
int verb_blocks(int argc, char **argv);
int verb_greylist(int argc, char **argv);
int verb_why(int argc, char **argv);
int verb_replay(int argc, char **argv);
int verb_history(int argc, char **argv);
int verb_logins(int argc, char **argv);
int verb_report(int argc, char **argv);

#endif
