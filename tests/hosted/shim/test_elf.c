/* SPDX-License-Identifier: BSD-2-Clause */
/* Program files, good and hostile. */
#include <stddef.h>

#include "elf_check.h"
#include "make_elf.h"
#include "test.h"

static struct made made;
static struct elf_plan plan;

static const char *read_made(void)
{
	/* behind its size the block ends: reading on would fault */
	uint8_t *copy = malloc(made.size ? made.size : 1);
	const char *wrong;

	memcpy(copy, made.bytes, made.size);
	wrong = elf_read(copy, made.size, made.size, &plan);
	free(copy);
	return wrong;
}

static void good(void)
{
	make_elf(&made);
	CHECK(read_made() == NULL);
	CHECK(elf_check(&plan, made.size) == NULL);
	CHECK_EQ(plan.count, 3);
	CHECK_EQ(plan.low, 0x400000);
	CHECK_EQ(plan.high, 0x408000);
	CHECK_EQ(plan.entry, 0x401010);
	CHECK_EQ(plan.headers, 0x400040);
	CHECK_EQ(plan.header_count, 4);
	CHECK(!plan.relocatable && !plan.exec_stack);
	CHECK_EQ(plan.segment[1].rights, CARREL_R | CARREL_X);
	CHECK_EQ(plan.segment[2].file_size, 0x900);
	CHECK_EQ(plan.segment[2].memory_size, 0x3000);
	made.header.e_type = ET_DYN;
	made.segment[3].p_flags |= PF_X;
	made.segment[1].p_align = 0x200000;
	CHECK(read_made() == NULL && plan.relocatable && plan.exec_stack);
	CHECK_EQ(plan.align, 0x200000);
}

/* One field of the file set to one value. */
struct spoilt {
	const char *what;
	size_t offset;
	unsigned int size;
	uint64_t value;
};
#define HEADER(field, value) { "header: " #field " = " #value, offsetof(Elf64_Ehdr, field), \
			       sizeof(((Elf64_Ehdr *)0)->field), value }
#define SEGMENT(i, field, value) { "segment " #i ": " #field " = " #value, \
				   offsetof(struct made, segment[i].field), \
				   sizeof(((Elf64_Phdr *)0)->field), value }
#define TOP	UINT64_MAX

static const struct spoilt refused[] = {
	HEADER(e_ident[0], 0), HEADER(e_ident[4], 1), HEADER(e_ident[5], 2), HEADER(e_ident[6], 0),
	HEADER(e_type, ET_REL), HEADER(e_type, ET_CORE), HEADER(e_machine, EM_386),
	HEADER(e_version, 0), HEADER(e_phentsize, 55), HEADER(e_phentsize, 0),
	HEADER(e_phnum, 0), HEADER(e_phnum, 0xffff), HEADER(e_phnum, 440),
	HEADER(e_phoff, TOP), HEADER(e_phoff, TOP - 55), HEADER(e_phoff, MADE_SIZE),
	HEADER(e_phoff, MADE_SIZE - 4 * 56 + 1),
	HEADER(e_entry, 0), HEADER(e_entry, 0x400010), HEADER(e_entry, 0x402800),
	HEADER(e_entry, 0x404700), HEADER(e_entry, TOP),
	SEGMENT(1, p_offset, TOP), SEGMENT(1, p_offset, 0x1001), SEGMENT(1, p_offset, MADE_SIZE),
	SEGMENT(1, p_offset, TOP & ~0xfffUL),
	SEGMENT(1, p_filesz, TOP), SEGMENT(1, p_filesz, 0x1801), SEGMENT(1, p_memsz, 0x17ff),
	SEGMENT(2, p_filesz, 0x2901), SEGMENT(2, p_memsz, TOP), SEGMENT(2, p_memsz, 1UL << 47),
	SEGMENT(2, p_memsz, TOP - 0x404700), SEGMENT(2, p_memsz, TOP - 0x404700 + 2),
	SEGMENT(2, p_vaddr, 0x402700), SEGMENT(2, p_vaddr, 0x404701), SEGMENT(2, p_vaddr, TOP),
	SEGMENT(2, p_vaddr, 0x700), SEGMENT(2, p_vaddr, 0x401700), SEGMENT(0, p_vaddr, 0x401000),
	SEGMENT(2, p_vaddr, 0x7ffffffff700), SEGMENT(2, p_vaddr, CARREL_SHIM_VA + 0x700),
	SEGMENT(2, p_vaddr, CARREL_END + 0x700), SEGMENT(2, p_vaddr, CARREL_BASE - 0x900),
	SEGMENT(0, p_vaddr, 0), SEGMENT(0, p_vaddr, 0xf000),
	SEGMENT(1, p_align, 0x3000), SEGMENT(1, p_align, TOP), SEGMENT(1, p_align, 1UL << 62),
	SEGMENT(3, p_type, PT_INTERP),
};

static const struct spoilt accepted[] = {
	SEGMENT(1, p_align, 0), SEGMENT(1, p_align, 1), SEGMENT(1, p_paddr, TOP),
	SEGMENT(2, p_filesz, 0), SEGMENT(0, p_memsz, 0x1000), SEGMENT(3, p_type, 0x6fffffff),
	HEADER(e_phoff, 0x40), HEADER(e_shoff, TOP), HEADER(e_shnum, 0xffff),
};

static void spoil(const struct spoilt *s)
{
	make_elf(&made);
	memcpy(made.bytes + s->offset, &s->value, s->size);
}

static void fields(void)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		spoil(&refused[i]);
		if (!read_made())
			check(false, __FILE__, __LINE__, refused[i].what);
	}
	for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
		spoil(&accepted[i]);
		if (read_made() || elf_check(&plan, made.size))
			check(false, __FILE__, __LINE__, accepted[i].what);
	}
}

static void too_many(void)
{
	make_elf(&made);
	made.header.e_phnum = 3 + ELF_SEGMENTS;
	for (int i = 3; i < 3 + ELF_SEGMENTS; i++) {
		Elf64_Phdr more = { PT_LOAD, PF_R, 0, 0x500000 + i * 0x1000, 0, 8, 8, 0x1000 };

		memcpy(made.bytes + 64 + i * 56, &more, sizeof(more));
	}
	CHECK(read_made() != NULL);
}

static void truncated(void)
{
	make_elf(&made);
	for (made.size = 0; made.size < MADE_SIZE; made.size++)
		CHECK(made.size >= 0x4000 || read_made() != NULL);
	/* a head that ends before the program headers do */
	CHECK(elf_read(made.bytes, 64 + 4 * 56 - 1, MADE_SIZE, &plan) != NULL);
	CHECK(elf_read(made.bytes, 64 + 4 * 56, MADE_SIZE, &plan) == NULL);
	CHECK(elf_read(made.bytes, 64 + 4 * 56, 100, &plan) != NULL);
}

static void random_damage(void)
{
	unsigned int good_ones = 0;

	static struct made whole;

	make_elf(&whole);
	for (int i = 0; i < 300000; i++) {
		memcpy(made.bytes, whole.bytes, 64 + 4 * 56);
		made.header.e_type = random_below(2) ? ET_EXEC : ET_DYN;
		for (uint64_t n = 1 + random_below(4); n > 0; n--) {
			size_t at = random_below(64 + 4 * 56);
			uint64_t value = random_u64() << random_below(60);

			memcpy(made.bytes + at, &value, 1 + random_below(8));
		}
		if (elf_read(made.bytes, 4096, MADE_SIZE, &plan))
			continue;
		good_ones++;
		CHECK(elf_check(&plan, MADE_SIZE) == NULL);
	}
	CHECK(good_ones > 1000);
}

const struct test elf_tests[] = {
	{ "a good program", good },
	{ "every field spoilt", fields },
	{ "too many segments", too_many },
	{ "truncated files", truncated },
	{ "random damage", random_damage },
	{ NULL, NULL },
};
