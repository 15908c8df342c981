/*
 * bench_authres.c - what Authentication-Results cost: written for a message with SPF, two signatures and DMARC, beside
 * one snprintf of the same text; read back, beside the search for its id, which every such field of a message gets.
 *
 * One line each: how many times as much as the other way, the difference, and microseconds of processor time.
 */
#include <string.h>

#include "mail.h"
#include "measure.h"

#define TIMES 20000

struct scene {
	struct arena *arena, *message; /* message: reset for each */
	char *value;
};

static struct slice print(struct arena *arena)
{
	struct authres *authres = authres_new(arena, SLICE("mx.example.org"));

	authres_method(authres, SLICE("spf"), SLICE("pass"));
	authres_property(authres, SLICE("smtp"), SLICE("mailfrom"), SLICE("alice@mail.example.com"));
	for (int i = 0; i < 2; i++) {
		authres_method(authres, SLICE("dkim"), SLICE("pass"));
		authres_comment(authres, SLICE("2048-bit key"));
		authres_property(authres, SLICE("header"), SLICE("d"),
				 i ? SLICE("example.com") : SLICE("esp.example.net"));
		authres_property(authres, SLICE("header"), SLICE("s"), SLICE("s2026"));
		authres_property(authres, SLICE("header"), SLICE("b"), SLICE("dzdVyOfA"));
	}
	authres_method(authres, SLICE("dmarc"), SLICE("pass"));
	authres_comment(authres, SLICE("p=reject"));
	authres_property(authres, SLICE("header"), SLICE("from"), SLICE("example.com"));
	return authres_print(authres);
}

static void print_once(void *with)
{
	struct scene *scene = with;

	if (print(scene->message).n != strlen(scene->value))
		die("not what was written before");
	arena_reset(scene->message);
}

static void print_plainly(void *with)
{
	struct scene *scene = with;
	char line[1024];

	if (snprintf(line, sizeof(line), "%s", scene->value) <= 0)
		die("nothing was written");
	__asm__ volatile("" : : "r"(line) : "memory"); /* or the compiler leaves it out */
}

static void parse_once(void *with)
{
	struct scene *scene = with;
	struct authres_parsed parsed;

	if (!authres_parse(slice_of(scene->value), scene->message, &parsed) || parsed.clause_count != 4)
		die("what was written cannot be read: %s", scene->value);
	arena_reset(scene->message);
}

static void find_id(void *with)
{
	struct scene *scene = with;
	struct slice id;

	if (!authres_id(slice_of(scene->value), scene->message, &id) || !slice_equal(id, SLICE("mx.example.org")))
		die("the id cannot be read: %s", scene->value);
	arena_reset(scene->message);
}

int main(void)
{
	struct scene scene = {.arena = arena_new(), .message = arena_new()};
	struct slice value = print(scene.arena);

	scene.value = arena_cstring(scene.arena, value);
	measure(&(struct measure){"Authentication-Results written, 4 clauses", "snprintf of the same", print_once,
				  print_plainly, &scene, TIMES});
	measure(&(struct measure){"Authentication-Results read, 4 clauses", "its id alone", parse_once, find_id, &scene,
				  TIMES});
	arena_free(scene.message);
	arena_free(scene.arena);
	return 0;
}
