# SPDX-License-Identifier: BSD-2-Clause
#
# Hosted tests of hv/core's processes: the real sources and the real hv/mm with a back end of the
# tests' own, under AddressSanitizer and UndefinedBehaviorSanitizer; the same under
# ThreadSanitizer; and a fuzzer of hypercall sequences. Included by the top Makefile.
#
# Wants:  B, CC, TP, TP_STAMP (third-party.mk).
# Gives:  check-hosted-core   target: all of it, the fuzzer for FUZZ_SECONDS; last line: counts
#         fuzz-core           target: the fuzzer alone, FUZZ_SECONDS

CT := $(B)/tests/core
CLANG ?= clang
FUZZ_SECONDS ?= 5

CT_CORE := owner family process fork destroy thread hypercall info pass platform withhold random fixed leaves
CT_MM := cache check dma flush frame guest_format scrub share space table view
# The machine that the tests are in.
CT_MACHINE := machine backend surroundings devices module trace invariants
CT_SHA := $(addprefix codec/,ccopy dec32be enc32be enc64be) hash/sha2small mac/hmac \
	$(addprefix ec/,ec_c25519_m31 ec_p256_m31 ec_secp256r1 ec_secp384r1 ec_secp521r1 \
		ecdsa_i31_bits ecdsa_i31_vrfy_raw) \
	$(addprefix int/i31_,add bitlen decmod decode encode fmont iszero modpow montmul muladd \
		ninv31 rshift sub tmont) int/i32_div32
CT_SOURCES := $(CT_CORE:%=hv/core/%.c) $(CT_MM:%=hv/mm/%.c) $(wildcard hv/crypto/*.c) hv/virt/svm/npt.c \
	$(CT_MACHINE:%=tests/hosted/core/%.c)
CT_TESTS := main test_legality test_owner test_life test_crossing test_thread test_fork test_family \
	test_order test_race test_random test_crypto test_platform

CT_WRAP := scrub_page view_hide_chunk view_show_chunk frame_unlend \
	dma_hide_chunk dma_drained dma_show_chunk dma_state
CT_CFLAGS := -std=gnu11 -O1 -g -fno-omit-frame-pointer -Wall -Wextra -Wno-unused-parameter -Werror \
	-include sched.h -D__builtin_ia32_pause=sched_yield -DCARREL_HOSTED -DCARREL_VERSION='"test"' -Ihv -Iguest-abi/include -isystem $(TP)/bearssl/inc
CT_SHA_CFLAGS := -O2 -w -I$(TP)/bearssl/inc -I$(TP)/bearssl/src -DBR_SSE2=0 -DBR_AES_X86NI=0 -DBR_RDRAND=0
CT_LDFLAGS := $(CT_WRAP:%=-Wl,--wrap=%) -pthread
CT_ASAN := -fsanitize=address,undefined -fno-sanitize-recover=undefined
CT_TSAN := -fsanitize=thread

# $(call ct_flavour,NAME,SANITIZERS,SOURCES,COMPILER): a program of all sources and these.
define ct_flavour
$(CT)/$(1): $(CT_SOURCES:%.c=$(CT)/$(1).o/%.o) $(3:%=$(CT)/$(1).o/tests/hosted/core/%.o) \
		$(CT_SHA:%=$(CT)/$(1).o/bearssl/%.o)
	$(4) $(2) $(CT_LDFLAGS) -o $$@ $$^
$(CT)/$(1).o/bearssl/%.o: | $(TP_STAMP)
	@mkdir -p $$(@D)
	$(4) $(CT_SHA_CFLAGS) -c -o $$@ $(TP)/bearssl/src/$$*.c
$(CT)/$(1).o/%.o: %.c | $(TP_STAMP)
	@mkdir -p $$(@D)
	$(4) $(CT_CFLAGS) $(2) -MMD -MP -c -o $$@ $$<
-include $(wildcard $(CT)/$(1).o/*/*.d $(CT)/$(1).o/*/*/*.d $(CT)/$(1).o/*/*/*/*.d)
endef
$(eval $(call ct_flavour,test,$(CT_ASAN),$(CT_TESTS),$(CC)))
$(eval $(call ct_flavour,test-race,$(CT_TSAN),$(CT_TESTS),$(CC)))
$(eval $(call ct_flavour,fuzz,$(CT_ASAN) -fsanitize=fuzzer,fuzz,$(CLANG)))

# Vector state with the build machine's own registers, which compiled code leaves alone.
$(CT)/test-xstate: tests/hosted/core/xstate/test.c tests/hosted/core/xstate/base/x86.h \
		hv/core/xstate.c hv/core/xstate.h hv/core/cpu.h
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O1 -g -Wall -Wextra -Werror -mgeneral-regs-only -DCARREL_HOSTED \
		-Itests/hosted/core/xstate -Ihv -Iguest-abi/include -o $@ $(filter %.c,$^)

# The log's limits.
$(CT)/test-log: tests/hosted/core/log/test.c hv/base/log.c hv/base/log.h
	@mkdir -p $(@D)
	$(CC) $(CT_CFLAGS) $(CT_ASAN) -o $@ $(filter %.c,$^)

# Ports and ECAM against a model of both; the decoder of stores. Not PIE: policy.c's fixups are
# absolute.
CT_PCI := hv/core/pci.c hv/core/policy.c hv/core/store.c hv/virt/svm/npt.c \
	$(addprefix hv/mm/,cache.c flush.c frame.c scrub.c table.c view.c) \
	$(addprefix tests/hosted/core/pci/,main.c model.c test_ports.c test_ecam.c test_store.c)
$(CT)/test-pci: $(CT_PCI) $(wildcard tests/hosted/core/pci/*.h hv/base/*.h hv/core/*.h hv/mm/*.h)
	@mkdir -p $(@D)
	$(CC) $(CT_CFLAGS) $(CT_ASAN) -no-pie -fno-pie -pthread -o $@ $(filter %.c,$^)

CT_FUZZ := $(if $(shell command -v $(CLANG)),$(CT)/fuzz)

.PHONY: check-hosted-core fuzz-core
check-hosted-core: $(CT)/test $(CT)/test-race $(CT)/test-xstate $(CT)/test-pci $(CT)/test-log \
		$(CT_FUZZ)
	@tests/hosted/core/run $(CT) $(FUZZ_SECONDS) test race xstate pci log fuzz
fuzz-core: $(CT_FUZZ)
	@tests/hosted/core/run $(CT) $(FUZZ_SECONDS) fuzz
