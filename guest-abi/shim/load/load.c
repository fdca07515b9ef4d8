/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loading: the file is read once and whole, each byte to where it is going to be. What it says of
 * itself is followed on the way, as that of a file which is what the host likes; nothing of it
 * runs or is read by others before the hash of all bytes has been compared.
 */
#include <string.h>

#include <carrel/hypercall.h>
#include "files/file.h"
#include "base/host.h"
#include "base/sha256.h"
#include "load/load.h"
#include "memory/memory.h"

#define BASE_LOW	0x550000000000UL
#define BASE_PAGES	0xfffffffUL	/* 1 TiB of places for a relocatable program */
#define HEAD_SIZE	(4 * PAGE_SIZE)	/* its program headers are mostly in there */

/* A file that is being read. */
struct reading {
	struct file_reader from;
	uint64_t size;
	const uint8_t *sha256;		/* that it must have, or NULL */
	uint8_t *head;			/* its first bytes; then, those that are in no segment */
	uint64_t head_size;
	struct image *far;		/* the head, where HEAD_SIZE is too little; or NULL */
};

/* Only the process's first thread loads, once. */
static uint8_t head[HEAD_SIZE];

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* The head, of a file that is read from its beginning. */
static void read_head(struct reading *r, struct thread *t, uint64_t fd)
{
	reader_begin(&r->from, t, fd, 0, r->size);
	if (reader_take(&r->from, r->head, r->head_size) != (int64_t)r->head_size)
		die(CARREL_DIE_MANIFEST);
}

/* Linkers put program headers first, other tools maybe last: the head is another, and longer. */
static void read_far_head(struct reading *r, uint64_t size)
{
	struct thread *t = r->from.t;
	int64_t error;

	reader_end(&r->from);
	r->far = image_new(t, size, &error);
	if (!r->far)
		die(CARREL_DIE_MANIFEST);
	r->head = r->far->bytes;
	r->head_size = size;
	read_head(r, t, r->from.fd);
}

static void open_listed(struct reading *r, struct thread *t, const struct listed *listed)
{
	int64_t fd = file_open(t, listed->path);
	struct file_status status;
	uint64_t size;

	if (fd < 0)
		die(CARREL_DIE_MANIFEST);
	*r = (struct reading){ .size = listed->size, .sha256 = listed->sha256, .head = head };
	if (!listed->sha256) {
		if (file_status(t, fd, &status) || !file_regular(&status))
			die(CARREL_DIE_MANIFEST);
		r->size = status.size;
	}
	r->head_size = least(r->size, HEAD_SIZE);
	read_head(r, t, fd);
	size = elf_head_size(r->head, r->head_size);
	if (size > r->head_size && size <= r->size)
		read_far_head(r, size);
}

/* What the head says is checked; that the file may say so is not known yet. */
static void plan_from(const struct reading *r, struct elf_plan *plan)
{
	if (elf_read(r->head, r->head_size, r->size, plan))
		die(CARREL_DIE_MANIFEST);
}

/* Writable for now; what the file does not fill comes as zeros. */
static void map_segments(struct thread *t, const struct loaded *l)
{
	for (unsigned int i = 0; i < l->plan.count; i++) {
		const struct elf_segment *s = &l->plan.segment[i];
		uint64_t start = page_down(l->base + s->address);
		uint64_t file_end = page_up(l->base + s->address + s->file_size);
		uint64_t end = page_up(l->base + s->address + s->memory_size);

		if (!s->file_size)
			file_end = start;
		if (file_end > start &&
		    memory_map(t, start, file_end - start, CARREL_R | CARREL_W, false))
			die(CARREL_DIE_MANIFEST);
		if (end > file_end &&
		    memory_map(t, file_end, end - file_end, CARREL_R | CARREL_W, true))
			die(CARREL_DIE_MANIFEST);
	}
}

/*
 * Where the byte at `offset` of the file belongs: in the first segment that has it, or nowhere
 * (NULL). *n becomes how many of the bytes from there on, at most as many as it was, lie in a row.
 */
static uint8_t *place_of(const struct loaded *l, uint64_t offset, uint64_t *n)
{
	for (unsigned int i = 0; i < l->plan.count; i++) {
		const struct elf_segment *s = &l->plan.segment[i];

		if (offset < s->offset) {
			*n = least(*n, s->offset - offset);
		} else if (offset - s->offset < s->file_size) {
			*n = least(*n, s->file_size - (offset - s->offset));
			return (uint8_t *)(l->base + s->address + (offset - s->offset));
		}
	}
	return NULL;
}

/* The `n` bytes from `offset` on are at `from`: copy them to whatever segments have them. */
static void spread(const struct loaded *l, const uint8_t *from, uint64_t offset, uint64_t n)
{
	for (unsigned int i = 0; i < l->plan.count; i++) {
		const struct elf_segment *s = &l->plan.segment[i];
		uint64_t start = offset > s->offset ? offset : s->offset;
		uint64_t end = least(offset + n, s->offset + s->file_size);
		uint8_t *to = (uint8_t *)(l->base + s->address + (start - s->offset));

		if (start < end && to != from + (start - offset))
			memcpy(to, from + (start - offset), end - start);
	}
}

/* The bytes from `offset` on that lie in a row, at most *n: where they belong, if anywhere. */
static const uint8_t *take_bytes(struct reading *r, const struct loaded *l, uint64_t offset,
				 uint64_t *n)
{
	uint8_t *to = place_of(l, offset, n);

	if (offset < r->head_size) {
		*n = least(*n, r->head_size - offset);
		return r->head + offset;
	}
	/* All of the head has been used by now. */
	if (!to) {
		*n = least(*n, r->head_size);
		to = r->head;
	}
	if (reader_take(&r->from, to, *n) != (int64_t)*n)
		die(CARREL_DIE_MANIFEST);
	return to;
}

/*
 * The whole file, in order, into the segments and through the hash. What is hashed is what is
 * there: nobody else reaches that memory, before or after.
 */
static void read_segments(struct reading *r, const struct loaded *l)
{
	struct sha256 hash;
	uint8_t digest[32];
	uint64_t n;

	sha256_begin(&hash);
	for (uint64_t offset = 0; offset < r->size; offset += n) {
		const uint8_t *from;

		n = r->size - offset;
		from = take_bytes(r, l, offset, &n);
		if (r->sha256)
			sha256_add(&hash, from, n);
		spread(l, from, offset, n);
	}
	sha256_end(&hash, digest);
	if (r->sha256 && memcmp(digest, r->sha256, sizeof(digest)))
		die(CARREL_DIE_MANIFEST);
}

static void protect_segments(struct thread *t, const struct loaded *l)
{
	for (unsigned int i = 0; i < l->plan.count; i++) {
		const struct elf_segment *s = &l->plan.segment[i];
		uint64_t at = l->base + s->address, start = page_down(at);

		if (memory_protect(t, start, page_up(at + s->memory_size) - start, s->rights))
			die(CARREL_DIE_MANIFEST);
	}
}

/* A base for the plan at which all of it lies in the program's own range. */
static uint64_t choose_base(const struct elf_plan *plan, uint64_t random)
{
	uint64_t base;

	if (!plan->relocatable)
		return 0;
	base = (BASE_LOW + (random & BASE_PAGES) * PAGE_SIZE - plan->low) & ~(plan->align - 1);
	if (!vm_range_ok(base + plan->low, plan->high - plan->low))
		die(CARREL_DIE_MANIFEST);
	return base;
}

static void place(struct reading *r, const struct loaded *loaded)
{
	struct thread *t = r->from.t;

	map_segments(t, loaded);
	read_segments(r, loaded);
	reader_end(&r->from);
	protect_segments(t, loaded);
	if (r->far)
		image_drop(t, r->far);
	file_close(t, r->from.fd);
}

void load_program(struct thread *t, const struct listed *program, uint64_t random,
		  struct loaded *loaded)
{
	struct reading r;

	open_listed(&r, t, program);
	plan_from(&r, &loaded->plan);
	loaded->base = choose_base(&loaded->plan, random);
	place(&r, loaded);
}

/* What the manifest says about the interpreter of this name. */
static struct listed listed_interpreter(const char *path)
{
	const struct carrel_manifest_entry *e =
		manifest_find(KIND_BIT(CARREL_ENTRY_CODE) | KIND_BIT(CARREL_ENTRY_PROGRAM), path);

	if (e)
		return manifest_listed(e);
	if (!(manifest()->host_chosen & CARREL_HOST_CODE))
		die(CARREL_DIE_MANIFEST);
	return (struct listed){ .path = path };
}

bool load_interpreter(struct thread *t, const struct loaded *program, struct loaded *loaded)
{
	const char *path = (const char *)(program->base + program->plan.interpreter);
	uint64_t size = program->plan.interpreter_size, start;
	struct listed listed;
	struct reading r;

	if (!size)
		return false;
	if (size > CARREL_PATH_MAX || string_size(path, size) != size)
		die(CARREL_DIE_MANIFEST);
	listed = listed_interpreter(path);
	open_listed(&r, t, &listed);
	plan_from(&r, &loaded->plan);
	/* Debian's is relocatable, and any that is not would lie on some program. */
	if (!loaded->plan.relocatable)
		die(CARREL_DIE_MANIFEST);
	start = memory_place(loaded->plan.high - loaded->plan.low, loaded->plan.align);
	if (!start)
		die(CARREL_DIE_MANIFEST);
	loaded->base = start - page_down(loaded->plan.low);
	place(&r, loaded);
	return true;
}
