/*
 * web_private.h - what the files of the web share.
 */
#ifndef SEKISHO_WEB_PRIVATE_H
#define SEKISHO_WEB_PRIVATE_H

#include "http_library.h"
#include "web.h"
#include <pthread.h>

#define CONNECTIONS_MAX    64                 /* at once; others wait in the kernel */
#define CONNECTIONS_OF_ONE 32                 /* from one address */
#define CONNECTION_US      (20 * 1000 * 1000) /* the life of a connection: for one request and its answer */
#define CONNECTION_IDLE_S  10
#define CONNECTION_MEMORY  (32 * 1024) /* for the request line and its header */

/* ---- connections.c: none lives longer than CONNECTION_US. Called by the thread of the web alone ---- */

struct connections {
	struct {
		int fd; /* -1: free */
		int64_t began_us;
	} items[CONNECTIONS_MAX];
};
void connections_init(struct connections *);
void connection_begins(struct connections *, int fd);
void connection_ends(struct connections *, int fd);
void connections_sweep(struct connections *, int64_t now_us);

/* ---- http.c ---- */

struct request;
int request_fd(const struct request *); /* the descriptor of its connection */
struct ip request_client(const struct request *);
const char *request_header(const struct request *, const char *name); /* NULL: it has none */
const char *request_argument(const struct request *, const char *name);

/* ---- host.c ---- */

/* May a request with this Host header be answered? A page of a stranger whose name was made to point at us (DNS
 * rebinding) has the stranger's name in it. NULL: no header. */
bool host_is_ours(const struct web_setting *, const char *host);

/* ---- login.c ---- */

#define LOGIN_CLIENTS 1024 /* places; clients whose hashes agree share their attempts */

struct login_client {
	int64_t since_us;  /* 0: never seen */
	unsigned attempts; /* left */
};
struct logins {
	unsigned char key[32]; /* of the mark; lost with the process */
	unsigned char mark[HASH_KEYED_SIZE];
	bool known; /* the mark is of a password that was right */
	struct login_client clients[LOGIN_CLIENTS];
};
enum login_answer { LOGIN_OK, LOGIN_NO, LOGIN_OFTEN, LOGIN_BROKEN };

void logins_init(struct logins *);
int login_file_check(const char *path, struct error *err); /* 0, or -1 and err */
enum login_answer login_check(const struct request *);

/* ---- server.c ---- */

struct web {
	const struct http_library *http;
	struct web_host *host;
	const struct web_setting *setting;
	int fd;
	struct MHD_Daemon *server;
	pthread_t thread;
	bool running;
	_Atomic bool ending;
	struct connections connections; /* of the thread alone, as is what follows */
	struct logins logins;
};
extern const char *const web_headers[]; /* of every answer: name, value, ..., NULL */

/* ---- answers ---- */

struct answer {
	unsigned status;
	const char *type;
	struct slice body;          /* in the arena */
	const char *header, *value; /* one more; NULL: none */
};

struct request {
	struct web *web;
	struct MHD_Connection *connection;
	const char *path;
	struct arena *arena; /* of the request */
};

/* ---- page.c, domains.c, search.c ---- */

void page_overview(const struct request *, struct answer *answer_r);
void page_domains(const struct request *, struct answer *answer_r);
void page_search(const struct request *, struct answer *answer_r);
void page_style(const struct request *, struct answer *answer_r);
void page_icon(const struct request *, struct answer *answer_r);

/* ---- web.c ---- */

void web_answer(const struct request *, const char *method, struct answer *answer_r);

/* ---- metric_sample.c, metric_read.c ---- */

/* What is being printed. */
struct metric_samples {
	struct text text;
	const struct metric *metric;
	bool openmetrics;
	size_t count; /* of the metric */
};
struct label {
	const char *name;
	struct slice value;
};
void sample_add(struct metric_samples *, double value, const struct label *labels, size_t count);
void sample_histogram(struct metric_samples *, const struct meter_times *, const struct label *labels, size_t count);

#define METRIC_READERS                                                                                                 \
	X(build)                                                                                                       \
	X(uptime)                                                                                                      \
	X(policy_read)                                                                                                 \
	X(reloads)                                                                                                     \
	X(reloads_failed)                                                                                              \
	X(rules)                                                                                                       \
	X(doors)                                                                                                       \
	X(sessions)                                                                                                    \
	X(sessions_open)                                                                                               \
	X(messages)                                                                                                    \
	X(messages_open)                                                                                               \
	X(verdicts)                                                                                                    \
	X(would)                                                                                                       \
	X(recipients_refused)                                                                                          \
	X(unchecked)                                                                                                   \
	X(disagreements)                                                                                               \
	X(callbacks)                                                                                                   \
	X(dns_wait)                                                                                                    \
	X(dns_questions)                                                                                               \
	X(dns_cache_hits)                                                                                              \
	X(dns_joined)                                                                                                  \
	X(dns_asked)                                                                                                   \
	X(dns_failures)                                                                                                \
	X(dns_stale)                                                                                                   \
	X(dns_cache_entries)                                                                                           \
	X(list_ready)                                                                                                  \
	X(list_failing)                                                                                                \
	X(list_read)                                                                                                   \
	X(list_entries)                                                                                                \
	X(store_requests)                                                                                              \
	X(store_unanswered)                                                                                            \
	X(store_failures)                                                                                              \
	X(store_keys)                                                                                                  \
	X(store_bytes)                                                                                                 \
	X(store_limit)                                                                                                 \
	X(store_damaged)                                                                                               \
	X(history_written)                                                                                             \
	X(history_lost)                                                                                                \
	X(history_failures)                                                                                            \
	X(history_bytes)                                                                                               \
	X(reports_sent)                                                                                                \
	X(reports_refused)                                                                                             \
	X(reports_suppressed)                                                                                          \
	X(reports_failures)                                                                                            \
	X(reports_dropped)                                                                                             \
	X(reports_waiting)                                                                                             \
	X(history_limit)                                                                                               \
	X(log_lost)
#define X(name) void read_##name(struct metric_samples *, const struct web_state *, const struct engine *);
METRIC_READERS
#undef X

#endif
