/* SPDX-License-Identifier: BSD-2-Clause */
/* What tboot tells the kernel that it starts: a word of the command line, and a shared page. */
#include <drivers/drtm/drtm.h>

#include <string.h>

#define WORD		"tboot="
#define WORD_SIZE	(sizeof(WORD) - 1)
#define VERSION		6U

/* Packed, version 6. */
#define SHARED_VERSION	0x10
#define SHARED_LOG	0x14
#define SHARED_ENTRY	0x18
#define SHARED_BASE	0x68
#define SHARED_SIZE	0x6C
#define SHARED_FLAGS	0x238
#define SHARED_WAKE	0x23C
#define SHARED_TRIGGER	0x244
static_assert(SHARED_TRIGGER + 4 == TBOOT_SHARED_SIZE, "the shared page of version 6");

/* {663C8DFF-E8B3-4b82-AABF-19EA4D057A08} */
static const u8 uuid[16] = {
	0xFF, 0x8D, 0x3C, 0x66, 0xB3, 0xE8, 0x82, 0x4B, 0xBF, 0xAA, 0x19, 0xEA, 0x4D, 0x05, 0x7A, 0x08,
};

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The digits of a word, behind 0x or without. What has more bits than 32 is high, however long. */
static enum launch_check parse(u64 *value, const char *word, size_t length)
{
	size_t at = length > 2 && word[0] == '0' && (word[1] | 0x20) == 'x' ? 2 : 0;

	*value = 0;
	if (at == length)
		return LAUNCH_BAD_WORD;
	for (; at < length; at++) {
		int next = digit(word[at]);

		if (next < 0)
			return LAUNCH_BAD_WORD;
		*value = min_u64(*value << 4 | (u64)next, BIT(32));
	}
	return LAUNCH_GOOD;
}

/* tboot puts its word behind all others, so only the last one can be its own. */
enum launch_check tboot_word(struct launch_tboot *tboot, const char *line)
{
	enum launch_check check = LAUNCH_NO_WORD;
	u64 page = 0;

	*tboot = (struct launch_tboot){ 0 };
	for (;;) {
		size_t length;

		line += strspn(line, " \t");
		length = strcspn(line, " \t");
		if (!length)
			break;
		if (length >= WORD_SIZE && !memcmp(line, WORD, WORD_SIZE)) {
			tboot->words++;
			check = parse(&page, line + WORD_SIZE, length - WORD_SIZE);
		}
		line += length;
	}
	if (check)
		return check;
	if (!page || page >= BIT(32))
		return LAUNCH_PAGE_HIGH;
	tboot->page = (u32)page;
	return IS_ALIGNED(page, PAGE_SIZE) ? LAUNCH_GOOD : LAUNCH_PAGE_UNALIGNED;
}

enum launch_check tboot_copy(const struct launch_tboot *tboot, u8 *to, u64 reach,
			     bool (*reserved)(const void *map, u64 base, u64 size),
			     const void *map)
{
	struct bytes page = bytes_phys(tboot->page, PAGE_SIZE, reach);

	if (!page.at)
		return LAUNCH_PAGE_HIGH;
	if (!reserved(map, tboot->page, PAGE_SIZE))
		return LAUNCH_PAGE_RAM;
	memcpy(to, page.at, TBOOT_SHARED_SIZE);
	return LAUNCH_GOOD;
}

enum launch_check tboot_parse(struct launch_tboot *tboot, const u8 *copy,
			      struct launch_range own)
{
	u64 base = get32(copy + SHARED_BASE), end = base + get32(copy + SHARED_SIZE);

	if (memcmp(copy, uuid, sizeof(uuid)))
		return LAUNCH_PAGE_UUID;
	tboot->version = get32(copy + SHARED_VERSION);
	if (tboot->version != VERSION)
		return LAUNCH_PAGE_VERSION;
	tboot->log = get32(copy + SHARED_LOG);
	tboot->shutdown_entry = get32(copy + SHARED_ENTRY);
	tboot->flags = get32(copy + SHARED_FLAGS);
	tboot->ap_wake_addr = get32(copy + SHARED_WAKE);
	tboot->ap_wake_trigger = get32(copy + SHARED_TRIGGER);
	tboot->range = (struct launch_range){ base, end };
	if (base >= end || end > BIT(32))
		return LAUNCH_PAGE_RANGE;
	if (tboot->shutdown_entry < base || tboot->shutdown_entry >= end)
		return LAUNCH_PAGE_ENTRY;
	return base < own.end && own.base < end ? LAUNCH_PAGE_OVERLAP : LAUNCH_GOOD;
}
