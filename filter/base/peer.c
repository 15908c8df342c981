/*
 * peer.c - the user at the other end of a TCP connection, when it is a program on this host.
 *
 * Like an ident server, it asks the kernel for the owner of the other end's socket (sock_diag(7)). The kernel does not
 * know sockets of another host or another network namespace.
 *
 * A program may bind its socket to an interface, as it must for a link-local address; the kernel then finds it for
 * that interface alone. So all interfaces are asked for before the other end counts as another host.
 */
#include "base.h"
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

union end {
	struct sockaddr any;
	struct sockaddr_in four;
	struct sockaddr_in6 six;
};

struct question {
	struct nlmsghdr head;
	struct inet_diag_req_v2 request;
};

/* IPv4 over an IPv6 socket is IPv4 at the other end. */
static void end_unmap(union end *end)
{
	struct sockaddr_in four = {.sin_family = AF_INET};

	if (end->any.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&end->six.sin6_addr))
		return;
	four.sin_port = end->six.sin6_port;
	memcpy(&four.sin_addr, end->six.sin6_addr.s6_addr + 12, sizeof(four.sin_addr));
	end->four = four;
}

static void end_write(const union end *end, __be32 address[4], __be16 *port)
{
	if (end->any.sa_family == AF_INET) {
		memcpy(address, &end->four.sin_addr, sizeof(end->four.sin_addr));
		*port = end->four.sin_port;
	} else {
		memcpy(address, &end->six.sin6_addr, sizeof(end->six.sin6_addr));
		*port = end->six.sin6_port;
	}
}

/* The socket as the other end sees it: its source is our destination. */
static struct question question_make(const union end *theirs, const union end *ours)
{
	struct question question = {
	    .head = {.nlmsg_len = sizeof(question), .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST},
	    .request = {.sdiag_family = (unsigned char)theirs->any.sa_family,
			.sdiag_protocol = IPPROTO_TCP,
			.idiag_states = ~0u},
	};
	struct inet_diag_sockid *id = &question.request.id;

	end_write(theirs, id->idiag_src, &id->idiag_sport);
	end_write(ours, id->idiag_dst, &id->idiag_dport);
	id->idiag_cookie[0] = id->idiag_cookie[1] = INET_DIAG_NOCOOKIE;
	return question;
}

static int question_ask(const struct question *question, unsigned *uid_r)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	union {
		struct nlmsghdr head;
		char bytes[2048];
	} answer;
	const struct inet_diag_msg *found = NLMSG_DATA(&answer.head);
	ssize_t got = -1;

	if (fd < 0)
		return -1;
	if (send(fd, question, sizeof(*question), 0) == (ssize_t)sizeof(*question))
		got = recv(fd, &answer, sizeof(answer), MSG_DONTWAIT); /* the kernel answers before send(2) returns */
	close(fd);
	if (got < (ssize_t)NLMSG_LENGTH(sizeof(*found)) || answer.head.nlmsg_type != SOCK_DIAG_BY_FAMILY)
		return -1;
	*uid_r = found->idiag_inode == 0 ? PEER_NOBODY : found->idiag_uid; /* no process has it open any more */
	return 0;
}

/* 0, or -1: no socket bound to an interface is the other end. */
static int question_ask_interfaces(struct question *question, unsigned *uid_r)
{
	struct if_nameindex *interfaces = if_nameindex();
	int result = -1;

	for (size_t i = 0; interfaces && interfaces[i].if_index && result != 0; i++) {
		question->request.id.idiag_if = interfaces[i].if_index;
		result = question_ask(question, uid_r);
	}
	if_freenameindex(interfaces);
	return result;
}

/* A connection that its other end has reset: what was sent before can still be read. */
static bool is_reset(int fd)
{
	union end theirs;
	socklen_t n = sizeof(theirs);

	return getpeername(fd, &theirs.any, &n) != 0 && errno == ENOTCONN;
}

int peer_uid(int fd, unsigned *uid_r)
{
	union end ours = {{0}}, theirs = {{0}};
	socklen_t n = sizeof(ours), m = sizeof(theirs);
	struct question question;

	if (getsockname(fd, &ours.any, &n) != 0)
		return -1;
	end_unmap(&ours);
	if (ours.any.sa_family != AF_INET && ours.any.sa_family != AF_INET6)
		return -1;
	*uid_r = PEER_NOBODY;
	if (getpeername(fd, &theirs.any, &m) != 0)
		return errno == ENOTCONN ? 0 : -1;
	end_unmap(&theirs);
	if (ours.any.sa_family != theirs.any.sa_family)
		return -1;
	question = question_make(&theirs, &ours);
	if (question_ask(&question, uid_r) == 0 || question_ask_interfaces(&question, uid_r) == 0)
		return 0;
	return is_reset(fd) ? 0 : -1; /* since it was asked for its name */
}
