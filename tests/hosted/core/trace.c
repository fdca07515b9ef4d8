/* SPDX-License-Identifier: BSD-2-Clause */
/* Steps of a change of owner, in their order, each with what must hold when it comes. */
#include "parts.h"

#include <base/phys.h>

struct trace trace[TRACE_MAX];
unsigned int traced;
bool tracing;
bool no_iommu;

void note(enum step step, u64 what)
{
	if (tracing && traced < TRACE_MAX)
		trace[traced++] = (struct trace){ step, what };
}

static bool cached_by_process(u64 frame)
{
	for (unsigned int i = 0; i < CPUS; i++) {
		u32 tag = __atomic_load_n(&cpus[i].tag, __ATOMIC_SEQ_CST);

		if (tag && has_bit(cpus[i].process_cached[tag], frame))
			return true;
	}
	return false;
}

bool cached_by_host(u64 chunk)
{
	for (unsigned int i = 0; i < CPUS; i++)
		if (has_bit(cpus[i].host_cached, chunk))
			return true;
	return false;
}

/* The linker sends the sources' calls of these here (build.mk, --wrap). */
void __real_scrub_page(u64 pa);
void __wrap_scrub_page(u64 pa);
void __wrap_scrub_page(u64 pa)
{
	note(STEP_SCRUB, pa >> PAGE_SHIFT);
	CHECK(!cached_by_process(pa >> PAGE_SHIFT));
	CHECK(!cached_by_host(pa >> CHUNK_SHIFT));
	CHECK(!device_cached(pa >> CHUNK_SHIFT));
	/* a panic wipes what the table leads to, and follows pointers there */
	for (unsigned int i = 0; !concurrent && i < PROCESS_MAX; i++)
		CHECK(process_slots[i].process != phys(pa));
	__real_scrub_page(pa);
}

int __real_view_hide_chunk(struct view *host, u64 chunk);
int __wrap_view_hide_chunk(struct view *host, u64 chunk);
int __wrap_view_hide_chunk(struct view *host, u64 chunk)
{
	note(STEP_HIDE, chunk);
	return __real_view_hide_chunk(host, chunk);
}

void __real_view_show_chunk(struct view *host, u64 chunk);
void __wrap_view_show_chunk(struct view *host, u64 chunk);
void __wrap_view_show_chunk(struct view *host, u64 chunk)
{
	note(STEP_SHOW, chunk);
	for (u64 i = 0; i < CHUNK_PAGES; i++)
		CHECK(!cached_by_process(chunk * CHUNK_PAGES + i));
	__real_view_show_chunk(host, chunk);
}

int __real_frame_unlend(u64 block);
int __wrap_frame_unlend(u64 block);
int __wrap_frame_unlend(u64 block)
{
	note(STEP_UNLEND, block);
	for (u64 i = 0; i < 16; i++)
		CHECK(!cached_by_process(block * 16 + i));
	return __real_frame_unlend(block);
}

int __real_dma_hide_chunk(u64 chunk);
int __wrap_dma_hide_chunk(u64 chunk);
int __wrap_dma_hide_chunk(u64 chunk)
{
	note(STEP_DMA_HIDE, chunk);
	return __real_dma_hide_chunk(chunk);
}

bool __real_dma_drained(void);
bool __wrap_dma_drained(void);
bool __wrap_dma_drained(void)
{
	bool drained = __real_dma_drained();

	if (drained)
		note(STEP_DRAINED, 0);
	return drained;
}

void __real_dma_show_chunk(u64 chunk);
void __wrap_dma_show_chunk(u64 chunk);
void __wrap_dma_show_chunk(u64 chunk)
{
	note(STEP_DMA_SHOW, chunk);
	__real_dma_show_chunk(chunk);
}

enum dma_state __real_dma_state(void);
enum dma_state __wrap_dma_state(void);
enum dma_state __wrap_dma_state(void)
{
	return no_iommu ? DMA_UNPROTECTED : __real_dma_state();
}
