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
#define PLATFORM_KEY	32	/* bytes of a derived key */

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
 * that this launch did not come from. It opens at the value `counter` of COUNTER, never at another:
 * that is what was signed. Called on the CPU of a hypercall, by one CPU at a time; may take
 * seconds. 0, or a CARREL_E*: EBUSY (the TPM is in use: again), ESTATE (COUNTER has neither that
 * value nor the one before it, or the TPM refused; logged).
 */
typedef s64 (*platform_reseal_t)(const struct carrel_secret *secret, const u8 digest[32],
				 u64 counter);

/*
 * Boot, one CPU. `secret` only when the state is not unmeasured; copied. `forget` wipes what
 * `reseal` may have left of it when it was cut off.
 */
void platform_boot(const struct platform *platform, const struct carrel_secret *secret,
		   platform_reseal_t reseal, void (*forget)(void));
const struct platform *platform_state(void);

/* SEAL_KEY: the key of this kind (CARREL_SEAL_*) and identity. 0, or CARREL_ESTATE: there is none. */
int platform_seal_key(u32 kind, const u64 identity[4], u8 key[PLATFORM_KEY]);
/* PUBLIC: what belongs to the X25519 key of that identity. The same errors. */
int platform_public(const u64 identity[4], u8 key[PLATFORM_KEY]);
/* RESEAL, the number of a frame that may be the host's. See docs/abi.md for the errors. */
s64 platform_reseal(u64 frame);

/*
 * Wipe the key: before the machine leaves us (panic, shutdown, reset). All other CPUs have
 * stopped, but one that seals, which INIT does not reach before it is done: it is waited for, ten
 * seconds at most. False: it still has the key.
 */
bool platform_wipe(void);
/* What computed with a key left it on the stack, below this function's own frame. */
void platform_clear_stack(void);

#endif
