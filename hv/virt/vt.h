/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The interface of a virtualization back end (hv/virt/svm, hv/virt/vmx) and the
 * exits as the core sees them. The core knows no vendor: it holds a pointer to
 * one const struct vt_ops, chosen once by boot/main.c.
 *
 * Each CPU has two control structures, host and process (design section 4).
 * Exactly one is current: the one that the next entry uses. The host's keeps its
 * guest state while the process's is current.
 *
 * Rules of a handler: it runs on the CPU's own stack with interrupts off (SVM:
 * GIF = 0); it may change *vt->regs, and rip, rsp, rflags by set(); it returns, and
 * the back end enters the current control structure.
 */
#ifndef HV_VIRT_VT_H
#define HV_VIRT_VT_H

#include <base/types.h>
#include <mm/table.h>
#include <mm/view.h>
#include <virt/vt_offsets.h>

/* General registers but RSP, in the order of their encodings. Assembly knows the order. */
struct vt_regs {
	u64 rax, rcx, rdx, rbx, reserved_rsp, rbp, rsi, rdi;
	u64 r8, r9, r10, r11, r12, r13, r14, r15;
};
static_assert(sizeof(struct vt_regs) == 128, "assembly knows the order");

/* Why the CPU left the guest; also the rows of the exit counters. */
enum vt_reason {
	VT_CPUID,
	VT_HYPERCALL,
	VT_XSETBV,
	VT_MSR_READ,
	VT_MSR_WRITE,
	VT_IO,
	VT_CR_WRITE,		/* CR0 or CR4, host view: a bit of ours was touched */
	VT_NESTED_FAULT,	/* NPF, EPT violation */
	VT_EXCEPTION,		/* process view only */
	VT_INTERRUPT,		/* process view only; left pending */
	VT_NMI,
	VT_INIT,
	VT_SIPI,
	VT_SHUTDOWN,		/* triple fault */
	VT_VIRT_INSN,		/* VMXON, VMRUN, GETSEC ...: the guest gets #UD */
	VT_INVD,
	VT_OTHER_INSN,		/* process view: an instruction it may not use; upcall #GP or #UD */
	VT_ENTRY_FAILED,	/* the control structure was refused */
	VT_REASONS
};

struct vt_exit {
	enum vt_reason reason;
	bool process;		/* left a process view */
	u8 length;		/* of the instruction; 0 unknown */
	u8 vector;		/* EXCEPTION, SIPI (start page) */
	u8 mode;		/* HYPERCALL: the caller's CPL, and VT_64BIT if it was in 64-bit mode */
	bool delivering;	/* NESTED_FAULT: an event was being delivered */
	bool write, fetch;	/* NESTED_FAULT */
	u64 error;		/* EXCEPTION: error code */
	u64 address;		/* NESTED_FAULT: guest-physical; EXCEPTION 14: CR2 */
	u32 msr;
	/* IO */
	u16 port;
	u8 size;		/* 1, 2, 4 */
	bool in, string, rep;
	/* CR_WRITE */
	u8 cr;			/* 0 or 4 */
	u64 value;		/* new value */
	u64 cr3;		/* HYPERCALL */
	u64 cr4;		/* CPUID: of the guest, with the bits that are ours */
	u64 raw;		/* the back end's own code, for the log */
};

#define VT_64BIT 4

enum vt_field {
	VT_RIP, VT_RSP, VT_RFLAGS, VT_CR0, VT_CR3, VT_CR4, VT_EFER, VT_DEBUGCTL, VT_CPL, VT_CS_BASE
};

/* A thread's context outside its vector state. Hypervisor memory (donated, in no view). */
struct vt_context {
	struct vt_regs regs;
	u64 rip, rsp, rflags;
	u64 fs_base, gs_base;
	u32 bounce;	/* 1: CPL 0 in the bounce page, between SYSCALL and SYSRET */
	u32 shadow;	/* of MOV SS or STI, and what else is pending: the back end's bits; 0 none */
};

/* What the process control structure must point to for an entry. */
struct vt_process {
	u64 cr3;			/* private tables */
	const struct view *view;
};

struct vt_cpu;
typedef void (*vt_handler)(void *cpu, const struct vt_exit *exit);

struct vt_cpu {
	struct vt_regs *regs;		/* of the guest that was left: host_regs, or its context's */
	struct vt_regs host_regs;
	void *control[2];		/* back end's: VMCB or VMCS of host (0) and process (1) */
	u64 control_pa[2];
	u32 current;			/* 0 host, 1 process */
	void *extra;			/* back end's per-CPU state */
	void *cpu;			/* the core's CPU object: first argument of the handler */
	vt_handler handler;
	u64 stack_top;			/* handler stack */
	u64 scratch[4];			/* back end's assembly */
	u32 *nmi;			/* set by the NMI handler in root mode: owed to the host view */
	unsigned int id;
	bool msrs_written;		/* see tracked_msrs; also set when the back end starts */
};

static_assert(offsetof(struct vt_regs, rcx) == VT_RCX, "vt_offsets.h");
static_assert(offsetof(struct vt_regs, rdi) == VT_RDI, "vt_offsets.h");
static_assert(offsetof(struct vt_regs, r15) == VT_R8 + 7 * 8, "vt_offsets.h");
static_assert(offsetof(struct vt_cpu, regs) == VT_REGS, "vt_offsets.h");
static_assert(offsetof(struct vt_cpu, control_pa) == VT_CONTROL_PA, "vt_offsets.h");
static_assert(offsetof(struct vt_cpu, current) == VT_CURRENT, "vt_offsets.h");
static_assert(offsetof(struct vt_cpu, stack_top) == VT_STACK_TOP, "vt_offsets.h");
static_assert(offsetof(struct vt_cpu, scratch) == VT_SCRATCH, "vt_offsets.h");

#define VT_BITMAP 12288

/* Machine facts that the back end needs; filled by boot/main.c before cpu_start. */
struct vt_machine {
	const struct view *host_view;
	u64 msr_bitmap_pa;	/* made by the core's policy through the helpers below */
	u64 io_bitmap_pa;
	u64 ones_pa;		/* a bitmap of ones: permission maps of a process view (SVM) */
	u32 cr4_host_owned;	/* CR4 bits that the guest may not set (LA57, VMXE, SMXE) */
};

struct vt_ops {
	const char *name;		/* "SVM", "VMX" */
	u32 insn;			/* CARREL_INSN_* */
	u8 call_bytes[3];		/* its hypercall instruction */

	/* NULL, or the name of the first thing this CPU lacks ("AMD SVM nested paging (NPT)"). */
	const char *(*missing)(void);
	const struct table_format *nested;
	u8 (*largest_leaf)(void);	/* of nested tables, on this CPU */
	/* bytes (page multiple) of per-CPU memory for control structures and extra */
	size_t (*cpu_size)(void);

	/* In an MSR bitmap, VT_BITMAP bytes that begin as ones. I/O bitmaps are alike: a bit a port. */
	void (*msr_intercept)(void *bitmap, u32 msr, bool read, bool write);

	/* MSRs that are switched in software with every view, 0 ends. So that they need not be
	 * read each time, the core lets the host guest's writes of them exit, carries them out and
	 * sets vt->msrs_written. */
	const u32 *tracked_msrs;

	/* On the CPU itself, once: enter SVM/VMX operation, build both control structures in
	 * `memory` (cpu_size() bytes, zeroed). 0, or -1 with a log line. */
	int (*cpu_start)(struct vt_cpu *vt, const struct vt_machine *machine, void *memory);
	/* An INIT was an exit, and the CPU may keep it pending. Returns with interrupts off and NMIs
	 * on if it is gone; else it resets this CPU now. */
	void (*take_init)(struct vt_cpu *vt);
	/* Does an INIT leave a CPU in the hypervisor's hands even while no trap is up? */
	bool (*holds_init)(void);

	/* Host guest state: the 64-bit Linux entry, or the state after SIPI `page`. */
	void (*host_enter_linux)(struct vt_cpu *vt, u64 rip, u64 rsi, u64 rsp, u64 cr3,
				 u64 gdt_base, u16 gdt_limit);
	void (*host_enter_sipi)(struct vt_cpu *vt, u8 page);
	/* Can INIT and SIPI be left to exits (VMX, wait-for-SIPI activity state)? */
	bool (*native_sipi)(void);
	/* Enter that state, with the guest's other state as it is, which must be one that can be
	 * entered; false where there is none. */
	bool (*host_wait_sipi)(struct vt_cpu *vt);

	/* Enter the current control structure, for ever; handler is called at each exit. */
	void (*run)(struct vt_cpu *vt) __attribute__((noreturn));

	/* Current guest's state (host or process). skip: past the exiting instruction: RIP,
	 * interrupt shadow and RF cleared, TF honoured (a pending #DB for the guest). */
	u64 (*get)(struct vt_cpu *vt, enum vt_field field);
	void (*set)(struct vt_cpu *vt, enum vt_field field, u64 value);
	void (*skip)(struct vt_cpu *vt, const struct vt_exit *exit);
	/* Inject into the host view at its next entry. error < 0: none. */
	void (*inject)(struct vt_cpu *vt, unsigned int vector, s64 error);
	void (*inject_nmi)(struct vt_cpu *vt);
	/* Re-deliver the event whose delivery the last host-view exit cut short. */
	void (*reinject)(struct vt_cpu *vt);

	/* Make the process control structure current with this context, whose registers vt->regs
	 * are until process_save. MSRs that hardware does not switch are switched here.
	 * Everything not in the context is constant. */
	void (*process_load)(struct vt_cpu *vt, struct vt_context *context,
			     const struct vt_process *process);
	/* Save the context, past an instruction of `length` bytes unless that is 0, and make the
	 * host's control structure current again. Its guest goes on at `rip` with stack `rsp`
	 * and no flag set but IF (and TF as it was), wherever it left its view; vt->regs are
	 * the host's again, the caller's to fill. */
	void (*process_save)(struct vt_cpu *vt, struct vt_context *context, u8 length, u64 rip,
			     u64 rsp);

	/* Before the next entry: forget every cached translation of this CPU, all views. */
	void (*flush_all)(struct vt_cpu *vt);
};

/*
 * A back end has these functions under these names with its prefix: VT_DECLARE states
 * their types, which are those of struct vt_ops, and VT_OP fills a table with them.
 */
#define VT_FUNCTIONS(f, prefix) \
	f(prefix, missing) f(prefix, largest_leaf) f(prefix, cpu_size) \
	f(prefix, msr_intercept) f(prefix, cpu_start) \
	f(prefix, take_init) f(prefix, holds_init) f(prefix, run) \
	f(prefix, host_enter_linux) f(prefix, host_enter_sipi) \
	f(prefix, native_sipi) f(prefix, host_wait_sipi) \
	f(prefix, get) f(prefix, set) f(prefix, skip) \
	f(prefix, inject) f(prefix, inject_nmi) f(prefix, reinject) \
	f(prefix, process_load) f(prefix, process_save) \
	f(prefix, flush_all)
#define VT_DECLARE(prefix, name) extern typeof(*((struct vt_ops *)NULL)->name) prefix##_##name;
#define VT_OP(prefix, name) .name = prefix##_##name,

#endif
