# SPDX-License-Identifier: BSD-2-Clause
#
# What tests/bench/bench needs: the plugin that counts for QEMU, and the guest's programs. Wants B, CC.

BENCH := $(B)/bench
BENCH_CFLAGS := -std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror -Wmissing-prototypes
BENCH_GUEST := $(addprefix $(BENCH)/guest/,work hello nothing init bench.sh programs.sh)
BENCH_WORK := $(wildcard tests/bench/guest/*.c)
BENCH_HEADERS := $(wildcard tests/bench/guest/*.h guest-abi/include/carrel/*.h)

.PHONY: bench-files
bench-files: all $(BENCH)/counter.so $(BENCH)/hvreg.elf \
	$(BENCH)/handover.bin $(BENCH_GUEST)

$(BENCH)/counter.so: tests/bench/counter.c tests/bench/guest/mark.h
	@mkdir -p $(@D)
	$(CC) $(BENCH_CFLAGS) -Wno-missing-prototypes -fPIC -shared -fvisibility=hidden -o $@ $<

# What stands in for a loaded image at its entry.
$(BENCH)/handover.bin: tests/bench/handover.S
	@mkdir -p $(@D)
	$(CC) -m32 -c -o $(@:.bin=.o) $<
	$(OBJCOPY) -O binary -j .text $(@:.bin=.o) $@

# The same code as hvreg's, with the symbols that tell its functions apart.
$(BENCH)/hvreg.elf: $(HVREG_OBJS) $(TP_BEARSSL_SHIM)
	@mkdir -p $(@D)
	$(CC) -static -no-pie -o $@ $^

$(BENCH)/guest/work: $(filter-out %/hello.c,$(BENCH_WORK)) $(BENCH_HEADERS)
	@mkdir -p $(@D)
	$(CC) $(BENCH_CFLAGS) -Iguest-abi/include -static -no-pie -o $@ $(filter %.c,$^)

$(BENCH)/guest/hello: tests/bench/guest/hello.c $(BENCH_HEADERS)
	@mkdir -p $(@D)
	$(CC) $(BENCH_CFLAGS) -static -no-pie -o $@ $<

$(BENCH)/guest/init $(BENCH)/guest/nothing: $(BENCH)/guest/%: tests/bench/guest/%.S $(BENCH_HEADERS)
	@mkdir -p $(@D)
	$(CC) -nostdlib -static -no-pie -o $@ $<

$(BENCH)/guest/%.sh: tests/bench/guest/%.sh
	@mkdir -p $(@D)
	cp $< $@
