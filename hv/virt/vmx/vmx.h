/* SPDX-License-Identifier: BSD-2-Clause */
/* Intel VMX: VMCS fields and controls as the SDM names them, and what this room shares. */
#ifndef HV_VIRT_VMX_H
#define HV_VIRT_VMX_H

#include <virt/vt.h>

extern const struct vt_ops vmx_ops;

/* SDM appendix "VMX Capability Reporting Facility". */
#define MSR_VMX_BASIC			0x480
#define MSR_VMX_MISC			0x485
#define MSR_VMX_CR0_FIXED0		0x486
#define MSR_VMX_CR0_FIXED1		0x487
#define MSR_VMX_CR4_FIXED0		0x488
#define MSR_VMX_CR4_FIXED1		0x489
#define MSR_VMX_PROCBASED_CTLS2		0x48B
#define MSR_VMX_EPT_VPID_CAP		0x48C
#define MSR_VMX_TRUE_PINBASED_CTLS	0x48D
#define MSR_VMX_TRUE_PROCBASED_CTLS	0x48E
#define MSR_VMX_TRUE_EXIT_CTLS		0x48F
#define MSR_VMX_TRUE_ENTRY_CTLS		0x490

#define FEATURE_CONTROL_LOCK		BIT(0)
#define FEATURE_CONTROL_VMX_IN_SMX	BIT(1)
#define FEATURE_CONTROL_VMX		BIT(2)

#define BASIC_REVISION			0x7FFFFFFFU
#define BASIC_32_BIT			BIT(48)
#define BASIC_TRUE_CTLS			BIT(55)
#define MISC_WAIT_FOR_SIPI		BIT(8)

#define EPT_CAP_LENGTH_4		BIT(6)
#define EPT_CAP_WB			BIT(14)
#define EPT_CAP_2M			BIT(16)
#define EPT_CAP_1G			BIT(17)
/* The instruction, its single-context and its all-context type. */
#define EPT_CAP_INVEPT			(BIT(20) | BIT(25) | BIT(26))
#define EPT_CAP_INVVPID			(BIT(32) | BIT(41) | BIT(42))

/* Controls, SDM "VM-Execution Control Fields" and after. */
#define PIN_EXTERNAL_INTERRUPT		BIT(0)
#define PIN_NMI				BIT(3)
#define PIN_VIRTUAL_NMIS		BIT(5)

#define PROC_HLT			BIT(7)
#define PROC_INVLPG			BIT(9)
#define PROC_MWAIT			BIT(10)
#define PROC_RDPMC			BIT(11)
#define PROC_CR3_LOAD			BIT(15)
#define PROC_CR3_STORE			BIT(16)
#define PROC_CR8_LOAD			BIT(19)
#define PROC_CR8_STORE			BIT(20)
#define PROC_NMI_WINDOW			BIT(22)
#define PROC_MOV_DR			BIT(23)
#define PROC_UNCONDITIONAL_IO		BIT(24)
#define PROC_IO_BITMAPS			BIT(25)
#define PROC_MSR_BITMAPS		BIT(28)
#define PROC_MONITOR			BIT(29)
#define PROC_SECONDARY			BIT(31)

#define PROC2_EPT			BIT(1)
#define PROC2_DESCRIPTOR_TABLE		BIT(2)
#define PROC2_RDTSCP			BIT(3)
#define PROC2_VPID			BIT(5)
#define PROC2_UNRESTRICTED_GUEST	BIT(7)
#define PROC2_INVPCID			BIT(12)
#define PROC2_ENCLS			BIT(15)
#define PROC2_USER_WAIT			BIT(26)

#define EXIT_SAVE_DEBUG			BIT(2)
#define EXIT_HOST_64			BIT(9)
#define EXIT_SAVE_PAT			BIT(18)
#define EXIT_LOAD_PAT			BIT(19)
#define EXIT_SAVE_EFER			BIT(20)
#define EXIT_LOAD_EFER			BIT(21)

#define ENTRY_LOAD_DEBUG		BIT(2)
#define ENTRY_IA32E_GUEST		BIT(9)
#define ENTRY_LOAD_PAT			BIT(14)
#define ENTRY_LOAD_EFER			BIT(15)

/* SDM appendix "Field Encoding in VMCS"; those written once stand in the tables of control.c. */
enum vmcs_field {
	VMCS_VPID			= 0x0000,
	VMCS_GUEST_ES_SELECTOR		= 0x0800,	/* ES CS SS DS FS GS LDTR TR, 2 apart */
	VMCS_GUEST_CS_SELECTOR		= 0x0802,
	VMCS_GUEST_SS_SELECTOR		= 0x0804,
	VMCS_GUEST_DS_SELECTOR		= 0x0806,
	VMCS_GUEST_FS_SELECTOR		= 0x0808,
	VMCS_GUEST_GS_SELECTOR		= 0x080A,
	VMCS_HOST_ES_SELECTOR		= 0x0C00,	/* no LDTR; TR is in its place */
	VMCS_IO_BITMAP_A		= 0x2000,
	VMCS_IO_BITMAP_B		= 0x2002,
	VMCS_MSR_BITMAP			= 0x2004,
	VMCS_EPT_POINTER		= 0x201A,
	VMCS_ENCLS_BITMAP		= 0x202E,
	VMCS_GUEST_PHYSICAL		= 0x2400,
	VMCS_GUEST_DEBUGCTL		= 0x2802,
	VMCS_GUEST_PAT			= 0x2804,
	VMCS_GUEST_EFER			= 0x2806,
	VMCS_PIN_CONTROLS		= 0x4000,
	VMCS_PROC_CONTROLS		= 0x4002,
	VMCS_EXCEPTION_BITMAP		= 0x4004,
	VMCS_EXIT_CONTROLS		= 0x400C,
	VMCS_ENTRY_CONTROLS		= 0x4012,
	VMCS_ENTRY_EVENT		= 0x4016,	/* VM-entry interruption-information */
	VMCS_ENTRY_ERROR_CODE		= 0x4018,
	VMCS_ENTRY_LENGTH		= 0x401A,
	VMCS_PROC2_CONTROLS		= 0x401E,
	VMCS_INSTRUCTION_ERROR		= 0x4400,
	VMCS_EXIT_REASON		= 0x4402,
	VMCS_EXIT_EVENT			= 0x4404,	/* VM-exit interruption-information */
	VMCS_EXIT_ERROR_CODE		= 0x4406,
	VMCS_IDT_EVENT			= 0x4408,	/* IDT-vectoring information */
	VMCS_IDT_ERROR_CODE		= 0x440A,
	VMCS_EXIT_LENGTH		= 0x440C,
	VMCS_GUEST_ES_LIMIT		= 0x4800,
	VMCS_GUEST_GDTR_LIMIT		= 0x4810,
	VMCS_GUEST_IDTR_LIMIT		= 0x4812,
	VMCS_GUEST_ES_RIGHTS		= 0x4814,
	VMCS_GUEST_CS_RIGHTS		= 0x4816,
	VMCS_GUEST_SS_RIGHTS		= 0x4818,
	VMCS_GUEST_INTERRUPTIBILITY	= 0x4824,
	VMCS_GUEST_ACTIVITY		= 0x4826,
	VMCS_GUEST_SYSENTER_CS		= 0x482A,
	VMCS_CR0_MASK			= 0x6000,
	VMCS_CR4_MASK			= 0x6002,
	VMCS_CR0_SHADOW			= 0x6004,
	VMCS_CR4_SHADOW			= 0x6006,
	VMCS_EXIT_QUALIFICATION		= 0x6400,
	VMCS_GUEST_CR0			= 0x6800,
	VMCS_GUEST_CR3			= 0x6802,
	VMCS_GUEST_CR4			= 0x6804,
	VMCS_GUEST_ES_BASE		= 0x6806,
	VMCS_GUEST_CS_BASE		= 0x6808,
	VMCS_GUEST_FS_BASE		= 0x680E,
	VMCS_GUEST_GS_BASE		= 0x6810,
	VMCS_GUEST_GDTR_BASE		= 0x6816,
	VMCS_GUEST_IDTR_BASE		= 0x6818,
	VMCS_GUEST_DR7			= 0x681A,
	VMCS_GUEST_RSP			= 0x681C,
	VMCS_GUEST_RIP			= 0x681E,
	VMCS_GUEST_RFLAGS		= 0x6820,
	VMCS_GUEST_PENDING_DEBUG	= 0x6822,
	VMCS_HOST_RSP			= 0x6C14,
	VMCS_GUEST_SYSENTER_ESP		= 0x6824,
	VMCS_GUEST_SYSENTER_EIP		= 0x6826,
};

/* Order of the segment fields. */
enum vmcs_segment { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_LDTR, SEG_TR, SEGMENTS };

/* Segment access rights: the second doubleword of a descriptor, bits 23:8, and "unusable". */
#define RIGHTS_CODE_64(dpl)	(0xA09BU | (dpl) << 5)
#define RIGHTS_DATA(dpl)	(0xC093U | (dpl) << 5)
#define RIGHTS_CODE_16		0x009BU
#define RIGHTS_DATA_16		0x0093U
#define RIGHTS_LDT		0x0082U
#define RIGHTS_BUSY_TSS		0x008BU
#define RIGHTS_DPL(rights)	((rights) >> 5 & 3)
#define RIGHTS_L		BIT(13)
#define RIGHTS_UNUSABLE		0x10000U

/* Interruptibility state, pending debug exceptions, activity state. */
#define BLOCKING_BY_STI		BIT(0)
#define BLOCKING_BY_MOV_SS	BIT(1)
#define BLOCKING_BY_NMI		BIT(3)
#define PENDING_BS		BIT(14)
#define ACTIVITY_ACTIVE		0
#define ACTIVITY_WAIT_FOR_SIPI	3

/* The formats of interruption information: exit, IDT-vectoring and entry fields. */
#define EVENT_VECTOR		0xFFU
#define EVENT_TYPE		(7U << 8)
#define EVENT_NMI		(2U << 8)
#define EVENT_HARD_EXCEPTION	(3U << 8)
#define EVENT_SOFT_INTERRUPT	(4U << 8)
#define EVENT_ERROR_CODE	BIT(11)
#define EVENT_VALID		BIT(31)

/* SDM appendix "VMX Basic Exit Reasons"; exit.c has a table of the others. */
#define EXIT_EXCEPTION_NMI	0
#define EXIT_EXTERNAL_INTERRUPT	1
#define EXIT_CPUID		10
#define EXIT_EPT_MISCONFIG	49
#define EXIT_VMCALL		18

/* EPTP: memory type of the tables and walk length; SDM "Extended-Page-Table Pointer". */
#define EPTP_WB			6U
#define EPTP_LENGTH_4		(3U << 3)

#define VMX_HOST		0
#define VMX_PROCESS		1
#define VMX_VPID_HOST		1	/* view->tag n has VPID n + 1; tags of processes start at 1 */

/* MSRs that a process view must not inherit and that no VMCS field holds: the tracked ones
 * (process.c), and these where the CPU has them. */
#define VMX_SWITCHED_MSRS	8

struct vmx_switched_msr {
	u32 msr;
	u64 process, host;	/* host: its value while the process's is loaded */
};

/* vt->extra. */
struct vmx_cpu {
	u64 vmxon_pa;
	bool on;			/* in VMX operation */
	u32 host_pin, host_proc;	/* the host VMCS's controls outside an NMI window */
	u64 cr4_host_owned;		/* CR4 bits of the host VMCS that the guest does not own */
	/* what the process VMCS holds */
	bool bounce;			/* the segments of the bounce page */
	u32 shadow;			/* interruptibility, pending single step */
	u16 tag;			/* of the view, 0 none */
	u64 host_rsp;			/* end of a thread's registers */
	bool ibpb, verw, l1d_flush;	/* barriers that this CPU needs, process.c */
	bool left_process;		/* since the last entry of the host view */
	bool tsc_aux;
	u64 host_star, host_lstar, host_sfmask, host_tsc_aux;	/* as the host view last had them */
	u32 msr_count;
	struct vmx_switched_msr msrs[VMX_SWITCHED_MSRS];
};

static inline struct vmx_cpu *vmx_cpu(struct vt_cpu *vt)
{
	return vt->extra;
}

/* Every field used was written once, and the result looked at, in vmx_control_init; so later
 * accesses of the current VMCS cannot fail. */
static inline u64 vmread(enum vmcs_field field)
{
	u64 value;

	asm volatile("vmread %1, %0" : "=r"(value) : "r"((u64)field) : "cc");
	return value;
}

static inline bool vmwrite(enum vmcs_field field, u64 value)
{
	bool failed;

	asm volatile("vmwrite %2, %1" : "=@ccna"(failed) : "r"((u64)field), "r"(value) : "cc", "memory");
	return failed;
}

/* The instructions that take a physical address from memory. True if one failed. */
#define VMX_ADDRESS_INSTRUCTION(name) \
	static inline bool name(const u64 *pa) \
	{ \
		bool failed; \
		asm volatile(#name " %1" : "=@ccna"(failed) : "m"(*pa) : "cc", "memory"); \
		return failed; \
	}
VMX_ADDRESS_INSTRUCTION(vmxon)
VMX_ADDRESS_INSTRUCTION(vmptrld)
VMX_ADDRESS_INSTRUCTION(vmclear)
#undef VMX_ADDRESS_INSTRUCTION

static inline enum vmcs_field vmx_segment_field(enum vmcs_field of_es, enum vmcs_segment segment)
{
	return (enum vmcs_field)((u32)of_es + 2 * (u32)segment);
}

static inline u64 vmx_eptp(const struct view *view)
{
	return view->table.root | EPTP_LENGTH_4 | EPTP_WB;
}

/* ept.c */
extern const struct table_format vmx_nested_format;

/* What vt.h asks of a back end. */
VT_FUNCTIONS(VT_DECLARE, vmx)

/* control.c */
/* Fill both control structures; the host's is current afterwards. 0, or -1. */
int vmx_control_init(struct vt_cpu *vt, const struct vt_machine *machine);
/* Fields of the current VMCS, of either kind, that are the same at every start. True if one was
 * refused. */
bool vmx_common_fields(void);
/* All of a segment's fields, in the current VMCS. True if one was refused. */
bool vmx_set_segment(enum vmcs_segment segment, u16 selector, u64 base, u32 limit, u32 rights);

/* RIP of the current VMCS's guest. The shadow of an instruction does not follow the guest to
 * another place, and a single step that is pending in a shadow may not stay without it
 * (vmx_process_load). */
static inline void vmx_jump(u64 rip)
{
	u64 shadow = vmread(VMCS_GUEST_INTERRUPTIBILITY);

	vmwrite(VMCS_GUEST_RIP, rip);
	if (!(shadow & (BLOCKING_BY_STI | BLOCKING_BY_MOV_SS)))
		return;
	vmwrite(VMCS_GUEST_INTERRUPTIBILITY, shadow & ~(BLOCKING_BY_STI | BLOCKING_BY_MOV_SS));
	vmwrite(VMCS_GUEST_PENDING_DEBUG, 0);
}

/* process.c */
extern const u32 vmx_tracked_msrs[];
void vmx_process_init(struct vmx_cpu *own);
void vmx_barriers(struct vmx_cpu *own);

/* Let the host view exit, or no longer, as soon as it can take an NMI (exit.c). */
void vmx_nmi_window(struct vmx_cpu *own, bool on);

/* run.S, and what it calls */
extern const char vmx_exit_entry[];	/* host RIP of both VMCSs */
void vmx_exit(struct vt_cpu *vt);
bool vmx_entry_refused(struct vt_cpu *vt);
void vmx_root_nmi(struct vt_cpu *vt);

#endif
