# SPDX-License-Identifier: BSD-2-Clause
"""Where the rig finds what it boots, and the one kind of error it ends with."""

import os

TREE = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
BUILD = os.path.join(TREE, "build")
RIG_BUILD = os.path.join(BUILD, "rig")
RIG_SOURCE = os.path.join(TREE, "tests", "rig")
GUEST = os.path.join(BUILD, "guest")
DEBIAN = os.path.join(BUILD, "debian")

KERNEL = os.path.join(GUEST, "vmlinuz")
MODULES = os.path.join(GUEST, "modules")
BUSYBOX = "/bin/busybox"

HYPERVISOR = os.path.join(BUILD, "carrel.elf")
CARREL_MODULE = os.path.join(BUILD, "carrel.ko")
HVREG = os.path.join(BUILD, "hvreg")


class RigError(Exception):
    """The rig itself failed (not COMMAND): its text says what happened and what to do next."""


def need(path, what, remedy):
    """Returns path if that file is there, else raises an error that names the remedy."""
    if not os.path.exists(path):
        raise RigError(f"no {what} ({os.path.relpath(path, TREE)}): {remedy}")
    return path


def need_package(path, package):
    """Returns path, a file of a Debian package, or says how to install that package."""
    return need(path, f"file of Debian's package {package}", "run scripts/packages install")


def guest_release():
    """The name of the guest's kernel, as uname -r prints it there."""
    path = need(os.path.join(GUEST, "release"), "guest kernel", "run scripts/packages install")
    with open(path, encoding="ascii") as file:
        return file.read().strip()
