/* SPDX-License-Identifier: BSD-2-Clause */
/* The registers of a TPM, FIFO and CRB, with a command behind them that runs at once. */
#include "test.h"

#include <base/mmio.h>

struct model model;

void model_reset(enum interface interface)
{
	model = (struct model){
		.interface = interface,
		.interface_id = interface == CRB ? 0x101 : 0,
		.capability = 3U << 28,
		.burst = 64,
		.buffer = TPM_BASE + 0x80,
		.buffer_size = 0xF80,
		.active = NO_LOCALITY,
	};
}

/* Ten microseconds a look. */
u64 model_clock(void)
{
	return model.now += 10;
}

static void run(void)
{
	model.commands++;
	model.sent = 0;
	model.have = model.execute(model.active, model.command, model.got, model.response);
	memset(model.response + model.have, 0xEE, sizeof(model.response) - model.have);
	model.have += model.extra;
}

/* --- FIFO --------------------------------------------------------------------------------- */

static u32 command_size(void)
{
	return model.got < 6 ? 4096 : (u32)model.command[4] << 8 | model.command[5];
}

static u32 fifo_status(void)
{
	u32 burst = model.burst, value = 0x80;
	u32 stop = model.have < 12 ? model.have : 12;

	model.gap = !model.gap;
	if (model.hang == BURST || (model.burst_gaps && model.gap))
		burst = 0;
	if (model.hang == DATA_STOPS && model.have)
		burst = stop - model.sent;
	if (model.hang == STS_VALID_NEVER)
		value = 0;
	if (model.ready && model.hang != READY)
		value |= 0x40;
	if (model.got && !model.have &&
	    (model.got < command_size() || model.hang == EXPECT_ALWAYS) &&
	    model.hang != EXPECT_NEVER)
		value |= 0x08;
	if (model.sent < (model.hang == DATA_STOPS ? stop : model.have) && model.hang != DATA)
		value |= 0x10;
	return value | burst << 8 | 1U << 26;
}

static u32 fifo_read(u32 locality, u32 at)
{
	if (at == 0x00)
		return (model.hang == REG_VALID ? 0 : 0x80) |
			(model.active == locality ? 0x20 : 0);
	if (at == 0x14)
		return model.capability;
	if (at == 0x30)
		return model.interface_id;
	if (model.active != locality)
		return 0xFFFFFFFF;
	if (at == 0x18)
		return fifo_status();
	if (at == 0x24 && model.sent < model.have)
		return model.response[model.sent++];
	model.strays++;
	return 0xFF;
}

static void fifo_status_write(u32 value)
{
	if (value == 0x40) {
		model.ready = true;
		model.got = model.sent = model.have = 0;
	} else if (value == 0x20 && model.got && model.got == command_size()) {
		run();
	} else {
		model.strays++;
	}
}

static void fifo_write(u32 locality, u32 at, u32 value)
{
	if (at == 0x00) {
		if (value == 0x02 && model.active == NO_LOCALITY && model.hang != GRANT)
			model.active = locality;
		if (value == 0x20 && model.active == locality)
			model.active = NO_LOCALITY;
	} else if (model.active == locality && at == 0x18) {
		fifo_status_write(value);
	} else if (model.active == locality && at == 0x24 && model.ready | model.got &&
		   model.got < command_size()) {
		model.ready = false;
		model.command[model.got++] = (u8)value;
	} else {
		model.strays++;
	}
}

/* --- CRB ---------------------------------------------------------------------------------- */

static u32 crb_read(u32 locality, u32 at)
{
	u64 response = model.response_at ? model.response_at : model.buffer;

	switch (at) {
	case 0x00:
		return (model.hang == REG_VALID ? 0 : 0x80) |
			(model.active == NO_LOCALITY ? 0 : 2 | model.active << 2);
	case 0x0C:
		return model.active == locality;
	case 0x30:
		return model.interface_id;
	case 0x40:
		return model.hang == READY ? 1 : model.hang == IDLE ? 2 : 0;
	case 0x44:
		return model.fatal | (model.ready ? 0 : 2);
	case 0x4C:
		return model.busy;
	case 0x58:
		return model.buffer_size;
	case 0x5C:
		return (u32)model.buffer;
	case 0x60:
		return (u32)(model.buffer >> 32);
	case 0x64:
		return model.response_at ? model.response_size : model.buffer_size;
	case 0x68:
		return (u32)response;
	case 0x6C:
		return (u32)(response >> 32);
	}
	model.strays++;
	return 0xFFFFFFFF;
}

static void crb_start(void)
{
	u8 *buffer = model.memory + (model.buffer - TPM_BASE);

	if (model.hang == START) {
		model.busy = true;
		return;
	}
	memcpy(model.command, buffer, model.buffer_size);
	model.got = 6;
	model.got = command_size();
	run();
	if (model.apart)
		buffer = model.memory + (model.response_at - TPM_BASE);
	/* what was there stays behind a shorter response */
	memcpy(buffer, model.response, model.have < model.buffer_size ? model.have : model.buffer_size);
}

static void crb_write(u32 locality, u32 at, u32 value)
{
	if (at == 0x08 && value == 1) {
		if (model.active == NO_LOCALITY && model.hang != GRANT)
			model.active = locality;
	} else if (at == 0x08 && value == 2) {
		if (model.active == locality)
			model.active = NO_LOCALITY;
	} else if (model.active != locality) {
		model.strays++;
	} else if (at == 0x40) {
		model.ready = value == 1;
	} else if (at == 0x48) {
		model.cancelled |= value;
	} else if (at == 0x4C && value == 1 && model.ready) {
		crb_start();
	} else {
		model.strays++;
	}
}

/* --- Both --------------------------------------------------------------------------------- */

static bool in_buffer(u64 pa)
{
	u32 size = model.apart ? 0xF80 : model.buffer_size;

	return model.interface == CRB && (pa & 0xFFF) >= 0x80 && pa >= model.buffer &&
		pa < model.buffer + size && pa < TPM_BASE + sizeof(model.memory);
}

static u32 read_register(u64 pa)
{
	u32 locality = (u32)(pa - TPM_BASE) >> 12, at = pa & 0xFFF;

	CHECK(pa >= TPM_BASE && pa < TPM_BASE + TPM_LOCALITIES * TPM_LOCALITY_SIZE);
	if (model.all_ones || model.all_zeros)
		return model.all_ones ? 0xFFFFFFFF : 0;
	if (in_buffer(pa))
		return model.memory[pa - TPM_BASE];
	return model.interface == FIFO ? fifo_read(locality, at) : crb_read(locality, at);
}

static void write_register(u64 pa, u32 value)
{
	u32 locality = (u32)(pa - TPM_BASE) >> 12, at = pa & 0xFFF;

	CHECK(pa >= TPM_BASE && pa < TPM_BASE + TPM_LOCALITIES * TPM_LOCALITY_SIZE);
	if (model.all_ones || model.all_zeros)
		return;
	if (in_buffer(pa))
		model.memory[pa - TPM_BASE] = (u8)value;
	else if (model.interface == FIFO)
		fifo_write(locality, at, value);
	else
		crb_write(locality, at, value);
}

u8 mmio_read8(u64 pa)
{
	return (u8)read_register(pa);
}

u32 mmio_read32(u64 pa)
{
	CHECK(pa % 4 == 0);
	return read_register(pa);
}

void mmio_write32(u64 pa, u32 value)
{
	CHECK(pa % 4 == 0);
	write_register(pa, value);
}

void mmio_store(u64 pa, u8 size, u32 value)
{
	CHECK_EQ(size, 1);
	write_register(pa, value);
}
