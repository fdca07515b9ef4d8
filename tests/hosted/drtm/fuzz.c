/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The input: the shared page, then the heap. The DMAR's checksum would stop almost every input, so
 * a byte of the page says whether it is made right where the good heap has the table.
 */
#include <stdlib.h>
#include <string.h>

#include "machine.h"

static void check(bool good)
{
	if (!good)
		abort();
}

static void fuzz_page(const u8 *data)
{
	struct launch_tboot tboot = { .page = SHARED };
	u8 *copy = malloc(TBOOT_SHARED_SIZE);
	enum launch_check failed;

	memcpy(copy, data, TBOOT_SHARED_SIZE);
	failed = tboot_parse(&tboot, copy, own);
	free(copy);
	check(failed < LAUNCH_CHECKS && launch_reason(failed));
	if (failed)
		return;
	check(tboot.version == 6 && tboot.range.base < tboot.range.end);
	check(tboot.range.end <= 4 * GIB);
	check(tboot.shutdown_entry >= tboot.range.base && tboot.shutdown_entry < tboot.range.end);
	check(tboot.range.end <= own.base || own.end <= tboot.range.base);
}

static void fuzz_heap(const u8 *data, size_t size, bool repair)
{
	static struct launch_heap heap;
	u8 *copy = malloc(size ? size : 1);
	enum launch_check failed;

	memcpy(copy, data, size);
	if (repair && size >= SINIT_AT + DMAR_AT + DMAR_BYTES) {
		u8 *dmar = copy + SINIT_AT + DMAR_AT;

		dmar[9] = 0;
		dmar[9] = -bytes_sum((struct bytes){ dmar, DMAR_BYTES });
	}
	failed = heap_parse(&heap, (struct bytes){ copy, size });
	check(failed < LAUNCH_CHECKS && launch_reason(failed));
	check(heap.mdr_count <= LAUNCH_MDRS_MAX);
	if (!failed) {
		check(heap.sinit_version >= 9 && heap.dmar.at >= copy);
		check(heap.dmar.at + heap.dmar.size <= copy + size && !bytes_sum(heap.dmar));
		for (u32 i = 0; i < heap.mdr_count; i++)
			check(heap.mdr[i].base <= heap.mdr[i].end);
		memory_check(&heap, images, IMAGES);
	}
	free(copy);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	if (size < TBOOT_SHARED_SIZE)
		return 0;
	fuzz_page(data);
	fuzz_heap(data + TBOOT_SHARED_SIZE, size - TBOOT_SHARED_SIZE, !(data[0x1F1] & 1));
	return 0;
}
