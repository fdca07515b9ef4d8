/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Included ahead of newlib's printf files (and of nothing else), so that snprintf and vsnprintf
 * need no heap, no global state and no locale tables, and are safe on any CPU at any time.
 * Newlib's own headers come first: their include guards keep them from undoing what follows.
 */
#include <locale.h>
#include <reent.h>
#include <stdio.h>

/*
 * The flags of a string that grows by malloc (asprintf, asnprintf). Neither is built here, so
 * no stream has them; as constants they let the compiler drop every call of the allocator.
 */
#undef __SMBF
#define __SMBF 0
#undef __SOPT
#define __SOPT 0

/* Only errno in it is ever written: a fresh one a call is cheaper and safer than a shared one. */
#undef _REENT
#define _REENT (&(struct _reent){ ._errno = 0 })

/* Asked for by the ' flag alone; the C locale separates nothing. */
static inline struct lconv *carrel_c_locale(void)
{
	static struct lconv c = { .thousands_sep = "", .grouping = "" };

	return &c;
}
#define _localeconv_r(reent) carrel_c_locale()

/* Newlib builds vfprintf.c twice; snprintf is to use the build without floating point. */
#define _svfprintf_r _svfiprintf_r
