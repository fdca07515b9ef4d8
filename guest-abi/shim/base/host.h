/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Everything that leaves the process view: hypercalls and the host's system
 * calls. What comes back from the host is a claim.
 */
#ifndef SHIM_HOST_H
#define SHIM_HOST_H

#include "base/errno.h"
#include "shim.h"

/* entry.S. Results as in carrel/hypercall.h. */
struct answer {
	int64_t result;
	uint64_t done;		/* MAP, UNMAP, PROTECT: pages, also with CARREL_MORE */
};

struct answer hypercall(uint64_t number, uint64_t a, uint64_t b, uint64_t c);
int64_t hypercall_random(uint64_t out[4]);
/* PASS, CLAIM, FORK: RDI RSI RDX R10 as they go and come. */
int64_t hypercall_words(uint64_t number, uint64_t words[4]);
int64_t hypercall_ocall(uint64_t number, const uint64_t args[6], uint64_t *flags);

/* Numbers of the host's calls that the shim makes on its own account. */
enum {
	SYS_read = 0, SYS_open = 2, SYS_close = 3, SYS_fstat = 5, SYS_poll = 7,
	SYS_rt_sigaction = 13, SYS_rt_sigprocmask = 14, SYS_pread64 = 17, SYS_pwrite64 = 18,
	SYS_sched_yield = 24, SYS_msync = 26, SYS_dup2 = 33,
	SYS_getpid = 39, SYS_getsockopt = 55, SYS_exit = 60, SYS_kill = 62, SYS_fcntl = 72,
	SYS_readlink = 89, SYS_gettid = 186, SYS_clock_gettime = 228, SYS_exit_group = 231, SYS_tgkill = 234,
	SYS_readlinkat = 267, SYS_dup3 = 292,
	SYS_execve = 59, SYS_waitid = 247, SYS_close_range = 436, SYS_geteuid = 107, SYS_getegid = 108, SYS_fgetxattr = 193, SYS_openat = 257,
	SYS_clone = 56, SYS_futex = 202, SYS_pselect6 = 270, SYS_rt_tgsigqueueinfo = 297, SYS_memfd_create = 319, SYS_faccessat2 = 439,
};

/* host_call: a signal came first and the call was not made. No host can answer this. */
#define HOST_NOT_STARTED	INT64_MIN

/*
 * One system call for the program. Returns a value from -4095 up (anything lower
 * kills the process) or HOST_NOT_STARTED. A signal that the host reports is
 * taken into t->siginfo.
 */
int64_t host_call(struct thread *t, uint64_t number, const uint64_t args[6]);

/*
 * For the shim itself: made even if a signal is waiting, so it must not sleep for long.
 */
int64_t host_call_always(struct thread *t, uint64_t number, const uint64_t args[6]);
int64_t host_call_own(struct thread *t, uint64_t number, uint64_t a, uint64_t b, uint64_t c,
		      uint64_t d);

/* This thread's number in the host, which programs own locks by. */
uint32_t host_tid(struct thread *t);

/* Ask the module for CARREL_REQ_*. False if it refuses; an interrupted request is asked anew. */
bool ask_module(struct thread *t, uint64_t request, uint64_t argument);

/*
 * What a hypercall that did not come to its end needs, with the module's help: memory; for PENDING
 * that threads are thrown out of the view, or, if it was `*pending` before (frames of the family wait
 * for others), that every CPU flushes. True: call again. False: there is no memory. A result that
 * cannot be kills the process.
 */
bool hypercall_help(struct thread *t, int64_t result, bool *pending);

/* Take what the stub noted in the slot, if it noted anything. */
void host_take_signal(struct thread *t);

/* Kill this process with a CARREL_DIE_* code in the log. */
_Noreturn void die(uint64_t code);

/* A line in the log. */
void note(uint64_t code, uint64_t number);

/*
 * MAP, UNMAP, PROTECT: carried to the end, with the module's help where the
 * hypervisor asks for it. 0 or -LINUX_ENOMEM; other refusals mean that the
 * shim's map is wrong, and kill the process.
 */
int64_t memory_hypercall(struct thread *t, uint64_t number, uint64_t address, uint64_t size,
			 uint64_t rights);

/* `size` random bytes; kills the process when the generator fails. */
void random_bytes(void *out, size_t size);

#endif
