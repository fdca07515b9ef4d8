# SPDX-License-Identifier: BSD-2-Clause
#
# make install, make uninstall: files only. Nothing here runs update-grub, enables a unit or speaks
# to a TPM; docs/install.md tells what to run then. make deb: the same files as a Debian package,
# whose scripts do run these, and still leave the TPM alone.
#
# DESTDIR, PREFIX   as everywhere. /boot, /etc and /usr/src are not below PREFIX.

PREFIX ?= /usr
DESTDIR ?=
INSTALL_SRC := /usr/src/carrel-$(CARREL_VERSION)
INSTALL_KO := $(sort $(CARREL_KO_SOURCES) $(CARREL_KO_GATES))
INSTALL_ABI := $(sort $(wildcard guest-abi/include/carrel/*.h))
INSTALL_COMPLETION := $(PREFIX)/share/bash-completion/completions/hvreg

# Every file that is installed. The folders of which we are the only owner end with us.
INSTALLED := /boot/carrel.elf /etc/default/carrel /etc/grub.d/45_carrel \
	/usr/lib/systemd/system/carrel.service \
	$(PREFIX)/bin/hvreg $(PREFIX)/sbin/carrel-evidence \
	$(PREFIX)/share/man/man1/hvreg.1 $(PREFIX)/share/man/man7/carrel.7 \
	$(INSTALL_COMPLETION) $(INSTALL_SRC)/dkms.conf \
	$(addprefix $(INSTALL_SRC)/,$(notdir $(INSTALL_KO)) $(INSTALL_ABI))

.PHONY: install uninstall measure deb
install: $(B)/carrel.elf $(B)/hvreg $(CARREL_KO_GATES)
	install -D -m 644 $(B)/carrel.elf $(DESTDIR)/boot/carrel.elf
	# What an administrator wrote stays.
	test -e $(DESTDIR)/etc/default/carrel || \
		install -D -m 644 packaging/carrel.default $(DESTDIR)/etc/default/carrel
	install -D -m 755 packaging/45_carrel $(DESTDIR)/etc/grub.d/45_carrel
	install -D -m 644 packaging/carrel.service $(DESTDIR)/usr/lib/systemd/system/carrel.service
	install -D -m 755 $(B)/hvreg $(DESTDIR)$(PREFIX)/bin/hvreg
	install -D -m 755 packaging/carrel-evidence $(DESTDIR)$(PREFIX)/sbin/carrel-evidence
	install -D -m 644 docs/hvreg.1 $(DESTDIR)$(PREFIX)/share/man/man1/hvreg.1
	install -D -m 644 docs/carrel.7 $(DESTDIR)$(PREFIX)/share/man/man7/carrel.7
	install -D -m 644 packaging/hvreg.bash $(DESTDIR)$(INSTALL_COMPLETION)
	install -d $(DESTDIR)$(INSTALL_SRC)/guest-abi/include/carrel
	install -m 644 $(INSTALL_KO) $(DESTDIR)$(INSTALL_SRC)/
	install -m 644 $(INSTALL_ABI) $(DESTDIR)$(INSTALL_SRC)/guest-abi/include/carrel/
	sed 's/@VERSION@/$(CARREL_VERSION)/g' packaging/dkms.conf.in \
		>$(DESTDIR)$(INSTALL_SRC)/dkms.conf
	chmod 644 $(DESTDIR)$(INSTALL_SRC)/dkms.conf

uninstall:
	rm -f $(addprefix $(DESTDIR),$(INSTALLED))
	for dir in guest-abi/include/carrel guest-abi/include guest-abi .; do \
		test ! -d $(DESTDIR)$(INSTALL_SRC)/$$dir || \
			rmdir $$(realpath $(DESTDIR)$(INSTALL_SRC)/$$dir); done

# --- The package ----------------------------------------------------------------------------

DEB := $(B)/carrel_$(CARREL_VERSION)_amd64.deb
DEB_ROOT := $(B)/deb
DEB_DOC := $(DEB_ROOT)/usr/share/doc/carrel

deb: $(DEB)
$(DEB): $(B)/carrel.elf $(B)/hvreg $(CARREL_KO_GATES) $(TP)/LICENCES $(INSTALL_KO) $(INSTALL_ABI) \
		$(wildcard packaging/* packaging/deb/*) docs/hvreg.1 docs/carrel.7 LICENSE Makefile
	rm -rf $(DEB_ROOT)
	$(MAKE) -s install DESTDIR=$(DEB_ROOT) PREFIX=/usr
	gzip -9n $(DEB_ROOT)/usr/share/man/man?/*
	install -d $(DEB_DOC) $(DEB_ROOT)/DEBIAN
	sed 's/@VERSION@/$(CARREL_VERSION)/g' packaging/deb/changelog.in | gzip -9n >$(DEB_DOC)/changelog.gz
	cat packaging/deb/copyright LICENSE $(TP)/LICENCES >$(DEB_DOC)/copyright
	install -D -m 644 packaging/deb/lintian-overrides $(DEB_ROOT)/usr/share/lintian/overrides/carrel
	printf '%s\n' /etc/default/carrel /etc/grub.d/45_carrel >$(DEB_ROOT)/DEBIAN/conffiles
	size=$$(du -sk --apparent-size $(DEB_ROOT) | cut -f 1) && \
	sed "s/@VERSION@/$(CARREL_VERSION)/g; s/@SIZE@/$$size/" packaging/deb/control.in \
		>$(DEB_ROOT)/DEBIAN/control
	for script in postinst prerm postrm; do \
		sed 's/@VERSION@/$(CARREL_VERSION)/g' packaging/deb/$$script.in \
			>$(DEB_ROOT)/DEBIAN/$$script && chmod 755 $(DEB_ROOT)/DEBIAN/$$script || exit; done
	cd $(DEB_ROOT) && find boot usr -type f -print0 | LC_ALL=C sort -z | \
		xargs -0 md5sum >DEBIAN/md5sums
	chmod -R u=rwX,go=rX $(DEB_ROOT)
	@echo '  DEB     $@'
	dpkg-deb --root-owner-group -Zxz --build $(DEB_ROOT) $@ >/dev/null

measure: $(B)/carrel.elf
	@scripts/measure --image $(B)/carrel.elf $(MEASURE)
