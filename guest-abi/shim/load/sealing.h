/* SPDX-License-Identifier: BSD-2-Clause */
/* The cipher of sealed files (carrel/sealed.h), for the shim and for hvreg. */
#ifndef SHIM_SEALING_H
#define SHIM_SEALING_H

/* Linked in, so that the address of a function of it needs no table. */
#pragma GCC visibility push(hidden)
#include <bearssl_aead.h>
#include <bearssl_ec.h>
#include <bearssl_kdf.h>
#pragma GCC visibility pop

#include <stdbool.h>

#include <carrel/sealed.h>

struct sealing {
	br_aes_ct64_ctr_keys keys;
	br_gcm_context gcm;
};

/* What a private key has in common with the owner of a public one. */
void sealing_secret(const uint8_t private[32], const uint8_t public[32], uint8_t secret[32]);
void sealing_public(const uint8_t private[32], uint8_t public[32]);

/* All of `header` but its tag is there. `public` is the identity's key. */
void sealing_begin(struct sealing *sealing, const struct carrel_sealed *header,
		   const uint8_t secret[32], const uint8_t public[32]);

/* The next bytes, in place. */
void sealing_run(struct sealing *sealing, bool encrypt, void *bytes, size_t size);

/* After the last; the key is forgotten. Nothing decrypted may be believed before it is good. */
void sealing_tag(struct sealing *sealing, uint8_t tag[16]);
bool sealing_good(struct sealing *sealing, const uint8_t tag[16]);

#endif
