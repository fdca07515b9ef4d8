/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The view's side that runs with the program: no libc, no TLS, no vector
 * registers, since all of those are the program's by then.
 */
#include <asm/prctl.h>
#include <asm/signal.h>
#include <asm/siginfo.h>
#include <asm/sigcontext.h>
#include <asm/ucontext.h>
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/mman.h>
#include <linux/prctl.h>
#include <carrel/channel.h>
#include <carrel/hypercall.h>
#include <carrel/thread.h>
#include "view.h"

#define PAGE		4096UL
#define TF		0x100UL
#define STEP_SIGNAL	SIGUSR1
#define FAULTS		(1UL << (SIGSEGV - 1) | 1UL << (SIGBUS - 1) | 1UL << (SIGILL - 1) | \
			 1UL << (SIGFPE - 1) | 1UL << (SIGTRAP - 1))
#define OURS		(FAULTS | 1UL << (SIGSYS - 1))

/* view.S pushes these. */
struct hypercall {
	uint64_t rdi, rsi, rdx, rcx, rax, r8, r9, r10, r11, rbx, rbp, r12, r13, r14, r15, rflags;
};
struct resume {
	uint64_t process, ticket0, ticket1, thread, value, flags;
};
struct kernel_action {
	uint64_t handler, flags, restorer, mask;
};

struct view_options view_options;
struct view_thread view_threads[CARREL_SLOTS_MAX] __attribute__((aligned(64)));
static uint64_t memory_calls, map_calls;
static long step_calls, step_at, steps;
static bool stepping, armed, handles_fault[32];
static uint64_t injected;

bool view_hypercall(struct hypercall *call);
void view_resume(const struct resume *resume, struct hypercall *call);
void view_start(const struct resume *resume);

static struct carrel_thread_page *page(void)
{
	uint64_t base;

	asm volatile("rdgsbase %0" : "=r"(base));
	return (struct carrel_thread_page *)base;
}

/* Of the thread that runs here; before the first has been entered, the first. */
static uint64_t own_index(void)
{
	return page() ? ((uint64_t)page() - CARREL_THREADS_VA) / CARREL_THREAD_STRIDE : 0;
}

static struct view_thread *own(void)
{
	return &view_threads[own_index()];
}

static struct carrel_slot *slot(void)
{
	return (struct carrel_slot *)(CARREL_CHANNEL_VA + own_index() * CARREL_SLOT_STRIDE);
}

long call6(long n, long a, long b, long c, long d, long e, long f)
{
	volatile uint8_t *selector = &own()->selector;
	uint8_t was = *selector;
	long result;

	*selector = SYSCALL_DISPATCH_FILTER_ALLOW;
	/* Nothing may be called once these are set. */
	register long r10 asm("r10") = d, r8 asm("r8") = e, r9 asm("r9") = f;
	asm volatile("syscall" : "=a"(result)
		     : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
		     : "rcx", "r11", "memory");
	*selector = was;
	return result;
}

static void say(const char *text)
{
	long size = 0;

	while (text[size])
		size++;
	call6(__NR_write, 2, (long)text, size, 0, 0, 0);
}

static void say_number(uint64_t n)
{
	char text[32], *at = text + 31;

	*at = 0;
	do
		*--at = '0' + n % 10;
	while (n /= 10);
	say(at);
}

static void say_line(const char *what, uint64_t a, uint64_t b)
{
	say(what);
	say(" ");
	say_number(a);
	say(" ");
	say_number(b);
	say("\n");
}

_Noreturn void leave(int status, const char *what, uint64_t a, uint64_t b)
{
	say_line(what, a, b);
	for (;;)
		call6(__NR_exit_group, status, 0, 0, 0, 0, 0);
}

/* --- Hypercalls ------------------------------------------------------------------------- */

static int prot_of(uint64_t rights)
{
	return (rights & CARREL_R ? PROT_READ : 0) | (rights & CARREL_W ? PROT_WRITE : 0) |
	       (rights & CARREL_X ? PROT_EXEC : 0);
}

static bool range_ok(uint64_t start, uint64_t pages)
{
	uint64_t end = start + pages * PAGE;

	return !(start % PAGE) && pages && pages < 1UL << 35 && start >= PAGE &&
	       end <= 1UL << 47 && (end <= CARREL_BASE || start >= CARREL_SHIM_VA);
}

static int64_t map_memory(uint64_t start, uint64_t pages, uint64_t rights)
{
	long result;

	int sharing = rights & CARREL_MAP_SHARED ? MAP_SHARED : MAP_PRIVATE;

	if (!range_ok(start, pages) || !(rights & CARREL_R) ||
	    rights & ~(uint64_t)(CARREL_RIGHTS | CARREL_MAP_DEMAND | CARREL_MAP_SHARED))
		return CARREL_EARG;
	if (view_options.starve_every > 0 && ++map_calls % view_options.starve_every == 0)
		return CARREL_ENOMEM;
	result = call6(__NR_mmap, start, pages * PAGE, prot_of(rights),
		       sharing | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_NORESERVE, -1, 0);
	if (result == -ENOMEM || result == -EEXIST)
		return CARREL_ELIMIT;
	return result == (long)start ? 0 : CARREL_EARG;
}

static int64_t change(uint64_t call, uint64_t start, uint64_t pages, uint64_t rights)
{
	long result;

	if (call == CARREL_HC_MAP)
		return map_memory(start, pages, rights);
	if (!range_ok(start, pages))
		return CARREL_EARG;
	if (call == CARREL_HC_UNMAP)
		return call6(__NR_munmap, start, pages * PAGE, 0, 0, 0, 0) ? CARREL_EARG : 0;
	if (rights & ~(uint64_t)CARREL_RIGHTS || (rights && !(rights & CARREL_R)))
		return CARREL_EARG;
	result = call6(__NR_mprotect, start, pages * PAGE, prot_of(rights), 0, 0, 0);
	return result ? CARREL_EARG : 0;
}

/* MAP, UNMAP, PROTECT; at times busy, done by half, or done with a flush owed. */
static int64_t memory(struct hypercall *c)
{
	static const int64_t answers[] = { CARREL_EBUSY, CARREL_MORE, CARREL_PENDING };
	uint64_t n = ++memory_calls, pages = c->rsi;
	int64_t answer = 0, result;

	if (view_options.fault_every > 0 && n % view_options.fault_every == 0)
		answer = answers[n / view_options.fault_every % 3];
	if (answer == CARREL_EBUSY)
		return answer;
	if (answer == CARREL_MORE)
		pages /= 2;
	result = pages ? change(c->rax, c->rdi, pages, c->rdx) : 0;
	if (result)
		return result;
	c->rdi = pages;
	return answer;
}

/* New, or anew if it is out. */
static int64_t make_thread(uint64_t index)
{
	struct view_thread *t = &view_threads[index];
	struct carrel_thread_page *its = (struct carrel_thread_page *)CARREL_THREAD_PAGE(index);

	if (index >= CARREL_SLOTS_MAX)
		return CARREL_EARG;
	if (t->inside)
		return CARREL_EBUSY;
	if (!t->mapped && view_options.starve_every > 0 &&
	    ++map_calls % view_options.starve_every == 0)
		return CARREL_ENOMEM;
	if (!t->mapped && call6(__NR_mmap, (long)its, CARREL_THREAD_STRIDE, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != (long)its)
		return CARREL_ELIMIT;
	t->mapped = t->fresh = true;
	its->in_shim = its->upcall_pending = 0;
	its->fixup = 0;
	return 0;
}

static int64_t random_numbers(struct hypercall *c)
{
	uint64_t r[4];

	if (call6(__NR_getrandom, (long)r, sizeof(r), 0, 0, 0, 0) != sizeof(r))
		return CARREL_ERANDOM;
	c->rdi = r[0];
	c->rsi = r[1];
	c->rdx = r[2];
	c->r10 = r[3];
	return 0;
}

static void sigsys(int signal, siginfo_t *info, struct ucontext *context);
static void fault(int signal, siginfo_t *info, struct ucontext *context);
static void outside(int signal, siginfo_t *info, struct ucontext *context);

static void install(int signal, void *handler)
{
	struct kernel_action action = {
		(uint64_t)handler, SA_SIGINFO | SA_ONSTACK | SA_RESTORER,
		CARREL_GATE_VA + CARREL_GATE_RESTORER, ~(OURS & ~(1UL << (signal - 1))),
	};

	call6(__NR_rt_sigaction, signal, (long)&action, 0, 8, 0, 0);
}

/*
 * Dispositions and masks are the shim's and the view's: SIGSYS and faults must
 * stay deliverable, and handlers must come here first. The host may rewrite the
 * channel, and does.
 */
static void adjust(struct hypercall *c)
{
	struct kernel_action *action = (void *)c->rsi;
	uint64_t *mask = (void *)c->rsi;

	if (c->rbx == __NR_execve)
		family_exec((const uint64_t *)c->rdx);
	if (c->rbx == __NR_clone)
		c->rdi = family_clone(c->rdi, c->r8 | c->r9);
	if (c->rbx == __NR_rt_sigprocmask && mask && c->rdi != SIG_UNBLOCK)
		*mask &= ~OURS;
	if (c->rbx != __NR_rt_sigaction || !action || c->rdi > 64)
		return;
	if (c->rdi == SIGSYS || (action->handler > 1 && FAULTS & 1UL << (c->rdi - 1))) {
		if (c->rdi < 32)
			handles_fault[c->rdi] = action->handler > 1;
		c->rsi = 0;
		return;
	}
	if (action->handler <= 1)
		return;
	if (action->handler != CARREL_GATE_VA + CARREL_GATE_SIGNAL || action->mask != ~0UL ||
	    action->restorer != CARREL_GATE_VA + CARREL_GATE_RESTORER ||
	    action->flags & SA_RESTART)
		leave(VIEW_STATUS_WRONG, "a handler that is not the stub's", c->rdi, action->handler);
	armed |= c->rdi == STEP_SIGNAL;
	action->handler = (uint64_t)outside;
	action->flags |= SA_ONSTACK;
	action->mask = ~OURS;
}

static bool in_channel(uint64_t value)
{
	return value >= CARREL_CHANNEL_VA && value < CARREL_SHIM_VA;
}

/* No number that leaves may look like an address of private memory. */
static void check_disclosed(const struct hypercall *c)
{
	const uint64_t arg[] = { c->rdi, c->rsi, c->rdx, c->r10, c->r8, c->r9 };

	for (int i = 0; i < 6; i++)
		if (arg[i] >= CARREL_SHIM_VA && arg[i] < 1UL << 47 && !in_channel(arg[i]))
			leave(VIEW_STATUS_WRONG, "an address leaves with call", c->rbx, i);
}

static int64_t seal_key(uint64_t kind, uint64_t words[4])
{
	if (kind >= CARREL_SEAL_KINDS)
		return CARREL_EARG;
	if (view_options.keys != VIEW_KEYS)
		return view_options.keys ? CARREL_ESTATE : CARREL_EFLAG;
	for (unsigned int i = 0; i < 32; i++)
		((uint8_t *)words)[i] = i + 0x80 * kind;
	return 0;
}

static int64_t identity(uint64_t words[4])
{
	for (unsigned int i = 0; i < 32; i++)
		((uint8_t *)words)[i] = i + 0xa0;
	return 0;
}

static void words_hypercall(struct hypercall *c)
{
	uint64_t words[4] = { c->rdi, c->rsi, c->rdx, c->r10 };

	if (c->rax == CARREL_HC_SEAL_KEY)
		c->rax = seal_key(c->rdi, words);
	else if (c->rax == CARREL_HC_IDENTITY)
		c->rax = identity(words);
	else
		c->rax = family_hypercall(c->rax, words);
	c->rdi = words[0];
	c->rsi = words[1];
	c->rdx = words[2];
	c->r10 = words[3];
}

/* True if this is an OCALL, which the stub makes. */
bool view_hypercall(struct hypercall *c)
{
	if (page()->in_shim != 1)
		leave(VIEW_STATUS_WRONG, "hypercall outside the shim", c->rax, page()->in_shim);
	switch (c->rax) {
	case CARREL_HC_OCALL:
		own()->call_number = c->rbx;
		own()->inside = false;
		if (view_options.trace)
			say_line("ocall", c->rbx, c->rdi);
		if (c->rbx == __NR_exit_group && armed && injected)
			say_line("injected", injected, 0);
		check_disclosed(c);
		/* a lie about a call that would not come back: it is not made */
		if ((long)c->rbx == view_options.lie_call && c->rbx == __NR_exit_group)
			c->rbx = __NR_getpid;
		adjust(c);
		return true;
	case CARREL_HC_MAP:
	case CARREL_HC_UNMAP:
	case CARREL_HC_PROTECT:
		if (view_options.trace)
			say_line(c->rax == CARREL_HC_MAP ? "map" : c->rax == CARREL_HC_UNMAP ? "unmap"
				 : "protect", c->rsi, c->rdx);
		c->rax = memory(c);
		return false;
	case CARREL_HC_THREAD:
		c->rax = make_thread(c->rdi);
		return false;
	case CARREL_HC_RANDOM:
		c->rax = random_numbers(c);
		return false;
	case CARREL_HC_NOTE:
		if (view_options.notes)
			say_line("note", c->rdi, c->rsi);
		c->rax = 0;
		return false;
	case CARREL_HC_SEAL_KEY:
	case CARREL_HC_IDENTITY:
	case CARREL_HC_PASS:
	case CARREL_HC_CLAIM:
	case CARREL_HC_FORK:
		words_hypercall(c);
		return false;
	case CARREL_HC_DIE:
		leave(VIEW_STATUS_DIED, "die", c->rdi, 0);
	default:
		leave(VIEW_STATUS_WRONG, "no such hypercall", c->rax, 0);
	}
}

static void check_caller(const struct resume *r, bool enter)
{
	const uint64_t ticket[2] = { r->ticket0, r->ticket1 };

	if (!family_owns(r->process, ticket, enter) || r->thread != own_index())
		leave(VIEW_STATUS_WRONG, "the stub names another thread", r->process, r->thread);
}

void view_resume(const struct resume *r, struct hypercall *c)
{
	uint64_t value = r->value;

	check_caller(r, false);
	own()->inside = true;
	/* Requests to the module, which is not there. */
	if (own()->call_number == __NR_msync && c->rdi > CARREL_BASE && c->rdi < CARREL_BASE + 16 * PAGE)
		value = 0;
	if (view_options.lie_call == (long)own()->call_number && !(r->flags & CARREL_RESUME_NOTSTARTED))
		value = view_options.lie_value;
	c->rax = value;
	c->rbx = r->flags;
}

void view_start(const struct resume *r)
{
	struct view_thread *t = own();
	stack_t stack = { .ss_sp = t->alternate, .ss_size = sizeof(t->alternate) };

	check_caller(r, true);
	if (!t->fresh)
		leave(VIEW_STATUS_WRONG, "a thread is entered twice", r->thread, 0);
	t->fresh = false;
	t->inside = true;
	page()->in_shim = 1;
	/* Neither is inherited. */
	call6(__NR_sigaltstack, (long)&stack, 0, 0, 0, 0, 0);
	if (call6(__NR_prctl, PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, CARREL_GATE_VA, PAGE,
		  (long)&t->selector, 0))
		leave(VIEW_STATUS_WRONG, "this kernel has no system-call user dispatch", 0, 0);
	t->selector = SYSCALL_DISPATCH_FILTER_BLOCK;
}

/* --- Exits ------------------------------------------------------------------------------ */

static void upcall(struct ucontext *context, uint64_t vector, uint64_t error, uint64_t address)
{
	struct sigcontext *s = &context->uc_mcontext;

	page()->upcall = (struct carrel_upcall){
		.vector = vector, .error = error, .address = address,
		.rax = s->rax, .rbx = s->rbx, .rcx = s->rcx, .rdx = s->rdx, .rsi = s->rsi,
		.rdi = s->rdi, .rbp = s->rbp, .rsp = s->rsp, .r8 = s->r8, .r9 = s->r9,
		.r10 = s->r10, .r11 = s->r11, .r12 = s->r12, .r13 = s->r13, .r14 = s->r14,
		.r15 = s->r15, .rip = s->rip, .rflags = s->eflags & ~TF,
	};
	page()->in_shim = 1;
	s->rax = s->rbx = s->rcx = s->rdx = s->rsi = s->rbp = 0;
	s->r8 = s->r9 = s->r10 = s->r11 = s->r12 = s->r13 = s->r14 = s->r15 = 0;
	s->rdi = vector;
	s->rsp = (uint64_t)page() + CARREL_THREAD_STRIDE;
	s->rip = CARREL_SHIM_UPCALL;
	s->eflags = 0x202;
}

/* The bounce page. */
static void sigsys(int signal, siginfo_t *info, struct ucontext *context)
{
	struct sigcontext *s = &context->uc_mcontext;

	(void)signal;
	if (page()->in_shim)
		leave(VIEW_STATUS_WRONG, "SYSCALL in the shim", info->si_syscall, s->rip);
	page()->rcx = s->rip;
	page()->r11 = s->eflags & ~TF;
	s->rax = info->si_syscall;
	s->rcx = s->rip = CARREL_SHIM_SYSCALL;
	s->r11 = s->eflags = 0x202;
	if (!armed || info->si_syscall != view_options.step_call)
		return;
	step_at = ++step_calls * view_options.stride;
	steps = 0;
	stepping = true;
	s->eflags |= TF;
}

static bool within(uint64_t value, uint64_t start, uint64_t end)
{
	return value >= start && value < end;
}

/* What RESUME with a signal does to a thread that was preempted here. */
static void divert(struct ucontext *context)
{
	if (page()->in_shim)
		page()->upcall_pending = 1;
	else
		upcall(context, CARREL_UPCALL_SIGNAL, 0, 0);
}

/* A signal of the host's own: the stub's handler notes it, as the thread would be at the stub. */
static void note_signal(int signal, siginfo_t *info, struct ucontext *context)
{
	view_note_signal(signal, info, context, (uint64_t)slot() + CARREL_SLOT_STRIDE - 4096);
	*(uint64_t *)&context->uc_sigmask &= ~OURS;
	if (slot()->pending != (uint32_t)signal)
		leave(VIEW_STATUS_WRONG, "the stub did not note signal", signal, slot()->pending);
}

static void outside(int signal, siginfo_t *info, struct ucontext *context)
{
	uint64_t rip = context->uc_mcontext.rip;

	note_signal(signal, info, context);
	if (!within(rip, CARREL_GATE_VA, CARREL_GATE_VA + PAGE))
		divert(context);
}

/* One instruction of the shim was made. In the last step asked for, a signal comes. */
static void step(struct ucontext *context)
{
	uint64_t rip = context->uc_mcontext.rip;
	siginfo_t info = { .si_signo = STEP_SIGNAL };

	if (within(rip, CARREL_GATE_VA, CARREL_GATE_VA + PAGE) ||
	    !within(rip, CARREL_SHIM_VA, CARREL_SHIM_END))
		return;
	if (++steps < step_at)
		return;
	stepping = false;
	injected++;
	context->uc_mcontext.eflags &= ~TF;
	note_signal(STEP_SIGNAL, &info, context);
	divert(context);
}

static void fault(int signal, siginfo_t *info, struct ucontext *context)
{
	struct sigcontext *s = &context->uc_mcontext;

	if (signal == SIGTRAP && stepping && s->trapno == 1) {
		if (!within(s->rip, CARREL_SHIM_VA, CARREL_SHIM_END) &&
		    !within(s->rip, CARREL_GATE_VA, CARREL_GATE_VA + PAGE) && !page()->in_shim) {
			stepping = false;	/* back in the program: the call had fewer steps */
			view_options.step_call = -1;
			s->eflags &= ~TF;
			return;
		}
		step(context);
		return;
	}
	if (info->si_code <= 0) {
		if (handles_fault[signal])
			outside(signal, info, context);
		return;
	}
	if (page()->in_shim && s->trapno == 14 && page()->fixup) {
		s->rip = page()->fixup;
		page()->fixup = 0;
		return;
	}
	if (page()->in_shim)
		leave(VIEW_STATUS_FAULT, "fault in the shim", s->rip - CARREL_SHIM_VA, s->cr2);
	upcall(context, s->trapno, s->err, s->trapno == 14 ? s->cr2 : 0);
}

void view_enter(void)
{
	view_threads[0].mapped = view_threads[0].fresh = true;
	install(SIGSYS, sigsys);
	install(SIGSEGV, fault);
	install(SIGBUS, fault);
	install(SIGILL, fault);
	install(SIGFPE, fault);
	install(SIGTRAP, fault);
	view_jump_stub();
}
