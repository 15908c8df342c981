/*
 * library.c - finds and opens modules: in the folder "modules" next to the program, where they are before they are
 * installed, or in the folder where they were installed.
 */
#include "library.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SYMBOL_MAX 64

/* False: there is none next to the program. */
static bool find_beside(const char *name, char path_r[PATH_MAX])
{
	char program[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", program, sizeof(program));

	while (n > 0 && program[n - 1] != '/')
		n--;
	return n > 0 && snprintf(path_r, PATH_MAX, "%.*smodules/%s.so", (int)n, program, name) < PATH_MAX &&
	       access(path_r, F_OK) == 0;
}

/* A shared object that is cut off, as by a full disk, is mapped all the same, and a signal ends the program when it
 * reads what is missing. Linkers put the section table at the end: when all of it is there, so is the rest. A file that
 * is not a shared object is left to dlopen(). */
static bool complete(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ElfW(Ehdr) head = {0};
	struct stat st;
	bool cut = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
		   pread(fd, &head, sizeof(head), 0) == (ssize_t)sizeof(head) &&
		   memcmp(head.e_ident, ELFMAG, SELFMAG) == 0 &&
		   ((uint64_t)st.st_size < head.e_shoff ||
		    (uint64_t)st.st_size - head.e_shoff < (uint64_t)head.e_shnum * head.e_shentsize);

	if (fd >= 0)
		close(fd);
	return !cut;
}

const void *library_open(const char *name, const char *stamp, struct error *err)
{
	char path[PATH_MAX], symbol[SYMBOL_MAX];
	const char *const *table;
	void *module;

	if (!find_beside(name, path))
		snprintf(path, sizeof(path), "%s/%s.so", PKGLIBDIR, name);
	if (!complete(path)) {
		error_set(err, "the module %s is cut off; install it again", path);
		return NULL;
	}
	module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!module) {
		error_set(err, "the module %s cannot be opened: %s", name, dlerror());
		return NULL;
	}
	snprintf(symbol, sizeof(symbol), "library_%s", name);
	table = dlsym(module, symbol);
	if (table && strcmp(*table, stamp) == 0)
		return table;
	error_set(err,
		  "the module %s is of another build than this program; install both from one package, and restart",
		  path);
	dlclose(module);
	return NULL;
}
