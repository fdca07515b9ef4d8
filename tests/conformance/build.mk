# SPDX-License-Identifier: BSD-2-Clause
#
# The conformance suite: what each row of the shim's table does, unprotected and under the shim
# (by native-run, without a hypervisor).
#
# Gives:  check-conformance       target; last line: N passed, N failed, N skipped
#         $(B)/conformance/calls  the program, static, for any machine

CF := $(B)/conformance
CF_DIR := tests/conformance
CF_SOURCES := $(wildcard $(CF_DIR)/*.c)

$(CF)/calls: $(CF_SOURCES) $(CF_DIR)/calls.h guest-abi/shim/calls/calls.def
	@mkdir -p $(@D)
	$(CC) -O1 -g -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -mno-red-zone -I. -static -no-pie \
		-o $@ $(CF_SOURCES)

.PHONY: check-conformance
check-conformance: $(CF)/calls $(B)/hosted/shim/native-run $(SHIM_ELF) $(GATE_BINS)
	@$(CF_DIR)/compare $(CF)/calls $(CF)/out $(B)/hosted/shim/native-run --shim $(SHIM_ELF) \
		--gate $(B)/gate-vmcall.bin --
