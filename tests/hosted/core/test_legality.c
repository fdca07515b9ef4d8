/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who may call what, in which state: every hypercall from every view, privilege
 * level and mode, with the process and its thread in every state; and every
 * argument out of range. The expectations are written down here again, from
 * docs/abi.md.
 */
#include "machine.h"

#include <base/x86.h>
#include <core/pass.h>
#include <core/platform.h>
#include <core/stats.h>

enum who { NONE, KERNEL, CARRIER, PROCESS };

static enum who who_may(u64 number)
{
	if (number >= 1 && number <= 15)
		return KERNEL;
	if (number == 16 || number == 17)
		return CARRIER;
	if (number >= 32 && number <= 44)
		return PROCESS;
	return NONE;
}

/* What a case is made of. */
struct setting {
	bool in_process;
	unsigned int cpl, cs_l, lma;
	enum process_state process;
	enum thread_state thread;
	bool unlent;	/* without its blocks */
};

static bool is_refusal(s64 result)
{
	return result == CARREL_ECALL || result == CARREL_ECALLER || result == CARREL_ETICKET ||
		result == CARREL_ESTATE || result == CARREL_EDEAD || result == CARREL_EBUSY;
}

/* Refusal by caller and state, 0 if the call may go on. */
static s64 expected(u64 number, const struct setting *s)
{
	enum who who = who_may(number);
	unsigned int cpl = who == KERNEL ? 0 : 3;

	if (who == NONE)
		return CARREL_ECALL;
	if (s->in_process != (who == PROCESS) || s->cpl != cpl || !s->cs_l || !s->lma)
		return CARREL_ECALLER;
	if (number == CARREL_HC_ADD || number == CARREL_HC_INIT)
		return s->process == PROCESS_BUILDING ? 0 :
			s->process == PROCESS_READY ? CARREL_ESTATE : CARREL_EDEAD;
	if (number == CARREL_HC_ADOPT)	/* of what no fork made */
		return s->process == PROCESS_DYING ? CARREL_EDEAD : CARREL_ESTATE;
	if (number == CARREL_HC_DONATE || number == CARREL_HC_LEND)
		return s->process == PROCESS_DYING ? CARREL_EDEAD : 0;
	if (who != CARRIER)
		return 0;
	if (s->process != PROCESS_READY)
		return s->process == PROCESS_BUILDING ? CARREL_ESTATE : CARREL_EDEAD;
	switch (s->thread) {
	case THREAD_NEW:
		return number == CARREL_HC_ENTER ? 0 : CARREL_ESTATE;
	case THREAD_OCALL: case THREAD_PREEMPTED:
		return number == CARREL_HC_RESUME ? 0 : CARREL_ESTATE;
	case THREAD_RUNNING:
		return CARREL_EBUSY;
	case THREAD_DEAD:
		return CARREL_EDEAD;
	}
	return 0;
}

static struct carrier carrier;
static u64 spare;	/* a chunk of nobody's, for CREATE */

/* A process in the states of the setting; CPU 1 is where its thread runs. */
static void set_up(const struct setting *s)
{
	bool ready = s->process != PROCESS_BUILDING;

	if (s->unlent)
		make_empty(&carrier, 4, 4, 100);
	else
		make_process(&carrier, 4, 4, 100, ready);
	if (!ready)
		return;
	if (s->unlent)
		CHECK_EQ(kernel_call(&cpus[2], CARREL_HC_INIT, carrier.id, 0, 0, 0), 0);
	if (s->thread != THREAD_NEW && s->thread != THREAD_DEAD) {
		CHECK_EQ(enter(&cpus[1], &carrier), 0);
		if (s->thread == THREAD_OCALL)
			exit_call(&cpus[1], CARREL_HC_OCALL, 0, 0, 0, 0, 0, 0);
		else if (s->thread == THREAD_PREEMPTED)
			exit_reason(&cpus[1], VT_INTERRUPT);
	}
	if (s->thread == THREAD_DEAD)
		object(&carrier)->threads[0]->state = THREAD_DEAD;
	if (s->process == PROCESS_DYING)
		process_kill(object(&carrier), "test", 0, 0);
}

static void clean_up(void)
{
	for (unsigned int i = 0; i < CPUS; i++) {
		if (inside(&cpus[i]))
			exit_reason(&cpus[i], VT_INTERRUPT);
		cpus[i].host = (struct state){ .efer = EFER_LMA | EFER_LME, .cs_l = 1 };
	}
	if (carrier.id)
		end_process(&carrier);
}

/* Arguments that are right in every respect. */
static void arguments(u64 number, u64 a[6])
{
	u64 process = carrier.id;
	u64 values[6] = { 0 };

	switch (number) {
	case CARREL_HC_DONATE:
		values[0] = host_chunk(), values[1] = process;
		break;
	case CARREL_HC_RETURN:
		values[0] = spare;
		break;
	case CARREL_HC_CREATE:
		values[0] = spare, values[1] = CARREL_ABI_VERSION, values[2] = 1 | 2 << 16;
		values[3] = 1;
		break;
	case CARREL_HC_ADD:
		values[0] = process, values[1] = host_chunk() * 512, values[2] = CARREL_MANIFEST_VA;
		values[3] = CARREL_R;
		break;
	case CARREL_HC_LEND:
		values[0] = process, values[1] = lend_block(20), values[2] = 3;
		break;
	case CARREL_HC_ENTER: case CARREL_HC_RESUME: case CARREL_HC_ADOPT:
		values[0] = process, values[1] = carrier.ticket[0], values[2] = carrier.ticket[1];
		break;
	case CARREL_HC_MAP: case CARREL_HC_UNMAP: case CARREL_HC_PROTECT:
		values[0] = number == CARREL_HC_PROTECT ? CARREL_SHIM_VA : 0x10000;
		values[1] = 1, values[2] = CARREL_R;
		break;
	case CARREL_HC_INIT: case CARREL_HC_DESTROY:
		values[0] = process;
		break;
	case CARREL_HC_DIE:
		values[0] = CARREL_DIE_SHIM;
		break;
	case CARREL_HC_THREAD:
		values[0] = 3;
		break;
	case CARREL_HC_CLAIM:
		if (object(&carrier))
			CHECK_EQ(pass_leave(object(&carrier)->identity, values, values), 0);
		break;
	}
	memcpy(a, values, sizeof(values));
}

/* Undo what a permitted call did to the chunk or process that the next case needs. */
static void after(u64 number, const struct test_cpu *c, s64 result)
{
	if (number == CARREL_HC_RETURN && result == 0)
		CHECK_EQ(donate(&cpus[2], spare, 0), 0);
	if (number == CARREL_HC_CREATE && result == 0)
		CHECK_EQ(finish(&cpus[2], CARREL_HC_DESTROY, c->cpu.vt.regs->rdi, 0, 0, 0), 0);
	if (number == CARREL_HC_DONATE)
		flush_all_cpus();
	for (u64 i = FIRST_CHUNK; i < RAM_CHUNKS; i++)
		if (owner(i) == CHUNK_LEAVING) {
			CHECK_EQ(donate(&cpus[2], i, 0), 0);
			CHECK_EQ(kernel_call(&cpus[2], CARREL_HC_RETURN, i, 0, 0, 0), 0);
		}
	if (number == CARREL_HC_DESTROY && result == 0) {
		CHECK_EQ(kernel_call(&cpus[2], CARREL_HC_RETURN, carrier.chunk[0], 0, 0, 0), 0);
		carrier.id = 0;
	}
}

static unsigned int cases;

/* One call. True if it was carried out, so that the setting is used up. */
static bool try_call(u64 number, const struct setting *s)
{
	struct test_cpu *c = &cpus[s->in_process ? 1 : 0];
	u64 refused = stats.refused_calls, a[6];
	s64 want = expected(number, s), got;
	struct state *state = s->in_process ? &c->process : &c->host;

	state->cpl = s->cpl;
	state->cs_l = s->cs_l;
	state->efer = s->lma ? EFER_LMA | EFER_LME : EFER_LME;
	if (!s->in_process)
		state->cr3 = carrier.cr3;
	arguments(number, a);
	got = exit_call(c, number, a[0], a[1], a[2], a[3], a[4], a[5]);
	cases++;
	if (want)
		CHECK_EQ(got, want);
	else if (!CHECK(!is_refusal(got)))
		printf("     call %lu gave %ld\n", number, got);
	CHECK_EQ(stats.refused_calls - refused,
		 want == CARREL_ECALL || want == CARREL_ECALLER || want == CARREL_ETICKET);
	if (s->in_process && inside(c)) {
		c->process.cpl = 3;
		c->process.cs_l = 1;
		c->process.efer = EFER_LMA | EFER_LME;
	}
	c->host.cs_l = 1;
	c->host.efer = EFER_LMA | EFER_LME;
	if (want)
		return false;
	after(number, c, got);
	return true;
}

static void all_callers(u64 number, struct setting s)
{
	s.unlent = number == CARREL_HC_LEND;
	set_up(&s);
	for (unsigned int n = 0; n < 64; n++) {
		s.in_process = n & 1;
		s.cs_l = n >> 1 & 1;
		s.lma = n >> 2 & 1;
		s.cpl = n >> 3 & 3;
		if (s.in_process && !inside(&cpus[1]))
			continue;
		if (!try_call(number, &s))
			continue;
		clean_up();
		set_up(&s);
	}
	clean_up();
}

static const u64 beyond[] = { 12, 18, 31, 45, 64, 255, 0x100000001, 0x8000000000000001, ~0UL };

static s64 no_reseal(const struct carrel_secret *secret, const u8 digest[32], u64 counter)
{
	return CARREL_EBUSY;
}

/* Keys are refused before anything else where there are none; here there are. */
static void have_key(bool have)
{
	static const struct platform measured = { .state = CARREL_LAUNCH_MEASURED }, not = { 0 };
	static const struct carrel_secret secret;

	platform_boot(have ? &measured : &not, &secret, no_reseal, NULL);
}

static void legality(void)
{
	struct setting s = { 0 };

	have_key(true);

	spare = 12;
	CHECK_EQ(donate(&cpus[0], spare, 0), 0);
	for (int process = PROCESS_BUILDING; process <= PROCESS_DYING; process++) {
		for (int thread = THREAD_NEW; thread <= THREAD_DEAD; thread++) {
			s.process = (enum process_state)process;
			s.thread = (enum thread_state)thread;
			if (process == PROCESS_BUILDING && thread != THREAD_NEW)
				continue;
			for (u64 number = 0; number <= CARREL_HC_MAX + 1; number++)
				all_callers(number, s);
			for (size_t i = 0; i < ARRAY_SIZE(beyond); i++)
				all_callers(beyond[i], s);
		}
	}
	have_key(false);
	check_machine();
	printf("     %u cases\n", cases);
}

static void no_process(void)
{
	struct carrier ghost;

	make_process(&ghost, 1, 2, 1, true);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_INIT, ghost.id + 1, 0, 0, 0), CARREL_EARG);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_DESTROY, ghost.id ^ BIT(40), 0, 0, 0), CARREL_EARG);
	ghost.ticket[0] ^= 1;
	CHECK_EQ(enter(&cpus[0], &ghost), CARREL_ETICKET);
	ghost.ticket[0] ^= 1;
	ghost.ticket[1] ^= BIT(63);
	CHECK_EQ(enter(&cpus[0], &ghost), CARREL_ETICKET);
	ghost.ticket[1] ^= BIT(63);
	ghost.id++;
	CHECK_EQ(enter(&cpus[0], &ghost), CARREL_ETICKET);
	ghost.id--;
	end_process(&ghost);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_DESTROY, 0x10001, 0, 0, 0), CARREL_EARG);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_DESTROY, 0, 0, 0, 0), CARREL_EARG);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_DESTROY, ~0UL, 0, 0, 0), CARREL_EARG);
}

struct bad {
	u64 number, a, b, c, d;
};

/* Everything that may not change when a call is refused; locks count how often they were taken. */
static u64 fingerprint(void)
{
	struct process copy = *object(&carrier), *const process = &copy;
	const u8 *bytes = (const u8 *)process;
	u64 sum = 0;

	copy.lock = (struct lock){ 0 };
	for (u64 i = 0; i < RAM_CHUNKS; i++)
		sum = sum * 31 + owner(i) * 5 + frame_chunk(i)->lent;
	for (size_t i = 0; i < sizeof(*process); i++)
		sum = sum * 31 + bytes[i];
	return sum * 31 + process->family->free;
}

#define P	0xF00D	/* stands for the process's handle below */
#define ABI	CARREL_ABI_VERSION

static const struct bad bad_kernel[] = {
	{ CARREL_HC_DONATE, RAM_CHUNKS, 0, 0, 0 },
	{ CARREL_HC_DONATE, ~0UL, P, 0, 0 },
	{ CARREL_HC_DONATE, BIT(43), 0, 0, 0 },
	{ CARREL_HC_DONATE, 12, ~0UL, 0, 0 },
	{ CARREL_HC_RETURN, RAM_CHUNKS, 0, 0, 0 },
	{ CARREL_HC_CREATE, RAM_CHUNKS, ABI, 1 | 2 << 16, 1 },
	{ CARREL_HC_CREATE, 12, 0, 1 | 2 << 16, 1 },
	{ CARREL_HC_CREATE, 12, ABI - 1, 1 | 2 << 16, 1 },
	{ CARREL_HC_CREATE, 12, ABI + 1, 1 | 2 << 16, 1 },
	{ CARREL_HC_CREATE, 12, ABI | BIT(32), 1 | 2 << 16, 1 },
	{ CARREL_HC_CREATE, 12, ABI, 0 | 2 << 16, 1 },
	{ CARREL_HC_CREATE, 12, ABI, 129 | 200 << 16, 1 },
	{ CARREL_HC_CREATE, 12, ABI, 1 | 257 << 16, 1 },
	{ CARREL_HC_CREATE, 12, ABI, 1 | 2 << 16 | 4UL << 32, 1 },
	{ CARREL_HC_CREATE, 12, ABI, 1 | 2 << 16 | 7UL << 32, 1 },
	{ CARREL_HC_CREATE, 12, ABI, 1 | 2 << 16 | BIT(63), 1 },
	{ CARREL_HC_CREATE, 12, ABI, 2 | 1 << 16, 1 },	/* no arena */
	{ CARREL_HC_CREATE, 12, ABI, 3 | 2 << 16, 1 },
	{ CARREL_HC_CREATE, 12, ABI, 1 | 2 << 16, 0 },
	{ CARREL_HC_CREATE, 12, ABI, 1 | 2 << 16, ~0UL },
	{ CARREL_HC_ADD, P, RAM_CHUNKS * 512, CARREL_SHIM_VA, 1 },
	{ CARREL_HC_ADD, P, BIT(52) + 512, CARREL_SHIM_VA, 1 },
	{ CARREL_HC_ADD, P, 512, CARREL_SHIM_VA + 1, 1 },
	{ CARREL_HC_ADD, P, 512, 0, 1 },
	{ CARREL_HC_ADD, P, 512, CARREL_GATE_VA, 5 },
	{ CARREL_HC_ADD, P, 512, CARREL_BOUNCE_VA, 5 },
	{ CARREL_HC_ADD, P, 512, CARREL_DESC_VA, 1 },
	{ CARREL_HC_ADD, P, 512, CARREL_CHANNEL_VA, 3 },
	{ CARREL_HC_ADD, P, 512, CARREL_THREADS_VA, 3 },
	{ CARREL_HC_ADD, P, 512, CARREL_THREAD_PAGE(127) + 0xF000, 3 },
	{ CARREL_HC_ADD, P, 512, 0x800000000000, 1 },
	{ CARREL_HC_ADD, P, 512, 0xFFFF800000000000, 1 },
	{ CARREL_HC_ADD, P, 512, CARREL_SHIM_VA, 0 },
	{ CARREL_HC_ADD, P, 512, CARREL_SHIM_VA, CARREL_W },
	{ CARREL_HC_ADD, P, 512, CARREL_SHIM_VA, 7 },
	{ CARREL_HC_ADD, P, 512, CARREL_SHIM_VA, 0x101 },
	{ CARREL_HC_ADD, P, 512, CARREL_SHIM_VA, 9 },
	{ CARREL_HC_ADD, P, 512, CARREL_SHIM_VA, 1 | BIT(32) },
	{ CARREL_HC_LEND, P, RAM_CHUNKS * 32, 0, 0 },
	{ CARREL_HC_LEND, P, ~0UL, 0, 0 },
	{ CARREL_HC_LEND, P, LEND_CHUNK * 32 + 20, 4, 0 },
	{ CARREL_HC_LEND, P, LEND_CHUNK * 32 + 20, 256, 0 },
	{ CARREL_HC_LEND, P, LEND_CHUNK * 32 + 20, ~0UL, 0 },
	{ CARREL_HC_ADMIT, 0x10000, 0, 0, 0 },
	{ CARREL_HC_ADMIT, BIT(32), 0, 0, 0 },
	{ CARREL_HC_INFO, 15, 0, 0, 0 },
	{ CARREL_HC_INFO, CARREL_INFO_LAUNCH_HASH, 3, 0, 0 },
	{ CARREL_HC_INFO, CARREL_INFO_LAUNCH_HASH, ~0UL, 0, 0 },
	{ CARREL_HC_INFO, CARREL_INFO_LAUNCH_TEXT, 3, 0, 0 },
	{ CARREL_HC_INFO, CARREL_INFO_LAUNCH_TEXT, ~0UL, 0, 0 },
	{ CARREL_HC_INFO, CARREL_INFO_DMA_TEXT, 0, 0, 0 },
	{ CARREL_HC_INFO, CARREL_INFO_DMA_UNIT, 1, 0, 0 },
	{ CARREL_HC_INFO, CARREL_INFO_DMA_FAULTS, DMA_REQUESTERS_MAX + 1, 0, 0 },
	{ CARREL_HC_RESEAL, RAM_CHUNKS * 512, 0, 0, 0 },
	{ CARREL_HC_RESEAL, BIT(52) + 512, 0, 0, 0 },
	{ CARREL_HC_RESEAL, ~0UL, 0, 0, 0 },
	{ CARREL_HC_PARK, BIT(32), 0, 0, 0 },
	{ CARREL_HC_PARK, CPUS, 0, 0, 0 },
	{ CARREL_HC_INFO, ~0UL, 0, 0, 0 },
	{ CARREL_HC_INFO, CARREL_INFO_EXITS, CPUS, 0, 0 },
	{ CARREL_HC_INFO, CARREL_INFO_EXITS, 0, VT_REASONS, 0 },
	{ CARREL_HC_INFO, CARREL_INFO_REASON, VT_REASONS, 0, 0 },
	{ CARREL_HC_INFO, CARREL_INFO_PROCESS, PROCESS_MAX, 0, 0 },
	{ CARREL_HC_INFO, CARREL_INFO_IDENTITY, 77, 0, 0 },
};

static const struct bad bad_inside[] = {
	{ CARREL_HC_MAP, 0, 1, 1, 0 },
	{ CARREL_HC_MAP, 0x1000, 0, 1, 0 },
	{ CARREL_HC_MAP, 0x1001, 1, 1, 0 },
	{ CARREL_HC_MAP, 0x1000, BIT(52), 1, 0 },
	{ CARREL_HC_MAP, 0x1000, ~0UL, 1, 0 },
	{ CARREL_HC_MAP, 0x1000, 1, CARREL_W, 0 },
	{ CARREL_HC_MAP, 0x1000, 1, CARREL_X, 0 },
	{ CARREL_HC_MAP, 0x1000, 1, 8 | 1, 0 },
	{ CARREL_HC_MAP, 0x1000, 1, BIT(40) | 1, 0 },
	{ CARREL_HC_MAP, CARREL_GATE_VA, 1, 3, 0 },
	{ CARREL_HC_MAP, CARREL_GATE_VA - 0x1000, 2, 3, 0 },
	{ CARREL_HC_MAP, CARREL_SHIM_VA - 0x1000, 2, 3, 0 },
	{ CARREL_HC_MAP, CARREL_THREAD_PAGE(3), 1, 3, 0 },
	{ CARREL_HC_MAP, 0x7FFFFFFFF000, 1, 3, 0 },
	{ CARREL_HC_MAP, 0xFFFFFFFFFFFFF000, 1, 3, 0 },
	{ CARREL_HC_MAP, CARREL_SHIM_VA, 1, 3, 0 },	/* in use */
	{ CARREL_HC_UNMAP, CARREL_GATE_VA, 1, 0, 0 },
	{ CARREL_HC_UNMAP, CARREL_CHANNEL_VA, 16, 0, 0 },
	{ CARREL_HC_UNMAP, CARREL_THREAD_PAGE(0), 1, 0, 0 },
	{ CARREL_HC_UNMAP, CARREL_THREADS_VA - 0x1000, 2, 0, 0 },
	{ CARREL_HC_UNMAP, 0x1000, 0, 0, 0 },
	{ CARREL_HC_PROTECT, CARREL_THREAD_PAGE(0), 1, 1, 0 },
	{ CARREL_HC_PROTECT, CARREL_BOUNCE_VA, 1, 7, 0 },
	{ CARREL_HC_PROTECT, CARREL_CHANNEL_VA, 1, 7, 0 },
	{ CARREL_HC_PROTECT, 0x1000, 1, 1, 0 },		/* a hole */
	{ CARREL_HC_PROTECT, CARREL_SHIM_VA, 1, 0x11, 0 },
	{ CARREL_HC_NOTE, 0x10000, 0, 0, 0 },
	{ CARREL_HC_DIE, 0x10000, 0, 0, 0 },
	{ CARREL_HC_THREAD, 4, 0, 0, 0 },		/* slots are 0 to 3 */
	{ CARREL_HC_THREAD, 128, 0, 0, 0 },
	{ CARREL_HC_THREAD, BIT(32) | 1, 0, 0, 0 },
	{ CARREL_HC_THREAD, ~0UL, 0, 0, 0 },
	{ CARREL_HC_SEAL_KEY, CARREL_SEAL_KINDS, 0, 0, 0 },
	{ CARREL_HC_SEAL_KEY, BIT(32), 0, 0, 0 },
	{ CARREL_HC_SEAL_KEY, ~0UL, 0, 0, 0 },
	{ CARREL_HC_FORK, 2, 0, 0, 0 },
	{ CARREL_HC_FORK, ~0UL, 0, 0, 0 },
};

static void bad_arguments(void)
{
	u64 before;

	CHECK_EQ(donate(&cpus[0], 12, 0), 0);
	make_process(&carrier, 4, 4, 100, false);
	before = fingerprint();
	for (size_t i = 0; i < ARRAY_SIZE(bad_kernel); i++) {
		const struct bad *b = &bad_kernel[i];

		if (!CHECK_EQ(kernel_call(&cpus[0], b->number, b->a == P ? carrier.id : b->a,
					  b->b == P ? carrier.id : b->b, b->c, b->d), CARREL_EARG))
			printf("     row %zu, call %lu\n", i, b->number);
		CHECK_EQ(fingerprint(), before);
	}
	end_process(&carrier);
	make_process(&carrier, 4, 4, 100, true);
	CHECK_EQ(user_call(&cpus[0], CARREL_HC_ENTER, carrier.cr3, carrier.id, carrier.ticket[0],
			   carrier.ticket[1], 4, 0, 0), CARREL_EARG);
	CHECK_EQ(user_call(&cpus[0], CARREL_HC_ENTER, carrier.cr3, carrier.id, carrier.ticket[0],
			   carrier.ticket[1], ~0UL, 0, 0), CARREL_EARG);
	CHECK_EQ(user_call(&cpus[0], CARREL_HC_ENTER, carrier.cr3, carrier.id, carrier.ticket[0],
			   carrier.ticket[1], 1, 0, 0), CARREL_ESTATE);
	CHECK_EQ(resume(&cpus[0], &carrier, 0, 4), CARREL_EARG);
	CHECK_EQ(resume(&cpus[0], &carrier, 0, BIT(63)), CARREL_EARG);
	enter(&cpus[1], &carrier);
	before = fingerprint();
	for (size_t i = 0; i < ARRAY_SIZE(bad_inside); i++) {
		const struct bad *b = &bad_inside[i];

		if (!CHECK_EQ(exit_call(&cpus[1], b->number, b->a, b->b, b->c, b->d, 0, 0),
			      CARREL_EARG))
			printf("     row %zu, call %lu\n", i, b->number);
		CHECK_EQ(fingerprint(), before);
		CHECK(inside(&cpus[1]));
	}
	clean_up();
}

const struct test legality_tests[] = {
	{ "every call by every caller in every state", legality },
	{ "handles and tickets that name nothing", no_process },
	{ "every argument out of range changes nothing", bad_arguments },
	{ 0 },
};
