/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * exec as programs meet it. Prints what happens, for comparison with a run without
 * a shim: exec WHAT DIRECTORY, where DIRECTORY is empty and ours.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

extern char **environ;

static char self[PATH_MAX];
static const char *directory;

static void failed(const char *what)
{
	printf("%s: %s\n", what, strerror(errno));
}

static void try(const char *what, const char *path)
{
	char *argv[] = { "try", NULL };

	execve(path, argv, environ);
	failed(what);
}

static const char *in(const char *name)
{
	static char path[2][PATH_MAX + 256];
	static int turn;

	turn = !turn;
	sprintf(path[turn], "%s/%s", directory, name);
	return path[turn];
}

static const char *make(const char *name, const char *text, mode_t mode)
{
	const char *path = in(name);
	int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || fchmod(fd, mode) ||
	    close(fd))
		failed(path);
	return path;
}

static char *filled(size_t size)
{
	char *s = malloc(size + 1);

	memset(s, 'x', size);
	s[size] = 0;
	return s;
}

static void too_long(void)
{
	char *one[] = { "big", filled(131072), NULL }, *many[40];
	int i;

	execve(self, one, environ);
	failed("a string of 128 KiB");
	for (i = 0; i < 39; i++)
		many[i] = filled(100000);
	many[i] = NULL;
	execve(self, many, environ);
	failed("4 MB of arguments");
}

/* A program of this machine with one segment, which names an interpreter. */
static void interpreted(const char *what, const char *interpreter)
{
	struct {
		Elf64_Ehdr head;
		Elf64_Phdr load, interp;
		char name[64];
	} file = {
		.head = {
			.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			.e_type = ET_EXEC, .e_machine = EM_X86_64, .e_version = 1,
			.e_entry = 0x400000, .e_phoff = sizeof(Elf64_Ehdr), .e_phnum = 2,
			.e_phentsize = sizeof(Elf64_Phdr), .e_ehsize = sizeof(Elf64_Ehdr),
		},
		.load = {
			.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_vaddr = 0x400000,
			.p_filesz = sizeof(file), .p_memsz = sizeof(file), .p_align = 4096,
		},
	};
	const char *path = make("needs", "", 0755);
	int fd = open(path, O_WRONLY);

	strcpy(file.name, interpreter);
	file.interp = (Elf64_Phdr){
		.p_type = PT_INTERP, .p_flags = PF_R, .p_align = 1,
		.p_offset = offsetof(__typeof__(file), name),
		.p_vaddr = 0x400000 + offsetof(__typeof__(file), name),
		.p_filesz = strlen(interpreter) + 1, .p_memsz = strlen(interpreter) + 1,
	};
	if (write(fd, &file, sizeof(file)) != sizeof(file))
		failed(path);
	close(fd);
	try(what, path);
}

static void errors(void)
{
	char *argv[] = { "x", NULL };
	char *bad[] = { "x", (char *)8, NULL };

	try("nothing there", in("none"));
	try("no name", "");
	try("a directory", directory);
	try("through a file", make("file", "text", 0755));
	try("below a file", in("file/x"));
	try("not executable", make("plain", "#!/bin/sh\n", 0644));
	try("empty", make("empty", "", 0755));
	try("no interpreter's name", make("blank", "#!   \n", 0755));
	try("no such interpreter", make("lost", "#!/does/not/exist\n", 0755));
	try("an interpreter that is a directory", make("dir", "#!/tmp\n", 0755));
	symlink("loop", in("loop"));
	try("a loop of links", in("loop"));
	make("s1", "#!s1\n", 0755);
	chdir(directory);
	try("a script that interprets itself", "s1");
	try("a name of 5000 bytes", filled(5000));
	try("a device", "/dev/null");
	make("elf", "\177ELF\2\1\1 and nothing that belongs to it, but sixty-four bytes long..........", 0755);
	try("an ELF of another machine", in("elf"));
	interpreted("an ELF whose interpreter is missing", "/does/not/exist");
	interpreted("whose interpreter is a directory", "/tmp");
	interpreted("whose interpreter is text", make("text.so", "no such thing as an ELF file, though it is longer than the head of one would be", 0755));
	interpreted("whose interpreter may not run", make("plain.so", "text", 0644));
	too_long();
	syscall(SYS_execve, 8, argv, environ);
	failed("path at 8");
	syscall(SYS_execve, self, 8, environ);
	failed("argv at 8");
	syscall(SYS_execve, self, bad, environ);
	failed("a string at 8");
	syscall(SYS_execve, self, argv, bad);
	failed("an environment string at 8");
	syscall(SYS_execveat, AT_FDCWD, self, argv, environ, 1);
	failed("execveat, flag 1");
	syscall(SYS_execveat, AT_FDCWD, "", argv, environ, 0);
	failed("execveat, no name");
	syscall(SYS_execveat, 99, "x", argv, environ, 0);
	failed("execveat, no such directory");
	symlink(self, in("link"));
	syscall(SYS_execveat, AT_FDCWD, in("link"), argv, environ, AT_SYMLINK_NOFOLLOW);
	failed("execveat, a link not to be followed");
}

/* What a program sees of how it was started. */
static int show(int argc, char **argv)
{
	unsigned long sum = 0;
	sigset_t mask;
	struct sigaction action;

	for (int i = 0; i < argc; i++)
		for (char *s = argv[i]; ; s++) {
			sum = sum * 31 + (unsigned char)*s;
			if (!*s)
				break;
		}
	printf("argc %d, sum %lx, first %.40s\n", argc, sum, argv[0]);
	for (int i = 1; i < argc && i < 8; i++)
		printf("argument %.60s\n", argv[i]);
	sum = 0;
	for (char **e = environ; *e; e++)
		for (char *s = *e; *s; s++)
			sum = sum * 31 + (unsigned char)*s;
	printf("environment %lx, A is %s\n", sum, getenv("A") ?: "not there");
	for (int fd = 3; fd < 12; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			printf("descriptor %d is open\n", fd);
	sigprocmask(SIG_SETMASK, NULL, &mask);
	for (int s = 1; s < 32; s++) {
		sigaction(s, NULL, &action);
		if (sigismember(&mask, s))
			printf("signal %d is blocked\n", s);
		if (action.sa_handler != SIG_DFL)
			printf("signal %d is not default\n", s);
	}
	printf("secure %lu, uid %lu\n", getauxval(AT_SECURE), getauxval(AT_UID));
	return 7;
}

static void handler(int signal)
{
	(void)signal;
}

static void state(void)
{
	char *argv[] = { "new name", "show", "", "two words", NULL };
	char *env[] = { "A=1", "B=", "=", "C", NULL };
	sigset_t set;

	open("/dev/null", O_RDONLY);				/* 3 */
	open("/dev/null", O_RDONLY | O_CLOEXEC);		/* 4 */
	dup2(3, 9);
	dup3(3, 10, O_CLOEXEC);
	fcntl(9, F_SETFD, 0);
	signal(SIGUSR1, handler);
	signal(SIGUSR2, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_SETMASK, &set, NULL);
	execve(self, argv, env);
	failed("execve");
}

/* `count` arguments of `size` bytes: a long list. */
static void list(int count, size_t size)
{
	char **argv = calloc(count + 3, sizeof(*argv)), *env[] = { "A=list", NULL };

	argv[0] = "list";
	argv[1] = "show";
	for (int i = 2; i < count + 2; i++) {
		argv[i] = filled(size);
		argv[i][i % size] = 'a' + i % 26;
	}
	execve(self, argv, env);
	failed("execve");
}

static void script(void)
{
	char text[PATH_MAX + 100], *argv[] = { "mine", "one", "two words", NULL };
	char *env[] = { "A=script", NULL };

	sprintf(text, "#! %s \t show  me  \nrest", self);
	execve(make("script", text, 0755), argv, env);
	failed("execve");
}

/* The interpreter is a script itself. */
static void script2(void)
{
	char text[PATH_MAX + 100], *argv[] = { "mine", "one", NULL };
	char *env[] = { "A=script", NULL };

	sprintf(text, "#!%s show", self);
	make("inner", text, 0755);
	sprintf(text, "#!%s/inner -x\n", directory);
	execve(make("outer", text, 0755), argv, env);
	failed("execve");
}

static void relative(void)
{
	char *argv[] = { "rel", "show", NULL }, *env[] = { "A=rel", NULL };

	symlink(self, in("link"));
	chdir(directory);
	execve("./link", argv, env);
	failed("execve");
}

static void by_descriptor(void)
{
	char *argv[] = { "fd", "show", NULL }, *env[] = { "A=fd", NULL };

	execveat(open(self, O_RDONLY | O_CLOEXEC), "", argv, env, AT_EMPTY_PATH);
	failed("execveat");
}

static void in_directory(void)
{
	char *argv[] = { "at", "show", NULL }, *env[] = { "A=at", NULL };

	symlink(self, in("link"));
	execveat(open(directory, O_RDONLY | O_CLOEXEC), "link", argv, env, 0);
	failed("execveat");
}

static void no_arguments(void)
{
	char *env[] = { "EXEC=show", NULL };

	syscall(SYS_execve, self, NULL, env);
	failed("execve");
}

static void self_again(void)
{
	char *argv[] = { "again", "show", NULL }, *env[] = { "A=again", NULL };

	execve("/proc/self/exe", argv, env);
	failed("execve");
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} tests[] = {
		{ "errors", errors }, { "state", state }, { "script", script },
		{ "script2", script2 }, { "relative", relative }, { "fd", by_descriptor },
		{ "at", in_directory }, { "none", no_arguments }, { "self", self_again },
	};

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (getenv("EXEC") || (argc > 1 && !strncmp(argv[1], "show", 4)))
		return show(argc, argv);
	if (argc < 3 || readlink("/proc/self/exe", self, sizeof(self) - 1) <= 0)
		return 1;
	directory = argv[2];
	if (!strcmp(argv[1], "list"))
		list(atoi(argv[3]), atoi(argv[4]));
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		if (!strcmp(tests[i].name, argv[1]))
			tests[i].run();
	return 0;
}
