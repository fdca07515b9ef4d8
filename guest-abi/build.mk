# SPDX-License-Identifier: BSD-2-Clause
#
# The stub (both instructions) and the shim. Wants B, CC, LD, OBJCOPY and what
# third-party.mk gives; GATE_BINS and SHIM_ELF are what others depend on.

B ?= build
OBJCOPY ?= objcopy

GATE_BINS := $(B)/gate-vmcall.bin $(B)/gate-vmmcall.bin
ABI_HEADERS := $(wildcard guest-abi/include/carrel/*.h)

$(B)/gate-%.bin: guest-abi/gate.S $(ABI_HEADERS)
	@mkdir -p $(@D)
	$(CC) -c -DINSN=$* -Iguest-abi/include -o $(@:.bin=.o) $<
	$(OBJCOPY) -O binary -j .text $(@:.bin=.o) $@
	@test "$$(wc -c <$@)" -eq 4096 || { echo "$@: not one page" >&2; rm $@; exit 1; }

# --- The shim -------------------------------------------------------------------------------

SHIM_ELF := $(B)/shim.elf
SHIM_SOURCES := $(sort $(wildcard guest-abi/shim/*.[cS] guest-abi/shim/*/*.[cS]))
SHIM_HEADERS := $(wildcard guest-abi/shim/*.h guest-abi/shim/*/*.h guest-abi/shim/*/*.def)
VDSO := $(B)/vdso.so
SHIM_OBJS := $(SHIM_SOURCES:%=$(B)/%.o)
SHIM_CPPFLAGS := -Iguest-abi/include -Iguest-abi/shim $(TP_CPPFLAGS_NEWLIB) $(TP_CPPFLAGS_BEARSSL)
SHIM_WARN := -Wall -Wextra -Werror -Wswitch-enum -Wmissing-prototypes -Wstack-usage=2048

$(SHIM_OBJS): $(SHIM_HEADERS) $(ABI_HEADERS) \
	guest-abi/build.mk | $(TP_STAMP)

$(B)/guest-abi/shim/%.c.o: guest-abi/shim/%.c
	@mkdir -p $(@D)
	$(CC) $(SHIM_CFLAGS) $(SHIM_WARN) $(SHIM_CPPFLAGS) -c -o $@ $<

$(B)/guest-abi/shim/%.S.o: guest-abi/shim/%.S
	@mkdir -p $(@D)
	$(CC) -g $(PREFIX_MAP) -Iguest-abi/include -DVDSO='"$(VDSO)"' -c -o $@ $<

# One page that the shim copies into the program's memory.
$(VDSO).o: guest-abi/shim/time/vdso/vdso.c guest-abi/shim/time/vdso/data.h
	@mkdir -p $(@D)
	$(CC) -O2 -std=gnu11 -ffreestanding -fpic -fno-stack-protector -fcf-protection=none \
		-mgeneral-regs-only -fno-asynchronous-unwind-tables $(SHIM_WARN) -c -o $@ $<

$(VDSO): $(VDSO).o guest-abi/shim/time/vdso/vdso.lds
	$(LD) -m elf_x86_64 -shared -soname linux-vdso.so.1 --hash-style=both -z noexecstack \
		-z max-page-size=4096 --build-id=none -s -T guest-abi/shim/time/vdso/vdso.lds -o $@ $<

$(B)/guest-abi/shim/time/vdso.S.o: $(VDSO)

$(B)/shim.lds: guest-abi/shim/shim.lds guest-abi/include/carrel/layout.h
	$(CC) -E -P -x assembler-with-cpp -D__ASSEMBLER__ -Iguest-abi/include -o $@ $<

# Fixed address, nothing left to relocate, no vector register touched by compiled code.
$(SHIM_ELF): $(SHIM_OBJS) $(B)/shim.lds $(TP_BEARSSL_SHIM) $(TP_LIBC_SHIM) scripts/check-image \
		guest-abi/shim-allow.txt
	@echo '  LD      $@'
	$(LD) -m elf_x86_64 -nostdlib -static --gc-sections --build-id=none -z max-page-size=4096 \
		-z noexecstack -T $(B)/shim.lds -o $@ $(SHIM_OBJS) $(TP_BEARSSL_SHIM) \
		$(TP_LIBC_SHIM)
	scripts/check-image --allow guest-abi/shim-allow.txt --wx $@
