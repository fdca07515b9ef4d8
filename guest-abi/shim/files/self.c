/* SPDX-License-Identifier: BSD-2-Clause */
/* /proc/self as the program's own: see self.h. */
#include <string.h>

#include "base/host.h"
#include "memory/memory.h"
#include "files/sealed.h"
#include "files/self.h"
#include "load/program.h"
#include "time/time.h"
#include "memory/user.h"

#define NAME_COLUMN	73		/* where names stand in Linux's lines */

static struct self_places places;

void self_setup(const struct self_places *from)
{
	places = *from;
}

/* Text that is counted (`at` NULL) or written; as much is written as was counted, at most. */
struct text {
	char *at;
	uint64_t size, room;
};

static void put(struct text *x, const char *s, uint64_t n)
{
	if (x->at && n <= x->room - x->size)
		memcpy(x->at + x->size, s, n);
	x->size += n;
}

/* Eight digits at least. */
static void put_address(struct text *x, uint64_t value)
{
	char digits[16];
	unsigned int n = sizeof(digits);

	do {
		digits[--n] = "0123456789abcdef"[value & 15];
		value >>= 4;
	} while (value || n > 8);
	put(x, digits + n, sizeof(digits) - n);
}

static bool holds(const struct vm_range *r, uint64_t address)
{
	return address && r->start <= address && address < r->end;
}

static const char *name_of(const struct vm_range *r)
{
	if (holds(r, places.stack_top - 1))
		return "[stack]";
	if (holds(r, memory_brk_start()))
		return "[heap]";
	return holds(r, time_vdso()) ? "[vdso]" : NULL;
}

static void put_range(struct text *x, const struct vm_range *r)
{
	const char rights[4] = {
		r->rights & CARREL_R ? 'r' : '-', r->rights & CARREL_W ? 'w' : '-',
		r->rights & CARREL_X ? 'x' : '-', r->kind & VM_SHARED ? 's' : 'p',
	};
	const char *name = name_of(r);
	uint64_t start = x->size;

	put_address(x, r->start);
	put(x, "-", 1);
	put_address(x, r->end);
	put(x, " ", 1);
	put(x, rights, sizeof(rights));
	put(x, " 00000000 00:00 0 ", 18);
	while (name && x->size - start < NAME_COLUMN)
		put(x, " ", 1);
	if (name)
		put(x, name, strlen(name));
	put(x, "\n", 1);
}

static uint64_t put_map(struct text *x)
{
	struct vm_range r;

	for (uint64_t at = 0; vm_next(at, VM_HIGH, &r); at = r.end)
		put_range(x, &r);
	return x->size;
}

/* Counted and written under one lock: the map does not change in between. */
static struct image *maps(struct thread *t, int64_t *error)
{
	struct text x = { NULL, 0, 0 };
	struct image *image;

	lock_take(&memory_lock);
	image = image_new(t, put_map(&x), error);
	if (image) {
		x = (struct text){ (char *)image->bytes, 0, x.size };
		put_map(&x);
	}
	lock_release(&memory_lock);
	return image;
}

/* As it is now: programs change what others see of them. */
static struct image *memory(struct thread *t, uint64_t start, uint64_t end, int64_t *error)
{
	struct image *image = start < end ? image_new(t, end - start, error) : NULL;

	if (!image || user_get(image->bytes, start, end - start))
		return image;
	image_drop(t, image);
	*error = -LINUX_EIO;
	return NULL;
}

/* What follows /proc/self/ or the same with this process's number; NULL if nothing does. */
static const char *file_of_self(struct thread *t, const char *path)
{
	static const char proc[] = "/proc/", self[] = "self/", thread[] = "thread-self/";
	uint64_t pid = 0;

	if (strncmp(path, proc, sizeof(proc) - 1))
		return NULL;
	path += sizeof(proc) - 1;
	if (!strncmp(path, self, sizeof(self) - 1))
		return path + sizeof(self) - 1;
	if (!strncmp(path, thread, sizeof(thread) - 1))
		return path + sizeof(thread) - 1;
	while (*path >= '0' && *path <= '9' && pid < INT32_MAX)
		pid = pid * 10 + (*path++ - '0');
	if (!pid || *path != '/' || (uint64_t)host_call_own(t, SYS_getpid, 0, 0, 0, 0) != pid)
		return NULL;
	return path + 1;
}

bool self_is_exe(struct thread *t, const char *path)
{
	const char *name = program_path()[0] == '/' ? file_of_self(t, path) : NULL;

	return name && !strcmp(name, "exe");
}

/* The host has no file of that name, but a descriptor of its must be there. */
const char *self_stand_in(struct thread *t, const char *path)
{
	return self_is_exe(t, path) ? program_path() : strcmp(path, SEALED_KEY) ? NULL : "/dev/null";
}

struct image *self_image(struct thread *t, const char *path, int64_t *error)
{
	const char *name = file_of_self(t, path);
	struct image *image = NULL;

	*error = 0;
	if (!name)
		return NULL;
	if (!strcmp(name, "maps"))
		image = maps(t, error);
	else if (!strcmp(name, "cmdline"))
		image = memory(t, places.args, places.env, error);
	else if (!strcmp(name, "environ"))
		image = memory(t, places.env, places.strings_end, error);
	else if (!strcmp(name, "auxv"))
		image = memory(t, places.auxv, places.auxv_end, error);
	if (image)
		image->made = true;
	return image;
}
