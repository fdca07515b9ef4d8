/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * crowd THREADS: a hostile carrier. It makes a secure process of one page of code
 * (crowd-private.S), whose single thread all of its host threads enter and resume at
 * the same time, on all CPUs. The code checks its registers all along and ends with
 * status 42; any other status means that it was entered wrongly.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <carrel/hypercall.h>
#include <carrel/ioctl.h>

#define SLOTS	2U
#define BLOCKS	2U
#define LIMIT	4U

extern const char private_code[];

static void must(const char *what, int error)
{
	if (!error)
		return;
	fprintf(stderr, "crowd: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void make_process(int device)
{
	struct carrel_ioc_create create = {
		.abi = CARREL_ABI_VERSION, .limit = LIMIT, .slots = SLOTS, .blocks = BLOCKS,
	};
	struct carrel_ioc_add add = {
		.source = (uintptr_t)private_code, .address = CARREL_SHIM_VA, .pages = 1,
		.type = CARREL_R | CARREL_X,
	};
	struct carrel_slot *slot = (struct carrel_slot *)CARREL_CHANNEL_VA;
	struct carrel_ioc_init init;

	must("mmap", mmap((void *)CARREL_BASE, CARREL_MMAP_SIZE(BLOCKS),
			  PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED | MAP_FIXED_NOREPLACE, device,
			  0) == MAP_FAILED);
	must("CREATE", ioctl(device, CARREL_IOC_CREATE, &create));
	must("ADD", ioctl(device, CARREL_IOC_ADD, &add));
	must("INIT", ioctl(device, CARREL_IOC_INIT, &init));
	slot->process = create.process;
	memcpy(slot->ticket, create.ticket, sizeof(slot->ticket));
}

/* All of them with the stack of the one slot: the stub only finds its slot by it. */
static _Noreturn void go(unsigned long entry)
{
	__asm__ volatile("movq %0, %%rsp\n\t"
			 "jmp *%1"
			 : : "r" (CARREL_CHANNEL_VA + CARREL_SLOT_STRIDE - 128),
			     "r" (CARREL_GATE_VA + entry) : "memory");
	__builtin_unreachable();
}

static void *resume(void *unused)
{
	(void)unused;
	usleep(20000);
	go(CARREL_GATE_RESUME);
}

int main(int argc, char **argv)
{
	int device = open(CARREL_DEVICE, O_RDWR | O_CLOEXEC), threads = argc > 1 ? atoi(argv[1]) : 2;
	pthread_t thread;

	must(CARREL_DEVICE, device < 0);
	make_process(device);
	for (int i = 1; i < threads; i++) {
		errno = pthread_create(&thread, NULL, resume, NULL);
		must("thread", errno);
	}
	go(CARREL_GATE_ENTER);
}
