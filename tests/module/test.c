/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs as root in the guest, with the module of ./run loaded. Prints TAP. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "test.h"

char why[256];

void wrong(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	if (!*why)
		vsnprintf(why, sizeof(why), format, arguments);
	va_end(arguments);
}

long parameter(const char *name)
{
	char path[128], text[32] = "";
	int file;

	snprintf(path, sizeof(path), "/sys/module/carrel/parameters/%s", name);
	file = open(path, O_RDONLY);
	if (file < 0 || read(file, text, sizeof(text) - 1) < 0) {
		perror(path);
		exit(1);
	}
	close(file);
	return atol(text);
}

void set_parameter(const char *name, long value)
{
	char path[128], text[32];
	int file, length;

	snprintf(path, sizeof(path), "/sys/module/carrel/parameters/%s", name);
	length = snprintf(text, sizeof(text), "%ld", value);
	file = open(path, O_WRONLY);
	if (file < 0 || write(file, text, length) != length) {
		perror(path);
		exit(1);
	}
	close(file);
}

void write_file(const char *path, const char *text)
{
	int file = open(path, O_WRONLY);

	EXPECT(file >= 0 && write(file, text, strlen(text)) == (ssize_t)strlen(text));
	close(file);
}

void inject(long number, long skip, long times, long code)
{
	set_parameter("fail_number", 0);
	set_parameter("fail_skip", skip);
	set_parameter("fail_code", code);
	set_parameter("fail_times", times);
	set_parameter("fail_number", number);
}

bool held_becomes(long held)
{
	int i;

	for (i = 0; i < 500 && parameter("held") != held; i++)
		usleep(10000);
	return parameter("held") == held;
}

int open_device(void)
{
	return open(CARREL_DEVICE, O_RDWR | O_CLOEXEC);
}

void *map_at(int device, unsigned long size)
{
	return mmap((void *)CARREL_BASE, size, PROT_READ | PROT_WRITE | PROT_EXEC,
		    MAP_SHARED | MAP_FIXED_NOREPLACE, device, 0);
}

uint32_t create_flags;
uint64_t created;

int create(int device, unsigned int limit)
{
	struct carrel_ioc_create request = {
		.abi = CARREL_ABI_VERSION, .limit = limit, .slots = SLOTS, .blocks = BLOCKS,
		.flags = create_flags,
	};

	if (ioctl(device, CARREL_IOC_CREATE, &request))
		return -1;
	created = request.process;
	return 0;
}

int add(int device, const void *source, unsigned int pages)
{
	struct carrel_ioc_add request = {
		.source = (uintptr_t)source, .address = CARREL_SHIM_VA, .pages = pages,
		.type = CARREL_R,
	};

	return ioctl(device, CARREL_IOC_ADD, &request);
}

int start(int device)
{
	struct carrel_ioc_init request;

	return ioctl(device, CARREL_IOC_INIT, &request);
}

int ask_for(unsigned long request, unsigned long argument)
{
	return msync((char *)CARREL_BASE + request * PAGE, (argument + 1) * PAGE, MS_SYNC);
}

int ask(unsigned long request)
{
	return ask_for(request, 0);
}

int lend_all(void)
{
	unsigned long i;

	for (i = 0; i < BLOCKS; i++)
		if (ask_for(CARREL_REQ_LEND, i))
			return -1;
	return 0;
}

long adopt(uint64_t handle, uint64_t low, uint64_t high)
{
	register uint64_t r10 asm("r10") = handle, r8 asm("r8") = low, r9 asm("r9") = high;
	long result = SYS_msync;

	asm volatile("syscall" : "+a" (result) :
		     "D" (CARREL_BASE + CARREL_REQ_ADOPT * PAGE), "S" (PAGE), "d" (MS_SYNC),
		     "r" (r10), "r" (r8), "r" (r9) : "rcx", "r11", "memory");
	return result;
}

int whole_life(int device)
{
	static char image[40 * PAGE + 1];

	if (map_at(device, CARREL_MMAP_SIZE(BLOCKS)) == MAP_FAILED || create(device, LIMIT) ||
	    add(device, image + 1, 40) || start(device) || ask(CARREL_REQ_MEMORY) || lend_all())
		return -1;
	return 0;
}

int in_child(int (*body)(void *), void *argument)
{
	int status;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0)
		_exit(body(argument));
	waitpid(child, &status, 0);
	return status;
}

int life_in_child(void *unused)
{
	(void)unused;
	return whole_life(open_device()) ? 1 : 0;
}

static sigjmp_buf jump;

static void on_fault(int number)
{
	siglongjmp(jump, number);
}

int touch(volatile unsigned char *address, enum access access)
{
	int number;

	signal(SIGBUS, on_fault);
	signal(SIGSEGV, on_fault);
	number = sigsetjmp(jump, 1);
	if (!number && access == WRITE)
		*address = 0x5a;
	else if (!number)
		(void)*address;
	signal(SIGBUS, SIG_DFL);
	signal(SIGSEGV, SIG_DFL);
	return number;
}

static int run_test(void *body)
{
	(*(void (**)(void))body)();
	if (*why)
		printf("# %s\n", why);
	fflush(stdout);
	return !!*why;
}

/* 0 if all is well after it. */
static int run_one(const struct test *test, unsigned int number, bool leaks)
{
	void (*body)(void) = test->body;
	int status = in_child(run_test, &body);

	if (status == 0 && !leaks && (parameter("held") || parameter("leaked_pages"))) {
		printf("# %ld chunks and blocks held, %ld pages leaked after it\n",
		       parameter("held"), parameter("leaked_pages"));
		status = 1;
	}
	if (parameter("violations")) {
		printf("# %ld violations; see the kernel's log\n", parameter("violations"));
		status = 1;
	}
	printf("%s %u - %s\n", status ? "not ok" : "ok", number, test->name);
	return status;
}

static const struct test *const lists[] = {
	call_tests, memory_tests, fork_tests, end_tests, device_tests, leak_tests,
};

int main(void)
{
	unsigned int number = 0, failed = 0;

	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++)
		for (const struct test *test = lists[i]; test->name; test++)
			failed += !!run_one(test, ++number, lists[i] == leak_tests);
	printf("1..%u\n", number);
	return failed ? 1 : 0;
}
