# SPDX-License-Identifier: BSD-2-Clause
#
# Hosted tests of drivers/iommu: the real drivers against models of their units, which walk the
# tables as hardware does, under the address and undefined-behaviour sanitizers. Works by itself
# too: make -f tests/hosted/iommu/build.mk check-hosted-iommu

B ?= build
IOMMU_TEST := $(B)/tests/iommu/test-iommu
IOMMU_TEST_SOURCES := $(wildcard tests/hosted/iommu/*.c drivers/iommu/*.c) \
	hv/mm/table.c hv/mm/cache.c
IOMMU_TEST_OBJS := $(IOMMU_TEST_SOURCES:%.c=$(B)/tests/iommu/%.o)
IOMMU_TEST_CFLAGS := -O1 -g -std=gnu11 -DCARREL_HOSTED -Ihv -I. -Iguest-abi/include \
	-Itests/hosted/iommu -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer -Wall -Wextra -Wno-clobbered -Werror -MMD -MP
# What was written back is what units see that do not look into caches.
IOMMU_TEST_WRAP := -Wl,--wrap=cache_write_back

$(B)/tests/iommu/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(IOMMU_TEST_CFLAGS) -c -o $@ $<

$(IOMMU_TEST): $(IOMMU_TEST_OBJS)
	$(CC) -fsanitize=address,undefined $(IOMMU_TEST_WRAP) -o $@ $^

.PHONY: check-hosted-iommu
check-hosted-iommu: $(IOMMU_TEST)
	$(IOMMU_TEST)

-include $(IOMMU_TEST_OBJS:.o=.d)
