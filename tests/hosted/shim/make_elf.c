/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>
#include "make_elf.h"

void make_elf(struct made *made)
{
	memset(made, 0, sizeof(*made));
	made->size = MADE_SIZE;
	for (size_t i = 0x400; i < MADE_SIZE; i++)
		made->bytes[i] = i * 13 + (i >> 8);
	memcpy(made->header.e_ident, ELFMAG "\2\1\1", 7);
	made->header.e_type = ET_EXEC;
	made->header.e_machine = EM_X86_64;
	made->header.e_version = EV_CURRENT;
	made->header.e_entry = 0x401010;
	made->header.e_phoff = sizeof(Elf64_Ehdr);
	made->header.e_ehsize = sizeof(Elf64_Ehdr);
	made->header.e_phentsize = sizeof(Elf64_Phdr);
	made->header.e_phnum = 4;
	made->segment[0] = (Elf64_Phdr){ PT_LOAD, PF_R, 0, 0x400000, 0, 0x800, 0x800, 0x1000 };
	made->segment[1] = (Elf64_Phdr){ PT_LOAD, PF_R | PF_X, 0x1000, 0x401000, 0, 0x1800, 0x1800,
					 0x1000 };
	made->segment[2] = (Elf64_Phdr){ PT_LOAD, PF_R | PF_W, 0x3700, 0x404700, 0, 0x900, 0x3000,
					 0x1000 };
	made->segment[3] = (Elf64_Phdr){ PT_GNU_STACK, PF_R | PF_W, 0, 0, 0, 0, 0, 16 };
}
