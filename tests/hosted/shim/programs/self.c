/* SPDX-License-Identifier: BSD-2-Clause */
/* self FILE: what a program finds that looks for itself; FILE is its own. All must say ok. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct stat own;
static int failures;

static void report(const char *what, int good)
{
	printf("%s: %s\n", what, good ? "ok" : "WRONG");
	failures += !good;
}

static int same(const struct stat *st)
{
	return st->st_dev == own.st_dev && st->st_ino == own.st_ino && st->st_size == own.st_size;
}

static int opens(const char *path, int flags)
{
	struct stat st = { 0 };
	int fd = open(path, flags);
	int good = fd >= 0 && fstat(fd, &st) == 0 && same(&st);

	close(fd);
	return good;
}

int main(int argc, char **argv)
{
	char number[64], link[4096];
	struct stat st;
	struct statx stx;
	ssize_t n;

	if (argc < 2 || stat(argv[1], &own))
		return 2;
	sprintf(number, "/proc/%d/exe", (int)getpid());
	report("open /proc/self/exe", opens("/proc/self/exe", O_RDONLY | O_CLOEXEC));
	report("open it by the thread's name", opens("/proc/thread-self/exe", O_RDONLY));
	report("open it by number", opens(number, O_RDONLY));
	report("open it as a path alone", opens("/proc/self/exe", O_PATH));
	report("stat", stat("/proc/self/exe", &st) == 0 && same(&st));
	report("statx", statx(AT_FDCWD, number, 0, STATX_INO, &stx) == 0 &&
	       stx.stx_ino == own.st_ino);
	report("access", access("/proc/self/exe", X_OK) == 0);
	report("lstat is of the link", lstat("/proc/self/exe", &st) == 0 && S_ISLNK(st.st_mode));
	report("a link that must not be followed",
	       open("/proc/self/exe", O_RDONLY | O_NOFOLLOW) < 0 && errno == ELOOP);
	n = readlink(number, link, sizeof(link));
	report("readlink by number", n == (ssize_t)strlen(argv[1]) && !memcmp(link, argv[1], n));
	report("another process's", !opens("/proc/1/exe", O_RDONLY));
	report("another name", open("/proc/self/exec", O_RDONLY) < 0 && errno == ENOENT);
	return failures;
}
