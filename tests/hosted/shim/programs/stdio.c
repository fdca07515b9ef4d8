/* SPDX-License-Identifier: BSD-2-Clause */
/* Arguments, environment, auxiliary vector, standard streams, a file written and read back. */
#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

static void auxv(void)
{
	const ElfW(Phdr) *p = (const void *)getauxval(AT_PHDR);
	const unsigned char *random = (const void *)getauxval(AT_RANDOM);
	int loads = 0, sum = 0;

	for (unsigned long i = 0; i < getauxval(AT_PHNUM); i++)
		loads += p[i].p_type == PT_LOAD;
	for (int i = 0; i < 16; i++)
		sum |= random[i];
	printf("loads %d, random %d, page %lu, clock %lu, secure %lu, uid %d\n", loads, sum != 0,
	       getauxval(AT_PAGESZ), getauxval(AT_CLKTCK), getauxval(AT_SECURE),
	       getauxval(AT_UID) == getuid());
	printf("hwcap %lx, platform %s\n", getauxval(AT_HWCAP), (char *)getauxval(AT_PLATFORM));
}

int main(int argc, char **argv)
{
	char line[256], path[] = "/tmp/carrel-stdio-XXXXXX", link[256];
	struct stat st;
	FILE *f;
	int fd;
	long n;

	for (int i = 1; i < argc; i++)
		printf("[%s]", argv[i]);
	printf(" HOME=%s %.3f\n", getenv("HOME"), 2.0 / 3);
	auxv();
	while (fgets(line, sizeof(line), stdin))
		printf("%zu: %s", strlen(line), line);
	fprintf(stderr, "to standard error\n");
	fd = mkstemp(path);
	f = fdopen(fd, "w+");
	for (int i = 0; i < 100000; i++)
		fprintf(f, "%d\n", i);
	rewind(f);
	for (n = 0; fgets(line, sizeof(line), f); n += atoi(line))
		;
	fstat(fd, &st);
	printf("sum %ld size %ld mode %o\n", n, (long)st.st_size, st.st_mode);
	unlink(path);
	n = readlink("/proc/self/exe", link, sizeof(link) - 1);
	link[n < 0 ? 0 : n] = 0;
	printf("exe %s\n", strrchr(link, '/'));
	return argc;
}
