/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A small machine: CPUs that cache translations, a host view, processes, chunks
 * that change hands, all in random order; and a model that knows nothing of the
 * implementation. After every step no CPU may reach, by anything it ever cached
 * and did not flush, a frame that belongs to somebody else by now; whatever is
 * owed and paid must be gone from the caches; every page must hold the bytes
 * that its owner put there.
 */
#ifndef TEST_MODEL_H
#define TEST_MODEL_H

#include "test.h"

#define CPUS		4U
#define WORLDS		2U
#define CACHE		96U
#define CHUNK_LIMIT	6U
#define WINDOWS		3U
#define WINDOW_MAX	1400U
#define HOST_VIEW	-1
#define HOST_LIMIT	(MEMORY_CHUNKS * CHUNK_SIZE)

struct window {
	u64 va;
	unsigned int pages;
};
extern const struct window windows[WINDOWS];

enum what { NONE, DEMAND, HELD, PAGE };
enum content { ZERO, PAINTED, ADDED };

struct page {
	u8 what, rights, content;
	u64 pa, source;
};

enum life { ABSENT, ALIVE, ENDING };

struct process {
	struct world world;
	enum life life;
	bool early;		/* ENDING: debts are waited for before the space is destroyed */
	unsigned int step;
	u64 stamp, block;
	struct page pages[WINDOWS][WINDOW_MAX];
};

/* What a CPU holds of a view: a translation, or a table on the way to one. */
struct cached {
	int view;
	bool table;
	unsigned int rights;
	u64 va, pa;
};

enum flushing { IDLE, BEGUN, CLEARED };

struct cpu {
	int where;		/* HOST_VIEW or a process */
	bool parked, unparking;
	enum flushing flushing;
	u64 begun;
	unsigned int count;
	struct cached cache[CACHE];
};

extern struct process processes[WORLDS];
extern struct cpu cpus[CPUS];
extern struct view host;
extern bool lent[MEMORY_CHUNKS * 32];

/* One of what happens in random order; true if it did something. */
struct step {
	const char *name;
	bool (*run)(void);
	unsigned int weight;
};
extern const struct step chunk_steps[], cpu_steps[], page_steps[], life_steps[];

/* What CPUs cache. */
void cache_add(struct cpu *cpu, struct cached entry);
struct cached *cache_find(struct cpu *cpu, int view, u64 va);
/* A fault drops what was cached of the address. */
void cache_drop(struct cpu *cpu, int view, u64 va);
/* Nested translation as hardware does it, remembering every table on the way. */
bool nested_walk(struct cpu *cpu, int view, const struct table *table, u64 gpa,
		 unsigned int *rights);
/* Private translation: bits as the manuals have them, not as the sources name them. */
bool private_walk(struct cpu *cpu, int which, u64 va, struct cached *result);
void flush_at_once(unsigned int id);
bool is_listening(const struct cpu *cpu);

/* What must hold after every step, and before a frame is scrubbed. */
void check_machine(void);
void must_be_out_of_reach(u64 pa);
bool content_is(const struct page *page);

u64 random_chunk(void);

#endif
