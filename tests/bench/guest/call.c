/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * getppid, call by call, in registers alone and without the C library. Prints one line:
 *	calls cycles FIRST SECOND ...
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include "work.h"

int calls(unsigned int number)
{
	uint64_t *taken = calloc(number + 1, sizeof(*taken));

	if (!taken)
		die("calloc");
	for (unsigned int i = 0; i < number; i++)
		((volatile uint64_t *)taken)[i] = 0;
	for (unsigned int i = 0; i < number; i++) {
		uint64_t begin;
		long result = SYS_getppid;

		MARK_HERE(MARK_BEGIN);
		begin = tsc();
		__asm__ volatile("syscall" : "+a" (result) : : "rcx", "r11", "memory");
		taken[i] = tsc() - begin;
		MARK_HERE(MARK_END);
	}
	printf("calls cycles");
	for (unsigned int i = 0; i < number; i++)
		printf(" %lu", taken[i]);
	putchar('\n');
	return 0;
}
