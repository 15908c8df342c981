/*
 * bench_dnsbl.c - what eight DNS lists cost whose answers are known: MAIL of a client that is in none of them, in one
 * of them, and the same MAIL without lists. The difference is the price of eight lists.
 */
#include "engine.h"
#include "measure.h"
#include "../unit/policy_text.h"

#define TIMES 20000
#define LISTS 8

static struct counters counters;

struct scene {
	struct gate *with, *without;
};

static struct gate *open_gate(const char *config, const char *zone, struct ip client)
{
	struct error err;
	char *messages;
	struct policy *policy = load_text(config, NULL, &messages);
	struct resolver *resolver = resolver_open_zone(slice_of(zone), "bench", &err);
	struct engine *engine;
	struct gate *gate;

	if (!policy || !resolver)
		die("%s%s", policy ? "" : messages, resolver ? "" : err.text);
	engine = engine_new(policy, resolver, NULL, &counters);
	gate = gate_open(engine, &abilities_all);
	gate_connect(gate, &(struct connection){.client = client, .client_name = SLICE("mail.example.net")});
	gate_helo(gate, SLICE("mail.example.net"));
	return gate;
}

static void mail(struct gate *gate)
{
	if (gate_mail(gate, SLICE("<alice@example.net>"), MADE_UNKNOWN, false) != GATE_CONTINUE)
		die("MAIL was refused");
	gate_abort(gate);
}

static void with_lists(void *scene)
{
	mail(((struct scene *)scene)->with);
}

static void without_lists(void *scene)
{
	mail(((struct scene *)scene)->without);
}

static void compare(const char *what, const char *zone)
{
	static const char plain[] =
	    "authentication-results off\npolicy inbound { on mail { log \"x\" if client.port > 70000 } }\n";
	struct ip client = {.family = 4, .bytes = {203, 0, 113, 9}};
	struct arena *arena = arena_new();
	struct scene scene;
	struct text text;

	text_init(&text, arena, 4096);
	for (int i = 0; i < LISTS; i++)
		text_printf(&text, "dnsbl list%d { zone list%d.bench.test }\n", i, i);
	text_printf(&text,
		    "authentication-results off\npolicy inbound { on mail { log \"x\" if dnsbl.score > 100 } }\n");
	scene = (struct scene){open_gate(text_cstring(&text), zone, client), open_gate(plain, "", client)};
	measure(&(struct measure){what, "without lists", with_lists, without_lists, &scene, TIMES});
	arena_free(arena);
}

int main(void)
{
	void *state = NULL;

	if (enter_directory(&state))
		die("no directory for the policy");
	compare("MAIL with eight DNS lists, in none", "");
	compare("MAIL with eight DNS lists, in one", "9.113.0.203.list3.bench.test A 127.0.0.2\n");
	leave_directory(&state);
	return 0;
}
