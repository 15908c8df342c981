/*
 * setting_resolver.c - whom to ask in the DNS, and how long to wait.
 *
 *	resolver { timeout 3s  dnssec permissive  system | forward ADDRESS[@PORT] ... | recurse  cache N  hints yes | no
 *}
 */
#include "setting.h"
#include "values.h"

#define TIMEOUT_LEAST_US 100000ll  /* less is less than a packet around the world */
#define TIMEOUT_MOST_US  8000000ll /* no callback before the end of message takes longer: Sendmail waits 10 s */
#define CACHE_LEAST      100
#define CACHE_MOST       10000000

struct resolver_reader {
	struct setting_reader *reader;
	struct resolver_settings *resolver;
	bool dnssec_said;
	const struct word *source; /* that said whom to ask */
};

/* Each reads the words behind its key and gives the last one it took; NULL when an error was reported. */
typedef const struct word *read_key(struct resolver_reader *, const struct word *key);

static const struct word *missing(struct resolver_reader *reader, const struct word *key)
{
	setting_wrong(reader->reader, key, "no value behind \"%s\"", QUOTE(key->text));
	return NULL;
}

static const struct word *read_timeout(struct resolver_reader *reader, const struct word *key)
{
	const struct word *word = key->next;

	if (!word)
		return missing(reader, key);
	if (duration_parse(word->text, &reader->resolver->timeout_us) == 0 &&
	    reader->resolver->timeout_us >= TIMEOUT_LEAST_US && reader->resolver->timeout_us <= TIMEOUT_MOST_US)
		return word;
	setting_wrong(reader->reader, word, "timeout is a time between %s and %s",
		      duration_print(TIMEOUT_LEAST_US).text, duration_print(TIMEOUT_MOST_US).text);
	return NULL;
}

static const struct word *read_dnssec(struct resolver_reader *reader, const struct word *key)
{
	static const char *const words[] = {
	    [DNSSEC_OFF] = "off", [DNSSEC_PERMISSIVE] = "permissive", [DNSSEC_STRICT] = "strict"};

	if (!key->next)
		return missing(reader, key);
	for (int i = DNSSEC_OFF; i <= DNSSEC_STRICT; i++) {
		if (slice_equal(key->next->text, slice_of(words[i]))) {
			reader->resolver->dnssec = (enum dnssec)i;
			reader->dnssec_said = true;
			return key->next;
		}
	}
	setting_wrong(reader->reader, key->next, "dnssec is off, permissive or strict");
	return NULL;
}

static const struct word *read_cache(struct resolver_reader *reader, const struct word *key)
{
	uint64_t entries;

	if (!key->next)
		return missing(reader, key);
	if (slice_number(key->next->text, CACHE_MOST, &entries) == 0 && entries >= CACHE_LEAST) {
		reader->resolver->cache_entries = (size_t)entries;
		return key->next;
	}
	setting_wrong(reader->reader, key->next, "cache is a number of answers between %d and %d", CACHE_LEAST,
		      CACHE_MOST);
	return NULL;
}

static const struct word *read_hints(struct resolver_reader *reader, const struct word *key)
{
	if (!key->next)
		return missing(reader, key);
	if (slice_equal(key->next->text, SLICE("yes")) || slice_equal(key->next->text, SLICE("no"))) {
		reader->resolver->hints_off = slice_equal(key->next->text, SLICE("no"));
		return key->next;
	}
	setting_wrong(reader->reader, key->next, "hints is yes or no");
	return NULL;
}

static const struct word *choose(struct resolver_reader *reader, const struct word *key, enum dns_source source)
{
	if (reader->source) {
		setting_wrong(reader->reader, key, "one of system, forward and recurse is enough, and \"%s\" was said",
			      QUOTE(reader->source->text));
		return NULL;
	}
	reader->source = key;
	reader->resolver->source = source;
	return key;
}

static const struct word *read_system(struct resolver_reader *reader, const struct word *key)
{
	return choose(reader, key, DNS_SYSTEM);
}

static const struct word *read_recurse(struct resolver_reader *reader, const struct word *key)
{
	return choose(reader, key, DNS_RECURSE);
}

/* 192.0.2.53, 192.0.2.53@5353, 2001:db8::53 */
static bool is_server(struct slice text)
{
	struct slice address;
	struct ip ip;
	unsigned port;

	slice_cut(&text, '@', &address);
	return ip_parse(address, &ip) == 0 && (!text.p || port_parse(text, &port) == 0);
}

static const struct word *read_forward(struct resolver_reader *reader, const struct word *key)
{
	struct resolver_settings *resolver = reader->resolver;
	const struct word *word = key;

	if (!choose(reader, key, DNS_FORWARD))
		return NULL;
	for (; word->next && is_server(word->next->text); word = word->next) {
		if (resolver->forward_count == DNS_FORWARD_MAX) {
			setting_wrong(reader->reader, word->next, "more than %d servers", DNS_FORWARD_MAX);
			return NULL;
		}
		resolver->forward[resolver->forward_count++] = arena_cstring(reader->reader->arena, word->next->text);
	}
	if (resolver->forward_count)
		return word;
	setting_wrong(reader->reader, key->next ? key->next : key,
		      "forward wants addresses of servers, as in 192.0.2.53@53");
	return NULL;
}

static const struct {
	const char *name;
	read_key *read;
} keys[] = {
    {"timeout", read_timeout}, {"dnssec", read_dnssec},   {"cache", read_cache}, {"system", read_system},
    {"forward", read_forward}, {"recurse", read_recurse}, {"hints", read_hints},
};

static const struct word *read_one(struct resolver_reader *reader, const struct word *key)
{
	const char *names[sizeof(keys) / sizeof(keys[0]) + 1] = {NULL};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (slice_equal(key->text, slice_of(keys[i].name)))
			return keys[i].read(reader, key);
		names[i] = keys[i].name;
	}
	setting_wrong(reader->reader, key, "resolver knows no \"%s\"%s", QUOTE(key->text),
		      suggestion_aside(key->text, names).text);
	return NULL;
}

int setting_read_resolver(struct setting_reader *setting)
{
	struct resolver_reader reader = {.reader = setting, .resolver = &setting->settings->resolver};

	if (setting->said->values.count || !setting->said->braces)
		return setting_wrong(setting, setting->said->values.first, "resolver wants { }");
	for (const struct word *word = setting->said->inside.first; word; word = word->next) {
		word = read_one(&reader, word);
		if (!word)
			return -1;
	}
	if (!reader.dnssec_said)
		reader.resolver->dnssec = reader.resolver->source == DNS_RECURSE ? DNSSEC_STRICT : DNSSEC_PERMISSIVE;
	return 0;
}
