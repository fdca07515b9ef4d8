/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * traffic STARTS DISK NET NET: runs in the guest as root. Two workers read and write DISK past the
 * page cache, two send frames between the NETs, which are connected, and all compare what comes
 * with what was sent. Meanwhile protected programs are started, and killed at random moments,
 * STARTS times. Prints a line of numbers for each worker and one for the starts:
 *	disk READS WRITES WRONG		net SENT RECEIVED WRONG		starts KILLED ENDED FAILED
 * Exit status: 0 if nothing was wrong.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DISK_BLOCK	65536U
#define DISK_BLOCKS	256U		/* of each worker */
#define FRAME		1400U
#define BURST		16
#define PROTOCOL	0x88b5		/* IEEE 802: local experiments */
#define WORKERS		4

static volatile sig_atomic_t stop;

static void on_term(int number)
{
	(void)number;
	stop = 1;
}

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "traffic: %s: %s\n", what, strerror(errno));
	_exit(2);
}

/* --- what is sent and written -------------------------------------------------------------- */

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

/* The first word names the content, all others follow from it. */
static void fill(uint64_t *words, size_t bytes, uint64_t name)
{
	words[0] = name;
	for (size_t i = 1; i < bytes / 8; i++)
		words[i] = mix(name + i);
}

static bool whole(const uint64_t *words, size_t bytes, uint64_t name)
{
	if (words[0] != name)
		return false;
	for (size_t i = 1; i < bytes / 8; i++)
		if (words[i] != mix(name + i))
			return false;
	return true;
}

/* A checker that sees nothing would find everything right. */
static void check_the_checker(void)
{
	uint64_t words[64];

	fill(words, sizeof(words), 7);
	if (!whole(words, sizeof(words), 7))
		die("the checker sees errors that are none");
	words[63] ^= 1UL << 40;
	if (whole(words, sizeof(words), 7) || whole(words, sizeof(words), 8))
		die("the checker sees no error");
}

/* --- disk ---------------------------------------------------------------------------------- */

/* Pages of other frames each time, those too that were private a moment ago. */
static uint64_t *new_buffer(void)
{
	void *buffer = mmap(NULL, DISK_BLOCK, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (buffer == MAP_FAILED)
		die("mmap");
	return buffer;
}

static void disk(const char *path, unsigned int worker)
{
	static uint64_t name[DISK_BLOCKS];	/* 0: never written */
	uint64_t reads = 0, writes = 0, wrong = 0, random = worker;
	int file = open(path, O_RDWR | O_DIRECT);

	if (file < 0)
		die(path);
	while (!stop) {
		unsigned int block = (unsigned int)(mix(++random) % DISK_BLOCKS);
		off_t at = ((off_t)worker * DISK_BLOCKS + block) * DISK_BLOCK;
		uint64_t *buffer = new_buffer();

		if (!name[block] || random % 3 == 0) {
			name[block] = mix(random) | 1;
			fill(buffer, DISK_BLOCK, name[block]);
			if (pwrite(file, buffer, DISK_BLOCK, at) != DISK_BLOCK)
				die("write");
			writes++;
		} else {
			if (pread(file, buffer, DISK_BLOCK, at) != DISK_BLOCK)
				die("read");
			wrong += !whole(buffer, DISK_BLOCK, name[block]);
			reads++;
		}
		munmap(buffer, DISK_BLOCK);
	}
	printf("disk %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", reads, writes, wrong);
	exit(wrong || !reads);
}

/* --- network ------------------------------------------------------------------------------- */

struct frame {
	struct ethhdr header;
	uint8_t pad[2];
	uint64_t words[FRAME / 8];
};

static int open_port(const char *name)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET, .sll_protocol = htons(PROTOCOL),
		.sll_ifindex = (int)if_nametoindex(name),
	};
	struct timeval patience = { .tv_usec = 1000 };
	int port = socket(AF_PACKET, SOCK_RAW, htons(PROTOCOL));

	if (port < 0 || bind(port, (struct sockaddr *)&address, sizeof(address)) ||
	    setsockopt(port, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)))
		die(name);
	return port;
}

/* A frame that is lost is no error: there is no flow control. One that is not what was sent is. */
static void receive(int port, uint64_t *received, uint64_t *wrong)
{
	static struct frame frame;

	for (int i = 0; i < 2 * BURST; i++) {
		ssize_t got = recv(port, &frame, sizeof(frame), 0);

		if (got <= 0)
			return;
		*received += 1;
		*wrong += got != sizeof(frame) || !whole(frame.words, sizeof(frame.words),
							 frame.words[0]);
	}
}

static void net(const char *name)
{
	uint64_t sent = 0, received = 0, wrong = 0;
	static struct frame frame;
	int port = open_port(name);

	memset(frame.header.h_dest, 0xff, sizeof(frame.header.h_dest));
	frame.header.h_source[0] = 2;
	frame.header.h_proto = htons(PROTOCOL);
	while (!stop) {
		for (int i = 0; i < BURST; i++) {
			fill(frame.words, sizeof(frame.words), mix(sent));
			sent += send(port, &frame, sizeof(frame), 0) == sizeof(frame);
		}
		receive(port, &received, &wrong);
	}
	printf("net %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", sent, received, wrong);
	exit(wrong || !received);
}

/* --- protected programs -------------------------------------------------------------------- */

static pid_t start(bool endless)
{
	const char *script = endless ? "while :; do :; done" : "exit 7";
	pid_t pid = fork();

	if (pid)
		return pid;
	freopen("/dev/null", "w", stderr);
	execlp("hvreg", "hvreg", "run", "--memory", "8", "--", "busybox", "sh", "-c", script,
	       (char *)NULL);
	_exit(126);
}

/* Every eighth may end by itself; the others are killed somewhere in their start or after it. */
static int starts(unsigned int count)
{
	unsigned int killed = 0, ended = 0, failed = 0;
	int status;

	for (unsigned int i = 0; i < count; i++) {
		bool endless = i % 8 != 7;
		pid_t pid = start(endless);

		if (pid < 0)
			die("fork");
		if (endless) {
			usleep((useconds_t)(mix(i) % 200000));
			kill(pid, SIGKILL);
		}
		if (waitpid(pid, &status, 0) != pid)
			die("waitpid");
		killed += endless && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
		ended += !endless && WIFEXITED(status) && WEXITSTATUS(status) == 7;
		failed = i + 1 - killed - ended;
	}
	printf("starts %u %u %u\n", killed, ended, failed);
	return failed != 0;
}

static pid_t worker(unsigned int number, char **argv)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	if (nice(5) < 0 && errno)
		die("nice");
	if (number < 2)
		disk(argv[2], number);
	else
		net(argv[number + 1]);
	_exit(2);
}

int main(int argc, char **argv)
{
	struct sigaction term = { .sa_handler = on_term };
	pid_t pid[WORKERS];
	int status, bad;

	if (argc != 5)
		return 2;
	setlinebuf(stdout);
	sigaction(SIGTERM, &term, NULL);
	check_the_checker();
	for (unsigned int i = 0; i < WORKERS; i++)
		pid[i] = worker(i, argv);
	bad = starts((unsigned int)atoi(argv[1]));
	for (unsigned int i = 0; i < WORKERS; i++)
		kill(pid[i], SIGTERM);
	for (unsigned int i = 0; i < WORKERS; i++)
		bad |= waitpid(pid[i], &status, 0) != pid[i] || status;
	return bad;
}
