# SPDX-License-Identifier: BSD-2-Clause
"""KVM inside engine bochs: Intel as KVM shows it to its guests.

Bochs 2.7 does not leave a guest for an interrupt while the guest's IF is 0. An inner CPU that waits
for another so, as Linux does when it starts one, would keep the outer Linux from ever running that
other. An NMI does make it leave: steady/ has one come at a fixed rate, after which the outer Linux
takes its interrupts. So one outer CPU does for all inner ones, and Bochs is fastest with one.
"""

import os
import subprocess

import nested
import paths

MEMORY_MIB = 320
TIMEOUT_SECONDS = 900
POWER_OFF_SECONDS = 120
# Every character there would be an exit to the inner QEMU.
HYPERVISOR_ARGUMENTS = ("screen=off",)

# Instructions in a second of the outer machine's time. The many that an inner timer interrupt costs
# are to be few against a tick.
PACE = 400_000_000


def prepare(run, files, work):
    """The emulator for this run; `work` is a folder of this run alone."""
    nested.check(run)
    if run.firmware != "bios":
        raise paths.RigError("--rig nested-vmx knows only --firmware bios")
    outer = nested.Outer(
        # What the outer kernel does against its own CPU's leaks costs an inner exit dear. The HPET
        # would take the CMOS clock's place in the interrupt controller.
        arguments=["--rig", "bochs", "--module", "kvm-intel",
                   "--append", "mitigations=off hpet=disable",
                   "--bochs-arg", f"cpu: ips={PACE}",
                   "--bochs-arg", "error: action=ignore",
                   "--bochs-arg", f"com4: enabled=1, mode=file, dev={files.kernel_log}"],
        setup=f"modprobe kvm-intel && insmod {nested.FOLDER}/steady.ko || exit 1",
        # The outer machine's clock has nothing to do with ours, and is several times slower.
        patience=str(int(run.timeout / 10)),
        cpu="host",
        files=((_steady(), f"{nested.FOLDER}/steady.ko"),))
    return nested.prepare(outer, run, files, work)


def _steady():
    """The path of the module, built if need be."""
    source = os.path.join(paths.RIG_SOURCE, "steady")
    built = subprocess.run([os.path.join(paths.RIG_SOURCE, "kmod"), source], check=False,
                           stdout=subprocess.PIPE, text=True)
    if built.returncode != 0:
        raise paths.RigError("tests/rig/steady could not be built")
    return built.stdout.strip()
