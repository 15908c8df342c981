/*
 * opendkim_module.c - the module of libopendkim: nothing but the table of its functions.
 */
#include "opendkim_library.h"

extern const struct opendkim_library library_opendkim;
const struct opendkim_library library_opendkim = LIBRARY_VALUES(LIBRARY_OPENDKIM_VERSION, OPENDKIM_FUNCTIONS);
