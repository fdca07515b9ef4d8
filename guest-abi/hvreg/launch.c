/* SPDX-License-Identifier: BSD-2-Clause */
#include <bearssl_hash.h>
#include <elf.h>
#include <string.h>
#include <carrel/hypercall.h>
#include <carrel/thread.h>
#include "fail.h"
#include "launch.h"

#define PAGE	4096UL

/* The shim as it was linked; shim.S embeds it. */
extern const unsigned char shim_elf[], shim_elf_end[];

static _Noreturn void fail_shim(void)
{
	fail(EXIT_OWN, "rebuild it", "hvreg was built with a malformed shim");
}

static void add_run(struct launch *launch, const unsigned char *bytes, uint64_t address,
		    uint64_t pages, uint32_t type)
{
	if (launch->run_count == LAUNCH_RUNS_MAX)
		fail_shim();
	launch->runs[launch->run_count++] = (struct launch_run){ bytes, address, pages, type };
}

/* Whole pages, all of them in the file (shim.lds), so that they need no copy. */
static void add_segment(struct launch *launch, const Elf64_Phdr *segment)
{
	uint32_t rights = 0;

	if (segment->p_vaddr % PAGE || segment->p_memsz % PAGE ||
	    segment->p_filesz != segment->p_memsz ||
	    segment->p_vaddr < CARREL_SHIM_VA || segment->p_vaddr > CARREL_SHIM_END ||
	    segment->p_memsz > CARREL_SHIM_END - segment->p_vaddr ||
	    segment->p_offset > (uint64_t)(shim_elf_end - shim_elf) ||
	    segment->p_filesz > shim_elf_end - shim_elf - segment->p_offset ||
	    (segment->p_flags & (PF_W | PF_X)) == (PF_W | PF_X))
		fail_shim();
	rights |= segment->p_flags & PF_R ? CARREL_R : 0;
	rights |= segment->p_flags & PF_W ? CARREL_W : 0;
	rights |= segment->p_flags & PF_X ? CARREL_X : 0;
	add_run(launch, shim_elf + segment->p_offset, segment->p_vaddr, segment->p_memsz / PAGE,
		CARREL_ADD_PAGE | rights);
}

static void add_shim(struct launch *launch)
{
	const Elf64_Ehdr *header = (const void *)shim_elf;
	const Elf64_Phdr *segments = (const void *)(shim_elf + header->e_phoff);
	unsigned int i;

	if (shim_elf_end - shim_elf < (long)sizeof(*header) ||
	    memcmp(header->e_ident, ELFMAG, SELFMAG) || header->e_ident[EI_CLASS] != ELFCLASS64 ||
	    header->e_phentsize != sizeof(*segments) ||
	    header->e_phoff > (uint64_t)(shim_elf_end - shim_elf) || header->e_phoff % 8 ||
	    header->e_phnum * sizeof(*segments) > shim_elf_end - shim_elf - header->e_phoff)
		fail_shim();
	for (i = 0; i < header->e_phnum; i++)
		if (segments[i].p_type == PT_LOAD && segments[i].p_memsz)
			add_segment(launch, &segments[i]);
}

void launch_build(struct launch *launch, const unsigned char *manifest, uint32_t manifest_size,
		  uint32_t limit, uint32_t flags)
{
	memset(launch, 0, sizeof(*launch));
	launch->create = (struct carrel_measure_create){
		.magic = CARREL_MEASURE_CREATE,
		.abi = CARREL_ABI_VERSION,
		.limit = limit,
		.slots = LAUNCH_SLOTS,
		.blocks = LAUNCH_BLOCKS,
		.entry = CARREL_SHIM_START,
		.threads = CARREL_THREADS_VA,
		.gate = CARREL_GATE_VA,
		.channel = CARREL_CHANNEL_VA,
		.flags = flags,
	};
	add_shim(launch);
	add_run(launch, manifest, CARREL_MANIFEST_VA, manifest_size / PAGE, CARREL_ADD_PAGE | CARREL_R);
}

static void hash_run(br_sha256_context *context, const struct launch_run *run)
{
	struct carrel_measure_add add = { .magic = CARREL_MEASURE_ADD, .type = run->type };
	uint32_t i;

	for (i = 0; i < run->pages; i++) {
		add.address = run->address + i * PAGE;
		br_sha256_update(context, &add, sizeof(add));
		br_sha256_update(context, run->bytes + i * PAGE, PAGE);
	}
}

void launch_identity(const struct launch *launch, uint8_t identity[CARREL_IDENTITY_SIZE])
{
	struct carrel_measure_init init = { .magic = CARREL_MEASURE_INIT };
	br_sha256_context context;
	unsigned int i;

	br_sha256_init(&context);
	br_sha256_update(&context, &launch->create, sizeof(launch->create));
	for (i = 0; i < launch->run_count; i++)
		hash_run(&context, &launch->runs[i]);
	br_sha256_update(&context, &init, sizeof(init));
	br_sha256_out(&context, identity);
}
