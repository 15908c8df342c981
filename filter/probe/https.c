/*
 * https.c - one file over HTTPS, by libcurl: no redirects, no proxies, and the addresses of our own resolver.
 */
#include "probe.h"

#include <curl/curl.h>
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

static void set_options(CURL *curl, const struct probe_https_request *request, struct arena *arena,
			struct curl_slist *resolve, struct download *download)
{
	int64_t left_ms = (request->until_us - clock_us()) / 1000;
	struct slice url = arena_printf(arena, "https://%.*s%s", SLICE_ARGS(request->host), request->path);

	curl_easy_setopt(curl, CURLOPT_URL, arena_cstring(arena, url));
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(curl, CURLOPT_RESOLVE, resolve);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)(left_ms > 1 ? left_ms : 1));
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "sekisho");
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, download);
	if (request->ca_file)
		curl_easy_setopt(curl, CURLOPT_CAINFO, request->ca_file);
}

static void read_answer(CURL *curl, struct arena *arena, struct probe_https *result)
{
	struct slice rest, type;
	char *given = NULL;

	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &result->status);
	curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &given);
	rest = slice_of(given);
	if (given && slice_cut(&rest, ';', &type))
		result->type = arena_lower(arena, slice_trim(type));
}

void probe_https(const struct probe_https_request *request, struct arena *arena, struct probe_https *result_r)
{
	struct curl_slist *resolve = curl_slist_append(NULL, arena_cstring(arena, addresses(request, arena)));
	struct download download;
	int64_t begun_us = clock_us();
	CURL *curl = curl_easy_init();
	CURLcode code = CURLE_OUT_OF_MEMORY;

	*result_r = (struct probe_https){.type = SLICE(""), .body = SLICE(""), .why = SLICE("")};
	text_init(&download.body, arena, PROBE_BODY_MAX);
	if (curl && resolve) {
		set_options(curl, request, arena, resolve, &download);
		code = curl_easy_perform(curl);
		read_answer(curl, arena, result_r);
	}
	result_r->body = text_slice(&download.body);
	if (download.body.cut)
		result_r->why = arena_printf(arena, "it has more than %d bytes", PROBE_BODY_MAX);
	else if (code != CURLE_OK)
		result_r->why = arena_printf(arena, "%s", curl_easy_strerror(code));
	result_r->took_us = clock_us() - begun_us;
	curl_easy_cleanup(curl);
	curl_slist_free_all(resolve);
}
