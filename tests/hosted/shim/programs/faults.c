/* SPDX-License-Identifier: BSD-2-Clause */
/* Die in the way that the argument names; the status must be what it is without a shim. */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static volatile int end = -1;

static int deeper(int n)
{
	volatile char room[4096];

	room[0] = n;
	return n == end ? n : deeper(n + 1) + room[0];
}

/* One that no CPU can jump to; glibc's types would not stop it either. */
static void bad_handler(void)
{
	const struct {
		uint64_t handler, flags, restorer, mask;
	} action = { 0x8000000000000000UL, 0x04000000, 4096, 0 };

	syscall(SYS_rt_sigaction, SIGUSR1, &action, NULL, 8);
	raise(SIGUSR1);
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";
	volatile int zero = 0;
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	if (!strcmp(how, "null"))
		*(volatile int *)0 = 1;
	else if (!strcmp(how, "text"))
		*(volatile char *)main = 1;
	else if (!strcmp(how, "stack"))
		return deeper(0);
	else if (!strcmp(how, "noexec"))
		((void (*)(void))mmap(NULL, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))();
	else if (!strcmp(how, "noncanonical"))
		*(volatile int *)0x8000000000000000UL = 1;
	else if (!strcmp(how, "handler"))
		bad_handler();
	else if (!strcmp(how, "channel"))
		*(volatile int *)0x7e0000000000UL = 1;
	else if (!strcmp(how, "ud2"))
		asm volatile("ud2");
	else if (!strcmp(how, "hlt"))
		asm volatile("hlt");
	else if (!strcmp(how, "int3"))
		asm volatile("int3");
	else if (!strcmp(how, "int_3"))
		asm volatile(".byte 0xcd, 3");
	else if (!strcmp(how, "int1"))
		asm volatile(".byte 0xf1");
	else if (!strcmp(how, "int5"))
		asm volatile("int $5");
	else if (!strcmp(how, "div"))
		return 12345 / zero;
	else if (!strcmp(how, "align"))
		asm volatile("pushfq; orl $0x40000, (%%rsp); popfq; movl 1(%%rsp), %%eax" : : : "rax");
	else if (!strcmp(how, "abort"))
		abort();
	else if (!strcmp(how, "term"))
		raise(SIGTERM);
	else if (!strcmp(how, "kill"))
		kill(getpid(), SIGKILL);
	else if (!strcmp(how, "usr1"))
		raise(SIGUSR1);
	else if (!strcmp(how, "ignored")) {	/* a fault cannot be ignored */
		sigaction(SIGSEGV, &ignore, NULL);
		*(volatile int *)0 = 1;
	} else if (!strcmp(how, "exit"))
		return 77;
	else if (!strcmp(how, "_exit"))
		_exit(200);
	puts("still alive");
	return 0;
}
