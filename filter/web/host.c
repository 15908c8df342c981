/*
 * host.c - the Host header (RFC 9110 7.2) against DNS rebinding: a browser sends the name in the address bar. A
 * stranger can make his name point at 127.0.0.1, but not make the browser send another one.
 */
#include "web_private.h"

/* Without the port; without brackets. */
static struct slice name_in(struct slice host)
{
	ptrdiff_t end;

	if (host.n && host.p[0] == '[') {
		end = slice_find(host, ']');
		return end > 0 ? slice_head(slice_from(host, 1), (size_t)end - 1) : host;
	}
	end = slice_find(host, ':');
	return end >= 0 ? slice_head(host, (size_t)end) : host;
}

bool host_is_ours(const struct web_setting *setting, const char *said)
{
	struct slice name = name_in(slice_of(said));
	struct ip ip;

	if (setting->address.family == LISTEN_UNIX) /* no browser connects to it by a name */
		return true;
	if (!said || name.n == 0)
		return false;
	if (ip_parse(name, &ip) == 0 || slice_equal_nocase(name, SLICE("localhost")) ||
	    slice_equal_nocase(name, slice_of(setting->address.host)))
		return true;
	for (size_t i = 0; i < setting->hosts.count; i++)
		if (slice_equal_nocase(name, setting->hosts.items[i]))
			return true;
	return false;
}
