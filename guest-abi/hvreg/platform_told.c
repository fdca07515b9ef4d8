/* SPDX-License-Identifier: BSD-2-Clause */
/* hvreg platform: the running hypervisor. */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <carrel/hypercall.h>
#include "device.h"
#include "fail.h"
#include "platform.h"
#include "text.h"

static void get(int device, uint64_t what, uint64_t index, uint64_t value[6])
{
	if (!device_info(device, what, index, 0, value))
		fail(EXIT_OWN, "install hvreg, carrel.ko and carrel.elf of one build",
		     "the hypervisor does not tell about its launch");
}

static void get_hash(int device, uint64_t which, uint8_t hash[32])
{
	uint64_t value[6];

	get(device, CARREL_INFO_LAUNCH_HASH, which, value);
	memcpy(hash, value, 32);
}

static void get_reason(int device, char *reason)
{
	uint64_t value[TEXT_REGISTERS];
	unsigned int i;

	for (i = 0; i < TOLD_REASON_PARTS; i++) {
		if (!device_info(device, CARREL_INFO_LAUNCH_TEXT, i, 0, value))
			return;
		text_of_registers(reason + i * sizeof(value), value, TEXT_REGISTERS);
	}
}

void told_read(struct told *told, bool needed)
{
	uint64_t value[6];
	int device;

	*told = (struct told){ 0 };
	if (!needed && access(CARREL_DEVICE, F_OK))
		return;
	device = device_open();
	get(device, CARREL_INFO_LAUNCH, 0, value);
	told->running = true;
	told->state = value[0];
	told->pcrs = value[1];
	told->checked = value[2] == 1;
	get_hash(device, CARREL_HASH_PCRS, told->digest);
	get_hash(device, CARREL_HASH_POLICY, told->policy);
	get_hash(device, CARREL_HASH_KEY, told->fingerprint);
	get_reason(device, told->reason);
	close(device);
}

int told_reseal(const struct carrel_reseal *request)
{
	int device = device_open(), error;
	struct carrel_ioc_reseal reseal;

	memcpy(reseal.request, request, sizeof(reseal.request));
	error = ioctl(device, CARREL_IOC_RESEAL, &reseal) ? errno : 0;
	close(device);
	return error;
}
