/* SPDX-License-Identifier: BSD-2-Clause */
/* Options are a table of names; each sets its field or says no. */
#include <string.h>

#include <boot/options.h>

#define PORT_MAX	0xFFF8U		/* eight registers */

struct word {
	const char *text;
	size_t length;
};

static bool equals(struct word word, const char *text)
{
	return word.length == strlen(text) && !memcmp(word.text, text, word.length);
}

/* "0x" and one to four hexadecimal digits; 0 if it is no port. */
static u16 parse_port(struct word value)
{
	u32 port = 0;

	if (value.length < 3 || value.length > 6 || memcmp(value.text, "0x", 2))
		return 0;
	for (size_t i = 2; i < value.length; i++) {
		char c = value.text[i];

		if (c >= '0' && c <= '9')
			port = port * 16 + (u32)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			port = port * 16 + (u32)((c | 0x20) - 'a' + 10);
		else
			return 0;
	}
	return port <= PORT_MAX ? (u16)port : 0;
}

static bool set_serial(struct options *options, struct word value)
{
	static const u16 com[] = { 0x3F8, 0x2F8, 0x3E8, 0x2E8 };
	u16 port = 0;

	if (equals(value, "none")) {
		options->serial = 0;
		return true;
	}
	if (value.length == 4 && !memcmp(value.text, "com", 3) && value.text[3] >= '1' &&
	    value.text[3] <= '4')
		port = com[value.text[3] - '1'];
	else
		port = parse_port(value);
	if (port)
		options->serial = port;
	return port != 0;
}

static bool set_sipi(struct options *options, struct word value)
{
	if (equals(value, "auto"))
		options->sipi = SIPI_AUTO;
	else if (equals(value, "trap"))
		options->sipi = SIPI_TRAP;
	else if (equals(value, "native"))
		options->sipi = SIPI_NATIVE;
	else
		return false;
	return true;
}

static bool set_choice(bool *choice, struct word value, const char *no, const char *yes)
{
	if (!equals(value, no) && !equals(value, yes))
		return false;
	*choice = equals(value, yes);
	return true;
}

static bool set_screen(struct options *options, struct word value)
{
	return set_choice(&options->screen, value, "off", "on");
}

static bool set_apic(struct options *options, struct word value)
{
	return set_choice(&options->apic_trap, value, "auto", "trap");
}

static bool set_cpuid(struct options *options, struct word value)
{
	return set_choice(&options->cpuid_hv, value, "auto", "hv");
}

static bool set_fallback(struct options *options, struct word value)
{
	return set_choice(&options->fallback_bare, value, "halt", "bare");
}

static bool set_require(struct options *options, struct word value)
{
	if (!equals(value, "dma"))
		return false;
	options->require_dma = true;
	return true;
}

static const struct {
	const char *name;
	bool (*set)(struct options *options, struct word value);
	const char *expected;
} known[] = {
	{ "serial", set_serial, "expected serial=com1, com2, com3, com4, 0xPORT or none" },
	{ "screen", set_screen, "expected screen=on or off" },
	{ "sipi", set_sipi, "expected sipi=auto, trap or native" },
	{ "apic", set_apic, "expected apic=auto or trap" },
	{ "cpuid", set_cpuid, "expected cpuid=auto or hv" },
	{ "fallback", set_fallback, "expected fallback=halt or bare" },
	{ "require", set_require, "expected require=dma" },
};

/* NULL, or why the word was not understood. */
static const char *set(struct options *options, struct word word)
{
	const char *equal = memchr(word.text, '=', word.length);
	struct word name = { word.text, equal ? (size_t)(equal - word.text) : word.length };
	struct word value = { "", 0 };

	if (equal)
		value = (struct word){ equal + 1, word.length - name.length - 1 };
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (equals(name, known[i].name))
			return known[i].set(options, value) ? NULL : known[i].expected;
	return "unknown option";
}

void options_parse(struct options *options, const char *line,
		   void (*warn)(const char *word, size_t length, const char *why))
{
	*options = (struct options){ .serial = 0x3F8, .screen = true };
	for (;;) {
		struct word word;
		const char *why;

		line += strspn(line, " \t");
		word = (struct word){ line, strcspn(line, " \t") };
		if (!word.length)
			return;
		why = set(options, word);
		if (why)
			warn(word.text, word.length, why);
		line += word.length;
	}
}
