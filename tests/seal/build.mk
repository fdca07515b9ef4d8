# SPDX-License-Identifier: BSD-2-Clause
#
# What tests/seal/run takes into the guest. Included by the top Makefile.
#
# Wants:  B, CC, HVREG_OBJS, HVREG_CFLAGS (guest-abi/hvreg/build.mk), TP_BEARSSL_SHIM.
# Gives:  $(B)/tests/seal/lying   an hvreg that lies to CREATE (lying.c)

$(B)/tests/seal/lying: tests/seal/lying.c $(HVREG_OBJS) $(TP_BEARSSL_SHIM)
	@mkdir -p $(@D)
	$(CC) $(HVREG_CFLAGS) -Wl,--wrap=manifest_flags -static -no-pie -s -o $@ $^
