/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs every test, or those whose name holds the argument; memory, map and faults for them. */
#include "test.h"

#include <stdarg.h>
#include <sys/mman.h>

unsigned char *phys_base;
static jmp_buf test_jump;

void check(bool good, const char *file, int line, const char *what)
{
	if (good)
		return;
	printf("     %s:%d: %s\n", file, line, what);
	longjmp(test_jump, 1);
}

void check_eq(u64 a, u64 b, const char *file, int line, const char *what)
{
	if (a != b)
		printf("     %s:%d: 0x%lx is not 0x%lx\n", file, line, a, b);
	check(a == b, file, line, what);
}

void check_says(const char *text, const char *words, const char *file, int line)
{
	bool good = text && strstr(text, words);

	if (!good)
		printf("     \"%s\" does not say \"%s\"\n", text ? text : "(nothing)", words);
	check(good, file, line, words);
}

void __attribute__((noreturn, format(printf, 1, 2))) panic(const char *format, ...);
void panic(const char *format, ...)
{
	va_list arguments;

	printf("     panic: ");
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("\n");
	longjmp(test_jump, 1);
}

/* --- Memory --------------------------------------------------------------------------- */

enum unit_sees unit_sees;
static u8 seen[MEMORY_SIZE];	/* what was written back, or drained */

void __real_cache_write_back(u64 pa);
void __wrap_cache_write_back(u64 pa);
void __wrap_cache_write_back(u64 pa)
{
	__real_cache_write_back(pa);
	if (unit_sees == SEES_MEMORY)
		memcpy(seen + pa, phys(pa), PAGE_SIZE);
}

void memory_drain(void)
{
	memcpy(seen + POOL_BASE, phys(POOL_BASE), MEMORY_SIZE - POOL_BASE);
}

u64 unit_read64(u64 pa)
{
	bool caches = unit_sees == SEES_CACHES || (unit_sees == SEES_MEMORY && pa >= MAP_BASE);

	CHECK(pa >= POOL_BASE && pa <= MEMORY_SIZE - 8 && IS_ALIGNED(pa, 8));
	return *(u64 *)(caches ? phys(pa) : seen + pa);
}

unsigned int pool_limit, pool_out;

static u64 pool_alloc(struct table_memory *memory)
{
	u64 pa = POOL_BASE + pool_out * PAGE_SIZE;

	(void)memory;
	if (pool_out >= pool_limit)
		return 0;
	pool_out++;
	memset(phys(pa), 0, PAGE_SIZE);
	return pa;
}

struct table_memory pool_tables = { .alloc = pool_alloc };

/* --- The map -------------------------------------------------------------------------- */

struct table map;
static unsigned int map_out;

static u64 map_alloc(struct table_memory *memory)
{
	(void)memory;
	CHECK(map_out < MAP_FRAMES);
	return MAP_BASE + map_out++ * PAGE_SIZE;
}

static struct table_memory map_memory = { .alloc = map_alloc };

void map_make(const struct table_format *format, unsigned int largest_leaf)
{
	CHECK_EQ(table_init(&map, format, &map_memory, largest_leaf), 0);
	map_open(PAGE_SIZE, PAGE_SIZE);		/* so that there is a level-3 table */
	map_close(PAGE_SIZE, PAGE_SIZE);
}

void map_open(u64 base, u64 size)
{
	CHECK_EQ(table_map(&map, base, base, size, TABLE_R | TABLE_W, MEMORY_WB), 0);
}

void map_close(u64 base, u64 size)
{
	CHECK_EQ(table_unmap(&map, base, size), 0);
}

struct dma_root map_root(void)
{
	return (struct dma_root){ map.root, *(u64 *)phys(map.root) & TABLE_ADDRESS };
}

/* --- Registers and faults --------------------------------------------------------------- */

const struct mmio_model *mmio_model;

u32 mmio_read32(u64 pa)
{
	return (u32)mmio_model->read(pa, 4);
}

u64 mmio_read64(u64 pa)
{
	return mmio_model->read(pa, 8);
}

void mmio_write32(u64 pa, u32 value)
{
	mmio_model->write(pa, 4, value);
}

void mmio_write64(u64 pa, u64 value)
{
	mmio_model->write(pa, 8, value);
}

struct dma_fault faults[FAULTS_MAX];
unsigned int fault_count, faults_lost;

void dma_fault(const struct dma_fault *fault)
{
	CHECK(fault_count < FAULTS_MAX);
	faults[fault_count++] = *fault;
}

void dma_fault_lost(void)
{
	faults_lost++;
}

/* --- Running -------------------------------------------------------------------------- */

static void reset(void)
{
	memset(phys(0), 0, MEMORY_SIZE);
	memset(phys(POOL_BASE), 0xEE, POOL_FRAMES * PAGE_SIZE);
	memset(seen, 0xFF, sizeof(seen));	/* what would be present */
	unit_sees = SEES_CACHES;
	pool_limit = POOL_FRAMES;
	pool_out = map_out = 0;
	fault_count = faults_lost = 0;
	mmio_model = NULL;
}

static bool run_one(const struct test *test)
{
	if (setjmp(test_jump))
		return false;
	reset();
	test->run();
	return true;
}

int main(int argc, char **argv)
{
	static const struct test *const lists[] = { vtd_tests, amdvi_tests };
	unsigned int passed = 0, failed = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	phys_base = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);
	if (phys_base == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	for (size_t l = 0; l < ARRAY_SIZE(lists); l++) {
		for (const struct test *t = lists[l]; t->name; t++) {
			bool good;

			if (argc > 1 && !strstr(t->name, argv[1]))
				continue;
			good = run_one(t);
			printf("%s iommu: %s\n", good ? "ok  " : "FAIL", t->name);
			good ? passed++ : failed++;
		}
	}
	printf("%u passed, %u failed, 0 skipped\n", passed, failed);
	return failed != 0;
}
