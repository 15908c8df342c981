/*
 * rdata.c - reads the data of A, AAAA, MX, TXT, PTR, CNAME and TLSA records (RFC 1035
 * 3.3, RFC 3596, RFC 6698). A record that is not exactly as long as it says is malformed.
 */
#include <string.h>

#include "rdata.h"

static int ip_take(struct slice rdata, struct dns_record *record_r)
{
	static const uint8_t mapped[12] = {[10] = 0xff, 0xff};
	const char *p = rdata.p;
	size_t n = rdata.n;

	if (n == 16 && memcmp(p, mapped, sizeof(mapped)) == 0) {
		p += sizeof(mapped);
		n -= sizeof(mapped);
	}
	record_r->ip.family = n == 4 ? 4 : 6;
	memcpy(record_r->ip.bytes, p, n);
	return 0;
}

static int name_take(struct slice rdata, struct arena *arena, struct dns_record *record_r)
{
	char buffer[NAME_TEXT_MAX];
	struct name name;

	if (name_read(rdata, &name) < 0 || name.n != rdata.n)
		return -1;
	record_r->name = arena_copy(arena, name_print(&name, buffer));
	return 0;
}

/* Strings, each with its length before it, become one text (RFC 7208 3.3). */
static int txt_take(struct slice rdata, struct arena *arena, struct dns_record *record_r)
{
	struct text text;

	if (rdata.n == 0 || rdata.n > DNS_TEXT_MAX)
		return -1;
	text_init(&text, arena, rdata.n);
	for (; rdata.n > 0; record_r->strings++) {
		size_t length = (uint8_t)rdata.p[0];
		if (1 + length > rdata.n)
			return -1;
		text_add(&text, (struct slice){rdata.p + 1, length});
		rdata = slice_from(rdata, 1 + length);
	}
	record_r->text = text_slice(&text);
	return 0;
}

int rdata_read(enum dns_type type, struct slice rdata, struct arena *arena, struct dns_record *record_r)
{
	*record_r = (struct dns_record){0};
	switch (type) {
	case DNS_A:
		return rdata.n == 4 ? ip_take(rdata, record_r) : -1;
	case DNS_AAAA:
		return rdata.n == 16 ? ip_take(rdata, record_r) : -1;
	case DNS_TXT:
		return txt_take(rdata, arena, record_r);
	case DNS_TLSA:
		if (rdata.n < 4)
			return -1;
		record_r->text = arena_copy(arena, rdata);
		return 0;
	case DNS_PTR:
	case DNS_CNAME:
		return name_take(rdata, arena, record_r);
	case DNS_MX:
		if (rdata.n < 2)
			return -1;
		record_r->preference = (unsigned)(uint8_t)rdata.p[0] << 8 | (uint8_t)rdata.p[1];
		return name_take(slice_from(rdata, 2), arena, record_r);
	}
	return -1;
}
