/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a secure process is made of before it runs: the create record, the shim
 * and the manifest. `run` gives it to the hypervisor, `measure` hashes it.
 */
#ifndef HVREG_LAUNCH_H
#define HVREG_LAUNCH_H

#include <carrel/identity.h>

#define LAUNCH_SLOTS	128U	/* threads */
#define LAUNCH_BLOCKS	256U	/* of channel, 64 KiB each: 64 with slots, then the arena */
#define LAUNCH_RUNS_MAX	8

/* Pages that are added one after the other with the same rights. */
struct launch_run {
	const unsigned char *bytes;
	uint64_t address;
	uint32_t pages;
	uint32_t type;		/* as in ADD */
};

struct launch {
	struct carrel_measure_create create;
	struct launch_run runs[LAUNCH_RUNS_MAX];
	unsigned int run_count;
};

/*
 * Fills in all of it. The manifest is as manifest_binary gives it and must stay; `limit` is the most
 * memory the process may use, in chunks of 2 MiB, `flags` are CARREL_CREATE_*.
 */
void launch_build(struct launch *launch, const unsigned char *manifest, uint32_t manifest_size,
		  uint32_t limit, uint32_t flags);

/* The identity that the hypervisor computes for it. */
void launch_identity(const struct launch *launch, uint8_t identity[CARREL_IDENTITY_SIZE]);

#endif
