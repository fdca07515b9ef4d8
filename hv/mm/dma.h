/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Devices obey the same map as the host (invariant 8): one set of IOMMU tables for the
 * machine, an identity map of the host's RAM, so of what hv/mm/frame.c says is the host's:
 * never of the hypervisor's memory, of donated chunks, or of registers. A device reaches it
 * only when its slot was admitted; every other requester is blocked and counted.
 *
 * Drivers (drivers/iommu) know registers, entry formats and queues, nothing else; what they
 * offer is struct dma_ops. boot/main.c introduces one of them, or none.
 *
 * A slot is eight functions, bus << 5 | device: bridges vouch for a requester's bus and
 * device number, the function number is the device's own word. PCI segments share the tables.
 */
#ifndef HV_MM_DMA_H
#define HV_MM_DMA_H

#include "view.h"

#define DMA_UNITS_MAX		64
#define DMA_RANGES_MAX		64
#define DMA_SLOTS		8192
#define DMA_BUSES		256
#define DMA_SPECIALS_MAX	64
#define DMA_REQUESTERS_MAX	32	/* that faults are counted for; more are counted together */
#define DMA_NO_FUNCTION		0xFFFF

enum dma_kind { DMA_NO_IOMMU, DMA_VTD, DMA_AMDVI, DMA_KINDS };

/* What a unit does to the interrupt messages of devices. */
enum dma_msi {
	DMA_MSI_ANY,		/* passes them all */
	DMA_MSI_COMPATIBLE,	/* VT-d: no message in remappable format, all others pass */
	DMA_MSI_FIXED,		/* AMD-Vi: fixed and lowest-priority ones pass, no INIT, NMI, SMI */
};

struct dma_unit {
	/* from ACPI */
	u64 registers;		/* physical, page-aligned, not in RAM */
	u16 segment;
	u16 function;		/* AMD-Vi: the requester number of its own; or DMA_NO_FUNCTION */
	u8 flags;		/* AMD-Vi: of its IVHD */
	/* from the driver */
	u8 msi;			/* enum dma_msi */
	u32 size;		/* of the registers, bytes, a multiple of pages */
	u64 features[2];	/* VT-d CAP and ECAP; AMD-Vi extended features and 0 */
	u64 flushes;		/* that were asked of it, the first included */
};

struct dma_range {
	u64 base, end;		/* page-aligned */
};

/* AMD-Vi: a sender of interrupts that are not its own, an IOAPIC or HPET of the IVRS. */
struct dma_special {
	u16 requester;
	u8 settings;		/* IVHD "data setting": INIT, NMI, SMI that it may send */
};

/* What the firmware says about IOMMUs, its lengths and pointers checked. */
struct dma_platform {
	u32 kind;		/* enum dma_kind */
	u32 unit_count, range_count;
	/* NULL, or why no unit can be driven although the firmware names some */
	const char *broken;
	struct dma_unit unit[DMA_UNITS_MAX];
	/* RMRR, IVMD: devices go there on their own, so it is never donated */
	struct dma_range range[DMA_RANGES_MAX];
	u32 slots[DMA_BUSES];	/* a bit for each slot of a bus that may send requests */
	u32 served[DMA_BUSES];	/* that a unit of segment 0 serves, as the firmware tells */
	/* AMD-Vi: senders of interrupts, and whether others are not known: then all pass */
	bool interrupts_pass;
	u32 special_count;
	struct dma_special special[DMA_SPECIALS_MAX];
};

static inline u32 dma_slot(u16 requester)
{
	return requester >> 3;
}

static inline void dma_platform_slot(struct dma_platform *platform, u16 requester)
{
	platform->slots[requester >> 8] |= 1U << dma_slot(requester) % 32;
}

static inline bool dma_platform_has(const struct dma_platform *platform, u32 slot)
{
	return platform->slots[slot / 32] >> slot % 32 & 1;
}

static inline void dma_platform_serve(struct dma_platform *platform, u32 first, u32 last)
{
	for (u32 slot = first; slot <= last; slot++)
		platform->served[slot / 32] |= 1U << slot % 32;
}

static inline bool dma_platform_serves(const struct dma_platform *platform, u32 slot)
{
	return platform->served[slot / 32] >> slot % 32 & 1;
}

/* What all units of the machine can do. */
struct dma_limits {
	unsigned int largest_leaf;	/* 1, 2 or 3 */
	unsigned int address_bits;	/* that the map may use */
	bool coherent;		/* units see tables in caches; else they must be written back */
	bool flush_on_show;	/* a unit may cache that something was absent (VT-d caching mode) */
};

/* The map's level-4 table, and the level-3 table of its first 512 GiB. */
struct dma_root {
	u64 level4, level3;
};

/*
 * An IOMMU driver. After start() its functions are called under one lock. Memory comes from
 * pool_take() and, after boot, from pool_tables.
 */
struct dma_ops {
	const char *name;			/* "VT-d", "AMD-Vi": at most 8 bytes */
	const struct table_format *format;
	/* Read the units' registers, change nothing; fill each unit's `size` and `features`.
	 * NULL, or what a unit lacks. */
	const char *(*probe)(struct dma_platform *platform, struct dma_limits *limits);
	/* An upper bound of the frames of the pool that start() and admit() take. */
	u64 (*pages)(const struct dma_platform *platform);
	/*
	 * All units on, with the slots of `platform` admitted and everything forgotten that they
	 * may have cached, whatever state the firmware left them in. NULL, or what failed: then
	 * all units that answer are off again. `platform` stays for ever.
	 */
	const char *(*start)(struct dma_platform *platform, const struct dma_root *root);
	/* One more slot; waits until units know. 0, or -1: no frame, or beyond the tables. */
	int (*admit)(u32 slot);
	/* Begin to forget every translation, on all units, and to drain older requests. */
	void (*flush)(void);
	/* All that flush() began so far has ended on all units. */
	bool (*flushed)(void);
	/* Give every fault recorded since the last time to dma_fault(). NULL, or why a unit can be
	 * relied on no longer. */
	const char *(*collect)(void);
};

/* --- For boot/main.c, in this order ------------------------------------------------------- */

/* Ask the driver, and make an empty map; RAM ends at `top`. The map takes no more frames than
 * dma_pages counts for it. NULL, or why DMA stays unprotected; then nothing else of this file
 * does anything. */
const char *dma_probe(const struct dma_ops *ops, struct dma_platform *platform, u32 ranges,
		      u64 top);
/* Let devices reach [base, base + size), whole pages of it; or no longer. 0 or -1: no frame. */
int dma_open(u64 base, u64 size);
int dma_close(u64 base, u64 size);
/* Switch it on, and take the units' registers out of the host view. The map was written back
 * from all caches. NULL, or why not. */
const char *dma_start(struct view *host);
/* Frames of the pool that all this takes, for `ranges` calls of dma_open and RAM up to `top`. */
u64 dma_pages(const struct dma_ops *ops, const struct dma_platform *platform, u32 ranges, u64 top);

/* --- For hv/core -------------------------------------------------------------------------- */

enum dma_state { DMA_UNPROTECTED, DMA_PROTECTED, DMA_LOST };

/* LOST: a unit failed while it ran; what was hidden from devices stays hidden, nothing new
 * becomes private. */
enum dma_state dma_state(void);
/* Why it is not PROTECTED, or NULL. */
const char *dma_problem(void);
void dma_unprotected(const char *why);	/* boot/main.c: there is no driver to ask */

/*
 * A chunk leaves or comes back to devices; the caller holds frame_lock. hide begins a flush;
 * only when dma_drained() says so is every older request over. 0, or -1: no frame to split a
 * large entry, nothing changed. Without protection these do nothing, and nothing is owed.
 */
int dma_hide_chunk(u64 chunk);
bool dma_drained(void);
void dma_show_chunk(u64 chunk);

/* Let the slot of a requester reach the map: the kernel found a new device. 0 or CARREL_E*. */
int dma_admit(u16 requester);

struct dma_fault {
	u64 address;
	u16 requester;
	u8 code;		/* the manual's: VT-d fault reason, AMD-Vi event code */
	bool write;
};

struct dma_requester {
	u64 faults;		/* 0: none */
	struct dma_fault last;
};

struct dma_report {
	const char *name;	/* of the driver, NULL: none */
	u32 unit_count, slot_count;
	u64 faults, lost;	/* seen, and known to have been dropped by hardware */
};

/* Collect faults, then tell. */
void dma_report(struct dma_report *report);
/* NULL past the last one. */
const struct dma_unit *dma_report_unit(u64 index);
/* False past the last one. The last row, requester FFFFh, sums all that found no row. */
bool dma_report_requester(u64 index, struct dma_requester *row);

/* --- For drivers, from collect() ---------------------------------------------------------- */

/* Count it and log it, within the log's limit. */
void dma_fault(const struct dma_fault *fault);
/* Hardware had no room for more. */
void dma_fault_lost(void);

#endif
