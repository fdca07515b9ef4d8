// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
/* Physical memory: all of it read, single frames touched, pages and chunks to attack with. */
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/memblock.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <asm/asm.h>
#include <asm/set_memory.h>
#include "attacks.h"

#define CHUNK_ORDER	9
#define DEVICES		0xb0000000UL	/* from here to 4 GiB reserved ranges are no RAM */
#define PAGE_WORDS	(PAGE_SIZE / sizeof(u64))

int probe_read(const void *from, u64 *value)
{
	u64 got = 0;
	int trap = -1;

	asm volatile("1: movq (%[from]), %[got]\n\t"
		     "jmp 3f\n"
		     "2: movl %%eax, %[trap]\n"
		     "3:\n"
		     _ASM_EXTABLE_TYPE(1b, 2b, EX_TYPE_FAULT)
		     : [got] "+r" (got), [trap] "+r" (trap) : [from] "r" (from) : "rax", "memory");
	*value = got;
	return trap + 1;
}

int probe_write(void *to, u64 value)
{
	int trap = -1;

	asm volatile("1: movq %[value], (%[to])\n\t"
		     "jmp 3f\n"
		     "2: movl %%eax, %[trap]\n"
		     "3:\n"
		     _ASM_EXTABLE_TYPE(1b, 2b, EX_TYPE_FAULT)
		     : [trap] "+r" (trap) : [value] "r" (value), [to] "r" (to) : "rax", "memory");
	return trap + 1;
}

/* --- every page ---------------------------------------------------------------------------- */

struct scan {
	u64 key, read, refused, found, first, words[2];
	u64 __user *list;
	u64 room;
};

static void note_refused(struct scan *scan, u64 frame)
{
	if (scan->refused < scan->room && put_user(frame, scan->list + scan->refused))
		scan->room = 0;
	scan->refused++;
}

/* How many words of zero a page begins with: most of memory is zero, and emulators take their time. */
static unsigned int zeros(const u64 *words)
{
	u64 left = PAGE_WORDS;

	asm volatile("repe scasq" : "+D" (words), "+c" (left) : "a" (0UL) : "cc", "memory");
	return max_t(u64, PAGE_WORDS - left, 1) - 1;
}

static void scan_pair(struct scan *scan, u64 frame, const u64 *words, unsigned int first)
{
	/* a word that repeats, as fillings do, is one chance and not two; those of a secret differ */
	if (words[first] == words[first + 1] || !secret_is(scan->key, words[first]) ||
	    !secret_is(scan->key, words[first + 1]))
		return;
	if (scan->found++)
		return;
	scan->first = (frame << PAGE_SHIFT) + first * sizeof(u64);
	memcpy(scan->words, words + first, sizeof(scan->words));
}

/*
 * Two words side by side: one alone may be chance in so much memory. One of the two has an even
 * place, and no secret is zero.
 */
static void scan_words(struct scan *scan, u64 frame, const u64 *words)
{
	unsigned int i;

	for (i = zeros(words) & ~1U; i < PAGE_WORDS; i += 2) {
		if (!words[i] || likely(!secret_is(scan->key, words[i])))
			continue;
		if (i)
			scan_pair(scan, frame, words, i - 1);
		scan_pair(scan, frame, words, i);
	}
}

static void scan_page(struct scan *scan, u64 frame, const void *page)
{
	u64 word;

	if (probe_read(page, &word)) {
		note_refused(scan, frame);
		return;
	}
	scan->read++;
	scan_words(scan, frame, page);
	if (!(frame & 0xff))
		cond_resched();
}

/* What the kernel has in its own map; a page that the kernel itself unmapped is no RAM of ours. */
static int scan_ram(unsigned long first, unsigned long pages, void *argument)
{
	bool (*present)(struct page *page) = symbol("kernel_page_present");
	unsigned long frame;

	for (frame = first; frame < first + pages; frame++) {
		if (fatal_signal_pending(current))
			return -EINTR;
		if (!present || present(pfn_to_page(frame)))
			scan_page(argument, frame, frame_address(frame));
	}
	return 0;
}

/* What the firmware, and Carrel, reserved: through a mapping made for the purpose. */
static int scan_reserved(struct resource *resource, void *argument)
{
	u64 at = PAGE_ALIGN(resource->start);
	u64 end = min_t(u64, (resource->end + 1) & PAGE_MASK, DEVICES);
	void *page;

	for (; at < end; at += PAGE_SIZE) {
		page = memremap(at, PAGE_SIZE, MEMREMAP_WB);
		if (!page)
			continue;
		scan_page(argument, at >> PAGE_SHIFT, page);
		memunmap(page);
	}
	return 0;
}

static int scan_each_reserved(struct scan *scan)
{
	struct resource *at;

	for (at = iomem_resource.child; at; at = at->sibling)
		if (at->name && !strcmp(at->name, "Reserved"))
			scan_reserved(at, scan);
	return 0;
}

/* The first frame past all RAM. */
u64 last_frame(void)
{
	static unsigned long *max;

	if (!max)
		max = symbol("max_pfn");
	return max ? *max : 0;
}

long physical_scan(struct attack *a)
{
	int (*walk)(unsigned long first, unsigned long pages, void *argument,
		    int (*fn)(unsigned long first, unsigned long pages, void *argument)) =
		symbol("walk_system_ram_range");
	struct scan scan = {
		.key = a->in[0],
		.list = u64_to_user_ptr(a->buffer),
		.room = a->size / sizeof(u64),
	};
	int error = walk ? walk(0, last_frame(), &scan, scan_ram) : -ENOSYS;

	if (!error)
		error = scan_each_reserved(&scan);
	a->out[0] = scan.read;
	a->out[1] = scan.refused;
	a->out[2] = scan.found;
	a->out[3] = scan.first;
	a->out[4] = scan.words[0];
	a->out[5] = scan.words[1];
	return error;
}

/* --- ACPI tables --------------------------------------------------------------------------- */

#define TABLE_HEADER	36	/* ACPI "System Description Table Header" */
#define TABLE_MAX	65536

/* The bytes of a table add up to zero, unlike those of code that mentions its name. */
static bool is_table(u64 at, u32 bytes)
{
	const u8 *table;
	u8 sum = 0;
	u32 i;

	if (bytes < TABLE_HEADER || bytes > TABLE_MAX)
		return false;
	table = memremap(at, bytes, MEMREMAP_WB);
	if (!table)
		return false;
	for (i = 0; i < bytes; i++)
		sum += table[i];
	memunmap((void *)table);
	return !sum;
}

static void find_tables(struct attack *a, u64 frame, const u8 *page)
{
	u32 i, signature = a->in[0];

	for (i = 0; i + 8 <= PAGE_SIZE; i++) {
		u64 at = (frame << PAGE_SHIFT) + i;

		if (memcmp(page + i, &signature, 4) || !is_table(at, *(const u32 *)(page + i + 4)))
			continue;
		if (!a->out[0]++)
			a->out[1] = at;
	}
}

static void tables_between(struct attack *a, u64 at, u64 end)
{
	u64 word;
	u8 *page;

	for (; at < end; at += PAGE_SIZE) {
		page = memremap(at, PAGE_SIZE, MEMREMAP_WB);
		if (!page)
			continue;
		if (!probe_read(page, &word))
			find_tables(a, at >> PAGE_SHIFT, page);
		memunmap(page);
	}
}

long physical_tables(struct attack *a)
{
	static const char *const names[] = { "Reserved", "ACPI Tables",
					     "ACPI Non-volatile Storage" };
	struct resource *at;

	tables_between(a, 0xe0000, 0x100000);
	for (at = iomem_resource.child; at; at = at->sibling)
		if (at->name && match_string(names, ARRAY_SIZE(names), at->name) >= 0)
			tables_between(a, PAGE_ALIGN(at->start),
				       min_t(u64, (at->end + 1) & PAGE_MASK, DEVICES));
	return 0;
}

/* --- single frames ------------------------------------------------------------------------- */

static void touch(struct attack *a, void *page)
{
	u64 word;

	if (a->in[0] ? probe_write(page, 0x6b6361747461UL) : probe_read(page, &word))
		a->out[1]++;
	else
		a->out[0]++;
	if (!a->in[0])
		a->out[2] += secret_is(a->in[1], word);
}

long physical_touch(struct attack *a)
{
	u64 __user *list = u64_to_user_ptr(a->buffer);
	u64 i, frame;
	void *page;

	for (i = 0; i < a->size / sizeof(u64); i++) {
		if (get_user(frame, list + i))
			return -EFAULT;
		if (pfn_valid(frame) && page_is_ram(frame)) {
			touch(a, frame_address(frame));
			continue;
		}
		page = memremap(frame << PAGE_SHIFT, PAGE_SIZE, MEMREMAP_WB);
		if (!page)
			return -ENXIO;
		touch(a, page);
		memunmap(page);
	}
	return 0;
}

long physical_page(struct attack *a)
{
	struct page *page = alloc_page(GFP_KERNEL | __GFP_ZERO);

	if (!page)
		return -ENOMEM;
	if (copy_from_user(page_address(page), u64_to_user_ptr(a->buffer),
			   min_t(u64, a->size, PAGE_SIZE))) {
		__free_page(page);
		return -EFAULT;
	}
	a->out[0] = page_to_pfn(page);
	return 0;
}

long physical_page_free(struct attack *a)
{
	__free_page(pfn_to_page(a->in[0]));
	return 0;
}

long physical_chunk(struct attack *a)
{
	struct page *page = alloc_pages(GFP_KERNEL, CHUNK_ORDER);

	if (!page)
		return -ENOMEM;
	a->out[0] = page_to_pfn(page) >> CHUNK_ORDER;
	return 0;
}

long physical_chunk_free(struct attack *a)
{
	__free_pages(pfn_to_page(a->in[0] << CHUNK_ORDER), CHUNK_ORDER);
	return 0;
}
