/* SPDX-License-Identifier: BSD-2-Clause */
/* Files that the manifest lists, as descriptors. See checked.h. */
#include <string.h>

#include <carrel/hypercall.h>
#include "base/carrier.h"
#include "files/checked.h"
#include "files/fds.h"
#include "base/host.h"
#include "files/sealed.h"
#include "files/self.h"
#include "load/program.h"
#include "memory/user.h"
#include "memory/vm.h"

#define FILES		48		/* fewer than there are images: some are for mmap and exec */
#define FILE_KINDS	(KIND_BIT(CARREL_ENTRY_PROGRAM) | KIND_BIT(CARREL_ENTRY_CODE) | \
			 KIND_BIT(CARREL_ENTRY_FILE) | KIND_BIT(CARREL_ENTRY_SEALED))
#define CODE_KINDS	(KIND_BIT(CARREL_ENTRY_PROGRAM) | KIND_BIT(CARREL_ENTRY_CODE))

#define O_ACCMODE	3
#define O_WRONLY	1
#define O_PATH		010000000
#define O_DIRECTORY	0200000
#define F_DUPFD		0
#define F_DUPFD_CLOEXEC	1030
#define SEEK_SET	0
#define SEEK_CUR	1
#define SEEK_END	2
#define IOV_MAX		1024

/* Calls that are served, or looked at afterwards. */
enum {
	NR_read = 0, NR_open = 2, NR_close = 3, NR_lseek = 8, NR_pread64 = 17,
	NR_readv = 19, NR_dup = 32, NR_dup2 = 33, NR_sendfile = 40, NR_fcntl = 72,
	NR_openat = 257, NR_splice = 275, NR_dup3 = 292, NR_preadv = 295,
	NR_copy_file_range = 326, NR_preadv2 = 327, NR_close_range = 436,
	NR_openat2 = 437,
};

#define BIT(number)	(1UL << (number) % 64)
const uint64_t checked_calls[8] = {
	[0] = BIT(NR_read) | BIT(NR_open) | BIT(NR_close) | BIT(NR_lseek) | BIT(NR_pread64) |
	      BIT(NR_readv) | BIT(NR_dup) | BIT(NR_dup2) | BIT(NR_sendfile),
	[NR_fcntl / 64] = BIT(NR_fcntl),
	[NR_openat / 64] = BIT(NR_openat) | BIT(NR_splice) | BIT(NR_dup3) | BIT(NR_preadv),
	[NR_copy_file_range / 64] = BIT(NR_copy_file_range) | BIT(NR_preadv2),
	[NR_close_range / 64] = BIT(NR_close_range) | BIT(NR_openat2),
};
_Static_assert(NR_openat / 64 == NR_preadv / 64 && NR_openat / 64 == NR_splice / 64 &&
	       NR_openat / 64 == NR_dup3 / 64 && NR_copy_file_range / 64 == NR_preadv2 / 64 &&
	       NR_close_range / 64 == NR_openat2 / 64, "words of the bits");

/* One that was opened; descriptors that were copied share it, as they share a position. */
static struct file {
	struct image *image;		/* NULL: unused */
	uint64_t position;
} files[FILES + 1];			/* the first is none */

static struct file *file_of(uint64_t fd)
{
	uint8_t index = fd < CHECKED_FDS ? carrier()->checked_fds[fd] : 0;

	return index ? &files[index] : NULL;
}

const struct image *checked_image(uint64_t fd)
{
	const struct file *f = file_of(fd);

	return f ? f->image : NULL;
}

/* Does any descriptor of any carrier lead to this file? */
static bool in_use(uint8_t index)
{
	for (unsigned int i = 0; i < CARRIERS_MAX; i++)
		if ((carriers[i].used || &carriers[i] == carrier()) &&
		    memchr(carriers[i].checked_fds, index, CHECKED_FDS))
			return true;
	return false;
}

void checked_close(struct thread *t, uint64_t first, uint64_t last)
{
	for (uint64_t fd = first; fd <= last && fd < CHECKED_FDS; fd++) {
		uint8_t index = carrier()->checked_fds[fd];
		struct image *image;

		carrier()->checked_fds[fd] = 0;
		if (!index || in_use(index))
			continue;
		image = __atomic_exchange_n(&files[index].image, NULL, __ATOMIC_ACQ_REL);
		if (image)
			image_drop(t, image);
	}
}

/* --- Opening ------------------------------------------------------------------------------ */

/* What the manifest says about this path: the entry by its name, or whether its last name is
 * that of a library. */
static const struct carrel_manifest_entry *find_listed(const char *path, bool *may_be)
{
	const char *name = last_name(path);

	*may_be = false;
	/* Most files that a program opens are none of the manifest's. */
	if (!manifest_may_list(name))
		return NULL;
	if (path[0] == '/') {
		const struct carrel_manifest_entry *e = manifest_find(FILE_KINDS, path);

		if (e)
			return e;
	}
	*may_be = manifest_find_name(CODE_KINDS, name) != NULL;
	return NULL;
}

/* Tie the descriptor to a file of its own. False if there is no room. */
static bool attach(uint64_t fd, struct image *image)
{
	for (unsigned int i = 1; i <= FILES && fd < CHECKED_FDS; i++) {
		struct image *none = NULL;

		if (__atomic_compare_exchange_n(&files[i].image, &none, image, false,
						__ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
			files[i].position = 0;
			carrier()->checked_fds[fd] = i;
			return true;
		}
	}
	return false;
}

/* What the manifest says is sealed. 0, or why the program may not have it. */
static int64_t unseal(struct thread *t, uint64_t fd, const struct carrel_manifest_entry *e)
{
	struct file_status status;
	int64_t error = file_status(t, fd, &status);
	struct image *image;

	if (error || !file_regular(&status))
		return error ?: -LINUX_EACCES;
	image = sealed_read(t, fd, status.size, manifest_listed(e).path, &error);
	if (!image || attach(fd, image))
		return error;
	image_drop(t, image);
	return -LINUX_EMFILE;
}

/* Read what was opened and hold it against the manifest. 0, or why the program may not have it. */
static int64_t check(struct thread *t, uint64_t fd, const struct carrel_manifest_entry *e)
{
	struct file_status status;
	int64_t error = file_status(t, fd, &status);
	struct image *image;
	bool good;

	if (error)
		return error;
	if (!file_regular(&status) || !status.size)
		return e ? -LINUX_EACCES : 0;
	if (e && e->size != status.size)
		return -LINUX_EACCES;
	image = image_read(t, fd, status.size, &error);
	if (!image)
		return error;
	good = e ? image_is(image, &(struct listed){ .size = e->size, .sha256 = e->sha256 })
		 : image_listed(image, CODE_KINDS);
	if (good && attach(fd, image))
		return 0;
	image_drop(t, image);
	/* One that only looked like a listed one is the host's, as any other. */
	return good ? -LINUX_EMFILE : e ? -LINUX_EACCES : 0;
}

/* True if the path is one that the shim answers for; *error: why the program gets nothing there. */
static bool show_own(struct thread *t, const char *path, uint64_t fd, int64_t *error)
{
	struct image *image = self_image(t, path, error);

	if (!image && !*error)
		image = sealed_key(t, path, error);
	if (!image)
		return *error;
	if (!attach(fd, image)) {
		image_drop(t, image);
		*error = -LINUX_EMFILE;
	}
	return true;
}

/* What the manifest says of the path. 0, or why the program may not have it. */
static int64_t show_listed(struct thread *t, const char *path, uint64_t flags, uint64_t fd)
{
	bool may_be, writes = flags & O_ACCMODE;
	const struct carrel_manifest_entry *e = find_listed(path, &may_be);
	int64_t error = 0;

	if (e && e->kind == CARREL_ENTRY_SEALED && !writes)
		return unseal(t, fd, e);
	if (e && writes)
		error = -LINUX_EACCES;
	else if (e || (may_be && !writes))
		error = check(t, fd, e);
	if (error)
		note(CARREL_NOTE_CODE, e ? e->size : 0);
	return error;
}

static int64_t opened(struct thread *t, uint64_t address, uint64_t flags, uint64_t fd)
{
	char path[CARREL_PATH_MAX];
	int64_t error = 0;
	uint64_t room;

	if (flags & (O_PATH | O_DIRECTORY) || (flags & O_ACCMODE) == O_WRONLY)
		return fd;
	/* Longer ones are in no manifest. */
	room = vm_prefix(address, sizeof(path), CARREL_R);
	if (!copy_try(path, (const void *)address, room) || !string_size(path, room))
		return fd;
	if (self_is_exe(t, path))	/* plan.c put this in its place */
		strcpy(path, program_path());
	if (!show_own(t, path, fd, &error))
		error = show_listed(t, path, flags, fd);
	if (!error)
		return fd;
	file_close(t, fd);
	fds_remove(fd);
	return error;
}

static int64_t copied(struct thread *t, uint64_t from, int64_t to)
{
	uint8_t index = from < CHECKED_FDS ? carrier()->checked_fds[from] : 0;

	if ((uint64_t)to == from)
		return to;
	checked_close(t, to, to);
	if (!index)
		return to;
	if ((uint64_t)to >= CHECKED_FDS) {
		file_close(t, to);
		fds_remove(to);
		return -LINUX_EMFILE;
	}
	carrier()->checked_fds[to] = index;
	return to;
}

/* The flags of an openat2, which the program may have changed since: at worst it errs itself. */
static uint64_t flags_of(uint64_t how)
{
	uint64_t flags = 0;

	user_get(&flags, how, sizeof(flags));
	return flags;
}

int64_t checked_after(struct thread *t, uint64_t number, const uint64_t arg[6], int64_t value)
{
	uint64_t last = (uint32_t)arg[1];

	if (value < 0 || t->rewind)
		return value;
	switch (number) {
	case NR_open:
		return opened(t, arg[0], arg[1], value);
	case NR_openat:
		return opened(t, arg[1], arg[2], value);
	case NR_openat2:
		return opened(t, arg[1], flags_of(arg[2]), value);
	case NR_fcntl:
		if ((uint32_t)arg[1] != F_DUPFD && (uint32_t)arg[1] != F_DUPFD_CLOEXEC)
			return value;
		return copied(t, (uint32_t)arg[0], value);
	case NR_dup:
	case NR_dup2:
	case NR_dup3:
		return copied(t, (uint32_t)arg[0], value);
	case NR_close:
		checked_close(t, (uint32_t)arg[0], (uint32_t)arg[0]);
		return value;
	case NR_close_range:
		if (!arg[2])		/* CLOSE_RANGE_CLOEXEC closes nothing yet */
			checked_close(t, (uint32_t)arg[0], last);
		return value;
	default:
		return value;
	}
}

/* --- Reading ------------------------------------------------------------------------------ */

/* Bytes at `offset` to the program: as many as there are, or EFAULT for none of them. */
static int64_t give(const struct image *image, uint64_t offset, uint64_t to, uint64_t size)
{
	uint64_t have = offset < image->size ? image->size - offset : 0;
	uint64_t n = have < size ? have : size;
	uint64_t room = vm_prefix(to, n, CARREL_W);

	if (n && !room)
		return -LINUX_EFAULT;
	return copy_try((void *)to, image->bytes + offset, room) ? (int64_t)room : -LINUX_EFAULT;
}

static int64_t give_vector(const struct image *image, uint64_t offset, uint64_t iov, uint64_t count)
{
	uint64_t pair[2], done = 0;
	int64_t n;

	if (count > IOV_MAX)
		return -LINUX_EINVAL;
	for (uint64_t i = 0; i < count; i++) {
		if (!user_get(pair, iov + i * sizeof(pair), sizeof(pair)))
			return done ? (int64_t)done : -LINUX_EFAULT;
		if ((int64_t)pair[1] < 0)
			return -LINUX_EINVAL;
		n = give(image, offset + done, pair[0], pair[1]);
		if (n < 0)
			return done ? (int64_t)done : n;
		done += n;
		if ((uint64_t)n < pair[1])
			break;
	}
	return done;
}

/* From the position, which moves on. */
static int64_t read_on(struct file *f, const struct image *image, uint64_t to, uint64_t size,
		       bool vector)
{
	uint64_t at = __atomic_load_n(&f->position, __ATOMIC_RELAXED);
	int64_t n = vector ? give_vector(image, at, to, size) : give(image, at, to, size);

	/* Two threads that read at once may see the same bytes, as without a lock anywhere. */
	if (n > 0)
		__atomic_store_n(&f->position, at + n, __ATOMIC_RELAXED);
	return n;
}

static int64_t seek(struct file *f, const struct image *image, int64_t offset, uint32_t whence)
{
	int64_t from = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? (int64_t)f->position
								  : (int64_t)image->size;
	int64_t to;

	if (whence > SEEK_END || __builtin_add_overflow(from, offset, &to) || to < 0)
		return -LINUX_EINVAL;
	f->position = to;
	return to;
}

static bool serve_read(struct file *f, const struct image *image, uint64_t number,
		       const uint64_t arg[6], int64_t *value)
{
	bool vector = number == NR_readv || number == NR_preadv;
	uint64_t size = vector ? (uint32_t)arg[2] : arg[2];

	switch (number) {
	case NR_read:
	case NR_readv:
		*value = read_on(f, image, arg[1], size, vector);
		return true;
	case NR_pread64:
	case NR_preadv:
		*value = (int64_t)arg[3] < 0 ? -LINUX_EINVAL
			 : vector ? give_vector(image, arg[3], arg[1], size)
				  : give(image, arg[3], arg[1], size);
		return true;
	case NR_lseek:
		*value = seek(f, image, arg[1], arg[2]);
		return true;
	case NR_preadv2:
		*value = -LINUX_EOPNOTSUPP;
		return true;
	default:
		return false;
	}
}

bool checked_serve(struct thread *t, uint64_t number, const uint64_t arg[6], int64_t *value)
{
	uint64_t from = (uint32_t)arg[number == NR_sendfile ? 1 : 0];
	struct file *f = file_of(from);
	const struct image *image = f ? f->image : NULL;

	(void)t;
	if (!image)
		return false;
	/* The kernel would read its own version of the file; programs read and write instead. */
	if (number == NR_sendfile || number == NR_splice || number == NR_copy_file_range) {
		*value = -LINUX_EINVAL;
		return true;
	}
	return serve_read(f, image, number, arg, value);
}

void checked_reset(void)
{
	memset(files, 0, sizeof(files));
	for (unsigned int i = 0; i < CARRIERS_MAX; i++)
		memset(carriers[i].checked_fds, 0, CHECKED_FDS);
}
