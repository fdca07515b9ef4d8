/* SPDX-License-Identifier: BSD-2-Clause */
/* Frame of the hosted tests of hv/mm: checks, a machine's memory, and what happened to it. */
#ifndef TEST_MM_H
#define TEST_MM_H

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/phys.h>
#include <carrel/hypercall.h>
#include <carrel/layout.h>
#include <mm/frame.h>
#include <mm/guest_format.h>
#include <mm/space.h>
#include <mm/table.h>
#include <mm/view.h>

/* A failed check is printed and ends the running test. */
#define CHECK(condition) check((condition), __FILE__, __LINE__, #condition)
#define CHECK_EQ(a, b) check_eq((u64)(a), (u64)(b), __FILE__, __LINE__, #a " == " #b)
/* A walker that finds nothing wrong. */
#define CHECK_SOUND(walk) check_sound((walk), __FILE__, __LINE__)
/* The statement must end in a failed ASSERT or a panic. */
#define CHECK_PANICS(statement) \
	do { \
		panic_expected = true; \
		if (!setjmp(panic_jump)) { \
			statement; \
			panic_expected = false; \
			check(false, __FILE__, __LINE__, "no panic: " #statement); \
		} \
		panic_expected = false; \
	} while (0)

void check(bool good, const char *file, int line, const char *what);
void check_eq(u64 a, u64 b, const char *file, int line, const char *what);
void check_sound(const char *wrong, const char *file, int line);
extern jmp_buf panic_jump;
extern bool panic_expected;

struct test {
	const char *name;
	void (*run)(void);
};
extern const struct test flush_tests[], table_tests[], frame_tests[], view_tests[], space_tests[],
	dma_tests[], model_tests[];

/* Repeatable randomness; seeded anew for each test. */
u64 random_u64(void);
u64 random_below(u64 bound);

/*
 * The machine: RAM of MEMORY_CHUNKS chunks from address 0. The first chunk is
 * MIXED, the next HV_CHUNKS are the hypervisor's and hold the pool, the rest is
 * the host's.
 */
#define MEMORY_CHUNKS	24U
#define HV_FIRST	1U
#define HV_CHUNKS	2U
#define HOST_FIRST	(HV_FIRST + HV_CHUNKS)
#define MEMORY_SIZE	(MEMORY_CHUNKS * CHUNK_SIZE)

extern struct chunk memory_chunks[MEMORY_CHUNKS];

/* Memory filled with the host's bytes, frames classified, pool and trace empty. */
void memory_reset(void);
/* A byte pattern that tells whose bytes a frame holds; and the test for it. */
void frame_paint(u64 pa, u64 colour);
bool frame_has(u64 pa, u64 colour);
bool frame_is_zero(u64 pa);
#define HOST_COLOUR	0x74736F68

/* Table frames from the hypervisor's chunks; fails when `pool_limit` are out. */
extern struct table_memory pool;
extern unsigned int pool_limit, pool_out;
#define POOL_ALL	(HV_CHUNKS * 512U)

/* Move a chunk from the host to a family, or to nobody (family NULL), with no host view. */
void give_chunk(struct family *family, u64 chunk);
/* A family (id 1) with `chunks` chunks. */
void make_family(struct family *family, unsigned int chunks);
/* Take frames until the family has just `left` free ones. */
void drain_family(struct family *family, unsigned int left);

/* A process without a process: family, view and space. */
struct world {
	struct family family;
	struct view_memory nested;
	struct view view;
	struct space space;
};
void make_world(struct world *world, unsigned int chunks, const struct table_format *format);
void check_world(const struct world *world);

extern const struct table_format svm_nested_format, vmx_nested_format;

/*
 * What happened, in order. The hooks are called before the event; they may be NULL.
 */
enum event_kind { EVENT_WRITE_BACK, EVENT_SCRUB, EVENT_SCRUBBED, EVENT_STAMP, EVENT_LIMBO };
struct event {
	enum event_kind kind;
	u64 pa;		/* WRITE_BACK, SCRUB, SCRUBBED, LIMBO */
	u64 stamp;	/* STAMP, LIMBO */
	bool zero;	/* WRITE_BACK: the frame was zero then */
};
#define EVENTS_MAX 4096U
extern struct event events[EVENTS_MAX];	/* the first ones since events_clear */
extern unsigned int event_count;
void events_clear(void);
extern void (*on_scrub)(u64 pa), (*on_stamp)(void), (*on_alone)(void), (*on_paid)(void);

#endif
