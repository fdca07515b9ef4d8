/* SPDX-License-Identifier: BSD-2-Clause */
#include "transport.h"
#include "wire.h"

#define TRIES		50U		/* of a TPM that says: again, later */
#define PAUSE		20000U		/* microseconds between them */

/* --- Commands ------------------------------------------------------------------------------- */

void tpm_put_bytes(struct tpm *tpm, const void *bytes, u32 size)
{
	if (tpm->overflow || size > TPM_BUFFER_SIZE - tpm->length) {
		tpm->overflow = true;
		return;
	}
	for (u32 i = 0; i < size; i++)
		tpm->command[tpm->length++] = ((const u8 *)bytes)[i];
}

void tpm_put8(struct tpm *tpm, u8 value)
{
	tpm_put_bytes(tpm, &value, 1);
}

void tpm_put16(struct tpm *tpm, u16 value)
{
	value = __builtin_bswap16(value);
	tpm_put_bytes(tpm, &value, sizeof(value));
}

void tpm_put32(struct tpm *tpm, u32 value)
{
	value = __builtin_bswap32(value);
	tpm_put_bytes(tpm, &value, sizeof(value));
}

void tpm_put_sized(struct tpm *tpm, const void *bytes, u32 size)
{
	if (size > TPM_BUFFER_SIZE)
		tpm->overflow = true;
	tpm_put16(tpm, (u16)size);
	tpm_put_bytes(tpm, bytes, size);
}

void tpm_begin(struct tpm *tpm, u16 tag, u32 code)
{
	tpm->length = 0;
	tpm->overflow = false;
	tpm_put16(tpm, tag);
	tpm_put32(tpm, 0);	/* the size, known last */
	tpm_put32(tpm, code);
}

/* One session, without HMAC: the empty password, or a policy. It goes on until it is flushed, so
 * that who began it ends it however the command went. */
void tpm_put_auth(struct tpm *tpm, u32 session)
{
	tpm_put32(tpm, 9);	/* bytes that follow */
	tpm_put32(tpm, session);
	tpm_put16(tpm, 0);	/* nonce */
	tpm_put8(tpm, 1);	/* continueSession */
	tpm_put16(tpm, 0);	/* HMAC, or password */
}

void tpm_put_pcrs(struct tpm *tpm, u32 mask)
{
	tpm_put32(tpm, 1);
	tpm_put16(tpm, TPM_ALG_SHA256);
	tpm_put8(tpm, TPM_PCRS / 8);
	for (u32 i = 0; i < TPM_PCRS; i += 8)
		tpm_put8(tpm, (u8)(mask >> i));
	if (mask >> TPM_PCRS)
		tpm->overflow = true;
}

/* --- Responses ------------------------------------------------------------------------------ */

void tpm_take_bytes(struct tpm_reader *reader, void *to, u32 size)
{
	if (reader->failed || size > reader->left) {
		reader->failed = true;
		for (u32 i = 0; to && i < size; i++)
			((u8 *)to)[i] = 0;
		return;
	}
	for (u32 i = 0; to && i < size; i++)
		((u8 *)to)[i] = reader->at[i];
	reader->at += size;
	reader->left -= size;
}

u8 tpm_take8(struct tpm_reader *reader)
{
	u8 value;

	tpm_take_bytes(reader, &value, sizeof(value));
	return value;
}

u16 tpm_take16(struct tpm_reader *reader)
{
	u16 value;

	tpm_take_bytes(reader, &value, sizeof(value));
	return __builtin_bswap16(value);
}

u32 tpm_take32(struct tpm_reader *reader)
{
	u32 value;

	tpm_take_bytes(reader, &value, sizeof(value));
	return __builtin_bswap32(value);
}

u32 tpm_take_sized(struct tpm_reader *reader, void *to, u32 max)
{
	u32 size = tpm_take16(reader);

	if (size > max)
		reader->failed = true;
	if (reader->failed)
		return 0;
	tpm_take_bytes(reader, to, size);
	return reader->failed ? 0 : size;
}

void tpm_expect16(struct tpm_reader *reader, u16 value)
{
	if (tpm_take16(reader) != value)
		reader->failed = true;
}

void tpm_expect32(struct tpm_reader *reader, u32 value)
{
	if (tpm_take32(reader) != value)
		reader->failed = true;
}

void tpm_expect_pcrs(struct tpm_reader *reader, u32 mask)
{
	tpm_expect32(reader, 1);
	tpm_expect16(reader, TPM_ALG_SHA256);
	if (tpm_take8(reader) != TPM_PCRS / 8)
		reader->failed = true;
	for (u32 i = 0; i < TPM_PCRS; i += 8)
		if (tpm_take8(reader) != (u8)(mask >> i))
			reader->failed = true;
}

/* --- Both ----------------------------------------------------------------------------------- */

/* In a way that the compiler cannot leave out. */
static void wipe(struct tpm *tpm)
{
	__builtin_memset(tpm->command, 0, sizeof(tpm->command));
	__builtin_memset(tpm->response, 0, sizeof(tpm->response));
	asm volatile("" : : "r"(tpm) : "memory");
}

static bool is_later(u32 code)
{
	return code == TPM_RC_RETRY || code == TPM_RC_YIELDED || code == TPM_RC_TESTING ||
		code == TPM_RC_NV_RATE;
}

static void pause_between(const struct tpm *tpm)
{
	u64 end = tpm->clock() + PAUSE;

	while (tpm->clock() < end)
		__builtin_ia32_pause();
}

/* One exchange, as far as the header; the reader then has what follows it. */
static u32 exchange(struct tpm *tpm, u32 duration, u16 *tag, struct tpm_reader *reader)
{
	u32 size = 0, error, code;

	error = tpm->transport->send(tpm, tpm->command, tpm->length);
	if (!error)
		error = tpm->transport->receive(tpm, tpm->response, TPM_BUFFER_SIZE, duration, &size);
	if (error)
		return error;
	*reader = (struct tpm_reader){ .at = tpm->response, .left = size };
	*tag = tpm_take16(reader);
	tpm_take32(reader);	/* the size: receive() holds it to what came */
	code = tpm_take32(reader);
	if (*tag == TPM_ST_RSP_COMMAND)
		return TPM_E_VERSION;
	/* An error has a header only (Part 1, 18.10), and no code of a TPM has more bits. */
	if (code && (*tag != TPM_ST_NO_SESSIONS || reader->left || code > 0xFFF))
		return TPM_E_RESPONSE;
	return code;
}

/* Again as long as the TPM wants it so; a command that ended so had no effect. */
static u32 exchange_patiently(struct tpm *tpm, u32 duration, u16 *tag, struct tpm_reader *reader)
{
	u32 error = exchange(tpm, duration, tag, reader);

	for (u32 i = 1; i < TRIES && is_later(error); i++) {
		pause_between(tpm);
		error = exchange(tpm, duration, tag, reader);
	}
	return error;
}

/* The response's parts are those of the command's tag: [handle] [parameterSize] parameters
 * [sessions]. The sessions tell nothing without HMAC, but have to be as long as they are. */
static u32 split(u16 command_tag, u16 tag, u32 *handle, struct tpm_reader *reader)
{
	u32 size;

	if (tag != command_tag)
		return TPM_E_RESPONSE;
	if (handle)
		*handle = tpm_take32(reader);
	if (tag == TPM_ST_SESSIONS) {
		struct tpm_reader sessions;

		size = tpm_take32(reader);
		sessions = *reader;
		tpm_take_bytes(&sessions, NULL, size);
		tpm_take_sized(&sessions, NULL, TPM_DIGEST_SIZE);	/* nonceTPM */
		tpm_take8(&sessions);
		tpm_expect16(&sessions, 0);
		if (sessions.failed || sessions.left)
			return TPM_E_RESPONSE;
		reader->left = size;
	}
	return reader->failed ? TPM_E_RESPONSE : 0;
}

u32 tpm_run(struct tpm *tpm, u32 duration, u32 *handle, struct tpm_reader *reader)
{
	u32 error = !tpm->transport ? TPM_E_ABSENT : !tpm->held ? TPM_E_LOCALITY :
		tpm->hung ? TPM_E_TIMEOUT : tpm->overflow ? TPM_E_COMMAND : 0;
	u16 command_tag = (u16)(tpm->command[0] << 8 | tpm->command[1]), tag = 0;
	u32 length = __builtin_bswap32(tpm->length);

	*reader = (struct tpm_reader){ .failed = true };
	__builtin_memcpy(tpm->command + 2, &length, sizeof(length));
	if (!error)
		error = exchange_patiently(tpm, duration, &tag, reader);
	if (!error)
		error = split(command_tag, tag, handle, reader);
	if (error)
		wipe(tpm);
	tpm->hung = error == TPM_E_TIMEOUT;
	return error;
}

u32 tpm_end(struct tpm *tpm, const struct tpm_reader *reader)
{
	wipe(tpm);
	return reader->failed || reader->left ? TPM_E_RESPONSE : 0;
}

u32 tpm_run_plain(struct tpm *tpm)
{
	struct tpm_reader reader;
	u32 error = tpm_run(tpm, DURATION, NULL, &reader);

	return error ? error : tpm_end(tpm, &reader);
}
