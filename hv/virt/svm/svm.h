/* SPDX-License-Identifier: BSD-2-Clause */
/* AMD SVM: the VMCB as the APM defines it, and what the files of this room share. */
#ifndef HV_VIRT_SVM_H
#define HV_VIRT_SVM_H

#include <virt/vt.h>

extern const struct vt_ops svm_ops;

/* Intercept vectors, APM "VMCB Layout, Control Area". */
#define SVM_INIT		BIT(3)
#define SVM_CPUID		BIT(18)
#define SVM_INVD		BIT(22)
#define SVM_INVLPGA		BIT(26)
#define SVM_IOIO_PROT		BIT(27)
#define SVM_MSR_PROT		BIT(28)
#define SVM_SHUTDOWN		BIT(31)
/* Not intercepted in a process view: SMI, VINTR, CR0.TS writes, RDTSC, PUSHF, POPF, which are
 * harmless; IRET, PAUSE, FERR_FREEZE. */
#define SVM_PROCESS_MAY		(BIT(2) | BIT(4) | BIT(5) | BIT(14) | BIT(16) | BIT(17) | \
				 BIT(20) | BIT(23) | BIT(30))
/* Offset 010h: VMRUN, VMMCALL, VMLOAD, VMSAVE, STGI, CLGI, SKINIT. */
#define SVM_SVM_INSNS		0x007FU
/* ICEBP, WBINVD, MONITOR, MWAIT, armed MWAIT, XSETBV. */
#define SVM_PROCESS_INSNS	0x3F00U

#define SVM_V_INTR_MASKING	BIT(24)
#define SVM_NP_ENABLE		BIT(0)

#define SVM_TLB_NOTHING		0
#define SVM_TLB_FLUSH_ALL	1

/* Exit codes, APM appendix "SVM Intercept Exit Codes"; exit.c has a table of the others. */
#define SVM_EXIT_CPUID		0x72
#define SVM_EXIT_INTR		0x60
#define SVM_EXIT_VMMCALL	0x81
#define SVM_EXIT_NPF		0x400

/* EVENTINJ and EXITINTINFO, APM "Event Injection". */
#define SVM_EVENT_EXCEPTION	(3ULL << 8)
#define SVM_EVENT_TYPE		(7ULL << 8)
#define SVM_EVENT_ERROR		BIT(11)
#define SVM_EVENT_VALID		BIT(31)

#define SVM_ATTRIBUTES_L	BIT(9)

struct svm_segment {
	u16 selector;
	u16 attributes;		/* descriptor bits 55:52 and 47:40 */
	u32 limit;
	u64 base;
};

/* APM appendix "Layout of VMCB". */
struct vmcb {
	u32 intercept_cr, intercept_dr, intercept_exceptions;	/* 000h */
	u32 intercept1, intercept2, intercept3;			/* 00Ch */
	u8 reserved1[0x3C - 0x18];
	u16 pause_threshold, pause_count;
	u64 iopm_base, msrpm_base, tsc_offset;			/* 040h */
	u32 asid;						/* 058h */
	u8 tlb_control, reserved2[3];
	u64 v_intr;						/* 060h */
	u64 interrupt_shadow;					/* 068h */
	u64 exitcode, exitinfo1, exitinfo2, exitintinfo;	/* 070h */
	u64 np_enable;						/* 090h */
	u64 avic_bar, ghcb;
	u64 eventinj;						/* 0A8h */
	u64 n_cr3;						/* 0B0h */
	u64 lbr_control;
	u32 clean, reserved3;					/* 0C0h */
	u64 nrip;						/* 0C8h */
	u8 fetched, bytes[15];
	u8 reserved4[0x400 - 0xE0];
	struct svm_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;	/* 400h */
	u8 reserved5[0x4CB - 0x4A0];
	u8 cpl;							/* 4CBh */
	u32 reserved6;
	u64 efer;						/* 4D0h */
	u8 reserved7[0x548 - 0x4D8];
	u64 cr4, cr3, cr0, dr7, dr6, rflags, rip;		/* 548h */
	u8 reserved8[0x5D8 - 0x580];
	u64 rsp;						/* 5D8h */
	u64 s_cet, ssp, isst;
	u64 rax, star, lstar, cstar, sfmask, kernel_gs_base;	/* 5F8h */
	u64 sysenter_cs, sysenter_esp, sysenter_eip, cr2;	/* 628h */
	u8 reserved9[0x668 - 0x648];
	u64 g_pat, dbgctl, br_from, br_to, last_excp_from, last_excp_to;	/* 668h */
	u8 reserved10[0x6E0 - 0x698];
	u64 spec_ctrl;						/* 6E0h */
	u8 reserved11[4096 - 0x6E8];
} __attribute__((packed));
static_assert(sizeof(struct vmcb) == 4096, "APM: the VMCB is one page");
static_assert(offsetof(struct vmcb, exitcode) == 0x70, "APM");
static_assert(offsetof(struct vmcb, np_enable) == 0x90, "APM");
static_assert(offsetof(struct vmcb, eventinj) == 0xA8, "APM");
static_assert(offsetof(struct vmcb, nrip) == 0xC8, "APM");
static_assert(offsetof(struct vmcb, es) == 0x400, "APM");
static_assert(offsetof(struct vmcb, cpl) == 0x4CB, "APM");
static_assert(offsetof(struct vmcb, efer) == 0x4D0, "APM");
static_assert(offsetof(struct vmcb, cr4) == 0x548, "APM");
static_assert(offsetof(struct vmcb, rip) == 0x578, "APM");
static_assert(offsetof(struct vmcb, rsp) == 0x5D8, "APM");
static_assert(offsetof(struct vmcb, rax) == 0x5F8, "APM");
static_assert(offsetof(struct vmcb, cr2) == 0x640, "APM");
static_assert(offsetof(struct vmcb, g_pat) == 0x668, "APM");
static_assert(offsetof(struct vmcb, spec_ctrl) == 0x6E0, "APM");

#define SVM_HOST	0
#define SVM_PROCESS	1

/* Which view an ASID of this CPU stands for. ASID 1 is the host view's. */
#define SVM_ASID_HOST	1
#define SVM_ASIDS	256	/* used at most */

/* vt->extra. */
struct svm_cpu {
	u64 own_state_pa;	/* VMSAVE area of the hypervisor itself */
	u32 asids;		/* this CPU has 0 .. asids - 1 */
	u32 asid_next;
	u16 asid_tag[SVM_ASIDS];	/* tag of the process view that owns it, 0 none */
	bool nrip;
	bool tsc_aux, ibpb;
	u16 tag;		/* of the view that the process VMCB holds, 0 none */
	u64 host_debugctl;	/* as the host view last had them */
	u64 host_tsc_aux;
};

static inline struct vmcb *svm_vmcb(struct vt_cpu *vt)
{
	return vt->control[vt->current];
}

static inline struct svm_cpu *svm_cpu(struct vt_cpu *vt)
{
	return vt->extra;
}

/* npt.c */
extern const struct table_format svm_nested_format;

/* What vt.h asks of a back end. */
VT_FUNCTIONS(VT_DECLARE, svm)

/* control.c */
void svm_control_init(struct vt_cpu *vt, const struct vt_machine *machine);

/* process.c */
/* CS and SS of a process view: the program's or the bounce page's. */
void svm_process_level(struct vmcb *v, bool bounce);
extern const u32 svm_tracked_msrs[];

/* called by run.S */
void svm_exit(struct vt_cpu *vt);

#endif
