# SPDX-License-Identifier: BSD-2-Clause
"""QEMU's own emulation: an AMD machine with SVM and nested paging on any host."""

import os

import qemu

MEMORY_MIB = 1024
TIMEOUT_SECONDS = 120
POWER_OFF_SECONDS = 20
IOMMU = "vtd"


def prepare(run, files, work):
    """The emulator for this run; `work` is a folder of this run alone."""
    thread = "single" if run.icount else "multi"
    # smm=off: a system-management interrupt would come back with EFER.SVME clear.
    arguments = ["-M", "q35,smm=off", "-accel", f"tcg,thread={thread}", "-cpu", "max",
                 "-d", "cpu_reset"]
    if run.icount:
        # One instruction is one nanosecond of guest time, and nothing comes from the host.
        arguments += ["-icount", "shift=0,sleep=off", "-seed", "1",
                      "-rtc", "base=2024-01-01T00:00:00,clock=vm"]
    emulator = qemu.prepare(arguments, run, files, work)
    if thread == "multi" and run.smp > 1:
        emulator.command[:0] = ["/usr/bin/taskset", "-c", str(host_cpu())]
    return emulator


def host_cpu():
    """The one CPU of the host that all threads of an emulator share: they still interleave at any
    instruction, but never run at once. QEMU 7.2 loses updates otherwise: a CPU that restores x87
    state clears IGNNE in the first CPU's `hflags2` without a lock (cpu_clear_ignne), and a #VMEXIT
    of the first CPU at that moment leaves nested paging on while the hypervisor runs. RIG_HOST_CPU
    names one, for a caller that runs several rigs at once."""
    cpus = sorted(os.sched_getaffinity(0))
    return os.environ.get("RIG_HOST_CPU") or cpus[os.getpid() % len(cpus)]
