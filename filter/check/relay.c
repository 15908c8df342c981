/*
 * relay.c - mail that comes through a server of our own (`list relays`: a secondary MX,
 * a forwarder): who handed it to that server?
 *
 * The relay's Received field is on top of the header. It is trusted only when it was
 * written by the server that gave us the mail: what follows `by` is the name or the address by which we
 * know it. When the relay got the mail from another relay, the field of that one is next. When the relay got it from
 * itself, a content filter or the relay wrote the next field. In every
 * other case the origin is lost, with a reason: no result may be based on a wrong address.
 */
#include "check_private.h"

#define RELAY_HOPS_MAX 10 /* fields that are read; mail within a site passes fewer servers */

/* The server that wrote a field, as known to the server that took mail from it. */
struct writer {
	struct slice helo, name;
	struct ip ip;
	bool within; /* it handed the mail to itself: the next field can be that of a filter there, which calls itself
			localhost */
};

enum truth relay_is(const struct check_settings *settings, struct ip client)
{
	if (!settings->relays || client.family == 0)
		return TRUTH_FALSE;
	return list_has(settings->relays, NULL, &(struct list_key){.kind = LIST_IP, .ip = client});
}

static bool is_in(const char *net, struct ip ip)
{
	struct ip_net parsed;

	return ip_net_parse(slice_of(net), &parsed) == 0 && ip_net_contains(&parsed, ip);
}

static bool is_loopback(struct ip ip)
{
	return is_in("127.0.0.0/8", ip) || is_in("::1", ip);
}

static bool is_name(struct slice by, struct slice known)
{
	if (known.n > 1 && known.p[known.n - 1] == '.')
		known.n--;
	if (by.n > 1 && by.p[by.n - 1] == '.')
		by.n--;
	return known.n > 0 && !slice_equal_nocase(known, SLICE("unknown")) && slice_equal_nocase(by, known);
}

static bool is_here(const struct received *received)
{
	static const struct slice names[] = {SLICE("localhost"), SLICE("localhost.localdomain"), SLICE("localhost4"),
					     SLICE("localhost6"), SLICE("ip6-localhost")};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (is_name(received->by, names[i]))
			return true;
	return received->by_ip.family && is_loopback(received->by_ip);
}

/* A filter can pass the mail to us itself: then its own field, about mail from its own host, is the first. */
static bool is_written_by(const struct received *received, const struct writer *writer)
{
	bool within = writer->within || is_loopback(received->ip);

	return (within && is_here(received)) || is_name(received->by, writer->helo) ||
	       is_name(received->by, writer->name) || (received->by_ip.family && ip_equal(received->by_ip, writer->ip));
}

/* RFC 1918, RFC 4193, RFC 3927, RFC 4291: no client from outside has such an address. */
static bool is_private(struct ip ip)
{
	static const char *const nets[] = {"10.0.0.0/8",     "172.16.0.0/12", "192.168.0.0/16",
					   "169.254.0.0/16", "fc00::/7",      "fe80::/10"};

	for (size_t i = 0; i < sizeof(nets) / sizeof(nets[0]); i++)
		if (is_in(nets[i], ip))
			return true;
	return false;
}

static bool is_trusted(const struct check_settings *settings, struct ip ip)
{
	for (size_t i = 0; i < settings->trusted.count; i++)
		if (ip_net_contains(&settings->trusted.items[i], ip))
			return true;
	return false;
}

static struct origin lost(const char *reason)
{
	return (struct origin){.helo = SLICE(""), .reason = reason};
}

static struct origin follow(struct view *view)
{
	const struct headers *headers = &view->message->headers;
	struct writer writer = {view->session->helo, view->session->client_name, view->session->client, false};
	struct received received;

	for (unsigned hop = 1; hop <= RELAY_HOPS_MAX; hop++) {
		const struct header_field *field = headers_find(headers, SLICE("Received"), hop);
		enum truth relay;

		if (!field)
			return lost("relay: it added no Received field");
		if (!received_parse(field->value, view->message->arena, &received))
			return lost("relay: its Received field cannot be read");
		if (!is_written_by(&received, &writer))
			return lost("relay: the topmost Received field was not written by it");
		writer.within = is_loopback(received.ip);
		if (writer.within)
			continue;
		relay = relay_is(view->settings, received.ip);
		if (relay == TRUTH_UNKNOWN)
			return lost("relay: the list of relays cannot be read");
		if (relay == TRUTH_TRUE) {
			writer = (struct writer){received.helo, received.name, received.ip, false};
			continue;
		}
		if (is_trusted(view->settings, received.ip) || is_private(received.ip))
			return lost("relay: it took the mail from an inner network");
		return (struct origin){.known = true, .ip = received.ip, .helo = received.helo};
	}
	return lost("relay: it came through too many relays");
}

struct origin relay_origin(struct view *view)
{
	switch (relay_is(view->settings, view->session->client)) {
	case TRUTH_FALSE:
		break;
	case TRUTH_UNKNOWN:
		return lost("the list of relays cannot be read");
	case TRUTH_TRUE:
		if (view->stage == STAGE_MESSAGE)
			return follow(view);
		return (struct origin){.pending = true, .helo = SLICE(""), .reason = "relay"};
	}
	return (struct origin){.known = true, .ip = view->session->client, .helo = view->session->helo};
}
