/*
 * query.c - asks a name server and takes nothing for its answer but an answer to this question.
 */
#include "query.h"
#include "talk.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define DNS_PORT      53
#define UDP_SIZE      1232 /* what passes everywhere in one packet */
#define PACKET_MAX    65535
#define UDP_TRIES     2
#define UDP_PATIENCE  1500000 /* microseconds for one try */
#define STRANGERS_MAX 20      /* packets that are not an answer to this question, for one try */

static ldns_pkt *failed(struct slice *why_r, const char *why)
{
	*why_r = slice_of(why);
	return NULL;
}

static int connect_to(struct ip ip, int type)
{
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(DNS_PORT)};
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(DNS_PORT)};
	const struct sockaddr *address = ip.family == 4 ? (struct sockaddr *)&four : (struct sockaddr *)&six;
	int fd = socket(address->sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	memcpy(&four.sin_addr, ip.bytes, 4);
	memcpy(&six.sin6_addr, ip.bytes, 16);
	if (fd >= 0 && connect(fd, address, ip.family == 4 ? sizeof(four) : sizeof(six)) < 0 && errno != EINPROGRESS) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Is it the answer to our question? */
static ldns_pkt *packet_read(const uint8_t *wire, size_t n, const ldns_pkt *query)
{
	ldns_pkt *answer = NULL;

	if (ldns_wire2pkt(&answer, wire, n) != LDNS_STATUS_OK)
		return NULL;
	const ldns_rr *asked = ldns_rr_list_rr(ldns_pkt_question(query), 0);
	const ldns_rr *echoed = ldns_pkt_qdcount(answer) == 1 ? ldns_rr_list_rr(ldns_pkt_question(answer), 0) : NULL;
	if (ldns_pkt_qr(answer) && ldns_pkt_id(answer) == ldns_pkt_id(query) && echoed &&
	    ldns_dname_compare(ldns_rr_owner(asked), ldns_rr_owner(echoed)) == 0 &&
	    ldns_rr_get_type(asked) == ldns_rr_get_type(echoed))
		return answer;
	ldns_pkt_free(answer);
	return NULL;
}

static ldns_pkt *ask_udp(struct ip server, const ldns_pkt *query, struct slice wire, int64_t until_us,
			 struct slice *why_r)
{
	uint8_t buffer[4096];
	int fd = connect_to(server, SOCK_DGRAM);
	ldns_pkt *answer = NULL;

	if (fd < 0)
		return failed(why_r, "it cannot be reached");
	failed(why_r, "no answer in time");
	if (send(fd, wire.p, wire.n, MSG_NOSIGNAL) < 0)
		failed(why_r, "it cannot be reached");
	else
		for (unsigned i = 0; !answer && i < STRANGERS_MAX && talk_wait(fd, POLLIN, until_us) == 0; i++) {
			ssize_t n = recv(fd, buffer, sizeof(buffer), 0);
			if (n < 0 && errno == ECONNREFUSED) {
				failed(why_r, "nothing listens there");
				break;
			}
			if (n > 0 && !(answer = packet_read(buffer, (size_t)n, query)))
				failed(why_r, "its answer cannot be read");
		}
	close(fd);
	return answer;
}

static int tcp_move(int fd, void *bytes, size_t n, bool sends, int64_t until_us)
{
	char *p = bytes;

	while (n > 0) {
		if (talk_wait(fd, sends ? POLLOUT : POLLIN, until_us) < 0)
			return -1;
		ssize_t done = sends ? send(fd, p, n, MSG_NOSIGNAL) : recv(fd, p, n, 0);
		if (done == 0 || (done < 0 && errno != EAGAIN && errno != EINTR))
			return -1;
		p += done > 0 ? done : 0;
		n -= done > 0 ? (size_t)done : 0;
	}
	return 0;
}

static ldns_pkt *ask_tcp(struct ip server, const ldns_pkt *query, struct slice wire, int64_t until_us,
			 struct arena *arena, struct slice *why_r)
{
	uint8_t head[2] = {(uint8_t)(wire.n >> 8), (uint8_t)wire.n};
	uint8_t *room = arena_raw(arena, PACKET_MAX);
	int fd = connect_to(server, SOCK_STREAM);
	ldns_pkt *answer = NULL;

	failed(why_r, "no answer over TCP");
	if (fd < 0)
		return NULL;
	if (tcp_move(fd, head, 2, true, until_us) == 0 && tcp_move(fd, (void *)wire.p, wire.n, true, until_us) == 0 &&
	    tcp_move(fd, head, 2, false, until_us) == 0) {
		size_t n = (size_t)head[0] << 8 | head[1];
		if (tcp_move(fd, room, n, false, until_us) == 0 && !(answer = packet_read(room, n, query)))
			failed(why_r, "its answer cannot be read");
	}
	close(fd);
	return answer;
}

static int64_t sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static ldns_pkt *exchange(struct ip server, const ldns_pkt *query, struct slice wire, int64_t until_us,
			  struct arena *arena, struct slice *why_r)
{
	ldns_pkt *answer = NULL;

	for (int i = 0; !answer && i < UDP_TRIES && clock_us() < until_us; i++)
		answer = ask_udp(server, query, wire, sooner(until_us, clock_us() + UDP_PATIENCE), why_r);
	if (!answer || !ldns_pkt_tc(answer))
		return answer;
	ldns_pkt_free(answer);
	return ask_tcp(server, query, wire, sooner(until_us, clock_us() + UDP_TRIES * UDP_PATIENCE), arena, why_r);
}

ldns_pkt *query_send(struct ip server, const ldns_rdf *name, ldns_rr_type type, int64_t until_us, struct arena *arena,
		     struct slice *why_r)
{
	ldns_pkt *query = ldns_pkt_query_new(ldns_rdf_clone(name), type, LDNS_RR_CLASS_IN, 0), *answer = NULL;
	uint8_t *wire = NULL;
	uint16_t id = 0;
	size_t n = 0;

	*why_r = SLICE("the question cannot be made");
	if (!query)
		return NULL;
	(void)getrandom(&id, sizeof(id), 0);
	ldns_pkt_set_id(query, id);
	ldns_pkt_set_edns_udp_size(query, UDP_SIZE);
	ldns_pkt_set_edns_do(query, true);
	if (ldns_pkt2wire(&wire, query, &n) == LDNS_STATUS_OK)
		answer = exchange(server, query, (struct slice){(char *)wire, n}, until_us, arena, why_r);
	free(wire);
	ldns_pkt_free(query);
	return answer;
}
