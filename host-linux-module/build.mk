# SPDX-License-Identifier: BSD-2-Clause
#
# carrel.ko. Kbuild leaves its objects beside the sources, so it works in a copy.
#
# B     the build folder
# KDIR  headers of the kernel that the module is for; the guest's unless given, for instance
#       KDIR=/lib/modules/$(uname -r)/build

KDIR ?= $(B)/guest/headers

CARREL_KO_SOURCES := $(wildcard host-linux-module/*.[chS] host-linux-module/Kbuild)
CARREL_KO_GATES := $(B)/gate-vmcall.bin $(B)/gate-vmmcall.bin
CARREL_KO_DIR := $(B)/carrel-ko

$(B)/carrel.ko: $(CARREL_KO_SOURCES) $(CARREL_KO_GATES) $(wildcard guest-abi/include/carrel/*.h)
	@mkdir -p $(CARREL_KO_DIR)
	cp -u --preserve=timestamps $(CARREL_KO_SOURCES) $(CARREL_KO_GATES) $(CARREL_KO_DIR)/
	@echo '  KBUILD  $@'
	$(MAKE) -s -C $(KDIR) M=$(abspath $(CARREL_KO_DIR)) CARREL_TREE=$(CURDIR) \
		CONFIG_DEBUG_INFO_BTF_MODULES= modules
	strip --strip-debug -o $@ $(CARREL_KO_DIR)/carrel.ko
