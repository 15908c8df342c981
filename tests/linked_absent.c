/*
 * linked_absent.c - built without libopendkim: linked.c has none.
 */
#include <stddef.h>

extern const void *const linked_opendkim;
const void *const linked_opendkim = NULL;
