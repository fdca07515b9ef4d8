/* SPDX-License-Identifier: BSD-2-Clause */
/* Devices, of which the hypervisor is told when they are there and when they come. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <unistd.h>
#include "test.h"

static bool there[0x10000], told[0x10000];

/* Which requesters the hypervisor was told of. */
static void read_admitted(bool told[0x10000])
{
	char text[4096] = "", *at = text;
	int file = open("/sys/module/carrel/parameters/admitted", O_RDONLY);
	unsigned long first, last;

	EXPECT(file >= 0 && read(file, text, sizeof(text) - 1) >= 0);
	close(file);
	memset(told, 0, 0x10000);
	while (*at >= '0' && *at <= '9') {
		first = last = strtoul(at, &at, 10);
		if (*at == '-')
			last = strtoul(at + 1, &at, 10);
		for (; first <= last && first < 0x10000; first++)
			told[first] = true;
		at += *at == ',';
	}
}

/* Requesters of the devices that this kernel has, by their names in /sys; how many. The first
 * that is not on bus 0 is the one behind the bridge. */
static unsigned int read_devices(bool there[0x10000], unsigned int *behind)
{
	DIR *folder = opendir("/sys/bus/pci/devices");
	unsigned int bus, device, function, count = 0;
	struct dirent *entry;

	memset(there, 0, 0x10000);
	*behind = 0;
	while (folder && (entry = readdir(folder))) {
		if (sscanf(entry->d_name, "0000:%x:%x.%x", &bus, &device, &function) != 3)
			continue;
		there[bus << 8 | device << 3 | function] = true;
		if (bus)
			*behind = bus << 8 | device << 3 | function;
		count++;
	}
	if (folder)
		closedir(folder);
	return count;
}

static void test_admitted(void)
{
	unsigned int behind, i;

	EXPECT(read_devices(there, &behind) > 4 && behind & 0xff);
	there[behind & 0xff00] = true;	/* what the bridge calls all that is behind it */
	read_admitted(told);
	for (i = 0; i < 0x10000; i++)
		if (there[i] != told[i])
			wrong("requester %x is %s, and %s told of", i, there[i] ? "there" : "absent",
			      told[i] ? "was" : "was not");
}

/* Takes the device behind the bridge away and lets the kernel find it again. */
static unsigned int plug_again(void)
{
	unsigned int behind, again;
	char path[64];

	read_devices(there, &behind);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/0000:%02x:%02x.%x/remove", behind >> 8,
		 behind >> 3 & 31, behind & 7);
	write_file(path, "1");
	read_devices(there, &again);
	EXPECT(!again);
	set_parameter("admitted", 0);
	write_file("/sys/bus/pci/rescan", "1");
	read_devices(there, &again);
	EXPECT(again == behind);
	read_admitted(told);
	return behind;
}

static void test_hot_plug(void)
{
	unsigned int behind = plug_again(), i, count = 0;

	EXPECT(told[behind] && told[behind & 0xff00]);
	for (i = 0; i < 0x10000; i++)
		count += told[i];
	EXPECT(count == 2);
}

/* The device stays, and the kernel's log says once that it gets no DMA. */
static void test_not_admitted(void)
{
	static char log[1 << 18];
	unsigned int behind;
	char line[64], *at;

	EXPECT(klogctl(5 /* SYSLOG_ACTION_CLEAR */, NULL, 0) == 0);
	inject(CARREL_HC_ADMIT, 0, 1, CARREL_ELIMIT);
	behind = plug_again();
	inject(0, 0, 0, 0);
	EXPECT(!told[behind] && !told[behind & 0xff00]);
	EXPECT(klogctl(3 /* SYSLOG_ACTION_READ_ALL */, log, sizeof(log) - 1) > 0);
	snprintf(line, sizeof(line), "device %02x:%02x.%x gets no DMA", behind >> 8,
		 behind >> 3 & 31, behind & 7);
	at = strstr(log, line);
	EXPECT(at && !strstr(at + strlen(line), "gets no DMA"));
	plug_again();
}

const struct test device_tests[] = {
	{ "devices that are there", test_admitted },
	{ "a device comes", test_hot_plug },
	{ "a device that the hypervisor refuses", test_not_admitted },
	{ 0 },
};
