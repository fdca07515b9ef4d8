/* SPDX-License-Identifier: BSD-2-Clause */
/* The rows of calls.def as a table, and the tables of calls that are several. */
#include "calls/call.h"
#include "emulate.h"
#include "time/time.h"

/* The words of calls.def. Constants, not macros, where RESULT_ is pasted before the same word. */
enum {
	NONE = KIND_NONE, INT = KIND_INT, LONG = KIND_LONG, FD = KIND_FD, STR = KIND_STRING,
	COUNT = KIND_COUNT, OFFSET = KIND_OFFSET, FDS = KIND_FDS_OUT, ROOM = KIND_ROOM,
};
#define PATH		ARG_ARRAY(KIND_STRING, 0, FOLLOWED_ALWAYS)
#define PATHAT(by)	ARG_ARRAY(KIND_STRING, by, FOLLOWED_AT)
#define PATHOPEN(by)	ARG_ARRAY(KIND_STRING, by, FOLLOWED_OPEN)
#define IN(by)		ARG_BUF(KIND_IN, by)
#define SIN(by)		ARG_BUF(KIND_IN_STREAM, by)
#define OUT(by)		ARG_BUF(KIND_OUT, by)
#define SOUT(by)	ARG_BUF(KIND_OUT_STREAM, by)
#define IOVI(by)	ARG_BUF(KIND_IOV_IN, by)
#define IOVO(by)	ARG_BUF(KIND_IOV_OUT, by)
#define FIXI(size)	ARG_FIX(KIND_FIX_IN, size)
#define FIXO(size)	ARG_FIX(KIND_FIX_OUT, size)
#define FIXIO(size)	ARG_FIX(KIND_FIX_INOUT, size)
#define REST(size)	ARG_FIX(KIND_FIX_REST, size)
#define ARRO(by, size)	ARG_ARRAY(KIND_ARRAY_OUT, by, size)
#define POLLFDS(by)	ARG_ARRAY(KIND_POLLFDS, by, 8)
#define ARRI(by, size)	ARG_ARRAY(KIND_ARRAY_IN, by, size)
#define FOUND(size)	ARG_FIX(KIND_FIX_FOUND, size)
#define UPDATE(size)	ARG_FIX(KIND_FIX_UPDATE, size)
#define FDSET(by)	ARG_BUF(KIND_FDSET, by)
#define ADDR(by)	ARG_BUF(KIND_ADDRESS_OUT, by)
#define OPT(by)		ARG_BUF(KIND_OPTION_OUT, by)
#define TEXT(by)	ARG_BUF(KIND_TEXT_OUT, by)
#define NAMES(count, size) ARG_ARRAY(KIND_NAMES_OUT, count, size)
#define DIRENTS(by, name) ARG_ARRAY(KIND_DIRENTS_OUT, by, name)

#define RESULT_BOUND(i)	RESULT_BOUND, .by = i
#define RESULT_MESSAGE(i) RESULT_MESSAGE, .by = i
#define RESULT_SETS(i)	RESULT_SETS, .by = i
#define ROW(how_, restart_, result_, ...) \
	{ .arg = { __VA_ARGS__ }, .how = how_, .restart = RESTART_##restart_, \
	  .result = RESULT_##result_ }

#define PASS(nr, name, restart, result, ...) \
	[nr] = ROW(HOW_PASS, restart, result, __VA_ARGS__),
#define MARSHAL(nr, name, restart, result, ...) \
	[nr] = ROW(HOW_MARSHAL, restart, result, __VA_ARGS__),
#define EMULATE(nr, name, restart_, function) \
	[nr] = { .emulate = function, .how = HOW_EMULATE, .restart = RESTART_##restart_ },
#define REFUSE(nr, name, when)

const struct call calls[CALLS] = {
#include "calls/calls.def"
};

/* Numbers as in the kernel's headers for x86-64; a name beside each. */
#define SUBPASS(request_, restart, result, ...) \
	{ .request = request_, .call = ROW(HOW_PASS, restart, result, __VA_ARGS__) }
#define SUBMARSHAL(request_, restart, result, ...) \
	{ .request = request_, .call = ROW(HOW_MARSHAL, restart, result, __VA_ARGS__) }
#define SUBEND		{ .call = { .how = HOW_REFUSE } }

const struct subcall subcalls_ioctl[] = {
	SUBMARSHAL(0x5401, NO, ZERO, FD, INT, FIXO(36)),	/* TCGETS */
	SUBMARSHAL(0x5402, NO, ZERO, FD, INT, FIXI(36)),	/* TCSETS */
	SUBMARSHAL(0x5403, YES, ZERO, FD, INT, FIXI(36)),	/* TCSETSW */
	SUBMARSHAL(0x5404, YES, ZERO, FD, INT, FIXI(36)),	/* TCSETSF */
	SUBPASS(0x5409, YES, ZERO, FD, INT, INT),		/* TCSBRK */
	SUBPASS(0x540a, YES, ZERO, FD, INT, INT),		/* TCXONC */
	SUBPASS(0x540b, YES, ZERO, FD, INT, INT),		/* TCFLSH */
	SUBPASS(0x540e, NO, ZERO, FD, INT, INT),		/* TIOCSCTTY */
	SUBMARSHAL(0x540f, NO, ZERO, FD, INT, FIXO(4)),		/* TIOCGPGRP */
	SUBMARSHAL(0x5410, YES, ZERO, FD, INT, FIXI(4)),	/* TIOCSPGRP */
	SUBMARSHAL(0x5411, NO, ZERO, FD, INT, FIXO(4)),		/* TIOCOUTQ */
	SUBMARSHAL(0x5413, NO, ZERO, FD, INT, FIXO(8)),		/* TIOCGWINSZ */
	SUBMARSHAL(0x5414, NO, ZERO, FD, INT, FIXI(8)),		/* TIOCSWINSZ */
	SUBMARSHAL(0x541b, NO, ZERO, FD, INT, FIXO(4)),		/* FIONREAD */
	SUBMARSHAL(0x5421, NO, ZERO, FD, INT, FIXI(4)),		/* FIONBIO */
	SUBPASS(0x5422, NO, ZERO, FD, INT),			/* TIOCNOTTY */
	SUBMARSHAL(0x5420, NO, ZERO, FD, INT, FIXI(4)),		/* TIOCPKT */
	SUBMARSHAL(0x5424, NO, ZERO, FD, INT, FIXO(4)),		/* TIOCGETD */
	SUBMARSHAL(0x5429, NO, ZERO, FD, INT, FIXO(4)),		/* TIOCGSID */
	SUBPASS(0x5450, NO, ZERO, FD, INT),			/* FIONCLEX */
	SUBPASS(0x5451, NO, ZERO, FD, INT),			/* FIOCLEX */
	SUBMARSHAL(0x5452, NO, ZERO, FD, INT, FIXI(4)),		/* FIOASYNC */
	SUBMARSHAL(0x5460, NO, ZERO, FD, INT, FIXO(8)),		/* FIOQSIZE */
	SUBMARSHAL(0x802c542a, NO, ZERO, FD, INT, FIXO(44)),	/* TCGETS2 */
	SUBMARSHAL(0x402c542b, NO, ZERO, FD, INT, FIXI(44)),	/* TCSETS2 */
	SUBMARSHAL(0x402c542c, YES, ZERO, FD, INT, FIXI(44)),	/* TCSETSW2 */
	SUBMARSHAL(0x402c542d, YES, ZERO, FD, INT, FIXI(44)),	/* TCSETSF2 */
	SUBMARSHAL(0x80045430, NO, ZERO, FD, INT, FIXO(4)),	/* TIOCGPTN */
	SUBMARSHAL(0x40045431, NO, ZERO, FD, INT, FIXI(4)),	/* TIOCSPTLCK */
	SUBPASS(0x5441, NO, FD, FD, INT, INT),			/* TIOCGPTPEER */
	SUBMARSHAL(0x8905, NO, ZERO, FD, INT, FIXO(4)),		/* SIOCATMARK */
	SUBMARSHAL(0x8910, NO, ZERO, FD, INT, FIXIO(40)),	/* SIOCGIFNAME */
	SUBMARSHAL(0x8913, NO, ZERO, FD, INT, FIXIO(40)),	/* SIOCGIFFLAGS */
	SUBMARSHAL(0x8915, NO, ZERO, FD, INT, FIXIO(40)),	/* SIOCGIFADDR */
	SUBMARSHAL(0x8919, NO, ZERO, FD, INT, FIXIO(40)),	/* SIOCGIFBRDADDR */
	SUBMARSHAL(0x891b, NO, ZERO, FD, INT, FIXIO(40)),	/* SIOCGIFNETMASK */
	SUBMARSHAL(0x8921, NO, ZERO, FD, INT, FIXIO(40)),	/* SIOCGIFMTU */
	SUBMARSHAL(0x8927, NO, ZERO, FD, INT, FIXIO(40)),	/* SIOCGIFHWADDR */
	SUBMARSHAL(0x8933, NO, ZERO, FD, INT, FIXIO(40)),	/* SIOCGIFINDEX */
	SUBMARSHAL(0x80081272, NO, ZERO, FD, INT, FIXO(8)),	/* BLKGETSIZE64 */
	SUBMARSHAL(0x1268, NO, ZERO, FD, INT, FIXO(4)),		/* BLKSSZGET */
	SUBMARSHAL(0x80086601, NO, ZERO, FD, INT, FIXO(4)),	/* FS_IOC_GETFLAGS */
	SUBMARSHAL(0x40086602, NO, ZERO, FD, INT, FIXI(4)),	/* FS_IOC_SETFLAGS */
	SUBPASS(0x40049409, NO, ZERO, FD, INT, INT),		/* FICLONE */
	SUBMARSHAL(0x80045200, NO, ZERO, FD, INT, FIXO(4)),	/* RNDGETENTCNT */
	SUBEND
};

/* Structures as the kernel has them for 64 bits: semid64_ds, seminfo; msqid64_ds, msginfo. */
const struct subcall subcalls_semctl[] = {
	SUBPASS(0, NO, ZERO, INT, INT, INT),			/* IPC_RMID */
	SUBMARSHAL(1, NO, ZERO, INT, INT, INT, FIXI(104)),	/* IPC_SET */
	SUBMARSHAL(2, NO, ZERO, INT, INT, INT, FIXO(104)),	/* IPC_STAT */
	SUBMARSHAL(3, NO, INT, INT, INT, INT, FIXO(40)),	/* IPC_INFO */
	SUBPASS(11, NO, INT, INT, INT, INT),			/* GETPID */
	SUBPASS(12, NO, INT, INT, INT, INT),			/* GETVAL */
	SUBPASS(14, NO, INT, INT, INT, INT),			/* GETNCNT */
	SUBPASS(15, NO, INT, INT, INT, INT),			/* GETZCNT */
	SUBPASS(16, NO, ZERO, INT, INT, INT, INT),		/* SETVAL */
	SUBMARSHAL(18, NO, INT, INT, INT, INT, FIXO(104)),	/* SEM_STAT */
	SUBMARSHAL(19, NO, INT, INT, INT, INT, FIXO(40)),	/* SEM_INFO */
	SUBMARSHAL(20, NO, INT, INT, INT, INT, FIXO(104)),	/* SEM_STAT_ANY */
	SUBEND,
};

const struct subcall subcalls_msgctl[] = {
	SUBPASS(0, NO, ZERO, INT, INT),				/* IPC_RMID */
	SUBMARSHAL(1, NO, ZERO, INT, INT, FIXI(120)),		/* IPC_SET */
	SUBMARSHAL(2, NO, ZERO, INT, INT, FIXO(120)),		/* IPC_STAT */
	SUBMARSHAL(3, NO, INT, INT, INT, FIXO(32)),		/* IPC_INFO */
	SUBMARSHAL(11, NO, INT, INT, INT, FIXO(120)),		/* MSG_STAT */
	SUBMARSHAL(12, NO, INT, INT, INT, FIXO(32)),		/* MSG_INFO */
	SUBMARSHAL(13, NO, INT, INT, INT, FIXO(120)),		/* MSG_STAT_ANY */
	SUBEND,
};

const struct subcall subcalls_fcntl[] = {
	SUBPASS(0, NO, FD, FD, INT, INT),			/* F_DUPFD */
	SUBPASS(1, NO, INT, FD, INT),				/* F_GETFD */
	SUBPASS(2, NO, ZERO, FD, INT, INT),			/* F_SETFD */
	SUBPASS(3, NO, INT, FD, INT),				/* F_GETFL */
	SUBPASS(4, NO, ZERO, FD, INT, INT),			/* F_SETFL */
	SUBMARSHAL(5, NO, ZERO, FD, INT, FIXIO(32)),		/* F_GETLK */
	SUBMARSHAL(6, NO, ZERO, FD, INT, FIXI(32)),		/* F_SETLK */
	SUBMARSHAL(7, YES, ZERO, FD, INT, FIXI(32)),		/* F_SETLKW */
	SUBPASS(8, NO, ZERO, FD, INT, INT),			/* F_SETOWN */
	SUBPASS(9, NO, ANY, FD, INT),				/* F_GETOWN; a group is below 0 */
	SUBPASS(10, NO, ZERO, FD, INT, INT),			/* F_SETSIG */
	SUBPASS(11, NO, INT, FD, INT),				/* F_GETSIG */
	SUBMARSHAL(15, NO, ZERO, FD, INT, FIXI(8)),		/* F_SETOWN_EX */
	SUBMARSHAL(16, NO, ZERO, FD, INT, FIXO(8)),		/* F_GETOWN_EX */
	SUBMARSHAL(36, NO, ZERO, FD, INT, FIXIO(32)),		/* F_OFD_GETLK */
	SUBMARSHAL(37, NO, ZERO, FD, INT, FIXI(32)),		/* F_OFD_SETLK */
	SUBMARSHAL(38, YES, ZERO, FD, INT, FIXI(32)),		/* F_OFD_SETLKW */
	SUBPASS(1024, NO, ZERO, FD, INT, INT),			/* F_SETLEASE */
	SUBPASS(1025, NO, INT, FD, INT),			/* F_GETLEASE */
	SUBPASS(1026, NO, ZERO, FD, INT, INT),			/* F_NOTIFY */
	SUBPASS(1030, NO, FD, FD, INT, INT),			/* F_DUPFD_CLOEXEC */
	SUBPASS(1031, NO, INT, FD, INT, INT),			/* F_SETPIPE_SZ */
	SUBPASS(1032, NO, INT, FD, INT),			/* F_GETPIPE_SZ */
	SUBPASS(1033, NO, ZERO, FD, INT, INT),			/* F_ADD_SEALS */
	SUBPASS(1034, NO, INT, FD, INT),			/* F_GET_SEALS */
	SUBEND
};

const struct subcall subcalls_prctl[] = {
	SUBPASS(1, NO, ZERO, INT, LONG),			/* PR_SET_PDEATHSIG */
	SUBMARSHAL(2, NO, ZERO, INT, FIXO(4)),			/* PR_GET_PDEATHSIG */
	SUBPASS(3, NO, INT, INT),				/* PR_GET_DUMPABLE */
	SUBPASS(4, NO, ZERO, INT, LONG),			/* PR_SET_DUMPABLE */
	SUBPASS(7, NO, INT, INT),				/* PR_GET_KEEPCAPS */
	SUBPASS(8, NO, ZERO, INT, LONG),			/* PR_SET_KEEPCAPS */
	SUBMARSHAL(15, NO, ZERO, INT, STR),			/* PR_SET_NAME */
	SUBMARSHAL(16, NO, ZERO, INT, NAMES(1, 16)),		/* PR_GET_NAME */
	SUBPASS(23, NO, INT, INT, LONG),			/* PR_CAPBSET_READ */
	SUBPASS(24, NO, ZERO, INT, LONG),			/* PR_CAPBSET_DROP */
	SUBPASS(27, NO, INT, INT),				/* PR_GET_SECUREBITS */
	SUBPASS(28, NO, ZERO, INT, LONG),			/* PR_SET_SECUREBITS */
	SUBPASS(29, NO, ZERO, INT, LONG),			/* PR_SET_TIMERSLACK */
	SUBPASS(30, NO, ANY, INT),				/* PR_GET_TIMERSLACK */
	SUBPASS(36, NO, ZERO, INT, LONG),			/* PR_SET_CHILD_SUBREAPER */
	SUBMARSHAL(37, NO, ZERO, INT, FIXO(4)),			/* PR_GET_CHILD_SUBREAPER */
	SUBPASS(38, NO, ZERO, INT, LONG, LONG, LONG, LONG),	/* PR_SET_NO_NEW_PRIVS */
	SUBPASS(39, NO, INT, INT, LONG, LONG, LONG, LONG),	/* PR_GET_NO_NEW_PRIVS */
	SUBPASS(41, NO, ZERO, INT, LONG, LONG, LONG, LONG),	/* PR_SET_THP_DISABLE */
	SUBPASS(42, NO, INT, INT, LONG, LONG, LONG, LONG),	/* PR_GET_THP_DISABLE */
	SUBPASS(47, NO, INT, INT, LONG, LONG, LONG, LONG),	/* PR_CAP_AMBIENT */
	SUBPASS(0x59616d61, NO, ZERO, INT, INT),		/* PR_SET_PTRACER */
	SUBEND
};

const struct call *subcall_find(const struct subcall *table, uint64_t request)
{
	while (table->call.how != HOW_REFUSE && table->request != request)
		table++;
	return &table->call;
}
