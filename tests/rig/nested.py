# SPDX-License-Identifier: BSD-2-Clause
"""The kvm engine, tried for real on a machine without virtualization hardware.

The outer machine is the rig's own, with another engine: its Linux loads KVM's module and runs QEMU,
whose guest is the machine that was asked for. The inner ports reach us through the outer ones.

QEMU itself loads what boots, by the Linux protocol or multiboot 1. GRUB would read it in real mode,
where each of thousands of BIOS calls is emulated twice over, slowly and not quite faithfully.
"""

import dataclasses
import os
import shlex
import subprocess
import sys

import emulator
import engine_kvm
import paths
import qemu

# For QEMU itself, its guest's boot files, twice: in the initramfs and unpacked.
OUTER_MEMORY_MIB = 1024
# All that QEMU's machine loads by name at its start.
ROMS = ("bios-256k.bin", "vgabios-stdvga.bin", "kvmvapic.bin", "linuxboot_dma.bin",
        "multiboot_dma.bin")
ROM_FOLDERS = ("/usr/share/qemu", "/usr/share/seabios")
FOLDER = "/nested"

# ttyS2 carries the inner hypervisor's log, ttyS3 the inner kernel's, our output the inner ttyS1.
SCRIPT = """\
{setup}
exec 8<>/dev/ttyS2 9<>/dev/ttyS3
stty raw -echo 115200 <&8
stty raw -echo 115200 <&9
mkfifo {folder}/monitor.in {folder}/monitor.out
# Where do the inner CPUs hang?
(
	sleep {patience}
	echo 'info registers -a' >{folder}/monitor.in
	timeout 3 cat {folder}/monitor.out >&9
	cat {folder}/errors >&9
) &
cd {folder}
{qemu} 2>{folder}/errors
status=$?
cat {folder}/errors >&9
exit $status
"""


@dataclasses.dataclass(frozen=True)
class Outer:
    """The outer machine."""
    # Of its rig: the engine, and all else that makes COM4 a file and the machine fit for KVM.
    arguments: list
    # Shell commands after which /dev/kvm is there.
    setup: str
    # A shell word: seconds of its time to wait before it asks where the inner CPUs hang.
    patience: str
    # The inner CPU as QEMU names it.
    cpu: str
    # More files: pairs of the host's path and the guest's.
    files: tuple = ()


def check(run):
    """Refuses what no nested engine can."""
    if run.icount or run.shell or run.prepare or run.grub_cfg:
        raise paths.RigError(f"--icount, --shell, --prepare and --grub-cfg do not go with "
                             f"--rig {run.rig}: use --rig tcg or bochs")


def prepare(outer, run, files, work):
    """The emulator for this run: another rig, whose COMMAND's output is the inner ttyS1."""
    with open(os.path.join(work, "run"), "w", encoding="utf-8") as script:
        script.write(SCRIPT.format(folder=FOLDER, patience=outer.patience, setup=outer.setup,
                                   qemu=shlex.join(_inner_command(outer.cpu, run, files))))
    logs = os.path.join(os.path.dirname(files.output), "outer")
    # Live, like the other engines' logs.
    os.symlink(os.path.join(logs, "carrel.log"), files.carrel_log)
    command = [sys.executable, os.path.join(paths.RIG_SOURCE, "rig"), "--bare",
               "--mem", str(run.mem + OUTER_MEMORY_MIB), "--log", logs,
               "--timeout", str(run.timeout), *outer.arguments]
    for source, name in (*_outer_files(run, work), *outer.files):
        command += ["--add", f"{source}:{name}"]
    command += ["--", "sh", f"{FOLDER}/run"]
    return emulator.Emulator(command, output=files.output)


def _inner_command(cpu, run, files):
    inner = dataclasses.replace(files, kernel_log="/dev/ttyS3", carrel_log="/dev/ttyS2",
                                output="/dev/stdout")
    return [qemu.QEMU, "-L", f"{FOLDER}/roms", *engine_kvm.arguments(run, cpu), "-no-reboot",
            "-chardev", f"pipe,id=monitor,path={FOLDER}/monitor", "-mon", "chardev=monitor",
            *qemu.devices(run, inner), *_boot(run), *run.qemu_args]


def _boot(run):
    """What QEMU loads; it puts a file's name before its words, unlike GRUB."""
    words = " ".join(run.kernel_arguments)
    initrd = [] if run.no_initrd else ["initrd"]
    if run.bare:
        return ["-kernel", "vmlinuz", "-append", words,
                *(["-initrd", *initrd] if initrd else [])]
    modules = ",".join([qemu.escape(f"vmlinuz {words}"), *initrd])
    return ["-kernel", "carrel.elf", "-append", " ".join(run.hypervisor_arguments),
            "-initrd", modules]


def _outer_files(run, work):
    """Pairs of the host's path and the outer guest's."""
    yield os.path.join(work, "run"), f"{FOLDER}/run"
    yield os.path.join(work, "initrd"), f"{FOLDER}/initrd"
    yield paths.KERNEL, f"{FOLDER}/vmlinuz"
    if not run.bare:
        hypervisor = paths.need(paths.HYPERVISOR, "hypervisor", "build first: make")
        yield hypervisor, f"{FOLDER}/carrel.elf"
    for rom in ROMS:
        found = [path for folder in ROM_FOLDERS if os.path.exists(path := f"{folder}/{rom}")]
        if not found:
            raise paths.RigError(f"QEMU's {rom} is missing: run scripts/packages install")
        yield found[0], f"{FOLDER}/roms/{rom}"
    yield paths.need_package(qemu.QEMU, "qemu-system-x86"), qemu.QEMU
    yield from ((path, path) for path in _libraries(qemu.QEMU))


def _libraries(program):
    """The shared libraries of a program, and its loader."""
    listing = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    return [word for word in listing.split() if word.startswith("/")]
