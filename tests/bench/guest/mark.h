/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Marks: an instruction that does nothing on any machine, and at which counter.c tells what it has
 * counted. One number a place.
 */
#ifndef MARK_H
#define MARK_H

#define MARK		0x43420000
#define MARK_NUMBER	0x0000FFFF

#define MARK_HANDOVER	1	/* GRUB's hand-over; found by its code, not by a nopl */
#define MARK_INIT	2	/* the first instruction of /init */
#define MARK_BEGIN	3	/* what is counted begins ... */
#define MARK_END	4	/* ... and ends here */
#define MARK_SPAWN	5	/* before fork */
#define MARK_MAIN	6	/* the first instruction of main in a program that was started */
#define MARK_REAPED	7	/* after wait */

#ifdef __ASSEMBLER__
#define MARK_HERE(number)	nopl MARK + number(%rax)
#else
#define MARK_TEXT_(x)		#x
#define MARK_TEXT(x)		MARK_TEXT_(x)
#define MARK_HERE(number)	__asm__ volatile("nopl " MARK_TEXT(MARK) "+" MARK_TEXT(number) \
						 "(%%rax)" : : : "memory")
#endif

#endif
