/* SPDX-License-Identifier: BSD-2-Clause */
/* The screen as a console: VGA text, or a linear framebuffer with a font of 8 by 16 pixels. */
#ifndef DRIVERS_SCREEN_SCREEN_H
#define DRIVERS_SCREEN_SCREEN_H

#include <base/framebuffer.h>
#include <base/log.h>

/*
 * Write on `screen` from now on, through phys(), which must reach all of it; NULL: write
 * nowhere (as soon as Linux owns the screen). The first line clears a framebuffer's line,
 * not its screen.
 */
void screen_use(const struct framebuffer *screen);

/* Nothing is drawn for what is neither a newline nor printable ASCII but a space's width. */
extern const struct console screen_console;

/* The text screen of a PC whose loader says nothing about it. */
extern const struct framebuffer screen_vga_text;

#endif
