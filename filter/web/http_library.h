/*
 * http_library.h - libmicrohttpd, in a module (library.h).
 */
#ifndef SEKISHO_HTTP_LIBRARY_H
#define SEKISHO_HTTP_LIBRARY_H

#include "library.h"
#include <microhttpd.h>

#define HTTP_FUNCTIONS(X)                                                                                              \
	X(MHD_add_response_header)                                                                                     \
	X(MHD_create_response_from_buffer)                                                                             \
	X(MHD_destroy_response)                                                                                        \
	X(MHD_get_connection_info)                                                                                     \
	X(MHD_lookup_connection_value)                                                                                 \
	X(MHD_queue_response)                                                                                          \
	X(MHD_quiesce_daemon)                                                                                          \
	X(MHD_run_wait)                                                                                                \
	X(MHD_start_daemon)                                                                                            \
	X(MHD_stop_daemon)

struct http_library LIBRARY_TABLE(HTTP_FUNCTIONS);
#define LIBRARY_HTTP_VERSION LIBRARY_TEXT(MHD_VERSION)

/* NULL and err. */
static inline const struct http_library *http_library_open(struct error *err)
{
	return library_open("http", LIBRARY_STAMP(LIBRARY_HTTP_VERSION, HTTP_FUNCTIONS), err);
}

#endif
