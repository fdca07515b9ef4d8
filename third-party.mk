# SPDX-License-Identifier: BSD-2-Clause
#
# The parts of newlib and BearSSL that the hypervisor and the shim are linked with, compiled by
# the rules below into static archives. Included by the top Makefile; alone:
#
#	make -f third-party.mk B=build all
#
# Wants:  B, CC (GCC), HV_CFLAGS, SHIM_CFLAGS (how the hypervisor and the shim are compiled).
# Gives:  TP_LIBC_HV TP_BEARSSL_HV TP_LIBC_SHIM TP_BEARSSL_SHIM   the archives (link libc last)
#         TP_CPPFLAGS_NEWLIB     to see newlib's headers and the compiler's, and no others
#         TP_CPPFLAGS_BEARSSL    to see BearSSL's headers
#         TP_STAMP               order-only prerequisite of whatever includes those headers
#         third-party            target: all archives, and their licences
#         third-party-sources    target: the sources alone
#
# A member that nothing refers to is not linked, so a list may hold more than is used today.

B ?= build
HV_CFLAGS ?= -O2 -std=gnu11 -ffreestanding -fno-pic -fno-pie -mcmodel=kernel \
	-mgeneral-regs-only -mno-red-zone -fno-stack-protector -fcf-protection=none \
	-fno-asynchronous-unwind-tables -ffunction-sections -fdata-sections
SHIM_CFLAGS ?= -O2 -ffreestanding -fpie -fvisibility=hidden -mno-red-zone \
	-mgeneral-regs-only -fno-stack-protector -fcf-protection=none \
	-fno-asynchronous-unwind-tables
NM ?= nm
OBJCOPY ?= objcopy

TP := $(B)/third-party
TP_STAMP := $(TP)/sources.stamp
TP_LIBC_HV := $(TP)/libc-hv.a
TP_LIBC_SHIM := $(TP)/libc-shim.a
TP_BEARSSL_HV := $(TP)/libbearssl-hv.a
TP_BEARSSL_SHIM := $(TP)/libbearssl-shim.a

# The compiler's own headers come first, as they would for a cross compiler: stdint.h, stddef.h
# and stdarg.h are the compiler's, the rest is newlib's, and the build machine's are out of reach.
TP_NEWLIB_CONFIG := third-party/newlib-config
TP_CPPFLAGS_NEWLIB := -nostdinc -isystem $(shell $(CC) -print-file-name=include) \
	-isystem $(TP_NEWLIB_CONFIG) -isystem $(TP)/newlib/newlib/libc/include
TP_CPPFLAGS_BEARSSL := -isystem $(TP)/bearssl/inc

# --- newlib ---------------------------------------------------------------------------------

# x86_64/mem*.S use no vector register. The others are portable C.
TP_NEWLIB_STRING := bcmp bzero explicit_bzero memccpy memchr memcmp memmem memmove mempcpy \
	memrchr rawmemchr stpcpy stpncpy strcasecmp strcat strchr strchrnul strcmp strcpy \
	strcspn strlcat strlcpy strlen strncasecmp strncat strncmp strncpy strnlen strpbrk \
	strrchr strsep strspn strstr strtok_r timingsafe_bcmp timingsafe_memcmp
TP_NEWLIB := $(addprefix string/,$(TP_NEWLIB_STRING)) \
	machine/x86_64/memcpy machine/x86_64/memset \
	search/bsearch search/qsort \
	stdio/snprintf stdio/vsnprintf stdio/vfprintf \
	stdlib/strtoul ctype/ctype_

# GCC must not turn the loops that are memcpy, memset or strlen into calls of themselves; and
# these files read bytes as words, which the rules of aliasing forbid.
TP_NEWLIB_CFLAGS := $(TP_CPPFLAGS_NEWLIB) -fno-builtin -fno-strict-aliasing \
	-fno-tree-loop-distribute-patterns
TP_STATELESS := -include $(TP_NEWLIB_CONFIG)/stateless.h
TP_NEWLIB_CFLAGS_vfprintf := $(TP_STATELESS) -DSTRING_ONLY -DINTEGER_ONLY
TP_NEWLIB_CFLAGS_snprintf := $(TP_STATELESS)
TP_NEWLIB_CFLAGS_vsnprintf := $(TP_STATELESS)
TP_NEWLIB_CFLAGS_strtoul := $(TP_STATELESS)

# From 256 bytes on these two store past the cache. What is copied or cleared here is used next,
# and ordinary stores make copy-then-read three times as fast at a page.
TP_NEWLIB_ASFLAGS := -Dmovntiq=movq -D_I386MACH_NEED_SOTYPE_FUNCTION -Wa,--noexecstack

# --- BearSSL --------------------------------------------------------------------------------

# The constant-time implementations for a 64-bit CPU, of what measuring and sealing need.
TP_BEARSSL := $(addprefix codec/,ccopy dec16be dec32be dec32le dec64be dec64le enc16be enc32be \
		enc32le enc64be enc64le) \
	$(addprefix hash/,sha1 sha2small sha2big ghash_ctmul64) \
	mac/hmac kdf/hkdf rand/aesctr_drbg rand/hmac_drbg aead/gcm \
	$(addprefix symcipher/,aes_common aes_ct64 aes_ct64_ctr aes_ct64_ctrcbc aes_ct64_enc) \
	$(addprefix ec/,ec_c25519_m31 ec_keygen ec_p256_m31 ec_pubkey ec_secp256r1 ec_secp384r1 \
		ec_secp521r1 ecdsa_i31_bits ecdsa_i31_sign_raw ecdsa_i31_vrfy_raw) \
	$(addprefix int/i31_,add bitlen decmod decode decred encode fmont iszero moddiv modpow \
		montmul mulacc muladd ninv31 reduce rshift sub tmont) \
	int/i32_div32

# Its headers would find out for themselves that this is x86 with Linux below. It is neither.
TP_BEARSSL_CFLAGS := $(TP_CPPFLAGS_NEWLIB) $(TP_CPPFLAGS_BEARSSL) -iquote $(TP)/bearssl/src \
	-DBR_SSE2=0 -DBR_AES_X86NI=0 -DBR_RDRAND=0 -DBR_USE_UNIX_TIME=0 -DBR_USE_URANDOM=0

# --- rules ----------------------------------------------------------------------------------

# Archives do not depend on where the tree lies. Warnings are for our own code.
TP_CFLAGS := -ffile-prefix-map=$(CURDIR)=. -ffile-prefix-map=$(abspath $(TP))=third-party \
	-ffile-prefix-map=$(TP)=third-party -w
TP_Q := $(if $(V),,@)
TP_MAKE_DIR = @mkdir -p $(@D)

# $(call tp_archive,OTHERS): make $@ of its objects. Fails if a member uses a vector or x87
# register, asks the loader for anything, or needs a symbol that neither $@ nor OTHERS define.
define tp_archive
	@echo "  AR      $@"
	@rm -f $@ $@.tmp
	$(TP_Q)$(AR) rcsD $@.tmp $(filter %.o,$^)
	$(TP_Q)scripts/check-image $@.tmp
	$(TP_Q)$(NM) $@.tmp $(1) 2>/dev/null | awk -v archive=$@ ' \
		NF == 2 && $$1 ~ /[Uvw]/ { need[$$2] } NF == 3 { have[$$3] } \
		END { for (s in need) if (!(s in have)) { \
			print archive ": needs " s ", which is in no list of third-party.mk"; bad = 1 } \
			exit bad }' >&2
	@mv $@.tmp $@
endef

# $(eval $(call tp_flavour,hv|shim,HV_CFLAGS|SHIM_CFLAGS)): both archives for one side.
define tp_flavour
TP_NEWLIB_OBJS_$(1) := $$(TP_NEWLIB:%=$(TP)/$(1)/newlib/%.o)
TP_BEARSSL_OBJS_$(1) := $$(TP_BEARSSL:%=$(TP)/$(1)/bearssl/%.o)
TP_FLAGS_$(1) = $$(CC) $$($(2)) $$(TP_CFLAGS)

# Rewritten, and so newer than the objects, when the compiler or its flags are others. Where the tree
# lies does not count: it is mapped away.
$(TP)/$(1).flags: tp-force
	$$(TP_MAKE_DIR)
	@printf '%s\n' '$$(subst ','\'',$$(subst $$(CURDIR),.,$$(TP_FLAGS_$(1))))' >$$@.new
	@cmp -s $$@.new $$@ && rm $$@.new || mv $$@.new $$@

$$(TP_NEWLIB_OBJS_$(1)) $$(TP_BEARSSL_OBJS_$(1)): $(TP)/$(1).flags $(TP_STAMP) third-party.mk
$$(TP_NEWLIB_OBJS_$(1)): $$(wildcard $(TP_NEWLIB_CONFIG)/*.h)

# Local labels called "loop" would only mislead whoever reads a backtrace.
$(TP)/$(1)/newlib/machine/%.o:
	$$(TP_MAKE_DIR)
	$$(TP_Q)$$(TP_FLAGS_$(1)) $$(TP_NEWLIB_ASFLAGS) -c $(TP)/newlib/newlib/libc/machine/$$*.S -o $$@
	$$(TP_Q)$$(OBJCOPY) --discard-all $$@

$(TP)/$(1)/newlib/%.o:
	$$(TP_MAKE_DIR)
	$$(TP_Q)$$(TP_FLAGS_$(1)) $$(TP_NEWLIB_CFLAGS) $$(TP_NEWLIB_CFLAGS_$$(*F)) \
		-c $(TP)/newlib/newlib/libc/$$*.c -o $$@

$(TP)/$(1)/bearssl/%.o:
	$$(TP_MAKE_DIR)
	$$(TP_Q)$$(TP_FLAGS_$(1)) $$(TP_BEARSSL_CFLAGS) -c $(TP)/bearssl/src/$$*.c -o $$@

$(TP)/libc-$(1).a: $$(TP_NEWLIB_OBJS_$(1)) scripts/check-image
	$$(call tp_archive,)

$(TP)/libbearssl-$(1).a: $$(TP_BEARSSL_OBJS_$(1)) $(TP)/libc-$(1).a scripts/check-image
	$$(call tp_archive,$(TP)/libc-$(1).a)
endef

ifneq ($(filter third-party.mk,$(notdir $(firstword $(MAKEFILE_LIST)))),)
.PHONY: all
all: third-party
endif

.PHONY: third-party third-party-sources tp-force
third-party: $(TP_LIBC_HV) $(TP_BEARSSL_HV) $(TP_LIBC_SHIM) $(TP_BEARSSL_SHIM) $(TP)/LICENCES
third-party-sources: $(TP_STAMP)

$(TP_STAMP): scripts/sources.lock
	@scripts/sources $(TP)

$(TP)/LICENCES: $(TP_STAMP)
	@cd $(TP) && { echo "newlib:"; cat newlib/COPYING.NEWLIB; \
		echo "BearSSL:"; cat bearssl/LICENSE.txt; } >LICENCES.new && mv LICENCES.new LICENCES

$(eval $(call tp_flavour,hv,HV_CFLAGS))
$(eval $(call tp_flavour,shim,SHIM_CFLAGS))
