/*
 * password.c - passwords as scrypt hashes (RFC 7914), in one line of text as other programs write it:
 *
 *	$scrypt$ln=15,r=8,p=1$SALT$HASH      salt and hash in Base64 without padding; N is 2 to the power of ln
 */
#include "base.h"
#include <openssl/evp.h>
#include <sys/random.h>

#define HASH_SIZE     32
#define SALT_SIZE     16
#define SALT_MAX      64
#define HASH_LINE_MAX 256
#define LN            15 /* with r 8: 32 MB and a tenth of a second */
#define LN_MAX        18
#define R             8
#define P             1
#define P_MAX         4
#define MEMORY_MAX    (UINT64_C(300) << 20)

struct scrypt {
	uint64_t ln, r, p;
	unsigned char salt[SALT_MAX], hash[SALT_MAX];
	size_t salt_n, hash_n;
};

bool hash_equal(const unsigned char a[HASH_KEYED_SIZE], const unsigned char b[HASH_KEYED_SIZE])
{
	unsigned char differ = 0;

	for (size_t i = 0; i < HASH_KEYED_SIZE; i++)
		differ |= a[i] ^ b[i];
	return differ == 0;
}

static int compute(const struct scrypt *scrypt, struct slice password, unsigned char hash_r[HASH_SIZE])
{
	return EVP_PBE_scrypt(password.p ? password.p : "", password.n, scrypt->salt, scrypt->salt_n,
			      UINT64_C(1) << scrypt->ln, scrypt->r, scrypt->p, MEMORY_MAX, hash_r, HASH_SIZE) == 1
		   ? 0
		   : -1;
}

/* ---- the line ------------------------------------------------------------------------------------------------ */

static int read_number(struct slice text, struct slice name, uint64_t most, uint64_t *number_r)
{
	if (!slice_starts_nocase(text, name) || slice_number(slice_from(text, name.n), most, number_r) != 0)
		return -1;
	return *number_r > 0 ? 0 : -1;
}

static int read_cost(struct slice text, struct scrypt *scrypt_r)
{
	struct slice ln, r;

	if (!slice_cut(&text, ',', &ln) || !slice_cut(&text, ',', &r) || !text.p)
		return -1;
	return read_number(ln, SLICE("ln="), LN_MAX, &scrypt_r->ln) || read_number(r, SLICE("r="), R, &scrypt_r->r) ||
		       read_number(text, SLICE("p="), P_MAX, &scrypt_r->p)
		   ? -1
		   : 0;
}

/* Base64 without padding, of at most SALT_MAX bytes. */
static int read_bytes(struct slice text, unsigned char bytes_r[SALT_MAX], size_t *n_r)
{
	char padded[(SALT_MAX + 2) / 3 * 4];
	size_t n = text.n;

	if (n == 0 || n > sizeof(padded) - 3)
		return -1;
	memcpy(padded, text.p, n);
	while (n % 4)
		padded[n++] = '=';
	if (n / 4 * 3 > SALT_MAX)
		return -1;
	*n_r = base64_decode_into((struct slice){padded, n}, bytes_r);
	return *n_r == SIZE_MAX || *n_r == 0 ? -1 : 0;
}

static int parse(struct slice line, struct scrypt *scrypt_r)
{
	struct slice nothing, name, cost, salt;

	if (line.n > HASH_LINE_MAX || !slice_cut(&line, '$', &nothing) || nothing.n || !slice_cut(&line, '$', &name) ||
	    !slice_equal(name, SLICE("scrypt")) || !slice_cut(&line, '$', &cost) || !slice_cut(&line, '$', &salt) ||
	    !line.p)
		return -1;
	return read_cost(cost, scrypt_r) || read_bytes(salt, scrypt_r->salt, &scrypt_r->salt_n) ||
		       read_bytes(line, scrypt_r->hash, &scrypt_r->hash_n) || scrypt_r->hash_n != HASH_SIZE
		   ? -1
		   : 0;
}

/* ---- for others ----------------------------------------------------------------------------------------------- */

bool password_is_hash(struct slice line)
{
	struct scrypt scrypt;

	return parse(line, &scrypt) == 0;
}

bool password_matches(struct slice line, struct slice password)
{
	unsigned char hash[HASH_SIZE];
	struct scrypt scrypt;

	return parse(line, &scrypt) == 0 && compute(&scrypt, password, hash) == 0 && hash_equal(hash, scrypt.hash);
}

static struct slice unpadded(const unsigned char *bytes, size_t n, struct arena *arena)
{
	struct slice text = base64_encode((struct slice){(const char *)bytes, n}, arena);

	while (text.n && text.p[text.n - 1] == '=')
		text.n--;
	return text;
}

struct slice password_hash(struct slice password, struct arena *arena)
{
	struct scrypt scrypt = {.ln = LN, .r = R, .p = P, .salt_n = SALT_SIZE};

	if (getrandom(scrypt.salt, SALT_SIZE, 0) != SALT_SIZE || compute(&scrypt, password, scrypt.hash) != 0)
		die("the crypto library cannot hash a password");
	return arena_printf(arena, "$scrypt$ln=%d,r=%d,p=%d$%.*s$%.*s", LN, R, P,
			    SLICE_ARGS(unpadded(scrypt.salt, SALT_SIZE, arena)),
			    SLICE_ARGS(unpadded(scrypt.hash, HASH_SIZE, arena)));
}
