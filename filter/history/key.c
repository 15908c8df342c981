/*
 * key.c - addresses in the history that are not to be read, and the hashes by which records are found.
 *
 * The key is beside the file, not in it: who has a copy of the file alone cannot try addresses.
 */
#include "history_private.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define HIDDEN_BYTES 8 /* of the hash: 16 digits */
#define HIDDEN       SLICE("hidden")

static int key_make(const char *path, unsigned char key[KEY_BYTES], struct error *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	bool written;

	if (fd < 0) {
		error_set(err, "cannot make %s: %s", path, strerror(errno));
		return -1;
	}
	written = getrandom(key, KEY_BYTES, 0) == KEY_BYTES && write(fd, key, KEY_BYTES) == KEY_BYTES && fsync(fd) == 0;
	if (close(fd) == 0 && written)
		return 0;
	unlink(path);
	error_set(err, "cannot write %s: %s", path, strerror(errno));
	return -1;
}

static int key_read(const char *path, int fd, unsigned char key[KEY_BYTES], struct error *err)
{
	unsigned char more;
	struct stat info;

	if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || (info.st_mode & 077)) {
		error_set(err, "%s must be a file that only its owner can read: chmod 600", path);
		return -1;
	}
	if (read(fd, key, KEY_BYTES) != KEY_BYTES || read(fd, &more, 1) != 0) {
		error_set(err, "%s is not a key of %d bytes", path, KEY_BYTES);
		return -1;
	}
	return 0;
}

int hiding_open(const char *history, enum history_addresses addresses, bool make, struct hiding *hiding_r,
		struct error *err)
{
	char path[4096];
	int fd, result;

	*hiding_r = (struct hiding){.addresses = addresses};
	if (addresses != HISTORY_HASHED)
		return 0;
	if (snprintf(path, sizeof(path), "%s.key", history) >= (int)sizeof(path)) {
		error_set(err, "the path of the history is too long");
		return -1;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT && make)
		return key_make(path, hiding_r->key, err);
	if (fd < 0) {
		error_set(err, "cannot read %s: %s", path, strerror(errno));
		return -1;
	}
	result = key_read(path, fd, hiding_r->key, err);
	close(fd);
	return result;
}

/* ---- hiding ------------------------------------------------------------------------------------- */

struct slice hiding_hide(const struct hiding *hiding, struct slice address, struct arena *arena)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char hash[HASH_KEYED_SIZE];
	ptrdiff_t at = slice_find_last(address, '@');
	char *text;

	if (hiding->addresses == HISTORY_PLAIN || address.n == 0)
		return address;
	if (hiding->addresses == HISTORY_OFF)
		return HIDDEN;
	hash_keyed((struct slice){(const char *)hiding->key, KEY_BYTES}, arena_lower(arena, address), hash);
	text = arena_raw(arena, 2 * HIDDEN_BYTES);
	for (size_t i = 0; i < HIDDEN_BYTES; i++) {
		text[2 * i] = digits[hash[i] >> 4];
		text[2 * i + 1] = digits[hash[i] & 15];
	}
	return arena_join(arena, (struct slice){text, 2 * HIDDEN_BYTES},
			  at < 0 ? SLICE("") : slice_from(address, (size_t)at));
}

static bool in_local(char c)
{
	return (unsigned char)c >= 0x80 || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("!#$%&'*+-/=?^_`{|}~.", c));
}

static bool in_domain(char c)
{
	return (unsigned char)c >= 0x80 || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("-._[]:", c));
}

/* Where the local part begins that ends before `at`; `from` at the earliest. */
static size_t local_start(struct slice text, size_t from, size_t at)
{
	size_t start = at;

	if (at > from && text.p[at - 1] == '"') {
		for (start = at - 1; start > from && text.p[start - 1] != '"'; start--)
			;
		return start > from ? start - 1 : at;
	}
	while (start > from && in_local(text.p[start - 1]))
		start--;
	return start;
}

struct slice hiding_hide_within(const struct hiding *hiding, struct slice text, struct arena *arena)
{
	struct text hidden;
	size_t done = 0;

	if (hiding->addresses == HISTORY_PLAIN || slice_find(text, '@') < 0)
		return text;
	text_init(&hidden, arena, SIZE_MAX / 4);
	for (size_t at = 0; at < text.n; at++) {
		size_t start, end = at + 1;

		if (text.p[at] != '@')
			continue;
		start = local_start(text, done, at);
		while (end < text.n && in_domain(text.p[end]))
			end++;
		if (start == at)
			continue;
		text_add(&hidden, (struct slice){text.p + done, start - done});
		text_add(&hidden, hiding_hide(hiding, (struct slice){text.p + start, end - start}, arena));
		done = end;
		at = end - 1;
	}
	text_add(&hidden, slice_from(text, done));
	return text_slice(&hidden);
}

/* ---- finding -------------------------------------------------------------------------------------- */

int64_t term_hash(enum history_term term, struct slice text)
{
	char buffer[512];
	size_t n = text.n < sizeof(buffer) ? text.n : sizeof(buffer);

	for (size_t i = 0; i < n; i++)
		buffer[i] = text.p[i] >= 'A' && text.p[i] <= 'Z' ? (char)(text.p[i] + 32) : text.p[i];
	return (int64_t)hash_slice((struct slice){buffer, n}, (uint64_t)term);
}
