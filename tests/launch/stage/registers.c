/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The TXT registers (TXT, appendix B): 128 KiB of the rig's, which an ivshmem device shows where
 * its BAR says. One copy is the private space, one the public; the rig acts on commands that are
 * written to either. Its last page is for the rig and the stage; the one before it is a remapping
 * unit with protected memory regions, which QEMU's has not (VT-d, "Register Descriptions"): SENTER
 * left them on, over all memory below 4 GiB and above.
 */
#include "stage.h"

#define IVSHMEM		0x11101AF4U	/* device and vendor */
#define PCI_COMMAND	0x04U
#define PCI_COMMAND_MEMORY	2U
#define PCI_BAR2	0x18U

#define TXT_PRIVATE	0xFED20000U
#define TXT_PUBLIC	0xFED30000U
#define TXT_STS		0x000U
#define TXT_ESTS	0x008U
#define TXT_ERRORCODE	0x030U
#define TXT_VER_FSBIF	0x100U
#define TXT_DIDVID	0x110U
#define TXT_VER_QPIIF	0x200U
#define TXT_SINIT_BASE	0x270U
#define TXT_SINIT_SIZE	0x278U
#define TXT_HEAP_BASE	0x300U
#define TXT_HEAP_SIZE	0x308U
#define TXT_DPR		0x330U
#define TXT_PUBLIC_KEY	0x400U
#define TXT_E2STS	0x8F0U
#define EVENT_DONE	(TXT_PRIVATE + 0x1F000U)	/* the rig writes 1 */

#define UNIT_VER	0x00U
#define UNIT_CAP	0x08U
#define UNIT_ECAP	0x10U
#define UNIT_PMEN	0x64U
#define UNIT_PLMLIMIT	0x6CU
#define UNIT_PHMBASE	0x70U
#define UNIT_PHMLIMIT	0x78U
/* PLMR, PHMR, 4 levels of tables, 48 bits, one fault record at 200h, pages of 2 MiB and 1 GiB */
#define CAP		(3ULL << 5 | 4ULL << 8 | 47ULL << 16 | 0x20ULL << 24 | 3ULL << 34)
#define ECAP		(3ULL | 0x10ULL << 8)	/* looks into caches; queue */

#define TICKS_MAX	(60ULL << 30)

static u32 config(u32 device, u32 offset)
{
	outl(0xCF8, 0x80000000U | device << 8 | offset);
	return inl(0xCFC);
}

static void set_config(u32 device, u32 offset, u32 value)
{
	outl(0xCF8, 0x80000000U | device << 8 | offset);
	outl(0xCFC, value);
}

void registers_open(void)
{
	u32 device = 0;		/* and function: it has no function 0, so that others pass it by */

	while (device < 256 && config(device, 0) != IVSHMEM)
		device++;
	if (device == 256)
		fail("no register window");
	set_config(device, PCI_COMMAND, config(device, PCI_COMMAND) & ~PCI_COMMAND_MEMORY);
	set_config(device, PCI_BAR2, TXT_PRIVATE);
	set_config(device, PCI_BAR2 + 4, 0);
	set_config(device, PCI_COMMAND, config(device, PCI_COMMAND) | PCI_COMMAND_MEMORY);
}

static void set(u32 offset, u64 value)
{
	put64(TXT_PRIVATE + offset, value);
	put64(TXT_PUBLIC + offset, value);
}

static void set_unit(u32 offset, u64 value)
{
	put32(UNIT_BASE + offset, (u32)value);
}

static void unit_build(void)
{
	const u64 four_gib = 0x100000000ULL;

	clear((void *)UNIT_BASE, PAGE_SIZE);
	set_unit(UNIT_VER, 0x10);
	put64(UNIT_BASE + UNIT_CAP, CAP);
	put64(UNIT_BASE + UNIT_ECAP, ECAP);
	set_unit(UNIT_PMEN, 0x80000001);
	/* its low bits read as zeros, and count as ones */
	set_unit(UNIT_PLMLIMIT, places.low_end - 2 * MIB);
	put64(UNIT_BASE + UNIT_PHMBASE, four_gib);
	put64(UNIT_BASE + UNIT_PHMLIMIT, places.ram_end > four_gib ? places.ram_end : four_gib);
	each_option("unit", set_unit);
}

void registers_set(void)
{
	u32 size = (places.dpr_end - places.dpr) / MIB;

	set(TXT_STS, 0x1C091);		/* as a measured launch was seen to leave it */
	set(TXT_ESTS, 0);
	set(TXT_ERRORCODE, 0);
	set(TXT_VER_FSBIF, 0xFFFFFFFF);
	set(TXT_VER_QPIIF, 0x80000000);	/* production fused */
	set(TXT_DIDVID, 0x1B0018086ULL);
	set(TXT_SINIT_BASE, places.sinit);
	set(TXT_SINIT_SIZE, places.sinit_size);
	set(TXT_HEAP_BASE, places.heap);
	set(TXT_HEAP_SIZE, places.heap_size);
	set(TXT_DPR, places.dpr_end | size << 4 | 1);
	for (u32 i = 0; i < 4; i++)
		set(TXT_PUBLIC_KEY + 8 * i, 0x0101010101010101ULL * (0xA0 + i));
	set(TXT_E2STS, 6);
	each_option("reg", set);
	unit_build();
}

/* The rig has swtpm hash what SENTER would: nobody but the CPU can, at locality 4. */
void event(void)
{
	u64 begin = now();

	put32(EVENT_DONE, 0);
	say("event\n");
	while (!get32(EVENT_DONE))
		if (now() - begin > TICKS_MAX)
			fail("the rig has not made the event");
}
