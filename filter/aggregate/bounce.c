/*
 * bounce.c - bounces of reports. The reverse-path of a report has a token in the extension of its local part, made of
 * the address with a secret: only who got the report knows it, so nobody can have the address of another suppressed.
 */
#include "send.h"

#define SECRET_WORDS  4 /* of 64 bits (RFC 2104 3) */
#define SECRET_KEY    SLICE("rua:secret")
#define TOKEN_BYTES   10
#define TOKEN_PREFIX  SLICE("r")          /* of the extension */
#define TOKEN_LIFE_US (10 * STORE_DAY_US) /* mail servers try for five days */
#define LOCAL_MAX     64                  /* RFC 5321 4.5.3.1.1 */
#define WHY_MAX       300
#define SAID_WORDS    4 /* of a diagnostic that may be a status */

/* ---- tokens ------------------------------------------------------------------------------------------ */

static enum store_answer secret_of(struct store *store, struct arena *arena, struct store_item *item_r)
{
	enum store_answer answer = store_get(store, SECRET_KEY, arena, item_r);
	uint64_t words[SECRET_WORDS];

	if (answer != STORE_ABSENT)
		return answer;
	for (size_t i = 0; i < SECRET_WORDS; i++)
		words[i] = random_seed();
	answer = store_put_absent(store, SECRET_KEY,
				  base64_encode((struct slice){(const char *)words, sizeof(words)}, arena),
				  STORE_LIFE_MAX_US);
	if (answer != STORE_OK && answer != STORE_EXISTS)
		return answer;
	return store_get(store, SECRET_KEY, arena, item_r);
}

static struct slice token_key(struct slice token, struct arena *arena)
{
	return store_key(arena, SLICE("rua"), SLICE("token"), arena_lower(arena, token));
}

enum store_answer report_token(struct store *store, struct slice address, struct arena *arena, struct slice *token_r)
{
	unsigned char hash[HASH_KEYED_SIZE];
	struct store_item secret;
	enum store_answer answer = secret_of(store, arena, &secret);
	struct text text;

	if (answer != STORE_OK)
		return STORE_UNAVAILABLE;
	hash_keyed(secret.value, address, hash);
	text_init(&text, arena, TOKEN_BYTES * 2);
	for (size_t i = 0; i < TOKEN_BYTES; i++)
		text_printf(&text, "%02x", hash[i]);
	*token_r = text_slice(&text);
	return store_put(store, token_key(*token_r, arena), address, TOKEN_LIFE_US) == STORE_OK ? STORE_OK
												: STORE_UNAVAILABLE;
}

struct slice report_reverse_path(struct slice from, char delimiter, struct slice token, struct arena *arena)
{
	ptrdiff_t at = slice_find_last(from, '@');

	if (!delimiter || at < 0 || (size_t)at + 1 + TOKEN_PREFIX.n + token.n > LOCAL_MAX)
		return from;
	return arena_join(arena, slice_head(from, (size_t)at), (struct slice){&delimiter, 1}, TOKEN_PREFIX, token,
			  slice_from(from, (size_t)at));
}

enum store_answer report_bounce_find(struct store *store, struct slice from, char delimiter, struct slice recipient,
				     struct arena *arena, struct slice *address_r)
{
	ptrdiff_t at = slice_find_last(from, '@');
	struct slice start, token;
	struct store_item item;
	enum store_answer answer;

	if (!delimiter || at < 0 || !slice_ends_nocase(recipient, slice_from(from, (size_t)at)))
		return STORE_ABSENT;
	start = arena_join(arena, slice_head(from, (size_t)at), (struct slice){&delimiter, 1}, TOKEN_PREFIX);
	if (!slice_starts_nocase(recipient, start))
		return STORE_ABSENT;
	token = slice_from(recipient, start.n);
	if (token.n != TOKEN_BYTES * 2 + from.n - (size_t)at)
		return STORE_ABSENT;
	answer = store_get(store, token_key(slice_head(token, TOKEN_BYTES * 2), arena), arena, &item);
	*address_r = item.value;
	return answer;
}

/* ---- why a mail was refused (RFC 3463) ------------------------------------------------------------------- */

bool report_status_is_of_mail(struct slice status)
{
	static const char *const words[] = {
	    "5.1.7", "5.1.8", /* the sender */
	    "5.2.3", "5.3.4", /* the size */
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (slice_equal(status, slice_of(words[i])))
			return true;
	/* the content; security and policy, as of those that look for spam */
	return slice_starts_nocase(status, SLICE("5.6.")) || slice_starts_nocase(status, SLICE("5.7."));
}

/* ---- what a bounce says (RFC 3464) ----------------------------------------------------------------------- */

static bool has_word(struct slice text, struct slice word)
{
	for (size_t i = 0; i + word.n <= text.n; i++)
		if (slice_starts_nocase(slice_from(text, i), word))
			return true;
	return false;
}

/* The value of the first field of that name at the start of a line. */
static bool find_field(struct slice body, struct slice name, struct slice *value_r)
{
	struct slice line;

	while (slice_cut(&body, '\n', &line)) {
		if (!slice_starts_nocase(line, name))
			continue;
		*value_r = slice_trim(slice_from(line, name.n));
		return true;
	}
	return false;
}

/* Does the text begin with the phrase? A blank of it is any blanks and ends of lines of the text. */
static bool starts_with_phrase(struct slice text, struct slice phrase)
{
	size_t at = 0;

	for (size_t i = 0; i < phrase.n; i++) {
		if (at >= text.n ||
		    (phrase.p[i] == ' ' ? !is_space(text.p[at]) : to_lower(text.p[at]) != to_lower(phrase.p[i])))
			return false;
		for (at++; phrase.p[i] == ' ' && at < text.n && is_space(text.p[at]);)
			at++;
	}
	return true;
}

/* Does the text for a person say that the other server refused the recipient? In the words of Postfix, Exim, Sendmail.
 */
static bool blames_recipient(struct slice body)
{
	static const char *const phrases[] = {"in reply to RCPT TO", "after RCPT TO", "after pipelined RCPT TO",
					      ">>> RCPT TO"};

	for (size_t i = 0; i < body.n; i++)
		for (size_t j = 0; j < sizeof(phrases) / sizeof(phrases[0]); j++)
			if (starts_with_phrase(slice_from(body, i), slice_of(phrases[j])))
				return true;
	return false;
}

/* A status that tells nothing: many servers have no better one, whatever they refuse. */
static bool is_vague(struct slice status)
{
	return status.n == 0 || slice_equal(status, SLICE("5.0.0")) || slice_equal(status, SLICE("5.3.0")) ||
	       slice_equal(status, SLICE("5.5.0"));
}

/* The status in "smtp; 550 5.7.1 no" or "smtp; 550-5.7.1 no"; "": there is none. */
static struct slice said_status(struct slice said)
{
	struct slice word;

	for (unsigned words = 0; words < SAID_WORDS && slice_word(&said, &word); words++) {
		if (word.n > 4 && word.p[3] == '-')
			word = slice_from(word, 4);
		if (slice_starts_nocase(word, SLICE("5.")) && slice_find(slice_from(word, 2), '.') > 0)
			return word;
	}
	return SLICE("");
}

bool report_bounce_read(struct slice type, struct slice body, struct arena *arena, struct slice *why_r)
{
	struct slice action, status = SLICE(""), said = SLICE(""), rest, word;

	body = slice_head(body, REPORT_BOUNCE_MAX);
	*why_r = SLICE("");
	if (!slice_starts_nocase(slice_trim(type), SLICE("multipart/report")) ||
	    !has_word(type, SLICE("delivery-status")))
		return false;
	if (!find_field(body, SLICE("Action:"), &action) || !slice_equal_nocase(action, SLICE("failed")))
		return false;
	find_field(body, SLICE("Status:"), &status);
	find_field(body, SLICE("Diagnostic-Code:"), &said);
	if (status.n > 0 && status.p[0] != '5')
		status = status.p[0] == '4' ? status : SLICE(""); /* 4: it was tried until the mail was too old */
	rest = status;
	word = slice_word(&rest, &word) ? word : SLICE("");
	if (is_vague(word) && said_status(said).n > 0)
		word = said_status(said);
	if (report_status_is_of_mail(word) || (is_vague(word) && !blames_recipient(body)))
		return false;
	*why_r = slice_head(arena_join(arena, SLICE("bounced: "), status, SLICE(" "), said), WHY_MAX);
	return true;
}
