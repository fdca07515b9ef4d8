/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An ordinary static program, run once as it is and once protected: what it
 * prints and how it ends must not differ. `program` alone lists what it can do.
 * No line shows an address, a time or a number that the kernel gives out.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define MIB		(1UL << 20)

extern char **environ;

static unsigned long fnv(const void *bytes, size_t size)
{
	unsigned long hash = 0xcbf29ce484222325;

	for (const unsigned char *p = bytes; size--; p++)
		hash = (hash ^ *p) * 0x100000001b3;
	return hash;
}

static void show(const char *what, long result)
{
	if (result < 0)
		printf("%s: %ld %s\n", what, result, strerrorname_np(errno));
	else
		printf("%s: %ld\n", what, result);
}

/* --- Arguments, environment, standard input ----------------------------------------- */

static int arguments(int argc, char **argv)
{
	for (int i = 0; i < argc; i++)
		printf("argv[%d] = '%s'\n", i, argv[i]);
	for (char **e = environ; *e; e++)
		printf("environ '%s'\n", *e);
	printf("CARREL_TEST '%s'\n", getenv("CARREL_TEST") ? getenv("CARREL_TEST") : "(none)");
	printf("program_invocation_name '%s'\n", program_invocation_name);
	return 0;
}

static int scan(int argc, char **argv)
{
	int number, count = 0;
	char word[64];
	double x, sum = 0;

	(void)argc;
	(void)argv;
	while (scanf("%d %63s %lf", &number, word, &x) == 3) {
		printf("%d '%s' %.6f\n", number, word, x);
		sum += number * x;
		count++;
	}
	printf("%d lines, sum %.3f, end of file %d, error %d\n", count, sum, feof(stdin) != 0,
	       ferror(stdin) != 0);
	return 0;
}

/* --- Files ------------------------------------------------------------------------- */

static void write_numbers(void)
{
	FILE *file = fopen("numbers", "w+");

	if (!file) {
		perror("numbers");
		exit(1);
	}
	for (int i = 0; i < 5000; i++)
		fprintf(file, "%d %#x %s %8.3f %c\n", i, i * 77, i & 1 ? "odd" : "even", i / 7.0,
			'a' + i % 26);
	show("ftell", ftell(file));
	rewind(file);
	fclose(file);
}

static void read_numbers(void)
{
	FILE *file = fopen("numbers", "r");
	int n, hex, lines = 0;
	char word[16], letter, line[128];
	double x, sum = 0;

	while (fscanf(file, "%d %x %15s %lf %c", &n, &hex, word, &x, &letter) == 5) {
		sum += n + hex + x + letter;
		lines++;
	}
	printf("%d lines, sum %.4f\n", lines, sum);
	fseek(file, 1000, SEEK_SET);
	printf("at 1000: %s", fgets(line, sizeof(line), file));
	printf("ungetc %c\n", (ungetc('Z', file), fgetc(file)));
	fseek(file, -20, SEEK_END);
	printf("near the end: %s", fgets(line, sizeof(line), file));
	show("ftell", ftell(file));
	show("fgetc at the end", fseek(file, 0, SEEK_END) ? -9 : (fgetc(file) == EOF));
	fclose(file);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void folders(void)
{
	char name[64], path[256];
	struct dirent **list;
	int n;

	show("mkdir", mkdir("folder", 0755));
	show("mkdir again", mkdir("folder", 0755));
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "folder/a-rather-long-name-%d", i);
		close(open(name, O_CREAT | O_WRONLY, 0600));
	}
	n = scandir("folder", &list, NULL, by_name);
	printf("%d entries, first '%s', last '%s'\n", n, list[0]->d_name, list[n - 1]->d_name);
	show("rmdir", rmdir("folder"));
	show("chdir", chdir("folder"));
	printf("getcwd '%s'\n", getcwd(path, sizeof(path)));
	for (int i = 0; i < n; i++)
		unlink(list[i]->d_name);
	show("chdir ..", chdir(".."));
	show("rmdir", rmdir("folder"));
}

static void names(void)
{
	struct stat st;
	char target[64];

	show("rename", rename("numbers", "other"));
	show("stat numbers", stat("numbers", &st));
	show("stat other", stat("other", &st));
	printf("size %ld mode %o links %lu\n", (long)st.st_size, st.st_mode, (unsigned long)st.st_nlink);
	show("link", link("other", "twin"));
	show("symlink", symlink("other", "pointer"));
	show("readlink", readlink("pointer", target, sizeof(target)));
	printf("target '%.5s'\n", target);
	show("lstat", lstat("pointer", &st));
	printf("link %d size %ld\n", S_ISLNK(st.st_mode), (long)st.st_size);
	show("chmod", chmod("other", 0400));
	show("truncate", truncate("twin", 1000));
	show("stat", stat("other", &st));
	printf("size %ld mode %o links %lu\n", (long)st.st_size, st.st_mode, (unsigned long)st.st_nlink);
	show("access", access("other", R_OK));
	show("unlink", unlink("other"));
	show("unlink again", unlink("other"));
	show("unlink", unlink("twin"));
	show("unlink", unlink("pointer"));
}

static void descriptors(void)
{
	int pipe_fds[2], copy;
	char text[16] = "";

	show("pipe", pipe2(pipe_fds, O_NONBLOCK | O_CLOEXEC));
	show("read of an empty pipe", read(pipe_fds[0], text, sizeof(text)));
	show("write", write(pipe_fds[1], "twelve bytes", 12));
	show("dup2", dup2(pipe_fds[0], 20));
	show("read of the copy", read(20, text, 6));
	printf("'%s'\n", text);
	copy = fcntl(20, F_DUPFD, 30);
	show("F_DUPFD", copy);
	show("F_GETFL", fcntl(copy, F_GETFL));
	show("F_GETFD", fcntl(pipe_fds[0], F_GETFD));
	show("FIONREAD", ioctl(copy, FIONREAD, text));
	printf("%d bytes\n", *(int *)text);
	show("isatty", isatty(copy));
	show("lseek", lseek(copy, 0, SEEK_SET));
	close(pipe_fds[0]);
	close(20);
	close(copy);
	signal(SIGPIPE, SIG_IGN);
	show("write without a reader", write(pipe_fds[1], "x", 1));
	close(pipe_fds[1]);
}

static int files(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	write_numbers();
	read_numbers();
	names();
	folders();
	descriptors();
	return 0;
}

/* --- Reads and writes of every size ------------------------------------------------- */

static const size_t sizes[] = {
	1, 7, 511, 4095, 4096, 4097, 16383, 16384, 16385, 65535, 65536, 65537, 200001, 1 << 20,
	5 << 20,
};

static int reads(int argc, char **argv)
{
	char *buffer = malloc(6 * MIB), *all = malloc(6 * MIB);
	int fd = argc > 2 ? open(argv[2], O_RDONLY) : -1;

	if (fd < 0) {
		perror("open");
		return 1;
	}
	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t total = 0, limit = sizes[i] < 512 ? 3000 : 6 * MIB;
		ssize_t got = 0;

		lseek(fd, 0, SEEK_SET);
		while (total < limit && (got = read(fd, buffer + i % 13, sizes[i])) > 0) {
			if (total + (size_t)got > 6 * MIB)
				break;
			memcpy(all + total, buffer + i % 13, (size_t)got);
			total += (size_t)got;
		}
		printf("reads of %zu: %zu bytes %lx, last %zd\n", sizes[i], total, fnv(all, total), got);
		got = pread(fd, buffer, sizes[i], 4321);
		printf("pread of %zu: %zd %lx\n", sizes[i], got, got > 0 ? fnv(buffer, (size_t)got) : 0);
	}
	show("read of 0", read(fd, buffer, 0));
	return 0;
}

/* Vectors with holes, more of them than anyone wants, and none. */
static int vectors(int argc, char **argv)
{
	static char bytes[64][1000], back[64000];
	struct iovec v[64];
	int fd = open("vectors", O_CREAT | O_RDWR | O_TRUNC, 0600);

	(void)argc;
	(void)argv;
	for (int i = 0; i < 64; i++) {
		memset(bytes[i], 'A' + i % 50, sizeof(bytes[i]));
		v[i] = (struct iovec){ bytes[i], (size_t)(i * 37 % 1000) };
	}
	show("writev", writev(fd, v, 64));
	show("writev of none", writev(fd, v, 0));
	show("writev of too many", syscall(SYS_writev, fd, v, 1025));
	show("writev of -1", syscall(SYS_writev, fd, v, -1L));
	show("lseek", lseek(fd, 0, SEEK_SET));
	for (int i = 0; i < 64; i++)
		v[i] = (struct iovec){ back + i * 1000, (size_t)(i * 53 % 1000) };
	show("readv", readv(fd, v, 64));
	printf("%lx\n", fnv(back, sizeof(back)));
	show("pwritev", pwritev(fd, v, 3, 100000));
	show("preadv", preadv(fd, v, 64, 50));
	printf("%lx\n", fnv(back, sizeof(back)));
	v[1].iov_base = (void *)8;
	show("writev of a bad piece", writev(fd, v + 1, 1));
	v[1].iov_len = (size_t)-1;
	show("writev of a negative length", writev(fd, v, 3));
	unlink("vectors");
	return 0;
}

/* A program that prints much, with each kind of buffer, then bytes without any. */
static int output(int argc, char **argv)
{
	static char block[10000];
	long lines = argc > 2 ? atol(argv[2]) : 1000;

	for (size_t i = 0; i < sizeof(block); i++)
		block[i] = (char)(i * 7 + i / 256);
	for (long i = 0; i < lines; i++)
		printf("line %ld of %ld %s\n", i, lines, argv[1]);
	fflush(stdout);
	for (size_t i = 1; i < sizeof(block); i = i * 3 + 1)
		if (write(STDOUT_FILENO, block, i) < 0)
			return 1;
	setvbuf(stdout, NULL, _IONBF, 0);
	for (int i = 0; i < 300; i++)
		putchar(i & 0xFF);
	fprintf(stderr, "%ld lines on the other stream\n", lines);
	return ferror(stdout) ? 1 : 0;
}

/* --- Memory ------------------------------------------------------------------------- */

static void fill(unsigned char *p, size_t size, unsigned int seed)
{
	for (size_t i = 0; i < size; i += 512)
		p[i] = (unsigned char)(i / 512 * 31 + seed);
}

static size_t wrong(const unsigned char *p, size_t size, unsigned int seed)
{
	size_t count = 0;

	for (size_t i = 0; i < size; i += 512)
		count += p[i] != (unsigned char)(i / 512 * 31 + seed);
	return count;
}

static size_t not_zero(const unsigned char *p, size_t size)
{
	size_t count = 0;

	for (size_t i = 0; i < size; i++)
		count += p[i] != 0;
	return count;
}

static int memory(int argc, char **argv)
{
	unsigned char *big = malloc(48 * MIB), *small[200], *map;
	size_t bad = 0;

	(void)argc;
	(void)argv;
	printf("48 MiB: %s\n", big ? "there" : "none");
	printf("not zero: %zu\n", not_zero(big, MIB));
	fill(big, 48 * MIB, 1);
	printf("wrong: %zu\n", wrong(big, 48 * MIB, 1));
	big = realloc(big, 64 * MIB);
	printf("after realloc: %zu\n", wrong(big, 48 * MIB, 1));
	free(big);
	for (size_t i = 0; i < 200; i++)
		fill(small[i] = malloc(i * 1021 + 1), i * 1021 + 1, (unsigned int)i);
	for (size_t i = 0; i < 200; i += 2)
		free(small[i]);
	for (size_t i = 1; i < 200; i += 2)
		bad += wrong(small[i], i * 1021 + 1, (unsigned int)i);
	printf("small blocks wrong: %zu\n", bad);
	map = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	fill(map, MIB, 5);
	show("munmap of the middle", munmap(map + MIB / 4, MIB / 2));
	printf("ends: %zu %zu\n", wrong(map, MIB / 4, 5),
	       wrong(map + MIB * 3 / 4, MIB / 4, (unsigned int)(5 + MIB * 3 / 4 / 512 * 31)));
	show("a hole as a buffer", write(STDOUT_FILENO, map + MIB / 2, 1));
	map = mmap(map + MIB / 4, MIB / 2, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	printf("mapped again: %zu\n", not_zero(map, MIB / 2));
	show("mprotect", mprotect(map, MIB / 2, PROT_NONE));
	show("no rights, as a buffer", write(STDOUT_FILENO, map, 1));
	show("mprotect", mprotect(map, MIB / 2, PROT_READ | PROT_WRITE));
	show("mmap of nothing", mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	     MAP_FAILED ? -1 : 0);
	show("munmap of no page", munmap(map + 1, 4096));
	show("madvise", madvise(map, MIB / 2, MADV_DONTNEED));
	return 0;
}

/* --- Errors -------------------------------------------------------------------------- */

/* What no program has: low memory, its own text, the kernel's half, a hole in the addresses. */
static void bad_pointers(int zeros, int file)
{
	static void *const bad[] = {
		(void *)8, (void *)0x7E0000000000, (void *)0x7E0000010000, (void *)0x7FFFFFFFF000,
		(void *)0x800000000000, (void *)0xFFFF800000000000, (void *)0xFFFFFFFFFFFFFFF8,
	};
	char name[64];

	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		printf("bad pointer %u\n", i);
		show("read", read(zeros, bad[i], 100));
		show("write", write(file, bad[i], 100));
		show("open", open(bad[i], O_RDONLY));
		show("stat", syscall(SYS_stat, "/", bad[i]));
		show("fstat", syscall(SYS_fstat, file, bad[i]));
		show("pipe", syscall(SYS_pipe, bad[i]));
		show("readv", syscall(SYS_readv, zeros, bad[i], 2));
		show("getcwd", syscall(SYS_getcwd, bad[i], 100));
		show("poll", syscall(SYS_poll, bad[i], 1, 0));
		show("nanosleep", syscall(SYS_nanosleep, bad[i], NULL));
		show("rt_sigprocmask", syscall(SYS_rt_sigprocmask, SIG_SETMASK, bad[i], NULL, 8));
		show("rt_sigaction", syscall(SYS_rt_sigaction, SIGUSR1, bad[i], NULL, 8));
		show("uname", syscall(SYS_uname, bad[i]));
		show("clock_gettime", syscall(SYS_clock_gettime, CLOCK_MONOTONIC, bad[i]));
		show("getrandom", syscall(SYS_getrandom, bad[i], 16, 0));
		show("readlink", syscall(SYS_readlink, "/proc/self/cwd", bad[i], 16));
	}
	show("read of 0 bytes", read(zeros, (void *)8, 0) == 0 ? 0 : -1);
	show("read into the text", read(zeros, (void *)(unsigned long)fnv, 10));
	show("read into a constant", read(zeros, (void *)(unsigned long)"constant", 4));
	show("a length that wraps", syscall(SYS_write, file, name, -1L));
	show("a length that wraps", syscall(SYS_read, zeros, name, -1L));
	show("a length that wraps", syscall(SYS_read, zeros, name, -4096L));
}

static void bad_descriptors(void)
{
	char byte;

	show("close", close(99));
	show("read", read(99, &byte, 1));
	show("write", write(-1, "x", 1));
	show("read of a folder", read(open("/", O_RDONLY), &byte, 1));
	show("fstat", fstat(12345678, (struct stat *)(void *)environ));
	show("dup", dup(99));
	show("dup2", dup2(1, -1));
	show("dup2", dup2(1, 1 << 30));
	show("lseek", lseek(99, 0, SEEK_SET));
	show("fcntl", fcntl(99, F_GETFL));
	show("ioctl", ioctl(99, TIOCGWINSZ, &byte));
	show("fsync", fsync(99));
	show("openat", openat(99, "x", O_RDONLY));
	show("fchdir", fchdir(99));
}

static void bad_names(void)
{
	static char name[6000];

	memset(name, 'n', sizeof(name) - 1);
	show("a name too long", open(name, O_RDONLY));
	name[300] = 0;
	show("a part too long", open(name, O_RDONLY));
	show("no name", open("", O_RDONLY));
	show("none", open("/none/such", O_RDONLY));
	show("below a file", open("/proc/version/x", O_RDONLY));
	show("a folder for writing", open("/", O_WRONLY));
	show("exclusive", open("/proc/version", O_CREAT | O_EXCL | O_WRONLY, 0600));
	show("impossible flags", lseek(0, -1, SEEK_SET));
	show("getcwd", syscall(SYS_getcwd, name, 1));
	show("no such device", ioctl(open("/proc/version", O_RDONLY), TIOCGWINSZ, name));
}

static int failures(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	setvbuf(stdout, NULL, _IOLBF, 0);
	bad_pointers(open("/dev/zero", O_RDONLY), open("file", O_CREAT | O_RDWR | O_TRUNC, 0600));
	bad_descriptors();
	bad_names();
	show("no such call", syscall(1000));
	show("no such call", syscall(-1));
	show("a call of the far future", syscall(500));
	return 0;
}

/* A call that the shim does not serve: the caller decides what is right. */
static int unserved(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	show("futex_waitv", syscall(449, NULL, 0, 0, NULL, 0));
	return 0;
}

/* --- Signals and time ------------------------------------------------------------------ */

static sigjmp_buf back_here;
static volatile sig_atomic_t got[65];

/* EFLAGS.AC, which Linux leaves as it was in a handler. */
static void check_alignment(int on)
{
	unsigned long flags = __builtin_ia32_readeflags_u64() & ~0x40000UL;

	__builtin_ia32_writeeflags_u64(flags | (on ? 0x40000UL : 0));
}

static void caught(int number, siginfo_t *info, void *context)
{
	(void)context;
	check_alignment(0);
	got[number]++;
	if (number == SIGSEGV || number == SIGFPE || number == SIGILL || number == SIGTRAP ||
	    number == SIGBUS) {
		printf("signal %d code %d address %s\n", number, info->si_code,
		       number == SIGSEGV ? info->si_addr == (void *)0x10 ? "right" : "wrong" : "-");
		siglongjmp(back_here, number);
	}
}

static void catch(int number)
{
	struct sigaction action = { .sa_sigaction = caught, .sa_flags = SA_SIGINFO };

	show("sigaction", sigaction(number, &action, NULL));
}

static volatile int zero;
static volatile int *volatile nowhere = (int *)0x10;

static void cause(const char *what)
{
	if (!strcmp(what, "segv"))
		*nowhere = 1;
	else if (!strcmp(what, "read"))
		zero = *nowhere;
	else if (!strcmp(what, "jump"))
		((void (*)(void))(unsigned long)nowhere)();
	else if (!strcmp(what, "wild"))		/* not canonical: #GP */
		*(volatile char *)0x800000000000UL = 1;
	else if (!strcmp(what, "constant"))
		*(volatile char *)(unsigned long)"constant" = 1;
	else if (!strcmp(what, "fpe"))
		__asm__ volatile("idivl %1" : : "a" (1), "m" (zero), "d" (0));
	else if (!strcmp(what, "ill"))
		__asm__ volatile("ud2");
	else if (!strcmp(what, "trap"))
		__asm__ volatile("int3");
	else if (!strcmp(what, "hlt"))
		__asm__ volatile("hlt");
	else if (!strcmp(what, "in"))
		__asm__ volatile("inb $0x60, %%al" : : : "eax");
	else if (!strcmp(what, "stack"))
		__asm__ volatile("mov $0x10, %%rsp; push %%rax" : : : "memory");
	else if (!strcmp(what, "align")) {
		static int words[2];

		check_alignment(1);
		__asm__ volatile("movl 1(%0), %%eax" : : "r" (words) : "eax", "memory");
		check_alignment(0);	/* where the machine has no #AC */
	} else if (!strcmp(what, "abort"))
		abort();
	else
		raise(atoi(what));
}

static int die(int argc, char **argv)
{
	printf("before\n");
	fflush(stdout);
	if (argc > 2)
		cause(argv[2]);
	printf("after\n");
	return 3;
}

static int faults(int argc, char **argv)
{
	static const char *const what[] = { "segv", "read", "jump", "fpe", "ill", "trap", "align" };
	const unsigned int causes = sizeof(what) / sizeof(what[0]);

	(void)argc;
	(void)argv;
	catch(SIGSEGV);
	catch(SIGBUS);
	catch(SIGFPE);
	catch(SIGILL);
	catch(SIGTRAP);
	for (unsigned int i = 0; i < 3 * causes; i++) {
		int number = sigsetjmp(back_here, 1);

		if (!number)
			cause(what[i % causes]);
		else
			printf("%s: signal %d\n", what[i % causes], number);
	}
	printf("segv %d fpe %d ill %d trap %d bus %d\n", got[SIGSEGV], got[SIGFPE], got[SIGILL],
	       got[SIGTRAP], got[SIGBUS]);
	return 0;
}

static void blocked_signals(void)
{
	sigset_t usr, pending;

	sigemptyset(&usr);
	sigaddset(&usr, SIGUSR1);
	show("block", sigprocmask(SIG_BLOCK, &usr, NULL));
	raise(SIGUSR1);
	raise(SIGUSR1);
	printf("blocked: got %d\n", got[SIGUSR1]);
	show("sigpending", sigpending(&pending));
	printf("pending %d\n", sigismember(&pending, SIGUSR1));
	show("unblock", sigprocmask(SIG_UNBLOCK, &usr, NULL));
	printf("unblocked: got %d\n", got[SIGUSR1]);
}

static void interrupted_read(void)
{
	struct itimerval once = { .it_value = { 0, 50000 } };
	int fds[2];
	char byte;

	show("pipe", pipe(fds));
	show("setitimer", setitimer(ITIMER_REAL, &once, NULL));
	show("read that a signal ends", read(fds[0], &byte, 1));
	printf("alarms %d\n", got[SIGALRM]);
	show("setitimer", setitimer(ITIMER_REAL, &once, NULL));
	show("pause", pause());
	printf("alarms %d\n", got[SIGALRM]);
}

static void computing_under_signals(void)
{
	struct itimerval often = { { 0, 5000 }, { 0, 5000 } }, never = { 0 };
	double x[16];
	long rounds = 0, bad = 0;

	setitimer(ITIMER_REAL, &often, NULL);
	while (got[SIGALRM] < 30) {
		for (int i = 0; i < 16; i++)
			x[i] = i + (double)rounds;
		for (int round = 0; round < 20; round++)
			for (int i = 0; i < 16; i++)
				x[i] = x[i] * 1.5 + 1 - x[i] * 0.5;
		for (int i = 0; i < 16; i++)
			bad += x[i] != i + (double)rounds + 20;
		rounds = (rounds + 1) & 0xFFFF;
	}
	setitimer(ITIMER_REAL, &never, NULL);
	printf("wrong sums under signals: %ld\n", bad);
}

static int signals(int argc, char **argv)
{
	struct timespec t, u;

	(void)argc;
	(void)argv;
	catch(SIGUSR1);
	catch(SIGALRM);
	for (int i = 0; i < 100; i++)
		raise(SIGUSR1);
	printf("got %d\n", got[SIGUSR1]);
	blocked_signals();
	interrupted_read();
	computing_under_signals();
	clock_gettime(CLOCK_MONOTONIC, &t);
	usleep(20000);
	clock_gettime(CLOCK_MONOTONIC, &u);
	printf("slept long enough: %d\n",
	       (u.tv_sec - t.tv_sec) * 1000000000L + u.tv_nsec - t.tv_nsec >= 20000000);
	return 0;
}

/* --- Numbers -------------------------------------------------------------------------- */

static int numbers(int argc, char **argv)
{
	double sum = 0;
	long double wide = 1;

	(void)argc;
	(void)argv;
	for (int i = 1; i < 20000; i++) {
		sum += sqrt(i) / (i + 1) - 1.0 / (i * 3);
		wide = wide * 1.00001L + 1.0L / i;
		if (i % 1000 == 0)
			printf("%.17g %.21Lg %a\n", sum, wide, sum);
	}
	printf("%d %ld %s\n", -7 / 2, -7L % 3, strtod("1e400", NULL) > 1e308 ? "inf" : "finite");
	return 0;
}

/* --- The machine, as a program sees it ------------------------------------------------ */

static int machine(int argc, char **argv)
{
	struct utsname name;
	struct rlimit limit;
	struct statfs fs;
	cpu_set_t set;

	(void)argc;
	(void)argv;
	show("uname", uname(&name));
	printf("%s %s %s %s\n", name.sysname, name.nodename, name.release, name.machine);
	show("getuid", getuid());
	show("getegid", getegid());
	show("umask", umask(077));
	show("umask", umask(022));
	show("getrlimit", getrlimit(RLIMIT_NOFILE, &limit));
	printf("%lu %lu\n", (unsigned long)limit.rlim_cur, (unsigned long)limit.rlim_max);
	limit.rlim_cur = 10;
	show("setrlimit", setrlimit(RLIMIT_NOFILE, &limit));
	show("open", open("/dev/null", O_RDONLY));
	while (dup(0) >= 0)
		;
	show("dup", dup(0));
	show("getpriority", getpriority(PRIO_PROCESS, 0));
	show("statfs", statfs("/proc", &fs));
	printf("type %lx\n", (unsigned long)fs.f_type);
	show("sched_getaffinity", sched_getaffinity(0, sizeof(set), &set));
	printf("%d CPUs, %ld online, page %ld\n", CPU_COUNT(&set), sysconf(_SC_NPROCESSORS_ONLN),
	       sysconf(_SC_PAGESIZE));
	printf("ids equal: %d %d\n", getpid() == syscall(SYS_gettid), getpgrp() == getpgid(0));
	return 0;
}

static int leave(int argc, char **argv)
{
	printf("without a newline");
	return argc > 2 ? atoi(argv[2]) : 0;
}

static const struct {
	const char *name;
	int (*function)(int argc, char **argv);
} commands[] = {
	{ "arguments", arguments }, { "scan", scan }, { "files", files }, { "reads", reads },
	{ "vectors", vectors }, { "output", output }, { "memory", memory },
	{ "failures", failures }, { "unserved", unserved }, { "die", die }, { "faults", faults },
	{ "signals", signals }, { "numbers", numbers }, { "machine", machine }, { "leave", leave },
};

int main(int argc, char **argv)
{
	for (unsigned int i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (argc > 1 && !strcmp(argv[1], commands[i].name))
			return commands[i].function(argc, argv);
	fprintf(stderr, "usage: program WHAT [ARGUMENT]..., with WHAT one of");
	for (unsigned int i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		fprintf(stderr, " %s", commands[i].name);
	fprintf(stderr, "\n");
	return 2;
}
