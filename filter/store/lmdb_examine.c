/*
 * lmdb_examine.c - is a file damaged?
 *
 * LMDB trusts its file: damage can end the process that reads it with an assertion or a signal. So a child reads
 * it first, from both ends, for as long as a start may take; a small file is read completely. A crash of the child does
 * not end the daemon.
 */
#include "lmdb_file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define FORWARD_US  (150 * 1000) /* of each table: half a million records */
#define BACKWARD_US (50 * 1000)
#define HANG_S      10  /* a circle of pages, or a disk that does not answer */
#define BATCH       256 /* records between two readings of the clock */

/* Touches every byte. 0: to the end, or out of time. */
static int read_records(MDB_cursor *cursor, MDB_cursor_op first, MDB_cursor_op next, int64_t us)
{
	int64_t until = clock_us() + us;
	volatile char seen = 0;
	MDB_val key, data;
	int rc = mdb_cursor_get(cursor, &key, &data, first);

	for (size_t i = 1; rc == 0 && (i % BATCH != 0 || clock_us() < until); i++) {
		for (size_t at = 0; at < data.mv_size; at++)
			seen = (char)(seen + ((const char *)data.mv_data)[at]);
		rc = mdb_cursor_get(cursor, &key, &data, next);
	}
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int read_table(MDB_txn *txn, MDB_dbi table)
{
	MDB_cursor *cursor;
	int rc = mdb_cursor_open(txn, table, &cursor);

	if (rc == 0)
		rc = read_records(cursor, MDB_FIRST, MDB_NEXT, FORWARD_US);
	return rc == 0 ? read_records(cursor, MDB_LAST, MDB_PREV, BACKWARD_US) : rc;
}

/* A missing table is reported elsewhere. */
static int read_tables(MDB_txn *txn)
{
	static const char *const names[] = {"meta", "records", "due"};
	int rc = read_table(txn, 0); /* 0: the table of free pages */

	for (size_t i = 0; rc == 0 && i < sizeof(names) / sizeof(names[0]); i++) {
		MDB_dbi table;

		if (mdb_dbi_open(txn, names[i], 0, &table) == 0)
			rc = read_table(txn, table);
	}
	return rc;
}

/* 0: it can be read, or it cannot even be opened, which the next opening reports better. */
static int read_file(const char *path)
{
	MDB_txn *txn;
	MDB_env *env;

	if (mdb_env_create(&env) != 0 || mdb_env_set_maxdbs(env, 4) != 0 ||
	    mdb_env_open(env, path, MDB_NOSUBDIR | MDB_RDONLY | MDB_NOLOCK, 0) != 0 ||
	    mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) != 0)
		return 0;
	return read_tables(txn) == 0 ? 0 : 1;
}

/* In the child: it ends silently, and in any case. */
static _Noreturn void child(const char *path)
{
	struct rlimit none = {0, 0};
	static const int fatal[] = {SIGALRM, SIGABRT, SIGSEGV, SIGBUS, SIGFPE};
	sigset_t signals;
	int silence = open("/dev/null", O_WRONLY);

	if (silence >= 0)
		dup2(silence, STDERR_FILENO);
	setrlimit(RLIMIT_CORE, &none);
	sigemptyset(&signals);
	for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++) {
		signal(fatal[i], SIG_DFL);
		sigaddset(&signals, fatal[i]);
	}
	sigprocmask(SIG_UNBLOCK, &signals, NULL);
	alarm(HANG_S);
	_exit(read_file(path));
}

int lmdb_file_examine(const char *path, struct error *err)
{
	struct stat status;
	pid_t pid, ended;
	int end = 0;

	if (stat(path, &status) == 0 && status.st_size == 0)
		return 0; /* new */
	pid = fork();
	if (pid == 0)
		child(path);
	do
		ended = pid < 0 ? -1 : waitpid(pid, &end, 0);
	while (pid > 0 && ended < 0 && errno == EINTR);
	if (ended < 0) {
		error_set(err, "store %s: cannot start a process to examine it: %s", path, strerror(errno));
		return -1;
	}
	if (WIFEXITED(end) && WEXITSTATUS(end) == 0)
		return 0;
	error_set(err, "store %s: is damaged; move it away, and a new one is created", path);
	return -1;
}
