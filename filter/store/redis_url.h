/*
 * redis_url.h - where a Redis server is.
 *
 *	redis://[USER@]HOST[:PORT][/DATABASE]
 *	rediss://[USER@]HOST[:PORT][/DATABASE]           with TLS
 *	redis+unix://[USER@]/PATH[?db=DATABASE]          a unix socket
 *
 * HOST is a name, an IPv4 address, or an IPv6 address in brackets. A URL has no password: it is shown in the log.
 */
#ifndef SEKISHO_STORE_REDIS_URL_H
#define SEKISHO_STORE_REDIS_URL_H

#include "base.h"

#define REDIS_PORT         "6379"
#define REDIS_DATABASE_MAX 9999

struct redis_url {
	bool tls;
	char path[108]; /* of a unix socket, as long as sun_path (unix(7)); "": host and port */
	char host[256];
	char port[6];
	char user[128]; /* "": the default user */
	unsigned database;
};

/* `rest` is what follows "redis". 0, or -1 and err. */
int redis_url_parse(struct slice rest, struct redis_url *url_r, struct error *err);

#endif
