/* SPDX-License-Identifier: BSD-2-Clause */
/* The screen as the loader left it: boot finds it, a driver writes on it, Linux inherits it. */
#ifndef HV_BASE_FRAMEBUFFER_H
#define HV_BASE_FRAMEBUFFER_H

#include "types.h"

enum framebuffer_kind { FRAMEBUFFER_NONE, FRAMEBUFFER_TEXT, FRAMEBUFFER_RGB };

struct framebuffer {
	enum framebuffer_kind kind;
	u64 base;		/* physical address */
	u32 pitch;		/* bytes a line, at least what the width needs */
	u32 width, height;	/* pixels, or characters for TEXT; not 0 */
	u8 bpp;			/* RGB: bits a pixel, 15 to 32 */
	struct framebuffer_colour { u8 at, size; } colour[3];	/* bits of a pixel: R, G, B */
};

#endif
