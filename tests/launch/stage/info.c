/* SPDX-License-Identifier: BSD-2-Clause */
/* The loader's information, multiboot 1 or 2: taken, and given to the next kernel. */
#include "stage.h"

#define MB1_MAGIC	0x2BADB002U
#define MB2_MAGIC	0x36D76289U
#define MB1_SIZE	116U
#define MB1_HAS_LINE	(1U << 2)
#define MB1_HAS_MODULES	(1U << 3)
#define MB1_HAS_MAP	(1U << 6)
#define BLOCK_SIZE	(256 * 1024U)

enum { TAG_END = 0, TAG_LINE = 1, TAG_MODULE = 3, TAG_MAP = 6, TAG_RSDP1 = 14, TAG_RSDP2 = 15 };

struct info info;

/* What is given. Of multiboot 2, all tags; of multiboot 1, what the structure leads to. */
static u8 block[BLOCK_SIZE] __attribute__((aligned(4096)));
static u8 taken[BLOCK_SIZE] __attribute__((aligned(8)));
static u32 used;

static void take_line(char line[LINE_SIZE], u32 from)
{
	line[0] = '\0';
	add_text(line, (const char *)from);
}

static void take_module(u32 base, u32 end, u32 line)
{
	struct module *module = &info.module[info.modules];

	if (info.modules++ == MODULES_MAX)
		fail("too many modules");
	module->base = base;
	module->end = end;
	take_line(module->line, line);
}

static void take_range(u32 from)
{
	struct range *range = &info.range[info.ranges];

	if (info.ranges++ == RANGES_MAX)
		fail("too many ranges of memory");
	range->base = get64(from);
	range->end = range->base + get64(from + 8);
	range->type = get32(from + 16);
}

static void take1(void)
{
	u32 map, end;

	copy(taken, (void *)info.from, MB1_SIZE);
	if (!(get32(info.from) & MB1_HAS_MAP))
		fail("the loader gives no memory map");
	take_line(info.line, get32(info.from + 16));
	for (u32 i = 0; i < get32(info.from + 20); i++) {
		u32 at = get32(info.from + 24) + 16 * i;

		take_module(get32(at), get32(at + 4), get32(at + 8));
	}
	map = get32(info.from + 48);
	end = map + get32(info.from + 44);
	for (u32 at = map; at < end; at += 4 + get32(at))
		take_range(at + 4);
}

/* The tags' copy stays: those of other kinds are given as they are. */
static void take2(void)
{
	u32 size = get32(info.from), at;

	if (size > BLOCK_SIZE)
		fail("the loader's information is too long");
	copy(taken, (void *)info.from, size);
	for (at = (u32)taken + 8; get32(at) != TAG_END; at += ROUND_UP(get32(at + 4), 8)) {
		u32 type = get32(at), end = at + get32(at + 4);

		if (type == TAG_LINE)
			take_line(info.line, at + 8);
		if (type == TAG_MODULE)
			take_module(get32(at + 8), get32(at + 12), at + 16);
		for (u32 e = at + 16; type == TAG_MAP && e < end; e += get32(at + 8))
			take_range(e);
		if (type == TAG_RSDP1 || type == TAG_RSDP2)
			info.rsdp = at + 8;
	}
}

/* ACPI specification, "Finding the RSDP on IA-PC Systems"; QEMU's firmware puts it here. */
static void search_rsdp(void)
{
	for (u32 at = 0xE0000; !info.rsdp && at < 0x100000; at += 16)
		if (same((void *)at, "RSD PTR ", 8))
			info.rsdp = at;
}

void info_take(u32 magic, u32 from)
{
	info.magic = magic;
	info.from = from;
	if (magic == MB1_MAGIC)
		take1();
	else if (magic == MB2_MAGIC)
		take2();
	else
		fail("not started by a multiboot loader");
	if (magic == MB1_MAGIC)
		search_rsdp();
}

static void add_range(u64 base, u64 end, u32 type)
{
	if (base >= end)
		return;
	if (info.ranges == RANGES_MAX)
		fail("too many ranges of memory");
	info.range[info.ranges++] = (struct range){ base, end, type };
}

/* The range becomes `type`, whatever it was. */
void info_reserve(u64 base, u64 end, u32 type)
{
	u32 count = info.ranges;

	for (u32 i = 0; i < count; i++) {
		struct range *range = &info.range[i], old = *range;

		if (old.end <= base || old.base >= end)
			continue;
		range->end = old.base < base ? base : old.base;	/* may be empty now */
		add_range(end, old.end, old.type);
	}
	add_range(base, end, type);
}

static u32 room(u32 size)
{
	u32 at = (u32)block + used;

	if (used + ROUND_UP(size, 8) > BLOCK_SIZE)
		fail("the information for the next kernel is too long");
	used += ROUND_UP(size, 8);
	return at;
}

static u32 give_text(const char *text)
{
	u32 at = room(length(text) + 1);

	copy((void *)at, text, length(text) + 1);
	return at;
}

static u32 give_range(u32 at, const struct range *range)
{
	put64(at, range->base);
	put64(at + 8, range->end - range->base);
	put32(at + 16, range->type);
	return range->base < range->end;
}

static u32 give1(void)
{
	u32 head = room(MB1_SIZE), list = room(16 * info.modules), map;

	copy((void *)head, taken, MB1_SIZE);
	put32(head, get32(head) | MB1_HAS_LINE | MB1_HAS_MODULES | MB1_HAS_MAP);
	put32(head + 16, give_text(info.module[0].line));
	put32(head + 20, info.modules - 1);
	put32(head + 24, list);
	for (u32 i = 1; i < info.modules; i++, list += 16) {
		put32(list, info.module[i].base);
		put32(list + 4, info.module[i].end);
		put32(list + 8, give_text(info.module[i].line));
		put32(list + 12, 0);
	}
	map = room(24 * info.ranges);
	put32(head + 48, map);
	for (u32 i = 0; i < info.ranges; i++) {
		put32(map, 20);
		map += give_range(map + 4, &info.range[i]) ? 24 : 0;
	}
	put32(head + 44, map - get32(head + 48));
	return head;
}

static u32 give_tag(u32 type, u32 size)
{
	u32 at = room(size);

	put32(at, type);
	put32(at + 4, size);
	return at;
}

static void give_others(void)
{
	for (u32 at = (u32)taken + 8; get32(at) != TAG_END; at += ROUND_UP(get32(at + 4), 8)) {
		u32 type = get32(at), size = get32(at + 4);

		if (type != TAG_LINE && type != TAG_MODULE && type != TAG_MAP)
			copy((void *)room(size), (void *)at, size);
	}
}

static u32 give2(void)
{
	u32 head = room(8), at;

	for (u32 i = 0; i < info.modules; i++) {
		const struct module *module = &info.module[i];
		u32 before = i ? 16 : 8;

		at = give_tag(i ? TAG_MODULE : TAG_LINE, before + length(module->line) + 1);
		if (i) {
			put32(at + 8, module->base);
			put32(at + 12, module->end);
		}
		copy((void *)(at + before), module->line, length(module->line) + 1);
	}
	at = give_tag(TAG_MAP, 16 + 24 * info.ranges);
	put32(at + 8, 24);
	put32(at + 12, 0);
	for (u32 i = 0, entry = at + 16; i < info.ranges; i++) {
		entry += give_range(entry, &info.range[i]) ? 24 : 0;
		put32(at + 4, entry - at);
	}
	used = at + get32(at + 4) - (u32)block;
	give_others();
	give_tag(TAG_END, 8);
	put32(head, used);
	put32(head + 4, 0);
	return head;
}

/* Module 0 is the next kernel: its line is the command line, the others are its modules. */
u32 info_give(void)
{
	return info.magic == MB1_MAGIC ? give1() : give2();
}
