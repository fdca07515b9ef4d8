/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parts of `work` share. Every number it prints is a count of instructions or events. */
#ifndef WORK_H
#define WORK_H

#include <stdbool.h>
#include <stdint.h>
#include "mark.h"
#include "tsc.h"

#define BATCHES		9

/* exits.c: exits of all CPUs since the machine began, without those of the question itself. */
void exits_open(void);
uint64_t exits_now(void);		/* 0 where there is no Carrel */

/* operations.c: BATCHES batches of each operation. */
int operations(void);
/* cpuid.c: CPUID, leaf by leaf. */
#define LEAVES	13
int leaves(void);
void cpuid(unsigned int leaf, unsigned int times);	/* leaf: from 0 to LEAVES - 1 */
/* spin.c: interruptions of a program that only computes. */
int spin(unsigned int interruptions);
int ticks(void);
/* call.c: system calls one by one, from the first on. */
int calls(unsigned int number);
/* start.c: a program from fork to its main, and to its end. */
int start(char **argv);
int around(char **argv);
/* fetch.c: a web server's client. */
int fetch(unsigned int port, const char *path, unsigned int times);
/* inside.c: what costs a protected program more. */
int inside(void);
void traced_inside(void);
/* traced.c: each a window in which Bochs writes down every instruction. */
void trace(void);			/* begins or ends a window */
void traced_leaves(void);
void traced_calls(void);
void traced_spin(void);

_Noreturn void die(const char *what);

#endif
