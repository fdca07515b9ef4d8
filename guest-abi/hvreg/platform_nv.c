/* SPDX-License-Identifier: BSD-2-Clause */
/* hvreg platform: the indices, and whether they are as they have to be. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "fail.h"
#include "platform.h"

#define READABLE	(TPMA_NV_AUTHREAD | TPMA_NV_OWNERREAD | TPMA_NV_NO_DA)
#define WRITABLE	(TPMA_NV_AUTHWRITE | TPMA_NV_OWNERWRITE)

/* Anybody reads them all, with the empty password; RECORD is written by its policy alone. */
const struct nv_form nv_forms[NV_COUNT] = {
	[NV_RECORD] = { "RECORD", CARREL_NV_RECORD, READABLE | TPMA_NV_POLICYWRITE,
			sizeof(struct carrel_record), true },
	[NV_SLOT0] = { "slot 0", CARREL_NV_BLOB(0), READABLE | WRITABLE,
		       sizeof(struct carrel_nv_blob), false },
	[NV_SLOT1] = { "slot 1", CARREL_NV_BLOB(1), READABLE | WRITABLE,
		       sizeof(struct carrel_nv_blob), false },
	[NV_COUNTER] = { "COUNTER", CARREL_NV_COUNTER,
			 READABLE | TPMA_NV_AUTHWRITE | TPMA_NV_COUNTER, sizeof(uint64_t), false },
	[NV_REQUEST] = { "REQUEST", CARREL_NV_REQUEST, READABLE | WRITABLE,
			 sizeof(struct carrel_request), false },
};

/* --- What is wrong --------------------------------------------------------------------------- */

static void __attribute__((format(printf, 2, 3))) problem(struct nv_found *found,
							   const char *format, ...)
{
	size_t used = strlen(found->problem);
	va_list arguments;

	if (used && used + 2 < NV_PROBLEM)
		used += snprintf(found->problem + used, NV_PROBLEM - used, "; ");
	va_start(arguments, format);
	vsnprintf(found->problem + used, NV_PROBLEM - used, format, arguments);
	va_end(arguments);
}

static const char *attribute_name(unsigned int bit)
{
	switch (1U << bit) {
	case 1U << 0:			return "PPWRITE";
	case TPMA_NV_OWNERWRITE:	return "OWNERWRITE";
	case TPMA_NV_AUTHWRITE:		return "AUTHWRITE";
	case TPMA_NV_POLICYWRITE:	return "POLICYWRITE";
	case 1U << 10:			return "POLICY_DELETE";
	case 1U << 11:			return "WRITELOCKED";
	case 1U << 12:			return "WRITEALL";
	case 1U << 13:			return "WRITEDEFINE";
	case 1U << 14:			return "WRITE_STCLEAR";
	case 1U << 15:			return "GLOBALLOCK";
	case 1U << 16:			return "PPREAD";
	case TPMA_NV_OWNERREAD:		return "OWNERREAD";
	case TPMA_NV_AUTHREAD:		return "AUTHREAD";
	case TPMA_NV_POLICYREAD:	return "POLICYREAD";
	case TPMA_NV_NO_DA:		return "NO_DA";
	case 1U << 26:			return "ORDERLY";
	case 1U << 27:			return "CLEAR_STCLEAR";
	case 1U << 28:			return "READLOCKED";
	case 1U << 30:			return "PLATFORMCREATE";
	case 1U << 31:			return "READ_STCLEAR";
	}
	return "a reserved bit";
}

#define TPM_NT_MASK	0xF0U	/* Part 2, 13.2: which kind of index */

static void judge_attributes(struct nv_found *found, uint32_t attributes, uint32_t want)
{
	uint32_t differ = (attributes ^ want) & ~TPM_NT_MASK;
	unsigned int bit;

	if ((attributes ^ want) & TPM_NT_MASK)
		problem(found, want & TPMA_NV_COUNTER ? "is no counter" : "is not plain data");
	for (bit = 0; bit < 32; bit++)
		if (differ >> bit & 1)
			problem(found, attributes >> bit & 1 ? "has %s" : "lacks %s",
				attribute_name(bit));
}

static void judge_form(const struct nv_form *form, const struct tpm_nv_public *public,
		       struct nv_found *found)
{
	judge_attributes(found, public->attributes & ~TPMA_NV_WRITTEN, form->attributes);
	if (public->size != form->size)
		problem(found, "is %u bytes long, not %u", public->size, form->size);
	if (form->has_policy != public->has_policy)
		problem(found, form->has_policy ? "has no policy" : "has a policy");
	found->formed = !*found->problem;
}

static void judge_blob(struct nv_found *found)
{
	const struct carrel_nv_blob *blob = &found->blob;

	if (blob->magic != CARREL_PLATFORM_MAGIC || blob->version != CARREL_PLATFORM_VERSION)
		problem(found, "holds no blob of this version");
	else if (!blob->private_size || !blob->public_size ||
		 (size_t)blob->private_size + blob->public_size > sizeof(blob->bytes))
		problem(found, "holds a blob of impossible size");
}

/* Zeros ask for nothing. */
static void judge_request(struct nv_found *found)
{
	const struct carrel_request *request = &found->request;

	if (is_zero(request, sizeof(*request)))
		return;
	if (request->magic != CARREL_PLATFORM_MAGIC ||
	    request->version != CARREL_PLATFORM_VERSION || request->reserved ||
	    request->what > CARREL_REQUEST_INIT)
		problem(found, "holds no request of this version");
}

/* RECORD is only ever good for the launch that it names, or whose command line names it (origin=).
 * A hypervisor that has the key took it as that; another whose launch was checked tells its own. */
static void judge_record(struct nv_found *found, const struct told *told)
{
	if (!is_zero(told->fingerprint, sizeof(told->fingerprint))) {
		if (!found->written || memcmp(found->record.fingerprint, told->fingerprint,
					      sizeof(told->fingerprint)))
			problem(found, "does not hold the running key's fingerprint");
	} else if (told->checked && memcmp(found->policy, told->policy, sizeof(found->policy))) {
		problem(found,
			"has another policy than this launch's: it was made in another state");
	}
}

static void judge(enum nv which, const struct told *told, struct nv_found *found)
{
	if (which == NV_RECORD)
		judge_record(found, told);
	else if (which == NV_COUNTER && !found->written)
		problem(found, "was never incremented");
	else if (!found->written)
		return;
	else if (which == NV_REQUEST)
		judge_request(found);
	else if (which != NV_COUNTER)
		judge_blob(found);
}

/* --- Reading --------------------------------------------------------------------------------- */

static void read_content(struct tpm *tpm, const struct nv_form *form, struct nv_found *found)
{
	uint32_t error = tpm_nv_read(tpm, form->index, TPM_RS_PW, 0, found->bytes, form->size);

	if (error)
		platform_tpm_fail(error, "cannot read %s (index %Xh)", form->name, form->index);
	if (form->attributes & TPMA_NV_COUNTER)
		found->counter = __builtin_bswap64(found->counter);
}

static void read_one(struct tpm *tpm, enum nv which, const struct told *told,
		     struct nv_found *found)
{
	const struct nv_form *form = &nv_forms[which];
	struct tpm_nv_public public;
	uint32_t error = tpm_nv_read_public(tpm, form->index, &public);

	*found = (struct nv_found){ .there = error != TPM_RC_NO_INDEX };
	if (!found->there)
		return;
	if (error == TPM_E_RESPONSE) {
		problem(found, "is named by another algorithm than SHA-256");
		return;
	}
	if (error)
		platform_tpm_fail(error, "cannot ask about %s (index %Xh)", form->name,
				  form->index);
	found->written = public.attributes & TPMA_NV_WRITTEN;
	memcpy(found->policy, public.policy, sizeof(found->policy));
	judge_form(form, &public, found);
	if (!found->formed)
		return;
	if (found->written)
		read_content(tpm, form, found);
	judge(which, told, found);
}

static enum stage stage_of(const struct nv_state *state)
{
	const struct nv_found *record = &state->found[NV_RECORD];
	const struct nv_found *request = &state->found[NV_REQUEST];
	unsigned int i, there = 0;

	for (i = 0; i < NV_COUNT; i++)
		there += state->found[i].there;
	if (record->formed && record->written)
		return STAGE_KEY;
	if (there == NV_COUNT && !state->wrong && request->written &&
	    request->request.what == CARREL_REQUEST_INIT)
		return STAGE_PREPARED;
	return there ? STAGE_PARTIAL : STAGE_NONE;
}

void nv_read(struct tpm *tpm, const struct told *told, struct nv_state *state)
{
	unsigned int i;

	state->wrong = false;
	for (i = 0; i < NV_COUNT; i++) {
		read_one(tpm, i, told, &state->found[i]);
		state->wrong |= *state->found[i].problem != 0;
	}
	state->stage = stage_of(state);
}

bool nv_slot_opens(const struct nv_state *state, unsigned int slot)
{
	const struct nv_found *found = &state->found[NV_SLOT0 + slot];
	const struct nv_found *counter = &state->found[NV_COUNTER];

	return found->formed && found->written && !*found->problem && counter->formed &&
		counter->written && found->blob.counter == counter->counter;
}

/* --- Writing --------------------------------------------------------------------------------- */

void nv_define(struct tpm *tpm, enum nv which, const uint8_t *policy)
{
	const struct nv_form *form = &nv_forms[which];
	struct tpm_nv_public public = {
		.attributes = form->attributes, .size = form->size, .has_policy = form->has_policy,
	};
	uint32_t error;

	if (form->has_policy)
		memcpy(public.policy, policy, sizeof(public.policy));
	error = tpm_nv_define(tpm, form->index, &public);
	if (error)
		platform_tpm_fail(error, "cannot define %s (index %Xh)", form->name, form->index);
}

void nv_undefine(struct tpm *tpm, enum nv which)
{
	const struct nv_form *form = &nv_forms[which];
	uint32_t error = tpm_nv_undefine(tpm, form->index);

	if (error)
		platform_tpm_fail(error, "cannot remove %s (index %Xh)", form->name, form->index);
}

void nv_write(struct tpm *tpm, enum nv which, const void *bytes)
{
	const struct nv_form *form = &nv_forms[which];
	uint32_t error = tpm_nv_write(tpm, form->index, TPM_RS_PW, 0, bytes, form->size);

	if (error)
		platform_tpm_fail(error, "cannot write %s (index %Xh)", form->name, form->index);
}

void nv_increment(struct tpm *tpm)
{
	uint32_t error = tpm_nv_increment(tpm, CARREL_NV_COUNTER, TPM_RS_PW);

	if (error)
		platform_tpm_fail(error, "cannot increment COUNTER (index %Xh)", CARREL_NV_COUNTER);
}
