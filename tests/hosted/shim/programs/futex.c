/* SPDX-License-Identifier: BSD-2-Clause */
/* The futex call itself, and memory that goes away under calls. */
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include "threads.h"

static atomic_int word, other, woken, at_it;

static void *waiting(void *argument)
{
	at_it++;
	futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, (uintptr_t)argument);
	woken++;
	return NULL;
}

static void settle(int want)
{
	for (int i = 0; i < 1000 && woken < want; i++)
		usleep(1000);
	usleep(20000);
}

static void futexes(void)
{
	struct timespec short_time = { 0, 30000000 }, bad = { 0, 2000000000 }, at;
	pthread_t threads[4];
	int64_t before = now();
	long n;

	word = 7;
	report("wait: another value", futex(&word, FUTEX_WAIT, 8, NULL, NULL, 0) == -1 && errno == EAGAIN);
	report("wait: a time that is none",
	       futex(&word, FUTEX_WAIT, 7, &bad, NULL, 0) == -1 && errno == EINVAL);
	report("wait: no memory", futex((void *)64, FUTEX_WAIT, 7, NULL, NULL, 0) == -1 && errno == EFAULT);
	report("wait: not aligned",
	       futex((char *)&word + 1, FUTEX_WAIT, 7, NULL, NULL, 0) == -1 && errno == EINVAL);
	n = futex(&word, FUTEX_WAIT, 7, &short_time, NULL, 0);
	report("wait: some time", n == -1 && errno == ETIMEDOUT && now() - before >= 30000000);
	clock_gettime(CLOCK_REALTIME, &at);
	at.tv_sec++;
	before = now();
	n = futex(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 7, &at, NULL, 1);
	report("wait: until then", n == -1 && errno == ETIMEDOUT && now() - before > 900000000);
	report("wait: no bits", futex(&word, FUTEX_WAIT_BITSET, 7, NULL, NULL, 0) == -1 && errno == EINVAL);
	report("no such command", futex(&word, 77, 7, NULL, NULL, 0) == -1 && errno == ENOSYS);
	word = 0;
	for (int i = 0; i < 4; i++)
		threads[i] = start(waiting, (void *)(1UL << i));
	while (at_it < 4)
		usleep(1000);
	usleep(200000);			/* and asleep, if the machine is not very busy */
	report("wake: by bits", futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 9, NULL, NULL, 4) == 1);
	settle(1);
	report("wake: that one alone", woken == 1);
	n = futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)1, &other, 5);
	report("requeue: another value", n == -1 && errno == EAGAIN);
	n = futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)1, &other, 0);
	report("requeue: one woken, one moved", n == 2);
	settle(2);
	report("wake: the one that stayed", woken == 2 &&
	       futex(&word, FUTEX_WAKE_PRIVATE, 9, NULL, NULL, 0) == 1);
	other = 40;
	/* other += 2; it was 40, so its waiters are woken */
	n = futex(&word, FUTEX_WAKE_OP_PRIVATE, 1, (void *)5, &other,
		  FUTEX_OP(FUTEX_OP_ADD, 2, FUTEX_OP_CMP_EQ, 40));
	report("wake_op", n == 1 && other == 42);
	settle(4);
	for (int i = 0; i < 4; i++)
		end(threads[i]);
	report("all are back", woken == 4);
}

/* A page comes and goes under calls that use it. */
static char *volatile page;
static atomic_int finish;

static void *mapping(void *argument)
{
	(void)argument;
	while (!finish) {
		mmap(page, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		munmap(page, 4096);
	}
	return NULL;
}

static void vanishing(void)
{
	char *area = mmap(NULL, 3 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fds[2], good = 1;
	pthread_t thread;

	if (pipe2(fds, O_NONBLOCK))
		abort();
	finish = 0;
	page = area + 4096;
	thread = start(mapping, NULL);
	for (int i = 0; i < 3000; i++) {
		long n = write(fds[1], page, 64);

		good &= n == 64 || (n == -1 && errno == EFAULT);
		n = read(fds[0], page, 64);
		good &= n == 64 || (n == -1 && (errno == EFAULT || errno == EAGAIN));
		while (read(fds[0], (char[64]){ 0 }, 64) > 0)
			;
		n = futex(page, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0);
		good &= n == -1 && (errno == EAGAIN || errno == EFAULT);
	}
	finish = 1;
	end(thread);
	report("memory that goes away under a call", good);
}

int main(void)
{
	futexes();
	vanishing();
	return failures;
}
