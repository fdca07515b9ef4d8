# SPDX-License-Identifier: BSD-2-Clause
#
# Hosted tests of drivers/tpm: the real driver against models of a TPM's registers, which misbehave,
# and with swtpm behind them, under the address and undefined-behaviour sanitizers; then some
# seconds of libFuzzer, which plays the TPM and begins with what swtpm said (FUZZ_SECONDS=600 for
# longer). Works by itself too: make -f tests/hosted/tpm/build.mk check-hosted-tpm

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

TPM_FUZZ := $(B)/tests/tpm/fuzz-tpm
FUZZ_SECONDS ?= 10

$(TPM_FUZZ): tests/hosted/tpm/fuzz.c $(wildcard drivers/tpm/*.[ch])
	@mkdir -p $(@D)
	clang -O1 -g -std=gnu11 -DCARREL_HOSTED -Ihv -I. -Iguest-abi/include -Wall -Wextra -Werror \
		-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -o $@ $(filter %.c,$^)

# What the tests say comes last, what the fuzzer says only if it finds something.
.PHONY: check-hosted-tpm
check-hosted-tpm: $(TPM_TEST) $(TPM_FUZZ)
	rm -rf $(TPM_FUZZ).corpus && mkdir $(TPM_FUZZ).corpus
	TPM_CORPUS=$(TPM_FUZZ).corpus $(TPM_TEST) >$(TPM_TEST).log || { cat $(TPM_TEST).log; exit 1; }
	$(TPM_FUZZ) -max_total_time=$(FUZZ_SECONDS) -max_len=1100 -len_control=0 -timeout=10 \
		-artifact_prefix=$(B)/tests/tpm/ $(TPM_FUZZ).corpus >$(TPM_FUZZ).log 2>&1 || \
		{ cat $(TPM_FUZZ).log; exit 1; }
	grep '^Done' $(TPM_FUZZ).log
	cat $(TPM_TEST).log

-include $(TPM_TEST_OBJS:.o=.d)
