/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a call's arguments will lie in the channel: measured against the program's
 * map, laid out in the slot or a part of the arena. Nothing has crossed yet.
 */
#ifndef SHIM_PLAN_H
#define SHIM_PLAN_H

#include "calls/call.h"

#define CHANNEL_ALIGN	16UL

struct iovec {
	uint64_t base, size;
};

struct plan {
	unsigned int count;		/* arguments that the row has: none follows KIND_NONE */
	uint64_t host[CALL_ARGS];	/* what goes out in the registers */
	uint64_t size[CALL_ARGS];	/* bytes of each buffer in the channel */
	uint8_t *channel[CALL_ARGS];	/* where it lies; NULL if the argument has none */
	uint64_t limit;			/* of RESULT_LENGTH */
	uint8_t *arena;			/* to be given back, with `got` */
	size_t got;
	const char *own;		/* what goes out in place of the string of argument `own_at` */
	unsigned int own_at;
	uint32_t offered;		/* bytes that KIND_ROOM offers */
	bool clipped;			/* the stream is shorter than the program asked */
	bool starved;			/* and that only because others use the arena */
};

/* What kinds have in common. */
enum trait {
	NUMBER = 1,			/* no memory behind it */
	READ = 2,			/* the call reads the program's memory */
	WRITE = 4,			/* it writes the program's memory */
	SIZED = 8,			/* length or count is argument `by` */
	PART = 16,			/* may be offered shorter than the program asked */
	VECTOR = 32,			/* an iovec array, which the channel holds as one */
	NULLABLE = 64,			/* NULL is the kernel's to judge, whatever the length */
};

extern const uint8_t kind_traits[KIND_LAST + 1];

static inline uint8_t traits_of(uint16_t arg)
{
	return kind_traits[ARG_KIND(arg)];
}

/* 0 or an error. plan_drop must follow in both cases. */
int64_t plan_make(struct thread *t, const struct call *row, const uint64_t arg[CALL_ARGS],
		  struct plan *plan);
void plan_drop(struct plan *plan);

/* Bytes of the program's memory behind argument i, or an error. */
int64_t plan_measure(const struct call *row, const uint64_t arg[CALL_ARGS], int i);

/* Element i of the iovec array at `address`. False: EFAULT. */
bool plan_iovec(struct iovec *v, uint64_t address, uint64_t i);

#define IOV_MAX		1024

/* Bytes behind `count` iovecs up to the first bad address, or an error. */
int64_t plan_iov(uint64_t address, uint64_t count, uint8_t rights);

#endif
