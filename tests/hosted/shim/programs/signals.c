/* SPDX-License-Identifier: BSD-2-Clause */
/* Handlers, masks, restarts, stacks and contexts. Prints one line a test; all must say ok. */
#include <errno.h>
#include <fenv.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

static volatile sig_atomic_t count, last, nested;
static volatile uintptr_t seen_address, seen_stack;
static sigjmp_buf back;
static int failures;

static void report(const char *what, int good)
{
	printf("%s: %s\n", what, good ? "ok" : "WRONG");
	failures += !good;
}

static void counting(int signal)
{
	count++;
	last = signal;
	seen_stack = (uintptr_t)__builtin_frame_address(0);
}

static void informed(int signal, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)uc;
	counting(signal);
	seen_address = (uintptr_t)info->si_addr;
}

static void on(int signal, void (*handler)(int), int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };

	sigaction(signal, &action, NULL);
	count = 0;
}

static void timer(long us, long interval)
{
	struct itimerval t = { { 0, interval }, { 0, us } };

	setitimer(ITIMER_REAL, &t, NULL);
}

static void basics(void)
{
	struct sigaction old;

	on(SIGUSR1, counting, 0);
	raise(SIGUSR1);
	report("raise runs the handler", count == 1 && last == SIGUSR1);
	sigaction(SIGUSR1, NULL, &old);
	report("sigaction tells the handler", old.sa_handler == counting);
	on(SIGUSR1, counting, SA_RESETHAND);
	raise(SIGUSR1);
	sigaction(SIGUSR1, NULL, &old);
	report("SA_RESETHAND resets", count == 1 && old.sa_handler == SIG_DFL);
	signal(SIGUSR2, SIG_IGN);
	raise(SIGUSR2);
	sigaction(SIGUSR2, NULL, &old);
	report("ignored stays ignored", old.sa_handler == SIG_IGN);
}

static void masks(void)
{
	sigset_t set, old, pending;

	on(SIGUSR1, counting, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	kill(getpid(), SIGUSR1);
	sigpending(&pending);
	report("a blocked signal waits", count == 0 && sigismember(&pending, SIGUSR1));
	sigprocmask(SIG_UNBLOCK, &set, &old);
	report("and comes when unblocked", count == 1 && sigismember(&old, SIGUSR1));
}

static void inner(int signal)
{
	(void)signal;
	nested++;
}

static void outer(int signal)
{
	sigset_t now;

	(void)signal;
	raise(SIGUSR2);
	sigprocmask(SIG_BLOCK, NULL, &now);
	count += sigismember(&now, SIGUSR1) && !sigismember(&now, SIGUSR2);
}

static void nesting(void)
{
	sigset_t now;

	on(SIGUSR2, inner, 0);
	on(SIGUSR1, outer, 0);
	raise(SIGUSR1);
	sigprocmask(SIG_BLOCK, NULL, &now);
	report("handlers nest, masks come back", nested == 1 && count == 1 &&
	       !sigismember(&now, SIGUSR1));
}

static void computing(void)
{
	volatile unsigned long work = 0;

	on(SIGALRM, counting, 0);
	timer(20000, 0);
	while (!count)
		work++;
	report("a signal reaches a computation", last == SIGALRM);
}

static void interrupted(void)
{
	int fds[2];
	char c;
	long n;

	if (pipe(fds))
		return;
	on(SIGALRM, counting, 0);
	timer(20000, 0);
	n = read(fds[0], &c, 1);
	report("read fails with EINTR", n == -1 && errno == EINTR && count == 1);
	on(SIGALRM, counting, SA_RESTART);
	timer(20000, 20000);
	while (count < 3) {
		if (count == 2)
			break;
		fcntl(fds[0], F_SETFL, 0);
		n = usleep(1000);
	}
	timer(0, 0);
	report("sleeping is interrupted", count >= 2);
}

static int restart_pipe[2];

static void writing(int signal)
{
	counting(signal);
	if (count == 3 && write(restart_pipe[1], "x", 1) != 1)
		count = 100;
}

static void restarted(void)
{
	char c = 0;
	long n;

	if (pipe(restart_pipe))
		return;
	on(SIGALRM, writing, SA_RESTART);
	timer(10000, 10000);
	n = read(restart_pipe[0], &c, 1);
	timer(0, 0);
	report("read is restarted", n == 1 && c == 'x' && count == 3);
	on(SIGALRM, counting, SA_RESTART);
	timer(10000, 0);
	report("pause is not", pause() == -1 && errno == EINTR && count == 1);
}

/* Every signal of a fast timer interrupts something; nothing may be lost or corrupted. */
static void storm(void)
{
	unsigned long sum = 0;
	double x = 1.0;

	on(SIGALRM, counting, SA_RESTART);
	timer(200, 200);
	for (int i = 0; count < 300; i++) {
		double y = x * 1.5;
		int fd = open("/dev/null", O_WRONLY);

		if (fd < 0 || write(fd, "abc", 3) != 3 || close(fd))
			break;
		sum += getppid() == getppid();
		sum--;
		x = y / 1.5;
	}
	timer(0, 0);
	report("a storm of signals", count >= 300 && sum == 0 && x == 1.0);
}

/*
 * A signal at any moment around a blocking call: it must not sleep on as if
 * nothing had come. A lost one hangs the program.
 */
static void races(void)
{
	unsigned long random = 1;
	int i;

	on(SIGALRM, writing, 0);
	for (i = 0; i < 5000; i++) {
		long n = -1;
		char c = 0;

		count = 2;		/* writing() writes when it makes it 3 */
		random = random * 6364136223846793005UL + 1442695040888963407UL;
		timer(1 + (random >> 33) % 60, 0);
		while (n < 0)
			n = read(restart_pipe[0], &c, 1);
		if (n != 1 || c != 'x' || count != 3)
			break;
	}
	report("signals racing a blocking read", i == 5000);
}

static void jumping(int signal)
{
	counting(signal);
	siglongjmp(back, 1);
}

static void skipping(int signal, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	informed(signal, info, context);
	uc->uc_mcontext.gregs[REG_RIP] += 2;		/* ud2 */
	uc->uc_mcontext.gregs[REG_RAX] = 4711;
}

static void faults(void)
{
	struct sigaction action = { .sa_sigaction = skipping, .sa_flags = SA_SIGINFO };
	char *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long value;

	on(SIGSEGV, jumping, 0);
	if (!sigsetjmp(back, 1))
		*(volatile char *)page = 1;
	report("a fault is handled by a jump", count == 1 && last == SIGSEGV);
	action.sa_sigaction = informed;
	action.sa_flags |= SA_RESETHAND;
	sigaction(SIGSEGV, &action, NULL);
	on(SIGSEGV, jumping, 0);
	if (!sigsetjmp(back, 1))
		*(volatile char *)page = 1;
	report("and again", count == 1);
	action.sa_sigaction = skipping;
	action.sa_flags = SA_SIGINFO;
	sigaction(SIGILL, &action, NULL);
	asm volatile("ud2" : "=a"(value));
	report("a handler may move RIP and RAX", value == 4711 && last == SIGILL);
}

static void stacks(void)
{
	static char alternate[65536];
	stack_t stack = { .ss_sp = alternate, .ss_size = sizeof(alternate) }, old;

	sigaltstack(&stack, NULL);
	on(SIGUSR1, counting, SA_ONSTACK);
	raise(SIGUSR1);
	report("handler on its own stack", seen_stack >= (uintptr_t)alternate &&
	       seen_stack < (uintptr_t)alternate + sizeof(alternate));
	sigaltstack(NULL, &old);
	report("which is told", old.ss_sp == alternate && old.ss_flags == 0);
	on(SIGSEGV, jumping, SA_ONSTACK);
	if (!sigsetjmp(back, 1))
		asm volatile("movq $64, %%rsp; pushq %%rax" : : : "memory");
	report("even with a stack that is none", count == 1);
}

static void spoiling(int signal)
{
	volatile float x = 3.0f;

	counting(signal);
	feclearexcept(FE_ALL_EXCEPT);
	fesetround(FE_UPWARD);
	for (int i = 0; i < 100; i++)
		x = x * 1.1f + i;
	asm volatile("pcmpeqd %%xmm7, %%xmm7\n\tpcmpeqd %%xmm15, %%xmm15\n\tfninit\n\tfldpi"
		     : : : "xmm7", "xmm15");
}

static void vectors(void)
{
	uint64_t a = 0x0123456789abcdef, b = 0;
	double pi = 0;

	on(SIGUSR1, spoiling, 0);
	asm volatile("movq %2, %%xmm7\n\tmovq %2, %%xmm15\n\tfldpi\n\tfadd %%st, %%st\n\t"
		     "movl $39, %%eax\n\tsyscall\n\tmovl %%eax, %%edi\n\tmovl $10, %%esi\n\t"
		     "movl $62, %%eax\n\tsyscall\n\t"
		     "fstpl %1\n\tmovq %%xmm15, %0\n\tmovq %%xmm7, %%rax\n\tandq %%rax, %0"
		     : "=&r"(b), "=m"(pi) : "r"(a)
		     : "rax", "rcx", "r11", "rdi", "rsi", "xmm7", "xmm15", "memory");
	report("vector and x87 registers survive a handler", count == 1 && a == b && pi > 6.28 &&
	       pi < 6.29 && fegetround() == FE_TONEAREST);
}

/* A leaf function's red zone is not the handler's. */
__attribute__((noinline)) static long red_zone(void)
{
	long sum;

	asm volatile("movq $11, -8(%%rsp)\n\tmovq $22, -120(%%rsp)\n\t"
		     "movl $39, %%eax\n\tsyscall\n\tmovl %%eax, %%edi\n\tmovl $10, %%esi\n\t"
		     "movl $62, %%eax\n\tsyscall\n\tmovq -8(%%rsp), %0\n\taddq -120(%%rsp), %0"
		     : "=r"(sum) : : "rax", "rcx", "r11", "rdi", "rsi", "memory");
	return sum;
}

int main(void)
{
	basics();
	masks();
	nesting();
	computing();
	interrupted();
	restarted();
	storm();
	races();
	faults();
	stacks();
	vectors();
	on(SIGUSR1, counting, 0);
	report("the red zone survives", red_zone() == 33 && count == 1);
	return failures;
}
