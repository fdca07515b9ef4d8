/* SPDX-License-Identifier: BSD-2-Clause */
/* mmap and its kin: the shim's map and the hypervisor's book must agree after anything. */
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "guest-abi/shim/emulate.h"
#include "guest-abi/shim/load/program.h"
#define sigcontext shim_sigcontext	/* the C library has one, too */
#include "guest-abi/shim/signals/sigframe.h"
#undef sigcontext
#include "test.h"

#define PAGE		4096UL
#define HEAP		0x300000000000UL
#define FIXED_LOW	0x310000000000UL
#define ANON		0x22
#define FIXED		0x10

static struct thread *t;

static void begin(void)
{
	t = fake_reset(2, 4);
	fake.memory = true;
	memory_setup(&(struct memory_layout){ .brk_start = HEAP, .map_high = 0x7eff00000000UL });
}

static int64_t map(uint64_t at, uint64_t size, uint64_t prot, uint64_t flags)
{
	return call_mmap(t, (uint64_t[6]){ at, size, prot, flags, -1, 0 });
}

static uint64_t address(void)
{
	struct vm_range part;
	uint64_t from = random_below(2) ? CARREL_END : 0;

	if (random_below(8) == 0)
		return random_u64() << random_below(30);
	if (random_below(3) && vm_next(from, VM_HIGH, &part))
		return part.start + random_below(6) * PAGE;
	return FIXED_LOW + random_below(64) * PAGE;
}

static uint64_t size(void)
{
	static const uint64_t odd[] = { 0, 1, PAGE - 1, 1UL << 47, UINT64_MAX, UINT64_MAX - PAGE };

	return random_below(12) ? (1 + random_below(8)) * PAGE : odd[random_below(6)];
}

static void one_operation(void)
{
	static const uint64_t flags[] = { ANON, ANON, ANON | FIXED, ANON | 0x100000, 0x21, 2, 0x40022 };
	uint64_t a = address(), s = size();
	int64_t now;

	switch (random_below(7)) {
	case 0:
	case 1:
		now = map(a, s, random_below(9), flags[random_below(7)]);
		CHECK(now < 0 || (now % PAGE == 0 && vm_covered(now, now + s)));
		break;
	case 2:
		call_munmap(t, (uint64_t[6]){ a, s });
		break;
	case 3:
		call_mprotect(t, (uint64_t[6]){ a, s, random_below(9) });
		break;
	case 4:
		call_mremap(t, (uint64_t[6]){ a, s, size(), random_below(3) });
		break;
	case 5:
		fake.refuse_map = 0;	/* what was given up must come back: refusing is deadly */
		call_madvise(t, (uint64_t[6]){ a, s, random_below(12) });
		break;
	default:
		now = call_brk(t, (uint64_t[6]){ 0 });
		call_brk(t, (uint64_t[6]){ random_below(4) ? now + random_below(9) * PAGE - 4 * PAGE + 7
							   : random_u64() });
	}
}

/* Executable memory is mapped readable here: the book is what counts. */
static void random_operations(void)
{
	begin();
	for (int i = 0; i < 10000; i++) {
		if (random_below(50) == 0)
			fake.refuse_map = CARREL_ELIMIT;
		one_operation();
		fake.refuse_map = 0;
		if (i % 16 == 0)
			check_memory();
	}
	check_memory();
}

static void moved_contents(void)
{
	uint8_t *p, *q;

	begin();
	map(0, PAGE, 0, ANON);		/* what comes next lies below it and cannot grow */
	p = (uint8_t *)map(0, 4 * PAGE, 3, ANON);
	memset(p, 7, 4 * PAGE);
	q = (uint8_t *)call_mremap(t, (uint64_t[6]){ (uint64_t)p, 4 * PAGE, 40 * PAGE, 1 });
	CHECK(q != p && q[0] == 7 && q[4 * PAGE - 1] == 7 && q[4 * PAGE] == 0);
	CHECK(!vm_covered((uint64_t)p, (uint64_t)p + 1) || (p >= q && p < q + 40 * PAGE));
	check_memory();
}

static void heap(void)
{
	begin();
	CHECK_EQ(call_brk(t, (uint64_t[6]){ 0 }), HEAP);
	CHECK_EQ(call_brk(t, (uint64_t[6]){ HEAP + 5 }), HEAP + 5);
	CHECK_EQ(call_brk(t, (uint64_t[6]){ HEAP + 3 * PAGE }), HEAP + 3 * PAGE);
	memset((void *)HEAP, 1, 3 * PAGE);
	CHECK_EQ(call_brk(t, (uint64_t[6]){ HEAP - 1 }), HEAP + 3 * PAGE);
	CHECK_EQ(call_brk(t, (uint64_t[6]){ UINT64_MAX }), HEAP + 3 * PAGE);
	CHECK_EQ(map(HEAP + 4 * PAGE, PAGE, 3, ANON | FIXED), HEAP + 4 * PAGE);
	CHECK_EQ(call_brk(t, (uint64_t[6]){ HEAP + 5 * PAGE }), HEAP + 3 * PAGE);
	fake.refuse_map = CARREL_ELIMIT;
	CHECK_EQ(call_brk(t, (uint64_t[6]){ HEAP + 4 * PAGE }), HEAP + 3 * PAGE);
	CHECK_EQ(call_brk(t, (uint64_t[6]){ HEAP }), HEAP);
	check_memory();
}

/* A refusal that only a wrong map explains must not be survived. */
static void wrong_map(void)
{
	begin();
	fake.refuse_map = CARREL_EARG;
	CHECK_DIES(CARREL_DIE_SHIM, map(0, PAGE, 3, ANON));
}

/* What the hypervisor does with a fault of the shim's that has a fixup; others end the test. */
static void fixup(int signal, siginfo_t *info, void *context)
{
	ucontext_t *c = context;

	(void)info;
	if (!t->page->fixup) {
		sigaction(signal, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL);
		return;
	}
	c->uc_mcontext.gregs[REG_RIP] = t->page->fixup;
	t->page->fixup = 0;
}

/* Another thread unmaps any page of the stack while a handler's frame is made, or returned to. */
static void stack_unmapped(void)
{
	static const uint64_t size = 8 * PAGE;
	const struct sigframe content = { .mask = 5 };
	struct sigaction was;
	struct sigframe frame;
	uint64_t start, at;

	begin();
	start = (uint64_t)program_block(size, CARREL_R | CARREL_W);
	CHECK(sigaction(SIGSEGV, &(struct sigaction){ .sa_sigaction = fixup,
			.sa_flags = SA_SIGINFO | SA_NODEFER }, &was) == 0);
	at = sigframe_push(t, start + size, &content);
	CHECK(at > start && at + sizeof(frame) < start + size);
	CHECK(sigframe_pop(t, at, &frame) && frame.mask == 5);
	for (uint64_t page = start; page < start + size; page += PAGE) {
		bool needed = page + PAGE > at;

		mprotect((void *)page, PAGE, PROT_NONE);
		CHECK_EQ(!sigframe_push(t, start + size, &content), needed);
		/* What is as at first in the vector state is not read. */
		CHECK(!sigframe_pop(t, at, &frame) ? needed : at / PAGE != page / PAGE);
		CHECK_EQ(t->page->fixup, 0);
		mprotect((void *)page, PAGE, PROT_READ | PROT_WRITE);
		CHECK_EQ(sigframe_push(t, start + size, &content), at);
	}
	sigaction(SIGSEGV, &was, NULL);
}

const struct test memory_tests[] = {
	{ "a stack that goes away under a handler's frame", stack_unmapped },
	{ "memory calls against the hypervisor's book", random_operations },
	{ "mremap carries the contents", moved_contents },
	{ "brk", heap },
	{ "a map that is wrong", wrong_map },
	{ NULL, NULL },
};
