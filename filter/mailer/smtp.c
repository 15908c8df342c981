/*
 * smtp.c - sends one message by SMTP. The only file of the daemon that uses libcurl.
 */
#include "mailer_private.h"

#include <stdlib.h>

#define CONNECT_US (5 * 1000 * 1000)
#define REPLY_MAX  300 /* bytes of a reply that are shown */

struct sending {
	const struct attempt *attempt;
	struct slice rest; /* of the message */
	char reply[REPLY_MAX + 1];
};

const struct curl_library *smtp_prepare(struct error *err)
{
	const struct curl_library *curl = curl_library_open(err);

	if (!curl || curl->curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK)
		return curl;
	error_set(err, "libcurl does not start");
	return NULL;
}

static size_t give(char *buffer, size_t size, size_t count, void *sending_)
{
	struct sending *sending = sending_;
	size_t n = size * count < sending->rest.n ? size * count : sending->rest.n;

	if (n > 0)
		memcpy(buffer, sending->rest.p, n);
	sending->rest = slice_from(sending->rest, n);
	return n;
}

/* Of refusals the last line, and what was said after the message. Not the answer to QUIT, which may be 250, too. */
static bool is_kept(const struct sending *sending, struct slice text)
{
	if (text.n < 3)
		return false;
	if (text.p[0] == '4' || text.p[0] == '5')
		return true;
	return sending->rest.n == 0 && !sending->reply[0] && memcmp(text.p, "250", 3) == 0;
}

/* Each line of a reply; kept as printable ASCII. */
static size_t take_reply(char *line, size_t size, size_t count, void *sending_)
{
	struct sending *sending = sending_;
	struct slice text = slice_head(slice_trim((struct slice){line, size * count}), REPLY_MAX);

	if (!is_kept(sending, text))
		return size * count;
	for (size_t i = 0; i < text.n; i++)
		sending->reply[i] = is_control(text.p[i]) || (unsigned char)text.p[i] >= 0x80 ? '?' : text.p[i];
	sending->reply[text.n] = '\0';
	return size * count;
}

static size_t ignore(char *text, size_t size, size_t count, void *sending)
{
	(void)text, (void)sending;
	return size * count;
}

static int tell_connected(void *sending_, char *server, char *address, int server_port, int port)
{
	const struct attempt *attempt = ((struct sending *)sending_)->attempt;

	(void)server, (void)server_port;
	attempt->connected(attempt->context, address, (unsigned)port);
	return CURL_PREREQFUNC_OK;
}

static int may_go_on(void *sending_, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	const struct attempt *attempt = ((struct sending *)sending_)->attempt;

	(void)a, (void)b, (void)c, (void)d;
	return attempt->stopped(attempt->context);
}

/* ---- one conversation ------------------------------------------------------------------------ */

static void set_limits(CURL *easy, const struct attempt *attempt)
{
	const struct curl_library *curl = attempt->curl;

	curl->curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl->curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl->curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "smtp");
	curl->curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)(CONNECT_US / 1000));
	curl->curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)(attempt->timeout_us / 1000));
	curl->curl_easy_setopt(easy, CURLOPT_SERVER_RESPONSE_TIMEOUT, (long)(attempt->timeout_us / 1000000 + 1));
	curl->curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
	curl->curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
	curl->curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
}

static void set_callbacks(CURL *easy, struct sending *sending)
{
	const struct curl_library *curl = sending->attempt->curl;

	curl->curl_easy_setopt(easy, CURLOPT_READFUNCTION, give);
	curl->curl_easy_setopt(easy, CURLOPT_READDATA, sending);
	curl->curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
	curl->curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_reply);
	curl->curl_easy_setopt(easy, CURLOPT_HEADERDATA, sending);
	curl->curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, ignore);
	curl->curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, tell_connected);
	curl->curl_easy_setopt(easy, CURLOPT_PREREQDATA, sending);
	curl->curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, may_go_on);
	curl->curl_easy_setopt(easy, CURLOPT_XFERINFODATA, sending);
	curl->curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
}

static CURLcode converse(const struct attempt *attempt, struct sending *sending, long tls, long *code_r)
{
	const struct curl_library *curl = attempt->curl;
	struct curl_slist *recipients = curl->curl_slist_append(NULL, attempt->recipient);
	CURL *easy = curl->curl_easy_init();
	CURLcode result = CURLE_OUT_OF_MEMORY;

	*sending = (struct sending){.attempt = attempt, .rest = attempt->text};
	*code_r = 0;
	if (easy && recipients) {
		set_limits(easy, attempt);
		set_callbacks(easy, sending);
		curl->curl_easy_setopt(easy, CURLOPT_URL, attempt->url);
		curl->curl_easy_setopt(easy, CURLOPT_USE_SSL, tls);
		curl->curl_easy_setopt(easy, CURLOPT_MAIL_FROM, attempt->sender);
		curl->curl_easy_setopt(easy, CURLOPT_MAIL_RCPT, recipients);
		curl->curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)attempt->text.n); /* RFC 1870 */
		result = curl->curl_easy_perform(easy);
		attempt->connected(attempt->context, NULL, 0);
		curl->curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, code_r);
	}
	curl->curl_easy_cleanup(easy);
	curl->curl_slist_free_all(recipients);
	return result;
}

static bool tls_failed(CURLcode result)
{
	return result == CURLE_SSL_CONNECT_ERROR || result == CURLE_USE_SSL_FAILED || result == CURLE_SSL_CIPHER ||
	       result == CURLE_PEER_FAILED_VERIFICATION;
}

/* What the server said, and whether it refuses for good. */
static enum tried read_refusal(const struct sending *sending, long code, struct attempt_end *end_r)
{
	end_r->had_text = sending->rest.n < sending->attempt->text.n;
	end_r->code = (unsigned)code;
	error_set(&end_r->reply, "%s", sending->reply);
	error_set(&end_r->why, "it answered: %s", sending->reply);
	return code >= 500 ? TRIED_REFUSED : TRIED_LATER;
}

enum tried smtp_send(const struct attempt *attempt, struct attempt_end *end_r)
{
	struct sending sending;
	long code;
	CURLcode result = converse(attempt, &sending, CURLUSESSL_TRY, &code);

	*end_r = (struct attempt_end){.code = 0};
	if (tls_failed(result)) /* better than not at all: it is our own mail server */
		result = converse(attempt, &sending, CURLUSESSL_NONE, &code);
	if (result == CURLE_OK) {
		end_r->code = 250;
		error_set(&end_r->reply, "%s", sending.reply);
		return TRIED_SENT;
	}
	if (code >= 400 && code <= 599 && strtol(sending.reply, NULL, 10) == code)
		return read_refusal(&sending, code, end_r);
	error_set(&end_r->why, "%s", attempt->curl->curl_easy_strerror(result));
	return result == CURLE_COULDNT_CONNECT || result == CURLE_COULDNT_RESOLVE_HOST ? TRIED_UNREACHABLE
										       : TRIED_LATER;
}
