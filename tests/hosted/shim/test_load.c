/* SPDX-License-Identifier: BSD-2-Clause */
/* Loading a program from a host that is slow, wrong or lying. */
#include <bearssl_hash.h>

#include "guest-abi/shim/base/host.h"
#include "guest-abi/shim/load/load.h"
#include "make_elf.h"
#include "test.h"

#define FD	7

static struct made made;
static uint8_t sha256[32];
static struct listed program = { .sha256 = sha256 };
static struct loaded loaded;
static uint64_t position, most, lie_at, flip_at;
static int64_t lie, open_answer;
static unsigned int closed;
static bool far;

/* The host's file system. From `lie_at` on a read answers `lie`; `flip_at` has another byte. */
static int64_t host_file(const struct ocall *c, uint64_t *flags)
{
	uint64_t n = c->arg[2];

	(void)flags;
	switch (c->number) {
	case SYS_open:
		CHECK(!strcmp((char *)c->arg[0], program.path));
		return open_answer;
	case SYS_close:
		CHECK_EQ(c->arg[0], FD);
		closed++;
		return 0;
	case SYS_pread64:
		if (far && c->arg[3] == 0)
			position = 0;	/* once more, for headers behind what was read first */
		CHECK(lie || c->arg[3] == position);
		CHECK_EQ(c->arg[0], FD);
		CHECK(in_channel(c->arg[1], n));
		if (lie && position >= lie_at)
			return lie;
		n = n < most ? n : 1 + random_below(most);
		n = n < made.size - position ? n : made.size - position;
		memcpy((void *)c->arg[1], made.bytes + position, n);
		if (flip_at >= position && flip_at < position + n)
			((uint8_t *)c->arg[1])[flip_at - position] ^= 1;
		position += n;
		return n;
	default:
		CHECK(false);
		return 0;
	}
}

static struct thread *begin(void)
{
	struct thread *t = fake_reset(2, 4);
	br_sha256_context hash;

	fake.host = host_file;
	fake.memory = true;
	position = lie_at = 0;
	flip_at = most = UINT64_MAX;
	lie = 0;
	open_answer = FD;
	closed = 0;
	far = false;
	program.size = made.size;
	program.path = "/bin/it";
	br_sha256_init(&hash);
	br_sha256_update(&hash, made.bytes, made.size);
	br_sha256_out(&hash, sha256);
	memset(&loaded, 0, sizeof(loaded));
	return t;
}

/* The segments as the file has them, zeros behind, and their final rights. */
static void check_image(void)
{
	for (unsigned int i = 0; i < loaded.plan.count; i++) {
		const struct elf_segment *s = &loaded.plan.segment[i];
		const uint8_t *at = (const uint8_t *)(loaded.base + s->address);
		struct vm_range r;

		CHECK_EQ(vm_prefix((uint64_t)at, s->memory_size, s->rights), s->memory_size);
		CHECK(vm_find((uint64_t)at, &r));
		CHECK_EQ(r.rights, s->rights);
		for (uint64_t k = 0; k < s->memory_size; k++)
			CHECK_EQ(at[k], k < s->file_size ? made.bytes[s->offset + k] : 0);
	}
	check_memory();
	CHECK_EQ(closed, 1);
}

static void plain(void)
{
	make_elf(&made);
	load_program(begin(), &program, 0, &loaded);
	CHECK_EQ(loaded.base, 0);
	check_image();
}

static void slow_host(void)
{
	make_elf(&made);
	for (most = 4096; most < 9000; most += 97) {
		uint64_t m = most;
		struct thread *t = begin();

		most = m;
		load_program(t, &program, 0, &loaded);
		check_image();
	}
}

/* The same bytes of the file in two segments, or in a segment and its neighbour's page. */
static void shared_bytes(void)
{
	make_elf(&made);
	made.header.e_phnum = 5;
	made.segment[4] = (Elf64_Phdr){ PT_LOAD, PF_R, 0x1000, 0x410000, 0, 0x2f00, 0x5000, 0x1000 };
	load_program(begin(), &program, 0, &loaded);
	CHECK_EQ(loaded.plan.count, 4);
	check_image();
}

/* Segments behind what is read of each file first, one of them in part, and bytes in none. */
static void make_long(void)
{
	make_elf(&made);
	made.segment[1].p_offset = 0x3000;
	made.segment[1].p_filesz = made.segment[1].p_memsz = 0x1801;
	made.segment[2].p_offset = 0x5700;
	made.segment[2].p_filesz = 0x8f0;
}

static void long_file(void)
{
	make_long();
	load_program(begin(), &program, 0, &loaded);
	check_image();
	for (uint64_t m = 1; m < 9000; m += 97) {
		struct thread *t = begin();

		most = m;
		load_program(t, &program, 0, &loaded);
		check_image();
	}
}

/* Some of the bytes that are in two segments were read with the headers, some later. */
static void long_shared_bytes(void)
{
	make_long();
	made.header.e_phnum = 5;
	made.segment[4] = (Elf64_Phdr){ PT_LOAD, PF_R, 0x3800, 0x410800, 0, 0x2400, 0x5000, 0x1000 };
	load_program(begin(), &program, 0, &loaded);
	CHECK_EQ(loaded.plan.count, 4);
	check_image();
}

static void far_headers(void)
{
	struct thread *t;

	make_long();
	made.header.e_phoff = 0x5800;
	memcpy(made.bytes + 0x5800, made.segment, 4 * sizeof(made.segment[0]));
	memset(made.segment, 0, sizeof(made.segment));
	t = begin();
	far = true;
	load_program(t, &program, 0, &loaded);
	CHECK_EQ(loaded.plan.count, 3);
	check_image();
	made.header.e_phoff = MADE_SIZE - 8;
	t = begin();
	far = true;
	CHECK_DIES(CARREL_DIE_MANIFEST, load_program(t, &program, 0, &loaded));
}

static void relocatable(void)
{
	make_elf(&made);
	made.header.e_type = ET_DYN;
	for (int i = 0; i < 50; i++) {
		load_program(begin(), &program, i ? random_u64() : UINT64_MAX, &loaded);
		CHECK(loaded.base % 4096 == 0 && loaded.base + loaded.plan.high < CARREL_BASE);
		check_image();
	}
	made.segment[1].p_align = 1 << 21;
	load_program(begin(), &program, random_u64(), &loaded);
	CHECK_EQ(loaded.base % (1 << 21), 0);
}

/* A byte changed anywhere, loaded or not, is found; so is a file of another length. */
static void try_other(uint64_t flip, int delta)
{
	struct thread *t = begin();

	flip_at = flip;
	program.size += delta;
	CHECK_DIES(CARREL_DIE_MANIFEST, load_program(t, &program, 0, &loaded));
}

static void other_bytes(void)
{
	make_elf(&made);
	for (uint64_t at = 0; at < made.size; at += at < 400 ? 1 : 211)
		try_other(at, 0);
	make_long();
	for (uint64_t at = 0; at < made.size; at += 211)
		try_other(at, 0);
	try_other(UINT64_MAX, -1);
	try_other(UINT64_MAX, 1);
}

static void try_lie(uint64_t at, int64_t value, uint64_t code)
{
	struct thread *t = begin();

	most = 4096;
	lie = value;
	lie_at = at;
	CHECK_DIES(code, load_program(t, &program, 0, &loaded));
}

static void bad_host(void)
{
	static const struct {
		uint64_t at;
		int64_t lie;
		uint64_t code;
	} lies[] = {
		{ 0, 0x7fffffff, CARREL_DIE_IAGO }, { 0, MADE_SIZE + 1, CARREL_DIE_IAGO },
		{ 0, -5, CARREL_DIE_MANIFEST }, { 0, -4096, CARREL_DIE_IAGO },
		{ 0, 63, CARREL_DIE_MANIFEST }, { 0, INT64_MAX, CARREL_DIE_IAGO },
		{ 20000, 4095, CARREL_DIE_IAGO }, { 20000, -5, CARREL_DIE_MANIFEST },
		{ 5000, MADE_SIZE, CARREL_DIE_IAGO }, { 5000, -5, CARREL_DIE_MANIFEST },
	};
	struct thread *t;

	make_elf(&made);
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++)
		try_lie(lies[i].at, lies[i].lie, lies[i].code);
	t = begin();
	open_answer = -2;
	CHECK_DIES(CARREL_DIE_MANIFEST, load_program(t, &program, 0, &loaded));
	t = begin();
	fake.refuse_map = CARREL_ELIMIT;
	CHECK_DIES(CARREL_DIE_MANIFEST, load_program(t, &program, 0, &loaded));
}

static void refused(void)
{
	struct thread *t = begin();

	CHECK_DIES(CARREL_DIE_MANIFEST, load_program(t, &program, 0, &loaded));
}

static void bad_program(void)
{
	make_elf(&made);
	made.segment[2].p_vaddr = CARREL_SHIM_VA + 0x700;
	refused();
	make_elf(&made);
	made.header.e_type = ET_DYN;
	made.segment[2].p_vaddr = 0x7e0000000700;
	refused();
	make_elf(&made);
	made.size = 10;
	refused();
}

const struct test load_tests[] = {
	{ "a program is loaded", plain },
	{ "from a host that gives little at a time", slow_host },
	{ "with bytes in two segments", shared_bytes },
	{ "longer than what is read first", long_file },
	{ "with some of the same bytes behind that", long_shared_bytes },
	{ "with headers behind that", far_headers },
	{ "anywhere", relocatable },
	{ "other bytes than the manifest's are not", other_bytes },
	{ "nor from a host that lies", bad_host },
	{ "nor what is no program", bad_program },
	{ NULL, NULL },
};
