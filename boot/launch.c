/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The check of the launch. Registers, heap and shared page can all be forged by who virtualises
 * the machine (TXT MLE guide 315168, 4.3), so a good list proves nothing: it is why the TPM is
 * asked at all. The TPM's PCRs cannot be forged, and only what it unseals makes a launch measured.
 * A bad list means that the blob is never sent to it.
 */
#include <boot/launch.h>

#include <stdio.h>
#include <string.h>

#include <base/log.h>
#include <base/mmio.h>
#include <boot/seal.h>
#include <core/cpu.h>
#include <core/exit.h>
#include <core/withhold.h>
#include <drivers/acpi/iommu.h>
#include <drivers/tpm/tpm.h>
#include <mm/dma.h>
#include <mm/pool.h>

#define FOUR_GIB	0x100000000UL
#define MODULES_MAX	2U	/* kernel and initrd */
#define RANGES		(2U + MODULES_MAX)
#define TXT_PRIVATE	0xFED20000UL
#define TXT_PRIVATE_END	0xFED30000UL
#define TPM_END		(TPM_BASE + TPM_LOCALITIES * TPM_LOCALITY_SIZE)

static struct launch_info found;
static bool dynamic;			/* there was a launch by TXT, or there seems to have been */
static const char *problem;		/* the first */
static struct dma_platform sinit;	/* as SINIT's copy of the DMAR has it */

static u64 reach(void)
{
	return max_u64(machine.ram_top, FOUR_GIB);	/* of phys() */
}

/* A check's sentence, or NULL. */
static const char *note(enum launch_check check)
{
	return launch_note(&found, check) ? NULL : launch_reason(check);
}

/* --- The list --------------------------------------------------------------------------------- */

/* Neither RAM for anybody nor a hole: the whole range is in one entry that says so. */
static bool is_reserved(const void *map, u64 base, u64 size)
{
	const struct e820_map *e820 = map;

	for (u32 i = 0; i < e820->count; i++) {
		const struct e820_range *range = &e820->range[i];

		if (base >= range->base && base - range->base < range->size)
			return (range->type == E820_RESERVED || range->type == E820_BAD) &&
				size <= range->size - (base - range->base);
	}
	return false;
}

static const char *check_word(const struct launch_machine *m)
{
	return note(tboot_word(&found.tboot, m->info->line));
}

static const char *check_page(const struct launch_machine *m)
{
	static u8 copy[TBOOT_SHARED_SIZE];
	const char *why = note(tboot_copy(&found.tboot, copy, reach(), is_reserved, &m->info->map));

	return why ? why : note(tboot_parse(&found.tboot, copy, m->loaded));
}

static const char *check_registers(const struct launch_machine *m)
{
	(void)m;
	return note(txt_check(&found.txt));
}

/* The copy's place is where the loader had put us. Heaps are larger, what tboot and SINIT have in
 * them is not: a table that ends beyond the copy is refused as one that ends beyond the heap. */
static const char *check_heap(const struct launch_machine *m)
{
	u64 room = m->loaded.end - m->loaded.base;
	struct launch_range heap = found.txt.heap;
	struct bytes copy;
	const char *why;

	heap.end = min_u64(heap.end, heap.base + room);
	why = note(heap_copy(&copy, phys(m->loaded.base), room, heap, reach()));
	return why ? why : note(heap_parse(&found.heap, copy));
}

/* tboot extends 32 at most and hands on more (policy.c there); what Linux is made of was
 * measured as modules 1 and 2, and here is nothing else. */
static const char *check_modules(const struct launch_machine *m)
{
	return m->info->module_count <= MODULES_MAX ? NULL :
		"tboot: there are more modules than kernel and initrd";
}

/* Byte for byte, and what was read of it earlier: a device may have written to it in between. */
static bool same_dmar(const struct acpi_info *acpi)
{
	const struct dma_platform *own = &acpi->dma;
	struct bytes dmar = found.heap.dmar;

	if (own->kind != DMA_VTD || own->broken || !acpi->iommu_table_count ||
	    acpi->iommu_size != dmar.size ||
	    memcmp(phys(acpi->iommu_table[0]), dmar.at, dmar.size) ||
	    own->unit_count != sinit.unit_count || own->range_count != sinit.range_count)
		return false;
	for (u32 i = 0; i < sinit.unit_count; i++)
		if (own->unit[i].registers != sinit.unit[i].registers)
			return false;
	return !memcmp(own->range, sinit.range, sinit.range_count * sizeof(sinit.range[0]));
}

/* A range for devices, which will be open to them, over what the launch has left. */
static bool opens_launch(const struct dma_range *range)
{
	const struct launch_range left[] = { found.txt.heap, found.txt.sinit, found.tboot.range };

	for (u32 i = 0; i < ARRAY_SIZE(left); i++)
		if (range->base < left[i].end && left[i].base < range->end)
			return true;
	return false;
}

/* Units, their devices, and what devices may reach, only SINIT's copy of the DMAR tells (315168,
 * "VT-d DMAR table"): the firmware's, which the driver goes by, nobody has measured. */
static const char *check_units(const struct launch_machine *m)
{
	if (dmar_parse(&sinit, found.heap.dmar))
		return launch_reason(LAUNCH_DMAR_DAMAGED);
	if (!same_dmar(m->acpi))
		return "DMA: the firmware's DMAR is not the one that SINIT has checked";
	for (u32 i = 0; i < sinit.unit_count; i++) {
		u64 base = sinit.unit[i].registers, end = base + sinit.unit[i].size;

		if (end > reach() || e820_has_ram(&m->info->map, base, end))
			return "DMA: the registers of a remapping unit are not where one can be";
	}
	for (u32 i = 0; i < sinit.range_count; i++)
		if (opens_launch(&sinit.range[i]))
			return "DMA: the DMAR opens heap, SINIT or tboot to devices";
	return NULL;
}

/* What was measured, and where it went since. */
static u32 ranges_of(const struct launch_machine *m, struct launch_range range[RANGES])
{
	u32 count = 0;

	range[count++] = m->loaded;
	range[count++] = (struct launch_range){ m->place->hv_base,
						m->place->hv_base + m->place->hv_size };
	for (u32 i = 0; i < m->info->module_count; i++)
		if (m->info->module[i].base < m->info->module[i].end)
			range[count++] = (struct launch_range){ m->info->module[i].base,
								m->info->module[i].end };
	return count;
}

static const char *check_memory(const struct launch_machine *m)
{
	struct launch_range range[RANGES];

	return note(memory_check(&found.heap, range, ranges_of(m, range)));
}

static const char *check_protection(const struct launch_machine *m)
{
	struct launch_range range[RANGES];
	u64 units[DMA_UNITS_MAX];

	for (u32 i = 0; i < sinit.unit_count; i++)
		units[i] = sinit.unit[i].registers;
	return note(pmr_check(units, sinit.unit_count, range, ranges_of(m, range)));
}

/* In this order; the first that fails is the reason, and none after it is asked. */
static const char *(*const list[])(const struct launch_machine *m) = {
	check_word,		/* tboot says that it started us, */
	check_page,		/* and describes itself where nobody else could */
	check_registers,	/* the chipset says so, too, and has its locks on */
	check_heap,		/* what SINIT left is well-formed */
	check_modules,		/* nothing is here that was not measured */
	check_units,		/* the IOMMUs are those that SINIT saw */
	check_memory,		/* image and modules lie in memory that it found good */
	check_protection,	/* and no device could write there since */
};

/* What has none of these is a machine that only firmware and boot loader have measured. */
static void look_at_txt(void)
{
	enum launch_check check;

	txt_read(&found.txt);
	check = txt_check(&found.txt);
	dynamic = check != LAUNCH_NO_TXT && check != LAUNCH_NO_SENTER && check != LAUNCH_SEXIT;
}

/*
 * The limit of a protected region reads without its low bits, of which there are 21 in all units that
 * we know of (VT-d, "Protected Low-Memory Limit Register"; 315168 wants the regions in 2 MiB), so that
 * the last 2 MiB below the end of low memory are protected, but do not seem to be. The hypervisor
 * would go just there.
 */
bool launch_begin(struct e820_map *map)
{
	u64 top = 0;

	look_at_txt();
	for (u32 i = 0; i < map->count; i++)
		if (map->range[i].type == E820_RAM && map->range[i].base < FOUR_GIB)
			top = min_u64(map->range[i].base + map->range[i].size, FOUR_GIB);
	top = ALIGN_DOWN(top, CHUNK_SIZE);
	return !dynamic || !top ||
		e820_add(map, top - CHUNK_SIZE, CHUNK_SIZE, E820_RESERVED);
}

void launch_look(const struct launch_machine *m)
{
	if (!dynamic && tboot_word(&found.tboot, m->info->line) == LAUNCH_NO_WORD)
		return;
	for (u32 i = 0; i < ARRAY_SIZE(list) && !problem; i++)
		problem = list[i](m);
}

/* --- What comes of it ------------------------------------------------------------------------- */

static void hide(u64 base, u64 end)
{
	base = ALIGN_DOWN(base, PAGE_SIZE);
	end = ALIGN_UP(end, PAGE_SIZE);
	if (table_unmap(&machine.host_view.table, base, end - base))
		panic("no memory to hide the launch from Linux");
	view_changed(&machine.host_view);
}

static void hide_all(bool capped)
{
	hide(TPM_BASE + TPM_LOCALITY_SIZE, TPM_END);
	/* A TPM that did not take the cap could still fulfil a policy of locality 0. Linux has a
	 * driver for it, which is to find one that says nothing, rather than to die of an access. */
	withhold_boot(TPM_BASE, phys_address(pool_take(PAGE_SIZE)));
	withhold_end(capped);
	if (!dynamic)
		return;
	txt_close_locality1();
	hide(TXT_PRIVATE, TXT_PRIVATE_END);
	exit_wiped = txt_no_secrets;	/* behind what can panic with a secret in hand */
	if (problem)		/* who knows whose these ranges are */
		return;
	hide(found.txt.heap.base, found.txt.heap.end);
	hide(found.txt.sinit.base, found.txt.sinit.end);
	hide(found.tboot.range.base, found.tboot.range.end);
}

/* What devices can read is no secret: a key is asked for only behind an IOMMU that is on. */
static const char *unseal(struct platform *platform, u32 state, const struct options *options,
			  struct carrel_secret *secret)
{
	const char *why = problem ? problem : seal_find();

	if (!why && dma_state() != DMA_PROTECTED)
		why = "devices could read a key: DMA is not protected";
	if (!why)
		why = seal_measure(platform, state);
	return why ? why : seal_open(platform, options->has_origin ? options->origin : NULL,
				     options->has_update_key ? options->update_key : NULL, secret);
}

static void explain(struct platform *platform, const char *why, u32 error)
{
	if (why && error)
		snprintf(platform->reason, sizeof(platform->reason), "%s (TPM: %x)", why, error);
	else if (why)
		snprintf(platform->reason, sizeof(platform->reason), "%s", why);
	else if (platform->state == CARREL_LAUNCH_STATIC)
		strcpy(platform->reason, "weaker than measured: firmware and boot loader are "
		       "believed, and who controls them has the key");
}

void launch_end(const struct options *options)
{
	static const char *const names[] = { "unmeasured", "static", "measured" };
	u32 state = dynamic ? CARREL_LAUNCH_MEASURED : CARREL_LAUNCH_STATIC, error;
	struct platform platform = { 0 };
	struct carrel_secret secret = { 0 };
	const char *why = unseal(&platform, state, options, &secret);
	bool capped;

	error = seal_error();
	if (problem)
		seal_find();
	capped = seal_cap(dynamic);
	if (!capped && !why) {
		why = "the TPM does not take the end of the launch, and is kept from Linux";
		error = seal_error();
	}
	if (!why)
		platform.state = state;
	explain(&platform, why, error);
	platform_boot(&platform, why ? NULL : &secret, why ? NULL : seal_again, seal_forget);
	seal_wipe(&secret, sizeof(secret));
	platform_clear_stack();
	hide_all(capped);
	log_line("launch state: %s%s%s", names[platform.state], *platform.reason ? ": " : "",
		 platform.reason);
}

bool launch_bare(void)
{
	seal_find();
	return seal_cap(dynamic);
}
