/* SPDX-License-Identifier: BSD-2-Clause */
#include <boot/seal.h>

#include <string.h>

#include <base/bytes.h>
#include <base/log.h>
#include <carrel/hypercall.h>
#include <core/random.h>
#include <core/withhold.h>
#include <crypto/sha256.h>
#include <drivers/tpm/tpm.h>
#include <mm/dma.h>

#define TPM_RC_NO_INDEX	0x18B	/* TPM_RC_HANDLE, of the first handle: Part 2, 6.6.3 */
#define CAP_TEXT	"carrel cap"
#define KEY_TEXT	"carrel platform key"

/* Who may write RECORD, only its policy says; that the index was written, only the TPM. */
#define RECORD_ATTRIBUTES	(TPMA_NV_POLICYWRITE | TPMA_NV_AUTHREAD | TPMA_NV_OWNERREAD | \
				 TPMA_NV_NO_DA)
#define COUNTER_ATTRIBUTES	(TPMA_NV_COUNTER | TPMA_NV_AUTHREAD | TPMA_NV_OWNERREAD | \
				 TPMA_NV_AUTHWRITE | TPMA_NV_NO_DA | TPMA_NV_WRITTEN)

static const struct kind {
	u32 pcrs;
	u32 needed;		/* of them: as they come out of a reset, Carrel was not measured */
	u8 locality;
} kinds[] = {
	[CARREL_LAUNCH_STATIC] = { CARREL_STATIC_PCRS, BIT(8) | BIT(9), 0 },
	[CARREL_LAUNCH_MEASURED] = { CARREL_MEASURED_PCRS, CARREL_MEASURED_PCRS, 2 },
};

static struct tpm tpm;
static u32 last_error;
static const struct kind *kind;		/* of this launch */
static u8 own_digest[32];
static u32 opened;			/* the slot that the key came from */
static bool exposed;			/* a CRB's buffer may still hold the secret */

static const char no_blob[] = "there is no blob";

static bool failed(u32 error)
{
	if (error)
		last_error = error;
	return error;
}

u32 seal_error(void)
{
	return last_error;
}

static void hash(u8 digest[32], const char *text, const void *data, size_t size)
{
	struct sha256 sha256;

	sha256_init(&sha256);
	sha256_update(&sha256, text, strlen(text));
	sha256_update(&sha256, data, size);
	sha256_digest(&sha256, digest);
	seal_wipe(&sha256, sizeof(sha256));
}

/* --- What was measured ------------------------------------------------------------------------ */

const char *seal_find(void)
{
	return tpm_probe(&tpm, NULL);	/* nothing here has another clock than the TSC */
}

static bool is_reset(const u8 value[32])
{
	return (!value[0] || value[0] == 0xFF) && !memcmp(value, value + 1, 31);
}

/* PolicyPCR and PolicyLocality, and for a blob PolicyNV; `digest` NULL: PCRs as they are. */
static u32 begin_policy(bool trial, const u8 *digest, const u64 *counter, u32 *session)
{
	u32 error = tpm_start_policy(&tpm, trial, session);

	if (error)
		return error;
	error = tpm_policy_pcr(&tpm, *session, kind->pcrs, digest);
	if (!error)
		error = tpm_policy_locality(&tpm, *session, (u8)BIT(kind->locality));
	if (!error && counter)
		error = tpm_policy_nv(&tpm, *session, CARREL_NV_COUNTER, *counter);
	if (error)
		tpm_flush(&tpm, *session);
	return error;
}

static u32 policy_of(const u8 *digest, const u64 *counter, u8 policy[32])
{
	u32 session, error = begin_policy(true, digest, counter, &session);

	if (error)
		return error;
	error = tpm_policy_digest(&tpm, session, policy);
	tpm_flush(&tpm, session);
	return error;
}

const char *seal_measure(struct platform *platform, u32 state)
{
	struct sha256 all;
	u8 value[32];

	kind = &kinds[state];
	exposed = false;
	platform->pcrs = kind->pcrs;
	if (failed(tpm_request(&tpm, kind->locality)))
		return "the TPM does not grant the launch's locality";
	sha256_init(&all);
	for (u32 pcr = 0; pcr < TPM_PCRS; pcr++) {
		if (!(kind->pcrs & BIT(pcr)))
			continue;
		if (failed(tpm_pcr_read(&tpm, pcr, value)))
			return "the TPM does not tell its PCRs (of SHA-256)";
		if (kind->needed & BIT(pcr) && is_reset(value))
			return state == CARREL_LAUNCH_MEASURED ?
				"PCR 17 or 18 is as a reset left it: there was no launch" :
				"PCR 8 or 9 is zeros: the boot loader measures nothing";
		sha256_update(&all, value, sizeof(value));
	}
	sha256_digest(&all, own_digest);
	if (failed(policy_of(own_digest, NULL, platform->policy)))
		return "the TPM does not compute a policy";
	memcpy(platform->pcr_digest, own_digest, sizeof(own_digest));
	return NULL;
}

bool seal_cap(bool dynamic)
{
	u8 digest[32];
	bool good = true;

	/* one that cannot be used may be no worse for others */
	if (!tpm.transport)
		return tpm.none && !dynamic;
	hash(digest, CAP_TEXT, NULL, 0);
	if (dynamic)
		good = !failed(tpm_request(&tpm, 2)) && !failed(tpm_pcr_extend(&tpm, 17, digest)) &&
			!failed(tpm_pcr_extend(&tpm, 18, digest));
	/* whatever the launch was: the guest is at locality 0, which is all else that a static
	 * policy asks for */
	good &= !failed(tpm_request(&tpm, 0)) && !failed(tpm_pcr_extend(&tpm, 8, digest));
	tpm_relinquish(&tpm);
	return good && !exposed;
}

/* --- The blob ------------------------------------------------------------------------------- */

/* Seal for a measurement and a value of the counter, into a slot. */
static const char *write_blob(const struct carrel_secret *secret, const u8 digest[32],
			      u64 counter, u32 slot)
{
	struct carrel_nv_blob nv = { 0 };
	struct tpm_blob blob;
	u32 parent, error;
	u8 policy[32];

	if (failed(policy_of(digest, &counter, policy)))
		return "the TPM does not compute the blob's policy";
	if (failed(tpm_create_storage_key(&tpm, TPM_RH_OWNER, &parent)))
		return "the TPM does not make its storage key";
	exposed = true;
	error = tpm_create(&tpm, parent, policy, (const u8 *)secret, sizeof(*secret), &blob);
	tpm_flush(&tpm, parent);
	if (!failed(error) && blob.private_size + blob.public_size <= sizeof(nv.bytes)) {
		nv = (struct carrel_nv_blob){
			CARREL_PLATFORM_MAGIC, CARREL_PLATFORM_VERSION, counter,
			blob.private_size, blob.public_size, { 0 },
		};
		memcpy(nv.bytes, blob.private, blob.private_size);
		memcpy(nv.bytes + blob.private_size, blob.public, blob.public_size);
	}
	/* also if there is no blob: it goes over the shorter command with the secret */
	error = tpm_nv_write(&tpm, CARREL_NV_BLOB(slot), TPM_RS_PW, 0, (u8 *)&nv, sizeof(nv));
	exposed = error >= TPM_E_ABSENT;	/* else the TPM had it, and answered */
	if (!nv.private_size)
		return "the TPM does not seal";
	return failed(error) ? "the TPM does not store the blob" : NULL;
}

/* The only place that sends a sealed blob to the TPM. */
static const char *unseal(const struct tpm_blob *blob, u64 counter, struct carrel_secret *secret)
{
	const char *why = "the TPM does not make its storage key";
	u32 parent, object, session, size;

	if (failed(tpm_create_storage_key(&tpm, TPM_RH_OWNER, &parent)))
		return why;
	why = "the TPM does not take the blob";
	if (failed(tpm_load(&tpm, parent, blob, &object)))
		goto flush_parent;
	why = "the TPM does not open the blob for this launch";
	if (failed(begin_policy(false, NULL, &counter, &session)))
		goto flush_object;
	exposed = true;
	if (!failed(tpm_unseal(&tpm, object, session, (u8 *)secret, sizeof(*secret), &size)) &&
	    size == sizeof(*secret))
		why = NULL;
	tpm_flush(&tpm, session);
flush_object:
	tpm_flush(&tpm, object);
flush_parent:
	tpm_flush(&tpm, parent);
	return why;
}

static bool take_blob(struct tpm_blob *blob, const struct carrel_nv_blob *nv)
{
	u32 private_size = nv->private_size, public_size = nv->public_size;

	if (nv->magic != CARREL_PLATFORM_MAGIC || nv->version != CARREL_PLATFORM_VERSION ||
	    !private_size || private_size > sizeof(blob->private) ||
	    !public_size || public_size > sizeof(blob->public) ||
	    private_size + public_size > sizeof(nv->bytes))
		return false;
	blob->private_size = nv->private_size;
	blob->public_size = nv->public_size;
	memcpy(blob->private, nv->bytes, private_size);
	memcpy(blob->public, nv->bytes + private_size, public_size);
	return true;
}

static const char *open_slot(u32 slot, u64 counter, struct carrel_secret *secret)
{
	struct carrel_nv_blob nv;
	struct tpm_blob blob;
	const char *why;

	if (tpm_nv_read(&tpm, CARREL_NV_BLOB(slot), TPM_RS_PW, 0, (u8 *)&nv, sizeof(nv)))
		return no_blob;
	if (!take_blob(&blob, &nv))
		return "there is no blob of Carrel's";
	if (nv.counter != counter)
		return "the blob is of another time: its counter's value is not the TPM's";
	why = unseal(&blob, counter, secret);
	/* a long response over that with the secret, which a buffer may still show to the guest */
	if (failed(tpm_nv_read(&tpm, CARREL_NV_BLOB(slot), TPM_RS_PW, 0, (u8 *)&nv, sizeof(nv))))
		return "the TPM may still show the key, and is kept from Linux";
	exposed = false;
	return why;
}

/* --- Where it came from --------------------------------------------------------------------- */

static void fingerprint_of(const struct carrel_secret *secret, u8 fingerprint[32])
{
	hash(fingerprint, KEY_TEXT, secret, sizeof(*secret));
}

static const char *check_record(const struct platform *platform, const u8 *origin, bool *written)
{
	struct tpm_nv_public public;
	u32 error = tpm_nv_read_public(&tpm, CARREL_NV_RECORD, &public);
	bool own;

	if (error == TPM_RC_NO_INDEX)
		return "there is no platform key: `hvreg platform init` has one made";
	if (failed(error))
		return "the TPM does not tell of the key's record";
	if ((public.attributes & ~TPMA_NV_WRITTEN) != RECORD_ATTRIBUTES ||
	    public.size != sizeof(struct carrel_record) || !public.has_policy)
		return "the key's record is not one that a launch alone could write";
	own = !memcmp(public.policy, platform->policy, sizeof(public.policy));
	if (!own && !(origin && !memcmp(public.policy, origin, sizeof(public.policy))))
		return "the platform key is of another launch: what was measured is not what it was";
	*written = public.attributes & TPMA_NV_WRITTEN;
	return *written || own ? NULL : "the platform key was never made";
}

static const char *read_counter(u64 *counter)
{
	struct tpm_nv_public public;

	if (failed(tpm_nv_read_public(&tpm, CARREL_NV_COUNTER, &public)))
		return "the TPM has no counter of the platform key's";
	if (public.attributes != COUNTER_ATTRIBUTES || public.size != sizeof(*counter))
		return "the platform key's counter is not one that counts up alone";
	return failed(tpm_nv_counter(&tpm, CARREL_NV_COUNTER, counter)) ?
		"the TPM does not tell the platform key's counter" : NULL;
}

static const char *write_record(const struct carrel_secret *secret)
{
	struct carrel_record record;
	u32 session, error;

	fingerprint_of(secret, record.fingerprint);
	if (failed(begin_policy(false, NULL, NULL, &session)))
		return "the TPM does not take the record's policy";
	error = tpm_nv_write(&tpm, CARREL_NV_RECORD, session, 0, (u8 *)&record, sizeof(record));
	tpm_flush(&tpm, session);
	return failed(error) ? "the TPM does not write the key's record" : NULL;
}

/* Half of the seed is the TPM's, half the CPU's: one good generator is enough. */
static const char *make_secret(struct carrel_secret *secret)
{
	u8 both[2][32];
	const char *why = NULL;

	if (random_get(both[0]) || failed(tpm_get_random(&tpm, both[1], sizeof(both[1]))))
		why = "a generator of random numbers failed";
	else
		hash(secret->seed, "", both, sizeof(both));
	seal_wipe(both, sizeof(both));
	return why;
}

/* Who may sign updates may have the key: the host asks for the one that it likes, but what was
 * measured may name another. */
static const char *check_update_key(const struct carrel_secret *secret, const u8 *wanted)
{
	u8 digest[32];

	if (!wanted)
		return bytes_zero(secret->update_key, sizeof(secret->update_key)) ? NULL :
			"the platform key's update key is not named on the command line";
	hash(digest, "", secret->update_key, sizeof(secret->update_key));
	return memcmp(digest, wanted, sizeof(digest)) ?
		"the platform key's update key is not that of the command line" : NULL;
}

/*
 * A key is there once RECORD is written, which can happen once and comes last: a launch that is
 * cut before leaves it and the request, so that the next one begins again with another secret.
 */
static const char *make_key(u64 counter, const u8 *update_key, struct carrel_secret *secret)
{
	struct carrel_request request;
	const char *why;

	if (failed(tpm_nv_read(&tpm, CARREL_NV_REQUEST, TPM_RS_PW, 0, (u8 *)&request,
			       sizeof(request))) ||
	    request.magic != CARREL_PLATFORM_MAGIC || request.version != CARREL_PLATFORM_VERSION ||
	    request.what != CARREL_REQUEST_INIT)
		return "there is no platform key yet, and none is asked for: `hvreg platform init`";
	memcpy(secret->update_key, request.update_key, sizeof(secret->update_key));
	why = check_update_key(secret, update_key);
	if (!why)
		why = make_secret(secret);
	if (!why)
		why = write_blob(secret, own_digest, counter, 0);
	if (!why)
		why = open_slot(0, counter, secret);
	if (!why)
		why = write_record(secret);
	if (why)
		return why;
	log_line("the platform key was made");
	/* if this is lost, nobody obeys it: RECORD is written */
	request = (struct carrel_request){ 0 };
	failed(tpm_nv_write(&tpm, CARREL_NV_REQUEST, TPM_RS_PW, 0, (u8 *)&request,
			    sizeof(request)));
	return NULL;
}

/* What comes out of a blob proves the state that it was sealed for, not who sealed it; RECORD
 * does: only a launch wrote it. */
static const char *open_key(struct platform *platform, u64 counter, struct carrel_secret *secret)
{
	const char *why = "the TPM does not tell the key's fingerprint";
	struct carrel_record record;
	u8 fingerprint[32];

	if (failed(tpm_nv_read(&tpm, CARREL_NV_RECORD, TPM_RS_PW, 0, (u8 *)&record, sizeof(record))))
		return why;
	why = NULL;
	for (u32 slot = 0; slot < CARREL_NV_SLOTS; slot++) {
		const char *wrong = open_slot(slot, counter, secret);

		fingerprint_of(secret, fingerprint);
		if (!wrong && !memcmp(fingerprint, record.fingerprint, sizeof(fingerprint))) {
			opened = slot;
			memcpy(platform->fingerprint, fingerprint, sizeof(fingerprint));
			return NULL;
		}
		if (!wrong)
			wrong = "the blob holds another key than the one that was made";
		if (!why || wrong != no_blob)
			why = wrong;
	}
	return why;
}

const char *seal_open(struct platform *platform, const u8 *origin, const u8 *update_key,
		      struct carrel_secret *secret)
{
	bool written;
	u64 counter;
	const char *why = check_record(platform, origin, &written);

	if (!why)
		why = read_counter(&counter);
	if (!why && !written)
		why = make_key(counter, update_key, secret);
	if (!why)
		why = open_key(platform, counter, secret);
	if (!why)
		why = check_update_key(secret, update_key);
	if (why) {
		seal_wipe(secret, sizeof(*secret));
		memset(platform->fingerprint, 0, sizeof(platform->fingerprint));
	}
	return why;
}

/* --- For another launch --------------------------------------------------------------------- */

/* Not the one that opens now. After an increment in this boot, that is not the one that this launch
 * came from: to write over the other then would leave nothing that starts. */
static u32 slot_to_write(u64 now)
{
	bool opens[CARREL_NV_SLOTS];
	struct carrel_nv_blob nv;

	for (u32 slot = 0; slot < CARREL_NV_SLOTS; slot++)
		opens[slot] = !tpm_nv_read(&tpm, CARREL_NV_BLOB(slot), TPM_RS_PW, 0, (u8 *)&nv,
					   sizeof(nv)) &&
			nv.magic == CARREL_PLATFORM_MAGIC && nv.counter == now;
	return opens[0] == opens[1] ? 1 - opened : opens[0];
}

/* With the TPM for ourselves; but if the guest has it, it may be in the midst of a command. */
static s64 seal_alone(const struct carrel_secret *secret, const u8 digest[32], u64 counter)
{
	const char *why;
	u64 now;

	if (tpm_in_use(&tpm) || failed(tpm_request(&tpm, kind->locality)))
		return CARREL_EBUSY;
	why = read_counter(&now);
	if (!why && counter != now && counter != now + 1)
		why = "an update for another value of the counter";
	if (!why)
		why = write_blob(secret, digest, counter, slot_to_write(now));
	tpm_relinquish(&tpm);
	if (!why)
		return 0;
	log_line("platform key: %s (%x)", why, last_error);
	return CARREL_ESTATE;
}

/*
 * The guest's own driver may be at work on other CPUs, at locality 0, in whose page the buffer of a CRB
 * lies: it would show the secret, and take another policy for it. (A TPM ignores accesses of
 * localities that are not active, PTP 6.5.1, but a static launch has the guest's.)
 */
s64 seal_again(const struct carrel_secret *secret, const u8 digest[32], u64 counter)
{
	s64 result;

	if (!kind || dma_state() != DMA_PROTECTED)	/* a device could see, or change, a command */
		return CARREL_ESTATE;
	/* before anybody is interrupted for it; and who has it needs the page to give it up */
	if (tpm_in_use(&tpm)) {
		withhold_cancel();
		return CARREL_EBUSY;
	}
	result = withhold_begin();
	if (result)
		return result;
	result = seal_alone(secret, digest, counter);
	withhold_end(!exposed);
	return result;
}

void seal_forget(void)
{
	seal_wipe(tpm.command, sizeof(tpm.command));
	seal_wipe(tpm.response, sizeof(tpm.response));
}
