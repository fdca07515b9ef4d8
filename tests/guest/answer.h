/* SPDX-License-Identifier: BSD-2-Clause */
/* What the library of tests/guest/linked.c answers. */
#ifndef GUEST_ANSWER_H
#define GUEST_ANSWER_H

#define ANSWER_RIGHT	0x1badcafe	/* the library */
#define ANSWER_CHANGED	0x1badbad0	/* the library after the attacker changed it */
#define ANSWER_FORGED	0x1badf00d	/* another library with the same function */

#ifndef __ASSEMBLER__
unsigned long answer(void);
#endif

#endif
