/*
 * library.c - finds and opens modules: in the folder "modules" next to the program, where they are before they are
 * installed, or in the folder where they were installed.
 */
#include "library.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
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

const void *library_open(const char *name, const char *stamp, struct error *err)
{
	char path[PATH_MAX], symbol[SYMBOL_MAX];
	const char *const *table;
	void *module;

	if (!find_beside(name, path))
		snprintf(path, sizeof(path), "%s/%s.so", PKGLIBDIR, name);
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
