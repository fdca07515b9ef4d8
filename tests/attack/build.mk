# SPDX-License-Identifier: BSD-2-Clause
#
# The attacking module, its runner and the programs under attack, for tests/attack/attack and
# tests/demo/demo. Wants B and CC, and the guest's kernel headers (scripts/packages install).
#
#	make attacks		build them
#	make check-attacks	and carry the attacks out on every rig

ATTACK_GUEST := $(B)/attack/guest
ATTACK_CFLAGS := -std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror -Wmissing-prototypes \
	-static -no-pie -Itests/attack -Iguest-abi/include
ATTACK_HEADERS := $(wildcard tests/attack/*.h tests/attack/run/*.h tests/guest/*.h \
	guest-abi/include/carrel/*.h)
ATTACK_RUN := $(wildcard tests/attack/run/*.c tests/attack/run/*.S)
ATTACK_RING0 := $(wildcard tests/attack/ring0/*)
ATTACK_FILES := $(addprefix $(ATTACK_GUEST)/,attack.ko attack victim inside crowd program trusting functional \
	linked libanswer.so libforged.so libc.so.6 ld-linux-x86-64.so.2)

.PHONY: attacks check-attacks
attacks: $(ATTACK_FILES)

$(ATTACK_GUEST)/attack: $(ATTACK_RUN) $(ATTACK_HEADERS)
	@mkdir -p $(@D)
	$(CC) $(ATTACK_CFLAGS) -o $@ $(ATTACK_RUN)

$(ATTACK_GUEST)/victim: tests/guest/victim.c tests/guest/spin.S $(ATTACK_HEADERS)
	@mkdir -p $(@D)
	$(CC) $(ATTACK_CFLAGS) -o $@ $(filter %.c %.S,$^)

$(ATTACK_GUEST)/inside: tests/guest/inside.c tests/guest/inside.S $(ATTACK_HEADERS)
	@mkdir -p $(@D)
	$(CC) $(ATTACK_CFLAGS) -o $@ $(filter %.c %.S,$^)

$(ATTACK_GUEST)/crowd: tests/guest/crowd.c tests/guest/crowd-private.S $(ATTACK_HEADERS)
	@mkdir -p $(@D)
	$(CC) $(ATTACK_CFLAGS) -pthread -o $@ $(filter %.c %.S,$^)

$(ATTACK_GUEST)/trusting: tests/guest/trusting.c
	@mkdir -p $(@D)
	$(CC) $(ATTACK_CFLAGS) -pthread -o $@ $<

# A program with an interpreter and libraries, all of them in the folder that the guest has.
$(ATTACK_GUEST)/linked: tests/guest/linked.c tests/guest/answer.h $(ATTACK_GUEST)/libanswer.so
	@mkdir -p $(@D)
	$(CC) -O2 -Wall -Wextra -Werror -o $@ $< $(ATTACK_GUEST)/libanswer.so \
		-Wl,--dynamic-linker=/attack/ld-linux-x86-64.so.2 -Wl,-rpath=/attack \
		-Wl,--disable-new-dtags

$(ATTACK_GUEST)/libanswer.so: ANSWER := ANSWER_RIGHT
$(ATTACK_GUEST)/libforged.so: ANSWER := ANSWER_FORGED
$(ATTACK_GUEST)/libanswer.so $(ATTACK_GUEST)/libforged.so: tests/guest/answer.S tests/guest/answer.h
	@mkdir -p $(@D)
	$(CC) -shared -nostdlib -DANSWER=$(ANSWER) -Wl,-soname=$(@F) -o $@ $<

$(ATTACK_GUEST)/libc.so.6 $(ATTACK_GUEST)/ld-linux-x86-64.so.2:
	@mkdir -p $(@D)
	cp -L "$$($(CC) -print-file-name=$(@F))" $@

$(ATTACK_GUEST)/program: tests/guest/program.c
	@mkdir -p $(@D)
	$(CC) $(ATTACK_CFLAGS) -o $@ $<

$(ATTACK_GUEST)/functional: tests/guest/functional
	@mkdir -p $(@D)
	cp $< $@

$(ATTACK_GUEST)/attack.ko: $(ATTACK_RING0) $(ATTACK_HEADERS)
	@mkdir -p $(@D)
	@echo '  KBUILD  $@'
	module=$$(tests/rig/kmod tests/attack/ring0) && cp "$$module" $@

check-attacks: attacks
	tests/attack/attack --rig tcg --smp 1
	tests/attack/attack --rig tcg --smp 2
	tests/attack/attack --rig tcg --smp 4
	tests/attack/attack --rig tcg --smp 2 --ending
	tests/attack/attack --rig bochs --smp 1
