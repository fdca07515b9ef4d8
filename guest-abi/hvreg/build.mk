# SPDX-License-Identifier: BSD-2-Clause
#
# hvreg. Wants B, CC and what third-party.mk and guest-abi/build.mk give.

CARREL_VERSION ?= 0.1

HVREG_SOURCES := $(sort $(wildcard guest-abi/hvreg/*.c)) guest-abi/hvreg/shim.S
# How the shim reads a program file, for refusing with words what it would refuse; its cipher.
HVREG_SHARED := load/elf.c load/sealing.c
# The hypervisor's TPM commands, behind the kernel's driver.
HVREG_TPM := nv transport wire
HVREG_OBJS := $(HVREG_SOURCES:%=$(B)/%.o) $(HVREG_SHARED:%=$(B)/guest-abi/hvreg/shim/%.o) \
	$(HVREG_TPM:%=$(B)/guest-abi/hvreg/tpm/%.c.o)
# Static, so that it runs in any root folder and the carrier holds as little as possible.
HVREG_CFLAGS := -std=gnu11 -O2 -g -D_GNU_SOURCE -DCARREL_VERSION='"$(CARREL_VERSION)"' \
	-Wall -Wextra -Werror -fno-pie -fcf-protection=none -Iguest-abi/include -Iguest-abi \
	-Iguest-abi/shim -Ihv -I. $(TP_CPPFLAGS_BEARSSL) $(PREFIX_MAP)

$(B)/hvreg: $(HVREG_OBJS) $(TP_BEARSSL_SHIM)
	@echo '  LD      $@'
	$(CC) -static -no-pie -s -o $@ $^

$(HVREG_OBJS): $(wildcard guest-abi/hvreg/*.h) $(wildcard guest-abi/include/carrel/*.h) \
	$(wildcard drivers/tpm/*.h) guest-abi/hvreg/build.mk | $(TP_STAMP)

$(B)/guest-abi/hvreg/shim/%.c.o: guest-abi/shim/%.c $(SHIM_HEADERS)
	@mkdir -p $(@D)
	$(CC) $(HVREG_CFLAGS) -c -o $@ $<

$(B)/guest-abi/hvreg/tpm/%.c.o: drivers/tpm/%.c
	@mkdir -p $(@D)
	$(CC) $(HVREG_CFLAGS) -c -o $@ $<

$(B)/guest-abi/hvreg/%.c.o: guest-abi/hvreg/%.c
	@mkdir -p $(@D)
	$(CC) $(HVREG_CFLAGS) -c -o $@ $<

# What is loaded of it.
$(B)/guest-abi/hvreg/shim.elf: $(SHIM_ELF)
	@mkdir -p $(@D)
	$(OBJCOPY) -S $< $@

$(B)/guest-abi/hvreg/shim.S.o: guest-abi/hvreg/shim.S $(B)/guest-abi/hvreg/shim.elf
	$(CC) -DSHIM_ELF='"$(B)/guest-abi/hvreg/shim.elf"' -c -o $@ $<
