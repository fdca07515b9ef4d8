# SPDX-License-Identifier: BSD-2-Clause
"""The guest's initramfs: busybox, Carrel's module and CLI, /init, and what this run adds."""

import os
import subprocess

import cpio
import debian
import paths

# Modules every run can load by modprobe: EFI variables, and MSRs and CPUID from user space.
MODULES = ("efivarfs", "msr", "cpuid")

USERS = ((b"daemon", 1), (b"www-data", 33), (b"nobody", 65534), (b"sshd", 100), (b"redis", 101),
         (b"memcache", 102))


def build(run, mark):
    """The archive for `run` as bytes; `mark` is the word that begins /init's own lines on ttyS1."""
    archive = cpio.Archive()
    for name in ("dev", "proc", "sys", "tmp", "root", "run", "etc", "var", "mnt"):
        archive.folder(name)
    archive.char_device("dev/console", 5, 1)
    _add_users(archive)
    _add_busybox(archive)
    _add_modules(archive, MODULES + tuple(run.modules))
    debian.add(archive, run.debian)
    _add_carrel(archive)
    init = os.path.join(paths.RIG_SOURCE, "guest", "init")
    with open(init, "rb") as file:
        archive.file("init", file.read(), 0o755)
    for source, name in run.add:
        archive.copy(os.path.realpath(source), name)
    archive.file("rig/env", _environment(run, mark))
    archive.file("rig/command", os.fsencode(run.command) + b"\n")
    return archive.finish()


def _add_users(archive):
    """root, and those that Debian's packages would make for their services."""
    users, groups = b"root:x:0:0:root:/root:/bin/sh\n", b"root:x:0:\ncarrel:x:990:\n"
    for name, number in USERS:
        users += b"%s:x:%d:%d::/nonexistent:/usr/sbin/nologin\n" % (name, number, number)
        groups += b"%s:x:%d:\n" % (name, number)
    archive.file("etc/passwd", users)
    archive.file("etc/group", groups)
    archive.file("etc/hosts", b"127.0.0.1 localhost\n")


def _environment(run, mark):
    load = not run.bare and not run.no_module
    return (f"RIG_MARK={mark}\nRIG_LOAD={int(load)}\nRIG_SHELL={int(run.shell)}\n").encode()


def _add_busybox(archive):
    busybox = paths.need_package(paths.BUSYBOX, "busybox-static")
    archive.copy(busybox, "bin/busybox")
    applets = subprocess.run([busybox, "--list-full"], check=True, capture_output=True, text=True)
    for applet in applets.stdout.split():
        if applet != "bin/busybox":
            archive.link(applet, "/bin/busybox")


def _add_carrel(archive):
    """What `make` built. A bare run works without it, and has it if it is there."""
    if os.path.exists(paths.HVREG):
        archive.copy(paths.HVREG, "usr/bin/hvreg")
    if os.path.exists(paths.CARREL_MODULE):
        archive.copy(paths.CARREL_MODULE, "lib/carrel.ko")


def _add_modules(archive, names):
    """Adds the guest kernel's modules of these names and what they depend on, for modprobe."""
    base = f"lib/modules/{paths.guest_release()}"
    depends = {}
    path_of = {}
    with open(os.path.join(paths.MODULES, "modules.dep"), encoding="ascii") as file:
        for line in file:
            path, needed = line.rstrip("\n").split(":")
            depends[path] = needed.split()
            path_of[os.path.basename(path).split(".")[0].replace("-", "_")] = path
    lines = {}
    for name in names:
        path = path_of.get(name.replace("-", "_"))
        if path is None:
            raise paths.RigError(f"the guest's kernel has no module named {name}")
        for each in (path, *depends[path]):
            lines[each] = f"{each}: {' '.join(depends[each])}\n"
    for path in lines:
        archive.copy(os.path.join(paths.MODULES, path), f"{base}/{path}")
    archive.file(f"{base}/modules.dep", "".join(lines.values()).encode())
