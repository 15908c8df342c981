/*
 * listen.c - parses the address of the setting `listen`.
 *
 *     unix:/PATH            inet:PORT@HOST    inet:PORT
 *     fd:NUMBER             inet6:PORT@HOST   inet6:PORT    (HOST may be in [ ])
 */
#include "base.h"

#define PORT_MAX 65535
#define FD_MAX   65535 /* the kernel's usual limit of descriptors is far lower */

static int bad(const char *why, struct error *err)
{
	error_set(err, "%s", why);
	return -1;
}

static int read_unix(struct slice path, struct listen_address *address_r, struct error *err)
{
	if (path.n < 2 || path.p[0] != '/')
		return bad("a socket path must begin with /", err);
	if (path.n >= sizeof(address_r->path))
		return bad("a socket path can have at most 107 bytes", err);
	if (slice_find(path, '\0') >= 0)
		return bad("the path contains a NUL byte", err);
	memcpy(address_r->path, path.p, path.n);
	return 0;
}

static bool is_host_name(struct slice host)
{
	for (size_t i = 0; i < host.n; i++) {
		char c = host.p[i];

		if (!(is_letter(c) || is_digit(c) || c == '-' || c == '.'))
			return false;
	}
	return host.n > 0;
}

/* An address of the family, or a name; brackets are optional. */
static int read_host(struct slice host, struct listen_address *address_r, struct error *err)
{
	struct ip ip;

	if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = slice_head(slice_from(host, 1), host.n - 2);
	if (host.n == 0)
		return bad("no address follows @", err);
	if (host.n >= sizeof(address_r->host))
		return bad("the host name is too long", err);
	if (ip_parse(host, &ip) == 0) {
		if ((ip.family == 4) != (address_r->family == LISTEN_INET))
			return bad("inet takes an IPv4 address, inet6 an IPv6 address", err);
	} else if (!is_host_name(host)) {
		return bad("the text after @ is not an address or a host name", err);
	}
	memcpy(address_r->host, host.p, host.n);
	return 0;
}

static int read_inet(struct slice rest, struct listen_address *address_r, struct error *err)
{
	struct slice text;
	uint64_t port;

	if (!slice_cut(&rest, '@', &text) || slice_number(text, PORT_MAX, &port) != 0 || port == 0)
		return bad("the port must be a number from 1 to 65535", err);
	address_r->port = (unsigned)port;
	return rest.p ? read_host(rest, address_r, err) : 0;
}

static int read_fd(struct slice text, struct listen_address *address_r, struct error *err)
{
	uint64_t number;

	if (slice_number(text, FD_MAX, &number) != 0)
		return bad("the descriptor must be a number up to 65535", err);
	address_r->fd = (int)number;
	return 0;
}

static const struct {
	struct slice prefix;
	enum listen_family family;
	int (*read)(struct slice rest, struct listen_address *, struct error *);
} families[] = {
    {SLICE("unix:"), LISTEN_UNIX, read_unix},
    {SLICE("inet:"), LISTEN_INET, read_inet},
    {SLICE("inet6:"), LISTEN_INET6, read_inet},
    {SLICE("fd:"), LISTEN_FD, read_fd},
};

int listen_parse(struct slice text, struct listen_address *address_r, struct error *err)
{
	memset(address_r, 0, sizeof(*address_r));
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		if (!slice_starts_nocase(text, families[i].prefix))
			continue;
		address_r->family = families[i].family;
		return families[i].read(slice_from(text, families[i].prefix.n), address_r, err);
	}
	return bad("it must begin with inet:, inet6:, unix: or fd:", err);
}
