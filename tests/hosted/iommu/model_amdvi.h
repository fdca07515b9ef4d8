/* SPDX-License-Identifier: BSD-2-Clause */
/* Units of AMD-Vi as the specification has them: they check what they are told, cache what they
 * read, and do or withhold each step as a test wants. */
#ifndef TEST_IOMMU_MODEL_AMDVI_H
#define TEST_IOMMU_MODEL_AMDVI_H

#include "test.h"

#define AMDVI_UNITS	3U
#define AMDVI_BASE(i)	(0xFD000000ULL + (i) * 0x80000ULL)
#define AMDVI_CACHE	64U
#define AMDVI_QUEUE	256U

/* Extended features: prefetch, INVALIDATE_IOMMU_ALL, guest tables, performance counters. */
#define EFR_FULL	(BIT(0) | BIT(4) | BIT(6) | BIT(9))
#define EFR_IA		BIT(6)
#define EFR_PC		BIT(9)
#define EFR_HATS_NONE	(3ULL << 10)

#define IOMMUEN		BIT(0)
#define HTTUNEN		BIT(1)
#define EVENTLOGEN	BIT(2)
#define PASSPW		BIT(8)
#define RESPASSPW	BIT(9)
#define COHERENT	BIT(10)
#define ISOC		BIT(11)
#define CMDBUFEN	BIT(12)
#define PPRLOGEN	BIT(13)

#define EVENTOVERFLOW	BIT(0)
#define EVENTLOGRUN	BIT(3)
#define CMDBUFRUN	BIT(4)
#define PPRLOGRUN	BIT(7)

/* Event codes */
#define ILLEGAL_DEV_TABLE_ENTRY 1
#define IO_PAGE_FAULT	2
#define ILLEGAL_COMMAND	5

/* Interrupt messages, by delivery mode */
enum { FIXED = 0, ARBITRATED = 1, SMI = 2, NMI = 4, INIT = 5, EXTINT = 7 };

struct amdvi_entry {		/* of the device table, cached */
	bool used;
	u16 requester;
	u64 quad[4];
};

struct amdvi_page {		/* a translation, cached; rights 0: that it is not present */
	bool used;
	u16 domain;
	u64 page, rights;
};

struct amdvi_model {
	/* what a test sets */
	u64 efr;
	bool dead;		/* all ones */
	bool hold;		/* the command buffer waits for amdvi_run() */
	u64 lag;		/* with hold: one command after so many reads of its head; 0: none */
	u64 stuck;		/* bits of the status register that never change */
	bool breaks;		/* ILLEGAL_COMMAND_ERROR at the next command */
	u32 slow;		/* what runs begins and ends after so many reads of the status */
	bool late;		/* events reach memory only by amdvi_write_late() */

	/* registers */
	u64 table, commands, events, control, exclusion, exclusion_limit, status;
	u64 command_head, command_tail, event_head, event_tail;

	/* inside */
	struct amdvi_entry entry[AMDVI_CACHE];
	struct amdvi_page page[AMDVI_CACHE];
	struct { u64 low, high; } held[AMDVI_QUEUE];	/* events, with late */
	u64 lag_left, run;	/* with slow: what is to run then */
	u32 slow_left;

	/* what happened */
	u32 executed, invalidations, entries_forgotten, waits;
	bool was_off;		/* at some moment since it was on */
};

extern struct amdvi_model amdvi_model[AMDVI_UNITS];

/* Units of these features, off; they answer from now on, and look into caches or do not. */
void amdvi_reset(u64 efr, bool coherent);
/* Execute up to `count` commands. */
void amdvi_run(struct amdvi_model *unit, u32 count);
#define AMDVI_ALL 1000U
void amdvi_write_late(struct amdvi_model *unit);

/* A request of a device: true if it goes through. Else the unit has recorded why. */
bool amdvi_dma(struct amdvi_model *unit, u16 requester, u64 address, bool write);
/* Whether an interrupt message goes through. */
bool amdvi_interrupt(struct amdvi_model *unit, u16 requester, unsigned int mode);
void amdvi_record(struct amdvi_model *unit, u16 requester, u64 address, u8 code, bool write);

#endif
