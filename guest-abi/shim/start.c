/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The first thread's start: the shim's own memory, the start block, the
 * program, its stack as the System V ABI and Linux lay it out.
 */
#include <string.h>
#include <strings.h>

#include <carrel/channel.h>
#include <carrel/hypercall.h>
#include "base/carrier.h"
#include "base/channel.h"
#include "memory/memory.h"
#include "processes/fork.h"
#include "processes/limits.h"
#include "base/host.h"
#include "load/load.h"
#include "load/manifest.h"
#include "load/program.h"
#include "processes/seal.h"
#include "files/fds.h"
#include "files/self.h"
#include "signals/sigframe.h"
#include "signals/signal.h"
#include "threads/thread.h"
#include "time/time.h"
#include "memory/vm.h"

#define STACK_SIZE	(8UL << 20)	/* of a stack that may grow further */
#define STACK_RESERVE_MIN	(128UL << 20)	/* kept free for it: as Linux does */
#define STACK_RESERVE_MAX	(16UL << 30)
#define STACK_FREE	(128UL << 10)	/* beside what the start puts there, whatever the limit */
#define STACK_GAP	(1UL << 20)	/* nothing is mapped right below a stack */
#define STACK_PAGES	0x3fffUL	/* places for its top: 64 MiB */
#define MAP_PAGES	0x7ffffffUL	/* places for the first mapping: 512 GiB */
#define BRK_PAGES	0x1fffUL	/* places for the heap behind the program: 32 MiB */
#define CLOCK_TICKS	100
#define HWCAP2_FSGSBASE	2
#define RFLAGS_START	0x202

/* Types of the auxiliary vector. */
enum {
	AT_NULL = 0, AT_PHDR = 3, AT_PHENT = 4, AT_PHNUM = 5, AT_PAGESZ = 6, AT_BASE = 7,
	AT_FLAGS = 8, AT_ENTRY = 9, AT_UID = 11, AT_EUID = 12, AT_GID = 13, AT_EGID = 14,
	AT_PLATFORM = 15, AT_HWCAP = 16, AT_CLKTCK = 17, AT_SECURE = 23, AT_RANDOM = 25,
	AT_HWCAP2 = 26, AT_EXECFN = 31, AT_SYSINFO_EHDR = 33, AT_MINSIGSTKSZ = 51,
};

/* Drawn once: where things lie, and 16 bytes for the program. */
struct randomness {
	uint64_t base, places;
	uint8_t program[16];
};

extern char shim_bss[], shim_bss_end[];

void start_main(struct thread *t, uint64_t index);

/* Of the program that runs. */
static char path[CARREL_PATH_MAX];
static struct carrel_start started;

const char *program_path(void)
{
	return path;
}

const struct carrel_start *program_start(void)
{
	return &started;
}

size_t string_size(const char *s, size_t max)
{
	const char *end = memchr(s, '\0', max);

	return end ? end - s + 1 : 0;
}

static bool is_sealed(const struct carrel_start *start)
{
	return start->ticket[0] || start->ticket[1];
}

/* The host's claims; and its strings, unless a predecessor sealed them or the manifest has them. */
static void take_start(struct carrel_start *start)
{
	channel_get(start, arena.base, sizeof(*start));
	if (start->magic != CARREL_START_MAGIC || start->arena_size != arena.size ||
	    start->size <= sizeof(*start) || start->size > arena.size || start->argc == 0 ||
	    start->argc > start->size || start->envc > start->size || start->secure != 0)
		die(CARREL_DIE_START);
	channel_started(start->size);
	if (is_sealed(start) || !manifest_strings())
		return;
	start->size = sizeof(*start) + manifest()->strings_size;
	start->argc = manifest()->argc;
	start->envc = manifest()->envc;
}

/* Walk `count` strings from `at`, storing their addresses; returns where they end. */
static char *index_strings(uint64_t *pointers, uint32_t count, char *at, const char *end)
{
	for (uint32_t i = 0; i < count; i++) {
		size_t size = string_size(at, end - at);

		if (!size)
			die(CARREL_DIE_START);
		pointers[i] = (uint64_t)at;
		at += size;
	}
	pointers[count] = 0;
	return at;
}

static uint64_t *put_aux(uint64_t *at, uint64_t type, uint64_t value)
{
	at[0] = type;
	at[1] = value;
	return at + 2;
}

static uint64_t hwcap(void)
{
	uint32_t a = 1, b, c = 0, d;

	asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return d;
}

/* What was loaded: the program, and the interpreter that starts it, if it names one. */
static struct loaded loaded, interpreter;
static bool interpreted;

struct strings {
	char *text, *end;		/* argv and envp, back to back, behind the path */
	uint64_t execfn, platform, random;
};

static void put_auxv(uint64_t *at, const struct carrel_start *start, const struct strings *s)
{
	at = put_aux(at, AT_HWCAP, hwcap());
	at = put_aux(at, AT_PAGESZ, PAGE_SIZE);
	at = put_aux(at, AT_CLKTCK, CLOCK_TICKS);
	if (loaded.plan.headers)
		at = put_aux(at, AT_PHDR, loaded.base + loaded.plan.headers);
	at = put_aux(at, AT_PHENT, ELF_HEADER_SIZE);
	at = put_aux(at, AT_PHNUM, loaded.plan.header_count);
	at = put_aux(at, AT_BASE, interpreted ? interpreter.base : 0);
	at = put_aux(at, AT_FLAGS, 0);
	at = put_aux(at, AT_ENTRY, loaded.base + loaded.plan.entry);
	at = put_aux(at, AT_UID, start->uid);
	at = put_aux(at, AT_EUID, start->euid);
	at = put_aux(at, AT_GID, start->gid);
	at = put_aux(at, AT_EGID, start->egid);
	at = put_aux(at, AT_SECURE, 0);
	at = put_aux(at, AT_RANDOM, s->random);
	at = put_aux(at, AT_HWCAP2, HWCAP2_FSGSBASE);
	at = put_aux(at, AT_MINSIGSTKSZ, sigframe_size());
	at = put_aux(at, AT_SYSINFO_EHDR, time_vdso());
	at = put_aux(at, AT_EXECFN, s->execfn);
	at = put_aux(at, AT_PLATFORM, s->platform);
	put_aux(at, AT_NULL, 0);
}
#define AUXV_MAX	21

static char *push_bytes(char *top, const void *bytes, size_t size)
{
	return memcpy(top - size, bytes, size);
}

/* What a secure process of the same identity has sealed, once: else there is no key. */
static void unseal(const struct carrel_start *start, void *strings, size_t size)
{
	uint64_t words[4] = { start->ticket[0], start->ticket[1] };
	struct seal seal;

	if (hypercall_words(CARREL_HC_CLAIM, words) != 0)
		die(CARREL_DIE_START);
	seal_begin(&seal, (const uint8_t *)words, start);
	explicit_bzero(words, sizeof(words));
	seal_decrypt(&seal, strings, size);
	if (!seal_good(&seal, start->tag))
		die(CARREL_DIE_START);
}

/* Strings to the top of the stack. Must come before the arena is used for anything else. */
static char *put_strings(char *top, const struct carrel_start *start,
			 const struct randomness *random, struct strings *s)
{
	size_t size = start->size - sizeof(*start);

	memset(top - sizeof(uint64_t), 0, sizeof(uint64_t));
	top -= sizeof(uint64_t);
	s->end = top;
	top -= size;
	if (is_sealed(start) || !manifest_strings())
		channel_get(top, arena.base + sizeof(*start), size);
	else
		memcpy(top, manifest_strings(), size);
	if (is_sealed(start))
		unseal(start, top, size);
	s->execfn = (uint64_t)top;
	s->text = top + string_size(top, size);
	if (s->text == top)
		die(CARREL_DIE_START);
	top = push_bytes(top, "x86_64", sizeof("x86_64"));
	s->platform = (uint64_t)top;
	top = push_bytes((char *)((uint64_t)top & ~15UL), random->program, sizeof(random->program));
	s->random = (uint64_t)top;
	return top;
}

/* argc, argv, envp, auxv below `top`; returns the program's RSP. */
static uint64_t put_vectors(char *top, const struct carrel_start *start, const struct strings *s)
{
	uint64_t words = 1 + start->argc + 1 + start->envc + 1 + 2 * AUXV_MAX;
	uint64_t rsp = ((uint64_t)top - words * sizeof(uint64_t)) & ~15UL;
	struct self_places places = { .args = (uint64_t)s->text, .strings_end = (uint64_t)s->end };
	uint64_t *at = (uint64_t *)rsp;
	char *text;

	*at++ = start->argc;
	text = index_strings(at, start->argc, s->text, s->end);
	at += start->argc + 1;
	places.env = (uint64_t)text;
	text = index_strings(at, start->envc, text, s->end);
	at += start->envc + 1;
	if (text != s->end)
		die(CARREL_DIE_START);
	put_auxv(at, start, s);
	places.auxv = (uint64_t)at;
	places.auxv_end = (uint64_t)(at + 2 * AUXV_MAX);
	places.stack_top = (uint64_t)s->end;
	self_setup(&places);
	return rsp;
}

static uint64_t clamp(uint64_t value, uint64_t low, uint64_t high)
{
	return value < low ? low : value > high ? high : value;
}

/* As the limit says, and no smaller than what will lie there. */
static uint64_t stack_size(const struct carrel_start *start)
{
	uint64_t fixed = start->size + ((uint64_t)start->argc + start->envc) * sizeof(uint64_t);

	if (fixed > STACK_SIZE / 2)
		die(CARREL_DIE_START);
	return page_up(clamp(limit_of(LIMIT_STACK), fixed + STACK_FREE, STACK_SIZE));
}

static char *map_stack(struct thread *t, uint64_t size, uint64_t random)
{
	const struct vm_range stack = {
		.end = VM_HIGH - PAGE_SIZE - (random & STACK_PAGES) * PAGE_SIZE,
		.start = VM_HIGH - PAGE_SIZE - (random & STACK_PAGES) * PAGE_SIZE - size,
		.rights = CARREL_R | CARREL_W, .kind = VM_GROWS,
	};

	if (memory_map_as(t, &stack, false))
		die(CARREL_DIE_START);
	return (char *)stack.end;
}

/* The shim's own zeros. Until then nothing may touch a variable. */
static void map_bss(struct thread *t)
{
	uint64_t start = (uint64_t)shim_bss, size = (uint64_t)shim_bss_end - start;

	if (size && memory_hypercall(t, CARREL_HC_MAP, start, size,
				     CARREL_R | CARREL_W | CARREL_MAP_DEMAND))
		die(CARREL_DIE_SHIM);
}

static void enter_program(struct thread *t, uint64_t rsp)
{
	const struct loaded *l = interpreted ? &interpreter : &loaded;

	t->regs = (struct regs){
		.rip = l->base + l->plan.entry, .cs = CARREL_USER_CS, .rflags = RFLAGS_START,
		.rsp = rsp, .ss = CARREL_USER_SS,
	};
}

/*
 * Which program this is: the manifest's first, or the one that the predecessor in this
 * process asked for. `name` is the path in the start block.
 */
static struct listed choose_program(const char *name)
{
	struct listed program = manifest_program();
	const struct carrel_manifest_entry *e;

	if (is_sealed(&started)) {
		e = manifest_find(KIND_BIT(CARREL_ENTRY_PROGRAM), name);
		if (!e && !(manifest()->host_chosen & CARREL_HOST_CODE))
			die(CARREL_DIE_START);
		program = e ? manifest_listed(e) : (struct listed){ .path = name };
	}
	if (strlcpy(path, program.path, sizeof(path)) >= sizeof(path))
		die(CARREL_DIE_START);
	program.path = path;
	return program;
}

void start_main(struct thread *t, uint64_t index)
{
	struct randomness random;
	struct strings strings;
	struct listed program;
	struct memory_layout places;
	char *stack_top, *top;
	uint64_t stack;

	if (t->start == START_THREAD) {
		thread_started(t);
		return;
	}
	if (t->start == START_FORKED) {
		fork_started(t);
		return;
	}
	if (t->start != START_FIRST || index != 0)	/* nobody asked the host to enter it */
		die(CARREL_DIE_SHIM);
	t->page = (struct carrel_thread_page *)CARREL_THREAD_PAGE(index);
	t->index = index;
	t->carrier = &carriers[0];
	t->slot = (uint8_t *)CARREL_CHANNEL_VA + index * CARREL_SLOT_STRIDE;
	map_bss(t);
	t->carrier->used = true;
	manifest_check();
	channel_setup(manifest()->slots, manifest()->blocks);
	take_start(&started);
	random_bytes(&random, sizeof(random));
	limits_read(t);
	stack = stack_size(&started);
	stack_top = map_stack(t, stack, random.places);
	top = put_strings(stack_top, &started, &random, &strings);
	program = choose_program((const char *)strings.execfn);
	load_program(t, &program, random.base, &loaded);
	if (loaded.plan.exec_stack &&
	    memory_protect(t, (uint64_t)stack_top - stack, stack, CARREL_RIGHTS))
		die(CARREL_DIE_START);
	places.brk_start = loaded.base + loaded.plan.high +
			   (random.places >> 14 & BRK_PAGES) * PAGE_SIZE;
	stack = clamp(limit_of(LIMIT_STACK), STACK_RESERVE_MIN, STACK_RESERVE_MAX);
	places.map_high = (uint64_t)stack_top - page_up(stack) - STACK_GAP -
			  (random.places >> 27 & MAP_PAGES) * PAGE_SIZE;
	places.limit = (uint64_t)started.limit * CARREL_CHUNK_SIZE;
	memory_setup(&places);
	time_setup(t, vm_gap(CARREL_END, places.map_high, TIME_SIZE, PAGE_SIZE));
	interpreted = load_interpreter(t, &loaded, &interpreter);
	fds_inherit(t);
	thread_setup(t);
	signal_setup(t);
	enter_program(t, put_vectors(top, &started, &strings));
	note(CARREL_NOTE_START, program.size);
}
