# SPDX-License-Identifier: BSD-2-Clause
"""QEMU with KVM, where the host's KVM really offers nested virtualization."""

import ctypes
import fcntl
import os
import struct
import subprocess
import tempfile

import paths
import qemu

MEMORY_MIB = 1024
TIMEOUT_SECONDS = 120
POWER_OFF_SECONDS = 20

PROBE_SECONDS = 1
DEBUG_EXIT_PORT = 0xF4
# The debug exit device turns the written value v into QEMU's exit status 2v + 1.
PROBE_STATUS = 1

# linux/kvm.h: struct kvm_cpuid2 is a count, four bytes of padding and that many entries; a
# struct kvm_cpuid_entry2 is function, index, flags, eax, ebx, ecx, edx and twelve bytes more.
KVM_GET_SUPPORTED_CPUID = 0xC008AE05
CPUID_HEADER = struct.Struct("=II")
CPUID_ENTRY = struct.Struct("=7I12x")
CPUID_ENTRIES = 256
VMX = (0x00000001, 1 << 5)
SVM = (0x80000001, 1 << 2)


def prepare(run, files, work):
    """The emulator for this run; `work` is a folder of this run alone."""
    if run.icount:
        raise paths.RigError("--icount is for --rig tcg")
    unusable = why_unusable()
    if unusable:
        raise paths.RigError(f"kvm cannot be used here: {unusable}; use --rig tcg")
    return qemu.prepare(arguments(run), run, files, work)


def arguments(run, cpu="host"):
    """What makes a QEMU command line this engine's."""
    # An IOMMU that is to see interrupt messages cannot do with KVM's own I/O APIC.
    split = ",kernel-irqchip=split" if run.iommu[0] != "none" else ""
    return ["-M", f"q35,smm=off{split}", "-accel", "kvm", "-cpu", cpu]


def why_unusable():
    """Why this host's KVM cannot run Carrel, in words, or None if it can."""
    try:
        device = os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        return f"/dev/kvm: {error.strerror}"
    try:
        cpuid = _supported_cpuid(device)
    except OSError as error:
        return f"KVM does not tell what it supports: {error.strerror}"
    finally:
        os.close(device)
    if not any(cpuid.get(leaf, 0) & bit for leaf, bit in (VMX, SVM)):
        return "KVM offers its guests neither VMX nor SVM"
    return _why_probe_fails()


def _supported_cpuid(device):
    """ECX by leaf, of the lowest sub-leaf, as KVM can show it to a guest."""
    size = CPUID_HEADER.size + CPUID_ENTRIES * CPUID_ENTRY.size
    buffer = ctypes.create_string_buffer(size)
    CPUID_HEADER.pack_into(buffer, 0, CPUID_ENTRIES, 0)
    fcntl.ioctl(device, KVM_GET_SUPPORTED_CPUID, buffer)
    count, _ = CPUID_HEADER.unpack_from(buffer)
    ecx = {}
    for number in range(count):
        entry = CPUID_ENTRY.unpack_from(buffer, CPUID_HEADER.size + number * CPUID_ENTRY.size)
        ecx.setdefault(entry[0], entry[5])
    return ecx


def probe_firmware():
    """64 KiB of firmware that ends its machine by the debug exit port at the first instruction."""
    out = bytes((0xB0, 0x00, 0xE6, DEBUG_EXIT_PORT))  # mov $0, %al; out %al, $port
    halt = bytes((0xFA, 0xF4, 0xEB, 0xFD))  # cli; hlt; jmp back to hlt
    reset_vector = (out + halt).ljust(16, b"\0")
    return bytes(0x10000 - 16) + reset_vector


def probe_command(rom, accelerator="kvm", cpu="host"):
    """QEMU's command line for a machine with that firmware."""
    return [paths.need_package(qemu.QEMU, "qemu-system-x86"), "-M", "pc", "-accel", accelerator,
            "-cpu", cpu, "-m", "16", "-nodefaults", "-no-user-config", "-display", "none",
            "-bios", rom, "-device", f"isa-debug-exit,iobase={DEBUG_EXIT_PORT:#x},iosize=1"]


def _why_probe_fails():
    """A KVM that answers may still be emulated beneath and be too slow to use."""
    with tempfile.NamedTemporaryFile(suffix=".rom") as rom:
        rom.write(probe_firmware())
        rom.flush()
        try:
            result = subprocess.run(probe_command(rom.name), timeout=PROBE_SECONDS,
                                    stdin=subprocess.DEVNULL, capture_output=True, check=False)
        except subprocess.TimeoutExpired:
            return f"a probe machine did not end within {PROBE_SECONDS} s"
    if result.returncode != PROBE_STATUS:
        return f"a probe machine failed with status {result.returncode}"
    return None
