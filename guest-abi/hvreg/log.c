/* SPDX-License-Identifier: BSD-2-Clause */
/* hvreg log: the hypervisor's log. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>
#include "commands.h"
#include "device.h"
#include "fail.h"
#include "options.h"
#include "text.h"

#define PAUSE_MS	200

static const char help[] =
"usage: hvreg log [--follow]\n"
"\n"
"Prints what the hypervisor's log still holds, oldest first. It holds codes and\n"
"hypervisor addresses, never data of protected processes.\n"
"\n"
"  --follow   then go on as lines come, until interrupted\n";

/* Prints what there is from *position on. */
static void print_log(int device, uint64_t *position)
{
	static char text[8192];
	struct carrel_ioc_log log;

	do {
		log = (struct carrel_ioc_log){
			.position = *position,
			.buffer = (uintptr_t)text,
			.size = sizeof(text),
		};
		if (ioctl(device, CARREL_IOC_LOG, &log)) {
			if (errno == EINTR)
				continue;
			device_fail("LOG", errno);
		}
		fwrite(text, 1, log.size <= sizeof(text) ? log.size : 0, stdout);
		*position = log.position;
	} while (log.size);
}

int log_command(int argc, char **argv)
{
	struct pollfd reader = { .fd = STDOUT_FILENO };
	struct options options;
	uint64_t position = 0;
	int device;

	(void)argc;
	options_parse(&options, OPTION_FOLLOW, help, argv);
	options_no_operands(&options, argv[0]);
	device = device_open();
	print_log(device, &position);
	while (options.follow && !fflush(stdout)) {
		/* A pipe that nobody reads any more ends it, even if no line comes. */
		if (poll(&reader, 1, PAUSE_MS) > 0)
			break;
		print_log(device, &position);
	}
	return text_done();
}
