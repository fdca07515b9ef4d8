/* SPDX-License-Identifier: BSD-2-Clause */
/* The public TXT registers: TXT MLE guide 315168, Appendix B. */
#include <drivers/drtm/drtm.h>

#include <base/mmio.h>

#define TXT_PRIVATE	0xFED20000ULL
#define TXT_PUBLIC	0xFED30000ULL
#define TXT_STS		0x000
#define TXT_ESTS	0x008
#define TXT_ERRORCODE	0x030
#define TXT_VER_FSBIF	0x100
#define TXT_DIDVID	0x110
#define TXT_VER_QPIIF	0x200
#define TXT_SINIT_BASE	0x270
#define TXT_SINIT_SIZE	0x278
#define TXT_HEAP_BASE	0x300
#define TXT_HEAP_SIZE	0x308
#define TXT_DPR		0x330
#define TXT_CMD_CLOSE_PRIVATE 0x048
#define TXT_CMD_CLOSE_LOCALITY1 0x388
#define TXT_CMD_NO_SECRETS 0x8E8
#define TXT_E2STS	0x8F0

#define STS_SENTER_DONE	BIT(0)
#define STS_SEXIT_DONE	BIT(1)
#define STS_PRIVATE_OPEN BIT(7)
#define STS_LOCALITIES	(BIT(15) | BIT(16))	/* 1 and 2 are open */
#define ESTS_TXT_RESET	BIT(0)
#define ERRORCODE_DONE	0xC0000001U		/* SINIT's success; tboot clears it */
#define VER_PRODUCTION	BIT(31)
#define DIDVID_VID	0xFFFFU
#define VID_INTEL	0x8086U
#define DPR_LOCK	BIT(0)
#define DPR_SIZE(dpr)	(((dpr) >> 4 & 0xFF) * MIB)
#define DPR_TOP(dpr)	((dpr) & 0xFFF00000)	/* the first byte above */
#define E2STS_SECRETS	BIT(1)

static u64 reg(u32 at)
{
	return mmio_read64(TXT_PUBLIC + at);
}

static struct launch_range range(u32 base, u32 size)
{
	u64 start = reg(base);

	return (struct launch_range){ start, start + reg(size) };
}

void txt_read(struct txt_registers *txt)
{
	*txt = (struct txt_registers){
		.sts = reg(TXT_STS), .ests = reg(TXT_ESTS), .didvid = reg(TXT_DIDVID),
		.dpr = reg(TXT_DPR), .e2sts = reg(TXT_E2STS),
		.errorcode = mmio_read32(TXT_PUBLIC + TXT_ERRORCODE),
		.fsbif = mmio_read32(TXT_PUBLIC + TXT_VER_FSBIF),
		.qpiif = mmio_read32(TXT_PUBLIC + TXT_VER_QPIIF),
		.sinit = range(TXT_SINIT_BASE, TXT_SINIT_SIZE),
		.heap = range(TXT_HEAP_BASE, TXT_HEAP_SIZE),
	};
}

/* SENTER.DONE alone tells nothing: machines were seen that have it without any launch, with
 * SEXIT.DONE beside it. */
static enum launch_check check_status(const struct txt_registers *txt)
{
	u32 version = txt->fsbif && txt->fsbif != ~0U ? txt->fsbif : txt->qpiif;

	if ((txt->didvid & DIDVID_VID) != VID_INTEL)
		return LAUNCH_NO_TXT;
	if (!(txt->sts & STS_SENTER_DONE))
		return LAUNCH_NO_SENTER;
	if (txt->sts & STS_SEXIT_DONE)
		return LAUNCH_SEXIT;
	if (!(txt->sts & STS_PRIVATE_OPEN))
		return LAUNCH_PRIVATE_CLOSED;
	if (~txt->sts & STS_LOCALITIES)
		return LAUNCH_LOCALITY;
	if (txt->ests & ESTS_TXT_RESET)
		return LAUNCH_TXT_RESET;
	if (txt->errorcode && txt->errorcode != ERRORCODE_DONE)
		return LAUNCH_ERRORCODE;
	if (!(version & VER_PRODUCTION) || version == ~0U)
		return LAUNCH_DEBUG_FUSE;
	return txt->e2sts & E2STS_SECRETS ? LAUNCH_GOOD : LAUNCH_NO_SECRETS;
}

static bool inside(struct launch_range range, struct launch_range outer)
{
	return range.base < range.end && range.base >= outer.base && range.end <= outer.end;
}

enum launch_check txt_check(const struct txt_registers *txt)
{
	enum launch_check status = check_status(txt);
	struct launch_range dpr = { DPR_TOP(txt->dpr) - DPR_SIZE(txt->dpr), DPR_TOP(txt->dpr) };

	if (status)
		return status;
	if (!(txt->dpr & DPR_LOCK))
		return LAUNCH_DPR_OPEN;
	if (dpr.base >= dpr.end)
		return LAUNCH_DPR_RANGE;
	if (!inside(txt->sinit, dpr))
		return LAUNCH_SINIT_OUTSIDE;
	if (!inside(txt->heap, dpr) ||
	    (txt->heap.base < txt->sinit.end && txt->sinit.base < txt->heap.end))
		return LAUNCH_HEAP_OUTSIDE;
	return LAUNCH_GOOD;
}

/* Write-only; the read makes sure that it has arrived. */
static void command(u32 at)
{
	mmio_write64(TXT_PRIVATE + at, 1);
	reg(TXT_E2STS);
}

void txt_close_locality1(void)
{
	command(TXT_CMD_CLOSE_LOCALITY1);
}

/* The order of the guide, 2.5: what was secret is gone, then the flag, then the space. */
void txt_no_secrets(void)
{
	command(TXT_CMD_NO_SECRETS);
	command(TXT_CMD_CLOSE_PRIVATE);
}
