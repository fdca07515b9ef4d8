# SPDX-License-Identifier: BSD-2-Clause
#
# hvreg as it is, but told by the test what the running hypervisor says.
#
# Gives:  platform-hvreg   target: $(B)/tests/platform/hvreg, for tests/platform/run

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
