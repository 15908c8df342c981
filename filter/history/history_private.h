/*
 * history_private.h - what the files of history/ share.
 *
 * The file: records are in parts of PART_ROWS, so that the oldest can be dropped as a whole, at no cost that grows with
 * their number. Part N has the tables mN (id, time, line) and tN (hash, id): the hash of a text by which a record is
 * found. `part` names them; `count` has the numbers of the page; the header has our application_id and, as
 * user_version, the version of this form.
 */
#ifndef SEKISHO_HISTORY_PRIVATE_H
#define SEKISHO_HISTORY_PRIVATE_H

#include "history.h"
#include "sqlite_library.h"

#define HISTORY_APPLICATION 0x536b4869 /* "SkHi" */
#define HISTORY_VERSION     1
#define PART_ROWS           25000
#define PAGE_BYTES          4096
#define BUSY_MS             2000 /* to wait for `sekisho history erase` */
#define KEY_BYTES           32

/* ---- key.c: addresses that are not to be read ------------------------------------------------------ */

struct hiding {
	enum history_addresses addresses;
	unsigned char key[KEY_BYTES];
};
/* The key beside the file; `make`: makes it when it is missing. 0, or -1 and err. */
int hiding_open(const char *path, enum history_addresses, bool make, struct hiding *hiding_r, struct error *err);
struct slice hiding_hide(const struct hiding *, struct slice address, struct arena *);
struct slice hiding_hide_within(const struct hiding *, struct slice text, struct arena *);

/* The hash by which a record is found. */
int64_t term_hash(enum history_term, struct slice text);

/* ---- file.c ------------------------------------------------------------------------------------------ */

struct db {
	const struct sqlite_library *sqlite;
	sqlite3 *file; /* NULL: out of memory */
};

/* With a trailing NULL: runs each statement of the text. 0, or -1 and err. */
int db_run(struct db *, const char *sql, struct error *err);
int db_printf(struct db *, struct error *err, const char *format, ...) __attribute__((format(printf, 3, 4)));
sqlite3_stmt *db_prepare(struct db *, struct error *err, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The first number of the first row; `otherwise` without one, or on an error. */
int64_t db_number(struct db *, const char *sql, int64_t otherwise);
int db_wrong(struct db *, struct error *err); /* always -1; err is what SQLite says */

/* Opens the file and examines its version. `write`: makes it when it is missing. NULL and err. */
struct db *file_open(const char *path, bool write, struct error *err);
void db_close(struct db *); /* NULL is allowed */

struct part {
	int64_t number, first_us, last_us, rows;
};
/* All parts, oldest first, in the arena. 0, or -1 and err. */
int file_parts(struct db *, struct arena *, struct part **parts_r, size_t *count_r, struct error *err);

/* ---- queue.c: what waits to be written ----------------------------------------------------------------- */

struct queued_count {
	enum history_count kind;
	unsigned n;
	const char *name; /* in the same block */
};
struct queued {
	struct queued *next;
	size_t bytes; /* of the whole block */
	int64_t time_us;
	size_t line_n, term_count, count_count;
	const char *line;
	const int64_t *terms;
	const struct queued_count *counts;
};
struct queued *queued_new(const struct history_entry *);

/* ---- batch.c: a batch of records into the file ---------------------------------------------------------- */

struct writer {
	const struct history_settings *settings;
	struct db *db;       /* NULL: not open */
	int lock_fd;         /* one daemon for each file; -1: not locked */
	struct part part;    /* that is being written; number 0: none */
	uint64_t part_bytes; /* of its records */
	sqlite3_stmt *insert_record, *insert_term, *insert_count;
	struct counts *counts; /* of the current step */
	_Atomic uint64_t bytes;
};
int batch_open(struct writer *, struct error *err);
void batch_close(struct writer *);
/* Writes the batch in one transaction: all or nothing. 0, or -1 and err; `writer` may be closed then. */
int batch_write(struct writer *, const struct queued *first, int64_t now_us, struct error *err);

/* ---- counts.c: the names counted in one step ------------------------------------------------------------ */

struct counts;
struct counts *counts_new(void);
void counts_free(struct counts *);
/* The name under which it is counted: "" when there are too many in this step. */
struct slice counts_name(struct counts *, int64_t step_us, enum history_count, struct slice name);

#endif
