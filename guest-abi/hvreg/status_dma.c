/* SPDX-License-Identifier: BSD-2-Clause */
/* hvreg status: protection from devices. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <carrel/hypercall.h>
#include "device.h"
#include "dma.h"

#define REQUESTER_OTHERS	0xFFFF	/* all that found no row of their own */
#define REQUESTER_TEXT		8	/* BB:DD.F and the NUL */

struct unit {
	uint64_t registers, features[2], flushes;
	unsigned int segment, msi;
};

struct row {
	uint64_t faults, address;
	unsigned int code;
	bool write;
	char requester[REQUESTER_TEXT];
};

static bool read_unit(int device, uint64_t index, struct unit *unit)
{
	uint64_t value[6];

	if (!device_info(device, CARREL_INFO_DMA_UNIT, index, 0, value))
		return false;
	*unit = (struct unit){
		.registers = value[0],
		.segment = value[1] & 0xFFFF,
		.msi = value[1] >> 16,
		.features = { value[2], value[3] },
		.flushes = value[4],
	};
	return true;
}

/* False past the last; row->faults is 0 where the table is empty. */
static bool read_row(int device, uint64_t index, struct row *row)
{
	uint64_t value[6];
	unsigned int requester;

	if (!device_info(device, CARREL_INFO_DMA_FAULTS, index, 0, value))
		return false;
	*row = (struct row){
		.faults = value[1],
		.address = value[2],
		.code = value[3] & 0xFF,
		.write = value[3] >> 8 & 1,
	};
	requester = value[0] & 0xFFFF;
	if (requester == REQUESTER_OTHERS)
		strcpy(row->requester, "others");
	else
		snprintf(row->requester, sizeof(row->requester), "%02x:%02x.%x", requester >> 8,
			 requester >> 3 & 31, requester & 7);
	return true;
}

static const char *msi_text(unsigned int msi)
{
	static const char *const texts[] = {
		[CARREL_MSI_ANY] = "any pass",
		[CARREL_MSI_COMPATIBLE] = "no remappable format",
		[CARREL_MSI_FIXED] = "fixed only",
	};

	return msi < sizeof(texts) / sizeof(*texts) ? texts[msi] : "unknown";
}

static const char *plural(uint64_t count)
{
	return count == 1 ? "" : "s";
}

static void print_state(const struct dma *dma)
{
	switch (dma->state) {
	case CARREL_DMA_PROTECTED:
		printf("DMA        protected by %s, %" PRIu64 " unit%s; %" PRIu64 " slot%s admitted, %"
		       PRIu64 " fault%s%s\n", dma->driver, dma->units, plural(dma->units),
		       dma->slots, plural(dma->slots), dma->faults, plural(dma->faults),
		       dma->lost ? ", and more that a unit had no room for" : "");
		return;
	case CARREL_DMA_LOST:
		printf("DMA        LOST: %s; nothing new is protected\n", dma->reason);
		return;
	}
	printf("DMA        UNPROTECTED: %s\n", dma->reason);
}

void dma_print(int device, const struct dma *dma)
{
	struct unit unit;
	uint64_t i;

	print_state(dma);
	for (i = 0; read_unit(device, i, &unit); i++)
		printf("  unit     registers %" PRIX64 "h, segment %u, interrupts: %s, %" PRIu64
		       " flush%s\n", unit.registers, unit.segment, msi_text(unit.msi),
		       unit.flushes, unit.flushes == 1 ? "" : "es");
}

void dma_print_faults(int device)
{
	bool any = false;
	struct row row;
	uint64_t i;

	for (i = 0; read_row(device, i, &row); i++) {
		if (!row.faults)
			continue;
		if (!any)
			printf("\n%-24s %12s %18s %5s  %s\n", "DMA FAULTS OF", "TOTAL",
			       "LAST ADDRESS", "CODE", "ACCESS");
		any = true;
		printf("%-24s %12" PRIu64 " %17" PRIX64 "h %4Xh  %s\n", row.requester, row.faults,
		       row.address, row.code, row.write ? "write" : "read");
	}
}

/* Features are 64 bits, which some readers of JSON do not keep in a number. */
static void print_unit_json(struct json *json, const struct unit *unit)
{
	unsigned int i;
	char text[17];

	json_object(json, NULL);
	json_number(json, "registers", unit->registers);
	json_number(json, "segment", unit->segment);
	json_string(json, "interrupts", msi_text(unit->msi));
	json_list(json, "features");
	for (i = 0; i < 2; i++) {
		snprintf(text, sizeof(text), "%" PRIx64, unit->features[i]);
		json_string(json, NULL, text);
	}
	json_list_end(json);
	json_number(json, "flushes", unit->flushes);
	json_object_end(json);
}

static void print_row_json(struct json *json, const struct row *row)
{
	json_object(json, NULL);
	json_string(json, "requester", row->requester);
	json_number(json, "faults", row->faults);
	json_number(json, "last_address", row->address);
	json_number(json, "last_code", row->code);
	json_string(json, "last_access", row->write ? "write" : "read");
	json_object_end(json);
}

void dma_print_json(int device, struct json *json, const struct dma *dma)
{
	struct unit unit;
	struct row row;
	uint64_t i;

	json_string(json, "dma", dma_state(dma));
	json_object(json, "dma_detail");
	json_string(json, "reason", dma->reason);
	json_string(json, "driver", dma->driver);
	json_number(json, "slots_admitted", dma->slots);
	json_number(json, "faults_seen", dma->faults);
	json_number(json, "faults_lost", dma->lost);
	json_list(json, "units");
	for (i = 0; read_unit(device, i, &unit); i++)
		print_unit_json(json, &unit);
	json_list_end(json);
	json_list(json, "faults");
	for (i = 0; read_row(device, i, &row); i++)
		if (row.faults)
			print_row_json(json, &row);
	json_list_end(json);
	json_object_end(json);
}
