/* SPDX-License-Identifier: BSD-2-Clause */
/* The gate, the bounce page and the descriptor page of process views. */
#include "fixed.h"

#include <string.h>

#include <base/phys.h>
#include <carrel/layout.h>
#include <carrel/thread.h>

#include "cpu.h"

#define INT3	0xCC
#define RET	0xC3

/*
 * SYSCALL in a process view comes here, at CPL 0 and with RCX = return address,
 * R11 = RFLAGS. GS base is the thread page; if the program moved it, the two
 * stores fault or harm its own memory (these tables map nothing else writable).
 */
#define STRING(x)	#x
#define VALUE(x)	STRING(x)
extern const u8 bounce_code[], bounce_code_end[];
asm(".pushsection .rodata.bounce, \"a\"\n"
    "bounce_code:\n"
    "	movq	%rcx, %gs:" VALUE(CARREL_TP_RCX) "\n"
    "	movq	%r11, %gs:" VALUE(CARREL_TP_R11) "\n"
    "	movabsq	$0x7E0040000040, %rcx\n"
    "	movl	$0x202, %r11d\n"
    "	sysretq\n"
    "bounce_code_end:\n"
    ".popsection");
static_assert(CARREL_SHIM_SYSCALL == 0x7E0040000040, "the bounce code names it");

/* SDM "Segment Descriptors": present, DPL 3, accessed (else the CPU would write the bit). */
#define USER_CODE_64	0x00AFFB000000FFFFUL
#define USER_DATA	0x00CFF3000000FFFFUL

static u64 gate, bounce, descriptors;

static void fill_gate(u8 *page)
{
	memset(page, INT3, PAGE_SIZE);
	memcpy(page + CARREL_GATE_CALL, machine.vt->call_bytes, sizeof(machine.vt->call_bytes));
	page[CARREL_GATE_CALL + sizeof(machine.vt->call_bytes)] = RET;
}

static void fill_bounce(u8 *page)
{
	memset(page, INT3, PAGE_SIZE);
	memcpy(page, bounce_code, (size_t)(bounce_code_end - bounce_code));
}

static void fill_descriptors(u64 *gdt)
{
	memset(gdt, 0, PAGE_SIZE);
	gdt[CARREL_USER_CS / 8] = USER_CODE_64;
	gdt[CARREL_USER_SS / 8] = USER_DATA;
}

int fixed_boot(void)
{
	gate = machine.pool->alloc(machine.pool);
	bounce = machine.pool->alloc(machine.pool);
	descriptors = machine.pool->alloc(machine.pool);
	if (!gate || !bounce || !descriptors)
		return -1;
	fill_gate(phys(gate));
	fill_bounce(phys(bounce));
	fill_descriptors(phys(descriptors));
	return 0;
}

int fixed_map(struct space *space)
{
	int error;

	error = space_fix(space, CARREL_GATE_VA, gate, PAGE_SIZE, TABLE_R | TABLE_X, true);
	if (!error)
		error = space_fix(space, CARREL_BOUNCE_VA, bounce, PAGE_SIZE, TABLE_R | TABLE_X,
				  false);
	if (!error)
		error = space_fix(space, CARREL_DESC_VA, descriptors, PAGE_SIZE, TABLE_R, false);
	return error;
}
