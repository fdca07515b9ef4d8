/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzer of hypercall sequences. An input is a list of steps: which CPU, which
 * call or exit, and arguments, each a small number, an edge, or something that
 * the hypervisor gave earlier. Whatever the sequence, no assertion of the
 * hypervisor fails and every invariant holds at the end.
 */
#include "machine.h"

#include <base/phys.h>
#include <base/x86.h>
#include <core/platform.h>

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

struct input {
	const u8 *at;
	size_t left;
};

static u8 byte(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->at++;
}

#define KEPT 8
static u64 handle[KEPT], ticket[KEPT][2];
static unsigned int made;

static void keep(const struct vt_regs *regs)
{
	unsigned int i = made++ % KEPT;

	handle[i] = regs->rdi;
	ticket[i][0] = regs->rsi;
	ticket[i][1] = regs->rdx;
}

static u64 argument(struct input *in)
{
	static const u64 edges[] = {
		0, 1, ~0UL, BIT(63), BIT(32), 511, 512, RAM_CHUNKS, RAM_CHUNKS - 1, RAM_CHUNKS * 512,
		RAM_CHUNKS * 32, CARREL_GATE_VA, CARREL_CHANNEL_VA, CARREL_SHIM_VA, CARREL_THREADS_VA,
		CARREL_MANIFEST_VA, CARREL_THREAD_PAGE(0) + 0x1000, 0x1000, 0x200000, 0x40000000,
		0x7FFFFFFFE000, 1 | 2 << 16, 2 | 3 << 16, 1 | 2 << 16 | BIT(32),
		LEND_CHUNK * 32, LEND_CHUNK * 512, HV_BASE >> 12, HOLE_BASE >> 12, 0x20000000,
	};
	u8 kind = byte(in), value = byte(in);

	switch (kind % 8) {
	case 0: case 1:
		return value;
	case 2:
		return edges[value % ARRAY_SIZE(edges)];
	case 3:
		return edges[value % ARRAY_SIZE(edges)] + (u64)byte(in) * PAGE_SIZE;
	case 4:
		return handle[value % KEPT];
	case 5:
		return LEND_CHUNK * 32 + value;
	case 6:
		return (u64)value * PAGE_SIZE + 0x1000000;
	default:
		return (u64)value << (byte(in) % 64) | byte(in);
	}
}

/* `likely`: one of those without which the others reach little. */
static void hypercall_step(struct input *in, struct test_cpu *c, bool likely)
{
	static const u8 calls[2][4] = {
		{ CARREL_HC_ENTER, CARREL_HC_RESUME, CARREL_HC_RESUME, CARREL_HC_ADOPT },
		{ CARREL_HC_FORK, CARREL_HC_FORK, CARREL_HC_MAP, CARREL_HC_THREAD },
	};
	u8 number = byte(in), who = byte(in), which = byte(in) % min_u64(made, KEPT);
	bool was_inside;
	s64 result;
	u64 a[6];

	for (unsigned int i = 0; i < 6; i++)
		a[i] = argument(in);
	if (likely)
		number = calls[inside(c)][number % 4];
	else if (number < 240)
		number %= CARREL_HC_MAX + 2;
	/* most tickets and handles are right, else little would be reached */
	if (!(who & 0x40) && (number == CARREL_HC_ENTER || number == CARREL_HC_RESUME ||
			      number == CARREL_HC_ADOPT)) {
		a[0] = handle[which];
		a[1] = ticket[which][0];
		a[2] = ticket[which][1];
		a[3] &= 3;
		if (who & 4) {	/* what a preempted thread takes */
			a[4] = 0;
			a[5] &= CARREL_RESUME_SIGNAL;
		}
	}
	if (!(who & 0x40) && number == CARREL_HC_FORK) {
		a[0] = which == 0 ? CARREL_FORK_ABORT : CARREL_FORK_GO;
		a[1] = handle[a[1] % KEPT];
	}
	if (!(who & 0x40) && number >= CARREL_HC_ADD && number <= CARREL_HC_DESTROY)
		a[0] = handle[which];
	if (!inside(c)) {
		c->host.cpl = who & 0x20 ? who & 3 : number >= CARREL_HC_ENTER ? 3 : 0;
		c->host.cs_l = who != 0x80;
		c->host.cr3 = (who & 0x18) == 0x18 ? argument(in) : CARRIER_CR3;
	}
	was_inside = inside(c);
	result = exit_call(c, number, a[0], a[1], a[2], a[3], a[4], a[5]);
	if (result == 0 && !was_inside && number == CARREL_HC_CREATE && c->host.cpl == 0)
		keep(c->cpu.vt.regs);
	if (result == 0 && was_inside && inside(c) && number == CARREL_HC_FORK &&
	    a[0] == CARREL_FORK_GO)
		keep(c->cpu.vt.regs);
	c->host.cs_l = 1;
}

static void other_step(struct input *in, struct test_cpu *c)
{
	u8 reason = byte(in) % VT_REASONS, vector = byte(in);
	struct vt_exit exit = {
		.reason = (enum vt_reason)reason, .vector = vector % 32, .length = vector % 4,
		.error = byte(in), .address = argument(in), .write = vector & 1, .raw = vector,
	};

	if (reason == VT_HYPERCALL)
		return;
	c->process.cpl = vector & 0x80 ? 0 : 3;
	exit_other(c, &exit);
	if (inside(c))
		c->process.cpl = 3;
}

static void step(struct input *in)
{
	u8 what = byte(in);
	struct test_cpu *c = &cpus[what % CPUS];

	switch (what / CPUS % 8) {
	case 0:
		if (inside(c))
			other_step(in, c);
		else
			kernel_call(c, CARREL_HC_FLUSH, 0, 0, 0, 0);
		break;
	case 1:
		if (inside(c))
			touch(c, argument(in) & 0x7FFFFFFFF000);
		else
			touch_host(c, byte(in) % RAM_CHUNKS);
		break;
	case 2:
		flush_all_cpus();
		break;
	case 3: case 4:
		hypercall_step(in, c, true);
		break;
	default:
		hypercall_step(in, c, false);
		break;
	}
}

/* Of the first process: a child that nobody has adopted. */
static void make_child(struct carrier *carrier)
{
	s64 result;

	carrier->cr3 = CARRIER_CR3;
	CHECK_EQ(enter(&cpus[1], carrier), 0);
	do
		result = exit_call(&cpus[1], CARREL_HC_FORK, CARREL_FORK_GO, 0, 0, 0, 0, 0);
	while (result == CARREL_MORE);
	if (CHECK_EQ(result, 0))
		keep(cpus[1].cpu.vt.regs);
	exit_reason(&cpus[1], VT_INTERRUPT);
}

/* A few bytes are the seed of many: so the first inputs go deep, before any is worth keeping. */
#define LONG 1500U
static struct input lengthen(const u8 *data, size_t size)
{
	static u8 bytes[LONG];
	u64 seed = 1;

	if (size >= 8)
		return (struct input){ data, size };
	for (size_t i = 0; i < size; i++)
		seed = seed << 8 | data[i];
	random_seed(seed);
	for (size_t i = 0; i < LONG; i++)
		bytes[i] = (u8)random_below(256);
	return (struct input){ bytes, LONG };
}

/* Everything back to the host, as a patient kernel would do it; a chunk may be anywhere. */
static void put_away(void)
{
	flush_all_cpus();
	for (u64 slot = 0; slot < PROCESS_MAX; slot++) {
		struct process *process = process_get(process_slots[slot].id);
		u64 id = process ? process->id : 0;

		if (!process)
			continue;
		process_put(process);
		CHECK_EQ(finish(&cpus[0], CARREL_HC_DESTROY, id, 0, 0, 0), 0);
	}
	for (u64 chunk = 0; chunk < RAM_CHUNKS; chunk++) {
		if (owner(chunk) == CHUNK_LEAVING)
			CHECK_EQ(donate(&cpus[0], chunk, 0), 0);
		if (owner(chunk) == CHUNK_NOBODY)
			CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_RETURN, chunk, 0, 0, 0), 0);
	}
	check_machine();
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input in = lengthen(data, size);
	struct carrier carrier;

	if (!phys_base) {
		static const struct platform measured = { .state = CARREL_LAUNCH_MEASURED };
		static const struct carrel_secret secret;

		setvbuf(stdout, NULL, _IONBF, 0);
		machine_reset();
		platform_boot(&measured, &secret, NULL, NULL);	/* no request gets that far */
	}
	made = 0;
	memset(handle, 0, sizeof(handle));
	/* one process that can be resumed at once, its child, and two chunks that are nobody's */
	make_process(&carrier, 2, 3, 4, true);
	handle[made++] = carrier.id;
	memcpy(ticket[0], carrier.ticket, sizeof(carrier.ticket));
	make_child(&carrier);
	donate(&cpus[0], 4, 0);
	donate(&cpus[0], 5, 0);
	while (in.left)
		step(&in);
	check_machine();
	put_away();
	if (test_failed)
		abort();
	return 0;
}
