/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * victim KEY: makes a secret of random numbers, in a form that whoever knows KEY
 * can recognise (tests/attack/secret.h), keeps it in memory and in every register
 * until standard input has something to read, and proves then that it is still
 * whole. Prints
 *	ready PID SECRET SIZE DIGEST PATCH ERRORS	(addresses and sizes in hex)
 *	done DIGEST ERRORS
 * and ends with 0 if the digest is the same and nothing was found changed.
 */
#include <cpuid.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include <secret.h>
#include "victim.h"

#define PAGE_WORDS	512
#define PAGES		2

static uint64_t secret[PAGES][PAGE_WORDS] __attribute__((aligned(4096)));
static __thread uint64_t own;	/* by way of FS */

static void make_secret(uint64_t key)
{
	uint32_t low[PAGE_WORDS];

	for (unsigned int page = 0; page < PAGES; page++) {
		size_t done = 0;

		while (done < sizeof(low)) {
			ssize_t got = getrandom((char *)low + done, sizeof(low) - done, 0);

			if (got <= 0) {
				perror("victim: getrandom");
				exit(2);
			}
			done += (size_t)got;
		}
		for (unsigned int i = 0; i < PAGE_WORDS; i++)
			secret[page][i] = secret_word(key, low[i]);
	}
	memset(low, 0, sizeof(low));
	__asm__ volatile("" : : "r" (low) : "memory");
}

static uint64_t digest(void)
{
	uint64_t hash = 0xcbf29ce484222325;	/* FNV-1a, a word at a time, with a final mix */

	for (unsigned int i = 0; i < PAGES * PAGE_WORDS; i++) {
		hash = (hash ^ secret[i / PAGE_WORDS][i % PAGE_WORDS]) * 0x100000001b3;
		hash ^= hash >> 29;
	}
	return hash;
}

static void fill_registers(void)
{
	const uint64_t *words = secret[0];
	unsigned int eax, ebx, ecx, edx;

	memcpy(spin_general, words, sizeof(spin_general));
	memcpy(spin_mmx, words + 32, sizeof(spin_mmx));
	memcpy(spin_vectors, words + 64, sizeof(spin_vectors));
	if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) && ecx & bit_OSXSAVE && ecx & bit_AVX) {
		__asm__("xgetbv" : "=a" (eax), "=d" (edx) : "c" (0));
		spin_avx = (eax & 6) == 6;
	}
}

static uint64_t wrong_registers(void)
{
	unsigned int words = spin_avx ? VECTOR_WORDS : 2;
	uint64_t wrong = spin_errors + (own != secret[0][0]);

	for (unsigned int i = 0; i < VECTORS; i++)
		wrong += memcmp(spin_vectors_after[i], spin_vectors[i], words * 8) != 0;
	for (unsigned int i = 0; i < MMX; i++)
		wrong += spin_mmx_after[i] != spin_mmx[i];
	return wrong + (memcmp(spin_general, secret[0], sizeof(spin_general)) != 0);
}

int main(int argc, char **argv)
{
	uint64_t before, after, wrong;

	if (argc != 2) {
		fprintf(stderr, "usage: victim KEY\n");
		return 2;
	}
	make_secret(strtoull(argv[1], NULL, 16));
	own = secret[0][0];
	fill_registers();
	before = digest();
	printf("ready %d %lx %zx %016" PRIx64 " %lx %lx\n", (int)getpid(), (unsigned long)secret,
	       sizeof(secret), before, (unsigned long)spin_patch, (unsigned long)&spin_errors);
	fflush(stdout);
	spin();
	after = digest();
	wrong = wrong_registers();
	printf("done %016" PRIx64 " %" PRIu64 "\n", after, wrong);
	return before != after || wrong;
}
