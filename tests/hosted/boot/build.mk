# SPDX-License-Identifier: BSD-2-Clause
#
# Hosted tests of boot/ and of drivers/acpi, pci, serial and screen: the real sources on Linux,
# under the address and undefined-behaviour sanitizers, and libFuzzer (clang).
#
# Wants:  B, CC
# Gives:  check-hosted-boot      target: all of it, briefly; last line: N passed, N failed, N skipped
#         fuzz-boot              target: the fuzzers alone, FUZZ_SECONDS each

B ?= build
CLANG ?= clang
FUZZ_SECONDS ?= 5

HB := $(B)/hosted/boot
HB_SOURCES := boot/e820.c boot/multiboot.c boot/place.c boot/linux.c boot/options.c boot/devices.c \
	$(wildcard drivers/acpi/*.c) drivers/pci/pci.c drivers/serial/serial.c drivers/screen/screen.c
HB_TESTS := $(addprefix tests/hosted/boot/,test.c make.c place_check.c test_e820.c \
	test_multiboot.c test_place.c test_linux.c test_acpi.c test_iommu.c test_options.c test_serial.c \
	test_screen.c test_pci.c test_devices.c)
HB_FUZZERS := multiboot bzimage acpi
HB_HEADERS := $(wildcard boot/*.h hv/base/*.h hv/mm/*.h drivers/acpi/*.h drivers/pci/*.h \
	drivers/serial/*.h \
	drivers/screen/*.h tests/hosted/boot/*.h tests/hosted/boot/fake/base/*.h)
HB_CFLAGS := -O1 -g -std=gnu11 -Wall -Wextra -Werror -DCARREL_HOSTED \
	-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer \
	-Itests/hosted/boot/fake -Ihv -I.

$(HB)/unit: $(HB_SOURCES) $(HB_TESTS) $(HB_HEADERS) tests/hosted/boot/build.mk
	@mkdir -p $(@D)
	$(CC) $(HB_CFLAGS) -o $@ $(HB_SOURCES) $(HB_TESTS)

$(HB)/seeds: tests/hosted/boot/seeds.c tests/hosted/boot/make.c $(HB_HEADERS)
	@mkdir -p $(@D)
	$(CC) $(HB_CFLAGS) -o $@ $(filter %.c,$^)

$(HB)/fuzz-%: tests/hosted/boot/fuzz_%.c tests/hosted/boot/place_check.c $(HB_SOURCES) $(HB_HEADERS)
	@mkdir -p $(@D)
	$(CLANG) $(HB_CFLAGS) -fsanitize=fuzzer -o $@ $< tests/hosted/boot/place_check.c \
		$(filter-out boot/devices.c drivers/serial/% drivers/pci/%,$(HB_SOURCES))

HB_HAS_CLANG := $(shell command -v $(CLANG))
HB_FUZZ_BINS := $(if $(HB_HAS_CLANG),$(HB_FUZZERS:%=$(HB)/fuzz-%))

.PHONY: check-hosted-boot fuzz-boot
check-hosted-boot: $(HB)/unit $(HB)/seeds $(HB_FUZZ_BINS)
	@tests/hosted/boot/run $(HB) $(FUZZ_SECONDS) $(B)/guest/vmlinuz unit $(HB_FUZZERS)
fuzz-boot: $(HB)/seeds $(HB_FUZZ_BINS)
	@tests/hosted/boot/run $(HB) $(FUZZ_SECONDS) $(B)/guest/vmlinuz $(HB_FUZZERS)
