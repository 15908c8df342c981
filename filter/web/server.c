/*
 * server.c - the thread of the web, and libmicrohttpd, which reads requests and writes answers. With http.c the only
 * user of it.
 *
 * A connection is for one request: so its life is short, and what it may take is bounded by the constants of
 * web_private.h.
 */
#include "web_private.h"
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TICK_MS 250 /* how soon it ends when asked, and looks for old connections */
#define NICE    10  /* mail first */

/* Nothing from elsewhere, no script, no frame; only our own style sheet. */
#define POLICY                                                                                                         \
	"default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "                  \
	"frame-ancestors 'none'"

const char *const web_headers[] = {"Content-Security-Policy",
				   POLICY,
				   "X-Content-Type-Options",
				   "nosniff",
				   "X-Frame-Options",
				   "DENY",
				   "Referrer-Policy",
				   "no-referrer",
				   "Cross-Origin-Resource-Policy",
				   "same-origin",
				   "Cache-Control",
				   "no-store",
				   "Connection",
				   "close",
				   NULL};

/* ---- a request --------------------------------------------------------------------------------------------- */

static enum MHD_Result answer_send(const struct request *request, const struct answer *answer)
{
	const struct http_library *http = request->web->http;
	struct MHD_Response *response = http->MHD_create_response_from_buffer(
	    answer->body.n, (void *)(uintptr_t)answer->body.p, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	for (size_t i = 0; web_headers[i]; i += 2)
		http->MHD_add_response_header(response, web_headers[i], web_headers[i + 1]);
	http->MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->type);
	if (answer->header)
		http->MHD_add_response_header(response, answer->header, answer->value);
	result = http->MHD_queue_response(request->connection, answer->status, response);
	http->MHD_destroy_response(response);
	return result;
}

/* Called first with the header alone; a request without a body is answered at the second call. */
static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *path, const char *method,
			      const char *version, const char *upload, size_t *upload_n, void **seen)
{
	struct request request = {.web = context, .connection = connection, .path = path};
	struct answer answer;
	enum MHD_Result result;

	(void)version, (void)upload, (void)upload_n;
	if (!*seen && (strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0)) {
		*seen = context;
		return MHD_YES;
	}
	request.arena = arena_new();
	web_answer(&request, method, &answer);
	result = answer_send(&request, &answer);
	arena_free(request.arena);
	return result;
}

static void connection_changed(void *context, struct MHD_Connection *connection, void **socket_context,
			       enum MHD_ConnectionNotificationCode code)
{
	struct web *web = context;
	int fd = request_fd(&(struct request){.web = web, .connection = connection});

	(void)socket_context;
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		connection_begins(&web->connections, fd);
	else
		connection_ends(&web->connections, fd);
}

/* ---- the thread ------------------------------------------------------------------------------------------------ */

static void be_quiet(void *context, const char *format, va_list arguments)
{
	(void)context, (void)format, (void)arguments; /* what clients do wrong would fill the log */
}

static struct MHD_Daemon *server_open(struct web *web)
{
	return web->http->MHD_start_daemon(
	    MHD_USE_EPOLL | MHD_USE_ERROR_LOG, 0, NULL, NULL, handle, web, MHD_OPTION_EXTERNAL_LOGGER, be_quiet, NULL,
	    MHD_OPTION_LISTEN_SOCKET, web->fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
	    MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)CONNECTIONS_OF_ONE, MHD_OPTION_CONNECTION_TIMEOUT,
	    (unsigned)CONNECTION_IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
	    MHD_OPTION_NOTIFY_CONNECTION, connection_changed, web, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
}

static void *server_run(void *context)
{
	struct web *web = context;

	setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICE);
	while (!web->ending) {
		web->http->MHD_run_wait(web->server, TICK_MS);
		connections_sweep(&web->connections, clock_us());
	}
	return NULL;
}

int web_library(struct error *err)
{
	return http_library_open(err) ? 0 : -1;
}

struct web *web_open(struct web_host *host, int fd, const struct web_setting *setting, struct error *err)
{
	struct web *web = xmalloc(sizeof(*web));

	web->host = host;
	web->fd = fd;
	web->setting = setting;
	connections_init(&web->connections);
	logins_init(&web->logins);
	web->http = http_library_open(err);
	if (!web->http || (setting->password_file && login_file_check(setting->password_file, err) != 0)) {
		free(web);
		return NULL;
	}
	web->server = server_open(web);
	if (web->server)
		return web;
	error_set(err, "web: libmicrohttpd cannot use the socket");
	free(web);
	return NULL;
}

int web_start(struct web *web, struct error *err)
{
	int result = pthread_create(&web->thread, NULL, server_run, web);

	web->running = result == 0;
	if (result)
		error_set(err, "cannot start the thread of the web: %s", strerror(result));
	return result ? -1 : 0;
}

bool web_stop(struct web *web, int64_t until_us)
{
	int64_t until = clock_wall_us() + until_us - clock_us();
	struct timespec at = {.tv_sec = until / 1000000, .tv_nsec = until % 1000000 * 1000};

	web->ending = true;
	if (!web->running)
		return true;
	if (pthread_timedjoin_np(web->thread, NULL, &at) == 0) {
		web->running = false;
		return true;
	}
	pthread_detach(web->thread);
	return false;
}

void web_close(struct web *web)
{
	if (!web)
		return;
	web->http->MHD_quiesce_daemon(web->server); /* the socket is not ours to close */
	web->http->MHD_stop_daemon(web->server);
	free(web);
}
