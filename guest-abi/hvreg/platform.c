/* SPDX-License-Identifier: BSD-2-Clause */
/* hvreg platform: the key that the TPM gives to a measured hypervisor alone. */
#include <bearssl_hash.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "commands.h"
#include "fail.h"
#include "platform.h"

#define SMALL_MAX	65536

static const char help[] =
"usage: hvreg platform init|show|reseal|retire|policy|reset [OPTION]...\n"
"\n"
"Prepares what the hypervisor finds in the TPM when it is launched, as root.\n"
"\n"
"  init     have a key made at the next launch, for a measurement like today's\n"
"  show     what of it is there, and whether it is as it has to be\n"
"  reseal   have the key sealed for a planned update, which is signed\n"
"  retire   after an update: what started before starts with the key no more\n"
"  policy   write a launch policy of tboot's\n"
"  reset    remove all of it, and with it the key\n"
"\n"
"  COMMAND --help   tell about one\n";

const char *state_name(uint32_t state)
{
	switch (state) {
	case CARREL_LAUNCH_MEASURED:
		return "measured";
	case CARREL_LAUNCH_STATIC:
		return "static";
	}
	return "unmeasured";
}

uint32_t state_of_pcrs(uint32_t pcrs)
{
	switch (pcrs) {
	case CARREL_MEASURED_PCRS:
		return CARREL_LAUNCH_MEASURED;
	case CARREL_STATIC_PCRS:
		return CARREL_LAUNCH_STATIC;
	}
	return CARREL_LAUNCH_UNMEASURED;
}

void pcrs_text(uint32_t pcrs, char text[96])
{
	unsigned int i, used = 0;

	*text = 0;
	for (i = 0; i < TPM_PCRS; i++)
		if (pcrs >> i & 1)
			used += sprintf(text + used, "%s%u", used ? ", " : "", i);
}

bool is_zero(const void *bytes, size_t size)
{
	const uint8_t *byte = bytes;
	uint8_t any = 0;

	while (size--)
		any |= *byte++;
	return !any;
}

/* Part 3, 23.7 and 23.8: H(old || command || what it names), from zeros on. */
static void policy_step(uint8_t policy[32], const uint8_t *term, size_t size)
{
	br_sha256_context context;

	br_sha256_init(&context);
	br_sha256_update(&context, policy, 32);
	br_sha256_update(&context, term, size);
	br_sha256_out(&context, policy);
}

void policy_of(uint32_t state, const uint8_t digest[32], uint8_t policy[32])
{
	bool measured = state == CARREL_LAUNCH_MEASURED;
	uint32_t pcrs = measured ? CARREL_MEASURED_PCRS : CARREL_STATIC_PCRS;
	/* TPM_CC_PolicyPCR; one selection, of the bank TPM_ALG_SHA256, in 3 bytes; the digest. */
	uint8_t pcr[14 + 32] = { 0, 0, 0x01, 0x7F, 0, 0, 0, 1, 0, 0x0B, 3,
				 pcrs, pcrs >> 8, pcrs >> 16 };
	/* TPM_CC_PolicyLocality; locality 2 or 0, by bits. */
	const uint8_t locality[] = { 0, 0, 0x01, 0x6F, measured ? 1 << 2 : 1 << 0 };

	memcpy(pcr + 14, digest, 32);
	memset(policy, 0, 32);
	policy_step(policy, pcr, sizeof(pcr));
	policy_step(policy, locality, sizeof(locality));
}

void ask(const struct options *options, const char *question)
{
	char answer[16];

	if (options->yes)
		return;
	if (!isatty(STDIN_FILENO))
		fail(EXIT_OWN, "--yes goes on without asking", "%s Nobody is there to ask",
		     question);
	fprintf(stderr, "%s Go on? (yes/no) ", question);
	if (!fgets(answer, sizeof(answer), stdin) || strcmp(answer, "yes\n"))
		fail(EXIT_OWN, NULL, "nothing was changed");
}

char *read_small(const char *path, size_t *size)
{
	FILE *file = strcmp(path, "-") ? fopen(path, "re") : stdin;
	char *bytes = malloc(SMALL_MAX + 1);

	if (!file || !bytes)
		fail(EXIT_OWN, NULL, "%s: %s", path, strerror(errno));
	*size = fread(bytes, 1, SMALL_MAX + 1, file);
	if (ferror(file))
		fail(EXIT_OWN, NULL, "%s: %s", path, strerror(errno));
	if (*size > SMALL_MAX)
		fail(EXIT_OWN, NULL, "%s: is too long for what it should be", path);
	bytes[*size] = 0;
	if (file != stdin)
		fclose(file);
	return bytes;
}

static const struct {
	const char *name, *full;
	int (*run)(char **argv);
} commands[] = {
	{ "init", "platform init", platform_init },
	{ "show", "platform show", platform_show },
	{ "reseal", "platform reseal", platform_reseal },
	{ "retire", "platform retire", platform_retire },
	{ "policy", "platform policy", platform_policy },
	{ "reset", "platform reset", platform_reset },
};

int platform_command(int argc, char **argv)
{
	unsigned int i;

	if (argc < 2)
		fail_usage("platform", "platform: what to do?");
	if (!strcmp(argv[1], "--help")) {
		fputs(help, stdout);
		return fflush(stdout) ? EXIT_OWN : 0;
	}
	for (i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		if (strcmp(argv[1], commands[i].name))
			continue;
		argv[1] = (char *)commands[i].full;
		return commands[i].run(argv + 1);
	}
	fail_usage("platform", "platform: unknown command '%s'", argv[1]);
}
