/* SPDX-License-Identifier: BSD-2-Clause */
#include <boot/options.h>

#include "test.h"

static struct options options;
static char warnings[1024];

static void warn(const char *word, size_t length)
{
	size_t used = strlen(warnings);

	snprintf(warnings + used, sizeof(warnings) - used, "%.*s\n", (int)length, word);
}

static void parse(const char *line)
{
	warnings[0] = '\0';
	options_parse(&options, line, warn);
}

static void test_defaults(void)
{
	parse("");
	CHECK_EQ(options.serial, 0x3F8);
	CHECK_EQ(options.sipi, SIPI_AUTO);
	CHECK(options.screen && !options.apic_trap && !options.cpuid_hv &&
	      !options.fallback_bare && !options.require_dma);
	CHECK_EQ(strlen(warnings), 0);
}

static void test_all(void)
{
	parse("  serial=com2 screen=off\tsipi=native apic=trap cpuid=hv fallback=bare require=dma ");
	CHECK_EQ(options.serial, 0x2F8);
	CHECK_EQ(options.sipi, SIPI_NATIVE);
	CHECK(!options.screen && options.apic_trap && options.cpuid_hv && options.fallback_bare &&
	      options.require_dma);
	CHECK_EQ(strlen(warnings), 0);
	parse("sipi=native sipi=trap apic=trap apic=auto fallback=bare fallback=halt");
	CHECK_EQ(options.sipi, SIPI_TRAP);
	CHECK(!options.apic_trap && !options.fallback_bare);
}

static void test_ports(void)
{
	static const struct { const char *line; u16 port; bool good; } ports[] = {
		{ "serial=none", 0, true }, { "serial=com1", 0x3F8, true },
		{ "serial=com3", 0x3E8, true }, { "serial=com4", 0x2E8, true },
		{ "serial=0x2f0", 0x2F0, true }, { "serial=0xFFF8", 0xFFF8, true },
		{ "serial=0xFFF9", 0x3F8, false }, { "serial=0x10000", 0x3F8, false },
		{ "serial=0x", 0x3F8, false }, { "serial=0x0", 0x3F8, false },
		{ "serial=0xg", 0x3F8, false }, { "serial=com5", 0x3F8, false },
		{ "serial=com0", 0x3F8, false }, { "serial=", 0x3F8, false },
		{ "serial", 0x3F8, false }, { "serial=zz2f8", 0x3F8, false }, { "serial=com11", 0x3F8, false },
	};

	for (u32 i = 0; i < ARRAY_SIZE(ports); i++) {
		parse(ports[i].line);
		CHECK_EQ(options.serial, ports[i].port);
		CHECK(ports[i].good == !strlen(warnings));
	}
}

static void test_unknown(void)
{
	parse("colour=red sipi=maybe = sip=trap require= quiet");
	CHECK(!strcmp(warnings,
		      "colour=red\n"
		      "sipi=maybe\n"
		      "=\n"
		      "sip=trap\n"
		      "require=\n"
		      "quiet\n"));
	CHECK_EQ(options.sipi, SIPI_AUTO);
	CHECK(!options.require_dma);
}

static void try_hash(const char *name, const u16 *has, const u8 *hash)
{
	static const char digits[] =
		"00123456789abcdefABCDEF0000000000000000000000000000000000000000f";
	char line[128];

	snprintf(line, sizeof(line), "%s%s tboot=0x80000 require=dma", name, digits);
	parse(line);
	CHECK(*has && options.require_dma && !strlen(warnings));
	CHECK(hash[1] == 0x12 && hash[8] == 0xFA && hash[31] == 0x0F);
	for (size_t i = strlen(name); i < strlen(name) + 64; i++) {
		snprintf(line, sizeof(line), "%s%s", name, digits);
		line[i] = i % 2 ? 'g' : '/';
		parse(line);
		CHECK(!*has && strlen(warnings));
	}
	snprintf(line, sizeof(line), "%s%s0", name, digits);
	parse(line);
	CHECK(!*has && strlen(warnings));
	snprintf(line, sizeof(line), "%s%.62s", name, digits);
	parse(line);
	CHECK(!*has && strlen(warnings));
}

static void test_hashes(void)
{
	try_hash("origin=", &options.has_origin, options.origin);
	CHECK(!options.has_update_key);
	try_hash("update-key=", &options.has_update_key, options.update_key);
	CHECK(!options.has_origin);
	parse("tboot=");
	CHECK(strlen(warnings));
}

const struct test options_tests[] = {
	{ "options: defaults", test_defaults },
	{ "options: every one, the last wins", test_all },
	{ "options: serial ports", test_ports },
	{ "options: what is unknown is reported", test_unknown },
	{ "options: the platform key's", test_hashes },
	{ 0 }
};
