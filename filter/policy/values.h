/*
 * values.h - single values as sekisho.conf writes them: sizes, durations, names.
 */
#ifndef SEKISHO_POLICY_VALUES_H
#define SEKISHO_POLICY_VALUES_H

#include "base.h"

/* "10", "10k", "10KB", "5M", "1G": powers of 1024, case does not count. 0, or -1. */
int size_parse(struct slice text, int64_t *bytes_r);

/* In the largest unit that fits, for messages. */
struct printed {
	char text[24];
};
struct printed size_print(int64_t bytes);
struct printed duration_print(int64_t us);

/* A name of a list, a user or a group: letters, digits, "_", "-" and ".", no digit or "-" first, 64 at most. */
bool name_valid(struct slice);

#define CONTROL_DEFAULT RUNSTATEDIR "/sekisho/control.sock"

/* The path of the control socket, from the root, also as "unix:/path"; "off" gives "". 0, or -1. */
int control_parse(struct slice text, struct slice *path_r);

/* "file:/path" gives the path; "" when it is none. */
struct slice file_path(struct slice text);

/* The path as it is opened: beside `file` unless it begins at the root. */
const char *path_beside(struct arena *, const char *file, struct slice path);

#endif
