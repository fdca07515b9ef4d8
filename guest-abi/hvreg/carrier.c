/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <linux/rseq.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <carrel/hypercall.h>
#include "carrier.h"
#include "device.h"
#include "dma.h"
#include "fail.h"

#define ADD_PAGES_MAX	512U
#define PAGE		4096UL

#define ARENA		((char *)CARREL_CHANNEL_VA + CARRIER_ARENA_BLOCK * CARREL_BLOCK_SIZE)

static void map(const struct carrier *carrier)
{
	void *at = (void *)CARREL_BASE;
	void *mapping = mmap(at, CARREL_MMAP_SIZE(LAUNCH_BLOCKS),
			     PROT_READ | PROT_WRITE | PROT_EXEC,
			     MAP_SHARED | MAP_FIXED_NOREPLACE, carrier->device, 0);

	if (mapping != at)
		device_fail("mmap", mapping == MAP_FAILED ? errno : EEXIST);
}

/* Required and absent; or an IOMMU failed, and then nothing becomes private any more. */
static _Noreturn void fail_dma(int device)
{
	struct dma dma;

	dma_read(device, &dma);
	if (dma.state == CARREL_DMA_LOST)
		fail(EXIT_OWN, "restart the machine; 'hvreg status' says more",
		     "DMA protection is lost, no memory becomes private any more: %s", dma.reason);
	fail(EXIT_OWN, "run it on a machine whose IOMMU is on (see 'hvreg status'), or without "
	     "--require dma", "DMA is not protected: %s", dma.reason);
}

static _Noreturn void refused(const struct carrier *carrier, const char *what)
{
	if (errno == EPERM)
		fail_dma(carrier->device);
	device_fail(what, errno);
}

static void create(struct carrier *carrier, const struct launch *launch)
{
	struct carrel_ioc_create create = {
		.abi = launch->create.abi,
		.limit = launch->create.limit,
		.slots = launch->create.slots,
		.blocks = launch->create.blocks,
		.flags = launch->create.flags,
	};

	if (ioctl(carrier->device, CARREL_IOC_CREATE, &create)) {
		if (errno == EINVAL)
			fail(EXIT_OWN, "choose a smaller --memory",
			     "CREATE refused: more memory than this machine has (%lu MiB)",
			     launch->create.limit * (CARREL_CHUNK_SIZE >> 20));
		refused(carrier, "CREATE");
	}
	carrier->process = create.process;
	carrier->limit = create.limit;
	carrier->flags = create.flags;
	memcpy(carrier->ticket, create.ticket, sizeof(carrier->ticket));
}

static void add(const struct carrier *carrier, const struct launch_run *run)
{
	struct carrel_ioc_add request;
	uint32_t done;

	for (done = 0; done < run->pages; done += request.pages) {
		request = (struct carrel_ioc_add){
			.source = (uintptr_t)run->bytes + done * PAGE,
			.address = run->address + done * PAGE,
			.pages = run->pages - done < ADD_PAGES_MAX ? run->pages - done : ADD_PAGES_MAX,
			.type = run->type,
		};
		if (ioctl(carrier->device, CARREL_IOC_ADD, &request))
			refused(carrier, "ADD");
	}
}

void carrier_create(struct carrier *carrier, const struct launch *launch)
{
	struct carrel_ioc_init init;
	unsigned int i;

	carrier->device = device_open();
	map(carrier);
	create(carrier, launch);
	for (i = 0; i < launch->run_count; i++)
		add(carrier, &launch->runs[i]);
	if (ioctl(carrier->device, CARREL_IOC_INIT, &init))
		device_fail("INIT", errno);
	memcpy(carrier->identity, init.identity, sizeof(carrier->identity));
}

/* That of thread 0; the shim copies the rest of it to those of other threads. */
static void fill_slot(const struct carrier *carrier)
{
	struct carrel_slot *slot = (struct carrel_slot *)CARREL_CHANNEL_VA;

	slot->thread = 0;
	slot->process = carrier->process;
	memcpy(slot->ticket, carrier->ticket, sizeof(slot->ticket));
}

/* Copies the strings to `offset` of the arena; returns where they end. Sets *count. */
static size_t put_strings(char **strings, size_t offset, uint32_t *count)
{
	size_t length;

	for (*count = 0; strings[*count]; ++*count) {
		length = strlen(strings[*count]) + 1;
		if (length > CARRIER_ARENA_SIZE - offset)
			fail(EXIT_OWN, "clear the environment with env -i, or use xargs",
			     "arguments and environment are longer than %lu bytes", CARRIER_ARENA_SIZE);
		memcpy(ARENA + offset, strings[*count], length);
		offset += length;
	}
	return offset;
}

/* What no seal covers. */
static void fill_claims(struct carrel_start *start, const struct carrier *carrier)
{
	start->uid = getuid();
	start->euid = geteuid();
	start->gid = getgid();
	start->egid = getegid();
	start->limit = carrier->limit;
	start->flags = carrier->flags;
}

static void fill_start(const struct carrier *carrier, const struct program *program, char **argv)
{
	struct carrel_start *start = (struct carrel_start *)ARENA;
	size_t size;
	char *path[] = { (char *)program->path, NULL };
	uint32_t one;

	size = put_strings(path, sizeof(*start), &one);
	size = put_strings(argv, size, &start->argc);
	size = put_strings(environ, size, &start->envc);
	start->size = size;
	start->arena_size = CARRIER_ARENA_SIZE;
	start->secure = getauxval(AT_SECURE);
	fill_claims(start, carrier);
	start->magic = CARREL_START_MAGIC;
}

/*
 * What ps and /proc show. hvreg's own arguments lie before the program's, back
 * to back; the kernel may be told so, or else the program's are moved there.
 */
static void take_name(const struct program *program, char **argv, char *arguments)
{
	char *first = argv[0], *end = first;
	char **string;

	prctl(PR_SET_NAME, program->name);
	if (!prctl(PR_SET_MM, PR_SET_MM_ARG_START, first, 0, 0))
		return;
	for (string = argv; *string; string++)
		end = *string + strlen(*string) + 1;
	memmove(arguments, first, end - first);
	memset(arguments + (end - first), 0, first - arguments);
}

/* The kernel must write nothing of libc's any more, and none of its lists matter. */
static void leave_libc(void)
{
	char *thread = __builtin_thread_pointer();

	if (__rseq_size)
		syscall(SYS_rseq, thread + __rseq_offset, sizeof(struct rseq),
			RSEQ_FLAG_UNREGISTER, RSEQ_SIG);
	syscall(SYS_set_robust_list, NULL, 3 * sizeof(long));
	syscall(SYS_set_tid_address, NULL);
}

/* Gives up what is hvreg's. The stub finds slot 0 by its stack pointer. */
static _Noreturn void enter(const struct carrier *carrier)
{
	fill_slot(carrier);
	close(carrier->device);
	leave_libc();
	asm volatile("movq %0, %%rsp\n\t"
		     "xorl %%ebp, %%ebp\n\t"
		     "jmp *%1"
		     : : "r" (CARREL_STUB_RSP(CARREL_CHANNEL_VA)),
			 "r" (CARREL_GATE_VA + CARREL_GATE_ENTER) : "memory");
	__builtin_unreachable();
}

void carrier_start(struct carrier *carrier, const struct program *program, char **argv)
{
	fill_start(carrier, program, argv);
	take_name(program, argv, program_invocation_name);
	enter(carrier);
}

void carrier_take_over(struct carrier *carrier, const struct exec *exec, const char *name)
{
	struct carrel_start *start = (struct carrel_start *)ARENA;

	memcpy(start, exec->start, exec->start_size);
	fill_claims(start, carrier);
	prctl(PR_SET_NAME, name);
	enter(carrier);
}
