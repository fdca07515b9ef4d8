/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files as memory. What becomes code is read whole into private memory first: an
 * image, which nobody outside can change any more; it is hashed there, and what is
 * mapped is copied from it.
 */
#ifndef SHIM_FILE_H
#define SHIM_FILE_H

#include "load/manifest.h"
#include "shim.h"

#define IMAGES_VA	0x7E1000000000UL	/* behind the threads */

struct image {
	uint8_t *bytes;			/* readable and writable, to the end of the last page */
	uint64_t size;
	bool used;
	bool made;			/* by the shim, from no file: must not run */
};

/* What the host says about a descriptor. */
struct file_status {
	uint64_t device, inode, size, rdev;
	uint32_t mode, uid, gid;
};

/* A descriptor of the shim's own, or an error. `path` is private to the shim. */
int64_t file_open(struct thread *t, const char *path);
void file_close(struct thread *t, uint64_t fd);

int64_t file_status(struct thread *t, uint64_t fd, struct file_status *status);
bool file_regular(const struct file_status *status);
/* /dev/zero, whose mappings are anonymous memory. */
bool file_zeros(const struct file_status *status);

/*
 * Bytes of a file in order, each from the host but once. They come in large pieces by the channel,
 * maybe by the thread's slot: until the end, the thread makes no call with data in its slot.
 */
struct file_reader {
	struct thread *t;
	uint64_t fd, offset, left;	/* what the host is asked for next, at most how much */
	const uint8_t *at;		/* in the channel: what it gave, and is not taken yet */
	uint64_t have;
	uint8_t *piece, *part;		/* where it puts it; that of the arena, or NULL */
	size_t room;
};

/* `size` bytes from `offset` on will be taken, at most. */
void reader_begin(struct file_reader *r, struct thread *t, uint64_t fd, uint64_t offset,
		  uint64_t size);

/* The next ones into private memory that stays: as many as there are up to `size`, or an error. */
int64_t reader_take(struct file_reader *r, void *to, uint64_t size);
void reader_end(struct file_reader *r);

/* All at once: as many bytes as there are from `offset` on up to `size`, or an error. */
int64_t file_read(struct thread *t, uint64_t fd, uint64_t offset, void *to, uint64_t size);

/* All of it into the file, or an error. */
int64_t file_write(struct thread *t, uint64_t fd, uint64_t offset, const void *from, uint64_t size);

/* Memory for an image of `size` bytes, zeros; NULL and *error if there is none. */
struct image *image_new(struct thread *t, uint64_t size, int64_t *error);

/* The whole of a file that has `size` bytes; NULL and *error if it cannot be read so far. */
struct image *image_read(struct thread *t, uint64_t fd, uint64_t size, int64_t *error);
void image_drop(struct thread *t, struct image *image);

/* Forget all of them. */
void image_reset(void);

void image_hash(const struct image *image, uint8_t sha256[32]);

/* Is it what the manifest lists? Where `listed` has no hash: yes. */
bool image_is(const struct image *image, const struct listed *listed);

/* Has the manifest an entry of one of `kinds` with its hash, whatever the path? */
bool image_listed(const struct image *image, uint32_t kinds);

#endif
