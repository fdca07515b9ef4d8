/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What hvreg run leaves to the stub and to the program: the channel's contents,
 * name, arguments, descriptors, signals. Runs as root in the guest after ./test,
 * with the gate of gate.S. Prints TAP.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <carrel/channel.h>
#include <carrel/hypercall.h>

/* What gate.S writes: the first block, then what the arena begins with. */
#define ARENA_BLOCKS	4UL
#define CHANNEL_SIZE	((1 + ARENA_BLOCKS) * CARREL_BLOCK_SIZE)

static const char *why;
#define EXPECT(condition) do {						\
	if (!(condition) && !why)					\
		why = #condition;					\
} while (0)

/* A run of hvreg: pipes at its descriptors 0, 1 and 2, and what it wrote there. */
struct run {
	pid_t pid;
	int in, out, error;
	unsigned char channel[CHANNEL_SIZE];
	size_t channel_size;
	char errors[8192];
};

static size_t read_all(int file, void *buffer, size_t size)
{
	size_t done = 0;
	ssize_t bytes;

	while (done < size && (bytes = read(file, (char *)buffer + done, size - done)) > 0)
		done += bytes;
	return done;
}

static _Noreturn void start_hvreg(int pipes[3][2], char **argv, char **envp, uid_t uid)
{
	int i;

	dup2(pipes[0][0], 0);
	dup2(pipes[1][1], 1);
	dup2(pipes[2][1], 2);
	for (i = 0; i < 3; i++) {
		close(pipes[i][0]);
		close(pipes[i][1]);
	}
	if (uid && (setgid(uid) || setuid(uid)))
		_exit(1);
	execve("/usr/bin/hvreg", argv, envp);
	_exit(1);
}

/* Starts it and reads until the channel is whole or hvreg has ended. */
static void run_hvreg(struct run *run, char **argv, char **envp, uid_t uid)
{
	int pipes[3][2], i;

	memset(run, 0, sizeof(*run));
	for (i = 0; i < 3; i++)
		EXPECT(!pipe(pipes[i]));
	fflush(stdout);
	run->pid = fork();
	if (!run->pid)
		start_hvreg(pipes, argv, envp, uid);
	close(pipes[0][0]);
	close(pipes[1][1]);
	close(pipes[2][1]);
	run->in = pipes[0][1];
	run->out = pipes[1][0];
	run->error = pipes[2][0];
	run->channel_size = read_all(run->out, run->channel, CHANNEL_SIZE);
}

/* Lets it end. Its wait status. */
static int finish(struct run *run)
{
	int status = -1;

	close(run->in);
	read_all(run->error, run->errors, sizeof(run->errors) - 1);
	waitpid(run->pid, &status, 0);
	close(run->out);
	close(run->error);
	return status;
}

static size_t read_proc(pid_t pid, const char *name, char *text, size_t size)
{
	char path[64];
	size_t bytes;
	int file;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	file = open(path, O_RDONLY);
	EXPECT(file >= 0);
	bytes = read_all(file, text, size - 1);
	text[bytes] = 0;
	close(file);
	return bytes;
}

/* Names of the open descriptors, in order. */
static void descriptors(pid_t pid, char *text)
{
	struct dirent *entry;
	char path[64];
	DIR *folder;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	folder = opendir(path);
	EXPECT(folder);
	for (*text = 0; folder && (entry = readdir(folder));)
		if (entry->d_name[0] != '.')
			strcat(strcat(text, entry->d_name), " ");
	closedir(folder);
}

static void check_slot(const struct run *run)
{
	const struct carrel_slot *slot = (const void *)run->channel;
	uint64_t rsp;

	EXPECT(slot->pending == 0 && slot->thread == 0 && slot->process > 0);
	EXPECT(slot->ticket[0] == 0x1111 && slot->ticket[1] == 0x2222);
	memcpy(&rsp, run->channel + 0x60, sizeof(rsp));
	EXPECT(rsp == CARREL_CHANNEL_VA + CARREL_SLOT_STRIDE - 128);
}

static void check_start(const struct run *run, char **argv, char **envp, uid_t uid)
{
	const unsigned char *arena = run->channel + CARREL_BLOCK_SIZE;
	const struct carrel_start *start = (const void *)arena;
	const char *string = (const char *)(start + 1);
	uint32_t i;

	EXPECT(!strcmp(string, "/bin/busybox"));
	string += strlen(string) + 1;

	EXPECT(start->magic == CARREL_START_MAGIC);
	EXPECT(start->arena_size == 192 * CARREL_BLOCK_SIZE);
	EXPECT(start->limit > 0 && start->flags == 0 && !start->ticket[0] && !start->ticket[1]);
	EXPECT(start->uid == uid && start->euid == uid && start->gid == uid && start->egid == uid);
	EXPECT(start->secure == 0);
	for (i = 0; i < start->argc; i++, string += strlen(string) + 1)
		EXPECT(argv[i] && !strcmp(argv[i], string));
	EXPECT(!argv[i]);
	for (i = 0; i < start->envc; i++, string += strlen(string) + 1)
		EXPECT(envp[i] && !strcmp(envp[i], string));
	EXPECT(!envp[i]);
	EXPECT((const unsigned char *)string == arena + start->size);
}

static void check_process(const struct run *run)
{
	static const char arguments[] = "busybox\0echo\0two words";
	char text[4096];
	size_t size;

	read_proc(run->pid, "comm", text, sizeof(text));
	EXPECT(!strcmp(text, "busybox\n"));
	size = read_proc(run->pid, "cmdline", text, sizeof(text));
	EXPECT(size >= sizeof(arguments) && !memcmp(text, arguments, sizeof(arguments)));
	while (size > sizeof(arguments) && !text[size - 1])
		size--;
	EXPECT(size == sizeof(arguments));
	descriptors(run->pid, text);
	EXPECT(!strcmp(text, "0 1 2 "));
	read_proc(run->pid, "status", text, sizeof(text));
	EXPECT(strstr(text, "SigIgn:\t0000000000000002\n"));	/* SIGINT */
	EXPECT(strstr(text, "SigBlk:\t0000000000000200\n"));	/* SIGUSR1 */
	EXPECT(strstr(text, "SigCgt:\t0000000000000000\n"));
}

static char *environment[] = { "PATH=/usr/bin:/bin", "EMPTY=", "LANG=C", NULL };

static void check_run(uid_t uid)
{
	static char *argv[] = { "hvreg", "run", "--", "busybox", "echo", "two words", NULL };
	static struct run run;
	sigset_t blocked;
	int status;

	signal(SIGINT, SIG_IGN);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	run_hvreg(&run, argv, environment, uid);
	EXPECT(run.channel_size == CHANNEL_SIZE);
	if (run.channel_size == CHANNEL_SIZE) {
		check_slot(&run);
		check_start(&run, argv + 3, environment, uid);
		check_process(&run);
	}
	status = finish(&run);
	EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 42);
	EXPECT(!*run.errors);
	if (*run.errors)
		printf("# %s", run.errors);
	signal(SIGINT, SIG_DFL);
	sigprocmask(SIG_UNBLOCK, &blocked, NULL);
}

static void test_run(void)
{
	check_run(0);
}

/* Without CAP_SYS_RESOURCE the arguments are moved instead. */
static void test_run_as_user(void)
{
	EXPECT(!chmod("/dev/carrel", 0666));
	check_run(1000);
	EXPECT(!chmod("/dev/carrel", 0660));
}

static void test_identity(void)
{
	static char *argv[] = { "hvreg", "run", "--json", "--memory=20", "busybox", NULL };
	static struct run run;
	char measured[65] = "", member[128];
	FILE *measure = popen("hvreg measure --memory 20 busybox", "r");
	int status;

	EXPECT(measure && fread(measured, 1, 64, measure) == 64);
	pclose(measure);
	snprintf(member, sizeof(member), "\"identity\":\"%s\",\"program\":\"/bin/busybox\",", measured);
	run_hvreg(&run, argv, environment, 0);
	status = finish(&run);
	EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 42);
	EXPECT(strstr(run.errors, member));
	EXPECT(!strncmp(run.errors, "{\"pid\":", 7) && strlen(run.errors) > 8 &&
	       !strcmp(run.errors + strlen(run.errors) - 2, "}\n"));
	if (why)
		printf("# %s# measured %s\n", run.errors, measured);
}

static void expect_failure(char **argv, char **envp, int code, const char *text)
{
	static struct run run;
	int status;

	run_hvreg(&run, argv, envp, 0);
	status = finish(&run);
	EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == code);
	EXPECT(strstr(run.errors, text));
	if (why)
		printf("# status %x, %s", status, run.errors);
}

/* They begin in one block of the arena and end in the last that gate.S shows. */
static void test_many_arguments(void)
{
	static char big[50000], *argv[] = { "hvreg", "run", "busybox", big, big, big, big, NULL };
	const struct carrel_start *start;
	static struct run run;
	int status;

	memset(big, 'x', sizeof(big) - 1);
	run_hvreg(&run, argv, environment, 0);
	start = (const void *)(run.channel + CARREL_BLOCK_SIZE);
	EXPECT(run.channel_size == CHANNEL_SIZE && start->size > 3 * CARREL_BLOCK_SIZE);
	if (run.channel_size == CHANNEL_SIZE)
		check_start(&run, argv + 2, environment, 0);
	status = finish(&run);
	EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 42);
}

#define PAGE		4096U
#define START_SIZE	100000U

/* What a shim hands over: a manifest of two pages and a start block, of which hvreg knows nothing. */
struct handed {
	struct carrel_exec header;
	unsigned char manifest[2 * PAGE];
	struct carrel_start start;
	unsigned char sealed[START_SIZE - sizeof(struct carrel_start)];
} __attribute__((packed));

static void fill_handed(struct handed *handed)
{
	unsigned int i;

	handed->header = (struct carrel_exec){
		.magic = CARREL_EXEC_MAGIC, .manifest_size = 2 * PAGE, .start_size = START_SIZE,
		.limit = 20, .flags = CARREL_CREATE_DMA,
	};
	memset(handed->manifest, 'm', sizeof(handed->manifest));
	handed->start = (struct carrel_start){
		.magic = CARREL_START_MAGIC, .size = START_SIZE, .argc = 77, .envc = 88,
		.arena_size = 99, .ticket = { 5, 6 }, .tag = "a tag of sixteen", .uid = 1, .limit = 2,
	};
	for (i = 0; i < sizeof(handed->sealed); i++)
		handed->sealed[i] = i + (i >> 8);
}

/* A descriptor of a file with its first `size` bytes, and the environment that names it. */
static int hand_over(const struct handed *handed, size_t size, char *envp[2])
{
	static char variable[64];
	int file = memfd_create("handed", 0);

	EXPECT(file > 2 && write(file, handed, size) == (ssize_t)size);
	snprintf(variable, sizeof(variable), CARREL_EXEC_VARIABLE "=%d", file);
	envp[0] = variable;
	envp[1] = NULL;
	return file;
}

static void check_taken_over(const struct run *run, const struct handed *handed)
{
	const unsigned char *arena = run->channel + CARREL_BLOCK_SIZE;
	struct carrel_start expected = handed->start;
	char text[4096];

	expected.uid = expected.euid = expected.gid = expected.egid = 0;
	expected.limit = handed->header.limit;
	expected.flags = handed->header.flags;
	EXPECT(!memcmp(arena, &expected, sizeof(expected)));
	EXPECT(!memcmp(arena + sizeof(expected), handed->sealed, sizeof(handed->sealed)));
	EXPECT(!arena[START_SIZE]);
	read_proc(run->pid, "comm", text, sizeof(text));
	EXPECT(!strcmp(text, "a-name-that-is-\n"));
	read_proc(run->pid, "cmdline", text, sizeof(text));
	EXPECT(!strcmp(text, "a-name-that-is-long"));
	descriptors(run->pid, text);
	EXPECT(!strcmp(text, "0 1 2 "));
}

static void test_take_over(void)
{
	static char *argv[] = { "a-name-that-is-long", NULL };
	static struct handed handed;
	static struct run run;
	char *envp[2];
	int file, status;

	fill_handed(&handed);
	file = hand_over(&handed, sizeof(handed), envp);
	run_hvreg(&run, argv, envp, 0);
	EXPECT(run.channel_size == CHANNEL_SIZE);
	if (run.channel_size == CHANNEL_SIZE) {
		check_slot(&run);
		check_taken_over(&run, &handed);
	}
	status = finish(&run);
	EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 42 && !*run.errors);
	close(file);
}

static void expect_not_taken(const struct handed *handed, size_t size, const char *text)
{
	static char *argv[] = { "name", NULL };
	char *envp[2];
	int file = hand_over(handed, size, envp);

	expect_failure(argv, envp, 125, text);
	close(file);
}

static void test_take_over_nonsense(void)
{
	static char *variables[] = {
		"CARREL_EXEC=", "CARREL_EXEC=-1", "CARREL_EXEC= 3", "CARREL_EXEC=3x", "CARREL_EXEC=4294967299",
		"CARREL_EXEC=99999999999999999999999",
	};
	static char *argv[] = { "hvreg", "run", "busybox", NULL };
	static const uint32_t sizes[] = { 0, 1, PAGE - 1, 2 * PAGE + 1, 0x101000, 0xFFFFF000 };
	static const uint32_t starts[] = { 0, 87, 192 * 65536 + 1, 0xFFFFFFFF };
	static struct handed good, bad;
	unsigned int i;

	for (i = 0; i < sizeof(variables) / sizeof(*variables); i++)
		expect_failure(argv, (char *[]){ variables[i], NULL }, 125, "names no descriptor");
	expect_failure(argv, (char *[]){ "CARREL_EXEC=99", NULL }, 125, "Bad file descriptor");
	fill_handed(&good);
	for (i = 0; i < 4; i++)
		expect_not_taken(&good, (size_t[]){ 0, 23, 24 + PAGE, sizeof(good) - 1 }[i], "is cut short");
	bad = good;
	bad.header.magic++;
	expect_not_taken(&bad, sizeof(bad), "none that a program handed over");
	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		bad = good;
		bad.header.manifest_size = sizes[i];
		expect_not_taken(&bad, sizeof(bad), "a manifest of that size");
	}
	for (i = 0; i < sizeof(starts) / sizeof(*starts); i++) {
		bad = good;
		bad.header.start_size = starts[i];
		expect_not_taken(&bad, sizeof(bad), "a start block of that size");
	}
	bad = good;
	bad.header.limit = 0xFFFFFFFF;
	expect_not_taken(&bad, sizeof(bad), "more memory than this machine has");
}

static void test_too_much_memory(void)
{
	static char *argv[] = { "hvreg", "run", "--memory", "1048576", "busybox", NULL };

	expect_failure(argv, environment, 125, "choose a smaller --memory");
}

static void set_parameter(const char *name, int value)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/sys/module/carrel/parameters/%s", name);
	file = fopen(path, "w");
	EXPECT(file && fprintf(file, "%d", value) > 0 && !fclose(file));
}

#define REASON	"a made-up reason that is longer than forty-eight bytes"

/* One line before the start; the program runs. With --json that line says it. */
static void test_unprotected(void)
{
	static char *plain[] = { "hvreg", "run", "busybox", NULL };
	static char *json[] = { "hvreg", "run", "--json", "busybox", NULL };
	static struct run run;
	int status;

	set_parameter("dma", 0);
	run_hvreg(&run, plain, environment, 0);
	status = finish(&run);
	EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 42 && run.channel_size == CHANNEL_SIZE);
	EXPECT(!strcmp(run.errors, "hvreg: warning: DMA unprotected: " REASON "; devices reach this "
		       "program's memory (hvreg run --require dma refuses)\n"));
	run_hvreg(&run, json, environment, 0);
	status = finish(&run);
	EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 42);
	EXPECT(!strncmp(run.errors, "{\"pid\":", 7) &&
	       strstr(run.errors, ",\"dma\":\"unprotected\",\"dma_reason\":\"" REASON "\"}\n"));
	EXPECT(!strstr(run.errors, "warning"));
	set_parameter("dma", 1);
}

/* Nobody reads what it warns of: no reason to die. */
static void test_unread_warning(void)
{
	int errors[2], null = open("/dev/null", O_RDWR), status = -1;
	pid_t pid;

	set_parameter("dma", 0);
	EXPECT(!pipe(errors) && !close(errors[0]));
	pid = fork();
	if (!pid) {
		dup2(null, 0);
		dup2(null, 1);
		dup2(errors[1], 2);
		execl("/usr/bin/hvreg", "hvreg", "run", "busybox", NULL);
		_exit(1);
	}
	close(errors[1]);
	close(null);
	EXPECT(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 42);
	set_parameter("dma", 1);
}

static void test_require_dma(void)
{
	static char *argv[] = { "hvreg", "run", "--json", "--require", "dma", "busybox", NULL };
	static char *plain[] = { "hvreg", "run", "busybox", NULL };
	static struct run run;
	char measured[65] = "", member[128];
	FILE *measure = popen("hvreg measure --require=dma busybox", "r");
	int status;

	EXPECT(measure && fread(measured, 1, 64, measure) == 64);
	pclose(measure);
	snprintf(member, sizeof(member), "\"identity\":\"%s\",", measured);
	run_hvreg(&run, argv, environment, 0);
	status = finish(&run);
	EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 42 && strstr(run.errors, member));
	EXPECT(strstr(run.errors, ",\"dma\":\"protected\",\"dma_reason\":\"\"}\n"));
	set_parameter("dma", 0);
	expect_failure(argv, environment, 125, "hvreg: DMA is not protected: " REASON "\n");
	set_parameter("dma", 2);
	expect_failure(argv, environment, 125, "hvreg: DMA protection is lost");
	expect_failure(plain, environment, 125, "hvreg: DMA protection is lost");
	set_parameter("dma", 1);
}

/* The lines of hvreg status that tell of DMA, and its table. */
static void expect_status(const char *command, const char *expected)
{
	char text[4096] = "";
	FILE *status = popen(command, "r");

	EXPECT(status && fread(text, 1, sizeof(text) - 1, status) > 0 && !pclose(status));
	EXPECT(strstr(text, expected));
	if (why)
		printf("# %s", text);
}

static void test_status(void)
{
	const char *units = "  unit     registers FED90000h, segment 0, interrupts: any pass, 12 flushes\n"
		"  unit     registers FED91000h, segment 7, interrupts: fixed only, 1 flush\nINIT ";
	char text[512];

	snprintf(text, sizeof(text),
		 "DMA        protected by VT-d, 2 units; 19 slots admitted, 0 faults\n%s", units);
	expect_status("hvreg status", text);
	expect_status("hvreg status | grep -c FAULTS; :", "0\n");
	expect_status("hvreg status --json", "\"dma\":\"protected\",\"dma_detail\":{\"reason\":\"\","
		      "\"driver\":\"VT-d\",\"slots_admitted\":19,\"faults_seen\":0,\"faults_lost\":0,"
		      "\"units\":[{\"registers\":4275634176,\"segment\":0,\"interrupts\":\"any pass\","
		      "\"features\":[\"d2\",\"f4\"],\"flushes\":12},{");
	expect_status("hvreg status --json", "],\"faults\":[]},");
	set_parameter("faulting", 1);
	expect_status("hvreg status", "admitted, 12 faults, and more that a unit had no room for\n");
	expect_status("hvreg status",
		      "\nDMA FAULTS OF                   TOTAL       LAST ADDRESS  CODE  ACCESS\n"
		      "00:02.0                             3          12345000h    6h  read\n"
		      "others                              9      FFFFFFFFF000h   22h  write\n"
		      "\nEXITS ");
	expect_status("hvreg status --json", "\"faults\":[{\"requester\":\"00:02.0\",\"faults\":3,"
		      "\"last_address\":305418240,\"last_code\":6,\"last_access\":\"read\"},"
		      "{\"requester\":\"others\",\"faults\":9,");
	set_parameter("faulting", 0);
	set_parameter("dma", 2);
	snprintf(text, sizeof(text), "DMA        LOST: " REASON "; nothing new is protected\n%s", units);
	expect_status("hvreg status", text);
	expect_status("hvreg status --json",
		      "\"dma\":\"lost\",\"dma_detail\":{\"reason\":\"" REASON "\",");
	set_parameter("dma", 0);
	expect_status("hvreg status", "DMA        UNPROTECTED: " REASON "\nINIT ");
	expect_status("hvreg status --json", "\"dma\":\"unprotected\",\"dma_detail\":{\"reason\":\"" REASON
		      "\",\"driver\":\"\",\"slots_admitted\":0,\"faults_seen\":0,\"faults_lost\":0,"
		      "\"units\":[],\"faults\":[]},");
	set_parameter("dma", 1);
}

/* ioctls work on any descriptor; INFO of the real thing needs the real thing. */
static void test_log(void)
{
	char text[256] = "";
	FILE *log = popen("hvreg log", "r");

	EXPECT(log && fread(text, 1, sizeof(text), log) == 120);
	EXPECT(!pclose(log));
}

static const struct {
	const char *name;
	void (*body)(void);
} tests[] = {
	{ "the carrier at its start", test_run },
	{ "the carrier of an ordinary user", test_run_as_user },
	{ "run and measure agree", test_identity },
	{ "many arguments", test_many_arguments },
	{ "too much memory", test_too_much_memory },
	{ "what a program hands over by execve", test_take_over },
	{ "nonsense in the place of that", test_take_over_nonsense },
	{ "a warning where DMA is not protected", test_unprotected },
	{ "a warning that nobody reads", test_unread_warning },
	{ "--require dma", test_require_dma },
	{ "what status tells of DMA", test_status },
	{ "log", test_log },
};

int main(void)
{
	unsigned int i, failed = 0;

	for (i = 0; i < sizeof(tests) / sizeof(*tests); i++) {
		why = NULL;
		tests[i].body();
		if (why)
			printf("# %s\n", why);
		printf("%s %u - hvreg: %s\n", why ? "not ok" : "ok", i + 1, tests[i].name);
		failed += !!why;
	}
	printf("1..%u\n", i);
	return failed ? 1 : 0;
}
