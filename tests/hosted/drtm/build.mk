# SPDX-License-Identifier: BSD-2-Clause
#
# Hosted tests of drivers/drtm: the real sources over a machine that a test makes, under the
# address and undefined-behaviour sanitizers, and libFuzzer (clang) for heap and shared page.
#
# Gives:  check-hosted-drtm      target; last line: N passed, N failed, N skipped

B ?= build
CLANG ?= clang
DRTM_SECONDS ?= 10

DRTM := $(B)/hosted/drtm
DRTM_SOURCES := $(wildcard drivers/drtm/*.c) tests/hosted/drtm/machine.c
DRTM_HEADERS := $(wildcard drivers/drtm/*.h hv/base/*.h tests/hosted/drtm/*.h)
DRTM_CFLAGS := -O1 -g -std=gnu11 -Wall -Wextra -Werror -DCARREL_HOSTED -Ihv -I. \
	-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer

$(DRTM)/unit: tests/hosted/drtm/test.c $(DRTM_SOURCES) $(DRTM_HEADERS) tests/hosted/drtm/build.mk
	@mkdir -p $(@D)
	$(CC) $(DRTM_CFLAGS) -o $@ $(filter %.c,$^)

$(DRTM)/fuzz: tests/hosted/drtm/fuzz.c $(DRTM_SOURCES) $(DRTM_HEADERS) tests/hosted/drtm/build.mk
	@mkdir -p $(@D)
	$(CLANG) $(DRTM_CFLAGS) -fsanitize=fuzzer -o $@ $(filter %.c,$^)

.PHONY: check-hosted-drtm
check-hosted-drtm: $(DRTM)/unit $(if $(shell command -v $(CLANG)),$(DRTM)/fuzz)
	@tests/hosted/drtm/run $(DRTM) $(DRTM_SECONDS)
