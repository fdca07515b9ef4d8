/* SPDX-License-Identifier: BSD-2-Clause */
/* What SENTER, SINIT and tboot do, in their order. description.md tells what can be varied. */
#include "stage.h"

#define MODULES_FROM	(48 * MIB)	/* above all that tboot uses */
#define LOW_END		0x100000000ULL
#define DPR_SIZE	(4 * MIB)

struct places places;

/* tboot moves the modules out of the way of what it loads: all of them, above the last. */
static void move_modules(void)
{
	u32 to = MODULES_FROM, extra = (u32)option("extra", 0);

	for (u32 i = 0; i < info.modules; i++)
		if (info.module[i].end > to)
			to = info.module[i].end;
	for (u32 i = 0; i < info.modules; i++) {
		struct module *module = &info.module[i];
		u32 size = module->end - module->base;

		to = ROUND_UP(to, PAGE_SIZE);
		if (to > places.dpr || size > places.dpr - to)
			fail("no room to move the modules to");
		copy((void *)to, (void *)module->base, size);
		module->base = to;
		to = module->end = to + size;
	}
	for (; extra; extra--) {
		struct module *module = &info.module[info.modules];

		if (info.modules++ == MODULES_MAX)
			fail("too many modules");
		to = ROUND_UP(to, PAGE_SIZE) + PAGE_SIZE;
		clear((void *)(to - PAGE_SIZE), PAGE_SIZE);
		module->base = to - PAGE_SIZE;
		module->end = to;
	}
}

/* The DPR is near the end of the highest range of RAM that has room for it: firmware's tables and code
 * may be above; and RAM is, so that Carrel goes where the protected regions end. */
static void find_places(void)
{
	for (u32 i = 0; i < info.ranges; i++) {
		const struct range *range = &info.range[i];
		u32 end = ((u32)range->end & ~(MIB - 1)) - DPR_SIZE;

		if (range->type != RAM)
			continue;
		if (range->end > places.ram_end)
			places.ram_end = range->end;
		if (range->end >= LOW_END)
			continue;
		if (range->end > places.low_end)
			places.low_end = (u32)range->end & ~(2 * MIB - 1);
		if (range->end - range->base >= 3 * DPR_SIZE && end > places.dpr_end)
			places.dpr_end = end;
	}
	if (!places.dpr_end)
		fail("no room for SINIT and the heap");
	places.dpr = places.dpr_end - DPR_SIZE;
	places.sinit = places.dpr;
	places.sinit_size = MIB / 2;
	places.heap = places.dpr + MIB;
	places.heap_size = MIB;
}

static void reserve(void)
{
	if (option("plain", 0))
		return;
	info_reserve(0x60000, 0x68000, RESERVED);	/* tboot's log */
	info_reserve(places.dpr, places.dpr_end, RESERVED);
	info_reserve(0xFED20000, 0xFED30000, RESERVED);
	info_reserve((u32)stage_begin, (u32)stage_end, UNUSABLE);
}

/* A byte of a module: the high half of `where` is the module, the low half the byte. */
static void flip(u64 where)
{
	const struct module *module = &info.module[where >> 32];

	if (where >> 32 >= info.modules || (u32)where >= module->end - module->base)
		fail("the byte to flip is in no module");
	((u8 *)module->base)[(u32)where] ^= 1;
}

static void say_digest(const char *what, u32 pcr, const u8 digest[32])
{
	say(what);
	say(" ");
	say_hex(pcr);
	say(" ");
	for (u32 i = 0; i < 32; i += 4)
		say_hex(__builtin_bswap32(get32((u32)digest + i)));
	say("\n");
}

static void extend(u32 pcr, const u8 digest[32])
{
	pcr_extend(pcr, digest);
	say_digest("extend", pcr, digest);
}

static void extend_text(u32 pcr, const char *text)
{
	u8 digest[32];

	sha256(text, length(text), digest);
	extend(pcr, digest);
}

/* tboot's policy.c: H(H(command line) || H(file)). */
static void measure(const struct module *module, u32 pcr)
{
	u8 both[64], digest[32];

	sha256(module->line, length(module->line), both);
	sha256((void *)module->base, module->end - module->base, both + 32);
	sha256(both, sizeof(both), digest);
	extend(pcr, digest);
}

static void measure_all(void)
{
	extend_text(18, "sinit-key");
	extend_text(17, "policy");
	extend_text(18, "policy");
	for (u32 i = 0; i < info.modules; i++)
		measure(&info.module[i], i ? (u32)option("others", 17) : 17);
}

/* A page like tboot's, but where anybody could have put it. */
static u32 copied_page(void)
{
	u32 to = info.module[info.modules - 1].end;

	to = ROUND_UP(to, PAGE_SIZE);
	copy((void *)to, (void *)places.page, PAGE_SIZE);
	return to;
}

static void add_tboot(void)
{
	u32 page = option("copied", 0) ? copied_page() : places.page;

	for (u32 i = 0; i < option("tboots", 1); i++) {
		add_text(info.module[0].line, " tboot=");
		add_hex(info.module[0].line, (u32)option("tboot", page));
	}
}

/* ELF32, its program headers alone. */
static u32 load(const struct module *module)
{
	u32 at = module->base, heads = at + get32(at + 28);

	if (get32(at) != 0x464C457F)
		fail("the next kernel is not ELF");
	for (u32 i = 0; i < (get32(at + 44) & 0xFFFF); i++, heads += 32) {
		u32 to = get32(heads + 12), size = get32(heads + 16), whole = get32(heads + 20);

		if (get32(heads) != 1)
			continue;
		if (to < MIB || to + whole > (u32)stage_begin)
			fail("the next kernel does not fit below tboot");
		copy((void *)to, (void *)(at + get32(heads + 4)), size);
		clear((void *)(to + size), whole - size);
	}
	return get32(at + 24);
}

void stage(u32 magic, u32 from) __attribute__((noreturn));

void stage(u32 magic, u32 from)
{
	const u64 nothing = ~0ULL;
	u32 entry;

	info_take(magic, from);
	check_options();
	if (!info.modules)
		fail("no next kernel");
	registers_open();
	find_places();
	move_modules();
	if (option("flip", nothing) != nothing)
		flip(option("flip", 0));
	if (option("event", 1))
		event();
	if (option("extend", 1))
		measure_all();
	if (option("late", nothing) != nothing)
		flip(option("late", 0));
	reserve();
	heap_build();
	page_build();
	registers_set();
	add_tboot();
	entry = load(&info.module[0]);
	if (option("modules", nothing) < info.modules)
		info.modules = 1 + (u32)option("modules", 0);
	say("enter\n");
	enter(entry, magic, info_give());
}
