/*
 * log.h - lines of the log on their way out: a bounded queue and one thread that
 * writes, so that no other thread waits for a disk, a pipe or the system's logger.
 *
 * Lines that do not fit in the queue, or cannot be written, are lost and counted. Private to report/.
 */
#ifndef SEKISHO_LOG_H
#define SEKISHO_LOG_H

#include "report.h"

struct log;

struct log *log_open(enum report_target, const char *file, struct error *); /* not for REPORT_OFF. NULL and err */
int log_reopen(struct log *, struct error *);                               /* the file, after rotation */
void log_add(struct log *, int priority, const char *line);                 /* copied; any thread; never blocks */
uint64_t log_lost(const struct log *);                                      /* lines, so far */
void log_close(struct log *); /* writes waiting lines, for one second at most. NULL is allowed */

/* A message of the daemon itself, as one line of JSON. */
char *log_message(const char *level, struct slice message, struct arena *);

/* ---- log_target.c: where lines go; used by the writing thread alone -------------------------- */

struct log_target {
	enum report_target kind;
	int fd;     /* -1: syslog */
	bool plain; /* a file on a disk: a line is one write */
	bool torn;  /* its last line has no end */
};

int log_target_open(enum report_target, const char *file, struct log_target *target_r, struct error *);
void log_target_close(struct log_target *);
/* One line, with room for one byte before it and one after: text[0] and text[n + 1] are ours. False: it was lost.
 * `stop` is called now and then while the other end accepts nothing. */
bool log_target_write(struct log_target *, int priority, char *text, size_t n, bool (*stop)(void *), void *context);

#endif
