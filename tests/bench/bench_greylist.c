/*
 * bench_greylist.c - what greylisting costs a message: a sender that waits, a stranger, and a stranger among ENTRIES
 * (the argument; a million), each against the same message without the rule; then the file, the memory and the start
 * with so many entries. The file lies in $TMPDIR (/tmp).
 */
#include "../unit/policy_text.h"
#include "engine.h"
#include "greylist.h"
#include "measure.h"
#include <unistd.h>

#define ENTRIES 1000000u
#define TIMES   20000
#define WINDOW  INT64_C(172800)
#define SECOND  INT64_C(1000000)
#define AT_MOST (UINT64_C(16) << 30)

#define RULE  "defer 451 4.2.0 \"in %{greylist.wait} s\" if greylist is { new early }\n"
#define PLAIN "defer 451 4.2.0 \"no\" if sender is nobody@example.net\n"
#define FILE_OF(rule)                                                                                                  \
	"authserv-id mx\nauthentication-results off\nstore lmdb:/nowhere\ngreylist { key network }\npolicy inbound "   \
	"{\n"                                                                                                          \
	"on rcpt {\n" rule "}\n}\n"

struct scene {
	struct counters counters;
	struct store *store;
	struct arena *arena;
	struct engine *engine, *plain;
	unsigned next, among; /* the sender of the next message, and how many there are */
	char url[128], directory[80];
};

/* ---- in this process ------------------------------------------------------------------------------ */

static struct engine *open_engine(struct scene *scene, const char *text, struct store *store)
{
	struct error err;
	char *messages;
	struct policy *policy = load_text(text, NULL, &messages);
	struct resolver *resolver = resolver_open_zone(SLICE(""), "zone", &err);
	struct engine *engine;

	if (!policy)
		die("%s", messages);
	free(messages);
	engine = engine_new(policy, resolver, NULL, &scene->counters);
	engine_lend_store(engine, store);
	policy_release(policy);
	resolver_release(resolver);
	return engine;
}

static struct ip client_of(unsigned number)
{
	return (struct ip){
	    .family = 4,
	    .bytes = {(uint8_t)(1 + number % 200), (uint8_t)(number / 200 % 250), (uint8_t)(number / 50000), 7}};
}

static void message(struct engine *engine, unsigned number)
{
	char sender[64];
	struct gate *gate = gate_open(engine, &abilities_all);

	snprintf(sender, sizeof(sender), "<user%c%u@example.org>", 'a' + (int)(number % 26), number);
	gate_connect(gate, &(struct connection){.client = client_of(number)});
	gate_mail(gate, slice_of(sender), MADE_UNKNOWN, false);
	gate_rcpt(gate, SLICE("<bob@example.net>"), MADE_UNKNOWN);
	gate_close(gate);
}

static void ours(void *with)
{
	struct scene *scene = with;

	message(scene->engine, scene->next++ * 7919u % scene->among);
}

static void other(void *with)
{
	struct scene *scene = with;

	message(scene->plain, scene->next++ * 7919u % scene->among);
}

static void open_store(struct scene *scene)
{
	struct store_settings settings = {.url = slice_of(scene->url), .at_most = AT_MOST};
	struct error err;

	scene->store = store_open(&settings, &err);
	if (!scene->store)
		die("%s", err.text);
	scene->engine = open_engine(scene, FILE_OF(RULE), scene->store);
	scene->plain = open_engine(scene, FILE_OF(PLAIN), scene->store);
}

static void close_store(struct scene *scene)
{
	engine_release(scene->engine);
	engine_release(scene->plain);
	store_close(scene->store);
}

static unsigned long anonymous_kb(void)
{
	char line[128];
	unsigned long kb = 0;
	FILE *status = fopen("/proc/self/status", "r");

	while (status && fgets(line, sizeof(line), status))
		if (sscanf(line, "RssAnon: %lu", &kb) == 1)
			break;
	if (status)
		fclose(status);
	return kb;
}

static double seconds_since(int64_t from)
{
	return (double)(clock_us() - from) / 1e6;
}

static void flush(struct scene *scene)
{
	if (store_flush(scene->store, clock_us() + 600 * SECOND) != STORE_OK)
		die("what was noted was not written");
}

/* As check/greylist.c makes them; the hash is not computed. */
static void fill(struct scene *scene, unsigned entries)
{
	int64_t from = clock_us();

	for (unsigned i = 0; i < entries; i++) {
		uint64_t hash = hash_slice((struct slice){(const char *)&i, sizeof(i)}, 1);
		struct slice text = base64_encode((struct slice){(const char *)&hash, sizeof(hash)}, scene->arena);
		struct slice key =
		    arena_join(scene->arena, SLICE(GREYLIST_PREFIX), greylist_network(client_of(i), scene->arena),
			       SLICE(":"), slice_head(text, 6));

		while (store_put_absent(scene->store, key, SLICE("w"), WINDOW * SECOND) == STORE_UNAVAILABLE)
			usleep(10000);
		arena_reset(scene->arena);
	}
	flush(scene);
	printf("%u entries were made and written in %.1f s\n", entries, seconds_since(from));
}

/* A process of its own, whose memory is that of the store alone. */
static int run_open(const char *url)
{
	struct store_settings settings = {.url = slice_of(url), .at_most = AT_MOST};
	struct store_counters counters;
	struct error err;
	unsigned long before = anonymous_kb();
	int64_t from = clock_us();
	struct store *store = store_open(&settings, &err);

	if (!store)
		die("%s", err.text);
	store_counters(store, &counters);
	printf("opened in %.2f s: %llu keys in %llu MB, %.0f bytes each; RssAnon %lu KB\n", seconds_since(from),
	       (unsigned long long)counters.keys, (unsigned long long)(counters.bytes >> 20),
	       (double)counters.bytes / (double)counters.keys, anonymous_kb() - before);
	store_close(store);
	return 0;
}

static void start_anew(struct scene *scene)
{
	char command[200];

	flush(scene);
	printf("RssAnon of this process after writing: %lu KB\n", anonymous_kb());
	close_store(scene);
	fflush(stdout);
	snprintf(command, sizeof(command), "/proc/%d/exe open %s", (int)getpid(), scene->url);
	if (system(command) != 0)
		die("the store cannot be opened");
	open_store(scene);
}

static void compare(struct scene *scene, const char *what, unsigned among)
{
	scene->among = among;
	measure(&(struct measure){what, "without the rule", ours, other, scene, TIMES});
}

static int run_here(unsigned entries)
{
	const char *parent = getenv("TMPDIR");
	struct scene scene = {.arena = arena_new()};
	char path[120];

	snprintf(scene.directory, sizeof(scene.directory), "%.50s/sekisho-bench.XXXXXX", parent ? parent : "/tmp");
	if (!mkdtemp(scene.directory))
		die("cannot make %s", scene.directory);
	snprintf(scene.url, sizeof(scene.url), "lmdb:%s", scene.directory);
	open_store(&scene);
	compare(&scene, "a sender that waits or is known", 1000);
	compare(&scene, "strangers", 4000000000u);
	fill(&scene, entries);
	start_anew(&scene);
	compare(&scene, "strangers among many", 4000000000u);
	close_store(&scene);
	snprintf(path, sizeof(path), "%s/store.mdb", scene.directory);
	unlink(path);
	snprintf(path, sizeof(path), "%s/store.mdb-lock", scene.directory);
	unlink(path);
	rmdir(scene.directory);
	arena_free(scene.arena);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3)
		return run_open(argv[2]);
	return run_here(argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : ENTRIES);
}
