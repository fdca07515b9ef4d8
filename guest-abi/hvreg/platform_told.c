/* SPDX-License-Identifier: BSD-2-Clause */
/* hvreg platform: the running hypervisor. */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "device.h"
#include "platform.h"

void told_read(struct told *told, bool needed)
{
	int device;

	*told = (struct told){ 0 };
	if (!needed && access(CARREL_DEVICE, F_OK))
		return;
	device = device_open();
	launched_read(device, told);
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
