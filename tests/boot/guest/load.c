/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * load MILLISECONDS: keeps every CPU busy with what an ordinary machine does:
 * system calls, page faults, unmapping that other CPUs must hear of, processes,
 * pipes, signals, timers and vector arithmetic. Prints how much of each.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE		4096
#define AREA		(64 * PAGE)
#define ROUND_TRIPS	20

struct counts {
	unsigned long rounds, calls, faults, forks, messages, signals, naps, alarms, errors;
};

static struct counts *shared;		/* one a worker */
static volatile sig_atomic_t signals, alarms;
static volatile int over;

static void on_signal(int number)
{
	if (number == SIGALRM)
		alarms++;
	else
		signals++;
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

/* Lives in the worker's memory, maybe on another CPU, so that unmapping interrupts it. */
static void *companion(void *counter)
{
	while (!over) {
		++*(volatile unsigned long *)counter;
		usleep(500);
	}
	return NULL;
}

static void memory(struct counts *c)
{
	char *area = mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (area == MAP_FAILED) {
		c->errors++;
		return;
	}
	for (int i = 0; i < AREA; i += PAGE)
		area[i] = (char)(i / PAGE);
	for (int i = 0; i < AREA; i += PAGE)
		c->errors += area[i] != (char)(i / PAGE);
	c->errors += mprotect(area, AREA / 2, PROT_READ) != 0;
	c->errors += munmap(area, AREA) != 0;
	c->faults += AREA / PAGE;
}

/* A child sends back every byte, plus one. */
static void processes(struct counts *c)
{
	int to[2], from[2];
	unsigned char byte, back;
	pid_t child;

	if (pipe(to) || pipe(from)) {
		c->errors++;
		return;
	}
	child = fork();
	if (!child) {
		close(to[1]);
		while (read(to[0], &byte, 1) == 1) {
			byte++;
			if (write(from[1], &byte, 1) != 1)
				break;
		}
		_exit(0);
	}
	close(to[0]);
	for (byte = 0; byte < ROUND_TRIPS && child > 0; byte++) {
		c->errors += write(to[1], &byte, 1) != 1 || read(from[0], &back, 1) != 1 ||
			     back != byte + 1;
		c->messages++;
	}
	close(to[1]);
	close(from[0]);
	close(from[1]);
	c->errors += child < 0 || waitpid(child, NULL, 0) != child;
	c->forks++;
}

static void arithmetic(struct counts *c)
{
	double x[32];

	for (int i = 0; i < 32; i++)
		x[i] = i;
	for (int round = 0; round < 50; round++)
		for (int i = 0; i < 32; i++)
			x[i] = x[i] * 2 - i;
	for (int i = 0; i < 32; i++)
		c->errors += x[i] != i;
}

static void work(struct counts *c, double until)
{
	struct itimerval every = { { 0, 3000 }, { 0, 3000 } };
	sigset_t alarm_alone;
	unsigned long companions = 0;
	pthread_t thread;

	sigemptyset(&alarm_alone);
	sigaddset(&alarm_alone, SIGALRM);
	signal(SIGALRM, on_signal);
	signal(SIGUSR1, on_signal);
	setitimer(ITIMER_REAL, &every, NULL);
	pthread_create(&thread, NULL, companion, &companions);
	while (now_ms() < until) {
		for (int i = 0; i < 50; i++)
			c->calls += getppid() > 0;
		memory(c);
		/* no timer signal may cut a round trip short */
		sigprocmask(SIG_BLOCK, &alarm_alone, NULL);
		processes(c);
		sigprocmask(SIG_UNBLOCK, &alarm_alone, NULL);
		raise(SIGUSR1);
		usleep(1000);
		c->naps++;
		arithmetic(c);
		c->rounds++;
	}
	over = 1;
	pthread_join(thread, NULL);
	c->signals = (unsigned long)signals;
	c->alarms = (unsigned long)alarms;
}

int main(int argc, char **argv)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	double until;
	struct counts all = { 0 };

	if (argc != 2) {
		fprintf(stderr, "usage: load MILLISECONDS\n");
		return 2;
	}
	until = now_ms() + atof(argv[1]);
	shared = mmap(NULL, (size_t)cpus * sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (long i = 0; i < cpus; i++) {
		if (fork())
			continue;
		work(&shared[i], until);
		_exit(0);
	}
	while (wait(NULL) > 0)
		;
	for (long i = 0; i < cpus; i++)
		for (size_t j = 0; j < sizeof(all) / sizeof(long); j++)
			((unsigned long *)&all)[j] += ((unsigned long *)&shared[i])[j];
	printf("rounds %lu calls %lu faults %lu forks %lu messages %lu signals %lu naps %lu "
	       "alarms %lu errors %lu\n", all.rounds, all.calls, all.faults, all.forks,
	       all.messages, all.signals, all.naps, all.alarms, all.errors);
	return all.errors != 0;
}
