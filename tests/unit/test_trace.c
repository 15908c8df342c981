/*
 * test_trace.c - what a stranger wrote is shown on a terminal, and commands nothing there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine.h"

#include <stdlib.h>

static void control_characters_are_shown_and_not_sent(void **state)
{
	static const struct {
		struct slice text;
		const char *shown;
	} cases[] = {
	    {SLICE("plain\ttext"), "plain text"},
	    {SLICE("a\nb"), "a\n             b"},
	    {SLICE("\x1b[2J\x7f\0x"), "\\x1b[2J\\x7f\\x00x"},
	    {SLICE("gr\xc3\xbc\xc3\x9f \xc2\xa0\xe2\x82\xac \xf0\x9f\x93\xa7"),
	     "gr\xc3\xbc\xc3\x9f \xc2\xa0\xe2\x82\xac \xf0\x9f\x93\xa7"},
	    {SLICE("\xc2\x9b"
		   "2J\xc2\x80"),
	     "\\xc2\\x9b2J\\xc2\\x80"},
	    {SLICE("\x9b"
		   "2J\xc2"),
	     "\\x9b2J\\xc2"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *shown = NULL;
		size_t n;
		FILE *out = open_memstream(&shown, &n);

		trace_print_text(out, cases[i].text);
		fclose(out);
		assert_string_equal(shown, cases[i].shown);
		free(shown);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test(control_characters_are_shown_and_not_sent)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
