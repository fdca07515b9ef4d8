/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside hvreg platform: what the running hypervisor tells, the TPM as the kernel gives it to us,
 * and the indices of <carrel/platform.h> in it. Failures exit 125.
 */
#ifndef HVREG_PLATFORM_H
#define HVREG_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <carrel/platform.h>
#include <drivers/tpm/tpm.h>
#include "launched.h"
#include "options.h"

/* --- The running hypervisor: platform_told.c ------------------------------------------------- */

/* If nothing is there, fails only if it is `needed`. */
void told_read(struct told *told, bool needed);
/* Has the key sealed. 0, or an errno. */
int told_reseal(const struct carrel_reseal *request);

/* --- The TPM: platform_tpm.c ----------------------------------------------------------------- */

#define TPM_DEVICE	"/dev/tpmrm0"

/* That device, or a socket that takes the same bytes. */
struct tpm *platform_tpm_open(const char *path);
void platform_tpm_close(void);

/* Part 2, 6.13: TPM_PT. */
#define TPM_PT_NV_BUFFER_MAX	0x12C
#define TPM_PT_PERMANENT	0x200
#define TPM_PT_NV_COUNTERS_AVAIL 0x20B
#define PERMANENT_OWNER_AUTH_SET (1U << 0)

/* 0 if it does not tell. */
uint32_t platform_tpm_property(struct tpm *tpm, uint32_t property);

/* What it answers to who asks for an index that is not there (Part 2, 6.6.3: TPM_RC_HANDLE of
 * handle 1). */
#define TPM_RC_NO_INDEX		0x18B

/* Ends hvreg: `what` did not work. */
_Noreturn void platform_tpm_fail(uint32_t error, const char *what, ...)
	__attribute__((format(printf, 2, 3)));

/* --- The indices: platform_nv.c -------------------------------------------------------------- */

enum nv { NV_RECORD, NV_SLOT0, NV_SLOT1, NV_COUNTER, NV_REQUEST, NV_COUNT };

struct nv_form {
	const char *name;
	uint32_t index, attributes;
	uint16_t size;
	bool has_policy;
};
extern const struct nv_form nv_forms[NV_COUNT];

#define NV_PROBLEM	200

struct nv_found {
	bool there, written;
	bool formed;			/* attributes and size are right, so it was read: */
	char problem[NV_PROBLEM];	/* what is wrong with it; empty: nothing */
	uint8_t policy[32];
	union {
		uint8_t bytes[sizeof(struct carrel_nv_blob)];
		uint64_t counter;
		struct carrel_record record;
		struct carrel_nv_blob blob;
		struct carrel_request request;
	};
};

enum stage {
	STAGE_NONE,		/* nothing is there */
	STAGE_PARTIAL,		/* some of it, or not as it has to be, and no key depends on it */
	STAGE_PREPARED,		/* the next launch makes the key */
	STAGE_KEY,		/* RECORD is written */
};

struct nv_state {
	struct nv_found found[NV_COUNT];
	enum stage stage;
	bool wrong;		/* some index has a problem */
};

void nv_read(struct tpm *tpm, const struct told *told, struct nv_state *state);
/* That slot's blob opens at COUNTER's value. */
bool nv_slot_opens(const struct nv_state *state, unsigned int slot);
void nv_define(struct tpm *tpm, enum nv which, const uint8_t *policy);
void nv_undefine(struct tpm *tpm, enum nv which);
void nv_write(struct tpm *tpm, enum nv which, const void *bytes);
void nv_increment(struct tpm *tpm);

/* --- Small things ---------------------------------------------------------------------------- */

/* 32 bytes in hexadecimal; zeros: empty. PCRs as a list of numbers. */
void json_hash(struct json *json, const char *name, const uint8_t hash[32]);
void json_pcrs(struct json *json, uint32_t pcrs);

/* "measured", "static" or "unmeasured". */
const char *state_name(uint32_t state);
/* The state that seals to these PCRs; CARREL_LAUNCH_UNMEASURED: none does. */
uint32_t state_of_pcrs(uint32_t pcrs);
/* "17, 18". */
void pcrs_text(uint32_t pcrs, char text[96]);
/* What RECORD's policy is for a key made in a state: PolicyPCR and PolicyLocality. */
void policy_of(uint32_t state, const uint8_t digest[32], uint8_t policy[32]);
bool is_zero(const void *bytes, size_t size);
/* Goes on only if a person says yes, or --yes did. */
void ask(const struct options *options, const char *question);
/* All of a small file, allocated, with a NUL behind it. */
char *read_small(const char *path, size_t *size);

/* A P-256 public key from PEM, X and Y. */
void key_read(const char *path, uint8_t key[CARREL_UPDATE_KEY]);
/* r and s from a signature in DER. */
void signature_read(const char *path, uint8_t signature[64]);
/* SHA-256 of the values of the PCRs of `state`, as --digest, --pcr17 and --pcr18 or --pcrs give. */
void digest_of_options(const struct options *options, const char *command, uint32_t state,
		       uint8_t digest[32]);

int platform_init(char **argv);
int platform_show(char **argv);
int platform_reseal(char **argv);
int platform_retire(char **argv);
int platform_policy(char **argv);
int platform_reset(char **argv);

#endif
