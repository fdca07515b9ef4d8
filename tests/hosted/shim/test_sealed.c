/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sealed files and the key file; and which manifests may have them. The sealed file below was made by
 * another implementation of carrel/sealed.h.
 */
#include <sys/mman.h>

#include <carrel/sealed.h>
#include "guest-abi/shim/emulate.h"
#include "guest-abi/shim/files/checked.h"
#include "guest-abi/shim/files/fds.h"
#include "guest-abi/shim/files/sealed.h"
#include "guest-abi/shim/base/host.h"
#include "guest-abi/shim/memory/memory.h"
#include "test.h"

#define PAGE		4096UL
#define FD		5
#define PATH		"/srv/secret"
#define CONTENT		"what nobody else reads\n"

static const uint8_t sealed[] = {
	/* magic, reserved */
	0x43, 0x52, 0x53, 0x45, 0x41, 0x4c, 0x44, 0x31, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	/* identity */
	0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf,
	0xb0, 0xb1, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xbb, 0xbc, 0xbd, 0xbe, 0xbf,
	/* path */
	0x19, 0xcb, 0x06, 0xa9, 0x0d, 0x18, 0x06, 0x00, 0x56, 0xbf, 0xad, 0x37, 0x1b, 0x2a, 0xa9, 0x3a,
	0xc9, 0x6f, 0x80, 0xb0, 0x6a, 0xee, 0x89, 0xa0, 0x2d, 0x5c, 0x81, 0xdd, 0x37, 0x72, 0xea, 0xca,
	/* ephemeral */
	0x07, 0xa3, 0x7c, 0xbc, 0x14, 0x20, 0x93, 0xc8, 0xb7, 0x55, 0xdc, 0x1b, 0x10, 0xe8, 0x6c, 0xb4,
	0x26, 0x37, 0x4a, 0xd1, 0x6a, 0xa8, 0x53, 0xed, 0x0b, 0xdf, 0xc0, 0xb2, 0xb8, 0x6d, 0x1c, 0x7c,
	/* tag, content */
	0x17, 0x8b, 0x9c, 0xb6, 0xb8, 0x74, 0x37, 0x06, 0x84, 0xb3, 0x63, 0x18, 0x2e, 0x6a, 0xc6, 0xe1,
	0x3a, 0x10, 0xcf, 0x5b, 0x94, 0x9e, 0xe6, 0x20, 0xb8, 0x11, 0xd3, 0xab, 0xd1, 0xee, 0x72, 0x42,
	0x7a, 0x62, 0xec, 0x2d, 0x2b, 0xc8, 0x83,
};

static struct thread *t;
static uint8_t bytes[sizeof(sealed)];
static uint64_t file_size, mode;
static unsigned int reads;
static bool changes;		/* between the first read and the second */
static int64_t key_answer;	/* to SEAL_KEY */
static uint8_t other_machine, other_identity;

static int64_t host(const struct ocall *c, uint64_t *flags)
{
	uint64_t stat[18] = { 1, 2, 1, mode, 0, 0, file_size }, n = c->arg[2], at = c->arg[3];

	(void)flags;
	if (c->number == SYS_fstat) {
		memcpy((void *)c->arg[1], stat, sizeof(stat));
		return 0;
	}
	if (c->number != SYS_pread64)
		return 0;
	CHECK(in_channel(c->arg[1], n));
	if (changes && reads++)
		memset(bytes, 0, sizeof(bytes));
	if (at >= sizeof(bytes))
		return 0;
	n = n < sizeof(bytes) - at ? n : sizeof(bytes) - at;
	memcpy((void *)c->arg[1], bytes + at, n);
	return n;
}

static int64_t words(uint64_t number, uint64_t word[4])
{
	uint8_t *byte = (uint8_t *)word;
	uint64_t kind = word[0];

	if (number == CARREL_HC_SEAL_KEY && key_answer)
		return key_answer;
	CHECK(number == CARREL_HC_SEAL_KEY || number == CARREL_HC_IDENTITY);
	for (unsigned int i = 0; i < 32; i++)
		byte[i] = number == CARREL_HC_IDENTITY ? 0xa0 + i + other_identity
						       : 0x80 * kind + i + other_machine;
	return 0;
}

static void begin(void)
{
	t = fake_reset(2, 64);
	fake.host = host;
	fake.memory = true;
	fake.words = words;
	memory_setup(&(struct memory_layout){ .brk_start = 0x188000000000, .map_high = 0x7eff00000000 });
	memcpy(bytes, sealed, sizeof(bytes));
	file_size = sizeof(bytes);
	mode = 0100600;
	reads = 0;
	changes = false;
	key_answer = other_machine = other_identity = 0;
	fake_list(CARREL_ENTRY_SEALED, PATH, NULL, 0);
	fake_list(CARREL_ENTRY_SEALED, "/srv/another", NULL, 0);
}

static void *block(void)
{
	return (void *)call_mmap(t, (uint64_t[6]){ 0, PAGE, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1 });
}

static int64_t opened(const char *path, uint64_t flags)
{
	char *at = block();

	strcpy(at, path);
	fds_add(FD);
	fake.notes = 0;
	return checked_after(t, 257, (uint64_t[6]){ -100, (uint64_t)at, flags }, FD);
}

static int64_t read_file(char *to, uint64_t size)
{
	uint8_t *at = block();
	int64_t value = INT64_MIN;

	CHECK(checked_serve(t, 0, (uint64_t[6]){ FD, (uint64_t)at, size }, &value));
	memcpy(to, at, size);
	return value;
}

/* Not opened, and the log says why. */
static void refused(const char *path, int64_t number, uint64_t why)
{
	CHECK_EQ(opened(path, 0), number);
	CHECK_EQ(fake.notes, 1);
	CHECK_EQ(fake.noted[0], CARREL_NOTE_SEALED);
	CHECK_EQ(fake.noted[1], why);
	CHECK(!checked_image(FD));
}

static void reads_in_the_clear(void)
{
	char to[64];

	begin();
	CHECK_EQ(opened(PATH, 0), FD);
	CHECK_EQ(fake.notes, 0);
	CHECK(checked_image(FD) && checked_image(FD)->made);
	CHECK_EQ(read_file(to, sizeof(to)), sizeof(CONTENT) - 1);
	CHECK(!memcmp(to, CONTENT, sizeof(CONTENT) - 1));
	checked_close(t, FD, FD);
	check_memory();
	/* by a name that is not the manifest's it is the host's file */
	CHECK_EQ(opened("srv/secret", 0), FD);
	CHECK(!checked_image(FD));
	CHECK_EQ(opened("/srv/../srv/secret", 0), FD);
	CHECK(!checked_image(FD));
	CHECK_EQ(opened(PATH, 2), -LINUX_EACCES);
}

static void every_byte(void)
{
	begin();
	for (size_t i = 0; i < sizeof(bytes); i++) {
		memcpy(bytes, sealed, sizeof(bytes));
		bytes[i] ^= 1 << i % 8;
		refused(PATH, -LINUX_EACCES, i < 16 ? CARREL_SEALED_FORMAT :
			i < 48 ? CARREL_SEALED_IDENTITY : i < 80 ? CARREL_SEALED_PATH :
			CARREL_SEALED_CONTENT);
	}
	check_memory();
}

static void sizes(void)
{
	begin();
	for (uint64_t size = 0; size < sizeof(bytes); size++) {
		file_size = size;
		refused(PATH, -LINUX_EACCES, size <= sizeof(struct carrel_sealed) ?
			CARREL_SEALED_FORMAT : CARREL_SEALED_CONTENT);
	}
	/* longer than it is, or than any may be */
	file_size = sizeof(bytes) + 1;
	refused(PATH, -LINUX_EACCES, CARREL_SEALED_FORMAT);
	file_size = CARREL_SEALED_MAX + sizeof(struct carrel_sealed) + 1;
	refused(PATH, -LINUX_EACCES, CARREL_SEALED_FORMAT);
	file_size = INT64_MAX;
	refused(PATH, -LINUX_EACCES, CARREL_SEALED_FORMAT);
	begin();
	changes = true;
	refused(PATH, -LINUX_EACCES, CARREL_SEALED_CONTENT);
	begin();
	mode = 020600;
	CHECK_EQ(opened(PATH, 0), -LINUX_EACCES);
	check_memory();
}

static void for_somebody_else(void)
{
	begin();
	refused("/srv/another", -LINUX_EACCES, CARREL_SEALED_PATH);
	other_machine = 1;
	refused(PATH, -LINUX_EACCES, CARREL_SEALED_CONTENT);
	other_machine = 0, other_identity = 1;
	refused(PATH, -LINUX_EACCES, CARREL_SEALED_IDENTITY);
	other_identity = 0, key_answer = CARREL_ESTATE;
	refused(PATH, -LINUX_ENOKEY, CARREL_SEALED_UNMEASURED);
	key_answer = CARREL_EFLAG;
	refused(PATH, -LINUX_EACCES, CARREL_SEALED_HOST);
}

static void key_file(void)
{
	char to[64];

	begin();
	CHECK_EQ(opened(SEALED_KEY, 0), FD);
	CHECK_EQ(read_file(to, sizeof(to)), 32);
	for (unsigned int i = 0; i < 32; i++)
		CHECK_EQ(to[i], i);
	CHECK_EQ(read_file(to, sizeof(to)), 0);
	checked_close(t, FD, FD);
	check_memory();
	key_answer = CARREL_ESTATE;
	refused(SEALED_KEY, -LINUX_ENOKEY, CARREL_SEALED_UNMEASURED);
	key_answer = CARREL_EFLAG;
	refused(SEALED_KEY, -LINUX_EACCES, CARREL_SEALED_HOST);
}

/* --- Manifests ------------------------------------------------------------------------------ */

static struct carrel_manifest *fixed_manifest(void)
{
	static const char start[] = "/bin/it\0it\0-x\0\0A=1";
	struct carrel_manifest *m = fake_manifest();

	begin();
	key_answer = 0;
	m->entries = 0;
	fake_list(CARREL_ENTRY_PROGRAM, "/bin/it", NULL, 0);
	m->host_chosen = CARREL_HOST_CWD | CARREL_HOST_FDS;
	m->strings = PAGE - sizeof(start);
	m->strings_size = sizeof(start);
	m->argc = 3;
	m->envc = 1;
	memcpy((char *)m + m->strings, start, sizeof(start));
	return m;
}

static bool good(void)
{
	fake.may_die = true;
	if (setjmp(fake.died)) {
		CHECK_EQ(fake.die_code, CARREL_DIE_MANIFEST);
		return false;
	}
	manifest_check();
	return true;
}

static void fixed_starts(void)
{
	struct carrel_manifest *m = fixed_manifest();

	CHECK(good() && manifest_strings() == (const char *)m + m->strings);
#define BAD(...) do {		\
	m = fixed_manifest();		\
	__VA_ARGS__;			\
	CHECK(!good());			\
} while (0)
	BAD(m->strings = 0);
	BAD(m->strings = sizeof(*m) - 1);
	BAD(m->strings++);
	BAD(m->strings = PAGE + 1);
	BAD(m->strings = UINT32_MAX);
	BAD(m->strings_size++);
	BAD(m->strings_size--);
	BAD(m->strings_size = 0);
	BAD(m->strings_size = UINT32_MAX);
	BAD(m->argc = 0, m->envc = 4);
	BAD(m->argc++);
	BAD(m->envc--);
	BAD(m->argc = UINT32_MAX, m->envc = 5);
	BAD(m->host_chosen |= CARREL_HOST_ARGV);
	BAD(m->host_chosen |= CARREL_HOST_ENV);
	BAD(m->host_chosen |= CARREL_HOST_ENV | CARREL_HOST_ARGV);
	BAD(m->host_chosen = CARREL_HOST_CWD);
	BAD(m->host_chosen |= 32);
#undef BAD
}

/* Who may ask for keys though the host chooses is ended, whether there are any or not. */
static void keys_and_a_host_that_chooses(void)
{
	struct carrel_manifest *m;

	for (unsigned int code = 0; code < 2; code++)
		for (unsigned int start = 0; start < 2; start++) {
			m = fixed_manifest();
			if (start) {
				m->host_chosen |= CARREL_HOST_ARGV | CARREL_HOST_ENV;
				m->strings = m->strings_size = m->argc = m->envc = 0;
			}
			m->host_chosen |= code ? CARREL_HOST_CODE : 0;
			key_answer = CARREL_EFLAG;
			CHECK(good());
			key_answer = 0;
			CHECK_EQ(good(), !code && !start);
			key_answer = CARREL_ESTATE;
			CHECK_EQ(good(), !code && !start);
		}
}

const struct test sealed_tests[] = {
	{ "a sealed file reads in the clear", reads_in_the_clear },
	{ "no byte of a sealed file can be another", every_byte },
	{ "a sealed file of another size, or that changes", sizes },
	{ "files sealed to somebody else", for_somebody_else },
	{ "the key file", key_file },
	{ "manifests that fix a start", fixed_starts },
	{ "keys where the host chooses", keys_and_a_host_that_chooses },
	{ NULL, NULL },
};
