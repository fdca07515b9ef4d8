/* SPDX-License-Identifier: BSD-2-Clause */
/* Program files. Names and layouts as in the System V ABI, "Object Files". */
#include <string.h>

#include <carrel/hypercall.h>
#include "load/elf.h"
#include "memory/vm.h"

#define ET_EXEC		2
#define ET_DYN		3
#define EM_X86_64	62
#define PT_LOAD		1
#define PT_INTERP	3
#define PT_GNU_STACK	0x6474e551
#define PF_X		1
#define PF_W		2
#define PF_R		4
#define ALIGN_MAX	(1UL << 30)

struct elf_header {
	uint8_t ident[16];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, phoff, shoff;
	uint32_t flags;
	uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
_Static_assert(sizeof(struct elf_header) == 64, "ELF64");

struct program_header {
	uint32_t type, flags;
	uint64_t offset, vaddr, paddr, filesz, memsz, align;
};
_Static_assert(sizeof(struct program_header) == ELF_HEADER_SIZE, "ELF64");

static uint64_t page_down(uint64_t address)
{
	return address & ~(uint64_t)PAGE_MASK;
}

static uint64_t page_up(uint64_t address)
{
	return page_down(address + PAGE_MASK);
}

static uint8_t rights_of(uint32_t flags)
{
	/* x86 has no memory that can be written or run but not read. */
	return CARREL_R | (flags & PF_W ? CARREL_W : 0) | (flags & PF_X ? CARREL_X : 0);
}

static const char *check_header(const struct elf_header *h)
{
	static const uint8_t ident[] = { 0x7f, 'E', 'L', 'F', 2, 1, 1 };

	if (memcmp(h->ident, ident, sizeof(ident)))
		return "not a 64-bit little-endian ELF file";
	if (h->machine != EM_X86_64 || h->version != 1)
		return "not for x86-64";
	if (h->type != ET_EXEC && h->type != ET_DYN)
		return "not a program";
	if (h->phentsize != sizeof(struct program_header) || h->phnum == 0)
		return "no program headers";
	return NULL;
}

static const char *add_segment(struct elf_plan *plan, const struct program_header *p,
			       uint64_t file_size)
{
	struct elf_segment *s = &plan->segment[plan->count];
	uint64_t align = p->align > PAGE_SIZE ? p->align : PAGE_SIZE;

	if (p->memsz == 0)
		return NULL;
	if (plan->count == ELF_SEGMENTS)
		return "too many segments";
	if (p->filesz > p->memsz || p->offset > file_size || p->filesz > file_size - p->offset)
		return "a segment lies outside the file";
	if (p->vaddr >= VM_HIGH || p->memsz > VM_HIGH - p->vaddr)
		return "a segment lies outside the address space";
	if (align & (align - 1) || align > ALIGN_MAX ||
	    ((p->vaddr - p->offset) & PAGE_MASK))
		return "a segment is misaligned";
	if (plan->count && page_down(p->vaddr) < plan->high)
		return "segments overlap or are out of order";
	*s = (struct elf_segment){
		p->vaddr, p->offset, p->filesz, p->memsz, rights_of(p->flags),
	};
	if (!plan->count)
		plan->low = page_down(p->vaddr);
	plan->high = page_up(p->vaddr + p->memsz);
	if (align > plan->align)
		plan->align = align;
	plan->count++;
	return NULL;
}

static const char *add_header(struct elf_plan *plan, const struct program_header *p,
			      uint64_t file_size)
{
	switch (p->type) {
	case PT_LOAD:
		return add_segment(plan, p, file_size);
	case PT_INTERP:
		plan->interpreter = p->vaddr;
		plan->interpreter_size = p->filesz;
		return p->filesz ? NULL : "an interpreter without a name";
	case PT_GNU_STACK:
		plan->exec_stack = p->flags & PF_X;
		return NULL;
	default:
		return NULL;
	}
}

/* Where the program headers lie in memory: AT_PHDR. */
static uint64_t loaded_headers(const struct elf_plan *plan, const struct elf_header *h)
{
	uint64_t size = h->phnum * (uint64_t)sizeof(struct program_header);

	for (unsigned int i = 0; i < plan->count; i++) {
		const struct elf_segment *s = &plan->segment[i];

		if (h->phoff >= s->offset && h->phoff - s->offset <= s->file_size &&
		    size <= s->file_size - (h->phoff - s->offset))
			return s->address + (h->phoff - s->offset);
	}
	return 0;
}

/* Its name is read from memory, so it must be there. */
static bool interpreter_loaded(const struct elf_plan *plan)
{
	for (unsigned int i = 0; i < plan->count; i++) {
		const struct elf_segment *s = &plan->segment[i];

		if (plan->interpreter >= s->address &&
		    plan->interpreter - s->address <= s->file_size &&
		    plan->interpreter_size <= s->file_size - (plan->interpreter - s->address))
			return true;
	}
	return plan->interpreter_size == 0;
}

static const char *check_plan(const struct elf_plan *plan)
{
	if (!interpreter_loaded(plan))
		return "the interpreter's name is not loaded";
	if (plan->count == 0)
		return "nothing to load";
	for (unsigned int i = 0; i < plan->count; i++) {
		const struct elf_segment *s = &plan->segment[i];

		if (plan->entry >= s->address && plan->entry - s->address < s->memory_size &&
		    s->rights & CARREL_X)
			break;
		if (i + 1 == plan->count)
			return "the entry point is in no executable segment";
	}
	if (!plan->relocatable && !vm_range_ok(plan->low, plan->high - plan->low))
		return "a segment lies where no program may be";
	return NULL;
}

uint64_t elf_head_size(const void *head, size_t head_size)
{
	struct elf_header h;
	uint64_t end;

	if (head_size < sizeof(h))
		return 0;
	memcpy(&h, head, sizeof(h));
	if (check_header(&h))
		return 0;
	return __builtin_add_overflow(h.phoff, h.phnum * sizeof(struct program_header), &end)
		       ? UINT64_MAX : end;
}

const char *elf_read(const void *head, size_t head_size, uint64_t file_size,
		     struct elf_plan *plan)
{
	struct elf_header h;
	struct program_header p;
	const char *wrong;

	memset(plan, 0, sizeof(*plan));
	if (head_size < sizeof(h) || head_size > file_size)
		return "not a 64-bit little-endian ELF file";
	memcpy(&h, head, sizeof(h));
	wrong = check_header(&h);
	if (wrong)
		return wrong;
	if (h.phoff > head_size || h.phnum * sizeof(p) > head_size - h.phoff)
		return "program headers lie too far into the file";
	plan->align = PAGE_SIZE;
	plan->relocatable = h.type == ET_DYN;
	plan->entry = h.entry;
	for (unsigned int i = 0; i < h.phnum; i++) {
		memcpy(&p, (const uint8_t *)head + h.phoff + i * sizeof(p), sizeof(p));
		wrong = add_header(plan, &p, file_size);
		if (wrong)
			return wrong;
	}
	plan->headers = loaded_headers(plan, &h);
	plan->header_count = h.phnum;
	return check_plan(plan);
}
