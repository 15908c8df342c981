/*
 * model.c - the names of what the model of mail counts.
 */
#include "mail.h"

const char *const kind_names[KIND_COUNT + 1] = {
    [KIND_INBOUND] = "inbound", [KIND_SUBMISSION] = "submission", [KIND_LOCAL] = "local", [KIND_COUNT] = NULL};
