/* SPDX-License-Identifier: BSD-2-Clause */
#include "machine.h"

#include <pthread.h>
#include <stdarg.h>

#include <base/log.h>
#include <base/phys.h>
#include <base/x86.h>
#include <core/policy.h>
#include <core/apic.h>
#include <core/exit.h>
#include <core/hypercall.h>
#include <core/owner.h>
#include <core/policy.h>
#include <core/random.h>
#include <core/stats.h>
#include <core/xstate.h>
#include <virt/svm/svm.h>

unsigned char *phys_base;
struct machine machine;
struct stats stats;
struct test_cpu cpus[CPUS];
struct trace trace[TRACE_MAX];
unsigned int traced;
bool tracing;
unsigned int log_lines;
char log_last[256];
bool concurrent;
bool generator_dry, generator_stuck;
u32 create_flags;
bool no_iommu;

static struct chunk chunks[RAM_CHUNKS];
static u64 pool_next;

/* --- checks, log, randomness ---------------------------------------------------------- */

bool test_failed;

bool check(bool good, const char *file, int line, const char *what)
{
	if (!good) {
		printf("     %s:%d: %s\n", file, line, what);
		test_failed = true;
	}
	return good;
}

bool check_eq(s64 a, s64 b, const char *file, int line, const char *what)
{
	if (a != b)
		printf("     %s:%d: %ld (0x%lx) is not %ld (0x%lx)\n", file, line, a, a, b, b);
	return check(a == b, file, line, what);
}

static pthread_mutex_t log_mutex = PTHREAD_MUTEX_INITIALIZER;

static void take_line(const char *format, va_list args)
{
	pthread_mutex_lock(&log_mutex);
	vsnprintf(log_last, sizeof(log_last), format, args);
	log_lines++;
	pthread_mutex_unlock(&log_mutex);
}

void log_line(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	take_line(format, args);
	va_end(args);
}

void log_guest(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	take_line(format, args);
	va_end(args);
}

void log_note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	take_line(format, args);
	va_end(args);
}

void log_kill(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	take_line(format, args);
	va_end(args);
}

/* A log of 100 bytes that says where it is. */
size_t log_read(u64 *position, char *buffer, size_t room)
{
	size_t n = 0;

	for (; n < room && *position < 100; n++)
		buffer[n] = (char)('0' + (*position)++ % 10);
	return n;
}

void panic(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\npanic: the test ends\n");
	fflush(stdout);
	abort();
}

static _Thread_local u64 random_state = 0x9E3779B97F4A7C15;

void random_seed(u64 seed)
{
	random_state = seed * 0x9E3779B97F4A7C15 + 1;
}

u64 random_u64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

u64 random_below(u64 bound)
{
	return random_u64() % bound;
}

static bool yes(void)
{
	return true;
}

static bool give(u64 *word)
{
	static u64 counter;

	*word = generator_stuck ? 7 : __atomic_add_fetch(&counter, 1, __ATOMIC_RELAXED) * 0x9E3779B97F4A7C15;
	return !generator_dry;
}

const struct random_source random_cpu = { yes, yes, give, give };

/* --- what files outside of this test would answer ------------------------------------------------ */

const char *exit_name(enum vt_reason reason)
{
	return reason == VT_CPUID ? "cpuid" : "other";
}

void policy_perf(struct cpu *cpu, bool run)
{
	struct test_cpu *c = container_of(cpu, struct test_cpu, cpu);

	CHECK_EQ(c->counters_stopped, run);
	c->counters_stopped = !run;
	c->counter_switches++;
}

bool apic_trap_armed(void)
{
	return true;
}

enum apic_mode apic_mode(void)
{
	return APIC_TRAP;
}

/* --- trace ---------------------------------------------------------------------------- */

static void note(enum step step, u64 what)
{
	if (tracing && traced < TRACE_MAX)
		trace[traced++] = (struct trace){ step, what };
}

static bool has_bit(const u64 *map, u64 bit)
{
	return __atomic_load_n(&map[bit / 64], __ATOMIC_SEQ_CST) >> bit % 64 & 1;
}

static void set_bit(u64 *map, u64 bit)
{
	__atomic_fetch_or(&map[bit / 64], BIT(bit % 64), __ATOMIC_SEQ_CST);
}

static void clear_all(u64 *map, u64 words)
{
	for (u64 i = 0; i < words; i++)
		__atomic_store_n(&map[i], 0, __ATOMIC_SEQ_CST);
}

static bool cached_by_process(u64 frame)
{
	for (unsigned int i = 0; i < CPUS; i++) {
		u32 tag = __atomic_load_n(&cpus[i].tag, __ATOMIC_SEQ_CST);

		if (tag && has_bit(cpus[i].process_cached[tag], frame))
			return true;
	}
	return false;
}

static bool cached_by_host(u64 chunk)
{
	for (unsigned int i = 0; i < CPUS; i++)
		if (has_bit(cpus[i].host_cached, chunk))
			return true;
	return false;
}

/* The linker sends the sources' calls of these here (build.mk, --wrap). */
void __real_scrub_page(u64 pa);
void __wrap_scrub_page(u64 pa);
void __wrap_scrub_page(u64 pa)
{
	note(STEP_SCRUB, pa >> PAGE_SHIFT);
	CHECK(!cached_by_process(pa >> PAGE_SHIFT));
	CHECK(!cached_by_host(pa >> CHUNK_SHIFT));
	CHECK(!device_cached(pa >> CHUNK_SHIFT));
	/* a panic wipes what the table leads to, and follows pointers there */
	for (unsigned int i = 0; !concurrent && i < PROCESS_MAX; i++)
		CHECK(process_slots[i].process != phys(pa));
	__real_scrub_page(pa);
}

int __real_view_hide_chunk(struct view *host, u64 chunk);
int __wrap_view_hide_chunk(struct view *host, u64 chunk);
int __wrap_view_hide_chunk(struct view *host, u64 chunk)
{
	note(STEP_HIDE, chunk);
	return __real_view_hide_chunk(host, chunk);
}

void __real_view_show_chunk(struct view *host, u64 chunk);
void __wrap_view_show_chunk(struct view *host, u64 chunk);
void __wrap_view_show_chunk(struct view *host, u64 chunk)
{
	note(STEP_SHOW, chunk);
	for (u64 i = 0; i < CHUNK_PAGES; i++)
		CHECK(!cached_by_process(chunk * CHUNK_PAGES + i));
	__real_view_show_chunk(host, chunk);
}

int __real_frame_unlend(u64 block);
int __wrap_frame_unlend(u64 block);
int __wrap_frame_unlend(u64 block)
{
	note(STEP_UNLEND, block);
	for (u64 i = 0; i < 16; i++)
		CHECK(!cached_by_process(block * 16 + i));
	return __real_frame_unlend(block);
}

int __real_dma_hide_chunk(u64 chunk);
int __wrap_dma_hide_chunk(u64 chunk);
int __wrap_dma_hide_chunk(u64 chunk)
{
	note(STEP_DMA_HIDE, chunk);
	return __real_dma_hide_chunk(chunk);
}

bool __real_dma_drained(void);
bool __wrap_dma_drained(void);
bool __wrap_dma_drained(void)
{
	bool drained = __real_dma_drained();

	if (drained)
		note(STEP_DRAINED, 0);
	return drained;
}

void __real_dma_show_chunk(u64 chunk);
void __wrap_dma_show_chunk(u64 chunk);
void __wrap_dma_show_chunk(u64 chunk)
{
	note(STEP_DMA_SHOW, chunk);
	__real_dma_show_chunk(chunk);
}

enum dma_state __real_dma_state(void);
enum dma_state __wrap_dma_state(void);
enum dma_state __wrap_dma_state(void)
{
	return no_iommu ? DMA_UNPROTECTED : __real_dma_state();
}

/* --- the back end ---------------------------------------------------------------------- */

static struct test_cpu *of(struct vt_cpu *vt)
{
	return container_of(vt, struct test_cpu, cpu.vt);
}

static struct state *current_state(struct vt_cpu *vt)
{
	return vt->current ? &of(vt)->process : &of(vt)->host;
}

static u64 fake_get(struct vt_cpu *vt, enum vt_field field)
{
	const struct state *s = current_state(vt);

	switch (field) {
	case VT_RIP: return s->rip;
	case VT_RSP: return s->rsp;
	case VT_RFLAGS: return s->rflags;
	case VT_CR3: return s->cr3;
	case VT_EFER: return s->efer;
	case VT_CPL: return s->cpl;
	case VT_CR0: case VT_CR4: case VT_DEBUGCTL: case VT_CS_BASE: break;
	}
	return 0;
}

static void fake_set(struct vt_cpu *vt, enum vt_field field, u64 value)
{
	struct state *s = current_state(vt);

	if (field == VT_RIP)
		s->rip = value;
	else if (field == VT_RSP)
		s->rsp = value;
	else if (field == VT_RFLAGS)
		s->rflags = value;
	else
		panic("the core set field %u", field);
}

static void fake_skip(struct vt_cpu *vt, const struct vt_exit *exit)
{
	struct state *s = current_state(vt);

	s->rip += exit->length;
	s->shadow = 0;
}

static void fake_inject(struct vt_cpu *vt, unsigned int vector, s64 error)
{
	(void)error;
	CHECK(vt->current == 0);	/* nothing is ever injected into a process view */
	of(vt)->host.injected = vector + 1;
}

static void fake_inject_nmi(struct vt_cpu *vt)
{
	CHECK(vt->current == 0);
	of(vt)->host.nmi = true;
}

static void set_cached(struct test_cpu *c, u64 frame)
{
	c->has_cached[c->tag] = true;
	set_bit(c->process_cached[c->tag], frame);
}

/* What a CPU still has of a view that it comes back to, or of one that had its tag before, can be
 * used again: the view must still have it. */
static void check_cached(const struct test_cpu *c, const struct view *view)
{
	const u64 *cached = c->process_cached[view->tag];

	if (concurrent)
		return;
	for (u64 word = 0; word < RAM_SIZE / PAGE_SIZE / 64; word++)
		for (u64 bits = cached[word]; bits; bits &= bits - 1)
			CHECK(view_rights(view, (word * 64 + (u64)__builtin_ctzll(bits)) << PAGE_SHIFT));
}

static void fake_load(struct vt_cpu *vt, struct vt_context *context,
		      const struct vt_process *process)
{
	struct state *s = &of(vt)->process;

	CHECK(vt->current == 0);
	CHECK(of(vt)->ours);
	CHECK(cpu_mask_test(&process->view->entered, vt->id));
	CHECK(process->cr3 && process->cr3 == ALIGN_DOWN(process->cr3, PAGE_SIZE));
	check_cached(of(vt), process->view);
	__atomic_store_n(&of(vt)->tag, process->view->tag, __ATOMIC_SEQ_CST);
	vt->regs = &context->regs;
	*s = (struct state){
		.rip = context->rip, .rsp = context->rsp, .rflags = context->rflags,
		.cr3 = process->cr3, .cpl = context->bounce ? 0 : 3, .cs_l = 1,
		.efer = EFER_LMA | EFER_LME, .fs_base = context->fs_base,
		.gs_base = context->gs_base, .view = process->view,
		.bounce = context->bounce, .shadow = context->shadow,
	};
	vt->current = 1;
}

static void fake_save(struct vt_cpu *vt, struct vt_context *context, u8 length, u64 rip, u64 rsp)
{
	struct state *s = &of(vt)->process, *host = &of(vt)->host;

	CHECK(vt->current == 1);
	CHECK(vt->regs == &context->regs);
	*context = (struct vt_context){
		.regs = context->regs, .rip = s->rip + length, .rsp = s->rsp, .rflags = s->rflags,
		.fs_base = s->fs_base, .gs_base = s->gs_base,
		.bounce = s->cpl == 0, .shadow = length ? 0 : s->shadow,
	};
	host->rip = rip;
	host->rsp = rsp;
	host->rflags = RFLAGS_FIXED | RFLAGS_IF;
	host->shadow = 0;
	__atomic_store_n(&of(vt)->tag, 0, __ATOMIC_SEQ_CST);
	memset(s, 0xEE, sizeof(*s));
	vt->regs = &vt->host_regs;
	vt->current = 0;
}

static void fake_flush_all(struct vt_cpu *vt)
{
	struct test_cpu *c = of(vt);

	note(STEP_FLUSH, vt->id);
	__atomic_fetch_add(&c->flushes, 1, __ATOMIC_RELAXED);
	clear_all(c->host_cached, ARRAY_SIZE(c->host_cached));
	for (u32 tag = 1; tag < TAGS; tag++) {
		if (c->has_cached[tag])
			clear_all(c->process_cached[tag], ARRAY_SIZE(c->process_cached[tag]));
		c->has_cached[tag] = false;
	}
	clear_all(c->writable_by, ARRAY_SIZE(c->writable_by));
}

static const struct vt_ops fake_ops = {
	.name = "FAKE", .insn = CARREL_INSN_VMCALL, .call_bytes = { 0x0F, 0x01, 0xC1 },
	.nested = &svm_nested_format,
	.get = fake_get, .set = fake_set, .skip = fake_skip, .inject = fake_inject,
	.inject_nmi = fake_inject_nmi, .process_load = fake_load, .process_save = fake_save,
	.flush_all = fake_flush_all,
};

/* --- vector state ----------------------------------------------------------------------- */

void xstate_boot(void)
{
}

void xstate_fresh(void *area)
{
	memset(area, 0, XSTATE_SIZE);
}

void xstate_load(struct cpu *cpu, const void *area)
{
	struct test_cpu *c = container_of(cpu, struct test_cpu, cpu);

	CHECK(!c->ours);
	CHECK(IS_ALIGNED((u64)area - (u64)phys(0), XSTATE_ALIGN));
	c->ours = true;
	memcpy(&c->vectors, area, sizeof(c->vectors));
}

void xstate_save(struct cpu *cpu, void *area)
{
	struct test_cpu *c = container_of(cpu, struct test_cpu, cpu);

	CHECK(c->ours);
	memcpy(area, &c->vectors, sizeof(c->vectors));
	memset((u8 *)area + XSTATE_SIZE - 8, 0x77, 8);
	xstate_drop(cpu);
}

void xstate_drop(struct cpu *cpu)
{
	struct test_cpu *c = container_of(cpu, struct test_cpu, cpu);

	c->vectors = 0;
	c->ours = false;
}

/* --- the machine ------------------------------------------------------------------------ */

static pthread_mutex_t pool_mutex = PTHREAD_MUTEX_INITIALIZER;

static u64 pool_alloc(struct table_memory *memory)
{
	u64 pa;

	(void)memory;
	pthread_mutex_lock(&pool_mutex);
	pa = pool_next;
	pool_next += PAGE_SIZE;
	pthread_mutex_unlock(&pool_mutex);
	if (pa >= HV_BASE + HV_SIZE)
		return 0;
	memset(phys(pa), 0, PAGE_SIZE);
	return pa;
}

static void pool_free(struct table_memory *memory, u64 pa)
{
	(void)memory;
	memset(phys(pa), 0xDD, PAGE_SIZE);
}

struct table_memory pool_tables = { pool_alloc, pool_free };

static const struct ram_range map[] = {
	{ 0, 0x9F000, true },
	{ 0x9F000, 0x61000, false },
	{ MIB, NO_RAM_CHUNK * CHUNK_SIZE - MIB, true },
	{ HOLE_BASE, HOLE_SIZE, false },
	{ (NO_RAM_CHUNK + 1) * CHUNK_SIZE, CHUNK_SIZE - 0x5000, true },
};

static enum memory_type all_wb(u64 pa, u64 *end)
{
	(void)pa;
	*end = RAM_SIZE;
	return MEMORY_WB;
}

static void reset_cpu(unsigned int id)
{
	struct test_cpu *c = &cpus[id];

	memset(c, 0, sizeof(*c));
	c->cpu.id = id;
	c->cpu.vt.id = id;
	c->cpu.vt.cpu = &c->cpu;
	c->cpu.vt.regs = &c->cpu.vt.host_regs;
	c->cpu.state = CPU_RUNNING;
	c->host = (struct state){ .efer = EFER_LMA | EFER_LME, .cs_l = 1, .rip = 0x1000 };
	machine.cpus[id] = &c->cpu;
	cpu_mask_set(&machine.host_view.entered, id);
}

void machine_reset(void)
{
	for (u64 i = 0; phys_base && i < PROCESS_MAX; i++)
		if (process_get(process_slots[i].id))
			panic("a test left a process behind");
	if (!phys_base)
		phys_base = aligned_alloc(CHUNK_SIZE, RAM_SIZE);
	memset(phys_base, HOST_BYTE, RAM_SIZE);
	memset(chunks, 0, sizeof(chunks));
	memset(&machine, 0, sizeof(machine));
	memset(&stats, 0, sizeof(stats));
	pool_next = HV_BASE;
	frame_boot(chunks, RAM_CHUNKS, map, ARRAY_SIZE(map), HV_BASE, HV_SIZE);
	machine.vt = &fake_ops;
	machine.pool = &pool_tables;
	machine.hv_base = HV_BASE;
	machine.hv_size = HV_SIZE;
	machine.cpu_count = CPUS;
	if (view_make_host(&machine.host_view, &svm_nested_format, 3, &pool_tables, RAM_SIZE, HV_BASE,
			   HV_SIZE, all_wb))
		panic("no host view");
	for (unsigned int i = 0; i < CPUS; i++)
		reset_cpu(i);
	devices_reset(map, ARRAY_SIZE(map));
	generator_dry = generator_stuck = no_iommu = false;
	create_flags = 0;
	if (process_boot())
		panic("process_boot");
	log_lines = traced = 0;
	tracing = false;
	log_last[0] = '\0';
}

enum chunk_state owner(u64 chunk)
{
	return (enum chunk_state)chunks[chunk].state;
}

/* --- exits ------------------------------------------------------------------------------ */

s64 exit_call(struct test_cpu *c, u64 number, u64 a, u64 b, u64 c3, u64 d, u64 e, u64 f)
{
	const struct state *s = current_state(&c->cpu.vt);
	struct vt_exit exit = {
		.reason = VT_HYPERCALL, .process = inside(c), .length = 3,
		.cr3 = s->cr3, .mode = (u8)(s->cpl | (s->cs_l && s->efer & EFER_LMA ? VT_64BIT : 0)),
	};
	struct vt_regs *regs = c->cpu.vt.regs;

	regs->rax = number;
	regs->rdi = a;
	regs->rsi = b;
	regs->rdx = c3;
	regs->r10 = d;
	regs->r8 = e;
	regs->r9 = f;
	hypercall(&c->cpu, &exit);
	return (s64)c->cpu.vt.regs->rax;
}

s64 kernel_call(struct test_cpu *c, u64 number, u64 a, u64 b, u64 c3, u64 d)
{
	if (inside(c))
		panic("kernel_call on a CPU in a process view");
	c->host.cpl = 0;
	return exit_call(c, number, a, b, c3, d, 0, 0);
}

s64 user_call(struct test_cpu *c, u64 number, u64 cr3, u64 a, u64 b, u64 c3, u64 d, u64 e, u64 f)
{
	if (inside(c))
		panic("user_call on a CPU in a process view");
	c->host.cpl = 3;
	c->host.cr3 = cr3;
	return exit_call(c, number, a, b, c3, d, e, f);
}

void exit_other(struct test_cpu *c, const struct vt_exit *exit)
{
	struct vt_exit copy = *exit;

	copy.process = true;
	thread_exit(&c->cpu, &copy);
}

void exit_reason(struct test_cpu *c, enum vt_reason reason)
{
	exit_other(c, &(struct vt_exit){ .reason = reason, .length = 2 });
}

void exit_exception(struct test_cpu *c, u8 vector, u64 error, u64 address)
{
	exit_other(c, &(struct vt_exit){ .reason = VT_EXCEPTION, .vector = vector, .error = error,
					 .address = address });
}

/* --- as the module does ----------------------------------------------------------------- */

void flush_all_cpus(void)
{
	for (unsigned int i = 0; i < CPUS; i++) {
		if (inside(&cpus[i]))
			exit_reason(&cpus[i], VT_INTERRUPT);
		CHECK_EQ(kernel_call(&cpus[i], CARREL_HC_FLUSH, 0, 0, 0, 0), 0);
	}
}

s64 finish(struct test_cpu *c, u64 number, u64 a, u64 b, u64 c3, u64 d)
{
	for (unsigned int i = 0; i < 5000; i++) {
		s64 result = kernel_call(c, number, a, b, c3, d);

		if (result == CARREL_PENDING)
			flush_all_cpus();
		else if (result != CARREL_MORE)
			return result;
	}
	CHECK(!"the call finishes");
	return -1000;
}

s64 donate(struct test_cpu *c, u64 chunk, u64 process)
{
	return finish(c, CARREL_HC_DONATE, chunk, process, 0, 0);
}

u64 host_chunk(void)
{
	for (u64 i = FIRST_CHUNK; i < RAM_CHUNKS; i++)
		if (chunks[i].state == CHUNK_HOST && !chunks[i].lent && i != LEND_CHUNK)
			return i;
	return 0;
}

u64 lend_block(unsigned int n)
{
	return (LEND_CHUNK << (CHUNK_SHIFT - CARREL_BLOCK_SHIFT)) + n % 32;
}

struct process *object(const struct carrier *carrier)
{
	struct process *process = process_get(carrier->id);

	if (process)
		process_put(process);
	return process;
}

static void lend_all(struct carrier *carrier)
{
	unsigned int next = 0;

	for (u32 i = 0; i < carrier->blocks; i++) {
		s64 result;

		do {
			carrier->block[i] = lend_block(next++);
			result = kernel_call(&cpus[0], CARREL_HC_LEND, carrier->id,
					     carrier->block[i], i, 0);
		} while (result == CARREL_EOWNER && next < 32);
		CHECK_EQ(result, 0);
	}
}

void make_empty(struct carrier *carrier, u32 slots, u32 blocks, u32 limit)
{
	struct test_cpu *c = &cpus[0];
	u64 source = host_chunk();

	*carrier = (struct carrier){ .slots = slots, .blocks = blocks, .chunks = 1 };
	carrier->chunk[0] = source;
	CHECK_EQ(donate(c, source, 0), 0);
	CHECK_EQ(kernel_call(c, CARREL_HC_CREATE, source, CARREL_ABI_VERSION,
			     slots | (u64)blocks << 16 | (u64)create_flags << 32, limit), 0);
	carrier->id = c->cpu.vt.regs->rdi;
	carrier->ticket[0] = c->cpu.vt.regs->rsi;
	carrier->ticket[1] = c->cpu.vt.regs->rdx;
	carrier->cr3 = CARRIER_CR3 + (carrier->id << 20);
}

void make_process(struct carrier *carrier, u32 slots, u32 blocks, u32 limit, bool ready)
{
	struct test_cpu *c = &cpus[0];

	make_empty(carrier, slots, blocks, limit);
	lend_all(carrier);
	if (!ready)
		return;
	CHECK_EQ(kernel_call(c, CARREL_HC_ADD, carrier->id, host_chunk() * CHUNK_PAGES,
			     CARREL_SHIM_VA, CARREL_R | CARREL_X), 0);
	CHECK_EQ(kernel_call(c, CARREL_HC_INIT, carrier->id, 0, 0, 0), 0);
}

void end_process(struct carrier *carrier)
{
	CHECK_EQ(finish(&cpus[0], CARREL_HC_DESTROY, carrier->id, 0, 0, 0), 0);
	for (unsigned int i = 0; i < carrier->chunks; i++)
		CHECK_EQ(finish(&cpus[0], CARREL_HC_RETURN, carrier->chunk[i], 0, 0, 0), 0);
	carrier->id = 0;
}

s64 enter(struct test_cpu *c, const struct carrier *carrier)
{
	return user_call(c, CARREL_HC_ENTER, carrier->cr3, carrier->id, carrier->ticket[0],
			 carrier->ticket[1], 0, 0, 0);
}

s64 resume(struct test_cpu *c, const struct carrier *carrier, u64 value, u64 flags)
{
	return user_call(c, CARREL_HC_RESUME, carrier->cr3, carrier->id, carrier->ticket[0],
			 carrier->ticket[1], 0, value, flags);
}

/* --- caches ----------------------------------------------------------------------------- */

u64 touch_for(struct test_cpu *c, u64 va, bool write)
{
	const struct view *view = c->process.view;
	u64 at = c->process.cr3;

	CHECK(inside(c));
	for (unsigned int level = 4; level > 0; level--) {
		u64 entry;

		CHECK(view_rights(view, at) & TABLE_W);
		CHECK(!(view_rights(view, at) & TABLE_X));
		set_cached(c, at >> PAGE_SHIFT);
		entry = ((const u64 *)phys(at))[va >> (12 + 9 * (level - 1)) & 511];
		if (!(entry & 1) || (write && !(entry & 2)))
			return 0;
		if (write && level == 1 && !(entry & BIT(52)))
			c->writable_by[(entry & 0x000FFFFFFFFFF000) >> PAGE_SHIFT] = c->process.cr3;
		CHECK(entry & BIT(5));
		at = entry & 0x000FFFFFFFFFF000;
	}
	if (!CHECK(view_rights(view, at) != 0))
		return 0;
	set_cached(c, at >> PAGE_SHIFT);
	return at;
}

u64 touch(struct test_cpu *c, u64 va)
{
	return touch_for(c, va, false);
}

u64 *reach(struct test_cpu *c, u64 va, bool write)
{
	u64 pa;

	for (unsigned int i = 0; i < 3 && inside(c); i++) {
		pa = touch_for(c, va, write);
		if (pa)
			return phys(pa + (va & (PAGE_SIZE - 1)));
		exit_exception(c, 14, write ? 6 : 4, va);
		if (inside(c) && c->process.rip == CARREL_SHIM_UPCALL)
			return NULL;
	}
	return NULL;
}

bool touch_host(struct test_cpu *c, u64 chunk)
{
	CHECK(!inside(c));
	if (!table_walk(&machine.host_view.table, chunk << CHUNK_SHIFT).present)
		return false;
	set_bit(c->host_cached, chunk);
	return true;
}

static void check_host_view(void)
{
	u64 donated = 0, lent = 0;

	for (u64 i = 0; i < RAM_CHUNKS; i++) {
		bool away = chunks[i].state == CHUNK_LEAVING || chunks[i].state == CHUNK_NOBODY ||
			chunks[i].state == CHUNK_FAMILY;
		bool hidden = away || chunks[i].state == CHUNK_HV;

		CHECK_EQ(table_walk(&machine.host_view.table, i << CHUNK_SHIFT).present, !hidden);
		CHECK(!(away && chunks[i].lent));
		if (cached_by_host(i))
			CHECK(!hidden || chunks[i].state == CHUNK_LEAVING);
		donated += away;
		lent += (u64)__builtin_popcount(chunks[i].lent);
	}
	CHECK_EQ(stats.chunks_donated, donated);
	CHECK_EQ(stats.blocks_lent, lent);
}

/* A frame that some CPU may still reach through a process view. */
static bool may_be_cached(u64 frame)
{
	u64 chunk = frame / CHUNK_PAGES;
	const struct frame *records = phys(chunk << CHUNK_SHIFT);
	u8 use;

	switch ((enum chunk_state)chunks[chunk].state) {
	case CHUNK_HOST: case CHUNK_MIXED:
		return chunks[chunk].lent >> (frame / 16 % 32) & 1;
	case CHUNK_HV:
		return true;	/* the fixed pages, constant for ever */
	case CHUNK_FAMILY:
		use = records[frame % CHUNK_PAGES].use;
		return use == FRAME_PAGE || use == FRAME_TABLE || use == FRAME_LIMBO;
	case CHUNK_NONE: case CHUNK_LEAVING: case CHUNK_NOBODY:
		break;
	}
	return false;
}

static void check_process(struct process *process)
{
	const char *wrong = frame_check(process->family);

	if (wrong)
		check(false, __FILE__, __LINE__, wrong);
	if (process->end > END_DEBTS)
		return;
	wrong = space_check(&process->space);
	if (wrong)
		check(false, __FILE__, __LINE__, wrong);
}

#define SPACES_MAX (PROCESS_MAX + 1U)

static void add_space(const struct space *spaces[], unsigned int *count,
		      const struct process *process, const struct family *family)
{
	if (process && process->family == family && process->space.table.root) {
		CHECK(*count < SPACES_MAX);
		spaces[(*count)++] = &process->space;
	}
}

/* All spaces that lead to a family's frames, those of children in the making too. */
static void check_counts(const struct family *family)
{
	const struct space *spaces[SPACES_MAX];
	const char *wrong = NULL;
	unsigned int count = 0;

	for (u64 i = 0; i < PROCESS_MAX; i++) {
		struct process *process = process_get(process_slots[i].id);

		if (!process)
			continue;
		add_space(spaces, &count, process, family);
		add_space(spaces, &count, process->making, family);
		process_put(process);
	}
	if (count)
		wrong = spaces_check(spaces, count);
	if (wrong)
		check(false, __FILE__, __LINE__, wrong);
}

/* What is writable by what a CPU that is inside has cached, no other space reads. */
static void check_writable(const struct test_cpu *c)
{
	for (u64 frame = 0; frame < ARRAY_SIZE(c->writable_by); frame++) {
		const struct frame *records = phys(frame / CHUNK_PAGES << CHUNK_SHIFT);

		CHECK(c->writable_by[frame] != c->process.cr3 || c->cpu.thread->process->making ||
		      chunks[frame / CHUNK_PAGES].state != CHUNK_FAMILY ||
		      records[frame % CHUNK_PAGES].use != FRAME_PAGE ||
		      records[frame % CHUNK_PAGES].count == 1);
	}
}

/* Invariant 1, and that a chunk which devices may still reach is nobody's. */
static void check_devices(void)
{
	for (u64 i = 0; i < RAM_CHUNKS; i++) {
		enum chunk_state state = owner(i);

		if (state == CHUNK_HV || state == CHUNK_NOBODY || state == CHUNK_FAMILY)
			CHECK(!device_cached(i));
		if (state == CHUNK_HV || state == CHUNK_NOBODY || state == CHUNK_FAMILY ||
		    state == CHUNK_LEAVING)
			CHECK(device_cached(i) || !device_touch(i));
	}
}

void check_machine(void)
{
	check_host_view();
	check_devices();
	for (unsigned int i = 0; i < CPUS; i++) {
		const struct test_cpu *c = &cpus[i];

		CHECK_EQ(c->ours, inside(c));
		CHECK_EQ(c->cpu.thread != NULL, inside(c));
		if (c->cpu.thread)
			CHECK_EQ(c->cpu.thread->state, THREAD_RUNNING);
		CHECK_EQ(c->tag != 0, inside(c));
		if (!inside(c))
			continue;
		check_writable(c);
		for (u64 word = 0; word < ARRAY_SIZE(c->process_cached[0]); word++)
			for (u64 bits = c->process_cached[c->tag][word]; bits; bits &= bits - 1)
				CHECK(may_be_cached(word * 64 + (u64)__builtin_ctzll(bits)));
	}
	for (u64 i = 0; i < PROCESS_MAX; i++) {
		struct process *process = process_get(process_slots[i].id);

		if (!process)
			continue;
		check_process(process);
		check_counts(process->family);
		process_put(process);
	}
}

/* hv/core/apic.c is not either: every CPU but the caller's can be parked. */
int apic_park(u32 apic_id)
{
	return apic_id < CPUS ? 0 : CARREL_EARG;
}
