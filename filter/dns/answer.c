/*
 * answer.c - makes, counts and frees answers, and keeps the parsed form of each.
 *
 * The form is put in place without a lock: threads that parse the same answer
 * at the same moment each make one, the first stays, the others are freed.
 */
#include <stdlib.h>
#include <string.h>

#include "answer.h"

const char *const dns_status_names[5] = {"ok", "nodata", "nxdomain", "tempfail", NULL};

const char *const dns_reason_texts[DNS_REASONS] = {
    [DNS_NO_REASON] = "",          [DNS_TIMEOUT] = "timeout",
    [DNS_BUDGET] = "budget",       [DNS_CROWDED] = "too many questions",
    [DNS_BOGUS] = "bogus",         [DNS_SERVFAIL] = "servfail",
    [DNS_FORMERR] = "formerr",     [DNS_NOTIMP] = "notimp",
    [DNS_REFUSED] = "refused",     [DNS_MALFORMED] = "malformed",
    [DNS_TOO_LARGE] = "too large", [DNS_LOOP] = "cname loop",
    [DNS_FAILURE] = "failure",
};

struct form {
	const struct dns_parser *parser;
	void *made;
};

static struct slice text_keep(char **at, struct slice text)
{
	struct slice kept = {*at, text.n};

	if (text.n > 0)
		memcpy(*at, text.p, text.n);
	*at += text.n;
	return kept;
}

/* Texts were copied in the order in which the records came, so their addresses tell that order. */
static int mx_order(const void *a_, const void *b_)
{
	const struct dns_record *a = a_, *b = b_;

	if (a->preference != b->preference)
		return a->preference < b->preference ? -1 : 1;
	return (a->name.p > b->name.p) - (a->name.p < b->name.p);
}

struct answer *answer_new(const struct question *question, const struct dns_answer *draft)
{
	size_t count = draft->count < DNS_RECORD_MAX ? draft->count : DNS_RECORD_MAX;
	size_t bytes = sizeof(struct answer) + count * sizeof(struct dns_record) + question->name.n;

	for (size_t i = 0; i < count; i++)
		bytes += draft->records[i].name.n + draft->records[i].text.n;

	struct answer *answer = xmalloc(bytes);
	struct dns_record *records = (struct dns_record *)(answer + 1);
	char *texts = (char *)(records + count);
	for (size_t i = 0; i < count; i++) {
		records[i] = draft->records[i];
		records[i].name = text_keep(&texts, draft->records[i].name);
		records[i].text = text_keep(&texts, draft->records[i].text);
	}
	if (question->type == DNS_MX && count > 1)
		qsort(records, count, sizeof(*records), mx_order);
	answer->given = *draft;
	answer->given.count = count;
	answer->given.records = count > 0 ? records : NULL;
	answer->name = (const uint8_t *)texts;
	answer->name_n = question->name.n;
	memcpy(texts, question->name.wire, question->name.n);
	answer->type = question->type;
	answer->hash = question->hash;
	answer->bytes = bytes;
	atomic_init(&answer->owners, 1);
	atomic_init(&answer->form, NULL);
	return answer;
}

struct answer *answer_hold(struct answer *answer)
{
	atomic_fetch_add_explicit(&answer->owners, 1, memory_order_relaxed);
	return answer;
}

void answer_release(struct answer *answer)
{
	if (!answer || atomic_fetch_sub_explicit(&answer->owners, 1, memory_order_acq_rel) != 1)
		return;
	answer_form_free(answer);
	free(answer);
}

bool answer_is_for(const struct answer *answer, const struct question *question)
{
	return answer->hash == question->hash && answer->type == question->type && answer->name_n == question->name.n &&
	       memcmp(answer->name, question->name.wire, question->name.n) == 0;
}

static void form_free(struct form *form)
{
	form->parser->free(form->made);
	free(form);
}

const void *answer_form(struct answer *answer, const struct dns_parser *parser)
{
	struct form *there = atomic_load_explicit(&answer->form, memory_order_acquire);

	if (!there) {
		struct form *mine = xmalloc(sizeof(*mine));
		mine->parser = parser;
		mine->made = parser->parse(&answer->given);
		if (atomic_compare_exchange_strong_explicit(&answer->form, &there, mine, memory_order_acq_rel,
							    memory_order_acquire))
			return mine->made;
		form_free(mine);
	}
	return there->parser == parser ? there->made : NULL;
}

void answer_form_free(struct answer *answer)
{
	struct form *form = atomic_exchange_explicit(&answer->form, NULL, memory_order_acq_rel);

	if (form)
		form_free(form);
}
