/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stub by itself: each entry point of the real page is run with a hypervisor
 * that records registers and answers. Usage: gate FILE... (gate-vmcall.bin and
 * gate-vmmcall.bin). Whole programs with signals run through it in native-run.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>
#include <carrel/channel.h>
#include <carrel/hypercall.h>

#define PAGE		4096
#define MAX_CALLS	8

struct registers {
	uint64_t rax, rbx, rcx, rdx, rsi, rdi, r8, r9, r10, r11, rsp;
};

/* What arrives at the hypercalls, and what each answers; after the last the run ends. */
static struct registers seen[MAX_CALLS];
static int64_t answers[MAX_CALLS];
static int calls, answer_count;
uint64_t back_rsp, return_to;		/* the assembly below uses them */
static uint8_t *page;
static const char *running;
static int passed, failed;

static struct carrel_slot *slot(void)
{
	return (struct carrel_slot *)CARREL_CHANNEL_VA;
}

/* The stub's hypercalls jump here. Leaves to run_stub or goes back behind the call. */
extern const char hypervisor[];
int record(struct registers *r);
asm(".globl hypervisor\n"
    "hypervisor:\n"
    "	movq	%rsp, stub_rsp(%rip)\n"
    "	leaq	hypervisor_stack+16384(%rip), %rsp\n"
    "	pushq	stub_rsp(%rip)\n	pushq %r11\n	pushq %r10\n	pushq %r9\n	pushq %r8\n"
    "	pushq	%rdi\n	pushq %rsi\n	pushq %rdx\n	pushq %rcx\n	pushq %rbx\n	pushq %rax\n"
    "	movq	%rsp, %rdi\n"
    "	subq	$8, %rsp\n	call record\n	addq $8, %rsp\n"
    "	testl	%eax, %eax\n	jz 1f\n"
    "	popq	%rax\n	popq %rbx\n	popq %rcx\n	popq %rdx\n"
    "	popq	%rsi\n	popq %rdi\n"
    "	popq	%r8\n	popq %r9\n	popq %r10\n	popq %r11\n	popq %rsp\n"
    "	jmp	*return_to(%rip)\n"
    "1:	movq	back_rsp(%rip), %rsp\n"
    "	popq	%r15\n	popq %r14\n	popq %r13\n	popq %r12\n	popq %rbp\n	popq %rbx\n	ret\n"
    ".local stub_rsp, hypervisor_stack\n"
    ".comm stub_rsp,8,8\n.comm hypervisor_stack,16384,16\n");

/* (entry, registers): jump into the stub as the hypervisor would; a hypercall ends it. */
void run_stub(const void *entry, const struct registers *r);
asm(".globl run_stub\n"
    "run_stub:\n"
    "	pushq	%rbx\n	pushq %rbp\n	pushq %r12\n	pushq %r13\n	pushq %r14\n	pushq %r15\n"
    "	movq	%rsp, back_rsp(%rip)\n"
    "	leaq	hypervisor(%rip), %rbp\n"
    "	movq	%rdi, %r11\n	movq %rsi, %rcx\n"
    "	movq	0(%rcx), %rax\n	movq 8(%rcx), %rbx\n	movq 24(%rcx), %rdx\n"
    "	movq	32(%rcx), %rsi\n	movq 40(%rcx), %rdi\n	movq 48(%rcx), %r8\n"
    "	movq	56(%rcx), %r9\n	movq 64(%rcx), %r10\n	movq 80(%rcx), %rsp\n"
    "	jmp	*%r11\n");

int record(struct registers *r)
{
	if (calls < MAX_CALLS)
		seen[calls] = *r;
	if (calls++ >= answer_count)
		return 0;
	r->rax = answers[calls - 1];
	return 1;
}

static void check(bool good, const char *what)
{
	if (good)
		return;
	printf("FAIL shim: %s: %s\n", running, what);
	_exit(1);
}
#define CHECK(condition) check((condition), #condition)

/* Run an entry with this call in the registers. */
static void stub(unsigned int entry, const struct registers *call)
{
	struct registers r = call ? *call : (struct registers){ 0 };

	r.rsp = CARREL_CHANNEL_VA + CARREL_SLOT_STRIDE - 128;
	calls = 0;
	run_stub(page + entry, &r);
}

static void names_thread(const struct registers *r, uint64_t number)
{
	CHECK(r->rax == number);
	CHECK(r->rdi == 77 && r->rsi == 0x1111 && r->rdx == 0x2222 && r->r10 == 5);
}

static void enters(void)
{
	stub(CARREL_GATE_ENTER, NULL);
	CHECK(calls == 1);
	names_thread(&seen[0], CARREL_HC_ENTER);
}

static void makes_calls(void)
{
	char text[] = "abc";
	struct registers write_call = { .rax = SYS_write, .rdi = -1, .rsi = (uint64_t)text,
					.rdx = 3 };
	struct registers pid = { .rax = SYS_getpid };

	stub(CARREL_GATE_OCALL, &pid);
	names_thread(&seen[0], CARREL_HC_RESUME);
	CHECK(seen[0].r8 == (uint64_t)getpid() && seen[0].r9 == 0);
	stub(CARREL_GATE_OCALL, &write_call);
	CHECK((int64_t)seen[0].r8 == -EBADF && seen[0].r9 == 0);
}

static void all_arguments(void)
{
	struct registers r = { .rax = SYS_mmap, .rdi = 0x123000, .rsi = PAGE, .rdx = PROT_READ,
			       .r10 = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, .r8 = -1 };

	r.rdi = 0x500000000000;
	stub(CARREL_GATE_OCALL, &r);
	CHECK(seen[0].r8 == r.rdi);
	munmap((void *)r.rdi, PAGE);
	r.r9 = 1;			/* an offset that is no page's */
	stub(CARREL_GATE_OCALL, &r);
	CHECK((int64_t)seen[0].r8 == -EINVAL);
}

static void pending_before(void)
{
	struct registers r = { .rax = SYS_exit_group, .rdi = 99 };

	slot()->pending = 10;
	stub(CARREL_GATE_OCALL, &r);
	CHECK(seen[0].r8 == 0);
	CHECK(seen[0].r9 == (CARREL_RESUME_NOTSTARTED | CARREL_RESUME_SIGNAL));
	stub(CARREL_GATE_RESUME, NULL);
	names_thread(&seen[0], CARREL_HC_RESUME);
	CHECK(seen[0].r8 == 0 && seen[0].r9 == CARREL_RESUME_SIGNAL);
}

static void preempted(void)
{
	stub(CARREL_GATE_RESUME, NULL);
	names_thread(&seen[0], CARREL_HC_RESUME);
	CHECK(seen[0].r8 == 0 && seen[0].r9 == 0);
}

/* BUSY is tried again with the same value; return_to is behind the RESUME. */
static void busy(void)
{
	struct registers r = { .rax = SYS_getppid };

	answers[0] = answers[1] = CARREL_EBUSY;
	answer_count = 2;
	stub(CARREL_GATE_OCALL, &r);
	CHECK(calls == 3 && seen[2].r8 == (uint64_t)getppid() && seen[2].r9 == 0);
	names_thread(&seen[2], CARREL_HC_RESUME);
}

static void asks_for_memory(void)
{
	stub(CARREL_GATE_MEMORY, NULL);
	names_thread(&seen[0], CARREL_HC_RESUME);
	CHECK(seen[0].r8 == 0 && seen[0].r9 == 0);
}

static void asks_for_flush(void)
{
	munmap((void *)(CARREL_BASE + CARREL_REQ_MEMORY * PAGE), PAGE);
	stub(CARREL_GATE_FLUSH, NULL);
	names_thread(&seen[0], CARREL_HC_RESUME);
	CHECK(seen[0].r8 == 0 && seen[0].r9 == 0);
	stub(CARREL_GATE_KICK, NULL);
	names_thread(&seen[0], CARREL_HC_RESUME);
	CHECK(seen[0].r8 == 0 && seen[0].r9 == 0);
	stub(CARREL_GATE_WAIT, NULL);
	names_thread(&seen[0], CARREL_HC_RESUME);
	CHECK(seen[0].r8 == 0 && seen[0].r9 == 0);
}

/* The slot of another thread. */
#define OTHER	3
static struct carrel_slot *other(void)
{
	return (struct carrel_slot *)(CARREL_CHANNEL_VA + OTHER * CARREL_SLOT_STRIDE);
}

/*
 * A call of clone as the shim makes it, with the stack of OTHER's slot. What the child enters
 * is seen here by way of memory that both have; the parent goes on as after any call.
 */
static void clones(uint64_t handle, uint64_t low, uint64_t high, struct registers *child)
{
	struct registers r = { .rax = SYS_clone, .rdi = SIGCHLD, .r10 = handle, .r8 = low,
			       .r9 = high, .rsi = CARREL_CHILD_RSP((uint64_t)other()) };
	struct registers *shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
					MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t self = getpid();
	int status;

	stub(CARREL_GATE_OCALL, &r);
	if (getpid() != self) {
		*shared = seen[0];
		_exit(calls != 1 || ((low | high) && other()->pending));
	}
	names_thread(&seen[0], CARREL_HC_RESUME);
	CHECK((int64_t)seen[0].r8 > 0 && seen[0].r9 == 0);
	CHECK(waitpid(seen[0].r8, &status, 0) == (pid_t)seen[0].r8);
	*child = *shared;
	CHECK(!WIFEXITED(status) || WEXITSTATUS(status) == 0);
	if (WIFSIGNALED(status))
		kill(getpid(), WTERMSIG(status));
}

/* A thread, or a child of vfork: the slot's header is the shim's work. */
static void new_thread(void)
{
	struct registers child;

	*other() = (struct carrel_slot){ .thread = OTHER, .process = 78, .ticket = { 3, 4 } };
	clones(0, 0, 0, &child);
	CHECK(child.rax == CARREL_HC_ENTER && child.rdi == 78 && child.rsi == 3 && child.rdx == 4);
	CHECK(child.r10 == OTHER && child.rsp == CARREL_STUB_RSP((uint64_t)other()));
}

/* It names itself as the registers say; the slot's pages are new. */
static void new_process(void)
{
	struct registers child;

	other()->pending = 1;
	clones(99, 0x3333, 0, &child);
	CHECK(child.rax == CARREL_HC_ENTER && child.rdi == 99 && child.rsi == 0x3333);
	CHECK(child.rdx == 0 && child.r10 == OTHER);
	CHECK(child.rsp == CARREL_STUB_RSP((uint64_t)other()));
	clones(99, 0, 0x4444, &child);
	CHECK(child.rdi == 99 && child.rsi == 0 && child.rdx == 0x4444 && child.r10 == OTHER);
	CHECK(!other()->process && other()->pending);
}

static void not_adopted(void)
{
	struct registers child;

	munmap((void *)(CARREL_BASE + CARREL_REQ_ADOPT * PAGE), PAGE);
	clones(99, 0x3333, 0x4444, &child);
}

static void dead(void)
{
	stub(CARREL_GATE_DEAD, NULL);
}

static void refused(void)
{
	answers[0] = CARREL_EDEAD;
	answer_count = 1;
	stub(CARREL_GATE_RESUME, NULL);
}

static void no_memory(void)
{
	munmap((void *)(CARREL_BASE + CARREL_REQ_MEMORY * PAGE), PAGE);
	stub(CARREL_GATE_MEMORY, NULL);
}

/* A signal whose context says that the stub was at `offset`: where does it go on? */
static void noted_at(unsigned int offset, uint64_t r9, uint64_t *rip_after, uint64_t *r9_after)
{
	static ucontext_t context;
	static siginfo_t info;
	void *handler = page + CARREL_GATE_SIGNAL, *from = &info, *to = (void *)12;

	memset(slot()->siginfo, 0, sizeof(slot()->siginfo));
	slot()->pending = 0;
	info.si_signo = 12;
	info.si_code = 34;
	context.uc_mcontext.gregs[REG_RIP] = (uint64_t)page + offset;
	context.uc_mcontext.gregs[REG_R9] = r9;
	sigemptyset(&context.uc_sigmask);
	asm volatile("movq %%rsp, %%r12\n\tmovq %3, %%rsp\n\tcall *%%rax\n\tmovq %%r12, %%rsp"
		     : "+a"(handler), "+D"(to), "+S"(from)
		     : "r"(CARREL_CHANNEL_VA + CARREL_SLOT_STRIDE - 4096), "d"(&context)
		     : "rcx", "r8", "r9", "r10", "r11", "r12", "memory", "cc");
	CHECK(slot()->pending == 12 && !memcmp(slot()->siginfo, &info, sizeof(info)));
	CHECK(*(uint64_t *)&context.uc_sigmask == ~0UL);
	*rip_after = context.uc_mcontext.gregs[REG_RIP] - (uint64_t)page;
	*r9_after = context.uc_mcontext.gregs[REG_R9];
}

/* The offset of the first `bytes` from `from` on. */
static unsigned int find(const char *bytes, size_t size, unsigned int from)
{
	while (from + size <= PAGE && memcmp(page + from, bytes, size))
		from++;
	CHECK(from + size <= PAGE);
	return from;
}

static void windows(void)
{
	unsigned int test = find("\x83\x3b\x00", 3, CARREL_GATE_OCALL);	/* cmpl $0, (%rbx) */
	unsigned int call = find("\x0f\x05", 2, CARREL_GATE_OCALL);
	unsigned int flags = find("\x83\x3b\x00", 3, call);
	unsigned int resume = find("\xff\xe5\x90", 3, CARREL_GATE_OCALL);
	uint64_t rip, r9, elsewhere = 0;

	CHECK(test < call && call < flags && flags < resume && resume < CARREL_GATE_RESUME);
	for (unsigned int at = CARREL_GATE_OCALL; at < CARREL_GATE_MEMORY; at++) {
		noted_at(at, 0, &rip, &r9);
		if (at >= test && at <= call) {
			CHECK(rip != at && (!elsewhere || rip == elsewhere));
			elsewhere = rip;
		} else {
			CHECK(rip == at);
		}
		CHECK(r9 == (at >= flags && at <= resume ? CARREL_RESUME_SIGNAL : 0));
	}
	/* where it goes on, it says that the call was not made */
	slot()->pending = 0;
	return_to = 0;
	stub(elsewhere, &(struct registers){ .rbx = CARREL_CHANNEL_VA, .r8 = 1 });
	CHECK(seen[0].r8 == 0);
	CHECK(seen[0].r9 == (CARREL_RESUME_NOTSTARTED | CARREL_RESUME_SIGNAL));
}

static const struct test {
	const char *name;
	void (*run)(void);
	int ends_by;			/* the signal that must end it */
} tests[] = {
	{ "enter", enters, 0 },
	{ "system calls", makes_calls, 0 },
	{ "all six arguments", all_arguments, 0 },
	{ "a signal before the call", pending_before, 0 },
	{ "resume of a preempted thread", preempted, 0 },
	{ "busy is tried again", busy, 0 },
	{ "memory", asks_for_memory, 0 },
	{ "a flush", asks_for_flush, 0 },
	{ "a new thread", new_thread, 0 },
	{ "a new process", new_process, 0 },
	{ "a new process that is not adopted", not_adopted, SIGKILL },
	{ "dead", dead, SIGKILL },
	{ "refused means dead", refused, SIGKILL },
	{ "no memory means dead", no_memory, SIGKILL },
	{ "a signal at every byte of the stub", windows, 0 },
};

/* The page with its hypercalls made jumps, requests' pages, and four slots. */
static void set_up(const char *file)
{
	const char *insn = strstr(file, "vmmcall") ? "\x0f\x01\xd9" : "\x0f\x01\xc1";
	int fd = open(file, O_RDONLY), found = 0;

	page = mmap((void *)CARREL_GATE_VA, 16 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	CHECK(page == (void *)CARREL_GATE_VA);
	CHECK(fd >= 0 && read(fd, page, PAGE + 1) == PAGE);
	for (unsigned int i = CARREL_GATE_ENTER; i < PAGE - 3; i++)
		if (!memcmp(page + i, insn, 3)) {
			memcpy(page + i, "\xff\xe5\x90", 3);
			if (++found == 2)
				return_to = (uint64_t)page + i + 3;
		}
	CHECK(found == 2 && !memcmp(page, insn, 3) && page[3] == 0xc3);
	CHECK(mmap((void *)CARREL_CHANNEL_VA, 4 * CARREL_SLOT_STRIDE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != MAP_FAILED);
	*slot() = (struct carrel_slot){ .thread = 5, .process = 77, .ticket = { 0x1111, 0x2222 } };
}

static void run_test(const struct test *t, const char *file)
{
	int status;
	pid_t pid;

	running = t->name;
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		set_up(file);
		t->run();
		_exit(t->ends_by != 0);
	}
	waitpid(pid, &status, 0);
	if (t->ends_by ? WIFSIGNALED(status) && WTERMSIG(status) == t->ends_by : status == 0) {
		passed++;
		printf("ok   shim: stub: %s\n", t->name);
	} else {
		failed++;
		printf("FAIL shim: stub: %s: status %x\n", t->name, status);
	}
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		for (size_t k = 0; k < sizeof(tests) / sizeof(tests[0]); k++)
			run_test(&tests[k], argv[i]);
	printf("%d passed, %d failed, 0 skipped\n", passed, failed);
	return failed != 0;
}
