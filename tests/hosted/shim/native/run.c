/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * native-run [OPTION]... -- PROGRAM [ARGUMENT]...: run a program under the
 * real shim and stub, without a hypervisor and without protection. For tests and
 * for looking at the shim in a debugger.
 */
#include <bearssl_hash.h>
#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <carrel/hypercall.h>
#include <carrel/identity.h>
#include <carrel/thread.h>
#include "view.h"

#define SLOTS		128
#define BLOCKS		256
#define SLOT_BLOCKS	(SLOTS * CARREL_SLOT_STRIDE / CARREL_BLOCK_SIZE)
#define ARENA_VA	(CARREL_CHANNEL_VA + SLOT_BLOCKS * CARREL_BLOCK_SIZE)
#define ARENA_SIZE	((BLOCKS - SLOT_BLOCKS) * CARREL_BLOCK_SIZE)
#define MANIFEST_SIZE	4096

extern char **environ;

/* What the hypervisor and hvreg would have set up wrongly, by --break. */
static char program_path[PATH_MAX];
static unsigned int chunks;		/* of memory, by --memory; 0: no limit is told */

enum defect {
	NONE, BAD_HASH, BAD_SIZE, BAD_MAGIC, BAD_STRINGS, BAD_ARENA, BAD_MANIFEST, BAD_SECURE,
	BAD_INTERPRETER,
};

static _Noreturn void usage(const char *why)
{
	fprintf(stderr, "native-run: %s\nusage: native-run [--lie CALL=VALUE] [--step CALL] [--stride N] "
		"[--fault-every N] [--starve-every N] [--memory CHUNKS] "
		"[--break WHAT] [--trace] [--notes] "
		"[--code|--exec|--file|--open|--sealed FILE]... [--strict] [--fixed] "
		"[--keys | --unmeasured] "
		"[--shim FILE] [--gate FILE] -- PROGRAM [ARGUMENT]...\n", why);
	exit(125);
}

static _Noreturn void fail(const char *what)
{
	perror(what);
	exit(125);
}

static uint8_t *read_file(const char *path, size_t *size)
{
	int fd = open(path, O_RDONLY);
	struct stat st;
	uint8_t *bytes;

	if (fd < 0 || fstat(fd, &st))
		fail(path);
	bytes = malloc(st.st_size + 1);
	if (!bytes || read(fd, bytes, st.st_size) != st.st_size)
		fail(path);
	close(fd);
	*size = st.st_size;
	return bytes;
}

static void *map(uint64_t address, size_t size, int prot)
{
	void *p = mmap((void *)address, size, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
		       -1, 0);

	if (p != (void *)address)
		fail("mmap");
	return p;
}

/* The stub's page, its hypercalls made jumps to RBP, and the entry for the shim's. */
static void map_gate(const char *path)
{
	static const uint8_t vmcall[] = { 0x0f, 0x01, 0xc1 }, jump[] = { 0xff, 0xe5, 0x90 };
	size_t size;
	uint8_t *bytes = read_file(path, &size), *page = map(CARREL_GATE_VA, 4096, 3);
	uint64_t entry = (uint64_t)view_gate_entry;
	int found = 0;

	if (size != 4096)
		usage("the gate is not one page");
	memcpy(page, bytes, size);
	for (int i = 0; i + 3 <= 4096; i++)
		if (!memcmp(page + i, vmcall, 3) && ++found)
			memcpy(page + i, jump, 3);
	if (found != 3)
		usage("the gate does not have three hypercalls");
	/* jmp *0(%rip), then the address */
	memcpy(page, "\xff\x25\0\0\0\0", 6);
	memcpy(page + 6, &entry, sizeof(entry));
	mprotect(page, 4096, PROT_READ | PROT_EXEC);
}

/* As hvreg adds it: the segments and nothing else. */
static void map_shim(const char *path)
{
	size_t size;
	uint8_t *bytes = read_file(path, &size);
	const Elf64_Ehdr *e = (void *)bytes;
	const Elf64_Phdr *p = (void *)(bytes + e->e_phoff);

	for (int i = 0; i < e->e_phnum; i++) {
		if (p[i].p_type != PT_LOAD || !p[i].p_memsz)
			continue;
		memcpy(map(p[i].p_vaddr, p[i].p_memsz, 3), bytes + p[i].p_offset, p[i].p_filesz);
		mprotect((void *)p[i].p_vaddr, p[i].p_memsz,
			 PROT_READ | (p[i].p_flags & PF_W ? PROT_WRITE : 0) |
			 (p[i].p_flags & PF_X ? PROT_EXEC : 0));
	}
}

/* The path of the interpreter that the program names, or NULL. */
static const char *interpreter_of(const uint8_t *bytes)
{
	const Elf64_Ehdr *e = (void *)bytes;
	const Elf64_Phdr *p = (void *)(bytes + e->e_phoff);

	for (int i = 0; i < e->e_phnum; i++)
		if (p[i].p_type == PT_INTERP)
			return (const char *)bytes + p[i].p_offset;
	return NULL;
}

/* Where the manifest's next string goes. */
static uint32_t strings = MANIFEST_SIZE / 2;

/* The next entry, its path behind all others. */
static void add_entry(struct carrel_manifest *m, uint32_t kind, const char *path,
		      const uint8_t *bytes, size_t size)
{
	struct carrel_manifest_entry *e = (struct carrel_manifest_entry *)(m + 1) + m->entries;
	br_sha256_context hash;

	if ((uint8_t *)(e + 1) > (uint8_t *)m + MANIFEST_SIZE / 2 ||
	    strlen(path) >= MANIFEST_SIZE - strings)
		usage("the manifest is full");
	m->entries++;
	e->kind = kind;
	e->path = strings;
	strcpy((char *)m + strings, path);
	strings += strlen(path) + 1;
	e->size = size;
	br_sha256_init(&hash);
	br_sha256_update(&hash, bytes, size);
	br_sha256_out(&hash, e->sha256);
}

/* Entries besides those that the program needs: kind and path. */
static struct {
	uint32_t kind;
	const char *path;
} extra[16];

static void add_extra(const char *option, const char *path)
{
	static unsigned int count;

	if (count == 15)
		usage("too many files");
	extra[count].kind = !strcmp(option, "--code") ? CARREL_ENTRY_CODE :
			    !strcmp(option, "--exec") ? CARREL_ENTRY_PROGRAM :
			    !strcmp(option, "--file") ? CARREL_ENTRY_FILE :
			    !strcmp(option, "--sealed") ? CARREL_ENTRY_SEALED : CARREL_ENTRY_OPEN;
	extra[count++].path = path;
}

static void fix_string(struct carrel_manifest *m, const char *string)
{
	size_t size = strlen(string) + 1;

	if (size > MANIFEST_SIZE - strings)
		usage("the manifest is full");
	memcpy((char *)m + strings, string, size);
	strings += size;
	m->strings_size += size;
}

/* The arguments as they are given, and another environment. */
static void fix_start(struct carrel_manifest *m, char **argv)
{
	m->strings = strings;
	fix_string(m, program_path);
	for (m->argc = 0; argv[m->argc]; m->argc++)
		fix_string(m, argv[m->argc]);
	fix_string(m, "FIXED=by the manifest");
	m->envc = 1;
}

/* The program, its interpreter, what `extra` names; `host_code` lets the rest run too. */
static void map_manifest(char **argv, bool host_code, bool fixed, enum defect defect)
{
	const char *path = *argv;
	struct carrel_manifest *m = map(CARREL_MANIFEST_VA, MANIFEST_SIZE, 3);
	struct carrel_manifest_entry *e = (void *)(m + 1);
	size_t size, other;
	uint8_t *bytes = read_file(path, &size);
	const char *interpreter = size > sizeof(Elf64_Ehdr) ? interpreter_of(bytes) : NULL;

	m->magic = CARREL_MANIFEST_MAGIC;
	m->version = 3 + (defect == BAD_MANIFEST);
	m->host_chosen = (fixed ? 12 : 15) | (host_code ? CARREL_HOST_CODE : 0);
	m->slots = SLOTS;
	m->blocks = BLOCKS;
	m->size = MANIFEST_SIZE;
	if (!realpath(path, program_path) || strlen(program_path) >= CARREL_PATH_MAX)
		fail(path);
	add_entry(m, CARREL_ENTRY_PROGRAM, program_path, bytes, size);
	e->size += defect == BAD_SIZE;
	e->sha256[31] ^= defect == BAD_HASH;
	if (interpreter) {
		bytes = read_file(interpreter, &other);
		add_entry(m, CARREL_ENTRY_CODE, interpreter, bytes, other);
		e[1].sha256[31] ^= defect == BAD_INTERPRETER;
	}
	for (int i = 0; extra[i].path; i++) {
		bytes = read_file(extra[i].path, &other);
		add_entry(m, extra[i].kind, extra[i].path, bytes, other);
	}
	if (fixed)
		fix_start(m, argv);
	mprotect(m, MANIFEST_SIZE, PROT_READ);
}

static uint32_t put_strings(char **strings, char **at)
{
	uint32_t count = 0;

	for (; strings[count]; count++) {
		size_t size = strlen(strings[count]) + 1;

		if (size > (size_t)((char *)ARENA_VA + ARENA_SIZE - *at))
			usage("arguments and environment are too long");
		memcpy(*at, strings[count], size);
		*at += size;
	}
	return count;
}

static void map_channel(void)
{
	struct carrel_slot *slot = map(CARREL_CHANNEL_VA, BLOCKS * CARREL_BLOCK_SIZE, 3);

	*slot = (struct carrel_slot){
		.process = VIEW_PROCESS, .ticket = { VIEW_TICKET0, VIEW_TICKET1 },
	};
}

/* What the kernel would put into the auxiliary vector. */
static void claim(struct carrel_start *start)
{
	start->arena_size = ARENA_SIZE;
	start->limit = chunks;
	start->uid = getuid();
	start->euid = geteuid();
	start->gid = getgid();
	start->egid = getegid();
}

/* Where the manifest has it all, the host says something else. */
static void fill_start(char **argv, bool fixed, enum defect defect)
{
	struct carrel_start *start = (void *)ARENA_VA;
	char *at = (char *)(start + 1);
	char *path[] = { program_path, NULL };
	static char *evil_argv[] = { "evil", "--evil", "-e", NULL };
	static char *evil_envp[] = { "LD_PRELOAD=/evil.so", "FIXED=by the host", NULL };

	put_strings(path, &at);
	start->argc = put_strings(fixed ? evil_argv : argv, &at);
	start->envc = put_strings(fixed ? evil_envp : environ, &at) + (defect == BAD_STRINGS);
	start->magic = CARREL_START_MAGIC + (defect == BAD_MAGIC);
	start->size = at - (char *)start;
	claim(start);
	start->arena_size += defect == BAD_ARENA;
	start->secure = defect == BAD_SECURE;
}

/* As hvreg does it for a process that called exec: see struct carrel_exec. */
static void take_over(const char *variable)
{
	int fd = atoi(variable);
	struct stat st;
	uint8_t *bytes;
	struct carrel_exec *e;
	struct carrel_start *start;

	if (fstat(fd, &st))
		fail(CARREL_EXEC_VARIABLE);
	e = malloc(st.st_size);
	bytes = (uint8_t *)(e + 1);
	if (pread(fd, e, st.st_size, 0) != st.st_size || e->magic != CARREL_EXEC_MAGIC ||
	    sizeof(*e) + e->manifest_size + e->start_size + sizeof(view_memory) !=
	    (size_t)st.st_size || e->start_size > ARENA_SIZE)
		usage("what the predecessor left is malformed");
	close(fd);
	memcpy(map(CARREL_MANIFEST_VA, e->manifest_size, 3), bytes, e->manifest_size);
	mprotect((void *)CARREL_MANIFEST_VA, e->manifest_size, PROT_READ);
	bytes += e->manifest_size;
	map_channel();
	start = memcpy((void *)ARENA_VA, bytes, e->start_size);
	claim(start);
	start->limit = e->limit;
	start->flags = e->flags;
	memcpy(&view_memory, bytes + e->start_size, sizeof(view_memory));
	view_options = view_memory.options;
	free(e);
}

/* The program gets the addresses that it would have: nothing of this process may be there. */
static void unmap_rest(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long start, end, list[64][2];
	int count = 0;
	char line[512];

	if (!maps)
		fail("/proc/self/maps");
	while (fgets(line, sizeof(line), maps) && count < 64)
		if (sscanf(line, "%lx-%lx", &start, &end) == 2 && start > 0x100000000UL &&
		    start < 1UL << 47 && (end <= CARREL_BASE || start >= CARREL_END)) {
			list[count][0] = start;
			list[count++][1] = end;
		}
	fclose(maps);
	while (count-- > 0)
		munmap((void *)list[count][0], list[count][1] - list[count][0]);
}

/* Off the stack that unmap_rest takes away. */
static _Noreturn void go(void)
{
	static char stack[65536] __attribute__((aligned(16)));
	static char buffer[4096];

	setvbuf(stdin, buffer, _IOFBF, sizeof(buffer));
	asm volatile("movq %0, %%rsp\n\txorl %%ebp, %%ebp\n\tcall *%%rax\n\tcall *%%rbx"
		     : : "r"(stack + sizeof(stack)), "a"(unmap_rest), "b"(view_enter) : "memory");
	__builtin_unreachable();
}

static enum defect defect_of(const char *name)
{
	static const char *const names[] = {
		"", "hash", "size", "magic", "strings", "arena", "manifest", "secure",
		"interpreter",
	};

	for (int i = 1; i < 9; i++)
		if (!strcmp(name, names[i]))
			return i;
	usage("no such defect");
}

static void absolute(char to[512], const char *path)
{
	char *real = realpath(path, NULL);

	if (!real || strlen(real) >= 512)
		fail(path);
	strcpy(to, real);
	free(real);
}

int main(int argc, char **argv)
{
	const char *shim = "build/shim.elf", *gate = "build/gate-vmcall.bin";
	struct view_options *o = &view_options;
	enum defect defect = NONE;
	bool strict = false, fixed = false;
	int i;

	if (getenv(CARREL_EXEC_VARIABLE)) {
		take_over(getenv(CARREL_EXEC_VARIABLE));
		goto rest;
	}
	o->lie_call = o->step_call = -1;
	o->stride = 1;
	for (i = 1; i < argc && strcmp(argv[i], "--"); i++) {
		const char *value = argv[i + 1] ? argv[i + 1] : "";

		if (!strcmp(argv[i], "--trace"))
			o->trace = true;
		else if (!strcmp(argv[i], "--notes"))
			o->notes = true;
		else if (!strcmp(argv[i], "--lie") && sscanf(value, "%ld=%ld", &o->lie_call,
							      &o->lie_value) == 2)
			i++;
		else if (!strcmp(argv[i], "--step") && sscanf(value, "%ld", &o->step_call) == 1)
			i++;
		else if (!strcmp(argv[i], "--stride") && sscanf(value, "%ld", &o->stride) == 1)
			i++;
		else if (!strcmp(argv[i], "--fault-every") &&
			 sscanf(value, "%ld", &o->fault_every) == 1)
			i++;
		else if (!strcmp(argv[i], "--starve-every") &&
			 sscanf(value, "%ld", &o->starve_every) == 1)
			i++;
		else if (!strcmp(argv[i], "--memory") && sscanf(value, "%u", &chunks) == 1)
			i++;
		else if (!strcmp(argv[i], "--break"))
			defect = defect_of(argv[++i] ? argv[i] : "");
		else if (!strcmp(argv[i], "--strict"))
			strict = true;
		else if (!strcmp(argv[i], "--fixed"))
			fixed = true;
		else if (!strcmp(argv[i], "--keys"))
			o->keys = VIEW_KEYS;
		else if (!strcmp(argv[i], "--unmeasured"))
			o->keys = VIEW_UNMEASURED;
		else if ((!strcmp(argv[i], "--code") || !strcmp(argv[i], "--exec") ||
			  !strcmp(argv[i], "--file") || !strcmp(argv[i], "--open") ||
			  !strcmp(argv[i], "--sealed")) && argv[i + 1])
			add_extra(argv[i], argv[i + 1]), i++;
		else if (!strcmp(argv[i], "--shim") && argv[i + 1])
			shim = argv[++i];
		else if (!strcmp(argv[i], "--gate") && argv[i + 1])
			gate = argv[++i];
		else
			usage(argv[i]);
	}
	if (i + 1 >= argc)
		usage("no program");
	absolute(view_memory.shim, shim);
	absolute(view_memory.gate, gate);
	map_manifest(argv + i + 1, !strict, fixed, defect);
	map_channel();
	fill_start(argv + i + 1, fixed, defect);
rest:
	map_gate(view_memory.gate);
	/* so that the stub's request to the module, which is not there, succeeds */
	map(CARREL_GATE_VA + 4096, CARREL_CHANNEL_VA - CARREL_GATE_VA - 4096, PROT_NONE);
	map_shim(view_memory.shim);
	map(CARREL_THREADS_VA, CARREL_THREAD_STRIDE, 3);
	go();
}
