/* SPDX-License-Identifier: BSD-2-Clause */
/* Sockets and messages: nested structures, lengths that the kernel returns, descriptors in messages. */
#include "guest-abi/shim/files/fds.h"
#include "guest-abi/shim/base/host.h"
#include "guest-abi/shim/calls/marshal.h"
#include "test.h"

enum {
	SOCKET = 41, ACCEPT = 43, SENDTO = 44, RECVFROM = 45, SENDMSG = 46, RECVMSG = 47,
	GETSOCKNAME = 51, SETSOCKOPT = 54, GETSOCKOPT = 55, RECVMMSG = 299, SENDMMSG = 307,
};
#define MSG_TRUNC	0x20
#define MSG_DONTWAIT	0x40
#define SCM_RIGHTS	1

struct header {
	uint64_t name;
	uint32_t name_size, pad0;
	uint64_t iov, iov_count, control, control_size;
	uint32_t flags, pad1;
	uint32_t count, pad2;		/* struct mmsghdr's */
};

static int64_t call(struct thread *t, uint64_t number, uint64_t a, uint64_t b, uint64_t c,
		    uint64_t d, uint64_t e, uint64_t f)
{
	const uint64_t arg[6] = { a, b, c, d, e, f };

	if (calls[number].how == HOW_EMULATE)
		return calls[number].emulate(t, arg);
	return marshal(t, &calls[number], number, arg);
}

/* --- A kernel that keeps what it is sent and gives what it is told ---------------------------- */

static uint8_t data[2000000], control[8192], name[256];
static uint64_t data_size, control_size, name_size, sent_flags;
static uint32_t type;			/* of the socket */
static int64_t answer;

static void read_message(const struct header *h)
{
	uint64_t iov[2] = { 0, 0 };

	if (h->iov_count) {
		CHECK(h->iov_count == 1 && in_channel(h->iov, 16));
		memcpy(iov, (void *)h->iov, 16);
		CHECK(!iov[1] || in_channel(iov[0], iov[1]));
	}
	data_size = iov[1];
	if (data_size)
		memcpy(data, (void *)iov[0], data_size);
	CHECK(!h->control_size || in_channel(h->control, h->control_size));
	control_size = h->control_size;
	if (control_size)
		memcpy(control, (void *)h->control, control_size);
	CHECK(!h->name_size || in_channel(h->name, h->name_size));
	name_size = h->name_size;
	if (name_size)
		memcpy(name, (void *)h->name, name_size);
}

static void write_message(struct header *h)
{
	uint64_t iov[2] = { 0, 0 };

	if (h->iov_count)
		memcpy(iov, (void *)h->iov, 16);
	if (iov[1])
		memcpy((void *)iov[0], data, iov[1]);
	if (h->control)
		memcpy((void *)h->control, control, h->control_size);
	if (h->name)
		memcpy((void *)h->name, name, h->name_size);
	h->control_size = control_size;
	h->name_size = name_size;
	h->flags = 0x80;
}

static int64_t kernel(const struct ocall *c, uint64_t *flags)
{
	(void)flags;
	switch (c->number) {
	case SENDMSG: case RECVMSG:
		CHECK(in_channel(c->arg[1], 56));
		sent_flags = c->arg[2];
		if (c->number == SENDMSG)
			read_message((struct header *)c->arg[1]);
		else
			write_message((struct header *)c->arg[1]);
		return answer == INT64_MAX ? (int64_t)data_size : answer;
	case GETSOCKOPT:
		memcpy((void *)c->arg[3], &type, 4);
		return 0;
	default:
		return answer;
	}
}

static struct thread *fresh(void)
{
	struct thread *t = fake_reset(2, 36);

	fake.host = kernel;
	data_size = control_size = name_size = 0;
	type = 1;
	answer = INT64_MAX;
	fds_add(3);
	return t;
}

/* A message of two parts of `size` bytes, a name of 16 and `controls` of control. */
static struct header *message(uint64_t size, uint64_t controls, uint8_t **parts)
{
	struct header *h = (struct header *)program_block(sizeof(*h), CARREL_R | CARREL_W);
	uint64_t *iov = (uint64_t *)program_block(32, CARREL_R);

	for (int i = 0; i < 2; i++) {
		parts[i] = program_block(size, CARREL_R | CARREL_W);
		memset(parts[i], 'a' + i, size);
		iov[2 * i] = (uint64_t)parts[i];
		iov[2 * i + 1] = size;
	}
	*h = (struct header){
		.name = (uint64_t)program_block(16, CARREL_R | CARREL_W), .name_size = 16,
		.iov = (uint64_t)iov, .iov_count = 2, .control_size = controls,
	};
	memset((void *)h->name, 'n', 16);
	if (controls) {
		h->control = (uint64_t)program_block(controls, CARREL_R | CARREL_W);
		memset((void *)h->control, 0, controls);
		*(uint64_t *)h->control = controls;
	}
	return h;
}

/* --- Sending --------------------------------------------------------------------------------- */

static void send_message(void)
{
	struct thread *t = fresh();
	uint8_t *parts[2];
	struct header *h = message(10, 24, parts);

	CHECK_EQ(call(t, SENDMSG, 3, (uint64_t)h, 0x4000, 0, 0, 0), 20);
	CHECK(!memcmp(data, "aaaaaaaaaabbbbbbbbbb", 20) && sent_flags == 0x4000);
	CHECK(control_size == 24 && control[0] == 24 && name_size == 16 && name[15] == 'n');
	answer = 21;
	CHECK_DIES(CARREL_DIE_IAGO, call(t, SENDMSG, 3, (uint64_t)h, 0, 0, 0, 0));
	answer = INT64_MAX;
	h->iov_count = 0;
	h->name = 0;
	CHECK_EQ(call(t, SENDMSG, 3, (uint64_t)h, 0, 0, 0, 0), 0);
	CHECK(name_size == 0 && data_size == 0);
}

static void bad_messages(void)
{
	struct thread *t = fresh();
	uint8_t *parts[2];
	struct header *h = message(10, 24, parts), good = *h;

	CHECK_EQ(call(t, SENDMSG, 3, NOWHERE, 0, 0, 0, 0), -LINUX_EFAULT);
	for (int number = SENDMSG; number <= RECVMSG; number++) {
		h->iov = NOWHERE;
		CHECK_EQ(call(t, number, 3, (uint64_t)h, 0, 0, 0, 0), -LINUX_EFAULT);
		*h = good;
		h->iov_count = 1025;
		CHECK_EQ(call(t, number, 3, (uint64_t)h, 0, 0, 0, 0), -LINUX_EMSGSIZE);
		*h = good;
		h->name_size = UINT32_MAX;
		CHECK_EQ(call(t, number, 3, (uint64_t)h, 0, 0, 0, 0), -LINUX_EINVAL);
		*h = good;
	}
	CHECK_EQ(fake.ocalls, 0);
	h->name = NOWHERE;
	CHECK_EQ(call(t, SENDMSG, 3, (uint64_t)h, 0, 0, 0, 0), -LINUX_EFAULT);
	*h = good;
	h->control = NOWHERE;
	CHECK_EQ(call(t, SENDMSG, 3, (uint64_t)h, 0, 0, 0, 0), -LINUX_EFAULT);
	*h = good;
	h->control_size = 1UL << 40;
	CHECK_EQ(call(t, SENDMSG, 3, (uint64_t)h, 0, 0, 0, 0), -LINUX_ENOBUFS);
	CHECK_EQ(fake.ocalls, 0);
}

/* Of a stream a part goes; a message goes whole or not at all. */
static void large_messages(void)
{
	struct thread *t = fresh();
	uint8_t *parts[2];
	struct header *h = message(700000, 0, parts);
	int64_t n;

	n = call(t, SENDMSG, 3, (uint64_t)h, 0, 0, 0, 0);
	CHECK(n > 1000000 && n < 1100000 && data[n - 1] == 'b');
	type = 2;
	CHECK_EQ(call(t, SENDMSG, 3, (uint64_t)h, 0, 0, 0, 0), -LINUX_EMSGSIZE);
	h = message(100000, 0, parts);
	CHECK_EQ(call(t, SENDMSG, 3, (uint64_t)h, 0, 0, 0, 0), 200000);
	CHECK(data[99999] == 'a' && data[100000] == 'b');
	CHECK_EQ(call(t, SENDTO, 3, (uint64_t)program_block(1 << 21, CARREL_R), 1 << 21, 0, 0, 0),
		 -LINUX_EMSGSIZE);
}

static void several_sent(void)
{
	struct thread *t = fresh();
	uint8_t *parts[2];
	struct header *h = message(10, 0, parts), *list;

	list = (struct header *)program_block(3 * sizeof(*h), CARREL_R | CARREL_W);
	list[0] = list[1] = list[2] = *h;
	list[1].iov_count = 1;
	CHECK_EQ(call(t, SENDMMSG, 3, (uint64_t)list, 3, 0, 0, 0), 3);
	CHECK(list[0].count == 20 && list[1].count == 10 && list[2].count == 20);
	list[1].iov = NOWHERE;
	CHECK_EQ(call(t, SENDMMSG, 3, (uint64_t)list, 3, 0, 0, 0), 1);
	CHECK_EQ(call(t, SENDMMSG, 3, (uint64_t)&list[1], 2, 0, 0, 0), -LINUX_EFAULT);
}

/* --- Receiving ------------------------------------------------------------------------------- */

static void receive_message(void)
{
	struct thread *t = fresh();
	uint8_t *parts[2];
	struct header *h = message(10, 32, parts);

	memset(data, 'x', 20);
	memcpy(name, "0123456789abcdef", 16);
	name_size = 8;
	answer = 15;
	CHECK_EQ(call(t, RECVMSG, 3, (uint64_t)h, 0, 0, 0, 0), 15);
	CHECK(parts[0][9] == 'x' && parts[1][4] == 'x' && parts[1][5] == 'b');
	CHECK(!memcmp((void *)h->name, "01234567nnnnnnnn", 16) && h->name_size == 8);
	CHECK(h->control_size == 0 && h->flags == 0x80);
	/* longer than there was room for: the name is cut, its length is what it is */
	name_size = 100;
	CHECK_EQ(call(t, RECVMSG, 3, (uint64_t)h, 0, 0, 0, 0), 15);
	CHECK(h->name_size == 100);
	h->name_size = 16;
	answer = 21;
	CHECK_DIES(CARREL_DIE_IAGO, call(t, RECVMSG, 3, (uint64_t)h, 0, 0, 0, 0));
	CHECK_EQ(call(t, RECVMSG, 3, (uint64_t)h, MSG_TRUNC, 0, 0, 0), 21);
	answer = 1L << 31;
	CHECK_DIES(CARREL_DIE_IAGO, call(t, RECVMSG, 3, (uint64_t)h, MSG_TRUNC, 0, 0, 0));
	answer = 15;
	name_size = 129;
	CHECK_DIES(CARREL_DIE_IAGO, call(t, RECVMSG, 3, (uint64_t)h, 0, 0, 0, 0));
	name_size = 0;
	control_size = 33;
	CHECK_DIES(CARREL_DIE_IAGO, call(t, RECVMSG, 3, (uint64_t)h, 0, 0, 0, 0));
	control_size = UINT64_MAX;
	CHECK_DIES(CARREL_DIE_IAGO, call(t, RECVMSG, 3, (uint64_t)h, 0, 0, 0, 0));
}

static void put_control(uint64_t at, uint64_t size, int32_t level, int32_t kind)
{
	memcpy(control + at, &size, 8);
	memcpy(control + at + 8, &level, 4);
	memcpy(control + at + 12, &kind, 4);
}

static struct header *receiver;

static struct thread *ready(uint64_t size)
{
	struct thread *t = fresh();
	uint8_t *parts[2];

	receiver = message(10, 64, parts);
	control_size = size;
	answer = 1;
	return t;
}

static int64_t receive(struct thread *t)
{
	return call(t, RECVMSG, 3, (uint64_t)receiver, 0, 0, 0, 0);
}

static int64_t receive_control(uint64_t size)
{
	return receive(ready(size));
}

static void receive_lie(uint64_t size)
{
	struct thread *t = ready(size);

	CHECK_DIES(CARREL_DIE_IAGO, receive(t));
}

static void descriptors_in_messages(void)
{
	put_control(0, 24, 1, SCM_RIGHTS);
	memcpy(control + 16, (int32_t[]){ 8, 9 }, 8);
	put_control(24, 20, 1, SCM_RIGHTS);
	memcpy(control + 40, (int32_t[]){ 10 }, 4);
	CHECK_EQ(receive_control(48), 1);
	CHECK(!fds_add(8) && !fds_add(9) && !fds_add(10));
	/* one that is open, one twice, one that is none */
	memcpy(control + 40, (int32_t[]){ 3 }, 4);
	receive_lie(48);
	memcpy(control + 40, (int32_t[]){ 9 }, 4);
	receive_lie(48);
	memcpy(control + 40, (int32_t[]){ -1 }, 4);
	receive_lie(48);
}

static void lying_controls(void)
{
	/* others than descriptors are the kernel's to fill, but their lengths lead to the end */
	put_control(0, 20, 0, 8);
	put_control(24, 16, 0, 8);
	CHECK_EQ(receive_control(40), 1);
	CHECK_EQ(receive_control(44), 1);
	put_control(24, 17, 0, 8);
	receive_lie(40);
	put_control(24, 15, 0, 8);
	receive_lie(40);
	put_control(24, UINT64_MAX, 0, 8);
	receive_lie(40);
	put_control(0, 0, 0, 8);
	receive_lie(40);
	put_control(0, 18, 1, SCM_RIGHTS);
	receive_lie(18);
}

static void several_received(void)
{
	struct thread *t = fresh();
	uint8_t *parts[2];
	struct header *h = message(10, 0, parts), *list;

	list = (struct header *)program_block(3 * sizeof(*h), CARREL_R | CARREL_W);
	list[0] = list[1] = list[2] = *h;
	answer = 7;
	CHECK_EQ(call(t, RECVMMSG, 3, (uint64_t)list, 3, 0, 0, 0), 3);
	CHECK(list[0].count == 7 && list[2].count == 7 && sent_flags == 0);
	CHECK_EQ(call(t, RECVMMSG, 3, (uint64_t)list, 3, 0x10000, 0, 0), 3);
	CHECK_EQ(sent_flags, MSG_DONTWAIT);
}

/* --- Lengths that come back ------------------------------------------------------------------ */

static uint32_t length_given;

static int64_t room_kernel(const struct ocall *c, uint64_t *flags)
{
	int at = c->number == GETSOCKOPT ? 3 : c->number == RECVFROM ? 4 : 1;

	(void)flags;
	if (c->number == SETSOCKOPT || !c->arg[at])
		return answer;
	memset((void *)c->arg[at], 'k', 16);
	memcpy((void *)c->arg[at + 1], &length_given, 4);
	return answer;
}

static void addresses(void)
{
	struct thread *t = fresh();
	uint8_t *p = program_block(16, CARREL_R | CARREL_W);
	uint32_t *size = (uint32_t *)program_block(4, CARREL_R | CARREL_W);

	fake.host = room_kernel;
	answer = 0;
	*size = 16;
	length_given = 10;
	CHECK_EQ(call(t, GETSOCKNAME, 3, (uint64_t)p, (uint64_t)size, 0, 0, 0), 0);
	CHECK(*size == 10 && p[9] == 'k' && p[10] == 0x5a);
	/* an address that was longer than the room says so */
	*size = 4;
	memset(p, 0, 16);
	length_given = 110;
	CHECK_EQ(call(t, GETSOCKNAME, 3, (uint64_t)p, (uint64_t)size, 0, 0, 0), 0);
	CHECK(*size == 110 && p[3] == 'k' && p[4] == 0);
	length_given = 129;
	*size = 16;
	CHECK_DIES(CARREL_DIE_IAGO, call(t, GETSOCKNAME, 3, (uint64_t)p, (uint64_t)size, 0, 0, 0));
	*size = -1;
	CHECK_EQ(call(t, GETSOCKNAME, 3, (uint64_t)p, (uint64_t)size, 0, 0, 0), -LINUX_EINVAL);
	*size = 16;
	length_given = 8;
	answer = 9;
	CHECK_EQ(call(t, ACCEPT, 3, (uint64_t)p, (uint64_t)size, 0, 0, 0), 9);
	CHECK(*size == 8 && !fds_add(9));
	CHECK_DIES(CARREL_DIE_IAGO, call(t, ACCEPT, 3, 0, 0, 0, 0, 0));
	answer = 11;
	CHECK_EQ(call(t, ACCEPT, 3, 0, 0, 0, 0, 0), 11);
}

static void options(void)
{
	struct thread *t = fresh();
	uint8_t *p = program_block(16, CARREL_R | CARREL_W);
	uint32_t *size = (uint32_t *)program_block(4, CARREL_R | CARREL_W);

	fake.host = room_kernel;
	answer = 0;
	*size = 8;
	length_given = 4;
	CHECK_EQ(call(t, GETSOCKOPT, 3, 1, 4, (uint64_t)p, (uint64_t)size, 0), 0);
	CHECK(*size == 4 && p[3] == 'k' && p[4] == 0x5a);
	*size = 8;
	length_given = 9;
	CHECK_DIES(CARREL_DIE_IAGO, call(t, GETSOCKOPT, 3, 1, 4, (uint64_t)p, (uint64_t)size, 0));
	/* what holds keys or addresses, or lets the kernel read later, is not there */
	fake.ocalls = 0;
	CHECK_EQ(call(t, SETSOCKOPT, 3, 1, 60, (uint64_t)p, 4, 0), -LINUX_ENOPROTOOPT);
	CHECK_EQ(call(t, SETSOCKOPT, 3, 1, 26, (uint64_t)p, 16, 0), -LINUX_ENOPROTOOPT);
	CHECK_EQ(call(t, SETSOCKOPT, 3, 6, 31, (uint64_t)p, 3, 0), -LINUX_ENOPROTOOPT);
	CHECK_EQ(call(t, SETSOCKOPT, 3, 282, 1, (uint64_t)p, 16, 0), -LINUX_ENOPROTOOPT);
	CHECK_EQ(call(t, GETSOCKOPT, 3, 6, 35, (uint64_t)p, (uint64_t)size, 0), -LINUX_ENOPROTOOPT);
	CHECK_EQ(call(t, SOCKET, 38, 5, 0, 0, 0, 0), -LINUX_EAFNOSUPPORT);
	CHECK_EQ(fake.ocalls, 0);
	CHECK_EQ(call(t, SETSOCKOPT, 3, 1, 2, (uint64_t)p, -1, 0), -LINUX_EINVAL);
	CHECK_EQ(call(t, SETSOCKOPT, 3, 1, 2, (uint64_t)p, 4, 0), 0);
	CHECK_EQ(fake.ocalls, 1);
}

static void true_length(void)
{
	struct thread *t = fresh();
	uint8_t *p = program_block(16, CARREL_R | CARREL_W);

	fake.host = room_kernel;
	answer = 100;
	CHECK_DIES(CARREL_DIE_IAGO, call(t, RECVFROM, 3, (uint64_t)p, 16, 0, 0, 0));
	CHECK_EQ(call(t, RECVFROM, 3, (uint64_t)p, 16, MSG_TRUNC, 0, 0), 100);
	answer = 1L << 31;
	CHECK_DIES(CARREL_DIE_IAGO, call(t, RECVFROM, 3, (uint64_t)p, 16, MSG_TRUNC, 0, 0));
}

const struct test socket_tests[] = {
	{ "sendmsg: header, name, vectors, control", send_message },
	{ "messages with bad pointers and sizes", bad_messages },
	{ "messages longer than the channel", large_messages },
	{ "sendmmsg", several_sent },
	{ "recvmsg, and lengths that cannot be", receive_message },
	{ "descriptors that come with messages are new, or it is a lie", descriptors_in_messages },
	{ "control messages lead to the end", lying_controls },
	{ "recvmmsg", several_received },
	{ "addresses and their lengths", addresses },
	{ "options, and such as are not there", options },
	{ "the true length of a message", true_length },
	{ NULL, NULL },
};
