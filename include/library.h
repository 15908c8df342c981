/*
 * library.h - libraries that only some settings and verbs need. The program is not linked to them: a daemon without a
 * page has nothing of libmicrohttpd, nor of what that library needs.
 *
 * For each there is a module, a shared object that is linked to the library and has nothing but a table of the
 * library's functions. It is opened when it is first needed, and stays. The table is a struct that is made
 * from a list of functions, as in curl_library.h:
 *
 *     #define CURL_FUNCTIONS(X) X(curl_easy_init) X(curl_easy_cleanup)
 *     struct curl_library LIBRARY_TABLE(CURL_FUNCTIONS);
 *     curl->curl_easy_init();
 *
 * The file of the module has the values: LIBRARY_VALUES. A table says of which release it is and which functions it
 * has, so a module that was replaced while the program runs is not used. Test programs are linked to all
 * libraries (tests/linked.c).
 */
#ifndef SEKISHO_LIBRARY_H
#define SEKISHO_LIBRARY_H

#include "base.h"
#include "config.h"

#define LIBRARY_MEMBER(name) __typeof__(name) *name;
#define LIBRARY_VALUE(name)  .name = name,
#define LIBRARY_NAME(name)   " " #name
#define LIBRARY_TEXT(number) LIBRARY_NAME(number) /* of a version that is a number */

#define LIBRARY_TABLE(functions)                                                                                       \
	{                                                                                                              \
		const char *stamp;                                                                                     \
		functions(LIBRARY_MEMBER)                                                                              \
	}
#define LIBRARY_STAMP(version, functions) PACKAGE_VERSION " " version functions(LIBRARY_NAME)
#define LIBRARY_VALUES(version, functions)                                                                             \
	{                                                                                                              \
		.stamp = LIBRARY_STAMP(version, functions), functions(LIBRARY_VALUE)                                   \
	}

/* The table of the module `name`, which is its symbol library_NAME. NULL and err, a line that names the module: it
 * cannot be opened, or its stamp is not this one. Any thread may ask, and ask again. */
const void *library_open(const char *name, const char *stamp, struct error *err);

#endif
