/* SPDX-License-Identifier: BSD-2-Clause */
/* A host bridge with its ports and ECAM, and a guest of one CPU that uses them. */
#ifndef TEST_PCI_MODEL_H
#define TEST_PCI_MODEL_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <core/cpu.h>
#include <core/pci.h>
#include <core/policy.h>
#include <core/stats.h>
#include <core/store.h>

#define CHECK(condition) check((condition), __FILE__, __LINE__, #condition)
#define CHECK_EQ(a, b) check_eq((u64)(a), (u64)(b), __FILE__, __LINE__, #a " == " #b)
void check(bool good, const char *file, int line, const char *what);
void check_eq(u64 a, u64 b, const char *file, int line, const char *what);
extern bool test_failed;

struct test {
	const char *name;
	void (*run)(void);
};
extern const struct test ports_tests[], ecam_tests[], store_tests[];

#define GUARDED		0x00C3U		/* 00:18.3 */
#define FREE		0x00C4U		/* 00:18.4, in the same byte of a bitmap */
#define ECAM_BASE	0x10000000UL
#define ADDRESS(function, reg)	(0x80000000U | (function) << 8 | (reg))

/* A machine with the configuration of GUARDED and FREE, the first guarded; `ecam`: segment 0
 * has a window. pci.c begins anew with each process, so each test is one. */
void model_start(bool ecam);

u8 *config(u16 function);		/* 4 KiB: byte i is i + i / 256, or as it was written */
bool config_same(u16 function);		/* is it still? */
extern u32 model_address;		/* CF8h of the hardware */
extern u8 model_port[0x10000];		/* last bytes written to ports that are not PCI's */

/* What the guest does, by an exit where the bitmap asks for one. True: there was one. */
bool guest_out(u16 port, u8 size, u32 value);
bool guest_in(u16 port, u8 size, u32 *value);
bool guest_exits(u16 port, u8 size);

extern struct cpu guest;
extern struct vt_regs guest_regs;
extern u64 guest_rip, guest_rsp;
extern unsigned int guest_injected;	/* vector + 1 */
extern u8 guest_code[16];
extern unsigned int guest_code_size;
extern unsigned int guest_lines;	/* in the log */
extern bool machine_ended;

#endif
