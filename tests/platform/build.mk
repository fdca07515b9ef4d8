# SPDX-License-Identifier: BSD-2-Clause
#
# hvreg as it is, but told by the test what the running hypervisor says.
#
# Gives:  platform-hvreg   target: $(B)/tests/platform/hvreg, for tests/platform/run
#        $(B)/tests/platform/snoop

PLATFORM_HVREG := $(B)/tests/platform/hvreg
PLATFORM_OBJS := $(filter-out %/platform_told.c.o,$(HVREG_OBJS)) $(B)/tests/platform/told.o

.PHONY: platform-hvreg
platform-hvreg: $(PLATFORM_HVREG)

$(B)/tests/platform/told.o: tests/platform/told.c guest-abi/hvreg/platform.h
	@mkdir -p $(@D)
	$(CC) $(HVREG_CFLAGS) -Iguest-abi/hvreg -c -o $@ $<

$(PLATFORM_HVREG): $(PLATFORM_OBJS) $(TP_BEARSSL_SHIM)
	@echo '  LD      $@'
	$(CC) -static -no-pie -o $@ $^

# What looks for a secret in the TPM's page, for tests/platform/life.
$(B)/tests/platform/snoop: tests/platform/snoop.c tests/platform/build.mk
	@mkdir -p $(@D)
	$(CC) -O2 -std=gnu11 -Wall -Wextra -Werror -static -s -o $@ $<
