/*
 * status_show.h - the answer of the daemon to `sekisho status`, for people.
 */
#ifndef SEKISHO_STATUS_SHOW_H
#define SEKISHO_STATUS_SHOW_H

#include <jansson.h>

void status_print(json_t *status);

#endif
