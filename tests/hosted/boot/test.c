/* SPDX-License-Identifier: BSD-2-Clause */
#include <sys/mman.h>

#include "test.h"

unsigned char *phys_base;
static unsigned int failures_here;	/* of the running test */

static const char *skipped_why;
const char *kernel_path;

#define SHOWN	10U	/* more of one test says no more */

bool check(bool good, const char *file, int line, const char *what)
{
	if (!good && failures_here++ < SHOWN)
		printf("     %s:%d: %s\n", file, line, what);
	return good;
}

bool check_eq(u64 a, u64 b, const char *file, int line, const char *what)
{
	if (a != b && failures_here < SHOWN)
		printf("     %s:%d: 0x%lx is not 0x%lx\n", file, line, a, b);
	return check(a == b, file, line, what);
}

bool check_error(const char *got, const char *want, const char *file, int line)
{
	bool good = want ? got && strstr(got, want) : !got;

	if (!good && failures_here < SHOWN)
		printf("     %s:%d: got '%s', wanted '%s'\n", file, line, got ? got : "no error",
		       want ? want : "no error");
	return check(good, file, line, "error message");
}

void skip(const char *why)
{
	skipped_why = why;
}

void memory_reset(void)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

	if (phys_base)
		munmap(phys_base, MEMORY_SIZE);
	phys_base = mmap(NULL, MEMORY_SIZE, PROT_NONE, flags, -1, 0);
	if (phys_base == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
}

u8 *memory_add(u64 pa, u64 size)
{
	u64 base = ALIGN_DOWN(pa, PAGE_SIZE), end = ALIGN_UP(pa + size, PAGE_SIZE);

	if (end > MEMORY_SIZE || mprotect(phys_base + base, end - base, PROT_READ | PROT_WRITE)) {
		perror("memory_add");
		exit(1);
	}
	return phys(pa);
}

u64 memory_add_block(u64 area, const void *bytes, u64 size, u64 align)
{
	u64 pa = ALIGN_DOWN(area + ALIGN_UP(size, PAGE_SIZE) - size, align);

	memcpy(memory_add(pa, size), bytes, size);
	return pa;
}

u64 random_u64(void)
{
	static u64 state = 0x9E3779B97F4A7C15;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state * 0x2545F4914F6CDD1D;
}

u64 random_below(u64 bound)
{
	return bound ? random_u64() % bound : 0;
}

static struct {
	unsigned int passed, failed, skipped;
} count;

static void run(const struct test *test)
{
	failures_here = 0;
	skipped_why = NULL;
	memory_reset();
	test->run();
	if (failures_here) {
		printf("FAIL boot: %s\n", test->name);
		count.failed++;
	} else if (skipped_why) {
		printf("SKIP boot: %s (%s)\n", test->name, skipped_why);
		count.skipped++;
	} else {
		printf("ok   boot: %s\n", test->name);
		count.passed++;
	}
	fflush(stdout);
}

/* unit [KERNEL] */
int main(int argc, char **argv)
{
	static const struct test *const all[] = { e820_tests, multiboot_tests, place_tests,
		linux_tests, acpi_tests, iommu_tests, options_tests, serial_tests, screen_tests,
		pci_tests, devices_tests };

	if (argc > 1 && *argv[1])
		kernel_path = argv[1];
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		for (const struct test *test = all[i]; test->run; test++)
			run(test);
	printf("%u passed, %u failed, %u skipped\n", count.passed, count.failed, count.skipped);
	return count.failed != 0;
}
