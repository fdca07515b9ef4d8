/* SPDX-License-Identifier: BSD-2-Clause */
/* The decoder of stores: bytes as an assembler makes them, and what they mean. */
#include "model.h"

struct row {
	const char *text;
	u8 length;
	u8 bytes[15];
	u8 size;		/* of the operand; 0: not decoded */
	u32 value;
	u8 exchange;		/* number of the register + 1 */
};

/* Register n is n0n1n2n3n4n5n6n7h in bytes from the top: RAX 0001..., R15 F0F1.... */
static const struct row rows[] = {
	{ "mov %eax, (%rbx)", 2, { 0x89, 0x03 }, 4, 0x04050607, 0 },
	{ "mov %ax, (%rbx)", 3, { 0x66, 0x89, 0x03 }, 2, 0x0607, 0 },
	{ "mov %al, (%rbx)", 2, { 0x88, 0x03 }, 1, 0x07, 0 },
	{ "mov %ah, (%rbx)", 2, { 0x88, 0x23 }, 1, 0x06, 0 },
	{ "mov %bh, (%rbx)", 2, { 0x88, 0x3B }, 1, 0x36, 0 },
	{ "mov %spl, (%rbx)", 3, { 0x40, 0x88, 0x23 }, 1, 0x47, 0 },
	{ "mov %dil, (%rbx)", 3, { 0x40, 0x88, 0x3B }, 1, 0x77, 0 },
	{ "mov %r12b, (%rbx)", 3, { 0x44, 0x88, 0x23 }, 1, 0xC7, 0 },
	{ "mov %esp, (%rbx)", 2, { 0x89, 0x23 }, 4, 0x44454647, 0 },
	{ "mov %r15d, (%r8)", 3, { 0x45, 0x89, 0x38 }, 4, 0xF4F5F6F7, 0 },
	{ "mov %r9w, (%rbx)", 4, { 0x66, 0x44, 0x89, 0x0B }, 2, 0x9697, 0 },
	{ "mov %edx, 0x10(%rip)", 6, { 0x89, 0x15, 0x10, 0, 0, 0 }, 4, 0x24252627, 0 },
	{ "mov %edx, 8(%rbx)", 3, { 0x89, 0x53, 0x08 }, 4, 0x24252627, 0 },
	{ "mov %edx, 0x1000(%rbx)", 6, { 0x89, 0x93, 0, 0x10, 0, 0 }, 4, 0x24252627, 0 },
	{ "mov %edx, (%rsp)", 3, { 0x89, 0x14, 0x24 }, 4, 0x24252627, 0 },
	{ "mov %edx, 8(%rbx,%rcx,4)", 4, { 0x89, 0x54, 0x8B, 0x08 }, 4, 0x24252627, 0 },
	{ "mov %edx, 0x1000(%rbx,%rcx)", 7, { 0x89, 0x94, 0x0B, 0, 0x10, 0, 0 }, 4, 0x24252627, 0 },
	{ "mov %edx, 0xfee00000", 7, { 0x89, 0x14, 0x25, 0, 0, 0xE0, 0xFE }, 4, 0x24252627, 0 },
	{ "mov %edx, (%r13)", 4, { 0x41, 0x89, 0x55, 0 }, 4, 0x24252627, 0 },
	{ "movl $imm, (%rbx)", 6, { 0xC7, 0x03, 1, 2, 3, 4 }, 4, 0x04030201, 0 },
	{ "movw $imm, (%rbx)", 5, { 0x66, 0xC7, 0x03, 1, 2 }, 2, 0x0201, 0 },
	{ "movb $imm, (%rbx)", 3, { 0xC6, 0x03, 0xFE }, 1, 0xFE, 0 },
	{ "movl $imm, 0x10(%rip)", 10, { 0xC7, 0x05, 0x10, 0, 0, 0, 1, 2, 3, 4 }, 4, 0x04030201, 0 },
	{ "movl $imm, 8(%rbx,%rcx,4)", 8, { 0xC7, 0x44, 0x8B, 0x08, 1, 2, 3, 4 }, 4, 0x04030201, 0 },
	{ "xchg %eax, (%rbx)", 2, { 0x87, 0x03 }, 4, 0x04050607, 1 },
	{ "xchg %r9d, (%rbx)", 3, { 0x44, 0x87, 0x0B }, 4, 0x94959697, 10 },
	/* not these */
	{ "mov %rax, (%rbx)", 3, { 0x48, 0x89, 0x03 }, 0, 0, 0 },
	{ "movq $imm, (%rbx)", 7, { 0x48, 0xC7, 0x03, 1, 2, 3, 4 }, 0, 0, 0 },
	{ "xchg %ax, (%rbx)", 3, { 0x66, 0x87, 0x03 }, 0, 0, 0 },
	{ "xchg %al, (%rbx)", 2, { 0x86, 0x03 }, 0, 0, 0 },
	{ "mov %eax, %ebx", 2, { 0x89, 0xC3 }, 0, 0, 0 },
	{ "mov (%rbx), %eax", 2, { 0x8B, 0x03 }, 0, 0, 0 },
	{ "add %eax, (%rbx)", 2, { 0x01, 0x03 }, 0, 0, 0 },
	{ "C7 /1", 6, { 0xC7, 0x0B, 1, 2, 3, 4 }, 0, 0, 0 },
	{ "lock xchg %eax, (%rbx)", 3, { 0xF0, 0x87, 0x03 }, 0, 0, 0 },
	{ "rep stosb", 2, { 0xF3, 0xAA }, 0, 0, 0 },
	{ "REX before 66", 4, { 0x44, 0x66, 0x89, 0x03 }, 0, 0, 0 },
	{ "two REX", 4, { 0x40, 0x44, 0x89, 0x03 }, 0, 0, 0 },
};

static void fill_registers(void)
{
	u64 *regs = &guest_regs.rax;

	for (u64 n = 0; n < 16; n++) {
		regs[n] = 0x0001020304050607 + n * 0x1010101010101010;
		if (n == 4) {
			guest_rsp = regs[n];
			regs[n] = 0x5555555555555555;
		}
	}
}

static bool decode(const struct row *row, unsigned int size, struct store *store)
{
	fill_registers();
	memset(guest_code, 0, sizeof(guest_code));
	memcpy(guest_code, row->bytes, sizeof(row->bytes));
	guest_code_size = size;
	return store_decode(&guest, store);
}

static void test_rows(void)
{
	struct store store;

	guest.vt.regs = &guest_regs;
	model_start(true);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];
		bool good = decode(row, 15, &store) == (row->size != 0);

		if (good && row->size)
			good = store.size == row->size && store.length == row->length &&
				store.value == row->value &&
				store.exchange == (row->exchange ? &guest_regs.rax + row->exchange - 1 : NULL);
		if (!good)
			printf("     %s: size %u, length %u, value %x\n", row->text, store.size,
			       store.length, store.value);
		CHECK(good);
	}
}

/* Whole it is decoded, with a byte less it never is. */
static void test_truncated(void)
{
	struct store store;

	model_start(true);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (!rows[i].size)
			continue;
		CHECK(decode(&rows[i], rows[i].length, &store));
		for (unsigned int size = 0; size < rows[i].length; size++)
			CHECK(!decode(&rows[i], size, &store));
	}
}

/* Whatever the bytes, it ends, within them, and the sanitizers are content. */
static void test_any(void)
{
	u64 state = 0x9E3779B97F4A7C15;
	struct row row = { 0 };
	struct store store;

	model_start(true);
	for (unsigned int i = 0; i < 300000; i++) {
		for (unsigned int b = 0; b < sizeof(row.bytes); b++) {
			state = state * 6364136223846793005 + 1442695040888963407;
			row.bytes[b] = (u8)(state >> 56);
		}
		row.bytes[i & 1] = (u8)(0x86 + (state >> 40) % 4);
		if (decode(&row, i % 16, &store))
			CHECK(store.length && store.length <= i % 16 && store.size <= 4);
	}
}

const struct test store_tests[] = {
	{ "the stores that are decoded, and what is not", test_rows },
	{ "truncated stores", test_truncated },
	{ "any bytes", test_any },
	{ 0 }
};
