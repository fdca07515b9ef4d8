/* SPDX-License-Identifier: BSD-2-Clause */
/* Frame of the hosted tests of the shim: checks, a program's memory, and a host that may lie. */
#ifndef TEST_SHIM_H
#define TEST_SHIM_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <carrel/hypercall.h>
#include "guest-abi/shim/calls/call.h"
#include "guest-abi/shim/base/channel.h"
#include "guest-abi/shim/base/errno.h"
#include "guest-abi/shim/load/manifest.h"
#include "guest-abi/shim/memory/vm.h"

/* A failed check is printed with the name of the running test, and ends it. */
#define CHECK(condition) check((condition), __FILE__, __LINE__, #condition)
#define CHECK_EQ(a, b) check_eq((uint64_t)(a), (uint64_t)(b), __FILE__, __LINE__, #a " == " #b)
/* The statement must kill the process with this code. */
#define CHECK_DIES(code, statement) \
	do { \
		fake.may_die = true; \
		if (!setjmp(fake.died)) { \
			statement; \
			fake.may_die = false; \
			check(false, __FILE__, __LINE__, "nobody died: " #statement); \
		} \
		fake.may_die = false; \
		check_eq(fake.die_code, (code), __FILE__, __LINE__, "died of " #code); \
	} while (0)

void check(bool good, const char *file, int line, const char *what);
void check_eq(uint64_t a, uint64_t b, const char *file, int line, const char *what);

struct test {
	const char *name;
	void (*run)(void);
};
extern const struct test table_tests[], marshal_tests[], vm_tests[], memory_tests[], elf_tests[],
	load_tests[], time_tests[], file_tests[], sealed_tests[], sha256_tests[], channel_tests[], exec_tests[], fork_tests[], socket_tests[], event_tests[];

/* Run one test under this name and count it. Prints a line if it fails or if `loud`. */
void run_test(const char *name, void (*run)(void), bool loud);

/* Repeatable randomness; seeded anew for each test. */
uint64_t random_u64(void);
uint64_t random_below(uint64_t bound);

/* --- The outside ------------------------------------------------------------------------ */

struct ocall {
	uint64_t number, arg[6];
};

/* What the host answers. NULL: 0, no flags. */
typedef int64_t (*host_fn)(const struct ocall *call, uint64_t *flags);

struct fake {
	host_fn host;
	struct ocall last;		/* the last OCALL */
	unsigned int ocalls;
	int64_t (*words)(uint64_t number, uint64_t words[4]);	/* PASS, CLAIM, FORK, keys */
	int64_t (*thread)(uint64_t index);	/* THREAD */
	bool requests;			/* it answers those to the module, too */
	uint64_t noted[2];		/* code and number of the last NOTE */
	unsigned int notes;
	bool may_die;
	uint64_t die_code;
	jmp_buf died;
	/* MAP, UNMAP, PROTECT do it for real and keep this book; else they are refused. */
	bool memory;
	int64_t refuse_map;		/* answer of the next MAP, once */
};
extern struct fake fake;

/* Everything as at a process's start, with `slots` and `blocks` of channel; the thread. */
struct thread *fake_reset(uint32_t slots, uint32_t blocks);

/* The manifest, strict and without entries after a reset; one more entry of it. */
struct carrel_manifest *fake_manifest(void);
void fake_list(uint32_t kind, const char *path, const uint8_t *bytes, uint64_t size);

/* Whether an address lies in slot or arena, `size` bytes of it. */
bool in_channel(uint64_t address, uint64_t size);

/*
 * Program memory: `size` bytes that end where a page begins that is the host's
 * end of the world: an access there is a fault of this test. Recorded in the
 * shim's map with `rights`. Freed by fake_reset.
 */
uint8_t *program_block(uint64_t size, uint8_t rights);

/* An address in no map. */
#define NOWHERE		0x100000000000UL

/* The hypervisor's book and the shim's map agree, and both are sound. */
void check_memory(void);

#endif
