/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loading: the file is read once, in order. Where a piece of it belongs to one
 * segment it goes from the arena straight to its place and is hashed there; the
 * rest is hashed in a buffer. Nothing runs, and nothing but the places of the
 * segments is believed, before the hash has been compared.
 */
#include <bearssl_hash.h>
#include <string.h>

#include <carrel/hypercall.h>
#include "channel.h"
#include "host.h"
#include "load.h"
#include "program.h"
#include "vm.h"

#define O_RDONLY	0
#define O_CLOEXEC	02000000
#define HEAD_SIZE	4096		/* program headers of real programs lie in it */
#define PIECE_SIZE	65536		/* the buffer: at most this much of a read at once */
#define BASE_LOW	0x550000000000UL
#define BASE_PAGES	0xfffffffUL	/* 1 TiB of places for a relocatable program */

struct reader {
	struct thread *t;
	const struct listed *program;
	struct loaded *to;
	uint64_t fd;
	uint64_t offset;		/* of the next byte to place */
	uint8_t *ready;			/* bytes of the arena that were read but not placed */
	uint64_t ready_size;
	br_sha256_context hash;
};

static uint8_t piece[PIECE_SIZE];

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t open_program(struct thread *t, const struct listed *program)
{
	int64_t fd;

	channel_put(arena.base, program->path, strlen(program->path) + 1);
	fd = host_call_own(t, SYS_open, (uint64_t)arena.base, O_RDONLY | O_CLOEXEC, 0, 0);
	if (fd < 0)
		die(CARREL_DIE_MANIFEST);
	return fd;
}

/* See that bytes are ready in the arena. */
static void refill(struct reader *r)
{
	uint64_t want = least(arena.size, r->program->size - r->offset);
	int64_t got;

	if (r->ready_size)
		return;
	got = host_call_own(r->t, SYS_read, r->fd, (uint64_t)arena.base, want, 0);
	if (got <= 0)
		die(CARREL_DIE_MANIFEST);
	if ((uint64_t)got > want)
		die(CARREL_DIE_IAGO);
	r->ready = arena.base;
	r->ready_size = got;
}

/* Take `size` ready bytes into private memory, and into the hash from there. */
static void take(struct reader *r, void *to, uint64_t size)
{
	channel_get(to, r->ready, size);
	br_sha256_update(&r->hash, to, size);
	r->ready += size;
	r->ready_size -= size;
	r->offset += size;
}

static uint8_t *place(const struct loaded *l, const struct elf_segment *s, uint64_t offset)
{
	return (uint8_t *)(l->base + s->address + (offset - s->offset));
}

/* Copy file bytes [offset, offset + size), now at `from`, to the segments that hold them. */
static void spread(const struct loaded *l, uint64_t offset, const uint8_t *from, uint64_t size,
		   const struct elf_segment *except)
{
	for (unsigned int i = 0; i < l->plan.count; i++) {
		const struct elf_segment *s = &l->plan.segment[i];
		uint64_t start = s->offset > offset ? s->offset : offset;
		uint64_t end = least(s->offset + s->file_size, offset + size);

		if (s != except && start < end)
			memcpy(place(l, s, start), from + (start - offset), end - start);
	}
}

/* The segment that holds the byte at `offset`, or NULL; *end is where that changes. */
static const struct elf_segment *segment_at(const struct elf_plan *plan, uint64_t offset,
					    uint64_t *end)
{
	*end = UINT64_MAX;
	for (unsigned int i = 0; i < plan->count; i++) {
		const struct elf_segment *s = &plan->segment[i];

		if (offset >= s->offset && offset - s->offset < s->file_size) {
			*end = s->offset + s->file_size;
			return s;
		}
		if (s->offset > offset)
			*end = least(*end, s->offset);
	}
	return NULL;
}

/* Place the next bytes: at most the piece, at most the arena's, at most to the segment's end. */
static void place_next(struct reader *r)
{
	uint64_t offset = r->offset, end, size;
	const struct elf_segment *s = segment_at(&r->to->plan, offset, &end);
	uint8_t *to = s ? place(r->to, s, offset) : piece;

	refill(r);
	size = least(r->ready_size, end - offset);
	if (!s)
		size = least(size, PIECE_SIZE);
	take(r, to, size);
	spread(r->to, offset, to, size, s);
}

/* Writable for now; what the file does not fill comes as zeros. */
static void map_segments(struct thread *t, const struct loaded *l)
{
	for (unsigned int i = 0; i < l->plan.count; i++) {
		const struct elf_segment *s = &l->plan.segment[i];
		uint64_t start = (l->base + s->address) & ~(uint64_t)PAGE_MASK;
		uint64_t file_end = (l->base + s->address + s->file_size + PAGE_MASK) &
				    ~(uint64_t)PAGE_MASK;
		uint64_t end = (l->base + s->address + s->memory_size + PAGE_MASK) &
			       ~(uint64_t)PAGE_MASK;

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

static void protect_segments(struct thread *t, const struct loaded *l)
{
	for (unsigned int i = 0; i < l->plan.count; i++) {
		const struct elf_segment *s = &l->plan.segment[i];
		uint64_t start = (l->base + s->address) & ~(uint64_t)PAGE_MASK;
		uint64_t end = (l->base + s->address + s->memory_size + PAGE_MASK) &
			       ~(uint64_t)PAGE_MASK;

		if (memory_protect(t, start, end - start, s->rights))
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

static void compare_hash(struct reader *r)
{
	uint8_t digest[br_sha256_SIZE];

	br_sha256_out(&r->hash, digest);
	if (memcmp(digest, r->program->sha256, sizeof(digest)))
		die(CARREL_DIE_MANIFEST);
}

void load_program(struct thread *t, const struct listed *program, uint64_t random,
		  struct loaded *loaded)
{
	struct reader r = { .t = t, .program = program, .to = loaded };
	uint64_t head;

	r.fd = open_program(t, program);
	br_sha256_init(&r.hash);
	refill(&r);
	head = least(r.ready_size, HEAD_SIZE);
	take(&r, piece, head);
	if (elf_read(piece, head, program->size, &loaded->plan))
		die(CARREL_DIE_MANIFEST);
	loaded->base = choose_base(&loaded->plan, random);
	map_segments(t, loaded);
	spread(loaded, 0, piece, head, NULL);
	while (r.offset < program->size)
		place_next(&r);
	compare_hash(&r);
	protect_segments(t, loaded);
	host_call_own(t, SYS_close, r.fd, 0, 0, 0);
}
