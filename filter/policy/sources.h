/*
 * sources.h - the files that a policy is made of: the one that was named, and what it includes.
 */
#ifndef SEKISHO_POLICY_SOURCES_H
#define SEKISHO_POLICY_SOURCES_H

#include "syntax.h"

#include <sys/stat.h>

#define INCLUDE_DEPTH_MAX 8                  /* files in each other; nobody finds a rule in more */
#define SOURCES_MAX       1000               /* files in all, and directories: each reload looks at them */
#define SOURCES_BYTES_MAX (16 * 1024 * 1024) /* in all: the work of a reload is bounded by it */

/* A file or directory that was looked at, as it was before. */
struct source {
	const char *path;
	struct stat before;
	bool is_file;
	unsigned number; /* of a file: as places have it */
};

struct sources {
	struct arena *names, *texts; /* names live as long as the policy, texts as long as the tree */
	struct diagnostics *diagnostics;
	struct source *items;
	size_t count, room;
	size_t bytes;
	const struct source *open[INCLUDE_DEPTH_MAX]; /* those that are being read, the innermost last */
	size_t depth;
};

/* Reads the file and all that it includes into a tree. 0, or -1 when the file itself cannot be read; what is wrong is
 * reported. */
int sources_read(struct sources *, const char *path, struct file_syntax *file_r);
/* The same without what it includes, into a tree that may want its tokens. */
int sources_read_one(struct sources *, const char *path, struct file_syntax *);
const char *source_name(const struct sources *, unsigned number);
/* The number of a file by its name, which is one that source_name gave. */
unsigned source_number(const struct sources *, const char *name);
/* True when one of them is not what it was before it was read. */
bool sources_changed(const struct sources *);
void sources_close(struct sources *);

#endif
