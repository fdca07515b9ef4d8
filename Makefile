# SPDX-License-Identifier: BSD-2-Clause
#
# Carrel. `make help` lists what can be asked for.

.DEFAULT_GOAL := all
MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:
# V=1 shows the commands; else a line tells each product.
ifneq ($(V),1)
.SILENT:
endif

B := build
CC := gcc
LD := ld
OBJCOPY := objcopy
CARREL_VERSION := 0.1
# Where the tree and B lie must not show in what is built: tests/install/reproducible.
PREFIX_MAP := -ffile-prefix-map=$(CURDIR)=. -ffile-prefix-map=$(abspath $(B))=build \
	-ffile-prefix-map=$(B)=build

HV_CFLAGS := -O2 -g -std=gnu11 -ffreestanding -fno-pic -fno-pie -mcmodel=kernel \
	-mgeneral-regs-only -mno-red-zone -fno-stack-protector -fcf-protection=none \
	-fno-asynchronous-unwind-tables -fno-common -ffunction-sections -fdata-sections \
	-Wall -Wextra -Werror -Wswitch-enum -Wmissing-prototypes $(PREFIX_MAP)
SHIM_CFLAGS := -O2 -g -std=gnu11 -ffreestanding -fpie -fvisibility=hidden -mno-red-zone \
	-mgeneral-regs-only -fno-stack-protector -fcf-protection=none \
	-fno-asynchronous-unwind-tables -ffunction-sections -fdata-sections $(PREFIX_MAP)

include third-party.mk

# --- The image ------------------------------------------------------------------------------

HV_DIRS := hv/base hv/crypto hv/mm hv/virt/svm hv/virt/vmx hv/core \
	drivers/acpi drivers/drtm drivers/iommu drivers/pci drivers/serial drivers/screen \
	drivers/tpm boot
HV_SOURCES := $(filter-out boot/entry.S,$(foreach d,$(HV_DIRS),$(sort $(wildcard $(d)/*.c $(d)/*.S))))
HV_OBJS := $(HV_SOURCES:%=$(B)/%.o)
HV_CPPFLAGS := -Ihv -I. -Iguest-abi/include -DCARREL_VERSION='"$(CARREL_VERSION)"' \
	$(TP_CPPFLAGS_NEWLIB) $(TP_CPPFLAGS_BEARSSL)
HV_ALLOW := hv/image-allow.txt

$(B)/%.c.o: %.c | $(TP_STAMP)
	@mkdir -p $(@D)
	$(CC) $(HV_CFLAGS) $(HV_CPPFLAGS) -MMD -MP -c -o $@ $<

$(B)/%.S.o: %.S
	@mkdir -p $(@D)
	$(CC) -g $(PREFIX_MAP) -Ihv -I. -Iguest-abi/include -MMD -MP -c -o $@ $<

# Linked at one address, checked, then flattened: nothing in it is relocated at run time.
$(B)/hv.elf: $(HV_OBJS) linker.ld $(TP_BEARSSL_HV) $(TP_LIBC_HV) scripts/check-image $(HV_ALLOW)
	@echo '  LD      $@'
	$(LD) -m elf_x86_64 -nostdlib -static --gc-sections --build-id=none -z max-page-size=4096 \
		--no-warn-rwx-segments -T linker.ld -o $@ $(HV_OBJS) $(TP_BEARSSL_HV) $(TP_LIBC_HV)
	scripts/check-image --allow $(HV_ALLOW) $@

$(B)/hv.bin: $(B)/hv.elf
	$(OBJCOPY) -O binary $< $@

# carrel.elf carries the flat binary, and room for its .bss right behind it.
$(B)/carrel.elf: boot/entry.S boot/image.ld $(B)/hv.bin
	@echo '  LD      $@'
	bss=$$(( 0x$$(nm $(B)/hv.elf | sed -n 's/ . __image_size$$//p') - $$(wc -c <$(B)/hv.bin) )) && \
	test $$bss -gt 0 && \
	$(CC) -m32 -DHV_BINARY='"$(B)/hv.bin"' -DHV_BSS=$$bss -c -o $(B)/entry.o $<
	$(LD) -m elf_i386 -nostdlib -static --build-id=none -z max-page-size=4096 \
		--no-warn-rwx-segments -T boot/image.ld -o $@ $(B)/entry.o

-include $(HV_OBJS:.o=.d)

include guest-abi/build.mk
include guest-abi/hvreg/build.mk
include host-linux-module/build.mk
include packaging/install.mk
include $(sort $(wildcard tests/*/build.mk tests/hosted/*/build.mk))

# --- What people ask for --------------------------------------------------------------------

PRODUCTS := $(B)/carrel.elf $(B)/hvreg $(B)/carrel.ko

.PHONY: all help packages run check check-all bench shell size clean
all: $(PRODUCTS)

# The guest's kernel and headers come with the packages; headers are what carrel.ko needs.
packages:
	@scripts/packages install

run check check-all bench shell: packages
	@$(MAKE) --no-print-directory $@-built

.PHONY: run-built check-built check-all-built bench-built shell-built
run-built: all demo-files
	@tests/demo/run

# what make run needs, too: so that no check passes where it could not be built
check-built: all attacks bench-files demo-files
	@tests/check

check-all-built: all attacks bench-files demo-files
	@tests/check --all

bench-built: bench-files
	@tests/bench/bench

shell-built: all
	@tests/rig/rig --shell

size:
	@scripts/size

clean:
	rm -rf $(B)

help:
	@echo 'make run      the main job: an attack on a program, unprotected and protected, as a table'
	@echo 'make check    the tests of every day, in half an hour; the last line counts them'
	@echo 'make check-all  those that are for now and then, too: more than an hour'
	@echo 'make bench    what Carrel costs, in instructions and exits, against the budgets'
	@echo 'make shell    a root shell in a guest under Carrel'
	@echo 'make size     the trusted code, in lines, against the budget'
	@echo 'make          build/carrel.elf, build/carrel.ko, build/hvreg'
	@echo 'make packages install what all this needs (root, Debian 12), or say what is missing'
	@echo 'make install  the image, hvreg, sources of carrel.ko, a GRUB fragment (DESTDIR, PREFIX)'
	@echo 'make deb      the same as a Debian package, which sets itself up: docs/install.md'
	@echo 'make uninstall  remove what make install put there'
	@echo 'make measure  the hashes of the image and of modules, as tboot extends them (MEASURE=...)'
	@echo 'make clean    remove build/'
	@echo 'B=DIR builds elsewhere; V=1 shows the commands.'
