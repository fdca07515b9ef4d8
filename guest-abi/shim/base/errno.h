/* SPDX-License-Identifier: BSD-2-Clause */
/* Error numbers and constants of the Linux ABI that the shim uses. newlib's differ. */
#ifndef SHIM_ERRNO_H
#define SHIM_ERRNO_H

#define LINUX_EPERM		1
#define LINUX_ENOENT		2
#define LINUX_ESRCH		3
#define LINUX_EINTR		4
#define LINUX_EIO		5
#define LINUX_E2BIG		7
#define LINUX_ENOEXEC		8
#define LINUX_EBADF		9
#define LINUX_ECHILD		10
#define LINUX_EAGAIN		11
#define LINUX_ENOMEM		12
#define LINUX_EACCES		13
#define LINUX_EFAULT		14
#define LINUX_EBUSY		16
#define LINUX_EEXIST		17
#define LINUX_ENODEV		19
#define LINUX_EINVAL		22
#define LINUX_EMFILE		24
#define LINUX_ENOTTY		25
#define LINUX_EDEADLK		35
#define LINUX_ENAMETOOLONG	36
#define LINUX_ENOSYS		38
#define LINUX_ELOOP		40
#define LINUX_EOVERFLOW		75
#define LINUX_ELIBBAD		80
#define LINUX_ENOTSOCK		88
#define LINUX_EMSGSIZE		90
#define LINUX_ENOPROTOOPT	92
#define LINUX_EOPNOTSUPP	95
#define LINUX_EAFNOSUPPORT	97
#define LINUX_ENOBUFS		105
#define LINUX_ETIMEDOUT		110
#define LINUX_ENOKEY		126
#define LINUX_ERRNO_MAX		4095

#endif
