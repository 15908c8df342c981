/*
 * helo.c - what kind of name the client gave in HELO, and whether the DNS knows it.
 *
 * RFC 5321 4.1.1.1 wants a fully qualified name or an address literal. A server may check that it belongs to the
 * client, and must not refuse mail because it does not (4.1.4): such facts are for a score.
 */
#include "check_private.h"

enum form { FORM_FQDN, FORM_LITERAL, FORM_BARE, FORM_OWN_NAME, FORM_OWN_ADDRESS };
static const char *const forms[] = {"fqdn", "literal", "bare", "own-name", "own-address", NULL};

/* An address, in brackets or without. */
static bool read_address(struct slice helo, struct ip *ip_r, bool *brackets_r)
{
	*brackets_r = helo.n > 2 && helo.p[0] == '[' && helo.p[helo.n - 1] == ']';
	if (*brackets_r)
		helo = (struct slice){helo.p + 1, helo.n - 2};
	return ip_parse(helo, ip_r) == 0;
}

static bool is_loopback(struct ip ip)
{
	static const struct ip six = {6, {[15] = 1}};

	return (ip.family == 4 && ip.bytes[0] == 127) || ip_equal(ip, six);
}

/* The address that the client connected to, one of our name, or loopback from another host. */
static bool is_own_address(struct view *view, struct ip ip)
{
	if (ip_equal(ip, view->session->daemon_ip))
		return true;
	if (is_loopback(ip))
		return !is_loopback(view->session->client);
	return dns_name_has_address(view->budget, view->settings->authserv_id, ip) == DNS_OK;
}

static enum form form_of(struct view *view, struct slice helo)
{
	struct slice domain;
	bool brackets, valid;
	struct ip ip;

	if (read_address(helo, &ip, &brackets))
		return is_own_address(view, ip) ? FORM_OWN_ADDRESS : brackets ? FORM_LITERAL : FORM_BARE;
	domain = domain_normalise(helo, view->session->arena, &valid);
	if (!valid || domain.n == 0 || domain.p[0] == '[')
		return FORM_BARE;
	if (slice_equal_nocase(domain, view->settings->authserv_id))
		return FORM_OWN_NAME;
	return slice_find(domain, '.') > 0 ? FORM_FQDN : FORM_BARE;
}

static struct value get_form(struct view *view)
{
	struct slice helo = slice_trim(view->session->helo);

	return helo.n > 0 ? value_word(forms[form_of(view, helo)]) : value_absent(TYPE_RESULT);
}

/* The name that can be asked for; "": it is none. */
static struct slice name_of(struct view *view)
{
	struct slice helo = slice_trim(view->session->helo), domain;
	bool brackets, valid;
	struct ip ip;

	if (read_address(helo, &ip, &brackets))
		return SLICE("");
	domain = domain_normalise(helo, view->message->arena, &valid);
	return valid && slice_find(domain, '.') > 0 ? domain : SLICE("");
}

/* An address literal needs no DNS. */
static struct value get_resolves(struct view *view)
{
	static const enum dns_type types[] = {DNS_A, DNS_AAAA, DNS_MX};
	struct slice helo = slice_trim(view->session->helo), name = name_of(view);
	bool brackets = false, unknown = false;
	struct ip ip;

	if (helo.n == 0)
		return value_absent(TYPE_BOOL);
	if (name.n == 0)
		return value_bool(read_address(helo, &ip, &brackets) && brackets);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		enum dns_status status = dns_ask(view->budget, name, types[i])->status;

		if (status == DNS_OK)
			return value_bool(true);
		unknown |= status == DNS_TEMPFAIL;
	}
	return unknown ? value_unknown(TYPE_BOOL, "temporary DNS failure") : value_bool(false);
}

static void hint(struct view *view, enum stage stage, const struct asking *asking)
{
	struct slice name = stage == STAGE_HELO ? name_of(view) : SLICE("");
	bool resolves = false;

	for (size_t i = 0; i < asking->count; i++)
		resolves |= asking->items[i].fact->type == TYPE_BOOL;
	if (!resolves || name.n == 0) /* the empty name is that of the root */
		return;
	dns_hint(view->budget, name, DNS_A);
	dns_hint(view->budget, name, DNS_AAAA);
}

static const struct fact facts[] = {
    FACT("helo.form", RESULT, HELO, get_form, "what kind of name the client gave in HELO or EHLO", .words = forms,
	 .scope = SCOPE_CONNECTION),
    FACT("helo.resolves", BOOL, HELO, get_resolves, "the HELO name has an address or an MX in the DNS",
	 .scope = SCOPE_CONNECTION),
};

const struct check check_helo = {CHECK_NAMED(helo), FACTS(facts), .hint = hint};
