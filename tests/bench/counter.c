/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A plugin for QEMU's TCG that counts the instructions which a machine executes: all of them, those
 * of the named ranges one by one, and entries of a guest (VMRUN). Each time a mark is executed, it
 * writes what was counted since the mark before.
 *
 * Arguments: ranges=FILE and out=FILE. A line of the first file is one of
 *
 *	range START END BYTES	addresses, and the code there in hexadecimal, or - for any code
 *	mark NUMBER BYTES	a mark: where a block of instructions that begins like this is run
 *
 * and a mark of its own is every `nopl MARK+NUMBER(%rax)` (guest/mark.h). A line of the second:
 *
 *	mark NUMBER all A kernel K rep R vmrun V RANGE=COUNT/REP ...
 *
 * A repeated string instruction counts once an iteration; `rep` and REP tell how many of these there
 * are.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "guest/mark.h"

/* What is needed of QEMU's interface, version 1, which Debian packages without its header. */
typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum { CB_NO_REGS = 0, INLINE_ADD_U64 = 0, API_VERSION = 1 };
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
	void (*cb)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb));
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
	void (*cb)(unsigned int cpu, void *data), int flags, void *data);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn, int op,
						void *counter, uint64_t addend);
int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv);

__attribute__((visibility("default"))) int qemu_plugin_version = API_VERSION;

#define KERNEL_HALF	0xFFFF800000000000UL
#define MARK_BYTES_MAX	64

struct range {
	uint64_t start, end;
	uint8_t *bytes;			/* or NULL */
	uint64_t count, told, rep, rep_told;
};

struct mark {
	unsigned int number;
	size_t size;
	uint8_t bytes[MARK_BYTES_MAX];
};

enum { ALL, KERNEL, REP, VMRUN, TOTALS };
static const char *const total_names[TOTALS] = { "all", "kernel", "rep", "vmrun" };
static uint64_t totals[TOTALS], totals_told[TOTALS];
static struct range *ranges;
static struct mark *marks;
static size_t range_count, mark_count;
static FILE *out;

static void die(const char *why, const char *what)
{
	fprintf(stderr, "counter: %s: %s\n", why, what);
	exit(1);
}

static void *grow(void *array, size_t count, size_t size)
{
	array = realloc(array, (count + 1) * size);
	if (!array)
		die("no memory", "ranges");
	memset((char *)array + count * size, 0, size);
	return array;
}

/* Hexadecimal digits to bytes; returns how many bytes there are, at most `room`. */
static size_t from_hex(const char *text, uint8_t *bytes, size_t room)
{
	size_t n = 0;

	for (unsigned int byte; n < room && sscanf(text + 2 * n, "%2x", &byte) == 1; n++)
		bytes[n] = (uint8_t)byte;
	return n;
}

static void add_range(char *line)
{
	struct range *r;
	char *hex;

	ranges = grow(ranges, range_count, sizeof(*ranges));
	r = &ranges[range_count++];
	r->start = strtoull(line, &line, 16);
	r->end = strtoull(line, &hex, 16);
	if (r->end <= r->start || (range_count > 1 && r->start < r[-1].end))
		die("a bad range, or one out of order", line);
	if (hex[1] == '-')
		return;
	r->bytes = malloc(r->end - r->start);
	if (!r->bytes || from_hex(hex + 1, r->bytes, r->end - r->start) != r->end - r->start)
		die("not the bytes of the range", line);
}

static void add_mark(char *line)
{
	struct mark *m;

	marks = grow(marks, mark_count, sizeof(*marks));
	m = &marks[mark_count++];
	m->number = (unsigned int)strtoul(line, &line, 0);
	m->size = from_hex(line + 1, m->bytes, sizeof(m->bytes));
}

static void read_ranges(const char *path)
{
	FILE *file = fopen(path, "r");
	char *line = NULL;
	size_t room = 0;

	if (!file)
		die("cannot open", path);
	while (getline(&line, &room, file) > 0) {
		if (!strncmp(line, "range ", 6))
			add_range(line + 6);
		else if (!strncmp(line, "mark ", 5))
			add_mark(line + 5);
	}
	free(line);
	fclose(file);
}

/* The range that holds the address, if its code is what is run there. */
static struct range *range_of(uint64_t address, const uint8_t *code, size_t size)
{
	size_t low = 0, high = range_count;
	struct range *r;

	while (low < high) {		/* ranges[low] will be the first that begins behind it */
		size_t middle = low + (high - low) / 2;

		if (ranges[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return NULL;
	r = &ranges[low - 1];
	if (address >= r->end)
		return NULL;
	if (r->bytes && (size > r->end - address || memcmp(r->bytes + (address - r->start), code,
							     size)))
		return NULL;
	return r;
}

static void tell(unsigned int cpu, void *data)
{
	(void)cpu;
	fprintf(out, "mark %" PRIuPTR, (uintptr_t)data);
	for (unsigned int i = 0; i < TOTALS; i++) {
		fprintf(out, " %s %" PRIu64, total_names[i], totals[i] - totals_told[i]);
		totals_told[i] = totals[i];
	}
	for (size_t i = 0; i < range_count; i++) {
		struct range *r = &ranges[i];

		if (r->count != r->told)
			fprintf(out, " %zu=%" PRIu64 "/%" PRIu64, i, r->count - r->told,
				r->rep - r->rep_told);
		r->told = r->count;
		r->rep_told = r->rep;
	}
	putc('\n', out);
	fflush(out);
}

static void count(struct qemu_plugin_insn *insn, uint64_t *counter)
{
	qemu_plugin_register_vcpu_insn_exec_inline(insn, INLINE_ADD_U64, counter, 1);
}

static void mark(struct qemu_plugin_insn *insn, unsigned int number)
{
	qemu_plugin_register_vcpu_insn_exec_cb(insn, tell, CB_NO_REGS, (void *)(uintptr_t)number);
}

/* A string instruction with a prefix that repeats it. */
static bool repeats(const uint8_t *code, size_t size)
{
	bool prefix = false;

	for (size_t i = 0; i < size; i++) {
		uint8_t c = code[i];

		if (c == 0xF2 || c == 0xF3)
			prefix = true;
		else if (c != 0x66 && c != 0x67 && (c & 0xF0) != 0x40)
			return prefix && ((c >= 0x6C && c <= 0x6F) || (c >= 0xA4 && c <= 0xA7) ||
					  (c >= 0xAA && c <= 0xAF));
	}
	return false;
}

static void see_insn(struct qemu_plugin_insn *insn)
{
	static const uint8_t vmrun[] = { 0x0F, 0x01, 0xD8 }, nop[] = { 0x0F, 0x1F, 0x80 };
	uint64_t address = qemu_plugin_insn_vaddr(insn);
	const uint8_t *code = qemu_plugin_insn_data(insn);
	size_t size = qemu_plugin_insn_size(insn);
	struct range *r = range_of(address, code, size);
	uint32_t word;

	count(insn, &totals[ALL]);
	if (r)
		count(insn, &r->count);
	if (address >= KERNEL_HALF && !(r && r->bytes))
		count(insn, &totals[KERNEL]);
	if (repeats(code, size)) {
		count(insn, &totals[REP]);
		if (r)
			count(insn, &r->rep);
	}
	if (size == sizeof(vmrun) && !memcmp(code, vmrun, size))
		count(insn, &totals[VMRUN]);
	if (size == sizeof(nop) + sizeof(word) && !memcmp(code, nop, sizeof(nop))) {
		memcpy(&word, code + sizeof(nop), sizeof(word));
		if ((word & ~MARK_NUMBER) == MARK)
			mark(insn, word & MARK_NUMBER);
	}
}

/* Does the block begin with the mark's bytes? */
static bool begins(const struct qemu_plugin_tb *tb, const struct mark *m)
{
	size_t done = 0;

	for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb) && done < m->size; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		size_t size = qemu_plugin_insn_size(insn);

		if (size > m->size - done)
			size = m->size - done;
		if (memcmp(m->bytes + done, qemu_plugin_insn_data(insn), size))
			return false;
		done += size;
	}
	return done == m->size;
}

static void see_block(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	(void)id;
	for (size_t i = 0; i < mark_count; i++)
		if (begins(tb, &marks[i]))
			mark(qemu_plugin_tb_get_insn(tb, 0), marks[i].number);
	for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++)
		see_insn(qemu_plugin_tb_get_insn(tb, i));
}

__attribute__((visibility("default")))
int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
	(void)info;
	for (int i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "ranges=", 7))
			read_ranges(argv[i] + 7);
		else if (!strncmp(argv[i], "out=", 4))
			out = fopen(argv[i] + 4, "w");
	}
	if (!out)
		die("no file to write to", "out=FILE");
	qemu_plugin_register_vcpu_tb_trans_cb(id, see_block);
	return 0;
}
