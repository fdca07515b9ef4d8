/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames of memory, by the module: which are refused, who has which. */
#ifndef FRAMES_H
#define FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "module.h"

#define PAGE		4096UL
#define FRAMES_MAX	65536
#define FRAME_MASK	0x000ffffffffff000UL

/* Those that the last scan could not read, or whatever a test lists. */
extern uint64_t frames[FRAMES_MAX];

/* ATTACK_SCAN for the secret with `key`; how many of `frames` it filled. */
struct attack scan(uint64_t key);
size_t refused_frames(const struct attack *scan);
/* ATTACK_TOUCH. */
struct attack touch(const uint64_t *list, size_t count, bool write, uint64_t key);
/* The kernel's entry for a page of a process. */
uint64_t pte(pid_t pid, uint64_t address);
/* Reserved pages below 1 MiB, as this kernel knows them; the trampoline is one. */
size_t low_reserved(uint64_t *list, size_t room);

#endif
