/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Handing over: see handover.h. All strings are walked twice, first to count them,
 * for the header of a start block is fixed before its strings are sealed. Another
 * thread may change them in between; then what does not fit the count is EFAULT.
 */
#include <string.h>
#include <strings.h>

#include <carrel/hypercall.h>
#include <carrel/identity.h>
#include "base/channel.h"
#include "files/fds.h"
#include "files/file.h"
#include "processes/handover.h"
#include "base/host.h"
#include "load/manifest.h"
#include "load/program.h"
#include "processes/seal.h"
#include "memory/user.h"
#include "memory/vm.h"

#define STRING_MAX	131072UL	/* Linux: MAX_ARG_STRLEN */
#define STRINGS_MAX	(2UL << 20)	/* a quarter of the stack, pointers included */
#define PIECE		256
#define MFD_CLOEXEC	1
#define F_SETFD		2
#define POINTER		sizeof(uint64_t)

/* Where the strings go. */
struct sink {
	struct thread *t;
	enum { SINK_COUNT, SINK_SEAL, SINK_PLAIN } kind;
	uint64_t size;			/* bytes of strings so far */
	uint32_t argc, envc;
	uint64_t expected;		/* not for SINK_COUNT: how many there will be */
	/* SINK_SEAL */
	struct seal *seal;
	uint64_t fd, offset;		/* of the file: where the next piece goes */
	uint64_t gathered;		/* bytes of it that wait in the slot */
	/* SINK_PLAIN */
	uint8_t *text;			/* where the next byte goes */
	uint64_t *pointer;		/* where the address of the next string goes */
};

static int64_t write_file(struct thread *t, uint64_t fd, uint64_t *offset, uint64_t size)
{
	uint64_t done = 0;

	while (done < size) {
		int64_t n = host_call_own(t, SYS_pwrite64, fd, (uint64_t)SLOT_DATA(t) + done,
					  size - done, *offset + done);

		if (n < 0)
			return n;
		if (n == 0 || (uint64_t)n > size - done)
			die(CARREL_DIE_IAGO);
		done += n;
	}
	*offset += size;
	return 0;
}

/* What was gathered in the slot, to the file. */
static int64_t flush(struct sink *s)
{
	uint64_t size = s->gathered;

	s->gathered = 0;
	return write_file(s->t, s->fd, &s->offset, size);
}

/* `size` bytes of strings, at most PIECE; they are overwritten. */
static int64_t put(struct sink *s, void *bytes, uint64_t size)
{
	int64_t error = 0;

	s->size += size;
	if (s->size + (s->argc + s->envc) * POINTER > STRINGS_MAX)
		return -LINUX_E2BIG;
	if (s->kind == SINK_COUNT)
		return 0;
	if (s->size > s->expected)
		return -LINUX_EFAULT;
	if (s->kind == SINK_PLAIN) {
		channel_put(s->text, bytes, size);
		s->text += size;
		return 0;
	}
	if (s->gathered + size > SLOT_ROOM)
		error = flush(s);
	seal_encrypt(s->seal, bytes, size);
	channel_put(SLOT_DATA(s->t) + s->gathered, bytes, size);
	s->gathered += size;
	return error;
}

/* The next string, or the end of an array (`end`), has its address here. */
static void put_pointer(struct sink *s, bool end)
{
	uint64_t address = end ? 0 : (uint64_t)s->text;

	if (s->kind == SINK_PLAIN)
		channel_put(s->pointer++, &address, sizeof(address));
}

static int64_t put_own(struct sink *s, const char *text)
{
	size_t size = strlen(text) + 1;
	char piece[PIECE];
	int64_t error = 0;

	for (size_t at = 0; at < size && !error; at += PIECE) {
		size_t n = size - at < PIECE ? size - at : PIECE;

		memcpy(piece, text + at, n);
		error = put(s, piece, n);
	}
	return error;
}

static int64_t put_string(struct sink *s, uint64_t address)
{
	uint64_t total = 0, n, size = 0;
	char piece[PIECE];

	put_pointer(s, false);
	while (!size) {
		int64_t error;

		n = vm_prefix(address, PIECE, CARREL_R);
		if (!n || !copy_try(piece, (const void *)address, n))
			return -LINUX_EFAULT;
		size = string_size(piece, n);
		n = size ? size : n;
		address += n;
		total += n;
		error = total > STRING_MAX ? -LINUX_E2BIG : put(s, piece, n);
		if (error)
			return error;
	}
	return 0;
}

/* The strings of an array from element `skip` on; *count grows. */
static int64_t put_array(struct sink *s, uint64_t array, uint32_t skip, uint32_t *count)
{
	uint64_t address;
	int64_t error = 0;

	for (uint64_t i = 0; array && !error; i++) {
		if (!user_get(&address, array + i * POINTER, POINTER))
			return -LINUX_EFAULT;
		if (!address)
			break;
		if (i < skip)
			continue;
		++*count;
		error = put_string(s, address);
	}
	return error;
}

static int64_t put_all(struct sink *s, const struct handover *from)
{
	const char *first = from->first;
	int64_t error = put_own(s, from->path);

	s->argc = s->envc = 0;
	for (uint32_t i = 0; i < from->first_count && !error; i++) {
		put_pointer(s, false);
		error = put_own(s, first);
		first += strlen(first) + 1;
		s->argc++;
	}
	error = error ?: put_array(s, from->argv, from->skip, &s->argc);
	/* A program without arguments gets an empty one, as Linux has it. */
	if (!error && !s->argc) {
		s->argc = 1;
		put_pointer(s, false);
		error = put_own(s, "");
	}
	put_pointer(s, true);
	error = error ?: put_array(s, from->envp, 0, &s->envc);
	put_pointer(s, true);
	return error;
}

/* Once more, with the counts known: all must be as it was. */
static int64_t put_again(struct sink *s, const struct sink *counted, const struct handover *from)
{
	int64_t error;

	s->t = counted->t;
	s->expected = counted->size;
	error = put_all(s, from);
	if (error)
		return error;
	return s->size == counted->size && s->argc == counted->argc && s->envc == counted->envc
		? 0 : -LINUX_EFAULT;
}

int64_t handover_plain(struct thread *t, const struct handover *from, uint8_t *channel, size_t room,
		       uint64_t arg[3])
{
	struct sink counted = { .t = t, .kind = SINK_COUNT }, s = { .kind = SINK_PLAIN };
	int64_t error = put_all(&counted, from);
	uint64_t pointers = (counted.argc + 1 + counted.envc + 1) * POINTER;

	if (error)
		return error;
	if (pointers + counted.size > room)
		return -LINUX_E2BIG;
	s.pointer = (uint64_t *)channel;
	s.text = channel + pointers;
	arg[0] = (uint64_t)s.text;
	arg[1] = (uint64_t)channel;
	arg[2] = (uint64_t)channel + (counted.argc + 1) * POINTER;
	return put_again(&s, &counted, from);
}

/* `size` bytes that need no seal, to the file. */
static int64_t write_plain(struct thread *t, uint64_t fd, uint64_t *offset, const void *bytes,
			   uint64_t size)
{
	int64_t error = 0;

	for (uint64_t at = 0; at < size && !error; at += SLOT_ROOM) {
		uint64_t n = size - at < SLOT_ROOM ? size - at : SLOT_ROOM;

		channel_put(SLOT_DATA(t), (const uint8_t *)bytes + at, n);
		error = write_file(t, fd, offset, n);
	}
	return error;
}

/* A key that only a successor of this identity will get, and only one. */
static void pass_key(uint8_t key[SEAL_KEY_SIZE], uint64_t ticket[2])
{
	uint64_t words[4];

	random_bytes(key, SEAL_KEY_SIZE);
	memcpy(words, key, sizeof(words));
	if (hypercall_words(CARREL_HC_PASS, words) != 0)
		die(CARREL_DIE_SHIM);
	ticket[0] = words[0];
	ticket[1] = words[1];
	explicit_bzero(words, sizeof(words));
}

/* The start block from `offset` of the file on: strings first, the tag is known after them. */
static int64_t write_start(const struct sink *counted, const struct handover *from, uint64_t fd,
			   uint64_t offset)
{
	struct carrel_start start = *program_start();
	struct seal seal;
	struct sink s = {
		.kind = SINK_SEAL, .seal = &seal, .fd = fd, .offset = offset + sizeof(start),
	};
	uint8_t key[SEAL_KEY_SIZE];
	int64_t error;

	start.size = sizeof(start) + counted->size;
	start.argc = counted->argc;
	start.envc = counted->envc;
	pass_key(key, start.ticket);
	seal_begin(&seal, key, &start);
	explicit_bzero(key, sizeof(key));
	error = put_again(&s, counted, from);
	error = error ?: flush(&s);
	seal_tag(&seal, start.tag);
	return error ?: write_plain(counted->t, fd, &offset, &start, sizeof(start));
}

static int64_t write_all(const struct sink *counted, const struct handover *from, uint64_t fd)
{
	const struct carrel_exec header = {
		.magic = CARREL_EXEC_MAGIC,
		.manifest_size = manifest()->size,
		.start_size = sizeof(struct carrel_start) + counted->size,
		.limit = program_start()->limit,
		.flags = program_start()->flags,
	};
	uint64_t offset = 0;
	int64_t error = write_plain(counted->t, fd, &offset, &header, sizeof(header));

	error = error ?: write_plain(counted->t, fd, &offset, manifest(), manifest()->size);
	return error ?: write_start(counted, from, fd, offset);
}

void handover_close(struct thread *t, uint64_t fd)
{
	fds_remove(fd);
	file_close(t, fd);
}

int64_t handover_keep(struct thread *t, uint64_t fd)
{
	return host_call_own(t, SYS_fcntl, fd, F_SETFD, 0, 0);
}

int64_t handover_seal(struct thread *t, const struct handover *from)
{
	static const char name[] = "carrel-exec";
	struct sink counted = { .t = t, .kind = SINK_COUNT };
	int64_t error = put_all(&counted, from), fd;

	if (error)
		return error;
	if (counted.size > arena.size - sizeof(struct carrel_start))
		return -LINUX_E2BIG;
	channel_put(SLOT_DATA(t), name, sizeof(name));
	fd = host_call_own(t, SYS_memfd_create, (uint64_t)SLOT_DATA(t), MFD_CLOEXEC, 0, 0);
	if (fd < 0)
		return fd;
	if (!fds_add(fd))
		die(CARREL_DIE_IAGO);
	error = write_all(&counted, from, fd);
	if (error)
		handover_close(t, fd);
	return error ?: fd;
}
