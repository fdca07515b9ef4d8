/* SPDX-License-Identifier: BSD-2-Clause */
/* Offsets in struct vt_regs and struct vt_cpu that the back ends' assembly uses; vt.h asserts
 * them. */
#define VT_RCX		0x08
#define VT_RDX		0x10
#define VT_RBX		0x18
#define VT_RBP		0x28
#define VT_RSI		0x30
#define VT_RDI		0x38
#define VT_R8		0x40	/* to R15, 8 bytes each */
#define VT_REGS		0x00
#define VT_CONTROL_PA	0x98
#define VT_CURRENT	0xA8
#define VT_STACK_TOP	0xC8
#define VT_SCRATCH	0xD0
