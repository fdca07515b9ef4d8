/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <carrel/hypercall.h>
#include <carrel/ioctl.h>
#include "module.h"
#include "report.h"

#define LOG_SIZE	16384

static int open_once(int *file, const char *path)
{
	if (*file <= 0)
		*file = open(path, O_RDWR | O_CLOEXEC);
	if (*file < 0)
		die("%s: %s", path, strerror(errno));
	return *file;
}

int module_try(struct attack *a)
{
	static int file;

	return ioctl(open_once(&file, ATTACK_DEVICE), ATTACK_IOC, a) ? errno : 0;
}

void module_do(struct attack *a)
{
	int error = module_try(a);

	if (error)
		die("attack %llu of the module: %s", a->op, strerror(error));
}

static int carrel(void)
{
	static int file;

	return open_once(&file, CARREL_DEVICE);
}

bool carrel_there(void)
{
	return !access(CARREL_DEVICE, F_OK);
}

bool carrel_info(uint64_t what, uint64_t index, uint64_t sub, uint64_t value[6])
{
	struct carrel_ioc_info info = { .what = what, .index = index, .sub = sub };

	if (ioctl(carrel(), CARREL_IOC_INFO, &info))
		return false;
	memcpy(value, info.value, sizeof(info.value));
	return true;
}

struct refused carrel_refused(void)
{
	uint64_t v[6];

	if (!carrel_info(CARREL_INFO_REFUSED, 0, 0, v))
		die("the hypervisor does not tell what it refused");
	return (struct refused){ v[0], v[1], v[2], v[3], v[4] };
}

uint64_t carrel_donated(void)
{
	uint64_t v[6];

	if (!carrel_info(CARREL_INFO_MEMORY, 0, 0, v))
		die("the hypervisor does not tell its memory");
	return v[2];
}

const char *carrel_new_log(void)
{
	static uint64_t position;
	static char text[LOG_SIZE + 1];
	size_t used = 0;

	for (;;) {
		struct carrel_ioc_log log = {
			.position = position,
			.buffer = (uintptr_t)text + used,
			.size = (uint32_t)(LOG_SIZE - used),
		};

		if (LOG_SIZE - used < 40 || ioctl(carrel(), CARREL_IOC_LOG, &log) || !log.size)
			break;
		position = log.position;
		used += log.size;
	}
	text[used] = '\0';
	return text;
}

bool carrel_is_svm(void)
{
	uint32_t eax = CARREL_CPUID_ABI, ebx, ecx = 0, edx;

	__asm__("cpuid" : "+a" (eax), "=b" (ebx), "+c" (ecx), "=d" (edx));
	return ebx == CARREL_INSN_VMMCALL;
}
