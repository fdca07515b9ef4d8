/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Accesses that may fault. The thread page's fixup tells the hypervisor where to
 * go on instead of killing the process; it is set around one instruction.
 */
#include <string.h>

#include <carrel/hypercall.h>
#include "memory/user.h"
#include "memory/vm.h"

#define STRING(x)	#x
#define OFFSET(x)	STRING(x)
#define FIXUP		"%%gs:" OFFSET(CARREL_TP_FIXUP)
/* `instruction` may fault; either way the next one follows. RAX is used. */
#define TRY(instruction) \
	"leaq 1f(%%rip), %%rax\n\t" \
	"movq %%rax, " FIXUP "\n\t" \
	instruction "\n" \
	"1:\tmovq $0, " FIXUP "\n\t"

bool copy_try(void *to, const void *from, size_t size)
{
	size_t words = size / 8, bytes = size % 8;

	asm volatile(TRY("rep movsq") : "+D"(to), "+S"(from), "+c"(words) : : "rax", "memory");
	if (words)
		return false;
	asm volatile(TRY("rep movsb") : "+D"(to), "+S"(from), "+c"(bytes) : : "rax", "memory");
	return bytes == 0;
}

bool user_get(void *to, uint64_t address, size_t size)
{
	return vm_prefix(address, size, CARREL_R) == size &&
	       copy_try(to, (const void *)address, size);
}

bool user_put(uint64_t address, const void *from, size_t size)
{
	return vm_prefix(address, size, CARREL_W) == size &&
	       copy_try((void *)address, from, size);
}

bool user_string(uint64_t address, size_t max, size_t *size)
{
	uint64_t room = vm_prefix(address, max, CARREL_R), at = 0;
	char piece[64];

	*size = 0;
	while (at < room && !*size) {
		size_t n = room - at < sizeof(piece) ? room - at : sizeof(piece);

		if (!copy_try(piece, (const void *)(address + at), n))
			return false;
		*size = string_size(piece, n);
		if (*size)
			*size += at;
		at += n;
	}
	return *size || room == max;
}

bool user_load(uint32_t *value, uint64_t address)
{
	uint32_t reached = 0, word;

	if (address & 3 || vm_prefix(address, sizeof(word), CARREL_R) != sizeof(word))
		return false;
	/* In one access. `reached` is set by the instruction behind the one that may fault. */
	asm volatile(TRY("movl (%[address]), %[word]\n\tmovl $1, %[reached]")
		     : [word] "=&r"(word), [reached] "+r"(reached) : [address] "r"(address)
		     : "rax", "memory");
	*value = word;
	return reached;
}

bool user_store(uint64_t address, uint32_t value)
{
	uint32_t reached = 0;

	if (vm_prefix(address, sizeof(value), CARREL_W) != sizeof(value))
		return false;
	asm volatile(TRY("movl %[value], (%[address])\n\tmovl $1, %[reached]")
		     : [reached] "+r"(reached) : [value] "r"(value), [address] "r"(address)
		     : "rax", "memory");
	return reached;
}

bool user_exchange(uint64_t address, uint32_t *expected, uint32_t value, bool *done)
{
	uint32_t reached = 0, was = *expected;

	if (address & 3 || vm_prefix(address, sizeof(value), CARREL_W) != sizeof(value))
		return false;
	/* `reached` is set by the instruction behind the one that may fault. */
	asm volatile(
		"leaq 1f(%%rip), %%rdx\n\t"
		"movq %%rdx, " FIXUP "\n\t"
		"lock cmpxchgl %[value], (%[address])\n\t"
		"movl $1, %[reached]\n"
		"1:\tmovq $0, " FIXUP "\n\t"
		: "+a"(was), [reached] "+r"(reached)
		: [value] "r"(value), [address] "r"(address)
		: "rdx", "cc", "memory");
	if (!reached)
		return false;
	*done = was == *expected;
	*expected = was;
	return true;
}
