/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of carrel.ko share. Each runs in a process of its own. */
#ifndef MODULE_TEST_H
#define MODULE_TEST_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <carrel/hypercall.h>
#include <carrel/ioctl.h>

#define PAGE	4096UL
#define BLOCKS	3UL
#define SLOTS	2U
#define LIMIT	8U
#define GATE	((volatile unsigned char *)CARREL_GATE_VA)
#define CHANNEL	((volatile unsigned char *)CARREL_CHANNEL_VA)

struct test {
	const char *name;
	void (*body)(void);
};

extern const struct test call_tests[], memory_tests[], fork_tests[], end_tests[], device_tests[];
/* These lose pages for good. */
extern const struct test leak_tests[];

/* Notes the first thing that went wrong in a test. */
extern char why[256];
void wrong(const char *format, ...);

#define EXPECT(condition) do {						\
	if (!(condition))						\
		wrong("line %d: %s (errno %d)", __LINE__, #condition, errno);	\
} while (0)

#define EXPECT_ERRNO(call, number) do {					\
	errno = 0;							\
	long returned = (long)(call);					\
	if (returned != -1 || errno != (number))			\
		wrong("line %d: %s gave %ld, errno %d, not %s", __LINE__, #call,	\
		      returned, errno, #number);			\
} while (0)

long parameter(const char *name);
void set_parameter(const char *name, long value);
void write_file(const char *path, const char *text);
/* The next `times` calls of `number`, after `skip`, give `code`. */
void inject(long number, long skip, long times, long code);
/* Until `held` is that much, for processes that nobody can wait for. */
bool held_becomes(long held);

int open_device(void);
void *map_at(int device, unsigned long size);

/* CARREL_CREATE_* of what create() makes, and its handle. */
extern uint32_t create_flags;
extern uint64_t created;
int create(int device, unsigned int limit);
int add(int device, const void *source, unsigned int pages);
int start(int device);

int ask_for(unsigned long request, unsigned long argument);
int ask(unsigned long request);
int lend_all(void);
/* REQ_ADOPT, whose arguments lie in registers that msync does not use. */
long adopt(uint64_t handle, uint64_t low, uint64_t high);

/* A started process of 40 pages with all of its channel: three chunks and one. 0 or -1. */
int whole_life(int device);
/* Runs `body` in a child; its status as wait gives it. Failures noted there are lost. */
int in_child(int (*body)(void *), void *argument);
int life_in_child(void *unused);

enum access { READ, WRITE };
/* The signal that touching it raises, or 0. */
int touch(volatile unsigned char *address, enum access access);

#endif
