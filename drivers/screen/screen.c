/* SPDX-License-Identifier: BSD-2-Clause */
/* Text goes out character by character on a screen wiped first, from the top and round. */
#include <string.h>

#include <base/bytes.h>
#include <drivers/screen/font.h>
#include <drivers/screen/screen.h>

#define CELL_WIDTH	8U
#define CELL_HEIGHT	16U	/* each row of the font twice */
#define TEXT_BLANK	0x0720	/* space, light grey on black */

const struct framebuffer screen_vga_text = {
	.kind = FRAMEBUFFER_TEXT, .base = 0xB8000, .pitch = 160, .width = 80, .height = 25,
};

static struct framebuffer fb;		/* kind NONE: write nowhere */
static u32 columns, lines;
static u32 column, line;
static u32 white;

/* Of characters or of pixels. */
static u8 *row(u32 y)
{
	return (u8 *)phys(fb.base) + (u64)y * fb.pitch;
}

static void clear_line(void)
{
	if (fb.kind == FRAMEBUFFER_TEXT) {
		for (u32 x = 0; x < columns; x++)
			((volatile u16 *)row(line))[x] = TEXT_BLANK;
		return;
	}
	for (u32 y = 0; y < CELL_HEIGHT; y++)
		memset(row(line * CELL_HEIGHT + y), 0, fb.width * ((fb.bpp + 7U) / 8));
}

static void next_line(void)
{
	column = 0;
	line = (line + 1) % lines;
	clear_line();
}

void screen_use(const struct framebuffer *screen)
{
	memset(&fb, 0, sizeof(fb));
	if (!screen)
		return;
	columns = screen->width;
	lines = screen->height;
	if (screen->kind == FRAMEBUFFER_RGB) {
		columns /= CELL_WIDTH;
		lines /= CELL_HEIGHT;
		white = 0;
		for (unsigned int i = 0; i < ARRAY_SIZE(screen->colour); i++)
			white |= (u32)((BIT(screen->colour[i].size) - 1) << screen->colour[i].at);
	}
	if (!columns || !lines)
		return;
	fb = *screen;
	line = 0;
	for (u32 y = 0; y < lines; y++)
		next_line();
}

static void text_put(char c)
{
	((volatile u16 *)row(line))[column] = (TEXT_BLANK & 0xFF00) | (u8)c;
}

static void pixel_put(char c)
{
	u64 glyph = font[c - FONT_FIRST];
	u32 bytes = (fb.bpp + 7U) / 8;

	for (u32 y = 0; y < CELL_HEIGHT; y++) {
		u8 bits = (u8)(glyph >> (y / 2 * 8));
		u8 *to = row(line * CELL_HEIGHT + y) + (u64)column * CELL_WIDTH * bytes;

		for (u32 x = 0; x < CELL_WIDTH; x++, to += bytes) {
			u32 colour = bits & (0x80U >> x) ? white : 0;

			if (bytes == 4)
				put32(to, colour);
			else
				memcpy(to, &colour, bytes);
		}
	}
}

static void put(char c)
{
	if (c == '\n' || column == columns)
		next_line();
	if (c == '\n')
		return;
	if (c < FONT_FIRST || c > FONT_LAST)
		c = ' ';
	if (fb.kind == FRAMEBUFFER_TEXT)
		text_put(c);
	else
		pixel_put(c);
	column++;
}

static void screen_write(const char *text, size_t length)
{
	for (size_t i = 0; i < length && fb.kind != FRAMEBUFFER_NONE; i++)
		put(text[i]);
}

const struct console screen_console = { .write = screen_write };
