/* SPDX-License-Identifier: BSD-2-Clause */
/* libFuzzer: any bytes as a program file. */
#include <stdio.h>
#include <stdlib.h>
#include "elf_check.h"
#include "guest-abi/shim/base/lock.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* vm.c takes its lock here, with nobody to share it with. */
void lock_take(struct lock *lock)
{
	lock->word = 1;
}

void lock_release(struct lock *lock)
{
	lock->word = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct elf_plan plan;
	const char *wrong;

	/* the head may be all of the file or its beginning; the first byte says how much */
	size_t head = size > 64 ? size - data[size - 1] % 64 : size;

	if (elf_read(data, head, size, &plan))
		return 0;
	wrong = elf_check(&plan, size);
	if (wrong) {
		fprintf(stderr, "wrong: %s\n", wrong);
		abort();
	}
	return 0;
}
