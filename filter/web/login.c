/*
 * login.c - the password of the page, as HTTP Basic authentication (RFC 7617), and how often a client may be wrong.
 *
 * Basic needs no page of its own, no cookie and no state of sessions, and the page changes nothing that a forged
 * request could misuse. It sends the password with each request: over the network only through a proxy with TLS.
 *
 * To compare a password with its hash takes a tenth of a second on purpose. What was right once is remembered as a
 * keyed hash that is lost with the process. It is compared only while the client has attempts left: else it would be a
 * fast way to guess.
 */
#include "web_private.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define FILE_MAX       4096
#define CREDENTIAL_MAX 4096
#define ATTEMPTS       5
#define ATTEMPT_US     (INT64_C(12) * 1000 * 1000) /* until one more */

void logins_init(struct logins *logins)
{
	memset(logins, 0, sizeof(*logins));
	if (getrandom(logins->key, sizeof(logins->key), 0) != sizeof(logins->key))
		die("the system has no random numbers");
}

/* ---- the file --------------------------------------------------------------------------------------------- */

/* The line with the hash; free() text_r->p. */
static int file_load(const char *path, struct slice *text_r, struct error *err)
{
	struct stat info;

	if (stat(path, &info) == 0 && info.st_mode & S_IRWXO) {
		error_set(err, "%s: every user of this host can read it; chmod o= it", path);
		return -1;
	}
	return file_read_plain(path, FILE_MAX, text_r, err);
}

int login_file_check(const char *path, struct error *err)
{
	struct slice text;
	bool valid;

	if (file_load(path, &text, err) != 0)
		return -1;
	valid = password_is_hash(slice_trim(text));
	free((char *)(uintptr_t)text.p);
	if (!valid)
		error_set(err, "%s: this is not a password hash; make it with: sekisho web-password %s", path, path);
	return valid ? 0 : -1;
}

/* ---- who asks ------------------------------------------------------------------------------------------------ */

static bool is_loopback(struct ip ip)
{
	static const struct ip six = {6, {[15] = 1}};

	return (ip.family == 4 && ip.bytes[0] == 127) || ip_equal(ip, six);
}

/* A client is an address, of IPv6 a network of 64 bits; on this host a user. */
static uint64_t client_hash(const struct request *request)
{
	struct ip ip = request_client(request);
	unsigned char key[sizeof(ip.bytes) + sizeof(unsigned)] = {0};
	struct ucred peer;
	socklen_t n = sizeof(peer);
	unsigned uid = 0;
	uint64_t seed; /* secret: nobody can choose addresses that share the place of another */

	memcpy(key, ip.bytes, ip.family == 6 && !is_loopback(ip) ? 8 : sizeof(ip.bytes));
	if (ip.family == 0 && getsockopt(request_fd(request), SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0)
		uid = peer.uid;
	else if (is_loopback(ip) && peer_uid(request_fd(request), &uid) != 0)
		uid = 0;
	memcpy(key + sizeof(ip.bytes), &uid, sizeof(uid));
	memcpy(&seed, request->web->logins.key, sizeof(seed));
	return hash_slice((struct slice){(const char *)key, sizeof(key)}, seed);
}

static struct login_client *client_of(const struct request *request)
{
	struct logins *logins = &request->web->logins;
	struct login_client *client = &logins->clients[client_hash(request) % LOGIN_CLIENTS];
	int64_t now = clock_us(), more;

	if (client->since_us == 0) {
		client->attempts = ATTEMPTS;
		client->since_us = now;
	}
	more = (now - client->since_us) / ATTEMPT_US;
	client->since_us += more * ATTEMPT_US;
	client->attempts = client->attempts + more > ATTEMPTS ? ATTEMPTS : (unsigned)(client->attempts + more);
	return client;
}

/* ---- the password ------------------------------------------------------------------------------------------------ */

/* Of "Basic dXNlcjpwYXNz". False: there is none. */
static bool credential_find(const struct request *request, struct slice *password_r)
{
	struct slice said = slice_of(request_header(request, MHD_HTTP_HEADER_AUTHORIZATION)), both, user;

	if (!slice_starts_nocase(said, SLICE("Basic ")) || said.n > CREDENTIAL_MAX ||
	    base64_decode(slice_from(said, strlen("Basic ")), request->arena, &both) != 0)
		return false;
	*password_r = both;
	return slice_cut(password_r, ':', &user) && password_r->p;
}

static enum login_answer password_compare(struct logins *logins, struct slice hash, struct slice password,
					  struct login_client *client, struct arena *arena)
{
	struct slice key = {(const char *)logins->key, sizeof(logins->key)};
	unsigned char mark[HASH_KEYED_SIZE];

	hash_keyed(key, arena_join(arena, hash, SLICE(":"), password), mark);
	if (logins->known && hash_equal(mark, logins->mark))
		return LOGIN_OK;
	client->attempts--;
	if (!password_matches(hash, password))
		return LOGIN_NO;
	client->attempts++;
	memcpy(logins->mark, mark, sizeof(mark));
	logins->known = true;
	return LOGIN_OK;
}

enum login_answer login_check(const struct request *request)
{
	const char *path = request->web->setting->password_file;
	struct login_client *client;
	struct slice password, text;
	enum login_answer answer;
	struct error err;

	if (!path)
		return LOGIN_OK;
	if (!credential_find(request, &password))
		return LOGIN_NO;
	client = client_of(request);
	if (client->attempts == 0)
		return LOGIN_OFTEN;
	if (file_load(path, &text, &err) != 0)
		return LOGIN_BROKEN;
	answer = password_compare(&request->web->logins, slice_trim(text), password, client, request->arena);
	free((char *)(uintptr_t)text.p);
	return answer;
}
