/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hvreg platform: drivers/tpm's commands through the kernel's resource manager, which takes a whole
 * command in one write and gives a whole response in one read, or through a socket that carries the
 * same bytes (swtpm's).
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <drivers/tpm/transport.h>
#include <drivers/tpm/wire.h>
#include "fail.h"
#include "platform.h"

#define TPM_CC_GET_CAPABILITY	0x17A
#define TPM_CAP_TPM_PROPERTIES	6

static struct tpm the_tpm;
static int file = -1;

static u64 microseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000UL + now.tv_nsec / 1000;
}

/* The kernel requests its locality for each command. */
static u32 request(struct tpm *tpm)
{
	(void)tpm;
	return 0;
}

static void relinquish(struct tpm *tpm)
{
	(void)tpm;
}

static u32 send_command(struct tpm *tpm, const u8 *command, u32 size)
{
	(void)tpm;
	return write(file, command, size) == (ssize_t)size ? 0 : TPM_E_ABSENT;
}

static u32 receive_response(struct tpm *tpm, u8 *response, u32 max, u32 duration, u32 *size)
{
	struct pollfd ready = { .fd = file, .events = POLLIN };
	u32 got = 0, whole = 0;
	ssize_t bytes;

	(void)tpm;
	while (got < HEADER_SIZE || got < whole) {
		int polled = poll(&ready, 1, duration / 1000);

		if (polled < 0 && errno == EINTR)
			continue;
		if (polled <= 0)
			return TPM_E_TIMEOUT;
		bytes = read(file, response + got, max - got);
		if (bytes <= 0)
			return TPM_E_ABSENT;
		got += bytes;
		if (got < HEADER_SIZE)
			continue;
		whole = tpm_response_size(response, max);
		if (!whole)
			return TPM_E_RESPONSE;
	}
	*size = got;
	return got == whole ? 0 : TPM_E_RESPONSE;
}

static const struct tpm_transport through_kernel = {
	.name = "kernel",
	.request = request,
	.relinquish = relinquish,
	.send = send_command,
	.receive = receive_response,
};

static _Noreturn void fail_open(const char *path)
{
	switch (errno) {
	case ENOENT:
	case ENXIO:
	case ENODEV:
		fail(EXIT_OWN, "is it on in the firmware, its driver (tpm_tis, tpm_crb) loaded?",
		     "there is no %s: the kernel has no TPM 2.0", path);
	case EACCES:
	case EPERM:
		fail(EXIT_OWN, "run it as root", "no permission for %s", path);
	}
	fail(EXIT_OWN, NULL, "cannot open %s: %s", path, strerror(errno));
}

static int dial(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || strlen(path) >= sizeof(address.sun_path))
		fail(EXIT_OWN, NULL, "cannot open %s", path);
	strcpy(address.sun_path, path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)))
		fail_open(path);
	return fd;
}

struct tpm *platform_tpm_open(const char *path)
{
	struct stat status;

	if (!path)
		path = TPM_DEVICE;
	signal(SIGPIPE, SIG_IGN);	/* a socket's other end may go away */
	if (!stat(path, &status) && S_ISSOCK(status.st_mode))
		file = dial(path);
	else
		file = open(path, O_RDWR | O_CLOEXEC);
	if (file < 0)
		fail_open(path);
	the_tpm = (struct tpm){
		.transport = &through_kernel, .clock = microseconds, .localities = 1,
	};
	tpm_request(&the_tpm, 0);
	return &the_tpm;
}

void platform_tpm_close(void)
{
	tpm_relinquish(&the_tpm);
	close(file);
}

/* Part 3, 30.2. */
uint32_t platform_tpm_property(struct tpm *tpm, uint32_t property)
{
	struct tpm_reader reader;
	uint32_t value;

	tpm_begin(tpm, TPM_ST_NO_SESSIONS, TPM_CC_GET_CAPABILITY);
	tpm_put32(tpm, TPM_CAP_TPM_PROPERTIES);
	tpm_put32(tpm, property);
	tpm_put32(tpm, 1);
	if (tpm_run(tpm, DURATION, NULL, &reader))
		return 0;
	tpm_take8(&reader);			/* moreData */
	tpm_expect32(&reader, TPM_CAP_TPM_PROPERTIES);
	tpm_expect32(&reader, 1);
	tpm_expect32(&reader, property);
	value = tpm_take32(&reader);
	return tpm_end(tpm, &reader) ? 0 : value;
}

/* Part 2, 6.6: what can be expected, and what to do then. */
static const char *reason_of(uint32_t error)
{
	switch (error) {
	case TPM_E_ABSENT:
		return "the TPM, or the way to it, is gone";
	case TPM_E_TIMEOUT:
		return "the TPM did not answer in time";
	case TPM_E_RESPONSE:
		return "the TPM's answer makes no sense";
	case TPM_E_VERSION:
		return "it is a TPM 1.2";
	case TPM_RC_NO_INDEX:
		return "there is no such index";
	case 0x146:
		return "out of the index's range (TPM_RC_NV_RANGE)";
	case 0x148:
		return "the index is locked (TPM_RC_NV_LOCKED)";
	case 0x149:
		return "the index does not allow it (TPM_RC_NV_AUTHORIZATION)";
	case 0x14A:
		return "the index is not written yet (TPM_RC_NV_UNINITIALIZED)";
	case 0x14B:
		return "no room is left in its NV memory (TPM_RC_NV_SPACE)";
	case 0x14C:
		return "the index is there already (TPM_RC_NV_DEFINED)";
	case 0x921:
		return "it is locked out after too many wrong passwords (TPM_RC_LOCKOUT)";
	case 0x923:
		return "its NV memory cannot be written now (TPM_RC_NV_UNAVAILABLE)";
	case 0x98E:
	case 0x9A2:
		return "its owner, or the index, has a password (TPM_RC_BAD_AUTH)";
	case 0x185:
		return "its owner hierarchy is disabled (TPM_RC_HIERARCHY)";
	}
	return "refused";
}

void platform_tpm_fail(uint32_t error, const char *what, ...)
{
	char text[256], code[32] = "";
	va_list arguments;

	va_start(arguments, what);
	vsnprintf(text, sizeof(text), what, arguments);
	va_end(arguments);
	if (error < TPM_E_ABSENT)
		snprintf(code, sizeof(code), ", code %Xh", error);
	fail(EXIT_OWN, "nothing is lost: see 'hvreg platform show'; begin again what was begun",
	     "%s: %s%s", text, reason_of(error), code);
}
