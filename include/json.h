/*
 * json.h - text for folders that print JSON with jansson.
 *
 * Separate from report.h, so code that only fills a record does not need jansson.
 */
#ifndef SEKISHO_JSON_H
#define SEKISHO_JSON_H

#include "base.h"
#include <jansson.h>

/* Text of unknown origin as a JSON string: NUL and bytes that are not UTF-8 are shown as \\xNN, as in a record. */
json_t *json_text(struct slice);

#endif
