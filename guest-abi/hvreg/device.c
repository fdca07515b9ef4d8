/* SPDX-License-Identifier: BSD-2-Clause */
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <carrel/hypercall.h>
#include "device.h"
#include "fail.h"

static bool under_carrel(void)
{
	unsigned int eax, ebx, ecx, edx;

	__cpuid(CARREL_CPUID_BASE, eax, ebx, ecx, edx);
	return ebx == CARREL_SIG_EBX && ecx == CARREL_SIG_ECX && edx == CARREL_SIG_EDX &&
		eax >= CARREL_CPUID_ABI;
}

static _Noreturn void fail_open(int error)
{
	switch (error) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		if (!under_carrel())
			fail(EXIT_OWN, "choose Carrel's entry in the boot menu, or see README.md",
			     "no hypervisor: this kernel was not started by Carrel");
		fail(EXIT_OWN, "as root, run: modprobe carrel (or insmod with the path of carrel.ko)",
		     "the module is not loaded: there is no " CARREL_DEVICE);
	case EACCES:
	case EPERM:
		fail(EXIT_OWN, "as root, run: usermod -aG carrel USER; then log in again",
		     "no permission for " CARREL_DEVICE ": you are not in its group");
	}
	fail(EXIT_OWN, NULL, "cannot open " CARREL_DEVICE ": %s", strerror(error));
}

int device_open(void)
{
	int device = open(CARREL_DEVICE, O_RDWR | O_CLOEXEC), low = device;

	if (device < 0)
		fail_open(errno);
	/* Never in the place of a standard stream that is closed. */
	if (device <= STDERR_FILENO) {
		device = fcntl(low, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
		if (device < 0)
			fail(EXIT_OWN, NULL, "cannot open " CARREL_DEVICE ": %s", strerror(errno));
		close(low);
	}
	return device;
}

bool device_info(int device, uint64_t what, uint64_t index, uint64_t sub, uint64_t value[6])
{
	struct carrel_ioc_info info = { .what = what, .index = index, .sub = sub };

	if (!ioctl(device, CARREL_IOC_INFO, &info)) {
		memcpy(value, info.value, sizeof(info.value));
		return true;
	}
	if (errno != EINVAL)
		device_fail("INFO", errno);
	return false;
}

void device_fail(const char *what, int error)
{
	const char *advice = "the kernel's log (dmesg) and 'hvreg log' say more";

	switch (error) {
	case ENOMEM:
		fail(EXIT_OWN, "it takes free memory in pieces of 2 MiB, within the cgroup's "
		     "memory.max and 'ulimit -l'",
		     "no memory to donate to the hypervisor (%s)", what);
	case ENOSPC:
		fail(EXIT_OWN, "wait until another protected process ends, see 'hvreg ps'",
		     "a table of the hypervisor is full (%s)", what);
	case ETIMEDOUT:
		fail(EXIT_OWN, "bring CPUs that are offline online again, then retry",
		     "a CPU does not answer the hypervisor (%s)", what);
	case EPROTO:
		fail(EXIT_OWN, "install hvreg, carrel.ko and carrel.elf of one build",
		     "hvreg and the module have different ABI versions");
	case EINVAL:
		advice = "hvreg and the module may be of different builds";
		break;
	}
	fail(EXIT_OWN, advice, "%s refused: %s", what, strerror(error));
}
