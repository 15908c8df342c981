/*
 * tls.h - TLS as a client that looks at everything and trusts nothing: the handshake never fails for the sake of a
 * certificate, which is judged afterwards.
 */
#ifndef SEKISHO_PROBE_TLS_H
#define SEKISHO_PROBE_TLS_H

#include "talk.h"

/* NULL: OpenSSL has no memory, or the file with certificates cannot be read (err). */
SSL_CTX *tls_context(const char *ca_file, struct error *err);

/* A session for the host; usable TLSA records are checked with it. NULL: out of memory. */
SSL *tls_session(SSL_CTX *, const struct probe_smtp_request *, enum probe_dane *dane_r);

/* After the handshake: the certificate, and whether a TLSA record fits. */
void tls_judge(SSL *, SSL_CTX *, const struct probe_smtp_request *, struct arena *, struct probe_smtp *result);

#endif
