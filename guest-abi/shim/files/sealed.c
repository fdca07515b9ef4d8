/* SPDX-License-Identifier: BSD-2-Clause */
/* See sealed.h. */
#include <string.h>
#include <strings.h>

#include <carrel/hypercall.h>
#include "base/host.h"
#include "base/sha256.h"
#include "files/sealed.h"
#include "load/sealing.h"

static struct image *refuse(int64_t *error, int64_t number, uint64_t why)
{
	note(CARREL_NOTE_SEALED, why);
	*error = number;
	return NULL;
}

/* A key of this process's identity. 0, or why there is none: a CARREL_SEALED_*. */
static uint64_t get_key(uint64_t kind, uint8_t key[32])
{
	uint64_t words[4] = { kind };
	int64_t result = hypercall_words(CARREL_HC_SEAL_KEY, words);

	if (result == 0)
		memcpy(key, words, sizeof(words));
	explicit_bzero(words, sizeof(words));
	return result == 0 ? 0 : result == CARREL_EFLAG ? CARREL_SEALED_HOST
							 : CARREL_SEALED_UNMEASURED;
}

static int64_t number_of(uint64_t why)
{
	return why == CARREL_SEALED_UNMEASURED ? -LINUX_ENOKEY : -LINUX_EACCES;
}

struct image *sealed_key(struct thread *t, const char *path, int64_t *error)
{
	struct image *image;
	uint8_t key[32];
	uint64_t why;

	*error = 0;
	if (strcmp(path, SEALED_KEY))
		return NULL;
	why = get_key(CARREL_SEAL_SYMMETRIC, key);
	if (why)
		return refuse(error, number_of(why), why);
	image = image_new(t, sizeof(key), error);
	if (image) {
		memcpy(image->bytes, key, sizeof(key));
		image->made = true;
	}
	explicit_bzero(key, sizeof(key));
	return image;
}

/* Is it for this process and this path? 0, or why not. */
static uint64_t check(const struct carrel_sealed *header, const char *path)
{
	uint64_t identity[4] = { 0 };
	uint8_t digest[32];

	if (header->magic != CARREL_SEALED_MAGIC || header->reserved)
		return CARREL_SEALED_FORMAT;
	if (hypercall_words(CARREL_HC_IDENTITY, identity) ||
	    memcmp(identity, header->identity, sizeof(identity)))
		return CARREL_SEALED_IDENTITY;
	sha256(path, strlen(path), digest);
	return memcmp(digest, header->path, sizeof(digest)) ? CARREL_SEALED_PATH : 0;
}

/* In place. What is there afterwards counts only if this says so. */
static uint64_t decrypt(const struct carrel_sealed *header, struct image *image)
{
	uint8_t private[32], public[32], secret[32];
	uint64_t why = get_key(CARREL_SEAL_X25519, private);
	struct sealing sealing;

	if (why)
		return why;
	sealing_public(private, public);
	sealing_secret(private, header->ephemeral, secret);
	sealing_begin(&sealing, header, secret, public);
	explicit_bzero(private, sizeof(private));
	explicit_bzero(secret, sizeof(secret));
	sealing_run(&sealing, false, image->bytes, image->size);
	return sealing_good(&sealing, header->tag) ? 0 : CARREL_SEALED_CONTENT;
}

/*
 * Header and content may be of different files, of the same at different times, or anything: all of
 * it is looked at after it is here, and all of it is authenticated.
 */
struct image *sealed_read(struct thread *t, uint64_t fd, uint64_t size, const char *path,
			  int64_t *error)
{
	struct carrel_sealed header;
	struct image *image;
	uint64_t why;

	if (size <= sizeof(header) || size - sizeof(header) > CARREL_SEALED_MAX ||
	    file_read(t, fd, 0, &header, sizeof(header)) != sizeof(header))
		return refuse(error, -LINUX_EACCES, CARREL_SEALED_FORMAT);
	why = check(&header, path);
	if (why)
		return refuse(error, number_of(why), why);
	image = image_new(t, size - sizeof(header), error);
	if (!image)
		return NULL;
	image->made = true;
	why = CARREL_SEALED_FORMAT;
	if (file_read(t, fd, sizeof(header), image->bytes, image->size) == (int64_t)image->size)
		why = decrypt(&header, image);
	if (!why)
		return image;
	image_drop(t, image);
	return refuse(error, number_of(why), why);
}
