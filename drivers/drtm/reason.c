/* SPDX-License-Identifier: BSD-2-Clause */
#include <drivers/drtm/drtm.h>

static const char *const reasons[LAUNCH_CHECKS] = {
	[LAUNCH_GOOD] = "nothing failed",
	[LAUNCH_NO_WORD] = "tboot: the command line has no tboot=",
	[LAUNCH_BAD_WORD] = "tboot: the last tboot= is no hexadecimal number",
	[LAUNCH_PAGE_HIGH] = "tboot: the shared page is not below 4 GiB, or at 0",
	[LAUNCH_PAGE_UNALIGNED] = "tboot: the shared page is not aligned",
	[LAUNCH_PAGE_RAM] = "tboot: the shared page is not reserved in the memory map",
	[LAUNCH_PAGE_UUID] = "tboot: the shared page has another UUID",
	[LAUNCH_PAGE_VERSION] = "tboot: the shared page is not of version 6",
	[LAUNCH_PAGE_RANGE] = "tboot: its range is empty or ends above 4 GiB",
	[LAUNCH_PAGE_ENTRY] = "tboot: its shutdown entry is outside its range",
	[LAUNCH_PAGE_OVERLAP] = "tboot: its range overlaps the hypervisor",
	[LAUNCH_NO_TXT] = "TXT: no such chipset: TXT.DIDVID is not Intel's",
	[LAUNCH_NO_SENTER] = "TXT: no launch: TXT.STS has no SENTER.DONE",
	[LAUNCH_SEXIT] = "TXT: the launch is over: TXT.STS has SEXIT.DONE",
	[LAUNCH_PRIVATE_CLOSED] = "TXT: the private space is closed: TXT.STS",
	[LAUNCH_LOCALITY] = "TXT: locality 1 or 2 is closed: TXT.STS",
	[LAUNCH_TXT_RESET] = "TXT: TXT.ESTS has TXT_RESET",
	[LAUNCH_ERRORCODE] = "TXT: TXT.ERRORCODE tells of an error",
	[LAUNCH_DEBUG_FUSE] = "TXT: the chipset is not of production: TXT.VER",
	[LAUNCH_NO_SECRETS] = "TXT: the secrets flag is not set: TXT.E2STS",
	[LAUNCH_DPR_OPEN] = "TXT: the DMA protected range is not locked",
	[LAUNCH_DPR_RANGE] = "TXT: the DMA protected range is empty or wraps",
	[LAUNCH_SINIT_OUTSIDE] = "TXT: SINIT is not in the DMA protected range",
	[LAUNCH_HEAP_OUTSIDE] = "TXT: the heap is not in the DMA protected range, or in SINIT",
	[LAUNCH_HEAP_LARGE] = "TXT heap: larger than what can be copied",
	[LAUNCH_HEAP_SIZE] = "TXT heap: the size of a table is below 8",
	[LAUNCH_HEAP_PAST] = "TXT heap: a table goes past the heap",
	[LAUNCH_OS_SINIT_SHORT] = "TXT heap: OsSinitData is too short",
	[LAUNCH_SINIT_SHORT] = "TXT heap: SinitMleData is too short",
	[LAUNCH_SINIT_VERSION] = "TXT heap: SinitMleData is older than version 9",
	[LAUNCH_PMR_WRAPS] = "TXT heap: a protected region of OsSinitData wraps",
	[LAUNCH_MDR_COUNT] = "TXT heap: no memory descriptors, or too many",
	[LAUNCH_MDR_PLACE] = "TXT heap: the memory descriptors are outside the heap",
	[LAUNCH_MDR_WRAPS] = "TXT heap: a memory descriptor wraps",
	[LAUNCH_DMAR_PLACE] = "TXT heap: the DMAR is outside the heap",
	[LAUNCH_DMAR_DAMAGED] = "TXT heap: the DMAR is damaged",
	[LAUNCH_EXT_DAMAGED] = "TXT heap: the extended data of SinitMleData are damaged",
	[LAUNCH_MDR_NOT] = "memory: image or modules are in no good memory descriptor",
	[LAUNCH_PMR_NOT] = "memory: image or modules are outside the regions of OsSinitData",
	[LAUNCH_NO_UNIT] = "DMA: there is no remapping unit",
	[LAUNCH_UNIT_SILENT] = "DMA: a remapping unit does not answer",
	[LAUNCH_UNIT_NO_PMR] = "DMA: a remapping unit has no protected regions (CAP.PLMR, PHMR)",
	[LAUNCH_UNIT_OFF] = "DMA: the protected regions of a unit are off (PMEN.EPM, PRS)",
	[LAUNCH_UNIT_RANGE] = "DMA: the protected regions of a unit leave out image or modules",
};

const char *launch_reason(enum launch_check check)
{
	return (u32)check < LAUNCH_CHECKS ? reasons[check] : "a check that nobody knows";
}

bool launch_note(struct launch_info *info, enum launch_check check)
{
	if (!info->failed)
		info->failed = check;
	return !check;
}
