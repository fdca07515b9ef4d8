/* SPDX-License-Identifier: BSD-2-Clause */
/* What entry.S calls: system calls, upcalls, and signals on the way out. */
#include <carrel/hypercall.h>
#include "calls/call.h"
#include "files/checked.h"
#include "files/fds.h"
#include "base/host.h"
#include "calls/marshal.h"
#include "memory/memory.h"
#include "signals/signal.h"

#define VECTOR_PF	14
#define PF_PRESENT	1

/* Stretches of entry.S that run with in_shim clear; see there. */
extern const char entry_window_end[], exit_window[], exit_window_end[];

void syscall_main(struct thread *t);
void upcall_main(struct thread *t);
void signal_main(struct thread *t);

/* Numbers in, number out: the common case made short. */
static int64_t pass(struct thread *t, const struct call *row, uint64_t number,
		    const uint64_t arg[CALL_ARGS])
{
	static const uint64_t mask[] = {
		[KIND_INT] = UINT32_MAX, [KIND_LONG] = UINT64_MAX,
		[KIND_FD] = UINT32_MAX,
	};
	uint64_t host[CALL_ARGS] = { 0 };
	int64_t value;

	if (row->result == RESULT_FD || row->result == RESULT_BOUND)
		return marshal(t, row, number, arg);
	for (int i = 0; i < CALL_ARGS && row->arg[i] != KIND_NONE; i++)
		host[i] = arg[i] & mask[row->arg[i]];
	value = marshal_call(t, number, host, row->restart);
	if (value == HOST_NOT_STARTED)
		return 0;
	if (value < 0)
		return value;
	if ((row->result == RESULT_ZERO && value != 0) ||
	    (row->result == RESULT_INT && value > INT32_MAX))
		die(CARREL_DIE_IAGO);
	return value;
}

/* Descriptors of the shim's own are none to the program. */
static bool names_hidden(const struct call *row, const uint64_t arg[CALL_ARGS])
{
	for (int i = 0; i < CALL_ARGS; i++)
		if (ARG_KIND(row->arg[i]) == KIND_FD && fds_is_hidden((uint32_t)arg[i]))
			return true;
	return false;
}

static int64_t dispatch(struct thread *t, uint64_t number, const uint64_t arg[CALL_ARGS])
{
	const struct call *row = &calls[number < CALLS ? number : 0];
	int64_t value;

	if (fds_hiding && number < CALLS && row->how != HOW_EMULATE && names_hidden(row, arg))
		return -LINUX_EBADF;
	if (number < CALLS) {
		if (checked_concerns(number) && checked_serve(t, number, arg, &value))
			return value;
		switch ((enum how)row->how) {
		case HOW_PASS:
			return pass(t, row, number, arg);
		case HOW_MARSHAL:
			return marshal(t, row, number, arg);
		case HOW_EMULATE:
			return row->emulate(t, arg);
		case HOW_REFUSE:
			break;
		}
	}
	note(CARREL_NOTE_ENOSYS, number);
	return -LINUX_ENOSYS;
}

void syscall_main(struct thread *t)
{
	const struct regs *r = &t->regs;
	const uint64_t arg[CALL_ARGS] = { r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9 };
	uint64_t number = r->rax;

	int64_t value = dispatch(t, number, arg);

	if (number < CALLS && checked_concerns(number))
		value = checked_after(t, number, arg, value);
	t->regs.rax = value;
	if (t->noted || t->rewind || t->interrupted || t->temporary)
		signal_deliver(t, number);
}

void signal_main(struct thread *t)
{
	host_take_signal(t);
	signal_deliver(t, 0);
}

/* The program's registers at an upcall. */
static void take_frame(struct thread *t, const struct carrel_upcall *f)
{
	t->regs = (struct regs){
		.r15 = f->r15, .r14 = f->r14, .r13 = f->r13, .r12 = f->r12,
		.rbp = f->rbp, .rbx = f->rbx, .r11 = f->r11, .r10 = f->r10,
		.r9 = f->r9, .r8 = f->r8, .rax = f->rax, .rcx = f->rcx,
		.rdx = f->rdx, .rsi = f->rsi, .rdi = f->rdi,
		.rip = f->rip, .cs = CARREL_USER_CS, .rflags = f->rflags,
		.rsp = f->rsp, .ss = CARREL_USER_SS,
	};
}

void upcall_main(struct thread *t)
{
	const struct carrel_upcall fault = t->page->upcall;
	uint64_t rip = fault.rip;
	bool leaving = rip >= (uint64_t)exit_window && rip < (uint64_t)exit_window_end;
	bool entering = rip >= CARREL_SHIM_SYSCALL && rip < (uint64_t)entry_window_end;

	if (fault.vector != CARREL_UPCALL_SIGNAL && (leaving || entering))
		die(CARREL_DIE_SHIM);
	/* On the way out everything was in place already, and still is in t->regs. */
	if (!leaving)
		take_frame(t, &fault);
	/* On the way in: back to the SYSCALL instruction, which has clobbered only RCX and R11. */
	if (entering) {
		t->regs.rip = t->page->rcx - 2;
		t->regs.rflags = t->page->r11;
	}
	if (fault.vector == CARREL_UPCALL_SIGNAL)
		signal_main(t);
	else if (fault.vector != VECTOR_PF || fault.error & PF_PRESENT ||
		 !memory_grow_stack(t, fault.address))
		signal_fault(t, &fault);
	/* What came while the handler's frame was made. */
	if (t->noted)
		signal_deliver(t, 0);
}
