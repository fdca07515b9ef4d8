/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cpuid insn|device: every CPUID leaf and subleaf of every online CPU, by the
 * instruction executed on that CPU, or by the kernel's cpuid module. A line is
 *	CPU LEAF SUBLEAF EAX EBX ECX EDX	(CPU decimal, all else hex)
 * and a subleaf that is not shown equals the one before it.
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SUBLEAVES	64
#define LEAVES_MAX	0x100		/* more than that a range never has */

struct answer {
	uint32_t eax, ebx, ecx, edx;
};

/* Leaves of hypervisors; how many there are, machines tell differently. */
static const uint32_t hypervisor[] = {
	0x40000000, 0x40000001, 0x40000002, 0x40000003, 0x4000007f, 0x400000ff, 0x40000100,
	0x40001000,
};

static int device = -1;

static struct answer ask(uint32_t leaf, uint32_t subleaf)
{
	struct answer a;

	if (device < 0) {
		__cpuid_count(leaf, subleaf, a.eax, a.ebx, a.ecx, a.edx);
		return a;
	}
	if (pread(device, &a, sizeof(a), (off_t)((uint64_t)subleaf << 32 | leaf)) != sizeof(a)) {
		perror("cpuid: /dev/cpu/*/cpuid");
		exit(1);
	}
	return a;
}

static void show_leaf(int cpu, uint32_t leaf)
{
	struct answer before = { 0 };

	for (uint32_t subleaf = 0; subleaf < SUBLEAVES; subleaf++) {
		struct answer a = ask(leaf, subleaf);

		if (!subleaf || memcmp(&a, &before, sizeof(a)))
			printf("%d %x %x %08x %08x %08x %08x\n", cpu, leaf, subleaf, a.eax, a.ebx,
			       a.ecx, a.edx);
		before = a;
	}
}

/* Leaves of a range, and two that are past its end. */
static void show_range(int cpu, uint32_t first)
{
	uint32_t last = ask(first, 0).eax;

	if (last < first || last - first > LEAVES_MAX)
		last = first;
	for (uint32_t leaf = first; leaf <= last; leaf++)
		show_leaf(cpu, leaf);
	show_leaf(cpu, last + 1);
	show_leaf(cpu, last + 0x1000);
}

static void show_cpu(int cpu, int by_device)
{
	char path[32];
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set)) {
		perror("cpuid: sched_setaffinity");
		exit(1);
	}
	if (by_device) {
		snprintf(path, sizeof(path), "/dev/cpu/%d/cpuid", cpu);
		device = open(path, O_RDONLY);
		if (device < 0) {
			perror(path);
			exit(1);
		}
	}
	show_range(cpu, 0);
	for (unsigned int i = 0; i < sizeof(hypervisor) / sizeof(*hypervisor); i++)
		show_leaf(cpu, hypervisor[i]);
	show_range(cpu, 0x80000000);
	show_range(cpu, 0xC0000000);
	show_leaf(cpu, 0xFFFFFFFF);
	if (device >= 0)
		close(device);
}

int main(int argc, char **argv)
{
	cpu_set_t online;

	if (argc != 2 || (strcmp(argv[1], "insn") && strcmp(argv[1], "device"))) {
		fprintf(stderr, "usage: cpuid insn|device\n");
		return 2;
	}
	if (sched_getaffinity(0, sizeof(online), &online)) {
		perror("cpuid: sched_getaffinity");
		return 1;
	}
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &online))
			show_cpu(cpu, argv[1][0] == 'd');
	return 0;
}
