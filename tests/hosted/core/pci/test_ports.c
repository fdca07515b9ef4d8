/* SPDX-License-Identifier: BSD-2-Clause */
/* Configuration by CF8h and CFCh, as a guest tries it. */
#include "model.h"

#include <pthread.h>
#include <sched.h>

#include <base/x86.h>

static const struct {
	u16 port;
	u8 size;
} data_writes[] = {
	{ 0xCFC, 1 }, { 0xCFD, 1 }, { 0xCFE, 1 }, { 0xCFF, 1 }, { 0xCFC, 2 }, { 0xCFD, 2 },
	{ 0xCFE, 2 }, { 0xCFC, 4 },
	/* across the edges */
	{ 0xCF9, 4 }, { 0xCFA, 4 }, { 0xCFB, 2 }, { 0xCFB, 4 }, { 0xCFD, 4 }, { 0xCFE, 4 },
	{ 0xCFF, 2 }, { 0xCFF, 4 },
};

static u32 expected(const u8 *space, u32 reg, u8 size)
{
	u32 value = 0;

	memcpy(&value, space + reg, size);
	return value;
}

static void writes_guarded(void)
{
	u32 reg = 0x60;

	for (size_t i = 0; i < ARRAY_SIZE(data_writes); i++) {
		u64 refused = stats.refused_registers;

		guest_out(0xCF8, 4, ADDRESS(GUARDED, reg));
		/* 0s in what meets CF9h, the reset register */
		CHECK(guest_out(data_writes[i].port, data_writes[i].size, 0x5A5A5A00));
		CHECK(config_same(GUARDED));
		CHECK_EQ(stats.refused_registers, refused + 1);
		CHECK_EQ(guest_lines, i + 1);
	}
	CHECK(!machine_ended);
}

static void writes_free(bool exit)
{
	for (size_t i = 0; i < ARRAY_SIZE(data_writes); i++) {
		u16 port = data_writes[i].port;
		u8 size = data_writes[i].size;

		memset(config(FREE), 0x77, 4096);
		guest_out(0xCF8, 4, ADDRESS(FREE, 0x60));
		CHECK_EQ(guest_out(port, size, 0x03020100), exit || port < 0xCFC);
		for (unsigned int b = 0; b < 4; b++) {
			bool hit = port <= 0xCFC + b && 0xCFC + b < port + size;

			CHECK_EQ(config(FREE)[0x60 + b], hit ? 0xCFC + b - port : 0x77);
		}
	}
	CHECK_EQ(stats.refused_registers, 0);
}

static void test_ecam_writes(void)
{
	model_start(true);
	writes_guarded();
}

static void test_ports_writes(void)
{
	model_start(false);
	writes_guarded();
}

static void test_ecam_free(void)
{
	model_start(true);
	writes_free(false);
}

static void test_ports_free(void)
{
	model_start(false);
	writes_free(true);
}

static void reads(u16 function, bool exit)
{
	for (u16 port = 0xCFC; port < 0xD00; port++) {
		for (u8 size = 1; size <= 4 && port + size <= 0xD00; size *= 2) {
			u32 value;

			guest_out(0xCF8, 4, ADDRESS(function, 0x84));
			CHECK_EQ(guest_in(port, size, &value), exit);
			CHECK_EQ(value, expected(config(function), 0x84 + port - 0xCFC, size));
			guest_in(0xCF8, 4, &value);
			CHECK_EQ(value, ADDRESS(function, 0x84));
		}
	}
}

static void test_reads(void)
{
	model_start(true);
	reads(GUARDED, true);
	reads(FREE, false);
	reads(GUARDED, true);
}

static void test_ports_reads(void)
{
	model_start(false);
	reads(GUARDED, true);
	reads(FREE, true);
}

/* With ECAM the hardware is never told of a guarded function. */
static void test_never_selected(void)
{
	model_start(true);
	guest_out(0xCF8, 4, ADDRESS(FREE, 0));
	guest_out(0xCF8, 4, ADDRESS(GUARDED, 0));
	CHECK_EQ(model_address, ADDRESS(FREE, 0));
	guest_out(0xCF8, 4, ADDRESS(GUARDED, 0x40) | 0x7F000000);
	CHECK_EQ(model_address, ADDRESS(FREE, 0));
}

/* Not enabled: CFCh is a port like others. */
static void disabled(void)
{
	u32 value;

	guest_out(0xCF8, 4, ADDRESS(GUARDED, 0x60) & 0x7FFFFFFF);
	guest_out(0xCFC, 4, 0x11223344);
	CHECK_EQ(model_port[0xCFE], 0x22);
	guest_in(0xCFC, 4, &value);
	CHECK_EQ(value, 0x11223344);
	guest_in(0xCF8, 4, &value);
	CHECK_EQ(value, ADDRESS(GUARDED, 0x60) & 0x7FFFFFFF);
	CHECK(config_same(GUARDED) && config_same(FREE));
	CHECK_EQ(stats.refused_registers, 0);
}

static void test_disabled(void)
{
	model_start(true);
	disabled();
}

static void test_ports_disabled(void)
{
	model_start(false);
	disabled();
}

/* AMD: bits 27:24 are of the register's number, not of the function's. */
static void extended(void)
{
	u32 value;

	guest_out(0xCF8, 4, ADDRESS(GUARDED, 0x44) | 0x5000000);
	guest_out(0xCFC, 4, 0);
	CHECK(config_same(GUARDED));
	CHECK_EQ(stats.refused_registers, 1);
	CHECK_EQ(guest_lines, 1);
	guest_in(0xCFC, 4, &value);
	CHECK_EQ(value, expected(config(GUARDED), 0x544, 4));
	guest_out(0xCF8, 4, ADDRESS(FREE, 0x44) | 0x5000000);
	guest_out(0xCFD, 1, 0xEE);
	CHECK_EQ(config(FREE)[0x545], 0xEE);
}

static void test_extended(void)
{
	model_start(true);
	extended();
}

static void test_ports_extended(void)
{
	model_start(false);
	extended();
}

/* Less than four bytes, or not at CF8h: an ordinary port, which selects nothing. */
static void test_partial_address(void)
{
	u32 value;

	model_start(true);
	guest_out(0xCF8, 4, ADDRESS(GUARDED, 0x60));
	CHECK(guest_out(0xCFB, 1, 1));
	CHECK(guest_out(0xCF8, 1, 0));
	CHECK(guest_out(0xCF8, 2, 0));
	CHECK(guest_out(0xCF7, 4, 0));
	CHECK_EQ(model_port[0xCFB], 1);
	guest_out(0xCFC, 4, 0);
	CHECK(config_same(GUARDED));
	guest_in(0xCF8, 4, &value);
	CHECK_EQ(value, ADDRESS(GUARDED, 0x60));
	guest_in(0xCFB, 1, &value);
	CHECK_EQ(value, 1);
}

/* Sizing BARs is dropped and not told. */
static void test_header(void)
{
	model_start(true);
	guest_out(0xCF8, 4, ADDRESS(GUARDED, 0x10));
	guest_out(0xCFC, 4, 0xFFFFFFFF);
	CHECK(config_same(GUARDED));
	CHECK_EQ(stats.refused_registers, 0);
	CHECK_EQ(guest_lines, 0);
}

static void test_string(void)
{
	const struct vt_exit exit = { .reason = VT_IO, .port = 0xCFC, .size = 4, .string = true };

	model_start(false);
	guest_out(0xCF8, 4, ADDRESS(GUARDED, 0x60));
	policy_io(&guest, &exit);
	CHECK_EQ(guest_injected, 13 + 1);
	CHECK(config_same(GUARDED));
}

/* A byte at CF9h resets the machine; the same bits as a part of an address do not. */
static void test_reset(void)
{
	model_start(true);
	guest_out(0xCF8, 4, ADDRESS(FREE, 0) | 0x600);
	guest_out(0xCF9, 1, 2);
	CHECK(!machine_ended);
	CHECK_EQ(model_port[0xCF9], 2);
	CHECK_EQ(model_address, ADDRESS(FREE, 0) | 0x600);
	guest_out(0xCF9, 1, 6);		/* ends in exit_reset() */
	CHECK(false);
	exit(1);
}

/* --- CPUs at one time -------------------------------------------------------------------- */

#define ROUNDS	20000

static bool stop;
static unsigned int written;

static void *selector(void *unused)
{
	u32 value;

	for (unsigned int i = 0; i < ROUNDS || __atomic_load_n(&written, __ATOMIC_RELAXED) < ROUNDS; i++) {
		guest_out(0xCF8, 4, ADDRESS(i & 1 ? GUARDED : FREE, 0x60));
		if (i & 1)
			guest_in(0xCFC, 4, &value);
		else
			sched_yield();
	}
	__atomic_store_n(&stop, true, __ATOMIC_SEQ_CST);
	return unused;
}

/* A CPU may have looked at the bitmap long before its write arrives. */
static void *writer(void *unused)
{
	while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {
		bool exits = guest_exits(0xCFC, 4);

		sched_yield();
		if (exits)
			guest_out(0xCFC, 4, 0x5A5A5A5A);
		else
			port_out(0xCFC, 4, 0x5A5A5A5A);
		__atomic_fetch_add(&written, 1, __ATOMIC_RELAXED);
	}
	return unused;
}

static void race(bool ecam)
{
	pthread_t threads[3];

	model_start(ecam);
	guest_out(0xCF8, 4, ADDRESS(FREE, 0x60));
	for (unsigned int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, i ? writer : selector, NULL);
	for (unsigned int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	CHECK(config_same(GUARDED));
	CHECK(!config_same(FREE));
}

static void test_race(void)
{
	race(true);
}

static void test_ports_race(void)
{
	race(false);
}

const struct test ports_tests[] = {
	{ "every write of a guarded function's data is dropped", test_ecam_writes },
	{ "the same without ECAM", test_ports_writes },
	{ "writes of other functions arrive, without an exit", test_ecam_free },
	{ "the same without ECAM, by exits", test_ports_free },
	{ "reads see what is there, and CF8h what was written", test_reads },
	{ "the same without ECAM", test_ports_reads },
	{ "CF8h never selects a guarded function", test_never_selected },
	{ "CFCh while CF8h is not enabled", test_disabled },
	{ "the same without ECAM", test_ports_disabled },
	{ "AMD's extended registers", test_extended },
	{ "the same without ECAM", test_ports_extended },
	{ "a part of CF8h selects nothing", test_partial_address },
	{ "writes of a header are dropped and not told", test_header },
	{ "OUTS is refused", test_string },
	{ "CF9h beside CF8h", test_reset },
	{ "CPUs that race for CF8h", test_race },
	{ "the same without ECAM", test_ports_race },
	{ 0 }
};
