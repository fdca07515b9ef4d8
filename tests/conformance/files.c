/* SPDX-License-Identifier: BSD-2-Clause */
/* Files, directories, names, attributes, pipes. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "calls.h"

#define FILE_NAME	P("file")
#define NONE		P("none")
#define AT		AT_FDCWD

static const struct iovec parts[2] = { { buffer, 10 }, { buffer + 100, 20 } };
static const struct iovec bad_parts[2] = { { (void *)BAD, 10 }, { buffer, 20 } };
static const struct timespec times[2] = { { 1000000000, 0 }, { 1000000001, 0 } };
static const struct timeval old_times[2] = { { 1000000000, 0 }, { 1000000001, 0 } };

void check_read(void)
{
	good(S(read, fd, BUF, 700));
	good(S(read, fd, BUF + 700, 700));
	wrote(buffer, 1400);
	bad(S(read, fd, BAD, 10));
	S(lseek, fd, 0, 0);
	bad(S(read, fd, BAD, 10));
	bad(S(read, 99, BUF, 10));
	bad(S(read, dir, BUF, 10));
}

void check_write(void)
{
	good(S(write, fd, BUF, 2000));
	bad(S(write, fd, BAD, 10));
	bad(S(write, dir, BUF, 10));
}

CHECK(open, S(open, FILE_NAME, O_RDONLY), S(open, NONE, O_RDONLY))
CHECK(close, S(close, fd), S(close, 99))
CHECK(lseek, S(lseek, fd, 17, SEEK_END), S(lseek, pipes[0], 0, SEEK_SET))
CHECK(access, S(access, FILE_NAME, R_OK), S(access, BAD, 0))
CHECK(dup, S(dup, fd), S(dup, 99))
CHECK(dup2, S(dup2, fd, 40), S(dup2, fd, -1))
CHECK(dup3, S(dup3, fd, 40, O_CLOEXEC), S(dup3, fd, fd, 0))
CHECK(flock, S(flock, fd, 2), S(flock, fd, 99))
CHECK(fsync, S(fsync, fd), S(fsync, pipes[0]))
CHECK(fdatasync, S(fdatasync, fd), S(fdatasync, 99))
CHECK(sync, S(sync), 0)
CHECK(syncfs, S(syncfs, fd), S(syncfs, 99))
CHECK(truncate, S(truncate, FILE_NAME, 10), S(truncate, NONE, 10))
CHECK(ftruncate, S(ftruncate, fd, 10), S(ftruncate, fd, -1))
CHECK(fallocate, S(fallocate, fd, 0, 0, 5000), S(fallocate, fd, 0, 0, 0))
CHECK(fadvise64, S(fadvise64, fd, 0, 0, 1), S(fadvise64, fd, 0, 0, 99))
CHECK(readahead, S(readahead, fd, 0, 100), S(readahead, pipes[0], 0, 100))
CHECK(sync_file_range, S(sync_file_range, fd, 0, 0, 2), S(sync_file_range, fd, 0, 0, 99))
CHECK(chdir, S(chdir, P("dir")), S(chdir, FILE_NAME))
CHECK(fchdir, S(fchdir, dir), S(fchdir, fd))
CHECK(rename, S(rename, FILE_NAME, P("new")), S(rename, NONE, P("new")))
CHECK(renameat, S(renameat, AT, FILE_NAME, dir, P("new")), S(renameat, 99, FILE_NAME, dir, P("x")))
CHECK(renameat2, S(renameat2, AT, FILE_NAME, dir, P("new"), 1),
      S(renameat2, AT, P("new"), dir, P("link"), 1))
CHECK(mkdir, S(mkdir, P("d2"), 0700), S(mkdir, P("dir"), 0700))
CHECK(mkdirat, S(mkdirat, dir, P("d2"), 0700), S(mkdirat, dir, P("dir"), 0700))
CHECK(rmdir, S(rmdir, P("dir")), S(rmdir, FILE_NAME))
CHECK(creat, S(creat, P("new"), 0600), S(creat, P("dir"), 0600))
CHECK(link, S(link, FILE_NAME, P("new")), S(link, FILE_NAME, P("dir")))
CHECK(linkat, S(linkat, AT, FILE_NAME, dir, P("new"), 0), S(linkat, AT, NONE, dir, P("x"), 0))
CHECK(unlink, S(unlink, FILE_NAME), S(unlink, P("dir")))
CHECK(unlinkat, S(unlinkat, dir, P("dir"), AT_REMOVEDIR), S(unlinkat, dir, NONE, 0))
CHECK(symlink, S(symlink, P("x"), P("new")), S(symlink, P("x"), FILE_NAME))
CHECK(symlinkat, S(symlinkat, P("x"), dir, P("new")), S(symlinkat, P(""), dir, P("x")))
CHECK(chmod, S(chmod, FILE_NAME, 0644), S(chmod, NONE, 0644))
CHECK(fchmod, S(fchmod, fd, 0644), S(fchmod, 99, 0644))
CHECK(fchmodat, S(fchmodat, dir, FILE_NAME, 0644), S(fchmodat, dir, NONE, 0644))
CHECK(chown, S(chown, FILE_NAME, -1, -1), S(chown, NONE, -1, -1))
CHECK(fchown, S(fchown, fd, -1, -1), S(fchown, 99, -1, -1))
CHECK(lchown, S(lchown, P("link"), -1, -1), S(lchown, NONE, -1, -1))
CHECK(fchownat, S(fchownat, dir, FILE_NAME, -1, -1, 0), S(fchownat, dir, FILE_NAME, -1, -1, 99))
CHECK(umask, S(umask, 077), S(umask, 022))
CHECK(utime, S(utime, FILE_NAME, P(times)), S(utime, FILE_NAME, BAD))
CHECK(utimes, S(utimes, FILE_NAME, P(old_times)), S(utimes, NONE, 0))
CHECK(futimesat, S(futimesat, dir, FILE_NAME, P(old_times)), S(futimesat, dir, NONE, 0))
CHECK(utimensat, S(utimensat, dir, FILE_NAME, P(times), 0), S(utimensat, dir, FILE_NAME, BAD, 0))
CHECK(mknod, S(mknod, P("new"), S_IFIFO | 0600, 0), S(mknod, FILE_NAME, S_IFIFO | 0600, 0))
CHECK(mknodat, S(mknodat, dir, P("new"), S_IFIFO | 0600, 0), S(mknodat, dir, BAD, S_IFIFO, 0))
CHECK(faccessat, S(faccessat, dir, FILE_NAME, R_OK), S(faccessat, 99, FILE_NAME, 0))
CHECK(faccessat2, S(faccessat2, dir, FILE_NAME, R_OK, 0), S(faccessat2, dir, FILE_NAME, 0, 1))
CHECK(openat, S(openat, dir, FILE_NAME, O_RDONLY), S(openat, fd, FILE_NAME, O_RDONLY))
CHECK(memfd_create, S(memfd_create, P("name"), 0), S(memfd_create, BAD, 0))
CHECK(tee, S(tee, pipes[0], pipes[1], 0, 0), S(tee, fd, pipes[1], 10, 0))

void check_close_range(void)
{
	good(S(close_range, pipes[0], pipes[1], 0));
	bad(S(close, pipes[0]));
	bad(S(close_range, 5, 3, 0));
	bad(S(close_range, 40, 50, 99));
}

void check_openat2(void)
{
	uint64_t how[4] = { O_RDONLY };

	good(S(openat2, dir, FILE_NAME, P(how), 24));
	bad(S(openat2, dir, FILE_NAME, P(how), 8));
	how[2] = 1UL << 40;
	bad(S(openat2, dir, FILE_NAME, P(how), 24));
}

/* Of a struct stat: mode, links and size; the rest is the machine's. */
static void say_stat(const struct stat *s)
{
	const uint64_t what[] = { s->st_mode, s->st_nlink, S_ISDIR(s->st_mode) ? 0 : s->st_size };

	wrote(what, sizeof(what));
}

void check_stat(void)
{
	good(S(stat, P("link"), BUF));
	say_stat((struct stat *)buffer);
	bad(S(stat, NONE, BUF));
	bad(S(stat, FILE_NAME, BAD));
}

void check_fstat(void)
{
	good(S(fstat, fd, BUF));
	say_stat((struct stat *)buffer);
	bad(S(fstat, 99, BUF));
	bad(S(fstat, fd, BAD));
}

void check_lstat(void)
{
	good(S(lstat, P("link"), BUF));
	say_stat((struct stat *)buffer);
	bad(S(lstat, BAD, BUF));
}

void check_newfstatat(void)
{
	good(S(newfstatat, dir, P("link"), BUF, AT_SYMLINK_NOFOLLOW));
	say_stat((struct stat *)buffer);
	bad(S(newfstatat, dir, P(""), BUF, 0));
}

void check_statx(void)
{
	good(S(statx, dir, FILE_NAME, 0, 0x200, BUF));
	wrote(buffer + 40, 8);			/* the size */
	bad(S(statx, dir, NONE, 0, 0x200, BUF));
}

void check_statfs(void)
{
	good(S(statfs, P("."), BUF));
	wrote(buffer, 16);			/* type and block size */
	bad(S(statfs, NONE, BUF));
}

void check_fstatfs(void)
{
	good(S(fstatfs, fd, BUF));
	wrote(buffer, 16);
	bad(S(fstatfs, 99, BUF));
}

void check_pread64(void)
{
	good(S(pread64, fd, BUF, 100, 950));
	wrote(buffer, 100);
	bad(S(pread64, fd, BUF, 10, -1));
	bad(S(pread64, pipes[0], BUF, 10, 0));
}

CHECK(pwrite64, S(pwrite64, fd, BUF, 100, 5000), S(pwrite64, fd, BUF, 10, -1))

void check_readv(void)
{
	good(S(readv, fd, P(parts), 2));
	wrote(buffer, 200);
	bad(S(readv, fd, P(bad_parts), 2));
	bad(S(readv, fd, P(parts), 1025));
	bad(S(readv, fd, BAD, 2));
}

void check_writev(void)
{
	good(S(writev, fd, P(parts), 2));
	bad(S(writev, fd, P(bad_parts), 2));
	bad(S(writev, fd, P(parts), -1));
}

void check_preadv(void)
{
	good(S(preadv, fd, P(parts), 2, 985));
	wrote(buffer, 200);
	bad(S(preadv, pipes[0], P(parts), 2, 0));
}

CHECK(pwritev, S(pwritev, fd, P(parts), 2, 985), S(pwritev, fd, P(bad_parts), 2, 0))
CHECK(preadv2, S(preadv2, fd, P(parts), 2, 10, 0, 0), S(preadv2, fd, P(parts), 2, 10, 0, 1 << 20))
CHECK(pwritev2, S(pwritev2, fd, P(parts), 2, 10, 0, 0), S(pwritev2, fd, P(bad_parts), 2, 0, 0, 0))

void check_pipe(void)
{
	good(S(pipe, BUF));
	wrote(buffer, 8);
	bad(S(pipe, BAD));
}

void check_pipe2(void)
{
	good(S(pipe2, BUF, O_CLOEXEC));
	wrote(buffer, 8);
	bad(S(pipe2, BUF, 1));
}

void check_sendfile(void)
{
	int64_t offset = 100;

	good(S(sendfile, sockets[0], fd, P(&offset), 200));
	wrote(&offset, sizeof(offset));
	good(S(read, sockets[1], BUF, 300));
	wrote(buffer, 300);
	bad(S(sendfile, sockets[0], 99, 0, 10));
}

void check_splice(void)
{
	int64_t offset = 10;

	good(S(splice, fd, P(&offset), pipes[1], 0, 50, 0));
	wrote(&offset, sizeof(offset));
	good(S(read, pipes[0], BUF, 100));
	wrote(buffer, 100);
	bad(S(splice, fd, 0, dir, 0, 10, 0));
}

void check_copy_file_range(void)
{
	int out = S(open, P("new"), O_RDWR | O_CREAT, 0600);

	good(S(copy_file_range, fd, 0, out, 0, 500, 0));
	bad(S(copy_file_range, fd, 0, dir, 0, 500, 0));
}

void check_getcwd(void)
{
	S(chdir, P("/usr"));
	good(S(getcwd, BUF, 100));
	wrote(buffer, 100);
	bad(S(getcwd, BUF, 2));
}

void check_readlink(void)
{
	good(S(readlink, P("link"), BUF, 100));
	good(S(readlink, P("link"), BUF + 100, 2));
	wrote(buffer, 200);
	bad(S(readlink, FILE_NAME, BUF, 100));
	bad(S(readlink, P("link"), BUF, 0));
}

void check_readlinkat(void)
{
	good(S(readlinkat, dir, P("link"), BUF, 100));
	wrote(buffer, 100);
	bad(S(readlinkat, dir, P("link"), BAD, 100));
}

void check_getdents64(void)
{
	good_any(S(getdents64, dir, BUF, 4096));
	bad(S(getdents64, dir, BUF, 5));
	bad(S(getdents64, fd, BUF, 4096));
}

void check_getdents(void)
{
	good_any(S(getdents, dir, BUF, 4096));
	bad(S(getdents, fd, BUF, 4096));
}

void check_fcntl(void)
{
	struct flock lock = { .l_type = F_WRLCK, .l_len = 10 };

	good(S(fcntl, fd, F_DUPFD, 50));
	good(S(fcntl, fd, F_SETFD, 1));
	good(S(fcntl, fd, F_GETFD));
	good(S(fcntl, fd, F_GETFL));
	good(S(fcntl, fd, F_SETFL, O_NONBLOCK));
	good(S(fcntl, fd, F_SETLK, P(&lock)));
	good(S(fcntl, fd, F_GETLK, P(&lock)));
	good(S(fcntl, pipes[0], F_GETPIPE_SZ));
	bad(S(fcntl, fd, 9999, 0));
	bad(S(fcntl, fd, F_SETLK, BAD));
	bad(S(fcntl, 99, F_GETFL));
}

void check_ioctl(void)
{
	good(S(write, pipes[1], BUF, 33));
	good(S(ioctl, pipes[0], 0x541b, BUF));		/* FIONREAD */
	wrote(buffer, 4);
	good(S(ioctl, pipes[0], 0x5451));		/* FIOCLEX */
	bad(S(ioctl, fd, 0x5401, BUF));			/* TCGETS */
	bad(S(ioctl, pipes[0], 0x541b, BAD));
	bad(S(ioctl, fd, 0x12345678, BUF));
	bad(S(ioctl, 99, 0x541b, BUF));
}

/* Extended attributes, where the file system has them; else the same refusal. */
CHECK(setxattr, S(setxattr, FILE_NAME, P("user.a"), P("abc"), 3, 0),
      S(setxattr, NONE, P("user.a"), P("abc"), 3, 0))
CHECK(lsetxattr, S(lsetxattr, FILE_NAME, P("user.a"), P("abc"), 3, 0),
      S(lsetxattr, FILE_NAME, P("user.a"), BAD, 3, 0))
CHECK(fsetxattr, S(fsetxattr, fd, P("user.a"), P("abc"), 3, 0), S(fsetxattr, fd, BAD, P("abc"), 3, 0))

static void with_attribute(void)
{
	S(setxattr, FILE_NAME, P("user.a"), P("abc"), 3, 0);
}

void check_getxattr(void)
{
	with_attribute();
	good(S(getxattr, FILE_NAME, P("user.a"), 0, 0));
	good(S(getxattr, FILE_NAME, P("user.a"), BUF, 100));
	wrote(buffer, 100);
	bad(S(getxattr, FILE_NAME, P("user.a"), BUF, 2));
	bad(S(getxattr, FILE_NAME, P("user.b"), BUF, 100));
}

void check_lgetxattr(void)
{
	with_attribute();
	good(S(lgetxattr, FILE_NAME, P("user.a"), BUF, 100));
	bad(S(lgetxattr, NONE, P("user.a"), BUF, 100));
}

void check_fgetxattr(void)
{
	with_attribute();
	good(S(fgetxattr, fd, P("user.a"), BUF, 100));
	bad(S(fgetxattr, 99, P("user.a"), BUF, 100));
}

void check_listxattr(void)
{
	with_attribute();
	good_any(S(listxattr, FILE_NAME, 0, 0));
	good_any(S(listxattr, FILE_NAME, BUF, 1000));
	bad(S(listxattr, NONE, BUF, 1000));
}

void check_llistxattr(void)
{
	good_any(S(llistxattr, FILE_NAME, BUF, 1000));
	bad(S(llistxattr, NONE, BUF, 1000));
}

void check_flistxattr(void)
{
	good_any(S(flistxattr, fd, BUF, 1000));
	bad(S(flistxattr, 99, BUF, 1000));
}

void check_removexattr(void)
{
	with_attribute();
	good(S(removexattr, FILE_NAME, P("user.a")));
	bad(S(removexattr, FILE_NAME, P("user.a")));
}

void check_lremovexattr(void)
{
	with_attribute();
	good(S(lremovexattr, FILE_NAME, P("user.a")));
	bad(S(lremovexattr, NONE, P("user.a")));
}

void check_fremovexattr(void)
{
	with_attribute();
	good(S(fremovexattr, fd, P("user.a")));
	bad(S(fremovexattr, 99, P("user.a")));
}

void check_inotify_add_watch(void)
{
	int in = S(inotify_init1, O_NONBLOCK);

	good(S(inotify_add_watch, in, P("."), 0x100));	/* IN_CREATE */
	S(mkdir, P("new"), 0700);
	good(S(read, in, BUF, 100));
	wrote(buffer, 100);
	bad(S(inotify_add_watch, in, NONE, 0x100));
}

void check_inotify_rm_watch(void)
{
	int in = S(inotify_init1, O_NONBLOCK), watch = S(inotify_add_watch, in, P("."), 0x100);

	good(S(inotify_rm_watch, in, watch));
	bad(S(inotify_rm_watch, in, 99));
}

CHECK(inotify_init, S(inotify_init), 0)
CHECK(inotify_init1, S(inotify_init1, O_NONBLOCK), S(inotify_init1, 1))
