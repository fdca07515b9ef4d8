/* SPDX-License-Identifier: BSD-2-Clause */
#include <carrel/hypercall.h>
#include "elf_check.h"
#include "guest-abi/shim/memory/vm.h"

static const char *check_segment(const struct elf_plan *plan, unsigned int i, uint64_t file_size)
{
	const struct elf_segment *s = &plan->segment[i];
	uint64_t end;

	if (s->memory_size == 0 || s->file_size > s->memory_size)
		return "sizes of a segment";
	if (s->offset > file_size || s->file_size > file_size - s->offset)
		return "a segment outside the file";
	if (__builtin_add_overflow(s->address, s->memory_size, &end) || end > VM_HIGH)
		return "a segment outside the address space";
	if (s->address < plan->low || end > plan->high)
		return "a segment outside the bounds";
	if (i > 0 && s->address / PAGE_SIZE <=
	    (plan->segment[i - 1].address + plan->segment[i - 1].memory_size - 1) / PAGE_SIZE)
		return "segments share a page";
	if (!(s->rights & CARREL_R) || s->rights & ~CARREL_RIGHTS)
		return "rights of a segment";
	return NULL;
}

const char *elf_check(const struct elf_plan *plan, uint64_t file_size)
{
	int executable = 0;

	if (plan->count == 0 || plan->count > ELF_SEGMENTS)
		return "number of segments";
	if (plan->align < PAGE_SIZE || plan->align & (plan->align - 1))
		return "alignment";
	if (plan->low % PAGE_SIZE || plan->high % PAGE_SIZE || plan->low >= plan->high)
		return "bounds";
	if (!plan->relocatable && (plan->low < VM_LOW || plan->high > VM_HIGH ||
				   (plan->low < CARREL_END && plan->high > CARREL_BASE)))
		return "where no program may be";
	for (unsigned int i = 0; i < plan->count; i++) {
		const struct elf_segment *s = &plan->segment[i];
		const char *wrong = check_segment(plan, i, file_size);

		if (wrong)
			return wrong;
		executable |= s->rights & CARREL_X && plan->entry >= s->address &&
			      plan->entry - s->address < s->memory_size;
	}
	return executable ? NULL : "the entry point";
}
