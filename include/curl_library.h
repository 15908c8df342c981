/*
 * curl_library.h - libcurl, in a module (library.h).
 */
#ifndef SEKISHO_CURL_LIBRARY_H
#define SEKISHO_CURL_LIBRARY_H

#include "library.h"
#define CURL_DISABLE_TYPECHECK /* macros that want the functions themselves */
#include <curl/curl.h>

#define CURL_FUNCTIONS(X)                                                                                              \
	X(curl_easy_cleanup)                                                                                           \
	X(curl_easy_getinfo)                                                                                           \
	X(curl_easy_init)                                                                                              \
	X(curl_easy_perform)                                                                                           \
	X(curl_easy_setopt)                                                                                            \
	X(curl_easy_strerror)                                                                                          \
	X(curl_global_init)                                                                                            \
	X(curl_slist_append)                                                                                           \
	X(curl_slist_free_all)

struct curl_library LIBRARY_TABLE(CURL_FUNCTIONS);
#define LIBRARY_CURL_VERSION LIBCURL_VERSION

/* NULL and err. */
static inline const struct curl_library *curl_library_open(struct error *err)
{
	return library_open("curl", LIBRARY_STAMP(LIBRARY_CURL_VERSION, CURL_FUNCTIONS), err);
}

#endif
