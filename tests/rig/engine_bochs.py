# SPDX-License-Identifier: BSD-2-Clause
"""Bochs: an Intel machine with VMX, EPT, VPID and unrestricted guest on any host.

Its exit status says nothing; the machine is off when the process has ended.
"""

import hashlib
import os
import subprocess

import emulator
import paths

MEMORY_MIB = 512
TIMEOUT_SECONDS = 300
POWER_OFF_SECONDS = 60
# Bochs 2.7 keeps an INIT pending that has caused an exit, so that it exits again and again.
HYPERVISOR_ARGUMENTS = ("sipi=trap",)

BOCHS = "/usr/bin/bochs-bin"
# Bochs takes a disk's geometry from its size: whole cylinders of 16 heads and 63 sectors.
CYLINDER_BYTES = 16 * 63 * 512

CONFIG = """\
display_library: term
config_interface: textconfig
plugin_ctrl: unmapped=true, biosdev=true, speaker=false, extfpuirq=true, parallel=false, serial=true
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/vgabios/vgabios.bin
cpu: model=corei7_haswell_4770, count={smp}:1:1, ips=50000000, reset_on_triple_fault=false, \
ignore_bad_msrs=true, cpuid_limit_winnt=0
memory: guest={mem}, host={mem}
boot: cdrom
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=disk, path=run.disk, mode=flat
ata1: enabled=1, ioaddr1=0x170, ioaddr2=0x370, irq=15
ata1-master: type=cdrom, path=grub.iso, status=inserted
clock: sync=none, time0=1700000000
com1: enabled=1, mode=file, dev=kernel.log
com2: enabled=1, {com2}
com3: enabled=1, mode=file, dev=carrel.log
log: emulator.log
logprefix: %t%e%d
panic: action=fatal
error: action=report
info: action=report
debug: action=ignore
"""


def prepare(run, files, work):
    """The emulator for this run; `work`, a folder of this run alone, is its current one."""
    _check(run)
    _lay_out(files, work)
    near, far, com2 = None, None, "mode=file, dev=output.log"
    if run.shell:
        near, far = (os.fdopen(end, "r+b", buffering=0) for end in os.openpty())
        com2 = f"mode=term, dev={os.ttyname(far.fileno())}"
    with open(os.path.join(work, "bochsrc"), "w", encoding="ascii") as file:
        file.write(CONFIG.format(smp=run.smp, mem=run.mem, com2=com2))
        if run.trace:
            file.write("magic_break: enabled=1\n")
        file.writelines(f"{line}\n" for line in run.bochs_args)
    command = [BOCHS, "-q", "-f", "bochsrc"]
    if not run.prepare:
        # This Bochs has a debugger, which takes its commands at the start and after SIGINT.
        with open(os.path.join(work, "debugger"), "w", encoding="ascii") as file:
            file.write("c\ntrace on\nc\ntrace off\n" * run.trace + "c\nquit\n")
        command += ["-rc", "debugger"]
    environment = {"TERM": "vt100", "LD_PRELOAD": _fixed_seed()}
    return emulator.Emulator(command, environment, inherited=(far,) if far else (), port=near,
                             output=files.trace if run.trace else None, interrupt=True)


def _check(run):
    if run.firmware != "bios":
        raise paths.RigError("bochs has no UEFI firmware: use --firmware bios or --rig tcg")
    if run.icount or run.qemu_args:
        raise paths.RigError("--icount and --qemu-arg are QEMU's: bochs always counts exactly")
    if run.iommu[0] != "none":
        raise paths.RigError("bochs has no IOMMU: use --iommu none or --rig tcg")
    for path, package in ((BOCHS, "bochs"), ("/usr/share/bochs/BIOS-bochs-latest", "bochsbios"),
                          ("/usr/share/vgabios/vgabios.bin", "vgabios")):
        paths.need_package(path, package)


def _lay_out(files, work):
    """Gives the files the names that the configuration has for them."""
    with open(files.disk, "ab") as disk:
        disk.truncate(disk.tell() + -disk.tell() % CYLINDER_BYTES)
    for path, name in ((files.cd, "grub.iso"), (files.kernel_log, "kernel.log"),
                       (files.output, "output.log"), (files.carrel_log, "carrel.log"),
                       (files.emulator_log, "emulator.log")):
        here = os.path.join(work, name)
        if path != here:
            if os.path.lexists(here):
                os.unlink(here)
            os.symlink(path, here)


def _fixed_seed():
    """The preloaded library's path, built first if need be."""
    source = os.path.join(paths.RIG_SOURCE, "fixed_seed.c")
    with open(source, "rb") as file:
        identity = hashlib.sha256(file.read()).hexdigest()[:16]
    library = os.path.join(paths.RIG_BUILD, f"fixed_seed-{identity}.so")
    if not os.path.exists(library):
        made = f"{library}.{os.getpid()}"
        subprocess.run(["gcc", "-O2", "-Wall", "-Wextra", "-shared", "-fPIC", "-o", made, source],
                       check=True)
        os.replace(made, library)
    return library
