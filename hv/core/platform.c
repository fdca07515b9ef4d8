/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The platform key. Written at boot by one CPU and constant from then on, so it is read without a
 * lock; `sealing` is the one thing that CPUs contend for.
 *
 * Every derived key depends on the launch's state: a key of a static launch says nothing about
 * the same identity's key of a measured one.
 */
#include "platform.h"

#include <string.h>
#include <strings.h>

#include <base/bytes.h>
#include <base/log.h>
#include <base/phys.h>
#include <base/x86.h>
#include <carrel/hypercall.h>
#include <crypto/ecdsa.h>
#include <crypto/hmac.h>
#include <crypto/x25519.h>
#include <mm/frame.h>

static struct platform launched = { .reason = "nothing looked at how it was launched" };
static struct carrel_secret secret;
static platform_reseal_t seal_for;
static void (*forget_all)(void);
#define WIPE_WAIT	(1ULL << 35)	/* of the TSC: some ten seconds */

static u32 sealing;		/* a CPU is at it */

/* What is authenticated under the seed: no other label may be this long and begin alike. */
struct derivation {
	char label[16];
	u32 state, kind;
	u64 identity[4];
};
static_assert(sizeof(struct derivation) == 56, "no padding");

void platform_boot(const struct platform *platform, const struct carrel_secret *key,
		   platform_reseal_t reseal, void (*forget)(void))
{
	launched = *platform;
	if (launched.state == CARREL_LAUNCH_UNMEASURED)
		return;
	secret = *key;
	seal_for = reseal;
	forget_all = forget;
}

const struct platform *platform_state(void)
{
	return &launched;
}

bool platform_wipe(void)
{
	u64 end = rdtsc() + WIPE_WAIT;
	bool busy;

	do {
		busy = __atomic_load_n(&sealing, __ATOMIC_ACQUIRE);
		pause();
	} while (busy && rdtsc() < end);
	explicit_bzero(&secret, sizeof(secret));
	if (forget_all)
		forget_all();
	return !busy;
}

/* --- Derived keys ------------------------------------------------------------------------- */

void __attribute__((noinline)) platform_clear_stack(void)
{
	u8 below[6144];

	explicit_bzero(below, sizeof(below));
}

int platform_seal_key(u32 kind, const u64 identity[4], u8 key[PLATFORM_KEY])
{
	struct derivation of = { "carrel seal", launched.state, kind, { 0 } };

	if (launched.state == CARREL_LAUNCH_UNMEASURED)
		return CARREL_ESTATE;
	memcpy(of.identity, identity, sizeof(of.identity));
	hmac_sha256(secret.seed, sizeof(secret.seed), &of, sizeof(of), key);
	platform_clear_stack();
	return 0;
}

int platform_public(const u64 identity[4], u8 key[PLATFORM_KEY])
{
	u8 private[PLATFORM_KEY];
	int error = platform_seal_key(CARREL_SEAL_X25519, identity, private);

	if (error)
		return error;
	x25519_public(private, key);
	explicit_bzero(private, sizeof(private));
	platform_clear_stack();
	return 0;
}

/* --- Updates ------------------------------------------------------------------------------ */

/* One copy, which is all that is looked at: the host may write to the frame at any time. */
static int read_request(u64 frame, struct carrel_reseal *request)
{
	u64 source = frame << PAGE_SHIFT;
	int error = CARREL_EOWNER;

	lock_take(&frame_lock);
	if (frame_is_host_ram(source, PAGE_SIZE)) {
		memcpy(request, phys(source), sizeof(*request));
		error = 0;
	}
	lock_release(&frame_lock);
	return error;
}

/* Is it a request to this machine's key, of this state? */
static bool is_for_us(const struct carrel_reseal *request)
{
	static const u8 label[sizeof(request->update.label)] = CARREL_UPDATE_LABEL;
	const struct carrel_update *update = &request->update;

	return request->magic == CARREL_PLATFORM_MAGIC &&
		request->version == CARREL_PLATFORM_VERSION &&
		!memcmp(update->label, label, sizeof(label)) &&
		!memcmp(update->fingerprint, launched.fingerprint, sizeof(update->fingerprint)) &&
		update->state == launched.state && !update->reserved;
}

/*
 * Also for the measurement of this very launch: a kernel of today could have the key sealed for
 * COUNTER's next value and keep that, so that it would open again after an update away from a
 * hypervisor with a hole in it.
 */
static bool is_signed(const struct carrel_reseal *request)
{
	const struct carrel_update *update = &request->update;
	struct sha256 hash;
	u8 digest[SHA256_SIZE];

	if (bytes_zero(secret.update_key, sizeof(secret.update_key)))
		return false;
	sha256_init(&hash);
	sha256_update(&hash, update, sizeof(*update));
	sha256_digest(&hash, digest);
	return ecdsa_good(secret.update_key, digest, request->signature);
}

s64 platform_reseal(u64 frame)
{
	struct carrel_reseal request;
	s64 result;

	if (launched.state == CARREL_LAUNCH_UNMEASURED)
		return CARREL_ESTATE;
	result = read_request(frame, &request);
	if (result)
		return result;
	if (!is_for_us(&request))
		return CARREL_EARG;
	if (!is_signed(&request)) {
		log_guest("platform key: an update without the update key's signature was refused");
		return CARREL_ESIGNATURE;
	}
	if (__atomic_exchange_n(&sealing, 1, __ATOMIC_ACQUIRE))
		return CARREL_EBUSY;
	result = seal_for(&secret, request.update.digest, request.update.counter);
	platform_clear_stack();
	__atomic_store_n(&sealing, 0, __ATOMIC_RELEASE);
	return result;
}
