/*
 * test_setting_rows.c - what a row of a table of settings can say, with a check that is not one of the program: each
 * type of value, lists, keys that exclude each other, blocks that are declared by name, keys on one line.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "policy_messages.h"

/* ---- thing NAME { }: a block that repeats ----------------------------------------------- */

struct code {
	struct slice from, word;
};

struct thing {
	struct slice name;
	unsigned number, port;
	int weight;
	struct list *list;
	const struct fact *fact;
	int64_t size, time;
	bool yes, loud;
	int colour, way;
	struct slice text, domain, header;
	const char *path;
	struct address address;
	SETTING_ITEMS(struct ip_net) networks;
	SETTING_ITEMS(struct slice) words;
	SETTING_ITEMS(struct code) codes;
	unsigned finished;
};

static int read_code(struct setting_told *told, void *item, struct error *err)
{
	*(struct code *)item = (struct code){told->words[0], told->words[1]};
	told->wrong = 1;
	if (told->words[1].n > 1)
		return 0;
	error_set(err, "the word of a code is too short");
	return -1;
}

static int finish_thing(void *block, struct setting_told *told, struct error *err)
{
	struct thing *thing = block;

	thing->finished++;
	if (!setting_said(told, "port") || thing->port != thing->number)
		return 0;
	told->key = "port";
	error_set(err, "port and number are the same; change one of them");
	return -1;
}

#define THING(member) .offset = offsetof(struct thing, member)

static const struct setting_key thing_name = {.type = SETTING_NAME, THING(name)};

static const struct setting_key thing_keys[] = {
    {.name = "number", .type = SETTING_NUMBER, THING(number), .least = 2, .most = 9, .preset = "5"},
    {.name = "weight", .type = SETTING_INTEGER, THING(weight), .least = -10, .most = 10},
    {.name = "list", .type = SETTING_LIST, THING(list)},
    {.name = "fact", .type = SETTING_FACT, THING(fact)},
    {.name = "port", .type = SETTING_PORT, THING(port)},
    {.name = "size", .type = SETTING_SIZE, THING(size), .least = 1024, .most = 1 << 30},
    {.name = "time", .type = SETTING_DURATION, THING(time), .least = 1000000},
    {.name = "yes", .type = SETTING_BOOL, THING(yes)},
    {.name = "voice",
     .type = SETTING_BOOL,
     THING(loud),
     .words = (const char *const[]){"low", "loud", NULL},
     .preset = "loud"},
    {.name = "colour", .type = SETTING_WORD, THING(colour), .words = (const char *const[]){"red", "blue", NULL}},
    {.name = "left", .type = SETTING_CHOICE, THING(way), .least = 1, .group = "way"},
    {.name = "right", .type = SETTING_CHOICE, THING(way), .least = 2, .group = "way"},
    {.name = "text", .type = SETTING_TEXT, THING(text)},
    {.name = "domain", .type = SETTING_DOMAIN, THING(domain), .required = true},
    {.name = "header", .type = SETTING_HEADER, THING(header)},
    {.name = "path", .type = SETTING_PATH, THING(path)},
    {.name = "address", .type = SETTING_ADDRESS, THING(address)},
    {.name = "networks",
     .type = SETTING_NETWORK,
     .count = SETTING_MANY,
     THING(networks),
     .most_items = 6,
     .preset = "127.0.0.1 ::1"},
    {.name = "words", .type = SETTING_TEXT, .count = SETTING_MANY, THING(words)},
    {.name = "code",
     .type = SETTING_OWN,
     .count = SETTING_EACH,
     THING(codes),
     .read = read_code,
     .size = sizeof(struct code),
     .takes = 2,
     .usage = "code ADDRESS WORD"},
};

static const struct setting_block thing_block = {.name = "thing",
						 .size = sizeof(struct thing),
						 .value = &thing_name,
						 SETTING_KEYS(thing_keys),
						 .repeats = true,
						 .finish = finish_thing};

/* ---- shelf WORD KEYS ------------------------------------------------------------------------ */

struct shelf {
	struct slice where;
	int64_t room;
};

static const struct setting_key shelf_where = {.type = SETTING_TEXT, .offset = offsetof(struct shelf, where)};
static const struct setting_key shelf_keys[] = {
    {.name = "room", .type = SETTING_SIZE, .offset = offsetof(struct shelf, room), .preset = "3k"},
};
static const struct setting_block shelf_block = {
    .name = "shelf", .size = sizeof(struct shelf), .value = &shelf_where, SETTING_KEYS(shelf_keys), .line = true};

/* ---- the checks, in the place of those of the program -------------------------------------------- */

static struct value get_nothing(struct view *view)
{
	(void)view;
	return (struct value){.state = VALUE_ABSENT};
}

static struct value get_nothing_of(struct view *view, struct argument argument)
{
	(void)argument;
	return get_nothing(view);
}

static const struct fact facts[] = {
    {.name = "thing.age", .type = TYPE_NUMBER, .get = get_nothing},
    {.name = "thing.of", .type = TYPE_NUMBER, .argument = ARGUMENT_THING, .get_of = get_nothing_of},
};

static const struct check thing = {
    .number = 0, .name = "thing", .facts = facts, .fact_count = 2, .settings = &thing_block};
static const struct check shelf = {.number = 1, .name = "shelf", .settings = &shelf_block};
const struct check *const checks[] = {&thing, &shelf, NULL};

static const struct check_block *blocks_of(const struct policy *policy, const struct check *check)
{
	return &policy_settings(policy)->check.blocks[check_number(check)];
}

static void assert_text(struct slice text, const char *expected)
{
	if (!slice_equal(text, slice_of(expected)))
		fail_msg("expected %s, got %.*s", expected, SLICE_ARGS(text));
}

static void each_type_of_value_goes_to_its_member(void **state)
{

	struct policy *policy = load(
	    "thing a { number 9 port 25 size 2k time 90s yes yes voice low colour blue right text \"a \\\"b\\\"\"\n"
	    "domain EXAMPLE.org. header Subject path x/y address A@example.org networks 10.0.0.0/8 words x y\n"
	    "code 127.0.0.2 spam code 127.0.0.3 dynamic words \"time\" weight -5 fact thing.age list later }\n"
	    "list later file:friends\n");
	const struct thing *a = check_block(&policy_settings(policy)->check, &thing);

	(void)state;
	assert_text(a->name, "a");
	assert_int_equal(a->number, 9);
	assert_int_equal(a->port, 25);
	assert_int_equal(a->size, 2048);
	assert_int_equal(a->time, 90000000);
	assert_true(a->yes && !a->loud);
	assert_int_equal(a->colour, 1);
	assert_int_equal(a->way, 2);
	assert_text(a->text, "a \"b\"");
	assert_text(a->domain, "example.org");
	assert_text(a->header, "Subject");
	assert_string_equal(a->path, "x/y");
	assert_text(a->address.domain, "example.org");
	assert_int_equal(a->networks.count, 1); /* what is set replaces the preset list */
	assert_int_equal(a->networks.items[0].prefix, 8);
	assert_int_equal(a->words.count, 3); /* a list may be set in several places */
	assert_text(a->words.items[2], "time");
	assert_int_equal(a->codes.count, 2);
	assert_text(a->codes.items[1].from, "127.0.0.3");
	assert_text(a->codes.items[1].word, "dynamic");
	assert_int_equal(a->weight, -5);
	assert_ptr_equal(a->fact, &facts[0]);
	assert_text(slice_of(list_name(a->list)), "later"); /* though it is declared after the thing */
	assert_int_equal(a->finished, 1);
	policy_release(policy);
}

static void each_thing_that_is_declared_has_a_struct_and_presets_of_its_own(void **state)
{
	struct policy *policy = load("thing a { domain a.example }\nthing b { domain b.example number 7 }\n");
	const struct check_block *things = blocks_of(policy, &thing);
	const struct thing *both = things->first;

	(void)state;
	assert_int_equal(things->count, 2);
	assert_text(both[0].domain, "a.example");
	assert_int_equal(both[0].number, 5);
	assert_true(both[0].loud);
	assert_int_equal(both[0].networks.count, 2);
	assert_text(both[1].name, "b");
	assert_int_equal(both[1].number, 7);
	policy_release(policy);
	policy = load("mode enforce\n");
	assert_int_equal(blocks_of(policy, &thing)->count, 0); /* a block that repeats is not there by default */
	assert_int_equal(blocks_of(policy, &shelf)->count, 1);
	policy_release(policy);
}

static void keys_may_be_on_the_line_of_their_block(void **state)
{
	struct policy *policy = load("shelf \"upper left\" room 5k\n");
	const struct shelf *said = check_block(&policy_settings(policy)->check, &shelf);

	(void)state;
	assert_text(said->where, "upper left");
	assert_int_equal(said->room, 5 * 1024);
	policy_release(policy);
	policy = load("shelf x\n");
	said = check_block(&policy_settings(policy)->check, &shelf);
	assert_int_equal(said->room, 3 * 1024);
	policy_release(policy);
}

static void a_list_grows_as_long_as_it_is(void **state)
{
	char text[20000] = "thing a { domain a.example words";
	const struct thing *a;
	struct policy *policy;

	(void)state;
	for (int i = 0; i < 1000; i++)
		sprintf(text + strlen(text), " w%d", i);
	strcat(text, " }\n");
	policy = load(text);
	a = check_block(&policy_settings(policy)->check, &thing);
	assert_int_equal(a->words.count, 1000);
	assert_text(a->words.items[0], "w0");
	assert_text(a->words.items[512], "w512");
	assert_text(a->words.items[999], "w999");
	policy_release(policy);
}

#define A "thing a { domain a.example "

static const struct said mistakes[] = {
    {A "number 1 }\n", "t:1:35: number cannot be \"1\"; write a number from 2 to 9"},
    {A "number 10 }\n", "t:1:35: number cannot be \"10\"; write a number from 2 to 9"},
    {A "number x }\n", "t:1:35: number cannot be \"x\"; write a number from 2 to 9"},
    {A "weight -11 }\n", "t:1:35: weight cannot be \"-11\"; write a number from -10 to 10"},
    {A "weight - }\n", "t:1:35: weight cannot be \"-\"; write a number from -10 to 10"},
    {A "fact thing.aeg }\n",
     "t:1:33: no fact is named \"thing.aeg\" (did you mean \"thing.age\"?); write a fact as in auth.user"},
    {A "fact thing.of }\n", "t:1:33: thing.of takes an argument and cannot be used here; write a fact as in auth.user"},
    {"list friends file:friends\n" A "list friend }\n",
     "t:2:33: no list is named \"friend\" (did you mean \"friends\"?); write the name of a list"},
    {"list owners file:owners\n" A "list owners }\n",
     "t:2:33: the list owners says which login owns which address; write the name of a list"},
    {A "size 2 }\n", "t:1:33: size cannot be \"2\"; write a size from 1k to 1G"},
    {A "time 5 }\n", "t:1:33: time cannot be \"5\"; write a time of at least 1s"},
    {A "port 0 }\n", "t:1:33: port cannot be \"0\"; write a port from 1 to 65535"},
    {A "yes true }\n", "t:1:32: yes cannot be \"true\"; write no or yes"},
    {A "voice yes }\n", "t:1:34: voice cannot be \"yes\"; write low or loud"},
    {A "colour green }\n", "t:1:35: colour cannot be \"green\"; write red or blue"},
    {A "header a:b }\n", "t:1:35: header cannot be \"a:b\"; write the name of a header field as in Subject"},
    {A "address x }\n", "t:1:36: address cannot be \"x\"; write an address as in postmaster@example.org"},
    {A "path \"\" }\n", "t:1:33: path cannot be \"\"; write the path of a file"},
    {A "networks 10.0.0.0/8 x }\n", "t:1:48: networks cannot contain \"x\"; write a network as in 10.0.0.0/8"},
    {A "networks 10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6 10.0.0.7 }\n",
     "t:1:91: networks has more than 6 values; remove some"},
    {A "number }\n", "t:1:28: number has no value; write a number from 2 to 9"},
    {A "words }\n", "t:1:28: words has no value; write a text"},
    {A "words number 3 }\n", "t:1:28: words has no value; write a text"},
    {A "code 127.0.0.1 }\n", "t:1:28: code has too few values; write code ADDRESS WORD"},
    {A "code 127.0.0.1 x }\n", "t:1:43: the word of a code is too short; write code ADDRESS WORD"},
    {A "number 3\nnumber 4 }\n", "t:2:1: number is set already in line 1; remove one of them"},
    {A "left\nright }\n", "t:2:1: right excludes left in line 1; keep one of them"},
    {A "numbr 3 }\n", "t:1:28: thing has no key \"numbr\"; did you mean \"number\"?"},
    {A "\"number\" 3 }\n", "t:1:28: thing has no key \"number\"; did you mean \"number\"?"},
    {A "number 3 port 3 }\n", "t:1:42: port and number are the same; change one of them"},
    {"thing a { number 3 }\n", "t:1:1: thing has no domain; write domain and a domain as in example.org"},
    {"thing { number 3 }\n",
     "t:1:1: thing has no value; write a name of letters, digits, \"-\", \"_\" and \".\" that begins with a "
     "letter"},
    {"thing 1 { number 3 }\n",
     "t:1:7: thing cannot be \"1\"; write a name of letters, digits, \"-\", \"_\" and \".\" that begins "
     "with a letter"},
    {"thing a b { number 3 }\n", "t:1:9: \"b\" is not expected here; write the keys of thing in { }"},
    {"shelf x { room 3k }\n", "t:1:1: shelf takes no { }; write its keys on the same line"},
    {"shelf x roam 3k\n", "t:1:9: shelf has no key \"roam\"; did you mean \"room\"?"},
    {"shelf x\nshelf y\n", "t:2:1: shelf is set already in line 1; remove one of them"},
    {A "}\n" A "}\n", "t:2:7: thing a is defined already; give one of them another name"},
    {"thingy a { }\n", "t:1:1: unknown setting \"thingy\"; did you mean \"thing\"?"},
};

static void each_mistake_has_its_message(void **state)
{
	(void)state;
	ASSERT_MESSAGES(mistakes);
}

static int prepare(void **state)
{
	if (enter_directory(state))
		return -1;
	write_text("friends", "");
	write_text("owners", "");
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_type_of_value_goes_to_its_member),
	    cmocka_unit_test(each_thing_that_is_declared_has_a_struct_and_presets_of_its_own),
	    cmocka_unit_test(keys_may_be_on_the_line_of_their_block),
	    cmocka_unit_test(a_list_grows_as_long_as_it_is),
	    cmocka_unit_test(each_mistake_has_its_message),
	};

	return cmocka_run_group_tests(tests, prepare, leave_directory);
}
