/*
 * row.c - rows and policy configurations as bytes. What is read comes from a store, and is not trusted.
 */
#include "row.h"

const char *const aggregate_result_names[9] = {"none",    "pass",      "fail",      "softfail", "policy",
					       "neutral", "temperror", "permerror", NULL};
const char *const aggregate_disposition_names[5] = {"none", "pass", "quarantine", "reject", NULL};
const char *const aggregate_why_names[6] = {"local_policy",     "mailing_list",      "other",
					    "policy_test_mode", "trusted_forwarder", NULL};

/* ---- writing ------------------------------------------------------------------------ */

struct out {
	unsigned char *p;
	size_t n;
	bool full; /* the rest was left out */
};

static void put(struct out *out, const void *bytes, size_t n)
{
	if (out->n + n > ROW_MAX)
		out->full = true;
	if (out->full)
		return;
	if (n > 0)
		memcpy(out->p + out->n, bytes, n);
	out->n += n;
}

static void put_byte(struct out *out, unsigned byte)
{
	put(out, &(unsigned char){(unsigned char)byte}, 1);
}

static void put_text(struct out *out, struct slice text, size_t most)
{
	text = slice_head(text, most);
	put_byte(out, (unsigned)text.n);
	put(out, text.p, text.n);
}

static void put_domain(struct out *out, struct slice domain, const struct aggregate_message *message, bool is_author)
{
	if (domain.n > 0 && !is_author && slice_equal(domain, message->header_from))
		put_byte(out, ROW_AS_AUTHOR);
	else if (domain.n > 0 && slice_equal(domain, message->domain))
		put_byte(out, ROW_AS_POLICY);
	else
		put_text(out, domain, ROW_DOMAIN_MAX);
}

static void put_result(struct out *out, unsigned result, struct slice human)
{
	put_byte(out, result | (human.n > 0 ? ROW_HUMAN : 0u));
	if (human.n > 0)
		put_text(out, human, AGGREGATE_TEXT_MAX);
}

/* Whole, or not at all. */
static void put_signature(struct out *out, const struct aggregate_message *message,
			  const struct aggregate_signature *signature)
{
	size_t before = out->n;

	put_domain(out, signature->domain, message, false);
	put_text(out, signature->selector, ROW_DOMAIN_MAX);
	put_result(out, signature->result, signature->human);
	if (out->full)
		out->n = before;
}

size_t row_write(const struct aggregate_message *message, uint32_t policy, unsigned char row_r[ROW_MAX])
{
	struct out out = {.p = row_r};
	size_t reasons = message->reason_count < AGGREGATE_REASONS ? message->reason_count : AGGREGATE_REASONS;
	bool six = message->client.family == 6;

	put(&out, &policy, ROW_POLICY);
	put_byte(&out, (unsigned)six | (unsigned)message->disposition << 1 | (unsigned)message->dkim_aligned << 3 |
			   (unsigned)message->spf_aligned << 4 | (unsigned)reasons << 5);
	put(&out, message->client.bytes, six ? 16 : 4);
	put_domain(&out, message->header_from, message, true);
	put_domain(&out, message->envelope_from, message, false);
	put_domain(&out, message->spf_domain, message, false);
	if (message->spf_domain.n > 0)
		put_result(&out, message->spf, message->spf_human);
	for (size_t i = 0; i < reasons; i++)
		put_result(&out, message->reasons[i].why, message->reasons[i].comment);
	for (size_t i = 0; i < message->dkim_count && i < AGGREGATE_DKIM_MAX && !out.full; i++)
		put_signature(&out, message, &message->dkim[i]);
	return out.n;
}

bool row_is_long(struct slice row)
{
	return row.n == ROW_LONG_SIZE && (unsigned char)row.p[ROW_POLICY] >> 5 == ROW_LONG;
}

void row_shorten(struct slice row, unsigned char member_r[ROW_LONG_SIZE])
{
	unsigned char hash[HASH_KEYED_SIZE];

	hash_keyed(SLICE("row"), row, hash);
	memcpy(member_r, row.p, ROW_POLICY);
	member_r[ROW_POLICY] = ROW_LONG << 5;
	memcpy(member_r + ROW_POLICY + 1, hash, ROW_HASH);
}

/* ---- reading -------------------------------------------------------------------------- */

struct in {
	struct slice rest;
	struct slice author, policy; /* the domains that others refer to */
	bool wrong;
};

static struct slice take(struct in *in, size_t n)
{
	struct slice taken = slice_head(in->rest, n);

	in->wrong |= taken.n < n;
	in->rest = slice_from(in->rest, taken.n);
	return taken;
}

static unsigned take_byte(struct in *in)
{
	struct slice byte = take(in, 1);

	return byte.n ? (unsigned char)byte.p[0] : 0;
}

static struct slice take_text(struct in *in, size_t most)
{
	size_t n = take_byte(in);

	in->wrong |= n > most;
	return take(in, in->wrong ? 0 : n);
}

static struct slice take_domain(struct in *in)
{
	unsigned first = in->rest.n ? (unsigned char)in->rest.p[0] : 0;

	if (first < ROW_AS_POLICY)
		return take_text(in, ROW_DOMAIN_MAX);
	take(in, 1);
	return first == ROW_AS_POLICY ? in->policy : in->author;
}

static unsigned take_result(struct in *in, unsigned most, struct slice *human_r)
{
	unsigned byte = take_byte(in), result = byte & ~(unsigned)ROW_HUMAN;

	*human_r = byte & ROW_HUMAN ? take_text(in, AGGREGATE_TEXT_MAX) : SLICE("");
	in->wrong |= result > most;
	return result;
}

static void take_reasons(struct in *in, size_t count, struct arena *arena, struct aggregate_message *message)
{
	struct aggregate_reason *reasons = arena_alloc(arena, (count + 1) * sizeof(*reasons));

	in->wrong |= count > AGGREGATE_REASONS;
	for (size_t i = 0; i < count && !in->wrong; i++) {
		reasons[i].why = (enum aggregate_why)take_result(in, AGGREGATE_TRUSTED_FORWARDER, &reasons[i].comment);
		message->reason_count++;
	}
	message->reasons = reasons;
}

static void take_signatures(struct in *in, struct arena *arena, struct aggregate_message *message)
{
	struct aggregate_signature *dkim = arena_alloc(arena, AGGREGATE_DKIM_MAX * sizeof(*dkim));

	while (in->rest.n > 0 && !in->wrong && message->dkim_count < AGGREGATE_DKIM_MAX) {
		struct aggregate_signature *signature = &dkim[message->dkim_count++];

		signature->domain = take_domain(in);
		signature->selector = take_text(in, ROW_DOMAIN_MAX);
		signature->result = (enum aggregate_result)take_result(in, AGGREGATE_PERMERROR, &signature->human);
	}
	in->wrong |= in->rest.n > 0;
	message->dkim = dkim;
}

static struct ip take_ip(struct in *in, bool six)
{
	struct slice bytes = take(in, six ? 16 : 4);
	struct ip ip = {.family = six ? 6 : 4};

	if (bytes.n > 0)
		memcpy(ip.bytes, bytes.p, bytes.n);
	return ip;
}

bool row_read(struct slice row, struct slice domain, struct arena *arena, struct aggregate_message *message_r)
{
	struct in in = {.rest = row, .policy = domain, .author = domain};
	unsigned flags;

	*message_r = (struct aggregate_message){.domain = domain};
	if (row.n > ROW_MAX)
		return false;
	take(&in, ROW_POLICY);
	flags = take_byte(&in);
	message_r->client = take_ip(&in, flags & 1);
	message_r->disposition = (enum aggregate_disposition)(flags >> 1 & 3);
	message_r->dkim_aligned = flags >> 3 & 1;
	message_r->spf_aligned = flags >> 4 & 1;
	message_r->header_from = in.author = take_domain(&in);
	message_r->envelope_from = take_domain(&in);
	message_r->spf_domain = take_domain(&in);
	if (message_r->spf_domain.n > 0)
		message_r->spf = (enum aggregate_result)take_result(&in, AGGREGATE_PERMERROR, &message_r->spf_human);
	take_reasons(&in, flags >> 5, arena, message_r);
	take_signatures(&in, arena, message_r);
	return !in.wrong && message_r->header_from.n > 0;
}

/* ---- policy configurations --------------------------------------------------------------- */

/* The end of a record that is too long is cut after a tag. */
static struct slice record_head(struct slice record)
{
	ptrdiff_t end;

	if (record.n <= ROW_POLICY_TEXT)
		return record;
	end = slice_find_last(slice_head(record, ROW_POLICY_TEXT), ';');
	return slice_head(record, end < 0 ? 0 : (size_t)end);
}

struct slice policy_write(const struct aggregate_message *message, char *buffer, size_t room)
{
	struct slice trouble = slice_head(message->trouble, AGGREGATE_TEXT_MAX), record = record_head(message->record);

	if (2 + trouble.n + record.n > room)
		record = SLICE("");
	buffer[0] = (char)message->discovery;
	buffer[1] = (char)(unsigned char)trouble.n;
	if (trouble.n > 0)
		memcpy(buffer + 2, trouble.p, trouble.n);
	if (record.n > 0)
		memcpy(buffer + 2 + trouble.n, record.p, record.n);
	return (struct slice){buffer, 2 + trouble.n + record.n};
}

bool policy_read(struct slice value, enum dmarc_discovery *discovery_r, struct slice *trouble_r, struct slice *record_r)
{
	struct in in = {.rest = value};
	unsigned discovery = take_byte(&in);

	*discovery_r = discovery == DMARC_PSL ? DMARC_PSL : DMARC_TREE_WALK;
	*trouble_r = take_text(&in, AGGREGATE_TEXT_MAX);
	*record_r = in.rest;
	return !in.wrong && discovery <= DMARC_PSL && dmarc_is_record(in.rest);
}
