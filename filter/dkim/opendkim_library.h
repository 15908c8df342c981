/*
 * opendkim_library.h - libopendkim, in a module (library.h).
 */
#ifndef SEKISHO_DKIM_OPENDKIM_LIBRARY_H
#define SEKISHO_DKIM_OPENDKIM_LIBRARY_H

#include "library.h"
#include <opendkim/dkim.h>

#define OPENDKIM_FUNCTIONS(X)                                                                                          \
	X(dkim_body)                                                                                                   \
	X(dkim_close)                                                                                                  \
	X(dkim_eoh)                                                                                                    \
	X(dkim_eom)                                                                                                    \
	X(dkim_free)                                                                                                   \
	X(dkim_getsighdr_d)                                                                                            \
	X(dkim_getsiglist)                                                                                             \
	X(dkim_header)                                                                                                 \
	X(dkim_init)                                                                                                   \
	X(dkim_options)                                                                                                \
	X(dkim_set_key_lookup)                                                                                         \
	X(dkim_set_signer)                                                                                             \
	X(dkim_sig_getbh)                                                                                              \
	X(dkim_sig_getdomain)                                                                                          \
	X(dkim_sig_geterror)                                                                                           \
	X(dkim_sig_getflags)                                                                                           \
	X(dkim_sig_getselector)                                                                                        \
	X(dkim_sig_seterror)                                                                                           \
	X(dkim_sign)                                                                                                   \
	X(dkim_verify)

struct opendkim_library LIBRARY_TABLE(OPENDKIM_FUNCTIONS);
#define LIBRARY_OPENDKIM_VERSION LIBRARY_TEXT(OPENDKIM_LIB_VERSION)

/* NULL and err. */
static inline const struct opendkim_library *opendkim_library_open(struct error *err)
{
	return library_open("opendkim", LIBRARY_STAMP(LIBRARY_OPENDKIM_VERSION, OPENDKIM_FUNCTIONS), err);
}

#endif
