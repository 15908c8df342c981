/*
 * json_text.c - text of unknown origin as a JSON string of jansson, where speed
 * does not matter: explain, lookup, the control socket, the lines of the
 * daemon. Bytes that are not UTF-8 look as in a record (json_writer.c).
 */
#include "json.h"
#include <stdlib.h>
#include <string.h>

/* NUL and each byte that is not ASCII become \xNN: four characters at most for one. */
static json_t *json_shown(struct slice text)
{
	static const char digits[] = "0123456789abcdef";
	char *out = xmalloc(text.n * 4 + 1);
	size_t n = 0;
	json_t *json;

	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];
		if (c != 0 && c < 0x80) {
			out[n++] = (char)c;
		} else {
			memcpy(out + n, (char[]){'\\', 'x', digits[c >> 4], digits[c & 15]}, 4);
			n += 4;
		}
	}
	json = json_stringn(out, n);
	free(out);
	return json;
}

json_t *json_text(struct slice text)
{
	/* A NUL is legal in JSON, but breaks most programs that read logs. */
	bool plain = !text.n || !memchr(text.p, '\0', text.n);
	json_t *json = plain ? json_stringn(text.p ? text.p : "", text.n) : NULL;

	return json ? json : json_shown(text);
}
