/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frame of the conformance suite: a check for each row of the shim's table. It
 * makes the call once well and once badly and says what came back; what is right
 * is what the same program says without protection.
 */
#ifndef CONFORMANCE_CALLS_H
#define CONFORMANCE_CALLS_H

#include <asm/unistd_64.h>
#include <stddef.h>
#include <stdint.h>

/* A call as it is, arguments that are not given 0: the kernel's value, errors below 0. */
#define S(name, ...)	call_raw((const long[7]){ __NR_##name __VA_OPT__(,) __VA_ARGS__ })
#define P(...)		((long)(__VA_ARGS__))		/* a pointer */
#define BAD		0x1000L		/* no program has memory there */

long call_raw(const long number_and_arguments[7]);

/* What came back, in the row's line. */
void good(long result);
void bad(long result);
/* Of results that differ from run to run only whether it went well. */
void good_any(long result);
/* What a good call wrote: a checksum. */
void wrote(const void *bytes, size_t size);

/* A row whose check is two calls. */
#define CHECK(name, good_call, bad_call) \
	void check_##name(void) \
	{ \
		good(good_call); \
		bad(bad_call); \
	}
#define CHECK_ANY(name, good_call, bad_call) \
	void check_##name(void) \
	{ \
		good_any(good_call); \
		bad(bad_call); \
	}

/*
 * Made anew before each row, in a directory of its own: `file` of FILE_SIZE bytes, `dir`,
 * `link` to file; these descriptors; 64 KiB of zeros.
 */
#define FILE_SIZE	1000
extern int fd, dir, pipes[2], sockets[2];
extern uint8_t buffer[65536];
#define BUF		P(buffer)

#endif
