/* SPDX-License-Identifier: BSD-2-Clause */
/* What must hold of any plan that elf_read accepts, whatever the file. */
#ifndef ELF_CHECK_H
#define ELF_CHECK_H

#include <stdint.h>
#include "guest-abi/shim/load/elf.h"

/* NULL, or what is wrong. */
const char *elf_check(const struct elf_plan *plan, uint64_t file_size);

#endif
