/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A TPM 2.0 behind its registers at FED40000h. Names and numbers are those of the TCG's TPM 2.0
 * Library, Parts 2 and 3. Firmware has started the TPM (TPM2_Startup).
 *
 * Each command returns 0, or the TPM's response code (below 10000h), or a TPM_E_*. On any error
 * outputs hold nothing that may be used. A TPM may answer anything: outputs are checked for
 * form, never believed in content.
 *
 * One user at a time: callers hold a lock if they need one.
 */
#ifndef DRIVERS_TPM_TPM_H
#define DRIVERS_TPM_TPM_H

#include <base/types.h>

#define TPM_BASE		0xFED40000UL
#define TPM_LOCALITY_SIZE	0x1000UL
#define TPM_LOCALITIES		5U
#define TPM_INTERFACE_ID	0x30

enum tpm_error {		/* no response code of a TPM */
	TPM_E_ABSENT = 0x10000,	/* tpm_probe() found nothing of use */
	TPM_E_TIMEOUT,		/* a register did not change, a command did not end */
	TPM_E_LOCALITY,		/* not granted, or there is no such one */
	TPM_E_BUFFER,		/* the CRB buffer is not where one may be, or too small */
	TPM_E_COMMAND,		/* arguments do not fit a command */
	TPM_E_RESPONSE,		/* not a response to this command */
	TPM_E_VERSION,		/* answers as a TPM 1.2 does */
};

/* Part 2, 6.6: response codes that callers tell apart. */
#define TPM_RC_SUCCESS		0
#define TPM_RC_LOCALITY		0x907
#define TPM_RC_POLICY_FAIL	0x99D	/* of the first session */
#define TPM_RC_NV_RATE		0x920
#define TPM_RC_RETRY		0x922
#define TPM_RC_YIELDED		0x908
#define TPM_RC_TESTING		0x90A

/* Part 2, 7.4: hierarchies, and the empty password of what they or an index guard. */
#define TPM_RH_OWNER		0x40000001
#define TPM_RH_NULL		0x40000007	/* keys of it last until the next reset */
#define TPM_RS_PW		0x40000009

#define TPM_DIGEST_SIZE		32	/* SHA-256, the only bank and name algorithm used */
#define TPM_BUFFER_SIZE		1024U	/* more than any command here, or response to it */
#define TPM_RANDOM_MAX		32U	/* at once: what every TPM gives */
#define TPM_PCRS		24U

struct tpm_transport;

struct tpm {
	const struct tpm_transport *transport;	/* NULL: none */
	u64 (*clock)(void);		/* in microseconds or slower units */
	u32 locality, localities;
	bool none;			/* nothing there, or a TPM 1.2: no policy can be fulfilled */
	bool held;			/* the locality is ours */
	bool hung;			/* no command any more until the next tpm_request() */
	u32 length;			/* of the command; */
	bool overflow;			/* it did not fit */
	u8 command[TPM_BUFFER_SIZE], response[TPM_BUFFER_SIZE];
};

/* Looks for a TPM, asks nothing of it; nobody else may be using it. Text: why there is none. Without
 * a clock: the TSC. */
const char *tpm_probe(struct tpm *tpm, u64 (*clock)(void));
/* "FIFO", "CRB". */
const char *tpm_transport_name(const struct tpm *tpm);
/* Every command is given at the locality that was requested last; without one they fail. So does
 * each, at once, after one that did not end in time: a TPM that hangs holds nobody up for long. */
u32 tpm_request(struct tpm *tpm, u32 locality);
void tpm_relinquish(struct tpm *tpm);
/* Somebody has it at locality 0, perhaps in the midst of a command. */
bool tpm_in_use(const struct tpm *tpm);

u32 tpm_get_random(struct tpm *tpm, u8 *to, u32 size);
u32 tpm_pcr_read(struct tpm *tpm, u32 pcr, u8 digest[TPM_DIGEST_SIZE]);
u32 tpm_pcr_extend(struct tpm *tpm, u32 pcr, const u8 digest[TPM_DIGEST_SIZE]);

/* --- Policies: Part 3, 23. Who begins a session flushes it, whatever came of it. ------------- */

/* A trial session only computes a policy's digest: tpm_policy_digest(). */
u32 tpm_start_policy(struct tpm *tpm, bool trial, u32 *session);
/* PCRs by bits; `digest` is SHA-256 of their values one after the other, NULL: as they are. */
u32 tpm_policy_pcr(struct tpm *tpm, u32 session, u32 pcrs, const u8 *digest);
/* Localities by bits: locality 2 is 04h. */
u32 tpm_policy_locality(struct tpm *tpm, u32 session, u8 localities);
/* A counter's value, 64 bits, equals this one. */
u32 tpm_policy_nv(struct tpm *tpm, u32 session, u32 index, u64 value);
u32 tpm_policy_digest(struct tpm *tpm, u32 session, u8 digest[TPM_DIGEST_SIZE]);

u32 tpm_flush(struct tpm *tpm, u32 handle);

/* --- Objects -------------------------------------------------------------------------------- */

#define TPM_BLOB_PRIVATE	256U
#define TPM_BLOB_PUBLIC		128U
#define TPM_SEAL_MAX		128U	/* bytes of data: MAX_SYM_DATA, Part 2, 11.1.14 */
#define TPM_QUALIFYING_MAX	32U
#define TPM_ATTEST_MAX		256U
#define TPM_COORDINATE		32U	/* bytes, of a P-256 point or a signature's half */

/* What tpm_create() gave and tpm_load() takes; opaque to all but its TPM. */
struct tpm_blob {
	u16 private_size, public_size;
	u8 private[TPM_BLOB_PRIVATE], public[TPM_BLOB_PUBLIC];
};

/* A public key of P-256, big-endian. */
struct tpm_point {
	u8 x[TPM_COORDINATE], y[TPM_COORDINATE];
};

struct tpm_quote {
	u32 attest_size;
	u8 attest[TPM_ATTEST_MAX];	/* TPMS_ATTEST, which is what was signed */
	u8 r[TPM_COORDINATE], s[TPM_COORDINATE];
};

/* The hierarchy's P-256 key of a fixed template: the same each time, as long as its seed is. One
 * that only wraps other objects, or one that only signs what the TPM itself says. */
u32 tpm_create_storage_key(struct tpm *tpm, u32 hierarchy, u32 *handle);
u32 tpm_create_quote_key(struct tpm *tpm, u32 hierarchy, u32 *handle, struct tpm_point *point);
/* Data that comes out only by the policy. */
u32 tpm_create(struct tpm *tpm, u32 parent, const u8 policy[TPM_DIGEST_SIZE], const u8 *data,
	       u32 size, struct tpm_blob *blob);
u32 tpm_load(struct tpm *tpm, u32 parent, const struct tpm_blob *blob, u32 *handle);
u32 tpm_unseal(struct tpm *tpm, u32 handle, u32 session, u8 *data, u32 max, u32 *size);
u32 tpm_make_quote(struct tpm *tpm, u32 key, u32 pcrs, const u8 *qualifying, u32 size,
		   struct tpm_quote *quote);

/* --- NV indices: Part 3, 31. `session`: TPM_RS_PW or a policy of the index. ------------------- */

/* Part 2, 13.4: TPMA_NV. */
#define TPMA_NV_OWNERWRITE	(1U << 1)
#define TPMA_NV_AUTHWRITE	(1U << 2)
#define TPMA_NV_POLICYWRITE	(1U << 3)
#define TPMA_NV_COUNTER		(1U << 4)	/* TPM_NT */
#define TPMA_NV_OWNERREAD	(1U << 17)
#define TPMA_NV_AUTHREAD	(1U << 18)
#define TPMA_NV_POLICYREAD	(1U << 19)
#define TPMA_NV_NO_DA		(1U << 25)
#define TPMA_NV_WRITTEN		(1U << 29)

#define TPM_NV_MAX		512U	/* bytes at once */

struct tpm_nv_public {
	u32 attributes;
	u16 size;
	bool has_policy;
	u8 policy[TPM_DIGEST_SIZE];
};

/* By the owner, with the empty password. */
u32 tpm_nv_define(struct tpm *tpm, u32 index, const struct tpm_nv_public *public);
u32 tpm_nv_undefine(struct tpm *tpm, u32 index);
u32 tpm_nv_read_public(struct tpm *tpm, u32 index, struct tpm_nv_public *public);
u32 tpm_nv_read(struct tpm *tpm, u32 index, u32 session, u32 offset, u8 *to, u32 size);
u32 tpm_nv_write(struct tpm *tpm, u32 index, u32 session, u32 offset, const u8 *from, u32 size);
u32 tpm_nv_increment(struct tpm *tpm, u32 index, u32 session);
u32 tpm_nv_counter(struct tpm *tpm, u32 index, u64 *value);

#endif
