/*
 * http.c - what libmicrohttpd says of a request.
 */
#include "web_private.h"

int request_fd(const struct request *request)
{
	const union MHD_ConnectionInfo *info =
	    request->web->http->MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	return info ? info->connect_fd : -1;
}

struct ip request_client(const struct request *request)
{
	const union MHD_ConnectionInfo *info =
	    request->web->http->MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

	return ip_of_sockaddr(info ? info->client_addr : NULL);
}

const char *request_header(const struct request *request, const char *name)
{
	return request->web->http->MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

const char *request_argument(const struct request *request, const char *name)
{
	return request->web->http->MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}
