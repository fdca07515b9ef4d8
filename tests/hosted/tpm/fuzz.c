/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libFuzzer's bytes play the TPM: as responses to each command, well-formed in their length as a
 * transport makes sure of; or as what every register reads, so that transports and commands see
 * anything at all. The sanitizers watch; so do the checks here.
 */
#include <stdlib.h>
#include <string.h>

#include "../../../drivers/tpm/transport.h"

unsigned char *phys_base;
static const u8 *input;
static size_t left;
static u64 now;

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static void require(bool good)
{
	if (!good)
		abort();
}

static u8 next(void)
{
	return left ? (left--, *input++) : 0;
}

/* So fast that each wait has a few looks. */
static u64 fuzz_clock(void)
{
	return now += 20000;
}

/* --- Registers ------------------------------------------------------------------------------ */

static void require_register(u64 pa, u32 size)
{
	require(pa >= TPM_BASE && pa + size <= TPM_BASE + TPM_LOCALITIES * TPM_LOCALITY_SIZE);
}

u8 mmio_read8(u64 pa)
{
	require_register(pa, 1);
	return next();
}

u32 mmio_read32(u64 pa)
{
	u32 value = 0;

	require_register(pa, 4);
	for (u32 i = 0; i < 4; i++)
		value |= (u32)next() << 8 * i;
	return value;
}

void mmio_write32(u64 pa, u32 value)
{
	(void)value;
	require_register(pa, 4);
}

void mmio_store(u64 pa, u8 size, u32 value)
{
	(void)value;
	require_register(pa, size);
}

/* --- Responses ------------------------------------------------------------------------------ */

static u32 take_command(struct tpm *tpm, const u8 *command, u32 size)
{
	(void)tpm;
	require(size >= HEADER_SIZE && size <= TPM_BUFFER_SIZE);
	require(tpm_response_size(command, size) == size);
	return 0;
}

/* The tag and the code are what they have to be, most of the time: random ones end at once. */
static u32 give_response(struct tpm *tpm, u8 *response, u32 max, u32 duration, u32 *size)
{
	u8 choice = next();
	u8 header[HEADER_SIZE] = { tpm->command[0], tpm->command[1] };

	(void)duration;
	*size = HEADER_SIZE + (left < max - HEADER_SIZE ? (u32)left : max - HEADER_SIZE);
	header[4] = (u8)(*size >> 8);
	header[5] = (u8)*size;
	if (choice > 250)
		header[choice - 250] ^= next();
	memcpy(response, header, HEADER_SIZE);
	for (u32 i = HEADER_SIZE; i < *size; i++)
		response[i] = next();
	return tpm_response_size(response, max) == *size ? 0 : TPM_E_RESPONSE;
}

static const struct tpm_transport responses = {
	.name = "fuzz", .send = take_command, .receive = give_response,
};

/* --- Commands ------------------------------------------------------------------------------- */

static void objects(struct tpm *tpm, u8 choice)
{
	static const u8 digest[TPM_DIGEST_SIZE];
	struct tpm_blob blob = { .private_size = 10, .public_size = 20 };
	struct tpm_quote quote;
	struct tpm_point point;
	u8 data[TPM_SEAL_MAX];
	u32 handle, size;

	if (choice == 0 && !tpm_create_storage_key(tpm, TPM_RH_OWNER, &handle))
		require(handle >> 24 == 0x80);
	if (choice == 1 && !tpm_create_quote_key(tpm, TPM_RH_OWNER, &handle, &point))
		require(handle >> 24 == 0x80);
	if (choice == 2 && !tpm_create(tpm, 1, digest, data, 0, &blob))
		require(blob.private_size <= TPM_BLOB_PRIVATE &&
			blob.public_size <= TPM_BLOB_PUBLIC);
	if (choice == 3 && !tpm_load(tpm, 1, &blob, &handle))
		require(handle >> 24 == 0x80);
	if (choice == 4)
		require(tpm_unseal(tpm, 1, 2, data, sizeof(data), &size) ||
			size <= sizeof(data));
	if (choice == 5 && !tpm_make_quote(tpm, 1, 0, digest, sizeof(digest), &quote))
		require(quote.attest_size >= 6 && quote.attest_size <= TPM_ATTEST_MAX);
}

static void others(struct tpm *tpm, u8 choice)
{
	struct tpm_nv_public public;
	u8 bytes[TPM_NV_MAX];
	u64 value;
	u32 session;

	if (choice == 6)
		tpm_get_random(tpm, bytes, 48);
	if (choice == 7)
		tpm_pcr_read(tpm, 17, bytes);
	if (choice == 8 && !tpm_start_policy(tpm, false, &session))
		require(session >> 24 == 3);
	if (choice == 9)
		tpm_policy_digest(tpm, 1, bytes);
	if (choice == 10)
		tpm_policy_nv(tpm, 1, 2, 3);
	if (choice == 11)
		tpm_nv_read_public(tpm, 0x01C10200, &public);
	if (choice == 12)
		tpm_nv_read(tpm, 1, TPM_RS_PW, 0, bytes, sizeof(bytes));
	if (choice == 13)
		tpm_nv_counter(tpm, 1, &value);
	if (choice == 14)
		tpm_flush(tpm, 1);
}

/* Whatever came, nothing of it stays in the buffers. */
static void require_wiped(const struct tpm *tpm)
{
	for (u32 i = 0; i < TPM_BUFFER_SIZE; i++)
		require(!tpm->command[i] && !tpm->response[i]);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static struct tpm tpm;
	u8 choice;

	input = data;
	left = size;
	now = 0;
	choice = next();
	if (choice & 0x80) {
		if (tpm_probe(&tpm, fuzz_clock) || tpm_request(&tpm, choice >> 4 & 7))
			return 0;
	} else {
		tpm = (struct tpm){
			.transport = &responses, .clock = fuzz_clock, .localities = 5, .held = true,
		};
	}
	objects(&tpm, choice & 0xF);
	others(&tpm, choice & 0xF);
	require_wiped(&tpm);
	return 0;
}
