/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ppoll with a mask that blocks SIGUSR1, again and again. Run with --step 271, that
 * signal comes at another instruction of the shim each time, always under the mask
 * that it does not block: it must be handled once, the call must give what it gives,
 * or EINTR if the signal came before it, and both masks must be what they were, in the
 * handler and after it. With a time of zero it cannot sleep and must not fail.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS	2500

static volatile sig_atomic_t handled, wrong;
static int ended;
static const uint64_t other = 1UL << (SIGUSR2 - 1), own = 1UL << (SIGUSR1 - 1);

static uint64_t mask(void)
{
	uint64_t now = 0;

	syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &now, sizeof(now));
	return now;
}

static void handler(int signal)
{
	(void)signal;
	handled++;
	wrong += mask() != (other | own);
}

int main(void)
{
	struct sigaction action = { .sa_handler = handler };
	struct pollfd p = { .events = POLLIN };
	uint64_t blocked = own;
	int pipes[2];

	if (pipe(pipes) || write(pipes[1], "x", 1) != 1)
		return 2;
	p.fd = pipes[0];
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &other, NULL, sizeof(other));
	sigaction(SIGUSR1, &action, NULL);
	for (int i = 0; i < ROUNDS; i++) {
		struct timespec none = { 0, 0 };
		int before = handled;
		long n;

		p.revents = 0;
		n = syscall(SYS_ppoll, &p, 1, i % 2 ? &none : NULL, &blocked, sizeof(blocked));
		if (n == -1 && errno == EINTR && handled == before + 1 && i % 2 == 0)
			ended++;
		else
			wrong += n != 1 || p.revents != POLLIN;
		wrong += mask() != other;
	}
	wrong += handled && !ended;
	printf("%d wrong\nhandled %d 0\n", (int)wrong, (int)handled);
	return wrong != 0;
}
