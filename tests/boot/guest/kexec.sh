# SPDX-License-Identifier: BSD-2-Clause
#
# Runs in the guest, by busybox's shell: kexec into the same kernel while protected programs run.
# The second kernel finds `again=1` in its environment. /vmlinuz is the kernel.

if [ "$again" ]; then
	echo '@@ after'
	hvreg status --json
	nproc
	hvreg run -- busybox echo protected
	# Whatever of the memory is not the second kernel's would be refused, or be somebody's.
	mount -t tmpfs -o size=90% fill /mnt
	dd if=/dev/zero of=/mnt/fill bs=1M 2>/dev/null
	hvreg status --json
	echo '@@ complaints'
	dmesg | grep -E 'general protection|BUG|Oops'
	exit 7
fi

for i in 1 2 3; do
	hvreg run -- busybox sh -c 'while :; do :; done' &
done
while [ "$(hvreg ps | grep -c ready)" != 3 ]; do
	sleep 0.1
done
echo '@@ before'
hvreg status --json
cd /
find bin sbin lib usr rig init root run etc var mnt kexec.sh -xdev ! -type p >/tmp/names
printf '%s\n' dev proc sys tmp dev/console >>/tmp/names
cpio -o -H newc </tmp/names >/tmp/initrd 2>/dev/null
kexec /vmlinuz /tmp/initrd "$(cat /proc/cmdline) again=1"
