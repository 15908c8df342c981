/*
 * html.c - HTML from text. Whatever came from mail, from a request or from a file goes through html_text: nothing of it
 * becomes markup, and it cannot reorder what is around it (the style sheet isolates it).
 */
#include "html.h"

void html_begin(struct text *out, struct arena *arena)
{
	text_init(out, arena, HTML_MAX);
}

static void add_byte(struct text *out, unsigned char c)
{
	switch (c) {
	case '&':
		text_add(out, SLICE("&amp;"));
		break;
	case '<':
		text_add(out, SLICE("&lt;"));
		break;
	case '>':
		text_add(out, SLICE("&gt;"));
		break;
	case '"':
		text_add(out, SLICE("&quot;"));
		break;
	case '\'':
		text_add(out, SLICE("&#39;"));
		break;
	default:
		if (is_control((char)c) && c != '\n' && c != '\t')
			text_printf(out, "\\x%02x", c);
		else
			text_add_char(out, (char)c);
	}
}

void html_text(struct text *out, struct slice said)
{
	while (said.n > 0) {
		size_t n = slice_utf8(said);

		if (n > 1)
			text_add(out, slice_head(said, n));
		else if (n == 1)
			add_byte(out, (unsigned char)said.p[0]);
		else
			text_printf(out, "\\x%02x", (unsigned char)said.p[0]);
		said = slice_from(said, n ? n : 1);
	}
}

void html_add(struct text *out, const char *markup)
{
	text_add(out, slice_of(markup));
}

void html_number(struct text *out, uint64_t number)
{
	char digits[NUMBER_TEXT];
	struct slice text = number_print((int64_t)number, digits);

	for (size_t i = 0; i < text.n; i++) { /* thousands are apart by a thin space that does not break */
		if (i > 0 && (text.n - i) % 3 == 0)
			html_add(out, "&#8239;");
		text_add_char(out, text.p[i]);
	}
}

void html_query(struct text *out, struct slice said)
{
	for (size_t i = 0; i < said.n; i++) {
		char c = said.p[i];

		if (is_letter(c) || is_digit(c) || c == '.' || c == '-' || c == '_' || c == '@')
			text_add_char(out, c);
		else
			text_printf(out, "%%%02X", (unsigned char)c);
	}
}

void html_search_link(struct text *out, struct slice address)
{
	html_add(out, "<a href=\"/search?q=");
	html_query(out, address);
	html_add(out, "\">");
	html_text(out, address);
	html_add(out, "</a>");
}

void html_bytes(struct text *out, uint64_t bytes)
{
	static const char *const units[] = {"bytes", "KB", "MB", "GB", "TB"};
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1000 && unit < 4) {
		value /= 1024;
		unit++;
	}
	text_printf(out, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

void html_age(struct text *out, int64_t us)
{
	static const struct {
		int64_t seconds;
		const char *unit;
	} units[] = {{86400, "days"}, {3600, "hours"}, {60, "minutes"}, {0, "seconds"}};
	int64_t seconds = us / 1000000;

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (seconds >= 2 * units[i].seconds) {
			text_printf(out, "%lld %s",
				    (long long)(units[i].seconds ? seconds / units[i].seconds : seconds),
				    units[i].unit);
			return;
		}
}

/* ---- the frame -------------------------------------------------------------------------------------------- */

void page_begin(struct text *out, const char *title, struct slice sought)
{
	html_add(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		      "<meta name=\"color-scheme\" content=\"light dark\">\n<title>");
	html_text(out, slice_of(title));
	html_add(
	    out,
	    " - Sekisho</title>\n<link rel=\"stylesheet\" href=\"/style.css\">\n"
	    "<link rel=\"icon\" href=\"/icon.svg\" type=\"image/svg+xml\">\n</head>\n<body>\n"
	    "<a class=\"skip\" href=\"#main\">Skip to the content</a>\n"
	    "<header><div class=\"bar\"><a class=\"home\" href=\"/\">Sekisho</a>\n"
	    "<a class=\"place\" href=\"/domains\">Our domains</a>\n"
	    "<form role=\"search\" action=\"/search\" method=\"get\"><label for=\"q\">Find a message</label>"
	    "<input id=\"q\" name=\"q\" type=\"search\" maxlength=\"320\" autocomplete=\"off\" spellcheck=\"false\" "
	    "placeholder=\"case, queue id, address or client\" value=\"");
	html_text(out, slice_head(sought, SOUGHT_MAX));
	html_add(out, "\"><button>Search</button></form></div></header>\n<main id=\"main\" tabindex=\"-1\">\n");
}

void page_end(struct text *out, struct answer *answer_r)
{
	html_add(out, "</main>\n<footer><p>Read only. Times are UTC. <a href=\"/metrics\">Metrics</a></p></footer>\n"
		      "</body>\n</html>\n");
	answer_r->type = "text/html; charset=utf-8";
	answer_r->body = text_slice(out);
}
