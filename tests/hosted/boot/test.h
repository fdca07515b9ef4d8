/* SPDX-License-Identifier: BSD-2-Clause */
/* Frame of the hosted tests of boot/ and drivers/: checks, and a physical memory. */
#ifndef TEST_H
#define TEST_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/bytes.h>

/* A failed check is printed and fails the running test, which goes on. */
#define CHECK(condition) check((condition), __FILE__, __LINE__, #condition)
#define CHECK_EQ(a, b) check_eq((u64)(a), (u64)(b), __FILE__, __LINE__, #a " == " #b)
/* `got`, an error message or NULL, holds the text `want`; or is NULL if `want` is. */
#define CHECK_ERROR(got, want) check_error((got), (want), __FILE__, __LINE__)

bool check(bool good, const char *file, int line, const char *what);
bool check_eq(u64 a, u64 b, const char *file, int line, const char *what);
bool check_error(const char *got, const char *want, const char *file, int line);

struct test {
	const char *name;
	void (*run)(void);
};

/* Called by a test that cannot run here; `why` says what is missing. */
void skip(const char *why);
/* A real kernel's file, for the test that wants one; NULL if none was named. */
extern const char *kernel_path;

extern const struct test e820_tests[], multiboot_tests[], place_tests[], linux_tests[],
	acpi_tests[], iommu_tests[], options_tests[], serial_tests[], screen_tests[], pci_tests[],
	devices_tests[];

/*
 * Physical memory of MEMORY_SIZE bytes from address 0, none of it there at first: an
 * access outside what memory_add gave is a fault that ends the test program.
 */
#define MEMORY_SIZE	(6 * GIB)
void memory_reset(void);
/* Make the pages of [pa, pa + size) memory, zeroed. Returns phys(pa). */
u8 *memory_add(u64 pa, u64 size);
/* Make a block of `size` bytes that ends where a page that is not there begins, the first
 * byte at a multiple of `align` (power of two, below 4096; the end is then up to align - 1
 * bytes early) in the page-aligned area at `area`. Returns its physical address. */
u64 memory_add_block(u64 area, const void *bytes, u64 size, u64 align);

/* Repeatable randomness. */
u64 random_u64(void);
u64 random_below(u64 bound);

#endif
