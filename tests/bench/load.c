/*
 * load.c - sends messages through milters as Postfix does, and says how long that took.
 *
 *     load [-c CONNECTIONS] [-n MESSAGES] [-p PER-CONNECTION] [-r RECIPIENTS] [-g PAUSE-MS] [-w WORD]... LIST SOCKET...
 *     load -i CONNECTIONS LIST SOCKET       opens them, says "ready", holds them until its input ends
 *
 * LIST has a line for each message: FILE SENDER CLIENT-IP HELO. They are sent in turn. Several sockets are several
 * milters in a row. Each WORD must be in some field that was added to each accepted message, or be the
 * name of one. The result is one line of JSON: messages, seconds, rate, p50 p90 p99 in microseconds (a message with its
 * share of the connection), accept reject defer discard, early (turned away before their content was sent), missing
 * (accepted, but some word was missing), sample (a field with the first word, as it was added) and its message's file.
 */
#include "talk.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WORDS_MAX 8
#define MAILS_MAX 4096

struct plan {
	unsigned connections, messages, per_connection, recipients, pause_us, idle;
	const char *words[WORDS_MAX];
	unsigned word_count;
	char **sockets;
	unsigned socket_count;
	struct mail *mails;
	unsigned mail_count;
	int64_t *times;
	atomic_uint next;
	atomic_uint outcomes[OUTCOME_COUNT], early, missing;
	char *sample; /* "Name: value" */
	const char *sample_file;
	atomic_flag sampled;
};

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* ---- messages ------------------------------------------------------------------------------- */

static char *file_text(const char *path)
{
	FILE *file = fopen(path, "rb");
	long size;

	if (!file || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0)
		fail("%s cannot be read", path);
	rewind(file);
	char *text = malloc((size_t)size + 1);
	if (fread(text, 1, (size_t)size, file) != (size_t)size)
		fail("%s cannot be read", path);
	text[size] = '\0';
	fclose(file);
	return text;
}

/* Takes away the carriage returns: Postfix shows a milter bare line feeds inside a field. */
static void bare(char *text)
{
	char *to = text;

	for (; *text; text++)
		if (*text != '\r')
			*to++ = *text;
	*to = '\0';
}

/* Splits the text, whose lines end in CRLF, in place. */
static void mail_read(struct mail *mail, char *text, const char *path)
{
	while (*text && strncmp(text, "\r\n", 2) != 0) {
		char *end = strstr(text, "\r\n"), *colon = strchr(text, ':');
		while (end && (end[2] == ' ' || end[2] == '\t'))
			end = strstr(end + 2, "\r\n");
		if (!end || !colon || mail->field_count == FIELDS_MAX)
			fail("%s is not a message", path);
		*colon = *end = '\0';
		bare(colon + 1);
		mail->fields[mail->field_count++] = (struct field){text, colon + 1};
		text = end + 2;
	}
	mail->body = *text ? text + 2 : text;
	mail->body_size = strlen(mail->body);
}

static void mails_read(struct plan *plan, const char *list)
{
	FILE *file = fopen(list, "r");
	char path[512], sender[256], ip[64], helo[256];

	if (!file)
		fail("%s cannot be read", list);
	plan->mails = calloc(MAILS_MAX, sizeof(*plan->mails));
	while (plan->mail_count < MAILS_MAX && fscanf(file, "%511s %255s %63s %255s", path, sender, ip, helo) == 4) {
		struct mail *mail = &plan->mails[plan->mail_count++];
		mail->sender = strdup(sender);
		mail->ip = strdup(ip);
		mail->helo = strdup(helo);
		mail->file = strdup(path);
		mail_read(mail, file_text(path), path);
	}
	fclose(file);
	if (plan->mail_count == 0)
		fail("%s names no messages", list);
}

/* ---- the work -------------------------------------------------------------------------------- */

static void look(struct plan *plan, struct talk *talk, const struct mail *mail)
{
	for (unsigned i = 0; i < plan->word_count; i++) {
		const struct field *field = talk_added(talk, plan->words[i]);
		if (!field) {
			plan->missing++;
			return;
		}
		if (i > 0 || atomic_flag_test_and_set(&plan->sampled))
			continue;
		plan->sample_file = mail->file;
		if (asprintf(&plan->sample, "%s:%s", field->name, field->value) < 0)
			fail("no memory");
	}
}

static void *connection(void *plan_)
{
	struct plan *plan = plan_;
	unsigned number;
	struct talk *talk = NULL;
	unsigned on_this = 0;

	while ((number = plan->next++) < plan->messages) {
		const struct mail *mail = &plan->mails[number % plan->mail_count];
		int64_t start = now_ns();
		if (!talk)
			talk = talk_open(plan->sockets, plan->socket_count, mail);
		enum outcome outcome = talk_mail(talk, mail, plan->recipients, plan->pause_us);
		plan->times[number] = now_ns() - start;
		plan->outcomes[outcome]++;
		plan->early += !talk_had_content(talk);
		if (outcome == OUTCOME_ACCEPT)
			look(plan, talk, mail);
		if (++on_this == plan->per_connection) {
			talk_close(talk);
			talk = NULL;
			on_this = 0;
		}
	}
	if (talk)
		talk_close(talk);
	return NULL;
}

static int by_size(const void *a_, const void *b_)
{
	const int64_t *a = a_, *b = b_;
	return (*a > *b) - (*a < *b);
}

static double percentile(const struct plan *plan, unsigned percent)
{
	return (double)plan->times[(size_t)plan->messages * percent / 100] / 1000.0;
}

/* A string of JSON, without its quotes. */
static void show_text(const char *text)
{
	for (const char *p = text ? text : ""; *p; p++)
		if ((unsigned char)*p < ' ' || *p == '"' || *p == '\\')
			printf("\\u%04x", (unsigned char)*p);
		else
			putchar(*p);
}

static void show(struct plan *plan, double seconds)
{
	qsort(plan->times, plan->messages, sizeof(*plan->times), by_size);
	printf("{\"messages\": %u, \"seconds\": %.4f, \"rate\": %.1f, ", plan->messages, seconds,
	       plan->messages / seconds);
	printf("\"p50\": %.0f, \"p90\": %.0f, \"p99\": %.0f, ", percentile(plan, 50), percentile(plan, 90),
	       percentile(plan, 99));
	printf("\"accept\": %u, \"reject\": %u, \"defer\": %u, \"discard\": %u, \"early\": %u, \"missing\": %u, "
	       "\"sample\": \"",
	       plan->outcomes[OUTCOME_ACCEPT], plan->outcomes[OUTCOME_REJECT], plan->outcomes[OUTCOME_DEFER],
	       plan->outcomes[OUTCOME_DISCARD], plan->early, plan->missing);
	show_text(plan->sample);
	printf("\", \"file\": \"");
	show_text(plan->sample_file);
	puts("\"}");
}

static void run(struct plan *plan)
{
	pthread_t *threads = calloc(plan->connections, sizeof(*threads));
	int64_t start = now_ns();

	plan->times = calloc(plan->messages, sizeof(*plan->times));
	for (unsigned i = 0; i < plan->connections; i++)
		if (pthread_create(&threads[i], NULL, connection, plan) != 0)
			fail("cannot start a thread");
	for (unsigned i = 0; i < plan->connections; i++)
		pthread_join(threads[i], NULL);
	show(plan, (double)(now_ns() - start) / 1e9);
	free(threads);
}

/* Sessions that have said HELO and nothing more. */
static void hold(struct plan *plan)
{
	struct talk **talks = calloc(plan->idle, sizeof(*talks));
	char byte;

	for (unsigned i = 0; i < plan->idle; i++)
		talks[i] = talk_open(plan->sockets, plan->socket_count, &plan->mails[i % plan->mail_count]);
	puts("ready");
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
	for (unsigned i = 0; i < plan->idle; i++)
		talk_close(talks[i]);
	free(talks);
}

static unsigned number(const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*end || end == text || value > 10000000)
		fail("%s is not a number", text);
	return (unsigned)value;
}

static void option(struct plan *plan, int letter)
{
	switch (letter) {
	case 'c':
		plan->connections = number(optarg);
		break;
	case 'n':
		plan->messages = number(optarg);
		break;
	case 'p':
		plan->per_connection = number(optarg);
		break;
	case 'r':
		plan->recipients = number(optarg);
		break;
	case 'g':
		plan->pause_us = number(optarg) * 1000;
		break;
	case 'i':
		plan->idle = number(optarg);
		break;
	case 'w':
		if (plan->word_count == WORDS_MAX)
			fail("more than %d words", WORDS_MAX);
		plan->words[plan->word_count++] = optarg;
		break;
	default:
		fail("usage: load [-c N] [-n N] [-p N] [-r N] [-g MS] [-i N] [-w WORD]... LIST SOCKET...");
	}
}

int main(int argc, char **argv)
{
	static struct plan plan = {.connections = 8, .messages = 1000, .per_connection = 1, .recipients = 1};
	int letter;

	while ((letter = getopt(argc, argv, "c:n:p:r:g:i:w:")) != -1)
		option(&plan, letter);
	if (argc - optind < 2 || plan.messages == 0)
		option(&plan, '?');
	mails_read(&plan, argv[optind]);
	plan.sockets = argv + optind + 1;
	plan.socket_count = (unsigned)(argc - optind - 1);
	if (plan.idle > 0)
		hold(&plan);
	else
		run(&plan);
	return 0;
}
