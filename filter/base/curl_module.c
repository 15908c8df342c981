/*
 * curl_module.c - the module of libcurl: nothing but the table of its functions.
 */
#include "curl_library.h"

extern const struct curl_library library_curl;
const struct curl_library library_curl = LIBRARY_VALUES(LIBRARY_CURL_VERSION, CURL_FUNCTIONS);
