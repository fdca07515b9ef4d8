/* SPDX-License-Identifier: BSD-2-Clause */
/* Identity, limits, time, signals, scheduling, processes. */
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "calls.h"

static const uint64_t limits[2] = { 1000, 1000 };

CHECK_ANY(getpid, S(getpid), 0)
CHECK_ANY(getppid, S(getppid), 0)
CHECK_ANY(gettid, S(gettid), 0)
CHECK_ANY(getpgrp, S(getpgrp), 0)
CHECK(getuid, S(getuid), 0)
CHECK(getgid, S(getgid), 0)
CHECK(geteuid, S(geteuid), 0)
CHECK(getegid, S(getegid), 0)
CHECK_ANY(getpgid, S(getpgid, 0), S(getpgid, -1))
CHECK_ANY(getsid, S(getsid, 0), S(getsid, -1))
CHECK_ANY(setpgid, S(getpgid, 0), S(setpgid, 0, -1))
CHECK(setsid, 0, 0)
CHECK(setuid, S(setuid, S(getuid)), S(setuid, -1))
CHECK(setgid, S(setgid, S(getgid)), S(setgid, -1))
CHECK(setreuid, S(setreuid, -1, -1), 0)
CHECK(setregid, S(setregid, -1, -1), 0)
CHECK(setresuid, S(setresuid, -1, -1, -1), 0)
CHECK(setresgid, S(setresgid, -1, -1, -1), 0)
CHECK(setfsuid, S(setfsuid, -1), 0)
CHECK(setfsgid, S(setfsgid, -1), 0)
CHECK(setgroups, 0, S(setgroups, -1, BUF))
CHECK(personality, S(personality, 0xffffffff), 0)
CHECK(sched_yield, S(sched_yield), 0)
CHECK(setpriority, S(setpriority, 0, 0, 0), S(setpriority, 99, 0, 0))
CHECK(getpriority, S(getpriority, 0, 0), S(getpriority, 99, 0))
CHECK(ioprio_get, S(ioprio_get, 1, 0), S(ioprio_get, 99, 0))
CHECK(ioprio_set, S(ioprio_set, 1, 0, 0), S(ioprio_set, 99, 0, 0))
CHECK(sched_get_priority_max, S(sched_get_priority_max, 1), S(sched_get_priority_max, 99))
CHECK(sched_get_priority_min, S(sched_get_priority_min, 1), S(sched_get_priority_min, 99))
CHECK(sched_getscheduler, S(sched_getscheduler, 0), S(sched_getscheduler, -1))
CHECK(sched_setscheduler, S(sched_setscheduler, 0, 0, BUF), S(sched_setscheduler, 0, 99, BUF))
CHECK(sched_getparam, S(sched_getparam, 0, BUF), S(sched_getparam, 0, 0))
CHECK(sched_setparam, S(sched_setparam, 0, BUF), S(sched_setparam, 0, 0))
CHECK(sched_rr_get_interval, S(sched_rr_get_interval, 0, BUF), S(sched_rr_get_interval, -1, BUF))
CHECK(setrlimit, S(setrlimit, 7, P(limits)), S(setrlimit, 99, P(limits)))
CHECK(getrlimit, S(getrlimit, 7, BUF), S(getrlimit, 99, BUF))
CHECK(prlimit64, S(prlimit64, 0, 7, P(limits), BUF), S(prlimit64, 0, 99, 0, BUF))
CHECK(getrusage, S(getrusage, 0, BUF), S(getrusage, 99, BUF))
CHECK(sysinfo, S(sysinfo, BUF), S(sysinfo, BAD))
CHECK_ANY(times, S(times, BUF), S(times, BAD))
CHECK(getcpu, S(getcpu, BUF, BUF + 4), S(getcpu, BAD))
CHECK(alarm, S(alarm, 1000), S(alarm, 0))
CHECK(getrandom, S(getrandom, BUF, 100, 0), S(getrandom, BUF, 10, 99))
CHECK_ANY(set_tid_address, S(set_tid_address, BUF), 0)
CHECK(set_robust_list, S(set_robust_list, BUF, 24), S(set_robust_list, BUF, 23))
CHECK(kill, S(kill, S(getpid), 0), S(kill, S(getpid), 99))
CHECK(tkill, S(tkill, S(gettid), 0), S(tkill, -1, 0))
CHECK(tgkill, S(tgkill, S(getpid), S(gettid), 0), S(tgkill, S(getpid), -1, 0))
CHECK(arch_prctl, S(arch_prctl, 0x1003, BUF), S(arch_prctl, 0x9999, 0))
CHECK(capset, 0, S(capset, BAD, BUF))
CHECK(pidfd_open, S(pidfd_open, S(getpid), 0), S(pidfd_open, -1, 0))
CHECK(sethostname, 0, S(sethostname, BAD, 10))
CHECK(setdomainname, 0, S(setdomainname, BAD, 10))
CHECK(chroot, 0, S(chroot, P("none")))
CHECK(settimeofday, 0, S(settimeofday, BAD, 0))

void check_pidfd_send_signal(void)
{
	int process = S(pidfd_open, S(getpid), 0);

	good(S(pidfd_send_signal, process, 0, 0, 0));
	bad(S(pidfd_send_signal, process, 99, 0, 0));
}

CHECK(pidfd_getfd, S(pidfd_getfd, S(pidfd_open, S(getpid), 0), fd, 0), S(pidfd_getfd, fd, 0, 0))

void check_uname(void)
{
	good(S(uname, BUF));
	wrote(buffer, 390);
	bad(S(uname, BAD));
}

void check_getgroups(void)
{
	good(S(getgroups, 0, 0));
	good(S(getgroups, 1000, BUF));
	wrote(buffer, 100);
	bad(S(getgroups, -1, BUF));
}

void check_getresuid(void)
{
	good(S(getresuid, BUF, BUF + 4, BUF + 8));
	wrote(buffer, 16);
	bad(S(getresuid, BUF, BAD, BUF));
}

void check_getresgid(void)
{
	good(S(getresgid, BUF, BUF + 4, BUF + 8));
	wrote(buffer, 16);
	bad(S(getresgid, BUF, BAD, BUF));
}

void check_capget(void)
{
	uint32_t header[2] = { 0x20080522, 0 };

	good(S(capget, P(header), BUF));
	wrote(buffer, 32);
	header[0] = 0;
	good(S(capget, P(header), 0));
	wrote(header, 8);
	bad(S(capget, BAD, BUF));
}

void check_prctl(void)
{
	good(S(prctl, 15, P("a name")));
	good(S(prctl, 16, BUF));
	wrote(buffer, 16);
	good(S(prctl, 39));
	bad(S(prctl, 99999));
	bad(S(prctl, 16, BAD));
}

void check_sched_getaffinity(void)
{
	good_any(S(sched_getaffinity, 0, 128, BUF));
	bad(S(sched_getaffinity, 0, 1, BUF));
}

void check_sched_setaffinity(void)
{
	int64_t size = S(sched_getaffinity, 0, 128, BUF);

	good(S(sched_setaffinity, 0, size, BUF));
	bad(S(sched_setaffinity, 0, 128, BUF + 1000));
}

void check_sched_getattr(void)
{
	good(S(sched_getattr, 0, BUF, 48, 0));
	bad(S(sched_getattr, 0, BUF, 4, 0));
}

void check_sched_setattr(void)
{
	S(sched_getattr, 0, BUF, 48, 0);
	good(S(sched_setattr, 0, BUF, 0));
	bad(S(sched_setattr, 0, 0, 0));
}

/* --- Time ------------------------------------------------------------------------------------ */

static const struct timespec moment = { 0, 1000 }, never = { 0, 2000000000 };

CHECK(gettimeofday, S(gettimeofday, BUF, 0), S(gettimeofday, BAD, 0))
CHECK_ANY(time, S(time, BUF), S(time, BAD))
CHECK(clock_gettime, S(clock_gettime, 1, BUF), S(clock_gettime, 99, BUF))
CHECK(clock_settime, 0, S(clock_settime, 99, P(&moment)))
CHECK_ANY(adjtimex, S(adjtimex, BUF), S(adjtimex, BAD))
CHECK_ANY(clock_adjtime, S(clock_adjtime, 0, BUF), S(clock_adjtime, 99, BUF))
CHECK(nanosleep, S(nanosleep, P(&moment), 0), S(nanosleep, P(&never), 0))
CHECK(clock_nanosleep, S(clock_nanosleep, 1, 0, P(&moment), 0),
      S(clock_nanosleep, 1, 0, P(&never), 0))
CHECK(getitimer, S(getitimer, 0, BUF), S(getitimer, 99, BUF))

void check_clock_getres(void)
{
	good(S(clock_getres, 1, BUF));
	wrote(buffer, 16);
	bad(S(clock_getres, 99, BUF));
}

void check_setitimer(void)
{
	int64_t timer[4] = { 0, 0, 1000, 0 };

	good(S(setitimer, 0, P(timer), BUF));
	timer[2] = 0;
	good(S(setitimer, 0, P(timer), BUF));
	bad(S(setitimer, 99, P(timer), BUF));
}

/* --- Signals --------------------------------------------------------------------------------- */

static volatile int ran;
static volatile long brought;

static void handler(int signal, siginfo_t *info, void *context)
{
	(void)context;
	ran += signal;
	brought = (long)info->si_value.sival_ptr;
}

static void handle(int signal, int flags)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags };

	ran = 0;
	sigaction(signal, &action, NULL);
}

void check_rt_sigaction(void)
{
	handle(SIGUSR1, 0);
	S(kill, S(getpid), SIGUSR1);
	good(ran);
	good(S(rt_sigaction, SIGUSR1, 0, BUF, 8));
	bad(S(rt_sigaction, SIGKILL, BUF, 0, 8));
	bad(S(rt_sigaction, 0, 0, BUF, 8));
	bad(S(rt_sigaction, SIGUSR1, 0, BUF, 4));
	bad(S(rt_sigaction, SIGUSR1, BAD, 0, 8));
}

void check_rt_sigprocmask(void)
{
	uint64_t mask = 1UL << (SIGUSR1 - 1);

	handle(SIGUSR1, 0);
	good(S(rt_sigprocmask, SIG_BLOCK, P(&mask), BUF, 8));
	S(kill, S(getpid), SIGUSR1);
	good(ran);
	good(S(rt_sigpending, BUF, 8));
	wrote(buffer, 8);
	good(S(rt_sigprocmask, SIG_UNBLOCK, P(&mask), 0, 8));
	good(ran);
	bad(S(rt_sigprocmask, 99, P(&mask), 0, 8));
	bad(S(rt_sigprocmask, SIG_BLOCK, BAD, 0, 8));
}

CHECK(rt_sigpending, S(rt_sigpending, BUF, 8), S(rt_sigpending, BUF, 99))
CHECK(sigaltstack, S(sigaltstack, 0, BUF), S(sigaltstack, BAD, 0))

void check_rt_sigreturn(void)
{
	handle(SIGUSR2, SA_NODEFER);
	S(tkill, S(gettid), SIGUSR2);
	good(ran);
}

void check_rt_sigsuspend(void)
{
	uint64_t mask = 1UL << (SIGUSR1 - 1), none = 0;

	handle(SIGUSR1, 0);
	S(rt_sigprocmask, SIG_BLOCK, P(&mask), 0, 8);
	S(kill, S(getpid), SIGUSR1);
	good(S(rt_sigsuspend, P(&none), 8));
	good(ran);
	S(rt_sigprocmask, SIG_UNBLOCK, P(&mask), BUF, 8);
	wrote(buffer, 8);
	bad(S(rt_sigsuspend, BAD, 8));
	bad(S(rt_sigsuspend, P(&none), 4));
}

void check_pause(void)
{
	int64_t timer[4] = { 0, 0, 0, 10000 };

	handle(SIGALRM, SA_RESTART);
	S(setitimer, 0, P(timer), 0);
	good(S(pause));
	good(ran);
}

void check_rt_sigtimedwait(void)
{
	uint64_t mask = 1UL << (SIGUSR1 - 1);

	S(rt_sigprocmask, SIG_BLOCK, P(&mask), 0, 8);
	bad(S(rt_sigtimedwait, P(&mask), BUF, P(&moment), 8));
	S(kill, S(getpid), SIGUSR1);
	good(S(rt_sigtimedwait, P(&mask), BUF, 0, 8));
	wrote(buffer, 4);
	bad(S(rt_sigtimedwait, BAD, BUF, 0, 8));
	S(rt_sigprocmask, SIG_UNBLOCK, P(&mask), 0, 8);
}

static void queue(siginfo_t *info)
{
	memset(info, 0, sizeof(*info));
	info->si_code = SI_QUEUE;
	info->si_value.sival_ptr = buffer;
	handle(SIGUSR1, 0);
}

void check_rt_sigqueueinfo(void)
{
	siginfo_t info;

	queue(&info);
	good(S(rt_sigqueueinfo, S(getpid), SIGUSR1, P(&info)));
	good(ran);
	good(brought == BUF);
	bad(S(rt_sigqueueinfo, S(getpid), SIGUSR1, BAD));
}

void check_rt_tgsigqueueinfo(void)
{
	siginfo_t info;

	queue(&info);
	good(S(rt_tgsigqueueinfo, S(getpid), S(gettid), SIGUSR1, P(&info)));
	good(ran);
	bad(S(rt_tgsigqueueinfo, S(getpid), S(gettid), 99, P(&info)));
}

/* --- Timers ---------------------------------------------------------------------------------- */

static int timer(void)
{
	uint64_t event[8] = { BUF, SIGUSR1 };
	int id = -1;

	good(S(timer_create, 1, P(event), P(&id)));
	return id;
}

void check_timer_create(void)
{
	uint64_t event[8] = { BUF, SIGUSR1 }, mask = 0;
	int id;

	handle(SIGUSR1, 0);
	id = timer();
	S(timer_settime, id, 0, P((int64_t[4]){ 0, 0, 0, 1000 }), 0);
	while (!ran)
		S(rt_sigtimedwait, P(&mask), 0, P(&moment), 8);
	good(brought == BUF);
	bad(S(timer_create, 99, P(event), P(&id)));
	bad(S(timer_create, 1, BAD, P(&id)));
}

void check_timer_settime(void)
{
	int64_t long_time[4] = { 0, 0, 1000, 0 };
	int id = timer();

	good(S(timer_settime, id, 0, P(long_time), BUF));
	wrote(buffer, 32);
	bad(S(timer_settime, 99, 0, P(long_time), BUF));
}

void check_timer_gettime(void)
{
	good(S(timer_gettime, timer(), BUF));
	wrote(buffer, 32);
	bad(S(timer_gettime, 99, BUF));
}

CHECK(timer_getoverrun, S(timer_getoverrun, timer()), S(timer_getoverrun, 99))
CHECK(timer_delete, S(timer_delete, timer()), S(timer_delete, 99))

/* --- Processes ------------------------------------------------------------------------------- */

static long end_of(long child)
{
	int status = -1;

	if (child == 0)
		S(exit_group, 7);
	if (child < 0)
		return child;
	return S(wait4, child, P(&status), 0, 0) == child ? status : -1;
}

void check_fork(void)
{
	good(end_of(S(fork)));
}

/* The child runs on the parent's stack, so it calls nothing. */
void check_vfork(void)
{
	long child = __NR_vfork;

	asm volatile("syscall\n\t"
		     "testq %%rax, %%rax\n\t"
		     "jnz 1f\n\t"
		     "movl %1, %%eax\n\t"
		     "movl $7, %%edi\n\t"
		     "syscall\n"
		     "1:"
		     : "+a"(child) : "i"(__NR_exit_group) : "rcx", "r11", "rdi", "memory");
	good(end_of(child));
}

void check_clone3(void)
{
	uint64_t arguments[8] = { [4] = SIGCHLD };

	good(end_of(S(clone3, P(arguments), sizeof(arguments))));
	bad(S(clone3, P(arguments), 8));
	bad(S(clone3, BAD, sizeof(arguments)));
	arguments[0] = 0x00010000;			/* CLONE_THREAD alone */
	bad(S(clone3, P(arguments), sizeof(arguments)));
}

CHECK(rseq, 0, S(rseq, BUF, 32, 0, 0x53053053))

void check_clone(void)
{
	good(end_of(S(clone, SIGCHLD, 0, 0, 0, 0)));
	bad(S(clone, 0x00010000, 0, 0, 0, 0));		/* CLONE_THREAD alone */
}

void check_exit(void)
{
	long child = S(fork);

	if (child == 0)
		S(exit, 7);
	good(end_of(child));
}

void check_exit_group(void)
{
	good(end_of(S(fork)));
}

void check_wait4(void)
{
	bad(S(wait4, -1, BUF, 0, 0));
	good(end_of(S(fork)));
	bad(S(wait4, -1, BUF, 99, 0));
}

void check_waitid(void)
{
	long child = S(fork);

	if (child == 0)
		S(exit_group, 7);
	good_any(child);
	if (child > 0) {
		good(S(waitid, P_PID, child, BUF, WEXITED, 0));
		wrote(buffer, 12);
	}
	bad(S(waitid, P_ALL, 0, BUF, WEXITED, 0));
	bad(S(waitid, 99, 0, BUF, WEXITED, 0));
}

void check_execve(void)
{
	bad(S(execve, P("none"), 0, 0));
	bad(S(execve, P("file"), 0, 0));
	bad(S(execve, BAD, 0, 0));
}

void check_execveat(void)
{
	bad(S(execveat, dir, P("none"), 0, 0, 0));
}
