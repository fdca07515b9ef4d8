# SPDX-License-Identifier: BSD-2-Clause
"""KVM inside engine tcg: AMD as KVM shows it to its guests."""

import time

import nested
import paths
import qemu

MEMORY_MIB = 512
TIMEOUT_SECONDS = 300
POWER_OFF_SECONDS = 60

# How long before the end of our time it is asked where the inner CPUs hang.
REGISTERS_SECONDS = 15

# The outer COM4, on an interrupt of its own.
EXTRA_PORT = "isa-serial,chardev=inner-kernel,index=3,iobase=0x2e8,irq=5"


def prepare(run, files, work):
    """The emulator for this run; `work` is a folder of this run alone."""
    nested.check(run)
    if run.firmware != "bios":
        raise paths.RigError("--rig nested knows only --firmware bios: OVMF writes CR8, and QEMU 7.2"
                             " aborts when a nested guest does that with an interrupt pending")
    end = int(time.time() + run.timeout - REGISTERS_SECONDS)
    port = f"file,id=inner-kernel,path={qemu.escape(files.kernel_log)}"
    outer = nested.Outer(
        arguments=["--rig", "tcg", "--smp", str(max(2, run.smp)), "--module", "kvm-amd",
                   "--iommu", "none",
                   "--qemu-arg=-chardev", f"--qemu-arg={port}",
                   "--qemu-arg=-device", f"--qemu-arg={EXTRA_PORT}"],
        setup="modprobe kvm-amd || exit 1",
        patience=f"$(({end} - $(date +%s)))",
        # TCG has no XSETBV intercept, so the inner XCR0 would go astray.
        cpu="host,-xsave")
    return nested.prepare(outer, run, files, work)
