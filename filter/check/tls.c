/*
 * tls.c - STARTTLS or implicit TLS of the connection (RFC 3207, RFC 8314).
 */
#include "check_private.h"

static struct value get_tls(struct view *view)
{
	return value_bool(view->session->tls_version.n > 0);
}

static struct value get_version(struct view *view)
{
	return value_text(TYPE_STRING, view->session->tls_version);
}

static struct value get_cipher(struct view *view)
{
	return value_text(TYPE_STRING, view->session->tls_cipher);
}

static const struct fact facts[] = {
    FACT("tls", BOOL, MAIL, get_tls, "the connection is encrypted"),
    FACT("tls.version", STRING, MAIL, get_version, "such as TLSv1.3"),
    FACT("tls.cipher", STRING, MAIL, get_cipher, "the cipher suite"),
};

const struct check check_tls = {CHECK_NAMED(tls), FACTS(facts)};
