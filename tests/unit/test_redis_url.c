/*
 * test_redis_url.c - the setting of a store in Redis: where it is, and what is wrong with it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "policy_messages.h"

#include "../../filter/store/redis_url.h"

static void a_url_says_where_the_server_is(void **state)
{
	static const struct {
		const char *rest;
		struct redis_url url;
	} cases[] = {
	    {"://10.0.0.5", {.host = "10.0.0.5", .port = "6379"}},
	    {"://10.0.0.5:7000/3", {.host = "10.0.0.5", .port = "7000", .database = 3}},
	    {"://redis.example.org/", {.host = "redis.example.org", .port = "6379"}},
	    {"s://mail@redis.example.org:6380/0",
	     {.tls = true, .host = "redis.example.org", .port = "6380", .user = "mail"}},
	    {"S://a@b@h", {.tls = true, .host = "h", .port = "6379", .user = "a@b"}},
	    {"://[2001:db8::5]", {.host = "2001:db8::5", .port = "6379"}},
	    {"://[2001:db8::5]:7000/15", {.host = "2001:db8::5", .port = "7000", .database = 15}},
	    {"+unix:///run/redis.sock", {.path = "/run/redis.sock"}},
	    {"+unix://mail@/run/redis.sock?db=7", {.path = "/run/redis.sock", .user = "mail", .database = 7}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct redis_url *expected = &cases[i].url;
		struct error err = {""};
		struct redis_url url;

		if (redis_url_parse(slice_of(cases[i].rest), &url, &err) != 0)
			fail_msg("%s: %s", cases[i].rest, err.text);
		assert_int_equal(url.tls, expected->tls);
		assert_string_equal(url.path, expected->path);
		assert_string_equal(url.host, expected->host);
		assert_string_equal(url.port, expected->port);
		assert_string_equal(url.user, expected->user);
		assert_int_equal(url.database, expected->database);
	}
}

#define LONG_NAME                                                                                                      \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void a_mistake_in_the_setting_is_named(void **state)
{
	static const struct said cases[] = {
	    {"store redisx://h\n",
	     "t:1:1: a store in Redis is redis://HOST:PORT/DATABASE, rediss://HOST:PORT/DATABASE"},
	    {"store redis:/h\n", "a store in Redis is redis://"},
	    {"store redis://\n", "the URL has no usable host and port"},
	    {"store redis://h:\n", "the URL has no usable host and port"},
	    {"store redis://h:0\n", "the URL has no usable host and port"},
	    {"store redis://h:65536\n", "the URL has no usable host and port"},
	    {"store redis://h:6379x/0\n", "the URL has no usable host and port"},
	    {"store redis://2001:db8::5/0\n", "the URL has no usable host and port"},
	    {"store redis://[2001:db8::5/0\n", "the URL has no usable host and port"},
	    {"store redis://[2001:db8::5]x:1/0\n", "the URL has no usable host and port"},
	    {"store redis://[name]/0\n", "the URL has no usable host and port"},
	    {"store redis://h/x\n", "\"x\" is not the number of a database of Redis (0 to 9999)"},
	    {"store redis://h/10000\n", "\"10000\" is not the number of a database"},
	    {"store redis://h/0/1\n", "\"0/1\" is not the number of a database"},
	    {"store redis://mail:secret@h\n", "the URL of a store is shown in logs; write the password into a file"},
	    {"store redis://:secret@h\n", "name it with \"password-file\""},
	    {"store redis://" LONG_NAME "@h\n", "the user in the URL of a store can have at most 127 bytes"},
	    {"store redis+unix://run/s\n", "redis+unix:// needs the absolute path of a socket"},
	    {"store redis+unix:///run/s?database=1\n", "redis+unix:// needs the absolute path of a socket"},
	    {"store redis+unix:///" LONG_NAME "\n", "of at most 107 bytes"},
	    {"store redis+unix:///run/s?db=x\n", "\"x\" is not the number of a database"},
	    {"store redis://h at-most 1G\n", "at-most is for a store on this host; set maxmemory in the server"},
	    {"store redis://h ca-file /ca.pem\n", "ca-file is for rediss://, the form with TLS"},
	    {"store redis+unix:///s ca-file /ca.pem\n", "ca-file is for rediss://, the form with TLS"},
	    {"store redis://h timeout 0s\n", "timeout cannot be \"0s\"; write a time from 1ms to 2s"},
	};

	(void)state;
	ASSERT_REFUSED(cases);
}

static void the_setting_has_a_password_a_ca_and_a_timeout(void **state)
{
	char *messages;
	struct policy *policy = load_text("store rediss://mail@redis.example.org:6380/2 password-file /etc/p ca-file "
					  "/etc/ca.pem timeout 120ms on-failure defer\n",
					  NULL, &messages);
	const struct store_setting *store;

	(void)state;
	if (!policy)
		fail_msg("%s", messages);
	store = &policy_settings(policy)->store;
	assert_string_equal(store->password_file, "/etc/p");
	assert_string_equal(store->ca_file, "/etc/ca.pem");
	assert_int_equal(store->timeout_us, 120000);
	assert_true(store->defers);
	assert_int_equal(store_directory(store->url).n, 0);
	policy_release(policy);
	free(messages);
}

/* What is wrong on this host ends the start; what is wrong with the server does not. */
static void files_that_cannot_be_read_are_named(void **state)
{
	struct store_settings settings = {.url = SLICE("redis+unix:///nowhere"), .password_file = "absent"};
	struct error err;
	struct store *store;

	(void)state;
	assert_null(store_open(&settings, &err));
	assert_non_null(strstr(err.text, "password-file: cannot open absent"));
	write_text("t", "one\ntwo\n");
	settings.password_file = "t";
	assert_null(store_open(&settings, &err));
	assert_string_equal(err.text, "password-file t: it must have one line, the password");
	settings = (struct store_settings){.url = SLICE("rediss://h"), .ca_file = "t"};
	assert_null(store_open(&settings, &err));
	assert_string_equal(err.text, "ca-file t: no certificates in PEM format can be read from this file");
	settings = (struct store_settings){.url = SLICE("redis+unix:///nowhere")};
	store = store_open(&settings, &err);
	assert_non_null(store);
	assert_true(store_report(store, 0, &err));
	assert_string_equal(err.text,
			    "store redis+unix:///nowhere: No such file or directory; facts that need the store "
			    "are unknown until it works; requests not answered since the last report: 0");
	store_close(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_url_says_where_the_server_is),
	    cmocka_unit_test(a_mistake_in_the_setting_is_named),
	    cmocka_unit_test(the_setting_has_a_password_a_ca_and_a_timeout),
	    cmocka_unit_test(files_that_cannot_be_read_are_named),
	};

	return cmocka_run_group_tests(tests, enter_directory, leave_directory);
}
