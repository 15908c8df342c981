/*
 * origin.c - who the client is: from the environment (tcp-environ(5)), and from the Received field that qmail-smtpd has
 * put on top, which has the HELO name.
 *
 * qmail-smtpd replaces each byte of HELO that is not one of a host name, so a client cannot write any other part of the
 * field. TCPREMOTEINFO may be what the client's own host says (RFC 1413): it is a login only where qmail-smtpd has
 * written that the client has authenticated.
 */
#include "queue_private.h"
#include <stdlib.h>

#define SERVICE       SLICE("qmail")
#define SERVICE_RELAY SLICE("qmail-relay") /* RELAYCLIENT is set */
#define VALUE_MAX     1024

static struct slice variable(const char *name)
{
	return slice_head(slice_of(getenv(name)), VALUE_MAX);
}

static unsigned port(const char *name)
{
	uint64_t number;

	return slice_number(variable(name), 65535, &number) == 0 ? (unsigned)number : 0;
}

/* tcpserver says "unknown", or nothing. */
static struct slice verified_name(const struct queue_settings *settings)
{
	struct slice name = variable("TCPREMOTEHOST");

	return settings->names_verified && !slice_equal_nocase(name, SLICE("unknown")) ? name : SLICE("");
}

static void read_connection(const struct queue_settings *settings, struct connection *connection_r)
{
	*connection_r = (struct connection){
	    .client_port = port("TCPREMOTEPORT"),
	    .client_name = verified_name(settings),
	    .daemon_name = settings->daemon_name   ? slice_of(settings->daemon_name)
			   : getenv("RELAYCLIENT") ? SERVICE_RELAY
						   : SERVICE,
	    .daemon_port = port("TCPLOCALPORT"),
	    .local_program = !getenv("TCPREMOTEIP"),
	};
	if (ip_parse(variable("TCPREMOTEIP"), &connection_r->client) != 0)
		connection_r->client.family = 0;
	if (ip_parse(variable("TCPLOCALIP"), &connection_r->daemon_ip) != 0)
		connection_r->daemon_ip.family = 0;
}

/* The name after HELO: without "(HELO x)" it is the name of the client's host, or was not sent. */
static struct slice helo_of(const struct hop *hop)
{
	return slice_equal_nocase(hop->received.helo, SLICE("unknown")) ? SLICE("") : hop->received.helo;
}

/* RFC 3848: "with ESMTPA", "with ESMTPSA" of a client that has authenticated. */
static bool has_authenticated(const struct hop *hop)
{
	static const struct slice words[] = {SLICE("ESMTPA"),    SLICE("ESMTPSA"),    SLICE("SMTPA"),
					     SLICE("UTF8SMTPA"), SLICE("UTF8SMTPSA"), SLICE("SMTPSA")};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (slice_equal_nocase(hop->with, words[i]))
			return true;
	return false;
}

static struct slice login(const struct queue_settings *settings, const struct hop *hop)
{
	if (!settings->auth)
		return SLICE("");
	if (strcmp(settings->auth, "TCPREMOTEINFO") == 0 && !has_authenticated(hop))
		return SLICE("");
	return variable(settings->auth);
}

/* ucspi-ssl sets SSL_PROTOCOL and SSL_CIPHER; others say it in the Received field. */
static struct slice tls_version(const struct hop *hop)
{
	struct slice version = variable("SSL_PROTOCOL");

	if (version.n == 0)
		version = hop->tls;
	return version.n == 0 && hop->encrypted ? SLICE("TLS") : version;
}

/* The first field, if it names the client. */
static void read_stamp(struct letter *letter, struct ip client, struct arena *arena, struct hop *hop_r)
{
	struct field *first = letter->fields;

	*hop_r = (struct hop){.known = false};
	if (client.family == 0 || !first || !slice_equal_nocase(first->name, SLICE("Received")))
		return;
	hop_read(first->value, arena, hop_r);
	first->stamp = hop_r->known && ip_equal(hop_r->received.ip, client);
	if (!first->stamp)
		*hop_r = (struct hop){.known = false};
}

void origin_tell(const struct queue_settings *settings, struct letter *letter, struct arena *arena,
		 struct question *question_r)
{
	struct hop hop;

	read_connection(settings, &question_r->connection);
	read_stamp(letter, question_r->connection.client, arena, &hop);
	question_r->helo = helo_of(&hop);
	question_r->tls_version = tls_version(&hop);
	question_r->tls_cipher = variable("SSL_CIPHER");
	question_r->auth_user = login(settings, &hop);
}
