/* SPDX-License-Identifier: BSD-2-Clause */
/* Frame of the hosted tests of drivers/tpm: checks, a clock, a TPM's registers as PTP has them,
 * and who answers the commands that come through them. */
#ifndef TEST_TPM_H
#define TEST_TPM_H

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <drivers/tpm/tpm.h>

/* A failed check is printed and ends the running test. */
#define CHECK(condition) check((condition), __FILE__, __LINE__, #condition)
#define CHECK_EQ(a, b) check_eq((u64)(a), (u64)(b), __FILE__, __LINE__, #a " == " #b)

void check(bool good, const char *file, int line, const char *what);
void check_eq(u64 a, u64 b, const char *file, int line, const char *what);

struct test {
	const char *name;
	void (*run)(void);
};
/* Ended by an entry without a name. */
extern const struct test transport_tests[], swtpm_tests[];

enum interface { FIFO, CRB };

/* Where a model stops doing what it should, for ever. */
enum hang {
	NONE, REG_VALID, GRANT, READY, STS_VALID_NEVER, BURST, EXPECT_NEVER, EXPECT_ALWAYS,
	DATA, DATA_STOPS, IDLE, START,
};

struct model {
	enum interface interface;
	enum hang hang;
	bool all_ones, all_zeros;	/* no TPM: what reads give */
	u32 interface_id, capability;	/* registers */
	u32 burst;			/* the count told; FIFO */
	bool burst_gaps;		/* zero every other time */
	u32 extra;			/* bytes more than the response has */
	u32 fatal;			/* CRB: tpmSts */
	u64 buffer;			/* CRB: where, how large */
	u32 buffer_size;
	u64 response_at;		/* what it tells of the response's, if not 0 */
	u32 response_size;
	bool apart;			/* and it is there, where a buffer may be */
	u32 (*execute)(u32 locality, const u8 *command, u32 size, u8 *response);
	/* What is going on. */
	u32 active;			/* locality, or NO_LOCALITY */
	bool ready, busy, cancelled, gap;
	u32 got, expected, sent, have;
	u32 strays;			/* accesses that no rule allows */
	u32 commands;			/* executed */
	u64 now;
	u8 command[4096], response[4096], memory[0x5000];
};
#define NO_LOCALITY 99U
extern struct model model;

void model_reset(enum interface interface);
u64 model_clock(void);

/* A real TPM 2.0 in software: started for the first test that wants it. */
void swtpm_start(void);
/* Before that: its memory is in this folder, and stays. */
void swtpm_keep(const char *state);
/* As the machine does: PCRs begin anew, NV memory stays. */
void swtpm_restart(void);
u32 swtpm_execute(u32 locality, const u8 *command, u32 size, u8 *response);
void swtpm_stop(void);

extern struct tpm tpm;
/* At locality 0, over the model as it is. */
void tpm_open(void);

#endif
