/*
 * tls.c - STARTTLS or implicit TLS of the connection (RFC 3207, RFC 8314).
 */
#include "check_private.h"

#define VERSION_MAX 99

static struct value get_tls(struct view *view)
{
	return value_bool(view->session->tls_version.n > 0);
}

/* "TLSv1.2", "TLSv1" and "SSLv3" in their order. */
static bool version_order(struct slice word, int64_t *number_r)
{
	bool ssl = slice_starts_nocase(word, SLICE("SSLv")), tls = slice_starts_nocase(word, SLICE("TLSv"));
	struct slice rest = slice_from(word, sizeof("TLSv") - 1), part;
	uint64_t major, minor = 0;

	if ((!ssl && !tls) || !slice_cut(&rest, '.', &part) || slice_number(part, VERSION_MAX, &major))
		return false;
	if (rest.p && slice_number(rest, VERSION_MAX, &minor))
		return false;
	*number_r = (int64_t)((tls ? (VERSION_MAX + 1) * (VERSION_MAX + 1) : 0) + major * (VERSION_MAX + 1) + minor);
	return true;
}

/* A version that nobody knows is below all others. */
static struct value get_version(struct view *view)
{
	struct value value = value_text(TYPE_STRING, view->session->tls_version);

	if (!version_order(value.text, &value.number))
		value.number = 0;
	return value;
}

static struct value get_cipher(struct view *view)
{
	return value_text(TYPE_STRING, view->session->tls_cipher);
}

static const struct fact facts[] = {
    FACT("tls", BOOL, MAIL, get_tls, "the connection is encrypted"),
    FACT("tls.version", STRING, MAIL, get_version, "such as TLSv1.3; can be compared with < and >",
	 .order = version_order, .ordered = "TLSv1.2"),
    FACT("tls.cipher", STRING, MAIL, get_cipher, "the cipher suite"),
};

const struct check check_tls = {CHECK_NAMED(tls), FACTS(facts)};
