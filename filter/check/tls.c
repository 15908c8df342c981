/*
 * tls.c - STARTTLS or implicit TLS of the connection (RFC 3207, RFC 8314).
 */
#include "check_private.h"

static struct value get_tls(struct view *view, struct slice argument)
{
	(void)argument;
	return value_bool(view->session->tls_version.n > 0);
}

static struct value get_version(struct view *view, struct slice argument)
{
	(void)argument;
	return value_text(TYPE_STRING, view->session->tls_version);
}

static struct value get_cipher(struct view *view, struct slice argument)
{
	(void)argument;
	return value_text(TYPE_STRING, view->session->tls_cipher);
}

static const struct fact facts[] = {
    {"tls", TYPE_BOOL, false, SCOPE_MESSAGE, STAGE_MAIL, 0, NULL, get_tls, "the connection is encrypted"},
    {"tls.version", TYPE_STRING, false, SCOPE_MESSAGE, STAGE_MAIL, 0, NULL, get_version, "such as TLSv1.3"},
    {"tls.cipher", TYPE_STRING, false, SCOPE_MESSAGE, STAGE_MAIL, 0, NULL, get_cipher, "the cipher suite"},
};

const struct check check_tls = {.number = CHECK_TLS, .name = "tls", FACTS(facts)};
