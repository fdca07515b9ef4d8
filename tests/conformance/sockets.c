/* SPDX-License-Identifier: BSD-2-Clause */
/* Sockets, waits, events. */
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "calls.h"

static const struct timespec moment = { 0, 1000000 };

static int tcp(struct sockaddr_in *address)
{
	socklen_t size = sizeof(*address);
	int s = S(socket, AF_INET, SOCK_STREAM, 0);

	*address = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	S(bind, s, P(address), sizeof(*address));
	S(listen, s, 5);
	S(getsockname, s, P(address), P(&size));
	return s;
}

void check_socket(void)
{
	good(S(socket, AF_INET, SOCK_DGRAM, 0));
	good(S(socket, AF_UNIX, SOCK_STREAM, 0));
	bad(S(socket, 999, SOCK_STREAM, 0));
	bad(S(socket, AF_UNIX, 999, 0));
}

void check_bind(void)
{
	struct sockaddr_un name = { AF_UNIX, "socket" };
	int s = S(socket, AF_UNIX, SOCK_STREAM, 0);

	good(S(bind, s, P(&name), sizeof(name)));
	bad(S(bind, s, P(&name), sizeof(name)));
	bad(S(bind, s, BAD, 10));
	bad(S(bind, s, P(&name), 1));
}

void check_listen(void)
{
	struct sockaddr_in a;

	good(S(listen, tcp(&a), 3));
	bad(S(listen, fd, 3));
}

void check_connect(void)
{
	struct sockaddr_in a;
	int s = S(socket, AF_INET, SOCK_STREAM, 0);

	tcp(&a);
	good(S(connect, s, P(&a), sizeof(a)));
	bad(S(connect, s, P(&a), sizeof(a)));
	bad(S(connect, s, BAD, sizeof(a)));
}

static int connected(struct sockaddr_in *a)
{
	int server = tcp(a);

	S(connect, S(socket, AF_INET, SOCK_STREAM, 0), P(a), sizeof(*a));
	return server;
}

void check_accept(void)
{
	struct sockaddr_in a, peer;
	socklen_t size = sizeof(peer);
	int server = connected(&a);

	good(S(accept, server, P(&peer), P(&size)));
	good(size);
	wrote(&peer.sin_addr, 4);
	bad(S(accept, fd, 0, 0));
	bad(S(accept, connected(&a), P(&peer), BAD));
}

void check_accept4(void)
{
	struct sockaddr_in a;
	int server = connected(&a);

	good(S(accept4, server, 0, 0, SOCK_NONBLOCK));
	bad(S(accept4, server, 0, 0, 1));
}

void check_getsockname(void)
{
	struct sockaddr_in a;
	socklen_t size = 4;
	int server = tcp(&a);

	good(S(getsockname, server, BUF, P(&size)));
	good(size);
	wrote(buffer, 16 * (buffer[2] == 0));
	bad(S(getsockname, fd, BUF, P(&size)));
	size = -1;
	bad(S(getsockname, server, BUF, P(&size)));
}

void check_getpeername(void)
{
	socklen_t size = 100;

	good(S(getpeername, sockets[0], BUF, P(&size)));
	good(size);
	bad(S(getpeername, S(socket, AF_INET, SOCK_STREAM, 0), BUF, P(&size)));
}

void check_socketpair(void)
{
	good(S(socketpair, AF_UNIX, SOCK_DGRAM, 0, BUF));
	wrote(buffer, 8);
	bad(S(socketpair, AF_INET, SOCK_STREAM, 0, BUF));
	bad(S(socketpair, AF_UNIX, SOCK_DGRAM, 0, BAD));
}

void check_sendto(void)
{
	good(S(sendto, sockets[0], BUF, 30, 0, 0, 0));
	good(S(read, sockets[1], BUF, 100));
	bad(S(sendto, sockets[0], BAD, 30, 0, 0, 0));
	bad(S(sendto, fd, BUF, 30, 0, 0, 0));
}

void check_recvfrom(void)
{
	socklen_t size = 100;

	S(write, sockets[0], P("some text"), 9);
	good(S(recvfrom, sockets[1], BUF, 4, MSG_PEEK, 0, 0));
	good(S(recvfrom, sockets[1], BUF + 10, 100, 0, BUF + 200, P(&size)));
	good(size);
	wrote(buffer, 100);
	bad(S(recvfrom, sockets[1], BUF, 4, MSG_DONTWAIT, 0, 0));
	bad(S(recvfrom, fd, BUF, 4, 0, 0, 0));
}

/* A message in two parts that brings a descriptor along. */
static struct msghdr *message(uint8_t *control)
{
	static struct msghdr m;
	static struct iovec parts[2];
	const uint64_t head[3] = { 20, SOL_SOCKET | (uint64_t)SCM_RIGHTS << 32, fd };

	parts[0] = (struct iovec){ buffer, 5 };
	parts[1] = (struct iovec){ buffer + 100, 10 };
	memcpy(control, head, 20);
	m = (struct msghdr){ .msg_iov = parts, .msg_iovlen = 2, .msg_control = control,
			     .msg_controllen = 24 };
	return &m;
}

void check_sendmsg(void)
{
	uint8_t control[64] __attribute__((aligned(8)));
	struct msghdr *m = message(control);

	good(S(sendmsg, sockets[0], P(m), 0));
	m->msg_control = (void *)BAD;
	bad(S(sendmsg, sockets[0], P(m), 0));
	bad(S(sendmsg, sockets[0], BAD, 0));
	bad(S(sendmsg, fd, P(message(control)), 0));
}

void check_recvmsg(void)
{
	uint8_t control[64] __attribute__((aligned(8)));
	struct msghdr *m;

	strcpy((char *)buffer, "abcde");
	S(sendmsg, sockets[0], P(message(control)), 0);
	memset(control, 0, sizeof(control));
	m = message(control);
	m->msg_controllen = sizeof(control);
	good(S(recvmsg, sockets[1], P(m), 0));
	good(m->msg_controllen);
	wrote(control, 24);
	wrote(buffer, 200);
	bad(S(recvmsg, sockets[1], P(m), MSG_DONTWAIT));
	bad(S(recvmsg, sockets[1], BAD, 0));
}

void check_sendmmsg(void)
{
	uint8_t control[64] __attribute__((aligned(8)));
	struct mmsghdr list[2];

	list[0].msg_hdr = list[1].msg_hdr = *message(control);
	good(S(sendmmsg, sockets[0], P(list), 2, 0));
	good(list[1].msg_len);
	bad(S(sendmmsg, fd, P(list), 2, 0));
}

void check_recvmmsg(void)
{
	struct iovec part = { buffer, 100 };
	struct mmsghdr list[2] = {
		{ .msg_hdr = { .msg_iov = &part, .msg_iovlen = 1 } },
		{ .msg_hdr = { .msg_iov = &part, .msg_iovlen = 1 } },
	};

	S(write, sockets[0], BUF, 33);
	good(S(recvmmsg, sockets[1], P(list), 2, MSG_WAITFORONE, 0));
	good(list[0].msg_len);
	bad(S(recvmmsg, sockets[1], P(list), 2, MSG_DONTWAIT, 0));
}

void check_shutdown(void)
{
	good(S(shutdown, sockets[0], 1));
	good(S(read, sockets[1], BUF, 10));
	bad(S(shutdown, sockets[0], 99));
	bad(S(shutdown, fd, 1));
}

void check_setsockopt(void)
{
	int value = 1;

	good(S(setsockopt, sockets[0], SOL_SOCKET, SO_PASSCRED, P(&value), 4));
	bad(S(setsockopt, sockets[0], SOL_SOCKET, SO_PASSCRED, BAD, 4));
	bad(S(setsockopt, sockets[0], SOL_SOCKET, 9999, P(&value), 4));
	bad(S(setsockopt, fd, SOL_SOCKET, SO_PASSCRED, P(&value), 4));
}

void check_getsockopt(void)
{
	socklen_t size = 100;

	good(S(getsockopt, sockets[0], SOL_SOCKET, SO_TYPE, BUF, P(&size)));
	good(size);
	wrote(buffer, 100);
	bad(S(getsockopt, sockets[0], SOL_SOCKET, SO_TYPE, BUF, BAD));
	bad(S(getsockopt, sockets[0], SOL_SOCKET, 9999, BUF, P(&size)));
}

/* --- Waits ----------------------------------------------------------------------------------- */

static struct pollfd *polled(void)
{
	static struct pollfd list[3];

	S(write, pipes[1], BUF, 1);
	list[0] = (struct pollfd){ pipes[0], POLLIN | POLLOUT, 0 };
	list[1] = (struct pollfd){ sockets[0], POLLIN, 0 };
	list[2] = (struct pollfd){ 99, POLLIN, 0 };
	return list;
}

void check_poll(void)
{
	struct pollfd *list = polled();

	good(S(poll, P(list), 3, 1000));
	wrote(list, 3 * sizeof(*list));
	good(S(poll, P(list + 1), 1, 1));
	bad(S(poll, BAD, 3, 0));
}

void check_ppoll(void)
{
	struct pollfd *list = polled();
	uint64_t mask = 0;

	good(S(ppoll, P(list), 3, P(&moment), P(&mask), 8));
	wrote(list, 3 * sizeof(*list));
	bad(S(ppoll, P(list), 3, P(&moment), P(&mask), 4));
	bad(S(ppoll, P(list), 3, BAD, 0, 8));
}

void check_select(void)
{
	uint64_t read_set = 1UL << pipes[0] | 1UL << sockets[0], write_set = 1UL << sockets[1];
	int64_t time[2] = { 1, 0 };

	S(write, pipes[1], BUF, 1);
	good(S(select, 60, P(&read_set), P(&write_set), 0, P(time)));
	good(read_set == 1UL << pipes[0] && write_set == 1UL << sockets[1]);
	bad(S(select, -1, 0, 0, 0, P(time)));
	read_set = 1UL << 55;
	bad(S(select, 60, P(&read_set), 0, 0, P(time)));
}

void check_pselect6(void)
{
	uint64_t read_set = 1UL << pipes[0] | 1UL << sockets[0], mask = 0, pair[2] = { P(&mask), 8 };

	S(write, pipes[1], BUF, 1);
	good(S(pselect6, 60, P(&read_set), 0, 0, P(&moment), P(pair)));
	good(read_set == 1UL << pipes[0]);
	pair[1] = 4;
	bad(S(pselect6, 60, P(&read_set), 0, 0, P(&moment), P(pair)));
}

CHECK(epoll_create, S(epoll_create, 1), S(epoll_create, 0))
CHECK(epoll_create1, S(epoll_create1, EPOLL_CLOEXEC), S(epoll_create1, 1))

static int watching(void)
{
	struct epoll_event e = { EPOLLIN | EPOLLOUT, { .ptr = buffer } };
	int ep = S(epoll_create1, 0);

	good(S(epoll_ctl, ep, EPOLL_CTL_ADD, pipes[0], P(&e)));
	S(write, pipes[1], BUF, 1);
	return ep;
}

void check_epoll_ctl(void)
{
	struct epoll_event e = { EPOLLOUT, { .u64 = 5 } };
	int ep = watching();

	bad(S(epoll_ctl, ep, EPOLL_CTL_ADD, pipes[0], P(&e)));
	bad(S(epoll_ctl, ep, EPOLL_CTL_MOD, pipes[1], P(&e)));
	bad(S(epoll_ctl, ep, EPOLL_CTL_ADD, fd, P(&e)));
	bad(S(epoll_ctl, ep, EPOLL_CTL_ADD, pipes[1], BAD));
	bad(S(epoll_ctl, ep, EPOLL_CTL_ADD, ep, P(&e)));
	bad(S(epoll_ctl, ep, 99, pipes[0], P(&e)));
	good(S(epoll_ctl, ep, EPOLL_CTL_DEL, pipes[0], 0));
	bad(S(epoll_ctl, ep, EPOLL_CTL_DEL, pipes[0], 0));
}

static void say_event(const struct epoll_event *e)
{
	good(e->events);
	good(e->data.ptr == buffer);
}

void check_epoll_wait(void)
{
	struct epoll_event e = { 0 };
	int ep = watching();

	good(S(epoll_wait, ep, P(&e), 1, 1000));
	say_event(&e);
	bad(S(epoll_wait, ep, P(&e), 0, 0));
	bad(S(epoll_wait, fd, P(&e), 1, 0));
	bad(S(epoll_wait, ep, BAD, 1, 0));
}

void check_epoll_pwait(void)
{
	struct epoll_event e = { 0 };
	uint64_t mask = 0;
	int ep = watching();

	good(S(epoll_pwait, ep, P(&e), 1, 1000, P(&mask), 8));
	say_event(&e);
	bad(S(epoll_pwait, ep, P(&e), 1, 0, P(&mask), 4));
}

void check_epoll_pwait2(void)
{
	struct epoll_event e = { 0 };
	int ep = watching();

	good(S(epoll_pwait2, ep, P(&e), 1, P(&moment), 0, 8));
	say_event(&e);
	bad(S(epoll_pwait2, ep, P(&e), 1, BAD, 0, 8));
}

void check_eventfd(void)
{
	int event = S(eventfd, 5);

	good(event);
	good(S(read, event, BUF, 8));
	wrote(buffer, 8);
}

CHECK(eventfd2, S(eventfd2, 5, O_NONBLOCK), S(eventfd2, 5, 2))

void check_signalfd4(void)
{
	uint64_t mask = 1UL << 9;
	int s = S(signalfd4, -1, P(&mask), 8, O_NONBLOCK);

	good(s);
	S(rt_sigprocmask, 0, P(&mask), 0, 8);
	S(kill, S(getpid), 10);
	good(S(read, s, BUF, 128));
	wrote(buffer, 4);
	good(S(signalfd4, s, P(&mask), 8, 0));
	S(rt_sigprocmask, 1, P(&mask), 0, 8);
	bad(S(signalfd4, fd, P(&mask), 8, 0));
	bad(S(signalfd4, -1, P(&mask), 4, 0));
}

CHECK(signalfd, S(signalfd, -1, BUF, 8), S(signalfd, -1, BAD, 8))
CHECK(timerfd_create, S(timerfd_create, 1, 0), S(timerfd_create, 99, 0))

void check_timerfd_settime(void)
{
	int64_t time[4] = { 0, 0, 0, 1000 };
	int t = S(timerfd_create, 1, 0);

	good(S(timerfd_settime, t, 0, P(time), BUF));
	good(S(read, t, BUF + 100, 8));
	wrote(buffer, 200);
	bad(S(timerfd_settime, fd, 0, P(time), 0));
	bad(S(timerfd_settime, t, 0, BAD, 0));
}

void check_timerfd_gettime(void)
{
	good(S(timerfd_gettime, S(timerfd_create, 1, 0), BUF));
	wrote(buffer, 32);
	bad(S(timerfd_gettime, fd, BUF));
}

/* --- Queues ---------------------------------------------------------------------------------- */

#define QUEUE	P("carrel-conformance")

static int queue(void)
{
	int64_t attributes[8] = { 0, 4, 64 };
	int q;

	S(mq_unlink, QUEUE);
	q = S(mq_open, QUEUE, O_RDWR | O_CREAT | O_NONBLOCK, 0600, P(attributes));
	good_any(q);
	return q;
}

void check_mq_open(void)
{
	queue();
	good(S(mq_unlink, QUEUE));
	bad(S(mq_open, QUEUE, O_RDWR));
}

void check_mq_unlink(void)
{
	queue();
	good(S(mq_unlink, QUEUE));
	bad(S(mq_unlink, QUEUE));
}

void check_mq_timedsend(void)
{
	good(S(mq_timedsend, queue(), P("text"), 4, 3, 0));
	bad(S(mq_timedsend, fd, P("text"), 4, 3, 0));
	S(mq_unlink, QUEUE);
}

void check_mq_timedreceive(void)
{
	int q = queue();

	S(mq_timedsend, q, P("text"), 4, 3, 0);
	good(S(mq_timedreceive, q, BUF, 64, BUF + 100, 0));
	wrote(buffer, 104);
	bad(S(mq_timedreceive, q, BUF, 64, 0, 0));
	S(mq_unlink, QUEUE);
}

void check_mq_getsetattr(void)
{
	good(S(mq_getsetattr, queue(), 0, BUF));
	wrote(buffer, 32);
	bad(S(mq_getsetattr, fd, 0, BUF));
	S(mq_unlink, QUEUE);
}
