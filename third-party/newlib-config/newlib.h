/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The choices newlib's configure script would record, made by hand: one thread of control that
 * knows no locale, no wide characters and no streams. Every file of newlib includes this header.
 */
#ifndef CARREL_NEWLIB_H
#define CARREL_NEWLIB_H

/* %zu, %jd, %td and %hhx, and %lld: without these printf misreads the arguments behind them. */
#define _WANT_IO_C99_FORMATS 1
#define _WANT_IO_LONG_LONG 1

/* struct _reent without the stream and time buffers: snprintf keeps one on its stack. */
#define _WANT_REENT_SMALL 1

/* Characters are bytes. */
#define _MB_LEN_MAX 1

#endif
