# SPDX-License-Identifier: BSD-2-Clause
"""The part of QEMU's command line that its engines share."""

import os
import shutil
import socket

import emulator
import iommu
import paths
import qmp

QEMU = "/usr/bin/qemu-system-x86_64"
OVMF_CODE = "/usr/share/OVMF/OVMF_CODE.fd"
OVMF_VARIABLES = "/usr/share/OVMF/OVMF_VARS.fd"


def prepare(engine_arguments, run, files, work):
    """The emulator with an engine's own arguments; `work` is a folder of this run alone."""
    if run.prepare:
        return emulator.Emulator([QEMU, *engine_arguments, "-no-reboot", "-monitor", "stdio",
                                  "-D", files.emulator_log, *devices(run, files),
                                  *boot(run, files, work), *run.qemu_args])
    monitor = qmp.Monitor()
    near, far = socket.socketpair() if run.shell else (None, None)
    command = [paths.need_package(QEMU, "qemu-system-x86"), *engine_arguments,
               *monitor.arguments(), *devices(run, files, far), *boot(run, files, work),
               *run.qemu_args]
    inherited = [monitor.peer, *([far] if far else [])]
    for beside in run.beside:
        inherited += beside.peers
    return emulator.Emulator(command, inherited=tuple(inherited), monitor=monitor, port=near)


def devices(run, files, terminal=None):
    """Arguments for CPUs, memory and ports; `terminal` stands in for the second serial port."""
    arguments = ["-display", "none", "-nodefaults", "-no-user-config",
                 "-smp", str(run.smp), "-m", str(run.mem), "-vga", "std",
                 *iommu.arguments(run),
                 *(word for beside in run.beside for word in beside.arguments())]
    for number, path in enumerate((files.kernel_log, files.output, files.carrel_log), start=1):
        backend = f"file,path={escape(path)}"
        if terminal and path == files.output:
            backend = f"socket,fd={terminal.fileno()}"
        arguments += ["-chardev", f"{backend},id=com{number}", "-serial", f"chardev:com{number}"]
    return arguments


def boot(run, files, work):
    """Arguments for the firmware and the two drives that it boots from."""
    arguments = [
        "-drive", f"if=none,id=cd,media=cdrom,format=raw,readonly=on,file={escape(files.cd)}",
        "-device", "ide-cd,drive=cd,bus=ide.1,bootindex=0",
        "-drive", f"if=none,id=run,format=raw,file={escape(files.disk)}",
        "-device", "ide-hd,drive=run,bus=ide.0,bootindex=1"]
    if run.firmware == "uefi":
        arguments += _uefi(work)
    return arguments


def _uefi(work):
    code = paths.need_package(OVMF_CODE, "ovmf")
    template = paths.need_package(OVMF_VARIABLES, "ovmf")
    variables = os.path.join(work, "variables.fd")
    shutil.copyfile(template, variables)
    return ["-drive", f"if=pflash,format=raw,readonly=on,file={code}",
            "-drive", f"if=pflash,format=raw,file={escape(variables)}"]


def escape(path):
    """A path inside an option's list of values, which a comma would end."""
    return path.replace(",", ",,")
