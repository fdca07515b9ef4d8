/* SPDX-License-Identifier: BSD-2-Clause */
#include <fcntl.h>
#include <string.h>
#include <carrel/hypercall.h>
#include <carrel/ioctl.h>
#include "work.h"

#define COUNTERS	6		/* that one answer holds */

static int device = -1;
static uint64_t own;			/* exits that one question causes */

static uint64_t ask(void)
{
	uint64_t sum = 0;

	for (uint64_t cpu = 0; ; cpu++) {
		struct carrel_ioc_info info = { .what = CARREL_INFO_EXITS, .index = cpu };

		for (; !ioctl(device, CARREL_IOC_INFO, &info); info.sub += COUNTERS)
			for (unsigned int i = 0; i < COUNTERS; i++)
				sum += info.value[i];
		if (!info.sub)
			return sum;
	}
}

void exits_open(void)
{
	uint64_t before;

	device = open(CARREL_DEVICE, O_RDWR | O_CLOEXEC);
	if (device < 0)
		return;
	own = 0;
	before = ask();
	own = ask() - before;
}

uint64_t exits_now(void)
{
	static uint64_t questions;

	return device < 0 ? 0 : ask() - own * questions++;
}
