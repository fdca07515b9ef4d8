/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * crowd THREADS ROUNDS: a hostile carrier. It makes a secure process of one page of code
 * (crowd-private.S), whose single thread all of its host threads enter and resume at
 * the same time, on all CPUs. The code checks its registers ROUNDS times and ends with
 * status 42; any other status means that it was entered wrongly.
 *
 * crowd shadow ROUNDS: one host thread, which resumes with single steps and MOV SS shadows
 * pending. It has the attacking module write a jump to shadow_resume into the gate.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <attack.h>
#include <carrel/hypercall.h>
#include <carrel/ioctl.h>

#define SLOTS	2U
#define BLOCKS	2U
#define LIMIT	4U

extern const char private_code[], shadow_resume[];
extern uint64_t private_rounds;
static volatile unsigned int traps;

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

static void poke(int module, const void *bytes, size_t size)
{
	struct attack a = {
		.op = ATTACK_POKE, .in = { (unsigned long)getpid(), CARREL_GATE_VA + CARREL_GATE_RESUME },
		.buffer = (uintptr_t)bytes, .size = size,
	};

	must("writing the gate", ioctl(module, ATTACK_IOC, &a));
}

static void on_trap(int number)
{
	static const char said[] = "a single step pending at RESUME is delivered to the carrier\n";

	(void)number;
	if (!traps++)
		(void)!write(1, said, sizeof(said) - 1);
}

/* The gate's frame is every carrier's: whoever started this one puts it right afterwards. */
static void shadow(void)
{
	unsigned char jump[12] = { 0x48, 0xb8, [10] = 0xff, [11] = 0xe0 };	/* mov $, %rax; jmp *%rax */
	uint64_t target = (uintptr_t)shadow_resume;
	int module = open(ATTACK_DEVICE, O_RDWR | O_CLOEXEC);
	struct sigaction action = { .sa_handler = on_trap };

	must(ATTACK_DEVICE, module < 0);
	must("sigaction", sigaction(SIGTRAP, &action, NULL));
	memcpy(jump + 2, &target, sizeof(target));
	(void)*(volatile char *)CARREL_GATE_VA;
	poke(module, jump, sizeof(jump));
}

int main(int argc, char **argv)
{
	int device = open(CARREL_DEVICE, O_RDWR | O_CLOEXEC), threads;
	pthread_t thread;

	if (argc != 3)
		return 2;
	threads = atoi(argv[1]);
	private_rounds = strtoull(argv[2], NULL, 10);
	must(CARREL_DEVICE, device < 0);
	make_process(device);
	if (!strcmp(argv[1], "shadow"))
		shadow();
	else if (threads <= 0)
		return 2;
	for (int i = 1; i < threads; i++) {
		errno = pthread_create(&thread, NULL, resume, NULL);
		must("thread", errno);
	}
	go(CARREL_GATE_ENTER);
}
