/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Processes that come from one another, in native-run: what a process passes to its
 * successor, which is native-run again. Like view.c: no libc, no TLS, no vectors.
 */
#include <asm/unistd.h>
#include <linux/sched.h>
#include <carrel/channel.h>
#include <carrel/hypercall.h>
#include <carrel/thread.h>
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

/* Ours, and those of children that were made of late. */
struct names {
	uint64_t process, ticket[2];
};
#define CHILDREN	16
static struct names self = { VIEW_PROCESS, { VIEW_TICKET0, VIEW_TICKET1 } }, children[CHILDREN];
static uint64_t made, forks;
static uint8_t stride[CARREL_THREAD_STRIDE];	/* of the thread that forked last, as it was then */

static uint64_t own_page(void)
{
	uint64_t base;

	asm volatile("rdgsbase %0" : "=r"(base));
	return base;
}

static void copy_bytes(void *to, const void *from, uint64_t size)
{
	asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
}

/* The host's own fork copies the memory, but for thread page and shim stack. At times there is more to do, or a flush is owed. */
static int64_t make_child(uint64_t words[4])
{
	static const int64_t answers[] = { CARREL_MORE, CARREL_PENDING, CARREL_ENOMEM, CARREL_EBUSY };

	struct names *child = &children[made % CHILDREN];

	if (words[0] == CARREL_FORK_ABORT)
		return ++forks % 2 ? CARREL_MORE : 0;
	if (view_options.fault_every > 0 && ++forks % 8 < 4)
		return answers[forks % 4];
	made++;
	copy_bytes(stride, (void *)own_page(), sizeof(stride));
	random_words(&child->process, 3);
	words[0] = child->process;
	words[1] = child->ticket[0];
	words[2] = child->ticket[1];
	return 0;
}

/* All threads but the one that forks are left out. It may be entered in the child. */
static void be_child(const struct names *names)
{
	uint64_t index = (own_page() - CARREL_THREADS_VA) / CARREL_THREAD_STRIDE;

	copy_bytes((void *)own_page(), stride, sizeof(stride));
	self = *names;
	for (uint64_t i = 0; i < CARREL_SLOTS_MAX; i++) {
		if (i != index && view_threads[i].mapped)
			call6(__NR_munmap, CARREL_THREAD_PAGE(i), CARREL_THREAD_STRIDE, 0, 0, 0, 0);
		view_threads[i].mapped = view_threads[i].fresh = i == index;
		view_threads[i].inside = false;
	}
}

bool family_owns(uint64_t process, const uint64_t ticket[2], bool enter)
{
	for (int i = 0; enter && process != self.process && i < CHILDREN; i++)
		if (process == children[i].process)
			be_child(&children[i]);
	return process == self.process && ticket[0] == self.ticket[0] &&
	       ticket[1] == self.ticket[1];
}

int64_t family_hypercall(uint64_t number, uint64_t words[4])
{
	switch (number) {
	case CARREL_HC_PASS:
		return pass(words);
	case CARREL_HC_CLAIM:
		return claim(words);
	case CARREL_HC_FORK:
		return make_child(words);
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

uint64_t family_clone(uint64_t flags, bool fork)
{
	return flags & CLONE_VFORK && !fork ? flags | CLONE_VM : flags;
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
