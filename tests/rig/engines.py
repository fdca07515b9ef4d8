# SPDX-License-Identifier: BSD-2-Clause
"""Which engine runs the machine.

An engine is a module engine_NAME (- becomes _) with prepare(run, files, work), which returns an
emulator.Emulator, and with its defaults MEMORY_MIB, TIMEOUT_SECONDS and POWER_OFF_SECONDS.
"""

import importlib

import engine_kvm

NAMES = ("tcg", "bochs", "kvm", "nested", "nested-vmx")


def choose(name, say):
    """The engine called `name`; for "auto", says by `say` which one it is and why."""
    if name == "auto":
        unusable = engine_kvm.why_unusable()
        name = "tcg" if unusable else "kvm"
        say(f"engine {name}: {unusable or 'KVM offers VMX or SVM'}")
    return importlib.import_module(f"engine_{name.replace('-', '_')}")
