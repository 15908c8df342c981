/*
 * test_keys.c - which key signs when, by what was seen in the DNS, and which keys are refused.
 */
#include "keys_scene.h"

/* ---- what is seen ----------------------------------------------------------------------------------------------- */

struct said {
	char text[2000];
};

static void say(void *context, const char *level, const char *line)
{
	struct said *said = context;
	size_t n = strlen(said->text);

	snprintf(said->text + n, sizeof(said->text) - n, "%s: %s\n", level, line);
}

/* One look at a domain with keys that were made before; `seen` is for the newest, the others are found. */
static struct key_set *look(struct key_set *set, enum key_seen newest, int64_t ttl_s, int64_t now_s, struct said *said)
{
	struct key_listener listener = {say, said};
	struct key_look looks[KEYS_MAX];
	struct key_set *noted;
	struct error err;

	said->text[0] = '\0';
	for (size_t i = 0; i < set->count; i++)
		looks[i] = (struct key_look){i + 1 < set->count ? KEY_FOUND : newest, ttl_s, SLICE("no record")};
	if (!keys_would_note(set, looks, &rules, now_s))
		return set;
	assert_int_equal(keys_note(set, looks, &rules, now_s, &listener, &noted, &err), 0);
	key_set_release(set);
	return noted;
}

static const char *signer(const struct key_set *set, int64_t now_s)
{
	static char name[KEYS_SELECTOR_MAX + 1];
	const struct managed_key *signers[KEYS_SIGNING_MAX];

	if (key_set_signers(set, rules.types, now_s, signers) == 0)
		return "none";
	snprintf(name, sizeof(name), "%.*s", SLICE_ARGS(signers[0]->selector));
	return name;
}

#define FIRST  "20261127e"
#define SECOND "20261127e2"

/* The first key has signed for an hour, and a second one waits. */
static struct key_set *two_keys(struct said *said)
{
	struct key_set *set;

	clean();
	set = look(rotated(START), KEY_FOUND, 0, START, said);
	key_set_release(set);
	set = rotated(START + 3600);
	assert_int_equal(set->count, 2);
	return set;
}

static void a_key_signs_when_its_record_was_seen_for_its_time_to_live(void **state)
{
	int64_t now = START + 3600;
	struct said said;
	struct key_set *set = two_keys(&said);

	(void)state;
	set = look(set, KEY_ABSENT, 0, now, &said);
	assert_string_equal(said.text, "");
	set = look(set, KEY_TROUBLE, 0, now + 1000, &said);
	assert_string_equal(signer(set, now + 100000), FIRST); /* however long it waits */
	set = look(set, KEY_FOUND, 600, now + 2000, &said);
	assert_string_equal(said.text, "info: key " SECOND " of example.org is in the DNS; it may sign in 600 s, when "
				       "verifiers have it too\n");
	assert_string_equal(signer(set, now + 2599), FIRST);
	assert_string_equal(signer(set, now + 2600), SECOND);
	set = look(set, KEY_FOUND, 900, now + 2100, &said); /* another server knows a longer time */
	assert_string_equal(signer(set, now + 2899), FIRST);
	assert_string_equal(signer(set, now + 2900), SECOND);
	set = look(set, KEY_TROUBLE, 0, now + 2500, &said); /* says nothing */
	assert_string_equal(signer(set, now + 2900), SECOND);
	set = look(set, KEY_ABSENT, 0, now + 2600, &said); /* not all servers have it */
	assert_string_equal(said.text,
			    "warning: key " SECOND " of example.org is not in every answer of the DNS (no record): it "
			    "waits again\n");
	assert_string_equal(signer(set, now + 100000), FIRST);
	key_set_release(set);
}

static void a_replaced_key_stays_for_the_life_of_its_signatures(void **state)
{
	int64_t now = START + 3600;
	struct said said;
	struct key_set *set = look(two_keys(&said), KEY_FOUND, 60, now, &said);

	(void)state;
	set = look(set, KEY_FOUND, 60, now + 60, &said);
	assert_string_equal(said.text, "info: key " SECOND " of example.org signs now; " FIRST
				       ", which it replaces, stays published for 604800 s\n");
	assert_int_equal(key_phase(set, &set->keys[0], &rules, now + 60), KEY_STAYS);
	assert_int_equal(key_phase(set, &set->keys[1], &rules, now + 60), KEY_SIGNS);
	assert_int_equal(key_phase(set, &set->keys[0], &rules, now + 59 + 7 * DAY), KEY_STAYS);
	assert_int_equal(key_phase(set, &set->keys[0], &rules, now + 60 + 7 * DAY), KEY_MAY_GO);
	key_set_release(set);
}

static void a_key_that_vanishes_does_not_sign(void **state)
{
	int64_t now = START + 3600;
	struct said said;
	struct key_set *set = look(two_keys(&said), KEY_FOUND, 60, now, &said);

	(void)state;
	set = look(set, KEY_FOUND, 60, now + 60, &said);
	set = look(set, KEY_ABSENT, 60, now + 1000, &said); /* once may be an error of one server */
	assert_string_equal(signer(set, now + 1000), SECOND);
	set = look(set, KEY_FOUND, 60, now + 1300, &said);
	set = look(set, KEY_ABSENT, 60, now + 1600, &said);
	set = look(set, KEY_ABSENT, 60, now + 1700, &said); /* too soon after the first */
	set = look(set, KEY_TROUBLE, 60, now + 1850, &said);
	assert_string_equal(signer(set, now + 1850), SECOND);
	set = look(set, KEY_ABSENT, 60, now + 1900, &said);
	assert_string_equal(said.text, "warning: key " SECOND
				       " of example.org is not in the DNS any more (no record): it does not "
				       "sign, and its signatures cannot be verified\n");
	assert_string_equal(signer(set, now + 1900), FIRST); /* which is there */
	assert_int_equal(key_phase(set, &set->keys[1], &rules, now + 1900), KEY_VANISHED);
	set = look(set, KEY_TROUBLE, 60, now + 2000, &said);
	set = look(set, KEY_FOUND, 60, now + 3000, &said);
	assert_string_equal(said.text, "info: key " SECOND " of example.org is in the DNS again; it may sign in 60 s, "
				       "when verifiers have it too\n");
	assert_string_equal(signer(set, now + 3059), FIRST);
	assert_string_equal(signer(set, now + 3060), SECOND);
	key_set_release(set);
}

static void rotate_makes_one_key_however_often_it_is_asked(void **state)
{
	struct said said;
	struct key_set *set = two_keys(&said);

	(void)state;
	for (int i = 0; i < 3; i++) {
		key_set_release(set);
		set = rotated(START + 4000 + i);
		assert_int_equal(set->count, 2);
	}
	key_set_release(set);
}

/* ---- what is refused ---------------------------------------------------------------------- */

static void refused(const char *expected)
{
	struct error err = {""};
	struct key_set *set = key_set_read(KEYS_DIR, DOMAIN, &err);

	assert_null(set);
	assert_string_equal(err.text, expected);
}

static void a_key_that_others_can_use_is_refused(void **state)
{
	(void)state;
	clean();
	key_set_release(rotated(START));
	assert_int_equal(chmod("keys/example.org/" FIRST ".pem", 0640), 0);
	refused("keys/example.org/" FIRST ".pem: others can use it; chmod it 600");
	assert_int_equal(chmod("keys/example.org/" FIRST ".pem", 0600), 0);
	assert_int_equal(chmod("keys/example.org", 0777), 0);
	refused("keys/example.org/: others can write to the directory; chmod it 700");
	assert_int_equal(chmod("keys/example.org", 0700), 0);
	assert_int_equal(rename("keys/example.org/" FIRST ".pem", "elsewhere"), 0);
	assert_int_equal(symlink("../../elsewhere", "keys/example.org/" FIRST ".pem"), 0);
	refused("keys/example.org/" FIRST ".pem: Too many levels of symbolic links");
	unlink("elsewhere");
}

static void a_domain_leads_nowhere_else(void **state)
{
	static const char *const domains[] = {"",   ".", "..", "../keys/example.org", "example.org/.", "Example.org",
					      "a b"};
	struct error err;
	struct key_set *set;

	(void)state;
	clean();
	key_set_release(rotated(START));
	for (size_t i = 0; i < sizeof(domains) / sizeof(domains[0]); i++) {
		assert_null(key_set_read(KEYS_DIR, slice_of(domains[i]), &err));
		assert_int_equal(keys_rotate(KEYS_DIR, slice_of(domains[i]), &rules, false, START, &set, &err), -1);
	}
}

static void a_state_that_is_damaged_is_refused(void **state)
{
	static const char *const damaged[] = {"",
					      "sekisho keys 2\n",
					      "sekisho keys 1\n" FIRST " seen\n",
					      "sekisho keys 1\n" FIRST " seen -1\n",
					      "sekisho keys 1\n" FIRST " seen 99999999999999999999\n",
					      "sekisho keys 1\n" FIRST " ttl 604801\n",
					      "sekisho keys 1\n" FIRST " word 1\n"};

	(void)state;
	clean();
	key_set_release(rotated(START));
	for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
		write_text("keys/example.org/state", damaged[i]);
		assert_int_equal(chmod("keys/example.org/state", 0600), 0);
		refused("keys/example.org/state is damaged; remove it, and the keys wait again for the DNS");
	}
	unlink("keys/example.org/state");
	key_set_release(rotated(START));
}

static void there_are_never_more_keys_than_are_read(void **state)
{
	char command[200];
	struct error err;
	struct key_set *set;

	(void)state;
	clean();
	key_set_release(rotated(START));
	snprintf(command, sizeof(command),
		 "for i in $(seq 1 %d); do cp -p keys/example.org/" FIRST ".pem keys/example.org/k$i.pem; done",
		 KEYS_MAX);
	assert_int_equal(system(command), 0);
	assert_null(key_set_read(KEYS_DIR, DOMAIN, &err));
	assert_non_null(strstr(err.text, "there are too many keys; remove those that may go"));
	unlink("keys/example.org/k1.pem");
	set = key_set_read(KEYS_DIR, DOMAIN, &err);
	assert_int_equal(set->count, KEYS_MAX);
	key_set_release(set);
}

/* ---- those who sign ----------------------------------------------------------------------- */

static void a_ring_follows_its_directory(void **state)
{
	struct key_set *held, *set;
	struct key_ring *ring;
	struct error err;

	(void)state;
	clean();
	ring = key_ring_open(KEYS_DIR, DOMAIN, &err);
	held = key_ring_set(ring);
	assert_int_equal(held->count, 0);
	assert_int_equal(key_ring_refresh(ring, &err), 0);
	key_set_release(rotated(START));
	assert_int_equal(key_ring_refresh(ring, &err), 1);
	set = key_ring_set(ring);
	assert_int_equal(set->count, 1);
	assert_int_equal(held->count, 0); /* who holds a set keeps it */
	key_set_release(set);
	assert_int_equal(chmod("keys/example.org/" FIRST ".pem", 0644), 0);
	assert_int_equal(key_ring_refresh(ring, &err), -1); /* just changed, so it is read again */
	set = key_ring_set(ring);
	assert_int_equal(set->count, 1); /* as it was */
	key_set_release(set);
	key_set_release(held);
	key_ring_release(ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_key_signs_when_its_record_was_seen_for_its_time_to_live),
	    cmocka_unit_test(a_replaced_key_stays_for_the_life_of_its_signatures),
	    cmocka_unit_test(a_key_that_vanishes_does_not_sign),
	    cmocka_unit_test(rotate_makes_one_key_however_often_it_is_asked),
	    cmocka_unit_test(a_key_that_others_can_use_is_refused),
	    cmocka_unit_test(a_domain_leads_nowhere_else),
	    cmocka_unit_test(a_state_that_is_damaged_is_refused),
	    cmocka_unit_test(there_are_never_more_keys_than_are_read),
	    cmocka_unit_test(a_ring_follows_its_directory),
	};
	return cmocka_run_group_tests(tests, open_directory, close_directory);
}
