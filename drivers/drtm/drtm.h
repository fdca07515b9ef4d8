/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a dynamic launch (Intel TXT, through tboot) left: facts, and the first check that failed.
 * Nothing is decided here, for all of this can be forged by who virtualises the machine (TXT MLE
 * guide 315168, 4.3): a failed check is a reason not to ask the TPM, a good one proves nothing.
 */
#ifndef DRIVERS_DRTM_DRTM_H
#define DRIVERS_DRTM_DRTM_H

#include <base/bytes.h>

enum launch_check {
	LAUNCH_GOOD,
	LAUNCH_NO_WORD, LAUNCH_BAD_WORD, LAUNCH_PAGE_HIGH, LAUNCH_PAGE_UNALIGNED, LAUNCH_PAGE_RAM,
	LAUNCH_PAGE_UUID, LAUNCH_PAGE_VERSION, LAUNCH_PAGE_RANGE, LAUNCH_PAGE_ENTRY,
	LAUNCH_PAGE_OVERLAP,
	LAUNCH_NO_TXT, LAUNCH_NO_SENTER, LAUNCH_SEXIT, LAUNCH_PRIVATE_CLOSED, LAUNCH_LOCALITY,
	LAUNCH_TXT_RESET, LAUNCH_ERRORCODE, LAUNCH_DEBUG_FUSE, LAUNCH_NO_SECRETS,
	LAUNCH_DPR_OPEN, LAUNCH_DPR_RANGE, LAUNCH_SINIT_OUTSIDE, LAUNCH_HEAP_OUTSIDE,
	LAUNCH_HEAP_LARGE, LAUNCH_HEAP_SIZE, LAUNCH_HEAP_PAST, LAUNCH_OS_SINIT_SHORT,
	LAUNCH_SINIT_SHORT, LAUNCH_SINIT_VERSION, LAUNCH_PMR_WRAPS, LAUNCH_MDR_COUNT,
	LAUNCH_MDR_PLACE, LAUNCH_MDR_WRAPS, LAUNCH_DMAR_PLACE, LAUNCH_DMAR_DAMAGED,
	LAUNCH_EXT_DAMAGED,
	LAUNCH_MDR_NOT, LAUNCH_PMR_NOT,
	LAUNCH_NO_UNIT, LAUNCH_UNIT_SILENT, LAUNCH_UNIT_NO_PMR, LAUNCH_UNIT_OFF, LAUNCH_UNIT_RANGE,
	LAUNCH_CHECKS
};

/* A sentence for serial and for `hvreg status`. */
const char *launch_reason(enum launch_check check);

/* [base, end) */
struct launch_range {
	u64 base, end;
};

/* As read, each register once. */
struct txt_registers {
	u64 sts, ests, didvid, dpr, e2sts;
	u32 errorcode, fsbif, qpiif;
	struct launch_range sinit, heap;	/* end below base: the size wraps */
};

#define LAUNCH_MDRS_MAX	64U

struct launch_heap {
	u32 sinit_version;
	u32 mdr_count;			/* of type 0: good memory */
	struct launch_range mdr[LAUNCH_MDRS_MAX];
	struct launch_range pmr[2];	/* low, high: as tboot asked SINIT for them */
	struct bytes dmar;		/* in the copy of the heap */
};

struct launch_tboot {
	u32 words;			/* how many `tboot=` the command line has */
	u32 page;			/* where the last of them points */
	u32 version, log, shutdown_entry, flags, ap_wake_addr, ap_wake_trigger;
	struct launch_range range;
};

struct launch_info {
	enum launch_check failed;	/* the first */
	struct launch_tboot tboot;
	struct txt_registers txt;
	struct launch_heap heap;
};

/* Keep the first failed check. True if this one is good. */
bool launch_note(struct launch_info *info, enum launch_check check);

void txt_read(struct txt_registers *txt);
enum launch_check txt_check(const struct txt_registers *txt);

/* The private space's command: locality 1 is nobody's until the machine starts again. */
void txt_close_locality1(void);

/* All secrets are gone from memory: the chipset need not wipe it at the next start. */
void txt_no_secrets(void);

/* Copy the heap that good registers name to `room` bytes; phys() reaches [0, reach). */
enum launch_check heap_copy(struct bytes *copy, u8 *to, u64 room, struct launch_range heap,
			    u64 reach);
/* Walk a copy, whose bytes nobody else changes any more. */
enum launch_check heap_parse(struct launch_heap *heap, struct bytes copy);

/* Where the last `tboot=` of a command line points. */
enum launch_check tboot_word(struct launch_tboot *tboot, const char *line);

#define TBOOT_SHARED_SIZE	0x248U
/* Copy the page there to TBOOT_SHARED_SIZE bytes. `reserved`: is every byte of the range one of
 * the memory map that is no RAM for anyone? */
enum launch_check tboot_copy(const struct launch_tboot *tboot, u8 *to, u64 reach,
			     bool (*reserved)(const void *map, u64 base, u64 size),
			     const void *map);
/* Check the copy; `own` is what tboot must leave alone. */
enum launch_check tboot_parse(struct launch_tboot *tboot, const u8 *copy,
			      struct launch_range own);

/* Does each range lie in memory that SINIT found good, and that tboot asked to protect? */
enum launch_check memory_check(const struct launch_heap *heap, const struct launch_range *range,
			       u32 count);
/* Do the protected memory regions of every remapping unit, whose registers are at units[],
 * stand over each range now? */
enum launch_check pmr_check(const u64 *units, u32 unit_count, const struct launch_range *range,
			    u32 count);

#endif
