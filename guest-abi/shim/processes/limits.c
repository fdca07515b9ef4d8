/* SPDX-License-Identifier: BSD-2-Clause */
/* Resource limits: see limits.h. */
#include <carrel/hypercall.h>
#include "base/carrier.h"
#include "base/channel.h"
#include "base/host.h"
#include "calls/marshal.h"
#include "emulate.h"
#include "processes/limits.h"

#define RLIMIT_DATA	2
#define RLIMIT_STACK	3
#define RLIMIT_NOFILE	7
#define RLIMIT_AS	9

enum { NR_setrlimit = 160, NR_prlimit64 = 302 };

struct rlimit {
	uint64_t soft, hard;
};

/* False if the kernel does not say. */
static bool get(struct thread *t, uint64_t resource, struct rlimit *limit)
{
	if (host_call_own(t, NR_prlimit64, 0, resource, 0, (uint64_t)SLOT_DATA(t)) != 0)
		return false;
	channel_get(limit, SLOT_DATA(t), sizeof(*limit));
	return true;
}

/*
 * A descriptor above what can be noted would have to be closed again, and could not be taken
 * out of a message: with this the kernel itself answers EMFILE.
 */
static void lower_descriptors(struct thread *t)
{
	struct rlimit limit;

	if (!get(t, RLIMIT_NOFILE, &limit) || limit.soft <= FDS_MAX)
		return;
	limit.soft = FDS_MAX;
	channel_put(SLOT_DATA(t), &limit, sizeof(limit));
	host_call_own(t, NR_prlimit64, 0, RLIMIT_NOFILE, (uint64_t)SLOT_DATA(t), 0);
}

void limits_read(struct thread *t)
{
	static const uint8_t resources[LIMITS] = {
		[LIMIT_DATA] = RLIMIT_DATA, [LIMIT_STACK] = RLIMIT_STACK, [LIMIT_AS] = RLIMIT_AS,
	};
	struct rlimit limit;

	for (int i = 0; i < LIMITS; i++)
		t->carrier->limits[i] = get(t, resources[i], &limit) ? limit.soft : UNLIMITED;
	lower_descriptors(t);
}

uint64_t limit_of(enum limit limit)
{
	return carrier()->limits[limit];
}

EMULATED(call_setrlimit)
{
	static const struct call row = {
		.arg = { KIND_INT, ARG_FIX(KIND_FIX_IN, sizeof(struct rlimit)) },
		.how = HOW_MARSHAL, .result = RESULT_ZERO,
	};
	int64_t value = marshal(t, &row, NR_setrlimit, arg);

	if (value == 0 && !t->rewind)
		limits_read(t);
	return value;
}

EMULATED(call_prlimit64)
{
	static const struct call row = {
		.arg = { KIND_INT, KIND_INT, ARG_FIX(KIND_FIX_IN, sizeof(struct rlimit)),
			 ARG_FIX(KIND_FIX_OUT, sizeof(struct rlimit)) },
		.how = HOW_MARSHAL, .result = RESULT_ZERO,
	};
	int64_t value = marshal(t, &row, NR_prlimit64, arg);

	if (value == 0 && arg[2] && !t->rewind)
		limits_read(t);
	return value;
}
