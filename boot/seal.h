/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The platform key in the TPM, by <carrel/platform.h>. What is read there may have been written by
 * anybody: only the TPM's own refusals, and RECORD, decide. Boot, one CPU, but for the way back to
 * the TPM that seal_open() leaves to the core. Texts: NULL, or what is wrong.
 */
#ifndef BOOT_SEAL_H
#define BOOT_SEAL_H

#include <core/platform.h>

/* Look for a TPM. Text: why there is none that can be used. */
const char *seal_find(void);

/* Take the TPM for `state`: its PCRs and the policy of this launch into `platform`. */
const char *seal_measure(struct platform *platform, u32 state);

/*
 * The key of the launch that was measured; `origin` is the policy of the launch that made it, if
 * that was another one, or NULL; `update_key` the SHA-256 of the one that may sign its updates, or
 * NULL: none may. If a key was asked for (CARREL_REQUEST_INIT), it is made.
 */
const char *seal_open(struct platform *platform, const u8 *origin, const u8 *update_key,
		      struct carrel_secret *secret);

/*
 * From now on no PCR of a launch holds what its policy wants, until the machine starts again:
 * `dynamic`, also those of TXT. The TPM is given up. False: it did not do so. Without a TPM
 * there is nothing to do.
 */
bool seal_cap(bool dynamic);

/* The code of the TPM's last refusal, 0: there was none. */
u32 seal_error(void);

/* platform_reseal_t */
s64 seal_again(const struct carrel_secret *secret, const u8 digest[32], u64 counter);

/* The machine ends, perhaps in the midst of seal_again(): what it has of the secret is wiped. */
void seal_forget(void);

/* In a way that the compiler cannot leave out. */
static inline void seal_wipe(void *at, size_t size)
{
	__builtin_memset(at, 0, size);
	asm volatile("" : : "r"(at) : "memory");
}

#endif
