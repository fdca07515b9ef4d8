/* SPDX-License-Identifier: BSD-2-Clause */
/* hvreg status: what the hypervisor tells of itself. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <carrel/hypercall.h>
#include "commands.h"
#include "device.h"
#include "dma.h"
#include "fail.h"
#include "json.h"
#include "launched.h"
#include "options.h"
#include "text.h"

static const char help[] =
"usage: hvreg status [--json]\n"
"\n"
"Tells the hypervisor's version and back end, the memory it took and was given,\n"
"the state of the launch and of the machine's protection, the accesses it\n"
"refused, and how often each CPU left the guest, by reason.\n"
"\n"
"  --json   one object\n";

#define CPUS_MAX	1024
#define REASONS_MAX	64
#define REASON_NAME	25

struct counters {
	unsigned int cpus, reasons;
	char names[REASONS_MAX][REASON_NAME];
	uint64_t (*exits)[REASONS_MAX];		/* of each CPU */
};

struct status {
	uint64_t version[6], memory[6], refused[6], platform[6];	/* INFO, in its order */
	char version_text[9], backend[9];
	uint32_t online, known;
	struct told launched;
	struct dma dma;
	struct counters counters;
};

static void info(int device, uint64_t what, uint64_t value[6])
{
	if (!device_info(device, what, 0, 0, value))
		fail(EXIT_OWN, "install hvreg, carrel.ko and carrel.elf of one build",
		     "the hypervisor does not know INFO %" PRIu64, what);
}

static void read_reasons(int device, struct counters *counters)
{
	uint64_t value[6];
	unsigned int i;

	for (i = 0; i < REASONS_MAX; i++) {
		if (!device_info(device, CARREL_INFO_REASON, i, 0, value))
			break;
		text_of_registers(counters->names[i], value, 3);
	}
	counters->reasons = i;
}

/* Six counters a call. A CPU that the firmware listed and that never came has none: zeros. */
static void read_exits(int device, unsigned int cpu, struct counters *counters)
{
	uint64_t value[6];
	unsigned int i;

	for (i = 0; i < counters->reasons; i++) {
		if (i % 6 == 0 && !device_info(device, CARREL_INFO_EXITS, cpu, i, value))
			return;
		counters->exits[cpu][i] = value[i % 6];
	}
}

static void read_status(int device, struct status *status)
{
	struct counters *counters = &status->counters;
	unsigned int i;

	info(device, CARREL_INFO_VERSION, status->version);
	info(device, CARREL_INFO_MEMORY, status->memory);
	info(device, CARREL_INFO_REFUSED, status->refused);
	info(device, CARREL_INFO_PLATFORM, status->platform);
	text_of_registers(status->version_text, &status->version[1], 1);
	text_of_registers(status->backend, &status->version[2], 1);
	status->online = status->version[3];
	status->known = status->version[3] >> 32;
	launched_read(device, &status->launched);
	dma_read(device, &status->dma);
	read_reasons(device, counters);
	counters->cpus = status->known < CPUS_MAX ? status->known : CPUS_MAX;
	counters->exits = calloc(counters->cpus ? counters->cpus : 1, sizeof(*counters->exits));
	if (!counters->exits)
		fail(EXIT_OWN, NULL, "out of memory");
	for (i = 0; i < counters->cpus; i++)
		read_exits(device, i, counters);
}

static const char *init_text(uint64_t value)
{
	static const char *const texts[] = { "not intercepted", "trapped", "native" };

	return value < sizeof(texts) / sizeof(*texts) ? texts[value] : "unknown";
}

static uint64_t total(const struct counters *counters, unsigned int reason)
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < counters->cpus; i++)
		sum += counters->exits[i][reason];
	return sum;
}

static void print_exits(const struct counters *counters)
{
	unsigned int i, cpu;
	char head[16];

	printf("\n%-24s %12s", "EXITS", "TOTAL");
	for (cpu = 0; cpu < counters->cpus; cpu++) {
		snprintf(head, sizeof(head), "CPU %u", cpu);
		printf(" %12s", head);
	}
	putchar('\n');
	for (i = 0; i < counters->reasons; i++) {
		if (!counters->names[i][0])
			continue;
		printf("%-24s %12" PRIu64, counters->names[i], total(counters, i));
		for (cpu = 0; cpu < counters->cpus; cpu++)
			printf(" %12" PRIu64, counters->exits[cpu][i]);
		putchar('\n');
	}
}

static void print(int device, const struct status *status)
{
	const uint64_t *memory = status->memory, *refused = status->refused;
	const uint64_t *platform = status->platform;

	printf("version    %s (ABI %" PRIu64 ")\n", status->version_text, status->version[0]);
	printf("back end   %s\n", status->backend);
	printf("CPUs       %u online, %u known\n", status->online, status->known);
	printf("memory     %" PRIu64 " KiB taken at %" PRIX64 "h\n", memory[1] >> 10, memory[0]);
	printf("donated    %" PRIu64 " MiB of %" PRIu64 "; %" PRIu64 " KiB lent as channels\n",
	       memory[2] * 2, memory[3] * 2, memory[4] * 64);
	launched_print(&status->launched);
	dma_print(device, &status->dma);
	printf("INIT       %s\n", init_text(platform[0]));
	printf("APIC trap  %s\n", platform[2] ? "armed" : "off");
	printf("refused    %" PRIu64 " reads, %" PRIu64 " writes, %" PRIu64 " fetches, %" PRIu64
	       " MSR and port accesses, %" PRIu64 " hypercalls\n",
	       refused[0], refused[1], refused[2], refused[3], refused[4]);
	dma_print_faults(device);
	print_exits(&status->counters);
}

static void print_exits_json(struct json *json, const struct counters *counters)
{
	unsigned int i, cpu;

	json_list(json, "exits");
	for (cpu = 0; cpu < counters->cpus; cpu++) {
		json_object(json, NULL);
		for (i = 0; i < counters->reasons; i++)
			if (counters->names[i][0])
				json_number(json, counters->names[i], counters->exits[cpu][i]);
		json_object_end(json);
	}
	json_list_end(json);
}

static void print_json(int device, const struct status *status)
{
	static const char *const memory_names[] = {
		"base", "size", "chunks_donated", "chunks_of_ram", "blocks_lent",
	};
	static const char *const refused_names[] = {
		"reads", "writes", "fetches", "msrs_and_ports", "hypercalls",
	};
	struct json json = { .stream = stdout };
	unsigned int i;

	json_object(&json, NULL);
	json_string(&json, "version", status->version_text);
	json_number(&json, "abi", status->version[0]);
	json_string(&json, "backend", status->backend);
	json_number(&json, "cpus_online", status->online);
	json_number(&json, "cpus_known", status->known);
	launched_print_json(&json, &status->launched);
	dma_print_json(device, &json, &status->dma);
	json_string(&json, "init", init_text(status->platform[0]));
	json_bool(&json, "apic_trap", status->platform[2]);
	json_object(&json, "memory");
	for (i = 0; i < 5; i++)
		json_number(&json, memory_names[i], status->memory[i]);
	json_object_end(&json);
	json_object(&json, "refused");
	for (i = 0; i < 5; i++)
		json_number(&json, refused_names[i], status->refused[i]);
	json_object_end(&json);
	print_exits_json(&json, &status->counters);
	json_object_end(&json);
	putchar('\n');
}

int status_command(int argc, char **argv)
{
	static struct status status;
	struct options options;
	int device;

	(void)argc;
	options_parse(&options, OPTION_JSON, help, argv);
	options_no_operands(&options, argv[0]);
	device = device_open();
	read_status(device, &status);
	if (options.json)
		print_json(device, &status);
	else
		print(device, &status);
	return text_done();
}
