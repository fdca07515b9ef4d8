/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ppoll with a mask that blocks SIGUSR1, again and again. Run with --step 271, that
 * signal comes at another instruction of the shim each time, always under the mask
 * that it does not block: it must be handled once, the call must give what it gives,
 * and both masks must be what they were, in the handler and after it.
 */
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ROUNDS	2500

static volatile sig_atomic_t handled, wrong;
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
		p.revents = 0;
		wrong += syscall(SYS_ppoll, &p, 1, NULL, &blocked, sizeof(blocked)) != 1;
		wrong += p.revents != POLLIN || mask() != other;
	}
	printf("%d wrong\nhandled %d 0\n", (int)wrong, (int)handled);
	return wrong != 0;
}
