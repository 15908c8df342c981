/*
 * redis_tls.c - TLS to a server, by OpenSSL over a socket that never blocks. Writing to a closed connection raises
 * SIGPIPE, which the daemon ignores.
 */
#include "redis_link.h"
#include "store.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <poll.h>

SSL_CTX *redis_tls_context(const char *ca_file, struct error *err)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	int loaded;

	if (!ctx)
		die("out of memory: the settings of TLS");
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_mode(ctx, SSL_MODE_AUTO_RETRY | SSL_MODE_ENABLE_PARTIAL_WRITE);
	loaded = ca_file ? SSL_CTX_load_verify_file(ctx, ca_file) : SSL_CTX_set_default_verify_paths(ctx);
	ERR_clear_error();
	if (loaded == 1)
		return ctx;
	SSL_CTX_free(ctx);
	error_set(err, "ca-file %s: no certificates in PEM format can be read from this file",
		  ca_file ? ca_file : "of the system");
	return NULL;
}

int store_check_ca_file(const char *path, struct error *err)
{
	SSL_CTX *ctx = redis_tls_context(path, err);

	SSL_CTX_free(ctx);
	return ctx ? 0 : -1;
}

/* After a call that did not work: what to wait for, or WIRE_CLOSED. */
static enum redis_wire again(struct redis_link *link, int result, int64_t deadline_us)
{
	int reason = SSL_get_error(link->ssl, result);

	ERR_clear_error();
	if (reason == SSL_ERROR_WANT_READ)
		return redis_link_wait(link, POLLIN, deadline_us);
	if (reason == SSL_ERROR_WANT_WRITE)
		return redis_link_wait(link, POLLOUT, deadline_us);
	return WIRE_CLOSED;
}

static bool expect_host(SSL *ssl, const char *host)
{
	struct ip ip;

	if (ip_parse(slice_of(host), &ip) == 0)
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
	return SSL_set_tlsext_host_name(ssl, host) == 1 && SSL_set1_host(ssl, host) == 1;
}

static void why_not(SSL *ssl, int reason, unsigned long code, struct error *err)
{
	long verified = SSL_get_verify_result(ssl);
	const char *text = code ? ERR_reason_error_string(code) : NULL;

	if (verified != X509_V_OK)
		error_set(err, "TLS: the certificate of the server is not accepted: %s",
			  X509_verify_cert_error_string(verified));
	else if (text)
		error_set(err, "TLS: %s", text);
	else
		error_set(err, "TLS: %s",
			  reason == SSL_ERROR_WANT_READ ? "the server does not answer in time"
							: "the server closed the connection");
}

int redis_tls_begin(struct redis_link *link, SSL_CTX *ctx, const char *host, int64_t deadline_us, struct error *err)
{
	int result, reason;
	unsigned long code;

	link->ssl = SSL_new(ctx);
	if (!link->ssl)
		die("out of memory: TLS");
	if (SSL_set_fd(link->ssl, link->fd) != 1 || !expect_host(link->ssl, host)) {
		ERR_clear_error();
		error_set(err, "TLS: OpenSSL does not take the host \"%s\"", host);
		return -1;
	}
	for (;;) {
		ERR_clear_error();
		result = SSL_connect(link->ssl);
		if (result == 1)
			return 0;
		reason = SSL_get_error(link->ssl, result);
		code = ERR_peek_error();
		if (again(link, result, deadline_us) != WIRE_OK)
			break;
	}
	why_not(link->ssl, reason, code, err);
	ERR_clear_error();
	return -1;
}

enum redis_wire redis_tls_send(struct redis_link *link, struct slice bytes, int64_t deadline_us)
{
	enum redis_wire wire = WIRE_OK;

	while (bytes.n > 0 && wire == WIRE_OK) {
		size_t n = 0;
		int result;

		ERR_clear_error();
		result = SSL_write_ex(link->ssl, bytes.p, bytes.n, &n);
		if (result == 1)
			bytes = slice_from(bytes, n);
		else
			wire = again(link, result, deadline_us);
	}
	return wire;
}

enum redis_wire redis_tls_receive(struct redis_link *link, char *to, size_t room, size_t *n_r, int64_t deadline_us)
{
	for (;;) {
		enum redis_wire wire;
		int result;

		ERR_clear_error();
		result = SSL_read_ex(link->ssl, to, room, n_r);
		if (result == 1)
			return clock_us() < deadline_us ? WIRE_OK : WIRE_TIMEOUT;
		wire = again(link, result, deadline_us);
		if (wire != WIRE_OK)
			return wire;
	}
}
