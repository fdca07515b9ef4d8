# SPDX-License-Identifier: BSD-2-Clause
#
# Hosted tests of drivers/tpm: the real driver against models of a TPM's registers, which misbehave,
# and with swtpm behind them, under the address and undefined-behaviour sanitizers. Works by
# itself too: make -f tests/hosted/tpm/build.mk check-hosted-tpm

B ?= build
TPM_TEST := $(B)/tests/tpm/test-tpm
TPM_TEST_SOURCES := $(filter-out %/fuzz.c,$(wildcard tests/hosted/tpm/*.c)) \
	$(wildcard drivers/tpm/*.c)
TPM_TEST_OBJS := $(TPM_TEST_SOURCES:%.c=$(B)/tests/tpm/%.o)
TPM_TEST_CFLAGS := -O1 -g -std=gnu11 -DCARREL_HOSTED -Ihv -I. -Iguest-abi/include \
	-Itests/hosted/tpm -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer -Wall -Wextra -Wno-clobbered -Werror -MMD -MP

$(B)/tests/tpm/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(TPM_TEST_CFLAGS) -c -o $@ $<

$(TPM_TEST): $(TPM_TEST_OBJS)
	$(CC) -fsanitize=address,undefined -o $@ $^

.PHONY: check-hosted-tpm
check-hosted-tpm: $(TPM_TEST)
	$(TPM_TEST)

-include $(TPM_TEST_OBJS:.o=.d)
