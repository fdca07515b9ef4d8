/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loading: the file is read once and whole. Nothing of it is believed before its
 * hash has been compared; from then on only the private copy is looked at.
 */
#include <string.h>

#include <carrel/hypercall.h>
#include "files/file.h"
#include "base/host.h"
#include "load/load.h"
#include "memory/memory.h"

#define BASE_LOW	0x550000000000UL
#define BASE_PAGES	0xfffffffUL	/* 1 TiB of places for a relocatable program */

/* The file as the manifest lists it, or no process. */
static struct image *read_listed(struct thread *t, const struct listed *listed)
{
	int64_t fd = file_open(t, listed->path), error;
	uint64_t size = listed->size;
	struct file_status status;
	struct image *image;

	if (fd < 0)
		die(CARREL_DIE_MANIFEST);
	if (!listed->sha256) {
		if (file_status(t, fd, &status) || !file_regular(&status))
			die(CARREL_DIE_MANIFEST);
		size = status.size;
	}
	image = image_read(t, fd, size, &error);
	if (!image || !image_is(image, listed))
		die(CARREL_DIE_MANIFEST);
	file_close(t, fd);
	return image;
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

static void fill_segments(struct thread *t, const struct loaded *l, const struct image *image)
{
	for (unsigned int i = 0; i < l->plan.count; i++) {
		const struct elf_segment *s = &l->plan.segment[i];
		uint64_t at = l->base + s->address, start = page_down(at);

		memcpy((void *)at, image->bytes + s->offset, s->file_size);
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

static void plan_from(const struct image *image, struct loaded *loaded)
{
	if (elf_read(image->bytes, image->size, image->size, &loaded->plan))
		die(CARREL_DIE_MANIFEST);
}

static void place(struct thread *t, struct image *image, const struct loaded *loaded)
{
	map_segments(t, loaded);
	fill_segments(t, loaded, image);
	image_drop(t, image);
}

void load_program(struct thread *t, const struct listed *program, uint64_t random,
		  struct loaded *loaded)
{
	struct image *image = read_listed(t, program);

	plan_from(image, loaded);
	loaded->base = choose_base(&loaded->plan, random);
	place(t, image, loaded);
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
	struct image *image;

	if (!size)
		return false;
	if (size > CARREL_PATH_MAX || string_size(path, size) != size)
		die(CARREL_DIE_MANIFEST);
	listed = listed_interpreter(path);
	image = read_listed(t, &listed);
	plan_from(image, loaded);
	/* Debian's is relocatable, and any that is not would lie on some program. */
	if (!loaded->plan.relocatable)
		die(CARREL_DIE_MANIFEST);
	start = memory_place(loaded->plan.high - loaded->plan.low, loaded->plan.align);
	if (!start)
		die(CARREL_DIE_MANIFEST);
	loaded->base = start - page_down(loaded->plan.low);
	place(t, image, loaded);
	return true;
}
