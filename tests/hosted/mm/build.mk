# SPDX-License-Identifier: BSD-2-Clause
#
# Hosted tests of hv/mm: the real sources on Linux, under the address and undefined-behaviour
# sanitizers. Works by itself too: make -f tests/hosted/mm/build.mk test-mm

B ?= build
MM_TEST := $(B)/tests/mm/test-mm
MM_TEST_SOURCES := $(wildcard tests/hosted/mm/*.c) \
	$(addprefix hv/mm/,frame.c table.c flush.c view.c space.c share.c dma.c guest_format.c cache.c scrub.c \
		check.c) hv/virt/svm/npt.c hv/virt/vmx/ept.c
MM_TEST_OBJS := $(MM_TEST_SOURCES:%.c=$(B)/tests/mm/%.o)
# Who waits for a lock lets its holder run: there may be fewer CPUs than threads.
MM_TEST_CFLAGS := -O1 -g -std=gnu11 -DCARREL_HOSTED -include sched.h -D__builtin_ia32_pause=sched_yield -Ihv -Iguest-abi/include -Itests/hosted/mm \
	-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer \
	-Wall -Wextra -Wno-clobbered -Werror -MMD -MP
# What the tests look into: the order of invariant 2, and running out of frames.
MM_TEST_WRAP := -Wl,--wrap=scrub_page,--wrap=cache_write_back,--wrap=flush_stamp,--wrap=flush_alone,--wrap=flush_paid_inside,--wrap=frame_limbo

$(B)/tests/mm/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(MM_TEST_CFLAGS) -c -o $@ $<

$(MM_TEST): $(MM_TEST_OBJS)
	$(CC) -fsanitize=address,undefined $(MM_TEST_WRAP) -o $@ $^

.PHONY: test-mm
test-mm: $(MM_TEST)
	$(MM_TEST)

-include $(MM_TEST_OBJS:.o=.d)
