/*
 * setting_dkim.c - how strict the verifier of DKIM signatures is.
 *
 *	dkim { minimum-key-bits N  maximum-signatures N  allow-length DOMAIN ...  engine native|libopendkim|compare }
 */
#include "setting.h"

#define SIGNATURES_MOST 50 /* each costs a question to the DNS and a key operation */

static int wrong_key(struct setting_reader *reader, const struct word *word)
{
	static const char *const names[] = {"minimum-key-bits", "maximum-signatures", "allow-length", "engine", NULL};

	return setting_wrong(reader, word, "dkim knows no \"%s\"%s%s", QUOTE(word->text),
			     nearest_word(word->text, names) ? "; " : "", suggestion(word->text, names).text);
}

/* The number behind a key, between two limits. */
static int read_number(struct setting_reader *reader, const struct word *key, unsigned least, unsigned most,
		       unsigned *number_r)
{
	uint64_t number;

	if (!key->next)
		return setting_wrong(reader, key, "no value behind \"%s\"", QUOTE(key->text));
	if (slice_number(key->next->text, most, &number) || number < least)
		return setting_wrong(reader, key->next, "%s is a number between %u and %u", QUOTE(key->text), least,
				     most);
	*number_r = (unsigned)number;
	return 0;
}

static bool is_key(const struct word *word)
{
	return slice_equal(word->text, SLICE("engine")) || slice_equal(word->text, SLICE("minimum-key-bits")) ||
	       slice_equal(word->text, SLICE("maximum-signatures"));
}

static void close_library(void *library)
{
	dkim_library_close(library);
}

/* The library is opened once and lives as long as the policy. */
static int read_engine(struct setting_reader *reader, const struct word *key)
{
	struct dkim_settings *dkim = &reader->settings->check.dkim;
	struct error err;
	int engine = 0;

	while (key->next && dkim_engine_names[engine] &&
	       !slice_equal(key->next->text, slice_of(dkim_engine_names[engine])))
		engine++;
	if (!key->next || !dkim_engine_names[engine])
		return setting_wrong(reader, key->next ? key->next : key, "engine is native, libopendkim or compare");
	dkim->engine = (enum dkim_engine)engine;
	if (dkim->engine == DKIM_NATIVE || dkim->library)
		return 0;
	dkim->library = dkim_library_open(&err);
	if (!dkim->library)
		return setting_wrong(reader, key->next, "%s", err.text);
	arena_own(reader->arena, dkim->library, close_library);
	return 0;
}

/* Domains up to the next key; the last word that was taken, NULL after an error. */
static const struct word *read_domains(struct setting_reader *reader, const struct word *key)
{
	struct dkim_settings *dkim = &reader->settings->check.dkim;
	struct slice *domains = arena_alloc(reader->arena, reader->said->inside.count * sizeof(*domains));
	const struct word *word = key;
	size_t count = 0;
	bool valid;

	for (; word->next && !is_key(word->next); word = word->next) {
		domains[count++] = domain_normalise(word_value(word->next, reader->arena), reader->arena, &valid);
		if (!valid) {
			setting_wrong(reader, word->next, "\"%s\" is no domain", QUOTE(word->next->text));
			return NULL;
		}
	}
	dkim->length_domains = domains;
	dkim->length_domain_count = count;
	if (count > 0)
		return word;
	setting_wrong(reader, key, "allow-length names the domains (d=) whose l= may leave out a part of the body");
	return NULL;
}

int setting_read_dkim(struct setting_reader *reader)
{
	struct dkim_settings *dkim = &reader->settings->check.dkim;

	if (reader->said->values.count || !reader->said->braces)
		return setting_wrong(reader, reader->said->values.first, "dkim wants { }");
	for (const struct word *word = reader->said->inside.first; word; word = word->next) {
		int result = 0;

		if (slice_equal(word->text, SLICE("minimum-key-bits")))
			result = read_number(reader, word, DKIM_RSA_BITS_MIN, DKIM_RSA_BITS_MAX, &dkim->minimum_bits);
		else if (slice_equal(word->text, SLICE("maximum-signatures")))
			result = read_number(reader, word, 1, SIGNATURES_MOST, &dkim->signatures);
		else if (slice_equal(word->text, SLICE("engine")))
			result = read_engine(reader, word);
		else if (!slice_equal(word->text, SLICE("allow-length")))
			result = wrong_key(reader, word);
		else if (!(word = read_domains(reader, word)))
			return -1;
		else
			continue;
		if (result)
			return -1;
		word = word->next;
	}
	return 0;
}
