# SPDX-License-Identifier: BSD-2-Clause
"""QEMU's own emulation: an AMD machine with SVM and nested paging on any host."""

import qemu

MEMORY_MIB = 1024
TIMEOUT_SECONDS = 120
POWER_OFF_SECONDS = 20


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
    return qemu.prepare(arguments, run, files, work)
