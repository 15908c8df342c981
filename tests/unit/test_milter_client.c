/*
 * The client, as both MTAs really report it at connect.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "milter.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

union peer {
	struct sockaddr any;
	struct sockaddr_in four;
	struct sockaddr_in6 six;
	struct sockaddr_un path;
};

static const struct sockaddr *address_make(const char *text, unsigned port, union peer *address_r)
{
	memset(address_r, 0, sizeof(*address_r));
	if (!text)
		return NULL;
	if (text[0] == '/') {
		address_r->path.sun_family = AF_UNIX;
	} else if (inet_pton(AF_INET, text, &address_r->four.sin_addr) == 1) {
		address_r->four.sin_family = AF_INET;
		address_r->four.sin_port = htons((uint16_t)port);
	} else {
		assert_int_equal(inet_pton(AF_INET6, text, &address_r->six.sin6_addr), 1);
		address_r->six.sin6_family = AF_INET6;
		address_r->six.sin6_port = htons((uint16_t)port);
	}
	return &address_r->any;
}

static const struct {
	const char *host, *address;
	unsigned port;
	struct connect_macros macros; /* client_name, client_resolve, daemon_name, daemon_port */
	const char *ip, *name;
	bool local;
} clients[] = {
    /* Postfix: a client with a verified name, one without, one that is not asked about */
    {"mail.example.net",
     "203.0.113.5",
     4711,
     {"mail.example.net", "OK", "mx", "25"},
     "203.0.113.5",
     "mail.example.net",
     false},
    {"unknown", "203.0.113.5", 4711, {"unknown", "FAIL", "mx", "25"}, "203.0.113.5", "", false},
    {"mail.example.net", "203.0.113.5", 4711, {NULL, NULL, NULL, NULL}, "203.0.113.5", "mail.example.net", false},
    /* Sendmail: a name that does not lead back, brackets for none */
    {"forged.example.net", "203.0.113.5", 4711, {"forged.example.net", "FORGED", "MX", "25"}, "203.0.113.5", "", false},
    {"[203.0.113.5]", "203.0.113.5", 4711, {"[203.0.113.5]", "FAIL", "MX", "25"}, "203.0.113.5", "", false},
    {"[203.0.113.5]", "203.0.113.5", 4711, {NULL, NULL, NULL, NULL}, "203.0.113.5", "", false},
    /* IPv6, and IPv4-mapped IPv6 */
    {"six.example.net",
     "2001:db8::25",
     4711,
     {"six.example.net", "OK", "mx", "25"},
     "2001:db8::25",
     "six.example.net",
     false},
    {"unknown", "::ffff:192.0.2.1", 4711, {NULL, NULL, NULL, NULL}, "192.0.2.1", "", false},
    /* programs of this host: Postfix's sendmail command, Sendmail -bs, a unix socket */
    {"localhost", "127.0.0.1", 0, {"localhost", NULL, "mx", "0"}, "127.0.0.1", "localhost", true},
    {"localhost", "::1", 0, {"localhost", NULL, NULL, NULL}, "::1", "localhost", true},
    {"localhost", NULL, 0, {NULL, NULL, NULL, NULL}, "", "localhost", true},
    {"localhost", "/path", 0, {NULL, NULL, NULL, NULL}, "", "localhost", true},
    /* none of them: SMTP over loopback, an XCLIENT without port, a client that Postfix lost sight of */
    {"localhost", "127.0.0.1", 4711, {"localhost", "OK", "mx", "25"}, "127.0.0.1", "localhost", false},
    {"unknown", "203.0.113.5", 0, {"unknown", "FAIL", "mx", "25"}, "203.0.113.5", "", false},
    {"unknown", NULL, 0, {"unknown", NULL, "mx", "25"}, "", "", false},
};

static void the_client_is_who_the_mta_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(clients) / sizeof(clients[0]); i++) {
		union peer address;
		struct client client;
		char buffer[IP_TEXT];

		client_read(clients[i].host, address_make(clients[i].address, clients[i].port, &address),
			    &clients[i].macros, &client);
		assert_true(slice_equal(ip_print(client.ip, buffer), slice_of(clients[i].ip)));
		assert_string_equal(client.name, clients[i].name);
		assert_int_equal(client.port, clients[i].port);
		assert_int_equal(client.local_program, clients[i].local);
		client_free(&client);
	}
}

static void the_service_is_taken_when_it_becomes_known(void **state)
{
	struct connect_macros none = {NULL}, bad = {.daemon_port = "25x"},
			      mx = {.daemon_name = "MX", .daemon_port = "25"},
			      other = {.daemon_name = "other", .daemon_port = "26"};
	struct client client;

	(void)state;
	client_read("h", NULL, &none, &client);
	assert_int_equal(client.daemon_port, 0);
	assert_string_equal(client.daemon_name, "");
	assert_false(client_complete(&client, &none));
	assert_false(client_complete(&client, &bad));
	assert_true(client_complete(&client, &mx));
	/* what cleanup says of itself later is not the service */
	assert_false(client_complete(&client, &other));
	assert_int_equal(client.daemon_port, 25);
	assert_string_equal(client.daemon_name, "MX");
	client_free(&client);
}

static void names_beyond_every_bound_are_cut(void **state)
{
	static char name[4096];
	struct connect_macros macros = {.client_name = name, .daemon_name = name};
	struct client client;

	(void)state;
	memset(name, 'a', sizeof(name) - 1);
	client_read(name, NULL, &macros, &client);
	assert_int_equal(strlen(client.name), 255);
	assert_int_equal(strlen(client.daemon_name), 255);
	client_free(&client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_client_is_who_the_mta_says),
	    cmocka_unit_test(the_service_is_taken_when_it_becomes_known),
	    cmocka_unit_test(names_beyond_every_bound_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
