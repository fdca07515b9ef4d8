/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* What the files of the attacking module offer each other. */
#ifndef ATTACKS_H
#define ATTACKS_H

#include <linux/mm.h>
#include <linux/sched.h>
#include <attack.h>
#include <secret.h>

/* symbols.c: any symbol of the kernel; NULL if there is none. */
int symbols_init(void);
void *symbol(const char *name);

/* Accesses that may be refused: 0, or the trap number + 1. */
int probe_read(const void *from, u64 *value);
int probe_write(void *to, u64 value);

/* The task of a process id, with a reference; NULL. */
struct task_struct *task_get(u64 pid);

/* look.c: words of the secret in a buffer; those in the CPU's vector registers and in
 * control and debug registers. */
unsigned int look_words(u64 key, const void *buffer, size_t bytes);
unsigned int look_vectors(u64 key);
unsigned int look_others(u64 key);
u64 look_vector_bits(void);
int look_init(void);
void look_exit(void);

/* gate.c: into memory that is read-only, but not for who owns CR0. */
void write_anyway(void *to, const void *from, size_t size);

/* gate.c: an interrupt gate of ours, one at a time. Hits in user mode since it was installed,
 * and the words of the secret in the registers of the last one. */
long gate_install(unsigned int vector);
void gate_remove(void);
u64 gate_hits(void);
unsigned int gate_look(u64 key);

/* Each carries out what attack.h says of the op. 0 or -errno. */
long physical_scan(struct attack *a);
long physical_touch(struct attack *a);
long physical_page(struct attack *a);
long physical_page_free(struct attack *a);
long physical_chunk(struct attack *a);
long physical_chunk_free(struct attack *a);
long physical_tables(struct attack *a);
long task_read(struct attack *a);
long task_pte_get(struct attack *a);
long task_pte_set(struct attack *a);
long task_saved(struct attack *a);
long task_flip(struct attack *a);
long task_poke(struct attack *a);
long watch(struct attack *a);
long call_once(struct attack *a);
long call_fuzz(struct attack *a);
long call_donate_race(struct attack *a);
long insn(struct attack *a);
long msr_sweep(struct attack *a);
long msr_write(struct attack *a);
long platform_start_cpu(struct attack *a);
long platform_port(struct attack *a);
long platform_a20(struct attack *a);
long platform_triple_fault(struct attack *a);
long dma_transfer(struct attack *a);
long dma_enable(struct attack *a);
long dma_scan(struct attack *a);
long dma_message(struct attack *a);
long register_access(struct attack *a);
long config_access(struct attack *a);
long lie_begin(struct attack *a);
long lie_end(struct attack *a);
long lie_signal(struct attack *a);
long lie_clear_tid(struct attack *a);
long lie_rseq(struct attack *a);

/* physical.c: the first frame past all RAM, 0 if unknown. */
u64 last_frame(void);

/* Where the kernel maps a frame of RAM. */
static inline void *frame_address(u64 frame)
{
	return __va(frame << PAGE_SHIFT);
}

/* call.c: a hypercall by this machine's instruction; trap + 1, or 0. */
int hypercall(u64 *rax, u64 args[6], bool other);

#endif
