# SPDX-License-Identifier: BSD-2-Clause
#
# Hosted tests of boot/seal.c: the real source and the real drivers/tpm over the registers of
# tests/hosted/tpm, with swtpm behind them, which keeps its NV memory when it starts again.
#
# Wants:  B, CC, TP, TP_STAMP (third-party.mk).
# Gives:  check-hosted-seal   target; last line: N passed, N failed, N skipped

SEAL := $(B)/tests/seal
SEAL_SHA := hash/sha2small codec/dec32be codec/enc32be codec/enc64be
SEAL_SOURCES := tests/hosted/seal/test.c tests/hosted/tpm/model.c tests/hosted/tpm/swtpm.c \
	boot/seal.c hv/crypto/sha256.c $(wildcard drivers/tpm/*.c)
SEAL_CFLAGS := -O1 -g -std=gnu11 -Wall -Wextra -Wno-clobbered -Werror -DCARREL_HOSTED -Ihv -I. \
	-Iguest-abi/include -Itests/hosted/tpm -isystem $(TP)/bearssl/inc \
	-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

$(SEAL)/bearssl.o: | $(TP_STAMP)
	@mkdir -p $(@D)
	cat $(SEAL_SHA:%=$(TP)/bearssl/src/%.c) >$(SEAL)/bearssl.c
	$(CC) -O2 -w -I$(TP)/bearssl/inc -I$(TP)/bearssl/src -DBR_SSE2=0 -DBR_AES_X86NI=0 \
		-DBR_RDRAND=0 -c -o $@ $(SEAL)/bearssl.c

$(SEAL)/test: $(SEAL_SOURCES) $(SEAL)/bearssl.o $(wildcard boot/seal.h drivers/tpm/*.h \
		tests/hosted/tpm/*.h guest-abi/include/carrel/*.h) tests/hosted/seal/build.mk
	@mkdir -p $(@D)
	$(CC) $(SEAL_CFLAGS) -o $@ $(filter %.c %.o,$^)

.PHONY: check-hosted-seal
check-hosted-seal: $(SEAL)/test
	@$(SEAL)/test
