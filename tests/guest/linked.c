// SPDX-License-Identifier: BSD-2-Clause
/*
 * linked: a program with an interpreter and a library, tests/guest/answer.c. As trusting.c: prints
 *	ready 0 0
 * waits for a byte of standard input, and prints
 *	done C		(what the library answers, in hex)
 */
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>
#include "answer.h"

int main(void)
{
	char byte;

	printf("ready 0 0\n");
	fflush(stdout);
	(void)!read(0, &byte, 1);
	printf("done %lx\n", answer());
	return 0;
}
