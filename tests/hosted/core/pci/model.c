/* SPDX-License-Identifier: BSD-2-Clause */
#include "model.h"

#include <pthread.h>
#include <stdarg.h>

#include <base/log.h>
#include <base/mmio.h>
#include <base/x86.h>
#include <core/apic.h>
#include <core/exit.h>
#include <core/guestmem.h>
#include <core/leaves.h>
#include <virt/svm/svm.h>

#define MEMORY		(64 * MIB)
#define POOL		(32 * MIB)
#define RAM_END		(48 * MIB)

unsigned char *phys_base;
struct machine machine;
struct stats stats;
struct cpu guest;
struct vt_regs guest_regs;
u64 guest_rip, guest_rsp;
unsigned int guest_injected, guest_code_size, guest_lines;
u8 guest_code[16], model_port[0x10000];
u32 model_address;
bool machine_ended;

/* --- The hardware ---------------------------------------------------------------------- */

static pthread_mutex_t bus = PTHREAD_MUTEX_INITIALIZER;
static u8 spaces[2][4096], before[2][4096];

u8 *config(u16 function)
{
	return function == GUARDED ? spaces[0] : function == FREE ? spaces[1] : NULL;
}

bool config_same(u16 function)
{
	u64 i = function == FREE;

	return !memcmp(spaces[i], before[i], sizeof(before[i]));
}

/* Where a byte of a port is kept. */
static u8 *place(u16 port)
{
	u8 *space = config((u16)(model_address >> 8));
	static u8 nothing;

	if (port < 0xCFC || port > 0xCFF || !(model_address >> 31))
		return &model_port[port];
	nothing = 0xFF;
	return space ? &space[(model_address >> 16 & 0xF00) | (model_address & 0xFC) | (port & 3)] :
		&nothing;
}

static void out(u16 port, unsigned int size, u32 value)
{
	pthread_mutex_lock(&bus);
	if (port == 0xCF8 && size == 4)
		model_address = value;
	else
		for (unsigned int i = 0; i < size; i++)
			*place((u16)(port + i)) = (u8)(value >> 8 * i);
	pthread_mutex_unlock(&bus);
}

static u32 in(u16 port, unsigned int size)
{
	u32 value = 0;

	pthread_mutex_lock(&bus);
	if (port == 0xCF8 && size == 4)
		value = model_address;
	else
		for (unsigned int i = 0; i < size; i++)
			value |= (u32)*place((u16)(port + i)) << 8 * i;
	pthread_mutex_unlock(&bus);
	sched_yield();		/* other CPUs are quicker */
	return value;
}

u8 inb(u16 port) { return (u8)in(port, 1); }
u16 inw(u16 port) { return (u16)in(port, 2); }
u32 inl(u16 port) { return in(port, 4); }
void outb(u16 port, u8 v) { out(port, 1, v); }
void outw(u16 port, u16 v) { out(port, 2, v); }
void outl(u16 port, u32 v) { out(port, 4, v); }

u32 mmio_read32(u64 pa)
{
	u64 offset = pa - ECAM_BASE;
	u8 *space = config((u16)(offset >> 12));
	u32 value;

	CHECK(space && !(pa & 3) && offset < 256 * MIB);
	memcpy(&value, space + (offset & 0xFFF), 4);
	return value;
}

void mmio_store(u64 pa, u8 size, u32 value)
{
	u64 offset = pa - ECAM_BASE;
	u8 *space = config((u16)(offset >> 12));

	CHECK(space && offset < 256 * MIB && (offset & 0xFFF) + size <= 4096);
	memcpy(space + (offset & 0xFFF), &value, size);
}

/* --- The rest of the core ------------------------------------------------------------- */

void log_guest(const char *format, ...)
{
	(void)format;
	guest_lines++;
}

void log_line(const char *format, ...)
{
	(void)format;
	guest_lines++;
}

void panic(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprintf(format, args);
	printf("\n");
	fflush(stdout);
	abort();
}

void exit_wipe(void) { machine_ended = true; }
void exit_reset(void) { exit(test_failed || !machine_ended); }
void apic_icr_write(u32 low, u32 high) { (void)low, (void)high; }
void apic_expect_start(void) { }
struct cpuid leaves_own(u32 leaf) { (void)leaf; return (struct cpuid){ 0 }; }

unsigned int guestmem_fetch(struct cpu *cpu, u8 bytes[GUESTMEM_INSN_MAX])
{
	CHECK(cpu == &guest);
	memcpy(bytes, guest_code, guest_code_size);
	memset(bytes + guest_code_size, 0x90, GUESTMEM_INSN_MAX - guest_code_size);
	return guest_code_size;
}

static u64 get(struct vt_cpu *vt, enum vt_field field)
{
	(void)vt;
	return field == VT_RSP ? guest_rsp : field == VT_RIP ? guest_rip : 0;
}

static void skip(struct vt_cpu *vt, const struct vt_exit *exit)
{
	(void)vt;
	guest_rip += exit->length;
}

static void inject(struct vt_cpu *vt, unsigned int vector, s64 error)
{
	(void)vt, (void)error;
	guest_injected = vector + 1;
}

static void msr_intercept(void *bitmap, u32 msr, bool read, bool write)
{
	(void)bitmap, (void)msr, (void)read, (void)write;
}

static const u32 no_msrs[] = { 0 };
static const struct vt_ops ops = {
	.get = get, .skip = skip, .inject = inject, .msr_intercept = msr_intercept,
	.tracked_msrs = no_msrs,
};

/* --- The machine ----------------------------------------------------------------------- */

static u8 msr_bitmap[VT_BITMAP], io_bitmap[VT_BITMAP];
static struct chunk chunks[RAM_END >> CHUNK_SHIFT];
static u64 pool_next = POOL;

static u64 pool_alloc(struct table_memory *memory)
{
	(void)memory;
	pool_next += PAGE_SIZE;
	return pool_next <= POOL + CHUNK_SIZE ? pool_next - PAGE_SIZE : 0;
}

static void pool_free(struct table_memory *memory, u64 pa)
{
	(void)memory, (void)pa;
}

static enum memory_type all_wb(u64 pa, u64 *end)
{
	(void)pa, (void)end;
	return MEMORY_WB;
}

void model_start(bool ecam)
{
	static struct table_memory pool = { pool_alloc, pool_free };
	static const struct ram_range map[] = { { 0, RAM_END, true } };
	static const struct platform_ports none = { 0 };

	phys_base = aligned_alloc(CHUNK_SIZE, MEMORY);
	memset(phys_base, 0, MEMORY);
	machine = (struct machine){ .vt = &ops, .pool = &pool, .ram_top = RAM_END };
	guest.vt.regs = &guest_regs;
	frame_boot(chunks, ARRAY_SIZE(chunks), map, 1, POOL, CHUNK_SIZE);
	if (view_make_host(&machine.host_view, &svm_nested_format, 3, &pool, 8 * GIB, POOL, CHUNK_SIZE,
			   all_wb))
		panic("no host view");
	for (unsigned int i = 0; i < sizeof(spaces); i++)
		spaces[i / 4096][i % 4096] = (u8)(i + i % 4096 / 256);
	memcpy(before, spaces, sizeof(before));
	policy_bitmaps(machine.vt, msr_bitmap, io_bitmap, &none);
	if (ecam)
		pci_window(ECAM_BASE, 0, 0, 0xFF);
	CHECK_EQ(pci_guard(0, GUARDED), 0);
	guest_lines = 0;
}

/* --- The guest ------------------------------------------------------------------------- */

bool guest_exits(u16 port, u8 size)
{
	for (unsigned int p = port; p < port + size; p++)
		if (__atomic_load_n(&io_bitmap[p / 8], __ATOMIC_SEQ_CST) >> p % 8 & 1)
			return true;
	return false;
}

static bool exits(struct cpu *cpu, u16 port, u8 size, bool in_out)
{
	const struct vt_exit exit = {
		.reason = VT_IO, .port = port, .size = size, .in = in_out, .length = 1,
	};

	if (!guest_exits(port, size))
		return false;
	policy_io(cpu, &exit);
	return true;
}

bool guest_out(u16 port, u8 size, u32 value)
{
	struct vt_regs regs = { .rax = 0xAAAAAAAA00000000 | value };
	struct cpu cpu = { .vt.regs = &regs };	/* its own: threads */

	if (exits(&cpu, port, size, false))
		return true;
	out(port, size, value);
	return false;
}

bool guest_in(u16 port, u8 size, u32 *value)
{
	struct vt_regs regs = { 0 };
	struct cpu cpu = { .vt.regs = &regs };

	if (exits(&cpu, port, size, true)) {
		*value = (u32)regs.rax;
		return true;
	}
	*value = in(port, size);
	return false;
}
