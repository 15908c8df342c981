/*
 * trace.c - asks from the root down as a resolver does, but shows every answer, and asks all servers of the last zone.
 *
 * Bounded by the steps, by the depth of walks for the addresses of name servers, by the aliases, and by the deadline:
 * delegations can form circles.
 */
#include "trace_private.h"

#define ZONES_MAX   20 /* delegations below each other */
#define ALIASES_MAX 8
#define DEPTH_MAX   3 /* walks for addresses of name servers inside such walks */
#define LOST_MAX    4 /* servers of a zone on the way that may fail */

const char *const probe_trace_names[8] = {"referral", "answer", "alias", "nodata", "nxdomain", "lame", "failed", NULL};

struct walk {
	const struct probe_trace_request *request;
	struct probe_trace *trace;
	struct arena *arena;
	struct zone root;
};

/* A walk for one name and type. */
struct aim {
	const ldns_rdf *name;
	ldns_rr_type type;
	unsigned depth, aliases;
	struct zone *found; /* depth > 0: where addresses of this name go */
};

static enum probe_trace_kind walk_down(struct walk *, const struct aim *);

static struct probe_trace_step *step_new(struct walk *walk, const struct aim *aim, const struct zone *zone,
					 const struct server *server)
{
	struct probe_trace_step *step = &walk->trace->steps[walk->trace->step_count++];

	*step = (struct probe_trace_step){.depth = aim->depth, .kind = PROBE_TRACE_FAILED};
	step->asked = trace_name(aim->name, walk->arena);
	step->zone = trace_name(zone->name, walk->arena);
	step->server = server->name;
	step->ip = server->ip;
	return step;
}

static bool exhausted(const struct walk *walk)
{
	return walk->trace->step_count == PROBE_TRACE_STEPS_MAX || clock_us() >= walk->request->until_us;
}

/* The step and the packet of one server (NULL: it failed). */
static ldns_pkt *ask(struct walk *walk, const struct aim *aim, const struct zone *zone, const struct server *server,
		     struct probe_trace_step **step_r, const ldns_rdf **target_r)
{
	struct probe_trace_step *step = step_new(walk, aim, zone, server);
	int64_t begun_us = clock_us();
	ldns_pkt *answer =
	    query_send(server->ip, aim->name, aim->type, walk->request->until_us, walk->arena, &step->why);

	step->took_us = clock_us() - begun_us;
	*step_r = step;
	*target_r = NULL;
	if (answer)
		answer_read(answer, aim->name, aim->type, zone->name, walk->arena, step, target_r);
	return answer;
}

/* ---- the servers of the next zone ------------------------------------------------------------ */

/* A server whose address did not come along: a walk of its own. */
static void find_address(struct walk *walk, const struct aim *aim, const ldns_rdf *name, struct zone *zone)
{
	struct aim inner = {.name = name, .type = LDNS_RR_TYPE_A, .depth = aim->depth + 1, .found = zone};

	if (aim->depth < DEPTH_MAX)
		walk_down(walk, &inner);
}

static void next_zone(struct walk *walk, const struct aim *aim, const ldns_pkt *answer, const struct zone *zone,
		      struct zone *next_r)
{
	struct referral referral;

	referral_read(answer, aim->name, zone->name, &referral);
	next_r->count = 0;
	next_r->name = ldns_rdf_clone(referral.zone);
	referral_addresses(answer, &referral, walk->arena, next_r);
	for (size_t i = 0; i < referral.name_count && next_r->count == 0 && !exhausted(walk); i++)
		find_address(walk, aim, referral.names[i], next_r);
}

static void keep_addresses(struct walk *walk, const struct aim *aim, const ldns_pkt *answer)
{
	const ldns_rr_list *records = ldns_pkt_answer(answer);

	for (size_t i = 0; i < ldns_rr_list_rr_count(records) && aim->found->count < SERVERS_MAX; i++) {
		const ldns_rr *rr = ldns_rr_list_rr(records, i);
		struct ip ip = {.family = 4};

		if (ldns_rr_get_type(rr) != LDNS_RR_TYPE_A || ldns_rdf_size(ldns_rr_rdf(rr, 0)) != 4)
			continue;
		memcpy(ip.bytes, ldns_rdf_data(ldns_rr_rdf(rr, 0)), 4);
		aim->found->servers[aim->found->count++] = (struct server){trace_name(aim->name, walk->arena), ip};
	}
}

/* ---- the last zone ------------------------------------------------------------------------------ */

/* In any order. Authoritative servers have the same times to live, too. */
static bool same_records(const struct probe_trace_step *a, const struct probe_trace_step *b)
{
	size_t same = 0;

	if (a->kind != b->kind || a->record_count != b->record_count)
		return false;
	for (size_t i = 0; i < a->record_count; i++)
		for (size_t k = 0; k < b->record_count; k++)
			if (slice_equal(a->records[i], b->records[k])) {
				same++;
				break;
			}
	return same == a->record_count;
}

/* The other servers of a zone that has answered: do they say the same? */
static void ask_others(struct walk *walk, const struct aim *aim, const struct zone *zone, size_t first, size_t answered)
{
	for (size_t i = first; i < zone->count && !exhausted(walk); i++) {
		struct probe_trace_step *step;
		const ldns_rdf *target;

		ldns_pkt_free(ask(walk, aim, zone, &zone->servers[i], &step, &target));
		if (step->kind != PROBE_TRACE_LAME && step->kind != PROBE_TRACE_FAILED &&
		    !same_records(step, &walk->trace->steps[answered]))
			walk->trace->differs = true;
	}
}

static enum probe_trace_kind follow_alias(struct walk *walk, const struct aim *aim, const ldns_rdf *target)
{
	struct aim next = *aim;

	if (aim->aliases == ALIASES_MAX) {
		walk->trace->why = SLICE("the chain of aliases does not end");
		return PROBE_TRACE_FAILED;
	}
	next.name = target;
	next.aliases++;
	return walk_down(walk, &next);
}

/* An answer that ends the walk, or an alias. */
static enum probe_trace_kind arrive(struct walk *walk, const struct aim *aim, const struct zone *zone, size_t next,
				    const ldns_pkt *answer, const ldns_rdf *target)
{
	size_t answered = walk->trace->step_count - 1;
	enum probe_trace_kind kind = walk->trace->steps[answered].kind;

	if (kind == PROBE_TRACE_ANSWER && aim->depth > 0)
		keep_addresses(walk, aim, answer);
	if (aim->depth == 0)
		ask_others(walk, aim, zone, next, answered);
	return kind == PROBE_TRACE_ALIAS ? follow_alias(walk, aim, target) : kind;
}

/* Asks the servers of a zone one after the other until one says something. NULL: none did. */
static ldns_pkt *ask_zone(struct walk *walk, const struct aim *aim, const struct zone *zone, size_t *next_r,
			  const ldns_rdf **target_r)
{
	for (size_t i = 0, lost = 0; i < zone->count && lost < LOST_MAX && !exhausted(walk); i++) {
		struct probe_trace_step *step;
		ldns_pkt *answer = ask(walk, aim, zone, &zone->servers[i], &step, target_r);

		if (answer && step->kind != PROBE_TRACE_LAME && step->kind != PROBE_TRACE_FAILED) {
			*next_r = i + 1;
			return answer;
		}
		ldns_pkt_free(answer);
		lost++;
	}
	walk->trace->why = exhausted(walk)    ? SLICE("the walk took too long")
			   : zone->count == 0 ? SLICE("the addresses of the name servers are not to be found")
					      : SLICE("no server of the zone answers for it");
	return NULL;
}

static enum probe_trace_kind walk_down(struct walk *walk, const struct aim *aim)
{
	struct zone zones[2] = {walk->root};
	enum probe_trace_kind kind = PROBE_TRACE_FAILED;

	zones[0].name = ldns_rdf_clone(walk->root.name);
	for (unsigned level = 0; level < ZONES_MAX; level++) {
		struct zone *zone = &zones[level % 2], *next = &zones[(level + 1) % 2];
		const ldns_rdf *target;
		size_t following;
		ldns_pkt *answer = ask_zone(walk, aim, zone, &following, &target);

		if (!answer)
			break;
		if (walk->trace->steps[walk->trace->step_count - 1].kind != PROBE_TRACE_REFERRAL) {
			kind = arrive(walk, aim, zone, following, answer, target);
			ldns_pkt_free(answer);
			break;
		}
		ldns_rdf_deep_free(next->name);
		next_zone(walk, aim, answer, zone, next);
		ldns_pkt_free(answer);
	}
	ldns_rdf_deep_free(zones[0].name);
	ldns_rdf_deep_free(zones[1].name);
	return kind;
}

bool probe_trace_type(struct slice type)
{
	char text[32];

	if (type.n == 0 || type.n >= sizeof(text))
		return false;
	memcpy(text, type.p, type.n);
	text[type.n] = '\0';
	return ldns_get_rr_type_by_name(text) != 0;
}

int probe_trace(const struct probe_trace_request *request, struct arena *arena, struct probe_trace *result_r,
		struct error *err)
{
	struct walk walk = {.request = request, .trace = result_r, .arena = arena};
	struct aim aim = {.type = ldns_get_rr_type_by_name(arena_cstring(arena, request->type))};
	ldns_rdf *name = ldns_dname_new_frm_str(arena_cstring(arena, request->name));

	*result_r = (struct probe_trace){.result = PROBE_TRACE_FAILED, .why = SLICE("")};
	result_r->steps = arena_alloc(arena, PROBE_TRACE_STEPS_MAX * sizeof(*result_r->steps));
	if (!name || hints_read(request->hints, arena, &walk.root, err) < 0) {
		if (!name)
			error_set(err, "this is not a name that the DNS can be asked for");
		ldns_rdf_deep_free(name);
		return -1;
	}
	aim.name = name;
	result_r->result = walk_down(&walk, &aim);
	if (result_r->result != PROBE_TRACE_FAILED)
		result_r->why = SLICE(""); /* of a walk on the way */
	ldns_rdf_deep_free(name);
	ldns_rdf_deep_free(walk.root.name);
	return 0;
}
