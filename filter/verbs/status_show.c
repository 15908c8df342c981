/*
 * status_show.c - prints the status of the daemon for a person. Whatever the daemon tells is in `status --json`.
 */
#include "status_show.h"
#include "ask.h"
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define WOULD_SHOWN 10 /* rules; --json has all */

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "?";
}

static long long number_of(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

static void print_numbers(const char *title, json_t *object)
{
	const char *name;
	json_t *value;

	printf("%-10s", title);
	json_object_foreach(object, name, value) if (json_is_integer(value))
	    printf(" %s %lld", name, (long long)json_integer_value(value));
	printf("\n");
}

static void print_doors(json_t *doors)
{
	json_t *door;
	size_t i;

	json_array_foreach(doors, i, door)
	{
		printf("%-10s %s %s", i ? "" : "listening", text_of(door, "door"), text_of(door, "listen"));
		if (json_object_get(door, "engine"))
			printf(" engine %s", text_of(door, "engine"));
		putchar('\n');
	}
}

static void print_policy(const json_t *policy)
{
	printf("%-10s %s, read %s\n", "policy", text_of(policy, "file"), text_of(policy, "read"));
	printf("%-10s mode %s, generation %lld", "", text_of(policy, "mode"), number_of(policy, "generation"));
	if (number_of(policy, "reloads-failed"))
		printf(", %lld reloads failed", number_of(policy, "reloads-failed"));
	putchar('\n');
}

/* ---- lists ------------------------------------------------------------------------------------------- */

static void print_list(const json_t *list)
{
	printf("%-10s %s %s", "list", text_of(list, "list"), text_of(list, "place"));
	if (json_object_get(list, "read")) {
		printf(", %lld entries, read ", number_of(list, "entries"));
		ask_print_life(number_of(list, "age"));
		printf(" ago");
	} else if (json_is_false(json_object_get(list, "ready"))) {
		printf(", without content");
	}
	putchar('\n');
	if (!json_object_get(list, "error"))
		return;
	printf("%-10s   cannot be read now: ", "");
	ask_print_safe(text_of(list, "error"));
	putchar('\n');
}

static void print_lists(json_t *lists)
{
	json_t *list;
	size_t i;

	json_array_foreach(lists, i, list) print_list(list);
}

/* One line for each DNS list. */
static void print_dns_lists(json_t *lists)
{
	const char *name;
	json_t *list;

	json_object_foreach(lists, name, list) if (json_is_object(list))
	    printf("%-10s %s %s%s%s%s, asked %lld, listed %lld, temperror %lld\n", "dnsbl", name,
		   text_of(list, "state"), json_object_get(list, "since") ? " since " : "",
		   json_object_get(list, "since") ? text_of(list, "since") : "",
		   json_is_true(json_object_get(list, "incomplete")) ? ", lacks its test entry" : "",
		   number_of(list, "asked"), number_of(list, "listed"), number_of(list, "temperror"));
}

/* ---- rules under "try" --------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	long long x = number_of(*(json_t *const *)a, "count"), y = number_of(*(json_t *const *)b, "count");

	return x < y ? 1 : x > y ? -1 : 0;
}

static void print_would(json_t *would)
{
	size_t count = json_array_size(would);
	json_t **rules = count ? calloc(count, sizeof(json_t *)) : NULL;

	if (!rules)
		return;
	for (size_t i = 0; i < count; i++)
		rules[i] = json_array_get(would, i);
	qsort(rules, count, sizeof(json_t *), compare);
	for (size_t i = 0; i < count && i < WOULD_SHOWN; i++)
		printf("%-10s %lld times by %s, %s\n", i ? "" : "would", number_of(rules[i], "count"),
		       text_of(rules[i], "rule"), text_of(rules[i], "kind"));
	if (count > WOULD_SHOWN)
		printf("%-10s and %zu more; see --json\n", "", count - WOULD_SHOWN);
	free(rules);
}

/* ---- all of it ------------------------------------------------------------------------------------------- */

static void print_part(const char *title, const json_t *status, const char *name, const char *what)
{
	json_t *part = json_object_get(status, name);

	if (!part)
		return;
	printf("%-10s %s\n", title, text_of(part, what));
	print_numbers("", part);
	if (json_object_get(part, "warning"))
		printf("%-10s %s\n", "warning", text_of(part, "warning"));
}

void status_print(json_t *status)
{
	long long up = number_of(status, "uptime");
	json_t *messages = json_object_get(status, "messages");

	printf("sekisho %s, pid %lld, up %lldd %02lld:%02lld:%02lld\n", text_of(status, "version"),
	       number_of(status, "pid"), up / 86400, up / 3600 % 24, up / 60 % 60, up % 60);
	print_doors(json_object_get(status, "doors"));
	print_policy(json_object_get(status, "policy"));
	print_numbers("sessions", json_object_get(status, "sessions"));
	print_numbers("messages", messages);
	print_numbers("log", json_object_get(status, "log"));
	print_numbers("verdicts", json_object_get(messages, "verdicts"));
	print_would(json_object_get(status, "would"));
	print_lists(json_object_get(status, "lists"));
	print_part("resolver", status, "resolver", "name");
	print_part("store", status, "store", "place");
	print_part("history", status, "history", "file");
	print_part("mailer", status, "mailer", "server");
	if (json_object_size(json_object_get(status, "reports")) > 0)
		print_numbers("reports", json_object_get(status, "reports"));
	print_numbers("spf", json_object_get(status, "spf"));
	print_numbers("dkim", json_object_get(status, "dkim"));
	print_numbers("unchecked", json_object_get(status, "unchecked"));
	print_dns_lists(json_object_get(status, "dnsbl"));
}
