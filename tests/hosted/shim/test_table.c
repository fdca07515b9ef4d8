/* SPDX-License-Identifier: BSD-2-Clause */
/* The table itself, and every row of it driven with good, bad and lying partners. */
#include <asm/unistd_64.h>

#include "guest-abi/shim/base/host.h"
#include "guest-abi/shim/calls/marshal.h"
#include "test.h"

void syscall_main(struct thread *t);

#define LENGTH		300		/* bytes or elements that counted buffers are offered with */
#define ROOM_ANSWER	100		/* bytes the kernel says there are, of LENGTH offered */
#define GARBAGE		0xdeadbeef00000000UL

static const char *const names[CALLS] = {
#define PASS(nr, name, ...)	[nr] = #name,
#define MARSHAL(nr, name, ...)	[nr] = #name,
#define EMULATE(nr, name, ...)	[nr] = #name,
#define REFUSE(nr, name, when)	[nr] = #name,
#include "guest-abi/shim/calls/calls.def"
#undef PASS
#undef MARSHAL
#undef EMULATE
#undef REFUSE
};

/* The kernel's own list, where the build machine's headers know the call. */
static void numbers(void)
{
	int rows = 0;

#define IS(nr, name)	do { rows++; CHECK_EQ(nr, __NR_##name); } while (0);
#define PASS(nr, name, ...)	IS(nr, name)
#define MARSHAL(nr, name, ...)	IS(nr, name)
#define EMULATE(nr, name, ...)	IS(nr, name)
#define REFUSE(nr, name, when)	IS(nr, name)
#include "guest-abi/shim/calls/calls.def"
	CHECK_EQ(rows, 335 + 27);
	for (int nr = 0; nr < CALLS; nr++)
		CHECK((names[nr] != NULL) == (nr <= 334 || nr >= 424));
}

static bool is_number(uint16_t arg)
{
	switch (ARG_KIND(arg)) {
	case KIND_NONE: case KIND_INT: case KIND_LONG: case KIND_FD: case KIND_COUNT:
	case KIND_OFFSET:
		return true;
	default:
		return false;
	}
}

static bool is_vector(uint16_t arg)
{
	return ARG_KIND(arg) == KIND_IOV_IN || ARG_KIND(arg) == KIND_IOV_OUT;
}

static bool is_array(uint16_t arg)
{
	return ARG_KIND(arg) == KIND_ARRAY_OUT || ARG_KIND(arg) == KIND_POLLFDS ||
	       ARG_KIND(arg) == KIND_ARRAY_IN;
}

/* A buffer whose length another pointer leads to. */
static bool has_room(uint16_t arg)
{
	return ARG_KIND(arg) == KIND_ADDRESS_OUT || ARG_KIND(arg) == KIND_OPTION_OUT;
}

/* NULL is passed on, whatever the length. */
static bool may_be_null(uint16_t arg)
{
	switch ((unsigned int)ARG_KIND(arg)) {
	case KIND_IN: case KIND_ARRAY_IN: case KIND_FDSET:
		return true;
	default:
		return has_room(arg);
	}
}

/* The result says how much of it. */
static bool gives_limit(uint16_t arg)
{
	switch ((unsigned int)ARG_KIND(arg)) {
	case KIND_IN_STREAM: case KIND_OUT: case KIND_OUT_STREAM: case KIND_TEXT_OUT:
	case KIND_DIRENTS_OUT: case KIND_ARRAY_OUT: case KIND_POLLFDS: case KIND_IOV_IN:
	case KIND_IOV_OUT:
		return true;
	default:
		return false;
	}
}

static bool is_sized(uint16_t arg)
{
	switch (ARG_KIND(arg)) {
	case KIND_IN: case KIND_IN_STREAM: case KIND_OUT: case KIND_OUT_STREAM:
	case KIND_ARRAY_OUT: case KIND_POLLFDS: case KIND_IOV_IN: case KIND_IOV_OUT:
	case KIND_TEXT_OUT: case KIND_DIRENTS_OUT: case KIND_ARRAY_IN: case KIND_FDSET:
		return true;
	default:
		return has_room(arg);
	}
}

static bool reads(uint16_t arg)
{
	switch (ARG_KIND(arg)) {
	case KIND_STRING: case KIND_IN: case KIND_IN_STREAM: case KIND_FIX_IN:
	case KIND_FIX_INOUT: case KIND_POLLFDS: case KIND_IOV_IN:
	case KIND_ARRAY_IN: case KIND_FDSET: case KIND_ROOM: case KIND_FIX_UPDATE:
		return true;
	default:
		return false;
	}
}

static bool writes(uint16_t arg)
{
	switch (ARG_KIND(arg)) {
	case KIND_OUT: case KIND_OUT_STREAM: case KIND_FIX_OUT: case KIND_FIX_INOUT:
	case KIND_FIX_REST: case KIND_FDS_OUT: case KIND_ARRAY_OUT: case KIND_POLLFDS: case KIND_IOV_OUT:
	case KIND_TEXT_OUT: case KIND_NAMES_OUT: case KIND_DIRENTS_OUT: case KIND_FIX_FOUND:
	case KIND_FDSET: case KIND_ROOM: case KIND_FIX_UPDATE:
		return true;
	default:
		return has_room(arg);
	}
}

/* --- One row at work ---------------------------------------------------------------------- */

static const struct call *row;
static uint64_t number;
static uint64_t arg[6];			/* what the program passes */
static uint8_t *block[6];		/* its memory: of an iovec array, what the iovecs lead to */
static uint64_t bytes[6];
static int64_t answer;
static bool host_writes;
static unsigned int host_errors;

static uint8_t pattern(uint64_t i)
{
	return 0x30 + i * 7 % 77;
}

static uint64_t bytes_of(uint16_t a)
{
	switch (ARG_KIND(a)) {
	case KIND_STRING:
		return 20;
	case KIND_FDS_OUT:
		return 8;
	case KIND_ARRAY_OUT: case KIND_POLLFDS: case KIND_ARRAY_IN:
		return LENGTH * ARG_ELEMENT(a);
	case KIND_FDSET:
		return (LENGTH + 63) / 64 * 8;
	case KIND_ROOM:
		return sizeof(uint32_t);
	case KIND_NAMES_OUT:
		return ARG_BY(a) * ARG_ELEMENT(a);
	default:
		return is_sized(a) ? LENGTH : ARG_SIZE(a);
	}
}

/* Two iovecs for LENGTH bytes. */
static uint64_t make_iov(uint8_t *to)
{
	uint64_t *iov = (uint64_t *)program_block(2 * 16, CARREL_R);

	iov[0] = (uint64_t)to;
	iov[1] = 100;
	iov[2] = (uint64_t)to + 100;
	iov[3] = LENGTH - 100;
	return (uint64_t)iov;
}

/* Good arguments for the row. */
static void make_arguments(void)
{
	for (int i = 0; i < 6; i++) {
		uint16_t a = row->arg[i];

		arg[i] = GARBAGE | (i + 40);
		if (is_number(a))
			continue;
		bytes[i] = bytes_of(a);
		block[i] = program_block(bytes[i], (reads(a) ? CARREL_R : 0) |
					 (writes(a) ? CARREL_R | CARREL_W : 0));
		for (uint64_t k = 0; k < bytes[i]; k++)
			block[i][k] = pattern(k + i);
		if (ARG_KIND(a) == KIND_STRING)
			block[i][bytes[i] - 1] = 0;
		if (ARG_KIND(a) == KIND_ROOM)
			memcpy(block[i], &(uint32_t){ LENGTH }, sizeof(uint32_t));
		arg[i] = is_vector(a) ? make_iov(block[i]) : (uint64_t)block[i];
	}
	for (int i = 0; i < 6; i++)
		if (is_sized(row->arg[i]) && !has_room(row->arg[i]))
			arg[ARG_BY(row->arg[i])] = is_vector(row->arg[i]) ? 2 : LENGTH;
	for (int i = 0; i < 6; i++)
		if (ARG_KIND(row->arg[i]) == KIND_INT)
			arg[i] |= GARBAGE;
	if (row->result == RESULT_BOUND)
		arg[row->by] = LENGTH;
	if (row->result == RESULT_MESSAGE)
		arg[row->by] = GARBAGE;
}

/* Bytes that the host writes into argument i when it answers `answer`. */
static uint64_t written(int i)
{
	uint16_t a = row->arg[i];

	if (!writes(a))
		return 0;
	if (ARG_KIND(a) == KIND_FIX_REST)
		return answer == -LINUX_EINTR ? bytes[i] : 0;
	if (ARG_KIND(a) == KIND_FIX_UPDATE && answer == -LINUX_EINTR)
		return bytes[i];
	if (answer < 0 || (ARG_KIND(a) == KIND_FIX_FOUND && answer == 0))
		return 0;
	if (ARG_KIND(a) == KIND_ARRAY_OUT)
		return answer * ARG_ELEMENT(a);
	if (has_room(a))
		return ROOM_ANSWER;
	if (gives_limit(a) && ARG_KIND(a) != KIND_POLLFDS)
		return answer;
	return bytes[i];
}

static bool host_number_ok(int i, uint64_t got)
{
	uint16_t a = row->arg[i];

	switch (ARG_KIND(a)) {
	case KIND_NONE:
		return got == 0;
	case KIND_LONG: case KIND_OFFSET:
		return got == arg[i];
	case KIND_COUNT:
		return got == 1;
	default:
		return got == (uint32_t)arg[i];
	}
}

static uint8_t *host_buffer(const struct ocall *call, int i)
{
	uint64_t at = call->arg[i], iov[2];

	if (!is_vector(row->arg[i]))
		return (uint8_t *)at;
	memcpy(iov, (void *)at, sizeof(iov));
	host_errors += iov[1] != LENGTH;
	return (uint8_t *)iov[0];
}

/* Byte k of what the host writes into argument i: a pattern, and in it what must be there. */
static uint8_t host_byte(int i, uint64_t k)
{
	uint16_t a = row->arg[i];
	uint64_t size = answer;

	switch (ARG_KIND(a)) {
	case KIND_ROOM:
		return k ? 0 : ROOM_ANSWER;
	case KIND_TEXT_OUT:
		if (k == size - 1)
			return 0;
		break;
	case KIND_NAMES_OUT:
		if (k % ARG_ELEMENT(a) == ARG_ELEMENT(a) - 1U)
			return 0;
		break;
	case KIND_DIRENTS_OUT:		/* one entry */
		if (k == 16 || k == 17)
			return size >> (k - 16) * 8;
		if (k == size - 2)
			return 0;
		break;
	default:
		break;
	}
	return ~pattern(k + i);
}

/* The kernel: sees only numbers and the channel, reads what it may, writes what it should. */
static int64_t kernel(const struct ocall *call, uint64_t *flags)
{
	(void)flags;
	host_errors += call->number != number;
	for (int i = 0; i < 6; i++) {
		uint8_t *at;

		if (is_number(row->arg[i])) {
			host_errors += !host_number_ok(i, call->arg[i]);
			continue;
		}
		host_errors += !in_channel(call->arg[i], 16);
		at = host_buffer(call, i);
		if (!in_channel((uint64_t)at, bytes[i])) {
			host_errors++;
			continue;
		}
		host_errors += reads(row->arg[i]) && memcmp(at, block[i], bytes[i]);
		for (uint64_t k = 0; host_writes && writes(row->arg[i]) && k < bytes[i]; k++)
			at[k] = host_byte(i, k);
		if (host_writes && ARG_KIND(row->arg[i]) == KIND_FDS_OUT)
			memcpy(at, (int[]){ 5, 9 }, 8);
	}
	return answer;
}

/* Byte k of argument i as the program had it. */
static uint8_t before(int i, uint64_t k)
{
	if (ARG_KIND(row->arg[i]) == KIND_STRING && k == bytes[i] - 1)
		return 0;
	if (ARG_KIND(row->arg[i]) == KIND_ROOM)
		return LENGTH >> k * 8;
	return pattern(k + i);
}

/* And as it must be where the kernel wrote. */
static uint8_t taken(int i, uint64_t k)
{
	uint8_t theirs = host_byte(i, k), mine = before(i, k);

	switch ((unsigned int)ARG_KIND(row->arg[i])) {
	case KIND_POLLFDS:		/* what happened of what was asked for, and errors */
		if (k % 8 < 6)
			return mine;
		return theirs & (before(i, k - 2) | (k % 8 == 6 ? 0x38 : 0));
	case KIND_FDSET:
		return theirs & mine;
	default:
		return theirs;
	}
}

static bool begun = true;

/* And where the kernel wrote nothing, for the call did not begin: all of its time is left. */
static uint8_t left(int i, uint64_t k)
{
	return ARG_KIND(row->arg[i]) == KIND_FIX_REST && (i == 1 || !(arg[1] & 1)) ? before(i - 1, k)
										   : before(i, k);
}

/* Memory of the program after a call: new where the kernel wrote, as before elsewhere. */
static void check_blocks(void)
{
	for (int i = 0; i < 6; i++) {
		if (is_number(row->arg[i]) || ARG_KIND(row->arg[i]) == KIND_FDS_OUT)
			continue;
		for (uint64_t k = 0; k < bytes[i]; k++)
			CHECK_EQ(block[i][k], !begun ? left(i, k) : k < written(i) ? taken(i, k)
										   : before(i, k));
	}
}

static struct thread *fresh(void)
{
	struct thread *t = fake_reset(2, 4);

	fake.host = kernel;
	host_writes = true;
	host_errors = 0;
	make_arguments();
	return t;
}

static int64_t good_answer(void)
{
	switch ((enum result)row->result) {
	case RESULT_ZERO:
		return 0;
	case RESULT_LENGTH: case RESULT_SIZE: case RESULT_BOUND: case RESULT_MESSAGE:
	case RESULT_SETS:
		return LENGTH - 7;
	default:
		return 77;
	}
}

static void try_good(int64_t value)
{
	struct thread *t;

	answer = value;
	t = fresh();
	CHECK_EQ(marshal(t, row, number, arg), value);
	CHECK_EQ(fake.ocalls, 1);
	CHECK_EQ(host_errors, 0);
	check_blocks();
}

static void try_lie(int64_t value)
{
	struct thread *t;

	answer = value;
	t = fresh();
	host_writes = false;
	CHECK_DIES(CARREL_DIE_IAGO, marshal(t, row, number, arg));
}

static void try_lies(void)
{
	try_lie(-LINUX_ERRNO_MAX - 1);
	try_lie(INT64_MIN + 1);
	switch ((enum result)row->result) {
	case RESULT_ANY:
		break;
	case RESULT_ZERO:
		try_lie(1);
		break;
	case RESULT_INT:
		try_lie(1L << 31);
		break;
	case RESULT_FD:
		try_lie(1L << 31);
		break;
	case RESULT_SETS:
		try_lie(3 * LENGTH + 1);
		break;
	case RESULT_LENGTH: case RESULT_SIZE: case RESULT_BOUND: case RESULT_MESSAGE:
		try_lie(LENGTH + 1);
		try_lie(INT64_MAX);
		break;
	}
}

/* A pointer that is not good must fail before anything leaves. */
static void try_pointer(int i, uint64_t pointer, int64_t expected)
{
	struct thread *t = fresh();

	arg[i] = pointer;
	CHECK_EQ(marshal(t, row, number, arg), expected);
	CHECK_EQ(fake.ocalls, 0);
}

static void try_bad_pointers(int i)
{
	uint16_t a = row->arg[i];

	try_pointer(i, NOWHERE, -LINUX_EFAULT);
	try_pointer(i, CARREL_CHANNEL_VA + CARREL_SLOT_DATA, -LINUX_EFAULT);
	try_pointer(i, CARREL_SHIM_VA, -LINUX_EFAULT);
	try_pointer(i, CARREL_THREADS_VA, -LINUX_EFAULT);
	try_pointer(i, UINT64_MAX - 3, -LINUX_EFAULT);
	try_pointer(i, 1UL << 63, -LINUX_EFAULT);
	if (is_sized(a) && !may_be_null(a))
		try_pointer(i, 0, -LINUX_EFAULT);
	fresh();
	if (writes(a) && !is_vector(a) && ARG_KIND(a) != KIND_FIX_UPDATE)
		try_pointer(i, (uint64_t)program_block(bytes[i], CARREL_R), -LINUX_EFAULT);
}

static int64_t null_kernel(const struct ocall *call, uint64_t *flags)
{
	(void)flags;
	for (int i = 0; i < 6; i++)
		host_errors += !is_number(row->arg[i]) &&
			       (!is_sized(row->arg[i]) || may_be_null(row->arg[i])) && call->arg[i] != 0;
	return -LINUX_EFAULT;
}

/* NULL that is not a sized buffer is the kernel's to judge, and stays NULL. */
static void try_null(void)
{
	struct thread *t = fresh();
	bool any = false;

	for (int i = 0; i < 6; i++)
		if (!is_number(row->arg[i]) &&
		    (!is_sized(row->arg[i]) || may_be_null(row->arg[i]))) {
			arg[i] = 0;
			any = true;
		}
	if (!any)
		return;
	fake.host = null_kernel;
	CHECK_EQ(marshal(t, row, number, arg), -LINUX_EFAULT);
	CHECK_EQ(host_errors, 0);
}

/* The kernel reports a signal before the call: it is to be made again. */
static int64_t not_started(const struct ocall *call, uint64_t *flags)
{
	(void)call;
	*flags = CARREL_RESUME_NOTSTARTED | CARREL_RESUME_SIGNAL;
	return INT64_MAX;
}

static void try_not_started(void)
{
	struct thread *t = fresh();

	fake.host = not_started;
	marshal(t, row, number, arg);
	CHECK(t->rewind);
	CHECK_EQ(t->interrupted, row->restart == RESTART_NEVER ? INTERRUPTED_ENDS
							       : INTERRUPTED_NO);
	begun = false;
	check_blocks();
	begun = true;
}

static void run_row(void)
{
	try_good(good_answer());
	try_good(-5);
	try_good(-LINUX_EINTR);
	try_good(-LINUX_ERRNO_MAX);
	if (row->result == RESULT_INT)
		try_good(0);
	if (row->result == RESULT_LENGTH || row->result == RESULT_BOUND ||
	    row->result == RESULT_MESSAGE) {
		try_good(0);
		try_good(LENGTH);
	}
	try_lies();
	try_null();
	try_not_started();
	for (int i = 0; i < 6; i++)
		if (!is_number(row->arg[i]))
			try_bad_pointers(i);
}

static void shape(void)
{
	int limits = 0, pointers = 0;
	bool ended = false, counted = row->result == RESULT_LENGTH || row->result == RESULT_SIZE ||
				      row->result == RESULT_MESSAGE;

	for (int i = 0; i < 6; i++) {
		uint16_t a = row->arg[i], by = row->arg[ARG_BY(a) % 6];

		CHECK(!ended || ARG_KIND(a) == KIND_NONE);
		ended |= ARG_KIND(a) == KIND_NONE;
		pointers += !is_number(a);
		limits += gives_limit(a);
		if (!is_sized(a)) {
			CHECK(is_number(a) || ARG_KIND(a) == KIND_STRING ||
			      ARG_KIND(a) == KIND_FDS_OUT || ARG_KIND(a) == KIND_ROOM ||
			      ARG_SIZE(a) > 0);
			continue;
		}
		CHECK(ARG_BY(a) < 6);
		CHECK(has_room(a) ? ARG_KIND(by) == KIND_ROOM : is_number(by));
		CHECK((ARG_KIND(by) == KIND_COUNT) == is_vector(a));
		CHECK(!is_array(a) || ARG_KIND(by) == KIND_INT);
	}
	CHECK(limits == counted);
	CHECK((row->how == HOW_MARSHAL) == (pointers > 0));
}

static void one_row(void)
{
	shape();
	run_row();
}

/* What the function does is tested where it lives, and by the programs. */
static void emulated(void)
{
	CHECK(row->emulate != NULL);
}

/* Through the front door: the registers, the note, and nothing that leaves. */
static void refused(void)
{
	struct thread *t = fake_reset(2, 4);

	t->regs.rax = number;
	t->regs.rdi = 1;
	t->regs.rip = 0x401002;
	syscall_main(t);
	CHECK_EQ(t->regs.rax, (uint64_t)-LINUX_ENOSYS);
	CHECK_EQ(t->regs.rip, 0x401002);
	CHECK_EQ(fake.ocalls, 0);
	CHECK_EQ(fake.noted[0], CARREL_NOTE_ENOSYS);
	CHECK_EQ(fake.noted[1], number);
}

/* A PASS row through the front door, which has a way of its own for them. */
static void passed(void)
{
	struct thread *t;

	one_row();
	answer = good_answer();
	t = fresh();
	t->regs = (struct regs){ .rax = number, .rdi = arg[0], .rsi = arg[1], .rdx = arg[2],
				 .r10 = arg[3], .r8 = arg[4], .r9 = arg[5], .rip = 0x401002 };
	syscall_main(t);
	CHECK_EQ(t->regs.rax, answer);
	CHECK_EQ(t->regs.rip, 0x401002);
	CHECK_EQ(host_errors, 0);
	t->regs.rax = number;
	fake.host = not_started;
	syscall_main(t);
	CHECK_EQ(t->regs.rip, 0x401000);
	CHECK_EQ(t->regs.rax, number);
}

static void every_row(void)
{
	static char name[64];

	for (number = 0; number < CALLS + 5; number++) {
		row = &calls[number < CALLS ? number : 0];
		snprintf(name, sizeof(name), "row %d, %s", (int)number,
			 number < CALLS && names[number] ? names[number] : "no call");
		if (number >= CALLS || row->how == HOW_REFUSE)
			run_test(name, refused, false);
		else if (row->how == HOW_EMULATE)
			run_test(name, emulated, false);
		else
			run_test(name, row->how == HOW_PASS ? passed : one_row, false);
	}
	number = UINT64_MAX;
	run_test("a call of all ones", refused, false);
}

static void every_subrow(const struct subcall *table, uint64_t call)
{
	static char name[64];

	for (; table->call.how != HOW_REFUSE; table++) {
		row = &table->call;
		number = call;
		snprintf(name, sizeof(name), "call %d, request %x", (int)call, (int)table->request);
		run_test(name, one_row, false);
	}
}

static void subcalls(void)
{
	struct thread *t = fake_reset(2, 4);
	const uint64_t unknown[6] = { 0x1234567, 0x1234567, NOWHERE };

	every_subrow(subcalls_ioctl, 16);
	every_subrow(subcalls_fcntl, 72);
	every_subrow(subcalls_prctl, 157);
	t = fake_reset(2, 4);
	CHECK_EQ(calls[16].emulate(t, unknown), -LINUX_ENOTTY);
	CHECK_EQ(calls[72].emulate(t, unknown), -LINUX_EINVAL);
	CHECK_EQ(calls[157].emulate(t, unknown), -LINUX_EINVAL);
	CHECK_EQ(fake.notes, 3);
	CHECK_EQ(fake.ocalls, 0);
}

const struct test table_tests[] = {
	{ "numbers and names are the kernel's", numbers },
	{ "every row, with good, bad and lying partners", every_row },
	{ "every request of ioctl, fcntl, prctl", subcalls },
	{ NULL, NULL },
};
