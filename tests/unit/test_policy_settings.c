/*
 * test_policy_settings.c - the messages about wrong settings, and the bounds of settings.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "policy_messages.h"

#define CONTROL RUNSTATEDIR "/sekisho/control.sock"

#define RSPAMC_LOCAL                                                                                                   \
	"t:1:1: listen rspamc serves mail servers of this host only; write unix:/path, or inet:PORT@127.0.0.1"
#define LIST_USAGE "write list NAME file:/path, or list NAME dynamic:30m for entries that programs add"

static void addresses_to_listen_on_have_four_forms(void **state)
{
	static const char *const right[] = {
	    "inet:8891",      "inet:8891@127.0.0.1", "inet:8891@localhost", "inet6:8891@[::1]",
	    "inet6:8891@::1", "inet6:8891",          "unix:/run/x",         "fd:3"};
	static const char *const wrong[] = {"8891",       "inet:0",        "inet:70000",
					    "inet:8891@", "inet:8891@::1", "inet6:8891@127.0.0.1",
					    "unix:x",     "unix:",         "fd:x",
					    "fd:",        "tcp:1",         "inet:8891@a/b",
					    "/run/x",     "miltre unix:/x"};
	char text[256], *messages;

	(void)state;
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		snprintf(text, sizeof(text), "listen %s\n", right[i]);
		policy_release(load(text));
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		snprintf(text, sizeof(text), "listen %s\n", wrong[i]);
		if (load_text(text, NULL, &messages))
			fail_msg("%s is taken", text);
		assert_non_null(strstr(messages, "is not an address to listen on ("));
		assert_non_null(strstr(messages, "; write unix:/path"));
		free(messages);
	}
	snprintf(text, sizeof(text), "listen unix:/%0*d\n", 107, 1);
	assert_null(load_text(text, NULL, &messages)); /* longer than a socket's path can be */
	free(messages);
}

static void more_sockets_than_the_daemon_serves_are_refused(void **state)
{
	static const char text[] = "listen fd:1\nlisten fd:2\nlisten fd:3\nlisten fd:4\nlisten fd:5\nlisten fd:6\n"
				   "listen fd:7\nlisten fd:8\nlisten fd:9\n";
	char *messages;

	(void)state;
	assert_null(load_text(text, NULL, &messages));
	assert_non_null(strstr(messages, "t:9:1: there are more than 8 sockets to listen on"));
	free(messages);
}

#define RESOLVER_KEYS "timeout, dnssec, cache, system, forward, zone, recurse, root-hints, trust-anchor and hints"
#define DKIM_KEYS     "minimum-key-bits, maximum-signatures, allow-length, repeats-window and engine"
#define SELECTOR      "write selector NAME key FILE"

static const struct said wrong_sockets[] = {
    {"listen inet:1 mode 0660\n",
     "t:1:20: only a unix: socket has mode and group; remove them, or listen on unix:/path"},
    {"listen inet:1 group mail\n",
     "t:1:21: only a unix: socket has mode and group; remove them, or listen on unix:/path"},
    {"listen unix:/x mode 999\n", "t:1:21: mode cannot be \"999\"; write a mode in octal as in 0660"},
    {"listen unix:/x mode 1000\n", "t:1:21: mode cannot be \"1000\"; write a mode in octal as in 0660"},
    {"listen unix:/x mode\n", "t:1:16: mode has no value; write a mode in octal as in 0660"},
    {"listen unix:/x mood 0660\n", "t:1:16: listen has no key \"mood\"; its keys are engine, mode, group and user"},
    {"listen mode 0660\n",
     "t:1:8: \"mode\" is not an address to listen on (it must begin with inet:, inet6:, unix: or fd:); write "
     "unix:/path [mode 0660] [group NAME], inet:PORT@HOST or inet6:PORT@[ADDRESS] [user NAME ...], or fd:N"},
    {"listen unix:/x user a\n", "t:1:21: a unix: socket has mode and group instead; remove it"},
    {"listen inet:1 user a b c d e f g h i\n", "t:1:36: user has more than 8 values; remove some"},
    {"listen inet:1\nlisten inet:2\n",
     "t:2:1: libmilter serves one socket, that of line 1; remove one of them, or add \"engine native\" to one"},
    {"listen inet:1\nlisten milter inet:1\n", "t:2:1: inet:1 is listened on already in line 1; "
					      "remove one of them"},
    {"web { listen inet:9891@127.0.0.1 }\n",
     "t:1:14: every user of this host could read the page at a network address; add \"password-file /path\" "
     "(sekisho web-password makes it), or listen on unix:/path"},
    {"web { listen inet:9891@127.0.0.1  mode 0660  password-file /p }\n",
     "t:1:40: only a unix: socket has mode and group; remove them, or listen on unix:/path"},
    {"web { listen tcp:9891 }\n",
     "t:1:14: \"tcp:9891\" is not an address to listen on (it must begin with inet:, inet6:, unix: or fd:); "
     "write unix:/path, inet:PORT@HOST, inet6:PORT@[ADDRESS] or fd:N"},
    {"web { password-file /p }\n",
     "t:1:1: web has no listen; write unix:/path, inet:PORT@HOST, inet6:PORT@[ADDRESS] or fd:N"},
    {"web { listen unix:/run/w  host }\n", "t:1:27: host has no value; write names of this host as browsers call it"},
    {"web { listen unix:/run/w mode 9 }\n", "t:1:31: mode cannot be \"9\"; write a mode in octal as in 0660"},
    {"listen policy unix:/x engine native\n", "t:1:30: only the milter door has engines; remove it"},
    {"listen rspamc inet:11333@192.0.2.1\n", RSPAMC_LOCAL},
    {"listen rspamc inet:11333@mx.example.org\n", RSPAMC_LOCAL},
    {"listen rspamc inet:11333\n", RSPAMC_LOCAL},
    {"listen rspamc inet6:11333@[2001:db8::1]\n", RSPAMC_LOCAL},
    {"listen rspamc fd:3\n", RSPAMC_LOCAL},
    {"listen rspamc unix:/x engine native\n", "t:1:30: only the milter door has engines; remove it"},
};

static void wrong_addresses_to_listen_on_are_reported_with_how_to_write_them(void **state)
{
	(void)state;
	ASSERT_MESSAGES(wrong_sockets);
}

static const struct said wrong_daemon[] = {
    {"mode report\n\nmode enforce\n", "t:3:1: mode is set already in line 1; remove one of them"},
    {"history lmdb:/x\n", "t:1:9: history cannot be \"lmdb:/x\"; write sqlite:/path"},
    {"history sqlite:x\n", "t:1:9: history cannot be \"sqlite:x\"; write sqlite:/path"},
    {"history sqlite:/x at-most 1M\n", "t:1:27: at-most cannot be \"1M\"; write a size from 16M to 4096G"},
    {"history sqlite:/x addresses none\n", "t:1:29: addresses cannot be \"none\"; write plain, hashed or off"},
    {"drain 11m\n", "t:1:7: drain cannot be \"11m\"; write a time from 0s to 10m"},
    {"drain 5\n", "t:1:7: drain cannot be \"5\"; write a time from 0s to 10m"},
    {"drain\n", "t:1:1: drain has no value; write a time from 0s to 10m"},
    {"drain 5s 6s\n", "t:1:10: drain takes one value; write a time from 0s to 10m"},
    {"drain { 5s }\n", "t:1:1: drain takes no { }; write a time from 0s to 10m"},
    {"trusted 127.0.0.1\n", "t:1:1: the values of trusted are written in { }; write trusted { } with a network "
			    "as in 10.0.0.0/8"},
    {"trusted { 10.0.0.0/8 x }\n", "t:1:22: trusted cannot contain \"x\"; write a network as in 10.0.0.0/8"},
    {"submission { port smtp }\n", "t:1:19: port cannot contain \"smtp\"; write a port from 1 to 65535"},
    {"submission { port }\n", "t:1:14: port has no value; write a port from 1 to 65535"},
    {"submission { port daemon-name MSA }\n", "t:1:14: port has no value; write a port from 1 to 65535"},
    {"user root:x\n", "t:1:6: user cannot be \"root:x\"; write a name as in user sekisho"},
    {"control x\n", "t:1:9: control cannot be \"x\"; write a path as in /run/sekisho/control.sock, or off"},
    {"control off readers mon\n",
     "t:1:21: nobody can ask a daemon without a control socket; remove the readers, or write its path"},
    {"control /a readers -x\n", "t:1:20: readers cannot contain \"-x\"; write groups as in readers monitoring"},
    {"log file:x\n", "t:1:5: log cannot be \"file:x\"; write syslog, stderr, off or file:/path"},
    {"record { facts some }\n", "t:1:16: facts cannot be \"some\"; write used or all"},
    {"record all\n", "t:1:8: \"all\" is not expected here; write the keys of record in { }"},
    {"record\n", "t:1:1: record has no { }; write its keys in it: facts"},
    {"authentication-results { sfp }\n",
     "t:1:26: \"sfp\" has no clause in Authentication-Results (did you mean \"spf\"?); "
     "write authentication-results { spf auth }, or all, or off"},
    {"received-spf maybe\n", "t:1:14: received-spf cannot be \"maybe\"; write no or yes"},
    {"mode test\n", "t:1:6: mode cannot be \"test\"; write enforce or report"},
    {"authserv-id a_b/c\n", "t:1:13: authserv-id cannot be \"a_b/c\"; write a name as in mx.example.org"},
    {"xyzzy lmdb:/var/lib/x\n", "t:1:1: unknown setting \"xyzzy\"; sekisho.conf(5) names them all (rules are in "
				"\"policy KIND { on STAGE { } }\")"},
    {"litsen inet:1\n", "t:1:1: unknown setting \"litsen\"; did you mean \"listen\"?"},
};

static void wrong_settings_of_the_daemon_are_reported_with_how_to_write_them(void **state)
{
	(void)state;
	ASSERT_MESSAGES(wrong_daemon);
}

static const struct said wrong_resolver[] = {
    {"resolver { timeout 9s }\n", "t:1:20: timeout cannot be \"9s\"; write a time from 100ms to 8s"},
    {"resolver { timeout }\n", "t:1:12: timeout has no value; write a time from 100ms to 8s"},
    {"resolver { forward 192.0.2.53 root-hints /etc/hints }\n",
     "t:1:42: root-hints is used with recurse alone: other servers know where the root is"},
    {"resolver { recurse dnssec off trust-anchor /etc/key }\n", "t:1:44: trust-anchor has no effect with dnssec off"},
    {"resolver { zone /dev/null trust-anchor /etc/key }\n", "t:1:40: trust-anchor has no effect with zone"},
    {"resolver { dnssec maybe }\n", "t:1:19: dnssec cannot be \"maybe\"; write off, permissive or strict"},
    {"resolver { hints on }\n", "t:1:18: hints cannot be \"on\"; write yes or no"},
    {"resolver { system\nrecurse }\n", "t:2:1: recurse excludes system in line 1; keep one of them"},
    {"resolver { forward 192.0.2.1 system }\n", "t:1:30: system excludes forward in line 1; keep one of them"},
    {"resolver { cache 500\ncache 600 }\n", "t:2:1: cache is set already in line 1; remove one of them"},
    {"resolver { forward x }\n", "t:1:20: forward cannot contain \"x\"; write addresses of servers as in "
				 "192.0.2.53 or 192.0.2.53@5353"},
    {"resolver { forward 192.0.2.53@0 }\n",
     "t:1:20: forward cannot contain \"192.0.2.53@0\"; write addresses of servers as in 192.0.2.53 or "
     "192.0.2.53@5353"},
    {"resolver { cache 5 }\n", "t:1:18: cache cannot be \"5\"; write a number from 100 to 10000000"},
    {"resolver { timout 3s }\n", "t:1:12: resolver has no key \"timout\"; did you mean \"timeout\"?"},
    {"resolver { xyzzy 3s }\n", "t:1:12: resolver has no key \"xyzzy\"; its keys are " RESOLVER_KEYS},
};

static void a_wrong_resolver_is_reported_with_how_to_write_it(void **state)
{
	(void)state;
	ASSERT_MESSAGES(wrong_resolver);
}

static const struct said wrong_checks[] = {
    {"spf native\n", "t:1:5: \"native\" is not expected here; write the keys of spf in { }"},
    {"spf { engine }\n", "t:1:7: engine has no value; write native, libspf2 or compare"},
    {"spf { engine pyspf }\n", "t:1:14: engine cannot be \"pyspf\"; write native, libspf2 or compare"},
    {"dkim yes\n", "t:1:6: \"yes\" is not expected here; write the keys of dkim in { }"},
    {"dkim { minimum-key-bits 512 }\n", "t:1:25: minimum-key-bits cannot be \"512\"; write a number from 1024 to 4096"},
    {"dkim { maximum-signatures 51 }\n", "t:1:27: maximum-signatures cannot be \"51\"; write a number from 1 to 50"},
    {"dkim { maximum-signature 5 }\n",
     "t:1:8: dkim has no key \"maximum-signature\"; did you mean \"maximum-signatures\"?"},
    {"dkim { xyzzy }\n", "t:1:8: dkim has no key \"xyzzy\"; its keys are " DKIM_KEYS},
    {"dkim { allow-length }\n", "t:1:8: allow-length has no value; write the domains (d=) whose l= may leave "
				"part of the body unsigned"},
};

static void wrong_settings_of_spf_and_dkim_are_reported_with_how_to_write_them(void **state)
{
	(void)state;
	ASSERT_MESSAGES(wrong_checks);
}

static const struct said wrong_lists[] = {
    {"list x\n", "t:1:1: list has too few values; " LIST_USAGE},
    {"list x /etc/x\n", "t:1:8: \"/etc/x\" is not a place for a list; " LIST_USAGE},
    {"list 1 file:/x\n", "t:1:6: \"1\" cannot be the name of a list; " LIST_USAGE},
    {"list x dynamic:soon\n", "t:1:8: \"soon\" is not how long an entry lasts, from 1s to ten years; " LIST_USAGE},
    {"list x dynamic:500ms\n", "t:1:8: \"500ms\" is not how long an entry lasts, from 1s to ten years; " LIST_USAGE},
    {"list relays dynamic:30m\n",
     "t:1:13: the list relays says whom to trust, so programs cannot change it; " LIST_USAGE},
    {"list owners dynamic:30m\n",
     "t:1:13: the list owners says whom to trust, so programs cannot change it; " LIST_USAGE},
    {"list x file:t writers mail\n", "t:1:23: only a dynamic: list has at-most and writers; remove them"},
    {"list x file:t at-most 5\n", "t:1:23: only a dynamic: list has at-most and writers; remove them"},
    {"list x dynamic:30m at-most 0\n", "t:1:28: at-most cannot be \"0\"; write a number from 1 to 1000000"},
    {"list x dynamic:30m writers\n", "t:1:20: writers has no value; write groups as in writers dovecot"},
    {"submission { clients recent }\n", "t:1:22: no list is named \"recent\"; write the name of a list"},
    {"list x file:t on-failure ignore\n", "t:1:26: on-failure cannot be \"ignore\"; write defer or skip"},
    {"list x file:t onfailure skip\n", "t:1:15: list has no key \"onfailure\"; did you mean \"on-failure\"?"},
};

static void a_wrong_list_is_reported_with_how_to_write_it(void **state)
{
	(void)state;
	ASSERT_MESSAGES(wrong_lists);
}

static const struct said wrong_keys[] = {
    {"sign example.org { selector s1 key /nothing }\n",
     "t:1:1: sign example.org: cannot read key /nothing: No such file or directory"},
    {"sign example.org\n", "t:1:1: sign has no { }; write its keys in it: selector, subdomains, expire, "
			   "headers, oversign, keys, rotate, type and check"},
    {"sign { }\n", "t:1:1: sign has no value; write a domain as in example.org"},
    {"sign -.org { selector s1 key /x }\n", "t:1:6: sign cannot be \"-.org\"; write a domain as in example.org"},
    {"sign example.org { }\n", "t:1:1: sign has no selector; write selector NAME key FILE, or keys DIRECTORY"},
    {"sign example.org { keys }\n", "t:1:20: keys has no value; write a directory as in /var/lib/sekisho/keys"},
    {"sign \"a/b.org\" { keys k }\n", "t:1:6: sign cannot be \"a/b.org\"; write a domain as in example.org"},
    {"sign example.org { selector s1 key x keys k }\n",
     "t:1:29: sign has \"selector\" and \"keys\"; move the key to DIRECTORY/DOMAIN/SELECTOR.pem"},
    {"sign example.org { selector s1 key x rotate 90d }\n",
     "t:1:45: \"rotate\" is about the keys of a directory; add \"keys DIRECTORY\""},
    {"sign example.org { selector s1 key x type rsa }\n",
     "t:1:43: \"type\" is about the keys of a directory; add \"keys DIRECTORY\""},
    {"sign example.org { keys k rotate 1h }\n", "t:1:34: rotate cannot be \"1h\"; write a time of at least 1d"},
    {"sign example.org { keys k type dsa }\n", "t:1:32: type cannot contain \"dsa\"; write rsa or ed25519"},
    {"sign example.org { keys t }\n", "t:1:1: sign example.org: t/example.org/: Not a directory"},
    {"sign example.org { selector s1 }\n", "t:1:20: selector has too few values; " SELECTOR},
    {"sign example.org { selector s1 x y }\n", "t:1:32: a selector and its key belong together; " SELECTOR},
    {"sign example.org { selector s..1 key x }\n", "t:1:29: \"s..1\" is not a selector; " SELECTOR},
    {"sign example.org { subdomains maybe }\n", "t:1:31: subdomains cannot be \"maybe\"; write no or yes"},
    {"sign example.org { expire 5m }\n", "t:1:27: expire cannot be \"5m\"; write a time of at least 1h"},
    {"sign example.org { headers expire 1d }\n",
     "t:1:20: headers has no value; write the name of a header field as in Subject"},
    {"sign example.org { headers To: }\n",
     "t:1:28: headers cannot contain \"To:\"; write the name of a header field as in Subject"},
    {"sign example.org { selector s1 key x oversign Received }\n",
     "t:1:47: Received is never signed, since mail servers add or change it; write names of header fields as "
     "in From To Subject, or all"},
    {"sign example.org { key x }\n", "t:1:20: sign has no key \"key\"; did you mean \"keys\"?"},
    {"sign example.org { xyzzy x }\n", "t:1:20: sign has no key \"xyzzy\"; its keys are selector, subdomains, "
				       "expire, headers, oversign, keys, rotate, "
				       "type and check"},
    {"sign example.org { selector a key x selector b key x selector c key x selector d key x selector e key x "
     "}\n",
     "t:1:97: sign has more than 4 keys; " SELECTOR},
    {"sign-table /x\n", "t:1:12: sign-table cannot be \"/x\"; write file:/path"},
    {"sign-table file:friends also\n", "t:1:25: sign-table takes one value; write file:/path"},
    {"sign-table file:friends\n",
     "t:1:1: friends:2: a word is missing; a line is DOMAIN SELECTOR KEYFILE [subdomains]\n"
     "t:1:1: friends:4: the second word is not a selector; a line is DOMAIN SELECTOR KEYFILE [subdomains]\n"
     "t:1:1: friends:5: the fourth word is not \"subdomains\"; a line is DOMAIN SELECTOR KEYFILE "
     "[subdomains]"},
    {"key-access all\n", "t:1:12: key-access cannot be \"all\"; write owner or group"},
};

static void wrong_signatures_and_keys_are_reported_with_how_to_write_them(void **state)
{
	(void)state;
	write_text("friends", "# a table\nexample.org s1\n\nexample.org s..1 k\nexample.org s1 k sub\n");
	ASSERT_MESSAGES(wrong_keys);
}

/* A file that is being edited still says where the daemon is. */
static void the_control_socket_is_found_in_a_file_with_errors(void **state)
{
	static const struct {
		const char *text, *path;
	} cases[] = {
	    {"", CONTROL},
	    {"policy inbound { }\n", CONTROL},
	    {"control /a/b\n", "/a/b"},
	    {"control unix:/a/b\n", "/a/b"},
	    {"control \"/a b\"\n", "/a b"},
	    {"control off\n", ""},
	    {"\xEF\xBB\xBF"
	     "control /a/b\n",
	     "/a/b"},
	    {"typo\ncontrol /a/b\nsign x { selector s key /nowhere }\n", "/a/b"},
	    {"control /a/b\npolicy inbound { on mail { reject 999 if spf is fial\n", "/a/b"},
	    {"listen\n}}\n{\n\"\ncontrol /a/b\n", "/a/b"},
	    {"trusted { 127.0.0.1\n  control off # comment\n", ""},
	    {"trusted { 127.0.0.1\ncontrol /a/b c\n", CONTROL},
	    {"control\n", CONTROL},
	    {"control b\ncontrol /a/b\n", "/a/b"},
	    {"control /a/b /c\n", CONTROL},
	    {"control /a/b readers mon other\n", "/a/b"},
	    {"trusted { 127.0.0.1\ncontrol /a/b readers mon\n", "/a/b"},
	    {"control { /a/b }\n", CONTROL},
	    {"control /a/b\ncontrol /c\n", "/a/b"},
	    {"#control /a/b\n", CONTROL},
	};
	struct error err;
	char *path;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		write_text("t", cases[i].text);
		assert_int_equal(policy_control("t", &path, &err), 0);
		if (strcmp(path, cases[i].path) != 0)
			fail_msg("%s: expected %s, got %s", cases[i].text, cases[i].path, path);
		free(path);
	}
	write_file("t", "control /a/b\n\0control /c\n", 26);
	assert_int_equal(policy_control("t", &path, &err), 0);
	assert_string_equal(path, "/a/b");
	free(path);
	assert_int_equal(policy_control("nowhere", &path, &err), -1);
	assert_string_equal(err.text, "cannot open nowhere: No such file or directory");
}

static void forward_servers_are_bounded(void **state)
{
	char text[400] = "resolver { forward", *messages;

	(void)state;
	for (int i = 0; i < DNS_FORWARD_MAX; i++)
		sprintf(text + strlen(text), " 192.0.2.%d", i);
	strcat(text, " }\n");
	policy_release(load(text));
	strcpy(strchr(text, '}'), "192.0.2.99 }\n");
	assert_null(load_text(text, NULL, &messages));
	assert_non_null(strstr(messages, "forward has more than 8 servers"));
	free(messages);
}

static void lists_are_bounded_and_named_once(void **state)
{
	char *text = NULL, *messages;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	(void)state;
	write_text("friends", "");
	for (int i = 0; i <= 256; i++)
		fprintf(out, "list l%d file:friends\n", i);
	fclose(out);
	assert_null(load_text(text, NULL, &messages));
	assert_string_equal(messages, "t:257:1: there are more than 256 lists; put several into one");
	free(messages);
	free(text);
	assert_null(load_text("list a file:friends\nlist a file:friends\n", NULL, &messages));
	assert_string_equal(messages, "t:2:6: list a is defined already in line 1; give one of them another name");
	free(messages);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(addresses_to_listen_on_have_four_forms),
	    cmocka_unit_test(more_sockets_than_the_daemon_serves_are_refused),
	    cmocka_unit_test(wrong_addresses_to_listen_on_are_reported_with_how_to_write_them),
	    cmocka_unit_test(wrong_settings_of_the_daemon_are_reported_with_how_to_write_them),
	    cmocka_unit_test(a_wrong_resolver_is_reported_with_how_to_write_it),
	    cmocka_unit_test(wrong_settings_of_spf_and_dkim_are_reported_with_how_to_write_them),
	    cmocka_unit_test(a_wrong_list_is_reported_with_how_to_write_it),
	    cmocka_unit_test(wrong_signatures_and_keys_are_reported_with_how_to_write_them),
	    cmocka_unit_test(the_control_socket_is_found_in_a_file_with_errors),
	    cmocka_unit_test(forward_servers_are_bounded),
	    cmocka_unit_test(lists_are_bounded_and_named_once),
	};

	return cmocka_run_group_tests(tests, enter_directory, leave_directory);
}
