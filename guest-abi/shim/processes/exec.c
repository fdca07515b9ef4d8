/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * execve and execveat. A program that the manifest allows goes on in a secure
 * process of its own: the host process execs its carrier anew, which lets the
 * kernel do all that an exec means to it (other threads end, descriptors close,
 * handlers are forgotten, a waiting parent of vfork goes on), and the carrier is
 * given what handover.c sealed.
 *
 * What can fail is tried before that. A program's hash is compared by who loads it;
 * here one is hashed only if no program of the manifest has its name. A script is always
 * hashed, and what is followed of it are the bytes that were. Its interpreter reads it once
 * more, from files/checked.c: by a name that the manifest lists, so it gets the same.
 *
 * The kernel resolves paths, so it may lead a name that the manifest does not list to
 * any program or script that it lists. It cannot exchange files that are listed by the
 * name that is asked for, nor make one of them run without protection.
 */
#include <string.h>

#include <carrel/hypercall.h>
#include "base/channel.h"
#include "emulate.h"
#include "files/file.h"
#include "files/self.h"
#include "processes/handover.h"
#include "base/host.h"
#include "load/elf.h"
#include "load/manifest.h"
#include "memory/memory.h"
#include "load/program.h"
#include "memory/user.h"
#include "memory/vm.h"

#define LINUX_PATH_MAX	4096
#define AT_FDCWD	((uint32_t)-100)
#define AT_NOFOLLOW	0x100
#define AT_EACCESS	0x200
#define AT_EMPTY_PATH	0x1000
#define X_OK		1
/* O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC: opening has no effect on what is no file */
#define OPEN_FLAGS	(0400 | 04000 | 02000000)
#define O_NOFOLLOW	0400000
#define S_ISUID		04000
#define S_ISGID		02000
#define S_IXGRP		00010
#define SCRIPTS_MAX	4		/* interpreters of interpreters, as many as Linux has */
#define HEAD_SIZE	256		/* Linux: BINPRM_BUF_SIZE */
#define HEADERS_SIZE	4096		/* of a program that are looked at; program headers lie there */
#define FIRST_MAX	512
#define NAME_MAX	64
#define PROGRAM_KIND	KIND_BIT(CARREL_ENTRY_PROGRAM)
#define SCRIPT_KINDS	(PROGRAM_KIND | KIND_BIT(CARREL_ENTRY_FILE))
#define ANY_KIND	(~0U)

struct exec {
	struct thread *t;
	char *path;			/* CARREL_PATH_MAX bytes */
	uint32_t dirfd, flags;		/* what it is relative to; AT_NOFOLLOW */
	bool open;			/* it may run without protection, and no other way */
	char name[NAME_MAX];		/* for ps: the last part of the path that was asked for */
	/* What scripts put before the arguments; grows downwards. */
	char first[FIRST_MAX];
	size_t first_at;
	uint32_t first_count;
};

static int64_t refuse(void)
{
	note(CARREL_NOTE_EXEC, 0);
	return -LINUX_EACCES;
}

/* `n` in digits, with a NUL. */
static void put_decimal(char *to, uint64_t n)
{
	char digits[24], *at = digits + sizeof(digits) - 1;

	*at = '\0';
	do
		*--at = '0' + n % 10;
	while (n /= 10);
	strcpy(to, at);
}

static bool host_code(void)
{
	return manifest()->host_chosen & CARREL_HOST_CODE;
}

/* --- Scripts ---------------------------------------------------------------------------- */

static bool push_first(struct exec *x, const char *text)
{
	size_t size = strlen(text) + 1;

	if (size > x->first_at)
		return false;
	x->first_at -= size;
	memcpy(x->first + x->first_at, text, size);
	x->first_count++;
	return true;
}

/* Is there what a script stands for its own name? Then that goes: the path says it better. */
static void pop_first(struct exec *x)
{
	if (!x->first_count)
		return;
	x->first_at += strlen(x->first + x->first_at) + 1;
	x->first_count--;
}

static char *skip_blanks(char *s)
{
	while (*s == ' ' || *s == '\t')
		s++;
	return s;
}

static bool is_script(const char *head, uint64_t size)
{
	return size > 2 && head[0] == '#' && head[1] == '!';
}

/*
 * The first line of a script, in place: interpreter, and the rest as its one
 * argument, or NULL. Only what surely is whole counts, as Linux has it: a line that
 * does not end in the head may have its name cut off.
 */
static char *parse_line(char head[HEAD_SIZE + 1], uint64_t size, char **argument)
{
	char *line = head + 2, *end, *name;

	head[size] = '\0';
	end = strchr(line, '\n');
	if (!end) {
		name = skip_blanks(line);
		if (size == HEAD_SIZE && !strpbrk(name, " \t"))
			return NULL;
		end = head + strlen(head);
	}
	while (end > line && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*end = '\0';
	name = skip_blanks(line);
	*argument = NULL;
	end = strpbrk(name, " \t");
	if (end) {
		*end = '\0';
		*argument = skip_blanks(end + 1);
	}
	return *name ? name : NULL;
}

/* Go on with the interpreter. */
static int64_t enter_script(struct exec *x, char head[HEAD_SIZE + 1], uint64_t size)
{
	char *argument, *name = parse_line(head, size, &argument);

	if (!name)
		return -LINUX_ENOEXEC;
	pop_first(x);
	if (!push_first(x, x->path) || (argument && !push_first(x, argument)) ||
	    !push_first(x, name))
		return -LINUX_ENAMETOOLONG;
	strcpy(x->path, name);		/* shorter than HEAD_SIZE */
	x->dirfd = AT_FDCWD;
	x->flags = 0;
	return 0;
}

/* --- What the manifest says ------------------------------------------------------------- */

static uint64_t head_size(uint64_t size)
{
	return size < HEAD_SIZE ? size : HEAD_SIZE;
}

/*
 * The entry of one of `kinds` that has this file's hash, or NULL. The head is of the bytes that
 * were hashed, for the kernel may answer the next read with others.
 */
static const struct carrel_manifest_entry *find_file(struct thread *t, uint32_t kinds, uint64_t fd,
						     uint64_t size, char head[HEAD_SIZE + 1])
{
	const struct carrel_manifest_entry *e;
	int64_t error;
	struct image *image = image_read(t, fd, size, &error);
	uint8_t sha256[32];

	if (!image)
		return NULL;
	image_hash(image, sha256);
	e = manifest_find_hash(kinds, sha256, size);
	memcpy(head, image->bytes, head_size(size));
	image_drop(t, image);
	return e;
}

static bool same_file(const struct carrel_manifest_entry *a, const struct carrel_manifest_entry *b)
{
	return a->size == b->size && !memcmp(a->sha256, b->sha256, sizeof(a->sha256));
}

/*
 * Is this file a script that the manifest lists? Its head then. By a name that is not listed its
 * interpreter would read what the host likes: the path becomes the one of the manifest.
 */
static bool script_listed(struct exec *x, uint64_t fd, uint64_t size, char head[HEAD_SIZE + 1])
{
	const struct carrel_manifest_entry *named = manifest_find(ANY_KIND, x->path);
	const struct carrel_manifest_entry *e = find_file(x->t, SCRIPT_KINDS, fd, size, head);

	if (!e || !is_script(head, size))
		return false;
	if (named)
		return same_file(e, named);
	strcpy(x->path, manifest_listed(e).path);
	return true;
}

/* A script, says the head that the host gave, which is followed only where it chooses the code. */
static int64_t look_at_script(struct exec *x, uint64_t fd, uint64_t size,
			      char head[HEAD_SIZE + 1], uint64_t n)
{
	if (host_code() && !manifest_find(ANY_KIND, x->path))
		return enter_script(x, head, n);
	return script_listed(x, fd, size, head) ? enter_script(x, head, head_size(size)) : refuse();
}

/* Replace the path by what the kernel says it leads to, if it says something that can be. */
static void resolve(struct exec *x, uint64_t fd)
{
	char link[] = "/proc/self/fd/0123456789";
	uint8_t *from = SLOT_DATA(x->t), *to = from + sizeof(link);
	int64_t n;

	put_decimal(link + sizeof("/proc/self/fd/") - 1, fd);
	channel_put(from, link, sizeof(link));
	n = host_call_own(x->t, SYS_readlink, (uint64_t)from, (uint64_t)to, CARREL_PATH_MAX, 0);
	if (n > CARREL_PATH_MAX)
		die(CARREL_DIE_IAGO);
	if (n <= 0 || n == CARREL_PATH_MAX)
		return;
	channel_get(link, to, 1);
	if (link[0] != '/')
		return;
	channel_get(x->path, to, n);
	x->path[n] = '\0';
}

/*
 * A program, says the host: which one the successor is to load. A name that is listed as something
 * else, as a script that the host denies, leads to a program only if that is the same file.
 */
static int64_t choose(struct exec *x, uint64_t fd, uint64_t size)
{
	const struct carrel_manifest_entry *e = manifest_find(PROGRAM_KIND, x->path);
	const struct carrel_manifest_entry *other = e ? NULL : manifest_find(ANY_KIND, x->path);
	char head[HEAD_SIZE + 1];

	if (!e && !other) {
		resolve(x, fd);
		e = manifest_find(PROGRAM_KIND, x->path);
	}
	if (e)
		return e->size == size ? 0 : refuse();
	if (host_code())
		return 0;
	e = find_file(x->t, PROGRAM_KIND, fd, size, head);
	if (!e || (other && !same_file(e, other)))
		return refuse();
	strcpy(x->path, manifest_listed(e).path);
	return 0;
}

/* --- Looking at the file ---------------------------------------------------------------- */

/* What a change of identity would need. */
static bool gains(struct thread *t, uint64_t fd, const struct file_status *status)
{
	static const char name[] = "security.capability";
	uint32_t sgid = S_ISGID | S_IXGRP, euid = host_call_own(t, SYS_geteuid, 0, 0, 0, 0);

	if (status->mode & S_ISUID && status->uid != euid)
		return true;
	if ((status->mode & sgid) == sgid &&
	    status->gid != host_call_own(t, SYS_getegid, 0, 0, 0, 0))
		return true;
	if (euid == 0)			/* who has all of them */
		return false;
	channel_put(SLOT_DATA(t), name, sizeof(name));
	return host_call_own(t, SYS_fgetxattr, fd, (uint64_t)SLOT_DATA(t), 0, 0) > 0;
}

/*
 * Whoever loads it kills its process if it cannot: so what this file says of itself is
 * read here, too. Nothing of it is believed later. 0, or ENOEXEC.
 */
static int64_t read_plan(struct thread *t, uint64_t fd, uint64_t size, struct elf_plan *plan)
{
	struct image *head;
	int64_t error;

	if (!size)
		return -LINUX_ENOEXEC;
	head = image_read(t, fd, size < HEADERS_SIZE ? size : HEADERS_SIZE, &error);
	if (!head)
		return error;
	error = elf_read(head->bytes, head->size, size, plan) ? -LINUX_ENOEXEC : 0;
	image_drop(t, head);
	return error;
}

/* Is it a file, and one that this process may execute? What it is. */
static int64_t may_run(struct thread *t, uint64_t fd, struct file_status *status)
{
	int64_t error;

	channel_put(SLOT_DATA(t), "", 1);
	error = host_call_own(t, SYS_faccessat2, fd, (uint64_t)SLOT_DATA(t), X_OK,
			      AT_EACCESS | AT_EMPTY_PATH);
	if (error > 0)
		die(CARREL_DIE_IAGO);
	error = error ?: file_status(t, fd, status);
	return error || file_regular(status) ? error : -LINUX_EACCES;
}

/* The interpreter that the program names, to `name`; *size is 0 if there is none. */
static int64_t read_interpreter(struct thread *t, uint64_t fd, const struct elf_plan *plan,
				char name[CARREL_PATH_MAX], uint64_t *size)
{
	uint64_t at = plan->interpreter;

	*size = plan->interpreter_size;
	if (*size > CARREL_PATH_MAX)
		return -LINUX_ENOEXEC;
	for (unsigned int i = 0; *size && i < plan->count; i++) {
		const struct elf_segment *s = &plan->segment[i];

		if (at < s->address || at - s->address > s->file_size)
			continue;
		if (file_read(t, fd, s->offset + (at - s->address), name, *size) != (int64_t)*size)
			return -LINUX_EIO;
		return string_size(name, *size) == *size ? 0 : -LINUX_ENOEXEC;
	}
	return *size ? -LINUX_ENOEXEC : 0;
}

/* Is the file at `path` an interpreter, and one that may run? Linux's errors. */
static int64_t look_at_interpreter(struct thread *t, const char *path, struct elf_plan *plan)
{
	uint32_t kinds = KIND_BIT(CARREL_ENTRY_CODE) | KIND_BIT(CARREL_ENTRY_PROGRAM);
	struct file_status status;
	int64_t fd, error;

	if (!host_code() && !manifest_find(kinds, path))
		return refuse();
	fd = file_open(t, path);
	if (fd < 0)
		return fd;
	error = may_run(t, fd, &status);
	error = error ?: read_plan(t, fd, status.size, plan);
	if (!error && !plan->relocatable)
		error = -LINUX_ENOEXEC;
	file_close(t, fd);
	return error == -LINUX_ENOEXEC ? -LINUX_ELIBBAD : error;
}

/* Could this program be loaded? */
static __attribute__((noinline)) int64_t check_program(struct thread *t, uint64_t fd, uint64_t size)
{
	char name[CARREL_PATH_MAX];
	struct elf_plan plan;
	uint64_t length = 0;
	int64_t error = read_plan(t, fd, size, &plan);

	error = error ?: read_interpreter(t, fd, &plan, name, &length);
	return error || !length ? error : look_at_interpreter(t, name, &plan);
}

/* The file is open as `fd`: may it run, and as what? */
static int64_t look_at(struct exec *x, uint64_t fd, bool *script)
{
	struct thread *t = x->t;
	char head[HEAD_SIZE + 1];
	struct file_status status;
	int64_t n;

	n = may_run(t, fd, &status);
	if (n)
		return n;
	if (gains(t, fd, &status)) {
		note(CARREL_NOTE_EXEC, 0);
		return -LINUX_EPERM;
	}
	n = file_read(t, fd, 0, head, HEAD_SIZE);
	if (n < 0)
		return n;
	*script = is_script(head, n);
	if (*script)
		return look_at_script(x, fd, status.size, head, n);
	n = check_program(t, fd, status.size);
	return n ?: choose(x, fd, status.size);
}

static int64_t look(struct exec *x, bool *script)
{
	uint64_t flags = OPEN_FLAGS | (x->flags & AT_NOFOLLOW ? O_NOFOLLOW : 0);
	int64_t fd, error;

	channel_put(SLOT_DATA(x->t), x->path, strlen(x->path) + 1);
	fd = host_call_own(x->t, SYS_openat, x->dirfd, (uint64_t)SLOT_DATA(x->t), flags, 0);
	if (fd < 0)
		return fd;
	error = look_at(x, fd, script);
	file_close(x->t, fd);
	return error;
}

static int64_t find_program(struct exec *x)
{
	bool script = true;
	int64_t error = 0;

	if (manifest_find(KIND_BIT(CARREL_ENTRY_OPEN), x->path)) {
		x->open = true;
		return 0;
	}
	for (int i = 0; script && !error; i++)
		error = i > SCRIPTS_MAX ? -LINUX_ELOOP : look(x, &script);
	return error;
}

/* --- Going ------------------------------------------------------------------------------ */

/*
 * The host's execve. Whoever it comes back to has failed, or a signal came first: the
 * mask of the host then is not the program's, and the successor would inherit it.
 */
static int64_t go(struct thread *t, const uint64_t arg[6])
{
	int64_t value = t->noted ? HOST_NOT_STARTED : host_call(t, SYS_execve, arg);

	if (value == HOST_NOT_STARTED) {
		t->rewind = true;
		return 0;
	}
	if (value >= 0)
		die(CARREL_DIE_IAGO);
	return value;
}

static int64_t go_plain(struct thread *t, const struct handover *h)
{
	uint64_t arg[6] = { 0 };
	size_t room;
	uint8_t *part = arena_take(t, ARENA_PIECE, &room);
	int64_t error = part ? handover_plain(t, h, part, room, arg) : -LINUX_ENOMEM;

	if (!error) {
		note(CARREL_NOTE_EXEC, 1);
		t->arena_part = part;
		t->arena_size = room;
		error = go(t, arg);
		t->arena_part = NULL;
	}
	if (part)
		arena_give(part, room);
	return error;
}

/* What the carrier is started with: nothing of the program's but a name. */
struct plain_start {
	uint64_t argv[2], envp[2];
	char exe[sizeof("/proc/self/exe")], name[NAME_MAX];
	char variable[sizeof(CARREL_EXEC_VARIABLE "=0123456789")];
};

static int64_t go_sealed(const struct exec *x, const struct handover *h)
{
	struct thread *t = x->t;
	uint64_t at = (uint64_t)SLOT_DATA(t);
	struct plain_start start = {
		.argv = { at + offsetof(struct plain_start, name) },
		.envp = { at + offsetof(struct plain_start, variable) },
		.exe = "/proc/self/exe", .variable = CARREL_EXEC_VARIABLE "=",
	};
	const uint64_t arg[6] = {
		at + offsetof(struct plain_start, exe), at + offsetof(struct plain_start, argv),
		at + offsetof(struct plain_start, envp),
	};
	int64_t fd = handover_seal(t, h), error;

	if (fd < 0)
		return fd;
	memcpy(start.name, x->name, sizeof(start.name));
	put_decimal(start.variable + sizeof(CARREL_EXEC_VARIABLE "=") - 1, fd);
	channel_put(SLOT_DATA(t), &start, sizeof(start));
	error = handover_keep(t, fd) ?: go(t, arg);
	handover_close(t, fd);
	return error;
}

static void take_name(struct exec *x)
{
	const char *slash = strrchr(x->path, '/'), *from = slash ? slash + 1 : x->path;

	strncpy(x->name, from, sizeof(x->name) - 1);	/* the rest is zero */
}

static __attribute__((noinline)) int64_t exec_path(struct thread *t, uint32_t dirfd, char *path,
						   uint32_t flags, uint64_t argv, uint64_t envp)
{
	struct exec x = {
		.t = t, .path = path, .dirfd = dirfd, .flags = flags, .first_at = FIRST_MAX,
	};
	struct handover h = { .path = path, .argv = argv, .envp = envp };
	int64_t error;

	take_name(&x);
	error = find_program(&x);
	if (error)
		return error;
	h.first = x.first + x.first_at;
	h.first_count = x.first_count;
	h.skip = x.first_count != 0;
	shared_write_all(t);
	return x.open ? go_plain(t, &h) : go_sealed(&x, &h);
}

/* The program's string at `address`, private. */
static int64_t get_path(char *path, uint64_t address)
{
	uint64_t n = vm_prefix(address, CARREL_PATH_MAX, CARREL_R);

	if (!n || !copy_try(path, (const void *)address, n))
		return -LINUX_EFAULT;
	if (string_size(path, n))
		return 0;
	return n == CARREL_PATH_MAX ? -LINUX_ENAMETOOLONG : -LINUX_EFAULT;
}

/*
 * To ENOEXEC shells and execvp answer by reading the file as commands. The host, which can have
 * us find that of any file, must not choose those: they would come from a file that is not listed.
 */
static int64_t no_commands(int64_t error)
{
	return error == -LINUX_ENOEXEC && !host_code() ? refuse() : error;
}

static int64_t exec(struct thread *t, uint32_t dirfd, uint64_t address, uint32_t flags,
		    uint64_t argv, uint64_t envp)
{
	static const char prefix[] = "/proc/self/fd/";
	char path[CARREL_PATH_MAX];
	int64_t error = get_path(path, address);

	if (error)
		return error;
	if (!path[0]) {
		if (!(flags & AT_EMPTY_PATH))
			return -LINUX_ENOENT;
		strcpy(path, prefix);
		put_decimal(path + sizeof(prefix) - 1, dirfd);
		flags = 0;
	}
	if (self_is_exe(t, path))
		strcpy(path, program_path());
	return no_commands(exec_path(t, dirfd, path, flags & AT_NOFOLLOW, argv, envp));
}

EMULATED(call_execve)
{
	return exec(t, AT_FDCWD, arg[0], 0, arg[1], arg[2]);
}

EMULATED(call_execveat)
{
	if ((uint32_t)arg[4] & ~(AT_NOFOLLOW | AT_EMPTY_PATH))
		return -LINUX_EINVAL;
	return exec(t, arg[0], arg[1], arg[4], arg[2], arg[3]);
}
