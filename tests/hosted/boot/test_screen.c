/* SPDX-License-Identifier: BSD-2-Clause */
#include <drivers/screen/font.h>
#include <drivers/screen/screen.h>

#include "test.h"

static char *text_row(u32 y)
{
	static char row[81];

	for (u32 x = 0; x < 80; x++)
		row[x] = *(char *)phys(0xB8000 + y * 160 + x * 2);
	return row;
}

static void write_text(const char *text)
{
	screen_console.write(text, strlen(text));
}

static void test_text(void)
{
	u16 *cells = (u16 *)memory_add(0xB8000, 4000);

	memory_add(0xB8000, 4000);
	for (u32 i = 0; i < 2000; i++)
		cells[i] = 0x0700 | '>';
	screen_use(&screen_vga_text);
	for (u32 y = 0; y < 25; y++)
		CHECK_EQ(strspn(text_row(y), " "), 80);
	write_text("first\nsecond\tline\n");
	CHECK(!strncmp(text_row(0), "first  ", 7));
	CHECK(!strncmp(text_row(1), "second line", 11));
	CHECK_EQ(get16(phys(0xB8000 + 160)), 0x0700 | 's');
	CHECK_EQ(strspn(text_row(2), " "), 80);
	write_text("0123456789012345678901234567890123456789012345678901234567890123456789012345678901");
	CHECK(!strncmp(text_row(2), "01234567890", 11));
	CHECK(!strncmp(text_row(3), "01 ", 3));
	for (u32 y = 4; y < 26; y++)
		write_text("\nround");
	CHECK(!strncmp(text_row(0), "round  ", 7));	/* and wiped first */
	CHECK(!strncmp(text_row(1), "second line", 11));
	screen_use(NULL);
	write_text("\nnot here\n");
	CHECK(!strncmp(text_row(1), "second line", 11));
}

/* The framebuffer ends where its last page does, so that a dot too far is a fault. */
static void test_pixels(u8 bpp)
{
	u32 bytes = (bpp + 7) / 8, pitch = 100 * bytes + 12, size = pitch * 40;
	u64 base = 0x80000000 + ALIGN_UP(size, PAGE_SIZE) - size;
	const struct framebuffer fb = { FRAMEBUFFER_RGB, base, pitch, 100, 40, bpp,
					{ { 10, 5 }, { 5, 5 }, { 0, 5 } } };
	u32 white = 0x7FFF, dots = 0, strange = 0;

	memset(memory_add(base, size), 0x55, size);
	screen_use(&fb);
	write_text("\nA");
	for (u32 y = 0; y < 16; y++)
		for (u32 x = 0; x < 8; x++) {
			u32 pixel = 0, want;

			memcpy(&pixel, (u8 *)phys(base + (16 + y) * pitch + x * bytes), bytes);
			want = font['A' - ' '] >> (y / 2 * 8 + 7 - x) & 1 ? white : 0;
			dots += pixel == white;
			strange += pixel != want;
		}
	CHECK_EQ(strange, 0);
	CHECK(dots > 20);
	/* long lines and many: 12 columns, 2 lines */
	for (u32 i = 0; i < 10; i++)
		write_text("The quick brown fox jumps over the lazy dog ~}|{\x80\xFF\x01\n");
	write_text("\n\n");	/* both lines are black now, to the last dot */
	dots = 0;
	for (u32 y = 0; y < 32; y++)
		for (u32 i = 0; i < 100 * bytes; i++)
			dots += *(u8 *)phys(base + y * pitch + i) != 0;
	CHECK_EQ(dots, 0);
	/* the bytes between the end of a row and the next are not the screen's */
	CHECK_EQ(*(u8 *)phys(base + 100 * bytes), 0x55);
	CHECK_EQ(*(u8 *)phys(base + pitch - 1), 0x55);
	screen_use(NULL);
}

static void test_32(void) { test_pixels(32); }
static void test_24(void) { test_pixels(24); }
static void test_16(void) { test_pixels(16); }
static void test_15(void) { test_pixels(15); }

static void test_too_small(void)
{
	struct framebuffer fb = { FRAMEBUFFER_RGB, 0x80000000, 28, 7, 40, 32,
				  { { 16, 8 }, { 8, 8 }, { 0, 8 } } };

	screen_use(&fb);
	write_text("nowhere\n");
	fb.width = 100;
	fb.height = 15;
	screen_use(&fb);
	write_text("nowhere\n");
	screen_use(NULL);
}

static void test_font(void)
{
	for (int c = FONT_FIRST; c <= FONT_LAST; c++) {
		CHECK((font[c - FONT_FIRST] != 0) == (c != ' '));
		CHECK((font[c - FONT_FIRST] & 0x8181818181818181) == 0);	/* columns apart */
		for (int d = FONT_FIRST; d < c; d++)
			CHECK(font[c - FONT_FIRST] != font[d - FONT_FIRST]);
	}
}

const struct test screen_tests[] = {
	{ "screen: VGA text, from the top and round", test_text },
	{ "screen: 32 bits a pixel", test_32 },
	{ "screen: 24 bits a pixel", test_24 },
	{ "screen: 16 bits a pixel", test_16 },
	{ "screen: 15 bits a pixel", test_15 },
	{ "screen: too small for a character", test_too_small },
	{ "screen: every character is there and different", test_font },
	{ 0 }
};
