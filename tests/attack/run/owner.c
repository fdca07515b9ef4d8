/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames that have an owner, offered to another: a half-made process asks for what is not its own. */
#include <inttypes.h>
#include <stdio.h>
#include <carrel/hypercall.h>
#include <carrel/layout.h>
#include "module.h"
#include "report.h"
#include "tests.h"
#include "victim.h"

#define PAGE		4096UL
#define CHUNK_FRAMES	512UL
#define BLOCK_FRAMES	16UL
#define FRAME_MASK	0x000ffffffffff000UL
#define TRIES		100000

struct outcome {
	int64_t rax;
	uint64_t rdi;
};

static struct outcome call(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	struct attack attack = { .op = ATTACK_HYPERCALL, .in = { number, a, b, c, d } };

	module_do(&attack);
	return (struct outcome){ (int64_t)attack.out[0], attack.out[1] };
}

/* Until it is neither pending nor unfinished. */
static struct outcome finish(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	struct outcome outcome = { 0 };

	for (unsigned int i = 0; i < TRIES; i++) {
		outcome = call(number, a, b, c, d);
		if (outcome.rax != CARREL_PENDING && outcome.rax != CARREL_MORE)
			break;
		for (int cpu = 0; cpu < cpu_count(); cpu++) {
			run_on(cpu);
			call(CARREL_HC_FLUSH, 0, 0, 0, 0);
		}
		run_on(0);
	}
	return outcome;
}

static unsigned int asked, wrong;

static void expect(const char *what, struct outcome outcome, int64_t answer)
{
	asked++;
	if (outcome.rax == answer)
		return;
	wrong++;
	printf("# %s: %" PRId64 ", not %" PRId64 "\n", what, outcome.rax, answer);
}

/* Frames of whom they belong to. */
struct frames {
	uint64_t private, channel, hypervisor, trampoline;
};

static uint64_t private_frame(uint64_t hypervisor, uint64_t hypervisor_size)
{
	static uint64_t frames[4096];
	struct attack scan = {
		.op = ATTACK_SCAN, .in = { 1 },
		.buffer = (uintptr_t)frames, .size = sizeof(frames),
	};

	module_do(&scan);
	for (uint64_t i = 0; i < scan.out[1] && i < 4096; i++)
		if (frames[i] >= CHUNK_FRAMES &&
		    (frames[i] < hypervisor || frames[i] >= hypervisor + hypervisor_size))
			return frames[i];
	die("no private frame was found");
}

static uint64_t trampoline_frame(void)
{
	uint64_t frame;

	for (frame = 1; frame < 0xa0; frame++) {
		struct attack touch = {
			.op = ATTACK_TOUCH, .buffer = (uintptr_t)&frame, .size = sizeof(frame),
		};

		if (!module_try(&touch) && touch.out[1])
			return frame;
	}
	die("no trampoline page was found");
}

static struct frames find(const struct victim *victim)
{
	struct attack pte = {
		.op = ATTACK_PTE_GET, .in = { (uint64_t)victim->pid, CARREL_CHANNEL_VA },
	};
	struct frames frames;
	uint64_t value[6];

	carrel_info(CARREL_INFO_MEMORY, 0, 0, value);
	frames.hypervisor = value[0] / PAGE;
	frames.private = private_frame(frames.hypervisor, value[1] / PAGE);
	frames.trampoline = trampoline_frame();
	module_do(&pte);
	frames.channel = (pte.out[0] & FRAME_MASK) / PAGE;
	return frames;
}

static void take(const char *whose, uint64_t frame, uint64_t process)
{
	char what[80];

	snprintf(what, sizeof(what), "LEND of a block of %s", whose);
	expect(what, call(CARREL_HC_LEND, process, frame / BLOCK_FRAMES, 0, 0), CARREL_EOWNER);
	snprintf(what, sizeof(what), "ADD from a frame of %s", whose);
	expect(what, call(CARREL_HC_ADD, process, frame, CARREL_SHIM_VA, CARREL_R), CARREL_EOWNER);
	snprintf(what, sizeof(what), "DONATE of a chunk of %s", whose);
	expect(what, call(CARREL_HC_DONATE, frame / CHUNK_FRAMES, process, 0, 0), CARREL_EOWNER);
}

/* ADD and LEND at places that no process may have. */
static void places(uint64_t process, uint64_t frame)
{
	static const struct {
		const char *what;
		uint64_t address;
		uint64_t type;
	} bad[] = {
		{ "ADD over the gate", CARREL_GATE_VA, CARREL_R },
		{ "ADD over the channel", CARREL_CHANNEL_VA, CARREL_R },
		{ "ADD over a thread page", CARREL_THREADS_VA, CARREL_R },
		{ "ADD in the upper half", 0xffff800000000000, CARREL_R },
		{ "ADD at an odd address", CARREL_SHIM_VA + 1, CARREL_R },
		{ "ADD writable and executable", CARREL_SHIM_VA, CARREL_RIGHTS },
		{ "ADD not readable", CARREL_SHIM_VA, CARREL_W },
		{ "ADD of an unknown type", CARREL_SHIM_VA, 0x100 | CARREL_R },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		expect(bad[i].what, call(CARREL_HC_ADD, process, frame, bad[i].address, bad[i].type),
		       CARREL_EARG);
	expect("LEND at an index past the channel", call(CARREL_HC_LEND, process,
							  frame / BLOCK_FRAMES, 200, 0), CARREL_EARG);
}

static void half_made(const struct frames *frames, uint64_t chunk)
{
	struct outcome created;
	uint64_t process, own = chunk * CHUNK_FRAMES;

	expect("DONATE of a free chunk", finish(CARREL_HC_DONATE, chunk, 0, 0, 0), 0);
	expect("DONATE of it again", call(CARREL_HC_DONATE, chunk, 0, 0, 0), CARREL_EOWNER);
	expect("CREATE with another ABI", call(CARREL_HC_CREATE, chunk, 99, 2 | 4 << 16, 8), CARREL_EARG);
	expect("CREATE without an arena", call(CARREL_HC_CREATE, chunk, CARREL_ABI_VERSION,
					       2 | 1 << 16, 8), CARREL_EARG);
	expect("CREATE in another's chunk", call(CARREL_HC_CREATE, frames->private / CHUNK_FRAMES,
						 CARREL_ABI_VERSION, 2 | 4 << 16, 8), CARREL_EOWNER);
	created = call(CARREL_HC_CREATE, chunk, CARREL_ABI_VERSION, 2 | 4 << 16, 8);
	expect("CREATE", created, 0);
	process = created.rdi;
	expect("CREATE in it again", call(CARREL_HC_CREATE, chunk, CARREL_ABI_VERSION, 2 | 4 << 16, 8),
	       CARREL_EOWNER);
	expect("RETURN of its chunk", call(CARREL_HC_RETURN, chunk, 0, 0, 0), CARREL_ESTATE);
	expect("RETURN of another's", call(CARREL_HC_RETURN, frames->private / CHUNK_FRAMES, 0, 0, 0),
	       CARREL_ESTATE);
	expect("RETURN of the hypervisor's", call(CARREL_HC_RETURN, frames->hypervisor / CHUNK_FRAMES, 0,
						  0, 0), CARREL_EOWNER);
	take("another process", frames->private, process);
	take("the hypervisor", frames->hypervisor, process);
	take("its own", own, process);
	expect("LEND of the trampoline's block", call(CARREL_HC_LEND, process,
						      frames->trampoline / BLOCK_FRAMES, 0, 0),
	       CARREL_EOWNER);
	expect("ADD from the trampoline", call(CARREL_HC_ADD, process, frames->trampoline,
					       CARREL_SHIM_VA, CARREL_R), CARREL_EOWNER);
	expect("LEND of another's channel", call(CARREL_HC_LEND, process,
						 frames->channel / BLOCK_FRAMES, 0, 0), CARREL_EOWNER);
	expect("DONATE of another's channel", call(CARREL_HC_DONATE, frames->channel / CHUNK_FRAMES, 0, 0,
						   0), CARREL_ESTATE);
	places(process, frames->channel);
	expect("INIT", call(CARREL_HC_INIT, process, 0, 0, 0), 0);
	expect("INIT again", call(CARREL_HC_INIT, process, 0, 0, 0), CARREL_ESTATE);
	expect("ADD after INIT", call(CARREL_HC_ADD, process, frames->channel, CARREL_SHIM_VA, CARREL_R),
	       CARREL_ESTATE);
	expect("LEND of another's channel after INIT", call(CARREL_HC_LEND, process,
							    frames->channel / BLOCK_FRAMES, 0, 0),
	       CARREL_EOWNER);
	expect("ADOPT of what no fork made", call(CARREL_HC_ADOPT, process, 0, 0, 0),
	       CARREL_ETICKET);
	expect("DESTROY", finish(CARREL_HC_DESTROY, process, 0, 0, 0), 0);
	expect("DESTROY again", call(CARREL_HC_DESTROY, process, 0, 0, 0), CARREL_EARG);
	expect("ADD to what is no more", call(CARREL_HC_ADD, process, frames->channel, CARREL_SHIM_VA,
					      CARREL_R), CARREL_EARG);
	expect("RETURN", call(CARREL_HC_RETURN, chunk, 0, 0, 0), 0);
	expect("RETURN again", call(CARREL_HC_RETURN, chunk, 0, 0, 0), CARREL_EOWNER);
}

static void ownership(void)
{
	struct attack chunk = { .op = ATTACK_CHUNK };
	struct frames frames;
	struct victim victim;

	asked = wrong = 0;
	victim_start(&victim, PROTECTED);
	frames = find(&victim);
	module_do(&chunk);
	half_made(&frames, chunk.out[0]);
	chunk = (struct attack){ .op = ATTACK_CHUNK_FREE, .in = { chunk.out[0] } };
	module_do(&chunk);
	victim_finish(&victim);
	judge(!wrong && victim_right(&victim) && !carrel_donated(), "attack-ownership", "%u requests of "
	      "a half-made process: %u answered wrongly; victim: %s", asked, wrong,
	      victim_fate(&victim));
}

const struct test owner_tests[] = {
	{ "attack-ownership", ownership },
	{ 0 },
};
