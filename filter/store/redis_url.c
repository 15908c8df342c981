/*
 * redis_url.c - where a Redis server is.
 */
#include "redis_url.h"

#include <stdio.h>

#define FORMS "redis://HOST:PORT/DATABASE, rediss://HOST:PORT/DATABASE (with TLS) or redis+unix:///PATH?db=DATABASE"

static int take(char *to, size_t room, struct slice text)
{
	if (text.n >= room || slice_find(text, '\0') >= 0)
		return -1;
	snprintf(to, room, "%.*s", SLICE_ARGS(text));
	return 0;
}

/* "USER@" in front of the host or path; a ":" in it would begin a password. */
static int take_user(struct slice *rest, struct redis_url *url, struct error *err)
{
	ptrdiff_t at = slice_find_last(*rest, '@');
	struct slice user = slice_head(*rest, at < 0 ? 0 : (size_t)at);

	if (at < 0)
		return 0;
	if (slice_find(user, ':') >= 0) {
		error_set(err, "the URL of a store is shown in logs; write the password into a file that only the "
			       "daemon may read, and name it with \"password-file\"");
		return -1;
	}
	*rest = slice_from(*rest, (size_t)at + 1);
	if (take(url->user, sizeof(url->user), user) == 0)
		return 0;
	error_set(err, "the user in the URL of a store can have at most %zu bytes", sizeof(url->user) - 1);
	return -1;
}

static int take_database(struct slice text, struct redis_url *url, struct error *err)
{
	uint64_t database = 0;

	if (text.n > 0 && slice_number(text, REDIS_DATABASE_MAX, &database) < 0) {
		error_set(err, "\"%.*s\" is not the number of a database of Redis (0 to %d)",
			  SLICE_ARGS(slice_head(text, 100)), REDIS_DATABASE_MAX);
		return -1;
	}
	url->database = (unsigned)database;
	return 0;
}

static int take_path(struct slice rest, struct redis_url *url, struct error *err)
{
	struct slice query = SLICE("?db="), database = SLICE("");
	ptrdiff_t mark = slice_find(rest, '?');

	if (mark >= 0) {
		database = slice_from(rest, (size_t)mark);
		rest = slice_head(rest, (size_t)mark);
	}
	if (rest.n < 2 || rest.p[0] != '/' || take(url->path, sizeof(url->path), rest) < 0 ||
	    (mark >= 0 && !slice_starts_nocase(database, query))) {
		error_set(err,
			  "redis+unix:// needs the absolute path of a socket, of at most %zu bytes, as in "
			  "redis+unix:///run/redis/redis.sock?db=0",
			  sizeof(url->path) - 1);
		return -1;
	}
	return take_database(mark >= 0 ? slice_from(database, query.n) : SLICE(""), url, err);
}

/* HOST, HOST:PORT, [ADDRESS], [ADDRESS]:PORT */
static bool take_host(struct slice text, struct redis_url *url)
{
	struct slice host = text, port = SLICE(REDIS_PORT);
	ptrdiff_t end = text.n > 0 && text.p[0] == '[' ? slice_find(text, ']') : -1;
	ptrdiff_t colon = slice_find_last(text, ':');
	uint64_t number;
	struct ip ip;

	if (colon > end) {
		port = slice_from(text, (size_t)colon + 1);
		host = slice_head(text, (size_t)colon);
	}
	if (end >= 0) {
		host = (struct slice){text.p + 1, (size_t)end - 1};
		if (ip_parse(host, &ip) < 0 || (size_t)end + 1 != (colon > end ? (size_t)colon : text.n))
			return false;
	} else if (slice_find(host, ':') >= 0) {
		return false;
	}
	return host.n > 0 && slice_find(host, '/') < 0 && slice_number(port, 65535, &number) == 0 && number > 0 &&
	       take(url->host, sizeof(url->host), host) == 0 && take(url->port, sizeof(url->port), port) == 0;
}

int redis_url_parse(struct slice rest, struct redis_url *url_r, struct error *err)
{
	static const struct slice tcp = SLICE("://"), tls = SLICE("s://"), path = SLICE("+unix://");
	ptrdiff_t slash;

	*url_r = (struct redis_url){.tls = slice_starts_nocase(rest, tls)};
	if (slice_starts_nocase(rest, path)) {
		rest = slice_from(rest, path.n);
		return take_user(&rest, url_r, err) == 0 ? take_path(rest, url_r, err) : -1;
	}
	if (!url_r->tls && !slice_starts_nocase(rest, tcp)) {
		error_set(err, "a store in Redis is " FORMS);
		return -1;
	}
	rest = slice_from(rest, url_r->tls ? tls.n : tcp.n);
	if (take_user(&rest, url_r, err) < 0)
		return -1;
	slash = slice_find(rest, '/');
	if (slash >= 0 && take_database(slice_from(rest, (size_t)slash + 1), url_r, err) < 0)
		return -1;
	if (take_host(slice_head(rest, slash < 0 ? rest.n : (size_t)slash), url_r))
		return 0;
	error_set(err, "the URL has no usable host and port; a store in Redis is " FORMS);
	return -1;
}
