/* SPDX-License-Identifier: BSD-2-Clause */
/* A machine after a good launch, of which a test changes one field. STS, E2STS,
 * ERRORCODE and FSBIF are those of published reports of measured launches, the rest is plausible. */
#ifndef TEST_DRTM_MACHINE_H
#define TEST_DRTM_MACHINE_H

#include <drivers/drtm/drtm.h>

#define TXT_PRIVATE	0xFED20000ULL
#define TXT		0xFED30000ULL
#define UNITS		2U
#define UNIT(n)		(0xFED90000ULL + (n) * 0x1000)

/* Physical memory is small, so tboot and heap lie low. */
#define REACH		(2 * MIB)
#define HEAP		0x180000U	/* 4 KiB of it */
#define HEAP_BYTES	0x1000U
#define SINIT		0x140000U
#define SINIT_BYTES	0x40000U
#define DPR_END		0x200000U	/* 1 MiB below it */
#define SHARED		0x80000U	/* tboot's page, and its range from there */
#define TBOOT_BYTES	0x10000U

/* In the heap: tables, and fields from its start. */
#define BIOS_AT		0U
#define OS_MLE_AT	64U
#define OS_SINIT_AT	128U
#define SINIT_AT	256U
#define SINIT_TABLE	512U		/* its size, with the word */
#define SINIT_FIELD(at)	(SINIT_AT + 8 + (at))
#define MDR_AT		200U		/* from SinitMleData's size word */
#define DMAR_AT		280U
#define DMAR_BYTES	64U
#define EXT_AT		(SINIT_FIELD(148))

/* What the hypervisor loads: image, modules. */
#define IMAGES		2U
extern const struct launch_range images[IMAGES], own;

void machine_make(void);
void reg_set(u64 pa, u64 value);
u8 *shared_page(void);
u8 *heap_bytes(void);
void dmar_sum(void);

extern bool page_reserved;
extern u32 commands[4], command_count;	/* of the private space, as they were given */
extern char command_line[256];

/* Everything, in the order in which a launch is looked at; the first failed check. */
enum launch_check machine_check(struct launch_info *info);

#endif
