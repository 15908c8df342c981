/*
 * written_policy.h - a policy file that the bytes of a fuzzer choose. It is well-typed: every fact is asked at a stage
 * where it is known, as its type allows, so that the file always compiles.
 */
#ifndef SEKISHO_WRITTEN_POLICY_H
#define SEKISHO_WRITTEN_POLICY_H

#include "fuzz.h"
#include "policy.h"

#include <string.h>

#define POLICY_MAX    (256 * 1024)
#define RULES_MOST    40 /* of a policy file: enough for rules that meet, few enough to be fast */
#define DEPTH_MOST    4  /* of conditions in each other */
#define GROUPS_NONE   (-1)
#define COUNT(array)  (sizeof(array) / sizeof(*(array)))
#define PICK(a, list) ((list)[pick(a, COUNT(list))])

/* ---- the bytes ---------------------------------------------------------------------- */

struct bytes {
	const uint8_t *p;
	size_t n;
	struct arena *arena;
	struct text *told; /* what came of the messages */
};

/* 0 to n-1; 0 once there are no bytes left. */
static unsigned pick(struct bytes *bytes, size_t n)
{
	if (bytes->n == 0)
		return 0;
	bytes->n--;
	return *bytes->p++ % (unsigned)n;
}

/* Any bytes except NUL, which no mail server hands over. */
static struct slice raw(struct bytes *bytes, size_t most)
{
	size_t n = pick(bytes, most + 1);
	struct slice taken;

	if (n > bytes->n)
		n = bytes->n;
	taken = (struct slice){(const char *)bytes->p, n};
	bytes->p += n;
	bytes->n -= n;
	return slice_head(taken, strnlen(taken.p, taken.n));
}

/* ---- the policy file ----------------------------------------------------------------- */

/* The traffic that most rules of a file are for. */
enum written_head { FOR_INBOUND, FOR_SUBMISSION, FOR_LOCAL, FOR_TENANT };

struct writer {
	struct bytes *bytes;
	struct text *out;
	enum written_head head;
	enum stage stage;
	bool conflicts;    /* on-conflict is set: verdicts of the last stage may ask about one recipient */
	bool ascii;        /* the text at hand is of a reply */
	bool about_one;    /* such a rule is being written */
	int groups;        /* of the expressions of its condition; GROUPS_NONE: it has none */
	unsigned lists[3]; /* file descriptors */
	unsigned key;
};

static const char *const domains[] = {"example.org", "example.net", "sub.example.org", ".example.net",
				      "xn--fsq.example"};
static const char *const addresses[] = {"a@example.org", "@example.net", ".example.org", "null", "b+c@example.net"};
static const char *const nets[] = {"192.0.2.1", "203.0.113.0/24", "2001:db8::/32", "127.0.0.1"};
static const char *const numbers[] = {"0", "1", "10", "100", "10k", "12"};
static const char *const comparisons[] = {"<", "<=", ">", ">=", "="};
static const char *const names[] = {"X-A",        "Subject",  "From",    "To",      "Date",
				    "Message-ID", "Reply-To", "List-Id", "Bcc",     "Content-Type",
				    "X-Bad_1~!",  "Cc",       "Sender",  "Received"};
static const struct {
	const char *text;
	int groups;
} expressions[] = {{"a", 0},        {"(.)(.*)", 2},        {"^ *(re|fwd): *(.*)$", 2},
		   {"(a|aa)+$", 1}, {"[\\x80-\\xff]+", 0}, {"", 0}};

/* Printable ASCII and a few other letters; no more than a line of a reply takes. */
static void write_letters(struct writer *writer)
{
	struct slice text = raw(writer->bytes, 24);

	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (c >= 0xf0 && !writer->ascii)
			text_add(writer->out, c & 1 ? SLICE("\xc3\xbc") : SLICE("\xe6\xbc\xa2"));
		else if (c >= ' ' && c <= '~' && c != '"' && c != '\\' && c != '%')
			text_add_char(writer->out, (char)c);
		else
			text_add(writer->out, c & 1 ? SLICE("\\\"") : SLICE("%%"));
	}
}

static const char *write_argument(struct writer *writer, const struct fact *fact)
{
	if (fact->argument == ARGUMENT_HEADER)
		return PICK(writer->bytes, names);
	if (fact->argument == ARGUMENT_VARIABLE)
		return pick(writer->bytes, 2) ? "kind" : "other";
	if (fact->argument == ARGUMENT_THING)
		return writer->stage == STAGE_MESSAGE ? "volume" : writer->stage == STAGE_RCPT ? "inbox" : "hourly";
	return NULL;
}

/* A fact that can be had here; `one`: also one of a recipient. */
static const struct fact *pick_fact(struct writer *writer, bool one)
{
	unsigned first = pick(writer->bytes, FACT_MAX), count = 0;
	const struct fact *fact;

	while (fact_at(count))
		count++;
	for (unsigned i = 0; i < count; i++) {
		fact = fact_at((first + i) % count);
		if (fact->stage <= writer->stage && (one || fact->scope != SCOPE_RECIPIENT))
			return fact;
	}
	return fact_at(0);
}

static bool is_one_known(const struct writer *writer)
{
	return writer->stage == STAGE_RCPT || (writer->stage == STAGE_MESSAGE && writer->about_one);
}

static void write_fact(struct writer *writer, const struct fact *fact)
{
	const char *argument = write_argument(writer, fact);

	text_printf(writer->out, argument ? "%s(%s)" : "%s", fact->name, argument);
}

/* What strangers choose byte for byte. */
static const char *pick_stranger(struct writer *writer)
{
	if (writer->stage < STAGE_MAIL)
		return "client.name";
	if (writer->stage < STAGE_MESSAGE || pick(writer->bytes, 4) == 3)
		return "auth.user";
	return pick(writer->bytes, 2) ? "header(X-A)" : "header(Subject)";
}

/* In quotes: letters, facts, and what an expression matched. */
static void write_text(struct writer *writer)
{
	text_add_char(writer->out, '"');
	text_add(writer->out, SLICE("t"));
	for (unsigned i = pick(writer->bytes, 4); i > 0; i--) {
		unsigned what = pick(writer->bytes, 4);

		if (what == 0) {
			write_letters(writer);
		} else if (what == 1 && writer->groups != GROUPS_NONE) {
			text_printf(writer->out, "%%{%u}", pick(writer->bytes, (size_t)writer->groups + 1));
		} else if (what == 2) {
			text_printf(writer->out, "%%{%s}", pick_stranger(writer));
		} else {
			text_add(writer->out, SLICE("%{"));
			write_fact(writer, pick_fact(writer, is_one_known(writer)));
			text_add(writer->out, SLICE("}"));
		}
	}
	text_add_char(writer->out, '"');
}

static void write_address(struct writer *writer)
{
	if (pick(writer->bytes, 2))
		text_printf(writer->out, "\"%s@example.net\"", pick(writer->bytes, 2) ? "new" : "other");
	else
		text_printf(writer->out, "\"%s\"",
			    writer->stage == STAGE_MESSAGE ? "%{header(X-A)}" : "new@%{client.name}");
}

static void write_expression(struct writer *writer)
{
	unsigned at = pick(writer->bytes, COUNT(expressions) - 1);

	text_printf(writer->out, " matches /%s/%s", expressions[at].text, pick(writer->bytes, 2) ? "i" : "");
	/* Which of several is the last to match is not known here: only what all have. */
	if (writer->groups == GROUPS_NONE || expressions[at].groups < writer->groups)
		writer->groups = expressions[at].groups;
}

static const char *pick_value(struct writer *writer, const struct fact *fact, enum type type)
{
	unsigned count = 0;

	if (type == TYPE_DOMAIN)
		return PICK(writer->bytes, domains);
	if (type == TYPE_ADDRESS)
		return PICK(writer->bytes, addresses);
	if (type == TYPE_IP)
		return PICK(writer->bytes, nets);
	if (type == TYPE_STRING)
		return pick(writer->bytes, 2) ? "\"\"" : "\"hello\"";
	while (fact->words[count])
		count++;
	return fact->words[pick(writer->bytes, count)];
}

static void write_values(struct writer *writer, const struct fact *fact, enum type type)
{
	const char *is = pick(writer->bytes, 2) ? "is not" : "is";

	if (pick(writer->bytes, 2))
		text_printf(writer->out, " %s %s", is, pick_value(writer, fact, type));
	else
		text_printf(writer->out, " %s { %s %s }", is, pick_value(writer, fact, type),
			    pick_value(writer, fact, type));
}

static void write_test(struct writer *writer)
{
	bool one = is_one_known(writer);
	const struct fact *fact = pick_fact(writer, one || writer->stage == STAGE_MESSAGE);
	bool several = (fact->scope == SCOPE_RECIPIENT && !one) || (fact->list && pick(writer->bytes, 2));
	enum type type = fact->list && several ? fact->of : fact->type;
	unsigned how = pick(writer->bytes, 4);

	if (several)
		text_add(writer->out, pick(writer->bytes, 2) ? SLICE("any ") : SLICE("all "));
	write_fact(writer, fact);
	if (type == TYPE_BOOL)
		return;
	if (type == TYPE_NUMBER)
		text_printf(writer->out, " %s %s", PICK(writer->bytes, comparisons), PICK(writer->bytes, numbers));
	else if (how == 0 && type != TYPE_RESULT)
		text_printf(writer->out, " in %s", pick(writer->bytes, 2) ? "friends" : "others");
	else if (how == 1 && type == TYPE_ADDRESS && writer->stage >= STAGE_MAIL)
		text_add(writer->out, SLICE(" owned by auth.user"));
	else if (how == 2 && type != TYPE_RESULT && type != TYPE_IP)
		write_expression(writer);
	else
		write_values(writer, fact, type);
}

static void write_condition(struct writer *writer, unsigned depth)
{
	unsigned what = depth == DEPTH_MOST ? 0 : pick(writer->bytes, 6);

	if (what < 3) {
		text_add(writer->out, what == 1 ? SLICE("not ") : SLICE(""));
		write_test(writer);
		return;
	}
	text_add(writer->out, what == 3 ? SLICE("not (") : SLICE("("));
	write_condition(writer, depth + 1);
	text_add(writer->out, what == 4 ? SLICE(" and ") : SLICE(" or "));
	write_condition(writer, depth + 1);
	text_add(writer->out, SLICE(")"));
}

#define AT(stage) (1u << (stage))
#define ANYWHERE  0x1fu
#define NOT_RCPT  (ANYWHERE & ~AT(STAGE_RCPT))
#define ONLY_RCPT AT(STAGE_RCPT)

/* $ is a text, & one in ASCII, @ an address, # the name of a field. */
static const struct form {
	const char *text;
	unsigned stages;
	bool verdict;
} forms[] = {
    {"log $", ANYWHERE, false},
    {"accept", ANYWHERE, true},
    {"reject", ANYWHERE, true},
    {"reject 550 5.7.1 &", ANYWHERE, true},
    {"reject 521 & & &", ANYWHERE, true},
    {"defer 451 4.7.1 &", ANYWHERE, true},
    {"defer 421 4.3.2 &", ANYWHERE, true},
    {"discard", NOT_RCPT, true},
    {"quarantine $", ANYWHERE, true},
    {"add-header # $", ANYWHERE, false},
    {"add-header # $ bottom", ANYWHERE, false},
    {"replace-header # $", ANYWHERE, false},
    {"delete-header #", ANYWHERE, false},
    {"delete-header # X-* #", ANYWHERE, false},
    {"delete-header in friends", ANYWHERE, false},
    {"delete-header # matching \"(?i)^a|(b)\"", ANYWHERE, false},
    {"add-missing", ANYWHERE, false},
    {"prefix-subject $", ANYWHERE, false},
    {"footer $", NOT_RCPT, false},
    {"footer $ $", NOT_RCPT, false},
    {"set-sender @", ANYWHERE, false},
    {"set-sender \"\"", ANYWHERE, false},
    {"add-recipient @", ANYWHERE, false},
    {"delete-recipient @", NOT_RCPT, false},
    {"delete-recipient", ONLY_RCPT, false},
    {"redirect @", NOT_RCPT, false},
    {"sign", ANYWHERE, false},
    {"override local_policy $", ANYWHERE, false},
    {"score 3 $", ANYWHERE, false},
    {"score -1000000 $", ANYWHERE, false},
    {"set kind $", ANYWHERE, false},
    {"set other $", ANYWHERE, false},
    {"stop", ANYWHERE, false},
};

static void write_action(struct writer *writer, const struct form *form)
{
	for (const char *at = form->text; *at; at++) {
		writer->ascii = *at == '&';
		if (*at == '$' || *at == '&')
			write_text(writer);
		else if (*at == '@')
			write_address(writer);
		else if (*at == '#')
			text_printf(writer->out, "%s", PICK(writer->bytes, names));
		else
			text_add_char(writer->out, *at);
	}
}

/* Few verdicts, so that messages come to their end. */
static const struct form *pick_form(struct writer *writer)
{
	bool verdict = pick(writer->bytes, 5) == 4;
	unsigned first = pick(writer->bytes, COUNT(forms));

	for (size_t i = 0; i < COUNT(forms); i++) {
		const struct form *form = &forms[(first + i) % COUNT(forms)];

		if (form->verdict == verdict && form->stages & AT(writer->stage))
			return form;
	}
	return &forms[0];
}

static void write_rule(struct writer *writer)
{
	const struct form *form = pick_form(writer);
	struct text *out = writer->out, condition;

	writer->groups = GROUPS_NONE;
	writer->about_one = form->verdict && writer->conflicts;
	text_init(&condition, writer->bytes->arena, POLICY_MAX);
	writer->out = &condition;
	if (form->verdict || pick(writer->bytes, 3)) {
		text_add(&condition, SLICE(" if "));
		write_condition(writer, 0);
	}
	writer->out = out;
	/* What a text says of one recipient needs a condition that asks about one. */
	writer->about_one = false;
	text_add(out, pick(writer->bytes, 6) == 5 ? SLICE("    try ") : SLICE("    "));
	write_action(writer, form);
	text_add(out, text_slice(&condition));
	text_add_char(out, '\n');
}

static void write_settings(struct writer *writer)
{
	static const char *const choices[] = {
	    "authentication-results off\n", "received-spf yes\n",
	    "record { facts all }\n",       "mode report\n",
	    "spf { engine compare }\n",     "dkim { allow-length example.net }\n",
	    "submission { port 587 }\n",    "ownership { self yes recipient-delimiter + }\n",
	};
	static const char *const ways[] = {"strictest", "most-lenient", "split"};
	unsigned set = pick(writer->bytes, 256), conflict = pick(writer->bytes, 4);

	text_printf(
	    writer->out,
	    "authserv-id mx.example.org\nstore memory:\ntrusted { 127.0.0.0/8 }\n"
	    "list friends file:/proc/self/fd/%u\nlist others file:/proc/self/fd/%u\nlist owners file:/proc/self/fd/%u\n"
	    "list relays file:/proc/self/fd/%u\nsign example.org { selector s key /proc/self/fd/%u subdomains yes }\n",
	    writer->lists[0], writer->lists[1], writer->lists[2], writer->lists[1], writer->key);
	text_add(writer->out, SLICE("dnsbl hourly { zone bl.test code 127.0.0.2 hello }\n"
				    "dnsbl inbox { zone dbl.test of sender.domain code 127.0.*.2 hello weight -2 }\n"
				    "dnsbl volume { zone multi.test of from.domain bit 2 hello }\n"));
	text_add(writer->out, SLICE("limit hourly { key client count messages soft 1 hard 2 per 1h }\n"
				    "limit inbox { key recipient count messages hard 1 per 10m }\n"
				    "limit volume { key client count bytes soft 10 hard 200 per 1h }\n"
				    "tenant acme { daemon-name acme authserv-id acme.example }\n"));
	for (unsigned i = 0; i < COUNT(choices); i++)
		if (set & (1u << i))
			text_printf(writer->out, "%s", choices[i]);
	writer->conflicts = conflict > 0;
	if (conflict > 0)
		text_printf(writer->out, "on-conflict %s\n", ways[conflict - 1]);
}

/* In the order of enum written_head. */
static const char *const heads[] = {"inbound", "submission", "local", "inbound for acme"};

static void write_policy(struct writer *writer)
{
	unsigned rules = 1 + pick(writer->bytes, RULES_MOST);

	writer->head = (enum written_head)pick(writer->bytes, COUNT(heads));
	write_settings(writer);
	text_add(writer->out, SLICE("policy inbound { on connect {\n set kind \"\"\n set other \"o\"\n} }\n"));
	while (rules > 0) {
		unsigned here = 1 + pick(writer->bytes, 8);

		writer->stage = (enum stage)(STAGE_MESSAGE - pick(writer->bytes, STAGE_COUNT));
		text_printf(writer->out, "policy %s {\n  on %s {\n",
			    pick(writer->bytes, 8) == 7 ? PICK(writer->bytes, heads) : heads[writer->head],
			    stage_names[writer->stage]);
		for (; here > 0 && rules > 0; here--, rules--)
			write_rule(writer);
		text_add(writer->out, SLICE("  }\n}\n"));
	}
}

#endif
