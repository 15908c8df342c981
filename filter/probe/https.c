/*
 * https.c - one file over HTTPS, by libcurl: no redirects, no proxies, and the addresses of our own resolver.
 */
#include "curl_library.h"
#include "probe.h"

#include <stdio.h>
#include <stdlib.h>

#define PORT 443

struct download {
	struct text body;
};

static size_t take(char *bytes, size_t size, size_t count, void *download_)
{
	struct download *download = download_;

	text_add(&download->body, (struct slice){bytes, size * count});
	return download->body.cut ? 0 : size * count; /* 0 ends the transfer */
}

/* "host:443:192.0.2.1,2001:db8::1" */
static struct slice addresses(const struct probe_https_request *request, struct arena *arena)
{
	struct text text;
	char ip[IP_TEXT];

	text_init(&text, arena, 1024);
	text_printf(&text, "%.*s:%d:", SLICE_ARGS(request->host), PORT);
	for (size_t i = 0; i < request->ip_count && i < 8; i++) {
		ip_print(request->ips[i], ip);
		text_printf(&text, request->ips[i].family == 6 ? "%s[%s]" : "%s%s", i > 0 ? "," : "", ip);
	}
	return text_slice(&text);
}

static void set_options(const struct curl_library *curl, CURL *easy, const struct probe_https_request *request,
			struct arena *arena, struct curl_slist *resolve, struct download *download)
{
	int64_t left_ms = (request->until_us - clock_us()) / 1000;
	struct slice url = arena_printf(arena, "https://%.*s%s", SLICE_ARGS(request->host), request->path);

	curl->curl_easy_setopt(easy, CURLOPT_URL, arena_cstring(arena, url));
	curl->curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl->curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl->curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl->curl_easy_setopt(easy, CURLOPT_RESOLVE, resolve);
	curl->curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)(left_ms > 1 ? left_ms : 1));
	curl->curl_easy_setopt(easy, CURLOPT_USERAGENT, "sekisho");
	curl->curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take);
	curl->curl_easy_setopt(easy, CURLOPT_WRITEDATA, download);
	if (request->ca_file)
		curl->curl_easy_setopt(easy, CURLOPT_CAINFO, request->ca_file);
}

static void read_answer(const struct curl_library *curl, CURL *easy, struct arena *arena, struct probe_https *result)
{
	struct slice rest, type;
	char *given = NULL;

	curl->curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &result->status);
	curl->curl_easy_getinfo(easy, CURLINFO_CONTENT_TYPE, &given);
	rest = slice_of(given);
	if (given && slice_cut(&rest, ';', &type))
		result->type = arena_lower(arena, slice_trim(type));
}

static void fetch(const struct curl_library *curl, const struct probe_https_request *request, struct arena *arena,
		  struct probe_https *result)
{
	struct curl_slist *resolve = curl->curl_slist_append(NULL, arena_cstring(arena, addresses(request, arena)));
	struct download download;
	CURL *easy = curl->curl_easy_init();
	CURLcode code = CURLE_OUT_OF_MEMORY;

	text_init(&download.body, arena, PROBE_BODY_MAX);
	if (easy && resolve) {
		set_options(curl, easy, request, arena, resolve, &download);
		code = curl->curl_easy_perform(easy);
		read_answer(curl, easy, arena, result);
	}
	result->body = text_slice(&download.body);
	if (download.body.cut)
		result->why = arena_printf(arena, "it has more than %d bytes", PROBE_BODY_MAX);
	else if (code != CURLE_OK)
		result->why = arena_printf(arena, "%s", curl->curl_easy_strerror(code));
	curl->curl_easy_cleanup(easy);
	curl->curl_slist_free_all(resolve);
}

void probe_https(const struct probe_https_request *request, struct arena *arena, struct probe_https *result_r)
{
	int64_t begun_us = clock_us();
	struct error err;
	const struct curl_library *curl = curl_library_open(&err);

	*result_r = (struct probe_https){.type = SLICE(""), .body = SLICE(""), .why = SLICE("")};
	result_r->untried = !curl;
	if (curl)
		fetch(curl, request, arena, result_r);
	else
		result_r->why = arena_printf(arena, "%s", err.text);
	result_r->took_us = clock_us() - begun_us;
}
