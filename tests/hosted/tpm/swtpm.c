/* SPDX-License-Identifier: BSD-2-Clause */
/* swtpm as a child: commands go as they are through its socket. The locality is set by a command
 * that it has for that alone, as Linux's vtpm proxy has (--locality allow-set-locality). */
#include "test.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[48] = "/tmp/carrel-tpm-XXXXXX";
static const char *kept;	/* somebody else's folder, for the TPM's memory */
static pid_t child;
static int wire = -1;
static u32 at_locality = NO_LOCALITY;

static void run_swtpm(const char *state, const char *server)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!freopen("/dev/null", "w", stdout))
		_exit(1);
	execlp("swtpm", "swtpm", "socket", "--tpm2", "--tpmstate", state, "--server", server,
	       "--flags", "not-need-init,startup-clear", "--locality", "allow-set-locality",
	       (char *)NULL);
	_exit(127);
}

static int dial(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(address.sun_path, path);
	for (unsigned int i = 0; i < 500; i++) {
		if (!connect(fd, (struct sockaddr *)&address, sizeof(address)))
			return fd;
		usleep(10000);
	}
	close(fd);
	return -1;
}

static void start(void)
{
	char state[512], server[96], path[64];

	snprintf(path, sizeof(path), "%s/sock", folder);
	snprintf(state, sizeof(state), "dir=%s", kept ? kept : folder);
	snprintf(server, sizeof(server), "type=unixio,path=%s", path);
	fflush(stdout);
	child = fork();
	CHECK(child >= 0);
	if (!child)
		run_swtpm(state, server);
	wire = dial(path);
	CHECK(wire >= 0);
	at_locality = NO_LOCALITY;
}

void swtpm_start(void)
{
	if (child)
		return;
	CHECK(mkdtemp(folder));
	start();
}

void swtpm_keep(const char *state)
{
	kept = state;
}

static void end(void)
{
	kill(child, SIGTERM);
	waitpid(child, NULL, 0);
	close(wire);
}

void swtpm_restart(void)
{
	char path[64];

	if (!child) {
		swtpm_start();
		return;
	}
	end();
	snprintf(path, sizeof(path), "%s/sock", folder);
	unlink(path);
	start();
}

static bool all(ssize_t (*io)(int, void *, size_t), void *bytes, u32 size)
{
	for (u32 done = 0; done < size; ) {
		ssize_t n = io(wire, (char *)bytes + done, size - done);

		if (n <= 0)
			return false;
		done += (u32)n;
	}
	return true;
}

static ssize_t send_some(int fd, void *bytes, size_t size)
{
	return send(fd, bytes, size, MSG_NOSIGNAL);
}

static u32 exchange(const u8 *command, u32 size, u8 *response)
{
	u32 length;

	CHECK(all(send_some, (void *)command, size));
	CHECK(all(read, response, 10));
	length = (u32)response[4] << 8 | response[5];
	CHECK(length >= 10 && length <= 4096);
	CHECK(all(read, response + 10, length - 10));
	return length;
}

/* A response as fuzz.c takes it, for the fuzzer to begin with: the command's number there, then
 * what follows the header. One of each length is enough. */
static void keep_for_fuzzer(const u8 *command, const u8 *response, u32 length)
{
	static const u16 codes[] = {
		0x131, 0x131, 0x153, 0x157, 0x15E, 0x158, 0x17B, 0x17E, 0x176, 0x189, 0x149,
		0x169, 0x14E, 0x14E, 0x165,
	};
	const char *to = getenv("TPM_CORPUS");
	char path[256];

	for (u32 i = 0; to && i < ARRAY_SIZE(codes); i++) {
		FILE *file;

		if (codes[i] != (command[8] << 8 | command[9]))
			continue;
		snprintf(path, sizeof(path), "%s/%u-%u", to, i, length);
		file = fopen(path, "w");
		CHECK(file);
		fprintf(file, "%c%c", i, 0);
		fwrite(response + 10, length - 10, 1, file);
		fclose(file);
	}
}

u32 swtpm_execute(u32 locality, const u8 *command, u32 size, u8 *response)
{
	u32 length;
	u8 set[11] = { 0x80, 1, 0, 0, 0, 11, 0x20, 0, 0x10, 0, (u8)locality };

	if (locality != at_locality) {
		exchange(set, sizeof(set), response);
		CHECK(!(response[6] | response[7] | response[8] | response[9]));
		at_locality = locality;
	}
	length = exchange(command, size, response);
	keep_for_fuzzer(command, response, length);
	return length;
}

void swtpm_stop(void)
{
	char command[64];

	if (!child)
		return;
	end();
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	if (system(command))
		printf("     %s is left\n", folder);
}
