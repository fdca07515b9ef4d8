/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client for a web server, so small that what is counted is the server: over one connection, the
 * same page of at most ANSWER_MAX bytes again and again.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "work.h"

#define ANSWER_MAX	8192

static int connect_to(unsigned int port)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons(port),
		.sin_addr = { htonl(INADDR_LOOPBACK) },
	};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)))
		die("connect");
	return fd;
}

/* Bytes of the answer that begins here, with its head; 0 as long as the head is not whole. */
static size_t answer_size(const char *answer)
{
	const char *length = strstr(answer, "\r\nContent-Length: ");
	const char *end = strstr(answer, "\r\n\r\n");

	if (!end)
		return 0;
	if (!length || strncmp(answer, "HTTP/1.1 200 ", 13))
		die("not the page");
	return end + 4 - answer + strtoul(length + 18, NULL, 10);
}

static void fetch_one(int fd, const char *question, size_t size)
{
	char answer[ANSWER_MAX + 1];
	size_t have = 0;

	if (write(fd, question, size) != (ssize_t)size)
		die("write");
	do {
		ssize_t n = read(fd, answer + have, ANSWER_MAX - have);

		if (n <= 0)
			die("read");
		have += n;
		answer[have] = 0;
	} while (have != answer_size(answer));
}

int fetch(unsigned int port, const char *path, unsigned int times)
{
	char question[256];
	int size = snprintf(question, sizeof(question), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
	int fd = connect_to(port);

	for (unsigned int i = 0; i < times; i++)
		fetch_one(fd, question, size);
	return close(fd);
}
