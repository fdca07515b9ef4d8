/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading files into private memory, and what a hash says about them. See file.h. */
#include <string.h>

#include <carrel/hypercall.h>
#include "base/channel.h"
#include "files/file.h"
#include "base/host.h"
#include "load/program.h"
#include "base/sha256.h"

#define O_RDONLY	0
#define O_CLOEXEC	02000000
#define STAT_SIZE	144
#define S_IFMT		0170000
#define S_IFREG		0100000
#define S_IFCHR		0020000
#define DEV_ZERO	0x105

/*
 * Read at once: a block of the channel, over and over. A larger piece would save calls, but a
 * block must be lent, and each of its pages costs the host a fault when it is first touched.
 */
#define FILE_PIECE	CARREL_BLOCK_SIZE

/*
 * Images lie behind the threads, each in a window of its own, so that where one
 * lies needs no bookkeeping. The program's map knows nothing of them.
 */
#define IMAGES		64
#define IMAGE_WINDOW	(1UL << 32)
_Static_assert(IMAGES_VA >= CARREL_THREADS_VA + CARREL_SLOTS_MAX * CARREL_THREAD_STRIDE &&
	       IMAGES_VA + IMAGES * IMAGE_WINDOW <= CARREL_END, "images have room");

static struct image images[IMAGES];

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

int64_t file_open(struct thread *t, const char *path)
{
	channel_put(SLOT_DATA(t), path, strlen(path) + 1);
	return host_call_own(t, SYS_open, (uint64_t)SLOT_DATA(t), O_RDONLY | O_CLOEXEC, 0, 0);
}

void file_close(struct thread *t, uint64_t fd)
{
	host_call_own(t, SYS_close, fd, 0, 0, 0);
}

int64_t file_status(struct thread *t, uint64_t fd, struct file_status *status)
{
	uint64_t stat[STAT_SIZE / sizeof(uint64_t)];
	int64_t error = host_call_own(t, SYS_fstat, fd, (uint64_t)SLOT_DATA(t), 0, 0);

	if (error)
		return error < 0 ? error : -LINUX_EIO;
	channel_get(stat, SLOT_DATA(t), sizeof(stat));
	/* The kernel's struct stat: dev, ino, nlink, mode and uid, gid, rdev, size. */
	*status = (struct file_status){
		stat[0], stat[1], stat[6], stat[5], (uint32_t)stat[3], stat[3] >> 32, (uint32_t)stat[4],
	};
	return 0;
}

bool file_regular(const struct file_status *status)
{
	return (status->mode & S_IFMT) == S_IFREG && status->size <= INT64_MAX;
}

bool file_zeros(const struct file_status *status)
{
	return (status->mode & S_IFMT) == S_IFCHR && status->rdev == DEV_ZERO;
}

void reader_begin(struct file_reader *r, struct thread *t, uint64_t fd, uint64_t offset,
		  uint64_t size)
{
	*r = (struct file_reader){ .t = t, .fd = fd, .offset = offset, .left = size };
	r->room = SLOT_ROOM;
	if (size > r->room)
		r->part = arena_take(t, least(size, FILE_PIECE), &r->room);
	r->piece = r->part ? r->part : SLOT_DATA(t);
}

void reader_end(struct file_reader *r)
{
	if (r->part)
		arena_give(r->part, r->room);
}

/* The next piece from the host: its size, 0 at the end, or an error. */
static int64_t next_piece(struct file_reader *r)
{
	uint64_t want = least(r->left, r->room);
	int64_t got = 0;

	if (want)
		got = host_call_own(r->t, SYS_pread64, r->fd, (uint64_t)r->piece, want, r->offset);
	if (got <= 0)
		return got;
	if ((uint64_t)got > want)
		die(CARREL_DIE_IAGO);
	r->offset += got;
	r->left -= got;
	r->at = r->piece;
	r->have = got;
	return got;
}

int64_t reader_take(struct file_reader *r, void *to, uint64_t size)
{
	uint64_t done = 0, n;
	int64_t got;

	for (; done < size; done += n) {
		got = r->have ? 1 : next_piece(r);
		if (got <= 0)
			return got < 0 ? got : (int64_t)done;
		n = least(size - done, r->have);
		channel_get((uint8_t *)to + done, r->at, n);
		r->at += n;
		r->have -= n;
	}
	return done;
}

int64_t file_read(struct thread *t, uint64_t fd, uint64_t offset, void *to, uint64_t size)
{
	struct file_reader r;
	int64_t got;

	reader_begin(&r, t, fd, offset, size);
	got = reader_take(&r, to, size);
	reader_end(&r);
	return got;
}

int64_t file_write(struct thread *t, uint64_t fd, uint64_t offset, const void *from, uint64_t size)
{
	uint64_t done = 0, want;
	int64_t put = 0;

	while (done < size) {
		want = least(size - done, SLOT_ROOM);
		channel_put(SLOT_DATA(t), (const uint8_t *)from + done, want);
		put = host_call_own(t, SYS_pwrite64, fd, (uint64_t)SLOT_DATA(t), want, offset + done);
		if (put <= 0)
			return put ? put : -LINUX_EIO;
		if ((uint64_t)put > want)
			die(CARREL_DIE_IAGO);
		done += put;
	}
	return done;
}

static struct image *take_window(uint64_t size)
{
	if (size == 0 || size > IMAGE_WINDOW)
		return NULL;
	for (unsigned int i = 0; i < IMAGES; i++)
		if (!__atomic_exchange_n(&images[i].used, true, __ATOMIC_ACQUIRE)) {
			images[i].bytes = (uint8_t *)IMAGES_VA + i * IMAGE_WINDOW;
			images[i].size = size;
			images[i].made = false;
			return &images[i];
		}
	return NULL;
}

static uint64_t image_pages(const struct image *image)
{
	return (image->size + PAGE_MASK) & ~(uint64_t)PAGE_MASK;
}

struct image *image_new(struct thread *t, uint64_t size, int64_t *error)
{
	struct image *image = take_window(size);

	*error = -LINUX_ENOMEM;
	if (!image)
		return NULL;
	*error = memory_hypercall(t, CARREL_HC_MAP, (uint64_t)image->bytes, image_pages(image),
				  CARREL_R | CARREL_W);
	if (*error == 0)
		return image;
	image_drop(t, image);
	return NULL;
}

struct image *image_read(struct thread *t, uint64_t fd, uint64_t size, int64_t *error)
{
	struct image *image = image_new(t, size, error);
	int64_t got;

	if (!image)
		return NULL;
	got = file_read(t, fd, 0, image->bytes, size);
	if (got == (int64_t)size)
		return image;
	*error = got < 0 ? got : -LINUX_EIO;
	image_drop(t, image);
	return NULL;
}

void image_drop(struct thread *t, struct image *image)
{
	memory_hypercall(t, CARREL_HC_UNMAP, (uint64_t)image->bytes, image_pages(image), 0);
	__atomic_store_n(&image->used, false, __ATOMIC_RELEASE);
}

void image_hash(const struct image *image, uint8_t digest[32])
{
	sha256(image->bytes, image->size, digest);
}

bool image_is(const struct image *image, const struct listed *listed)
{
	uint8_t digest[32];

	if (!listed->sha256)
		return true;
	if (image->size != listed->size)
		return false;
	image_hash(image, digest);
	return memcmp(digest, listed->sha256, sizeof(digest)) == 0;
}

bool image_listed(const struct image *image, uint32_t kinds)
{
	uint8_t digest[32];

	image_hash(image, digest);
	return manifest_find_hash(kinds, digest, image->size) != NULL;
}

void image_reset(void)
{
	memset(images, 0, sizeof(images));
}
