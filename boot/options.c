/* SPDX-License-Identifier: BSD-2-Clause */
/* Every option is a whole word of a table; only a port and a policy may be any number. */
#include <stdlib.h>
#include <string.h>

#include <boot/options.h>

#define PORT_MAX	0xFFF8U		/* eight registers */
#define PORT_WORD	sizeof("serial=0xFFFF")
#define FIELD(name)	offsetof(struct options, name)

static const struct {
	const char *word;
	size_t field;
	u16 value;
} known[] = {
	{ "serial=com1", FIELD(serial), 0x3F8 }, { "serial=com2", FIELD(serial), 0x2F8 },
	{ "serial=com3", FIELD(serial), 0x3E8 }, { "serial=com4", FIELD(serial), 0x2E8 },
	{ "serial=none", FIELD(serial), 0 },
	{ "screen=on", FIELD(screen), true }, { "screen=off", FIELD(screen), false },
	{ "sipi=auto", FIELD(sipi), SIPI_AUTO }, { "sipi=trap", FIELD(sipi), SIPI_TRAP },
	{ "sipi=native", FIELD(sipi), SIPI_NATIVE },
	{ "apic=auto", FIELD(apic_trap), false }, { "apic=trap", FIELD(apic_trap), true },
	{ "cpuid=auto", FIELD(cpuid_hv), false }, { "cpuid=hv", FIELD(cpuid_hv), true },
	{ "fallback=halt", FIELD(fallback_bare), false },
	{ "fallback=bare", FIELD(fallback_bare), true },
	{ "require=dma", FIELD(require_dma), true },
};

/* "serial=0x" and one to four hexadecimal digits; 0 if it is no port. */
static u16 parse_port(const char *word, size_t length)
{
	char digits[PORT_WORD], *end;
	unsigned long port;

	if (length <= strlen("serial=0x") || length >= PORT_WORD || memcmp(word, "serial=0x", 9))
		return 0;
	memcpy(digits, word, length);
	digits[length] = '\0';
	port = strtoul(digits + 9, &end, 16);
	return *end || port > PORT_MAX ? 0 : (u16)port;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* `name` and 64 hexadecimal digits. */
static bool parse_hash(u8 hash[32], u16 *has, const char *name, const char *word, size_t length)
{
	size_t head = strlen(name);
	u8 bytes[32];

	if (length != head + 2 * sizeof(bytes) || memcmp(word, name, head))
		return false;
	for (size_t i = 0; i < sizeof(bytes); i++) {
		int high = digit(word[head + 2 * i]), low = digit(word[head + 2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		bytes[i] = (u8)(high << 4 | low);
	}
	memcpy(hash, bytes, sizeof(bytes));
	*has = true;
	return true;
}

static bool set(struct options *options, const char *word, size_t length)
{
	u16 port = parse_port(word, length);

	if (port) {
		options->serial = port;
		return true;
	}
	if (length > 6 && !memcmp(word, "tboot=", 6))
		return true;
	if (parse_hash(options->origin, &options->has_origin, "origin=", word, length) ||
	    parse_hash(options->update_key, &options->has_update_key, "update-key=", word, length))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (strlen(known[i].word) != length || memcmp(known[i].word, word, length))
			continue;
		*(u16 *)((char *)options + known[i].field) = known[i].value;
		return true;
	}
	return false;
}

void options_parse(struct options *options, const char *line,
		   void (*warn)(const char *word, size_t length))
{
	*options = (struct options){ .serial = 0x3F8, .screen = true };
	for (;;) {
		size_t length;

		line += strspn(line, " \t");
		length = strcspn(line, " \t");
		if (!length)
			return;
		if (!set(options, line, length))
			warn(line, length);
		line += length;
	}
}
