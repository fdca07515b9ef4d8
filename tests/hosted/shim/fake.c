/* SPDX-License-Identifier: BSD-2-Clause */
/* What lies outside the shim: the symbols of entry.S and start.c, answered here. */
#include <asm/prctl.h>
#include <bearssl_hash.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest-abi/shim/files/checked.h"
#include "guest-abi/shim/emulate.h"
#include "guest-abi/shim/files/file.h"
#include "guest-abi/shim/base/host.h"
#include "guest-abi/shim/memory/memory.h"
#include "guest-abi/shim/files/fds.h"
#include "test.h"

#define PAGE		4096UL
#define BLOCKS_LOW	0x200000000000UL	/* program_block's memory, upwards */
#define CHANNEL_MAX	(64 * CARREL_BLOCK_SIZE)
#define BOOK_MAX	8192
#define NR_arch_prctl	158

struct fake fake;

static struct thread thread;
static struct carrel_thread_page page __attribute__((aligned(4096)));
static uint64_t next_block = BLOCKS_LOW, channel_blocks;

/* What the hypervisor has mapped: pages, by address. */
static struct {
	uint64_t page;
	uint8_t rights;
} book[BOOK_MAX];
static size_t book_count;

static int prot_of(uint64_t rights)
{
	return (rights & CARREL_R ? PROT_READ : 0) | (rights & CARREL_W ? PROT_WRITE : 0);
}

struct thread *fake_reset(uint32_t slots, uint32_t blocks)
{
	static bool mapped;

	if (!mapped && mmap((void *)CARREL_CHANNEL_VA, CHANNEL_MAX, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED)
		abort();
	if (!mapped && mmap((void *)CARREL_MANIFEST_VA, PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED)
		abort();
	mapped = true;
	*fake_manifest() = (struct carrel_manifest){
		.magic = CARREL_MANIFEST_MAGIC, .version = 3, .slots = slots, .blocks = blocks,
		.host_chosen = 15, .size = PAGE,
	};
	memset((void *)CARREL_CHANNEL_VA, 0xcc, blocks * CARREL_BLOCK_SIZE);
	munmap((void *)BLOCKS_LOW, next_block - BLOCKS_LOW + PAGE);
	next_block = BLOCKS_LOW;
	for (size_t i = 0; i < book_count; i++)
		munmap((void *)book[i].page, PAGE);
	book_count = 0;
	memset(&fake, 0, sizeof(fake));
	memset(&thread, 0, sizeof(thread));
	thread.page = &page;
	thread.carrier = &carriers[0];
	memcpy(page.shim, &(uint64_t){ (uint64_t)(&thread + 1) }, sizeof(uint64_t));
	if (syscall(NR_arch_prctl, ARCH_SET_GS, &page))
		abort();
	thread.slot = (uint8_t *)CARREL_CHANNEL_VA;
	memset(thread.slot, 0, CARREL_SLOT_DATA);
	channel_blocks = blocks;
	channel_setup(slots, blocks);
	vm_reset();
	image_reset();
	checked_reset();
	shared_reset();
	/* Who died in the last test may have held one. */
	memset(carriers[0].limits, 0xff, sizeof(carriers[0].limits));
	memory_lock.word = vm_lock.word = arena_lock.word = 0;
	for (uint64_t word = 0; word < FDS_MAX / 64; word++)
		for (uint64_t i = 0; i < 64 && (word < 4 || carriers[0].open_fds[word]); i++)
			fds_remove(word * 64 + i);
	return &thread;
}

struct carrel_manifest *fake_manifest(void)
{
	return (struct carrel_manifest *)CARREL_MANIFEST_VA;
}

void fake_list(uint32_t kind, const char *path, const uint8_t *bytes, uint64_t size)
{
	struct carrel_manifest *m = fake_manifest();
	struct carrel_manifest_entry *e = (struct carrel_manifest_entry *)(m + 1) + m->entries;
	br_sha256_context hash;

	e->kind = kind;
	e->size = size;
	e->path = PAGE / 2 + m->entries * (PAGE / 32);
	strcpy((char *)m + e->path, path);
	br_sha256_init(&hash);
	br_sha256_update(&hash, bytes, size);
	br_sha256_out(&hash, e->sha256);
	m->entries++;
	manifest_learn_names();
}

bool in_channel(uint64_t address, uint64_t size)
{
	uint64_t slot = CARREL_CHANNEL_VA + CARREL_SLOT_DATA;
	uint64_t end = CARREL_CHANNEL_VA + channel_blocks * CARREL_BLOCK_SIZE;
	uint64_t slot_end = CARREL_CHANNEL_VA + CARREL_SLOT_SIZE;

	if (address >= slot && address < slot_end)
		return size <= slot_end - address;
	return address >= (uint64_t)arena.base && address < end && size <= end - address;
}

uint8_t *program_block(uint64_t size, uint8_t rights)
{
	uint64_t bytes = (size + PAGE - 1) & ~(PAGE - 1);
	uint64_t at = next_block;

	if (!bytes)
		bytes = PAGE;
	if (mmap((void *)at, bytes, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED)
		abort();
	memset((void *)at, 0x5a, bytes);
	next_block = at + bytes + PAGE;
	if (rights)
		vm_insert(at, at + bytes, rights, true);
	return (uint8_t *)at + bytes - size;
}

const char *program_path(void)
{
	return "/bin/program";
}

const struct carrel_start *program_start(void)
{
	static struct carrel_start start = { .magic = CARREL_START_MAGIC, .limit = 64, .flags = 1 };

	start.arena_size = arena.size;
	return &start;
}

size_t string_size(const char *s, size_t max)
{
	const char *end = memchr(s, 0, max);

	return end ? (size_t)(end - s) + 1 : 0;
}

/* --- Hypercalls ------------------------------------------------------------------------- */

static size_t book_find(uint64_t at)
{
	for (size_t i = 0; i < book_count; i++)
		if (book[i].page == at)
			return i;
	return BOOK_MAX;
}

static int64_t map_pages(uint64_t start, uint64_t pages, uint64_t rights)
{
	if (fake.refuse_map) {
		int64_t answer = fake.refuse_map;

		fake.refuse_map = 0;
		return answer;
	}
	for (uint64_t i = 0; i < pages; i++)
		if (book_find(start + i * PAGE) != BOOK_MAX)
			return CARREL_EARG;
	if (book_count + pages > BOOK_MAX)
		return CARREL_ELIMIT;
	if (mmap((void *)start, pages * PAGE, prot_of(rights),
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != (void *)start)
		return CARREL_ELIMIT;	/* this test program itself is there */
	for (uint64_t i = 0; i < pages; i++) {
		book[book_count].page = start + i * PAGE;
		book[book_count++].rights = rights & CARREL_RIGHTS;
	}
	return 0;
}

static int64_t change_pages(uint64_t number, uint64_t start, uint64_t pages, uint64_t rights)
{
	for (uint64_t i = 0; i < pages && number == CARREL_HC_PROTECT; i++)
		if (book_find(start + i * PAGE) == BOOK_MAX)
			return CARREL_EARG;
	for (uint64_t i = 0; i < pages; i++) {
		size_t at = book_find(start + i * PAGE);

		if (at == BOOK_MAX)
			continue;
		if (number == CARREL_HC_PROTECT) {
			book[at].rights = rights;
			mprotect((void *)book[at].page, PAGE, prot_of(rights));
		} else {
			munmap((void *)book[at].page, PAGE);
			book[at] = book[--book_count];
		}
	}
	return 0;
}

static int64_t memory_call(uint64_t number, uint64_t start, uint64_t pages, uint64_t rights)
{
	uint64_t end = start + pages * PAGE;

	CHECK(fake.memory);
	CHECK(start % PAGE == 0 && pages > 0 && end > start && end <= VM_HIGH);
	CHECK(end <= CARREL_BASE || start >= IMAGES_VA);
	CHECK(number != CARREL_HC_MAP ||
	      !(rights & ~(uint64_t)(CARREL_RIGHTS | CARREL_MAP_DEMAND | CARREL_MAP_SHARED)));
	CHECK(number != CARREL_HC_PROTECT || !(rights & ~(uint64_t)CARREL_RIGHTS));
	CHECK(number != CARREL_HC_MAP || rights & CARREL_R);
	CHECK(number != CARREL_HC_PROTECT || !(rights & CARREL_RIGHTS) || rights & CARREL_R);
	if (number == CARREL_HC_MAP)
		return map_pages(start, pages, rights);
	return change_pages(number, start, pages, rights);
}

struct answer hypercall(uint64_t number, uint64_t a, uint64_t b, uint64_t c)
{
	switch (number) {
	case CARREL_HC_DIE:
		fake.die_code = a;
		CHECK(fake.may_die);
		longjmp(fake.died, 1);
	case CARREL_HC_NOTE:
		fake.noted[0] = a;
		fake.noted[1] = b;
		fake.notes++;
		return (struct answer){ 0, 0 };
	case CARREL_HC_THREAD:
		CHECK(fake.thread);
		return (struct answer){ fake.thread(a), b };
	default:
		return (struct answer){ memory_call(number, a, b, c), b };
	}
}

int64_t hypercall_random(uint64_t out[4])
{
	for (int i = 0; i < 4; i++)
		out[i] = random_u64();
	return 0;
}

int64_t hypercall_words(uint64_t number, uint64_t words[4])
{
	if (!fake.words && number == CARREL_HC_SEAL_KEY)	/* any path may be opened, the key's too */
		return CARREL_EFLAG;
	CHECK(fake.words);
	return fake.words(number, words);
}

int64_t hypercall_ocall(uint64_t number, const uint64_t args[6], uint64_t *flags)
{
	/* requests to the module, which it grants: not the host's that a test plays */
	if (!fake.requests && number == SYS_msync && args[0] > CARREL_BASE && args[0] < CARREL_SHIM_VA) {
		*flags = 0;
		return 0;
	}
	fake.last.number = number;
	memcpy(fake.last.arg, args, sizeof(fake.last.arg));
	fake.ocalls++;
	*flags = 0;
	return fake.host ? fake.host(&fake.last, flags) : 0;
}

void check_memory(void)
{
	struct vm_range part;
	uint64_t pages = 0, images = 0;

	CHECK(vm_check() == NULL);
	for (size_t i = 0; i < book_count; i++)
		images += book[i].page >= IMAGES_VA && book[i].page < CARREL_END;
	for (uint64_t at = 0; vm_next(at, VM_HIGH, &part); at = part.end)
		for (uint64_t p = part.start; part.backed && p < part.end; p += PAGE) {
			size_t i = book_find(p);

			CHECK(i != BOOK_MAX);
			CHECK_EQ(book[i].rights, part.rights);
			pages++;
		}
	CHECK_EQ(pages + images, book_count);
}
