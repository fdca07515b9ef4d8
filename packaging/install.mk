# SPDX-License-Identifier: BSD-2-Clause
#
# make install, make uninstall: files only. Nothing here runs update-grub, enables a unit or speaks
# to a TPM; docs/install.md tells what to run then.
#
# DESTDIR, PREFIX   as everywhere. /boot, /etc and /usr/src are not below PREFIX.

PREFIX ?= /usr
DESTDIR ?=
INSTALL_SRC := /usr/src/carrel-$(CARREL_VERSION)
INSTALL_KO := $(sort $(CARREL_KO_SOURCES) $(CARREL_KO_GATES))
INSTALL_ABI := $(sort $(wildcard guest-abi/include/carrel/*.h))

# Every file that is installed. The folders of which we are the only owner end with us.
INSTALLED := /boot/carrel.elf /etc/default/carrel /etc/grub.d/45_carrel \
	/usr/lib/systemd/system/carrel.service \
	$(PREFIX)/bin/hvreg $(PREFIX)/share/man/man1/hvreg.1 \
	$(INSTALL_SRC)/dkms.conf \
	$(addprefix $(INSTALL_SRC)/,$(notdir $(INSTALL_KO)) $(INSTALL_ABI))

.PHONY: install uninstall measure
install: $(B)/carrel.elf $(B)/hvreg $(CARREL_KO_GATES)
	install -D -m 644 $(B)/carrel.elf $(DESTDIR)/boot/carrel.elf
	# What an administrator wrote stays.
	test -e $(DESTDIR)/etc/default/carrel || \
		install -D -m 644 packaging/carrel.default $(DESTDIR)/etc/default/carrel
	install -D -m 755 packaging/45_carrel $(DESTDIR)/etc/grub.d/45_carrel
	install -D -m 644 packaging/carrel.service $(DESTDIR)/usr/lib/systemd/system/carrel.service
	install -D -m 755 $(B)/hvreg $(DESTDIR)$(PREFIX)/bin/hvreg
	install -D -m 644 docs/hvreg.1 $(DESTDIR)$(PREFIX)/share/man/man1/hvreg.1
	install -d $(DESTDIR)$(INSTALL_SRC)/guest-abi/include/carrel
	install -m 644 $(INSTALL_KO) $(DESTDIR)$(INSTALL_SRC)/
	install -m 644 $(INSTALL_ABI) $(DESTDIR)$(INSTALL_SRC)/guest-abi/include/carrel/
	sed 's/@VERSION@/$(CARREL_VERSION)/' packaging/dkms.conf.in \
		>$(DESTDIR)$(INSTALL_SRC)/dkms.conf
	chmod 644 $(DESTDIR)$(INSTALL_SRC)/dkms.conf

uninstall:
	rm -f $(addprefix $(DESTDIR),$(INSTALLED))
	for dir in guest-abi/include/carrel guest-abi/include guest-abi .; do \
		test ! -d $(DESTDIR)$(INSTALL_SRC)/$$dir || \
			rmdir $$(realpath $(DESTDIR)$(INSTALL_SRC)/$$dir); done

measure: $(B)/carrel.elf
	@scripts/measure --image $(B)/carrel.elf $(MEASURE)
