/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes, words, and what is said to the rig by the debug port. */
#include "stage.h"

#define DEBUG_PORT	0xE9
#define RESET_PORT	0xCF9

/* Every name that a description may have: see description.md. */
static const char *const names[] = {
	"event", "extend", "unit", "dmar", "rmrr", "opens", "scope", "others", "modules", "extra",
	"flip", "late", "tboot", "tboots", "copied", "plain", "mdr", "reg", "page", "bios", "osmle",
	"ossinit", "sinitmle", "bios.size", "osmle.size", "ossinit.size", "sinitmle.size",
};

void say(const char *text)
{
	while (*text)
		outb(DEBUG_PORT, *text++);
}

static char digit(u32 value)
{
	return "0123456789abcdef"[value & 15];
}

void say_hex(u32 value)
{
	for (int shift = 28; shift >= 0; shift -= 4)
		outb(DEBUG_PORT, digit(value >> shift));
}

void fail(const char *why)
{
	say("failed: ");
	say(why);
	say("\n");
	outb(RESET_PORT, 6);
	for (;;)
		asm volatile("cli; hlt");
}

u32 length(const char *text)
{
	u32 n = 0;

	while (text[n])
		n++;
	return n;
}

void copy(void *to, const void *from, u32 size)
{
	asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
}

void clear(void *to, u32 size)
{
	asm volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(0) : "memory");
}

/* The compiler makes calls of these. */
void *memcpy(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);

void *memcpy(void *to, const void *from, size_t size)
{
	copy(to, from, size);
	return to;
}

void *memset(void *to, int value, size_t size)
{
	void *at = to;

	asm volatile("rep stosb" : "+D"(at), "+c"(size) : "a"(value) : "memory");
	return to;
}

bool same(const void *a, const void *b, u32 size)
{
	const u8 *x = a, *y = b;

	while (size && *x == *y) {
		x++;
		y++;
		size--;
	}
	return !size;
}

void add_text(char line[LINE_SIZE], const char *text)
{
	u32 at = length(line);

	if (at + length(text) >= LINE_SIZE)
		fail("a command line is too long");
	copy(line + at, text, length(text) + 1);
}

void add_hex(char line[LINE_SIZE], u32 value)
{
	char text[11] = "0x00000000";

	for (int i = 9; i >= 2; i--, value >>= 4)
		text[i] = digit(value);
	add_text(line, text);
}

u64 now(void)
{
	u32 low, high;

	asm volatile("rdtsc" : "=a"(low), "=d"(high));
	return low | (u64)high << 32;
}

static u64 number(const char **at)
{
	u64 value = 0;

	for (;; (*at)++) {
		char c = **at;

		if (c >= '0' && c <= '9')
			value = value << 4 | (u32)(c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value << 4 | (u32)(c - 'a' + 10);
		else
			return value;
	}
}

static const char *next_word(const char *at)
{
	while (*at && *at != ' ')
		at++;
	while (*at == ' ')
		at++;
	return at;
}

u64 option(const char *name, u64 otherwise)
{
	u32 size = length(name);

	for (const char *at = info.line; *at; at = next_word(at)) {
		const char *value = at + size + 1;

		if (same(at, name, size) && at[size] == '=')
			return number(&value);
	}
	return otherwise;
}

void each_option(const char *name, void (*use)(u32 offset, u64 value))
{
	u32 size = length(name);

	for (const char *at = info.line; *at; at = next_word(at)) {
		const char *value = at + size + 1;
		u32 offset;

		if (!same(at, name, size) || at[size] != '+')
			continue;
		offset = (u32)number(&value);
		if (*value++ != '=')
			fail("an offset of the description has no value");
		use(offset, number(&value));
	}
}

static bool is_known(const char *word)
{
	for (u32 i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		u32 size = length(names[i]);

		if (same(word, names[i], size) && (word[size] == '=' || word[size] == '+'))
			return true;
	}
	return false;
}

void check_options(void)
{
	for (const char *at = info.line; *at; at = next_word(at))
		if (!is_known(at))
			fail("the description has a name that the stage does not know");
}
