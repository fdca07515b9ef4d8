# SPDX-License-Identifier: BSD-2-Clause
#
# Runs in the guest, by busybox's shell: tells what the machine is and what it does, in sections
# that begin with `@@ NAME`, for tests/boot/machine to judge. Without Carrel (no hvreg status) only
# what is to be compared. $MILLISECONDS: how long a load lasts.

section()
{
	echo "@@ $1"
}

# What another run of hvreg would tell: always on CPU 0, so that its own exits are always the same.
status()
{
	section "$phase-status-$1"
	taskset 1 hvreg status --json
}

ticks()
{
	awk '/^ *LOC:/ { for (i = 2; $i ~ /^[0-9]+$/; i++) n += $i } END { print n }' /proc/interrupts
}

online()
{
	echo "$2" >"/sys/devices/system/cpu/cpu$1/online"
}

cpus()
{
	ls -d /sys/devices/system/cpu/cpu[1-9]* 2>/dev/null | sed 's/.*cpu//'
}

facts()
{
	section nproc
	nproc
	section cpuinfo
	cat /proc/cpuinfo
	section cpuid-insn
	cpuid insn
	modprobe cpuid
	section cpuid-device
	cpuid device
	section iomem
	cat /proc/iomem
	section acpi
	(cd /sys/firmware/acpi/tables && sha256sum [A-Z]*)
}

efi()
{
	modprobe efivarfs
	mount -t efivarfs efivarfs /sys/firmware/efi/efivars
	section efi-variables
	ls /sys/firmware/efi/efivars
	section efi-value
	variable=/sys/firmware/efi/efivars/CarrelTest-2c5e0a5e-7d0c-4f5b-9b0e-0c4f0d6a1b11
	printf '\007\000\000\000written by the test' >$variable
	tail -c +5 $variable
	echo
	section efi-time
	hwclock -r -u -f /dev/rtc-efi 2>/dev/null || cat /sys/class/rtc/rtc*/name
	section framebuffer
	cat /proc/fb
}

# Each CPU away and back, one by one, then all at once.
hotplug()
{
	section hotplug
	for cpu in $(cpus); do
		online $cpu 0 && echo "off $(nproc)" && hvreg run -- busybox echo runs
		online $cpu 1 && echo "on $(nproc)" && taskset $((1 << cpu)) hvreg run -- busybox echo runs
	done
	for cpu in $(cpus); do online $cpu 0; done
	echo "all off $(nproc)"
	hvreg status | grep -E '^(CPUs|APIC)'
	for cpu in $(cpus); do online $cpu 1; done
	echo "all on $(nproc)"
}

# The same while protected programs start, compute and end on all CPUs.
hotplug_under_load()
{
	section hotplug-load
	right=$(busybox sha256sum /bin/busybox)
	touch /tmp/go
	for worker in 1 2 3; do
		while [ -e /tmp/go ]; do
			if [ "$(hvreg run -- busybox sha256sum /bin/busybox)" = "$right" ]; then
				echo right
			else
				echo WRONG
			fi
		done >/tmp/worker$worker &
	done
	for round in 1 2 3; do
		for cpu in $(cpus); do online $cpu 0 && usleep 100000; done
		usleep 200000
		for cpu in $(cpus); do online $cpu 1 && usleep 100000; done
	done
	rm /tmp/go
	wait
	cat /tmp/worker[123]
	section hotplug-load-nproc
	nproc
}

# Loads between two looks at the counters. `cost` is a look at nothing; `null` starts the load's
# program and ends it, which asks CPUID as every start of a program does.
steady()
{
	status 1
	status 2
	load 0 >/tmp/null
	status 3
	section $phase-ticks
	ticks
	section $phase-load
	load $MILLISECONDS
	section $phase-ticks-after
	ticks
	status 4
	section $phase-idle-ticks
	ticks
	sleep 1
	ticks
	status 5
	section $phase-shell
	for i in $(seq 1 40); do
		seq 1 500 | sort -n | tail -n 1 | cat >/tmp/last
		(exit $i)
	done
	cat /tmp/last
	status 6
}

# Two protected programs that wait: what ps and status tell of them.
listed()
{
	for i in 1 2; do
		mkfifo /tmp/fifo$i
		hvreg run -- busybox cat </tmp/fifo$i >/tmp/listed$i &
	done
	exec 5>/tmp/fifo1 6>/tmp/fifo2
	echo a >&5
	echo a >&6
	while [ ! -s /tmp/listed1 ] || [ ! -s /tmp/listed2 ]; do usleep 50000; done
	section ps
	hvreg ps --json
	section ps-measure
	hvreg measure busybox
	section ps-table
	hvreg ps
	status now
	exec 5>&- 6>&-
	wait
	section ps-after
	hvreg ps --json
	status ended
}

facts
[ ! -d /sys/firmware/efi ] || efi
if hvreg status >/dev/null 2>&1; then
	section status-table
	hvreg status
	phase=boot steady
	if [ -n "$(cpus)" ]; then
		hotplug
		hotplug_under_load
		section cpuid-again
		cpuid insn
		phase=later steady
	fi
	phase=listed listed
	section log
	hvreg log
fi
section dmesg
dmesg
section functional
[ -z "$FUNCTIONAL" ] || . /functional.sh
section end
