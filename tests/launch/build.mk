# SPDX-License-Identifier: BSD-2-Clause
#
# The launch stage, which tests/rig/rig --launch puts in front of Carrel.
#
# Gives:  launch-stage   target: $(B)/tests/launch/stage.elf, and $(B)/tests/launch/nv, which makes and
#                        spoils what a platform key has in a TPM while the machine is off

LAUNCH_STAGE := $(B)/tests/launch/stage.elf
LAUNCH_SOURCES := $(wildcard tests/launch/stage/*.c tests/launch/stage/*.S)
LAUNCH_CFLAGS := -m32 -O2 -std=gnu11 -ffreestanding -fno-pic -fno-pie -mgeneral-regs-only \
	-fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables \
	-fno-strict-aliasing -fno-tree-loop-distribute-patterns \
	-Wall -Wextra -Werror -Wmissing-prototypes

.PHONY: launch-stage
launch-stage: $(LAUNCH_STAGE) $(B)/tests/launch/nv

LAUNCH_NV := tests/launch/nv.c tests/hosted/tpm/model.c tests/hosted/tpm/swtpm.c \
	$(wildcard drivers/tpm/*.c)
$(B)/tests/launch/nv: $(LAUNCH_NV) $(wildcard drivers/tpm/*.h tests/hosted/tpm/*.h) \
		guest-abi/include/carrel/platform.h
	@mkdir -p $(@D)
	$(CC) -O1 -g -std=gnu11 -Wall -Wextra -Werror -DCARREL_HOSTED -Ihv -I. -Iguest-abi/include \
		-Itests/hosted/tpm -o $@ $(filter %.c,$^)

$(LAUNCH_STAGE): $(LAUNCH_SOURCES) tests/launch/stage/stage.h tests/launch/stage/stage.ld \
		tests/launch/build.mk
	@mkdir -p $(@D)
	@echo '  LD      $@'
	$(CC) $(LAUNCH_CFLAGS) -nostdlib -static -Wl,--build-id=none -Wl,-T,tests/launch/stage/stage.ld \
		-Wl,--no-warn-rwx-segments -Wl,-z,max-page-size=4096 -o $@ $(LAUNCH_SOURCES)
