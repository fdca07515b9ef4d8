/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hvreg platform policy: tboot's launch policy, in the index where tboot looks for one. tboot
 * extends PCRs 17 and 18 by it. Format: tboot's include/tb_policy.h, version 2; all of it is
 * checked, for a policy that sends modules elsewhere takes them out of what the key is sealed to.
 */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "fail.h"
#include "platform.h"
#include "text.h"

static const char help[] =
"usage: hvreg platform policy [--yes] [FILE]\n"
"\n"
"Writes a launch policy of tboot's into the TPM: FILE, as tb_polgen makes them, or one\n"
"that refuses nothing and measures every module into PCR 17. It becomes part of what is\n"
"measured: write it before 'hvreg platform init'.\n"
"\n"
"  --yes              ask nothing\n"
"  --tpm PATH         a TPM elsewhere than " TPM_DEVICE "\n";

#define NV_TBOOT_POLICY	0x01C10131U
#define ATTRIBUTES	(TPMA_NV_OWNERWRITE | TPMA_NV_AUTHWRITE | TPMA_NV_OWNERREAD | \
			 TPMA_NV_AUTHREAD | TPMA_NV_NO_DA)

#define HASH_SHA256	0x0B	/* TB_HALG_SHA256 */
#define TYPE_HALT	2	/* TB_POLTYPE_HALT */
#define EXTEND_PCR17	1	/* TB_POLCTL_EXTEND_PCR17 */
#define PCR_NONE	0xFF	/* TB_POL_PCR_NONE: module 0 goes to PCR 17 in any case */

struct tboot_policy {
	uint8_t version, type, hash_alg;
	uint32_t control, reserved;
	uint8_t entries;
} __attribute__((packed));
_Static_assert(sizeof(struct tboot_policy) == 12, "tb_policy_t");

struct tboot_entry {
	uint8_t module, pcr, hash_type;
	uint32_t reserved;
	uint8_t hashes;
} __attribute__((packed));
_Static_assert(sizeof(struct tboot_entry) == 8, "tb_policy_entry_t");

/* --- Is it one? ------------------------------------------------------------------------------ */

static const char *problem_of_entries(const uint8_t *at, size_t left, unsigned int count)
{
	struct tboot_entry entry;

	for (; count; count--) {
		if (left < sizeof(entry))
			return "is cut short";
		memcpy(&entry, at, sizeof(entry));
		at += sizeof(entry);
		left -= sizeof(entry);
		if (left < entry.hashes * 32U)
			return "is cut short";
		at += entry.hashes * 32U;
		left -= entry.hashes * 32U;
		if (entry.pcr != 17 && entry.pcr != 18 && (entry.module || entry.pcr != PCR_NONE))
			return "measures a module into another PCR than 17 and 18, to which "
				"the key is sealed";
	}
	return left ? "has bytes behind its end" : NULL;
}

static const char *problem_of(const uint8_t *bytes, size_t size)
{
	struct tboot_policy policy;

	if (size < sizeof(policy))
		return "is no launch policy";
	if (size > TPM_NV_MAX)
		return "is too long";
	memcpy(&policy, bytes, sizeof(policy));
	if (policy.version != 2 || policy.type > TYPE_HALT)
		return "is no launch policy of version 2";
	if (policy.hash_alg != HASH_SHA256)
		return "has other hashes than SHA-256 (--alg sha256)";
	if (!(policy.control & EXTEND_PCR17))
		return "does not have itself measured (--ctrl 1)";
	if (!policy.entries)
		return "names no module, so that tboot takes none";
	return problem_of_entries(bytes + sizeof(policy), size - sizeof(policy), policy.entries);
}

/* --- One that refuses nothing ---------------------------------------------------------------- */

static void polgen(const char *const arguments[])
{
	extern char **environ;
	int status, error;
	pid_t child;

	error = posix_spawnp(&child, "tb_polgen", NULL, NULL, (char *const *)arguments, environ);
	if (error)
		fail(EXIT_OWN, "install Debian's package tboot, or give a FILE",
		     "cannot run tb_polgen: %s", strerror(error));
	if (waitpid(child, &status, 0) != child || status)
		fail(EXIT_OWN, NULL, "tb_polgen failed");
}

static char *make_policy(size_t *size)
{
	char folder[] = "/tmp/hvreg-XXXXXX", path[sizeof(folder) + 8], *bytes;

	if (!mkdtemp(folder))
		fail(EXIT_OWN, NULL, "%s: %s", folder, strerror(errno));
	snprintf(path, sizeof(path), "%s/policy", folder);
	polgen((const char *[]){ "tb_polgen", "--create", "--type", "nonfatal", "--alg", "sha256",
				 "--ctrl", "1", path, NULL });
	polgen((const char *[]){ "tb_polgen", "--add", "--num", "0", "--pcr", "none", "--hash",
				 "any", path, NULL });
	polgen((const char *[]){ "tb_polgen", "--add", "--num", "any", "--pcr", "17", "--hash",
				 "any", path, NULL });
	bytes = read_small(path, size);
	unlink(path);
	rmdir(folder);
	return bytes;
}

/* --- Writing it ------------------------------------------------------------------------------ */

/* Between the two commands there is none, and tboot takes the one that is built into it. */
static void write_policy(struct tpm *tpm, const uint8_t *bytes, size_t size)
{
	const struct tpm_nv_public public = { .attributes = ATTRIBUTES, .size = size };
	struct tpm_nv_public found;
	uint32_t error = tpm_nv_read_public(tpm, NV_TBOOT_POLICY, &found);

	if (!error && ((found.attributes & ~TPMA_NV_WRITTEN) != ATTRIBUTES || found.size != size))
		error = tpm_nv_undefine(tpm, NV_TBOOT_POLICY);
	else if (!error)
		goto write;
	if (error && error != TPM_RC_NO_INDEX)
		platform_tpm_fail(error, "cannot remove the policy (index %Xh)", NV_TBOOT_POLICY);
	error = tpm_nv_define(tpm, NV_TBOOT_POLICY, &public);
	if (error)
		platform_tpm_fail(error, "cannot define the policy (index %Xh)", NV_TBOOT_POLICY);
write:
	error = tpm_nv_write(tpm, NV_TBOOT_POLICY, TPM_RS_PW, 0, bytes, size);
	if (error)
		platform_tpm_fail(error, "cannot write the policy (index %Xh)", NV_TBOOT_POLICY);
}

int platform_policy(char **argv)
{
	const struct told nothing = { 0 };
	static struct nv_state state;
	struct options options;
	const char *problem;
	struct tpm *tpm;
	size_t size;
	char *bytes;

	options_parse(&options, OPTION_TPM | OPTION_YES, help, argv);
	if (options.operands[0] && options.operands[1])
		fail_usage(argv[0], "%s: unexpected '%s'", argv[0], options.operands[1]);
	bytes = options.operands[0] ? read_small(options.operands[0], &size) : make_policy(&size);
	problem = problem_of((uint8_t *)bytes, size);
	if (problem)
		fail(EXIT_OWN, "see tb_polgen(8)", "%s: %s",
		     options.operands[0] ? options.operands[0] : "tb_polgen", problem);
	if (((struct tboot_policy *)bytes)->type == TYPE_HALT)
		ask(&options,
		    "By this policy tboot stops the machine at a module that is another.");
	tpm = platform_tpm_open(options.tpm);
	nv_read(tpm, &nothing, &state);
	if (state.stage >= STAGE_PREPARED)
		ask(&options, "tboot's next launch is measured otherwise then: a key that was not "
		    "sealed for that, too, is not opened by it.");
	write_policy(tpm, (uint8_t *)bytes, size);
	printf("written, %zu bytes; it counts from the next launch by tboot on\n", size);
	return text_done();
}
