/*
 * macros.c - what the MTA sends beside the command, and who the client is.
 *
 * A macro is read at the step where it is valid: at connect the client and the
 * service, TLS at HELO and again at MAIL, AUTH at MAIL. After DATA, Postfix's
 * cleanup sends other values under the same names. We ask for them by name (with
 * braces: without, Sendmail sends the macro of the first letter); an MTA that
 * cannot be asked sends its default, where the service may come later than the client.
 */
#include "milter.h"
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 255 /* of host and daemon names: RFC 1035 allows 253, the rest is cut */

const char *const macros_asked[MACRO_STEPS] = {
    "{daemon_name} {daemon_port} {daemon_addr} {client_name} {client_resolve} {tls_version} {cipher}",
    "{daemon_name} {daemon_port} {tls_version} {cipher}",
    "i {daemon_name} {daemon_port} {tls_version} {cipher} {auth_authen} {auth_type} {mail_addr}",
    "i {rcpt_addr} {rcpt_mailer}",
    "i",
    "i",
    NULL,
};

/* ---- the client ------------------------------------------------------------------- */

static char *name_copy(const char *name)
{
	size_t n = name ? strnlen(name, NAME_MAX_BYTES) : 0;
	char *copy = xmalloc(n + 1);

	return n ? memcpy(copy, name, n) : copy;
}

/* The name that the MTA has verified. Sendmail shows a name that does not lead back to
 * the client as host, and says so in {client_resolve}; "[192.0.2.1]" and
 * Postfix's "unknown" mean that there is none. */
static const char *client_name(const char *host, const struct connect_macros *macros)
{
	const char *name = macros->client_name ? macros->client_name : host;

	if (!name || name[0] == '[' || slice_equal_nocase(slice_of(name), SLICE("unknown")))
		return "";
	if (macros->client_resolve && strcmp(macros->client_resolve, "OK") != 0)
		return "";
	return name;
}

static unsigned client_port(const struct sockaddr *address)
{
	if (address && address->sa_family == AF_INET)
		return ntohs(((const struct sockaddr_in *)address)->sin_port);
	if (address && address->sa_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)address)->sin6_port);
	return 0;
}

static bool client_is_loopback(struct ip ip)
{
	static const struct ip six = {6, {[15] = 1}};

	return (ip.family == 4 && ip.bytes[0] == 127) || ip_equal(ip, six);
}

/* Mail that a program of this host submitted: Postfix's sendmail command comes
 * from 127.0.0.1 with client and daemon port 0, Sendmail -bs from "localhost"
 * without an address. A disconnected SMTP client of Postfix has no
 * address either, but its name is "unknown". */
static bool client_is_program(const char *host, const struct sockaddr *address, const struct client *client,
			      const struct connect_macros *macros)
{
	if (address && address->sa_family == AF_UNIX)
		return true;
	if (client->ip.family == 0)
		return slice_equal_nocase(slice_of(host), SLICE("localhost"));
	if (!client_is_loopback(client->ip))
		return false;
	return client->port == 0 || (macros->daemon_port && strcmp(macros->daemon_port, "0") == 0);
}

bool client_complete(struct client *client, const struct connect_macros *macros)
{
	uint64_t port;
	bool news = false;

	if (client->daemon_port == 0 && slice_number(slice_of(macros->daemon_port), 65535, &port) == 0 && port > 0) {
		client->daemon_port = (unsigned)port;
		news = true;
	}
	if (client->daemon_ip.family == 0 && ip_parse(slice_of(macros->daemon_addr), &client->daemon_ip) == 0)
		news = true;
	if ((!client->daemon_name || !client->daemon_name[0]) && macros->daemon_name && macros->daemon_name[0]) {
		free(client->daemon_name);
		client->daemon_name = name_copy(macros->daemon_name);
		news = true;
	}
	return news;
}

void client_read(const char *host, const struct sockaddr *address, const struct connect_macros *macros,
		 struct client *client_r)
{
	memset(client_r, 0, sizeof(*client_r));
	client_r->ip = ip_of_sockaddr(address);
	client_r->port = client_port(address);
	client_r->local_program = client_is_program(host, address, client_r, macros);
	client_r->name = name_copy(client_name(host, macros));
	client_r->daemon_name = name_copy("");
	client_complete(client_r, macros);
}

void client_free(struct client *client)
{
	free(client->name);
	free(client->daemon_name);
	memset(client, 0, sizeof(*client));
}
