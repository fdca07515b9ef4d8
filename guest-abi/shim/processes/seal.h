/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The strings of a start block on their way from one secure process to its
 * successor: AES-256-GCM, see struct carrel_start. One key seals one block, so the
 * nonce is zero.
 */
#ifndef SHIM_SEAL_H
#define SHIM_SEAL_H

#include <string.h>

/* Linked in, so that the address of a function of it needs no table. */
#pragma GCC visibility push(hidden)
#include <bearssl_aead.h>
#pragma GCC visibility pop

#include <carrel/channel.h>
#include "shim.h"

#define SEAL_KEY_SIZE	32
#define SEAL_TAG_SIZE	16

struct seal {
	br_aes_ct64_ctr_keys keys;
	br_gcm_context gcm;
};

/* Begin a block whose header is `start`; all that stands before its tag is fixed by now. */
void seal_begin(struct seal *seal, const uint8_t key[SEAL_KEY_SIZE],
		const struct carrel_start *start);

/* The next bytes of the strings, in place. */
void seal_encrypt(struct seal *seal, void *bytes, size_t size);
void seal_decrypt(struct seal *seal, void *bytes, size_t size);

/* After the last. The key is forgotten. */
void seal_tag(struct seal *seal, uint8_t tag[SEAL_TAG_SIZE]);

/* After the last: is it the tag? Until then nothing that was decrypted may be believed. */
bool seal_good(struct seal *seal, const uint8_t tag[SEAL_TAG_SIZE]);

#endif
