# SPDX-License-Identifier: BSD-2-Clause
"""What boots: a CD with GRUB alone, the same for every run, and a disk with this run's files.

The disk is a tar archive, which GRUB reads as a file system, so that a run builds no ISO: it writes
one file. The CD is built once a GRUB version by grub-mkrescue, for BIOS and UEFI together.
"""

import hashlib
import io
import os
import shlex
import subprocess
import tarfile
import tempfile

import paths

RUN_CONFIG = "rig-run.cfg"
TPM_MODULE = "/usr/lib/grub/x86_64-efi/tpm.mod"
FAILED = "rig: GRUB failed"
STARTING = "rig: GRUB starts"

GRUB_MODULES = (
    "normal iso9660 tar part_acorn part_amiga part_apple part_bsd part_dfly part_dvh part_gpt "
    "part_msdos part_plan part_sun part_sunpc search search_fs_file configfile "
    "echo test serial terminal sleep halt reboot linux multiboot multiboot2 all_video"
)

# The serial port is COM1: what GRUB says stands before the kernel's messages in kernel.log.
CD_CONFIG = f"""\
serial --unit=0 --speed=115200
terminal_input console
terminal_output serial
insmod tar
insmod all_video
search --no-floppy --file /{RUN_CONFIG} --set=run --hint hd0
source ($run)/{RUN_CONFIG}
echo "{FAILED}"
sleep 600
"""


def cd_image():
    """The path of the ISO, built first if this GRUB has not built it yet."""
    platforms = [
        paths.need_package("/usr/lib/grub/i386-pc/kernel.img", "grub-pc-bin"),
        paths.need_package("/usr/lib/grub/x86_64-efi/kernel.img", "grub-efi-amd64-bin"),
    ]
    identity = hashlib.sha256((CD_CONFIG + GRUB_MODULES).encode())
    for kernel in platforms:
        with open(kernel, "rb") as file:
            identity.update(file.read())
    path = os.path.join(paths.RIG_BUILD, f"grub-{identity.hexdigest()[:16]}.iso")
    if not os.path.exists(path):
        _build_cd(path)
    return path


def _build_cd(path):
    for tool, package in (("grub-mkrescue", "grub-common"), ("xorriso", "xorriso"),
                          ("mformat", "mtools")):
        paths.need_package(f"/usr/bin/{tool}", package)
    with tempfile.TemporaryDirectory(dir=paths.RIG_BUILD) as work:
        tree = os.path.join(work, "cd", "boot", "grub")
        os.makedirs(tree)
        with open(os.path.join(tree, "grub.cfg"), "w", encoding="ascii") as file:
            file.write(CD_CONFIG)
        image = os.path.join(work, "grub.iso")
        result = subprocess.run(
            ["grub-mkrescue", "-o", image, f"--install-modules={GRUB_MODULES}", "--locales=",
             "--fonts=", "--themes=", os.path.join(work, "cd")],
            capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise paths.RigError(f"grub-mkrescue failed:\n{result.stderr}")
        os.replace(image, path)


def write_disk(path, run, initrd):
    """Writes the run's disk: GRUB's instructions, hypervisor, kernel, initramfs, --boot-file."""
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as disk:
        _add_bytes(disk, RUN_CONFIG, _config(run).encode())
        if not run.bare:
            hypervisor = paths.need(run.hypervisor or paths.HYPERVISOR, "hypervisor",
                                    "build first: make")
            disk.add(hypervisor, "carrel.elf", filter=_plain)
        if run.first:
            disk.add(run.first[0], "first", filter=_plain)
        kernel = paths.need(run.kernel or paths.KERNEL, "guest kernel",
                            "run scripts/packages install")
        disk.add(os.path.realpath(kernel), "vmlinuz", filter=_plain)
        disk.add(initrd, "initrd", filter=_plain)
        if _measures(run):
            disk.add(paths.need_package(TPM_MODULE, "grub-efi-amd64-bin"), "tpm.mod",
                     filter=_plain)
        for source, name in run.boot_files:
            disk.add(os.path.realpath(source), name.strip("/"), filter=_plain)


def _measures(run):
    """As Debian's GRUB for UEFI does, which has this module in it; that for a BIOS cannot."""
    return run.tpm != "none" and run.firmware == "uefi"


def _config(run):
    if run.grub_cfg:
        with open(run.grub_cfg, encoding="utf-8") as file:
            return file.read()
    loaded = "($run)/initrd" if not run.no_initrd else ""
    words = _quote(run.kernel_arguments)
    begin = ["insmod ($run)/tpm.mod"] if _measures(run) else []
    if run.bare:
        lines = [f"linux ($run)/vmlinuz {words}"]
        lines += [f"initrd {loaded}"] if loaded else []
    else:
        hypervisor = _quote(run.hypervisor_arguments)
        multiboot, module = {1: ("multiboot", "module"), 2: ("multiboot2", "module2")}[
            run.multiboot]
        lines = [f"{multiboot} ($run)/carrel.elf {hypervisor}"]
        if run.first:
            lines = [f"{multiboot} ($run)/first {_quote(run.first[1:])}",
                     f"{module} ($run)/carrel.elf {hypervisor}"]
        lines += [f"{module} ($run)/vmlinuz {words}"]
        lines += [f"{module} {loaded}"] if loaded else []
    return "\n".join([*begin, *lines, f'echo "{STARTING}"', "boot", ""])


def _quote(arguments):
    """Words for GRUB's script, whose single quotes are the shell's."""
    return " ".join(shlex.quote(word) for word in arguments)


def _plain(member):
    """The same bytes from every user at any time."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mtime = 0
    member.mode = 0o644
    return member


def _add_bytes(disk, name, content):
    member = _plain(tarfile.TarInfo(name))
    member.size = len(content)
    disk.addfile(member, io.BytesIO(content))
