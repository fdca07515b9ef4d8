/* SPDX-License-Identifier: BSD-2-Clause */
/* The parent's side of fork: with the hypervisor and the host in every mood. */
#include <sys/mman.h>

#include "guest-abi/shim/base/carrier.h"
#include "guest-abi/shim/base/channel.h"
#include "guest-abi/shim/emulate.h"
#include "guest-abi/shim/processes/fork.h"
#include "guest-abi/shim/processes/limits.h"
#include "guest-abi/shim/threads/futex.h"
#include "guest-abi/shim/base/host.h"
#include "guest-abi/shim/memory/memory.h"
#include "guest-abi/shim/threads/thread.h"
#include "guest-abi/shim/time/time.h"
#include "guest-abi/shim/base/token.h"
#include "test.h"

#define SIGCHLD		17

static const int64_t *answers;
static unsigned int gos, aborts, requests, clones;
static uint64_t whom;		/* ABORT names */
static int64_t clone_answer, request_answer, abort_answer;
static uint64_t blocked;

static bool all_held(void)
{
	return thread_lock.word && memory_lock.word && vm_lock.word && arena_lock.word &&
	       futex_lock.word && carriers[0].lock.word && carriers[CARRIERS_MAX - 1].lock.word;
}

static bool none_held(void)
{
	return !(thread_lock.word | memory_lock.word | vm_lock.word | arena_lock.word |
		 futex_lock.word | carriers[0].lock.word | carriers[CARRIERS_MAX - 1].lock.word);
}

/* Who dies holds them. */
static void free_locks(void)
{
	thread_lock.word = memory_lock.word = vm_lock.word = arena_lock.word = 0;
	futex_lock.word = token_lock.word = time_lock.word = 0;
	for (int i = 0; i < CARRIERS_MAX; i++)
		carriers[i].lock.word = 0;
}

static int64_t fork_call(uint64_t number, uint64_t words[4])
{
	CHECK_EQ(number, CARREL_HC_FORK);
	if (words[0] == CARREL_FORK_ABORT)
		return CHECK_EQ(words[1], whom), ++aborts == 1 ? CARREL_MORE : abort_answer;
	CHECK(all_held());
	CHECK_EQ(self()->start, START_FORKED);
	CHECK_EQ(blocked, UINT64_MAX);
	gos++;
	if (*answers)
		return *answers++;
	words[0] = 0xaaa;
	words[1] = 0xbbb;
	words[2] = 0xccc;
	return 0;
}

static int64_t host(const struct ocall *c, uint64_t *flags)
{
	(void)flags;
	switch (c->number) {
	case SYS_rt_sigprocmask:
		memcpy(&blocked, (void *)c->arg[1], sizeof(blocked));
		return 0;
	case SYS_gettid:
		return 4321;
	case SYS_msync:
		requests++;
		return request_answer;
	case SYS_clone:
		CHECK(none_held());
		CHECK_EQ(blocked, UINT64_MAX);
		CHECK_EQ(c->arg[1], CARREL_CHILD_RSP(CARREL_CHANNEL_VA));
		CHECK_EQ(c->arg[2], 0);
		CHECK_EQ(c->arg[0] & ~(uint64_t)CLONE_VFORK, SIGCHLD);
		CHECK(c->arg[3] == 0xaaa && c->arg[4] == 0xbbb && c->arg[5] == 0xccc);
		clones++;
		return clone_answer;
	default:
		CHECK_EQ(c->number, 0);
		return 0;
	}
}

static struct thread *begin(const int64_t *moods)
{
	struct thread *t = fake_reset(2, 4);

	fake.host = host;
	fake.words = fork_call;
	fake.requests = true;
	answers = moods;
	gos = aborts = requests = clones = 0;
	whom = 0;
	clone_answer = 77;
	request_answer = abort_answer = 0;
	t->mask = 0x1000;
	t->regs.rsp = 0x5000;
	free_locks();
	return t;
}

static int64_t forked(struct thread *t)
{
	const uint64_t none[6] = { 0 };

	return call_fork(t, none);
}

static void check_after(const struct thread *t)
{
	CHECK(none_held());
	CHECK_EQ(blocked, 0x1000);
	CHECK_EQ(t->start, START_DONE);
	CHECK_EQ(t->regs.rsp, 0x5000);
}

static void steps(void)
{
	static const int64_t moods[] = {
		CARREL_MORE, CARREL_PENDING, CARREL_EBUSY, CARREL_ENOMEM, CARREL_MORE, 0,
	};
	struct thread *t = begin(moods);

	CHECK_EQ(forked(t), 77);
	CHECK(gos == 6 && requests == 2 && clones == 1 && aborts == 0);
	check_after(t);
}

static void no_memory(void)
{
	static const int64_t enomem[] = { CARREL_MORE, CARREL_ENOMEM, 0 }, limit[] = { CARREL_ELIMIT, 0 };
	struct thread *t = begin(enomem);

	request_answer = -LINUX_ENOMEM;
	CHECK_EQ(forked(t), -LINUX_ENOMEM);
	CHECK(aborts == 2 && clones == 0);
	check_after(t);
	t = begin(limit);
	CHECK_EQ(forked(t), -LINUX_ENOMEM);
	CHECK(aborts == 2 && clones == 0);
	check_after(t);
}

static void no_process(void)
{
	static const int64_t fine[] = { 0 };
	struct thread *t = begin(fine);

	clone_answer = -LINUX_EAGAIN;
	whom = 0xaaa;
	CHECK_EQ(forked(t), -LINUX_EAGAIN);
	CHECK(aborts == 2 && clones == 1);
	check_after(t);
}

static void lies(void)
{
	static const int64_t fine[] = { 0 }, wrong[] = { CARREL_EARG, 0 }, flush[] = { CARREL_PENDING, 0 };
	struct thread *t = begin(fine);

	clone_answer = 0;
	CHECK_DIES(CARREL_DIE_IAGO, forked(t));
	t = begin(fine);
	clone_answer = 1L << 31;
	CHECK_DIES(CARREL_DIE_IAGO, forked(t));
	/* it failed, but somebody came for the child */
	t = begin(fine);
	clone_answer = -LINUX_EAGAIN;
	whom = 0xaaa;
	abort_answer = CARREL_ESTATE;
	CHECK_DIES(CARREL_DIE_IAGO, forked(t));
	t = begin(wrong);
	CHECK_DIES(CARREL_DIE_SHIM, forked(t));
	t = begin(flush);
	request_answer = -LINUX_EINVAL;
	CHECK_DIES(CARREL_DIE_IAGO, forked(t));
	free_locks();
}

static void refused(void)
{
	static const int64_t fine[] = { 0 };
	struct thread *t = begin(fine);
	struct clone_request r = { .flags = CLONE_VM, .exit_signal = SIGCHLD };

	CHECK_EQ(fork_clone(t, &r), -LINUX_EINVAL);
	r.flags = CLONE_NEWNS;
	CHECK_EQ(fork_clone(t, &r), -LINUX_EINVAL);
	r.flags = CLONE_FILES;
	CHECK_EQ(fork_clone(t, &r), -LINUX_EINVAL);
	r = (struct clone_request){ .stack = UINT64_MAX, .exit_signal = SIGCHLD };
	CHECK_EQ(fork_clone(t, &r), -LINUX_EPERM);
	r = (struct clone_request){ .flags = CLONE_SETTLS, .tls = UINT64_MAX };
	CHECK_EQ(fork_clone(t, &r), -LINUX_EPERM);
	CHECK(gos == 0 && fake.ocalls == 0 && fake.notes == 3);
}

/* --- vfork -------------------------------------------------------------------------------- */

static struct lock *left;	/* what the child holds when its parent goes on */
static unsigned int made, yields;
static bool alive;

/* THREAD: the first time is the child's birth, then its end. */
static int64_t make_thread(uint64_t index)
{
	CHECK(index < 2);
	made++;
	if (made > 1 && alive && left && left->word) {
		left->word = 0;		/* it runs, and gives the lock back */
		return CARREL_EBUSY;
	}
	return 0;
}

static int64_t vfork_host(const struct ocall *c, uint64_t *flags)
{
	(void)flags;
	switch (c->number) {
	case SYS_rt_sigprocmask:
		memcpy(&blocked, (void *)c->arg[1], sizeof(blocked));
		return 0;
	case SYS_gettid:
		return 4321;
	case SYS_sched_yield:
		CHECK(++yields < 10);		/* it would wait for ever */
		return 0;
	case SYS_clone:
		CHECK(none_held());
		CHECK_EQ(blocked, UINT64_MAX);
		if (left)
			left->word = 1 + 1;
		return 77;
	default:
		CHECK_EQ(c->number, 0);
		return 0;
	}
}

static struct thread *begin_vfork(struct lock *held)
{
	struct thread *t = begin(NULL);

	for (uint64_t i = 0; i < 2; i++)
		CHECK(mmap((void *)CARREL_THREAD_PAGE(i), CARREL_THREAD_STRIDE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED);
	fake.host = vfork_host;
	fake.thread = make_thread;
	thread_forked(t);
	carriers[0].used = true;
	carriers[1].used = false;
	left = held;
	made = yields = 0;
	return t;
}

/* The parent of a child that was killed inside the shim does not wait for ever for what it held. */
static void killed_inside(void)
{
	struct lock *const locks[] = {
		&thread_lock, &memory_lock, &arena_lock, &futex_lock, &token_lock, &time_lock, &vm_lock,
	};
	const uint64_t none[6] = { 0 };
	struct thread *t = begin_vfork(NULL);

	alive = false;
	CHECK_EQ(call_vfork(t, none), 77);
	CHECK(none_held() && made == 3 && !carriers[1].used);
	for (unsigned int i = 0; i < sizeof(locks) / sizeof(*locks); i++) {
		t = begin_vfork(locks[i]);
		CHECK_DIES(CARREL_DIE_HELD, call_vfork(t, none));
	}
	/* the kernel lied: it goes on, and is stopped where it holds nothing */
	alive = true;
	for (unsigned int i = 0; i < sizeof(locks) / sizeof(*locks); i++) {
		t = begin_vfork(locks[i]);
		CHECK_EQ(call_vfork(t, none), 77);
	}
	thread_forked(self());
}

/* --- Limits ------------------------------------------------------------------------------- */

#define NR_SETRLIMIT	160
#define NR_PRLIMIT	302

static uint64_t soft[16];

static int64_t limiting(const struct ocall *call, uint64_t *flags)
{
	const uint64_t answer[2] = { soft[call->arg[1] & 15], 1048576 };

	(void)flags;
	if (call->number == NR_SETRLIMIT) {
		memcpy(&soft[call->arg[0] & 15], (void *)call->arg[1], sizeof(soft[0]));
		return 0;
	}
	CHECK_EQ(call->number, NR_PRLIMIT);
	CHECK_EQ(call->arg[0], 0);
	if (call->arg[2])
		memcpy(&soft[call->arg[1] & 15], (void *)call->arg[2], sizeof(soft[0]));
	if (call->arg[3])
		memcpy((void *)call->arg[3], answer, sizeof(answer));
	return 0;
}

/* No descriptor comes from the kernel that cannot be noted, whatever the program asks for. */
static void limits(void)
{
	struct thread *t = fake_reset(2, 16);
	uint64_t *raised = (uint64_t *)program_block(16, CARREL_R);

	for (int i = 0; i < 16; i++)
		soft[i] = 1000 + i;
	soft[7] = 1048576;
	fake.host = limiting;
	limits_read(t);
	CHECK_EQ(limit_of(LIMIT_DATA), 1002);
	CHECK_EQ(limit_of(LIMIT_STACK), 1003);
	CHECK_EQ(limit_of(LIMIT_AS), 1009);
	CHECK_EQ(soft[7], FDS_MAX);
	raised[0] = raised[1] = 500000;
	CHECK_EQ(call_setrlimit(t, (uint64_t[6]){ 7, (uint64_t)raised }), 0);
	CHECK_EQ(soft[7], FDS_MAX);
	CHECK_EQ(call_prlimit64(t, (uint64_t[6]){ 0, 9, (uint64_t)raised, 0 }), 0);
	CHECK_EQ(limit_of(LIMIT_AS), 500000);
	soft[7] = 77;
	limits_read(t);
	CHECK_EQ(soft[7], 77);
}

const struct test fork_tests[] = {
	{ "limits: what the kernel says, and no more descriptors than can be noted", limits },

	{ "fork: in steps, with all locks held and signals blocked", steps },
	{ "fork: no memory", no_memory },
	{ "fork: no host process", no_process },
	{ "fork: a host that lies", lies },
	{ "fork: what is refused", refused },
	{ "vfork: a child that is killed in the shim", killed_inside },
	{ NULL, NULL },
};
