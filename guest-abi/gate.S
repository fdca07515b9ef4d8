/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stub: the host's copy of the gate page. Untrusted; it runs in the
 * carrier, in the host view, and lends the host's system calls to a process
 * view. It uses no stack, no TLS and no libc, and finds everything in the
 * thread's slot, whose base is RSP with its low bits cleared.
 *
 * Whoever comes here has RSP = slot base + CARREL_SLOT_STRIDE - 128: the
 * hypervisor gives every carrier that context when its thread leaves the view,
 * and hvreg sets RSP itself before it jumps to CARREL_GATE_ENTER (all other
 * registers are free there; the slot's header must be filled in). A new carrier that
 * a call of clone made comes with another RSP, by which it is told; see `child`.
 *
 * Assembled once with -DINSN=vmcall and once with -DINSN=vmmcall into a flat
 * page. Position-independent.
 */
#include <carrel/channel.h>
#include <carrel/hypercall.h>
#include <carrel/layout.h>

#define SYS_rt_sigreturn	15
#define SYS_msync		26
#define SYS_madvise		28
#define SYS_nanosleep		35
#define SYS_getpid		39
#define SYS_kill		62
#define SYS_exit_group		231
#define MS_SYNC			4
#define MADV_DONTNEED		4
#define SIGKILL			9
#define PAGE			4096
#define SLOT_SHIFT		15
	.if CARREL_SLOT_STRIDE != 1 << SLOT_SHIFT
	.error "slots have another size"
	.endif

/* Offsets in the kernel's struct ucontext for x86-64. */
#define UC_R9			48
#define UC_RIP			168
#define UC_SIGMASK		296
#define SIGINFO_WORDS		(128 / 8)

	.text
	/* Of one page: no argument. RAX = the result; RCX, R11 and the arguments are lost. */
	.macro request number
	movabsq	$CARREL_BASE + \number * PAGE, %rdi
	movl	$PAGE, %esi
	movl	$MS_SYNC, %edx
	movl	$SYS_msync, %eax
	syscall
	.endm

	.macro entry offset
	.org	\offset, 0xcc
	.endm

	/* RBX = the slot of this thread. */
	.macro find_slot
	movq	%rsp, %rbx
	andq	$-CARREL_SLOT_STRIDE, %rbx
	.endm

	entry	CARREL_GATE_CALL
	INSN
	ret

	entry	CARREL_GATE_ENTER
	find_slot
enter:
	movq	CARREL_SLOT_PROCESS(%rbx), %rdi
	movq	CARREL_SLOT_TICKET0(%rbx), %rsi
	movq	CARREL_SLOT_TICKET1(%rbx), %rdx
	movq	CARREL_SLOT_THREAD(%rbx), %r10
	movl	$CARREL_HC_ENTER, %eax
	INSN
	cmpq	$CARREL_EBUSY, %rax
	jne	dead
	pause
	jmp	enter

	/*
	 * RAX and RDI RSI RDX R10 R8 R9 hold a system call. A signal that comes
	 * before the call starts would be lost to a call that blocks: the handler
	 * moves a RIP between pending_test and the call to not_started. One that
	 * comes later is told by the flags; while nothing reads them yet, the
	 * handler adds the bit to the saved R9.
	 */
	entry	CARREL_GATE_OCALL
	find_slot
pending_test:
	cmpl	$0, CARREL_SLOT_PENDING(%rbx)
	jne	not_started
call:
	syscall
	/* The stack pointer is what tells the child of a clone or fork. */
	testb	$0x80, %spl
	jz	child
	movq	%rax, %r8
	xorl	%r9d, %r9d
flags_live:
	cmpl	$0, CARREL_SLOT_PENDING(%rbx)
	je	resume
	orl	$CARREL_RESUME_SIGNAL, %r9d
resume:
	movq	CARREL_SLOT_PROCESS(%rbx), %rdi
	movq	CARREL_SLOT_TICKET0(%rbx), %rsi
	movq	CARREL_SLOT_TICKET1(%rbx), %rdx
	movq	CARREL_SLOT_THREAD(%rbx), %r10
	movl	$CARREL_HC_RESUME, %eax
resume_insn:
	INSN
	/* Comes back on an error only: the thread leaves later by an entry point. */
	cmpq	$CARREL_EBUSY, %rax
	jne	dead
	pause
	jmp	resume
not_started:
	xorl	%r8d, %r8d
	movl	$CARREL_RESUME_NOTSTARTED | CARREL_RESUME_SIGNAL, %r9d
	jmp	resume

	/* The thread was preempted, or needed memory or a flush: no value. */
	entry	CARREL_GATE_RESUME
preempted:
	find_slot
	xorl	%r8d, %r8d
	xorl	%r9d, %r9d
	jmp	flags_live

	/*
	 * Refusal is final: the thread would fault on the same address for ever.
	 * EINTR is no refusal; the fault simply comes again.
	 */
	entry	CARREL_GATE_MEMORY
	request	CARREL_REQ_MEMORY
requested:
	testq	%rax, %rax
	jz	preempted
	cmpq	$-4, %rax		/* EINTR */
	je	preempted
	jmp	dead

	/* The process is no more: the carrier dies as the kernel's own victims do. */
	entry	CARREL_GATE_DEAD
dead:
	movl	$SYS_getpid, %eax
	syscall
	movl	%eax, %edi
	movl	$SIGKILL, %esi
	movl	$SYS_kill, %eax
	syscall
1:	movl	$128 + SIGKILL, %edi
	movl	$SYS_exit_group, %eax
	syscall
	jmp	1b

	/*
	 * void handler(int EDI, siginfo_t *RSI, ucontext_t *RDX), installed with
	 * a full sa_mask, SA_SIGINFO | SA_RESTORER, and never SA_RESTART. Notes
	 * one signal in the slot and leaves all others blocked: the kernel keeps
	 * the queue until the shim has taken this one and restores the mask.
	 */
	entry	CARREL_GATE_SIGNAL
	cld
	movq	%rsp, %r8
	andq	$-CARREL_SLOT_STRIDE, %r8
	movl	%edi, %eax
	leaq	CARREL_SLOT_SIGINFO(%r8), %rdi
	movl	$SIGINFO_WORDS, %ecx
	rep movsq
	movl	%eax, CARREL_SLOT_PENDING(%r8)
	movq	$-1, UC_SIGMASK(%rdx)

	movq	UC_RIP(%rdx), %rax
	leaq	pending_test(%rip), %rcx
	cmpq	%rcx, %rax
	jb	1f
	leaq	call(%rip), %rcx
	cmpq	%rcx, %rax
	ja	1f
	leaq	not_started(%rip), %rcx
	movq	%rcx, UC_RIP(%rdx)
	ret
1:	leaq	flags_live(%rip), %rcx
	cmpq	%rcx, %rax
	jb	2f
	leaq	resume_insn(%rip), %rcx
	cmpq	%rcx, %rax
	ja	2f
	orq	$CARREL_RESUME_SIGNAL, UC_R9(%rdx)
2:	ret

	entry	CARREL_GATE_RESTORER
	movl	$SYS_rt_sigreturn, %eax
	syscall
	hlt

	entry	CARREL_GATE_FLUSH
	request	CARREL_REQ_FLUSH
	jmp	requested

	/*
	 * A thread, a child of vfork or of fork, at its first instruction: RSP = CARREL_CHILD_RSP
	 * of its slot, all else but RAX as it was in the parent's call, all signals blocked. The
	 * shim filled in the slot's header, except that of a child of fork, which has a channel
	 * of its own as soon as the module knows it by its handle (R10) and ticket (R8, R9).
	 */
child:
	find_slot
	leaq	CARREL_STUB_RSP(0)(%rbx), %rsp
	movq	%r8, %rax
	orq	%r9, %rax
	jz	enter
	request	CARREL_REQ_ADOPT
	testq	%rax, %rax
	jnz	dead
	/* What fork may have copied of the parent's channel. ENOMEM: it is not as long as it may be. */
	movabsq	$CARREL_CHANNEL_VA, %rdi
	movl	$CARREL_BLOCKS_MAX << CARREL_BLOCK_SHIFT, %esi
	movl	$MADV_DONTNEED, %edx
	movl	$SYS_madvise, %eax
	syscall
	movq	%r10, CARREL_SLOT_PROCESS(%rbx)
	movq	%r8, CARREL_SLOT_TICKET0(%rbx)
	movq	%r9, CARREL_SLOT_TICKET1(%rbx)
	movabsq	$CARREL_CHANNEL_VA, %rax
	subq	%rbx, %rax
	negq	%rax
	shrq	$SLOT_SHIFT, %rax
	movq	%rax, CARREL_SLOT_THREAD(%rbx)
	jmp	enter

	entry	CARREL_GATE_KICK
	request	CARREL_REQ_KICK
	jmp	requested

	/* About as long as a small fork takes. */
	entry	CARREL_GATE_WAIT
	leaq	moment(%rip), %rdi
	xorl	%esi, %esi
	movl	$SYS_nanosleep, %eax
	syscall
	jmp	requested
moment:	.quad	0, 100000		/* struct timespec */

	.org	PAGE, 0xcc
	.section .note.GNU-stack, "", @progbits
