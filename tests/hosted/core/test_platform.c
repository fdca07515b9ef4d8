/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The platform key: what it derives, for whom, and what it takes for a new measurement to get it.
 * Keys and the signature below were made by another implementation.
 */
#include "machine.h"

#include <pthread.h>
#include <unistd.h>

#include <base/phys.h>
#include <core/platform.h>
#include <core/withhold.h>

static const u8 update_key[CARREL_UPDATE_KEY] = {	/* RFC 6979, A.2.5 */
	0x60, 0xfe, 0xd4, 0xba, 0x25, 0x5a, 0x9d, 0x31, 0xc9, 0x61, 0xeb, 0x74, 0xc6, 0x35, 0x6d, 0x68,
	0xc0, 0x49, 0xb8, 0x92, 0x3b, 0x61, 0xfa, 0x6c, 0xe6, 0x69, 0x62, 0x2e, 0x60, 0xf2, 0x9f, 0xb6,
	0x79, 0x03, 0xfe, 0x10, 0x08, 0xb8, 0xbc, 0x99, 0xa4, 0x1a, 0xe9, 0xe9, 0x56, 0x28, 0xbc, 0x64,
	0xf2, 0xf1, 0xb2, 0x0c, 0x2d, 0x7e, 0x9f, 0x51, 0x77, 0xa3, 0xc2, 0x94, 0xd4, 0x46, 0x22, 0x99,
};
/* by it, of the update that good_update() makes */
static const u8 signature[64] = {
	0x60, 0x81, 0xdd, 0xc7, 0xf8, 0x29, 0xeb, 0xa0, 0x7e, 0xa2, 0xb0, 0x57, 0xd7, 0xc0, 0xe8, 0xc3,
	0x5b, 0xb1, 0x3a, 0xc6, 0x82, 0xa3, 0xc3, 0x6e, 0x69, 0x4d, 0x3e, 0x2c, 0x07, 0x0c, 0x81, 0x36,
	0x92, 0x52, 0x24, 0xb9, 0xfe, 0x89, 0x57, 0xec, 0x9d, 0x7f, 0x4a, 0xee, 0x25, 0xac, 0x2b, 0x4e,
	0x2c, 0xdf, 0x38, 0xb9, 0x5a, 0x39, 0xe3, 0x49, 0x9d, 0x05, 0xc9, 0xa6, 0xa6, 0xad, 0x84, 0x3f,
};
#define UPDATE_COUNTER	7
#define UPDATE_BYTE	0xD1	/* its digest is full of them */

static struct carrel_secret key_now;
static unsigned int reseals;
static s64 reseal_answer;
static u8 resealed_for[32];
static u64 resealed_counter;
static bool again;	/* another CPU asks meanwhile */

#define FRAME	13UL * 512

static bool cut_off;	/* the machine ends meanwhile */
static u32 sealing, sealed, forgotten, wipe_said;

static void forget(void)
{
	CHECK(!cut_off || __atomic_load_n(&sealed, __ATOMIC_SEQ_CST));
	forgotten++;
}

static void *end_machine(void *unused)
{
	while (!__atomic_load_n(&sealing, __ATOMIC_SEQ_CST))
		;
	wipe_said = platform_wipe();
	return unused;
}

static s64 reseal(const struct carrel_secret *secret, const u8 digest[32], u64 counter)
{
	reseals++;
	if (cut_off) {
		__atomic_store_n(&sealing, 1, __ATOMIC_SEQ_CST);
		usleep(100000);
		__atomic_store_n(&sealed, 1, __ATOMIC_SEQ_CST);
	}
	CHECK(!memcmp(secret, &key_now, sizeof(key_now)));
	memcpy(resealed_for, digest, sizeof(resealed_for));
	resealed_counter = counter;
	if (again)
		CHECK_EQ(kernel_call(&cpus[3], CARREL_HC_RESEAL, FRAME, 0, 0, 0), CARREL_EBUSY);
	return reseal_answer;
}

static void boot(u32 state, bool updatable)
{
	struct platform platform = { .state = state, .reason = "a test" };

	memset(&key_now, 0, sizeof(key_now));
	for (u8 i = 0; i < 32; i++) {
		key_now.seed[i] = 0x40 + i;
		platform.fingerprint[i] = 0xC0 + i;
		platform.pcr_digest[i] = 0xE0;
	}
	if (updatable)
		memcpy(key_now.update_key, update_key, sizeof(update_key));
	platform_boot(&platform, state == CARREL_LAUNCH_UNMEASURED ? NULL : &key_now, reseal,
		      forget);
	reseals = 0;
	reseal_answer = 0;
	again = false;
}

static void end(void)
{
	platform_wipe();
	boot(CARREL_LAUNCH_UNMEASURED, false);
}

/* --- Derivation ----------------------------------------------------------------------------- */

static const struct {
	u32 state, kind;
	u64 key[4];
} derived[] = {
	{ CARREL_LAUNCH_STATIC, CARREL_SEAL_SYMMETRIC,
	  { 0x8966b0e30ea64b46, 0xaf433a611944f237, 0x8133966e44a76a77, 0x0361f3f005191785 } },
	{ CARREL_LAUNCH_STATIC, CARREL_SEAL_X25519,
	  { 0x2dfa45f94c604dd7, 0xa25ccf2967a4e258, 0x11c4146e30c8da61, 0x04d728c07f197faf } },
	{ CARREL_LAUNCH_MEASURED, CARREL_SEAL_SYMMETRIC,
	  { 0xc76616c4cc64d881, 0x2b8d69ca51a1f1cf, 0x82dfd63a08a6f8f3, 0x2db89d5b0903caf7 } },
	{ CARREL_LAUNCH_MEASURED, CARREL_SEAL_X25519,
	  { 0xbc23cda6b4f47928, 0x2d6b134386a2d4b8, 0x547bb68161fbceea, 0x8f9c90aea5c4871d } },
};
/* what belongs to the X25519 keys, by state */
static const u64 public[][4] = {
	[CARREL_LAUNCH_STATIC] =
		{ 0x70aaf794c3d84c2f, 0x4bcd8457fa5c6c85, 0x95d2f9ca275ee883, 0x17b31e61dd0c961f },
	[CARREL_LAUNCH_MEASURED] =
		{ 0x699ea26d4149720e, 0x5604db61ece29fab, 0xac38624c80261a1a, 0x3a6f38cd1ec3610b },
};

static struct carrier carrier;

/* Inside on CPU 1, with the identity that the keys above are for. */
static void go_in(u32 flags)
{
	create_flags = flags;
	make_process(&carrier, 1, 2, 1, true);
	for (unsigned int i = 0; i < 32; i++)
		((u8 *)object(&carrier)->identity)[i] = (u8)(0x80 + i);
	CHECK_EQ(enter(&cpus[1], &carrier), 0);
}

static void go_out(void)
{
	exit_reason(&cpus[1], VT_INTERRUPT);
	end_process(&carrier);
	create_flags = 0;
}

static s64 seal_key(u64 kind)
{
	return exit_call(&cpus[1], CARREL_HC_SEAL_KEY, kind, 2, 3, 4, 5, 6);
}

/* What four registers hold. */
static bool gave(const struct test_cpu *c, const u64 words[4])
{
	const struct vt_regs *regs = c->cpu.vt.regs;

	return regs->rdi == words[0] && regs->rsi == words[1] && regs->rdx == words[2] &&
		regs->r10 == words[3];
}

static void derivation(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(derived); i++) {
		boot(derived[i].state, false);
		go_in(CARREL_CREATE_SEAL);
		CHECK_EQ(seal_key(derived[i].kind), 0);
		CHECK(gave(&cpus[1], derived[i].key));
		CHECK_EQ(cpus[1].cpu.vt.regs->r8, 5);
		/* a neighbour in identity has nothing in common */
		object(&carrier)->identity[3] ^= BIT(63);
		CHECK_EQ(seal_key(derived[i].kind), 0);
		for (unsigned int w = 0; w < 4; w++)
			CHECK(cpus[1].cpu.vt.regs->rdi != derived[i].key[w]);
		go_out();
	}
	/* another machine's seed */
	boot(CARREL_LAUNCH_MEASURED, false);
	key_now.seed[31] ^= 1;
	platform_boot(&(struct platform){ .state = CARREL_LAUNCH_MEASURED }, &key_now, reseal,
		      forget);
	go_in(CARREL_CREATE_SEAL);
	CHECK_EQ(seal_key(0), 0);
	CHECK(!gave(&cpus[1], derived[2].key));
	go_out();
	end();
}

static void public_keys(void)
{
	const u64 identity[4] = { 0x8786858483828180, 0x8f8e8d8c8b8a8988, 0x9796959493929190,
				  0x9f9e9d9c9b9a9998 };

	for (u32 state = CARREL_LAUNCH_STATIC; state <= CARREL_LAUNCH_MEASURED; state++) {
		boot(state, false);
		CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_PUBLIC, identity[0], identity[1], identity[2],
				     identity[3]), 0);
		CHECK(gave(&cpus[0], public[state]));
		CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_PUBLIC, identity[0], identity[1], identity[2],
				     identity[3] ^ 1), 0);
		CHECK(!gave(&cpus[0], public[state]));
	}
	end();
}

/* Without a key, and to a process that must not ask (whether there is a key or not: the shim finds
 * out by this what it is); nothing reaches its registers. */
static void refusals(void)
{
	const u64 untouched[4] = { 0, 2, 3, 4 };

	boot(CARREL_LAUNCH_MEASURED, false);
	for (u32 flags = 0; flags <= CARREL_CREATE_FLAGS; flags++) {
		if (flags & CARREL_CREATE_SEAL)
			continue;
		go_in(flags);
		CHECK_EQ(seal_key(0), CARREL_EFLAG);
		CHECK(gave(&cpus[1], untouched));
		go_out();
	}
	boot(CARREL_LAUNCH_UNMEASURED, false);
	go_in(0);
	CHECK_EQ(seal_key(0), CARREL_EFLAG);
	go_out();
	go_in(CARREL_CREATE_SEAL);
	CHECK_EQ(seal_key(0), CARREL_ESTATE);
	CHECK(gave(&cpus[1], untouched));
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_PUBLIC, 1, 2, 3, 4), CARREL_ESTATE);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_RESEAL, FRAME, 0, 0, 0), CARREL_ESTATE);
	CHECK_EQ(reseals, 0);
	go_out();
	end();
}

/* The flag is measured: a host that adds it makes another identity, and so other keys. */
static void flag_is_measured(void)
{
	u64 identity[2][4];

	for (unsigned int i = 0; i < 2; i++) {
		create_flags = i ? CARREL_CREATE_SEAL : 0;
		make_process(&carrier, 1, 2, 1, true);
		memcpy(identity[i], object(&carrier)->identity, sizeof(identity[i]));
		end_process(&carrier);
	}
	create_flags = 0;
	CHECK(memcmp(identity[0], identity[1], sizeof(identity[0])) != 0);
}

/* A panic wipes the key and leaves no copy of it in the structure. */
static void wiped(void)
{
	boot(CARREL_LAUNCH_MEASURED, false);
	platform_wipe();
	go_in(CARREL_CREATE_SEAL);
	CHECK_EQ(seal_key(0), 0);
	CHECK(!gave(&cpus[1], derived[2].key));
	go_out();
	end();
}

/* --- Updates -------------------------------------------------------------------------------- */

static struct carrel_reseal *request(void)
{
	return phys(FRAME << PAGE_SHIFT);
}

static void good_update(void)
{
	struct carrel_reseal *r = request();

	*r = (struct carrel_reseal){
		.magic = CARREL_PLATFORM_MAGIC, .version = CARREL_PLATFORM_VERSION,
		.update = { .label = CARREL_UPDATE_LABEL, .counter = UPDATE_COUNTER,
			    .state = CARREL_LAUNCH_MEASURED },
	};
	for (unsigned int i = 0; i < 32; i++)
		r->update.fingerprint[i] = (u8)(0xC0 + i);
	memset(r->update.digest, UPDATE_BYTE, sizeof(r->update.digest));
	memcpy(r->signature, signature, sizeof(signature));
}

static s64 ask(void)
{
	return kernel_call(&cpus[0], CARREL_HC_RESEAL, FRAME, 0, 0, 0);
}

/* A reset while another CPU seals: it has the key until it is done, so the wipe comes after. */
static void wiped_while_sealing(void)
{
	pthread_t other;

	boot(CARREL_LAUNCH_MEASURED, true);
	good_update();
	cut_off = true;
	sealing = sealed = forgotten = wipe_said = 0;
	CHECK_EQ(pthread_create(&other, NULL, end_machine, NULL), 0);
	CHECK_EQ(ask(), 0);
	pthread_join(other, NULL);
	CHECK(wipe_said && forgotten == 1);
	cut_off = false;
	end();
}

static void update(void)
{
	boot(CARREL_LAUNCH_MEASURED, true);
	good_update();
	CHECK_EQ(ask(), 0);
	CHECK_EQ(reseals, 1);
	CHECK_EQ(resealed_counter, UPDATE_COUNTER);
	for (unsigned int i = 0; i < 32; i++)
		CHECK_EQ(resealed_for[i], UPDATE_BYTE);
	/* what the TPM's part answers is the answer; the next one may ask again */
	reseal_answer = CARREL_EBUSY;
	CHECK_EQ(ask(), CARREL_EBUSY);
	reseal_answer = CARREL_ESTATE;
	CHECK_EQ(ask(), CARREL_ESTATE);
	reseal_answer = 0;
	again = true;
	CHECK_EQ(ask(), 0);
	again = false;
	CHECK_EQ(ask(), 0);
	CHECK_EQ(reseals, 5);
	end();
}

/* Any bit of what is signed, or of the signature, is another's. */
static void every_bit(void)
{
	u8 *bytes = (u8 *)request();

	boot(CARREL_LAUNCH_MEASURED, true);
	for (size_t i = 0; i < sizeof(struct carrel_reseal); i++) {
		size_t in_update = i - offsetof(struct carrel_reseal, update);
		s64 want = CARREL_EARG;

		if ((in_update >= offsetof(struct carrel_update, counter) &&
		     in_update < offsetof(struct carrel_update, state)) ||
		    in_update >= offsetof(struct carrel_update, digest))
			want = CARREL_ESIGNATURE;
		if (i < offsetof(struct carrel_reseal, update))
			want = CARREL_EARG;
		good_update();
		bytes[i] ^= (u8)(1 << i % 8);
		if (!CHECK_EQ(ask(), want))
			printf("     byte %zu\n", i);
	}
	CHECK_EQ(reseals, 0);
	good_update();
	CHECK_EQ(ask(), 0);
	end();
}

/* A key without an update key, another state, the measurement that runs now: none without a word. */
static void unsigned_ones(void)
{
	boot(CARREL_LAUNCH_MEASURED, false);
	good_update();
	CHECK_EQ(ask(), CARREL_ESIGNATURE);
	memset(request()->signature, 0, sizeof(request()->signature));
	CHECK_EQ(ask(), CARREL_ESIGNATURE);
	boot(CARREL_LAUNCH_STATIC, true);
	good_update();
	CHECK_EQ(ask(), CARREL_EARG);
	request()->update.state = CARREL_LAUNCH_STATIC;
	CHECK_EQ(ask(), CARREL_ESIGNATURE);
	boot(CARREL_LAUNCH_MEASURED, true);
	good_update();
	memset(request()->update.digest, 0xE0, sizeof(request()->update.digest));
	CHECK_EQ(ask(), CARREL_ESIGNATURE);
	CHECK_EQ(reseals, 0);
	CHECK(strstr(log_last, "refused") != NULL);
	end();
}

/* Frames that are not the host's, or not there. */
static void frames(void)
{
	static const u64 bad[] = { HV_BASE >> PAGE_SHIFT, HOLE_BASE >> PAGE_SHIFT, NO_RAM_CHUNK * 512,
				   12 * 512 };

	boot(CARREL_LAUNCH_MEASURED, true);
	CHECK_EQ(donate(&cpus[0], 12, 0), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_RESEAL, bad[i], 0, 0, 0), CARREL_EOWNER);
	CHECK_EQ(kernel_call(&cpus[0], CARREL_HC_RETURN, 12, 0, 0, 0), 0);
	CHECK_EQ(reseals, 0);
	end();
}

/* --- The TPM's page ------------------------------------------------------------------------- */

#define ZEROS	(3 * MIB)

static u64 leads_to(u64 pa)
{
	struct table_walk walk = table_walk(&machine.host_view.table, pa);

	return walk.present ? walk.pa : 0;
}

static bool retried(u64 pa)
{
	struct vt_exit exit = { .reason = VT_NESTED_FAULT, .address = pa };

	return withhold_fault(&cpus[2].cpu, &exit);
}

static void begin(s64 want)
{
	CHECK_EQ(withhold_begin(), want);
	CHECK_EQ(leads_to(HOLE_BASE), 0);
	CHECK_EQ(leads_to(HOLE_BASE - PAGE_SIZE), HOLE_BASE - PAGE_SIZE);
	CHECK_EQ(leads_to(HOLE_BASE + PAGE_SIZE), HOLE_BASE + PAGE_SIZE);
	CHECK(retried(HOLE_BASE) && retried(HOLE_BASE + 0xFFF));	/* again, until it is back */
	CHECK_EQ(leads_to(HOLE_BASE), 0);
}

/* It is ours only when all CPUs have flushed; who touches it executes again, and is not refused. */
static void withheld(void)
{
	withhold_boot(HOLE_BASE, ZEROS);
	CHECK_EQ(leads_to(HOLE_BASE), 0);
	withhold_end(true);
	for (unsigned int i = 0; i < 3; i++) {
		CHECK_EQ(leads_to(HOLE_BASE), HOLE_BASE);
		CHECK(retried(HOLE_BASE));	/* it came back while that CPU was on its way */
		CHECK(!retried(HOLE_BASE - 1) && !retried(HOLE_BASE + PAGE_SIZE));
		begin(CARREL_PENDING);
		for (unsigned int c = 0; c < CPUS; c++) {
			begin(CARREL_PENDING);
			CHECK_EQ(kernel_call(&cpus[c], CARREL_HC_FLUSH, 0, 0, 0, 0), 0);
		}
		begin(0);
		withhold_end(true);
	}
	CHECK_EQ(log_lines, 0);
	begin(CARREL_PENDING);
	flush_all_cpus();
	begin(0);
	withhold_end(false);
	CHECK_EQ(leads_to(HOLE_BASE), ZEROS);
	CHECK_EQ(withhold_begin(), CARREL_ESTATE);
	CHECK_EQ(leads_to(HOLE_BASE), ZEROS);
	CHECK_EQ(log_lines, 1);
}

/* Who asked never comes back: a CPU that waits for the page has it in the end. */
static void withheld_for_nobody(void)
{
	u64 start;

	withhold_boot(HOLE_BASE, ZEROS);
	withhold_end(true);
	begin(CARREL_PENDING);
	flush_all_cpus();
	for (start = __builtin_ia32_rdtsc(); __builtin_ia32_rdtsc() - start < 5ULL << 28; )
		;
	CHECK(retried(HOLE_BASE));
	CHECK_EQ(leads_to(HOLE_BASE), HOLE_BASE);
	begin(CARREL_PENDING);	/* what was paid does not count for another time */
	flush_all_cpus();
	begin(0);
	for (start = __builtin_ia32_rdtsc(); __builtin_ia32_rdtsc() - start < 5ULL << 28; )
		;
	CHECK(retried(HOLE_BASE));
	CHECK_EQ(leads_to(HOLE_BASE), 0);	/* ours, for as long as it takes */
	withhold_end(true);
	begin(CARREL_PENDING);
	withhold_cancel();
	CHECK_EQ(leads_to(HOLE_BASE), HOLE_BASE);
	begin(CARREL_PENDING);
	flush_all_cpus();
	begin(0);
	withhold_cancel();			/* what is ours ends otherwise */
	CHECK_EQ(leads_to(HOLE_BASE), 0);
	withhold_end(true);
}

const struct test platform_tests[] = {
	{ "platform: keys by state, kind, identity and seed", derivation },
	{ "platform: public keys", public_keys },
	{ "platform: no key without a measured launch or the flag", refusals },
	{ "platform: the flag is part of the identity", flag_is_measured },
	{ "platform: a wiped key derives another", wiped },
	{ "platform: the machine ends while the key is sealed", wiped_while_sealing },
	{ "platform: an update that is signed", update },
	{ "platform: a request with any bit changed", every_bit },
	{ "platform: updates that nobody signed", unsigned_ones },
	{ "platform: frames that are not the host's", frames },
	{ "platform: the TPM's page is the host's, or nobody else's", withheld },
	{ "platform: a page taken for nobody", withheld_for_nobody },
	{ 0 },
};
