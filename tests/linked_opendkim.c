/*
 * linked_opendkim.c - libopendkim for linked.c.
 */
#include <stddef.h>

extern const struct opendkim_library library_opendkim;
extern const void *const linked_opendkim;
const void *const linked_opendkim = &library_opendkim;
