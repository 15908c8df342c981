/*
 * tls.c - what a server's certificate says, whether it is trusted, and whether TLSA records fit it (RFC 7672).
 */
#include "tls.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <time.h>

#define NAME_SHOWN_MAX 1000 /* bytes of a subject or issuer */
#define DANE_TA        2
#define DANE_EE        3

SSL_CTX *tls_context(const char *ca_file, struct error *err)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (!ctx || SSL_CTX_dane_enable(ctx) != 1) {
		error_set(err, "OpenSSL does not start");
		SSL_CTX_free(ctx);
		return NULL;
	}
	/* Old versions and short keys are shown, not refused: mail goes there all the same. */
	SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
	SSL_CTX_set_security_level(ctx, 0);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	if (!ca_file)
		SSL_CTX_set_default_verify_paths(ctx);
	else if (SSL_CTX_load_verify_file(ctx, ca_file) != 1) {
		ERR_clear_error();
		error_set(err, "%s: no certificates in PEM format can be read from this file", ca_file);
		SSL_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

/* Only DANE-TA and DANE-EE are usable for SMTP between servers (RFC 7672 3.1.3). */
static void add_tlsa(SSL *ssl, const struct probe_smtp_request *request, enum probe_dane *dane_r)
{
	*dane_r = request->tlsa_count > 0 ? PROBE_DANE_UNUSABLE : PROBE_DANE_NONE;
	for (size_t i = 0; i < request->tlsa_count; i++) {
		const struct probe_tlsa *tlsa = &request->tlsa[i];

		if (tlsa->usage != DANE_TA && tlsa->usage != DANE_EE)
			continue;
		if (SSL_dane_tlsa_add(ssl, (uint8_t)tlsa->usage, (uint8_t)tlsa->selector, (uint8_t)tlsa->matching,
				      (const unsigned char *)tlsa->data.p, tlsa->data.n) == 1)
			*dane_r = PROBE_DANE_MISMATCH;
		ERR_clear_error();
	}
}

SSL *tls_session(SSL_CTX *ctx, const struct probe_smtp_request *request, enum probe_dane *dane_r)
{
	SSL *ssl = SSL_new(ctx);
	char host[256];

	*dane_r = PROBE_DANE_NONE;
	if (!ssl || request->host.n == 0 || request->host.n >= sizeof(host))
		return ssl;
	memcpy(host, request->host.p, request->host.n);
	host[request->host.n] = '\0';
	SSL_set_tlsext_host_name(ssl, host);
	if (request->tlsa_count > 0 && SSL_dane_enable(ssl, host) == 1) {
		SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
		add_tlsa(ssl, request, dane_r);
	}
	return ssl;
}

static struct slice name_text(const X509_NAME *name, struct arena *arena)
{
	BIO *bio = BIO_new(BIO_s_mem());
	struct slice text = SLICE("");
	char *bytes;
	long n;

	if (bio && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0 && (n = BIO_get_mem_data(bio, &bytes)) > 0)
		text = arena_copy(arena, slice_head((struct slice){bytes, (size_t)n}, NAME_SHOWN_MAX));
	BIO_free(bio);
	return text;
}

static int64_t seconds(const ASN1_TIME *when)
{
	struct tm tm;

	return ASN1_TIME_to_tm(when, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static void add_names(X509 *leaf, struct arena *arena, struct probe_certificate *certificate)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);

	for (int i = 0; i < sk_GENERAL_NAME_num(names) && certificate->name_count < PROBE_NAMES_MAX; i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type != GEN_DNS)
			continue;
		const ASN1_STRING *string = name->d.dNSName;
		struct slice text = {(const char *)ASN1_STRING_get0_data(string), (size_t)ASN1_STRING_length(string)};
		certificate->names[certificate->name_count++] = arena_copy(arena, slice_head(text, NAME_SHOWN_MAX));
	}
	GENERAL_NAMES_free(names);
}

/* Why nobody should trust the chain; "" when it leads to a trusted root. */
static struct slice chain_trouble(SSL *ssl, SSL_CTX *ctx, X509 *leaf, struct arena *arena)
{
	X509_STORE_CTX *check = X509_STORE_CTX_new();
	struct slice trouble = SLICE("it cannot be checked");

	if (check && X509_STORE_CTX_init(check, SSL_CTX_get_cert_store(ctx), leaf, SSL_get_peer_cert_chain(ssl)) == 1 &&
	    X509_STORE_CTX_set_default(check, "ssl_server") == 1) {
		X509_verify_cert(check);
		int error = X509_STORE_CTX_get_error(check);
		trouble =
		    error == X509_V_OK ? SLICE("") : arena_printf(arena, "%s", X509_verify_cert_error_string(error));
	}
	X509_STORE_CTX_free(check);
	ERR_clear_error();
	return trouble;
}

static void judge_certificate(SSL *ssl, SSL_CTX *ctx, const struct probe_smtp_request *request, X509 *leaf,
			      struct arena *arena, struct probe_certificate *certificate)
{
	EVP_PKEY *key = X509_get0_pubkey(leaf);

	certificate->subject = name_text(X509_get_subject_name(leaf), arena);
	certificate->issuer = name_text(X509_get_issuer_name(leaf), arena);
	certificate->not_before_s = seconds(X509_get0_notBefore(leaf));
	certificate->not_after_s = seconds(X509_get0_notAfter(leaf));
	certificate->bits = key ? (unsigned)EVP_PKEY_get_bits(key) : 0;
	add_names(leaf, arena, certificate);
	certificate->trouble = chain_trouble(ssl, ctx, leaf, arena);
	certificate->named =
	    request->host.n > 0 && X509_check_host(leaf, request->host.p, request->host.n, 0, NULL) == 1;
	ERR_clear_error();
}

void tls_judge(SSL *ssl, SSL_CTX *ctx, const struct probe_smtp_request *request, struct arena *arena,
	       struct probe_smtp *result)
{
	X509 *leaf = SSL_get1_peer_certificate(ssl);

	result->tls_version = SSL_get_version(ssl);
	result->tls_cipher = arena_cstring(arena, slice_of(SSL_get_cipher_name(ssl)));
	if (result->dane == PROBE_DANE_MISMATCH && SSL_get_verify_result(ssl) == X509_V_OK &&
	    SSL_get0_dane_authority(ssl, NULL, NULL) >= 0)
		result->dane = PROBE_DANE_MATCH;
	if (!leaf)
		return;
	result->has_certificate = true;
	judge_certificate(ssl, ctx, request, leaf, arena, &result->certificate);
	X509_free(leaf);
}
