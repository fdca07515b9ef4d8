/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Processes that come from one another, in native-run: what a process passes to its
 * successor, which is native-run again. Like view.c: no libc, no TLS, no vectors.
 */
#include <asm/unistd.h>
#include <carrel/channel.h>
#include <carrel/hypercall.h>
#include "view.h"

#define SEEK_END	2

struct view_memory view_memory;

static void random_words(uint64_t *words, unsigned int count)
{
	long size = count * sizeof(*words);

	if (call6(__NR_getrandom, (long)words, size, 0, 0, 0, 0) != size)
		leave(VIEW_STATUS_WRONG, "no random numbers", 0, 0);
}

static int64_t pass(uint64_t words[4])
{
	uint64_t i = view_memory.passes++ % VIEW_PASSED;

	for (int k = 0; k < 4; k++)
		view_memory.passed[i].words[k] = words[k];
	random_words(view_memory.passed[i].ticket, 2);
	words[0] = view_memory.passed[i].ticket[0];
	words[1] = view_memory.passed[i].ticket[1];
	return 0;
}

static int64_t claim(uint64_t words[4])
{
	for (int i = 0; i < VIEW_PASSED; i++) {
		uint64_t *ticket = view_memory.passed[i].ticket;

		if (!(ticket[0] | ticket[1]) || ticket[0] != words[0] || ticket[1] != words[1])
			continue;
		for (int k = 0; k < 4; k++)
			words[k] = view_memory.passed[i].words[k];
		ticket[0] = ticket[1] = 0;
		return 0;
	}
	return CARREL_ETICKET;
}

int64_t family_hypercall(uint64_t number, uint64_t words[4])
{
	switch (number) {
	case CARREL_HC_PASS:
		return pass(words);
	case CARREL_HC_CLAIM:
		return claim(words);
	default:
		leave(VIEW_STATUS_WRONG, "no such hypercall", number, 0);
	}
}

/* The descriptor that a variable of this name holds, or -1. */
static long descriptor_in(const char *variable)
{
	const char *name = CARREL_EXEC_VARIABLE "=";
	long fd = 0;

	while (*name)
		if (*variable++ != *name++)
			return -1;
	while (*variable >= '0' && *variable <= '9')
		fd = fd * 10 + *variable++ - '0';
	return fd;
}

void family_exec(const uint64_t *envp)
{
	long fd = envp && envp[0] ? descriptor_in((const char *)envp[0]) : -1;
	long size = sizeof(view_memory);

	if (fd < 0)			/* a program without protection */
		return;
	view_memory.options = view_options;
	call6(__NR_lseek, fd, 0, SEEK_END, 0, 0, 0);
	if (call6(__NR_write, fd, (long)&view_memory, size, 0, 0, 0) != size)
		leave(VIEW_STATUS_WRONG, "the successor gets nothing", fd, 0);
}
