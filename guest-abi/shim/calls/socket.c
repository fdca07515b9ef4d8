/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sockets, as far as a row does not say it all: families and options that would
 * hand the kernel keys or addresses, or let it read the channel after the call.
 */
#include <carrel/hypercall.h>
#include "calls/call.h"
#include "emulate.h"
#include "base/host.h"
#include "calls/marshal.h"

#define AF_ALG			38
#define SOL_SOCKET		1
#define SOL_IP			0
#define SOL_TCP			6
#define SOL_TLS			282
#define SO_ATTACH_FILTER	26
#define SO_ATTACH_REUSEPORT_CBPF 51
#define SO_ZEROCOPY		60
#define TCP_ULP			31
#define TCP_ZEROCOPY_RECEIVE	35
#define XT_BASE_CTL		64		/* netfilter's, which hold addresses, from there on */
#define XT_END_CTL		72

enum { NR_socket = 41, NR_socketpair = 53, NR_setsockopt = 54, NR_getsockopt = 55 };

/* Keys given to the kernel's own ciphers are the kernel's. */
EMULATED(call_socket)
{
	static const struct call row = {
		.arg = { KIND_INT, KIND_INT, KIND_INT }, .how = HOW_PASS, .result = RESULT_FD,
	};

	if ((uint32_t)arg[0] == AF_ALG)
		return -LINUX_EAFNOSUPPORT;
	return marshal(t, &row, NR_socket, arg);
}

EMULATED(call_socketpair)
{
	static const struct call row = {
		.arg = { KIND_INT, KIND_INT, KIND_INT, KIND_FDS_OUT },
		.how = HOW_MARSHAL, .result = RESULT_ZERO,
	};

	return marshal(t, &row, NR_socketpair, arg);
}

/* Options that do not work here: they hold addresses, keys, or a promise to read later. */
static bool option_refused(uint32_t level, uint32_t name)
{
	switch (level) {
	case SOL_SOCKET:
		return name == SO_ATTACH_FILTER || name == SO_ATTACH_REUSEPORT_CBPF ||
		       name == SO_ZEROCOPY;
	case SOL_TCP:
		return name == TCP_ULP || name == TCP_ZEROCOPY_RECEIVE;
	case SOL_IP:			/* of IPv6, 64 and 65 are sets of addresses, without pointers */
		return name >= XT_BASE_CTL && name < XT_END_CTL;
	case SOL_TLS:
		return true;
	default:
		return false;
	}
}

EMULATED(call_setsockopt)
{
	static const struct call row = {
		.arg = { KIND_FD, KIND_INT, KIND_INT, ARG_BUF(KIND_IN, 4), KIND_INT },
		.how = HOW_MARSHAL, .result = RESULT_ZERO,
	};

	if ((int32_t)arg[4] < 0)
		return -LINUX_EINVAL;
	if (option_refused(arg[1], arg[2])) {
		note(CARREL_NOTE_ENOSYS, NR_setsockopt);
		return -LINUX_ENOPROTOOPT;
	}
	return marshal(t, &row, NR_setsockopt, arg);
}

EMULATED(call_getsockopt)
{
	static const struct call row = {
		.arg = { KIND_FD, KIND_INT, KIND_INT, ARG_BUF(KIND_OPTION_OUT, 4), KIND_ROOM },
		.how = HOW_MARSHAL, .result = RESULT_ZERO,
	};

	if (option_refused(arg[1], arg[2]))
		return -LINUX_ENOPROTOOPT;
	return marshal(t, &row, NR_getsockopt, arg);
}
