/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stage plays a dynamic launch by tboot on a machine that has no TXT: what Carrel
 * finds afterwards (registers, heap, shared page, PCRs, loader's information) is as
 * SENTER, SINIT and tboot leave it, or is wrong in the way that the description says.
 *
 * Manuals: "TXT" is the Intel TXT Software Development Guide (315168), "PTP" the TCG
 * PC Client Platform TPM Profile, "TPM2" the TPM 2.0 Library, part 3 for commands.
 */
#ifndef STAGE_H
#define STAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define LINE_SIZE	2048U
#define MODULES_MAX	40U
#define RANGES_MAX	128U
#define PAGE_SIZE	4096U
#define MIB		0x100000U
#define UNIT_BASE	0xFED3E000U	/* the rig's remapping unit: registers.c */
#define ROUND_UP(x, to)	(((x) + (to) - 1) & ~((to) - 1))

enum { RAM = 1, RESERVED = 2, UNUSABLE = 5 };	/* of the memory map */

struct module {
	u32 base, end;
	char line[LINE_SIZE];
};

struct range {
	u64 base, end;
	u32 type;
};

/* What the loader said, copied; changed by the launch; said again to the next kernel. */
struct info {
	u32 magic, from;		/* as the loader gave them */
	char line[LINE_SIZE];		/* the stage's own command line: the description */
	u32 modules;
	struct module module[MODULES_MAX];
	u32 ranges;
	struct range range[RANGES_MAX];
	u32 rsdp;
};

extern struct info info;
extern u8 stage_begin[], stage_end[];

/* Where the launch has put things. */
struct places {
	u32 dpr, dpr_end;		/* protected from DMA: SINIT and the heap */
	u32 sinit, sinit_size, heap, heap_size;
	u32 page;			/* tboot's shared page */
	u32 low_end;			/* of protected RAM below 4 GiB, in units of 2 MiB */
	u64 ram_end;
};

extern struct places places;

/* text.c */
void say(const char *text);
void say_hex(u32 value);
void fail(const char *why) __attribute__((noreturn));
u32 length(const char *text);
void copy(void *to, const void *from, u32 size);
void clear(void *to, u32 size);
bool same(const void *a, const void *b, u32 size);
void add_text(char line[LINE_SIZE], const char *text);
void add_hex(char line[LINE_SIZE], u32 value);
u64 now(void);
/*
 * The description, NAME=VALUE in hexadecimal: the first of that name or `otherwise`,
 * and calls of `use` for every NAME+OFFSET=VALUE.
 */
u64 option(const char *name, u64 otherwise);
void each_option(const char *name, void (*use)(u32 offset, u64 value));
/* Stops if a word of the description is none that the stage knows. */
void check_options(void);

/* info.c */
void info_take(u32 magic, u32 from);
void info_reserve(u64 base, u64 end, u32 type);
u32 info_give(void);

/* heap.c */
void heap_build(void);
void page_build(void);

/* registers.c */
void registers_open(void);
void registers_set(void);
void event(void);

/* tpm.c: at locality 2 */
void pcr_extend(u32 pcr, const u8 digest[32]);

/* sha256.c */
struct sha256 {
	u32 state[8];
	u64 size;
	u8 part[64];
};
void sha256_begin(struct sha256 *hash);
void sha256_add(struct sha256 *hash, const void *data, u32 size);
void sha256_end(struct sha256 *hash, u8 digest[32]);
void sha256(const void *data, u32 size, u8 digest[32]);

/* start.S */
void enter(u32 entry, u32 magic, u32 from) __attribute__((noreturn));

static inline u32 get32(u32 at)
{
	return *(const volatile u32 *)at;
}

static inline u64 get64(u32 at)
{
	return get32(at) | (u64)get32(at + 4) << 32;
}

static inline void put32(u32 at, u32 value)
{
	*(volatile u32 *)at = value;
}

static inline void put64(u32 at, u64 value)
{
	put32(at, (u32)value);
	put32(at + 4, value >> 32);
}

static inline void outb(u16 port, u8 value)
{
	asm volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline void outl(u16 port, u32 value)
{
	asm volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

static inline u32 inl(u16 port)
{
	u32 value;

	asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

#endif
