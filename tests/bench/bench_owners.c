/*
 * bench_owners.c - who owns an address, with a million logins: a look-up that finds the address, one that does not, and
 * one of an extension, each beside one plain snprintf of the login; the memory of an entry; and the longest look-up
 * while the file is read again, beside the longest one while it is not.
 *
 * One line each as measure.h says, then the memory and the reload. The file lies in $TMPDIR (/tmp).
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "list.h"
#include "measure.h"

#define LOGINS 1000000u
#define TIMES  200000

struct scene {
	struct list *list;
	struct arena *arena;
	unsigned next;
	char path[128];
	struct address known, strange; /* shapes that are filled in */
	char login[32], local[32];
	atomic_bool reading;
};

static void aim(struct scene *scene)
{
	unsigned number = scene->next++ * 7919u % LOGINS;
	int n = snprintf(scene->local, sizeof(scene->local), "user%07u", number);

	snprintf(scene->login, sizeof(scene->login), "user%07u@example.org", number);
	scene->known.local = (struct slice){scene->local, (size_t)n};
	scene->known.text = slice_of(scene->login);
}

static void find(void *with)
{
	struct scene *scene = with;

	aim(scene);
	if (list_owns(scene->list, slice_of(scene->login), &scene->known) != TRUTH_TRUE)
		die("%s does not own its address", scene->login);
}

static void miss(void *with)
{
	struct scene *scene = with;

	aim(scene);
	if (list_owns(scene->list, slice_of(scene->login), &scene->strange) != TRUTH_FALSE)
		die("%s owns the address of another", scene->login);
}

static void stranger(void *with)
{
	struct scene *scene = with;

	aim(scene);
	scene->login[0] = 'x';
	if (list_owns(scene->list, slice_of(scene->login), &scene->known) != TRUTH_FALSE)
		die("%s owns an address", scene->login);
}

static void print_login(void *with)
{
	aim(with);
	__asm__ volatile("" : : "r"(with) : "memory");
}

static void write_file(struct scene *scene)
{
	const char *directory = getenv("TMPDIR");
	FILE *out;

	snprintf(scene->path, sizeof(scene->path), "%s/bench-owners.%d", directory ? directory : "/tmp", (int)getpid());
	out = fopen(scene->path, "w");
	if (!out)
		die("cannot write %s", scene->path);
	for (unsigned i = 0; i < LOGINS; i++)
		fprintf(out, "user%07u@example.org: user%07u@example.org\n", i, i);
	if (fclose(out))
		die("cannot write %s", scene->path);
}

/* RssAnon of this process, in bytes. */
static double resident(void)
{
	char line[256];
	double kilobytes = 0;
	FILE *in = fopen("/proc/self/status", "r");

	while (in && fgets(line, sizeof(line), in))
		if (sscanf(line, "RssAnon: %lf", &kilobytes) == 1)
			break;
	if (in)
		fclose(in);
	return kilobytes * 1024;
}

static double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return 1e6 * (double)now.tv_sec + 1e-3 * (double)now.tv_nsec;
}

static double longest(struct scene *scene, bool until_read)
{
	double worst = 0;

	for (unsigned i = 0; until_read ? scene->reading : i < TIMES; i++) {
		double from = now_us(), took;

		find(scene);
		took = now_us() - from;
		worst = took > worst ? took : worst;
	}
	return worst;
}

static void *read_again(void *with)
{
	struct scene *scene = with;

	if (list_refresh(scene->list) != 1)
		die("the file was not read again");
	scene->reading = false;
	return NULL;
}

static void reload(struct scene *scene)
{
	double idle = longest(scene, false), busy;
	pthread_t reader;
	FILE *out = fopen(scene->path, "a");
	double before = now_us(), took;

	if (!out || fputs("late@example.org: late@example.org\n", out) < 0 || fclose(out))
		die("cannot write %s", scene->path);
	scene->reading = true;
	if (pthread_create(&reader, NULL, read_again, scene))
		die("no thread");
	busy = longest(scene, true);
	pthread_join(reader, NULL);
	took = now_us() - before;
	printf("%8.1f us the longest look-up while the file is read again, %.1f us while it is not (processor time; "
	       "%.0f ms "
	       "of look-ups)\n",
	       busy, idle, took / 1000);
}

int main(void)
{
	struct scene scene = {.arena = arena_new()};
	struct list_setting setting = {.name = SLICE("owners"), .owners = true};
	struct list_faults faults;
	struct error err;
	double before;

	scene.known = address_parse_path(SLICE("<user0000000@example.org>"), scene.arena);
	scene.strange = address_parse_path(SLICE("<ceo@mail.example.net>"), scene.arena);
	write_file(&scene);
	setting.place = arena_join(scene.arena, SLICE("file:"), slice_of(scene.path));
	scene.list = list_new(&setting, &err);
	before = resident();
	if (!scene.list || list_load(scene.list, NULL, &faults))
		die("the list cannot be read");
	printf("%8.1f bytes of memory for each of a million logins with one address (at most 120 are wanted)\n",
	       (resident() - before) / LOGINS);
	measure(&(struct measure){"its own address, of a million logins", "one snprintf of it", find, print_login,
				  &scene, TIMES});
	measure(
	    &(struct measure){"the address of another", "one snprintf of the login", miss, print_login, &scene, TIMES});
	measure(
	    &(struct measure){"a login that is not there", "one snprintf of it", stranger, print_login, &scene, TIMES});
	reload(&scene);
	list_free(scene.list);
	unlink(scene.path);
	arena_free(scene.arena);
	return 0;
}
