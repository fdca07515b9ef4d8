/* SPDX-License-Identifier: BSD-2-Clause */
/* What exec hands over, and to whom, with a host that lies. */
#include "guest-abi/shim/emulate.h"
#include "guest-abi/shim/processes/handover.h"
#include "guest-abi/shim/base/host.h"
#include "guest-abi/shim/processes/seal.h"
#include "test.h"

#define FILE_FD		9
#define ROOM		300000

static uint8_t file[ROOM], passed[32];
static uint64_t file_size, passes, closed, most, change_at;
static char *changing;
static int64_t lie;

static int64_t pass(uint64_t number, uint64_t words[4])
{
	CHECK_EQ(number, CARREL_HC_PASS);
	memcpy(passed, words, sizeof(passed));
	words[0] = 0x1111;
	words[1] = 0x2222;
	passes++;
	return 0;
}

static int64_t host(const struct ocall *c, uint64_t *flags)
{
	uint64_t n = c->arg[2] < most ? c->arg[2] : most;

	(void)flags;
	switch (c->number) {
	case SYS_memfd_create:
		CHECK(!strcmp((char *)c->arg[0], "carrel-exec"));
		if (changing)		/* another thread of the program's, between the two walks */
			changing[change_at] = 'X';
		return lie ? lie : FILE_FD;
	case SYS_pwrite64:
		CHECK_EQ(c->arg[0], FILE_FD);
		CHECK(in_channel(c->arg[1], c->arg[2]) && c->arg[3] + n <= ROOM);
		if (lie)
			return c->arg[2] + 1;
		memcpy(file + c->arg[3], (void *)c->arg[1], n);
		if (c->arg[3] + n > file_size)
			file_size = c->arg[3] + n;
		return n;
	case SYS_close:
		closed++;
		return 0;
	default:
		CHECK(false);
		return 0;
	}
}

static char *text(const char *s)
{
	return strcpy((char *)program_block(strlen(s) + 1, CARREL_R), s);
}

static uint64_t array(char *a, char *b, char *c)
{
	char *all[] = { a, b, c, NULL };

	return (uint64_t)memcpy(program_block(sizeof(all), CARREL_R), all, sizeof(all));
}

static struct thread *begin(struct handover *h)
{
	struct thread *t = fake_reset(2, 16);

	fake.host = host;
	fake.words = pass;
	file_size = passes = closed = 0;
	most = UINT64_MAX;
	lie = 0;
	changing = NULL;
	memset(file, 0, sizeof(file));
	*h = (struct handover){
		.path = "/bin/it", .first = "one\0two", .first_count = 2, .skip = 1,
		.argv = array(text("gone"), text("three"), text("")),
		.envp = array(text("A=1"), text("B=secret"), NULL),
	};
	return t;
}

/* As the carrier and the successor take it apart. */
static void check_file(uint32_t argc, uint32_t envc, const void *strings, size_t size)
{
	struct carrel_exec *e = (struct carrel_exec *)file;
	uint8_t *at = file + sizeof(*e) + e->manifest_size;
	struct carrel_start start;
	struct seal seal;

	CHECK_EQ(e->magic, CARREL_EXEC_MAGIC);
	CHECK_EQ(e->manifest_size, fake_manifest()->size);
	CHECK(!memcmp(e + 1, fake_manifest(), e->manifest_size));
	CHECK_EQ(e->limit, 64);
	CHECK_EQ(e->flags, 1);
	CHECK_EQ(e->start_size, sizeof(start) + size);
	CHECK_EQ(file_size, sizeof(*e) + e->manifest_size + e->start_size);
	memcpy(&start, at, sizeof(start));
	CHECK_EQ(start.size, e->start_size);
	CHECK_EQ(start.argc, argc);
	CHECK_EQ(start.envc, envc);
	CHECK(start.ticket[0] == 0x1111 && start.ticket[1] == 0x2222);
	CHECK(!memmem(file, file_size, "secret", 6));
	seal_begin(&seal, passed, &start);
	seal_decrypt(&seal, at + sizeof(start), size);
	CHECK(seal_good(&seal, start.tag));
	CHECK(!memcmp(at + sizeof(start), strings, size));
}

static void sealed(void)
{
	static const char strings[] = "/bin/it\0one\0two\0three\0\0A=1\0B=secret";
	static const uint64_t pieces[] = { UINT64_MAX, 1000, 1 };
	struct handover h;

	for (int i = 0; i < 3; i++) {
		struct thread *t = begin(&h);

		most = pieces[i];
		CHECK_EQ(handover_seal(t, &h), FILE_FD);
		check_file(4, 2, strings, sizeof(strings));
		CHECK_EQ(passes, 1);
	}
}

/* More than a slot holds, so that it goes out in several writes. */
static void long_strings(void)
{
	struct handover h;
	struct thread *t = begin(&h);
	uint64_t size = 100000;
	char *big = (char *)program_block(size, CARREL_R), *wanted = malloc(size + 64), *at = wanted;

	memset(big, 'b', size);
	big[size - 1] = 0;
	h.argv = array(big, NULL, NULL);
	h.skip = h.first_count = 0;
	h.envp = 0;
	at = (char *)memcpy(at, "/bin/it", 8) + 8;
	memcpy(at, big, size);
	CHECK_EQ(handover_seal(t, &h), FILE_FD);
	check_file(1, 0, wanted, 8 + size);
	free(wanted);
}

/* A changed byte anywhere before the claims is noticed. */
static void tampered(void)
{
	struct handover h;
	struct thread *t = begin(&h);
	struct carrel_exec *e = (struct carrel_exec *)file;
	struct carrel_start *start;

	CHECK_EQ(handover_seal(t, &h), FILE_FD);
	start = (struct carrel_start *)(file + sizeof(*e) + e->manifest_size);
	for (uint64_t i = 0; i < start->size; i++) {
		static uint8_t copy[4096];
		struct carrel_start *s = memcpy(copy, start, start->size);
		struct seal seal;
		bool claim = i >= offsetof(struct carrel_start, uid) && i < sizeof(*s);

		copy[i] ^= 0x10;
		seal_begin(&seal, passed, s);
		seal_decrypt(&seal, s + 1, start->size - sizeof(*s));
		CHECK_EQ(seal_good(&seal, s->tag), claim);
	}
}

static void bad_strings(void)
{
	struct handover h;
	struct thread *t = begin(&h);
	char *big;

	h.argv = NOWHERE;
	CHECK_EQ(handover_seal(t, &h), -LINUX_EFAULT);
	h.argv = array(text("gone"), (char *)NOWHERE, NULL);
	CHECK_EQ(handover_seal(t, &h), -LINUX_EFAULT);
	h.argv = array(text("gone"), (char *)program_block(5, CARREL_R), NULL);	/* no NUL */
	CHECK_EQ(handover_seal(t, &h), -LINUX_EFAULT);
	big = (char *)program_block(131073, CARREL_R);
	big[131072] = 0;
	h.argv = array(text("gone"), big, NULL);
	CHECK_EQ(handover_seal(t, &h), -LINUX_E2BIG);
	CHECK_EQ(fake.ocalls, 0);
	CHECK_EQ(passes, 0);
}

/* Strings that grow or shrink between the walks do not fit the header, and go nowhere. */
static void changed_strings(void)
{
	struct handover h;
	struct thread *t = begin(&h);
	char *s = (char *)program_block(8, CARREL_R);

	memcpy(s, "ab\0cdef", 8);
	h.argv = array(text("gone"), s, NULL);
	changing = s;
	change_at = 2;
	CHECK_EQ(handover_seal(t, &h), -LINUX_EFAULT);
	CHECK_EQ(closed, 1);
}

static void lies(void)
{
	struct handover h;
	struct thread *t = begin(&h);

	lie = -LINUX_EMFILE;
	CHECK_EQ(handover_seal(t, &h), -LINUX_EMFILE);
	t = begin(&h);
	lie = FILE_FD;
	CHECK_DIES(CARREL_DIE_IAGO, handover_seal(t, &h));
}

const struct test exec_tests[] = {
	{ "exec: what is handed over, whole and sealed", sealed },
	{ "exec: long strings", long_strings },
	{ "exec: every byte that is sealed counts", tampered },
	{ "exec: strings that are not there, or too long", bad_strings },
	{ "exec: strings that change meanwhile", changed_strings },
	{ "exec: a host that lies about the file", lies },
	{ NULL, NULL },
};
