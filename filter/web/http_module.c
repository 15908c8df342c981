/*
 * http_module.c - the module of libmicrohttpd: nothing but the table of its functions.
 */
#include "http_library.h"

extern const struct http_library library_http;
const struct http_library library_http = LIBRARY_VALUES(LIBRARY_HTTP_VERSION, HTTP_FUNCTIONS);
