/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/*
 * /dev/carrel: how hvreg asks the module. Order in a carrier: open, mmap
 * (CARREL_BASE, MAP_SHARED | MAP_FIXED_NOREPLACE, length from
 * CARREL_MMAP_SIZE(blocks)), CREATE, ADD ..., INIT, close; from then on the
 * mapping alone keeps the process alive, and requests travel by msync
 * (CARREL_REQ_*). INFO, LOG, PUBLIC and RESEAL (by CAP_SYS_ADMIN) work on any
 * descriptor. Leaf header.
 */
#ifndef CARREL_IOCTL_H
#define CARREL_IOCTL_H

#include <carrel/channel.h>
#ifdef __KERNEL__
#include <linux/ioctl.h>
#else
#include <sys/ioctl.h>
#endif

#define CARREL_DEVICE		"/dev/carrel"
#define CARREL_MMAP_SIZE(blocks) (CARREL_CHANNEL_VA - CARREL_BASE + (blocks) * CARREL_BLOCK_SIZE)

struct carrel_ioc_create {
	carrel_u32 abi;			/* in: CARREL_ABI_VERSION */
	carrel_u32 limit;		/* in: chunks */
	carrel_u32 slots;		/* in */
	carrel_u32 blocks;		/* in: must agree with the mapping's length */
	carrel_u32 flags;		/* in: CARREL_CREATE_* */
	carrel_u32 reserved;		/* in: 0 */
	carrel_u64 process;		/* out */
	carrel_u64 ticket[2];		/* out */
};

struct carrel_ioc_add {
	carrel_u64 source;		/* in: address of the bytes in the caller, any alignment */
	carrel_u64 address;		/* in: page-aligned private address */
	carrel_u32 pages;		/* in: 1 to 512 */
	carrel_u32 type;		/* in: as in CARREL_HC_ADD */
};

struct carrel_ioc_init {
	carrel_u8 identity[32];		/* out */
};

struct carrel_ioc_info {
	carrel_u64 what, index, sub;	/* in */
	carrel_u64 value[6];		/* out */
};

struct carrel_ioc_log {
	carrel_u64 position;		/* in: 0 for the oldest; out: where to go on */
	carrel_u64 buffer;		/* in: address */
	carrel_u32 size;		/* in: room; out: bytes given, 0 at the end */
	carrel_u32 reserved;
};

struct carrel_ioc_public {
	carrel_u8 identity[32];		/* in */
	carrel_u8 key[32];		/* out: what is encrypted to it, only that identity reads */
};

struct carrel_ioc_reseal {
	carrel_u8 request[168];		/* in: struct carrel_reseal */
};

#define CARREL_IOC_CREATE	_IOWR('C', 1, struct carrel_ioc_create)
#define CARREL_IOC_ADD		_IOW('C', 2, struct carrel_ioc_add)
#define CARREL_IOC_INIT		_IOR('C', 3, struct carrel_ioc_init)
#define CARREL_IOC_INFO		_IOWR('C', 4, struct carrel_ioc_info)
#define CARREL_IOC_LOG		_IOWR('C', 5, struct carrel_ioc_log)
#define CARREL_IOC_PUBLIC	_IOWR('C', 6, struct carrel_ioc_public)
#define CARREL_IOC_RESEAL	_IOW('C', 7, struct carrel_ioc_reseal)

/*
 * errno of these calls: ENODEV no Carrel beneath this kernel; EPROTO ABI
 * versions differ; EINVAL an argument; EBUSY already created; ENOMEM no 2 MiB
 * of contiguous memory to donate, or the limit of the cgroup or of
 * RLIMIT_MEMLOCK; ENOSPC a table of the hypervisor is full; ETIMEDOUT a CPU
 * does not pay its flush; EPERM CARREL_CREATE_DMA was asked for and DMA is not
 * protected, or an IOMMU failed, or CAP_SYS_ADMIN is missing; ENOKEY the launch is
 * unmeasured, so there are no keys; EBADMSG the update key did not sign the
 * request; EINTR the task is being killed; EIO the hypervisor refused (the
 * kernel log names the code).
 */
#endif
