/*
 * client.c - the client: its address, its names, how it introduced itself, and
 * the kind of traffic it brings.
 *
 * client.name is what the MTA found and verified; client.ptr is what we find
 * by asking the DNS ourselves (RFC 8601 2.7.3, iprev), for MTAs that are told not to.
 */
#include "check_private.h"

const char *const kind_names[KIND_COUNT + 1] = {"inbound", "submission", "local", NULL};

bool client_is_trusted(const struct check_settings *settings, const struct session *session)
{
	if (session->local_program)
		return true;
	for (size_t i = 0; i < settings->trusted.count; i++)
		if (ip_net_contains(&settings->trusted.items[i], session->client))
			return true;
	return false;
}

/* POP before SMTP: who read mail a moment ago. */
static bool is_listed(const struct check_settings *settings, const struct session *session, struct store *store)
{
	struct list_key key = {.kind = LIST_IP, .ip = session->client};

	return settings->submission_clients && session->client.family &&
	       list_has(settings->submission_clients, store, &key) == TRUTH_TRUE;
}

bool client_is_user(const struct check_settings *settings, const struct session *session, struct store *store)
{
	return session->auth_user.n > 0 || is_listed(settings, session, store);
}

static bool is_submission(const struct check_settings *settings, const struct session *session, struct store *store)
{
	if (session->auth_user.n)
		return true;
	if (session->local_program)
		return false;
	for (size_t i = 0; i < settings->submission_ports.count; i++)
		if (session->daemon_port && settings->submission_ports.items[i] == session->daemon_port)
			return true;
	for (size_t i = 0; i < settings->submission_names.count; i++)
		if (slice_equal_nocase(settings->submission_names.items[i], session->daemon_name))
			return true;
	return is_listed(settings, session, store);
}

enum kind kind_of(const struct check_settings *settings, const struct session *session, struct store *store)
{
	if (is_submission(settings, session, store))
		return KIND_SUBMISSION;
	if (!session->local_program && relay_is(settings, session->client) == TRUTH_TRUE)
		return KIND_INBOUND;
	return client_is_trusted(settings, session) ? KIND_LOCAL : KIND_INBOUND;
}

static struct value get_client(struct view *view)
{
	if (!view->session->client.family)
		return value_absent(TYPE_IP);
	return (struct value){.state = VALUE_SET, .type = TYPE_IP, .ip = view->session->client};
}

static struct value get_name(struct view *view)
{
	bool valid;

	return value_text(TYPE_DOMAIN, domain_normalise(view->session->client_name, view->session->arena, &valid));
}

static struct value get_port(struct view *view)
{
	if (!view->session->client_port)
		return value_absent(TYPE_NUMBER);
	return value_number(view->session->client_port);
}

static struct value get_daemon_port(struct view *view)
{
	if (!view->session->daemon_port)
		return value_absent(TYPE_NUMBER);
	return value_number(view->session->daemon_port);
}

static struct value get_daemon_name(struct view *view)
{
	return value_text(TYPE_STRING, view->session->daemon_name);
}

static struct value get_ptr(struct view *view)
{
	struct slice name;

	if (!view->session->client.family)
		return value_absent(TYPE_DOMAIN);
	if (dns_confirmed_name(view->budget, view->session->client, view->session->arena, &name) == DNS_TEMPFAIL)
		return value_unknown(TYPE_DOMAIN, "temporary DNS failure");
	return value_text(TYPE_DOMAIN, name);
}

static const char *const fcrdns_words[] = {"pass", "none", "mismatch", "temperror", NULL};
enum fcrdns { FCRDNS_PASS, FCRDNS_NONE, FCRDNS_MISMATCH, FCRDNS_TEMPERROR };

/* RFC 8601 2.7.3 */
static enum fcrdns fcrdns_of(struct view *view)
{
	struct arena *arena = view->message->arena;
	struct ip client = view->session->client;
	const struct dns_answer *ptr = dns_ask(view->budget, dns_reverse_name(client, arena), DNS_PTR);
	struct slice name;

	if (ptr->status != DNS_OK)
		return ptr->status == DNS_TEMPFAIL ? FCRDNS_TEMPERROR : FCRDNS_NONE;
	switch (dns_confirmed_name(view->budget, client, arena, &name)) {
	case DNS_OK:
		return FCRDNS_PASS;
	case DNS_TEMPFAIL:
		return FCRDNS_TEMPERROR;
	default:
		return FCRDNS_MISMATCH;
	}
}

static struct value get_fcrdns(struct view *view)
{
	return view->session->client.family ? value_word(fcrdns_words[fcrdns_of(view)]) : value_absent(TYPE_RESULT);
}

/* As large as one site usually is: /24, and /64 (RFC 6177). */
static struct value get_network(struct view *view)
{
	struct ip ip = view->session->client;
	size_t kept = ip.family == 4 ? 3 : 8;
	char buffer[IP_TEXT];

	if (!ip.family)
		return value_absent(TYPE_STRING);
	memset(ip.bytes + kept, 0, sizeof(ip.bytes) - kept);
	return value_text(TYPE_STRING, arena_join(view->session->arena, ip_print(ip, buffer),
						  ip.family == 4 ? SLICE("/24") : SLICE("/64")));
}

static struct value get_helo(struct view *view)
{
	bool valid;

	return value_text(TYPE_DOMAIN, domain_normalise(view->session->helo, view->session->arena, &valid));
}

static struct value get_trusted(struct view *view)
{
	return value_bool(client_is_trusted(view->settings, view->session));
}

static struct value get_submission(struct view *view)
{
	return value_bool(view->kind == KIND_SUBMISSION);
}

static struct value get_local(struct view *view)
{
	return value_bool(view->kind == KIND_LOCAL);
}

static void hint(struct view *view, enum stage stage, const struct asking *asking)
{
	(void)asking;
	if (stage == STAGE_CONNECT && view->session->client.family)
		dns_hint(view->budget, dns_reverse_name(view->session->client, view->message->arena), DNS_PTR);
}

static const struct fact facts[] = {
    FACT("client", IP, CONNECT, get_client, "address of the SMTP client", .replays = true, .scope = SCOPE_CONNECTION),
    FACT("client.name", DOMAIN, CONNECT, get_name, "its name as the MTA verified it", .replays = true,
	 .scope = SCOPE_CONNECTION),
    FACT("client.port", NUMBER, CONNECT, get_port, "the port it comes from", .scope = SCOPE_CONNECTION),
    FACT("client.network", STRING, CONNECT, get_network, "its network: /24, or /64 of IPv6", .scope = SCOPE_CONNECTION),
    FACT("helo", DOMAIN, HELO, get_helo, "the name it gave in HELO or EHLO", .replays = true,
	 .scope = SCOPE_CONNECTION),
    FACT("trusted", BOOL, CONNECT, get_trusted, "the client is in a trusted network or a program of this host",
	 .scope = SCOPE_CONNECTION),
    FACT("port", NUMBER, CONNECT, get_daemon_port, "the port of ours that the client came to",
	 .scope = SCOPE_CONNECTION),
    FACT("daemon-name", STRING, CONNECT, get_daemon_name, "the mail server's name of the service there",
	 .scope = SCOPE_CONNECTION),
    FACT("submission", BOOL, MAIL, get_submission, "the message is submitted by a user", .replays = true),
    FACT("local", BOOL, MAIL, get_local, "the message comes from this host or a trusted network", .replays = true),
};

const struct check check_client = {CHECK_NAMED(client), FACTS(facts)};

/* A separate check, so that only policies that read it ask the DNS. */
static const struct fact ptr_facts[] = {
    FACT("client.ptr", DOMAIN, CONNECT, get_ptr, "its forward-confirmed name in the DNS", .scope = SCOPE_CONNECTION),
    FACT("client.fcrdns", RESULT, CONNECT, get_fcrdns, "whether a name of it in the DNS has its address",
	 .words = fcrdns_words, .scope = SCOPE_CONNECTION),
};

const struct check check_ptr = {CHECK_NAMED(ptr), FACTS(ptr_facts), .hint = hint};
