/* SPDX-License-Identifier: BSD-2-Clause */
/* Units of VT-d as the specification has them: they check what they are told, cache what they
 * read, and do or withhold each step as a test wants. */
#ifndef TEST_IOMMU_MODEL_VTD_H
#define TEST_IOMMU_MODEL_VTD_H

#include "test.h"

#define MODEL_UNITS	3U
#define MODEL_BASE(i)	(0xFED90000ULL + (i) * 0x1000ULL)
#define MODEL_CACHE	64U
#define MODEL_RECORDS	4U

/* CAP: 16-bit domains, 39 and 48 bits wide, all leaves, records at 400h, draining. */
#define CAP_FULL	(6ULL | 6ULL << 8 | 47ULL << 16 | 0x40ULL << 24 | 3ULL << 34 | \
			 (MODEL_RECORDS - 1ULL) << 40 | 3ULL << 54)
#define CAP_WIDTHS(w)	((u64)(w) << 8)
#define CAP_RWBF	BIT(4)
#define CAP_PMR		(BIT(5) | BIT(6))
#define CAP_CM		BIT(7)
#define CAP_DRAIN	(BIT(54) | BIT(55))
/* ECAP: coherent, queued invalidation, interrupt remapping, IOTLB registers at 50h. */
#define ECAP_FULL	(1ULL | 2ULL | 8ULL | 5ULL << 8)
#define ECAP_C		BIT(0)
#define ECAP_QI		BIT(1)
#define ECAP_IR		BIT(3)

#define TE	BIT(31)
#define SRTP	BIT(30)
#define WBF	BIT(27)
#define QIE	BIT(26)
#define IRE	BIT(25)
#define SIRTP	BIT(24)
#define CFI	BIT(23)
#define FSTS_PFO	1U
#define FSTS_PPF	2U
#define FSTS_IQE	0x10U
#define FSTS_ICE	0x20U
#define FSTS_ITE	0x40U
#define EPM	BIT(31)
#define PRS	BIT(0)

struct model_cached {
	bool used;
	u32 requester;		/* of a context entry */
	u64 page, pa, rights;	/* of a translation; rights 0: cached as not present */
	u64 low, high;
};

struct model_unit {
	/* what a test sets */
	u32 version;
	u64 cap, ecap;
	u32 stuck;		/* bits of GSTS that never change */
	bool dead;		/* all ones */
	bool no_cfi, keeps_regions;
	bool hold;		/* the queue waits for model_run() */
	u64 lag;		/* with hold: one descriptor after so many reads; 0: none */
	bool breaks;		/* IQE at the next descriptor */

	/* registers */
	u32 gsts, fsts, fectl, pmen;
	u64 rtaddr, irta, iqa, iqh, iqt;
	struct { u64 low, high; } record[MODEL_RECORDS];

	/* inside */
	u64 root, interrupts;	/* latched by SRTP and SIRTP */
	u32 next_record;
	bool stale_context, stale_iotlb, stale_interrupts;	/* since SRTP and SIRTP */
	struct model_cached context[MODEL_CACHE], iotlb[MODEL_CACHE];
	u64 lag_left;

	/* what happened */
	u32 descriptors, invalidations, drained, waits, writes;
	bool was_off;		/* translation, at some moment since model_reset() */
};

extern struct model_unit model[MODEL_UNITS];

/* Units of these features, off; they answer from now on. */
void model_reset(u64 cap, u64 ecap);
/* Execute up to `count` descriptors. */
void model_run(struct model_unit *unit, u32 count);
#define MODEL_ALL 1000U

/* A request of a device: true if it goes through. Else the unit has recorded why. */
bool model_dma(struct model_unit *unit, u16 requester, u64 address, bool write);
/* An interrupt message in remappable format, or else of compatibility format. */
bool model_interrupt(struct model_unit *unit, u16 requester, bool remappable, u16 index);
void model_record(struct model_unit *unit, u16 requester, u64 address, u8 reason, bool write);

#endif
