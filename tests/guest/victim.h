/* SPDX-License-Identifier: BSD-2-Clause */
/* What victim.c and spin.S share: the words that the registers hold. */
#ifndef VICTIM_H
#define VICTIM_H

#define GENERAL		15	/* every general register but RSP */
#define MMX		8
#define VECTORS		16
#define VECTOR_WORDS	4	/* YMM; XMM uses the first two */

#ifndef __ASSEMBLER__
#include <stdint.h>

extern uint64_t spin_general[GENERAL];
extern uint64_t spin_mmx[MMX], spin_mmx_after[MMX];
extern uint64_t spin_vectors[VECTORS][VECTOR_WORDS], spin_vectors_after[VECTORS][VECTOR_WORDS];
extern uint64_t spin_errors;	/* registers that were found changed */
extern uint32_t spin_avx;	/* not 0: use YMM */
extern const char spin_patch[];	/* eight bytes of NOP in the loop */

/* Hold the words in the registers until standard input has something to read. */
void spin(void);
#endif
#endif
