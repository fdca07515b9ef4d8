/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames of signal handlers: see sigframe.h. */
#include <string.h>

#include <carrel/hypercall.h>
#include "signals/sigframe.h"
#include "memory/user.h"
#include "memory/vm.h"
#include "threads/xstate.h"

/* SDM "XSAVE Managed Features": legacy area, header, then what XCR0 enables. */
#define FXSAVE_SIZE		512
#define SW_BYTES		464	/* of the legacy area, software's own from here */
#define MXCSR			24
#define XSAVE_HEADER		512
#define XSAVE_ALIGN		64UL
#define MXCSR_VALID		0xffffU

/* Linux's struct _fpx_sw_bytes: how a handler knows that there is more than FXSAVE. */
#define FP_MAGIC1		0x46505853U
#define FP_MAGIC2		0x46505845U
struct sw_bytes {
	uint32_t magic1, extended_size;
	uint64_t features;
	uint32_t size, padding[7];
};

#define FRAME_ALIGN		16UL
#define FLAGS_RESTORED		0x50dd5UL	/* AC RF OF DF TF SF ZF AF PF CF */
#define FLAGS_FIXED		0x202UL

static uint64_t area_size(void)
{
	return xstate_size() + (xstate_features() ? sizeof(uint32_t) : 0);
}

uint64_t sigframe_size(void)
{
	return sizeof(struct sigframe) + FRAME_ALIGN + area_size() + XSAVE_ALIGN;
}

static bool describe(uint8_t *area)
{
	struct sw_bytes sw = {
		.magic1 = FP_MAGIC1, .extended_size = area_size(),
		.features = xstate_features(), .size = xstate_size(),
	};
	uint32_t magic2 = FP_MAGIC2;

	return copy_try(area + SW_BYTES, &sw, sizeof(sw)) &&
	       copy_try(area + xstate_size(), &magic2, sizeof(magic2));
}

/* The stack is there, says the map; another thread may unmap it all the same. */
static bool write_frame(uint64_t address, uint64_t area, const struct sigframe *content)
{
	struct sigframe *frame = (struct sigframe *)address;

	return xstate_try_save((uint8_t *)area) &&
	       (!xstate_features() || describe((uint8_t *)area)) &&
	       copy_try(frame, content, sizeof(*frame)) &&
	       copy_try(&frame->context.fpstate, &area, sizeof(area));
}

uint64_t sigframe_push(struct thread *t, uint64_t top, const struct sigframe *content)
{
	uint64_t area, address;

	(void)t;
	if (top < VM_LOW)
		return 0;
	area = (top - area_size()) & ~(XSAVE_ALIGN - 1);
	/* The handler sees its stack as after a call. */
	address = ((area - sizeof(*content)) & ~(FRAME_ALIGN - 1)) - sizeof(uint64_t);
	if (address > top || vm_prefix(address, top - address, CARREL_W) != top - address ||
	    !write_frame(address, area, content))
		return 0;
	xstate_initial();
	return address;
}

/*
 * The features to load from an area, or all ones if loading it would fault. The
 * program may have written the area; another of its threads may do so while it
 * is loaded, and then harms itself alone.
 */
static uint64_t area_features(const uint8_t *area)
{
	struct sw_bytes sw;
	uint64_t header[8], reserved = 0;
	uint32_t magic2, mxcsr;

	if (!copy_try(&mxcsr, area + MXCSR, sizeof(mxcsr)) || mxcsr & ~MXCSR_VALID ||
	    !copy_try(&sw, area + SW_BYTES, sizeof(sw)))
		return ~0UL;
	if (!xstate_features() || sw.magic1 != FP_MAGIC1 || sw.size != xstate_size())
		return 0;
	if (vm_prefix((uint64_t)area, area_size(), CARREL_R) != area_size())
		return ~0UL;
	if (!copy_try(&magic2, area + xstate_size(), sizeof(magic2)) ||
	    !copy_try(header, area + XSAVE_HEADER, sizeof(header)))
		return ~0UL;
	if (magic2 != FP_MAGIC2)
		return 0;
	for (int i = 1; i < 8; i++)
		reserved |= header[i];
	if (reserved || header[0] & ~xstate_features())
		return ~0UL;
	return xstate_features();
}

static bool restore_area(uint64_t address)
{
	uint64_t features;

	if (!address) {
		xstate_initial();
		return true;
	}
	if (address & (XSAVE_ALIGN - 1) || vm_prefix(address, FXSAVE_SIZE, CARREL_R) != FXSAVE_SIZE)
		return false;
	features = area_features((const uint8_t *)address);
	if (features == ~0UL)
		return false;
	return xstate_try_restore((const uint8_t *)address, features);
}

bool sigframe_pop(struct thread *t, uint64_t address, struct sigframe *frame)
{
	const struct sigcontext *c = &frame->context;

	if (!user_get(frame, address, sizeof(*frame)))
		return false;
	/* IRETQ with an address that is not canonical would fault in the shim. */
	if (c->rip >= VM_HIGH || !restore_area(c->fpstate))
		return false;
	t->regs = (struct regs){
		.r15 = c->r15, .r14 = c->r14, .r13 = c->r13, .r12 = c->r12,
		.rbp = c->rbp, .rbx = c->rbx, .r11 = c->r11, .r10 = c->r10,
		.r9 = c->r9, .r8 = c->r8, .rax = c->rax, .rcx = c->rcx,
		.rdx = c->rdx, .rsi = c->rsi, .rdi = c->rdi,
		.rip = c->rip, .cs = CARREL_USER_CS,
		.rflags = (c->rflags & FLAGS_RESTORED) | FLAGS_FIXED,
		.rsp = c->rsp, .ss = CARREL_USER_SS,
	};
	return true;
}
