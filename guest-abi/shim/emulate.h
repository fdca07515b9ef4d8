/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls that the shim serves itself, wholly or in part. Each returns the
 * program's RAX; arguments are the program's, unchecked.
 */
#ifndef SHIM_EMULATE_H
#define SHIM_EMULATE_H

#include "shim.h"

#define EMULATED(name)	int64_t name(struct thread *t, const uint64_t arg[6])

/* emulate.c */
EMULATED(call_close);
EMULATED(call_close_range);
EMULATED(call_dup2);
EMULATED(call_dup3);
EMULATED(call_ioctl);
EMULATED(call_fcntl);
EMULATED(call_prctl);
EMULATED(call_arch_prctl);
EMULATED(call_readlink);
EMULATED(call_readlinkat);
EMULATED(call_getrandom);
EMULATED(call_rseq);
EMULATED(call_syslog);
EMULATED(call_unshare);
EMULATED(call_kcmp);
EMULATED(call_landlock_create_ruleset);

/* A call that is several: by the row for its request, or `unknown`. */
struct subcall;
int64_t subcall_make(struct thread *t, const struct subcall *table, uint64_t number,
		     uint64_t request, int64_t unknown, const uint64_t arg[6]);

/* clone.c, fork.c */
EMULATED(call_clone);
EMULATED(call_clone3);
EMULATED(call_fork);
EMULATED(call_vfork);

/* children.c */
EMULATED(call_waitid);

/* thread.c */
EMULATED(call_gettid);
EMULATED(call_set_tid_address);
EMULATED(call_set_robust_list);
EMULATED(call_get_robust_list);
EMULATED(call_exit);
EMULATED(call_exit_group);

/* futex.c */
EMULATED(call_futex);

/* exec.c */
EMULATED(call_execve);
EMULATED(call_execveat);

/* memory.c, mmap.c, mremap.c, advice.c */
EMULATED(call_mmap);
EMULATED(call_mprotect);
EMULATED(call_munmap);
EMULATED(call_mremap);
EMULATED(call_brk);
EMULATED(call_madvise);
EMULATED(call_mincore);
EMULATED(call_mlock);
EMULATED(call_mlock2);
EMULATED(call_munlock);
EMULATED(call_mlockall);
EMULATED(call_munlockall);
EMULATED(call_msync);

/* signal.c */
EMULATED(call_rt_sigaction);
EMULATED(call_rt_sigprocmask);
EMULATED(call_rt_sigreturn);
EMULATED(call_sigaltstack);

/* socket.c, message.c */
EMULATED(call_socket);
EMULATED(call_socketpair);
EMULATED(call_setsockopt);
EMULATED(call_getsockopt);
EMULATED(call_sendmsg);
EMULATED(call_recvmsg);
EMULATED(call_sendmmsg);
EMULATED(call_recvmmsg);

/* sysv.c */
EMULATED(call_semctl);
EMULATED(call_msgsnd);
EMULATED(call_msgrcv);
EMULATED(call_msgctl);

/* barrier.c */
EMULATED(call_membarrier);

/* limits.c */
EMULATED(call_setrlimit);
EMULATED(call_prlimit64);

/* sized.c */
EMULATED(call_capget);
EMULATED(call_capset);
EMULATED(call_sched_setattr);
EMULATED(call_sched_getattr);

/* wait.c */
EMULATED(call_pselect6);
EMULATED(call_ppoll);
EMULATED(call_rt_sigsuspend);
EMULATED(call_rt_sigtimedwait);
EMULATED(call_signalfd);
EMULATED(call_signalfd4);

/* timer.c */
EMULATED(call_timer_create);
EMULATED(call_timer_delete);

/* epoll.c */
EMULATED(call_epoll_create);
EMULATED(call_epoll_create1);
EMULATED(call_epoll_ctl);
EMULATED(call_epoll_wait);
EMULATED(call_epoll_pwait);
EMULATED(call_epoll_pwait2);

#endif
