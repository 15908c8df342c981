/*
 * srs.c - the Sender Rewriting Scheme. Contract: srs.h.
 *
 * A local part is taken without its quotes: the hash covers what is inside of them, and the result has quotes again
 * when it needs them. Whoever reads "a@b"@example.org up to its first @ writes an address that nobody can read back.
 */
#include "srs.h"

#define TAG_LENGTH  5 /* "SRS0=" */
#define TIME_LENGTH 2
#define TIME_BITS   5
#define TIME_SLOTS  1024
#define DAY_S       86400
#define BOTH_MAX    254 /* RFC 5321 4.5.3.1.3, without <> */

const char *const srs_results[] = {
    [SRS_REWRITTEN] = "rewritten",
    [SRS_OWN] = "a sender of our own is not rewritten",
    [SRS_OTHER] = "not an SRS address of ours",
    [SRS_UNFIT] = "not a complete and unambiguous address",
    [SRS_TOO_LONG] = "the SRS address would be longer than mail servers must accept (RFC 5321 4.5.3.1)",
    [SRS_BROKEN] = "a malformed SRS address",
    [SRS_FORGED] = "an SRS address with a wrong hash",
    [SRS_EXPIRED] = "an SRS address that has expired",
    [SRS_NO_ANSWER] = "the list of own domains cannot be read now",
};

static const char base32[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/* ---- local parts ----------------------------------------------------------------------------------- */

/* A local part without quotes and backslashes. */
struct user {
	struct slice text;
	bool quoted; /* as it was written */
};

static struct user user_of(struct slice local, struct arena *arena)
{
	char *out = arena_raw(arena, local.n + 1);
	struct user user = {{out, 0}, false};
	bool inside = false;

	for (size_t i = 0; i < local.n; i++) {
		if (local.p[i] == '"') {
			inside = !inside;
			user.quoted = true;
			continue;
		}
		if (inside && local.p[i] == '\\' && i + 1 < local.n)
			i++;
		out[user.text.n++] = local.p[i];
	}
	return user;
}

static bool is_atom_text(char c)
{
	return is_letter(c) || is_digit(c) || (unsigned char)c >= 0x80 ||
	       (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* RFC 5321 4.1.2: a dot-string. Dots in wrong places that came without quotes leave without them. */
static bool needs_quotes(struct slice user, bool quoted)
{
	for (size_t i = 0; i < user.n; i++) {
		bool dot = user.p[i] == '.';
		bool apart = i > 0 && i + 1 < user.n && user.p[i - 1] != '.';

		if (dot ? quoted && !apart : !is_atom_text(user.p[i]))
			return true;
	}
	return user.n == 0;
}

static struct slice quote(struct slice user, struct arena *arena)
{
	char *out = arena_raw(arena, 2 * user.n + 2);
	size_t n = 0;

	out[n++] = '"';
	for (size_t i = 0; i < user.n; i++) {
		if (user.p[i] == '"' || user.p[i] == '\\')
			out[n++] = '\\';
		out[n++] = user.p[i];
	}
	out[n++] = '"';
	return (struct slice){out, n};
}

static struct slice local_of(struct slice user, bool quoted, struct arena *arena)
{
	return needs_quotes(user, quoted) ? quote(user, arena) : user;
}

/* The domain as it was written, since others write it so; in A-labels, if it is not ASCII. */
static struct slice host_of(const struct address *address)
{
	struct slice host = slice_from(address->text, address->local.n + 1);

	if (host.n == 0 || !slice_is_ascii(host) || host.p[host.n - 1] == '.')
		return address->domain;
	return host;
}

static bool is_of(const struct srs *srs, const struct address *address)
{
	for (size_t i = 0; i < srs->domain_count; i++)
		if (slice_equal(srs->domains[i], address->domain))
			return true;
	return false;
}

/* ---- hashes and days ------------------------------------------------------------------------------- */

static struct slice hash_of(struct slice secret, const struct slice parts[3], struct arena *arena)
{
	struct slice text = arena_lower(arena, arena_join(arena, parts[0], parts[1], parts[2]));
	unsigned char hash[HASH_SHA1_SIZE];

	hash_keyed_sha1(secret, text, hash);
	return base64_encode((struct slice){(const char *)hash, sizeof(hash)}, arena);
}

static bool is_of_one_case(struct slice text)
{
	bool lower = false, upper = false;

	for (size_t i = 0; i < text.n; i++) {
		lower |= text.p[i] >= 'a' && text.p[i] <= 'z';
		upper |= text.p[i] >= 'A' && text.p[i] <= 'Z';
	}
	return !(lower && upper);
}

/* Of base64url, which some write, to base64. */
static char to_base64(char c)
{
	return c == '-' ? '+' : c == '_' ? '/' : c;
}

/* Takes as long for a wrong hash as for the right one. */
static bool is_same_hash(struct slice said, struct slice right, bool fold)
{
	unsigned char difference = 0;

	for (size_t i = 0; i < said.n; i++) {
		char a = to_base64(said.p[i]), b = right.p[i];

		difference |= (unsigned char)(fold ? to_lower(a) ^ to_lower(b) : a ^ b);
	}
	return difference == 0;
}

/* Some mail servers change the case of an address: then all of the hash is in one case. */
static bool is_genuine(const struct srs *srs, struct slice said, const struct slice parts[3], struct arena *arena)
{
	bool fold = is_of_one_case(said), found = false;

	if (said.n < srs->hash_least || said.n > SRS_HASH_MAX)
		return false;
	for (size_t i = 0; i < srs->secret_count; i++)
		found |= is_same_hash(said, hash_of(srs->secrets[i], parts, arena), fold);
	return found;
}

static struct slice day_print(int64_t now_s, char out[TIME_LENGTH])
{
	unsigned day = (unsigned)(now_s / DAY_S % TIME_SLOTS);

	out[0] = base32[day >> TIME_BITS];
	out[1] = base32[day & ((1u << TIME_BITS) - 1)];
	return (struct slice){out, TIME_LENGTH};
}

static int digit_of(char c)
{
	if (is_letter(c))
		return to_lower(c) - 'a';
	return c >= '2' && c <= '7' ? c - '2' + 26 : -1;
}

/* -1: it is not a day. */
static int day_read(struct slice text)
{
	int high, low;

	if (text.n != TIME_LENGTH)
		return -1;
	high = digit_of(text.p[0]);
	low = digit_of(text.p[1]);
	return high < 0 || low < 0 ? -1 : high << TIME_BITS | low;
}

static bool is_recent(const struct srs *srs, int day, int64_t now_s)
{
	int64_t age = (now_s / DAY_S - day) % TIME_SLOTS;

	return (age < 0 ? age + TIME_SLOTS : age) <= srs->days;
}

/* ---- the parts of an address ------------------------------------------------------------------------ */

/* Of SRS0=hash=day=host=user or SRS1=hash=host=rest. */
struct stamp {
	struct slice hash, day, host, user;
};

/* Is it "SRS0" or "SRS1" with a separator? What follows. */
static bool has_tag(struct slice user, char number, struct slice *rest_r)
{
	if (user.n < TAG_LENGTH || !slice_starts_nocase(user, SLICE("SRS")) || user.p[3] != number)
		return false;
	*rest_r = slice_from(user, TAG_LENGTH);
	return user.p[4] == '=' || user.p[4] == '+' || user.p[4] == '-';
}

static bool read_srs0(struct slice rest, struct stamp *stamp_r)
{
	*stamp_r = (struct stamp){.hash = SLICE("")};
	if (!slice_cut(&rest, '=', &stamp_r->hash) || !slice_cut(&rest, '=', &stamp_r->day) ||
	    !slice_cut(&rest, '=', &stamp_r->host) || !rest.p)
		return false;
	stamp_r->user = rest;
	return stamp_r->hash.n >= SRS_HASH_MIN && day_read(stamp_r->day) >= 0 && stamp_r->host.n > 0 && rest.n > 0;
}

/* The rest begins with the separator that followed "SRS0". */
static bool read_srs1(struct slice rest, struct stamp *stamp_r)
{
	*stamp_r = (struct stamp){.hash = SLICE("")};
	if (!slice_cut(&rest, '=', &stamp_r->hash) || !slice_cut(&rest, '=', &stamp_r->host) || !rest.p)
		return false;
	stamp_r->user = rest;
	return stamp_r->hash.n >= SRS_HASH_MIN && stamp_r->host.n > 0 && rest.n > 1 &&
	       (rest.p[0] == '=' || rest.p[0] == '+' || rest.p[0] == '-');
}

/* ---- forward ---------------------------------------------------------------------------------------- */

/* The local part for a sender that a forwarder wrote: its host and what follows "SRS0". False: it is not one. */
static bool shorten(const struct address *address, struct slice user, struct arena *arena, struct stamp *stamp_r)
{
	struct slice rest;
	struct stamp inner;
	bool valid;

	if (has_tag(user, '0', &rest) && read_srs0(rest, &inner)) {
		*stamp_r = (struct stamp){.host = host_of(address), .user = slice_from(user, TAG_LENGTH - 1)};
		return true;
	}
	if (!has_tag(user, '1', &rest) || !read_srs1(rest, stamp_r) || !read_srs0(slice_from(stamp_r->user, 1), &inner))
		return false;
	domain_normalise(stamp_r->host, arena, &valid); /* else nobody could send the bounce there */
	return valid;
}

static struct slice make_user(const struct srs *srs, const struct address *address, struct slice user, int64_t now_s,
			      struct arena *arena)
{
	char day[TIME_LENGTH];
	struct stamp stamp;
	struct slice hash;

	if (shorten(address, user, arena, &stamp)) {
		hash = hash_of(srs->secrets[0], (const struct slice[]){stamp.host, stamp.user, SLICE("")}, arena);
		return arena_join(arena, SLICE("SRS1="), slice_head(hash, srs->hash_length), SLICE("="), stamp.host,
				  SLICE("="), stamp.user);
	}
	stamp = (struct stamp){.day = day_print(now_s, day), .host = host_of(address), .user = user};
	hash = hash_of(srs->secrets[0], (const struct slice[]){stamp.day, stamp.host, stamp.user}, arena);
	return arena_join(arena, SLICE("SRS0="), slice_head(hash, srs->hash_length), SLICE("="), stamp.day, SLICE("="),
			  stamp.host, SLICE("="), stamp.user);
}

static bool is_unfit(const struct address *address)
{
	if (!address->valid || address->local.n == 0 || address->domain.n == 0)
		return true;
	for (size_t i = 0; i < address->text.n; i++)
		if (is_control(address->text.p[i]))
			return true;
	return false;
}

enum srs_result srs_forward(const struct srs *srs, const struct address *address, int64_t now_s, struct arena *arena,
			    struct slice *address_r)
{
	struct slice local;
	struct user user;

	if (address->valid && address->text.n == 0)
		return SRS_OWN;
	if (is_unfit(address) || slice_find(host_of(address), '=') >= 0)
		return SRS_UNFIT;
	if (is_of(srs, address))
		return SRS_OWN;
	user = user_of(address->local, arena);
	if (user.text.n == 0)
		return SRS_UNFIT;
	local = local_of(make_user(srs, address, user.text, now_s, arena), user.quoted, arena);
	if (local.n > srs->local_most || local.n + 1 + srs->domains[0].n > BOTH_MAX)
		return SRS_TOO_LONG;
	*address_r = arena_join(arena, local, SLICE("@"), srs->domains[0]);
	return SRS_REWRITTEN;
}

/* ---- reverse ---------------------------------------------------------------------------------------- */

static enum srs_result reverse_srs0(const struct srs *srs, struct slice rest, int64_t now_s, struct arena *arena,
				    struct stamp *stamp_r)
{
	if (!read_srs0(rest, stamp_r))
		return SRS_BROKEN;
	if (!is_genuine(srs, stamp_r->hash, (const struct slice[]){stamp_r->day, stamp_r->host, stamp_r->user}, arena))
		return SRS_FORGED;
	return is_recent(srs, day_read(stamp_r->day), now_s) ? SRS_REWRITTEN : SRS_EXPIRED;
}

/* Who wrote what follows "SRS0" judges its day. */
static enum srs_result reverse_srs1(const struct srs *srs, struct slice rest, struct arena *arena,
				    struct stamp *stamp_r)
{
	if (!read_srs1(rest, stamp_r))
		return SRS_BROKEN;
	if (!is_genuine(srs, stamp_r->hash, (const struct slice[]){stamp_r->host, stamp_r->user, SLICE("")}, arena))
		return SRS_FORGED;
	stamp_r->user = arena_join(arena, SLICE("SRS0"), stamp_r->user);
	return SRS_REWRITTEN;
}

enum srs_result srs_reverse(const struct srs *srs, const struct address *address, int64_t now_s, struct arena *arena,
			    struct slice *address_r)
{
	struct address original;
	enum srs_result result;
	struct stamp stamp;
	struct slice rest;
	struct user user;

	if (is_unfit(address))
		return address->valid ? SRS_OTHER : SRS_UNFIT;
	if (!is_of(srs, address))
		return SRS_OTHER;
	user = user_of(address->local, arena);
	if (has_tag(user.text, '0', &rest))
		result = reverse_srs0(srs, rest, now_s, arena, &stamp);
	else if (has_tag(user.text, '1', &rest))
		result = reverse_srs1(srs, rest, arena, &stamp);
	else
		return SRS_OTHER;
	if (result != SRS_REWRITTEN)
		return result;
	rest = arena_join(arena, local_of(stamp.user, user.quoted, arena), SLICE("@"), stamp.host);
	original = address_parse_path(rest, arena);
	if (is_unfit(&original))
		return SRS_BROKEN;
	*address_r = rest;
	return SRS_REWRITTEN;
}
