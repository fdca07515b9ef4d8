/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A kernel that changes files, or what a program is started with, after somebody looked: 31 and
 * 34 to 36 of the catalogue, against tests/guest/trusting.c and linked.c. What is written to a file
 * and what is written to the kernel's cache of it are the same to who reads it; both are tried.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../../guest/answer.h"
#include "module.h"
#include "report.h"
#include "tests.h"
#include "trusting.h"

#define LINKED		"/attack/linked"
#define LIBRARY		"/attack/libanswer.so"
#define FORGED		"/attack/libforged.so"
#define LOADER		"/attack/ld-linux-x86-64.so.2"
#define DATA		"/attack/data"
#define MANIFEST	"/tmp/manifest"
#define WORDS		160	/* of the output of a program */

static char *const linked_plain[] = { LINKED, NULL };
static char *const linked_guarded[] = { "hvreg", "run", "--manifest", MANIFEST, "--", LINKED, NULL };

static bool refused(const struct trusting *t, const char *words)
{
	return !t->done && WIFEXITED(t->status) && WEXITSTATUS(t->status) == REFUSED &&
		strstr(t->text, words);
}

static bool logged(const struct trusting *t, const char *line)
{
	return strstr(t->log, line) != NULL;
}

/* The first line that it said with `part` in it. */
static const char *words(const struct trusting *t, const char *part)
{
	static char text[WORDS];
	const char *at = strstr(t->text, part), *end;

	if (!at)
		return "nothing";
	end = strchrnul(at, '\n');
	while (at > t->text && at[-1] != '\n')
		at--;
	snprintf(text, sizeof(text), "%.*s", (int)(end - at), at);
	return text;
}

static void command(const char *line)
{
	fflush(stdout);
	if (system(line))
		die("%s failed", line);
}

/* From its first call to its end. */
static void run(struct trusting *t, const struct start *start)
{
	trusting_launch(t, start);
	trusting_go(t);
	finish(t);
}

/* --- A number in a file ----------------------------------------------------------------------- */

struct place {
	const char *path;
	uint32_t *at;		/* in this process's map of the file's cached pages */
	off_t offset;
};

static struct place find_number(const char *path, uint32_t number)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);
	off_t size = lseek(file, 0, SEEK_END);
	char *bytes = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, file, 0), *at;

	if (bytes == MAP_FAILED)
		die("%s: %s", path, strerror(errno));
	close(file);
	at = memmem(bytes, (size_t)size, &number, sizeof(number));
	if (!at)
		die("%s has no %" PRIx32 "h", path, number);
	return (struct place){ path, (uint32_t *)at, at - bytes };
}

/* As the kernel can: nothing knows that the page changed. */
static void write_cache(const struct place *place, uint32_t number)
{
	(void)*(volatile uint32_t *)place->at;
	poke(getpid(), (uint64_t)place->at, &number, sizeof(number));
}

static void write_file(const struct place *place, uint32_t number)
{
	int file = open(place->path, O_WRONLY | O_CLOEXEC);

	if (file < 0 || pwrite(file, &number, sizeof(number), place->offset) != sizeof(number))
		die("%s: %s", place->path, strerror(errno));
	close(file);
}

static uint64_t inode(const char *path)
{
	struct stat status;

	if (stat(path, &status))
		die("%s: %s", path, strerror(errno));
	return status.st_ino;
}

/* --- 31: what execve tells -------------------------------------------------------------------- */

/* Addresses on the stack of what was just executed. */
struct stack {
	uint64_t environment, auxv;
};

static struct stack stack_of(pid_t pid)
{
	struct user_regs_struct regs;
	struct stack stack;
	uint64_t at;
	int status;

	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status) ||
	    ptrace(PTRACE_GETREGS, pid, 0, &regs))
		die("execve under trace: %s", strerror(errno));
	at = regs.rsp + 8;
	while (ptrace(PTRACE_PEEKDATA, pid, at, 0))
		at += 8;
	stack.environment = at += 8;
	while (ptrace(PTRACE_PEEKDATA, pid, at, 0))
		at += 8;
	stack.auxv = at + 8;
	return stack;
}

/* No vDSO, and random bytes of ours. */
static void forge_auxv(pid_t pid)
{
	uint64_t at = stack_of(pid).auxv, type, value;

	for (; (type = (uint64_t)ptrace(PTRACE_PEEKDATA, pid, at, 0)) != AT_NULL; at += 16) {
		value = (uint64_t)ptrace(PTRACE_PEEKDATA, pid, at + 8, 0);
		if (type == AT_SYSINFO_EHDR)
			ptrace(PTRACE_POKEDATA, pid, at + 8, 0);
		if (type == AT_RANDOM)
			ptrace(PTRACE_POKEDATA, pid, value, CHOSEN);
	}
	ptrace(PTRACE_DETACH, pid, 0, 0);
}

static void forged_start(void)
{
	char *const plain[] = { PROGRAM, "auxv", NULL };
	char *const guarded[] = { "hvreg", "run", "--", PROGRAM, "auxv", NULL };

	for (enum protection p = PLAIN; p <= PROTECTED; p++) {
		struct start start = { .argv = p == PLAIN ? plain : guarded, .traced = true };
		struct trusting t;

		trusting_launch(&t, &start);
		trusting_go(&t);
		forge_auxv(t.pid);
		trusting_ready(&t);
		finish(&t);
		judge(ended(&t) && (p == PLAIN) == !t.a && (p == PLAIN) == (t.b == CHOSEN),
		      p == PLAIN ? "control-31" : "attack-31", "AT_SYSINFO_EHDR and AT_RANDOM's bytes "
		      "forged: it has %" PRIx64 "h, %" PRIx64 "h", t.a, t.b);
	}
}

/* What hvreg says is the identity of `linked`, with what it finds on its own. */
static void measure(char identity[65])
{
	FILE *output = popen("hvreg measure -- " LINKED, "r");

	if (!output || fscanf(output, "%64s", identity) != 1)
		die("hvreg measure");
	pclose(output);
}

#define PRELOAD		"LD_PRELOAD=" FORGED
#define NO_PRELOAD	"LD_PRELOAX=" FORGED

/* The loader is told of another library: unprotected, by what hvreg looks at, by its identity. */
static void preload(void)
{
	struct start start = { .argv = linked_plain, .variable = PRELOAD, .errors = true };
	char identity[65];
	char *const expecting[] = { "hvreg", "run", "--expect", identity, "--", LINKED, NULL };
	struct trusting t;

	run(&t, &start);
	judge(ended(&t) && t.c == ANSWER_FORGED, "control-31-preload", PRELOAD ": %s", fate(&t));

	command("hvreg manifest " LINKED " >" MANIFEST);
	start.argv = linked_guarded;
	run(&t, &start);
	judge(refused(&t, FORGED ", which is not listed"), "attack-31-preload", PRELOAD
	      ", with a manifest: %s", words(&t, FORGED));

	measure(identity);
	start.argv = expecting;
	run(&t, &start);
	judge(refused(&t, FORGED) && strstr(t.text, "the identity is "), "attack-31-expect", PRELOAD
	      ", with an identity: %s", words(&t, "the identity is "));
	start.variable = "LD_NOTHING=";
	run(&t, &start);
	judge(ended(&t) && t.c == ANSWER_RIGHT, "attack-31-expected", "without it: %s", fate(&t));
}

/* When it first asks the module for something, hvreg has looked, and not yet copied its environment. */
static void forge_variable(pid_t pid)
{
	uint64_t at = stack_of(pid).environment, string;
	struct user_regs_struct regs;
	int status;

	do {
		if (ptrace(PTRACE_SYSCALL, pid, 0, 0) || waitpid(pid, &status, 0) != pid ||
		    !WIFSTOPPED(status) || ptrace(PTRACE_GETREGS, pid, 0, &regs))
			die("hvreg under trace: status %x", status);
	} while (regs.orig_rax != SYS_ioctl);
	for (; (string = (uint64_t)ptrace(PTRACE_PEEKDATA, pid, at, 0)); at += 8)
		if (ptrace(PTRACE_PEEKDATA, pid, string, 0) == *(const long *)NO_PRELOAD)
			ptrace(PTRACE_POKEDATA, pid, string + 8,
			       (ptrace(PTRACE_PEEKDATA, pid, string + 8, 0) & ~0xff00L) |
			       (long)'D' << 8);
	ptrace(PTRACE_DETACH, pid, 0, 0);
}

static void late_preload(void)
{
	const struct start start = { .argv = linked_guarded, .variable = NO_PRELOAD, .errors = true,
				     .traced = true };
	struct trusting t;

	command("hvreg manifest " LINKED " >" MANIFEST);
	trusting_launch(&t, &start);
	trusting_go(&t);
	forge_variable(t.pid);
	finish(&t);
	judge(ended(&t) && t.c == ANSWER_RIGHT && logged(&t, UNLISTED) &&
	      strstr(t.text, "from LD_PRELOAD cannot be preloaded"), "attack-31-late", PRELOAD " after hvreg has looked: %s%s",
	      fate(&t), logged(&t, UNLISTED) ? ", the refusal is in the log" : "");
}

/* --- 34: a program that changes after it was hashed ------------------------------------------- */

#define CODE_ANSWER	0x1badcafeUL	/* of trusting code */
#define OTHER_ANSWER	0x1badbad0UL

static void rewritten(void)
{
	struct place place = find_number(PROGRAM, CODE_ANSWER);

	for (enum protection p = PLAIN; p <= PROTECTED; p++) {
		bool plain = p == PLAIN;
		struct trusting t;

		begin(&t, "code", p);
		write_cache(&place, OTHER_ANSWER);
		finish(&t);
		write_cache(&place, CODE_ANSWER);
		judge(ended(&t) && t.c == (plain ? OTHER_ANSWER : CODE_ANSWER),
		      plain ? "control-34" : "attack-34", "its file's cached pages rewritten while it "
		      "runs: %s", fate(&t));
	}
}

/* Runs it with all reads into the channel from one file, or from any, changed. */
static uint64_t read_other(struct trusting *t, const struct start *start, const char *file)
{
	const char name[] = "__x64_sys_pread64";
	struct attack a = { .op = ATTACK_LIE, .buffer = (uintptr_t)name, .size = sizeof(name) };

	trusting_launch(t, start);
	a.in[0] = (uint64_t)t->pid;
	a.in[1] = LIE_AFTER | LIE_CHANNEL | (file ? LIE_INODE : 0);
	a.in[2] = file ? inode(file) : 0;
	a.in[4] = 1;
	a.in[5] = 0x00010102464c457f;	/* still an ELF file */
	a.in[6] = CHOSEN;
	module_do(&a);
	trusting_go(t);
	finish(t);
	a.op = ATTACK_LIE_END;
	module_do(&a);
	return a.out[0];
}

/* hvreg reads the file as it is, and the shim is given another. */
static void two_files(void)
{
	char *const guarded[] = { "hvreg", "run", "--", PROGRAM, "dup", NULL };
	const struct start start = { .argv = guarded };
	struct trusting t;
	uint64_t reads = read_other(&t, &start, NULL);

	judge(reads && killed(&t) && logged(&t, CHANGED), "attack-34-read", "another program read by "
	      "the shim than by hvreg (%" PRIu64 " reads): status %x%s", reads, t.status,
	      logged(&t, CHANGED) ? ", the log says so" : "");
}

/* --- 35: a library or the interpreter that changes -------------------------------------------- */

static void changed_library(const char *what, void (*write)(const struct place *, uint32_t))
{
	struct place place = find_number(LIBRARY, ANSWER_RIGHT);
	struct start start = { .argv = linked_plain, .errors = true };
	char name[40];
	struct trusting t;

	command("hvreg manifest " LINKED " >" MANIFEST);
	write(&place, ANSWER_CHANGED);
	run(&t, &start);
	snprintf(name, sizeof(name), "control-35%s", what);
	judge(ended(&t) && t.c == ANSWER_CHANGED, name, "its library changed: %s", fate(&t));
	start.argv = linked_guarded;
	run(&t, &start);
	snprintf(name, sizeof(name), "attack-35%s", what);
	judge(refused(&t, "code " LIBRARY " is another file"), name, "its library changed after the "
	      "manifest: %s", words(&t, LIBRARY));
	write(&place, ANSWER_RIGHT);
	run(&t, &start);
	snprintf(name, sizeof(name), "attack-35%s-right", what);
	judge(ended(&t) && t.c == ANSWER_RIGHT, name, "its library as it was: %s", fate(&t));
}

static void changed_in_use(void)
{
	struct place place = find_number(LIBRARY, ANSWER_RIGHT);

	command("hvreg manifest " LINKED " >" MANIFEST);
	for (enum protection p = PLAIN; p <= PROTECTED; p++) {
		bool plain = p == PLAIN;
		struct start start = { .argv = plain ? linked_plain : linked_guarded };
		struct trusting t;

		trusting_launch(&t, &start);
		trusting_go(&t);
		trusting_ready(&t);
		write_cache(&place, ANSWER_CHANGED);
		finish(&t);
		write_cache(&place, ANSWER_RIGHT);
		judge(ended(&t) && t.c == (plain ? ANSWER_CHANGED : ANSWER_RIGHT),
		      plain ? "control-35-use" : "attack-35-use", "its library's cached pages "
		      "rewritten while it runs: %s", fate(&t));
	}
}

/* hvreg reads them as they are, and the shim is given others. */
static void two_libraries(void)
{
	const struct start start = { .argv = linked_guarded, .errors = true };
	struct trusting t;
	uint64_t reads;

	command("hvreg manifest " LINKED " >" MANIFEST);
	reads = read_other(&t, &start, LIBRARY);
	judge(reads && !t.done && WIFEXITED(t.status) && WEXITSTATUS(t.status) == 127 &&
	      logged(&t, UNLISTED), "attack-35-read", "another library read by the shim than by hvreg "
	      "(%" PRIu64 " reads): %s%s", reads, words(&t, "cannot open"),
	      logged(&t, UNLISTED) ? "; the log says so" : "");
	reads = read_other(&t, &start, LOADER);
	judge(reads && killed(&t) && logged(&t, CHANGED), "attack-35-loader", "another interpreter "
	      "read by the shim than by hvreg (%" PRIu64 " reads): status %x%s", reads, t.status,
	      logged(&t, CHANGED) ? ", the log says so" : "");
}

static void libraries(void)
{
	changed_library("", write_file);
	changed_library("-cache", write_cache);
	changed_in_use();
	two_libraries();
}

/* --- 36: data that the manifest lists --------------------------------------------------------- */

#define BLOCK		4096
#define BLOCKS		3
#define NO_DIGEST	0xeee00000UL

static void write_blocks(const char order[BLOCKS + 1], mode_t flags)
{
	int file = open(DATA, O_WRONLY | O_CREAT | O_CLOEXEC | (int)flags, 0644);
	char block[BLOCK];

	for (int i = 0; i < BLOCKS && order[i]; i++) {
		memset(block, order[i], sizeof(block));
		if (pwrite(file, block, sizeof(block), (off_t)i * BLOCK) != sizeof(block))
			die(DATA ": %s", strerror(errno));
	}
	close(file);
}

/* Block i of the file becomes another by ring 0, in the kernel's cache alone. */
static void write_blocks_cached(const char order[BLOCKS + 1])
{
	int file = open(DATA, O_RDONLY | O_CLOEXEC);
	volatile char *bytes = mmap(NULL, BLOCKS * BLOCK, PROT_READ, MAP_SHARED, file, 0);
	char block[BLOCK];

	if (bytes == MAP_FAILED)
		die(DATA ": %s", strerror(errno));
	close(file);
	for (int i = 0; i < BLOCKS; i++) {
		(void)bytes[i * BLOCK];
		memset(block, order[i], sizeof(block));
		poke(getpid(), (uint64_t)bytes + (uint64_t)i * BLOCK, block, sizeof(block));
	}
	munmap((void *)bytes, BLOCKS * BLOCK);
}

static void truncate_data(const char *unused)
{
	(void)unused;
	if (truncate(DATA, (BLOCKS - 1) * BLOCK))
		die(DATA ": %s", strerror(errno));
}

static void write_data(const char *order)
{
	write_blocks(order, 0);
}

static const struct change {
	const char *name, *text, *order;
	void (*make)(const char *order);
} changes[] = {
	{ "truncated", "without its last block", "", truncate_data },
	{ "replayed", "as an older version was", "aba", write_data },
	{ "reordered", "with two blocks exchanged", "acb", write_data },
	{ "cache", "with two blocks exchanged in the cache", "bac", write_blocks_cached },
};

/* `what` opens the file again, or has it open. The fate of what it then reads is `digest`. */
static void change_data(const struct change *change, const char *what, uint64_t digest)
{
	char *const plain[] = { PROGRAM, (char *)what, NULL };
	char *const guarded[] = { "hvreg", "run", "--manifest", MANIFEST, "--", PROGRAM, (char *)what,
				  NULL };

	for (enum protection p = PLAIN; p <= PROTECTED; p++) {
		struct start start = { .argv = p == PLAIN ? plain : guarded, .errors = true };
		char name[40];
		struct trusting t;
		bool good;

		write_blocks("abc", O_TRUNC);
		trusting_launch(&t, &start);
		trusting_go(&t);
		trusting_ready(&t);
		change->make(change->order);
		finish(&t);
		good = p == PLAIN ? t.c != t.a && t.c >> 12 != NO_DIGEST >> 12 :
			t.c == (digest ? digest : t.a) && !digest == !logged(&t, UNLISTED);
		snprintf(name, sizeof(name), "%s-36-%s%s", p == PLAIN ? "control" : "attack",
			 change->name, digest ? "" : "-open");
		judge(ended(&t) && good, name, "a listed file %s: it had %" PRIx64 "h, %s", change->text,
		      t.a, fate(&t));
	}
}

/* Another version already when hvreg looks. */
static void changed_before(void)
{
	char *const guarded[] = { "hvreg", "run", "--manifest", MANIFEST, "--", PROGRAM, "file", NULL };
	const struct start start = { .argv = guarded, .errors = true };
	struct trusting t;

	write_blocks("aba", O_TRUNC);
	run(&t, &start);
	judge(refused(&t, "file " DATA " is another file"), "attack-36-before", "a listed file as an "
	      "older version was, before the start: %s", words(&t, DATA));
}

/* Reads that bring nothing: what is not there is not taken for an end of the file. */
static void short_read(void)
{
	const char name[] = "__x64_sys_pread64";
	char *const plain[] = { PROGRAM, "file", NULL };
	char *const guarded[] = { "hvreg", "run", "--manifest", MANIFEST, "--", PROGRAM, "file", NULL };

	for (enum protection p = PLAIN; p <= PROTECTED; p++) {
		struct start start = { .argv = p == PLAIN ? plain : guarded };
		struct attack a = { .op = ATTACK_LIE, .buffer = (uintptr_t)name,
				    .size = sizeof(name) };
		struct trusting t;

		write_blocks("abc", O_TRUNC);
		trusting_launch(&t, &start);
		trusting_go(&t);
		trusting_ready(&t);
		a.in[0] = (uint64_t)t.pid;
		a.in[1] = LIE_SET | LIE_INODE;
		a.in[2] = inode(DATA);
		module_do(&a);
		finish(&t);
		a.op = ATTACK_LIE_END;
		module_do(&a);
		judge(a.out[0] && ended(&t) && (p == PLAIN ? t.c != t.a && t.c != NO_DIGEST + EIO
							   : t.c == NO_DIGEST + EIO),
		      p == PLAIN ? "control-36-short" : "attack-36-short", "a listed file of which "
		      "%llu reads bring nothing: it had %" PRIx64 "h, %s", a.out[0], t.a, fate(&t));
	}
}

static void data(void)
{
	write_blocks("abc", O_TRUNC);
	command("hvreg manifest --file " DATA " " PROGRAM " >" MANIFEST);
	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		change_data(&changes[i], "file", NO_DIGEST + EACCES);
		change_data(&changes[i], "open-file", 0);
	}
	changed_before();
	short_read();
}

/* --- 36: a script that is executed by a name that is not listed ------------------------------- */

#define TOOL		"/tmp/tool"
#define UNLISTED_TOOL	"/tmp/unlisted/tool"

/* The shim reads it as it is, and its interpreter with other commands. */
static void script(void)
{
	const char name[] = "__x64_sys_read", commands[] = "echo CHOSEN\n####";
	char *const plain[] = { "busybox", "sh", "-c", "exec " UNLISTED_TOOL, NULL };
	char *const guarded[] = { "hvreg", "run", "--manifest", MANIFEST, "--", "busybox", NULL };

	command("mkdir -p /tmp/unlisted && hvreg manifest --memory 64 busybox | "
		"sed -n 's/^program [^ ]* [^ ]* \\(.*\\)/#!\\1 sh/p' >" TOOL " && echo 'echo genuine' >>" TOOL
		" && chmod +x " TOOL " && cp " TOOL " " UNLISTED_TOOL
		" && hvreg manifest --fix --exec busybox --file " TOOL " busybox sh -c 'exec " UNLISTED_TOOL "' >" MANIFEST);
	for (enum protection p = PLAIN; p <= PROTECTED; p++) {
		bool is_plain = p == PLAIN;
		struct start start = { .argv = is_plain ? plain : guarded };
		struct attack a = { .op = ATTACK_LIE, .buffer = (uintptr_t)name, .size = sizeof(name) };
		struct trusting t;

		trusting_launch(&t, &start);
		a.in[0] = (uint64_t)t.pid;
		a.in[1] = LIE_AFTER | LIE_INODE;
		a.in[2] = inode(UNLISTED_TOOL);
		a.in[4] = 1;
		memcpy(&a.in[5], commands, 2 * sizeof(a.in[5]));
		module_do(&a);
		trusting_go(&t);
		finish(&t);
		a.op = ATTACK_LIE_END;
		module_do(&a);
		judge(is_plain == !!strstr(t.text, "CHOSEN") && (is_plain || strstr(t.text, "genuine")),
		      is_plain ? "control-36-script" : "attack-36-script", "a script whose interpreter "
		      "reads other commands than were looked at (%llu reads): %.40s", a.out[0], t.text);
	}
}

const struct test change_tests[] = {
	{ "attack-34", rewritten },
	{ "attack-34-read", two_files },
	{ "attack-31", forged_start },
	{ "attack-31-preload", preload },
	{ "attack-31-late", late_preload },
	{ "attack-35", libraries },
	{ "attack-36", data },
	{ "attack-36-script", script },
	{ 0 },
};
