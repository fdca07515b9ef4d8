# SPDX-License-Identifier: BSD-2-Clause
#
# Hosted tests of the shim and the stub: the real sources on Linux under the address and
# undefined-behaviour sanitizers, fuzzers of program files and of the marshaller (clang), and
# native-run, which runs whole programs under the real shim.elf and stub without a hypervisor.
#
# Wants:  B, CC, and what third-party.mk and guest-abi/build.mk give
# Gives:  check-hosted-shim      target: all of it, briefly; last line: N passed, N failed, N skipped
#         fuzz-shim              target: the fuzzers alone, FUZZ_SECONDS each
#         $(B)/hosted/shim/native-run

B ?= build
CLANG ?= clang
FUZZ_SECONDS ?= 5

HS := $(B)/hosted/shim
HS_DIR := tests/hosted/shim
# All but what begins a whole process.
HS_SOURCES := $(filter-out %/start.c %/entry.S,$(SHIM_SOURCES))
HS_TESTS := $(addprefix $(HS_DIR)/,test.c fake.c test_table.c test_marshal.c test_vm.c \
	test_memory.c test_time.c test_socket.c test_event.c test_elf.c test_load.c test_file.c test_sealed.c \
	test_channel.c test_sha256.c test_exec.c test_fork.c make_elf.c elf_check.c windows.S)
HS_HEADERS := $(SHIM_HEADERS) $(wildcard guest-abi/include/carrel/*.h \
	$(HS_DIR)/*.h $(HS_DIR)/native/*.h)
HS_INCLUDES := -I. -Iguest-abi/include -Iguest-abi/shim $(TP_CPPFLAGS_BEARSSL)
HS_WARN := -Wall -Wextra -Werror
HS_SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer

$(HS)/unit: $(HS_SOURCES) $(HS_TESTS) $(HS_HEADERS) $(HS_DIR)/build.mk $(TP_BEARSSL_SHIM) $(VDSO)
	@mkdir -p $(@D)
	$(CC) -O1 -g -std=gnu11 -D_GNU_SOURCE $(HS_WARN) $(HS_SANITIZE) $(HS_INCLUDES) -o $@ \
		-DVDSO='"$(VDSO)"' $(HS_SOURCES) $(HS_TESTS) $(TP_BEARSSL_SHIM) -lpthread

$(HS)/fuzz-elf: $(HS_DIR)/fuzz_elf.c $(HS_DIR)/elf_check.c guest-abi/shim/load/elf.c \
		$(HS_HEADERS)
	@mkdir -p $(@D)
	$(CLANG) -O1 -g -std=gnu11 $(HS_WARN) $(HS_SANITIZE) -fsanitize=fuzzer -I. \
		-Iguest-abi/include -Iguest-abi/shim -o $@ $(filter %.c,$^)

# Signals, memory and programs are not called; fake.c is the rest of the world.
$(HS)/fuzz-marshal: $(HS_DIR)/fuzz_marshal.c $(HS_DIR)/fake.c $(HS_DIR)/windows.S $(HS_SOURCES) \
		$(HS_HEADERS) $(TP_BEARSSL_SHIM) $(VDSO)
	@mkdir -p $(@D)
	$(CLANG) -O1 -g -std=gnu11 -D_GNU_SOURCE $(HS_WARN) $(HS_SANITIZE) -fsanitize=fuzzer \
		$(HS_INCLUDES) -DVDSO='"$(VDSO)"' -o $@ $(filter %.c %.S %.a,$^)

# Below 2 GiB like any static program, but clear of where programs lie. The part that runs beside
# the program uses none of its registers: see native/view.c.
$(HS)/run.o: $(HS_DIR)/native/run.c $(HS_HEADERS) | $(TP_STAMP)
	@mkdir -p $(@D)
	$(CC) -O1 -g -std=gnu11 -D_GNU_SOURCE $(HS_WARN) -fno-pie $(HS_INCLUDES) -c -o $@ $<

$(HS)/view.o $(HS)/family.o: $(HS)/%.o: $(HS_DIR)/native/%.c $(HS_HEADERS)
	@mkdir -p $(@D)
	$(CC) -O1 -g -std=gnu11 $(HS_WARN) -fno-pie -ffreestanding -mgeneral-regs-only -mno-red-zone \
		-fno-stack-protector -fcf-protection=none -fno-tree-loop-distribute-patterns \
		-Iguest-abi/include -c -o $@ $<

$(HS)/ways.o: $(HS_DIR)/native/view.S $(HS_HEADERS)
	@mkdir -p $(@D)
	$(CC) -g -Iguest-abi/include -c -o $@ $<

$(HS)/native-run: $(HS)/run.o $(HS)/view.o $(HS)/family.o $(HS)/ways.o $(TP_BEARSSL_SHIM)
	$(CC) -static -no-pie -Wl,-Ttext-segment=0x60000000 -o $@ $^

$(HS)/gate: $(HS_DIR)/gate.c $(HS_HEADERS)
	@mkdir -p $(@D)
	$(CC) -O1 -g -std=gnu11 -D_GNU_SOURCE $(HS_WARN) -mgeneral-regs-only -mno-red-zone \
		-fno-stack-protector -Iguest-abi/include -o $@ $<

HS_PROGRAMS := $(patsubst $(HS_DIR)/programs/%.c,$(HS)/%,$(wildcard $(HS_DIR)/programs/*.c))
HS_PROGRAM_CFLAGS := -O1 -g -D_GNU_SOURCE $(HS_WARN) -mno-red-zone

$(HS_PROGRAMS): $(HS)/%: $(HS_DIR)/programs/%.c $(wildcard $(HS_DIR)/programs/*.h)
	@mkdir -p $(@D)
	$(CC) $(HS_PROGRAM_CFLAGS) -static -no-pie -o $@ $< -lm

$(HS)/stdio-pie: $(HS_DIR)/programs/stdio.c
	@mkdir -p $(@D)
	$(CC) $(HS_PROGRAM_CFLAGS) -fpie -static-pie -o $@ $<

HS_FUZZ_BINS := $(if $(shell command -v $(CLANG)),$(HS)/fuzz-elf $(HS)/fuzz-marshal)
HS_NATIVE := $(HS)/native-run $(HS_PROGRAMS) $(HS)/stdio-pie $(SHIM_ELF) $(GATE_BINS) $(B)/hvreg

.PHONY: check-hosted-shim fuzz-shim
check-hosted-shim: $(HS)/unit $(HS)/gate $(HS_FUZZ_BINS) $(HS_NATIVE)
	@$(HS_DIR)/run $(B) $(FUZZ_SECONDS) unit gate fuzz native
fuzz-shim: $(HS_FUZZ_BINS)
	@$(HS_DIR)/run $(B) $(FUZZ_SECONDS) fuzz
