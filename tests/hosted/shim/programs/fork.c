/* SPDX-License-Identifier: BSD-2-Clause */
/* Processes: prints what happens, for comparison with a run without a shim. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Each makes two children; the leaves' numbers come up as exit statuses. */
static int tree(int depth)
{
	int sum = 1, status;

	for (int i = 0; depth && i < 2; i++)
		if (!fork())
			_exit(tree(depth - 1));
	while (wait(&status) > 0)
		sum += WEXITSTATUS(status);
	return sum;
}

static void statuses(void)
{
	static const int signals[] = { SIGKILL, SIGTERM, SIGABRT, SIGHUP };
	siginfo_t info;
	int status;

	for (int i = 0; i < 4; i++) {
		if (!fork()) {
			raise(signals[i]);
			_exit(1);
		}
		wait(&status);
		printf("signal %d\n", WTERMSIG(status));
	}
	if (!fork())
		_exit(42);
	memset(&info, 0x55, sizeof(info));
	waitid(P_ALL, 0, &info, WEXITED);
	printf("waitid %d %d %d\n", info.si_signo, info.si_code, info.si_status);
	printf("no child: %d %s\n", wait(&status), strerror(errno));
}

static void memory(void)
{
	int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	volatile int own = 1;
	double x = 1.5;

	if (!fork()) {
		own = 2;
		shared[0] = 7;
		_exit(x == 1.5 ? 0 : 1);
	}
	wait(&shared[1]);
	printf("own %d, shared %d, status %d\n", own, shared[0], shared[1]);
	if (!vfork()) {
		own = 3;
		_exit(0);
	}
	wait(NULL);
	printf("after vfork %d\n", own);
}

static void spawn(void)
{
	char *argv[] = { "sh", "-c", "exit 6", NULL };
	int status = 0;
	pid_t pid;

	printf("spawn of nothing: %d\n", posix_spawn(&pid, "/does/not/exist", NULL, NULL, argv, environ));
	printf("spawn: %d\n", posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ));
	waitpid(pid, &status, 0);
	printf("status %d\n", WEXITSTATUS(status));
	for (int i = 0; i < 20; i++) {
		posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ);
		waitpid(pid, &status, 0);
	}
	printf("twenty more %d\n", WEXITSTATUS(status));
}

static volatile int enough;

/* What takes a lock of the shim's under which memory is looked at. */
static void *look_at_words(void *unused)
{
	static int word;

	while (!enough)
		syscall(SYS_futex, &word, 0 /* FUTEX_WAIT */, 1, NULL, NULL, 0);
	return unused;
}

static void among_threads(void)
{
	pthread_t threads[3];
	int good = 0, status;

	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, look_at_words, NULL);
	for (int i = 0; i < 100; i++) {
		pid_t child = fork();

		if (!child)
			_exit(0);
		good += waitpid(child, &status, 0) == child && !status;
	}
	enough = 1;
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	printf("children of a process with threads: %d\n", good);
}

/*
 * A child has what each thread wrote until some moment, and nothing after it: glibc's own lists, and
 * all that is changed without locks, are whole in it only so. The order of writes is first.a,
 * last.a, last.b, first.b; and a page that nobody had touched before the count that tells of it.
 */
#define PAGE	4096
#define SPAN	256	/* pages */

struct ends {
	volatile long a, b;
};

/* The ends of the address space, which no fork comes by at the same time. */
static struct ends low __attribute__((aligned(PAGE)));
static volatile int low_count __attribute__((aligned(PAGE)));
static char *new;		/* of SPAN pages; the next holds the other ends */

static void *write_in_order(void *unused)
{
	struct ends *first = &low, *last = (struct ends *)(new + SPAN * PAGE);

	for (long n = 1; !enough; n++) {
		first->a = n;
		last->a = n;
		last->b = n;
		first->b = n;
	}
	return unused;
}

static void *touch_in_order(void *unused)
{
	volatile int *high_count = (int *)(new + (SPAN + 1) * PAGE);

	while (!enough) {
		for (int i = 0; i < SPAN; i++) {
			new[i * PAGE] = 1;
			low_count = *high_count = i + 1;
		}
		low_count = *high_count = 0;
		madvise(new, SPAN * PAGE, MADV_DONTNEED);
	}
	return unused;
}

static int is_in_order(void)
{
	struct ends *first = &low, *last = (struct ends *)(new + SPAN * PAGE);
	int counts[] = { low_count, *(int *)(new + (SPAN + 1) * PAGE) };
	int good = first->a >= last->a && last->a >= last->b && last->b >= first->b &&
		first->b >= first->a - 1;

	for (int i = 0; i < counts[0] || i < counts[1]; i++)
		good &= new[i * PAGE] == 1;
	return good;
}

static void moments(void)
{
	int good = 0, status;
	pthread_t threads[2];

	new = mmap(NULL, (SPAN + 2) * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	enough = 0;
	pthread_create(&threads[0], NULL, write_in_order, NULL);
	pthread_create(&threads[1], NULL, touch_in_order, NULL);
	for (int i = 0; i < 40; i++) {
		pid_t child = fork();

		if (!child)
			_exit(!is_in_order());
		good += waitpid(child, &status, 0) == child && !status;
	}
	enough = 1;
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	munmap(new, (SPAN + 2) * PAGE);
	printf("children that are of one moment: %d\n", good);
}

int main(void)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	printf("tree %d\n", tree(4));
	statuses();
	memory();
	spawn();
	among_threads();
	moments();
	return 0;
}
