/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * inside MODE: a hostile program, to be run protected: what it does to the
 * hypervisor from its own process view.
 *	calls			hypercalls that are not a process's, and impossible ranges
 *	sibling ID T0 T1	hypercalls on another process, of which it has all numbers
 *	instructions		everything that a program may not execute, pages that are not its own
 *	gs			a system call with a GS base that the bounce page cannot use: dies of it
 *	fuzz SEED		random hypercalls; it may well die of them
 * Prints what went wrong; status 0: nothing.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <carrel/hypercall.h>
#include <carrel/layout.h>

#define PAGE		4096UL
#define FUZZ_CALLS	20000

static unsigned int wrong;

static int64_t call(uint64_t number, const uint64_t args[6])
{
	uint32_t eax = CARREL_CPUID_ABI, ebx, ecx = 0, edx;
	uint64_t a = args[0], b = args[1], c = args[2];
	int64_t rax;

	__asm__("cpuid" : "+a" (eax), "=b" (ebx), "+c" (ecx), "=d" (edx));
	rax = (int64_t)number;
	register uint64_t r10 __asm__("r10") = args[3];
	register uint64_t r8 __asm__("r8") = args[4];
	register uint64_t r9 __asm__("r9") = args[5];

	if (ebx == CARREL_INSN_VMMCALL)
		__asm__ volatile("vmmcall" : "+a" (rax), "+D" (a), "+S" (b), "+d" (c), "+r" (r10),
				 "+r" (r8), "+r" (r9) : : "rbx", "rcx", "r11", "memory");
	else
		__asm__ volatile("vmcall" : "+a" (rax), "+D" (a), "+S" (b), "+d" (c), "+r" (r10),
				 "+r" (r8), "+r" (r9) : : "rbx", "rcx", "r11", "memory");
	return rax;
}

static void expect(const char *what, int64_t answer, int64_t expected)
{
	if (answer == expected)
		return;
	printf("%s: %" PRId64 ", not %" PRId64 "\n", what, answer, expected);
	wrong++;
}

/* --- calls --------------------------------------------------------------------------------- */

struct range {
	const char *what;
	uint64_t address, pages, rights;
};

static const struct range ranges[] = {
	{ "MAP at an odd address", 0x100000001, 1, CARREL_R },
	{ "MAP of no page", 0x100000000, 0, CARREL_R },
	{ "MAP up to the upper half", 0x7ffffffff000, 2, CARREL_R },
	{ "MAP in the upper half", 0xffff800000000000, 1, CARREL_R },
	{ "MAP past 2^64", 0x7ffffffff000, 1UL << 52, CARREL_R },
	{ "MAP at a non-canonical address", 0x800000000000, 1, CARREL_R },
	{ "MAP that is not readable", 0x100000000, 1, CARREL_W },
	{ "MAP with unknown rights", 0x100000000, 1, 0x40 | CARREL_R },
	{ "MAP over the gate", CARREL_GATE_VA, 1, CARREL_R | CARREL_W },
	{ "MAP over the bounce page", CARREL_BOUNCE_VA, 1, CARREL_R | CARREL_W },
	{ "MAP over the descriptors", CARREL_DESC_VA, 1, CARREL_R | CARREL_W },
	{ "MAP over the channel", CARREL_CHANNEL_VA, 1, CARREL_R | CARREL_W },
	{ "MAP over its thread page", CARREL_THREADS_VA, 1, CARREL_R | CARREL_W },
	{ "MAP across its thread page", CARREL_THREADS_VA - PAGE, 2, CARREL_R | CARREL_W },
};

static void ranges_of(uint64_t number)
{
	for (size_t i = 0; i < sizeof(ranges) / sizeof(*ranges); i++) {
		uint64_t args[6] = { ranges[i].address, ranges[i].pages, ranges[i].rights };
		int64_t answer = call(number, args);

		if (answer < 0 || (number == CARREL_HC_UNMAP && strstr(ranges[i].what, "rights")) ||
		    (number == CARREL_HC_UNMAP && strstr(ranges[i].what, "readable")))
			continue;
		printf("call %" PRIu64 ", %s: %" PRId64 "\n", number, ranges[i].what, answer);
		wrong++;
	}
}

/* Of threads that cannot be, and what somebody else may have left for a successor. */
static void threads(void)
{
	static const uint64_t beyond[] = { CARREL_SLOTS_MAX, 1UL << 32, 1UL << 63, UINT64_MAX };
	const uint64_t own[6] = { 0 }, abort_too_much[6] = { CARREL_FORK_ABORT + 1 };

	for (size_t i = 0; i < sizeof(beyond) / sizeof(*beyond); i++) {
		const uint64_t args[6] = { beyond[i] };

		expect("THREAD that no process has", call(CARREL_HC_THREAD, args), CARREL_EARG);
	}
	expect("THREAD of the one that runs", call(CARREL_HC_THREAD, own), CARREL_EBUSY);
	expect("FORK of an unknown kind", call(CARREL_HC_FORK, abort_too_much), CARREL_EARG);
	for (uint64_t guess = 0; guess < 1000; guess++) {
		const uint64_t args[6] = { guess, guess * 0x9e3779b97f4a7c15 };

		expect("CLAIM by a guess", call(CARREL_HC_CLAIM, args), CARREL_ETICKET);
	}
}

static void calls(void)
{
	const uint64_t none[6] = { 0 };

	for (uint64_t number = 0; number < CARREL_HC_OCALL; number++) {
		bool known = (number >= CARREL_HC_DONATE && number <= CARREL_HC_RESEAL) ||
			number == CARREL_HC_ENTER || number == CARREL_HC_RESUME;

		expect("a call that is not a process's", call(number, none),
		       known ? CARREL_ECALLER : CARREL_ECALL);
	}
	expect("a call past the last", call(CARREL_HC_MAX + 1, none), CARREL_ECALL);
	expect("call -1", call(UINT64_MAX, none), CARREL_ECALL);
	expect("SEAL_KEY without the flag", call(CARREL_HC_SEAL_KEY, none), CARREL_EFLAG);
	ranges_of(CARREL_HC_MAP);
	ranges_of(CARREL_HC_UNMAP);
	ranges_of(CARREL_HC_PROTECT);
	threads();
}

static void sibling(char **argv)
{
	uint64_t id = strtoull(argv[0], NULL, 16), t0 = strtoull(argv[1], NULL, 16);
	uint64_t t1 = strtoull(argv[2], NULL, 16);
	const uint64_t args[6] = { id, t0, t1 }, chunk[6] = { 0, id };

	expect("ENTER of the sibling", call(CARREL_HC_ENTER, args), CARREL_ECALLER);
	expect("RESUME of the sibling", call(CARREL_HC_RESUME, args), CARREL_ECALLER);
	expect("ADD to the sibling", call(CARREL_HC_ADD, args), CARREL_ECALLER);
	expect("LEND to the sibling", call(CARREL_HC_LEND, args), CARREL_ECALLER);
	expect("DESTROY of the sibling", call(CARREL_HC_DESTROY, args), CARREL_ECALLER);
	expect("DONATE to the sibling", call(CARREL_HC_DONATE, chunk), CARREL_ECALLER);
	expect("ADOPT of the sibling", call(CARREL_HC_ADOPT, args), CARREL_ECALLER);
	expect("INFO", call(CARREL_HC_INFO, args), CARREL_ECALLER);
}

/* --- instructions -------------------------------------------------------------------------- */

static sigjmp_buf jump;

static void on_signal(int number)
{
	siglongjmp(jump, number);
}

/* From inside.S. */
struct instruction {
	const char *name;
	void (*execute)(void);
};
extern const struct instruction inside_instructions[];

static int signal_of(void (*execute)(void))
{
	int number = sigsetjmp(jump, 1);

	if (!number)
		execute();
	return number;
}

static void catch_all(void)
{
	static const int numbers[] = { SIGILL, SIGSEGV, SIGBUS, SIGTRAP, SIGFPE };
	struct sigaction action = { .sa_handler = on_signal };

	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		sigaction(numbers[i], &action, NULL);
}

static void touch(const char *what, uint64_t address, bool write)
{
	int number = sigsetjmp(jump, 1);

	if (!number) {
		if (write)
			*(volatile char *)address = 0;
		else
			(void)*(volatile char *)address;
		printf("%s can be %s\n", what, write ? "written" : "read");
		wrong++;
	}
}

static void run_at(const char *what, uint64_t address)
{
	if (signal_of((void (*)(void))address))
		return;
	printf("%s was executed\n", what);
	wrong++;
}

static void instructions(void)
{
	catch_all();
	for (const struct instruction *i = inside_instructions; i->name; i++) {
		if (signal_of(i->execute))
			continue;
		printf("%s is executed\n", i->name);
		wrong++;
	}
	touch("the gate", CARREL_GATE_VA, true);
	touch("the bounce page", CARREL_BOUNCE_VA, false);
	touch("the descriptor page", CARREL_DESC_VA, false);
	touch("kernel memory", 0xffffffff81000000, false);
	touch("the page below the gate", CARREL_GATE_VA - PAGE, false);
	*(volatile unsigned char *)(CARREL_CHANNEL_VA + CARREL_SLOT_DATA) = 0xc3;
	run_at("the channel", CARREL_CHANNEL_VA + CARREL_SLOT_DATA);
	run_at("the bounce page", CARREL_BOUNCE_VA);
}

/* --- the bounce page's memory -------------------------------------------------------------- */

/* What it writes through GS, in ring 0, must be nothing but this program's own memory. */
static void gs(void)
{
	static const uint64_t places[] = { CARREL_DESC_VA, CARREL_BOUNCE_VA, CARREL_GATE_VA };

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		uint64_t rax = 39;

		__asm__ volatile("wrgsbase %1\n\t"
				 "syscall"
				 : "+a" (rax) : "r" (places[i]) : "rcx", "r11", "memory");
	}
	wrong++;	/* a write to the first of them must end this program */
}

/* --- fuzz ---------------------------------------------------------------------------------- */

static uint64_t seed;

static uint64_t next(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static uint64_t pick(void)
{
	static const uint64_t edges[] = {
		0, 1, PAGE, 0x100000000, 0x7ffffffff000, 0x800000000000, UINT64_MAX, 1UL << 63,
		CARREL_GATE_VA, CARREL_CHANNEL_VA, CARREL_SHIM_END, CARREL_MANIFEST_END,
		CARREL_THREADS_VA, CARREL_END, 0x200000,
	};
	uint64_t wide = next();

	switch (next() % 4) {
	case 0:
		return edges[wide % (sizeof(edges) / sizeof(*edges))];
	case 1:
		return wide % 64;
	case 2:
		return 0x100000000 + wide % (1UL << 40) / PAGE * PAGE;
	}
	return wide;
}

/* It would only take its own code away. */
static bool own(uint64_t number, uint64_t address)
{
	return (number == CARREL_HC_UNMAP || number == CARREL_HC_PROTECT) && address < 1UL << 32;
}

/* Not OCALL, which would ask the kernel for anything at all, nor DIE. */
static void fuzz(uint64_t start)
{
	static const uint64_t numbers[] = {
		CARREL_HC_MAP, CARREL_HC_MAP, CARREL_HC_MAP, CARREL_HC_UNMAP, CARREL_HC_PROTECT,
		CARREL_HC_RANDOM, CARREL_HC_IDENTITY, CARREL_HC_DONATE, CARREL_HC_DESTROY,
		CARREL_HC_FLUSH, CARREL_HC_ENTER, CARREL_HC_RESUME, CARREL_HC_THREAD,
		CARREL_HC_FORK, CARREL_HC_PASS, CARREL_HC_CLAIM, CARREL_HC_ADOPT,
		CARREL_HC_PUBLIC, CARREL_HC_RESEAL, CARREL_HC_SEAL_KEY,
	};

	seed = start * 0x9e3779b97f4a7c15;
	for (unsigned int i = 0; i < FUZZ_CALLS; i++) {
		const uint64_t args[6] = { pick(), pick(), pick(), pick(), pick(), pick() };
		uint64_t number = numbers[next() % (sizeof(numbers) / sizeof(*numbers))];

		if (!own(number, args[0]))
			call(number, args);
	}
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "calls"))
		calls();
	else if (argc == 5 && !strcmp(argv[1], "sibling"))
		sibling(argv + 2);
	else if (argc == 2 && !strcmp(argv[1], "instructions"))
		instructions();
	else if (argc == 2 && !strcmp(argv[1], "gs"))
		gs();
	else if (argc == 3 && !strcmp(argv[1], "fuzz"))
		fuzz(strtoull(argv[2], NULL, 0));
	else
		return 2;
	return wrong != 0;
}
