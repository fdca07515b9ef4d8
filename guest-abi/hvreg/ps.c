/* SPDX-License-Identifier: BSD-2-Clause */
/* hvreg ps: the protected processes, as the hypervisor counts them. */
#include <inttypes.h>
#include <stdio.h>
#include <carrel/hypercall.h>
#include "commands.h"
#include "device.h"
#include "json.h"
#include "options.h"
#include "text.h"

static const char help[] =
"usage: hvreg ps [--json]\n"
"\n"
"Lists the protected processes: the hypervisor's number (hexadecimal, as in its\n"
"log), state, threads, memory in MiB, system calls, other exits, and the first\n"
"half of the identity.\n"
"\n"
"  --json   one list, with whole identities\n";

struct row {
	uint64_t id, threads, chunks, ocalls, exits;
	const char *state;
	char identity[HEX_IDENTITY];
};

static const char *state_name(uint64_t state)
{
	switch (state) {
	case CARREL_PROCESS_NEW:
		return "new";
	case CARREL_PROCESS_READY:
		return "ready";
	case CARREL_PROCESS_DEAD:
		return "dead";
	}
	return "unknown";
}

/* False past the last table slot. row->id is 0 for an empty one. */
static bool read_row(int device, uint64_t index, struct row *row)
{
	uint64_t value[6];

	if (!device_info(device, CARREL_INFO_PROCESS, index, 0, value))
		return false;
	*row = (struct row){
		.id = value[0],
		.state = state_name(value[1]),
		.threads = value[2],
		.chunks = value[3],
		.ocalls = value[4],
		.exits = value[5],
	};
	/* It may have ended meanwhile, and has none before INIT. */
	if (row->id && device_info(device, CARREL_INFO_IDENTITY, row->id, 0, value))
		text_hex(row->identity, value);
	return true;
}

static void print_row(const struct row *row)
{
	printf("%6" PRIx64 "  %-9s %7" PRIu64 " %6" PRIu64 " %10" PRIu64 " %10" PRIu64 "  %.32s\n",
	       row->id, row->state, row->threads, row->chunks * 2, row->ocalls, row->exits,
	       row->identity);
}

static void print_row_json(struct json *json, const struct row *row)
{
	json_object(json, NULL);
	json_number(json, "process", row->id);
	json_string(json, "state", row->state);
	json_number(json, "threads", row->threads);
	json_number(json, "memory_mib", row->chunks * 2);
	json_number(json, "ocalls", row->ocalls);
	json_number(json, "exits", row->exits);
	json_string(json, "identity", row->identity);
	json_object_end(json);
}

int ps_command(int argc, char **argv)
{
	struct json json = { .stream = stdout };
	struct options options;
	struct row row;
	uint64_t i;
	int device;

	(void)argc;
	options_parse(&options, OPTION_JSON, help, argv);
	options_no_operands(&options, argv[0]);
	device = device_open();
	if (options.json)
		json_list(&json, NULL);
	else
		printf("%6s  %-9s %7s %6s %10s %10s  %s\n", "ID", "STATE", "THREADS", "MIB",
		       "CALLS", "EXITS", "IDENTITY");
	for (i = 0; read_row(device, i, &row); i++) {
		if (!row.id)
			continue;
		if (options.json)
			print_row_json(&json, &row);
		else
			print_row(&row);
	}
	if (options.json) {
		json_list_end(&json);
		putchar('\n');
	}
	return text_done();
}
