/* SPDX-License-Identifier: BSD-2-Clause */
/* Vector state: see xstate.h. SDM "XSAVE Managed Features". */
#include <string.h>

#include "threads/xstate.h"
#include "memory/user.h"

#define FXSAVE_SIZE		512
#define MXCSR			24
#define XSAVE_HEADER		512
#define XSAVE_HEADER_SIZE	64
#define XSAVE_ALIGN		64UL
#define MXCSR_INITIAL		0x1f80U
#define HANDED_OVER		0x2ffUL		/* x87 to PKRU: 2696 bytes */
#define HANDED_OVER_SIZE	2696

_Static_assert(CARREL_TP_XSTATE % XSAVE_ALIGN == 0, "XSAVE wants it");
_Static_assert(CARREL_TP_XSTATE + HANDED_OVER_SIZE <= PAGE_SIZE, "room in the thread page");

static struct {
	bool known;
	uint64_t features, size;
} xstate;

/*
 * CPUID costs an exit: once is enough. Threads may learn it side by side: they write the
 * same, and `known` last.
 */
static void learn(void)
{
	uint32_t a, b, c, d;

	if (__atomic_load_n(&xstate.known, __ATOMIC_ACQUIRE))
		return;
	asm volatile("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(1), "c"(0));
	if (c & 1U << 27) {		/* OSXSAVE */
		asm volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
		xstate.features = (uint64_t)d << 32 | a;
		asm volatile("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(0xd), "c"(0));
		xstate.size = b;
	} else {
		xstate.size = FXSAVE_SIZE;
	}
	__atomic_store_n(&xstate.known, true, __ATOMIC_RELEASE);
}

uint64_t xstate_features(void)
{
	learn();
	return xstate.features;
}

uint64_t xstate_size(void)
{
	learn();
	return xstate.size;
}

static void save(uint8_t *area, uint64_t features)
{
	if (!features) {
		asm volatile("fxsave64 (%0)" : : "r"(area) : "memory");
		return;
	}
	memset(area + XSAVE_HEADER, 0, XSAVE_HEADER_SIZE);
	asm volatile("xsave64 (%0)" : : "r"(area), "a"((uint32_t)features),
		     "d"((uint32_t)(features >> 32)) : "memory");
}

static void restore(const uint8_t *area, uint64_t features)
{
	if (!features)
		asm volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
	else
		asm volatile("xrstor64 (%0)" : : "r"(area), "a"((uint32_t)features),
			     "d"((uint32_t)(features >> 32)) : "memory");
}

/* As in memory/user.c: the one instruction may fault, and then `reached` stays what it was. */
#define STRING(x)	#x
#define OFFSET(x)	STRING(x)
#define FIXUP		"%%gs:" OFFSET(CARREL_TP_FIXUP)
#define TRY(instruction, area, features, reached) \
	asm volatile("leaq 1f(%%rip), %%rcx\n\t" \
		     "movq %%rcx, " FIXUP "\n\t" \
		     instruction " (%[at])\n\t" \
		     "movl $1, %[done]\n" \
		     "1:\tmovq $0, " FIXUP "\n\t" \
		     : [done] "+r"(reached) \
		     : [at] "r"(area), "a"((uint32_t)(features)), \
		       "d"((uint32_t)((features) >> 32)) \
		     : "rcx", "memory")

bool xstate_try_save(uint8_t *area)
{
	static const uint8_t header[XSAVE_HEADER_SIZE];
	uint64_t features = xstate_features();
	uint32_t reached = 0;

	if (!features)
		TRY("fxsave64", area, features, reached);
	else if (copy_try(area + XSAVE_HEADER, header, sizeof(header)))
		TRY("xsave64", area, features, reached);
	return reached;
}

bool xstate_try_restore(const uint8_t *area, uint64_t features)
{
	uint32_t reached = 0;

	if (!features)
		TRY("fxrstor64", area, features, reached);
	else
		TRY("xrstor64", area, features, reached);
	return reached;
}

void xstate_initial(void)
{
	/* x87's control word and MXCSR; all else zeros. */
	static const uint8_t area[FXSAVE_SIZE + XSAVE_HEADER_SIZE]
		__attribute__((aligned(XSAVE_ALIGN))) = {
		0x7f, 0x03, [MXCSR] = MXCSR_INITIAL & 0xff, MXCSR_INITIAL >> 8,
	};

	restore(area, xstate_features());
}

void vectors_keep(struct carrel_thread_page *page)
{
	save((uint8_t *)page + CARREL_TP_XSTATE, xstate_features() & HANDED_OVER);
}

void vectors_take(const struct carrel_thread_page *page)
{
	restore((const uint8_t *)page + CARREL_TP_XSTATE, xstate_features() & HANDED_OVER);
}
