/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The platform key: what the launch found, and the keys that are derived from it. The launch
 * (boot/launch.c) sets it once, before Linux runs; without a key every derivation is refused.
 */
#ifndef HV_CORE_PLATFORM_H
#define HV_CORE_PLATFORM_H

#include <carrel/platform.h>

#include <base/types.h>

#define PLATFORM_REASON	144	/* bytes of text with its NUL */

struct platform {
	u32 state;			/* CARREL_LAUNCH_* */
	u32 pcrs;			/* by bits, those of `pcr_digest`; 0: no TPM was asked */
	u8 pcr_digest[32];		/* SHA-256 of their values before the cap */
	u8 policy[32];			/* what RECORD's policy must be for this launch */
	u8 fingerprint[32];		/* of the key; zeros: none */
	char reason[PLATFORM_REASON];	/* why not better */
};

/*
 * Seal the key for another measurement: `digest` of the PCRs of this state, to the blob's slot
 * that this launch did not come from. Called on the CPU of a hypercall; may take seconds.
 * 0, or a CARREL_E*: EBUSY (the TPM is in use: again), ESTATE (the TPM refused; logged).
 */
typedef s64 (*platform_reseal_t)(const struct carrel_secret *secret, const u8 digest[32]);

/* Boot, one CPU. `secret` only when the state is not unmeasured; copied. */
void platform_boot(const struct platform *platform, const struct carrel_secret *secret,
		   platform_reseal_t reseal);
const struct platform *platform_state(void);

/* Wipe the key: before the machine leaves us (panic, shutdown, kexec of everything). */
void platform_wipe(void);

#endif
