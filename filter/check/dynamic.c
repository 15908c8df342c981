/*
 * dynamic.c - does the name of the client say that it is one of many connections of a provider, and not a server?
 *
 * Two signs: the name contains the address of the client, in one of the ways in which providers write it; or the list
 * dynamic-names has the name, a domain above it, or a word of it. A name that also says that it is a server, or fixed,
 * does not count for its address. It is a sign, not a verdict: a score.
 */
#include "check_private.h"
#include <stdio.h>
#include <string.h>

#define NAMES_MAX 3  /* of the client that are looked at; honest clients have one */
#define RUNS_MAX  32 /* numbers in a name */
#define WORD_MAX  32

/* ---- the address in the name ------------------------------------------------------------------------------------ */

/* Numbers of the name, each up to 255; a longer one is -1. */
static size_t read_runs(struct slice name, int runs_r[RUNS_MAX])
{
	size_t count = 0;

	for (size_t i = 0; i < name.n && count < RUNS_MAX;) {
		int value = 0;
		size_t digits = 0;

		if (!is_digit(name.p[i])) {
			i++;
			continue;
		}
		for (; i < name.n && is_digit(name.p[i]); i++, digits++)
			if (digits < 3)
				value = value * 10 + (name.p[i] - '0');
		runs_r[count++] = digits <= 3 && value <= 255 ? value : -1;
	}
	return count;
}

/* Three octets of four that follow each other, in either direction: 203-0-113-9, 9.113.0.203, 113-9 alone is too
 * little. */
static bool has_octets(struct slice name, struct ip ip)
{
	static const uint8_t orders[][3] = {{0, 1, 2}, {1, 2, 3}, {3, 2, 1}, {2, 1, 0}};
	int runs[RUNS_MAX];
	size_t count = read_runs(name, runs);

	for (size_t i = 0; i + 3 <= count; i++)
		for (size_t o = 0; o < 4; o++)
			if (runs[i] == ip.bytes[orders[o][0]] && runs[i + 1] == ip.bytes[orders[o][1]] &&
			    runs[i + 2] == ip.bytes[orders[o][2]])
				return true;
	return false;
}

static bool contains(struct slice text, const char *part)
{
	return memmem(text.p, text.n, part, strlen(part)) != NULL;
}

/* 203000113009, cb007109, and both from behind. */
static bool has_written_together(struct slice name, struct ip ip)
{
	const uint8_t *b = ip.bytes;
	char text[16];

	for (int back = 0; back < 2; back++) {
		unsigned one = b[back ? 3 : 0], two = b[back ? 2 : 1], three = b[back ? 1 : 2], four = b[back ? 0 : 3];

		snprintf(text, sizeof(text), "%03u%03u%03u%03u", one, two, three, four);
		if (contains(name, text))
			return true;
		snprintf(text, sizeof(text), "%02x%02x%02x%02x", one, two, three, four);
		if (contains(name, text))
			return true;
	}
	return false;
}

/* The last 64 bits as 16 digits in either direction, whatever is between them; or the address with "-" for ":". */
static bool has_ip6(struct slice name, struct ip ip, struct arena *arena)
{
	static const char hex[] = "0123456789abcdef";
	char digits[17] = "", back[17] = "", buffer[IP_TEXT];
	struct slice packed, shown = ip_print(ip, buffer);

	for (int i = 0; i < 16; i++) {
		digits[i] = hex[ip.bytes[8 + i / 2] >> (i % 2 ? 0 : 4) & 15];
		back[15 - i] = digits[i];
	}
	packed = arena_without(arena, arena_without(arena, name, '.'), '-');
	if (contains(packed, digits) || contains(packed, back))
		return true;
	for (size_t i = 0; i < shown.n; i++)
		if (buffer[i] == ':')
			buffer[i] = '-';
	return shown.n >= 8 && contains(name, arena_cstring(arena, shown));
}

/* ---- words ------------------------------------------------------------------------------------------------------- */

/* The next word of letters. */
static bool next_word(struct slice *rest, struct slice *word_r)
{
	size_t start = 0, end;

	while (start < rest->n && !is_letter(rest->p[start]))
		start++;
	end = start;
	while (end < rest->n && is_letter(rest->p[end]))
		end++;
	*word_r = (struct slice){rest->p + start, end - start};
	*rest = slice_from(*rest, end);
	return word_r->n > 0;
}

/* Words that say that the address is that of a server, or stays. */
static bool says_server(struct slice name)
{
	static const char *const words[] = {"static", "fixed",  "fix", "mail", "mx",     "smtp", "relay",
					    "mta",    "mailer", "out", "host", "server", "vps",  "dedicated"};
	struct slice word;

	while (next_word(&name, &word))
		for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			if (slice_equal(word, slice_of(words[i])))
				return true;
	return false;
}

static enum truth has(const struct view *view, struct list *list, struct slice text)
{
	return list_has(list, view->store, &(struct list_key){.kind = LIST_TEXT, .text = text});
}

static enum truth is_listed(const struct view *view, struct slice name)
{
	struct list *list = view->settings->dynamic_names;
	enum truth truth = list ? has(view, list, name) : TRUTH_FALSE;
	struct slice word;

	while (list && truth == TRUTH_FALSE && next_word(&name, &word))
		if (word.n <= WORD_MAX)
			truth = has(view, list, word);
	return truth;
}

/* ---- the fact ---------------------------------------------------------------------------------------------------- */

static enum truth is_dynamic(struct view *view, struct slice name)
{
	struct ip ip = view->session->client;
	enum truth listed;

	name = arena_lower(view->message->arena, name);
	listed = is_listed(view, name);
	if (listed != TRUTH_FALSE || says_server(name))
		return listed;
	if (ip.family == 6)
		return has_ip6(name, ip, view->message->arena) ? TRUTH_TRUE : TRUTH_FALSE;
	return has_octets(name, ip) || has_written_together(name, ip) ? TRUTH_TRUE : TRUTH_FALSE;
}

static struct value value_of(const struct view *view, enum truth truth)
{
	if (truth == TRUTH_UNKNOWN)
		return value_unknown(TYPE_BOOL, list_unknown(view->settings->dynamic_names));
	return value_bool(truth == TRUTH_TRUE);
}

/* The name that the MTA verified; without one those of the DNS, which need not lead back. */
static struct value get_dynamic(struct view *view)
{
	struct ip ip = view->session->client;
	enum truth truth = TRUTH_FALSE;
	const struct dns_answer *ptr;

	if (!ip.family)
		return value_absent(TYPE_BOOL);
	if (view->session->client_name.n)
		return value_of(view, is_dynamic(view, view->session->client_name));
	ptr = dns_ask(view->budget, dns_reverse_name(ip, view->message->arena), DNS_PTR);
	if (ptr->status == DNS_TEMPFAIL)
		return value_unknown(TYPE_BOOL, "temporary DNS failure");
	for (size_t i = 0; i < ptr->count && i < NAMES_MAX && truth == TRUTH_FALSE; i++)
		truth = is_dynamic(view, ptr->records[i].name);
	return value_of(view, truth);
}

static void hint(struct view *view, enum stage stage, const struct asking *asking)
{
	const struct session *session = view->session;

	(void)asking;
	if (stage == STAGE_CONNECT && session->client.family && !session->client_name.n)
		dns_hint(view->budget, dns_reverse_name(session->client, view->message->arena), DNS_PTR);
}

static const struct fact facts[] = {
    FACT("client.dynamic", BOOL, CONNECT, get_dynamic,
	 "the client's name looks like that of a connection of a provider, not of a server", .scope = SCOPE_CONNECTION),
};

const struct check check_dynamic = {CHECK_NAMED(dynamic), FACTS(facts), .hint = hint};
