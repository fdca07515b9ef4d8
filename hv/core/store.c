/* SPDX-License-Identifier: BSD-2-Clause */
/* SDM volume 2, chapter 2: prefixes, opcode, ModRM, SIB, displacement, immediate. */
#include "store.h"

#include "guestmem.h"

#define OPERAND_SIZE	0x66
#define REX		0x40
#define REX_R		4U
#define REX_W		8U
#define OPCODE_XCHG	0x86	/* the lowest bit of each opcode: not a byte */
#define OPCODE_MOV	0x88
#define OPCODE_MOV_IMM	0xC6

/* Bytes of ModRM, SIB and displacement; 0 for a register operand. 64-bit addressing. */
static unsigned int modrm_length(const u8 *p, unsigned int left)
{
	unsigned int mod = p[0] >> 6, rm = p[0] & 7, length = 1;

	if (mod == 3 || (rm == 4 && left < 2))
		return 0;
	if (rm == 4) {
		length++;
		if (mod == 0 && (p[1] & 7) == 5)
			length += 4;
	} else if (mod == 0 && rm == 5) {
		length += 4;
	}
	return length + (mod == 1 ? 1 : mod == 2 ? 4 : 0);
}

/* Registers of a ModRM byte are in the order of their encodings; RSP apart. */
static void store_register(struct cpu *cpu, struct store *store, unsigned int reg, bool rex)
{
	u64 *regs = &cpu->vt.regs->rax, value;

	if (store->size == 1 && !rex && reg >= 4)	/* AH, CH, DH, BH */
		value = regs[reg - 4] >> 8;
	else
		value = reg == 4 ? machine.vt->get(&cpu->vt, VT_RSP) : regs[reg];
	store->value = (u32)(value & ((1ULL << 8 * store->size) - 1));
}

static bool store_immediate(struct store *store, const u8 *p, unsigned int left)
{
	if (left < store->size)
		return false;
	for (unsigned int i = 0; i < store->size; i++)
		store->value |= (u32)p[i] << 8 * i;
	store->length += store->size;
	return true;
}

bool store_decode(struct cpu *cpu, struct store *store)
{
	u8 b[GUESTMEM_INSN_MAX];
	unsigned int n = guestmem_fetch(cpu, b), at = 0, rex = 0, operand, reg;

	*store = (struct store){ .size = 4 };
	if (at < n && b[at] == OPERAND_SIZE)
		store->size = 2, at++;
	if (at < n && (b[at] & 0xF0) == REX)
		rex = b[at++];
	if (n < at + 2 || rex & REX_W)
		return false;
	if (!(b[at] & 1))
		store->size = 1;
	reg = (b[at + 1] >> 3 & 7) | (rex & REX_R ? 8 : 0);
	operand = modrm_length(b + at + 1, n - at - 1);
	store->length = (u8)(at + 1 + operand);
	if (!operand || store->length > n)
		return false;
	switch (b[at] & ~1) {
	case OPCODE_XCHG:
		if (store->size != 4)
			break;
		if (reg != 4)
			store->exchange = &cpu->vt.regs->rax + reg;
		/* fall through */
	case OPCODE_MOV:
		store_register(cpu, store, reg, rex);
		return true;
	case OPCODE_MOV_IMM:
		return !(b[at + 1] & 0x38) &&
			store_immediate(store, b + store->length, n - store->length);
	}
	return false;
}
