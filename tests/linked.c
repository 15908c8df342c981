/*
 * linked.c - library_open() of test programs, which are linked to all libraries: no module has to be found.
 */
#include "../include/library.h"

extern const struct curl_library library_curl;
extern const struct xml_library library_xml;
extern const struct http_library library_http;
extern const struct sqlite_library library_sqlite;
extern const void *const linked_opendkim; /* NULL: built without it */

const void *library_open(const char *name, const char *stamp, struct error *err)
{
	const struct {
		const char *name;
		const void *table;
	} linked[] = {{"curl", &library_curl},
		      {"xml", &library_xml},
		      {"http", &library_http},
		      {"sqlite", &library_sqlite},
		      {"opendkim", linked_opendkim}};

	for (size_t i = 0; i < sizeof(linked) / sizeof(linked[0]); i++)
		if (strcmp(linked[i].name, name) == 0 && linked[i].table &&
		    strcmp(*(const char *const *)linked[i].table, stamp) == 0)
			return linked[i].table;
	error_set(err, "tests/linked.c has no library %s, or of another build", name);
	return NULL;
}
