/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whoever can set a variable and open a file may write the file: it is taken for anything, and
 * what is in it says nothing about who wrote it. Only the hypervisor knows: CLAIM.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>
#include <carrel/identity.h>
#include "carrier.h"
#include "commands.h"
#include "exec.h"
#include "fail.h"

#define PAGE	4096UL

static _Noreturn void fail_malformed(const char *what)
{
	fail(EXIT_OWN, "clear it: it is for hvreg's own use",
	     CARREL_EXEC_VARIABLE " in the environment: %s", what);
}

static int descriptor(const char *variable)
{
	char *end;
	unsigned long file;

	errno = 0;
	file = strtoul(variable, &end, 10);
	if (*variable < '0' || *variable > '9' || *end || errno || file > INT_MAX)
		fail_malformed("names no descriptor");
	return file;
}

/* The file's offset is where its writer left it. */
static void read_all(int file, void *to, size_t size, uint64_t offset)
{
	char *at = to;
	ssize_t bytes;

	for (; size > 0; size -= bytes, at += bytes, offset += bytes) {
		do
			bytes = pread(file, at, size, offset);
		while (bytes < 0 && errno == EINTR);
		if (bytes < 0)
			fail_malformed(strerror(errno));
		if (bytes == 0)
			fail_malformed("its file is cut short");
	}
}

static void check(const struct carrel_exec *header)
{
	if (header->magic != CARREL_EXEC_MAGIC)
		fail_malformed("its file is none that a program handed over");
	if (header->manifest_size == 0 || header->manifest_size % PAGE ||
	    header->manifest_size > CARREL_MANIFEST_MAX)
		fail_malformed("a manifest of that size cannot be");
	if (header->start_size < sizeof(struct carrel_start) ||
	    header->start_size > CARRIER_ARENA_SIZE)
		fail_malformed("a start block of that size cannot be");
}

static unsigned char *read_part(int file, size_t size, uint64_t offset)
{
	unsigned char *bytes = aligned_alloc(PAGE, (size + PAGE - 1) & ~(PAGE - 1));

	if (!bytes)
		fail(EXIT_OWN, NULL, "out of memory");
	read_all(file, bytes, size, offset);
	return bytes;
}

void exec_read(struct exec *exec, const char *variable)
{
	int file = descriptor(variable);
	struct carrel_exec header;

	read_all(file, &header, sizeof(header), 0);
	check(&header);
	*exec = (struct exec){
		.limit = header.limit,
		.flags = header.flags,
		.manifest_size = header.manifest_size,
		.start_size = header.start_size,
		.manifest = read_part(file, header.manifest_size, sizeof(header)),
		.start = read_part(file, header.start_size, sizeof(header) + header.manifest_size),
	};
	close(file);
}

/* What the kernel would do, without a program and a path: nothing is looked at or hashed here. */
void exec_command(const char *variable, const char *name)
{
	static struct launch launch;
	struct carrier carrier;
	struct exec exec;

	if (getauxval(AT_SECURE))
		fail(EXIT_OWN, "remove its set-user-ID bit and capabilities",
		     "hvreg must not run with more rights than its caller");
	exec_read(&exec, variable);
	launch_build(&launch, exec.manifest, exec.manifest_size, exec.limit, exec.flags);
	carrier_create(&carrier, &launch);
	carrier_take_over(&carrier, &exec, name);
}
