/* SPDX-License-Identifier: BSD-2-Clause */
/* The log's limits: what a guest makes too many of does not push out what matters more. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <base/log.h>

static unsigned int passed, failed;

static void check(bool good, const char *what)
{
	printf("%s log: %s\n", good ? "ok  " : "FAIL", what);
	good ? passed++ : failed++;
}

/* What was written since the last time. */
static const char *news(void)
{
	static char text[32768];
	static u64 position;
	size_t size = log_read(&position, text, sizeof(text) - 1);

	text[size] = '\0';
	return text;
}

static unsigned int lines(const char *text)
{
	unsigned int n = 0;

	while ((text = strchr(text, '\n'))) {
		text++;
		n++;
	}
	return n;
}

/* 2^32 cycles, after which one line more is allowed, are longer than each of these takes. */
int main(void)
{
	unsigned int n;

	for (unsigned int i = 0; i < 200; i++)
		log_guest("access %u", i);
	n = lines(news());
	check(n >= 64 && n < 100, "refused accesses are limited");
	log_note("a note");
	check(strstr(news(), "carrel: a note\n"), "a note comes through beside refused accesses");
	for (unsigned int i = 0; i < 200; i++)
		log_note("note %u", i);
	n = lines(news());
	check(n >= 63 && n < 100, "notes are limited");
	log_kill("a kill");
	check(strstr(news(), "carrel: a kill\n"), "a kill comes through beside both");
	for (unsigned int i = 0; i < 200; i++)
		log_kill("kill %u", i);
	n = lines(news());
	check(n >= 63 && n < 100, "kills are limited");
	log_line("a line");
	check(strstr(news(), "carrel: a line\n"), "the hypervisor's own lines are not");
	printf("%u passed, %u failed, 0 skipped\n", passed, failed);
	return failed != 0;
}
