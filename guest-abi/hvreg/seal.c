/* SPDX-License-Identifier: BSD-2-Clause */
/* hvreg seal, unseal: files that only one identity reads, on one machine (carrel/sealed.h). */
#include <bearssl_hash.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <unistd.h>
#include <carrel/hypercall.h>
#include <load/sealing.h>
#include "choice.h"
#include "commands.h"
#include "device.h"
#include "fail.h"
#include "options.h"
#include "text.h"

static const char seal_help[] =
"usage: hvreg seal --manifest FILE [OPTION]... [IN] >OUT\n"
"       hvreg seal --to IDENTITY --as PATH [OPTION]... [IN] >OUT\n"
"\n"
"Encrypts IN (or standard input) so that on this machine, launched as it is now,\n"
"only a program of that identity reads it, by opening PATH.\n"
"\n"
"  --manifest FILE  to what 'hvreg manifest --fix --sealed PATH' wrote there\n"
"  --to IDENTITY    to this identity, of 'hvreg measure'\n"
"  --as PATH        for this path; need not be given if the manifest has one\n"
"  --show-key       print the public key and seal nothing\n"
"  --key KEY        use this public key and do not ask the hypervisor: so a file\n"
"                   can be sealed where it is safe, on another machine\n"
"\n"
"A sealed file says nothing about who made it.\n";

static const char unseal_help[] =
"usage: hvreg unseal FILE\n"
"\n"
"Writes what was sealed to standard output, if this is the program that it was\n"
"sealed to, run protected:\n"
"\n"
"  hvreg manifest --fix --sealed /srv/secret hvreg unseal /srv/secret >M\n"
"  hvreg seal --manifest M IN >/srv/secret\n"
"  hvreg run --manifest M hvreg\n"
"\n"
"Run in any other way, it tells whom FILE was sealed to.\n";

struct target {
	uint8_t identity[32], public[32];
	const char *path;
};

/* --- Files ---------------------------------------------------------------------------------- */

struct content {
	unsigned char *bytes;
	size_t size;
};

/* All of it; `name` NULL or "-": standard input. */
static void read_all(struct content *content, const char *name, size_t most)
{
	FILE *stream = name && strcmp(name, "-") ? fopen(name, "re") : stdin;
	size_t room = 0, got = 1;

	*content = (struct content){ 0 };
	if (!stream)
		fail(EXIT_OWN, errno == ENOKEY ? "'hvreg status' says why: the launch is unmeasured" :
		     NULL, "%s: %s", name, strerror(errno));
	for (; got && content->size <= most; content->size += got) {
		if (content->size == room)
			content->bytes = realloc(content->bytes, room = 2 * room + 65536);
		if (!content->bytes)
			fail(EXIT_OWN, NULL, "out of memory");
		got = fread(content->bytes + content->size, 1, room - content->size, stream);
	}
	if (ferror(stream))
		fail(EXIT_OWN, NULL, "%s: %s", name ? name : "standard input", strerror(errno));
	if (content->size > most)
		fail(EXIT_OWN, "seal a key, and encrypt the rest by that", "%s: is larger than %zu MiB",
		     name ? name : "standard input", most >> 20);
}

static void write_all(const void *bytes, size_t size)
{
	if (fwrite(bytes, 1, size, stdout) != size)
		fail(EXIT_OWN, NULL, "cannot write to standard output: %s", strerror(errno));
}

/* --- To whom -------------------------------------------------------------------------------- */

/* The manifest's only sealed path, or the one that is asked for. */
static const char *path_of(const struct manifest *manifest, const struct options *options)
{
	const char *only = NULL;
	unsigned int i, count = 0;

	for (i = 0; i < manifest->count; i++)
		if (manifest->entries[i].kind == CARREL_ENTRY_SEALED) {
			only = manifest->entries[i].path;
			count++;
		}
	if (!options->as && count > 1)
		fail(EXIT_OWN, "say by --as for which", "%s: has %u sealed files", options->manifest, count);
	if (!options->as ? !count : !manifest_find(manifest, CARREL_ENTRY_SEALED, options->as))
		fail(EXIT_OWN, "make it by 'hvreg manifest --fix --sealed PATH'",
		     "%s: has no line 'sealed %s'", options->manifest, options->as ? options->as : "PATH");
	return options->as ? options->as : only;
}

static void take_manifest(struct target *target, const struct options *options)
{
	static struct choice choice;

	choose_manifest(&choice, options);
	launch_identity(&choice.launch, target->identity);
	if (!(choice.launch.create.flags & CARREL_CREATE_SEAL))
		fail(EXIT_OWN, "make it by 'hvreg manifest --fix', without --host-code",
		     "%s: leaves arguments, environment or code to the host: such a process gets no keys",
		     options->manifest);
	if (!options->show_key)
		target->path = path_of(&choice.manifest, options);
}

static void ask_key(struct target *target)
{
	int device = device_open(), error;
	struct carrel_ioc_public public;

	memcpy(public.identity, target->identity, sizeof(public.identity));
	error = ioctl(device, CARREL_IOC_PUBLIC, &public) ? errno : 0;
	if (error == ENOKEY)
		fail(EXIT_OWN, "'hvreg status' says why", "the launch is unmeasured: there are no keys");
	if (error)
		device_fail("PUBLIC", error);
	memcpy(target->public, public.key, sizeof(target->public));
	close(device);
}

static void find_target(struct target *target, const char *command, const struct options *options)
{
	*target = (struct target){ .path = options->as };
	if (!options->manifest == !options->to)
		fail_usage(command, "seal: wants --manifest or --to, one of them");
	if (options->manifest)
		take_manifest(target, options);
	else if (!text_unhex(options->to, target->identity))
		fail_usage(command, "--to wants an identity of 64 hexadecimal digits");
	if (!options->show_key && (!target->path || *target->path != '/' ||
				   strlen(target->path) >= CARREL_PATH_MAX))
		fail_usage(command, "--as wants the absolute path by which the program opens the file");
	if (!options->key)
		ask_key(target);
	else if (!text_unhex(options->key, target->public))
		fail_usage(command, "--key wants a public key of 64 hexadecimal digits");
}

/* --- Sealing -------------------------------------------------------------------------------- */

static void hash_path(uint8_t digest[32], const char *path)
{
	br_sha256_context hash;

	br_sha256_init(&hash);
	br_sha256_update(&hash, path, strlen(path));
	br_sha256_out(&hash, digest);
}

static void seal(const struct target *target, struct content *content)
{
	struct carrel_sealed header = { .magic = CARREL_SEALED_MAGIC };
	uint8_t private[32], secret[32];
	struct sealing sealing;

	if (getrandom(private, sizeof(private), 0) != sizeof(private))
		fail(EXIT_OWN, NULL, "no randomness: %s", strerror(errno));
	memcpy(header.identity, target->identity, sizeof(header.identity));
	hash_path(header.path, target->path);
	sealing_public(private, header.ephemeral);
	sealing_secret(private, target->public, secret);
	sealing_begin(&sealing, &header, secret, target->public);
	explicit_bzero(private, sizeof(private));
	explicit_bzero(secret, sizeof(secret));
	sealing_run(&sealing, true, content->bytes, content->size);
	sealing_tag(&sealing, header.tag);
	write_all(&header, sizeof(header));
	write_all(content->bytes, content->size);
}

int seal_command(int argc, char **argv)
{
	char hex[HEX_IDENTITY];
	struct options options;
	struct content content;
	struct target target;

	(void)argc;
	options_parse(&options, OPTION_MANIFEST | OPTION_TO | OPTION_AS | OPTION_KEY | OPTION_SHOW_KEY,
		      seal_help, argv);
	if (options.operands[0] && (options.operands[1] || options.show_key))
		fail_usage(argv[0], "seal: unexpected '%s'", options.operands[options.show_key ? 0 : 1]);
	find_target(&target, argv[0], &options);
	if (options.show_key) {
		text_hex(hex, target.public);
		puts(hex);
		return text_done();
	}
	if (isatty(STDOUT_FILENO))
		fail(EXIT_OWN, "write it to a file: >OUT", "a sealed file is no text for a terminal");
	read_all(&content, options.operands[0], CARREL_SEALED_MAX);
	if (!content.size)
		fail(EXIT_OWN, NULL, "there is nothing to seal");
	seal(&target, &content);
	return text_done();
}

/* --- Unsealing ------------------------------------------------------------------------------ */

/* The shim has done it already, or nobody can. */
int unseal_command(int argc, char **argv)
{
	const struct carrel_sealed *header;
	char hex[HEX_IDENTITY];
	struct options options;
	struct content content;

	(void)argc;
	options_parse(&options, 0, unseal_help, argv);
	if (!options.operands[0] || options.operands[1])
		fail_usage(argv[0], "unseal: wants one file");
	read_all(&content, options.operands[0], CARREL_SEALED_MAX + sizeof(*header));
	header = (const void *)content.bytes;
	if (content.size >= sizeof(*header) && header->magic == CARREL_SEALED_MAGIC) {
		text_hex(hex, header->identity);
		fail(EXIT_OWN, "run that by 'hvreg run --manifest'; see 'hvreg unseal --help'",
		     "%s is sealed to %s, and this is no such program", options.operands[0], hex);
	}
	write_all(content.bytes, content.size);
	return text_done();
}
