/* talk.c - talk.h says what it is for. */
#include "link.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK 65535 /* the protocol's largest piece of a body */

struct talk {
	unsigned count;
	bool had_content;
	unsigned top_count, bottom_count;
	struct field top[ADDED_MAX], bottom[ADDED_MAX];
	struct link links[];
};

/* ---- a session ------------------------------------------------------------------------------- */

static void connect_step(struct link *link, const struct mail *mail)
{
	char text[512];
	uint16_t port = htons(40000);
	size_t n = strlen(mail->helo) + 1;

	if (n + strlen(mail->ip) + 4 > sizeof(text))
		fail("the name of a client is too long");
	link_macros(link, CONNECT);
	if (link->steps & NO_CONNECT)
		return;
	memcpy(text, mail->helo, n);
	text[n++] = strchr(mail->ip, ':') ? '6' : '4';
	memcpy(text + n, &port, 2);
	n += 2;
	strcpy(text + n, mail->ip);
	link_packet(link, 'C', text, n + strlen(mail->ip) + 1);
	link_verdict(link, MUTE_CONNECT);
	link->accepted_session = link->accepted;
}

struct talk *talk_open(char **sockets, unsigned count, const struct mail *mail)
{
	struct talk *talk = malloc(sizeof(*talk) + count * sizeof(talk->links[0]));

	talk->count = count;
	talk->top_count = talk->bottom_count = 0;
	for (unsigned i = 0; i < count; i++)
		link_open(&talk->links[i], sockets[i]);
	for (unsigned i = 0; i < count; i++)
		connect_step(&talk->links[i], mail);
	for (unsigned i = 0; i < count; i++) {
		struct link *link = &talk->links[i];
		if (link->accepted_session)
			continue;
		link_macros(link, HELO);
		if (link->steps & NO_HELO)
			continue;
		link_packet(link, 'H', mail->helo, strlen(mail->helo) + 1);
		link_verdict(link, MUTE_HELO);
	}
	return talk;
}

static void added_clear(struct talk *talk)
{
	for (unsigned i = 0; i < talk->top_count; i++)
		free(talk->top[i].name);
	for (unsigned i = 0; i < talk->bottom_count; i++)
		free(talk->bottom[i].name);
	talk->top_count = talk->bottom_count = 0;
}

/* Postfix sends it after every message, even one that was accepted, and once more before it closes. */
static void abort_all(struct talk *talk)
{
	for (unsigned i = 0; i < talk->count; i++)
		link_packet(&talk->links[i], 'A', "", 0);
}

void talk_close(struct talk *talk)
{
	abort_all(talk);
	for (unsigned i = 0; i < talk->count; i++)
		link_close(&talk->links[i]);
	added_clear(talk);
	free(talk);
}

/* ---- the envelope ------------------------------------------------------------------------------ */

/* One step to each milter in turn, until one refuses. */
static enum outcome step_all(struct talk *talk, enum step step, const char *argument, uint32_t unwanted, uint32_t mute)
{
	for (unsigned i = 0; i < talk->count; i++) {
		struct link *link = &talk->links[i];
		if (link->accepted)
			continue;
		link_macros(link, step);
		if (link->steps & unwanted)
			continue;
		link_packet(link, link_step(step), argument, argument[0] ? strlen(argument) + 1 : 0);
		enum outcome outcome = link_verdict(link, mute);
		if (outcome != OUTCOME_ACCEPT)
			return outcome;
	}
	return OUTCOME_ACCEPT;
}

static enum outcome envelope(struct talk *talk, const struct mail *mail, unsigned recipients, unsigned pause_us)
{
	char text[512];
	enum outcome outcome;

	snprintf(text, sizeof(text), "<%s>", mail->sender);
	outcome = step_all(talk, MAIL, text, NO_MAIL, MUTE_MAIL);
	for (unsigned i = 0; i < recipients && outcome == OUTCOME_ACCEPT; i++) {
		if (pause_us > 0)
			usleep(pause_us);
		snprintf(text, sizeof(text), "<user%u@example.org>", i);
		outcome = step_all(talk, RCPT, text, NO_RCPT, MUTE_RCPT);
	}
	if (pause_us > 0)
		usleep(pause_us);
	if (outcome == OUTCOME_ACCEPT)
		outcome = step_all(talk, DATA, "", NO_DATA, MUTE_DATA);
	return outcome;
}

/* ---- the content --------------------------------------------------------------------------------- */

static enum outcome header_send(struct link *link, const struct field *field)
{
	const char *value = field->value;

	if (!(link->steps & LEADING_SPACE) && value[0] == ' ')
		value++;
	link_macros(link, HEADER);
	link_packet_pair(link, 'L', field->name, value);
	return link_verdict(link, MUTE_HEADER);
}

static enum outcome headers_send(struct talk *talk, struct link *link, const struct mail *mail)
{
	enum outcome outcome = OUTCOME_ACCEPT;

	for (unsigned i = talk->top_count; i > 0 && outcome == OUTCOME_ACCEPT && !link->accepted; i--)
		outcome = header_send(link, &talk->top[i - 1]);
	for (unsigned i = 0; i < mail->field_count && outcome == OUTCOME_ACCEPT && !link->accepted; i++)
		outcome = header_send(link, &mail->fields[i]);
	for (unsigned i = 0; i < talk->bottom_count && outcome == OUTCOME_ACCEPT && !link->accepted; i++)
		outcome = header_send(link, &talk->bottom[i]);
	return outcome;
}

static enum outcome header_end(struct link *link)
{
	link_macros(link, EOH);
	if (link->steps & NO_EOH)
		return OUTCOME_ACCEPT;
	link_packet(link, 'N', "", 0);
	return link_verdict(link, MUTE_EOH);
}

static enum outcome body_send(struct link *link, const struct mail *mail)
{
	enum outcome outcome = OUTCOME_ACCEPT;

	link->skipped = false;
	for (size_t at = 0; at < mail->body_size && outcome == OUTCOME_ACCEPT; at += CHUNK) {
		size_t n = mail->body_size - at < CHUNK ? mail->body_size - at : CHUNK;
		link_macros(link, BODY);
		link_packet(link, 'B', mail->body + at, n);
		outcome = link_verdict(link, MUTE_BODY);
		if (link->accepted || link->skipped)
			break;
	}
	return outcome;
}

/* Keeps a field that the milter adds: name NUL value NUL. */
static void added(struct field *fields, unsigned *count, const unsigned char *p, size_t n, bool leading_space)
{
	char *copy = calloc(1, n + 3);
	size_t name = strnlen((const char *)p, n) + 1;

	if (*count == ADDED_MAX || name > n)
		fail("too many fields added");
	memcpy(copy, p, name);
	char *value = copy + name;
	if (!leading_space)
		*value++ = ' ';
	memcpy(value, p + name, n - name);
	fields[*count].name = copy;
	fields[(*count)++].value = copy + name;
}

#define OTHER_CHANGES "+2-belmpq" /* of recipients, sender, body or fields; and progress */

/* The answers to the end of the message: changes, then the verdict. */
static enum outcome end_read(struct talk *talk, struct link *link)
{
	bool space = link->steps & LEADING_SPACE;

	for (;;) {
		char letter = link_reply(link);
		if (letter == 'h')
			added(talk->bottom, &talk->bottom_count, link->reply, link->reply_size, space);
		else if (letter == 'i' && link->reply_size > 4)
			added(talk->top, &talk->top_count, link->reply + 4, link->reply_size - 4, space);
		else if (!letter || !strchr(OTHER_CHANGES, letter))
			return link_outcome(link, letter);
	}
}

static enum outcome content(struct talk *talk, struct link *link, const struct mail *mail)
{
	enum outcome outcome = OUTCOME_ACCEPT;

	if (!(link->steps & NO_HEADERS))
		outcome = headers_send(talk, link, mail);
	if (outcome == OUTCOME_ACCEPT && !link->accepted)
		outcome = header_end(link);
	if (outcome == OUTCOME_ACCEPT && !link->accepted && !(link->steps & NO_BODY))
		outcome = body_send(link, mail);
	if (outcome != OUTCOME_ACCEPT || link->accepted)
		return outcome;
	link_macros(link, END);
	link_packet(link, 'E', "", 0);
	return end_read(talk, link);
}

enum outcome talk_mail(struct talk *talk, const struct mail *mail, unsigned recipients, unsigned pause_us)
{
	enum outcome outcome;

	added_clear(talk);
	for (unsigned i = 0; i < talk->count; i++)
		talk->links[i].accepted = talk->links[i].accepted_session;
	outcome = envelope(talk, mail, recipients, pause_us);
	talk->had_content = outcome == OUTCOME_ACCEPT;
	for (unsigned i = 0; i < talk->count && outcome == OUTCOME_ACCEPT; i++)
		if (!talk->links[i].accepted)
			outcome = content(talk, &talk->links[i], mail);
	abort_all(talk);
	return outcome;
}

bool talk_had_content(const struct talk *talk)
{
	return talk->had_content;
}

static const struct field *field_with(const struct field *fields, unsigned count, const char *word)
{
	for (unsigned i = 0; i < count; i++)
		if (strstr(fields[i].value, word) || strcmp(fields[i].name, word) == 0)
			return &fields[i];
	return NULL;
}

const struct field *talk_added(const struct talk *talk, const char *word)
{
	const struct field *found = field_with(talk->top, talk->top_count, word);
	return found ? found : field_with(talk->bottom, talk->bottom_count, word);
}
