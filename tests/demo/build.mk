# SPDX-License-Identifier: BSD-2-Clause
#
# What `make run` shows, besides what tests/attack/build.mk makes.

DEMO_SOURCES := tests/demo/demo.c $(addprefix tests/attack/run/,child.c module.c report.c victim.c)

.PHONY: demo-files
demo-files: $(addprefix $(ATTACK_GUEST)/,attack.ko victim demo)
run-built: demo-files

$(ATTACK_GUEST)/demo: $(DEMO_SOURCES) $(ATTACK_HEADERS)
	@mkdir -p $(@D)
	$(CC) $(ATTACK_CFLAGS) -Itests/attack/run -o $@ $(DEMO_SOURCES)
