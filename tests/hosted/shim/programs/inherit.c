/* SPDX-License-Identifier: BSD-2-Clause */
/* What a child of fork inherits with an epoll set. All must say ok, with a shim or without. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

static int set, first[2], second[2], failures;

static void report(const char *what, int good)
{
	printf("%s: %s\n", what, good ? "ok" : "WRONG");
	fflush(stdout);
	failures += !good;
}

static int control(int how, int fd, unsigned long data)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = data };

	return epoll_ctl(set, how, fd, &e);
}

/* The data of the one event there is; 0 if there is none, 1 if several. */
static unsigned long event(void)
{
	struct epoll_event e[4];
	int n = epoll_wait(set, e, 4, 100);

	return n == 1 ? e[0].data.u64 : n > 0;
}

static int put(const int pair[2])
{
	return write(pair[1], "x", 1);
}

static int get(const int pair[2])
{
	char c;

	return read(pair[0], &c, 1);
}

static int used(void)
{
	put(first);
	report("the parent's registration", event() == 0xaaaaaaaaaaaaUL);
	get(first);
	report("and no other event", event() == 0);
	put(second);
	report("another one", event() == 0xbbbbbbbbbbbbUL);
	get(second);
	return failures;
}

/* The parent has the file open still, so it stays registered, with what it was registered with. */
static int closed(void)
{
	int again[2];

	close(first[0]);
	put(first);
	report("its descriptor is closed here", event() == 0xaaaaaaaaaaaaUL);
	report("the place is taken by another", pipe(again) == 0 && again[0] == first[0] &&
	       control(EPOLL_CTL_ADD, again[0], 0xcccc) == 0);
	report("which has no event yet", event() == 0xaaaaaaaaaaaaUL);
	return failures;
}

static int removed(void)
{
	report("the parent's is there", get(first) == 1 && control(EPOLL_CTL_ADD, first[0], 1) == -1 &&
	       errno == EEXIST);
	report("and can be removed", control(EPOLL_CTL_DEL, first[0], 0) == 0);
	put(first);
	report("then there is no event", event() == 0);
	get(first);
	report("and it can be made anew", control(EPOLL_CTL_ADD, first[0], 0xdddd) == 0);
	put(first);
	report("with the child's data", event() == 0xdddd);
	control(EPOLL_CTL_DEL, first[0], 0);
	get(first);
	return failures;
}

static void in_child(int (*test)(void))
{
	int status = -1;
	pid_t child = fork();

	if (child == 0) {
		alarm(10);
		_exit(test());
	}
	waitpid(child, &status, 0);
	report("a child", status == 0);
}

int main(void)
{
	set = epoll_create1(0);
	if (set < 0 || pipe(first) || pipe(second))
		return 2;
	control(EPOLL_CTL_ADD, first[0], 0xaaaaaaaaaaaaUL);
	control(EPOLL_CTL_ADD, second[0], 0xbbbbbbbbbbbbUL);
	in_child(used);
	in_child(closed);
	in_child(removed);
	put(second);
	report("the parent's own", event() == 0xbbbbbbbbbbbbUL);
	return failures;
}
