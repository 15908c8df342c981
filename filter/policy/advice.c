/*
 * advice.c - what `sekisho check` says of a file that compiles: accounts that do not exist, and what is allowed and
 * hardly meant.
 *
 * Accounts are errors: the daemon would not start. The rest is advice and changes no exit code, since a policy that
 * does what its author wants is right.
 */
#include "compile.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PASSWORD_FILE_MAX 4096

static bool is_named(const struct setting_syntax *said, const char *name)
{
	return slice_equal(said->name.text, slice_of(name));
}

/* ---- accounts ------------------------------------------------------------------------------------------ */

static void check_user(struct compiler *compiler, const struct word *name)
{
	char *user = arena_cstring(compiler->policy->arena, name->text);

	if (!getpwnam(user))
		diagnostics_error(compiler->diagnostics, name->place,
				  "there is no user %s on this system; create it, or name another", user);
}

static void check_group(struct compiler *compiler, const struct word *name)
{
	char *group = arena_cstring(compiler->policy->arena, name->text);

	if (!getgrnam(group))
		diagnostics_error(compiler->diagnostics, name->place,
				  "there is no group %s on this system; create it, or name another", group);
}

/* writers of a list, readers of control: the daemon starts, and nobody is let in. Up to the next key. */
static void check_let_in(struct compiler *compiler, const struct word *words, const char *key)
{
	while (words && !slice_equal(words->text, slice_of(key)))
		words = words->next;
	for (words = words ? words->next : NULL;
	     words && !slice_equal(words->text, SLICE("on-failure")) && !slice_equal(words->text, SLICE("at-most"));
	     words = words->next)
		if (!getgrnam(arena_cstring(compiler->policy->arena, words->text)))
			diagnostics_advice(compiler->diagnostics, words->place,
					   "there is no group %s on this system, so nobody is let in by it; create it, "
					   "or name another",
					   QUOTE(words->text));
}

/* Up to the next key. */
static void check_users(struct compiler *compiler, const struct word *name)
{
	for (; name && !slice_equal(name->text, SLICE("mode")) && !slice_equal(name->text, SLICE("group"));
	     name = name->next)
		check_user(compiler, name);
}

static bool is_network(const struct listen_setting *listen)
{
	return listen->address.family == LISTEN_INET || listen->address.family == LISTEN_INET6;
}

/* Is there a network socket that a statement says, or (NULL) any that takes mail? */
static bool has_network(const struct compiler *compiler, const struct setting_syntax *said)
{
	const struct settings *settings = &compiler->policy->settings;

	for (size_t i = 0; i < settings->listen_count; i++) {
		const struct listen_setting *listen = &settings->listens[i];

		if (is_network(listen) && listen->door == LISTEN_MILTER &&
		    (!said || listen->where.line == position_of(compiler, said->name.place).line))
			return true;
	}
	return false;
}

static bool says_native(const struct setting_syntax *said)
{
	for (const struct word *word = said->values.first; word && word->next; word = word->next)
		if (slice_equal(word->text, SLICE("engine")) && slice_equal(word->next->text, SLICE("native")))
			return true;
	return false;
}

/* listen unix:/path group NAME, listen inet:1 user NAME */
static void check_listen(struct compiler *compiler, const struct setting_syntax *said)
{
	if (has_network(compiler, said))
		diagnostics_advice(
		    compiler->diagnostics, said->name.place,
		    "whoever can connect to a network socket can say that it is your mail server%s; use a "
		    "unix socket: listen unix:/var/spool/postfix/sekisho/milter.sock mode 0660 group postfix",
		    says_native(said) ? "" : ", and libmilter is not safe against a hostile program there");
	for (const struct word *word = said->values.first; word && word->next; word = word->next)
		if (slice_equal(word->text, SLICE("user")))
			check_users(compiler, word->next);
	for (const struct word *word = said->values.first; word && word->next; word = word->next)
		if (slice_equal(word->text, SLICE("group")))
			check_group(compiler, word->next);
}

/* ---- settings ------------------------------------------------------------------------------------------ */

/* 0.0.0.0/0, or halves of it: nobody has so many hosts of his own. IPv6 is given to sites as /32 at most. */
static bool is_world(const struct ip_net *net)
{
	return net->prefix < (net->ip.family == 4 ? 4 : 16);
}

static void check_trusted(struct compiler *compiler, const struct setting_syntax *said)
{
	struct ip_net net;

	for (const struct word *word = said->inside.first; word; word = word->next)
		if (ip_net_parse(word->text, &net) == 0 && is_world(&net))
			diagnostics_advice(
			    compiler->diagnostics, word->place,
			    "trusted holds %s, and so nearly every client of the Internet: their mail is "
			    "\"local\", and no rule of \"policy inbound\" sees it; name your own networks",
			    QUOTE(word->text));
}

static void check_submission(struct compiler *compiler, const struct setting_syntax *said)
{
	bool port = false;

	for (const struct word *word = said->inside.first; word; word = word->next) {
		if (slice_equal(word->text, SLICE("port")) || slice_equal(word->text, SLICE("daemon-name")))
			port = slice_equal(word->text, SLICE("port"));
		else if (port && slice_equal(word->text, SLICE("25")))
			diagnostics_advice(compiler->diagnostics, word->place,
					   "other mail servers bring their mail to port 25, and all of it would be "
					   "submission: no rule of \"policy inbound\" sees it; remove 25 (who "
					   "authenticates there is submission anyway)");
	}
}

/* sign, sign-table */
static void check_sign(struct compiler *compiler, const struct setting_syntax *said)
{
	if (has_network(compiler, NULL))
		diagnostics_advice(
		    compiler->diagnostics, said->name.place,
		    "whoever can connect to the network socket of `listen` can have any mail signed by this "
		    "key; use a unix socket");
}

/* dmarc-reports: what is collected and can never be sent */
static void check_reports(struct compiler *compiler, const struct setting_syntax *said)
{
	const struct policy *policy = compiler->policy;
	struct slice domain = policy->settings.reports.from.domain;

	if (domain.n == 0)
		return; /* an error was told */
	if (policy->settings.mailer.text.n == 0)
		diagnostics_advice(compiler->diagnostics, said->name.place,
				   "reports are collected and never sent, because there is no mailer; write mailer "
				   "inet:25@127.0.0.1 from %s",
				   QUOTE(policy->settings.reports.from.text));
	else if (!policy_sign(policy, domain))
		diagnostics_advice(
		    compiler->diagnostics, said->name.place,
		    "reports must pass DMARC, and nothing signs for %s: they are sent only if SPF covers "
		    "the addresses of this host; write sign %s { }%s",
		    QUOTE(domain), QUOTE(domain),
		    policy_signs(policy, NULL, KIND_LOCAL) ? "" : " and policy local { on message { sign } }");
	else if (!policy_signs(policy, NULL, KIND_LOCAL))
		diagnostics_advice(
		    compiler->diagnostics, said->name.place,
		    "reports must pass DMARC, and the policy for local mail does not sign: they are sent "
		    "only if SPF covers the addresses of this host; write policy local { on message { sign } }");
}

/* ---- files that the daemon does not start without ------------------------------------------------------ */

/* The value after a key; NULL: the key is not among the words. */
static const struct word *value_of(const struct word *words, const char *key)
{
	while (words && !slice_equal(words->text, slice_of(key)))
		words = words->next;
	return words ? words->next : NULL;
}

/* Who may not read a file learns that it was not read. */
static bool is_closed(struct compiler *compiler, const struct word *word, const char *key, const char *path)
{
	if (access(path, R_OK) == 0 || errno != EACCES)
		return false;
	diagnostics_advice(compiler->diagnostics, word->place,
			   "%s %s was not read: become root, or the user of the daemon", key, path);
	return true;
}

static void check_mode(struct compiler *compiler, const struct word *word, const char *path)
{
	struct stat status;

	if (stat(path, &status) == 0 && (status.st_mode & (S_IROTH | S_IWOTH | S_IWGRP)))
		diagnostics_advice(compiler->diagnostics, word->place,
				   "password-file %s can be used by others (mode %04o); chmod 600 it, and give it to "
				   "the user of the daemon",
				   path, (unsigned)status.st_mode & 07777);
}

/* password-file of web, a hash, or of store, one line. */
static void check_password(struct compiler *compiler, const struct word *words, const char *path, bool hash)
{
	const struct word *word = value_of(words, "password-file");
	struct diagnostics *found = compiler->diagnostics;
	struct error err;
	struct slice text, line;
	bool usable;

	if (!path || !word || is_closed(compiler, word, "password-file", path))
		return;
	if (file_read_plain(path, PASSWORD_FILE_MAX, &text, &err) < 0) {
		diagnostics_error(found, word->place, "password-file: %s", err.text);
		return;
	}
	line = slice_trim(text);
	usable = hash ? password_is_hash(line) : line.n > 0 && slice_find(line, '\n') < 0;
	if (!usable)
		diagnostics_error(found, word->place,
				  hash
				      ? "password-file %s: it is not a password hash; make it with sekisho web-password"
				      : "password-file %s: it must have one line, the password",
				  path);
	check_mode(compiler, word, path);
	explicit_bzero((char *)text.p, text.n);
	free((char *)text.p);
}

static void check_store(struct compiler *compiler, const struct word *words)
{
	const struct store_setting *store = &compiler->policy->settings.store;
	const struct word *word = value_of(words, "ca-file");
	struct error err;

	check_password(compiler, words, store->password_file, false);
	if (store->ca_file && word && !is_closed(compiler, word, "ca-file", store->ca_file) &&
	    store_check_ca_file(store->ca_file, &err) < 0)
		diagnostics_error(compiler->diagnostics, word->place, "%s", err.text);
}

static void check_settings(struct compiler *compiler, const struct file_syntax *file)
{
	for (const struct setting_syntax *said = file->first_setting; said; said = said->next) {
		if (is_named(said, "user") && said->values.first)
			check_user(compiler, said->values.first);
		else if (is_named(said, "group") && said->values.first)
			check_group(compiler, said->values.first);
		else if (is_named(said, "listen"))
			check_listen(compiler, said);
		else if (is_named(said, "list"))
			check_let_in(compiler, said->values.first, "writers");
		else if (is_named(said, "control"))
			check_let_in(compiler, said->values.first, "readers");
		else if (is_named(said, "sign") || is_named(said, "sign-table"))
			check_sign(compiler, said);
		else if (is_named(said, "trusted"))
			check_trusted(compiler, said);
		else if (is_named(said, "submission"))
			check_submission(compiler, said);
		else if (is_named(said, "dmarc-reports"))
			check_reports(compiler, said);
		else if (is_named(said, "web"))
			check_password(compiler, said->inside.first, compiler->policy->settings.web.password_file,
				       true);
		else if (is_named(said, "store"))
			check_store(compiler, said->values.first);
	}
}

/* ---- rules --------------------------------------------------------------------------------------------- */

/* Whoever has authenticated is submission, so that here the answer is known. */
static void check_fact(struct compiler *compiler, const struct word *name)
{
	const struct fact *fact = fact_find(name->text);

	if (fact && strcmp(fact_check(fact)->name, "auth") == 0)
		diagnostics_advice(
		    compiler->diagnostics, name->place,
		    "%s tells nothing in \"policy inbound\": a client that has authenticated is submission; "
		    "move the rule to \"policy submission\"",
		    fact->name);
}

/* The parser bounds how deep conditions nest. */
static void check_condition(struct compiler *compiler, const struct condition_syntax *condition)
{
	if (condition->kind == CONDITION_TEST) {
		check_fact(compiler, &condition->fact.name);
		if (condition->test == TEST_OWNED)
			check_fact(compiler, &condition->owner.name);
	}
	for (const struct condition_syntax *part = condition->first; part; part = part->next)
		check_condition(compiler, part);
}

/* "${sender}", as shells and Postfix have it. */
static void check_text(struct compiler *compiler, const struct word *word)
{
	struct slice rest = word->text, name;
	struct place place = word->place;

	for (ptrdiff_t at; word->kind == WORD_QUOTED && (at = slice_find(rest, '$')) >= 0;) {
		rest = slice_from(rest, (size_t)at + 1);
		if (rest.n == 0 || rest.p[0] != '{')
			continue;
		at = slice_find(rest, '}');
		name = slice_head(slice_from(rest, 1), at < 1 ? 0 : (size_t)at - 1);
		at = slice_find(name, '(');
		if (!fact_find(at < 0 ? name : slice_head(name, (size_t)at)))
			continue;
		place.column = word->place.column + (unsigned)(rest.p - word->text.p);
		diagnostics_advice(compiler->diagnostics, place,
				   "\"${%s}\" is sent as it is; write %%{%s} for the fact", QUOTE(name), QUOTE(name));
	}
}

static void check_rules(struct compiler *compiler, const struct stage_syntax *stage, bool inbound)
{
	for (const struct rule_syntax *rule = stage->first; rule; rule = rule->next) {
		for (const struct word *word = rule->arguments.first; word; word = word->next)
			check_text(compiler, word);
		if (inbound && rule->condition)
			check_condition(compiler, rule->condition);
	}
}

void advice_give(struct compiler *compiler, const struct file_syntax *file)
{
	check_settings(compiler, file);
	advice_rules(compiler, file);
	for (const struct policy_syntax *policy = file->first_policy; policy; policy = policy->next)
		for (const struct stage_syntax *stage = policy->first; stage; stage = stage->next)
			check_rules(compiler, stage,
				    slice_equal(policy->kind.text, slice_of(kind_names[KIND_INBOUND])));
}
