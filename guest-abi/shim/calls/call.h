/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The system-call table: what the shim does with each call of the x86-64 Linux
 * ABI. Rows are in calls.def; the kinds of their arguments drive marshal.c.
 */
#ifndef SHIM_CALL_H
#define SHIM_CALL_H

#include "shim.h"

#define CALLS		451		/* one past the last call of Linux 6.1 */

enum how {
	HOW_REFUSE,			/* ENOSYS, and a line in the log */
	HOW_PASS,			/* numbers in, number out */
	HOW_MARSHAL,			/* some arguments are memory: through the channel */
	HOW_EMULATE,			/* a function of the shim's own */
};

/* What EINTR means when a handler with SA_RESTART has run. */
enum restart {
	RESTART_NO,			/* it does not sleep */
	RESTART_YES,			/* the kernel would make it again: so does the shim */
	RESTART_NEVER,			/* it ends with EINTR all the same (poll, nanosleep) */
};

/* What a successful result may be. Anything else is a lie and kills the process. */
enum result {
	RESULT_ANY,			/* not below 0 */
	RESULT_ZERO,
	RESULT_INT,			/* 0 to 2^31 - 1 */
	RESULT_FD,			/* a descriptor that was not open */
	RESULT_LENGTH,			/* at most the bytes or elements that were offered */
	RESULT_SIZE,			/* the same, but any size when nothing was offered */
	RESULT_BOUND,			/* at most argument `by` */
	RESULT_MESSAGE,			/* as LENGTH; more if argument `by` asks for the true length */
	RESULT_SETS,			/* at most three times argument `by` */
	RESULT_LAST = RESULT_SETS,
};

/*
 * Kinds of argument. A NULL pointer goes to the kernel as NULL. `by` is the
 * index of the argument that holds the buffer's length or element count,
 * `size` the bytes of the structure or of an element.
 */
enum kind {
	KIND_NONE,			/* none: 0 goes out, never a left-over of the program */
	KIND_INT,			/* low 32 bits */
	KIND_LONG,			/* all 64 bits */
	KIND_FD,			/* a descriptor, low 32 bits */
	KIND_STRING,			/* path or name, at most PATH_MAX with its NUL; (by, FOLLOWED_*)
					   a path that leads to a file */
	KIND_IN,			/* (by) buffer that must cross whole */
	KIND_IN_STREAM,			/* (by) bytes of which the call may take fewer */
	KIND_OUT,			/* (by) buffer, filled as far as the result says */
	KIND_OUT_STREAM,		/* (by) the same, of which the call may give fewer */
	KIND_FIX_IN,			/* (size) structure */
	KIND_FIX_OUT,			/* (size) structure, written on success */
	KIND_FIX_INOUT,			/* (size) both */
	KIND_FIX_REST,			/* (size) written only when the call fails with EINTR */
	KIND_FDS_OUT,			/* two new descriptors, written on success */
	KIND_TEXT_OUT,			/* (by) text, as long as the result says, with its NUL */
	KIND_NAMES_OUT,			/* (count, size) names, each with its NUL in `size` bytes */
	KIND_DIRENTS_OUT,		/* (by, name) directory entries, as far as the result says;
					   `name` bytes into each stands its name */
	KIND_ARRAY_OUT,			/* (by, size) elements, as many as the result says */
	KIND_POLLFDS,			/* (by, 8) struct pollfd, of which only revents comes back */
	KIND_IOV_IN,			/* (by) iovec array to gather from */
	KIND_IOV_OUT,			/* (by) iovec array to scatter to */
	KIND_COUNT,			/* the number of those iovecs */
	KIND_OFFSET,			/* a file position that moves on with a split stream */
	KIND_ARRAY_IN,			/* (by, size) elements that must cross whole */
	KIND_FIX_FOUND,			/* (size) structure, written if the result is above 0 */
	KIND_FDSET,			/* (by) bits for that many descriptors, of which some come back */
	KIND_ADDRESS_OUT,		/* (by) socket address, which may be longer than was offered */
	KIND_OPTION_OUT,		/* (by) what is never longer than was offered */
	KIND_ROOM,			/* of those two: u32, bytes offered, then bytes there are */
	KIND_FIX_UPDATE,		/* (size) structure that is read, and written if it can be */
	KIND_LAST = KIND_FIX_UPDATE,
};

/* An argument in 16 bits: kind, and what it carries. */
#define ARG_KIND(arg)		((enum kind)((arg) & 31))
#define ARG_SIZE(arg)		((arg) >> 5)			/* of KIND_FIX_* */
#define ARG_BY(arg)		((arg) >> 5 & 7)		/* of buffers and arrays */
#define ARG_ELEMENT(arg)	((arg) >> 8)			/* of arrays, names, entries */
#define ARG_FIX(kind, size)	((kind) | (size) << 5)
#define ARG_BUF(kind, by)	((kind) | (by) << 5)
#define ARG_ARRAY(kind, by, size) ((kind) | (by) << 5 | (size) << 8)

/*
 * Which paths lead to a file, by the element part of KIND_STRING: /proc/self/exe is then the
 * program, not its carrier. A flag in argument `by` may ask for the link itself.
 */
#define FOLLOWED_ALWAYS		1
#define FOLLOWED_AT		2	/* but for AT_SYMLINK_NOFOLLOW */
#define FOLLOWED_OPEN		3	/* but for O_NOFOLLOW */

#define CALL_ARGS		6

/* 16 bytes, because the table is measured page by page. */
struct call {
	union {
		uint16_t arg[CALL_ARGS];
		/* Returns the program's RAX. */
		int64_t (*emulate)(struct thread *t, const uint64_t arg[CALL_ARGS]);
	} __attribute__((packed));
	uint8_t how;
	uint8_t restart;
	uint8_t result;
	uint8_t by;			/* of RESULT_BOUND */
};
_Static_assert(sizeof(struct call) == 16, "compact rows");

extern const struct call calls[CALLS];

/* A call that is several: the row depends on a request number among its arguments. */
struct subcall {
	uint64_t request;
	struct call call;
};

/* The row for `request` in a table whose last row refuses; that one if none fits. */
const struct call *subcall_find(const struct subcall *table, uint64_t request);
extern const struct subcall subcalls_ioctl[], subcalls_fcntl[], subcalls_prctl[];
extern const struct subcall subcalls_semctl[], subcalls_msgctl[];

#endif
